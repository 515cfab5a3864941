//! API tokens: making them, what each may do, changing that, revoking them.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::problem::{FieldErrors, Kind, Problem};

use super::{
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
    tables,
};

/// What a token may be used for, with words.
const SCOPES: [(&str, &str); 5] = [
    ("tables", "tables"),
    ("views", "views"),
    ("graphql", "GraphQL"),
    ("write", "writing"),
    ("sql", "SQL (needs writing, and all tables)"),
];

#[derive(Template)]
#[template(path = "panel/tokens.html")]
struct TokensPage {
    shell: Shell,
    base: String,
    url: String,
    tokens: Vec<Token>,
    made: Option<Made>,
    scopes: &'static [(&'static str, &'static str)],
    tables: Vec<String>,
    views: Vec<String>,
    form: Pairs,
    errors: FieldErrors,
    fault: Option<String>,
    open: bool,
}

/// One token, to be changed.
#[derive(Template)]
#[template(path = "panel/token.html")]
struct TokenPage {
    shell: Shell,
    base: String,
    token: Token,
    scopes: &'static [(&'static str, &'static str)],
    tables: Vec<String>,
    views: Vec<String>,
    form: Pairs,
    errors: FieldErrors,
    fault: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    data: Vec<Token>,
}

/// A token without its secrets.
#[derive(Deserialize)]
struct Token {
    id: i64,
    name: String,
    kind: String,
    hint: String,
    scopes: Vec<String>,
    allowed_tables: Vec<String>,
    allowed_views: Vec<String>,
    hmac: bool,
    ip_allowlist: Vec<String>,
    domain_allowlist: Vec<String>,
    rate_limit: Option<i64>,
    expires_at: Option<String>,
    created_at: String,
    last_used_at: Option<String>,
}

/// A token's secrets, this once.
#[derive(Deserialize)]
struct Made {
    name: String,
    token: String,
    hmac_secret: Option<String>,
}

/// What the fields that both pages have ask of a page.
macro_rules! fields {
    ($($page:ty),*) => {$(
        impl $page {
            fn has(&self, scope: &str) -> bool {
                self.picked("scope", scope)
            }

            fn picked(&self, field: &str, name: &str) -> bool {
                self.form.all(field).any(|given| given == name)
            }

            fn messages(&self, field: &str) -> String {
                self.errors
                    .get(field)
                    .map_or_else(String::new, |messages| messages.join("; "))
            }
        }
    )*};
}

fields!(TokensPage, TokenPage);

impl Token {
    /// The form that says what it is now.
    fn form(&self) -> Pairs {
        let one = |name: &str, value: String| (name.to_owned(), value);
        let day = self.expires_at.as_deref().map(page::day);
        let mut fields = vec![
            one("name", self.name.clone()),
            one("expires_at", day.unwrap_or_default().to_owned()),
            one(
                "rate_limit",
                self.rate_limit
                    .map_or_else(String::new, |rate| rate.to_string()),
            ),
            one("ip_allowlist", self.ip_allowlist.join(", ")),
            one("domain_allowlist", self.domain_allowlist.join(", ")),
        ];
        for (name, items) in [
            ("scope", &self.scopes),
            ("allowed_tables", &self.allowed_tables),
            ("allowed_views", &self.allowed_views),
        ] {
            fields.extend(items.iter().map(|item| one(name, item.clone())));
        }
        Pairs(fields)
    }

