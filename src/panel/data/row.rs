//! The editor of one row: the right field for each type, and what is wrong beside it.

use std::collections::BTreeMap;

use askama::Template;
use poem::{Response, http::Method};
use serde_json::{Map, Value, value::RawValue};

use crate::problem::{FieldErrors, Kind, Problem};

use super::super::{
    cells::{Cell, One, Row},
    desk::Desk,
    kept,
    page::{self, Shell},
    query::Pairs,
    tables::{self, Column, Control, Table},
};
use super::ApiCall;
use super::field::{Field, Reference, digest, is_untouched};

/// A longer value is shown and can't be changed in a form.
const LONGEST: usize = 50_000;

#[derive(Template)]
#[template(path = "panel/data/row.html")]
struct RowPage {
    shell: Shell,
    base: String,
    table: String,
    /// What the row is called; empty for one that is made.
    title: String,
    action: String,
    delete: Option<String>,
    fields: Vec<Field>,
    saves: bool,
    fault: Option<String>,
    related: Vec<(String, String)>,
    calls: Vec<ApiCall>,
}

/// What a form says of a row.
struct Given {
    body: BTreeMap<String, Box<RawValue>>,
    errors: FieldErrors,
}

/// `GET /panel/{id}/data/{table}/row/{key}`
pub async fn show(desk: &Desk<'_>, name: &str, key: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let one = one(desk, &table, key).await?;
    let fields = fields(desk, &table, Some(&one.data));
    page::page(&existing(desk, &table, key, &one.data, fields, None).await?)
}

/// `POST /panel/{id}/data/{table}/row/{key}`: what was changed in the form.
pub async fn update(desk: &Desk<'_>, name: &str, key: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let form = desk.ask.form();
    let mut given = read(&table, &form, true);
    let now = one(desk, &table, key).await?;
    let mut fields = fields(desk, &table, Some(&now.data));
    for field in &fields {
        if given.body.contains_key(&field.name) && field.is_changed_since(&form) {
            let words = format!(
                "was changed meanwhile, to `{}`; saved again, yours takes its place",
                now.data.cell(&field.name).brief()
            );
            given
                .errors
                .entry(field.name.clone())
                .or_default()
                .push(words);
        }
    }
    let here = format!("{}/row/{key}", desk.rows_of(&table.name));
    let refused = if !given.errors.is_empty() {
        Problem {
            errors: given.errors,
            ..Problem::new(Kind::ValidationFailed)
        }
    } else if given.body.is_empty() {
        return Ok(page::done(&here, "Nothing was changed."));
    } else {
        let target = format!("{}/{key}", table.rows);
        match desk.api().send(Method::PATCH, &target, &given.body).await {
            Ok(reply) => {
                let one: One = reply.json()?;
                // The key itself may have been changed.
                let key = table.key(&one.data).unwrap_or_else(|| key.to_owned());
                let address = format!("{}/row/{key}", desk.rows_of(&table.name));
                return Ok(page::done(&address, "The row is saved."));
            }
            Err(problem) if problem.kind.status() < 500 => problem,
            Err(problem) => return Err(problem),
        }
    };
    fill(&mut fields, &form, &refused);
    let status = refused.kind.status();
    let shown = existing(desk, &table, key, &now.data, fields, Some(&refused)).await?;
    page::page_with(status, &shown)
}

/// `GET /panel/{id}/data/{table}/new`
pub async fn blank(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let mut fields = fields(desk, &table, None);
    // A link from a related row brings what the new one refers to.
    for field in &mut fields {
        if let Some(value) = desk.ask.query.get(&field.name) {
            value.clone_into(&mut field.value);
            field.null = false;
        }
    }
    page::page(&fresh(desk, &table, fields, None).await?)
}

/// `POST /panel/{id}/data/{table}/new`
pub async fn insert(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let form = desk.ask.form();
    let given = read(&table, &form, false);
    let refused = if given.errors.is_empty() {
        match desk
            .api()
            .send(Method::POST, &table.rows, &given.body)
            .await
        {
            Ok(reply) => {
                let one: One = reply.json()?;
                let base = desk.rows_of(&table.name);
                let address = match table.key(&one.data) {
                    Some(_) if form.get("_again").is_some() => format!("{base}/new"),
                    Some(key) => format!("{base}/row/{key}"),
                    None => base,
                };
                return Ok(page::done(&address, "The row is made."));
            }
            Err(problem) if problem.kind.status() < 500 => problem,
            Err(problem) => return Err(problem),
        }
    } else {
        Problem {
            errors: given.errors,
            ..Problem::new(Kind::ValidationFailed)
        }
    };
    let mut fields = fields(desk, &table, None);
    fill(&mut fields, &form, &refused);
    let status = refused.kind.status();
    page::page_with(status, &fresh(desk, &table, fields, Some(&refused)).await?)
}

