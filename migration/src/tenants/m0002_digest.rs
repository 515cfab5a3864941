//! Digests as text that is JSON: `jsonb` has no room for the sign that stands for a schema's own name.

use sea_orm_migration::prelude::*;

/// The step; its name is the file's.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "json").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, "jsonb").await
    }
}

async fn run(manager: &SchemaManager<'_>, to: &str) -> Result<(), DbErr> {
    let sql = format!(
        "alter table _sandlot.template_versions alter column digest type {to} using digest::text::{to}"
    );
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
