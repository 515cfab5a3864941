//! API tokens: making them, what each may do, revoking them.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::problem::{FieldErrors, Problem};

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

impl TokensPage {
    fn has(&self, scope: &str) -> bool {
        if self.form.0.is_empty() {
            return matches!(scope, "tables" | "views" | "graphql");
        }
        self.form.all("scope").any(|given| given == scope)
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

impl Token {
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

async fn listed(
    desk: &Desk<'_>,
    form: Pairs,
    made: Option<Made>,
    refused: Option<Problem>,
) -> Result<TokensPage, Problem> {
    let tokens: Tokens = desk.api().get("/api/tokens").await?.json()?;
    let (mut kept, mut views) = (Vec::new(), Vec::new());
    for table in tables::list(desk.api()).await? {
        if table.kind.contains("view") {
            views.push(table.name);
        } else {
            kept.push(table.name);
        }
    }
    let fault = refused.as_ref().filter(|problem| problem.errors.is_empty());
    Ok(TokensPage {
        shell: desk.shell("Tokens", "tokens").await?,
        base: format!("{}/tokens", desk.base()),
        url: desk.public_url().to_owned(),
        open: refused.is_some() || !form.0.is_empty() || (tokens.data.is_empty() && made.is_none()),
        tokens: tokens.data,
        made,
        scopes: &SCOPES,
        tables: kept,
        views,
        form,
        fault: fault.map(|problem| problem.detail.clone().into_owned()),
        errors: refused.map(|problem| problem.errors).unwrap_or_default(),
    })
}

/// The body of the call that makes a token.
fn body(form: &Pairs) -> Value {
    let mut body = Map::new();
    body.insert("name".into(), form.text("name").into());
    body.insert(
        "scopes".into(),
        form.all("scope").collect::<Vec<_>>().into(),
    );
    for name in ["allowed_tables", "allowed_views"] {
        let names: Vec<&str> = form.all(name).collect();
        if !names.is_empty() {
            body.insert(name.into(), names.into());
        }
    }
    for name in ["ip_allowlist", "domain_allowlist"] {
        let items = form.text(name).split([',', ' ', '\n', '\r']);
        let items: Vec<&str> = items.filter(|item| !item.is_empty()).collect();
        if !items.is_empty() {
            body.insert(name.into(), items.into());
        }
    }
    if form.get("hmac").is_some() {
        body.insert("hmac".into(), true.into());
    }
    if form.text("kind") == "embed" {
        body.insert("kind".into(), "embed".into());
    }
    if !form.text("rate_limit").is_empty() {
        let text = form.text("rate_limit");
        let rate = text
            .parse::<i64>()
            .map_or_else(|_| Value::from(text), Value::from);
        body.insert("rate_limit".into(), rate);
    }
    if !form.text("expires_at").is_empty() {
        body.insert(
            "expires_at".into(),
            format!("{}T00:00:00Z", form.text("expires_at")).into(),
        );
    }
    Value::Object(body)
}
