//! The script that makes a copy of a schema: drawn up once from the catalogs, replayed for each copy.
//!
//! It reads any schema that its owner could have made without being a superuser. Definitions are those that Postgres
//! prints; names of the schema's own objects stay bare in them, and so mean the copy's when the search path begins with the
//! copy. What names the schema in text is found by its tokens. What can't be copied is listed, with all that needs it.

pub(crate) mod body;
pub(crate) mod catalog;
mod draft;
mod early;
mod graph;
mod keys;
mod late;
mod queries;
mod routines;
mod rows;
mod sequences;
mod sketch;
pub(crate) mod slot;
pub(crate) mod split;
mod tables;
mod tokens;
mod types;
mod views;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tokio_postgres::{
    Client, GenericClient, IsolationLevel, Transaction,
    types::{ToSql, Type},
};

use self::catalog::Catalog;
use self::draft::{Draft, there};
pub use self::sketch::{Sketch, Step};
use crate::names::EXTENSIONS;

/// A schema's copy as a list of statements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The schema that is copied.
    source: String,
    /// The state of its definitions when the script was drawn up.
    stamp: i64,
    /// Whether extensions keep objects in it, which copies go on using there.
    shared: bool,
    /// Its tables, to be held against changes during a replay.
    tables: Vec<String>,
    /// Those of them whose rows copies have.
    copied: Vec<String>,
    /// Those of them whose rows are hidden from their owner.
    forced: Vec<String>,
    statements: Vec<String>,
    /// The same where foreign keys need not be checked again; empty if there are none such.
    unchecked: Vec<String>,
    /// The same for several connections; none if it can't be done in parts.
    split: Option<split::Split>,
    handover: Vec<String>,
    mending: Vec<String>,
    nulled: Vec<Nulled>,
    uncloned: Vec<Uncloned>,
}

/// A column that is null in copies, because it refers to a row of `users`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Nulled {
    /// The table's name.
    pub table: String,
    /// The column's name.
    pub column: String,
}

/// Something that a copy lacks, or has otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Uncloned {
    /// What it is, in the words of SQL.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Why it is not copied, or what about it is not.
    pub reason: String,
    /// Whether it is not there at all.
    pub missing: bool,
}

/// Why a script could not be drawn up or replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres refused a statement, or is gone.
    #[error("{}", words(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// There is no such schema.
    #[error("there is no schema {0:?}")]
    NoSchema(String),
    /// A column needs a row of `users`, which copies do not have.
    #[error(
        "column {column:?} of table {table:?} refers to users and is not null: a copy has no users to refer to"
    )]
    NotNullReference {
        /// The table's name.
        table: String,
        /// The column's name.
        column: String,
    },
    /// Objects that need each other in a circle, in a way that can't be made again.
    #[error("these need each other in a circle: {}", .0.join(", "))]
    Circle(Vec<String>),
    /// The schema changed after the script was drawn up.
    #[error("the schema has changed since the script was drawn up")]
    Stale,
    /// The catalogs said something that was not expected.
    #[error("the catalogs gave {0}")]
    Catalog(String),
    /// There was no connection, or the platform could not join the tenant's role.
    #[error(transparent)]
    Tenants(#[from] crate::Error),
}

