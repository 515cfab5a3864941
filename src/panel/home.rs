//! A tenant's first page: its state, its key, how it is reached, the first call to try.

use askama::Template;
use poem::Response;
use serde::Deserialize;

use crate::{listing::words::encode, problem::Problem};

use super::{
    cookie,
    desk::Desk,
    page::{self, Shell},
};

/// What is said once a copy is there.
pub const MADE: &str = "Your copy is made.";

#[derive(Template)]
#[template(path = "panel/home.html")]
struct HomePage {
    shell: Shell,
    base: String,
    state: State,
    url: String,
    size: String,
    curl: String,
    psql: Option<String>,
}

#[derive(Template)]
#[template(path = "panel/status.html")]
struct StatusPart {
    base: String,
    state: State,
}

/// What `GET /api/tenant` says.
#[derive(Deserialize)]
struct State {
    status: String,
    created_at: String,
    expires_at: Option<String>,
    template_version: i64,
    size_bytes: Option<i64>,
    progress: Option<Progress>,
}

#[derive(Deserialize)]
struct Progress {
    stage: String,
    ahead: usize,
}

/// `GET /panel/{id}`
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    let state = state(desk).await?;
    let shell = desk.shell(&desk.tenant.schema, "home").await?;
    let tables = shell.tenant.iter().flat_map(|head| &head.tables);
    let mut names: Vec<&str> = tables.map(|table| table.name.as_str()).collect();
    // Any table will do; the CRM's clients say most to somebody new.
    names.sort_by_key(|name| (*name != "clients", !name.is_ascii()));
    let target = names.first().map_or_else(String::new, |name| {
        let fixed = if *name == "clients" { "" } else { "tables/" };
        format!("{fixed}{}?per_page=3", encode(name))
    });
    let curl = format!(
        "curl '{}/api/v1/{target}' \\\n  -H 'Api-Key: {}' \\\n  -H 'Authorization: Bearer {}'",
        desk.public_url(),
        desk.tenant.api_key,
        desk.pass.access
    );
    page::page(&HomePage {
        base: desk.base(),
        size: state.size_bytes.map(megabytes).unwrap_or_default(),
        url: desk.public_url().to_owned(),
        psql: psql(desk).await,
        shell,
        state,
        curl,
    })
}

/// `GET /panel/{id}/status`: how far the copy is, asked for until it is made.
pub async fn status(desk: &Desk<'_>) -> Result<Response, Problem> {
    let state = state(desk).await?;
    if state.status == "ready" {
        let mut response = page::to(desk.ask.request, &desk.base());
        cookie::set_did(&mut response, MADE);
        return Ok(response);
    }
    page::page(&StatusPart {
        base: desk.base(),
        state,
    })
}

async fn state(desk: &Desk<'_>) -> Result<State, Problem> {
    desk.api().get("/api/tenant").await?.json()
}

/// How a database client connects, where the server lets one.
async fn psql(desk: &Desk<'_>) -> Option<String> {
    let reply = desk.api().get("/api/tenant/connection").await.ok()?;
    let value: serde_json::Value = reply.json().ok()?;
    Some(format!("psql '{}'", value["url"].as_str()?))
}

fn megabytes(bytes: i64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
