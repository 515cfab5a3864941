//! `/api_docs`: guide, samples, deployment and every error; and the page where calls are tried.

use askama::Template;
use poem::{
    Request, Response, Result, handler,
    http::{HeaderValue, header},
    web::Data,
};
use serde_json::json;

use crate::{
    auth::jwt,
    exports::openapi::{DOCUMENT, PARAMETER, SUMMARY},
    panel::{
        assets,
        page::{self, Shell},
        query::Pairs,
        signed::{self, Copy, Signed},
    },
    problem::Kind,
};

use super::{
    problems::{PublicToken, PublicUrl},
    samples::{Credentials, ENDPOINTS, Endpoint, Sample},
    swagger,
};

#[derive(Template)]
#[template(path = "reference/docs.html")]
struct Docs {
    shell: Shell,
    css: &'static str,
    js: &'static str,
    url: String,
    /// Name of the host, as configurations of proxies have it.
    host: String,
    token: String,
    /// Headers of commands, as options of curl.
    headers: String,
    signed: Option<Signed>,
    /// The copy that samples are about.
    copy: Option<Copy>,
    demo: bool,
    access: i64,
    refresh: i64,
    parameters: &'static [(&'static str, &'static str, &'static str)],
    operators: &'static [(&'static str, &'static str)],
    signing: &'static [(&'static str, &'static str)],
    samples: Vec<(&'static Endpoint, Vec<Sample>)>,
    errors: Vec<Entry>,
    reports: &'static [&'static str],
    limits: (usize, usize, usize),
}

/// One error of the reference.
struct Entry {
    kind: Kind,
    example: String,
}

#[derive(Template)]
#[template(path = "reference/try.html")]
struct Try {
    shell: Shell,
    css: &'static str,
    js: &'static str,
    swagger_css: &'static str,
    swagger_js: &'static str,
    demo: String,
    copies: Vec<Copy>,
}

/// Parameters of lists: name, example, meaning.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("page", "2", "Which page, from 1"),
    (
        "per_page",
        "50",
        "Rows of a page: 25 if nothing is said, 1000 at most",
    ),
    (
        "sort",
        "-total,name",
        "Columns to sort by; a hyphen in front sorts downwards",
    ),
    ("fields", "id,name,email", "The columns that are shown"),
    (
        "filter",
        "status:1",
        "Rows whose column has the value; several filters are joined by and",
    ),
    (
        "filter",
        "total.gte:1000",
        "The same with an operator; filter[total.gte]=1000 is another spelling",
    ),
    (
        "where",
        "{\"or\":[{\"status\":{\"eq\":4}},{\"total\":{\"gt\":5000}}]}",
        "A condition as JSON, for groups; with curl: -G --data-urlencode 'where=..'",
    ),
    (
        "include",
        "client,items",
        "Rows of related tables, along foreign keys in either direction",
    ),
    ("q", "software", "Text to look for in all text columns"),
    (
        "since",
        "2026-01-01T00:00:00Z",
        "Rows changed since then, in tables that have updated_at",
    ),
    (
        "cursor",
        "",
        "Goes through all rows without repeating or skipping one, page by page with meta.next_cursor",
    ),
    (
        "count",
        "none",
        "How all rows are counted: exact, planned (an estimate) or none",
    ),
];

const OPERATORS: &[(&str, &str)] = &[
    ("eq, neq", "equal, not equal"),
    ("gt, gte, lt, lte", "above, at least, below, at most"),
    (
        "like, ilike",
        "a pattern with % and _, with or without regard to case",
    ),
    (
        "in, nin",
        "one of a list, none of a list: filter=status.in:1,4",
    ),
    (
        "between",
        "from one value to another: filter=total.between:100,200",
    ),
    (
        "null, notnull",
        "empty, not empty: filter=due_date.null:true",
    ),
];

/// How a request is signed, language by language.
const SIGNING: &[(&str, &str)] = &[
    ("PHP", include_str!("signing/sign.php")),
    ("JavaScript", include_str!("signing/sign.js")),
    ("Python", include_str!("signing/sign.py")),
    ("Shell", include_str!("signing/sign.sh")),
];

/// The reports that come with the CRM.
const REPORTS: &[&str] = &[
    "collection-efficiency-by-invoice",
    "project-progress-overview",
    "project-time-billable-report",
    "staff-billable-time-report",
    "invoices",
];

