//! The grid: a page of a table's rows. Its query string is the API's own.

use std::collections::HashMap;

use askama::Template;
use poem::Response;

use crate::{
    listing::words::encode,
    problem::{Kind, Problem},
};

use super::super::{
    cells::{self, Cell, Page, Row, grouped},
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
    tables::{self, Column, Table},
};
use super::ApiCall;

/// What a filter may compare by: the API's operator, and how the form calls it.
const OPERATORS: [(&str, &str); 12] = [
    ("eq", "is"),
    ("neq", "is not"),
    ("gt", ">"),
    ("gte", "≥"),
    ("lt", "<"),
    ("lte", "≤"),
    ("ilike", "is like (* stands for anything)"),
    ("in", "is one of (a, b, c)"),
    ("nin", "is none of (a, b, c)"),
    ("between", "is between (a, b)"),
    ("null", "is empty"),
    ("notnull", "is not empty"),
];

/// Rows of a page that one may choose from.
const SIZES: [u32; 4] = [25, 50, 100, 500];

#[derive(Template)]
#[template(path = "panel/data/grid.html")]
struct GridPage {
    shell: Shell,
    base: String,
    name: String,
    comment: String,
    heads: Vec<Heading>,
    rows: Vec<Line>,
    chooser: Vec<(String, bool)>,
    filters: Vec<Chip>,
    operators: &'static [(&'static str, &'static str)],
    hidden: Vec<(String, String)>,
    search: String,
    placed: Placed,
    sizes: Vec<(u32, String, bool)>,
    selectable: bool,
    creates: bool,
    edits: bool,
    searchable: bool,
    exports: (String, String),
    narrowed: bool,
    call: ApiCall,
    fault: Option<Problem>,
    here: String,
    key_name: String,
}

/// A column's head.
struct Heading {
    name: String,
    ty: String,
    look: &'static str,
    comment: String,
    /// `ascending`, `descending`, `none`
    sorted: &'static str,
    sort: String,
    hide: String,
}

/// A row.
struct Line {
    href: Option<String>,
    key: Option<String>,
    cells: Vec<Shown>,
}

/// A value in the grid.
struct Shown {
    look: &'static str,
    text: String,
    href: Option<String>,
    label: String,
    /// Name of the column if it can be changed in place.
    edit: Option<String>,
    empty: bool,
}

/// A filter that is on.
struct Chip {
    text: String,
    without: String,
}

/// Which rows are shown, and where the others are.
#[derive(Default)]
struct Placed {
    from: String,
    to: String,
    total: String,
    first: Option<String>,
    previous: Option<String>,
    next: Option<String>,
    last: Option<String>,
}

/// A foreign key of one column, with what names the rows behind it.
struct Followed {
    relation: String,
    target: Table,
    referred: String,
    label: Option<String>,
}

