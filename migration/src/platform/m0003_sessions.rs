//! Sessions: one row a family of refresh tokens.

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
create table sessions (
    family text primary key,
    current text not null,
    tenant_id bigint references tenants (id) on delete cascade,
    account_id bigint references accounts (id) on delete cascade,
    user_id text,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    check ((account_id is null) <> (user_id is null))
);
create index sessions_expires_at_idx on sessions (expires_at);
create index sessions_tenant_id_idx on sessions (tenant_id);
create index sessions_account_id_idx on sessions (account_id);
comment on table sessions is 'A sign-in: the family of refresh tokens that descend from it';
comment on column sessions.current is 'The one refresh token (its jti) that is not spent yet';
comment on column sessions.user_id is 'A row of the tenant''s own users; null for an account''s session';
"#;

const DOWN: &str = "drop table sessions";
