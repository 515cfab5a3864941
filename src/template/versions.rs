//! Versions of the template: a number for each state of its definitions and rows.
//!
//! Whatever changes the template, a migration, `template load` or an operator's own SQL, is
//! noticed by two stamps. A copy reads both in the transaction that copies, so it is wholly of
//! one version and knows of which.

use anyhow::Context as _;
use tenants::{
    Tenants,
    certify::{Digest, Side},
    names::{quote_ident, quote_literal},
    script::{self, Script},
};
use tokio_postgres::{Client, GenericClient};

use super::SCHEMA;

/// A version and what is needed to copy it.
pub struct Version {
    /// Its number.
    pub number: i64,
    /// Changes with every row and sequence that is copied.
    pub rows: String,
    /// What copies it.
    pub script: Script,
}

/// The version of what the template is now; a state that was not seen before gets the next number.
///
/// # Errors
/// When the template can't be copied, or the database goes away.
pub async fn current(tenants: &Tenants) -> anyhow::Result<Version> {
    let mut client = tenants.connection().await?;
    loop {
        let script = Script::read(&mut client, SCHEMA)
            .await
            .context("the template can't be copied")?;
        if let Some(version) = number(&mut client, script).await? {
            return Ok(version);
        }
    }
}

/// Numbers the state that the script is of; none if it changed meanwhile.
async fn number(client: &mut Client, script: Script) -> anyhow::Result<Option<Version>> {
    // Servers that see a change at the same time take turns, and the later finds the number made.
    let turn = client.transaction().await?;
    turn.execute("select 1 from _sandlot.template for update", &[])
        .await?;
    let definitions = script::stamp(&turn, SCHEMA).await?;
    if definitions != script.stamp() {
        return Ok(None);
    }
    let rows = rows(&turn).await?;
    if let Some(number) = known(&turn, definitions, &rows).await? {
        return Ok(Some(Version {
            number,
            rows,
            script,
        }));
    }
    turn.rollback().await?;

    let digest = digest(client, &script).await?;
    let turn = client.transaction().await?;
    turn.execute("select 1 from _sandlot.template for update", &[])
        .await?;
    if script::stamp(&turn, SCHEMA).await? != definitions || self::rows(&turn).await? != rows {
        return Ok(None);
    }
    // Reading it all took a while, and somebody else may have done it as well.
    if let Some(number) = known(&turn, definitions, &rows).await? {
        return Ok(Some(Version {
            number,
            rows,
            script,
        }));
    }
    let number = turn
        .query_one(
            "insert into _sandlot.template_versions (version, definitions, rows, digest)
             select coalesce(max(version), 0) + 1, $1, $2, $3::text::json from _sandlot.template_versions
             returning version",
            &[&definitions, &rows, &digest],
        )
        .await?
        .try_get(0)?;
    turn.execute("update _sandlot.template set version = $1", &[&number])
        .await?;
    turn.commit().await?;
    tracing::info!(version = number, "the template has a new version");
    Ok(Some(Version {
        number,
        rows,
        script,
    }))
}

/// The number of the latest version, if that is what these stamps are of.
async fn known(
    tx: &impl GenericClient,
    definitions: i64,
    rows: &str,
) -> Result<Option<i64>, tokio_postgres::Error> {
    tx.query_opt(
        "select v.version from _sandlot.template t join _sandlot.template_versions v using (version)
         where v.definitions = $1 and v.rows = $2",
        &[&definitions, &rows],
    )
    .await?
    .map(|row| row.try_get(0))
    .transpose()
}

async fn digest(client: &mut Client, script: &Script) -> anyhow::Result<String> {
    let digest = Digest::read(client, SCHEMA, Side::Template, Some(script))
        .await
        .context("the template can't be read for certificates")?;
    Ok(serde_json::to_string(&digest)?)
}

