//! Where the web framework meets the surface: who asks, on which schema, with which rights.

use std::sync::Arc;

use poem::{Endpoint, Request, Response, Result, http::header};

use crate::{
    auth::{Auth, present::without_token, rehearse::rehearse, replay, rights},
    data::Spine,
    edge::headers::{joined, one, part},
    problem::Problem,
};

use super::{Call, parse::Headers};

/// What the data API's paths begin with.
pub const BASE: &str = "/api/v1";

/// The endpoint of everything under [`BASE`].
pub struct Rest;

impl Endpoint for Rest {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body().into_bytes().await?;
        // Boxed, or each layer around it would move what is some kilobytes large.
        Ok(Box::pin(answer(&request, &body)).await?)
    }
}

async fn answer(request: &Request, body: &[u8]) -> Result<Response, Problem> {
    let auth = part::<Arc<Auth>>(request)?;
    let spine = part::<Arc<Spine>>(request)?;
    let caller = auth.caller(request).await?;
    let (identity, mode) = rights::place(&caller, auth.tenants())?;
    let mut rules = rights::rules(&caller);
    let rehearsal = rehearse(request).await?;
    rules.nothing = rehearsal.empty;
    let uri = request.original_uri();
    let query = without_token(uri.query().unwrap_or_default());
    let prefer = joined(request.headers(), "prefer");
    let replay = replay::of(&caller, request, body, false)?;
    let call = Call {
        method: request.method().as_str(),
        base: BASE,
        path: uri.path().strip_prefix(BASE).unwrap_or_default(),
        query: &query,
        headers: Headers {
            content_type: one(request.headers(), header::CONTENT_TYPE),
            accept: one(request.headers(), header::ACCEPT),
            prefer: prefer.as_deref(),
        },
        body,
        replay: replay.as_ref(),
    };
    let mut reply = super::handle(spine, &identity, &rules, call).await?;
    let marks = rights::marks(&caller, auth.directory());
    let marks = marks.into_iter().chain(rehearsal.mark());
    // What the surface says itself stands.
    reply.headers.splice(0..0, marks);
    Ok(reply.respond(mode))
}
