//! Spares: finished copies made ahead of time, and which of them a tenant was made from.

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
create table spares (
    id bigint generated always as identity primary key,
    schema text not null unique,
    role text not null unique,
    template_version bigint,
    created_at timestamptz not null default now(),
    check (template_version > 0)
);
comment on table spares is 'Copies that nobody owns yet';
comment on column spares.template_version is 'What it is a copy of; null while it is being made';

alter table tenants add column spare text;
comment on column tenants.spare is 'Schema of the spare that the tenant is made from, until it has been renamed';
"#;

const DOWN: &str = "alter table tenants drop column spare; drop table spares";
