//! Lists that are asked for in an address: parameters in, pages out.
//!
//! What the surfaces share whose questions stand in a query string.

pub mod columns;
pub mod page;
pub mod parameters;
pub mod words;

use poem::{
    Response,
    http::{HeaderName, HeaderValue, StatusCode},
};

use crate::data::ledger::{self, DUPLICATE};

const MODE: HeaderName = HeaderName::from_static("sandlot-mode");

/// How many headers an answer has at the end, so that their table need not grow.
const HEADERS: usize = 16;

/// The first parts of paths that are not tables. A table of such a name is served under
/// `/tables/{table}` alone.
pub const FIXED: [&str; 9] = [
    "tables",
    "graphql",
    "sql",
    "reports",
    "auth",
    "openapi.json",
    "openapi.yaml",
    "postman.json",
    "rpc",
];

/// Where a table's rows are; a name that a fixed route has taken is found under `/tables`.
pub fn address(base: &str, table: &str) -> String {
    let name = words::encode(table);
    if FIXED.contains(&table) {
        format!("{base}/tables/{name}")
    } else {
        format!("{base}/{name}")
    }
}

/// Where a list was asked for, to say where its other pages are.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// What the API's paths begin with: `/api/v1`.
    pub base: &'a str,
    /// The path behind `base` as sent, percent-encoded.
    pub path: &'a str,
    /// What follows `?` as sent; empty if nothing does.
    pub query: &'a str,
}

/// An answer other than a problem.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers, `Content-Type` among them.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The answer as the web framework has it, from a place of that mode.
    pub fn respond(self, mode: &'static str) -> Response {
        let mut response = Response::builder()
            .status(StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK))
            .body(self.body);
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(MODE, HeaderValue::from_static(mode));
        for (name, value) in self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl From<ledger::Reply> for Reply {
    fn from(kept: ledger::Reply) -> Self {
        let duplicate = kept.duplicate.then(|| (DUPLICATE, "true".to_owned()));
        Self {
            status: kept.status,
            headers: kept.headers.into_iter().chain(duplicate).collect(),
            body: kept.body,
        }
    }
}

/// Whether rows are wanted as CSV: `Accept` names it, and JSON not.
pub fn wants_csv(accept: Option<&str>) -> bool {
    let accepts = |wanted: &str| {
        accept.unwrap_or("").split(',').any(|part| {
            let name = part.split(';').next().unwrap_or("");
            name.trim().eq_ignore_ascii_case(wanted)
        })
    };
    accepts("text/csv") && !accepts("application/json")
}
