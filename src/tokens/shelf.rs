//! A tenant's tokens in the platform's database.

use chrono::Utc;
use sea_orm::{
    ActiveValue::{NotSet, Set, Unchanged},
    QueryOrder as _, QuerySelect as _, TransactionTrait as _,
    entity::prelude::*,
};

use crate::{
    auth::tokens::{
        Tokens,
        record::{ActiveModel, Column, Entity, Model, stored},
        secret,
    },
    directory::tenant,
    problem::{Kind, Problem},
};

use super::form::{Draft, TokenChanges};

/// How many tokens a tenant may have.
pub const MOST: u64 = 100;

/// A token just made, and what is shown of it once.
pub struct Made {
    pub record: Model,
    pub token: String,
    pub hmac_secret: Option<String>,
}

/// A tenant's tokens, oldest first, with their last use up to this moment.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn all(tokens: &Tokens, tenant: i64) -> Result<Vec<Model>, Problem> {
    tokens.write_down().await?;
    Ok(Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .order_by_asc(Column::Id)
        .all(tokens.db())
        .await?)
}

/// One of a tenant's tokens.
///
/// # Errors
/// `not-found` if the tenant has none of that id.
pub async fn one(tokens: &Tokens, tenant: i64, id: i64) -> Result<Model, Problem> {
    tokens.write_down().await?;
    let found = Entity::find_by_id(id)
        .filter(Column::TenantId.eq(tenant))
        .one(tokens.db())
        .await?;
    found.ok_or_else(|| missing(id))
}

/// Makes a token.
///
/// # Errors
/// `creation-failed` if the tenant has as many as it may have.
pub async fn make(tokens: &Tokens, tenant: i64, draft: Draft) -> Result<Made, Problem> {
    let token = secret::fresh();
    let hash = secret::hash(&token).ok_or(Kind::InternalError)?;
    let salt = draft.hmac.then(|| rand::random::<[u8; 16]>().to_vec());
    let hmac_secret = salt.as_ref().map(|salt| tokens.hmac_secret(salt));
    let transaction = tokens.db().begin().await?;
    // Those who make tokens of one tenant at the same time are counted one after the other.
    tenant::Entity::find_by_id(tenant)
        .lock_exclusive()
        .one(&transaction)
        .await?
        .ok_or(Kind::InvalidApiKey)?;
    let count = Entity::find()
        .filter(Column::TenantId.eq(tenant))
        .count(&transaction)
        .await?;
    if count >= MOST {
        return Err(Problem::new(Kind::CreationFailed).detail(format!(
            "A tenant may have {MOST} API tokens; revoke one that is not used any more."
        )));
    }
    let record = ActiveModel {
        tenant_id: Set(tenant),
        hash: Set(hash.to_vec()),
        hint: Set(secret::hint(&token)),
        kind: Set(draft.kind.as_str().to_owned()),
        hmac_salt: Set(salt),
        created_at: Set(Utc::now()),
        ..changed(NotSet, &draft)
    }
    .insert(&transaction)
    .await?;
    transaction.commit().await?;
    Ok(Made {
        record,
        token,
        hmac_secret,
    })
}

/// Changes one of a tenant's tokens.
///
/// # Errors
/// `not-found` if the tenant has none of that id, `validation-failed` where what is changed does
/// not go with what stays.
pub async fn change(
    tokens: &Tokens,
    tenant: i64,
    id: i64,
    changes: TokenChanges,
) -> Result<Model, Problem> {
    let transaction = tokens.db().begin().await?;
    // Of two changes at once, the later one starts from what the first has left.
    let record = Entity::find_by_id(id)
        .filter(Column::TenantId.eq(tenant))
        .lock_exclusive()
        .one(&transaction)
        .await?
        .ok_or_else(|| missing(id))?;
    let draft = changes.applied(&record)?;
    let changed = changed(Unchanged(id), &draft).update(&transaction).await?;
    let committed = transaction.commit().await;
    // Whatever came of it, requests look for themselves.
    tokens.forget(id);
    committed?;
    Ok(changed)
}

/// Revokes a token.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn revoke(tokens: &Tokens, id: i64) -> Result<(), Problem> {
    let gone = Entity::delete_by_id(id).exec(tokens.db()).await;
    tokens.forget(id);
    gone?;
    Ok(())
}

fn changed(id: sea_orm::ActiveValue<i64>, draft: &Draft) -> ActiveModel {
    ActiveModel {
        id,
        name: Set(draft.name.clone()),
        scopes: Set(stored(&draft.scopes)),
        allowed_tables: Set(stored(&draft.allowed_tables)),
        allowed_views: Set(stored(&draft.allowed_views)),
        ip_allowlist: Set(stored(&draft.ip_allowlist)),
        domain_allowlist: Set(stored(&draft.domain_allowlist)),
        rate_limit: Set(draft.rate_limit.and_then(|limit| i32::try_from(limit).ok())),
        expires_at: Set(draft.expires_at),
        ..Default::default()
    }
}

fn missing(id: i64) -> Problem {
    Problem::new(Kind::NotFound).detail(format!("There is no token {id}."))
}
