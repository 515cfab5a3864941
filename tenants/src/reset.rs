//! Back to the template: the rows of what has changed, or, where definitions have changed too, a fresh copy in its place.
//!
//! The rows of `users` stay in either case, for whoever registered must be able to sign in afterwards. A reset that is
//! killed leaves a schema `reset_..` that nobody knows, or nothing; done again it completes.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use crate::{
    Access, Identity, Tenants,
    certify::Digest,
    error::Error,
    lease::Lease,
    mark::{self, Mark},
    names::{self, quote_ident},
    provision::Fill,
    rows::{self, Column},
    script::{self, Script},
};

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

/// What of a tenant is not as in the template.
struct Changes {
    tables: Vec<Target>,
    sequences: Vec<(String, i64, bool)>,
    views: Vec<String>,
    /// Whether the definitions are as they were when the copy was made.
    sound: bool,
}

/// A table whose rows are to be put back.
struct Target {
    name: String,
    oid: u32,
    columns: Vec<Column>,
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
        same: impl AsyncFn(&Client) -> Result<bool, Error>,
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
            let platform = self.platform().await?;
            let mark = Mark::read(&*platform, &identity.schema).await?;
            platform.finish();
            if mark.is_some() || tables.is_some() {
                match self
                    .reset_rows(identity, script, template, tables, mark.as_ref())
                    .await
                {
                    Ok(Some(report)) => return Ok(report),
                    // The rows in the template are not those of the digest.
                    Err(script::Error::Stale) if tables.is_none() => {}
                    Err(error) => return Err(error),
                    Ok(None) => {}
                }
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
        mark: Option<&Mark>,
    ) -> Result<Option<ResetReport>, script::Error> {
        let limit = self.settings().limits.statement;
        let lease = self.lease(identity, Access::Write).await?;
        let work = async {
            lease.begin().await?;
            find(&lease, &identity.schema, script, template, tables, mark).await
        };
        let Some(changes) = within(&lease, limit, work).await? else {
            return Ok(None);
        };
        if changes.tables.is_empty() && changes.sequences.is_empty() && changes.views.is_empty() {
            lease.rollback().await?;
            lease.finish();
            return Ok(Some(ResetReport::default()));
        }
        let names: Vec<String> = changes.tables.iter().map(|t| t.name.clone()).collect();
        let stage = match names.is_empty() {
            true => None,
            false => Some(self.stage(identity, script, template, &names).await?),
        };
        let outcome = self
            .put_back(&lease, identity, script, &changes, stage.as_ref())
            .await;
        if let Some(stage) = &stage {
            self.drop_schema(&stage.schema).await;
        }
        let (written, stamp) = outcome?;
        lease.finish();
        let relations: Vec<String> = names.iter().chain(&changes.views).cloned().collect();
        let platform = self.platform().await?;
        let stamp = changes.sound.then_some(stamp);
        mark::renew(&*platform, &identity.schema, &relations, &written, stamp).await?;
        platform.finish();
        Ok(Some(ResetReport {
            whole: false,
            tables: names,
            sequences: changes.sequences.into_iter().map(|s| s.0).collect(),
            views: changes.views,
            users: None,
        }))
    }

    /// Copies the rows of some tables to where the tenant may read them, and nobody else but the platform.
    async fn stage(
        &self,
        identity: &Identity,
        script: &Script,
        template: &Digest,
        tables: &[String],
    ) -> Result<Stage, script::Error> {
        let fill = self.begin_fill(&identity.role).await?;
        script.hold_template(&*fill).await?;
        let schema = names::fresh_reset();
        let columns = rows::columns(&*fill, script.source(), tables).await?;
        let mut text = format!(
            "create schema {stage} authorization {owner}; grant usage on schema {stage} to {role}",
            stage = quote_ident(&schema),
            owner = quote_ident(&self.owner_role()),
            role = quote_ident(&identity.role),
        );
        for (table, columns) in &columns {
            // A change of the template's rows since the digest shows here, and not in the tenant's certificate.
            let hash = rows::hash(script, table, columns);
            let found: (i64, String) = {
                let row = fill.query_typed_one(&hash, &[]).await?;
                (row.try_get(0)?, row.try_get(1)?)
            };
            let known = template.tables.get(table);
            if known.is_none_or(|known| (known.rows, &known.hash) != (found.0, &found.1)) {
                return Err(script::Error::Stale);
            }
            text.push_str(&rows::stage(script, &schema, table, columns, &identity.role));
        }
        text.push_str(&script.force_again());
        fill.batch_execute(&text).await?;
        fill.commit_alone().await?;
        Ok(Stage {
            schema,
            columns: columns.into_iter().collect(),
        })
    }