/// The digest of a version, if it was ever numbered.
///
/// # Errors
/// When the database goes away.
pub async fn digest_of(tenants: &Tenants, number: i64) -> Result<Option<Digest>, tenants::Error> {
    let lease = tenants.platform().await?;
    let row = lease
        .query_opt(
            "select digest::text from _sandlot.template_versions where version = $1",
            &[&number],
        )
        .await?;
    lease.finish();
    let Some(row) = row else { return Ok(None) };
    let text: String = row.try_get(0)?;
    Ok(serde_json::from_str(&text).ok())
}

/// A text that changes with every row that is copied, and every sequence.
///
/// Each version of a row has the number of the transaction that wrote it; their sum and count
/// change with every insert, update and delete. The number is had as a difference of two ages,
/// which takes a fifth of the time that its text does.
///
/// # Errors
/// When the database goes away.
pub async fn rows(tx: &impl GenericClient) -> Result<String, tokio_postgres::Error> {
    let relations = tx
        .query(
            "select c.relname::text, c.relkind = 'S'
             from pg_catalog.pg_depend d join pg_catalog.pg_class c on c.oid = d.objid
             where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               and d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
               and d.refobjid = (select oid from pg_catalog.pg_namespace where nspname = $1)
               and c.relkind in ('r', 'S') and c.relname <> 'users'
             order by 1",
            &[&SCHEMA],
        )
        .await?;
    if relations.is_empty() {
        return Ok(String::new());
    }
    let mut parts = Vec::with_capacity(relations.len());
    for row in relations {
        let (name, is_sequence): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        let (relation, label) = (quote_ident(&name), quote_literal(&name));
        parts.push(if is_sequence {
            format!(
                "select concat_ws(':', {label}, last_value, is_called) from {SCHEMA}.{relation}"
            )
        } else {
            format!(
                "select concat_ws(':', {label}, count(*),
                     sum((age('3'::xid)::bigint - age(xmin)) & 4294967295)) from only {SCHEMA}.{relation}"
            )
        });
    }
    let text = format!(
        "select md5(string_agg(part, ' ' order by part)) from ({}) as parts (part)",
        parts.join(" union all ")
    );
    tx.query_one(&text, &[]).await?.try_get(0)
}

/// A number that changes soon after any definition or row has changed; costs next to nothing.
///
/// Counters of rows come from the statistics, which a session may keep to itself for some seconds.
///
/// # Errors
/// When the database goes away.
pub async fn hint(tenants: &Tenants) -> anyhow::Result<(i64, i64)> {
    let lease = tenants.platform().await?;
    lease.begin().await?;
    let definitions = script::stamp(&*lease, SCHEMA).await?;
    let counters = lease
        .prepare_cached(
            "select coalesce(sum(pg_catalog.pg_stat_get_tuples_inserted(d.objid)
                       + pg_catalog.pg_stat_get_tuples_updated(d.objid)
                       + pg_catalog.pg_stat_get_tuples_deleted(d.objid)), 0)::pg_catalog.int8
             from pg_catalog.pg_depend d join pg_catalog.pg_class c on c.oid = d.objid
             where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               and d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
               and d.refobjid = (select oid from pg_catalog.pg_namespace where nspname = $1)
               and c.relkind = 'r'",
        )
        .await?;
    let changes = lease.query_one(&counters, &[&SCHEMA]).await?.try_get(0)?;
    lease.commit().await?;
    lease.finish();
    Ok((definitions, changes))
}

/// Bytes on disk of the template's tables and indexes.
///
/// # Errors
/// When the database goes away.
pub async fn size(tenants: &Tenants) -> Result<u64, tenants::Error> {
    let lease = tenants.platform().await?;
    let row = lease
        .query_one(
            "select coalesce(sum(pg_catalog.pg_total_relation_size(d.objid)), 0)::pg_catalog.int8
             from pg_catalog.pg_depend d join pg_catalog.pg_class c on c.oid = d.objid
             where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
               and d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
               and d.refobjid = (select oid from pg_catalog.pg_namespace where nspname = $1)
               and c.relkind in ('r', 'm')",
            &[&SCHEMA],
        )
        .await?;
    lease.finish();
    let bytes: i64 = row.try_get(0)?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}
