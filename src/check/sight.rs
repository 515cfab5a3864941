//! What a tenant can see of others in the catalogs, which every role may read: said, not hidden.

use super::{Sight, stage::Stage};

/// What is looked for, and a query that gives a row if the attacker sees the victim's.
const SIGHTS: [(&str, &str); 15] = [
    ("names of schemas", "select nspname from pg_namespace where nspname = '{victim}'"),
    ("names of roles", "select rolname from pg_roles where rolname = '{victim_role}'"),
    (
        "names of tables and columns",
        "select attname from pg_attribute where attrelid = {table} and attname = 'word'",
    ),
    (
        "numbers of rows and pages, as the planner estimates them",
        "select reltuples from pg_class where oid = {table}",
    ),
    ("sizes of tables", "select pg_relation_size({table})"),
    (
        "counters of reads and writes",
        "select n_tup_ins from pg_stat_all_tables where relid = {table}",
    ),
    ("comments", "select description from pg_description where objoid = {table}"),
    (
        "bodies of functions",
        "select prosrc from pg_proc where proname = 'check_secret_function' and pronamespace = {schema}",
    ),
    ("texts of views", "select pg_get_viewdef(oid) from pg_class where relname = 'check_secret_view' and relnamespace = {schema}"),
    (
        "defaults, checks and policies",
        "select adbin from pg_attrdef union all select conbin from pg_constraint where connamespace = {schema} limit 1",
    ),
    (
        "grants on objects",
        "select oid from pg_class where oid = {table} and pg_catalog.has_table_privilege('{victim_role}', oid, 'select')",
    ),
    (
        "that and when sessions are there: process, role, database",
        "select pid from pg_stat_activity where usename = '{platform}'",
    ),
    (
        "which tables are locked, and how",
        "select 1 from pg_locks limit 1",
    ),
    (
        "texts of running statements",
        "select query from pg_stat_activity where usename <> session_user and query <> '<insufficient privilege>'
            and query is not null and query <> ''",
    ),
    (
        "most common values and histograms of columns",
        "select tablename from pg_stats where schemaname = '{victim}'",
    ),
];

/// Looks at each.
pub async fn look(stage: &Stage<'_>) -> anyhow::Result<Vec<Sight>> {
    let schema = "(select oid from pg_namespace where nspname = '{victim}')";
    let table = format!(
        "(select oid from pg_class where relname = 'check_secret' and relnamespace = {schema})"
    );
    let session = stage.attack().await?;
    let mut sights = Vec::new();
    for (what, query) in SIGHTS {
        let query = query.replace("{table}", &table).replace("{schema}", schema);
        let seen = session.work(&stage.fill(&query)).await;
        sights.push(Sight {
            what,
            seen: seen.is_ok_and(|rows| !rows.is_empty()),
        });
    }
    Ok(sights)
}
