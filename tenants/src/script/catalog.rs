//! What Postgres' catalogs say about one schema, read for a script.
//!
//! Everything is found from the schema's own rows of `pg_depend`, never by a search through all schemas, so the time does
//! not depend on how many others there are. Names in our own queries are resolved under `pg_catalog` alone; only the
//! texts that Postgres prints are printed under a path that begins with the schema, which leaves its own names bare.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Portal, Transaction};

use super::Error;
use super::queries as sql;
use super::slot::ident;

/// An object: the catalog that holds it, and its number there.
pub(crate) type Object = (String, u32);

/// The schema and the name of something, neither quoted.
pub(crate) type Name = (String, String);

/// The settings under which catalogs are read: names mean Postgres' own, and texts come out in one form.
pub(crate) const QUIET: &str = "set local search_path = pg_catalog, pg_temp; set local quote_all_identifiers = off; \
    set local datestyle = 'ISO, YMD'; set local intervalstyle = postgres; set local timezone = 'UTC'; \
    set local extra_float_digits = 1; set local bytea_output = hex; set local xmloption = content; \
    set local standard_conforming_strings = on; set local lc_monetary = 'C'; set local lock_timeout = '10s'; set local jit = off";

#[derive(Deserialize)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) persistence: String,
    pub(crate) access_method: Option<String>,
    pub(crate) options: Option<Vec<String>>,
    pub(crate) toast_options: Option<Vec<String>>,
    pub(crate) row_security: bool,
    pub(crate) force_security: bool,
    pub(crate) replica_identity: String,
    pub(crate) is_partition: bool,
    pub(crate) populated: bool,
    pub(crate) row_type: u32,
    pub(crate) of_type: Option<String>,
    pub(crate) partition_key: Option<String>,
    pub(crate) bound: Option<String>,
    pub(crate) definition: Option<String>,
    pub(crate) parents: Vec<u32>,
}

#[derive(Deserialize)]
pub(crate) struct Column {
    pub(crate) relation: u32,
    pub(crate) number: i32,
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) collation: Option<String>,
    pub(crate) not_null: bool,
    pub(crate) identity: String,
    pub(crate) generated: String,
    pub(crate) storage: Option<String>,
    pub(crate) compression: Option<String>,
    pub(crate) statistics: Option<i32>,
    pub(crate) options: Option<Vec<String>>,
    pub(crate) local: bool,
    pub(crate) inherited: bool,
    pub(crate) default_oid: Option<u32>,
    pub(crate) default: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Sequence {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) persistence: String,
    pub(crate) type_name: String,
    pub(crate) start: i64,
    pub(crate) increment: i64,
    pub(crate) max: i64,
    pub(crate) min: i64,
    pub(crate) cache: i64,
    pub(crate) cycle: bool,
    pub(crate) owner: Option<u32>,
    pub(crate) owner_column: Option<String>,
    pub(crate) identity: bool,
}

#[derive(Deserialize)]
pub(crate) struct Constraint {
    pub(crate) oid: u32,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) definition: String,
    pub(crate) relation: u32,
    pub(crate) domain: u32,
    pub(crate) index: u32,
    pub(crate) parent: u32,
    pub(crate) local: bool,
    pub(crate) inherited: bool,
    pub(crate) validated: bool,
    pub(crate) target: u32,
    pub(crate) columns: Vec<i32>,
    pub(crate) full_match: bool,
    pub(crate) parent_relation: u32,
}

#[derive(Deserialize)]
pub(crate) struct Index {
    pub(crate) oid: u32,
    pub(crate) relation: u32,
    pub(crate) name: String,
    pub(crate) definition: String,
    pub(crate) clustered: bool,
    pub(crate) replica_identity: bool,
    pub(crate) valid: bool,
    pub(crate) constraint: Option<u32>,
    pub(crate) parent: Option<u32>,
    pub(crate) options: Option<Vec<String>>,
    pub(crate) statistics: BTreeMap<String, i32>,
}

#[derive(Deserialize)]
pub(crate) struct Trigger {
    pub(crate) oid: u32,
    pub(crate) relation: u32,
    pub(crate) name: String,
    pub(crate) definition: Option<String>,
    pub(crate) enabled: String,
    pub(crate) internal: bool,
    pub(crate) inherited: bool,
    pub(crate) constraint: bool,
}

