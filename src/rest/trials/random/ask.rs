//! Random conditions and orders, as the API spells them and as a test of rows.

use super::world::{Cell, Column, Row, World, quoted, value};
use crate::data::catalog::Catalog;
use crate::listing::words::encode;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// Whether something holds of a row: `None` is SQL's unknown.
pub(super) type Test<'w> = Box<dyn Fn(&Row) -> Option<bool> + 'w>;

/// The rows that a relation leads to from a row.
type Rows<'w> = Box<dyn Fn(&Row) -> Vec<&'w Row> + 'w>;

/// Whether something holds of a value.
type CellTest = Box<dyn Fn(&Cell) -> Option<bool>>;

/// A relation of a table, and the rows that it leads to.
pub(super) struct Related<'w> {
    pub(super) name: String,
    pub(super) is_list: bool,
    pub(super) table: usize,
    pub(super) rows: Rows<'w>,
}

/// The relations that a table has by the world's own links, under the catalog's names for them.
pub(super) fn related<'w>(world: &'w World, catalog: &Catalog, at: usize) -> Vec<Related<'w>> {
    let mut found = Vec::new();
    for (owner, table) in world.tables.iter().enumerate() {
        for link in &table.links {
            for up in [true, false] {
                let (this, other, here, there) = if up {
                    (owner, link.table, &link.here, &link.there)
                } else {
                    (link.table, owner, &link.there, &link.here)
                };
                if this != at {
                    continue;
                }
                let known = catalog.table(&world.tables[at].name).unwrap();
                let relation = known
                    .relations
                    .iter()
                    .find(|relation| relation.foreign_key == link.name && relation.is_list() != up);
                let relation = relation.unwrap();
                let target = &world.tables[other];
                found.push(Related {
                    name: relation.name().to_owned(),
                    is_list: !up,
                    table: other,
                    rows: Box::new(move |row| {
                        let pairs = || here.iter().zip(there);
                        let known = here.iter().all(|at| row[*at] != Cell::Null);
                        let meets = |other: &&Row| pairs().all(|(a, b)| row[*a] == other[*b]);
                        let rows = target.rows.iter().filter(|other| known && meets(other));
                        let mut rows: Vec<&Row> = rows.collect();
                        rows.sort_by(|a, b| by_key(&target.key, a, b));
                        rows
                    }),
                });
            }
        }
    }
    found
}

