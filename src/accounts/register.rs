//! The account of a registration: a new one, or a known one whose password is right.

use chrono::Utc;
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};

use crate::{
    auth::{operations::NewUser, password},
    directory::{Directory, account},
    problem::{Kind, Problem},
    tenancy::Tenancy,
};

/// Finds or makes the account of a registration.
///
/// # Errors
/// `invalid-credentials` if the address is known and the password is not its own.
pub async fn account(
    tenancy: &Tenancy,
    directory: &Directory,
    new: &NewUser,
) -> Result<account::Model, Problem> {
    if let Some(known) = directory.account_by_email(&new.email).await? {
        return owned(known, new).await;
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
    let inserted = account::Entity::insert(row)
        .on_conflict(
            OnConflict::column(account::Column::Email)
                .do_nothing()
                .to_owned(),
        )
        .exec_with_returning(tenancy.db())
        .await;
    match inserted {
        Ok(account) => Ok(account),
        // Somebody registered the address between the look and the insert.
        Err(sea_orm::DbErr::RecordNotInserted | sea_orm::DbErr::RecordNotFound(_)) => {
            let known = directory
                .account_by_email(&new.email)
                .await?
                .ok_or(Kind::InternalError)?;
            owned(known, new).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn owned(known: account::Model, new: &NewUser) -> Result<account::Model, Problem> {
    let stored = Some(known.password_hash.clone());
    if password::verify(new.password.clone(), stored).await? {
        Ok(known)
    } else {
        Err(Kind::InvalidCredentials.into())
    }
}
