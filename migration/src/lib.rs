//! Migrations of Sandlot's two databases, one file a step, each reversible.

pub mod template;

pub use sea_orm_migration::MigratorTrait;
