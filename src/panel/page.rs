//! The frame of every page, problems as pages, and what all answers of the panel have in common.

use askama::Template;
use poem::{
    Request, Response,
    http::{HeaderValue, StatusCode, header},
};

use crate::{
    directory::tenant,
    problem::{FieldErrors, Kind, Problem},
};

use super::{assets, cookie};

/// Nothing but what this host serves, no script or style inside a page, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every page has around it.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// What the page is called.
    pub title: String,
    /// What forms carry; empty for whoever is not signed in.
    pub csrf: String,
    /// Whoever is signed in.
    pub email: String,
    /// Whether the browser has a session, also where it is not asked whose.
    pub known: bool,
    /// The tenant that the page is about.
    pub tenant: Option<Head>,
    /// Which entry of the navigation it belongs to.
    pub active: &'static str,
    /// What the last form did.
    pub did: Option<String>,
    /// Addresses of what pages load.
    pub css: &'static str,
    /// See `css`.
    pub js: &'static str,
    /// See `css`.
    pub htmx: &'static str,
    /// See `css`.
    pub icon: &'static str,
}

/// The tenant that a page is about.
#[derive(Clone, Debug)]
pub struct Head {
    /// What the addresses of its pages begin with: `/panel/7`.
    pub base: String,
    /// Its schema.
    pub schema: String,
    /// Its `Api-Key`.
    pub key: String,
    /// Whether it can be used.
    pub ready: bool,
    /// Whether whoever is signed in administers it.
    pub admin: bool,
    /// Whether they may write rows.
    pub writes: bool,
    /// Tables and views, for the navigation.
    pub tables: Vec<Entry>,
}

/// A table or view in the navigation.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// Where its rows are.
    pub href: String,
    /// Whether it is a view.
    pub view: bool,
}

impl Shell {
    /// The frame of a page for whoever asks.
    pub fn new(request: &Request, title: &str) -> Self {
        Self {
            title: title.to_owned(),
            did: cookie::did(request),
            known: cookie::session(request).is_some(),
            css: assets::address("panel.css"),
            js: assets::address("panel.js"),
            htmx: assets::address("htmx.js"),
            icon: assets::address("icon.svg"),
            ..Self::default()
        }
    }
}

impl Head {
    /// The head of a tenant's pages.
    pub fn new(tenant: &tenant::Model) -> Self {
        Self {
            base: format!("/panel/{}", tenant.id),
            schema: tenant.schema.clone(),
            key: tenant.api_key.clone(),
            ready: tenant.status == tenant::Status::Ready,
            admin: false,
            writes: false,
            tables: Vec::new(),
        }
    }
}

impl Head {
    /// The navigation's entries: name, address, title.
    pub fn sections(&self) -> Vec<(&'static str, String, &'static str)> {
        let at = |name: &'static str, title| (name, format!("{}/{name}", self.base), title);
        let mut sections = vec![("home", self.base.clone(), "Overview")];
        if !self.ready {
            return sections;
        }
        sections.push(at("data", "Data"));
        sections.push(at("structure", "Structure"));
        if self.admin {
            sections.push(at("sql", "SQL"));
        }
        sections.push(at("graphql", "GraphQL"));
        sections.push(at("reports", "Reports"));
        if self.admin {
            sections.push(at("tokens", "Tokens"));
            sections.push(at("users", "Users"));
            sections.push(at("logs", "Logs"));
            sections.push(at("sandbox", "Sandbox"));
            sections.push(at("settings", "Settings"));
            sections.push(at("demo", "Demo and limits"));
        }
        sections
    }
}

/// The day of an instant.
pub fn day(instant: &str) -> &str {
    instant.get(..10).unwrap_or(instant)
}

/// The minute of an instant, in UTC.
pub fn minute(instant: &str) -> String {
    instant.get(..16).unwrap_or(instant).replace('T', " ")
}

