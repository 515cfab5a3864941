//! The steps that make a tenant, each of which may be done again: schema, contents and their handover, rename, first user.

use std::ops::Deref;

use tokio_postgres::Client;

use crate::{
    connect::Identity,
    error::Error,
    handle::Tenants,
    lease::{Access, Lease},
    names::quote_ident,
};

/// A transaction of the platform that fills a tenant's fresh schema; a [`Client`] by `Deref`.
///
/// While it is open the platform is a member of the tenant's role, so that `alter .. owner to` can hand
/// over what was made; nobody else ever sees the membership. Dropped without [`Fill::commit`], nothing of it stays.
pub struct Fill {
    lease: Lease,
    role: String,
}

impl Tenants {
    /// Makes `schema`, owned by the platform's NOLOGIN role; `role` may use it and create in it (I2).
    ///
    /// # Errors
    /// [`Error::Unfit`] when the name is taken by a schema that is not the platform's.
    pub async fn make_schema(&self, schema: &str, role: &str) -> Result<(), Error> {
        let lease = self.platform().await?;
        let (name, owner) = (quote_ident(schema), self.owner_role());
        lease.begin().await?;
        match schema_owner(&lease, schema).await? {
            None => {
                let owner = quote_ident(&owner);
                lease
                    .batch_execute(&format!("create schema {name} authorization {owner}"))
                    .await?;
            }
            Some(other) if other != owner => {
                return Err(Error::Unfit(format!(
                    "the schema {schema} exists and belongs to {other}"
                )));
            }
            Some(_) => {}
        }
        lease
            .batch_execute(&format!(
                "grant usage, create on schema {name} to {}",
                quote_ident(role)
            ))
            .await?;
        lease.commit().await?;
        lease.finish();
        Ok(())
    }

    /// Opens the transaction in which a copy is made in a schema that no tenant has held, and handed over to `role`.
    pub async fn fill(&self, role: &str) -> Result<Fill, Error> {
        let lease = self.platform().await?;
        lease.begin().await?;
        lease
            .batch_execute(&format!("grant {} to current_user", quote_ident(role)))
            .await?;
        Ok(Fill {
            lease,
            role: role.to_owned(),
        })
    }

    /// Renames a schema of the platform's. Done already (`from` gone, `to` there) is well done.
    ///
    /// # Errors
    /// [`Error::Sql`]: 42P06 when `to` is taken while `from` is still there, 3F000 when neither is there.
    pub async fn rename_schema(&self, from: &str, to: &str) -> Result<(), Error> {
        let lease = self.platform().await?;
        let owner = Some(self.owner_role());
        lease.begin().await?;
        let renamed =
            schema_owner(&lease, from).await?.is_none() && schema_owner(&lease, to).await? == owner;
        if !renamed {
            lease
                .batch_execute(&format!(
                    "alter schema {} rename to {}",
                    quote_ident(from),
                    quote_ident(to)
                ))
                .await?;
        }
        lease.commit().await?;
        lease.finish();
        Ok(())
    }

    /// Inserts a user into the tenant's own `users`, as the tenant, and returns its id. Already there: its id.
    ///
    /// `password_hash` is a PHC string; `role` is the user's role in the tenant (`admin`).
    ///
    /// # Errors
    /// [`Error::Sql`] when the table is not as the platform needs it, or the tenant's own trigger objects.
    pub async fn registrant(
        &self,
        identity: &Identity,
        email: &str,
        name: &str,
        password_hash: &str,
        role: &str,
    ) -> Result<i64, Error> {
        let users = format!("{}.users", quote_ident(&identity.schema));
        let lease = self.lease(identity, Access::Write).await?;
        let work = async {
            lease.begin().await?;
            let made = lease
                .query_opt(
                    &format!(
                        "insert into {users} (email, name, password_hash, role)
                         values ($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text, $4::pg_catalog.text)
                         on conflict do nothing returning id::pg_catalog.int8"
                    ),
                    &[&email, &name, &password_hash, &role],
                )
                .await?;
            let row = match made {
                Some(row) => row,
                None => {
                    let known = format!(
                        "select id::pg_catalog.int8 from {users}
                         where pg_catalog.lower(email::pg_catalog.text) operator(pg_catalog.=) pg_catalog.lower($1)"
                    );
                    lease.query_one(&known, &[&email]).await?
                }
            };
            lease.commit().await?;
            Ok::<i64, Error>(row.get(0))
        };
        let id = lease.run(self.settings().limits.statement, work).await?;
        lease.finish();
        Ok(id)
    }
}

impl Fill {
    /// Ends the platform's membership and commits.
    pub async fn commit(self) -> Result<(), Error> {
        self.lease
            .batch_execute(&format!(
                "revoke {} from current_user",
                quote_ident(&self.role)
            ))
            .await?;
        self.lease.commit().await?;
        self.lease.finish();
        Ok(())
    }
}

impl Deref for Fill {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.lease
    }
}

pub(crate) async fn schema_owner(lease: &Lease, schema: &str) -> Result<Option<String>, Error> {
    let text = "select pg_catalog.pg_get_userbyid(nspowner)::pg_catalog.text
        from pg_catalog.pg_namespace where nspname = $1::pg_catalog.text";
    let statement = lease.prepare_cached(text).await?;
    Ok(lease
        .query_opt(&statement, &[&schema])
        .await?
        .map(|row| row.get(0)))
}