/// A row by its key.
pub async fn one(desk: &Desk<'_>, table: &Table, key: &str) -> Result<One, Problem> {
    desk.api()
        .get(&format!("{}/{key}", table.rows))
        .await?
        .json()
}

/// What a row is called.
pub fn title(table: &Table, row: &Row, key: &str) -> String {
    let label = table.label().map(|label| row.cell(&label.name).brief());
    let key = crate::listing::words::decode(key, false).unwrap_or_default();
    match label.filter(|label| !label.is_empty()) {
        Some(label) => format!("{label} ({key})"),
        None => key,
    }
}

async fn existing(
    desk: &Desk<'_>,
    table: &Table,
    key: &str,
    row: &Row,
    fields: Vec<Field>,
    refused: Option<&Problem>,
) -> Result<RowPage, Problem> {
    let base = desk.rows_of(&table.name);
    let here = format!("{base}/row/{key}");
    let saves = desk.writes() && table.allows.update;
    let mut fields = fields;
    for field in &mut fields {
        // What can't be saved is not typed into.
        field.fixed |= !saves;
    }
    let target = format!("{}/{key}", table.rows);
    let mut calls = vec![ApiCall::new(desk, "GET", &target, None)];
    if saves {
        let first = fields
            .iter()
            .find(|field| !field.fixed && !field.value.is_empty());
        let body = first.map(|field| {
            let value: String = field.value.chars().take(80).collect();
            serde_json::json!({ field.name.as_str(): value }).to_string()
        });
        calls.push(ApiCall::new(desk, "PATCH", &target, body.as_deref()));
    }
    let deletes = desk.writes() && table.allows.delete;
    if deletes {
        calls.push(ApiCall::new(desk, "DELETE", &target, None));
    }
    Ok(RowPage {
        shell: desk.shell(&format!("{} {key}", table.name), "data").await?,
        title: title(table, row, key),
        delete: deletes.then(|| format!("{here}/delete")),
        action: here,
        related: related(desk, table, row).await,
        fault: refused.and_then(|problem| general(problem, &fields)),
        table: table.name.clone(),
        base,
        fields,
        saves,
        calls,
    })
}

async fn fresh(
    desk: &Desk<'_>,
    table: &Table,
    fields: Vec<Field>,
    refused: Option<&Problem>,
) -> Result<RowPage, Problem> {
    let base = desk.rows_of(&table.name);
    Ok(RowPage {
        shell: desk
            .shell(&format!("New row of {}", table.name), "data")
            .await?,
        title: String::new(),
        action: format!("{base}/new"),
        delete: None,
        related: Vec::new(),
        fault: refused.and_then(|problem| general(problem, &fields)),
        calls: vec![ApiCall::new(
            desk,
            "POST",
            &table.rows,
            Some(&example(table)),
        )],
        saves: desk.writes() && table.allows.create,
        table: table.name.clone(),
        fields,
        base,
    })
}

/// What is said above the form: what does not stand at a field of it.
fn general(problem: &Problem, fields: &[Field]) -> Option<String> {
    let shown = |name: &String| fields.iter().any(|field| field.name == *name);
    if !problem.errors.is_empty() && problem.errors.keys().all(shown) {
        return Some("Something does not fit; it is said at the field.".to_owned());
    }
    Some(problem.detail.clone().into_owned())
}

/// Rows of other tables that refer to this one, as links.
async fn related(desk: &Desk<'_>, table: &Table, row: &Row) -> Vec<(String, String)> {
    let mut links = Vec::new();
    for relation in table
        .relations
        .iter()
        .filter(|relation| relation.kind == "many")
    {
        let Ok(child) = tables::table(desk.api(), &relation.table).await else {
            continue;
        };
        let key = child
            .foreign_keys
            .iter()
            .find(|key| key.name == relation.foreign_key);
        let Some(key) = key else { continue };
        let filters = key
            .columns
            .iter()
            .zip(&key.references.columns)
            .map(|(column, referred)| {
                (
                    format!("filter[{column}]"),
                    row.cell(referred).text().to_owned(),
                )
            });
        let address = Pairs(filters.collect()).behind(&desk.rows_of(&child.name));
        let name = if relation.name == child.name {
            child.name.clone()
        } else {
            format!("{} ({})", child.name, key.columns.join(", "))
        };
        links.push((name, address));
    }
    links
}

/// The fields of a form, with a row's values or with nothing.
pub fn fields(desk: &Desk<'_>, table: &Table, row: Option<&Row>) -> Vec<Field> {
    table
        .columns
        .iter()
        .map(|column| {
            let cell = row.map_or(Cell::Null, |row| row.cell(&column.name));
            field(desk, table, column, &cell, row.is_some())
        })
        .collect()
}

