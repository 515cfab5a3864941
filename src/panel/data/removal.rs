//! Deleting a row with what depends on it, after showing what would go.

use std::collections::BTreeMap;

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;

use crate::problem::Problem;

use super::super::{
    api::Api,
    cells::{Row, grouped},
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
    tables::{self, Table},
};
use super::{ApiCall, row};

#[derive(Template)]
#[template(path = "panel/data/removal.html")]
struct RemovalPage {
    shell: Shell,
    base: String,
    table: String,
    title: String,
    back: String,
    action: String,
    /// Rows that go besides the row itself.
    goes: Vec<Counted>,
    /// References of other rows that become empty.
    unlinked: Vec<Counted>,
    /// How many rows go.
    total: u64,
    /// Whether it can be deleted as things are.
    can: bool,
    fault: Option<String>,
    call: ApiCall,
}

/// Rows of a table.
struct Counted {
    table: String,
    rows: String,
    href: String,
}

/// What goes with a row, as the API tells it.
#[derive(Deserialize)]
struct Gone {
    meta: Went,
}

#[derive(Default, Deserialize)]
struct Went {
    deleted: BTreeMap<String, u64>,
    unlinked: BTreeMap<String, u64>,
}

/// `GET ../row/{key}/delete`
pub async fn show(desk: &Desk<'_>, name: &str, key: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    shown(desk, &table, key, None).await
}

/// `POST ../row/{key}/delete`: the row, and all that goes with it if the number of rows was typed.
pub async fn run(desk: &Desk<'_>, name: &str, key: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let tried = match delete(desk.api().unnoted(), &table, key, false).await {
        Ok(went) => went,
        Err(problem) => return refused(desk, &table, key, problem).await,
    };
    let total = tried.total();
    let typed = desk.ask.form().text("sure").replace([',', ' '], "");
    if total > 1 && typed != total.to_string() {
        let fault = format!(
            "Nothing is deleted: {} rows would go, and that number was not typed.",
            grouped(total)
        );
        return shown(desk, &table, key, Some((400, fault))).await;
    }
    match delete(desk.api(), &table, key, true).await {
        Ok(went) => {
            let said = match went.total() {
                1 => "The row is deleted.".to_owned(),
                rows => format!("{} rows are deleted.", grouped(rows)),
            };
            Ok(page::done(&desk.rows_of(&table.name), &said))
        }
        Err(problem) => refused(desk, &table, key, problem).await,
    }
}

impl Went {
    fn total(&self) -> u64 {
        self.deleted.values().sum()
    }
}

fn target(table: &Table, key: &str) -> String {
    format!("{}/{key}?dependents=delete", table.rows)
}

/// Deletes a row with what depends on it; if it is not to be kept, finds out what would go.
async fn delete(api: Api<'_>, table: &Table, key: &str, keep: bool) -> Result<Went, Problem> {
    let headers: &[(&str, &str)] = if keep {
        &[]
    } else {
        &[("prefer", "tx=rollback")]
    };
    let (target, none) = (target(table, key), bytes::Bytes::new());
    let reply = api.call(Method::DELETE, &target, headers, none).await?;
    Ok(reply.json::<Gone>()?.meta)
}

async fn refused(
    desk: &Desk<'_>,
    table: &Table,
    key: &str,
    problem: Problem,
) -> Result<Response, Problem> {
    match problem.kind.status() {
        status @ 422 => {
            let fault = problem.detail.into_owned();
            shown(desk, table, key, Some((status, fault))).await
        }
        _ => Err(problem),
    }
}

async fn shown(
    desk: &Desk<'_>,
    table: &Table,
    key: &str,
    refused: Option<(u16, String)>,
) -> Result<Response, Problem> {
    let one = row::one(desk, table, key).await?;
    let tried = delete(desk.api().unnoted(), table, key, false).await;
    let (can, went, why) = match tried {
        Ok(went) => (true, went, None),
        Err(problem) if problem.kind.status() == 422 => (false, Went::default(), Some(problem)),
        Err(problem) => return Err(problem),
    };
    let (status, fault) = match (refused, why) {
        (Some((status, fault)), _) => (status, Some(fault)),
        (None, Some(problem)) => (200, Some(problem.detail.into_owned())),
        (None, None) => (200, None),
    };
    let base = desk.rows_of(&table.name);
    let back = format!("{base}/row/{key}");
    let direct = direct(desk, table, &one.data).await?;
    let counted = |(name, rows): (&String, &u64)| Counted {
        table: name.clone(),
        rows: grouped(*rows),
        href: direct
            .get(name)
            .cloned()
            .unwrap_or_else(|| desk.rows_of(name)),
    };
    let others = went.deleted.iter().filter_map(|(name, rows)| {
        // The row itself is no dependent.
        let rows = rows - u64::from(*name == table.name);
        (rows > 0).then_some((name, rows))
    });
    let shown = RemovalPage {
        shell: desk
            .shell(&format!("Delete from {}", table.name), "data")
            .await?,
        table: table.name.clone(),
        title: row::title(table, &one.data, key),
        action: format!("{back}/delete"),
        goes: others.map(|(name, rows)| counted((name, &rows))).collect(),
        unlinked: went.unlinked.iter().map(counted).collect(),
        total: went.total(),
        call: ApiCall::new(desk, "DELETE", &target(table, key), None),
        can,
        fault,
        base,
        back,
    };
    page::page_with(status, &shown)
}

/// Where the rows are that refer to a row without another one between.
async fn direct(
    desk: &Desk<'_>,
    table: &Table,
    row: &Row,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut direct = BTreeMap::new();
    let many = table.relations.iter();
    for relation in many.filter(|relation| relation.kind == "many") {
        let child = tables::table(desk.api(), &relation.table).await?;
        let keys = child.foreign_keys.iter();
        let Some(key) = keys
            .into_iter()
            .find(|key| key.name == relation.foreign_key)
        else {
            continue;
        };
        let pairs = key.columns.iter().zip(&key.references.columns);
        let filters = pairs.map(|(column, referred)| {
            (
                format!("filter[{column}]"),
                row.cell(referred).text().to_owned(),
            )
        });
        let address = Pairs(filters.collect()).behind(&desk.rows_of(&child.name));
        direct.entry(child.name).or_insert(address);
    }
    Ok(direct)
}
