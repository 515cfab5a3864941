//! What is done with several rows at once: deleted, or exported.

use poem::{Response, http::Method};

use crate::problem::Problem;

use super::super::{cells::One, desk::Desk, page, tables};
use super::{export, grid, row};

/// `POST /panel/{id}/data/{table}/bulk`: the rows of the keys that were ticked.
///
/// Each row is deleted by itself, so one that something depends on keeps no other from going.
pub async fn run(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let form = desk.ask.form();
    let back = form.text("back");
    let base = desk.rows_of(&table.name);
    let back = if back == base || back.starts_with(&format!("{base}?")) {
        back.to_owned()
    } else {
        base
    };
    let keys: Vec<&str> = form.all("key").filter(|key| !key.is_empty()).collect();
    if keys.is_empty() {
        return Ok(page::done(&back, "No row is ticked."));
    }
    if form.text("do") != "delete" {
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let One { data } = row::one(desk, &table, key).await?;
            rows.push(data);
        }
        let names: Vec<String> = match desk.ask.query.get("fields") {
            Some(fields) => grid::field_names(fields),
            None => table.shown().map(|column| column.name.clone()).collect(),
        };
        return Ok(export::file(&table.name, form.text("do"), &names, &rows));
    }
    let (mut gone, mut kept, mut why) = (0, 0, String::new());
    for key in keys {
        let target = format!("{}/{key}", table.rows);
        let none = bytes::Bytes::new();
        match desk.api().call(Method::DELETE, &target, &[], none).await {
            Ok(_) => gone += 1,
            Err(problem) if problem.kind.status() < 500 => {
                kept += 1;
                if why.is_empty() {
                    why = problem.detail.into_owned();
                }
            }
            Err(problem) => return Err(problem),
        }
    }
    let rows = |number| if number == 1 { "row is" } else { "rows are" };
    let said = if kept == 0 {
        format!("{gone} {} deleted.", rows(gone))
    } else {
        format!("{gone} {} deleted, {kept} kept. {why}", rows(gone))
    };
    Ok(page::done(&back, &said))
}
