//! All rows of a view as a file, fetched page by page.

use futures_util::{StreamExt as _, stream};
use poem::{Body, Response, http::header};

use crate::problem::{Kind, Problem};

use super::super::{
    api::Api,
    cells::{Page, Row, grouped},
    csv,
    desk::Desk,
    query::Pairs,
    tables,
};
use super::grid;

/// Rows of one call.
const STEP: u32 = 1000;
/// Rows of one file: more is a job for a database client.
const MOST: usize = 100_000;

/// `GET /panel/{id}/data/{table}/export.csv`, with the grid's query.
pub async fn csv(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    all(desk, name, "csv").await
}

/// `GET /panel/{id}/data/{table}/export.json`
pub async fn json(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    all(desk, name, "json").await
}

/// Rows as a file to be kept.
pub fn file(table: &str, format: &str, names: &[String], rows: &[Row]) -> Response {
    let mut text = head(format, names);
    text.push_str(&written(format, names, rows, true));
    text.push_str(tail(format));
    attached(table, format, Body::from_string(text))
}

async fn all(desk: &Desk<'_>, name: &str, format: &'static str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let mut asked = desk
        .ask
        .query
        .without(&["page", "per_page", "cursor", "count"]);
    asked.0.retain(|(name, _)| !name.starts_with('_'));
    let names: Vec<String> = match asked.get("fields") {
        Some(fields) => grid::field_names(fields),
        None => table.shown().map(|column| column.name.clone()).collect(),
    };
    // A file is whole or it is not sent: an error half-way would look like its end.
    let mut pieces = vec![head(format, &names)];
    let (mut place, mut rows) = (Next::Page(1), 0);
    while let Some(page) = step(desk.api(), &table.rows, &asked, &place).await? {
        pieces.push(written(format, &names, &page.data, rows == 0));
        rows += page.data.len();
        let full = page.data.len() == STEP as usize;
        place = match (page.meta.next_cursor, place) {
            (Some(cursor), _) => Next::Cursor(cursor),
            (None, Next::Page(number)) if full => Next::Page(number + 1),
            _ => break,
        };
        if rows >= MOST {
            return Err(Problem::new(Kind::BadRequest).detail(format!(
                "There are more than {} rows; narrow them by a filter, or fetch them from the API page by page.",
                grouped(MOST as u64)
            )));
        }
    }
    pieces.push(tail(format).to_owned());
    let pieces = stream::iter(pieces).map(Ok::<_, std::io::Error>);
    Ok(attached(
        &table.name,
        format,
        Body::from_bytes_stream(pieces),
    ))
}

/// Which rows are read next.
enum Next {
    Page(u64),
    Cursor(String),
}

async fn step(
    api: Api<'_>,
    rows: &str,
    asked: &Pairs,
    place: &Next,
) -> Result<Option<Page>, Problem> {
    let pairs = asked
        .with("per_page", &STEP.to_string())
        .with("count", "none");
    let pairs = match place {
        Next::Page(number) => pairs.with("page", &number.to_string()),
        Next::Cursor(cursor) => pairs.with("cursor", cursor),
    };
    let page: Page = api.get(&pairs.behind(rows)).await?.json()?;
    Ok((!page.data.is_empty()).then_some(page))
}

fn head(format: &str, names: &[String]) -> String {
    if format == "json" {
        return "[\n".to_owned();
    }
    let mut text = String::new();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    csv::heading(&mut text, &names);
    text
}

fn written(format: &str, names: &[String], rows: &[Row], first: bool) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        if format != "json" {
            csv::line(&mut text, row, &names);
            continue;
        }
        if at > 0 || !first {
            text.push_str(",\n");
        }
        text.push('{');
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text.push_str(&serde_json::Value::from(*name).to_string());
            text.push(':');
            text.push_str(row.raw(name).map_or("null", |raw| raw.get()));
        }
        text.push('}');
    }
    text
}

fn tail(format: &str) -> &'static str {
    if format == "json" { "\n]\n" } else { "" }
}

fn attached(table: &str, format: &str, body: Body) -> Response {
    let plain: String = table
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let media = if format == "json" {
        "application/json"
    } else {
        "text/csv; charset=utf-8"
    };
    Response::builder()
        .header(header::CONTENT_TYPE, media)
        .header(
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{plain}.{format}\""),
        )
        .body(body)
}
