//! Which catalog a schema has now: noticed within a second, shared by shape.
//!
//! An entry is believed for [`FRESH`], and for [`LONGEST`] where the database tells of changes and
//! told of none. After that one of three looks is needed, the cheapest that answers: has anything at
//! all been written to the cluster's log since the last look; is the schema's fingerprint the same;
//! what does the schema hold.

use super::{Catalog, introspect};
use parking_lot::Mutex;
use postgres_types::PgLsn;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tenants::{Error, Identity, Lease, Tenants};

/// For how long a look is believed without another one.
pub const FRESH: Duration = Duration::from_millis(800);

/// For how long one is believed where changes are told: what somebody writes into the system catalogs
/// by hand is not.
const LONGEST: Duration = Duration::from_secs(30);

/// How many schemas are remembered before those not asked for lately are forgotten.
const CAPACITY: usize = 10_000;

/// The catalogs of all schemas asked for lately.
#[derive(Default)]
pub struct Cache {
    schemas: Mutex<HashMap<String, Known>>,
    shapes: Mutex<HashSet<Arc<Catalog>>>,
}

#[derive(Clone)]
struct Known {
    catalog: Arc<Catalog>,
    fingerprint: i64,
    /// Where the log ended just before the fingerprint was taken.
    log_end: PgLsn,
    /// Whether the log had ended there at the look before too: a commit that is in the log is
    /// seen by others only a moment later, so one look is not enough to trust a silent log.
    settled: bool,
    looked: Instant,
}

impl Cache {
    /// The schema's catalog, if the last look was a moment ago or nothing has changed since.
    pub fn fresh(&self, tenants: &Tenants, identity: &Identity) -> Option<Arc<Catalog>> {
        let schemas = self.schemas.lock();
        let known = schemas.get(&identity.schema)?;
        let age = known.looked.elapsed();
        let good = age < FRESH || (age < LONGEST && tenants.is_unchanged(identity, known.looked));
        good.then(|| known.catalog.clone())
    }

    /// The schema's catalog after a look at the database.
    ///
    /// `lease` may be of any role: definitions are for all to see.
    pub async fn look(&self, schema: &str, lease: &Lease) -> Result<Arc<Catalog>, Error> {
        let known = self.schemas.lock().get(schema).cloned();
        let looked = Instant::now();
        let statement = lease.prepare_cached(LOG_END).await?;
        let log_end: PgLsn = lease.query_one(&statement, &[]).await?.try_get(0)?;
        let silent = known.as_ref().is_some_and(|known| known.log_end == log_end);
        if let Some(known) = &known
            && silent
            && known.settled
        {
            self.remember(
                schema,
                Known {
                    looked,
                    ..known.clone()
                },
            );
            return Ok(known.catalog.clone());
        }
        let statement = lease.prepare_cached(&FINGERPRINT).await?;
        let fingerprint: i64 = lease.query_one(&statement, &[&schema]).await?.try_get(0)?;
        let catalog = match known {
            Some(known) if known.fingerprint == fingerprint => known.catalog,
            // Taken before the content: a change in between is found by the next look.
            _ => self.share(introspect(lease, schema).await?),
        };
        self.remember(
            schema,
            Known {
                catalog: catalog.clone(),
                fingerprint,
                log_end,
                settled: silent,
                looked,
            },
        );
        Ok(catalog)
    }

    /// How many different catalogs are held.
    pub fn shapes(&self) -> usize {
        self.shapes.lock().len()
    }

    fn remember(&self, schema: &str, known: Known) {
        let mut schemas = self.schemas.lock();
        if schemas.len() >= CAPACITY && !schemas.contains_key(schema) {
            schemas.retain(|_, known| known.looked.elapsed() < Duration::from_secs(60));
        }
        match schemas.get_mut(schema) {
            // A slower look must not put an older state over a newer one.
            Some(newer) if newer.looked > known.looked => {}
            Some(older) => *older = known,
            None => {
                schemas.insert(schema.to_owned(), known);
            }
        }
    }

    /// The catalog of the same content that is already held, or this one.
    fn share(&self, catalog: Catalog) -> Arc<Catalog> {
        let mut shapes = self.shapes.lock();
        if let Some(held) = shapes.get(&catalog) {
            return held.clone();
        }
        shapes.retain(|held| Arc::strong_count(held) > 1);
        let catalog = Arc::new(catalog);
        shapes.insert(catalog.clone());
        catalog
    }
}

const LOG_END: &str = "select pg_catalog.pg_current_wal_insert_lsn()";

/// The query for a schema's fingerprint.
#[cfg(test)]
pub fn fingerprint_query() -> &'static str {
    &FINGERPRINT
}

/// One number that changes with any change of definition in the schema.
///
/// Rows of the catalogs get a new `xmin` when they are written; rows of the tables themselves,
/// `analyze` and `vacuum` leave these alone. Composite types keep their attributes under a
/// relation of their own, which hangs on the type and not on the namespace.
static FINGERPRINT: LazyLock<String> = LazyLock::new(|| {
    "with dep as materialized (
  select d.classid, d.objid
    from pg_catalog.pg_namespace n
    join pg_catalog.pg_depend d
      on d.refclassid == 'pg_catalog.pg_namespace'::pg_catalog.regclass and d.refobjid == n.oid
   where n.nspname == $1
), typ as materialized (
  select t.oid, t.xmin, t.typrelid
    from dep join pg_catalog.pg_type t on t.oid == dep.objid
   where dep.classid == 'pg_catalog.pg_type'::pg_catalog.regclass
), rel as materialized (
  select c.oid, c.xmin
    from dep join pg_catalog.pg_class c on c.oid == dep.objid
   where dep.classid == 'pg_catalog.pg_class'::pg_catalog.regclass
  union all
  select c.oid, c.xmin from typ join pg_catalog.pg_class c on c.oid == typ.typrelid
), item(kind, id, part, version) as (
  select 'c', oid, 0, xmin from rel
  union all
  select 'a', a.attrelid, a.attnum::pg_catalog.int4, a.xmin
    from rel join pg_catalog.pg_attribute a
      on a.attrelid == rel.oid and a.attnum operator(pg_catalog.>) 0::pg_catalog.int2
  union all
  select 'd', d.oid, 0, d.xmin from rel join pg_catalog.pg_attrdef d on d.adrelid == rel.oid
  union all
  select 'k', k.oid, 0, k.xmin from rel join pg_catalog.pg_constraint k on k.conrelid == rel.oid
  union all
  select 'i', i.indexrelid, 0, i.xmin from rel join pg_catalog.pg_index i on i.indrelid == rel.oid
  union all
  select 't', t.oid, 0, t.xmin from rel join pg_catalog.pg_trigger t on t.tgrelid == rel.oid
  union all
  select 'r', r.oid, 0, r.xmin from rel join pg_catalog.pg_rewrite r on r.ev_class == rel.oid
  union all
  select 'o', o.objoid, o.objsubid, o.xmin
    from rel join pg_catalog.pg_description o
      on o.objoid == rel.oid and o.classoid == 'pg_catalog.pg_class'::pg_catalog.regclass
  union all
  select 'y', oid, 0, xmin from typ
  union all
  select 'e', e.oid, 0, e.xmin from typ join pg_catalog.pg_enum e on e.enumtypid == typ.oid
)
select coalesce(pg_catalog.bit_xor(pg_catalog.hashtextextended(pg_catalog.concat_ws(
         ' ', kind, id, part, version), 0)), 0)
  from item"
        .replace(" == ", " operator(pg_catalog.=) ")
});
