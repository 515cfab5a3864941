//! The data browser: all rows of a tenant, to look at and to change.

use askama::Template;
use poem::Response;

use crate::problem::{Kind, Problem};

use super::{
    desk::Desk,
    page::{self, Shell},
    tables,
};

mod bulk;
mod edit;
mod export;
mod field;
mod grid;
mod import;
mod picker;
mod removal;
mod row;
mod trial;

#[derive(Template)]
#[template(path = "panel/data/all.html")]
struct AllPage {
    shell: Shell,
    groups: Vec<(&'static str, Vec<Shown>)>,
}

struct Shown {
    name: String,
    href: String,
    comment: String,
}

/// A call of the API that does what a page shows or does.
pub struct ApiCall {
    /// `GET`
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// The same as a command.
    pub curl: String,
}

impl ApiCall {
    /// A call as a command that works with a token in `$TOKEN`.
    pub fn new(desk: &Desk<'_>, method: &'static str, target: &str, body: Option<&str>) -> Self {
        let mut curl = match method {
            "GET" => "curl -g".to_owned(),
            method => format!("curl -g -X {method}"),
        };
        curl.push_str(&format!(
            " '{}{target}' \\\n  -H 'Api-Key: {}' \\\n  -H \"Authorization: Bearer $TOKEN\"",
            desk.public_url(),
            desk.tenant.api_key
        ));
        if let Some(body) = body {
            curl.push_str(&format!(
                " \\\n  -H 'Content-Type: application/json' \\\n  -d '{}'",
                body.replace('\'', "'\\''")
            ));
        }
        Self {
            method,
            target: target.to_owned(),
            curl,
        }
    }
}

/// Answers a request for a page under `/panel/{id}/data`.
///
/// # Errors
/// `not-found` for an address that leads nowhere, and what the pages' calls are refused with.
pub async fn answer(desk: &Desk<'_>, changes: bool, rest: &[&str]) -> Result<Response, Problem> {
    let key = desk.ask.raw_part(5);
    match (changes, rest) {
        (false, []) => all(desk).await,
        (false, [table]) => grid::show(desk, table).await,
        (false, [table, "export.csv"]) => export::csv(desk, table).await,
        (false, [table, "export.json"]) => export::json(desk, table).await,
        (false, [table, "pick"]) => picker::show(desk, table).await,
        (false, [table, "new"]) => row::blank(desk, table).await,
        (true, [table, "new"]) => row::insert(desk, table).await,
        (false, [table, "import"]) => import::show(desk, table).await,
        (true, [table, "import", "preview"]) => import::preview(desk, table).await,
        (true, [table, "import"]) => import::run(desk, table).await,
        (true, [table, "bulk"]) => bulk::run(desk, table).await,
        (false, [table, "row", _]) => row::show(desk, table, key).await,
        (true, [table, "row", _]) => row::update(desk, table, key).await,
        (false, [table, "row", _, "delete"]) => removal::show(desk, table, key).await,
        (true, [table, "row", _, "delete"]) => removal::run(desk, table, key).await,
        (false, [table, "row", _, "cell", column]) => edit::show(desk, table, key, column).await,
        (true, [table, "row", _, "cell", column]) => edit::save(desk, table, key, column).await,
        _ => Err(Kind::NotFound.into()),
    }
}

/// `GET /panel/{id}/data`: all tables and views.
async fn all(desk: &Desk<'_>) -> Result<Response, Problem> {
    let (mut kept, mut views) = (Vec::new(), Vec::new());
    for table in tables::list(desk.api()).await? {
        let shown = Shown {
            href: desk.rows_of(&table.name),
            comment: table.comment.unwrap_or_default(),
            name: table.name,
        };
        if table.kind.contains("view") {
            views.push(shown);
        } else {
            kept.push(shown);
        }
    }
    let mut groups = vec![("Tables", kept)];
    if !views.is_empty() {
        groups.push(("Views", views));
    }
    page::page(&AllPage {
        shell: desk.shell("Data", "data").await?,
        groups,
    })
}