/// `GET /panel/{id}/data/{table}`
pub async fn show(desk: &Desk<'_>, name: &str) -> Result<Response, Problem> {
    let table = tables::table(desk.api(), name).await?;
    let query = &desk.ask.query;
    let base = desk.rows_of(&table.name);
    if let Some(address) = asked_by_form(query, &table, &base) {
        return Ok(page::done(&address, ""));
    }
    let asked = Pairs(
        query
            .0
            .iter()
            .filter(|(name, _)| !name.starts_with('_'))
            .cloned()
            .collect(),
    );
    let followed = follow(desk, &table, &asked).await?;
    let target = sent(&table, &asked, &followed);
    let (answer, fault) = match desk.api().get(&target).await {
        Ok(reply) => (Some(reply.json::<Page>()?), None),
        // What the address asks for does not fit: say so where it can be changed.
        Err(problem) if problem.kind.status() < 500 && problem.kind != Kind::NotFound => {
            (None, Some(problem))
        }
        Err(problem) => return Err(problem),
    };
    let fields = asked.get("fields").map(field_names);
    let columns: Vec<&Column> = match &fields {
        Some(fields) => fields
            .iter()
            .filter_map(|name| table.column(name))
            .collect(),
        None => table.shown().collect(),
    };
    let edits = desk.writes() && table.allows.update;
    let selectable = desk.writes() && table.allows.delete && !table.primary_key.is_empty();
    let rows = answer.iter().flat_map(|page| &page.data);
    let rows = rows
        .map(|row| line(desk, &table, row, &columns, &followed, edits))
        .collect();
    let here = asked.behind(&base);
    let status = fault.as_ref().map_or(200, |problem| problem.kind.status());
    let shell = desk.shell(&table.name, "data").await?;
    let shown = GridPage {
        heads: columns
            .iter()
            .map(|column| heading(column, &table, &asked, &base, fields.as_deref()))
            .collect(),
        rows,
        chooser: table
            .shown()
            .map(|column| {
                let on = columns.iter().any(|shown| shown.name == column.name);
                (column.name.clone(), on)
            })
            .collect(),
        filters: chips(&asked, &base),
        operators: &OPERATORS,
        hidden: asked.without(&["page", "cursor"]).0,
        search: asked.text("q").to_owned(),
        placed: answer
            .as_ref()
            .map(|page| placed(page, &asked, &base))
            .unwrap_or_default(),
        sizes: sizes(&asked, &base),
        selectable,
        creates: desk.writes() && table.allows.create,
        edits,
        searchable: table.shown().any(Column::is_text),
        exports: (
            asked
                .without(&["page", "per_page", "cursor"])
                .behind(&format!("{base}/export.csv")),
            asked
                .without(&["page", "per_page", "cursor"])
                .behind(&format!("{base}/export.json")),
        ),
        narrowed: asked
            .0
            .iter()
            .any(|(name, _)| name == "q" || name == "where" || name.starts_with("filter")),
        call: ApiCall::new(desk, "GET", &asked.behind(&table.rows), None),
        fault,
        here,
        key_name: table.primary_key.join(", "),
        comment: table.comment.clone().unwrap_or_default(),
        name: table.name.clone(),
        base,
        shell,
    };
    page::page_with(status, &shown)
}

/// The address that a form of the grid means: a filter to add, columns to choose.
fn asked_by_form(query: &Pairs, table: &Table, base: &str) -> Option<String> {
    let kept = || {
        let mut kept = query.without(&["page", "cursor"]);
        kept.0.retain(|(name, _)| !name.starts_with('_'));
        kept
    };
    if let Some(column) = query.get("_fc").filter(|column| !column.is_empty()) {
        let operator = query.text("_fo");
        let value = query.get("_fv").unwrap_or_default();
        let value = match operator {
            "null" | "notnull" => "true".to_owned(),
            "ilike" => value.replace('*', "%"),
            _ => value.to_owned(),
        };
        let quoted = if column.contains(['.', '"', ':', ',']) {
            format!("\"{}\"", column.replace('"', "\"\""))
        } else {
            column.to_owned()
        };
        let name = match operator {
            "" | "eq" => format!("filter[{quoted}]"),
            operator => format!("filter[{quoted}.{operator}]"),
        };
        let mut pairs = kept();
        pairs.0.push((name, value));
        return Some(pairs.behind(base));
    }
    if query.get("_cols").is_some() {
        let chosen: Vec<&str> = query.all("_col").collect();
        let all = table.shown().count();
        let pairs = kept().without(&["fields"]);
        let pairs = if chosen.is_empty() || chosen.len() == all {
            pairs
        } else {
            pairs.with("fields", &names_of(&chosen))
        };
        return Some(pairs.behind(base));
    }
    // A search form sends its field although it is empty.
    let empty = |(name, value): &(String, String)| name == "q" && value.is_empty();
    if query.0.iter().any(empty) {
        return Some(query.without(&["q"]).behind(base));
    }
    None
}

