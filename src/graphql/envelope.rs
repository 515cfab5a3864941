//! The body of a request (GraphQL over HTTP, 5.4): a document, its variables, an operation's name.

use super::json::{Json, Variables};
use crate::data::json::{elements, members};
use crate::problem::{Kind, Problem};

/// What a body asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Envelope {
    /// The document.
    pub query: String,
    /// Values of variables.
    pub variables: Variables,
    /// Which operation of the document.
    pub operation: Option<String>,
}

/// Reads a body.
///
/// # Errors
/// `empty-body`, `batching-not-supported`, `invalid-request`.
pub fn read(body: &[u8]) -> Result<Envelope, Problem> {
    if body.trim_ascii().is_empty() {
        return Err(Kind::EmptyBody.into());
    }
    let text = std::str::from_utf8(body).map_err(|_| invalid("The body is not UTF-8."))?;
    if elements(text).is_some() {
        return Err(Kind::BatchingNotSupported.into());
    }
    let members = members(text).ok_or_else(|| invalid("The body is not a JSON object."))?;
    let mut query = None;
    let mut envelope = Envelope::default();
    for (name, value) in members {
        let read = || {
            Json::read(value)
                .ok_or_else(|| invalid("A string of the body holds half of a surrogate pair."))
        };
        match name.as_str() {
            "query" => match read()? {
                Json::Text(text) => query = Some(text),
                Json::Null => {}
                _ => return Err(invalid("`query` must be a string.")),
            },
            "operationName" => match read()? {
                Json::Text(text) => envelope.operation = Some(text),
                Json::Null => {}
                _ => return Err(invalid("`operationName` must be a string or null.")),
            },
            "variables" => match read()? {
                Json::Object(fields) => envelope.variables = fields.into_iter().collect(),
                Json::Null => {}
                _ => return Err(invalid("`variables` must be an object or null.")),
            },
            "extensions" if !value.starts_with('{') && value != "null" => {
                return Err(invalid("`extensions` must be an object or null."));
            }
            // Members that are not known are left alone, as the specification asks.
            _ => {}
        }
    }
    envelope.query = query.ok_or_else(|| invalid("`query` is missing."))?;
    Ok(envelope)
}

fn invalid(detail: &'static str) -> Problem {
    Problem::new(Kind::InvalidRequest).detail(detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn slug(body: &str) -> &'static str {
        read(body.as_bytes()).unwrap_err().kind.slug()
    }

    #[test]
    fn all_members_are_read() {
        let body = r#" {"query":"{ _ping }","variables":{"a":1.50},"operationName":"x","id":7} "#;
        let envelope = read(body.as_bytes()).unwrap();
        assert_eq!(envelope.query, "{ _ping }");
        assert_eq!(envelope.variables["a"], Json::Number("1.50".into()));
        assert_eq!(envelope.operation.as_deref(), Some("x"));
        let body = r#"{"query":"","variables":null,"operationName":null,"extensions":null}"#;
        assert_eq!(read(body.as_bytes()).unwrap(), Envelope::default());
    }

    #[test]
    fn faults_have_their_slugs() {
        assert_eq!(slug(""), "empty-body");
        assert_eq!(slug(" \n\t"), "empty-body");
        assert_eq!(slug("[]"), "batching-not-supported");
        assert_eq!(slug(r#"[{"query":"{ _ping }"}]"#), "batching-not-supported");
        for body in [
            "{",
            "null",
            "7",
            "\"{ _ping }\"",
            "{}",
            r#"{"query":null}"#,
            r#"{"query":7}"#,
            r#"{"query":["x"]}"#,
            r#"{"query":"x","variables":[]}"#,
            r#"{"query":"x","variables":"{}"}"#,
            r#"{"query":"x","operationName":7}"#,
            r#"{"query":"x","extensions":[]}"#,
            r#"{"query":"\ud800"}"#,
        ] {
            assert_eq!(slug(body), "invalid-request", "{body}");
        }
        assert_eq!(
            read(b"{\"query\":\"\xff\"}").unwrap_err().kind,
            Kind::InvalidRequest
        );
    }
}
