//! A tenant's own `users`, read and written as the tenant.
//!
//! Whatever the tenant has made of the table, its functions and casts run with the
//! tenant's rights alone; a table that no longer fits has no users to sign in.

use tenants::{Access, Identity, Tenants, names::quote_ident};
use tokio_postgres::error::SqlState;

use crate::{
    data::sqlstate,
    problem::{Kind, Problem},
};

use super::caller::Role;

/// A user as far as signing in is concerned.
#[derive(Clone, Debug)]
pub struct User {
    /// The row's key, as text.
    pub id: String,
    /// As stored.
    pub email: String,
    /// As stored, if the table has such a column.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// What a password is checked against; never leaves the server.
    pub password_hash: Option<String>,
}

/// How a user is found.
pub enum By<'a> {
    /// By address, in any spelling of upper and lower case.
    Email(&'a str),
    /// By key.
    Id(&'a str),
}

/// Finds a user of a tenant.
///
/// # Errors
/// `service-unavailable` or `request-timeout`, if the tenant's database can't answer.
pub async fn find(
    tenants: &Tenants,
    identity: &Identity,
    by: By<'_>,
) -> Result<Option<User>, Problem> {
    let (condition, value) = match by {
        By::Email(email) => (
            "pg_catalog.lower(u.email::pg_catalog.text) operator(pg_catalog.=) $1::pg_catalog.text",
            email.to_lowercase(),
        ),
        By::Id(id) => (
            "u.id::pg_catalog.text operator(pg_catalog.=) $1::pg_catalog.text",
            id.to_owned(),
        ),
    };
    let sql = format!(
        "select u.id::pg_catalog.text, u.email::pg_catalog.text, u.role::pg_catalog.text, \
         u.password_hash::pg_catalog.text, \
         pg_catalog.to_jsonb(u) operator(pg_catalog.->>) 'name'::pg_catalog.text \
         from {}.users as u where {condition} limit 1",
        quote_ident(&identity.schema),
    );
    let row = match query(tenants, identity, &sql, &value).await {
        Ok(row) => row,
        Err(error) if has_no_users(&error) => None,
        Err(error) => return Err(sqlstate::problem(error)),
    };
    row.map(|row| {
        let text = |index| row.try_get::<_, Option<String>>(index);
        Ok(User {
            id: text(0)?.unwrap_or_default(),
            email: text(1)?.unwrap_or_default(),
            role: Role::named(text(2)?.as_deref().unwrap_or_default()),
            password_hash: text(3)?,
            name: text(4)?,
        })
    })
    .transpose()
    .map_err(|error: tokio_postgres::Error| Problem::new(Kind::InternalError).because(error))
}

async fn query(
    tenants: &Tenants,
    identity: &Identity,
    sql: &str,
    value: &String,
) -> Result<Option<tokio_postgres::Row>, tenants::Error> {
    let mut lease = tenants.lease(identity, Access::Read).await?;
    let statement = lease.prepare_cached(sql).await?;
    todo_run(lease, statement, value).await
}

/// Whether the tenant has made the table `users` into something that nobody can sign in to.
fn has_no_users(error: &tenants::Error) -> bool {
    error.sql_state().is_some_and(|state| {
        [
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::UNDEFINED_OBJECT,
            SqlState::INVALID_SCHEMA_NAME,
            SqlState::INSUFFICIENT_PRIVILEGE,
        ]
        .contains(state)
    })
}
