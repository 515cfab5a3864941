//! What goes with a row that is deleted: the tables that lead to it by foreign keys, over all levels.

use super::Scope;
use crate::data::catalog::{RelationKind, TableKind};

/// The tables whose rows may go with a row, and the foreign keys that lead from one to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependents {
    /// Positions of the tables; the first is the row's own.
    pub tables: Vec<usize>,
    /// Foreign keys whose rows go with what they refer to.
    pub steps: Vec<Step>,
    /// Foreign keys whose rows stay, and refer to nothing or to a default.
    pub unlinks: Vec<Step>,
}

/// A foreign key, followed from what is referred to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Place in [`Dependents::tables`] of what is referred to.
    pub from: usize,
    /// Position of the relation in that table.
    pub relation: usize,
    /// Place of the table that refers, if its rows go.
    pub to: Option<usize>,
    /// Position of the table that refers.
    pub table: usize,
}

impl Scope<'_> {
    /// What goes with a row of a table.
    ///
    /// A table that the caller may not see or write is not followed: if its rows stand in the way,
    /// the database refuses, as it does without dependents.
    pub(super) fn dependents(&self, table: usize) -> Dependents {
        let mut found = Dependents {
            tables: vec![table],
            steps: Vec::new(),
            unlinks: Vec::new(),
        };
        let mut from = 0;
        while let Some(&parent) = found.tables.get(from) {
            let relations = self.catalog.tables[parent].relations.iter();
            for (at, relation) in relations.enumerate() {
                let child = &self.catalog.tables[relation.table];
                let kept_in = matches!(child.kind, TableKind::Table | TableKind::Partitioned);
                if relation.kind == RelationKind::Parent || !kept_in || !self.rules.sees(child) {
                    continue;
                }
                let key = child
                    .foreign_keys
                    .iter()
                    .find(|key| key.name == relation.foreign_key);
                let Some(key) = key else { continue };
                let mut step = Step {
                    from,
                    relation: at,
                    to: None,
                    table: relation.table,
                };
                if matches!(key.on_delete, "set null" | "set default") {
                    found.unlinks.push(step);
                    continue;
                }
                if !child.deletable || self.rules.check_write(child).is_err() {
                    continue;
                }
                let known = found.tables.iter().position(|one| *one == relation.table);
                step.to = Some(known.unwrap_or(found.tables.len()));
                if known.is_none() {
                    found.tables.push(relation.table);
                }
                found.steps.push(step);
            }
            from += 1;
        }
        found
    }
}
