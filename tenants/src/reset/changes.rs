//! What of a tenant is not as in the template, and whether the template is still what it was.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::error::SqlState;

use super::{
    look::{self, Column},
    rows, unfit,
};
use crate::{
    certify::Digest,
    lease::Lease,
    mark::Mark,
    script::{self, Script},
};

/// What of a tenant is not as in the template.
pub(super) struct Changes {
    pub(super) tables: Vec<Target>,
    pub(super) sequences: Vec<(String, i64, bool)>,
    pub(super) views: Vec<String>,
    /// Whether the definitions are as they were when the copy was made.
    pub(super) sound: bool,
}

/// A table whose rows are to be put back.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) oid: u32,
    pub(super) columns: Vec<Column>,
    /// The columns of its primary key.
    pub(super) key: Vec<String>,
    /// The transactions whose rows in it are the template's; none if all rows have to be put back.
    pub(super) written: Option<String>,
}

/// Most rows of a table of which only those that have changed are put back; beyond, all are in one stream.
const MOST_SINGLE: i64 = 100_000;

/// Most transactions that a table's rows may stem from.
const MOST_WRITERS: usize = 8;

/// Holds the template's tables in a transaction of the platform, makes sure of their rows, and gives their columns.
pub(super) async fn open(
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
    let columns = look::columns(&**platform, script.source(), &names).await?;
    for target in &changes.tables {
        let Some(theirs) = columns.get(&target.name) else {
            return Err(script::Error::Stale);
        };
        if !look::fit(&target.columns, theirs) {
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
pub(super) async fn find(
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
        let found = look::relations(&**lease, schema, &names).await?;
        let asked: Vec<(&str, bool, &str)> = found
            .iter()
            .filter_map(|(name, relation)| {
                Some((name.as_str(), relation.view, mark?.written(name)))
            })
            .collect();
        let counts = look::counts(&**lease, schema, script, &asked).await?;
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
    let owners: Option<Vec<u32>> = tables.map(|_| oids.clone());
    // None waits for another's answer.
    let (mut columns, sequences, views) = futures_util::future::try_join3(
        look::columns(&**lease, schema, &plain),
        look::sequences(&**lease, schema, owners.as_deref()),
        look::views(&**lease, schema, &oids),
    )
    .await?;
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
    let sequences = look::misplaced(&**lease, schema, &sequences, template).await?;
    Ok(Some(Changes {
        tables: targets,
        sequences,
        views,
        sound,
    }))
}