/// What a value's foreign key leads to, unless the address says itself what is included.
async fn follow(
    desk: &Desk<'_>,
    table: &Table,
    asked: &Pairs,
) -> Result<HashMap<String, Followed>, Problem> {
    let mut followed = HashMap::new();
    let own = |(name, _): &(String, String)| name == "include" || name.starts_with("fields[");
    if asked.0.iter().any(own) {
        return Ok(followed);
    }
    for key in &table.foreign_keys {
        let ([column], [referred]) = (key.columns.as_slice(), key.references.columns.as_slice())
        else {
            continue;
        };
        let Some(relation) = table.relation(key) else {
            continue;
        };
        // A table that the caller may not see is no link.
        let Ok(target) = tables::table(desk.api(), &key.references.table).await else {
            continue;
        };
        let label = target
            .label()
            .filter(|label| label.name != *referred)
            .map(|label| label.name.clone());
        followed.insert(
            column.clone(),
            Followed {
                relation: relation.name.clone(),
                referred: referred.clone(),
                label,
                target,
            },
        );
    }
    Ok(followed)
}

/// The call that is made: what the address asks for, the key to name rows by, and what names the
/// rows that are referred to.
fn sent(table: &Table, asked: &Pairs, followed: &HashMap<String, Followed>) -> String {
    let mut pairs = asked.clone();
    let fields = asked.get("fields").map(field_names);
    if let Some(fields) = &fields {
        let mut wanted: Vec<&str> = fields.iter().map(String::as_str).collect();
        for key in &table.primary_key {
            if !wanted.contains(&key.as_str()) {
                wanted.push(key);
            }
        }
        pairs = pairs.with("fields", &names_of(&wanted));
    }
    let mut include = Vec::new();
    for (column, followed) in followed {
        let shown = fields.as_ref().is_none_or(|fields| fields.contains(column));
        if let (true, Some(label)) = (shown, &followed.label) {
            include.push(quoted(&followed.relation));
            let name = format!("fields[{}]", quoted(&followed.relation));
            pairs.0.push((name, quoted(label)));
        }
    }
    if !include.is_empty() {
        pairs.0.push(("include".to_owned(), include.join(",")));
    }
    pairs.behind(&table.rows)
}

fn line(
    desk: &Desk<'_>,
    table: &Table,
    row: &Row,
    columns: &[&Column],
    followed: &HashMap<String, Followed>,
    edits: bool,
) -> Line {
    let key = table.key(row);
    let cells = columns
        .iter()
        .map(|column| {
            let cell = row.cell(&column.name);
            let mut shown = Shown {
                look: look(table, column),
                text: cell.brief(),
                href: None,
                label: String::new(),
                edit: (edits && key.is_some() && column.settable && cell.text().len() < 10_000)
                    .then(|| column.name.clone()),
                empty: cell == Cell::Null,
            };
            if let (Some(to), false) = (followed.get(&column.name), shown.empty) {
                shown.href = Some(link(desk, to, &cell));
                let label = to.label.as_ref().and_then(|label| {
                    let related: Row = serde_json::from_str(row.raw(&to.relation)?.get()).ok()?;
                    Some(related.cell(label).brief())
                });
                shown.label = label.unwrap_or_default();
            } else if let Cell::Number(number) = &cell {
                let meaning = column
                    .meanings()
                    .into_iter()
                    .find(|(known, _)| known == number);
                if let Some((_, meaning)) = meaning {
                    shown.label = meaning
                        .split_once(' ')
                        .map_or("", |(_, text)| text)
                        .to_owned();
                }
            }
            shown
        })
        .collect();
    Line {
        href: key
            .as_ref()
            .map(|key| format!("{}/row/{key}", desk.rows_of(&table.name))),
        key,
        cells,
    }
}

/// How a column is set: numbers that stand for something are words.
fn look(table: &Table, column: &Column) -> &'static str {
    let stands = table.reference(&column.name).is_some() || !column.meanings().is_empty();
    if stands { "t" } else { column.look() }
}

/// Where the row is that a value refers to.
fn link(desk: &Desk<'_>, to: &Followed, cell: &Cell) -> String {
    let base = desk.rows_of(&to.target.name);
    if to.target.primary_key == [to.referred.as_str()] {
        format!("{base}/row/{}", encode(cell.text()))
    } else {
        let filter = Pairs(vec![(
            format!("filter[{}]", to.referred),
            cell.text().to_owned(),
        )]);
        filter.behind(&base)
    }
}