/// Gives an answer one more header.
pub fn put(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[derive(Template)]
#[template(path = "panel/problem.html")]
struct ProblemPage<'a> {
    shell: Shell,
    problem: &'a Problem,
    errors: &'a FieldErrors,
    status: u16,
}

/// A template as a page.
///
/// # Errors
/// `internal-error` if it can't be written, which a test would have shown.
pub fn page(template: &impl Template) -> Result<Response, Problem> {
    page_with(200, template)
}

/// A template as a page with a status of its own.
///
/// # Errors
/// As [`page`].
pub fn page_with(status: u16, template: &impl Template) -> Result<Response, Problem> {
    let text = template
        .render()
        .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
    Ok(Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::OK))
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .body(text))
}

/// A problem as a page.
pub fn problem(request: &Request, problem: &Problem) -> Response {
    if let Some(source) = &problem.source {
        tracing::debug!(slug = problem.kind.slug(), cause = %source, "a page failed");
    }
    let status = problem.kind.status();
    let shown = ProblemPage {
        shell: Shell::new(request, problem.kind.title()),
        errors: &problem.errors,
        problem,
        status,
    };
    let mut response = page_with(status, &shown).unwrap_or_else(|_| {
        Response::builder()
            .status(StatusCode::INTERNAL_SERVER_ERROR)
            .finish()
    });
    for (name, value) in &problem.headers {
        let name = poem::http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A problem as a line above the page, which htmx leaves as it is.
pub fn kept(problem: &Problem) -> Response {
    let errors = problem.errors.iter();
    let errors = errors.map(|(name, messages)| format!(" {name} {}.", messages.join("; ")));
    let status = StatusCode::from_u16(problem.kind.status());
    Response::builder()
        .status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header("hx-reswap", "none")
        .content_type("text/plain; charset=utf-8")
        .body(format!("{}{}", problem.detail, errors.collect::<String>()))
}

/// Leads to another page; a whole new one, whoever asks.
pub fn to(request: &Request, address: &str) -> Response {
    // What htmx fetched would be put into the page that is there.
    if is_fragment(request) {
        return Response::builder()
            .status(StatusCode::OK)
            .header("hx-redirect", address)
            .finish();
    }
    Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, address)
        .finish()
}

/// Leads to another page after a form, which htmx follows by itself.
pub fn done(address: &str, did: &str) -> Response {
    let mut response = Response::builder()
        .status(StatusCode::SEE_OTHER)
        .header(header::LOCATION, address)
        .finish();
    if !did.is_empty() {
        cookie::set_did(&mut response, did);
    }
    response
}

/// Whether htmx asks, for a part of a page.
pub fn is_fragment(request: &Request) -> bool {
    request.headers().contains_key("hx-request")
}

/// A public page is asked for anew each time; what is in it for somebody who is signed in is kept
/// nowhere.
pub fn keep_fresh(request: &Request, response: &mut Response) {
    let signed = cookie::session(request).is_some();
    let cache = if signed { "no-store" } else { "no-cache" };
    put(response, "cache-control", cache);
}

/// What all answers have in common: the policy, and compression.
///
/// # Errors
/// When the body can't be read, which is a fault of the server.
pub async fn finish(request: &Request, response: &mut Response) -> poem::Result<()> {
    let headers = response.headers_mut();
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    headers
        .entry("x-frame-options")
        .or_insert(HeaderValue::from_static("DENY"));
    headers.insert(
        "cross-origin-opener-policy",
        HeaderValue::from_static("same-origin"),
    );
    let is = |media: &[u8]| {
        let said = headers.get(header::CONTENT_TYPE);
        said.is_some_and(|said| said.as_bytes().starts_with(media))
    };
    let html = is(b"text/html");
    if !html && !is(b"application/json") {
        return Ok(());
    }
    if html
        && cookie::did(request).is_some()
        && !response.headers().contains_key(header::SET_COOKIE)
    {
        cookie::clear_did(response);
    }
    if assets::accepts_gzip(request) {
        let body = response.take_body().into_bytes().await?;
        response.set_body(assets::gzip(&body));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    Ok(())
}