/// What the page of Swagger UI may load and do: its styles are set by script, one property at a
/// time, which a policy for styles has no say in; its pictures are part of its style.
const TRY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// `GET /api_docs`: the guide, samples of calls, and every error with its anchor.
#[handler]
pub async fn docs(request: &Request, url: Data<&PublicUrl>) -> Result<Response> {
    let url = url.0.0.clone();
    let demo = request.data::<PublicToken>().map(|token| token.0.clone());
    let token = demo.clone().unwrap_or_else(|| "YOUR_TOKEN".to_owned());
    let host = url.split("://").nth(1).unwrap_or(&url);
    let host = host.split(':').next().unwrap_or(host).to_owned();
    let signed = signed::signed(request).await?;
    let copy = signed.as_ref().and_then(|signed| chosen(request, signed));
    let credentials = match (&signed, &copy) {
        (Some(signed), Some(copy)) => Credentials {
            token: &signed.access,
            key: Some(&copy.key),
        },
        _ => Credentials {
            token: &token,
            key: None,
        },
    };
    let samples = ENDPOINTS
        .iter()
        .map(|endpoint| (endpoint, endpoint.samples(&url, credentials)))
        .collect();
    let headers = credentials.curl();
    let page = Docs {
        shell: signed::shell(request, "API documentation", signed.as_ref()),
        css: assets::address("docs.css"),
        js: assets::address("docs.js"),
        errors: Kind::ALL.iter().map(|kind| entry(*kind, &url)).collect(),
        host,
        url,
        token,
        headers,
        signed,
        copy,
        demo: demo.is_some(),
        access: jwt::ACCESS.num_minutes(),
        refresh: jwt::REFRESH.num_hours(),
        parameters: PARAMETERS,
        operators: OPERATORS,
        signing: SIGNING,
        samples,
        reports: REPORTS,
        limits: (SUMMARY, PARAMETER, DOCUMENT),
    };
    shown(request, &page, None).await
}

/// `GET /api_docs/try`: all calls of the caller's document, with a button that sends them.
#[handler]
pub async fn try_it(request: &Request) -> Result<Response> {
    let demo = request.data::<PublicToken>().map(|token| token.0.clone());
    let signed = signed::signed(request).await?;
    let page = Try {
        shell: signed::shell(request, "Try the API", signed.as_ref()),
        css: assets::address("docs.css"),
        js: assets::address("try.js"),
        swagger_css: swagger::STYLE,
        swagger_js: swagger::SCRIPT,
        demo: demo.unwrap_or_default(),
        copies: signed.map(|signed| signed.copies).unwrap_or_default(),
    };
    shown(request, &page, Some(TRY_POLICY)).await
}

/// The copy that the address picks (`?copy=7`), or the first.
fn chosen(request: &Request, signed: &Signed) -> Option<Copy> {
    let query = request.original_uri().query().unwrap_or_default();
    let wanted = Pairs::read(query)
        .get("copy")
        .and_then(|id| id.parse().ok());
    let picked = signed.copies.iter().find(|copy| Some(copy.id) == wanted);
    picked.or(signed.copies.first()).cloned()
}

async fn shown(
    request: &Request,
    template: &impl Template,
    policy: Option<&'static str>,
) -> Result<Response> {
    let mut response = page::page(template)?;
    if let Some(policy) = policy {
        let policy = HeaderValue::from_static(policy);
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    page::finish(request, &mut response).await?;
    page::keep_fresh(request, &mut response);
    Ok(response)
}

fn entry(kind: Kind, url: &str) -> Entry {
    let mut example = json!({
        "type": format!("{url}/api_docs#error-{}", kind.slug()),
        "title": kind.title(),
        "status": kind.status(),
        "detail": kind.description(),
        "instance": "/api/v1/clients",
    });
    if matches!(
        kind,
        Kind::ValidationFailed | Kind::CreationFailed | Kind::UpdateFailed
    ) {
        example["errors"] = json!({"email": ["is taken"]});
    }
    Entry {
        kind,
        example: serde_json::to_string_pretty(&example).unwrap_or_default(),
    }
}

/// The name of an anchor for a title.
fn anchor(title: &str) -> String {
    let words = title.to_lowercase();
    words
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
