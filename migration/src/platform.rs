//! Migrations of the platform's own database `sandlot`.

use sea_orm_migration::prelude::*;

mod m0001_accounts;
mod m0002_tenants;
mod m0003_sessions;
mod m0004_server;
mod m0005_spares;
mod m0006_snapshots;
mod m0010_quota;
mod m0020_reports;
mod m0040_tokens;
mod m0050_audit_log;
mod m0060_demos;
mod m0070_session_passwords;

/// Runs the platform's migrations, oldest first.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_accounts::Migration),
            Box::new(m0002_tenants::Migration),
            Box::new(m0003_sessions::Migration),
            Box::new(m0004_server::Migration),
            Box::new(m0005_spares::Migration),
            Box::new(m0006_snapshots::Migration),
            Box::new(m0010_quota::Migration),
            Box::new(m0020_reports::Migration),
            Box::new(m0040_tokens::Migration),
            Box::new(m0050_audit_log::Migration),
            Box::new(m0060_demos::Migration),
            Box::new(m0070_session_passwords::Migration),
        ]
    }
}
