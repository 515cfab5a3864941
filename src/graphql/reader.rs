//! Documents read without a server: what `benches/parts` measures.

use super::execute::{Ready, compile, faults, parse};
use super::faults::Fault;
use super::json::Variables;
use super::limits;
use super::schema::Schema;
use crate::data::catalog::Catalog;
use crate::data::plan::Rules;
use crate::problem::Problem;
use std::sync::Arc;

/// A schema, and no database behind it.
pub struct Reader(Arc<Schema>);

/// A document that is good for the schema.
pub struct Good(Ready);

impl Reader {
    /// What a caller with these rules meets of the catalog.
    ///
    /// # Errors
    /// `internal-error` if the library refuses the schema.
    pub fn new(catalog: Arc<Catalog>, rules: &Rules) -> Result<Self, Problem> {
        Ok(Self(Arc::new(Schema::new(catalog, rules)?)))
    }

    /// Parses, measures and validates a document.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(&self, text: &str) -> Result<Good, Problem> {
        let document = parse(text.to_owned()).map_err(first)?;
        limits::check(&document)?;
        let document = document
            .to_executable_validate(&self.0.schema)
            .map_err(|error| first(faults(error)))?;
        Ok(Good(Ready {
            schema: Arc::clone(&self.0),
            document: Arc::new(document),
        }))
    }
}

impl Good {
    /// Makes requests for the spine of its only operation; says how many.
    ///
    /// # Errors
    /// What can't be asked for.
    pub fn compile(&self) -> Result<usize, Problem> {
        let compiled = compile(&self.0, Variables::new(), None);
        let compiled = compiled.map_err(|fault| fault.problem)?;
        Ok(compiled.steps.len())
    }
}

fn first(faults: Vec<Fault>) -> Problem {
    let first = faults.into_iter().next().map(|fault| fault.problem);
    first.unwrap_or_else(|| crate::problem::Kind::BadRequest.into())
}
