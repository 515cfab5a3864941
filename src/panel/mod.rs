//! The admin panel: pages for people over the API, served from this host alone.
//!
//! A page is one function: it calls the API ([`api`]) with the access token of whoever is
//! signed in, and fills a template that stands beside it. The panel has no SQL and no rights of
//! its own. Addresses are the state: what a page shows follows from its address alone.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use poem::{Endpoint, Request, Response, Result, http::Method};

use crate::{
    audit::Audit,
    auth::{
        Auth,
        browser::{Browser, Pass},
        caller::Who,
    },
    directory::tenant,
    edge::{is_within, visit::Visit},
    listing::words::{decode, encode},
    problem::{Kind, Problem},
};

mod account;
mod api;
pub mod assets;
mod cells;
mod cookie;
mod csv;
mod data;
mod desk;
mod enter;
mod graphql;
mod home;
mod kept;
mod logs;
pub mod page;
pub mod query;
mod reports;
pub mod routes;
mod sandbox;
mod settings;
pub mod signed;
mod sql;
mod structure;
mod tables;
mod tokens;
mod users;

use api::{Api, Line, Routes};
use desk::Desk;
use page::Shell;
use query::Pairs;

/// How long what an access token says is used again; it is valid for five minutes.
const PASS: Duration = Duration::from_secs(200);

/// The endpoint of all pages under `/panel`, `/account`, `/login`, `/register`, and of the files they load.
pub struct Panel {
    line: Line,
    auth: Arc<Auth>,
    public_url: String,
    /// Bytes that a request may have.
    body_limit: usize,
    passes: Cache<String, Pass>,
}

/// One request to a page, taken apart.
struct Ask<'a> {
    panel: &'a Panel,
    request: &'a Request,
    visit: &'a Visit,
    method: Method,
    /// The parts of the path, decoded.
    path: Vec<String>,
    query: Pairs,
    body: &'a [u8],
}

impl Panel {
    /// Pages over the API's routes, for a server that people reach at `public_url`, and
    /// that takes `body_limit` bytes at once.
    ///
    /// What they do is written to `audit`, like calls from outside.
    pub fn new(
        routes: Routes,
        auth: Arc<Auth>,
        audit: Arc<Audit>,
        public_url: &str,
        body_limit: usize,
    ) -> Self {
        Self {
            line: Line { routes, audit },
            auth,
            public_url: public_url.to_owned(),
            body_limit,
            passes: Cache::builder()
                .max_capacity(10_000)
                .time_to_live(PASS)
                .build(),
        }
    }

    /// Whether a path is one of the panel's.
    pub fn has(path: &str) -> bool {
        path.starts_with(assets::PATH)
            || ["/panel", "/account", "/login", "/logout", "/register"]
                .iter()
                .any(|own| is_within(path, own))
    }

    /// Cookies go over HTTPS alone where people reach the server by it.
    fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    async fn pass(&self, browser: &Browser) -> Result<Pass, Problem> {
        if let Some(pass) = self.passes.get(&browser.session.family).await {
            return Ok(pass);
        }
        let pass = self.auth.pass(browser).await?;
        self.passes
            .insert(browser.session.family.clone(), pass.clone())
            .await;
        Ok(pass)
    }
}

impl Endpoint for Panel {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = request.take_body().into_bytes().await?;
        if request.original_uri().path().starts_with(assets::PATH) {
            return Ok(assets::serve(&request)?);
        }
        let ask = Ask::of(self, &request, &body);
        let answer = match ask {
            Ok(ask) => ask.answer().await,
            Err(problem) => Err(problem),
        };
        let mut response = match answer {
            Ok(response) => response,
            // A script is told as the API tells it.
            Err(problem) if is_json(&request) => return Err(problem.into()),
            Err(problem) if keeps_page(&request) => page::kept(&problem),
            Err(problem) => page::problem(&request, &problem),
        };
        page::finish(&request, &mut response).await?;
        Ok(response)
    }
}

/// Whether what was typed, or a whole grid, would be lost if a page about a problem took its place.
fn keeps_page(request: &Request) -> bool {
    let part = request.original_uri().path().contains("/cell/");
    page::is_fragment(request) && (part || request.method() == Method::POST)
}

/// Whether a script sends JSON, and not a form.
fn is_json(request: &Request) -> bool {
    request.content_type() == Some("application/json")
}

