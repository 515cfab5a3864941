//! The platform's table `tokens`.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use serde::de::DeserializeOwned;

use crate::problem::{Kind as ProblemKind, Problem};

use super::{Kind, Token, places::Net, secret::Key};

/// One token.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Eq)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    /// Given by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose data it opens.
    pub tenant_id: i64,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// Its first and last characters.
    pub hint: String,
    /// `standard` or `embed`.
    pub kind: String,
    /// An array of words.
    pub scopes: Json,
    /// An array of names; empty for all.
    pub allowed_tables: Json,
    /// An array of names; empty for all.
    pub allowed_views: Json,
    /// What its secret for signatures is made from, if it has one.
    pub hmac_salt: Option<Vec<u8>>,
    /// An array of addresses and networks; empty for all.
    pub ip_allowlist: Json,
    /// An array of domains; empty for all.
    pub domain_allowlist: Json,
    /// Requests a minute, if not as many as the server allows by default.
    pub rate_limit: Option<i32>,
    /// When it ends.
    pub expires_at: Option<ChronoDateTimeUtc>,
    /// When it was made.
    pub created_at: ChronoDateTimeUtc,
    /// When it was last used, some seconds late.
    pub last_used_at: Option<ChronoDateTimeUtc>,
}

/// Relations are followed by hand.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The token as requests meet it.
    ///
    /// # Errors
    /// `internal-error` if the record can't be read: a token is never wider than its record.
    pub fn token(&self, key: &Key) -> Result<Token, Problem> {
        let domains: Vec<String> = list(&self.domain_allowlist)?;
        let addresses: Vec<String> = list(&self.ip_allowlist)?;
        let addresses = addresses.iter().map(|text| Net::read(text));
        Ok(Token {
            id: self.id,
            tenant_id: self.tenant_id,
            name: self.name.clone(),
            kind: Kind::named(&self.kind).ok_or_else(|| unreadable(&self.kind))?,
            scopes: list(&self.scopes)?,
            allowed_tables: list(&self.allowed_tables)?,
            allowed_views: list(&self.allowed_views)?,
            hmac_secret: self.hmac_salt.as_ref().map(|salt| key.secret(salt)),
            addresses: addresses
                .collect::<Option<_>>()
                .ok_or_else(|| unreadable("ip_allowlist"))?,
            domains,
            rate_limit: self.rate_limit.and_then(|limit| u32::try_from(limit).ok()),
            expires_at: self.expires_at,
        })
    }
}

/// The items of a stored array.
///
/// # Errors
/// `internal-error` if it is none.
pub fn list<T: DeserializeOwned>(stored: &Json) -> Result<T, Problem> {
    serde_json::from_value(stored.clone())
        .map_err(|error| Problem::new(ProblemKind::InternalError).because(error))
}

/// A list as it is stored.
pub fn stored(items: &BTreeSet<String>) -> Json {
    items.iter().map(String::as_str).collect()
}

fn unreadable(what: &str) -> Problem {
    Problem::new(ProblemKind::InternalError).because(format!("a token's record has {what:?}"))
}
