//! What a demo has to know of the template: its structure, and samples of values to judge columns by.

use std::collections::{HashMap, HashSet};

use tenants::names::quote_ident;
use tokio_postgres::Client;

use crate::data::catalog::{Catalog, ForeignKey, Generated, Type, introspect};

use super::rules::Rules;

/// How many values of a column are looked at.
const SAMPLE: usize = 200;

/// The template as a demo sees it.
pub struct Facts {
    /// Tables, columns, keys, checks.
    pub catalog: Catalog,
    /// Partitions, which are filled through the whole table.
    pub partitions: HashSet<String>,
    /// Sets of columns of each table that have no two rows alike, or whose values go into something that has not.
    pub uniques: HashMap<String, Vec<Vec<usize>>>,
    /// Fields of composite types, by the type's name: each with its name and that of its type.
    pub fields: HashMap<String, Vec<(String, String)>>,
    /// Some values of each column whose values are text, as text.
    pub samples: HashMap<(usize, usize), Vec<String>>,
}

impl Facts {
    /// Looks at `schema`, in the transaction that the client is in.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn read(client: &Client, schema: &str) -> Result<Self, tokio_postgres::Error> {
        let catalog = introspect(client, schema).await?;
        let partitions = client.query(PARTITIONS, &[&schema]).await?;
        let mut uniques: HashMap<String, Vec<Vec<usize>>> = HashMap::new();
        for row in client.query(UNIQUES, &[&schema]).await? {
            let (table, columns): (String, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
            if let Some(found) = catalog.table(&table) {
                let columns = columns
                    .iter()
                    .filter_map(|column| found.find(column))
                    .collect();
                uniques.entry(table).or_default().push(columns);
            }
        }
        let mut fields: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for row in client.query(FIELDS, &[&schema]).await? {
            fields
                .entry(row.try_get(0)?)
                .or_default()
                .push((row.try_get(1)?, row.try_get(2)?));
        }
        let mut facts = Self {
            catalog,
            partitions: partitions.iter().map(|row| row.get(0)).collect(),
            uniques,
            fields,
            samples: HashMap::new(),
        };
        facts.sample(client, schema).await?;
        Ok(facts)
    }

    /// Adds the links that rules declare, as foreign keys without a name.
    pub fn link(&mut self, rules: &Rules) {
        for ((table, column), (other, referred)) in rules.links() {
            let (Some(at), Some(to)) = (self.catalog.find(table), self.catalog.find(other)) else {
                continue;
            };
            let column = self.catalog.tables[at].find(column);
            let referred = self.catalog.tables[to].find(referred);
            if let (Some(column), Some(referred), true) = (column, referred, at != to) {
                self.catalog.tables[at].foreign_keys.push(ForeignKey {
                    name: String::new(),
                    columns: vec![column],
                    table: to,
                    referred: vec![referred],
                    on_delete: "no action",
                });
            }
        }
    }

    /// Whether a table's rows are read and filled by themselves.
    pub fn has_rows(&self, table: usize) -> bool {
        let table = &self.catalog.tables[table];
        !table.kind.is_view()
            && table.kind.word() != "foreign table"
            && !self.partitions.contains(&table.name)
    }

    /// Whether the database numbers a column.
    pub fn is_numbered(&self, table: usize, column: usize) -> bool {
        let column = &self.catalog.tables[table].columns[column];
        is_whole(&column.ty)
            && (matches!(
                column.generated,
                Generated::IdentityAlways | Generated::IdentityByDefault
            ) || column
                .default
                .as_deref()
                .is_some_and(|default| default.starts_with("nextval(")))
    }

    async fn sample(&mut self, client: &Client, schema: &str) -> Result<(), tokio_postgres::Error> {
        for (at, table) in self.catalog.tables.iter().enumerate() {
            let texts: Vec<usize> = (0..table.columns.len())
                .filter(|column| table.columns[*column].ty.is_text())
                .collect();
            if texts.is_empty() || !self.has_rows(at) {
                continue;
            }
            let list: Vec<String> = texts
                .iter()
                .map(|column| {
                    format!(
                        "left({}::pg_catalog.text, 200)",
                        quote_ident(&table.columns[*column].name)
                    )
                })
                .collect();
            let only = if table.kind.word() == "table" {
                "only "
            } else {
                ""
            };
            let text = format!(
                "select {} from {only}{}.{} limit {SAMPLE}",
                list.join(", "),
                quote_ident(schema),
                quote_ident(&table.name)
            );
            for row in client.query(&text, &[]).await? {
                for (place, column) in texts.iter().enumerate() {
                    let value: Option<String> = row.try_get(place)?;
                    self.samples.entry((at, *column)).or_default().extend(value);
                }
            }
        }
        Ok(())
    }
}

/// Whether a type is that of whole numbers.
pub fn is_whole(ty: &Type) -> bool {
    let base = ty.base();
    !base.array && matches!(base.name.as_str(), "int2" | "int4" | "int8")
}

const PARTITIONS: &str = "select c.relname::pg_catalog.text from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relispartition and c.relkind in ('r', 'p')";

/// Columns that unique indexes read, those in expressions included.
const UNIQUES: &str = "select c.relname::pg_catalog.text, pg_catalog.array_agg(a.attname::pg_catalog.text order by a.attnum)
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral (
        select pg_catalog.unnest(i.indkey::pg_catalog.int2[]) as number
        union
        select d.refobjsubid::pg_catalog.int2 from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = i.indexrelid
          and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = i.indrelid
          and i.indpred is null
    ) used
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = used.number and used.number > 0
    where n.nspname = $1 and i.indisunique
    group by c.relname, i.indexrelid order by 1, i.indexrelid";

const FIELDS: &str = "select t.typname::pg_catalog.text, a.attname::pg_catalog.text,
        coalesce(b.typname, e.typname)::pg_catalog.text
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    join pg_catalog.pg_class c on c.oid = t.typrelid and c.relkind = 'c'
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type e on e.oid = a.atttypid
    left join pg_catalog.pg_type b on b.oid = e.typbasetype
    where n.nspname = $1 order by 1, a.attnum";
