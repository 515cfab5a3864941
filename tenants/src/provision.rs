//! The steps that make a tenant, each of which may be done again: schema, contents and their handover, rename, first user.

use std::ops::Deref;

use tokio_postgres::Client;

use crate::{
    connect::Identity,
    error::Error,
    handle::Tenants,
    lease::{Access, Lease},
    mark::Mark,
    names::quote_ident,
    script::{self, Script},
    spread::spread,
    statistics, superuser,
};

/// A transaction of the platform that fills a tenant's fresh schema; a [`Client`] by `Deref`.
///
/// While it is open the platform is a member of the tenant's role, so that `alter .. owner to` can hand
/// over what was made; nobody else ever sees the membership. Dropped without [`Fill::commit`], nothing of it stays.
pub struct Fill {
    lease: Lease,
    /// Whom the platform joins for the time being; none if it is a member for good.
    role: Option<String>,
    /// Tables that have statistics already.
    known: Vec<u32>,
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

    /// Makes a schema that no tenant has held anew, without what an unfinished copy left in it.
    ///
    /// # Errors
    /// As [`Tenants::make_schema`].
    pub async fn clear_schema(&self, schema: &str, role: &str) -> Result<(), Error> {
        let lease = self.platform().await?;
        lease.begin().await?;
        if schema_owner(&lease, schema).await? == Some(self.owner_role()) {
            lease
                .batch_execute(&format!("drop schema {} cascade", quote_ident(schema)))
                .await?;
        }
        lease.commit().await?;
        lease.finish();
        self.make_schema(schema, role).await
    }

    /// A connection of the platform that belongs to no pool, for long work on the template.
    pub async fn connection(&self) -> Result<Client, Error> {
        superuser::connect(&self.settings().platform).await
    }

    /// Opens the transaction in which a copy is made in a schema that no tenant has held, and handed over to `role`.
    pub async fn fill(&self, role: &str) -> Result<Fill, Error> {
        let fill = self.begin_fill(role).await?;
        fill.join().await?;
        Ok(fill)
    }

    /// Makes a copy by the script in `schema`, which is fresh, and hands it over to `role`; it is not one before [`Fill::commit`].
    ///
    /// Of a large copy that is not finished, tables may stay that are nobody's yet: [`Tenants::clear_schema`] before
    /// the next try.
    ///
    /// # Errors
    /// [`script::Error::Stale`] when the template is not as it was when the script was drawn up.
    pub async fn copy(
        &self,
        script: &Script,
        schema: &str,
        role: &str,
    ) -> Result<Fill, script::Error> {
        let mut fill = self.begin_fill(role).await?;
        let split = script.split(self.settings().limits.spread_from);
        let mut others = Vec::new();
        if let Some(split) = split {
            script.lock_template(&*fill.lease).await?;
            others = spread(self, script, split, schema).await?;
        }
        // The template is locked before the first look at anything: the rows are those of a moment
        // at which its definitions are held already.
        script.hold_template(&*fill.lease).await?;
        fill.join().await?;
        match split {
            Some(split) => script.finish(&*fill.lease, split, schema, role).await?,
            None => script.fill(&*fill.lease, schema, role).await?,
        }
        fill.known = statistics::take(&*fill.lease, script, schema).await?;
        Mark::make(&*fill.lease, schema, &others).await?;
        Ok(fill)
    }

    /// Opens the transaction in which a demo is made: the template stays as the script has it until the end, and all that
    /// is read in it is of one moment. What is made can be handed over to [`Tenants::demo_owner`].
    ///
    /// # Errors
    /// [`script::Error::Stale`] when the template is not as it was when the script was drawn up.
    pub async fn demo(&self, script: &Script) -> Result<Fill, script::Error> {
        let mut fill = self.begin_fill("").await?;
        fill.role = None;
        script.hold_template(&*fill.lease).await?;
        Ok(fill)
    }

