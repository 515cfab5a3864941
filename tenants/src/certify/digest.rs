//! One side of a certificate: what a schema is, and the hashes of what its tables hold.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, IsolationLevel, Portal, Row, Transaction};

use super::facts;
use crate::script::catalog::{QUIET, Roots};
use crate::script::slot::{ident, literal};
use crate::script::{Error, Nulled, Script, Uncloned, body};

/// Which side of a certificate a schema stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side<'a> {
    /// The template: columns that refer to `users` count as null. Read as the owner of its objects.
    Template,
    /// A copy of the template in the schema named: everything counts as it is. Read as the role that owns the copy.
    Copy {
        /// The template's schema, in which extensions may keep objects.
        template: &'a str,
    },
}

/// The facts of one object.
pub(crate) type Facts = BTreeMap<String, Value>;

/// What a schema is, with its own name left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    pub(crate) schema: String,
    /// Kind, name, facts.
    pub(crate) objects: BTreeMap<String, BTreeMap<String, Facts>>,
    pub(crate) tables: BTreeMap<String, Rows>,
    pub(crate) nulled: Vec<Nulled>,
    pub(crate) left_out: Vec<String>,
    pub(crate) uncloned: Vec<Uncloned>,
}

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rows {
    /// How many, or -1 if they can't be read.
    pub(crate) rows: i64,
    pub(crate) hash: String,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    readable: bool,
    forced: bool,
    users: bool,
    kind: String,
    uncertain: bool,
    columns: Vec<TableColumn>,
}

#[derive(Deserialize)]
struct TableColumn {
    name: String,
    nulled: bool,
    derived: bool,
}

#[derive(Deserialize)]
struct Counter {
    name: String,
    readable: bool,
    users: bool,
}

impl Digest {
    /// Reads a schema and hashes its rows, in one transaction that is rolled back.
    ///
    /// `client` is logged in as the owner of the schema's objects: the platform for the template, the tenant's own role for
    /// a copy that a tenant has held. Whatever code such a schema has could only mislead its own tenant. `script` is the
    /// template's, and says what it leaves out; a copy needs none.
    ///
    /// # Errors
    /// If there is no such schema, or Postgres fails.
    pub async fn read(
        client: &mut Client,
        schema: &str,
        side: Side<'_>,
        script: Option<&Script>,
    ) -> Result<Self, Error> {
        let tx = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()
            .await?;
        let digest = Self::read_in(&tx, schema, side, script).await?;
        tx.rollback().await?;
        Ok(digest)
    }

    /// The same inside a transaction of the caller's, whose settings it changes.
    ///
    /// # Errors
    /// If there is no such schema, or Postgres fails.
    pub async fn read_in(
        tx: &Transaction<'_>,
        schema: &str,
        side: Side<'_>,
        script: Option<&Script>,
    ) -> Result<Self, Error> {
        tx.batch_execute(QUIET).await?;
        let roots = Roots::read(tx, schema).await?;
        let members = match side {
            Side::Template => roots.members(),
            Side::Copy { template } => Roots::read(tx, template).await?.members(),
        };
        let tables: Vec<Table> = roots.json(tx, facts::TABLES).await?;
        let mut read = Reading {
            tx,
            schema,
            side,
            members,
            known: HashSet::new(),
            oids: Vec::new(),
            objects: BTreeMap::new(),
        };
        read.objects(&roots).await?;
        read.counters(&roots).await?;
        let mut digest = Self {
            schema: schema.to_owned(),
            objects: read.objects,
            tables: BTreeMap::new(),
            nulled: Vec::new(),
            left_out: Vec::new(),
            uncloned: script.map(|s| s.uncloned().to_vec()).unwrap_or_default(),
        };
        digest.hash_tables(tx, &tables, side).await?;
        Ok(digest)
    }

