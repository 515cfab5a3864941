//! The GraphQL surface: `POST /api/v1/graphql`.
//!
//! ```text
//! endpoint   HTTP: methods, media types, the caller
//!   envelope   body -> query, variables, operation name
//!   schema     catalog + rules -> shape -> SDL -> the library's schema, kept for the next one
//!   execute    document -> parsed, measured (limits), validated, compiled -> requests -> answer
//!     compile    each field of Query or Mutation -> one request for the spine
//! ```
//!
//! Parsing, validation, coercion of variables and introspection are the library's
//! (apollo-compiler); the rows are the spine's: a field of `Query` is one statement, those of
//! `Mutation` are one transaction.

mod arguments;
mod compile;
mod documents;
mod endpoint;
mod envelope;
mod execute;
mod faults;
mod json;
mod limits;
mod names;
#[doc(hidden)]
pub mod reader;
mod schema;
mod sdl;
mod shape;

pub use endpoint::{Graphql, PATH};

use crate::data::catalog::Catalog;
use crate::data::plan::Rules;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of a list if nothing is said.
pub const DEFAULT_LIMIT: u32 = 25;

/// The most rows of a list.
pub const MAX_LIMIT: u32 = 1000;

/// The schema that a caller with these rules meets, in GraphQL's own language.
pub fn sdl(catalog: Arc<Catalog>, rules: &Rules) -> String {
    sdl::write(&shape::Shape::new(catalog, rules))
}

/// For each table that the caller meets, the field that lists its rows and the name of its type.
pub fn lists(catalog: Arc<Catalog>, rules: &Rules) -> BTreeMap<String, (String, String)> {
    let shape = shape::Shape::new(catalog, rules);
    let tables = shape.tables.iter();
    tables
        .filter_map(|table| {
            let field = table.root(shape::Root::List)?.to_owned();
            let name = shape.catalog.tables[table.position].name.clone();
            Some((name, (field, table.name.clone())))
        })
        .collect()
}

/// How a table is called in documents, as far as an example needs it.
#[derive(Clone, Debug)]
pub struct Called {
    /// The table or view.
    pub table: String,
    /// The field that lists its rows.
    pub list: String,
    /// The field that makes a row, if the caller may.
    pub create: Option<String>,
    /// Its columns' fields.
    pub columns: Vec<String>,
    /// Those of them whose values are words and not strings.
    pub enums: Vec<String>,
}

/// The fields of all tables that the caller meets, for examples.
pub fn called(catalog: Arc<Catalog>, rules: &Rules) -> Vec<Called> {
    let shape = shape::Shape::new(catalog, rules);
    let is_enum = |column: &&shape::Column| {
        let ty = match &column.ty {
            shape::Ty::Named(name) | shape::Ty::List(name) => name,
        };
        shape.enums.iter().any(|known| known.name == *ty)
    };
    let tables = shape.tables.iter().filter_map(|table| {
        let definition = &shape.catalog.tables[table.position];
        let writes = rules.check_write(definition).is_ok();
        let create = table.root(shape::Root::Create).filter(|_| writes);
        let names = |column: &shape::Column| column.name.clone();
        Some(Called {
            table: definition.name.clone(),
            list: table.root(shape::Root::List)?.to_owned(),
            create: create.map(str::to_owned),
            columns: table.columns.iter().map(names).collect(),
            enums: table.columns.iter().filter(is_enum).map(names).collect(),
        })
    });
    tables.collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod trials;
