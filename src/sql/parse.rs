//! From a body to what is asked, and what can be told of a statement by its first words.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{
    data::{json::string_value, plan::brief},
    problem::{Kind, Problem},
};

/// A statement and the values of `$1`, `$2`, ...
#[derive(Debug)]
pub struct Ask<'a> {
    /// SQL text.
    pub query: String,
    /// One JSON value a parameter.
    pub params: Vec<&'a RawValue>,
}

impl<'a> Ask<'a> {
    /// Reads `{"query": "..", "params": [..]}`.
    ///
    /// # Errors
    /// `bad-request` for anything but an object and for what can't be run here,
    /// `validation-failed` naming members that are missing, unknown or of the wrong type.
    pub fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_slice(body).map_err(|error| {
                Problem::new(Kind::BadRequest)
                    .detail("The body is not a JSON object with the members `query` and `params`.")
                    .because(error)
            })?;
        let mut problem = Problem::new(Kind::ValidationFailed);
        for name in members.keys() {
            if name != "query" && name != "params" {
                problem = problem.field(brief(name), "is no member of this call");
            }
        }
        let query = members.get("query").map(|value| string_value(value.get()));
        let query = match query {
            Some(Some(query)) => query,
            Some(None) => {
                problem = problem.field("query", "must be text: one SQL statement");
                String::new()
            }
            None => {
                problem = problem.field("query", "is missing");
                String::new()
            }
        };
        let params = match members.get("params").map(|value| value.get()) {
            None | Some("null") => Vec::new(),
            Some(list) => serde_json::from_str(list).unwrap_or_else(|_| {
                let refused = std::mem::replace(&mut problem, Kind::ValidationFailed.into());
                problem = refused.field("params", "must be an array of values for `$1`, `$2`, ..");
                Vec::new()
            }),
        };
        if !problem.errors.is_empty() {
            return Err(problem);
        }
        check(&query)?;
        Ok(Self { query, params })
    }
}

/// Whether the statement is one of those that take tables away.
pub fn drops(query: &str) -> bool {
    word(query).0 == "drop"
}

/// Whether the statement is one of those that take rows or tables away.
pub fn takes_away(query: &str) -> bool {
    matches!(word(query).0.as_str(), "delete" | "truncate" | "drop")
}

/// Whether the statement reads, unless a function that it calls writes.
pub fn reads(query: &str) -> bool {
    matches!(
        word(query).0.as_str(),
        "select" | "table" | "values" | "show" | "explain"
    )
}

/// Whether a `Content-Type` is JSON.
pub fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// Refuses what Postgres would run and this surface can't: what steers the transaction that the
/// statement runs in, and what changes to another mode of the protocol.
fn check(query: &str) -> Result<(), Problem> {
    if query.contains('\0') {
        return Err(refused("The statement holds the character U+0000."));
    }
    let (first, rest) = word(query);
    let (second, _) = word(rest);
    let message = match (first.as_str(), second.as_str()) {
        ("", _) if blank(query).is_empty() => "There is no statement in `query`.",
        ("copy", _) => {
            "COPY moves rows over a connection of its own; use the REST routes with CSV, or select and insert."
        }
        ("begin" | "start" | "commit" | "end" | "rollback" | "abort", _)
        | ("prepare", "transaction") => {
            "Every statement runs in a transaction of its own, which it can't begin or end; send `Prefer: tx=rollback` to keep nothing of it."
        }
        _ => return Ok(()),
    };
    Err(refused(message))
}

fn refused(message: &'static str) -> Problem {
    Problem::new(Kind::BadRequest)
        .detail(message)
        .field("query", message)
}

/// The first word in lower case, and what follows it.
fn word(text: &str) -> (String, &str) {
    let text = blank(text);
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii()))
        .unwrap_or(text.len());
    (text[..end].to_ascii_lowercase(), &text[end..])
}

/// The text without leading white space, comments and empty statements, as Postgres' lexer
/// passes over them.
fn blank(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}', '\u{b}', ';']);
        if let Some(comment) = text.strip_prefix("--") {
            text = comment.find(['\n', '\r']).map_or("", |end| &comment[end..]);
        } else if text.starts_with("/*") {
            text = &text[comment_length(text)..];
        } else {
            return text;
        }
    }
}

/// How long the block comment is that the text begins with; such comments nest.
fn comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_u32, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read() {
        let ask = Ask::parse(br#"{"query": "select $1, \"a\"", "params": [1e400, null]}"#).unwrap();
        assert_eq!(ask.query, "select $1, \"a\"");
        assert_eq!(ask.params[0].get(), "1e400");
        assert_eq!(ask.params.len(), 2);
        assert!(
            Ask::parse(br#"{"query": "select 1", "params": null}"#)
                .unwrap()
                .params
                .is_empty()
        );
    }

    #[test]
    fn a_body_of_another_shape_names_its_members() {
        for (body, names) in [
            (r#"{}"#, vec!["query"]),
            (r#"{"query": 1}"#, vec!["query"]),
            (r#"{"query": "select 1", "params": {}}"#, vec!["params"]),
            (
                r#"{"query": "select 1", "parameters": []}"#,
                vec!["parameters"],
            ),
            (r#"{"sql": "select 1"}"#, vec!["query", "sql"]),
        ] {
            let problem = Ask::parse(body.as_bytes()).unwrap_err();
            assert_eq!(problem.kind, Kind::ValidationFailed, "{body}");
            assert!(problem.errors.keys().eq(names.iter()), "{body}");
        }
        for body in ["", "[]", "select 1", "null", "{\"query\": \"\\ud800\"}"] {
            let problem = Ask::parse(body.as_bytes()).unwrap_err();
            assert_ne!(problem.kind, Kind::InternalError, "{body}");
        }
    }

    #[test]
    fn what_steers_the_transaction_is_refused_however_it_is_dressed() {
        for query in [
            "commit",
            " ;; COMMIT",
            "/* a /* b */ -- */ Commit;",
            "-- select 1\nrollback to x",
            "--\rabort",
            "prepare/**/transaction 'x'",
            "copy clients to stdout",
            "START TRANSACTION",
            "",
            " ; -- nothing",
            "/* never closed",
            "select '\0'",
        ] {
            assert_eq!(check(query).unwrap_err().kind, Kind::BadRequest, "{query}");
        }
        for query in [
            "select 1",
            "committee",
            "commit_",
            "prepare x as select 1",
            "(select 1)",
            "-- commit\nselect 1",
            "\"commit\"",
            "endé",
        ] {
            assert!(check(query).is_ok(), "{query}");
        }
    }
}