    /// The tenant's own session empties its tables and fills them from the staged rows, all or nothing.
    async fn put_back(
        &self,
        lease: &Lease,
        identity: &Identity,
        script: &Script,
        changes: &Changes,
        stage: Option<&Stage>,
    ) -> Result<(String, i64), script::Error> {
        let schema = &identity.schema;
        let work = async {
            let mut text = rows::Put::begin(schema);
            if let Some(stage) = stage {
                let oids: Vec<u32> = changes.tables.iter().map(|t| t.oid).collect();
                let keys = rows::keys(&**lease, &oids).await?;
                let quiet = rows::quiet(&**lease, &oids).await?;
                text.unbind(&keys);
                for target in &changes.tables {
                    let theirs = stage.columns.get(&target.name).map(Vec::as_slice);
                    let theirs = theirs.unwrap_or_default();
                    if !rows::fit(&target.columns, theirs) {
                        return Err(unfit(&format!(
                            "table {} has other columns than in the template; reset all tables",
                            target.name
                        )));
                    }
                    text.empty(schema, &target.name);
                }
                for target in &changes.tables {
                    let forced = script.is_forced(&target.name);
                    text.fill(schema, target.oid, &target.name, &target.columns, &stage.schema, &quiet, forced);
                }
                text.bind(&keys);
            }
            for (name, value, called) in &changes.sequences {
                text.set_back(schema, name, *value, *called);
            }
            for view in &changes.views {
                text.refresh(schema, view);
            }
            lease.batch_execute(&text.end()).await?;
            let stamp = script::stamp(&**lease, schema).await?;
            let written: String = lease
                .query_one("select pg_current_xact_id()::xid::text", &[])
                .await?
                .try_get(0)?;
            lease.commit().await?;
            Ok((written, stamp))
        };
        within(lease, self.settings().limits.statement, work).await
    }

    /// Makes a fresh copy beside the old one, carries the users over, and lets the two change names.
    async fn reset_whole(
        &self,
        identity: &Identity,
        script: &Script,
        same: impl AsyncFn(&Client) -> Result<bool, Error>,
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
            mark::renew(&*platform, &identity.schema, &[], "", Some(stamp)).await?;
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
            let Some((text, oid)) = rows::carry(&*lease, &identity.schema, fresh, "users").await? else {
                return Ok(None);
            };
            let quiet = rows::quiet(&*lease, &[oid]).await?;
            let mut put = rows::Put::begin(fresh);
            put.quietly(oid, fresh, "users", &quiet, &text);
            lease.batch_execute(&put.end()).await?;
            let count: i64 = lease
                .query_one(&format!("select count(*) from {}.users", quote_ident(fresh)), &[])
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
        mark::renew(&*platform, fresh, &[], "", Some(stamp)).await?;
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
        Mark::make(&*fill, schema).await?;
        Ok(fill)
    }

    /// Drops a schema of the platform's with all in it. One that can't be dropped now is left to the search for orphans.
    pub(crate) async fn drop_schema(&self, schema: &str) {
        let work = async {
            let lease = self.platform().await?;
            lease.begin().await?;
            mark::forget(&*lease, schema).await?;
            lease
                .batch_execute(&format!("drop schema if exists {} cascade", quote_ident(schema)))
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

/// Rows of the template, where a tenant can read them.
struct Stage {
    schema: String,
    columns: std::collections::HashMap<String, Vec<Column>>,
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

/// Looks, as the tenant, for what is not as in the template; none if definitions have changed and all is wanted.
async fn find(
    lease: &Lease,
    schema: &str,
    script: &Script,
    template: &Digest,
    tables: Option<&[String]>,
    mark: Option<&Mark>,
) -> Result<Option<Changes>, script::Error> {
    let stamp = script::stamp(&**lease, schema).await?;
    let sound = mark.is_some_and(|mark| mark.stamp == stamp);
    if !sound && tables.is_none() {
        return Ok(None);
    }
    let mut names: Vec<String> = match tables {
        Some(named) => named.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect(),
        None => template.tables.keys().cloned().collect(),
    };
    let found = rows::relations(&**lease, schema, &names).await?;
    names.retain(|name| found.contains_key(name));
    if let Some(named) = tables
        && let Some(lost) = named.iter().find(|name| !found.contains_key(*name))
    {
        return Err(unfit(&format!("there is no table {lost} any more; reset all tables")));
    }
    let mut counts = std::collections::HashMap::new();
    if let Some(mark) = mark.filter(|_| sound) {
        let asked: Vec<(&str, bool, &str)> = names
            .iter()
            .map(|name| (name.as_str(), found[name].view, mark.written(name)))
            .collect();
        counts = rows::counts(&**lease, schema, script, &asked).await?;
    }
    let moved = |name: &String| {
        let known = template.tables.get(name).map(|known| known.rows);
        counts
            .get(name)
            .is_none_or(|(rows, foreign)| Some(*rows) != known || *foreign > 0)
    };
    let moved: Vec<&String> = names.iter().filter(|name| moved(name)).collect();
    let oids: Vec<u32> = moved.iter().map(|name| found[*name].oid).collect();
    let plain: Vec<String> = moved
        .iter()
        .filter(|name| !found[**name].view)
        .map(|name| (*name).clone())
        .collect();
    let mut columns = if plain.is_empty() {
        Default::default()
    } else {
        rows::columns(&**lease, schema, &plain).await?
    };
    let targets = plain
        .iter()
        .map(|name| Target {
            name: name.clone(),
            oid: found[name].oid,
            columns: columns.remove(name).unwrap_or_default(),
        })
        .collect();
    let owners: Option<Vec<u32>> = tables.map(|_| oids.clone());
    let sequences = rows::sequences(&**lease, schema, owners.as_deref()).await?;
    let sequences = rows::misplaced(&**lease, schema, &sequences, template).await?;
    Ok(Some(Changes {
        tables: targets,
        sequences,
        views: rows::views(&**lease, schema, &oids).await?,
        sound,
    }))
}

fn unfit(what: &str) -> script::Error {
    script::Error::Tenants(Error::Unfit(what.to_owned()))
}
