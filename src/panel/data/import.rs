//! CSV into a table: first a preview in which every row was tried, then what fits is kept.

use askama::Template;
use bytes::Bytes;
use poem::{Response, http::Method};

use crate::problem::Problem;

use super::super::{
    api::Api,
    cells,
    csv::{self, Field, Record},
    desk::Desk,
    page::{self, Shell},
    tables::{self, Table},
};
use super::trial::{self, Bad, Tried};

/// Rows that do not fit and are listed.
const LISTED: usize = 100;
/// Rows of the preview.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "panel/data/import.html")]
struct ImportPage {
    shell: Shell,
    base: String,
    table: String,
    columns: Vec<(String, String, bool)>,
    example: String,
    /// Bytes of one import, and the same in words.
    most: usize,
    limit: String,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "panel/data/preview.html")]
struct PreviewPart {
    base: String,
    csrf: String,
    heads: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
    bad: Vec<Bad>,
    /// How many do not fit, those that are not listed included.
    refused: usize,
    /// The line from which on rows were not tried.
    untried: Option<usize>,
    good: usize,
    total: usize,
    /// What is sent when the good rows are imported.
    text: String,
    fault: Option<String>,
}

/// A file, taken apart.
pub(super) struct Sheet {
    /// The line of names.
    pub(super) heads: Record,
    /// The others.
    pub(super) rows: Vec<Record>,
}

/// `GET /panel/{id}/data/{table}/import`
pub async fn show(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    page::page(&start(desk, &table, None).await?)
}

/// `POST ../import/preview`: a file as it is (`text/csv`), or pasted into a form.
pub async fn preview(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let text = sent(desk);
    let sheet = match sheet(&text) {
        Ok(sheet) => sheet,
        Err(fault) => return page::page_with(400, &refused(desk, &table, fault)),
    };
    let Tried { good, bad, untried } = trial::run(desk, &table, &sheet).await?;
    let records = std::iter::once(&sheet.heads).chain(good.iter().copied());
    let records: Vec<&[Field]> = records.map(|record| record.fields.as_slice()).collect();
    page::page(&PreviewPart {
        base: desk.rows_of(&table.name),
        csrf: desk.browser.csrf.clone(),
        heads: texts(&sheet.heads),
        rows: sheet
            .rows
            .iter()
            .take(SHOWN)
            .map(|record| (record.line, texts(record)))
            .collect(),
        good: good.len(),
        total: sheet.rows.len(),
        text: csv::write(records.iter().copied()),
        refused: bad.len(),
        bad: bad.into_iter().take(LISTED).collect(),
        untried,
        fault: None,
    })
}

/// `POST ../import`: all rows of the file, or none.
pub async fn run(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let text = sent(desk);
    let sheet = match sheet(&text) {
        Ok(sheet) => sheet,
        Err(fault) => return page::page_with(400, &start(desk, &table, Some(fault)).await?),
    };
    match post(desk.api(), &table, &sheet.heads, &sheet.rows, true).await {
        Ok(()) => {
            let rows = cells::grouped(sheet.rows.len() as u64);
            let words = if sheet.rows.len() == 1 {
                "row is"
            } else {
                "rows are"
            };
            Ok(page::done(
                &desk.rows_of(&table.name),
                &format!("{rows} {words} imported."),
            ))
        }
        Err(problem) if problem.kind.status() < 500 => {
            let fault = format!("Nothing was imported. {}", said(&problem));
            page::page_with(
                problem.kind.status(),
                &start(desk, &table, Some(fault)).await?,
            )
        }
        Err(problem) => Err(problem),
    }
}

