//! A value changed where it stands in the grid.

use std::collections::BTreeMap;

use askama::Template;
use poem::{Response, http::Method};

use crate::problem::{Kind, Problem};

use super::super::{
    cells::{Cell, One},
    desk::Desk,
    kept, page,
    tables::{self, Control, Table},
};
use super::{field::Field, row};

#[derive(Template)]
#[template(path = "panel/data/edit.html")]
struct EditPart {
    action: String,
    field: Field,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "panel/data/cell.html")]
struct CellPart {
    look: &'static str,
    text: String,
    label: String,
    edit: String,
    empty: bool,
}

/// `GET ../row/{key}/cell/{column}`: the field; with `?back` the value again.
pub async fn show(
    desk: &Desk<'_>,
    name: &str,
    key: &str,
    column: &str,
) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let one = row::one(desk, &table, key).await?;
    if desk.ask.query.get("back").is_some() {
        return shown(&table, column, &one);
    }
    let column = table.column(column).ok_or(Kind::NotFound)?;
    page::page(&EditPart {
        action: address(desk, &table, key, &column.name),
        field: row::field(desk, &table, column, &one.data.cell(&column.name), true),
        fault: None,
    })
}

/// `POST ../row/{key}/cell/{column}`
pub async fn save(
    desk: &Desk<'_>,
    name: &str,
    key: &str,
    column: &str,
) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let column = table.column(column).ok_or(Kind::NotFound)?;
    let form = desk.ask.form();
    let text = form.get("v").unwrap_or_default();
    let control = table.control(column);
    let value = if form.get("null").is_some() {
        Ok(kept::null())
    } else {
        column.value(text, control)
    };
    let fault = match value {
        Ok(value) => {
            let body = BTreeMap::from([(&column.name, value)]);
            let target = format!("{}/{key}", table.rows);
            match desk.api().send(Method::PATCH, &target, &body).await {
                Ok(reply) => return shown(&table, &column.name, &reply.json()?),
                Err(problem) if problem.kind.status() < 500 => row::message(&problem, &column.name),
                Err(problem) => return Err(problem),
            }
        }
        Err(message) => message,
    };
    let mut field = row::field(desk, &table, column, &Cell::Text(text.to_owned()), true);
    if control == Control::Json {
        text.clone_into(&mut field.value);
    }
    page::page_with(
        422,
        &EditPart {
            action: address(desk, &table, key, &column.name),
            field,
            fault: Some(fault),
        },
    )
}

fn shown(table: &Table, column: &str, one: &One) -> Result<Response, Problem> {
    let column = table.column(column).ok_or(Kind::NotFound)?;
    let cell = one.data.cell(&column.name);
    let meaning = column
        .meanings()
        .into_iter()
        .find(|(number, _)| number == cell.text());
    page::page(&CellPart {
        look: if column.meanings().is_empty() {
            column.look()
        } else {
            "t"
        },
        text: cell.brief(),
        label: meaning
            .and_then(|(_, text)| text.split_once(' ').map(|(_, text)| text.to_owned()))
            .unwrap_or_default(),
        edit: column.name.clone(),
        empty: cell == Cell::Null,
    })
}

fn address(desk: &Desk<'_>, table: &Table, key: &str, column: &str) -> String {
    format!(
        "{}/row/{key}/cell/{}",
        desk.rows_of(&table.name),
        crate::listing::words::encode(column)
    )
}
