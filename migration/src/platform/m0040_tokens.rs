//! API tokens: what programs use a tenant with.

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
create table tokens (
    id bigint generated always as identity primary key,
    tenant_id bigint not null references tenants (id) on delete cascade,
    name text not null,
    hash bytea not null check (length(hash) = 32),
    hint text not null,
    kind text not null check (kind in ('standard', 'embed')),
    scopes jsonb not null check (jsonb_typeof(scopes) = 'array'),
    allowed_tables jsonb not null check (jsonb_typeof(allowed_tables) = 'array'),
    allowed_views jsonb not null check (jsonb_typeof(allowed_views) = 'array'),
    hmac_salt bytea,
    ip_allowlist jsonb not null check (jsonb_typeof(ip_allowlist) = 'array'),
    domain_allowlist jsonb not null check (jsonb_typeof(domain_allowlist) = 'array'),
    rate_limit integer check (rate_limit > 0),
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    constraint tokens_hash_key unique (hash)
);
create index tokens_tenant_id_idx on tokens (tenant_id);
comment on table tokens is 'What programs use a tenant with; the token itself is not kept';
comment on column tokens.hash is 'SHA-256 of the token';
comment on column tokens.hint is 'Its first and last characters, to tell one from another';
comment on column tokens.allowed_tables is 'Empty for all';
comment on column tokens.hmac_salt is 'With the server''s secret it gives the secret that requests are signed with; null for none';
comment on column tokens.last_used_at is 'Written in batches, some seconds late';
"#;

const DOWN: &str = "drop table tokens";