/// A column's field with a value.
pub fn field(desk: &Desk<'_>, table: &Table, column: &Column, cell: &Cell, exists: bool) -> Field {
    let mut control = table.control(column);
    if control == Control::Text && (cell.text().len() > 100 || cell.text().contains('\n')) {
        control = Control::Lines;
    }
    let value = column.shown(cell, control);
    let too_long = value.len() > LONGEST;
    let made = column.generated.as_deref();
    let fixed = too_long || !column.settable || (!exists && made == Some("identity"));
    let hint = if too_long {
        format!(
            "{} characters: too long for a form; change it by SQL or by the API.",
            value.chars().count()
        )
    } else if made.is_some_and(|made| made.starts_with("identity")) && !exists {
        "given by the database".to_owned()
    } else if made == Some("stored") {
        "worked out by the database".to_owned()
    } else if column.write_only {
        "is kept as a hash; empty leaves it as it is".to_owned()
    } else if control == Control::Instant {
        "in UTC".to_owned()
    } else {
        String::new()
    };
    let default = column.default.as_deref().filter(|_| !exists && !fixed);
    let hint = match default {
        Some(default) if hint.is_empty() => format!("if empty: {default}"),
        Some(default) => format!("{hint}; if empty: {default}"),
        None => hint,
    };
    let takes_empty = matches!(control, Control::Text | Control::Lines);
    Field {
        name: column.name.clone(),
        ty: column.ty.clone(),
        comment: column.comment.clone().unwrap_or_default(),
        choices: table.choices(column),
        null: *cell == Cell::Null,
        nullable: column.nullable && takes_empty && exists,
        required: !column.nullable
            && default.is_none()
            && !fixed
            && !column.write_only
            && !takes_empty,
        was: if exists {
            digest(control, &value, *cell == Cell::Null)
        } else {
            String::new()
        },
        fixed,
        hint,
        max_length: column.max_length,
        reference: table.reference(&column.name).map(|key| {
            let to = &key.references;
            let rows = desk.rows_of(&to.table);
            let one = Pairs(vec![(
                format!("filter[{}]", to.columns[0]),
                cell.text().to_owned(),
            )]);
            Reference {
                table: to.table.clone(),
                pick: Pairs(vec![("column".to_owned(), to.columns[0].clone())])
                    .behind(&format!("{rows}/pick")),
                href: (*cell != Cell::Null).then(|| one.behind(&rows)),
            }
        }),
        errors: Vec::new(),
        value: if too_long {
            value.chars().take(2000).collect()
        } else {
            value
        },
        control,
    }
}

/// What a form gives for a row. What is as it was is left out; for a new row, what is empty is.
fn read(table: &Table, form: &Pairs, exists: bool) -> Given {
    let mut given = Given {
        body: BTreeMap::new(),
        errors: FieldErrors::new(),
    };
    for column in &table.columns {
        let Some(text) = form.get(&format!("v.{}", column.name)) else {
            continue;
        };
        let null = form.get(&format!("null.{}", column.name)).is_some();
        let control = table.control(column);
        let empty = text.trim().is_empty();
        if (column.write_only || !exists) && empty && !null {
            continue;
        }
        if exists && is_untouched(form, &column.name, control, text) {
            continue;
        }
        if null {
            given.body.insert(column.name.clone(), kept::null());
            continue;
        }
        match column.value(text, control) {
            Ok(value) => {
                given.body.insert(column.name.clone(), value);
            }
            Err(message) => {
                given
                    .errors
                    .entry(column.name.clone())
                    .or_default()
                    .push(message);
            }
        }
    }
    given
}

/// Puts back into the fields what was sent, with what was wrong with it.
fn fill(fields: &mut [Field], form: &Pairs, refused: &Problem) {
    for field in fields {
        let sent = form.get(&format!("v.{}", field.name));
        if let Some(text) =
            sent.filter(|text| !is_untouched(form, &field.name, field.control, text))
        {
            text.clone_into(&mut field.value);
            field.null = form.get(&format!("null.{}", field.name)).is_some();
        }
        if let Some(messages) = refused.errors.get(&field.name) {
            field.errors.clone_from(messages);
        }
    }
}

/// A body for the copied call.
fn example(table: &Table) -> String {
    let mut body = Map::new();
    for column in table.columns.iter().filter(|column| column.settable) {
        let wanted = !column.nullable && column.default.is_none() && column.generated.is_none();
        if wanted {
            let value = match table.control(column) {
                Control::Bool => Value::Bool(true),
                Control::Number => Value::from(1),
                Control::Date => Value::from("2026-01-31"),
                Control::Json => Value::Object(Map::new()),
                _ => Value::from("…"),
            };
            body.insert(column.name.clone(), value);
        }
    }
    Value::Object(body).to_string()
}

/// A message that a problem has for a column, or in general.
pub fn message(problem: &Problem, column: &str) -> String {
    problem.errors.get(column).map_or_else(
        || problem.detail.clone().into_owned(),
        |messages| messages.join("; "),
    )
}
