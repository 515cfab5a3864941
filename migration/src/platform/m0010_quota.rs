//! Whether a tenant holds more than its disk quota.

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
alter table tenants add column over_quota boolean not null default false;
comment on column tenants.over_quota is 'Whether it holds more than its disk quota: then it may read, delete and reset';
create index tenants_over_quota_idx on tenants (id) where over_quota;
"#;

const DOWN: &str = "alter table tenants drop column over_quota";
