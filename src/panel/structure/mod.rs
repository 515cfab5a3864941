//! Structure: what tables are made of, how they are related, and changing it.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::json;

use crate::problem::{Kind, Problem};

use super::{
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
    tables::{self, Table},
};

mod change;
mod picture;

#[derive(Template)]
#[template(path = "panel/structure/all.html")]
struct AllPage {
    shell: Shell,
    base: String,
    picture: picture::Picture,
    tables: Vec<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "panel/structure/table.html")]
struct TablePage {
    shell: Shell,
    base: String,
    rows: String,
    table: Table,
    indexes: Vec<Index>,
    referring: Vec<(String, String)>,
    changes: bool,
    fault: Option<String>,
    types: &'static [&'static str],
    others: Vec<String>,
}

#[derive(Template)]
#[template(path = "panel/structure/new.html")]
struct NewPage {
    shell: Shell,
    base: String,
    name: String,
    columns: Vec<change::NewColumn>,
    fault: Option<String>,
    types: &'static [&'static str],
}

#[derive(Deserialize)]
struct Index {
    name: String,
    definition: String,
}

/// Types that are offered; any other may be typed.
const TYPES: [&str; 14] = [
    "text",
    "integer",
    "bigint",
    "smallint",
    "numeric(14,2)",
    "double precision",
    "boolean",
    "date",
    "timestamptz",
    "time",
    "uuid",
    "jsonb",
    "text[]",
    "bytea",
];

/// Answers a request for a page under `/panel/{id}/structure`.
///
/// # Errors
/// `not-found` for an address that leads nowhere, and what the pages' calls are refused with.
pub async fn answer(desk: &Desk<'_>, changes: bool, rest: &[&str]) -> Result<Response, Problem> {
    match (changes, rest) {
        (false, []) => all(desk).await,
        (false, ["new"]) => blank(desk, &Pairs::default(), None).await,
        (true, ["new"]) => make(desk).await,
        (false, ["table", table]) => show(desk, table, None).await,
        (true, ["table", table]) => alter(desk, table).await,
        _ => Err(Kind::NotFound.into()),
    }
}

/// `GET /panel/{id}/structure`: a picture of all relations.
async fn all(desk: &Desk<'_>) -> Result<Response, Problem> {
    let base = format!("{}/structure", desk.base());
    let mut known = Vec::new();
    for listed in tables::list(desk.api()).await? {
        known.push(tables::table(desk.api(), &listed.name).await?);
    }
    let listed = known
        .iter()
        .map(|table| {
            let parts = format!("{}, {} columns", table.kind, table.columns.len());
            (table.name.clone(), at(&base, &table.name), parts)
        })
        .collect();
    page::page(&AllPage {
        shell: desk.shell("Structure", "structure").await?,
        picture: picture::draw(&known, &base),
        tables: listed,
        base,
    })
}

/// `GET /panel/{id}/structure/table/{table}`
async fn show(desk: &Desk<'_>, name: &str, fault: Option<&Problem>) -> Result<Response, Problem> {
    let base = format!("{}/structure", desk.base());
    let table = tables::table(desk.api(), name).await?;
    let indexes = indexes(desk, &table.name).await;
    let others = tables::list(desk.api()).await?;
    let shown = TablePage {
        shell: desk.shell(&table.name, "structure").await?,
        rows: desk.rows_of(&table.name),
        referring: table
            .relations
            .iter()
            .filter(|relation| relation.kind == "many")
            .map(|relation| (relation.table.clone(), at(&base, &relation.table)))
            .collect(),
        changes: desk.pass.role == crate::auth::caller::Role::Admin && !table.is_view(),
        fault: fault.map(said),
        types: &TYPES,
        others: others
            .into_iter()
            .filter(|other| !other.kind.contains("view"))
            .map(|other| other.name)
            .collect(),
        indexes,
        table,
        base,
    };
    page::page_with(fault.map_or(200, |problem| problem.kind.status()), &shown)
}

async fn blank(
    desk: &Desk<'_>,
    form: &Pairs,
    fault: Option<&Problem>,
) -> Result<Response, Problem> {
    let shown = NewPage {
        shell: desk.shell("New table", "structure").await?,
        base: format!("{}/structure", desk.base()),
        name: form.text("table").to_owned(),
        columns: change::columns(form),
        fault: fault.map(said),
        types: &TYPES,
    };
    page::page_with(fault.map_or(200, |problem| problem.kind.status()), &shown)
}

/// `POST /panel/{id}/structure/new`
async fn make(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.form();
    match run(desk, &change::create(&form)?).await {
        Ok(()) => {
            let address = at(&format!("{}/structure", desk.base()), form.text("table"));
            Ok(page::done(&address, "The table is made."))
        }
        Err(problem) if problem.kind.status() < 500 => blank(desk, &form, Some(&problem)).await,
        Err(problem) => Err(problem),
    }
}

/// `POST /panel/{id}/structure/table/{table}`: one change, as one statement.
async fn alter(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let base = format!("{}/structure", desk.base());
    let done = match change::alter(name, &form) {
        Ok(sql) => run(desk, &sql).await.map(|()| sql),
        Err(problem) => Err(problem),
    };
    match done {
        Ok(sql) => {
            let address = match form.text("do") {
                "drop" => base,
                "rename" => at(&base, form.text("to")),
                _ => at(&base, name),
            };
            Ok(page::done(&address, &format!("Done: {sql}")))
        }
        Err(problem) if problem.kind.status() < 500 => show(desk, name, Some(&problem)).await,
        Err(problem) => Err(problem),
    }
}

/// Runs a statement as the tenant, through the API.
async fn run(desk: &Desk<'_>, sql: &str) -> Result<(), Problem> {
    let body = json!({ "query": sql });
    desk.api().send(Method::POST, "/api/v1/sql", &body).await?;
    tables::look_again(desk.api()).await;
    Ok(())
}

/// The indexes of a table; nothing for whoever may not run SQL.
async fn indexes(desk: &Desk<'_>, table: &str) -> Vec<Index> {
    #[derive(Deserialize)]
    struct Found {
        rows: Vec<Index>,
    }
    let body = json!({
        "query": "select indexname::text as name, indexdef as definition from pg_catalog.pg_indexes \
                  where schemaname = current_schema() and tablename = $1 order by 1",
        "params": [table],
    });
    let found = match desk
        .api()
        .unnoted()
        .send(Method::POST, "/api/v1/sql", &body)
        .await
    {
        Ok(reply) => reply.json::<Found>().map(|found| found.rows),
        Err(_) => return Vec::new(),
    };
    found.unwrap_or_default()
}

fn at(base: &str, table: &str) -> String {
    format!("{base}/table/{}", crate::listing::words::encode(table))
}

fn said(problem: &Problem) -> String {
    problem.detail.clone().into_owned()
}