async fn start(
    desk: &Desk<'_>,
    table: &Table,
    fault: Option<String>,
) -> Result<ImportPage, Problem> {
    let columns: Vec<(String, String, bool)> = table
        .columns
        .iter()
        .filter(|column| column.settable)
        .map(|column| {
            let needed = !column.nullable && column.default.is_none() && column.generated.is_none();
            (column.name.clone(), column.ty.clone(), needed)
        })
        .collect();
    let needed: Vec<&str> = columns
        .iter()
        .filter(|(_, _, needed)| *needed)
        .map(|(name, ..)| name.as_str())
        .collect();
    let mut example = String::new();
    csv::heading(&mut example, &needed);
    Ok(ImportPage {
        shell: desk
            .shell(&format!("Import into {}", table.name), "data")
            .await?,
        base: desk.rows_of(&table.name),
        table: table.name.clone(),
        example: example.trim_end().to_owned(),
        most: desk.ask.panel.body_limit,
        limit: size(desk.ask.panel.body_limit),
        columns,
        fault,
    })
}

fn refused(desk: &Desk<'_>, table: &Table, fault: String) -> PreviewPart {
    PreviewPart {
        base: desk.rows_of(&table.name),
        csrf: desk.browser.csrf.clone(),
        heads: Vec::new(),
        rows: Vec::new(),
        bad: Vec::new(),
        refused: 0,
        untried: None,
        good: 0,
        total: 0,
        text: String::new(),
        fault: Some(fault),
    }
}

/// The CSV that was sent.
fn sent(desk: &Desk<'_>) -> String {
    let media = desk.ask.request.content_type().unwrap_or_default();
    if media.starts_with("text/csv") {
        String::from_utf8_lossy(desk.ask.body).into_owned()
    } else {
        desk.ask.form().get("csv").unwrap_or_default().to_owned()
    }
}

fn sheet(text: &str) -> Result<Sheet, String> {
    let mut records = csv::read(text)?.into_iter();
    let heads = records
        .next()
        .ok_or("There is nothing in it; the first line names the columns.")?;
    let rows: Vec<Record> = records.collect();
    if rows.is_empty() {
        return Err("There are no rows behind the line of names.".to_owned());
    }
    let wrong = rows
        .iter()
        .find(|record| record.fields.len() != heads.fields.len());
    if let Some(record) = wrong {
        return Err(format!(
            "Line {} has {} fields, and the first line names {} columns.",
            record.line,
            record.fields.len(),
            heads.fields.len()
        ));
    }
    Ok(Sheet { heads, rows })
}

/// Sends rows to the API, to be kept or not; all of them or none.
pub(super) async fn post<'a>(
    api: Api<'_>,
    table: &Table,
    heads: &'a Record,
    rows: impl IntoIterator<Item = &'a Record>,
    keep: bool,
) -> Result<(), Problem> {
    let records = std::iter::once(heads).chain(rows);
    let text = csv::write(records.map(|record| record.fields.as_slice()));
    let csv = ("content-type", "text/csv");
    let headers: &[(&str, &str)] = if keep {
        &[csv]
    } else {
        &[csv, ("prefer", "tx=rollback")]
    };
    api.call(Method::POST, &table.rows, headers, Bytes::from(text))
        .await?;
    Ok(())
}

/// `256 KB`
fn size(bytes: usize) -> String {
    format!("{} KB", cells::grouped(bytes as u64 / 1024))
}

/// What is wrong, by column.
pub(super) fn messages(problem: &Problem) -> Vec<(String, String)> {
    if problem.errors.is_empty() {
        return vec![(String::new(), problem.detail.clone().into_owned())];
    }
    let errors = problem.errors.iter();
    errors
        .map(|(column, messages)| (column.clone(), messages.join("; ")))
        .collect()
}

fn said(problem: &Problem) -> String {
    messages(problem)
        .into_iter()
        .map(|(column, message)| format!("{column} {message}").trim().to_owned())
        .collect::<Vec<_>>()
        .join(" · ")
}

fn texts(record: &Record) -> Vec<String> {
    let fields = record.fields.iter();
    fields.map(|field| cells::brief(&field.text, 60)).collect()
}
