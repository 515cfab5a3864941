//! Answers of operations: what came back, and which problem each status can be.

use std::collections::BTreeMap;

use super::super::tree::{Node, list, map};
use super::{Style, reference};
use crate::problem::Kind;

/// What an operation does, as far as its problems depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Does {
    /// Says what there is.
    Describe,
    /// Reads rows of a table.
    Read,
    /// Reads rows of a view.
    ReadView,
    /// Figures over a report.
    Aggregate,
    /// Makes rows.
    Create,
    /// Changes a row.
    Update,
    /// Takes a row away.
    Delete,
    /// Runs a document.
    Graphql,
    /// Runs a statement.
    Sql,
}

/// Problems that any call can answer with.
const ANY: &[Kind] = &[
    Kind::QueryStringTooLong,
    Kind::InvalidParameter,
    Kind::MissingToken,
    Kind::InvalidToken,
    Kind::TokenExpired,
    Kind::InvalidApiKey,
    Kind::InvalidSignature,
    Kind::QueryTokenDisabled,
    Kind::TenantMismatch,
    Kind::EmbedTypeRequired,
    Kind::IpNotAllowed,
    Kind::DomainNotAllowed,
    Kind::ScopeNotAllowed,
    Kind::Unauthorized,
    Kind::MethodNotAllowed,
    Kind::PayloadTooLarge,
    Kind::TooManyRequests,
    Kind::InternalError,
    Kind::RequestTimeout,
    Kind::TenantProvisioning,
    Kind::ServiceUnavailable,
];

const READ: &[Kind] = &[Kind::BadRequest, Kind::NotFound, Kind::TableNotAllowed];
const READ_VIEW: &[Kind] = &[
    Kind::BadRequest,
    Kind::NotFound,
    Kind::ViewNotAllowed,
    Kind::ViewExecutionError,
];
const WRITE: &[Kind] = &[
    Kind::BadRequest,
    Kind::ValidationFailed,
    Kind::QuotaExceeded,
    Kind::TableNotAllowed,
    Kind::ViewNotAllowed,
    Kind::WriteNotAllowed,
    Kind::PermissionDenied,
    Kind::ReadOnly,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::IdempotencyConflict,
    Kind::UnsupportedMediaType,
    Kind::ViewExecutionError,
];

impl Does {
    const ALL: [Self; 9] = [
        Self::Describe,
        Self::Read,
        Self::ReadView,
        Self::Aggregate,
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Graphql,
        Self::Sql,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Read => "read",
            Self::ReadView => "readView",
            Self::Aggregate => "aggregate",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Graphql => "graphql",
            Self::Sql => "sql",
        }
    }

    /// The problems that its answers can be, besides those of any call.
    fn own(self) -> Vec<Kind> {
        match self {
            Self::Describe => vec![
                Kind::BadRequest,
                Kind::NotFound,
                Kind::TableNotAllowed,
                Kind::ViewNotAllowed,
            ],
            Self::Read => READ.to_vec(),
            Self::ReadView => READ_VIEW.to_vec(),
            Self::Aggregate => [READ_VIEW, &[Kind::AggregationError]].concat(),
            Self::Create => [WRITE, &[Kind::CreationFailed]].concat(),
            Self::Update => [WRITE, &[Kind::UpdateFailed]].concat(),
            Self::Delete => [WRITE, &[Kind::DeletionFailed]].concat(),
            Self::Graphql => vec![
                Kind::EmptyBody,
                Kind::BatchingNotSupported,
                Kind::InvalidRequest,
                Kind::IdempotencyConflict,
                Kind::UnsupportedMediaType,
                Kind::FeatureDisabled,
            ],
            Self::Sql => vec![
                Kind::BadRequest,
                Kind::ValidationFailed,
                Kind::QuotaExceeded,
                Kind::WriteNotAllowed,
                Kind::PermissionDenied,
                Kind::ReadOnly,
                Kind::IdempotencyConflict,
                Kind::UnsupportedMediaType,
                Kind::CreationFailed,
            ],
        }
    }

    fn by_status(self) -> BTreeMap<u16, Vec<Kind>> {
        let mut statuses: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
        // A method that is not the operation's own is not the operation.
        let any = ANY.iter().filter(|kind| kind.status() != 405);
        for kind in any.copied().chain(self.own()) {
            statuses.entry(kind.status()).or_default().push(kind);
        }
        statuses
    }
}

/// The answers of an operation: those that it gives when all goes well, then its problems.
///
/// In a document for GPT Actions, which is short, those that a caller can do something about have
/// a status of their own and all others share one.
pub fn responses(does: Does, good: Vec<(&str, Node)>, used: &mut Used, style: &Style) -> Node {
    let mut responses: Vec<(String, Node)> = good
        .into_iter()
        .map(|(status, answer)| (status.to_owned(), answer))
        .collect();
    if style.actions {
        for (status, name) in [
            ("401", "401"),
            ("403", "403"),
            ("429", "429"),
            ("default", "Problem"),
        ] {
            responses.push((status.to_owned(), reference("responses", name)));
        }
        return Node::Map(responses);
    }
    for (status, kinds) in does.by_status() {
        let name = used.name(status, kinds, does);
        responses.push((status.to_string(), reference("responses", &name)));
    }
    Node::Map(responses)
}

/// The problems that operations share, by status and slugs.
#[derive(Default)]
pub struct Used(Vec<(u16, Vec<Kind>, String)>);

