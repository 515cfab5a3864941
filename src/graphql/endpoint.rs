//! Where HTTP meets the surface (GraphQL over HTTP, draft of 2025).

use super::envelope;
use super::execute::{On, Outcome, Render, execute};
use super::faults;
use super::schema::Schemas;
use crate::auth::tokens::Scope;
use crate::auth::{Auth, rehearse::rehearse, replay, rights};
use crate::data::Spine;
use crate::data::ledger;
use crate::data::run::Keep;
use crate::edge::headers::{joined, one, part, prefers};
use crate::edge::visit::Visit;
use crate::listing::Reply;
use crate::problem::{Kind, Problem};
use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, Request, Response, Result};
use std::sync::Arc;

/// The path of the endpoint.
pub const PATH: &str = "/api/v1/graphql";

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";

/// The endpoint.
pub struct Graphql {
    schemas: Schemas,
    public_url: String,
}

impl Graphql {
    /// An endpoint of a server that is reached under `public_url`.
    pub fn new(public_url: &str) -> Self {
        Self {
            schemas: Schemas::default(),
            public_url: public_url.to_owned(),
        }
    }

    async fn answer(&self, request: &Request, body: &[u8]) -> Result<Response, Problem> {
        let auth = part::<Arc<Auth>>(request)?;
        let spine = part::<Arc<Spine>>(request)?;
        let caller = auth.caller(request).await?;
        caller.needs(Scope::Graphql)?;
        let (identity, mode) = rights::place(&caller, auth.tenants())?;
        let mut rules = rights::rules(&caller);
        let rehearsal = rehearse(request).await?;
        rules.nothing = rehearsal.empty;
        if request.method() != Method::POST {
            return Err(Problem::new(Kind::MethodNotAllowed)
                .detail("GraphQL takes POST.")
                .header("Allow", "POST"));
        }
        if !body.is_empty() && !is_json(one(request.headers(), header::CONTENT_TYPE)) {
            return Err(Kind::UnsupportedMediaType.into());
        }
        let envelope = envelope::read(body)?;
        let prefer = joined(request.headers(), "prefer");
        let prefers = prefers(prefer.as_deref(), "tx", "rollback");
        let keep = rules.keep(if prefers { Keep::No } else { Keep::Yes });
        let accept = joined(request.headers(), "accept");
        let media = media_type(accept.as_deref());
        let replay = replay::of(&caller, request, body, false)?;
        let kept = |outcome: &Outcome| ledger::Reply {
            status: status(outcome, media).as_u16(),
            headers: vec![
                ("Content-Type", format!("{media}; charset=utf-8")),
                ("Vary", "Accept".to_owned()),
            ],
            body: self.body(outcome),
            duplicate: false,
        };
        let once = replay.as_ref().filter(|_| keep == Keep::Yes);
        let on = On {
            spine,
            schemas: &self.schemas,
            identity: &identity,
            rules: &rules,
            keep,
            once: once.map(|replay| (replay, &kept as Render<'_>)),
            visit: Visit::of(request)?,
        };
        let mut outcome = execute(on, envelope).await?;
        faults::log(&outcome.faults);
        let wrote = outcome.wrote;
        let reply = outcome.kept.take().unwrap_or_else(|| kept(&outcome));
        let mut reply = Reply::from(reply);
        let marks = rights::marks(&caller, auth.directory());
        reply
            .headers
            .extend(marks.into_iter().chain(rehearsal.mark()));
        if wrote && keep == Keep::No {
            reply.headers.push(("Sandlot-Simulated", "true".to_owned()));
        }
        if wrote && prefers {
            reply
                .headers
                .push(("Preference-Applied", "tx=rollback".to_owned()));
        }
        Ok(reply.respond(mode))
    }

    /// `errors` come first, where a reader of a long answer finds them.
    fn body(&self, outcome: &Outcome) -> Vec<u8> {
        let mut body = b"{".to_vec();
        if !outcome.faults.is_empty() {
            body.extend_from_slice(b"\"errors\":");
            let errors = faults::json(&outcome.faults, &self.public_url);
            body.extend_from_slice(errors.to_string().as_bytes());
        }
        if let Some(data) = &outcome.data {
            if body.len() > 1 {
                body.push(b',');
            }
            body.extend_from_slice(b"\"data\":");
            body.extend_from_slice(data);
        }
        body.push(b'}');
        body
    }
}

impl Endpoint for Graphql {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body().into_bytes().await?;
        // Boxed, or each layer around it would move what is some kilobytes large.
        Ok(Box::pin(self.answer(&request, &body)).await?)
    }
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.unwrap_or("").split(';').next().unwrap_or("");
    essence.trim().eq_ignore_ascii_case(JSON)
}

/// A request that was executed is a success of HTTP; one that was not is a client's error for
/// those who understand GraphQL's own media type (GraphQL over HTTP, 6.4).
fn status(outcome: &Outcome, media: &str) -> StatusCode {
    if outcome.data.is_none() && media == GRAPHQL {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    }
}

/// GraphQL's own media type for those who name it and do not like plain JSON better.
fn media_type(accept: Option<&str>) -> &'static str {
    let weight = |wanted: &str| {
        let parts = accept.unwrap_or("").split(',');
        let weights = parts.filter_map(|part| {
            let mut words = part.split(';').map(str::trim);
            let named = words.next()?.eq_ignore_ascii_case(wanted);
            let weight = words.find_map(|word| word.strip_prefix("q="));
            named.then(|| weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0)))
        });
        weights.fold(0.0, f32::max)
    };
    let graphql = weight(GRAPHQL);
    if graphql > 0.0 && graphql >= weight(JSON) {
        GRAPHQL
    } else {
        JSON
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_is_the_one_liked_best() {
        for (accept, media) in [
            (None, JSON),
            (Some("*/*"), JSON),
            (Some("application/json"), JSON),
            (Some("application/graphql-response+json"), GRAPHQL),
            (
                Some("application/json, application/graphql-response+json"),
                GRAPHQL,
            ),
            (
                Some("application/graphql-response+json;q=0.9, application/json"),
                JSON,
            ),
            (
                Some("Application/GraphQL-Response+JSON; charset=utf-8, application/json;q=0.9"),
                GRAPHQL,
            ),
            (Some("application/graphql-response+json;q=0"), JSON),
            (Some("text/html"), JSON),
        ] {
            assert_eq!(media_type(accept), media, "{accept:?}");
        }
    }

    #[test]
    fn only_json_is_json() {
        assert!(is_json(Some("application/JSON; charset=utf-8")));
        assert!(!is_json(Some("text/csv")));
        assert!(!is_json(None));
    }
}
