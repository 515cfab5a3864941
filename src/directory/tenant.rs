//! The platform's table `tenants`.

use sea_orm::entity::prelude::*;
use tenants::Identity;

use crate::problem::{Kind, Problem};

/// Where a tenant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Status {
    /// Its schema is being made.
    #[sea_orm(string_value = "provisioning")]
    Provisioning,
    /// It can be used.
    #[sea_orm(string_value = "ready")]
    Ready,
    /// Making it failed for good; nothing of it is left but the record.
    #[sea_orm(string_value = "failed")]
    Failed,
    /// Its schema is being removed.
    #[sea_orm(string_value = "deleting")]
    Deleting,
}

impl Status {
    /// The word that the API uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }
}

/// One private copy.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Eq)]
#[sea_orm(table_name = "tenants")]
pub struct Model {
    /// Given by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Who owns it.
    pub account_id: i64,
    /// Name of its schema: mail local part and six digits.
    pub schema: String,
    /// Name of its login role; opaque.
    pub role: String,
    /// What the `Api-Key` header carries.
    pub api_key: String,
    /// Where it is in its life.
    pub status: Status,
    /// Version of the template that it was copied from.
    pub template_version: i64,
    /// Whether anybody with the key may sign up as a viewer.
    pub open_signup: bool,
    /// When it was asked for.
    pub created_at: ChronoDateTimeUtc,
    /// Schema of the spare that it is made from, until that has been renamed.
    pub spare: Option<String>,
    /// When it could first be used.
    pub ready_at: Option<ChronoDateTimeUtc>,
    /// Whether it holds more than its disk quota: then it may read, delete and reset.
    pub over_quota: bool,
}

impl Model {
    /// How connections to its schema log in, whatever its status.
    pub fn identity(&self) -> Identity {
        Identity {
            role: self.role.clone(),
            schema: self.schema.clone(),
            read_only: false,
        }
    }

    /// Refuses what would make the tenant larger when it is too large.
    ///
    /// # Errors
    /// `quota-exceeded`.
    pub fn may_grow(&self) -> Result<(), Problem> {
        if self.over_quota {
            return Err(Kind::QuotaExceeded.into());
        }
        Ok(())
    }
}

/// Relations are followed by hand: one join in the whole platform.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
