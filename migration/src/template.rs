//! The template's tables, views, types and functions: a CRM in schema `public`, one file a step.
//!
//! Every name is qualified, since the connection's search path is the platform's own schema, where the migration table
//! lives. Function bodies name nothing but `NEW`, so they work unchanged in a copy of the schema under another name.
//! Nothing here needs a superuser or an extension.

use sea_orm_migration::prelude::*;

mod m20261101_000001_places;
mod m20261101_000002_people;
mod m20261101_000003_sales;
mod m20261101_000004_projects;
mod m20261101_000005_billing;
mod m20261101_000006_support;
mod m20261101_000007_reports;

/// Migrator of the tenants database's `public` schema.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261101_000001_places::Migration),
            Box::new(m20261101_000002_people::Migration),
            Box::new(m20261101_000003_sales::Migration),
            Box::new(m20261101_000004_projects::Migration),
            Box::new(m20261101_000005_billing::Migration),
            Box::new(m20261101_000006_support::Migration),
            Box::new(m20261101_000007_reports::Migration),
        ]
    }
}

/// SQL that comments the `id` column of each of these tables.
fn identified(tables: &[&str]) -> String {
    tables
        .iter()
        .map(|table| {
            format!("comment on column public.{table}.id is 'Number of the row, given by the database unless the client names one';\n")
        })
        .collect()
}

/// SQL that keeps `updated_at` of each of these tables current by a trigger, and comments both of its time stamps.
fn touched(tables: &[&str]) -> String {
    tables
        .iter()
        .map(|table| {
            format!(
                "create trigger {table}_touch before update on public.{table}
                     for each row execute function public.touch_updated_at();
                 comment on column public.{table}.created_at is 'When the row was made';
                 comment on column public.{table}.updated_at is 'When the row last changed; kept by a trigger';\n"
            )
        })
        .collect()
}