/// A condition as JSON, and the same as a test of a row.
pub(super) fn condition<'w>(
    rng: &mut StdRng,
    world: &'w World,
    catalog: &Catalog,
    at: usize,
    depth: usize,
) -> (Value, Test<'w>) {
    let table = &world.tables[at];
    if depth > 0 && rng.random_bool(0.6) {
        let relations = related(world, catalog, at);
        let below = |rng: &mut StdRng| condition(rng, world, catalog, at, depth - 1);
        match rng.random_range(0..5) {
            0 => {
                let parts: Vec<_> = (0..rng.random_range(0..4)).map(|_| below(rng)).collect();
                let (json, tests): (Vec<Value>, Vec<Test<'w>>) = parts.into_iter().unzip();
                return (json!({"and": json}), Box::new(move |row| all(&tests, row)));
            }
            1 => {
                let parts: Vec<_> = (0..rng.random_range(0..4)).map(|_| below(rng)).collect();
                let (json, tests): (Vec<Value>, Vec<Test<'w>>) = parts.into_iter().unzip();
                return (json!({"or": json}), Box::new(move |row| any(&tests, row)));
            }
            2 => {
                let (json, test) = below(rng);
                return (
                    json!({"not": json}),
                    Box::new(move |row| test(row).map(|is| !is)),
                );
            }
            _ if !relations.is_empty() => {
                let picked = rng.random_range(0..relations.len());
                let relation = relations.into_iter().nth(picked).unwrap();
                let (inner, test) = condition(rng, world, catalog, relation.table, depth - 1);
                let word = ["some", "every", "none"][rng.random_range(0..3)];
                let rows = relation.rows;
                let holds = move |row: &Row| {
                    let mut each = rows(row).into_iter().map(|row| test(row) == Some(true));
                    Some(match word {
                        "some" => each.any(|is| is),
                        "every" => each.all(|is| is),
                        _ => !each.any(|is| is),
                    })
                };
                return (
                    member(&relation.name, json!({word: inner})),
                    Box::new(holds),
                );
            }
            _ => {}
        }
    }
    let at = rng.random_range(0..table.columns.len());
    let column = &table.columns[at];
    let comparison = comparison(rng, column);
    let json = match comparison.operator {
        "eq" if rng.random_bool(0.3) => comparison.json,
        operator => json!({operator: comparison.json}),
    };
    // An object of its own would be taken for one of operators.
    let json = match json {
        Value::Object(object) if !object.contains_key(comparison.operator) => {
            json!({"eq": object})
        }
        json => json,
    };
    let test = comparison.test;
    (
        member(&column.name, json),
        Box::new(move |row| test(&row[at])),
    )
}

/// The same as a parameter `filter[column.operator]=value`.
pub(super) fn parameter<'w>(rng: &mut StdRng, world: &'w World, at: usize) -> (String, Test<'w>) {
    let table = &world.tables[at];
    let at = rng.random_range(0..table.columns.len());
    let column = &table.columns[at];
    let comparison = comparison(rng, column);
    let values: Vec<String> = comparison.texts.iter().map(|text| quoted(text)).collect();
    let value = values.join(",");
    let text = format!(
        "filter%5B{}.{}%5D={}",
        encode(&quoted(&column.name)),
        comparison.operator,
        encode(&value)
    );
    let test = comparison.test;
    (text, Box::new(move |row| test(&row[at])))
}

struct Comparison {
    operator: &'static str,
    json: Value,
    texts: Vec<String>,
    test: CellTest,
}

fn comparison(rng: &mut StdRng, column: &Column) -> Comparison {
    const OPERATORS: [&str; 13] = [
        "eq", "neq", "in", "nin", "null", "notnull", "like", "ilike", "gt", "gte", "lt", "lte",
        "between",
    ];
    let kind = column.kind;
    let most = if kind.ranks() { OPERATORS.len() } else { 8 };
    let operator = OPERATORS[rng.random_range(0..most)];
    let cells = |rng: &mut StdRng, count: usize| -> Vec<Cell> {
        (0..count).map(|_| value(rng, kind)).collect()
    };
    let texts = |cells: &[Cell]| cells.iter().filter_map(Cell::text).collect::<Vec<_>>();
    match operator {
        "null" | "notnull" => {
            let is = rng.random_bool(0.5);
            let wanted = is == (operator == "null");
            Comparison {
                operator,
                json: Value::from(is),
                texts: vec![is.to_string()],
                test: Box::new(move |cell| Some((*cell == Cell::Null) == wanted)),
            }
        }
        "like" | "ilike" => {
            const PATTERNS: [&str; 10] = [
                "%", "a%", "_", "%\\%%", "%A", "", "%1%", "%日%", "%'%", "__",
            ];
            let pattern = PATTERNS[rng.random_range(0..PATTERNS.len())];
            let fold = operator == "ilike";
            Comparison {
                operator,
                json: Value::from(pattern),
                texts: vec![pattern.to_owned()],
                test: Box::new(move |cell| {
                    let text = cell.spelt()?;
                    Some(if fold {
                        like(&text.to_lowercase(), &pattern.to_lowercase())
                    } else {
                        like(&text, pattern)
                    })
                }),
            }
        }
        "in" | "nin" => {
            let count = rng.random_range(0..4);
            let cells = cells(rng, count);
            let is = operator == "in";
            Comparison {
                operator,
                json: cells.iter().map(|cell| spelling(rng, cell)).collect(),
                texts: texts(&cells),
                test: Box::new(move |cell| match cell {
                    _ if cells.is_empty() => Some(!is),
                    Cell::Null => None,
                    cell => Some(cells.contains(cell) == is),
                }),
            }
        }
        "between" => {
            let cells = cells(rng, 2);
            Comparison {
                operator,
                json: cells.iter().map(|cell| spelling(rng, cell)).collect(),
                texts: texts(&cells),
                test: Box::new(move |cell| {
                    (*cell != Cell::Null).then(|| cells[0] <= *cell && *cell <= cells[1])
                }),
            }
        }
        _ => {
            let operand = value(rng, kind);
            let holds: fn(Ordering) -> bool = match operator {
                "eq" => Ordering::is_eq,
                "neq" => Ordering::is_ne,
                "gt" => Ordering::is_gt,
                "gte" => Ordering::is_ge,
                "lt" => Ordering::is_lt,
                _ => Ordering::is_le,
            };
            Comparison {
                operator,
                json: spelling(rng, &operand),
                texts: texts(std::slice::from_ref(&operand)),
                test: Box::new(move |cell| match cell {
                    Cell::Null => None,
                    cell => cell.partial_cmp(&operand).map(holds),
                }),
            }
        }
    }
}

impl Cell {
    /// The text that patterns are tried on: as a cast to text gives it.
    fn spelt(&self) -> Option<String> {
        let Self::Texts(texts) = self else {
            return self.text();
        };
        let bare = |text: &String| {
            !text.is_empty()
                && !text.eq_ignore_ascii_case("null")
                && !text.contains(|c: char| "{}\",\\".contains(c) || c.is_ascii_whitespace())
        };
        let parts = texts.iter().map(|text| {
            if bare(text) {
                text.clone()
            } else {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
        });
        Some(format!("{{{}}}", parts.collect::<Vec<_>>().join(",")))
    }
}

/// A value as a condition may spell it: as JSON or as text.
fn spelling(rng: &mut StdRng, cell: &Cell) -> Value {
    match cell {
        // What is in a string is the value's text.
        Cell::Document(json) if json.starts_with('"') => Value::from(*json),
        Cell::Document(_) => cell.json(),
        cell if rng.random_bool(0.3) => cell.text().map_or(Value::Null, Value::from),
        cell => cell.json(),
    }
}

/// A member whose name may be a word of the language of conditions.
fn member(name: &str, value: Value) -> Value {
    let quote = matches!(name, "and" | "or" | "not") || name.starts_with('"');
    let name = if quote { quoted(name) } else { name.to_owned() };
    Value::Object(Map::from_iter([(name, value)]))
}

pub(super) fn all(tests: &[Test<'_>], row: &Row) -> Option<bool> {
    let each: Vec<Option<bool>> = tests.iter().map(|test| test(row)).collect();
    if each.contains(&Some(false)) {
        Some(false)
    } else if each.contains(&None) {
        None
    } else {
        Some(true)
    }
}

fn any(tests: &[Test<'_>], row: &Row) -> Option<bool> {
    let each: Vec<Option<bool>> = tests.iter().map(|test| test(row)).collect();
    if each.contains(&Some(true)) {
        Some(true)
    } else if each.contains(&None) {
        None
    } else {
        Some(false)
    }
}

/// Nulls last, as Postgres has them in ascending order.
pub(super) fn compare(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Greater,
        (_, Cell::Null) => Ordering::Less,
        (a, b) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
    }
}

pub(super) fn by_key(key: &[usize], a: &Row, b: &Row) -> Ordering {
    key.iter().fold(Ordering::Equal, |order, &at| {
        order.then_with(|| compare(&a[at], &b[at]))
    })
}

/// SQL's `like`: `%` for anything, `_` for one character, a backslash takes the next one as it is.
fn like(text: &str, pattern: &str) -> bool {
    let mut signs = pattern.chars();
    let mut rest = text.chars();
    match signs.next() {
        None => text.is_empty(),
        Some('%') => {
            let pattern = signs.as_str();
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| like(&text[at..], pattern))
        }
        Some('_') => rest.next().is_some() && like(rest.as_str(), signs.as_str()),
        Some('\\') => rest.next() == signs.next() && like(rest.as_str(), signs.as_str()),
        Some(sign) => rest.next() == Some(sign) && like(rest.as_str(), signs.as_str()),
    }
}
