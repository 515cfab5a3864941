//! `GET /api/v1/auth/test`: a credential is tried, and told what it is good for.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use poem::{
    Endpoint, Request, Response, Result,
    http::{Method, header},
};
use serde_json::{Value, json};

use crate::{
    auth::{
        Auth,
        caller::{Caller, Place, Role, Who},
        rights,
        tokens::Scope,
    },
    data::Spine,
    edge::headers::part,
    problem::{Kind, Problem},
};

/// Where a credential is tried.
pub const PATH: &str = "/api/v1/auth/test";

/// The endpoint of [`PATH`].
pub struct Test;

impl Endpoint for Test {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        Ok(answer(&request).await?)
    }
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    let auth = part::<Arc<Auth>>(request)?;
    let caller = auth.caller(request).await?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::new(Kind::MethodNotAllowed)
            .detail("This address is read.")
            .header("Allow", "GET, HEAD"));
    }
    let (identity, mode) = rights::place(&caller, auth.tenants())?;
    let rules = rights::rules(&caller);
    let catalog = part::<Arc<Spine>>(request)?.catalog(&identity).await?;
    let seen = catalog.tables.iter().filter(|table| rules.sees(table));
    let (views, tables): (Vec<_>, Vec<_>) = seen.partition(|table| table.kind.is_view());
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header("sandlot-mode", mode);
    for (name, value) in rights::marks(&caller, auth.directory()) {
        response = response.header(name, value);
    }
    let mut document = credential(&caller);
    document["schema"] = match &caller.place {
        Place::Tenant(tenant) => tenant.schema.as_str().into(),
        Place::Template | Place::Demo(_) => Value::Null,
    };
    document["tables"] = tables.len().into();
    document["views"] = views.len().into();
    document["server_time"] = Utc::now()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
        .into();
    Ok(response.body(document.to_string()))
}

/// What the credential is, and what it may be used for.
fn credential(caller: &Caller) -> Value {
    if let Some(token) = &caller.token {
        return json!({
            "name": token.name,
            "kind": token.kind.as_str(),
            "scopes": token.scopes,
            "signed": token.hmac_secret.is_some(),
            "expires_at": token.expires_at,
        });
    }
    let scopes = Scope::ALL.into_iter().filter(|scope| match scope {
        Scope::Tables | Scope::Views | Scope::Graphql => true,
        Scope::Write => caller.role >= Role::Editor,
        Scope::Sql => caller.role >= Role::Admin && caller.who != Who::Anybody,
    });
    json!({
        "name": null,
        "kind": match caller.who {
            Who::Account { .. } => "account",
            Who::Anybody => "demo",
            _ => "user",
        },
        "scopes": scopes.collect::<Vec<_>>(),
        "signed": false,
        "expires_at": null,
    })
}
