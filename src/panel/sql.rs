//! The SQL console: one statement as the tenant, its rows as a grid.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::json;

use crate::problem::Problem;

use super::{
    cells::{Cell, Row},
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
    tables,
};

/// Rows that are shown.
const SHOWN: usize = 500;

#[derive(Template)]
#[template(path = "panel/sql.html")]
struct SqlPage {
    shell: Shell,
    base: String,
    query: String,
    result: Option<Outcome>,
}

#[derive(Template)]
#[template(path = "panel/sql_result.html")]
struct ResultPart {
    result: Option<Outcome>,
}

/// What a statement gave.
enum Outcome {
    Rows(Box<Answer>),
    Refused {
        detail: String,
        members: Vec<(String, String)>,
    },
}

struct Answer {
    columns: Vec<Head>,
    rows: Vec<Vec<Shown>>,
    more: bool,
    affected: String,
    count: String,
    milliseconds: String,
    simulated: bool,
    /// Whether the tables are others now.
    altered: bool,
}

struct Shown {
    look: &'static str,
    text: String,
    null: bool,
}

#[derive(Deserialize)]
struct Head {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

#[derive(Deserialize)]
struct Reply {
    columns: Vec<Head>,
    rows: Vec<Row>,
    affected_tables: Vec<String>,
    rows_affected: Option<u64>,
    truncated: bool,
    runtime_seconds: f64,
}

/// `GET /panel/{id}/sql`, with the statement in the address; nothing runs.
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    let query = desk
        .ask
        .query
        .get("q")
        .unwrap_or("select *\nfrom clients\nlimit 20");
    page::page(&SqlPage {
        shell: desk.shell("SQL", "sql").await?,
        base: desk.base(),
        query: query.to_owned(),
        result: None,
    })
}

/// `POST /panel/{id}/sql`
pub async fn run(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let query = form.get("query").unwrap_or_default().replace("\r\n", "\n");
    let result = Some(outcome(desk, &query, form.get("rollback").is_some()).await?);
    let address =
        Pairs(vec![("q".to_owned(), query.clone())]).behind(&format!("{}/sql", desk.base()));
    if !page::is_fragment(desk.ask.request) {
        return page::page(&SqlPage {
            shell: desk.shell("SQL", "sql").await?,
            base: desk.base(),
            query,
            result,
        });
    }
    let mut response = page::page(&ResultPart { result })?;
    // A statement too long for an address is not in it.
    if address.len() < 3000 {
        page::put(&mut response, "hx-push-url", &address);
    }
    Ok(response)
}

async fn outcome(desk: &Desk<'_>, query: &str, simulated: bool) -> Result<Outcome, Problem> {
    let body = json!({ "query": query }).to_string();
    let json = ("content-type", "application/json");
    let headers: &[(&str, &str)] = if simulated {
        &[json, ("prefer", "tx=rollback")]
    } else {
        &[json]
    };
    let answer = desk
        .drawn_api()
        .call(Method::POST, "/api/v1/sql", headers, body.into())
        .await;
    let reply: Reply = match answer {
        Ok(reply) => reply.json()?,
        Err(problem) => {
            return Ok(Outcome::Refused {
                detail: problem.detail.into_owned(),
                members: problem
                    .members
                    .into_iter()
                    .map(|(name, value)| {
                        let text = value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned);
                        (name.to_owned(), text)
                    })
                    .collect(),
            });
        }
    };
    let word = query.split_whitespace().next().unwrap_or_default();
    let altered = ["create", "alter", "drop"].contains(&word.to_lowercase().as_str());
    if altered {
        tables::look_again(desk.api()).await;
    }
    let rows = reply.rows.iter().take(SHOWN).map(|row| {
        let cells = reply.columns.iter().map(|column| {
            let cell = row.cell(&column.name);
            Shown {
                look: match cell {
                    Cell::Number(_) => "n",
                    Cell::Json(_) => "j",
                    _ => "t",
                },
                text: cell.brief(),
                null: cell == Cell::Null,
            }
        });
        cells.collect()
    });
    Ok(Outcome::Rows(Box::new(Answer {
        rows: rows.collect(),
        more: reply.truncated || reply.rows.len() > SHOWN,
        affected: reply.affected_tables.join(", "),
        count: reply
            .rows_affected
            .map(super::cells::grouped)
            .unwrap_or_default(),
        milliseconds: format!("{:.1}", reply.runtime_seconds * 1e3),
        columns: reply.columns,
        altered: altered && !simulated,
        simulated,
    })))
}
