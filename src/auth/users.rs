//! A tenant's own `users`, read and written as the tenant.
//!
//! Whatever the tenant has made of the table, its functions and casts run with the
//! tenant's rights alone; a table that no longer fits has no users to sign in.

use tenants::{Access, Identity, Tenants, names::quote_ident};
use tokio_postgres::types::ToSql;

use crate::problem::{Kind, Problem};

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
    /// False if the table has a column `is_active` that says so.
    pub active: bool,
    /// What a password is checked against; never leaves the server.
    pub password_hash: Option<String>,
}

/// A user to be.
pub struct New<'a> {
    /// Unique among the users, in any spelling of upper and lower case.
    pub email: &'a str,
    /// What they are called.
    pub name: Option<&'a str>,
    /// A PHC string.
    pub password_hash: &'a str,
    /// What they may do.
    pub role: Role,
}

/// How a user is found.
pub enum By<'a> {
    /// By address, in any spelling of upper and lower case.
    Email(&'a str),
    /// By key.
    Id(&'a str),
}

/// What is changed of a user.
pub enum Change<'a> {
    /// What they are called.
    Name(Option<&'a str>),
    /// A PHC string, in the place of the one that was read.
    Password {
        /// The one that was read.
        old: &'a str,
        /// The new one.
        new: &'a str,
    },
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
         pg_catalog.to_jsonb(u) operator(pg_catalog.->>) 'name'::pg_catalog.text, \
         pg_catalog.to_jsonb(u) operator(pg_catalog.->>) 'is_active'::pg_catalog.text \
         from {}.users as u where {condition} limit 1",
        quote_ident(&identity.schema),
    );
    let row = match query(tenants, identity, Access::Read, &sql, &[&value]).await {
        Ok(row) => row,
        // Whatever the tenant has made of its table: nobody can sign in to it like this.
        Err(tenants::Error::Sql(error)) => {
            tracing::debug!(schema = identity.schema, %error, "a tenant's users can't be read");
            None
        }
        Err(error) => return Err(error.into()),
    };
    row.map(|row| {
        let text = |index| row.try_get::<_, Option<String>>(index);
        Ok(User {
            id: text(0)?.unwrap_or_default(),
            email: text(1)?.unwrap_or_default(),
            role: Role::named(text(2)?.as_deref().unwrap_or_default()),
            password_hash: text(3)?,
            name: text(4)?,
            active: text(5)?.as_deref() != Some("false"),
        })
    })
    .transpose()
    .map_err(|error: tokio_postgres::Error| Problem::new(Kind::InternalError).because(error))
}

/// Inserts a user, as the tenant.
///
/// # Errors
/// `creation-failed` if the table refuses the row, naming `email` if it is taken.
pub async fn insert(
    tenants: &Tenants,
    identity: &Identity,
    new: &New<'_>,
) -> Result<String, Problem> {
    let outcome = tenants
        .add_user(
            identity,
            new.email,
            new.name,
            new.password_hash,
            new.role.as_str(),
        )
        .await;
    match outcome {
        Ok(Some(id)) => Ok(id),
        Ok(None) => Err(Problem::new(Kind::CreationFailed)
            .detail("There is a user with this address already.")
            .field("email", "is taken")),
        // The table is the tenant's to change, so what it refuses is no fault of the server.
        Err(error @ tenants::Error::Sql(_)) => Err(Problem::new(Kind::CreationFailed)
            .detail("The tenant's table `users` refused the row.")
            .because(error)),
        Err(error) => Err(error.into()),
    }
}

/// Changes a user by their key, as the tenant; false if the row is not there as it was read.
///
/// # Errors
/// `update-failed` if the table refuses the row.
pub async fn change(
    tenants: &Tenants,
    identity: &Identity,
    id: &str,
    change: Change<'_>,
) -> Result<bool, Problem> {
    let (column, value, condition, old) = match change {
        Change::Name(name) => ("name", name, "", None),
        Change::Password { old, new } => (
            "password_hash",
            Some(new),
            " and u.password_hash::pg_catalog.text operator(pg_catalog.=) $3::pg_catalog.text",
            Some(old),
        ),
    };
    let users = format!("{}.users", quote_ident(&identity.schema));
    // The record's input function reads the value, so the column may be text or a domain.
    let sql = format!(
        "update {users} as u set {column} = r.{column} \
         from pg_catalog.json_populate_record(null::{users}, $2::pg_catalog.text::pg_catalog.json) as r \
         where u.id::pg_catalog.text operator(pg_catalog.=) $1::pg_catalog.text{condition} \
         returning true"
    );
    let sent = serde_json::json!({ column: value }).to_string();
    let id = id.to_owned();
    let mut values = vec![&id, &sent];
    let old = old.map(str::to_owned);
    values.extend(&old);
    match query(tenants, identity, Access::Write, &sql, &values).await {
        Ok(row) => Ok(row.is_some()),
        // The table is the tenant's to change, so what it refuses is no fault of the server.
        Err(error @ tenants::Error::Sql(_)) => Err(Problem::new(Kind::UpdateFailed)
            .detail("The tenant's table `users` refused the change.")
            .because(error)),
        Err(error) => Err(error.into()),
    }
}

async fn query(
    tenants: &Tenants,
    identity: &Identity,
    access: Access,
    sql: &str,
    values: &[&String],
) -> Result<Option<tokio_postgres::Row>, tenants::Error> {
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| *value as _).collect();
    let lease = tenants.lease(identity, access).await?;
    let limit = tenants.settings().limits.statement;
    let row = lease
        .run(limit, async {
            let statement = lease.prepare_cached(sql).await?;
            lease.begin().await?;
            let row = lease.query_opt(&statement, &values).await?;
            lease.commit().await?;
            Ok::<_, tenants::Error>(row)
        })
        .await?;
    lease.finish();
    Ok(row)
}