impl Script {
    /// Draws up the script that copies a schema.
    ///
    /// `client` is logged in as the owner of the schema's objects, or as a member of that role. It reads in a transaction of
    /// its own, which leaves no setting behind.
    ///
    /// # Errors
    /// If there is no such schema, if a column that can't be null refers to `users`, or if Postgres fails.
    pub async fn read(client: &mut Client, schema: &str) -> Result<Self, Error> {
        let build = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true);
        let tx = build.start().await?;
        let script = Self::read_in(&tx, schema).await?;
        tx.rollback().await?;
        Ok(script)
    }

    /// The same inside a transaction of the caller's, whose settings it changes.
    ///
    /// # Errors
    /// As [`Script::read`].
    pub async fn read_in(tx: &Transaction<'_>, schema: &str) -> Result<Self, Error> {
        let catalog = Catalog::read(tx, schema).await?;
        let bytes = catalog.bytes(tx).await?;
        let stamp = stamp(tx, schema).await?;
        Self::draw(&catalog, schema, stamp, Some(&bytes))
    }

    /// Draws up the script that copies a schema with the rows of `users`: for a tenant's own, read as that tenant.
    ///
    /// # Errors
    /// If there is no such schema, or if Postgres fails.
    pub(crate) async fn read_whole(client: &mut Client, schema: &str) -> Result<Self, Error> {
        let build = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true);
        let tx = build.start().await?;
        let catalog = Catalog::read(&tx, schema).await?;
        let stamp = stamp(&tx, schema).await?;
        tx.rollback().await?;
        Self::draw(&catalog, schema, stamp, None)
    }

    /// The schema that the script copies.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// A number that changes with the definitions in the schema, as they were when the script was drawn up.
    pub fn stamp(&self) -> i64 {
        self.stamp
    }

    /// Those of the schema's tables, qualified, whose rows copies have.
    pub(crate) fn copied(&self) -> &[String] {
        &self.copied
    }

    /// Columns that are null in copies, because they refer to rows of `users`.
    pub fn nulled(&self) -> &[Nulled] {
        &self.nulled
    }

    /// What copies lack.
    pub fn uncloned(&self) -> &[Uncloned] {
        &self.uncloned
    }

    /// The statements that mend a copy after its schema was renamed, in one transaction.
    ///
    /// They re-create, under the name `schema`, what names the schema in text: functions with bodies of text or a search
    /// path of their own, defaults, views and triggers with such names in literals. Run them as the owner of the copy (or
    /// as the platform before anybody else could log in as that owner). Empty if there is nothing to mend. The first one sets
    /// the transaction's search path.
    pub fn mend(&self, schema: &str) -> Vec<String> {
        if self.mending.is_empty() {
            return Vec::new();
        }
        let mut out = vec![format!(
            "{}; set local check_function_bodies = off",
            self.search_path(schema)
        )];
        out.extend(self.mending.iter().map(|s| slot::fill(s, schema, "")));
        out
    }

    /// Keeps the template's tables as they are, and makes sure that its definitions are those of the script.
    pub(crate) async fn hold_template(&self, tx: &impl GenericClient) -> Result<(), Error> {
        self.lock_template(tx).await?;
        self.check_template(tx).await?;
        for table in &self.forced {
            tx.batch_execute(&format!(
                "alter table only {table} no force row level security"
            ))
            .await?;
        }
        Ok(())
    }

    /// Keeps the template's tables as they are; the transaction has no snapshot by that.
    pub(crate) async fn lock_template(&self, tx: &impl GenericClient) -> Result<(), Error> {
        let mut batch = "set local search_path = pg_catalog, pg_temp".to_owned();
        // The stronger lock first: two replays that both held the weaker would wait for each other.
        for (tables, mode) in [
            (&self.forced, "access exclusive"),
            (&self.tables, "access share"),
        ] {
            if !tables.is_empty() {
                batch.push_str(&format!(
                    "; lock table only {} in {mode} mode",
                    tables.join(", only ")
                ));
            }
        }
        match tx.batch_execute(&batch).await {
            Err(e) if e.code() == Some(&tokio_postgres::error::SqlState::UNDEFINED_TABLE) => {
                Err(Error::Stale)
            }
            other => Ok(other?),
        }
    }

    /// Makes sure that the template's definitions are those of the script; sets the search path.
    pub(crate) async fn check_template(&self, tx: &impl GenericClient) -> Result<(), Error> {
        let same = stamp(tx, &self.source).await? == self.stamp;
        let namespace = catalog::find_schema(tx, &self.source).await?;
        // The locks may have been waited for longer than the snapshot is old.
        let moved: bool = tx.query_one(queries::MOVED, &[&namespace]).await?.get(0);
        if moved || !same {
            return Err(Error::Stale);
        }
        Ok(())
    }

    /// Whether a table's rows are hidden from its owner.
    pub(crate) fn is_forced(&self, table: &str) -> bool {
        self.forced.contains(&there(&self.source, table))
    }

    /// Whether a column is null in copies.
    pub(crate) fn is_nulled(&self, table: &str, column: &str) -> bool {
        self.nulled
            .iter()
            .any(|n| n.table == table && n.column == column)
    }

    /// The statements that undo what [`Script::hold_template`] did to the template, each after a semicolon.
    pub(crate) fn force_again(&self) -> String {
        self.forced
            .iter()
            .map(|table| format!(";\nalter table only {table} force row level security"))
            .collect()
    }

    /// What a replay must be allowed to set for its foreign keys not to be checked again; none if that changes nothing.
    pub(crate) fn wants_to_set(&self) -> Option<&'static str> {
        (!self.unchecked.is_empty()).then_some(early::PARAMETER)
    }

    /// All statements of a replay; with `unchecked` those that need the parameter of [`Script::wants_to_set`].
    pub(crate) fn statements(&self, schema: &str, owner: &str, unchecked: bool) -> String {
        let statements = if unchecked {
            &self.unchecked
        } else {
            &self.statements
        };
        self.whole(statements, schema, owner)
    }

    /// The statements that are left when the first two parts of a split are done.
    pub(crate) fn rest(&self, split: &split::Split, schema: &str, owner: &str) -> String {
        self.whole(&split.after, schema, owner)
    }

    /// How the copy is made on several connections; none if it can't be, or has less than so many bytes.
    ///
    /// Tables that hide rows from their owner are shown to one transaction only.
    pub(crate) fn split(&self, from: u64) -> Option<&split::Split> {
        let split = self.split.as_ref()?;
        (self.forced.is_empty() && split.bytes() >= from).then_some(split)
    }

    /// Some of the statements that know no owner, under their search path.
    pub(crate) fn fill_in(&self, statements: &[String], schema: &str) -> String {
        let mut out = self.search_path(schema);
        for statement in statements {
            out.push_str(";\n");
            out.push_str(&slot::fill(statement, schema, ""));
        }
        out
    }

    fn whole(&self, statements: &[String], schema: &str, owner: &str) -> String {
        let mut out = self.search_path(schema);
        for statement in statements.iter().chain(&self.handover) {
            out.push_str(";\n");
            out.push_str(&slot::fill(statement, schema, owner));
        }
        out.push_str(&self.force_again());
        out
    }

    /// Without the sizes of the tables it is a script that copies the rows of `users` too.
    fn draw(
        catalog: &Catalog,
        schema: &str,
        stamp: i64,
        bytes: Option<&HashMap<u32, u64>>,
    ) -> Result<Self, Error> {
        let mut draft = Draft::new(catalog, schema);
        draft.keeps_users = bytes.is_none();
        types::draw(&mut draft);
        tables::draw(&mut draft)?;
        routines::draw(&mut draft);
        keys::draw(&mut draft);
        late::draw(&mut draft);
        draft.note_texts();
        draft.comments();
        for (kind, name, reason) in &catalog.outside {
            draft.miss(kind, name, reason);
        }
        draft.prune();
        draft.uncloned.sort();
        let statements = graph::order(&draft.items).map_err(Error::Circle)?;
        let rows = draft.items.iter().filter(|item| item.kind == "rows");
        let copied = rows.map(|item| there(schema, &item.name)).collect();
        let split = bytes.and_then(|bytes| split::split(&draft, bytes));
        let unchecked = if early::hasten(&mut draft) {
            // A circle that the new order makes is no reason not to copy.
            graph::order(&draft.items).unwrap_or_default()
        } else {
            Vec::new()
        };
        let tables = catalog
            .relations
            .iter()
            .filter(|r| matches!(r.kind.as_str(), "r" | "p"));
        Ok(Self {
            source: schema.to_owned(),
            stamp,
            shared: !catalog.foreign.is_empty(),
            tables: tables.clone().map(|r| there(schema, &r.name)).collect(),
            copied,
            forced: tables
                .filter(|r| r.force_security && r.row_security)
                .map(|r| there(schema, &r.name))
                .collect(),
            statements,
            unchecked,
            split,
            handover: draft.handover(),
            mending: draft.mending,
            nulled: draft.nulled,
            uncloned: draft.uncloned,
        })
    }

    /// Sets the path under which the script's statements mean the schema given.
    ///
    /// The template stands in it only if extensions keep objects there, and after the copy, which by then has all that the
    /// template has.
    fn search_path(&self, schema: &str) -> String {
        let shared = if self.shared {
            format!("{}, ", slot::ident(&self.source))
        } else {
            String::new()
        };
        format!(
            "set local search_path = {}, {shared}pg_catalog, {EXTENSIONS}, pg_temp",
            slot::ident(schema)
        )
    }
}

/// A number for the state of a schema's definitions: every change of them moves it; changes of rows do not.
///
/// # Errors
/// If there is no such schema, or Postgres fails.
pub async fn stamp(tx: &impl GenericClient, schema: &str) -> Result<i64, Error> {
    // Sent together: one way to the server and back.
    let path = tx.batch_execute("set local search_path = pg_catalog, pg_temp");
    let named: [(&(dyn ToSql + Sync), Type); 1] = [(&schema, Type::NAME)];
    let stamp = tx.query_typed_opt(queries::STAMP, &named);
    let ((), row) = futures_util::future::try_join(path, stamp).await?;
    row.map(|row| row.get(0))
        .ok_or_else(|| Error::NoSchema(schema.to_owned()))
}

/// What Postgres said, for the log.
fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            let detail = db.detail().map(|d| format!(" ({d})")).unwrap_or_default();
            let context = db.where_().map(|w| format!(" at {w}")).unwrap_or_default();
            format!("{} {}{detail}{context}", db.code().code(), db.message())
        }
        None => error.to_string(),
    }
}
