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
            .execute_unprepared("drop table _sandlot.template")
            .await?;
        Ok(())
    }
}

const UP: &str = r#"
create table _sandlot.template (
    id integer primary key default 1 check (id = 1),
    version bigint not null,
    source text not null,
    loaded_at timestamptz not null default now()
);
comment on table _sandlot.template is 'Which template the schema public holds; no row before the first is whole';
"#;
