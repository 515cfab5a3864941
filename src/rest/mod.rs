//! The REST surface: a table is a resource, a row has an address, nothing is compiled in.
//!
//! [`handle`] takes a call apart, asks the spine and puts the answer together. It knows nothing
//! of the web framework or of credentials: what the caller may do comes in as
//! [`Rules`](crate::data::plan::Rules).

mod csv;
mod endpoint;
pub mod parse;
pub mod render;
pub mod schema;

pub use endpoint::{BASE, Rest};

use crate::data::ledger::{self, Replay};
use crate::data::once::Once;
use crate::data::plan::{Rules, check_insertable};
use crate::data::request::Request;
use crate::data::rows::Format;
use crate::data::run::Keep;
use crate::data::{Answer, Ask, Fault, Spine};
use crate::listing::{
    Address, Reply, page,
    parameters::{parameters, refuse_all},
};
use crate::problem::{Kind, Problem};
use parse::{Headers, Target};
use tenants::Identity;

/// One HTTP request, as far as this surface looks at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// `GET`, `POST`, ..; `HEAD` is answered like `GET`.
    pub method: &'a str,
    /// What the API's paths begin with, as links shall show it: `/api/v1`.
    pub base: &'a str,
    /// The path behind `base` as sent, percent-encoded: `/clients/7`.
    pub path: &'a str,
    /// What follows `?` as sent; empty if nothing does.
    pub query: &'a str,
    /// The headers that matter.
    pub headers: Headers<'a>,
    /// The body.
    pub body: &'a [u8],
    /// What a write is called by, if it is to be made once.
    pub replay: Option<&'a Replay>,
}

/// Answers a call on the tables of the identity's schema.
pub async fn handle(
    spine: &Spine,
    identity: &Identity,
    rules: &Rules,
    call: Call<'_>,
) -> Result<Reply, Problem> {
    let target = parse::path(call.path)?;
    let method = if call.method == "HEAD" {
        "GET"
    } else {
        call.method
    };
    if !target.methods().contains(&method) {
        let allowed = allowed(spine, identity, rules, &target).await.join(", ");
        return Err(Problem::new(Kind::MethodNotAllowed)
            .detail(format!("This address takes {allowed}."))
            .header("Allow", format!("{allowed}, HEAD")));
    }
    let parameters = parameters(call.query)?;
    match &target {
        Target::Index | Target::Tables | Target::Schema { .. } => {
            if target == Target::Tables {
                rules.tables.check_scope()?;
            }
            refuse_all(&parameters)?;
            let mut catalog = spine.catalog(identity).await?;
            let Target::Schema { table } = &target else {
                let tables_only = target == Target::Tables;
                return Ok(schema::index(&catalog, rules, call.base, tables_only));
            };
            if catalog.find(table).is_none() {
                catalog = spine.look_again(identity).await?;
            }
            let table = rules.resolve(&catalog, table)?;
            return Ok(schema::table(&catalog, rules, table, call.base));
        }
        _ => {}
    }
    refuse(spine, identity, rules, &target, method).await?;
    let (request, paging) = parse::request(method, &target, &parameters, &call)?;
    let csv = matches!(request, Request::List(_)) && call.headers.wants_csv();
    let prefers = request.is_write() && call.headers.prefers("tx", "rollback");
    let preferred = if prefers { Keep::No } else { Keep::Yes };
    let keep = if request.is_write() {
        rules.keep(preferred)
    } else {
        Keep::Yes
    };
    if let (true, Keep::Yes, Some(replay)) = (request.is_write(), keep, call.replay) {
        let requests = std::slice::from_ref(&request);
        let render = |answers| written(answers, &request, &target, &call);
        let once = Once {
            replay,
            render: &render,
        };
        // Boxed: it is large, and each request would carry room for it.
        let reply = Box::pin(spine.write_once(identity, rules, requests, once)).await;
        return Ok(reply.map_err(|fault| fault.problem)?.into());
    }
    let ask = Ask {
        identity,
        rules,
        request: &request,
        format: if csv { Format::Csv } else { Format::Json },
        keep,
    };
    let answer = spine.answer(ask).await?;
    let address = Address {
        base: call.base,
        path: call.path,
        query: call.query,
    };
    let mut reply = match (&request, paging) {
        (Request::List(_), Some(paging)) if csv => page::csv(answer, &paging),
        (Request::List(_), Some(paging)) => page::list(answer, &paging, &address),
        _ => shown(answer, &request, &target, &call)?,
    };
    if keep == Keep::No {
        reply.headers.push(("Sandlot-Simulated", "true".to_owned()));
    }
    if prefers {
        reply
            .headers
            .push(("Preference-Applied", "tx=rollback".to_owned()));
    }
    Ok(reply)
}

/// The methods that an address takes from the caller: a view may take no rows, and a token may not write.
async fn allowed(
    spine: &Spine,
    identity: &Identity,
    rules: &Rules,
    target: &Target,
) -> Vec<&'static str> {
    let mut methods = target.methods().to_vec();
    if let Target::Rows { table, .. } | Target::Row { table, .. } = target
        && let Ok(catalog) = spine.catalog(identity).await
        && let Ok(table) = rules.resolve(&catalog, table)
    {
        let table = &catalog.tables[table];
        let writes = rules.check_write(table).is_ok();
        methods.retain(|method| match *method {
            "GET" => true,
            "POST" => writes && table.insertable,
            "DELETE" => writes && table.deletable,
            _ => writes && table.updatable,
        });
    }
    methods
}

/// The answer to anything but a list.
fn shown(
    answer: Answer,
    request: &Request,
    target: &Target,
    call: &Call<'_>,
) -> Result<Reply, Problem> {
    match request {
        Request::Create(create) => Ok(render::created(answer, create.body.many, target, call)),
        _ => render::one(answer, target),
    }
}

/// The answer to a write, as the ledger keeps it.
fn written(
    mut answers: Vec<Answer>,
    request: &Request,
    target: &Target,
    call: &Call<'_>,
) -> Result<ledger::Reply, Box<Fault>> {
    let whole = |problem| Box::new(Fault { at: 0, problem });
    let answer = answers
        .pop()
        .ok_or_else(|| whole(Kind::InternalError.into()))?;
    let reply = shown(answer, request, target, call).map_err(whole)?;
    Ok(ledger::Reply {
        status: reply.status,
        headers: reply.headers,
        body: reply.body,
        duplicate: false,
    })
}

/// Refuses a call for who asks, before anything is said of what they sent.
async fn refuse(
    spine: &Spine,
    identity: &Identity,
    rules: &Rules,
    target: &Target,
    method: &str,
) -> Result<(), Problem> {
    let (Target::Rows { table, .. } | Target::Row { table, .. }) = target else {
        return Ok(());
    };
    let mut catalog = spine.catalog(identity).await?;
    if catalog.find(table).is_none() {
        // It may be a new one, and planning takes another look; but a body is looked at first.
        match rules.resolve(&catalog, table) {
            Err(problem) if method != "GET" && problem.kind != Kind::NotFound => {
                catalog = spine.look_again(identity).await?;
            }
            _ => return Ok(()),
        }
    }
    let table = rules.resolve(&catalog, table)?;
    match method {
        "GET" => Ok(()),
        // Nothing in the request would make it right.
        "POST" => {
            rules.check_write(&catalog.tables[table])?;
            check_insertable(&catalog.tables[table])
        }
        _ => rules.check_write(&catalog.tables[table]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod spelling;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod trials;