    /// What it reaches, in words.
    fn reach(&self) -> String {
        let list = |what: &str, names: &[String]| {
            (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
        };
        let parts = [
            list("tables", &self.allowed_tables),
            list("views", &self.allowed_views),
            list("from", &self.ip_allowlist),
            list("pages of", &self.domain_allowlist),
            self.rate_limit.map(|rate| format!("{rate} a minute")),
            self.hmac.then(|| "signed".to_owned()),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// `GET /panel/{id}/tokens`; the form opens with what the address says.
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.query.clone();
    page::page(&listed(desk, form, None, None).await?)
}

/// `POST /panel/{id}/tokens`
pub async fn change(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.form();
    if form.text("do") == "revoke" {
        let id: i64 = form.text("id").parse().unwrap_or_default();
        let none = bytes::Bytes::new();
        let target = format!("/api/tokens/{id}");
        desk.api().call(Method::DELETE, &target, &[], none).await?;
        let address = format!("{}/tokens", desk.base());
        return Ok(page::done(&address, "The token is revoked."));
    }
    match desk
        .api()
        .send(Method::POST, "/api/tokens", &body(&form))
        .await
    {
        Ok(reply) => {
            let made: Made = reply.json()?;
            page::page(&listed(desk, Pairs::default(), Some(made), None).await?)
        }
        Err(problem) if problem.kind.status() < 500 => {
            let status = problem.kind.status();
            page::page_with(status, &listed(desk, form, None, Some(problem)).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `GET /panel/{id}/tokens/{token}`
pub async fn one(desk: &Desk<'_>, id: &str) -> Result<Response, Problem> {
    let token = token(desk, id).await?;
    let form = token.form();
    page::page(&changed(desk, token, form, None).await?)
}

/// `POST /panel/{id}/tokens/{token}`
pub async fn edit(desk: &Desk<'_>, id: &str) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let token = token(desk, id).await?;
    let target = format!("/api/tokens/{}", token.id);
    let changes = changes(&form, &token);
    match desk.api().send(Method::PATCH, &target, &changes).await {
        Ok(_) => {
            let address = format!("{}/tokens", desk.base());
            Ok(page::done(&address, "The token is changed."))
        }
        Err(problem) if problem.kind.status() < 500 => {
            let status = problem.kind.status();
            page::page_with(status, &changed(desk, token, form, Some(problem)).await?)
        }
        Err(problem) => Err(problem),
    }
}

async fn token(desk: &Desk<'_>, id: &str) -> Result<Token, Problem> {
    let id: i64 = id.parse().map_err(|_| Kind::NotFound)?;
    desk.api().get(&format!("/api/tokens/{id}")).await?.json()
}

async fn changed(
    desk: &Desk<'_>,
    token: Token,
    form: Pairs,
    refused: Option<Problem>,
) -> Result<TokenPage, Problem> {
    let (mut tables, mut views) = reachable(desk).await?;
    // What it may reach and is not there at present stays to be seen.
    for (all, own) in [
        (&mut tables, &token.allowed_tables),
        (&mut views, &token.allowed_views),
    ] {
        let gone: Vec<String> = own
            .iter()
            .filter(|name| !all.contains(name))
            .cloned()
            .collect();
        all.extend(gone);
    }
    let fault = refused.as_ref().filter(|problem| problem.errors.is_empty());
    Ok(TokenPage {
        shell: desk.shell(&token.name, "tokens").await?,
        base: format!("{}/tokens", desk.base()),
        scopes: &SCOPES,
        tables,
        views,
        token,
        form,
        fault: fault.map(|problem| problem.detail.clone().into_owned()),
        errors: refused.map(|problem| problem.errors).unwrap_or_default(),
    })
}

async fn listed(
    desk: &Desk<'_>,
    mut form: Pairs,
    made: Option<Made>,
    refused: Option<Problem>,
) -> Result<TokensPage, Problem> {
    let tokens: Tokens = desk.api().get("/api/tokens").await?.json()?;
    let (tables, views) = reachable(desk).await?;
    let fault = refused.as_ref().filter(|problem| problem.errors.is_empty());
    let open =
        refused.is_some() || !form.0.is_empty() || (tokens.data.is_empty() && made.is_none());
    if form.0.is_empty() {
        let usual = ["tables", "views", "graphql"];
        form.0
            .extend(usual.map(|scope| ("scope".to_owned(), scope.to_owned())));
    }
    Ok(TokensPage {
        shell: desk.shell("Tokens", "tokens").await?,
        base: format!("{}/tokens", desk.base()),
        url: desk.public_url().to_owned(),
        open,
        tokens: tokens.data,
        made,
        scopes: &SCOPES,
        tables,
        views,
        form,
        fault: fault.map(|problem| problem.detail.clone().into_owned()),
        errors: refused.map(|problem| problem.errors).unwrap_or_default(),
    })
}

/// All tables, and all views, that a token may be limited to.
async fn reachable(desk: &Desk<'_>) -> Result<(Vec<String>, Vec<String>), Problem> {
    let (mut kept, mut views) = (Vec::new(), Vec::new());
    for table in tables::list(desk.api()).await? {
        if table.kind.contains("view") {
            views.push(table.name);
        } else {
            kept.push(table.name);
        }
    }
    Ok((kept, views))
}

/// The body of the call that makes a token.
fn body(form: &Pairs) -> Value {
    let mut body = said(form);
    body.retain(|_, value| {
        !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
    });
    body.entry("scopes")
        .or_insert_with(|| Value::Array(Vec::new()));
    if form.get("hmac").is_some() {
        body.insert("hmac".into(), true.into());
    }
    if form.text("kind") == "embed" {
        body.insert("kind".into(), "embed".into());
    }
    Value::Object(body)
}

/// The body of the call that changes a token: all that the form says.
fn changes(form: &Pairs, token: &Token) -> Value {
    let mut body = said(form);
    // A day that was not touched keeps its hour.
    let day = token.expires_at.as_deref().map(page::day);
    if form.text("expires_at") == day.unwrap_or_default() {
        body.remove("expires_at");
    }
    Value::Object(body)
}

/// What a form says of a token; null and empty lists for what it leaves open.
fn said(form: &Pairs) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("name".into(), form.text("name").into());
    for (member, field) in [
        ("scopes", "scope"),
        ("allowed_tables", "allowed_tables"),
        ("allowed_views", "allowed_views"),
    ] {
        body.insert(member.into(), form.all(field).collect::<Vec<_>>().into());
    }
    for name in ["ip_allowlist", "domain_allowlist"] {
        let items = form.text(name).split([',', ' ', '\n', '\r']);
        let items: Vec<&str> = items.filter(|item| !item.is_empty()).collect();
        body.insert(name.into(), items.into());
    }
    let rate = match form.text("rate_limit") {
        "" => Value::Null,
        text => text
            .parse::<i64>()
            .map_or_else(|_| Value::from(text), Value::from),
    };
    body.insert("rate_limit".into(), rate);
    let end = match form.text("expires_at") {
        "" => Value::Null,
        day => format!("{day}T00:00:00Z").into(),
    };
    body.insert("expires_at".into(), end);
    body
}
