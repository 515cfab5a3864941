//! The planner's statistics of a copy: those of the template, so that its first queries are planned like later ones.
//!
//! Autovacuum looks at new tables after a minute or two; until then a join is planned as if nothing were known, and a
//! connection keeps such a plan for a statement that it has prepared. Rows of `pg_statistic` are written by superusers
//! alone, so a function of the own server's does it, for the platform and nobody else. The counters that would make
//! autovacuum look all the same are set back. Other servers have no such function, and their copies wait for autovacuum.

use tokio_postgres::{Client, GenericClient};

use crate::{cluster::is_made, error::Error, names::quote_ident, script::Script};

/// The function: the template's tables, columns to be left out as tables and names of the same length, the copy's schema;
/// the tables that it has made rows for.
///
/// Of a column whose type is the copy's own (an enum, a domain) values can't be taken over: what is known of it is how
/// often it is null, its width and its number of values. Columns and indexes that are computed from a column to be left
/// out are left out too; and `users` in what is known of a parent with its heirs.
const FUNCTION: &str = "_sandlot.take_statistics(text[], text[], text[], text)";

const BODY: &str = "
with tables as materialized (
    select t.oid, t.relname from unnest($1) as name join pg_class t on t.oid = to_regclass(name)
), nulled as materialized (
    select t.oid as relation, a.attnum as number from unnest($2, $3) as n (relation, attribute)
    join tables t on t.relname = n.relation
    join pg_attribute a on a.attrelid = t.oid and a.attname = n.attribute
), hidden as materialized (
    select relation, number from nulled
    union all
    select f.adrelid, f.adnum from nulled n
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = n.relation and d.refobjsubid = n.number
        and d.classid = 'pg_attrdef'::regclass
    join pg_attrdef f on f.oid = d.objid
), pairs as materialized (
    select oid as theirs, to_regclass(format('%I.%I', $4, relname)) as ours from tables
    union all
    select i.indexrelid, to_regclass(format('%I.%I', $4, c.relname))
    from tables t
    join pg_index i on i.indrelid = t.oid and i.indexprs is not null
    join pg_class c on c.oid = i.indexrelid
    where not exists (
        select from hidden h
        join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
            and d.refclassid = 'pg_class'::regclass and d.refobjid = h.relation and d.refobjsubid = h.number
    )
), made as (
    insert into pg_statistic
    select p.ours, o.attnum, s.stainherit, s.stanullfrac, s.stawidth, s.stadistinct,
        s.stakind1 * x.same, s.stakind2 * x.same, s.stakind3 * x.same, s.stakind4 * x.same, s.stakind5 * x.same,
        s.staop1, s.staop2, s.staop3, s.staop4, s.staop5,
        s.stacoll1, s.stacoll2, s.stacoll3, s.stacoll4, s.stacoll5,
        s.stanumbers1, s.stanumbers2, s.stanumbers3, s.stanumbers4, s.stanumbers5,
        case x.same when 1 then s.stavalues1 end, case x.same when 1 then s.stavalues2 end,
        case x.same when 1 then s.stavalues3 end, case x.same when 1 then s.stavalues4 end,
        case x.same when 1 then s.stavalues5 end
    from pairs p
    join pg_statistic s on s.starelid = p.theirs and not s.stainherit
    join pg_attribute a on a.attrelid = p.theirs and a.attnum = s.staattnum
    join pg_attribute o on o.attrelid = p.ours and o.attname = a.attname and not o.attisdropped
    cross join lateral (
        select (a.atttypid = o.atttypid and a.attcollation = o.attcollation)::int::smallint as same
    ) x
    where not exists (select from hidden h where h.relation = p.theirs and h.number = s.staattnum)
    returning starelid
)
select array(select distinct m.starelid from made m join pg_class c on c.oid = m.starelid where c.relkind = 'r')";

/// Makes the function, as a superuser in the tenants database. A server whose statistics have another form goes without.
pub(crate) async fn provide(superuser: &Client, platform: &str) -> Result<(), Error> {
    if is_made(superuser, FUNCTION, BODY).await? {
        return Ok(());
    }
    let made = superuser
        .batch_execute(&format!(
            "create or replace function {FUNCTION} returns oid[]
             language sql security definer set search_path = pg_catalog, pg_temp as $body${BODY}$body$;
             revoke execute on function {FUNCTION} from public;
             grant execute on function {FUNCTION}, pg_catalog.pg_stat_reset_single_table_counters(oid) to {}",
            quote_ident(platform)
        ))
        .await;
    match made {
        Err(error) if error.as_db_error().is_some() => {
            tracing::info!(%error, "copies begin without statistics");
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Gives a copy the template's statistics, in the transaction that makes it: those of what it has the rows of. What is
/// known of the template's `users` is nobody's business. Returns the tables that have some now.
pub(crate) async fn take(
    tx: &impl GenericClient,
    script: &Script,
    schema: &str,
) -> Result<Vec<u32>, Error> {
    let there = "select pg_catalog.to_regprocedure($1::pg_catalog.text) is not null";
    if !tx.query_one(there, &[&FUNCTION]).await?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let nulled = script.nulled();
    let relations: Vec<&str> = nulled.iter().map(|n| n.table.as_str()).collect();
    let columns: Vec<&str> = nulled.iter().map(|n| n.column.as_str()).collect();
    let made = tx
        .query_one(
            "select _sandlot.take_statistics($1, $2, $3, $4), pg_catalog.pg_stat_force_next_flush()",
            &[&script.copied(), &relations, &columns, &schema],
        )
        .await?;
    Ok(made.get(0))
}

/// Sets back what was counted of the tables while they were filled, after the commit.
pub(crate) async fn settle(client: &impl GenericClient, tables: &[u32]) -> Result<(), Error> {
    if !tables.is_empty() {
        client
            .query(
                "select pg_catalog.pg_stat_reset_single_table_counters(t) from pg_catalog.unnest($1::pg_catalog.oid[]) t",
                &[&tables],
            )
            .await?;
    }
    Ok(())
}