#[derive(Deserialize)]
pub(crate) struct Rule {
    pub(crate) oid: u32,
    pub(crate) relation: u32,
    pub(crate) name: String,
    pub(crate) definition: Option<String>,
    pub(crate) enabled: String,
}

#[derive(Deserialize)]
pub(crate) struct Policy {
    pub(crate) oid: u32,
    pub(crate) relation: u32,
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) permissive: bool,
    pub(crate) roles: Vec<String>,
    pub(crate) using: Option<String>,
    pub(crate) check: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Statistics {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) columns: String,
    pub(crate) expressions_only: bool,
    pub(crate) target: Option<i32>,
}

#[derive(Deserialize)]
pub(crate) struct Type {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) relation: u32,
    pub(crate) array: u32,
    pub(crate) labels: Vec<String>,
    pub(crate) base: Option<String>,
    pub(crate) collation: Option<String>,
    pub(crate) not_null: bool,
    pub(crate) default: Option<String>,
    pub(crate) range: Option<Range>,
}

#[derive(Deserialize)]
pub(crate) struct Range {
    pub(crate) subtype: String,
    pub(crate) class: Option<Name>,
    pub(crate) collation: Option<String>,
    pub(crate) canonical: Option<Name>,
    pub(crate) difference: Option<Name>,
    pub(crate) multirange: String,
    pub(crate) multirange_oid: u32,
    pub(crate) multirange_array: u32,
}

#[derive(Deserialize)]
pub(crate) struct Routine {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) language: String,
    pub(crate) trusted: bool,
    pub(crate) arguments: String,
    pub(crate) identity: String,
    pub(crate) result: Option<String>,
    pub(crate) source: String,
    pub(crate) parsed: Option<String>,
    pub(crate) volatility: String,
    pub(crate) strict: bool,
    pub(crate) definer: bool,
    pub(crate) leakproof: bool,
    pub(crate) parallel: String,
    pub(crate) cost: String,
    pub(crate) rows: String,
    pub(crate) settings: Vec<String>,
    pub(crate) supported: bool,
    pub(crate) transforms: Vec<String>,
    pub(crate) aggregate: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
pub(crate) struct Operator {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) left: Option<String>,
    pub(crate) right: Option<String>,
    pub(crate) function: Name,
    pub(crate) commutator: Option<Name>,
    pub(crate) negator: Option<Name>,
    pub(crate) restrict: Option<Name>,
    pub(crate) join: Option<Name>,
    pub(crate) hashes: bool,
    pub(crate) merges: bool,
}

#[derive(Deserialize)]
pub(crate) struct Cast {
    pub(crate) oid: u32,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) function: Option<String>,
    pub(crate) context: String,
    pub(crate) method: String,
}

/// Anything else in the schema that has a name: collations, text search objects, operator classes, conversions.
#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) class: String,
    pub(crate) oid: u32,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) detail: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Comment {
    pub(crate) class: String,
    pub(crate) oid: u32,
    pub(crate) column: i32,
    pub(crate) text: String,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) class: String,
    pub(crate) oid: u32,
    pub(crate) column: i32,
    pub(crate) on_class: String,
    pub(crate) on: u32,
    pub(crate) kind: String,
}

#[derive(Deserialize)]
struct Root {
    class: String,
    oid: u32,
    /// The name, if it belongs to an extension.
    member: Option<String>,
}

/// What a schema holds directly.
pub(crate) struct Roots {
    roots: Vec<Root>,
    pub(crate) namespace: u32,
}

impl Roots {
    /// Finds what a schema holds.
    pub(crate) async fn read(tx: &Transaction<'_>, schema: &str) -> Result<Self, Error> {
        let namespace = find_schema(tx, schema).await?;
        Ok(Self {
            roots: fetch(tx, sql::ROOTS, &[namespace]).await?,
            namespace,
        })
    }

    /// The numbers of its own objects in one catalog.
    pub(crate) fn of(&self, class: &str) -> Vec<u32> {
        self.roots
            .iter()
            .filter(|r| r.class == class && r.member.is_none())
            .map(|r| r.oid)
            .collect()
    }

    /// The numbers of all of its own objects.
    pub(crate) fn all(&self) -> Vec<u32> {
        self.roots
            .iter()
            .filter(|r| r.member.is_none())
            .map(|r| r.oid)
            .collect()
    }

    /// Names of what extensions keep in it.
    pub(crate) fn members(&self) -> HashSet<String> {
        self.roots.iter().filter_map(|r| r.member.clone()).collect()
    }

