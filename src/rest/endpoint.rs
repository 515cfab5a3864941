//! Where the web framework meets the surface: who asks, on which schema, with which rights.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
};
use tenants::{Identity, Tenants};

use crate::{
    auth::{
        self, Auth,
        caller::{Caller, Place, Role},
    },
    data::{
        Spine,
        plan::{Refusal, Rules, Secret, Special},
    },
    problem::{Kind, Problem},
};

use super::{Call, parse::Headers};

/// What the data API's paths begin with.
pub const BASE: &str = "/api/v1";

/// How HTTP writes an instant (RFC 9110, 5.6.7).
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// The endpoint of everything under [`BASE`].
pub struct Rest;

impl Endpoint for Rest {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body().into_bytes().await?;
        Ok(answer(&request, &body).await?)
    }
}

async fn answer(request: &Request, body: &[u8]) -> Result<Response, Problem> {
    let auth = part::<Arc<Auth>>(request)?;
    let spine = part::<Arc<Spine>>(request)?;
    let caller = auth.caller(request.headers()).await?;
    let (identity, mode) = place(&caller, auth.tenants())?;
    let rules = rules(&caller);
    let uri = request.original_uri();
    let prefer = joined(request.headers(), "prefer");
    let call = Call {
        method: request.method().as_str(),
        base: BASE,
        path: uri.path().strip_prefix(BASE).unwrap_or_default(),
        query: uri.query().unwrap_or_default(),
        headers: Headers {
            content_type: one(request.headers(), header::CONTENT_TYPE),
            accept: one(request.headers(), header::ACCEPT),
            prefer: prefer.as_deref(),
        },
        body,
    };
    let reply = super::handle(spine, &identity, &rules, call).await?;
    let mut response = Response::builder()
        .status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK))
        .header("sandlot-mode", mode)
        .body(reply.body);
    if let Place::Tenant(tenant) = &caller.place
        && let Some(at) = auth.directory().expiry(tenant)
        && let Ok(value) = HeaderValue::from_str(&at.format(HTTP_DATE).to_string())
    {
        response.headers_mut().insert("sunset", value);
    }
    for (name, value) in reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// How to log in for the caller, and what the header `Sandlot-Mode` says of it.
fn place(caller: &Caller, tenants: &Tenants) -> Result<(Identity, &'static str), Problem> {
    match &caller.place {
        Place::Template => Ok((tenants.reader(), "template")),
        Place::Tenant(tenant) => Ok((auth::usable(tenant)?, "live")),
    }
}

/// What the caller may see and do.
fn rules(caller: &Caller) -> Rules {
    let mut users = Special {
        table: "users".to_owned(),
        hidden: vec!["password_hash".to_owned()],
        secrets: vec![Secret {
            given: "password".to_owned(),
            stored: "password_hash".to_owned(),
        }],
        ..Special::default()
    };
    let no_writes = match (&caller.place, caller.role) {
        (Place::Template, _) => {
            users.absent = true;
            Some(Refusal::new(Kind::ReadOnly))
        }
        (_, Role::Viewer) => Some(denied(
            "Viewers read; writing rows needs the role `editor` or `admin`.",
        )),
        (_, Role::Editor) => {
            users.no_writes = Some(denied("Only administrators write to `users`."));
            None
        }
        (_, Role::Admin) => None,
    };
    Rules {
        no_writes,
        special: vec![users],
        ..Rules::default()
    }
}

fn denied(detail: &'static str) -> Refusal {
    Refusal {
        kind: Kind::PermissionDenied,
        detail: Some(detail.into()),
    }
}

fn part<T: Send + Sync + 'static>(request: &Request) -> Result<&T, Problem> {
    request.data().ok_or_else(|| Kind::Unauthorized.into())
}

fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// All values of a header that may come several times (RFC 9110, 5.3).
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}
