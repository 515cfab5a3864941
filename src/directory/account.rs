//! The platform's table `accounts`.

use sea_orm::entity::prelude::*;

/// A person's account.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Eq)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    /// Given by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Lower case.
    pub email: String,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// As the person gave it.
    pub name: Option<String>,
    /// When they registered.
    pub created_at: ChronoDateTimeUtc,
}

/// Relations are followed by hand: one join in the whole platform.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