    /// Names of its own relations, types and routines.
    pub(crate) async fn names(&self, tx: &Transaction<'_>) -> Result<HashSet<String>, Error> {
        Ok(fetch(tx, sql::NAMES, &self.all())
            .await?
            .into_iter()
            .collect())
    }

    /// Runs a query whose one column is JSON and whose one parameter is the list of relations.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        tx: &Transaction<'_>,
        query: &str,
    ) -> Result<Vec<T>, Error> {
        fetch(tx, query, &self.of("pg_class")).await
    }
}

/// All of a schema, as its catalogs have it.
pub(crate) struct Catalog {
    pub(crate) relations: Vec<Relation>,
    pub(crate) columns: HashMap<u32, Vec<Column>>,
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) indexes: Vec<Index>,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) statistics: Vec<Statistics>,
    pub(crate) types: Vec<Type>,
    pub(crate) routines: Vec<Routine>,
    pub(crate) operators: Vec<Operator>,
    pub(crate) casts: Vec<Cast>,
    pub(crate) named: Vec<Named>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) dependencies: Vec<Dependency>,
    /// Type oid to oid of its array type and, of tables, row types.
    pub(crate) arrays: HashMap<u32, u32>,
    /// Names of what extensions keep in the schema.
    pub(crate) foreign: HashSet<String>,
    /// What lies outside the schema's own objects and no clone can follow.
    pub(crate) outside: Vec<(String, String, String)>,
}

impl Catalog {
    /// Reads the schema inside a transaction, whose settings it changes.
    pub(crate) async fn read(tx: &Transaction<'_>, schema: &str) -> Result<Self, Error> {
        tx.batch_execute(QUIET).await?;
        let roots = Roots::read(tx, schema).await?;
        let (relations, types) = (roots.of("pg_class"), roots.of("pg_type"));
        let (routines, operators, others) =
            (roots.of("pg_proc"), roots.of("pg_operator"), roots.all());
        let of_relations = bind(tx, sql::RELATIONS, &[&relations]).await?;
        let of_columns = bind(tx, sql::COLUMNS, &[&relations, &types]).await?;
        let of_sequences = bind(tx, sql::SEQUENCES, &[&relations]).await?;
        let of_constraints = bind(tx, sql::CONSTRAINTS, &[&relations, &types]).await?;
        let of_indexes = bind(tx, sql::INDEXES, &[&relations]).await?;
        let of_triggers = bind(tx, sql::TRIGGERS, &[&relations]).await?;
        let of_rules = bind(tx, sql::RULES, &[&relations]).await?;
        let of_policies = bind(tx, sql::POLICIES, &[&relations]).await?;
        let of_statistics = bind(tx, sql::STATISTICS, &[&relations]).await?;
        let of_types = bind(tx, sql::TYPES, &[&types]).await?;
        let of_routines = bind(tx, sql::ROUTINES, &[&routines]).await?;
        let of_operators = bind(tx, sql::OPERATORS, &[&operators]).await?;
        let of_casts = bind(tx, sql::CASTS, &[&relations, &types]).await?;
        let of_named = bind(tx, sql::NAMED, &[&others]).await?;
        tx.batch_execute(&format!(
            "set local search_path = {}, pg_catalog, pg_temp",
            ident(schema)
        ))
        .await?;
        let mut columns: HashMap<u32, Vec<Column>> = HashMap::new();
        for column in rows::<Column>(tx, of_columns).await? {
            columns.entry(column.relation).or_default().push(column);
        }
        let mut catalog = Self {
            columns,
            relations: rows(tx, of_relations).await?,
            sequences: rows(tx, of_sequences).await?,
            constraints: rows(tx, of_constraints).await?,
            indexes: rows(tx, of_indexes).await?,
            triggers: rows(tx, of_triggers).await?,
            rules: rows(tx, of_rules).await?,
            policies: rows(tx, of_policies).await?,
            statistics: rows(tx, of_statistics).await?,
            types: rows(tx, of_types).await?,
            routines: rows(tx, of_routines).await?,
            operators: rows(tx, of_operators).await?,
            casts: rows(tx, of_casts).await?,
            named: rows(tx, of_named).await?,
            comments: Vec::new(),
            dependencies: Vec::new(),
            arrays: HashMap::new(),
            foreign: roots.members(),
            outside: Vec::new(),
        };
        tx.batch_execute("set local search_path = pg_catalog, pg_temp")
            .await?;
        let row_types: Vec<u32> = catalog
            .relations
            .iter()
            .map(|r| r.row_type)
            .chain(types.iter().copied())
            .collect();
        catalog.arrays = fetch::<(u32, u32)>(tx, sql::ARRAYS, &row_types)
            .await?
            .into_iter()
            .collect();
        let oids = catalog.oids();
        catalog.comments = fetch(tx, sql::COMMENTS, &oids).await?;
        catalog.dependencies = fetch(tx, sql::DEPENDENCIES, &oids).await?;
        let mut scope = relations;
        scope.push(roots.namespace);
        catalog.outside = fetch(tx, sql::OUTSIDE, &scope).await?;
        Ok(catalog)
    }

