//! Which tables a statement worked on: asked of Postgres, which holds a lock on each of them.

use std::collections::BTreeMap;

use tokio_postgres::{Error, Transaction};

/// The tables and views of the schema on which the transaction holds locks, by name.
///
/// A statement that writes also holds the weakest row lock on tables that foreign keys made it
/// look at; those are left out. Everything is qualified, since names of the tenant's are ahead.
const AFFECTED: &str = "
with held as (
    select l.relation, pg_catalog.bool_and(l.mode operator(pg_catalog.=) 'RowShareLock') as shared,
           pg_catalog.bool_or(l.mode operator(pg_catalog.<>) all (array['AccessShareLock', 'RowShareLock'])) as strong
    from pg_catalog.pg_locks l
    where l.pid operator(pg_catalog.=) pg_catalog.pg_backend_pid() and l.locktype operator(pg_catalog.=) 'relation'
    group by l.relation
)
select c.relname::pg_catalog.text
from held join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) held.relation
where c.relnamespace operator(pg_catalog.=)
          (select n.oid from pg_catalog.pg_namespace n where n.nspname operator(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name)
  and c.relkind operator(pg_catalog.=) any (array['r', 'p', 'v', 'm', 'f']::pg_catalog.\"char\"[])
  and (not held.shared or not exists (select from held other where other.strong))
order by 1";

/// The tables and views of the schema, found by what depends on it: there is no index by schema.
const NAMED: &str = "
select c.oid, c.relname::pg_catalog.text
from pg_catalog.pg_depend d join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) d.objid
where d.refclassid operator(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
  and d.refobjid operator(pg_catalog.=)
          (select n.oid from pg_catalog.pg_namespace n where n.nspname operator(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name)
  and d.classid operator(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
  and c.relkind operator(pg_catalog.=) any (array['r', 'p', 'v', 'm', 'f']::pg_catalog.\"char\"[])";

/// Which of them are gone.
const GONE: &str = "
select o.oid from pg_catalog.unnest($1::pg_catalog.oid[]) as o (oid)
where not exists (select from pg_catalog.pg_class c where c.oid operator(pg_catalog.=) o.oid)";

/// The names by object id, taken down before a statement that drops some.
pub type Names = BTreeMap<u32, String>;

/// The schema's tables and views as they are.
pub async fn names(transaction: &Transaction<'_>, schema: &str) -> Result<Names, Error> {
    let rows = transaction.query(NAMED, &[&schema]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// The names of the tables and views that the transaction has worked on, those that were there
/// `before` and are dropped now included.
pub async fn tables(
    transaction: &Transaction<'_>,
    schema: &str,
    before: &Names,
) -> Result<Vec<String>, Error> {
    let rows = transaction.query(AFFECTED, &[&schema]).await?;
    let mut tables: Vec<String> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, Error>>()?;
    if !before.is_empty() {
        let known: Vec<u32> = before.keys().copied().collect();
        for row in transaction.query(GONE, &[&known]).await? {
            let oid: u32 = row.try_get(0)?;
            tables.extend(before.get(&oid).cloned());
        }
        tables.sort();
    }
    Ok(tables)
}