fn heading(
    column: &Column,
    table: &Table,
    asked: &Pairs,
    base: &str,
    fields: Option<&[String]>,
) -> Heading {
    let name = quoted(&column.name);
    let sort = asked.text("sort");
    let (sorted, next) = if sort == name {
        ("ascending", format!("-{name}"))
    } else if sort == format!("-{name}") {
        ("descending", String::new())
    } else {
        ("none", name)
    };
    let pairs = asked.without(&["page", "cursor", "sort"]);
    let pairs = if next.is_empty() {
        pairs
    } else {
        pairs.with("sort", &next)
    };
    let left: Vec<&str> = match fields {
        Some(fields) => fields.iter().map(String::as_str).collect(),
        None => table.shown().map(|column| column.name.as_str()).collect(),
    };
    let left: Vec<&str> = left
        .into_iter()
        .filter(|name| *name != column.name)
        .collect();
    Heading {
        ty: column.ty.clone(),
        look: look(table, column),
        comment: column.comment.clone().unwrap_or_default(),
        sorted,
        sort: pairs.behind(base),
        hide: asked.with("fields", &names_of(&left)).behind(base),
        name: column.name.clone(),
    }
}

fn chips(asked: &Pairs, base: &str) -> Vec<Chip> {
    let named = asked.0.iter().enumerate();
    named
        .filter_map(|(at, (name, value))| {
            let text = if let Some(column) = name
                .strip_prefix("filter[")
                .and_then(|rest| rest.strip_suffix(']'))
            {
                let (column, operator) = column.rsplit_once('.').unwrap_or((column, "eq"));
                let spelt = OPERATORS.iter().find(|(known, _)| *known == operator);
                let words = spelt.map_or(operator, |(_, words)| {
                    words.split(" (").next().unwrap_or(words)
                });
                match operator {
                    "null" | "notnull" => format!("{column} {words}"),
                    _ => format!("{column} {words} {}", cells::brief(value, 40)),
                }
            } else if name == "filter" || name == "where" {
                cells::brief(value, 60)
            } else {
                return None;
            };
            Some(Chip {
                text,
                without: asked
                    .without_at(at)
                    .without(&["page", "cursor"])
                    .behind(base),
            })
        })
        .collect()
}

fn placed(page: &Page, asked: &Pairs, base: &str) -> Placed {
    let at = |number: u64| match number {
        1 => asked.without(&["page", "cursor"]).behind(base),
        number => asked
            .without(&["cursor"])
            .with("page", &number.to_string())
            .behind(base),
    };
    let number = page.meta.current_page.unwrap_or(1);
    let before = (number - 1).saturating_mul(page.meta.per_page);
    let rows = page.data.len() as u64;
    let pages = page.meta.total_pages;
    let more = pages.is_some_and(|pages| number < pages);
    Placed {
        from: grouped(before + u64::from(rows > 0)),
        to: grouped(before + rows),
        total: page.meta.total.map(grouped).unwrap_or_default(),
        first: (number > 1).then(|| at(1)),
        previous: (number > 1).then(|| at(number - 1)),
        next: more.then(|| at(number + 1)),
        last: pages.filter(|_| more).map(at),
    }
}

fn sizes(asked: &Pairs, base: &str) -> Vec<(u32, String, bool)> {
    let now = asked.get("per_page").unwrap_or("25");
    SIZES
        .into_iter()
        .map(|size| {
            let pairs = asked.without(&["page", "cursor"]);
            let address = match size {
                25 => pairs.without(&["per_page"]).behind(base),
                size => pairs.with("per_page", &size.to_string()).behind(base),
            };
            (size, address, now == size.to_string())
        })
        .collect()
}

/// The names of a list that `fields` takes.
pub fn field_names(text: &str) -> Vec<String> {
    crate::listing::words::names(text, "fields").unwrap_or_default()
}

/// A list of names as `fields` takes it.
pub fn names_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    quoted.join(",")
}

/// A name as a list takes it: in double quotes if it has a mark in it.
fn quoted(name: &str) -> String {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80);
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
