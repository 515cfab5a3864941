//! Picking the row that a foreign key is to refer to.

use askama::Template;
use poem::Response;

use crate::problem::Problem;

use super::super::{
    cells::Page,
    desk::Desk,
    page,
    query::Pairs,
    tables::{self, Column},
};

/// Rows that are offered at once.
const OFFERED: u32 = 20;

#[derive(Template)]
#[template(path = "panel/data/pick.html")]
struct PickPart {
    table: String,
    rows: Vec<Offered>,
    more: bool,
}

struct Offered {
    value: String,
    label: String,
    aside: String,
}

/// `GET /panel/{id}/data/{table}/pick?column=id&q=acme`: rows to pick from, as a part of a page.
pub async fn show(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let query = &desk.ask.query;
    let first = table.primary_key.first().map_or("", String::as_str);
    let column = query.get("column").unwrap_or(first);
    let words = query.text("q");
    let mut pairs = Pairs(vec![
        ("per_page".to_owned(), OFFERED.to_string()),
        ("count".to_owned(), "none".to_owned()),
    ]);
    // A number is looked for as the value itself; texts are searched.
    let by_value =
        !words.is_empty() && (words.parse::<i64>().is_ok() || !table.shown().any(Column::is_text));
    if by_value {
        pairs
            .0
            .push((format!("filter[{column}]"), words.to_owned()));
    } else if !words.is_empty() {
        pairs.0.push(("q".to_owned(), words.to_owned()));
    }
    let page: Page = desk.api().get(&pairs.behind(&table.rows)).await?.json()?;
    let label = table.label().map(|label| label.name.clone());
    let aside = table
        .shown()
        .find(|other| {
            other.is_text() && Some(&other.name) != label.as_ref() && other.name != column
        })
        .map(|other| other.name.clone());
    let text = |row: &super::super::cells::Row, name: &Option<String>| {
        name.as_ref()
            .map(|name| row.cell(name).brief())
            .unwrap_or_default()
    };
    page::page(&PickPart {
        more: page.data.len() as u32 == OFFERED,
        rows: page
            .data
            .iter()
            .map(|row| Offered {
                value: row.cell(column).text().to_owned(),
                label: text(row, &label),
                aside: text(row, &aside),
            })
            .collect(),
        table: table.name,
    })
}