    pub(crate) async fn begin_fill(&self, role: &str) -> Result<Fill, Error> {
        let lease = self.platform().await?;
        lease.begin().await?;
        // All of a copy's rows are those of one moment.
        lease
            .batch_execute("set transaction isolation level repeatable read")
            .await?;
        Ok(Fill {
            lease,
            role: Some(role.to_owned()),
            known: Vec::new(),
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

    /// Inserts the tenant's first user, as the tenant, and returns its key as text. Already there: its key.
    ///
    /// `password_hash` is a PHC string; `role` is the user's role in the tenant (`admin`).
    ///
    /// # Errors
    /// [`Error::Sql`] when the table is not as the platform needs it, or the tenant's own trigger objects.
    pub async fn registrant(
        &self,
        identity: &Identity,
        email: &str,
        name: Option<&str>,
        password_hash: &str,
        role: &str,
    ) -> Result<String, Error> {
        if let Some(id) = self
            .add_user(identity, email, name, password_hash, role)
            .await?
        {
            return Ok(id);
        }
        let known = format!(
            "select id::pg_catalog.text from {}.users where pg_catalog.lower(email::pg_catalog.text)
                 operator(pg_catalog.=) pg_catalog.lower($1::pg_catalog.text)",
            quote_ident(&identity.schema)
        );
        let lease = self.lease(identity, Access::Read).await?;
        let row = lease
            .run(
                self.settings().limits.statement,
                lease.query_one(&known, &[&email]),
            )
            .await?;
        lease.finish();
        Ok(row.try_get(0)?)
    }

    /// Inserts a user into the tenant's own `users`, as the tenant, and returns its key as text; none if
    /// a unique key of the table (that of the address) is taken.
    ///
    /// A table without a column `name` is given none, and one that has it its default if there is no name.
    ///
    /// # Errors
    /// [`Error::Sql`] when the table is not as the platform needs it, or the tenant's own trigger objects.
    pub async fn add_user(
        &self,
        identity: &Identity,
        email: &str,
        name: Option<&str>,
        password_hash: &str,
        role: &str,
    ) -> Result<Option<String>, Error> {
        let users = format!("{}.users", quote_ident(&identity.schema));
        let values = serde_json::json!({
            "email": email, "name": name, "password_hash": password_hash, "role": role
        });
        let lease = self.lease(identity, Access::Write).await?;
        let work = async {
            lease.begin().await?;
            let has_name: bool = lease
                .query_one(
                    "select exists (select from pg_catalog.pg_attribute
                         where attrelid operator(pg_catalog.=) $1::pg_catalog.text::pg_catalog.regclass
                         and attname operator(pg_catalog.=) 'name' and not attisdropped)",
                    &[&users],
                )
                .await?
                .try_get(0)?;
            let columns = if has_name && name.is_some() {
                "email, password_hash, role, name"
            } else {
                "email, password_hash, role"
            };
            // The record's input functions read each value, so the columns may be text, enums or domains.
            let text = format!(
                "insert into {users} ({columns})
                 select {columns} from pg_catalog.json_populate_record(null::{users}, $1::pg_catalog.text::pg_catalog.json)
                 on conflict do nothing returning id::pg_catalog.text"
            );
            let row = lease.query_opt(&text, &[&values.to_string()]).await?;
            let id = row.map(|row| row.try_get(0)).transpose()?;
            lease.commit().await?;
            Ok::<Option<String>, Error>(id)
        };
        let id = lease.run(self.settings().limits.statement, work).await?;
        lease.finish();
        Ok(id)
    }
}

impl Fill {
    pub(crate) async fn join(&self) -> Result<(), Error> {
        let Some(role) = &self.role else {
            return Ok(());
        };
        let text = format!("grant {} to current_user", quote_ident(role));
        Ok(self.lease.batch_execute(&text).await?)
    }

    /// Ends the platform's membership and commits.
    pub async fn commit(self) -> Result<(), Error> {
        if let Some(role) = &self.role {
            let text = format!("revoke {} from current_user", quote_ident(role));
            self.lease.batch_execute(&text).await?;
        }
        self.lease.commit().await?;
        if let Err(error) = statistics::settle(&*self.lease, &self.known).await {
            tracing::debug!(%error, "autovacuum will look at a copy whose statistics are known");
        }
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