impl Used {
    /// The name of the answer; equal ones are one, named after the first that has it.
    fn name(&mut self, status: u16, kinds: Vec<Kind>, does: Does) -> String {
        let known = self
            .0
            .iter()
            .find(|(of, with, _)| *of == status && *with == kinds);
        if let Some((_, _, name)) = known {
            return name.clone();
        }
        // The first operation of the list that has them, whichever an export has.
        let first = Does::ALL
            .into_iter()
            .find(|other| other.by_status().get(&status) == Some(&kinds))
            .unwrap_or(does);
        let name = format!("{status}.{}", first.word());
        self.0.push((status, kinds, name.clone()));
        name
    }

    /// The answers, for `components`.
    pub fn components(&self, style: &Style) -> Node {
        let mut all: Vec<(String, Node)> = self
            .0
            .iter()
            .map(|(status, kinds, name)| (name.clone(), component(*status, kinds, name, style)))
            .collect();
        if style.actions {
            all = short(style);
        }
        all.sort_by(|one, other| one.0.cmp(&other.0));
        Node::Map(all)
    }
}

fn short(style: &Style) -> Vec<(String, Node)> {
    let of = |status: u16| -> Vec<Kind> {
        let all = Kind::ALL.iter().copied();
        all.filter(|kind| kind.status() == status).collect()
    };
    let mut answers: Vec<(String, Node)> = [401, 403, 429]
        .map(|status| {
            let name = status.to_string();
            let answer = component(status, &of(status), &name, style);
            (name, answer)
        })
        .into();
    let other = map! {
        "description" => "Problem: what went wrong, and what to do about it",
        "content" => map! { "application/problem+json" => map! { "schema" => reference("schemas", "Problem") } },
    };
    answers.push(("Problem".to_owned(), other));
    answers
}

fn component(status: u16, kinds: &[Kind], name: &str, style: &Style) -> Node {
    let slugs: Vec<String> = kinds
        .iter()
        .map(|kind| format!("`{}`", kind.slug()))
        .collect();
    let mut content = map! { "schema" => reference("schemas", "Problem") };
    if !style.actions {
        let examples = kinds
            .iter()
            .map(|kind| {
                let problem = map! {
                    "type" => format!("{}/api_docs#error-{}", style.public_url, kind.slug()),
                    "title" => kind.title(),
                    "status" => kind.status(),
                    "detail" => kind.description(),
                    "instance" => "/api/v1/example",
                };
                let example = map! { "summary" => kind.title(), "value" => problem };
                (kind.slug().to_owned(), example)
            })
            .collect();
        content.put("examples", Node::Map(examples));
    }
    let mut types = map! { "application/problem+json" => content };
    if name == "400.graphql" {
        types.put(
            "application/graphql-response+json",
            map! { "schema" => reference("schemas", "GraphqlAnswer") },
        );
    }
    let mut answer = map! { "description" => format!("Problem: {}", slugs.join(", ")) };
    let headers = match status {
        401 => map! { "WWW-Authenticate" => map! { "schema" => map! { "type" => "string" } } },
        429 => map! {
            "Retry-After" => reference("headers", "Retry-After"),
            "RateLimit" => reference("headers", "RateLimit"),
            "RateLimit-Policy" => reference("headers", "RateLimit-Policy"),
        },
        503 => map! { "Retry-After" => reference("headers", "Retry-After") },
        _ => map! {},
    };
    if !headers.is_empty() && !style.actions {
        answer.put("headers", headers);
    }
    answer.with("content", types)
}

/// An answer that carries JSON, and rows as CSV where it can.
pub fn good(style: &Style, description: &str, schema: Node, headers: &[&str], csv: bool) -> Node {
    let mut answer = map! { "description" => description };
    if !style.actions {
        let names = ["Sandlot-Mode", "X-Request-Id"];
        let headers: Vec<(String, Node)> = names
            .iter()
            .chain(headers)
            .map(|name| ((*name).to_owned(), reference("headers", name)))
            .collect();
        answer.put("headers", Node::Map(headers));
    }
    let mut content = map! { "application/json" => map! { "schema" => schema } };
    if csv && !style.actions {
        content.put("text/csv", map! { "schema" => map! { "type" => "string" } });
    }
    answer.with("content", content)
}

/// `{"data": ..}`, and what comes beside it.
pub fn envelope(data: Node, beside: &[(&str, &str)]) -> Node {
    let mut required = vec![Node::from("data")];
    let mut properties = map! { "data" => data };
    for (name, schema) in beside {
        required.push((*name).into());
        properties.put(*name, reference("schemas", schema));
    }
    map! { "type" => "object", "required" => required, "properties" => properties }
}

/// The document of every error.
pub fn problem_schema() -> Node {
    map! {
        "type" => "object",
        "description" => "Problem details (RFC 9457)",
        "required" => list!["type", "title", "status", "detail", "instance"],
        "properties" => map! {
            "type" => map! {
                "type" => "string", "format" => "uri",
                "description" => "Where the error is described; ends in `#error-` and its slug",
            },
            "title" => map! { "type" => "string" },
            "status" => map! { "type" => "integer" },
            "detail" => map! { "type" => "string", "description" => "What happened this time" },
            "instance" => map! { "type" => "string", "description" => "The path that was asked for" },
            "errors" => map! {
                "type" => "object",
                "description" => "Messages by column or parameter, where some are at fault",
                "additionalProperties" => map! {
                    "type" => "array", "items" => map! { "type" => "string" },
                },
            },
        },
    }
}
