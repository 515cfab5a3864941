//! Deleting a row, after showing what depends on it.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;

use crate::problem::Problem;

use super::super::{
    cells::{Meta, Row, grouped},
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
    tables::{self, Table},
};
use super::row;

#[derive(Template)]
#[template(path = "panel/data/removal.html")]
struct RemovalPage {
    shell: Shell,
    base: String,
    table: String,
    title: String,
    back: String,
    action: String,
    depends: Vec<Dependent>,
    blocked: bool,
    fault: Option<String>,
}

/// Rows of another table that refer to the one to be deleted.
struct Dependent {
    table: String,
    columns: String,
    rows: String,
    href: String,
    fate: &'static str,
    blocks: bool,
}

/// `GET ../row/{key}/delete`
pub async fn show(desk: &Desk<'_>, name: &str, key: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    shown(desk, &table, key, None).await
}

/// `POST ../row/{key}/delete`
pub async fn run(desk: &Desk<'_>, name: &str, key: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let target = format!("{}/{key}", table.rows);
    let none = bytes::Bytes::new();
    match desk.api().call(Method::DELETE, &target, &[], none).await {
        Ok(_) => Ok(page::done(
            &desk.rows_of(&table.name),
            "The row is deleted.",
        )),
        Err(problem) if problem.kind.status() == 422 => {
            shown(desk, &table, key, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

async fn shown(
    desk: &Desk<'_>,
    table: &Table,
    key: &str,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let one = row::one(desk, table, key).await?;
    let depends = depends(desk, table, &one.data).await?;
    let base = desk.rows_of(&table.name);
    let back = format!("{base}/row/{key}");
    let shown = RemovalPage {
        shell: desk
            .shell(&format!("Delete from {}", table.name), "data")
            .await?,
        table: table.name.clone(),
        title: row::title(table, &one.data, key),
        action: format!("{back}/delete"),
        blocked: depends.iter().any(|dependent| dependent.blocks),
        fault: refused.map(|problem| problem.detail.clone().into_owned()),
        base,
        back,
        depends,
    };
    page::page_with(refused.map_or(200, |problem| problem.kind.status()), &shown)
}

async fn depends(desk: &Desk<'_>, table: &Table, row: &Row) -> Result<Vec<Dependent>, Problem> {
    #[derive(Deserialize)]
    struct Counted {
        meta: Meta,
    }
    let mut depends = Vec::new();
    for relation in table
        .relations
        .iter()
        .filter(|relation| relation.kind == "many")
    {
        let child = tables::table(desk.api(), &relation.table).await?;
        let key = child
            .foreign_keys
            .iter()
            .find(|key| key.name == relation.foreign_key);
        let Some(key) = key else { continue };
        let filters = Pairs(
            key.columns
                .iter()
                .zip(&key.references.columns)
                .map(|(column, referred)| {
                    (
                        format!("filter[{column}]"),
                        row.cell(referred).text().to_owned(),
                    )
                })
                .collect(),
        );
        let target = filters.with("per_page", "1").behind(&child.rows);
        let counted: Counted = desk.api().get(&target).await?.json()?;
        let rows = counted.meta.total.unwrap_or(0);
        if rows == 0 {
            continue;
        }
        let (fate, blocks) = match key.on_delete.as_str() {
            "cascade" => ("are deleted with it", false),
            "set null" => ("stay, and refer to nothing", false),
            "set default" => ("stay, and refer to the default", false),
            _ => ("forbid it as long as they are there", true),
        };
        depends.push(Dependent {
            columns: key.columns.join(", "),
            rows: grouped(rows),
            href: filters.behind(&desk.rows_of(&child.name)),
            table: child.name,
            fate,
            blocks,
        });
    }
    depends.sort_by_key(|dependent| !dependent.blocks);
    Ok(depends)
}
