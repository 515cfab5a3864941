//! Sessions: the rotation of refresh tokens, one row a sign-in.
//!
//! Each refresh token can be used once. Using a spent one again means that two parties
//! hold it, so the whole family is revoked (RFC 9700, section 4.14.2).

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::{Kind, Problem};

use super::{caller::Who, jwt};

/// One sign-in.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Eq)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// Name of the family.
    #[sea_orm(primary_key, auto_increment = false)]
    pub family: String,
    /// The one refresh token that is not spent.
    pub current: String,
    /// The tenant of a user's session.
    pub tenant_id: Option<i64>,
    /// The account of an account's session.
    pub account_id: Option<i64>,
    /// The user of a user's session.
    pub user_id: Option<String>,
    /// When the sign-in was.
    pub created_at: ChronoDateTimeUtc,
    /// When the newest refresh token expires.
    pub expires_at: ChronoDateTimeUtc,
    /// When it was ended, by log-out or by a spent token.
    pub revoked_at: Option<ChronoDateTimeUtc>,
    /// [`digest`] of the password that it goes with; none of a session older than this column.
    pub password: Option<String>,
}

/// What a session keeps of a secret, a browser's or a stored password (a PHC string): enough to know it again.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

impl Model {
    /// Whether the password is still the one that the session was opened with, whoever could have changed it.
    pub fn goes_with(&self, stored: Option<&str>) -> bool {
        let same = |kept: &String| {
            kept.as_bytes()
                .ct_eq(digest(stored.unwrap_or_default()).as_bytes())
                .into()
        };
        self.password.as_ref().is_none_or(same)
    }
}

/// Relations are followed by hand: one join in the whole platform.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Opens a session for whoever has that stored password, and names its first refresh token.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn open(
    db: &DatabaseConnection,
    who: &Who,
    stored: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(String, String), Problem> {
    let current = fresh_name();
    let family = open_for(db, who, stored, current.clone(), now).await?;
    Ok((family, current))
}

/// Opens a session whose credential is known by `current`, and names it.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn open_for(
    db: &DatabaseConnection,
    who: &Who,
    stored: Option<&str>,
    current: String,
    now: DateTime<Utc>,
) -> Result<String, Problem> {
    let family = fresh_name();
    let (tenant_id, account_id, user_id) = match who {
        Who::Account { id } => (None, Some(*id), None),
        Who::User { tenant, id } => (Some(*tenant), None, Some(id.clone())),
        Who::Anybody => return Err(Kind::InvalidToken.into()),
        Who::Token { .. } => {
            return Err(Problem::new(Kind::InternalError).because("an API token signs nobody in"));
        }
    };
    Entity::insert(ActiveModel {
        family: Set(family.clone()),
        current: Set(current),
        tenant_id: Set(tenant_id),
        account_id: Set(account_id),
        user_id: Set(user_id),
        created_at: Set(now),
        expires_at: Set(now + jwt::REFRESH),
        revoked_at: Set(None),
        password: Set(Some(digest(stored.unwrap_or_default()))),
    })
    .exec_without_returning(db)
    .await?;
    Ok(family)
}

/// The session of that name, if it is open.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn find(
    db: &DatabaseConnection,
    family: &str,
    now: DateTime<Utc>,
) -> Result<Option<Model>, Problem> {
    let found = Entity::find_by_id(family).one(db).await?;
    Ok(found.filter(|session| session.revoked_at.is_none() && session.expires_at > now))
}

/// Lets an open session last a day from now.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn prolong(
    db: &DatabaseConnection,
    family: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    Entity::update_many()
        .col_expr(Column::ExpiresAt, Expr::value(now + jwt::REFRESH))
        .filter(Column::Family.eq(family))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(())
}

/// Ends all sessions of somebody, and says how many there were.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn revoke_all(
    db: &DatabaseConnection,
    who: &Who,
    now: DateTime<Utc>,
) -> Result<u64, Problem> {
    // No session has an empty name.
    revoke_others(db, who, "", now).await
}

/// Ends all sessions of somebody but one, and says how many there were.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn revoke_others(
    db: &DatabaseConnection,
    who: &Who,
    kept: &str,
    now: DateTime<Utc>,
) -> Result<u64, Problem> {
    let theirs = match who {
        Who::Account { id } => Column::AccountId.eq(*id),
        Who::User { tenant, id } => {
            ExprTrait::and(Column::TenantId.eq(*tenant), Column::UserId.eq(id.as_str()))
        }
        // Tokens, the public one too, sign in to nothing.
        Who::Token { .. } | Who::Anybody => return Ok(0),
    };
    let ended = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(theirs)
        .filter(Column::Family.ne(kept))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(ended.rows_affected)
}

/// Lets a session go with another password from now on.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn go_with(db: &DatabaseConnection, family: &str, stored: &str) -> Result<(), Problem> {
    Entity::update_many()
        .col_expr(Column::Password, Expr::value(digest(stored)))
        .filter(Column::Family.eq(family))
        .exec(db)
        .await?;
    Ok(())
}

/// Spends a refresh token; the session names the next one.
///
/// # Errors
/// `invalid-token` if it was spent before, which ends the session, or if the session has ended.
pub async fn rotate(
    db: &DatabaseConnection,
    family: &str,
    spent: &str,
    now: DateTime<Utc>,
) -> Result<Model, Problem> {
    let next = fresh_name();
    // One statement decides, so of two uses at the same moment one comes second.
    let mut changed = Entity::update_many()
        .col_expr(Column::Current, Expr::value(next))
        .col_expr(Column::ExpiresAt, Expr::value(now + jwt::REFRESH))
        .filter(Column::Family.eq(family))
        .filter(Column::Current.eq(spent))
        .filter(Column::RevokedAt.is_null())
        .exec_with_returning(db)
        .await?;
    if let Some(session) = changed.pop() {
        return Ok(session);
    }
    revoke(db, family, now).await?;
    Err(Problem::new(Kind::InvalidToken).detail(
        "This refresh token was used before, or its session has ended. The session is closed; sign in again.",
    ))
}

/// Ends a session; ending it again changes nothing.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn revoke(
    db: &DatabaseConnection,
    family: &str,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::Family.eq(family))
        .filter(Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(())
}

/// Removes sessions whose last refresh token has expired, and says how many.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn sweep(db: &DatabaseConnection, now: DateTime<Utc>) -> Result<u64, Problem> {
    let gone = Entity::delete_many()
        .filter(Column::ExpiresAt.lt(now))
        .exec(db)
        .await?;
    Ok(gone.rows_affected)
}

fn fresh_name() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}
