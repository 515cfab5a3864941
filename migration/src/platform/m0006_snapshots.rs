//! Snapshots: states of a tenant that its administrator keeps.

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
            .execute_unprepared("drop table snapshots")
            .await?;
        Ok(())
    }
}

const UP: &str = r#"
create table snapshots (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    name text not null,
    schema text not null unique,
    complete boolean not null default false,
    created_at timestamptz not null default now(),
    unique (tenant_id, name)
);
comment on table snapshots is 'States of tenants that are kept, each in a schema of its own';
comment on column snapshots.complete is 'False while it is being made; such a one that nobody makes is removed';
"#;
