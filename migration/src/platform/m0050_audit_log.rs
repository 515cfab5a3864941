//! The audit log: one row for each API call, a partition for each day.

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

// No key to the tenants: a call may be about none, and a tenant's end must not scan the log.
const UP: &str = r#"
create sequence audit_log_id_seq;
create table audit_log (
    at timestamptz not null,
    id bigint not null default nextval('audit_log_id_seq'),
    tenant_id bigint,
    caller text,
    method text not null,
    path text not null,
    query text,
    status smallint not null,
    ms real not null,
    address inet not null,
    request_id text not null
) partition by range (at);
alter sequence audit_log_id_seq owned by audit_log.id;
create index audit_log_tenant_idx on audit_log (tenant_id, at desc, id desc);
comment on table audit_log is 'API calls; the server makes a partition for each day ahead and drops old ones';
comment on column audit_log.caller is 'account:ID, user:TENANT:ID or token:TENANT:ID; null if nobody became known';
comment on column audit_log.query is 'Query string, secrets left out';
comment on column audit_log.ms is 'Milliseconds from the request to its answer';
"#;

const DOWN: &str = "drop table audit_log";
