//! What all servers on these databases share: their secrets.

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
create table secrets (
    name text primary key,
    value bytea not null,
    created_at timestamptz not null default now()
);
comment on table secrets is 'Made once by the first server; every other server reads them';
"#;

const DOWN: &str = "drop table secrets";
