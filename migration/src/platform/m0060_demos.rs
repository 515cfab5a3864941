//! Demos: masked copies of the template, the newest finished one of which is served.

use sea_orm_migration::prelude::*;

/// The step; its name is the file's.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(UP).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(DOWN).await?;
        Ok(())
    }
}

const UP: &str = r#"
create table demos (
    id bigint generated always as identity primary key,
    schema text not null unique,
    role text not null unique,
    seed bigint not null,
    template_version bigint not null,
    late text not null default '',
    report jsonb not null default '{}',
    created_at timestamptz not null default now(),
    made_at timestamptz,
    check (seed >= 0)
);
comment on table demos is 'Masked copies of the template';
comment on column demos.seed is 'What its values follow from';
comment on column demos.late is 'What checks its deferrable constraints before a write is rolled back';
comment on column demos.report is 'What became of each column, and why';
comment on column demos.made_at is 'When it was finished; null while it is being made';
"#;

const DOWN: &str = "drop table demos";
