//! Which template the database holds, beside the template, so that both change in one transaction.

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
        manager
            .get_connection()
            .execute_unprepared(
                "drop table _sandlot.template; drop table _sandlot.template_versions",
            )
            .await?;
        Ok(())
    }
}

const UP: &str = r#"
create table _sandlot.template_versions (
    version bigint primary key,
    definitions bigint not null,
    rows text not null,
    digest jsonb not null,
    made_at timestamptz not null default now()
);
comment on table _sandlot.template_versions is 'Every state of the template that copies were made of';
comment on column _sandlot.template_versions.definitions is 'Changes with every definition in the schema public';
comment on column _sandlot.template_versions.rows is 'Changes with every row and sequence that is copied';
comment on column _sandlot.template_versions.digest is 'What certificates compare copies with';

create table _sandlot.template (
    id integer primary key default 1 check (id = 1),
    version bigint references _sandlot.template_versions,
    source text not null,
    loaded_at timestamptz not null default now()
);
comment on table _sandlot.template is 'Which template the schema public holds; no row before the first is whole';
"#;
