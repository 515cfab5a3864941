//! Migrations of Sandlot's two databases, one file a step, each reversible.

pub mod platform;
pub mod template;
pub mod tenants;

pub use sea_orm_migration::MigratorTrait;