    async fn hash_tables(
        &mut self,
        tx: &Transaction<'_>,
        tables: &[Table],
        side: Side<'_>,
    ) -> Result<(), Error> {
        let mut queries = Vec::new();
        for table in tables {
            let named = |c: &TableColumn| Nulled {
                table: table.name.clone(),
                column: c.name.clone(),
            };
            self.nulled
                .extend(table.columns.iter().filter(|c| c.nulled).map(named));
            if table.users || table.uncertain {
                let what = if table.kind == "m" {
                    "contents of materialized view"
                } else {
                    "rows of"
                };
                self.left_out.push(format!("{what} {}", table.name));
                continue;
            }
            if !table.readable {
                // A difference, not an error: it belongs to somebody else, or its owner has given up the right.
                self.tables.insert(
                    table.name.clone(),
                    Rows {
                        rows: -1,
                        hash: "not readable".to_owned(),
                    },
                );
                continue;
            }
            if table.forced {
                // The owner of a table of which even the owner sees no row may say so; this is rolled back.
                let name = format!("{}.{}", ident(&self.schema), ident(&table.name));
                tx.batch_execute(&format!(
                    "alter table only {name} no force row level security"
                ))
                .await?;
            }
            queries.push((table.name.clone(), hash_query(&self.schema, table, side)));
        }
        let run = queries.into_iter().map(|(name, sql)| async move {
            let row = tx.query_typed_one(&sql, &[]).await?;
            Ok::<_, Error>((
                name,
                Rows {
                    rows: row.get(0),
                    hash: row.get(1),
                },
            ))
        });
        self.tables
            .extend(futures_util::future::try_join_all(run).await?);
        Ok(())
    }
}

/// The query for count and hash of a table's rows, those that are null in copies left out.
fn hash_query(schema: &str, table: &Table, side: Side<'_>) -> String {
    let null = |c: &TableColumn| c.derived || (c.nulled && side == Side::Template);
    let columns = table.columns.iter().map(|c| {
        if null(c) {
            "null".to_owned()
        } else {
            format!("t.{}", ident(&c.name))
        }
    });
    let only = if table.kind == "m" { "" } else { "only " };
    hash_rows(schema, &table.name, only, &columns.collect::<Vec<_>>())
}

/// Hashes a table's rows whatever their order: each row's text by itself, then the sorted hashes.
///
/// `format` calls the types' own output functions, which no cast of the schema can stand in for. `row` of the columns and
/// not the table's own row keeps the two sides alike where one of them has dropped columns.
pub(crate) fn hash_rows(schema: &str, table: &str, only: &str, columns: &[String]) -> String {
    format!(
        "select pg_catalog.count(*), pg_catalog.encode(pg_catalog.sha256(coalesce(pg_catalog.string_agg(h, '' order by h), '')), \
         'hex') from (select pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.format('%s', row({})), 'UTF8')) as h \
         from {only}{}.{} t) r",
        columns.join(", "),
        ident(schema),
        ident(table)
    )
}

/// The objects of a schema while they are read.
struct Reading<'a> {
    tx: &'a Transaction<'a>,
    schema: &'a str,
    side: Side<'a>,
    members: HashSet<String>,
    known: HashSet<String>,
    oids: Vec<(String, u32)>,
    objects: BTreeMap<String, BTreeMap<String, Facts>>,
}

