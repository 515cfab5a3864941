//! The records of a registration: a new account or a known one whose password is right, and its tenant.

use chrono::Utc;
use sea_orm::{ActiveValue::Set, DbErr, EntityTrait, TransactionTrait, sea_query::OnConflict};

use crate::{
    auth::{operations::NewUser, password},
    directory::{Directory, account, tenant},
    problem::{Kind, Problem},
    tenancy::Tenancy,
};

/// Records a tenant, and its account unless that is known.
///
/// # Errors
/// `invalid-credentials` if the address is known and the password is not its own.
pub async fn record(
    tenancy: &Tenancy,
    directory: &Directory,
    new: &NewUser,
) -> Result<(account::Model, tenant::Model), Problem> {
    if let Some(known) = directory.account_by_email(&new.email).await? {
        return another(tenancy, known, new).await;
    }
    // A new address costs one hash and a known one costs one verification: the same time.
    let password_hash = password::hash(new.password.clone()).await?;
    let row = account::ActiveModel {
        email: Set(new.email.to_lowercase()),
        password_hash: Set(password_hash),
        name: Set(new.name.clone()),
        created_at: Set(Utc::now()),
        ..Default::default()
    };
    // Both or none: an account whose registration was cut short could never be told of.
    let both = tenancy.db().begin().await?;
    let inserted = account::Entity::insert(row)
        .on_conflict(
            OnConflict::column(account::Column::Email)
                .do_nothing()
                .to_owned(),
        )
        .exec_with_returning(&both)
        .await;
    match inserted {
        Ok(account) => {
            let tenant = tenancy.record(&both, &account).await?;
            both.commit().await?;
            Ok((account, tenant))
        }
        // Somebody registered the address between the look and the insert.
        Err(DbErr::RecordNotInserted | DbErr::RecordNotFound(_)) => {
            both.rollback().await?;
            let known = directory
                .account_by_email(&new.email)
                .await?
                .ok_or(Kind::InternalError)?;
            another(tenancy, known, new).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn another(
    tenancy: &Tenancy,
    known: account::Model,
    new: &NewUser,
) -> Result<(account::Model, tenant::Model), Problem> {
    let stored = Some(known.password_hash.clone());
    if !password::verify(new.password.clone(), stored).await? {
        return Err(Kind::InvalidCredentials.into());
    }
    let both = tenancy.db().begin().await?;
    let tenant = tenancy.record(&both, &known).await?;
    both.commit().await?;
    Ok((known, tenant))
}
