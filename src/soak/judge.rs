//! What can be said of an answer without knowing what was asked: is it well formed, is it of this tenant alone.

use serde_json::Value;

use crate::problem::Kind;

use super::http::Answer;

/// What stands before the number of a run in every marker.
pub const MARKER: &str = "soak.";
/// Digits of a run's number.
pub const RUN: usize = 8;
/// Digits of a tenant's number.
pub const TENANT: usize = 6;

/// An answer as it looks from outside.
#[derive(Debug)]
pub enum Verdict {
    /// A success, with its body.
    Good(Value),
    /// A problem of the catalogue, as a document or as an error of GraphQL, with its body.
    Refused(Kind, Value),
    /// Not the server's word: of something in front of it, or of none.
    Away(&'static str),
    /// What no answer may be.
    Wrong(String),
}

/// Looks at an answer to whoever has this marker.
pub fn judge(answer: &Answer, marker: &str) -> Verdict {
    let text = String::from_utf8_lossy(&answer.body);
    if let Some(other) = foreign(&text, marker) {
        return Verdict::Wrong(format!("holds the marker {other} of another tenant"));
    }
    if answer.header("x-request-id").is_empty() {
        // A proxy that misses its server says so in its own words.
        return match answer.status {
            502..=504 => Verdict::Away("a gateway's 502 to 504"),
            status => Verdict::Wrong(format!("status {status} without X-Request-Id")),
        };
    }
    let kind = answer.header("content-type");
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return Verdict::Wrong(format!("status {} and no JSON", answer.status));
    };
    if answer.status >= 400 && !kind.starts_with("application/graphql-response+json") {
        if kind != "application/problem+json" {
            return Verdict::Wrong(format!("status {} as {kind}", answer.status));
        }
        return match problem(&body, answer.status) {
            Ok(kind) => Verdict::Refused(kind, body),
            Err(fault) => Verdict::Wrong(fault),
        };
    }
    match body.get("errors").and_then(|errors| errors.get(0)) {
        Some(error) => match graphql_error(error) {
            Ok(kind) => Verdict::Refused(kind, body),
            Err(fault) => Verdict::Wrong(fault),
        },
        None if answer.status < 300 => Verdict::Good(body),
        None => Verdict::Wrong(format!("status {}", answer.status)),
    }
}

/// Which problem a document is, if it is a whole one (RFC 9457) and agrees with the catalogue.
fn problem(body: &Value, status: u16) -> Result<Kind, String> {
    for member in ["type", "title", "detail", "instance"] {
        if !body[member].is_string() {
            return Err(format!("a problem without {member}"));
        }
    }
    let kind = known(&body["type"])?;
    if kind.status() != status || body["status"] != status {
        return Err(format!("{} with status {status}", kind.slug()));
    }
    if body["title"] != kind.title() {
        return Err(format!("{} with title {}", kind.slug(), body["title"]));
    }
    Ok(kind)
}

fn graphql_error(error: &Value) -> Result<Kind, String> {
    let extensions = &error["extensions"];
    let kind = known(&extensions["type"])?;
    let agrees = extensions["slug"] == kind.slug() && error["message"].is_string();
    agrees
        .then_some(kind)
        .ok_or_else(|| format!("a GraphQL error that is not whole: {error}"))
}

fn known(ty: &Value) -> Result<Kind, String> {
    let slug = ty.as_str().and_then(|ty| ty.split_once("#error-"));
    let slug = slug.map_or("", |(_, slug)| slug);
    let kind = Kind::ALL.iter().find(|kind| kind.slug() == slug);
    kind.copied().ok_or_else(|| format!("unknown problem {ty}"))
}

/// The first marker of this run in a text that is not this one.
fn foreign(text: &str, own: &str) -> Option<String> {
    let run = own.get(..MARKER.len() + RUN)?;
    text.match_indices(run).find_map(|(at, _)| {
        let rest = &text[at..];
        let found: String = rest.chars().take(own.len()).collect();
        (found != own).then_some(found)
    })
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use serde_json::json;

    use super::*;

    const OWN: &str = "soak.00000001.000002";

    fn answer(status: u16, kind: &'static str, body: &Value) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(
            "content-type",
            hyper::header::HeaderValue::from_static(kind),
        );
        headers.insert("x-request-id", hyper::header::HeaderValue::from_static("1"));
        Answer {
            status,
            headers,
            body: body.to_string().into(),
            took: std::time::Duration::ZERO,
        }
    }

    fn not_found() -> Value {
        json!({"type": "http://h/api_docs#error-not-found", "title": "Not Found", "status": 404,
            "detail": "none", "instance": "/x"})
    }

    #[test]
    fn a_marker_of_another_tenant_is_seen_anywhere() {
        let clean = json!({"data": {"label": format!("{OWN}/1"), "other": "soak.00000009.000003"}});
        let verdict = judge(&answer(200, "application/json", &clean), OWN);
        assert!(matches!(verdict, Verdict::Good(_)), "{verdict:?}");
        let mixed = json!({"data": [OWN, "x soak.00000001.000003/4"]});
        let verdict = judge(&answer(200, "application/json", &mixed), OWN);
        assert!(matches!(verdict, Verdict::Wrong(_)), "{verdict:?}");
    }

    #[test]
    fn a_problem_agrees_with_the_catalogue() {
        let kind = "application/problem+json";
        let verdict = judge(&answer(404, kind, &not_found()), OWN);
        assert!(matches!(verdict, Verdict::Refused(Kind::NotFound, _)));
        for (member, value) in [
            ("type", json!("http://h/api_docs#error-nothing")),
            ("title", json!("Another")),
            ("status", json!(400)),
            ("detail", json!(null)),
        ] {
            let mut bad = not_found();
            bad[member] = value;
            let verdict = judge(&answer(404, kind, &bad), OWN);
            assert!(matches!(verdict, Verdict::Wrong(_)), "{member}");
        }
        let plain = judge(&answer(404, "application/json", &not_found()), OWN);
        assert!(matches!(plain, Verdict::Wrong(_)));
        let other = judge(&answer(400, kind, &not_found()), OWN);
        assert!(matches!(other, Verdict::Wrong(_)));
    }

    #[test]
    fn a_gateway_speaks_for_itself() {
        let mut gone = answer(502, "text/html", &json!("<html>"));
        gone.headers.remove("x-request-id");
        assert!(matches!(judge(&gone, OWN), Verdict::Away(_)));
        gone.status = 500;
        assert!(matches!(judge(&gone, OWN), Verdict::Wrong(_)));
    }
}
