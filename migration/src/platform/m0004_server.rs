//! What all servers on these databases share: secrets and the template's version.

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

create table template (
    id integer primary key default 1 check (id = 1),
    version bigint not null,
    source text not null,
    seed bigint,
    scale integer,
    loaded_at timestamptz not null default now()
);
comment on table template is 'Which template the public schema of the tenants database holds';
"#;

const DOWN: &str = "drop table template; drop table secrets";
