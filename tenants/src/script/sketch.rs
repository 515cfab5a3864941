//! A schema without its rows: the statements that make its structure, and where rows belong between them.
//!
//! For copies whose rows are made up. What a script copies beside the rows comes along, but for comments, policies and
//! rights.

use tokio_postgres::{Client, IsolationLevel};

use super::catalog::Catalog;
use super::draft::Draft;
use super::rows::PLACE;
use super::{Error, graph, keys, late, routines, slot, stamp, tables, types};
use crate::names::EXTENSIONS;
use crate::replay::SETTINGS;

/// The structure of a schema as a list of statements.
#[derive(Clone, Debug)]
pub struct Sketch {
    source: String,
    stamp: i64,
    shared: bool,
    statements: Vec<String>,
    handover: Vec<String>,
}

/// What comes next when a sketch is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A statement, or several parted by semicolons.
    Sql(String),
    /// The tables are there, without keys, indexes and triggers: time for their rows.
    Rows,
}

impl Sketch {
    /// Draws up the sketch of a schema, in a transaction of its own; `client` as for a script.
    ///
    /// # Errors
    /// If there is no such schema, if its objects need each other in a circle, or if Postgres fails.
    pub async fn read(client: &mut Client, schema: &str) -> Result<Self, Error> {
        let build = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true);
        let tx = build.start().await?;
        let catalog = Catalog::read(&tx, schema).await?;
        let stamp = stamp(&tx, schema).await?;
        tx.rollback().await?;

        let mut draft = Draft::new(&catalog, schema);
        draft.keeps_users = true;
        draft.bare = true;
        types::draw(&mut draft);
        tables::draw(&mut draft)?;
        routines::draw(&mut draft);
        keys::draw(&mut draft);
        late::draw(&mut draft);
        draft.prune();
        Ok(Self {
            source: schema.to_owned(),
            stamp,
            shared: !catalog.foreign.is_empty(),
            statements: graph::order(&draft.items).map_err(Error::Circle)?,
            handover: draft.handover(),
        })
    }

    /// A number that changes with the definitions in the schema, as they were when the sketch was drawn up.
    pub fn stamp(&self) -> i64 {
        self.stamp
    }

    /// What sets a transaction up for the steps: the settings of a replay, and a path that begins with the copy.
    pub fn opening(&self, schema: &str) -> String {
        let shared = if self.shared {
            format!("{}, ", slot::ident(&self.source))
        } else {
            String::new()
        };
        format!(
            "{SETTINGS}; set local search_path = {}, {shared}pg_catalog, {EXTENSIONS}, pg_temp",
            slot::ident(schema)
        )
    }

    /// The steps that make the structure in `schema`, which is there and empty.
    pub fn steps(&self, schema: &str) -> Vec<Step> {
        let mut steps = Vec::with_capacity(self.statements.len());
        for statement in &self.statements {
            if statement != PLACE {
                steps.push(Step::Sql(slot::fill(statement, schema, "")));
            } else if !steps.contains(&Step::Rows) {
                steps.push(Step::Rows);
            }
        }
        steps
    }

    /// The statements that hand all of it over to the role `owner`, once it is made.
    pub fn handover(&self, schema: &str, owner: &str) -> Vec<String> {
        let fill = |statement: &String| slot::fill(statement, schema, owner);
        self.handover.iter().map(fill).collect()
    }
}
