//! Tenants: private copies, each a small state machine.

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
create table tenants (
    id bigint generated always as identity primary key,
    account_id bigint not null references accounts (id),
    schema text not null,
    role text not null,
    api_key text not null,
    status text not null check (status in ('provisioning', 'ready', 'failed', 'deleting')),
    template_version bigint not null,
    open_signup boolean not null default true,
    created_at timestamptz not null default now(),
    ready_at timestamptz,
    constraint tenants_schema_key unique (schema),
    constraint tenants_role_key unique (role),
    constraint tenants_api_key_key unique (api_key)
);
create index tenants_account_id_idx on tenants (account_id);
-- What a start after a crash has to look at.
create index tenants_unfinished_idx on tenants (id) where status <> 'ready';
comment on table tenants is 'One private copy: a schema and the login role that alone reaches its rows';
comment on column tenants.role is 'Opaque, so that nothing about a tenant can be read from its name';
comment on column tenants.api_key is 'A selector, not a secret: it grants nothing by itself';
comment on column tenants.open_signup is 'Whether anybody with the Api-Key may sign up as a viewer';
"#;

const DOWN: &str = "drop table tenants";
