//! Back to the template: the rows of what has changed, or, where definitions have changed too, a fresh copy in its place.
//!
//! The rows of `users` stay in either case, for whoever registered must be able to sign in afterwards. A reset that is
//! killed leaves a schema `reset_..` that nobody knows, or nothing; done again it completes.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, error::SqlState};

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
    /// The columns of its primary key.
    key: Vec<String>,
    /// The transactions whose rows in it are the template's; none if all rows have to be put back.
    written: Option<String>,
}

/// What the transaction that put rows back was, and the stamp of the definitions behind it if that is another.
struct Put {
    written: String,
    stamp: Option<i64>,
}

/// Most rows of a table of which only those that have changed are put back; beyond, all are in one stream.
const MOST_SINGLE: i64 = 100_000;
/// Most transactions that a table's rows may stem from.
const MOST_WRITERS: usize = 8;

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

    /// The tenant's own session takes out what is not the template's and takes in what is, all or nothing.
    ///
    /// Rows stream from the platform's session to the tenant's: nothing is made that somebody would have to clean up.
    async fn put_back(
        &self,
        lease: &Lease,
        identity: &Identity,
        script: &Script,
        template: &Digest,
        changes: &Changes,
    ) -> Result<Put, script::Error> {
        let schema = &identity.schema;
        let platform = self.platform().await?;
        let oids: Vec<u32> = changes.tables.iter().map(|t| t.oid).collect();
        let bulk = changes.tables.iter().any(|t| t.written.is_none());
        let ready = async {
            let keys = rows::keys(&**lease, &oids, bulk).await?;
            let quiet = rows::quiet(&**lease, &oids).await?;
            let mut before = rows::settings(schema);
            before.push_str(&rows::unbind(&keys));
            let mut after = String::new();
            for target in &changes.tables {
                let forced = script.is_forced(&target.name);
                let (off, on) = rows::hush(target.oid, schema, &target.name, &quiet, forced);
                before.push_str(&off);
                after.push_str(&on);
            }
            after.push_str(&rows::bind(&keys));
            lease.batch_execute(&before).await?;
            Ok::<_, script::Error>((keys.is_empty() && quiet.is_empty(), after))
        };
        let (source, (untouched, mut after)) =
            futures_util::future::try_join(open(&platform, script, template, changes), ready)
                .await?;
        for target in &changes.tables {
            let theirs = source
                .get(&target.name)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let some = match &target.written {
                None => {
                    lease
                        .batch_execute(&rows::empty(schema, &target.name))
                        .await?;
                    None
                }
                Some(written) => {
                    let missing = rows::missing(
                        &platform,
                        lease,
                        schema,
                        script,
                        &target.name,
                        &target.key,
                        written,
                    );
                    Some(missing.await?)
                }
            };
            rows::pour(
                &platform,
                lease,
                schema,
                script,
                &target.name,
                theirs,
                some.as_deref(),
            )
            .await?;
        }
        // The rows of a table that hides them from its owner were shown for this transaction alone.
        platform.rollback().await?;
        platform.finish();
        for (name, value, called) in &changes.sequences {
            after.push_str(&rows::set_back(schema, name, *value, *called));
        }
        for view in &changes.views {
            after.push_str(&rows::refresh(schema, view));
        }
        lease.batch_execute(&after).await?;
        let written: String = lease
            .query_typed_one("select pg_catalog.pg_current_xact_id()::xid::text", &[])
            .await?
            .try_get(0)?;
        let forced = changes.tables.iter().any(|t| script.is_forced(&t.name));
        let stamp = if untouched && !forced && !bulk && changes.views.is_empty() {
            None
        } else {
            Some(script::stamp(&**lease, schema).await?)
        };
        lease.commit().await?;
        Ok(Put { written, stamp })
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
            let quiet = rows::quiet(&*lease, &[oid]).await?;
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

/// Holds the template's tables in a transaction of the platform, makes sure of their rows, and gives their columns.
async fn open(
    platform: &Lease,
    script: &Script,
    template: &Digest,
    changes: &Changes,
) -> Result<BTreeMap<String, Vec<Column>>, script::Error> {
    let names: Vec<String> = changes.tables.iter().map(|t| t.name.clone()).collect();
    platform.begin().await?;
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    platform
        .batch_execute(&rows::hold(script, &names))
        .await
        .map_err(|error| match error.code() {
            Some(&SqlState::UNDEFINED_TABLE) => script::Error::Stale,
            _ => error.into(),
        })?;
    let columns = rows::columns(&**platform, script.source(), &names).await?;
    for target in &changes.tables {
        let Some(theirs) = columns.get(&target.name) else {
            return Err(script::Error::Stale);
        };
        if !rows::fit(&target.columns, theirs) {
            return Err(unfit(&format!(
                "table {} has other columns than in the template; reset all tables",
                target.name
            )));
        }
        // A change of the template's rows since the digest shows here, and not in the tenant's certificate.
        let hash = rows::hash(script, &target.name, theirs);
        let found = platform.query_typed_one(&hash, &[]).await?;
        let found: (i64, String) = (found.try_get(0)?, found.try_get(1)?);
        let known = template.tables.get(&target.name);
        if known.is_none_or(|known| (known.rows, &known.hash) != (found.0, &found.1)) {
            return Err(script::Error::Stale);
        }
    }
    Ok(columns)
}

/// Looks, as the tenant, for what is not as in the template; none if definitions have changed and all is wanted.
async fn find(
    platform: &Lease,
    lease: &Lease,
    schema: &str,
    script: &Script,
    template: &Digest,
    tables: Option<&[String]>,
    mark: Option<&Mark>,
) -> Result<Option<Changes>, script::Error> {
    let mut names: Vec<String> = match tables {
        Some(named) => named
            .iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .cloned()
            .collect(),
        None => template.tables.keys().cloned().collect(),
    };
    let counting = async {
        lease
            .batch_execute("set local search_path = pg_catalog, pg_temp")
            .await?;
        let found = rows::relations(&**lease, schema, &names).await?;
        let asked: Vec<(&str, bool, &str)> = found
            .iter()
            .filter_map(|(name, relation)| {
                Some((name.as_str(), relation.view, mark?.written(name)))
            })
            .collect();
        let counts = rows::counts(&**lease, schema, script, &asked).await?;
        Ok((found, counts))
    };
    // The catalogs are as well read from the other side: nothing of the tenant's runs for it.
    let (stamp, (found, mut counts)) =
        futures_util::future::try_join(script::stamp(&**platform, schema), counting).await?;
    let sound = mark.is_some_and(|mark| mark.stamp == stamp);
    if !sound && tables.is_none() {
        return Ok(None);
    }
    if !sound {
        // A table that was made anew says nothing by who wrote its rows.
        counts.clear();
    }
    names.retain(|name| found.contains_key(name));
    if let Some(named) = tables
        && let Some(lost) = named.iter().find(|name| !found.contains_key(*name))
    {
        return Err(unfit(&format!(
            "there is no table {lost} any more; reset all tables"
        )));
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
        .map(|name| {
            let relation = &found[name];
            let few = counts
                .get(name)
                .is_some_and(|(rows, foreign)| *rows <= MOST_SINGLE && *foreign <= rows / 4);
            let written = mark
                .filter(|_| few && !relation.key.is_empty())
                .map(|mark| mark.written(name))
                .filter(|written| written.matches(',').count() + 1 < MOST_WRITERS);
            Target {
                name: name.clone(),
                oid: relation.oid,
                columns: columns.remove(name).unwrap_or_default(),
                key: relation.key.clone(),
                written: written.map(str::to_owned),
            }
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
