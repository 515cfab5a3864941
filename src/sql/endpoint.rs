//! Where the web framework meets the surface: who asks, and how the result is written.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response, Result,
    http::{Method, header},
};

use tenants::Access;

use crate::{
    auth::{self, Auth, replay, rights},
    data::{Spine, ledger, run::Keep, writer::string},
    edge::headers::{joined, one, part, prefers},
    listing::Reply,
    problem::{Kind, Problem},
};

use super::{
    parse::{self, Ask},
    run::{self, Done, How, Once, Outcome},
};

/// Where the surface is.
pub const PATH: &str = "/api/v1/sql";

/// The endpoint of [`PATH`].
pub struct Sql;

impl Endpoint for Sql {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body().into_bytes().await?;
        Ok(answer(&request, &body).await?)
    }
}

async fn answer(request: &Request, body: &[u8]) -> Result<Response, Problem> {
    let auth = part::<Arc<Auth>>(request)?;
    let caller = auth.caller(request).await?;
    if request.method() != Method::POST {
        return Err(Problem::new(Kind::MethodNotAllowed)
            .detail("This address takes POST.")
            .header("Allow", "POST"));
    }
    let tenant = caller.tenant_for_sql()?;
    let identity = auth::usable(tenant)?;
    let media = one(request.headers(), header::CONTENT_TYPE).unwrap_or_default();
    if !body.is_empty() && !parse::is_json(media) {
        return Err(Kind::UnsupportedMediaType.into());
    }
    let prefer = joined(request.headers(), "prefer");
    let keep = if prefers(prefer.as_deref(), "tx", "rollback") {
        Keep::No
    } else {
        Keep::Yes
    };
    let ask = Ask::parse(body)?;
    // Above its quota a tenant may read and take away; Postgres sees to the reading.
    let access = if tenant.over_quota && !parse::takes_away(&ask.query) {
        Access::Read
    } else {
        Access::Write
    };
    let kept = |outcome: &Outcome| ledger::Reply {
        status: 200,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body: document(outcome),
        duplicate: false,
    };
    let spine = part::<Arc<Spine>>(request)?;
    let replay = replay::of(&caller, request, body, parse::reads(&ask.query))?;
    // Nothing is kept of what may not write.
    let kept_once = keep == Keep::Yes && access == Access::Write;
    let once = replay.as_ref().filter(|_| kept_once);
    let how = How {
        keep,
        access,
        once: once.map(|replay| Once {
            ledger: spine.ledger(),
            replay,
            render: &kept,
        }),
    };
    let done = run::run(auth.tenants(), &identity, &ask, how).await;
    let done = done.map_err(|problem| match access == Access::Read && wrote(&problem) {
        true => Kind::QuotaExceeded.into(),
        false => problem,
    })?;
    let mut reply = Reply::from(match done {
        Done::Now(outcome) => kept(&outcome),
        Done::Kept(reply) => reply,
    });
    reply
        .headers
        .extend(rights::marks(&caller, auth.directory()));
    if keep == Keep::No {
        reply.headers.extend([
            ("Sandlot-Simulated", "true".to_owned()),
            ("Preference-Applied", "tx=rollback".to_owned()),
        ]);
    }
    Ok(reply.respond("live"))
}

/// Whether the statement failed because its transaction may not write.
fn wrote(problem: &Problem) -> bool {
    (problem.members.iter()).any(|(name, value)| *name == "sqlstate" && value == "25006")
}

/// The members in the order of the reference, the rows last: they may be long.
fn document(outcome: &Outcome) -> Vec<u8> {
    let mut body = Vec::with_capacity(outcome.rows.len() + 512);
    body.extend_from_slice(b"{\"columns\":[");
    for (at, column) in outcome.columns.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"name\":");
        string(&mut body, column.key.as_bytes());
        body.extend_from_slice(b",\"type\":");
        string(&mut body, column.kind.as_bytes());
        body.push(b'}');
    }
    body.extend_from_slice(b"],\"affected_tables\":[");
    for (at, table) in outcome.affected.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        string(&mut body, table.as_bytes());
    }
    body.extend_from_slice(b"],\"rows_affected\":");
    match outcome.count {
        Some(count) => body.extend_from_slice(count.to_string().as_bytes()),
        None => body.extend_from_slice(b"null"),
    }
    body.extend_from_slice(if outcome.truncated {
        b",\"truncated\":true"
    } else {
        b",\"truncated\":false"
    });
    let seconds = format!(",\"runtime_seconds\":{:.6}", outcome.runtime.as_secs_f64());
    body.extend_from_slice(seconds.as_bytes());
    body.extend_from_slice(b",\"rows\":[");
    body.extend_from_slice(&outcome.rows);
    body.extend_from_slice(b"]}");
    body
}
