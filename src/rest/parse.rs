//! From what stands in an HTTP request to a [`Request`]: addresses, parameters, bodies.

use super::{Call, csv};
use crate::data::body::Body;
use crate::data::request::{Conflict, Create, Delete, One, Request, Update};
use crate::listing::parameters::{Paging, Parameters, unknown};
use crate::listing::wants_csv;
use crate::listing::words::{decode, invalid, names};
use crate::problem::{Kind, Problem};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// What there is.
    Index,
    /// The tables there are.
    Tables,
    /// The rows of a table or view.
    Rows {
        /// Its name.
        table: String,
        /// Whether it was named under `/tables`, where nothing can be written.
        twin: bool,
    },
    /// What a table or view is made of.
    Schema {
        /// Its name.
        table: String,
    },
    /// One row.
    Row {
        /// The table.
        table: String,
        /// One text per column of the key.
        key: Vec<String>,
        /// Whether it was named under `/tables`, where nothing can be written.
        twin: bool,
    },
}

/// The headers that this surface looks at, as sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `Content-Type`
    pub content_type: Option<&'a str>,
    /// `Accept`
    pub accept: Option<&'a str>,
    /// `Prefer`; several headers joined by commas.
    pub prefer: Option<&'a str>,
}

impl Target {
    /// The methods that the address takes.
    pub const fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Rows { twin: false, .. } => &["GET", "POST"],
            Self::Row { twin: false, .. } => &["GET", "PUT", "PATCH", "DELETE"],
            _ => &["GET"],
        }
    }
}

impl Headers<'_> {
    /// Whether rows are wanted as CSV: it is accepted by name, and JSON is not.
    pub fn wants_csv(&self) -> bool {
        wants_csv(self.accept)
    }

    /// Whether `Prefer` says `name=value` (RFC 7240).
    pub fn prefers(&self, name: &str, value: &str) -> bool {
        self.prefer.unwrap_or("").split([',', ';']).any(|part| {
            part.split_once('=').is_some_and(|(n, v)| {
                n.trim().eq_ignore_ascii_case(name)
                    && v.trim().trim_matches('"').eq_ignore_ascii_case(value)
            })
        })
    }

    fn media_type(&self) -> String {
        let name = self.content_type.unwrap_or("").split(';').next();
        name.unwrap_or("").trim().to_ascii_lowercase()
    }

    fn is_csv(&self) -> bool {
        self.media_type() == "text/csv"
    }

    fn is_json(&self) -> bool {
        let name = self.media_type();
        name == "application/json" || (name.starts_with("application/") && name.ends_with("+json"))
    }
}

/// Takes a path behind the API's base apart, before anything of it is decoded: an encoded slash
/// or comma belongs to its name.
pub fn path(path: &str) -> Result<Target, Problem> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let (parts, twin) = match parts.as_slice() {
        [""] => return Ok(Target::Index),
        ["tables"] => return Ok(Target::Tables),
        ["tables", rest @ ..] => (rest, true),
        all => (all, false),
    };
    let name = |part: &str| {
        decode(part, false).ok_or_else(|| {
            Problem::new(Kind::BadRequest).detail("The path is not percent-encoded UTF-8.")
        })
    };
    match parts {
        [table] => Ok(Target::Rows {
            table: name(table)?,
            twin,
        }),
        [table, "schema"] => Ok(Target::Schema {
            table: name(table)?,
        }),
        [table, key] => Ok(Target::Row {
            table: name(table)?,
            key: key.split(',').map(name).collect::<Result<_, Problem>>()?,
            twin,
        }),
        _ => Err(Kind::NotFound.into()),
    }
}

/// The request on rows that a call is; for a list also how it is paged.
pub fn request(
    method: &str,
    target: &Target,
    parameters: &[(String, String)],
    call: &Call<'_>,
) -> Result<(Request, Option<Paging>), Problem> {
    let (table, key) = match target {
        Target::Rows { table, .. } => (table.clone(), Vec::new()),
        Target::Row { table, key, .. } => (table.clone(), key.clone()),
        _ => return Err(Kind::NotFound.into()),
    };
    let parsed = Parameters::read(
        parameters,
        method == "GET",
        matches!(target, Target::Rows { .. }),
    )?;
    let select = parsed.select()?;
    Ok(match (target, method) {
        (Target::Rows { .. }, "GET") => {
            let (list, paging) = parsed.list(table, select, call.query)?;
            (Request::List(list), Some(paging))
        }
        (_, "GET") => (Request::One(One { table, key, select }), None),
        (Target::Rows { .. }, _) => {
            let create = Create {
                table,
                body: body(call, true)?,
                select,
                conflict: conflict(&parsed, &call.headers)?,
            };
            (Request::Create(create), None)
        }
        (_, "DELETE") => {
            let dependents = match parsed.get("dependents") {
                None => false,
                Some("delete") => true,
                Some(_) => return Err(invalid("dependents", "takes `delete` alone")),
            };
            let delete = Delete {
                table,
                key,
                select,
                dependents,
            };
            (Request::Delete(delete), None)
        }
        _ => {
            if parsed.get("dependents").is_some() {
                return Err(unknown("dependents"));
            }
            let body = body(call, false)?;
            let update = Update {
                table,
                key,
                body,
                select,
            };
            (Request::Update(update), None)
        }
    })
}

fn body(call: &Call<'_>, rows: bool) -> Result<Body, Problem> {
    if rows && call.headers.is_csv() {
        return csv::read(call.body);
    }
    if !call.headers.is_json() {
        return Err(Kind::UnsupportedMediaType.into());
    }
    Body::parse(call.body)
}

fn conflict(parsed: &Parameters<'_>, headers: &Headers<'_>) -> Result<Option<Conflict>, Problem> {
    let merge = headers.prefers("resolution", "merge-duplicates");
    let ignore = headers.prefers("resolution", "ignore-duplicates");
    match parsed.get("on_conflict") {
        None => Ok(None),
        Some(_) if merge == ignore => Err(invalid(
            "on_conflict",
            "needs `Prefer: resolution=merge-duplicates` or `resolution=ignore-duplicates`",
        )),
        Some(text) => Ok(Some(Conflict {
            columns: names(text, "on_conflict")?,
            merge,
        })),
    }
}
