//! Schemas ready for use, kept by what they were made from.

use super::documents::Documents;
use super::sdl;
use super::shape::Shape;
use crate::data::catalog::Catalog;
use crate::data::plan::{Reach, Rules};
use crate::problem::{Kind, Problem};
use apollo_compiler::Name;
use apollo_compiler::collections::HashMap;
use apollo_compiler::schema::Implementers;
use apollo_compiler::validation::Valid;
use parking_lot::Mutex;
use std::fmt::Write;
use std::sync::Arc;

/// How many schemas are kept; the one not used for longest goes first.
const CAPACITY: usize = 64;

/// A schema as one kind of caller meets it.
#[derive(Debug)]
pub struct Schema {
    /// What its names mean.
    pub shape: Shape,
    /// For validation and introspection.
    pub schema: Valid<apollo_compiler::Schema>,
    /// For introspection.
    pub implementers: HashMap<Name, Implementers>,
    /// Documents that were good for it.
    pub documents: Documents,
}

/// Schemas made lately: the last one used comes last.
#[derive(Default)]
pub struct Schemas(Mutex<Vec<Made>>);

/// A schema and what it was made from.
struct Made {
    catalog: Arc<Catalog>,
    /// What of the rules counted.
    seen: String,
    schema: Arc<Schema>,
}

impl Schema {
    /// What a caller with these rules meets of the catalog.
    ///
    /// # Errors
    /// `internal-error` if the library refuses the schema.
    pub fn new(catalog: Arc<Catalog>, rules: &Rules) -> Result<Self, Problem> {
        let shape = Shape::new(catalog, rules);
        let text = sdl::write(&shape);
        let schema = apollo_compiler::Schema::parse_and_validate(text, "schema.graphql")
            .map_err(|error| Problem::new(Kind::InternalError).because(error.errors.to_string()))?;
        Ok(Self {
            implementers: schema.implementers_map(),
            documents: Documents::default(),
            shape,
            schema,
        })
    }
}

impl Schemas {
    /// The schema for a catalog and rules, made if there is none.
    ///
    /// # Errors
    /// As [`Schema::new`].
    pub async fn get(&self, catalog: &Arc<Catalog>, rules: &Rules) -> Result<Arc<Schema>, Problem> {
        let seen = seen(rules);
        if let Some(found) = self.find(catalog, &seen) {
            return Ok(found);
        }
        let (wanted, rules) = (Arc::clone(catalog), rules.clone());
        // Large schemas take a while, which is not for the threads that answer others.
        let made = tokio::task::spawn_blocking(move || Schema::new(wanted, &rules))
            .await
            .map_err(|error| Problem::new(Kind::InternalError).because(error))??;
        let made = Arc::new(made);
        let mut kept = self.0.lock();
        if kept.len() >= CAPACITY {
            kept.remove(0);
        }
        kept.push(Made {
            catalog: Arc::clone(catalog),
            seen,
            schema: Arc::clone(&made),
        });
        Ok(made)
    }

    fn find(&self, catalog: &Arc<Catalog>, seen: &str) -> Option<Arc<Schema>> {
        let mut kept = self.0.lock();
        // Equal catalogs are one and the same: the cache of catalogs sees to that.
        let at = kept
            .iter()
            .position(|made| Arc::ptr_eq(&made.catalog, catalog) && made.seen == seen)?;
        let entry = kept.remove(at);
        let schema = Arc::clone(&entry.schema);
        kept.push(entry);
        Some(schema)
    }
}

/// What of the rules decides on what is seen; equal texts see the same.
fn seen(rules: &Rules) -> String {
    let mut text = String::new();
    for reach in [&rules.tables, &rules.views] {
        // Writing to a string can't fail.
        let _ = match reach {
            Reach::All => write!(text, "all;"),
            Reach::Only(names) => write!(text, "{names:?};"),
            Reach::Nothing(_) => write!(text, "nothing;"),
        };
    }
    for special in &rules.special {
        let given: Vec<&str> = special.secrets.iter().map(|s| s.given.as_str()).collect();
        let _ = write!(
            text,
            "{:?}{}{:?}{given:?};",
            special.table, special.absent, special.hidden
        );
    }
    text
}
