//! Faults as GraphQL shows them (October 2021, 7.1.2), with the problem's `type` and slug behind.

use crate::problem::{Kind, Problem};
use apollo_compiler::parser::LineColumn;
use apollo_compiler::response::GraphQLError;
use serde_json::{Map, Value, json};

/// The most faults of one document that are named.
const MOST: usize = 20;

/// Something that is wrong with a document, or that came of executing it.
#[derive(Debug)]
pub struct Fault {
    /// What.
    pub problem: Problem,
    /// Where in the document.
    pub locations: Vec<LineColumn>,
    /// The field of `data` that has no value for it.
    pub path: Option<String>,
}

impl Fault {
    /// A fault of the document, as the library words it.
    pub fn of_document(error: GraphQLError) -> Self {
        Self {
            problem: Problem::new(Kind::BadRequest).detail(error.message),
            locations: error.locations,
            path: None,
        }
    }

    /// A fault that has no place.
    pub fn whole(problem: Problem) -> Self {
        Self {
            problem,
            locations: Vec::new(),
            path: None,
        }
    }

    /// What went wrong, whole: many clients show nothing else.
    fn message(&self) -> String {
        let mut message = self.problem.detail.to_string();
        for (at, reasons) in &self.problem.errors {
            for reason in reasons {
                if !message.contains(reason) {
                    message.push_str(&format!(" {at}: {reason}."));
                }
            }
        }
        message
    }

    fn json(&self, public_url: &str) -> Value {
        let kind = self.problem.kind;
        let mut error = Map::new();
        error.insert("message".to_owned(), self.message().into());
        if !self.locations.is_empty() {
            let places = self.locations.iter();
            let places = places.map(|at| json!({"line": at.line, "column": at.column}));
            error.insert("locations".to_owned(), places.collect());
        }
        if let Some(path) = &self.path {
            error.insert("path".to_owned(), json!([path]));
        }
        let mut extensions = Map::new();
        let ty = format!("{public_url}/api_docs#error-{}", kind.slug());
        extensions.insert("type".to_owned(), ty.into());
        extensions.insert("slug".to_owned(), kind.slug().into());
        extensions.insert("title".to_owned(), kind.title().into());
        extensions.insert("status".to_owned(), kind.status().into());
        if !self.problem.errors.is_empty() {
            extensions.insert("errors".to_owned(), json!(self.problem.errors));
        }
        error.insert("extensions".to_owned(), extensions.into());
        error.into()
    }
}

/// The member `errors` of an answer.
pub fn json(faults: &[Fault], public_url: &str) -> Value {
    let shown = faults.iter().take(MOST);
    shown.map(|fault| fault.json(public_url)).collect()
}

/// A line in the log for faults of the server's.
pub fn log(faults: &[Fault]) {
    for fault in faults {
        if let Some(source) = &fault.problem.source {
            let slug = fault.problem.kind.slug();
            if fault.problem.kind.status() >= 500 {
                tracing::error!(slug, cause = %source, "a GraphQL operation failed");
            } else {
                tracing::debug!(slug, cause = %source, "a GraphQL operation was refused");
            }
        }
    }
}
