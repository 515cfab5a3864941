//! Migrations of `_sandlot`, the platform's own schema in the tenants' database.

use sea_orm_migration::prelude::*;

mod m0001_template;
mod m0002_digest;

/// Runs the steps of `_sandlot`, oldest first; the connection's search path is that schema.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_template::Migration),
            Box::new(m0002_digest::Migration),
        ]
    }

    // The template's own steps are counted in the default table of the same schema.
    fn migration_table_name() -> DynIden {
        "tenants_migrations".into_iden()
    }
}