    /// The numbers of all objects, for look-ups by number alone; a number that two catalogs share does no harm.
    fn oids(&self) -> Vec<u32> {
        let mut oids: Vec<u32> = Vec::new();
        oids.extend(self.relations.iter().map(|r| r.oid));
        oids.extend(
            self.columns
                .values()
                .flatten()
                .filter_map(|c| c.default_oid),
        );
        oids.extend(self.sequences.iter().map(|s| s.oid));
        oids.extend(self.constraints.iter().map(|c| c.oid));
        oids.extend(self.indexes.iter().map(|i| i.oid));
        oids.extend(self.triggers.iter().map(|t| t.oid));
        oids.extend(self.rules.iter().map(|r| r.oid));
        oids.extend(self.policies.iter().map(|p| p.oid));
        oids.extend(self.statistics.iter().map(|s| s.oid));
        oids.extend(self.types.iter().flat_map(|t| [t.oid, t.relation]));
        oids.extend(self.routines.iter().map(|r| r.oid));
        oids.extend(self.operators.iter().map(|o| o.oid));
        oids.extend(self.casts.iter().map(|c| c.oid));
        oids.extend(self.named.iter().map(|n| n.oid));
        oids.sort_unstable();
        oids.dedup();
        oids
    }
}

/// The schema's own number.
pub(crate) async fn find_schema(tx: &impl GenericClient, schema: &str) -> Result<u32, Error> {
    let row = tx.query_opt(sql::SCHEMA, &[&schema]).await?;
    row.map(|r| r.get(0))
        .ok_or_else(|| Error::NoSchema(schema.to_owned()))
}

/// Runs a query whose one column is JSON and whose one parameter is a list of numbers of objects.
async fn fetch<T: DeserializeOwned>(
    tx: &Transaction<'_>,
    query: &str,
    oids: &[u32],
) -> Result<Vec<T>, Error> {
    tx.query(query, &[&oids])
        .await?
        .iter()
        .map(|row| parse(row.get(0)))
        .collect()
}

/// Plans a query under the search path of now; run later, it prints names under the path of then.
async fn bind(tx: &Transaction<'_>, query: &str, lists: &[&[u32]]) -> Result<Portal, Error> {
    let statement = tx.prepare(query).await?;
    let params: Vec<&(dyn ToSql + Sync)> = lists.iter().map(|l| l as &(dyn ToSql + Sync)).collect();
    Ok(tx.bind(&statement, &params).await?)
}

async fn rows<T: DeserializeOwned>(tx: &Transaction<'_>, portal: Portal) -> Result<Vec<T>, Error> {
    tx.query_portal(&portal, 0)
        .await?
        .iter()
        .map(|row| parse(row.get(0)))
        .collect()
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| Error::Catalog(format!("{e}: {text}")))
}

impl Catalog {
    /// What each table takes on disk with its indexes.
    pub(crate) async fn bytes(&self, tx: &impl GenericClient) -> Result<HashMap<u32, u64>, Error> {
        let tables: Vec<u32> = (self.relations.iter().filter(|r| r.kind == "r"))
            .map(|r| r.oid)
            .collect();
        let text = "select o, pg_catalog.pg_total_relation_size(o) from pg_catalog.unnest($1::oid[]) as u (o)";
        let rows = tx.query(text, &[&tables]).await?;
        Ok(rows
            .iter()
            .map(|row| (row.get(0), row.get::<_, Option<i64>>(1)))
            .map(|(oid, bytes)| (oid, bytes.unwrap_or_default().unsigned_abs()))
            .collect())
    }
}
