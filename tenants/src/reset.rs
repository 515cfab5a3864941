//! Back to the template: the rows of what has changed, or, where definitions have changed too, a fresh copy in its place.
//!
//! The rows of `users` stay in either case, for whoever registered must be able to sign in afterwards. A reset that is
//! killed leaves a schema `reset_..` that nobody knows, or nothing; done again it completes.

mod changes;
mod look;
mod put;
mod rows;

use futures_util::future::BoxFuture;
use tokio_postgres::Client;

use self::changes::{Target, find};
use crate::{
    Access, Identity, Tenants,
    certify::Digest,
    changes::tell,
    error::Error,
    lease::Lease,
    mark::{self, Mark},
    names::{self, quote_ident},
    provision::Fill,
    script::{self, Script},
};

/// Asked, in the transaction that made a fresh copy, whether the rows copied are still those of the version.
pub type Same<'a> =
    dyn for<'c> Fn(&'c Client) -> BoxFuture<'c, Result<bool, Error>> + Send + Sync + 'a;

/// What a reset has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResetReport {
    /// Whether all was made anew; the lists below are empty then.
    pub whole: bool,
    /// Tables whose rows were put back.
    pub tables: Vec<String>,
    /// Sequences that were set back.
    pub sequences: Vec<String>,
    /// Materialized views that were filled again.
    pub views: Vec<String>,
    /// How many users were carried over to the new tables; none if they could not be, or had not to be.
    pub users: Option<u64>,
}

impl Tenants {
    /// Brings a tenant back to the template: all of it, or the rows of the tables named.
    ///
    /// `script` and `template` are of one version of the template; `current` says whether the tenant is a copy of that
    /// version. `same` is asked, in the transaction that made a fresh copy, whether the rows copied are still those of that version.
    ///
    /// # Errors
    /// [`script::Error::Stale`] when the template has moved on: look at it and try again. [`Error::Unfit`] when a table
    /// named is none of the template's, or has other columns now. [`Error::Sql`] when the rest of the tenant objects to rows
    /// of a table named, as with 23503 where other rows refer to rows that are not in the template.
    pub async fn reset(
        &self,
        identity: &Identity,
        script: &Script,
        template: &Digest,
        tables: Option<&[String]>,
        current: bool,
        same: &Same<'_>,
    ) -> Result<ResetReport, script::Error> {
        if let Some(named) = tables {
            if !current {
                return Err(unfit(
                    "the template has another version by now; reset all tables, not some of them",
                ));
            }
            for name in named {
                if !template.tables.contains_key(name) {
                    return Err(unfit(&format!(
                        "{name} is no table of the template whose rows are copied"
                    )));
                }
            }
        }
        if current {
            match self.reset_rows(identity, script, template, tables).await {
                Ok(Some(report)) => return Ok(report),
                // The rows in the template are not those of the digest.
                Err(script::Error::Stale) if tables.is_none() => {}
                // Something of the tenant's stands in the way: a right it has taken from itself, a row it has locked.
                Err(script::Error::Postgres(error))
                    if tables.is_none() && error.as_db_error().is_some() =>
                {
                    tracing::info!(schema = identity.schema, %error, "rows could not be put back");
                }
                Err(error) => return Err(error),
                Ok(None) => {}
            }
        }
        self.reset_whole(identity, script, same).await
    }

    /// Puts rows back where definitions allow it; none if they have changed and all is wanted.
    async fn reset_rows(
        &self,
        identity: &Identity,
        script: &Script,
        template: &Digest,
        tables: Option<&[String]>,
    ) -> Result<Option<ResetReport>, script::Error> {
        let limit = self.settings().limits.statement;
        let platform = self.platform().await?;
        let mark = Mark::read(&*platform, &identity.schema).await?;
        if mark.is_none() && tables.is_none() {
            platform.finish();
            return Ok(None);
        }
        let lease = self.lease(identity, Access::Write).await?;
        let work = async {
            lease.begin().await?;
            find(
                &platform,
                &lease,
                &identity.schema,
                script,
                template,
                tables,
                mark.as_ref(),
            )
            .await
        };
        let changes = within(&lease, limit, work).await?;
        platform.finish();
        let Some(changes) = changes else {
            return Ok(None);
        };
        if changes.tables.is_empty() && changes.sequences.is_empty() && changes.views.is_empty() {
            lease.rollback().await?;
            lease.finish();
            return Ok(Some(ResetReport::default()));
        }
        let names: Vec<String> = changes.tables.iter().map(|t| t.name.clone()).collect();
        let put = self.put_back(&lease, identity, script, template, &changes);
        let put = within(&lease, limit, put).await?;
        lease.finish();
        let written = |table: &Target| match &table.written {
            Some(before) => format!("{before},{}", put.written),
            None => put.written.clone(),
        };
        let relations: Vec<(&str, String)> = changes
            .tables
            .iter()
            .map(|table| (table.name.as_str(), written(table)))
            .chain(
                changes
                    .views
                    .iter()
                    .map(|view| (view.as_str(), put.written.clone())),
            )
            .collect();
        let platform = self.platform().await?;
        let stamp = put.stamp.filter(|_| changes.sound);
        mark::renew(&*platform, &identity.schema, &relations, stamp).await?;
        platform.finish();
        Ok(Some(ResetReport {
            whole: false,
            tables: names,
            sequences: changes.sequences.into_iter().map(|s| s.0).collect(),
            views: changes.views,
            users: None,
        }))
    }