impl<'a> Ask<'a> {
    fn of(panel: &'a Panel, request: &'a Request, body: &'a [u8]) -> Result<Self, Problem> {
        let uri = request.original_uri();
        let path = uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| decode(part, false).ok_or(Kind::NotFound.into()))
            .collect::<Result<_, Problem>>()?;
        Ok(Self {
            panel,
            request,
            visit: Visit::of(request)?,
            method: request.method().clone(),
            path,
            query: Pairs::read(uri.query().unwrap_or_default()),
            body,
        })
    }

    async fn answer(&self) -> Result<Response, Problem> {
        let changes = self.method == Method::POST;
        if !changes && self.method != Method::GET && self.method != Method::HEAD {
            return Err(Problem::new(Kind::MethodNotAllowed).detail("Pages take GET and POST."));
        }
        if changes {
            self.refuse_other_sites()?;
        }
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let known = match path.as_slice() {
            ["panel", _, rest @ ..] => routes::has(routes::TENANT, changes, rest),
            path => [routes::OPEN, routes::SIGNED_IN]
                .iter()
                .any(|list| routes::has(list, changes, path)),
        };
        let browser = self.browser().await?;
        match (changes, path.as_slice()) {
            _ if !known => {}
            (false, ["login"]) => return enter::login_page(self, browser.as_ref()),
            (true, ["login"]) => return enter::login(self).await,
            (false, ["register"]) => return enter::register_page(self),
            (true, ["register"]) => return enter::register(self).await,
            _ => {}
        }
        let Some(browser) = browser else {
            return self.to_login();
        };
        if changes && !browser.sent(&self.form_token()) {
            return Err(Problem::new(Kind::PermissionDenied)
                .detail("The form is not of this sign-in. Reload the page and try again."));
        }
        let pass = match self.panel.pass(&browser).await {
            Ok(pass) => pass,
            // Whoever signed in is gone.
            Err(problem) if problem.kind == Kind::InvalidToken => {
                self.panel.auth.leave(&browser).await?;
                return self.to_login();
            }
            Err(problem) => return Err(problem),
        };
        self.visit.admit(browser.who.clone().into(), None).await?;
        if !known {
            return Err(Kind::NotFound.into());
        }
        match (changes, path.as_slice()) {
            (true, ["logout"]) => enter::logout(self, &browser, false).await,
            (true, ["logout", "everywhere"]) => enter::logout(self, &browser, true).await,
            (false, ["account"]) => account::show(self, &browser, &pass).await,
            (true, ["account"]) => account::change(self, &browser, &pass).await,
            (false, ["panel"]) => enter::tenants(self, &browser, &pass).await,
            (_, ["panel", tenant, rest @ ..]) => {
                let tenant = self.tenant(&browser, tenant).await?;
                self.visit.note_tenant(tenant.id);
                let desk = Desk::new(self, &browser, &pass, tenant);
                desk.answer(changes, rest).await
            }
            _ => Err(Kind::NotFound.into()),
        }
    }

    /// A form of another site is refused: browsers say where it stands (Fetch Metadata), or at
    /// least of which origin it is.
    fn refuse_other_sites(&self) -> Result<(), Problem> {
        let header = |name: &str| {
            self.request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let own = match (header("sec-fetch-site"), header("origin")) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => {
                let host = origin.split_once("://").map(|(_, host)| host);
                host.is_some() && host == header("host")
            }
            (None, None) => true,
        };
        if own {
            return Ok(());
        }
        Err(Problem::new(Kind::PermissionDenied)
            .detail("The form does not stand on a page of this server."))
    }

    async fn browser(&self) -> Result<Option<Browser>, Problem> {
        match cookie::session(self.request) {
            Some(cookie) => self.panel.auth.browser(&cookie).await,
            None => Ok(None),
        }
    }

    /// The token that a form carries, in a field or, sent by script, in a header.
    fn form_token(&self) -> String {
        let sent = self.request.headers().get("x-csrf-token");
        match sent.and_then(|value| value.to_str().ok()) {
            Some(token) => token.to_owned(),
            None => self.form().text("_csrf").to_owned(),
        }
    }

    /// A part of the path as sent, percent-encoded: a key keeps its commas apart.
    fn raw_part(&self, at: usize) -> &str {
        let path = self.request.original_uri().path();
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.nth(at).unwrap_or_default()
    }

    /// The fields of the form that was sent.
    fn form(&self) -> Pairs {
        Pairs::read(std::str::from_utf8(self.body).unwrap_or_default())
    }

    /// A tenant that whoever is signed in may work in; any other is as if it were not there.
    async fn tenant(&self, browser: &Browser, id: &str) -> Result<tenant::Model, Problem> {
        let missing =
            || Problem::new(Kind::NotFound).detail("You have no copy under this address.");
        let id: i64 = id.parse().map_err(|_| missing())?;
        let tenant = self.panel.auth.directory().tenant(id).await?;
        tenant
            .filter(|tenant| match &browser.who {
                Who::Account { id } => tenant.account_id == *id,
                Who::User { tenant: own, .. } => tenant.id == *own,
                Who::Token { .. } | Who::Anybody => false,
            })
            .filter(|tenant| tenant.status != tenant::Status::Deleting)
            .ok_or_else(missing)
    }

    /// The API; what is called draws from limits as it would from outside.
    fn api<'b>(&'b self, access: &'b str, key: &'b str) -> Api<'b> {
        Api::new(&self.panel.line, self.request, self.visit, access, key)
    }

    /// A page's frame for somebody who is not signed in.
    fn shell(&self, title: &str) -> Shell {
        Shell::new(self.request, title)
    }

    fn to_login(&self) -> Result<Response, Problem> {
        if keeps_page(self.request) {
            return Err(Problem::new(Kind::InvalidToken).detail(
                "You are not logged in any more. Log in in another tab and send it again: what is typed here stays.",
            ));
        }
        let mut address = "/login".to_owned();
        if self.method == Method::GET {
            let here = self.request.original_uri().to_string();
            address = format!("/login?next={}", encode(&here));
        }
        Ok(page::to(self.request, &address))
    }
}