impl Reading<'_> {
    async fn objects(&mut self, roots: &Roots) -> Result<(), Error> {
        let (relations, types) = (roots.of("pg_class"), roots.of("pg_type"));
        let (routines, others) = (roots.of("pg_proc"), roots.all());
        let mut portals = Vec::new();
        for query in facts::ALL {
            portals.push(
                self.bind(query, &[&relations, &types, &routines, &others])
                    .await?,
            );
        }
        self.known = roots.names(self.tx).await?;
        self.print_as(self.schema).await?;
        for portal in portals {
            self.take(self.tx.query_portal(&portal, 0).await?)?;
        }
        self.tx
            .batch_execute("set local search_path = pg_catalog, pg_temp")
            .await?;
        let mut oids: Vec<u32> = self.oids.iter().map(|(_, oid)| *oid).collect();
        oids.sort_unstable();
        oids.dedup();
        let (classes, numbers): (Vec<&str>, Vec<u32>) =
            self.oids.iter().map(|(c, oid)| (c.as_str(), *oid)).unzip();
        let comments = self.bind(facts::COMMENTS, &[&oids]).await?;
        let references = self
            .bind(facts::REFERENCES, &[&classes, &numbers, &self.schema])
            .await?;
        self.print_as(self.schema).await?;
        for portal in [comments, references] {
            self.take(self.tx.query_portal(&portal, 0).await?)?;
        }
        self.tx
            .batch_execute("set local search_path = pg_catalog, pg_temp")
            .await?;
        Ok(())
    }

    /// Adds the places of the sequences, but for those that new users move.
    async fn counters(&mut self, roots: &Roots) -> Result<(), Error> {
        for counter in roots
            .json::<Counter>(self.tx, facts::COUNTERS)
            .await?
            .into_iter()
            .filter(|c| !c.users)
        {
            let mut facts = Facts::new();
            if counter.readable {
                let sql = format!(
                    "select last_value, is_called from {}.{}",
                    ident(self.schema),
                    ident(&counter.name)
                );
                let row = self.tx.query_typed_one(&sql, &[]).await?;
                facts.insert("last value".to_owned(), Value::from(row.get::<_, i64>(0)));
                facts.insert("is called".to_owned(), Value::from(row.get::<_, bool>(1)));
            }
            self.objects
                .entry("sequence value".to_owned())
                .or_default()
                .insert(counter.name, facts);
        }
        Ok(())
    }

    async fn bind(&self, query: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Portal, Error> {
        let statement = self.tx.prepare(query).await?;
        Ok(self.tx.bind(&statement, params).await?)
    }

    async fn print_as(&self, schema: &str) -> Result<(), Error> {
        Ok(self
            .tx
            .batch_execute(&format!(
                "set local search_path = {}, pg_catalog, pg_temp",
                ident(schema)
            ))
            .await?)
    }

    fn take(&mut self, rows: Vec<Row>) -> Result<(), Error> {
        for row in rows {
            let (kind, name, class, oid): (String, String, String, u32) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            let mut facts: Facts =
                serde_json::from_str(row.get(4)).map_err(|e| Error::Catalog(e.to_string()))?;
            if oid != 0 {
                self.oids.push((class, oid));
            }
            if kind.is_empty() {
                continue;
            }
            for (field, value) in &mut facts {
                self.neutralise(&kind, field, value);
            }
            let name = self.unqualify(&name);
            self.objects
                .entry(kind)
                .or_default()
                .entry(name)
                .or_default()
                .extend(facts);
        }
        Ok(())
    }

    /// Takes the schema's own name out of a fact, and what the template's name says of extensions.
    fn neutralise(&self, kind: &str, field: &str, value: &mut Value) {
        let names = body::Names {
            schema: self.schema,
            known: &self.known,
            foreign: &self.members,
        };
        match value {
            Value::String(text) => {
                *text = match (kind, field) {
                    ("function" | "procedure", "body") => body::code(text, &names),
                    ("column", "default") | ("view" | "trigger", "definition") => {
                        body::literals(&self.unqualify(text), &names)
                    }
                    ("comment", "text") => return,
                    _ => self.unqualify(text),
                };
            }
            Value::Array(settings) if field == "settings" => {
                for setting in settings {
                    if let Some(path) = setting
                        .as_str()
                        .and_then(|s| s.strip_prefix("search_path="))
                    {
                        *setting =
                            Value::String(format!("search_path={}", self.neutral_path(path)));
                    }
                }
            }
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| self.neutralise(kind, field, item)),
            Value::Object(fields) => {
                for (field, item) in fields {
                    self.neutralise(kind, field, item);
                }
            }
            _ => {}
        }
    }

    /// A search path in which the own schema has no name. A copy may have the template behind itself, for extensions.
    fn neutral_path(&self, path: &str) -> String {
        let mut items: Vec<String> = body::list(path);
        let own = items.iter().any(|i| i == self.schema);
        if let Side::Copy { template } = self.side
            && own
            && !self.members.is_empty()
        {
            items.retain(|i| i != template);
        }
        let items = items.iter().map(|i| {
            if i == self.schema {
                "\0s;".to_owned()
            } else {
                literal(i)
            }
        });
        items.collect::<Vec<_>>().join(", ")
    }

    /// Takes the template's name off what belongs to extensions there, which the template itself sees without it.
    fn unqualify(&self, text: &str) -> String {
        match self.side {
            Side::Copy { template } if !self.members.is_empty() => {
                body::unqualify(text, template, &self.members)
            }
            _ => text.to_owned(),
        }
    }
}