    /// Makes a fresh copy beside the old one, carries the users over, and lets the two change names.
    async fn reset_whole(
        &self,
        identity: &Identity,
        script: &Script,
        same: &Same<'_>,
    ) -> Result<ResetReport, script::Error> {
        let fresh = names::fresh_reset();
        let fill = self.copy_fresh(script, &fresh, &identity.role).await?;
        if !same(&fill).await? {
            return Err(script::Error::Stale);
        }
        fill.commit().await?;
        let users = match self.carry_users(identity, &fresh).await {
            Ok(users) => users,
            Err(error) => {
                // Whatever the tenant has made of the table: the copy is as good without its rows.
                tracing::info!(schema = identity.schema, %error, "users could not be carried over");
                None
            }
        };
        self.swap(identity, script, &fresh).await?;
        Ok(ResetReport {
            whole: true,
            users,
            ..ResetReport::default()
        })
    }

    /// Gives a fresh schema the name of the tenant's own, which goes.
    pub(crate) async fn swap(
        &self,
        identity: &Identity,
        script: &Script,
        fresh: &str,
    ) -> Result<(), script::Error> {
        let old = names::fresh_reset();
        let platform = self.platform().await?;
        platform.begin().await?;
        let there = crate::provision::schema_owner(&platform, &identity.schema).await?;
        let mut text = String::new();
        if there.is_some() {
            text = format!(
                "alter schema {} rename to {};",
                quote_ident(&identity.schema),
                quote_ident(&old)
            );
        }
        text.push_str(&format!(
            "alter schema {} rename to {}",
            quote_ident(fresh),
            quote_ident(&identity.schema)
        ));
        platform.batch_execute(&text).await?;
        tell(&platform, &identity.schema).await?;
        platform.commit().await?;
        platform.finish();
        let mending = script.mend(&identity.schema);
        if !mending.is_empty() {
            let lease = self.lease(identity, Access::Write).await?;
            let work = async {
                lease.begin().await?;
                for statement in &mending {
                    lease.batch_execute(statement).await?;
                }
                let stamp = script::stamp(&*lease, &identity.schema).await?;
                lease.commit().await?;
                Ok(stamp)
            };
            let stamp = within(&lease, self.settings().limits.statement, work).await?;
            lease.finish();
            let platform = self.platform().await?;
            mark::renew(&*platform, &identity.schema, &[], Some(stamp)).await?;
            platform.finish();
        }
        if there.is_some() {
            self.drop_schema(&old).await;
        }
        Ok(())
    }

    /// Copies the tenant's users to the fresh tables, as the tenant, who owns both.
    async fn carry_users(
        &self,
        identity: &Identity,
        fresh: &str,
    ) -> Result<Option<u64>, script::Error> {
        let lease = self.lease(identity, Access::Write).await?;
        let work = async {
            lease.begin().await?;
            lease
                .batch_execute("set local search_path = pg_catalog, pg_temp")
                .await?;
            let Some((text, oid)) = rows::carry(&*lease, &identity.schema, fresh, "users").await?
            else {
                return Ok(None);
            };
            let quiet = look::quiet(&*lease, &[oid]).await?;
            let (off, on) = rows::hush(oid, fresh, "users", &quiet, false);
            let text = format!("{}{off}{text}{on}", rows::settings(fresh));
            lease.batch_execute(&text).await?;
            let count: i64 = lease
                .query_one(
                    &format!("select count(*) from {}.users", quote_ident(fresh)),
                    &[],
                )
                .await?
                .try_get(0)?;
            let stamp = script::stamp(&*lease, fresh).await?;
            lease.commit().await?;
            Ok(Some((count, stamp)))
        };
        let carried = within(&lease, self.settings().limits.statement, work).await?;
        let Some((count, stamp)) = carried else {
            return Ok(None);
        };
        lease.finish();
        let platform = self.platform().await?;
        mark::renew(&*platform, fresh, &[], Some(stamp)).await?;
        platform.finish();
        Ok(u64::try_from(count).ok())
    }

    /// Makes a copy in a schema that nobody has seen before the caller commits.
    async fn copy_fresh(
        &self,
        script: &Script,
        schema: &str,
        role: &str,
    ) -> Result<Fill, script::Error> {
        let fill = self.begin_fill(role).await?;
        script.hold_template(&*fill).await?;
        // The role is alive: the schema and its right to it become visible together with all that is in it.
        fill.batch_execute(&format!(
            "create schema {name} authorization {owner}; grant usage, create on schema {name} to {role}",
            name = quote_ident(schema),
            owner = quote_ident(&self.owner_role()),
            role = quote_ident(role),
        ))
        .await?;
        fill.join().await?;
        script.fill(&*fill, schema, role).await?;
        Mark::make(&*fill, schema, &[]).await?;
        Ok(fill)
    }

    /// Drops a schema of the platform's with all in it. One that can't be dropped now is left to the search for orphans.
    pub(crate) async fn drop_schema(&self, schema: &str) {
        let work = async {
            let lease = self.platform().await?;
            lease.begin().await?;
            mark::forget(&*lease, schema).await?;
            lease
                .batch_execute(&format!(
                    "drop schema if exists {} cascade",
                    quote_ident(schema)
                ))
                .await?;
            lease.commit().await?;
            lease.finish();
            Ok::<(), Error>(())
        };
        if let Err(error) = work.await {
            tracing::warn!(schema, %error, "a schema that is not needed any more stays for now");
        }
    }
}

/// Runs work of ours on a tenant's session, and ends it from outside at the limit (I4).
pub(crate) async fn within<T>(
    lease: &Lease,
    limit: std::time::Duration,
    work: impl Future<Output = Result<T, script::Error>>,
) -> Result<T, script::Error> {
    let work = async { Ok::<_, Error>(work.await) };
    lease.run(limit, work).await?
}

fn unfit(what: &str) -> script::Error {
    script::Error::Tenants(Error::Unfit(what.to_owned()))
}
