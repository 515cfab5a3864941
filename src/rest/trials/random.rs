//! Random tables and random questions: never a syntax error, never a row too few or too many.

use super::Site;
use crate::listing::words::encode;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::fmt::Write;

const TABLES: usize = 12;
const QUESTIONS: usize = 60;
const ROWS: i64 = 40;

/// A table of one random key and some columns of numbers and texts, and its rows.
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number(&'static str),
    Text(&'static str),
}

#[derive(Clone, Debug, PartialEq, PartialOrd)]
enum Cell {
    Null,
    Number(i64),
    Text(String),
}

/// Whether something holds of a row: `None` is SQL's unknown.
type Test = Box<dyn Fn(&[Cell]) -> Option<bool>>;

fn name(rng: &mut StdRng) -> String {
    const LETTERS: &[char] = &[
        'a', 'B', '"', '\'', ' ', '.', ',', ':', '%', '\\', 'ä', '日', '$', '-', '/', '[', ']',
        '(', ';', '&', '=', '+', '?', '#', '{', '|',
    ];
    let length = rng.random_range(1..12);
    let mut name: String = (0..length)
        .map(|_| LETTERS[rng.random_range(0..LETTERS.len())])
        .collect();
    // Something that is not a blank, and a number to make it one of its kind.
    let _ = write!(name, "x{}", rng.random_range(0..1_000_000_u32));
    name
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn table(rng: &mut StdRng) -> Table {
    const NUMBERS: [&str; 4] = ["int2", "int4", "int8", "numeric(9,0)"];
    const TEXTS: [&str; 3] = ["text", "varchar(20)", "feel"];
    let mut columns = vec![(name(rng), Kind::Number("int8"))];
    for _ in 0..rng.random_range(1..5) {
        let kind = if rng.random_bool(0.5) {
            Kind::Number(NUMBERS[rng.random_range(0..4)])
        } else {
            Kind::Text(TEXTS[rng.random_range(0..3)])
        };
        columns.push((name(rng), kind));
    }
    let rows = (0..ROWS)
        .map(|key| {
            let mut row = vec![Cell::Number(key * 7 % ROWS)];
            for (_, kind) in &columns[1..] {
                row.push(value(rng, *kind));
            }
            row
        })
        .collect();
    Table {
        name: name(rng),
        columns,
        rows,
    }
}

fn value(rng: &mut StdRng, kind: Kind) -> Cell {
    const WORDS: [&str; 6] = ["a", "b", "a,b", "it's \"x\"", "50%\\", "日"];
    const FEELINGS: [&str; 2] = ["a", "b"];
    match kind {
        _ if rng.random_bool(0.2) => Cell::Null,
        Kind::Number(_) => Cell::Number(rng.random_range(-3..4)),
        Kind::Text("feel") => Cell::Text(FEELINGS[rng.random_range(0..2)].to_owned()),
        Kind::Text(_) => Cell::Text(WORDS[rng.random_range(0..6)].to_owned()),
    }
}

fn script(table: &Table) -> String {
    let mut sql = format!("create table {} (", quoted(&table.name));
    for (at, (name, kind)) in table.columns.iter().enumerate() {
        let (Kind::Number(ty) | Kind::Text(ty)) = kind;
        let key = if at == 0 { " primary key" } else { "," };
        let _ = write!(
            sql,
            "{}{} {ty}{key}",
            if at == 1 { "," } else { "" },
            quoted(name)
        );
    }
    let mut sql = sql.trim_end_matches(',').to_owned() + ");";
    for row in &table.rows {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| match cell {
                Cell::Null => "null".to_owned(),
                Cell::Number(number) => number.to_string(),
                Cell::Text(text) => format!("'{}'", text.replace('\'', "''")),
            })
            .collect();
        let _ = write!(
            sql,
            "insert into {} values ({});",
            quoted(&table.name),
            cells.join(",")
        );
    }
    sql
}

/// A condition as JSON, and the same as a test of a row.
fn condition(rng: &mut StdRng, table: &Table, depth: usize) -> (Value, Test) {
    if depth > 0 && rng.random_bool(0.5) {
        let (left, a) = condition(rng, table, depth - 1);
        let (right, b) = condition(rng, table, depth - 1);
        return match rng.random_range(0..3) {
            0 => (
                json!({"and": [left, right]}),
                Box::new(move |row| both(a(row), b(row))),
            ),
            1 => (
                json!({"or": [left, right]}),
                Box::new(move |row| both(a(row).map(|x| !x), b(row).map(|x| !x)).map(|x| !x)),
            ),
            _ => (
                json!({"not": left}),
                Box::new(move |row| a(row).map(|x| !x)),
            ),
        };
    }
    let at = rng.random_range(0..table.columns.len());
    let (name, kind) = &table.columns[at];
    let operand = loop {
        match value(rng, *kind) {
            Cell::Null => {}
            cell => break cell,
        }
    };
    let written = match &operand {
        Cell::Number(number) if rng.random_bool(0.5) => json!(number.to_string()),
        Cell::Number(number) => json!(number),
        Cell::Text(text) => json!(text),
        Cell::Null => Value::Null,
    };
    // Texts are compared by the database's collation; only their equality is known here.
    let ranks = matches!(kind, Kind::Number(_));
    let (operator, test): (&str, fn(Ordering) -> bool) =
        match rng.random_range(0..if ranks { 8 } else { 4 }) {
            0 => ("eq", Ordering::is_eq),
            1 => ("neq", Ordering::is_ne),
            2 => ("in", Ordering::is_eq),
            3 => {
                return (
                    json!({name: {"null": true}}),
                    Box::new(move |row| Some(row[at] == Cell::Null)),
                );
            }
            4 => ("gt", Ordering::is_gt),
            5 => ("gte", Ordering::is_ge),
            6 => ("lt", Ordering::is_lt),
            _ => ("lte", Ordering::is_le),
        };
    let written = if operator == "in" {
        json!([written])
    } else {
        written
    };
    let holds = move |row: &[Cell]| match &row[at] {
        Cell::Null => None,
        cell => cell.partial_cmp(&operand).map(test),
    };
    (json!({name: {operator: written}}), Box::new(holds))
}

fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

#[tokio::test]
async fn answers_are_those_of_a_naive_evaluation() {
    let seed = 20_261_128;
    let mut rng = StdRng::seed_from_u64(seed);
    let tables: Vec<Table> = (0..TABLES).map(|_| table(&mut rng)).collect();
    let mut sql = "create type feel as enum ('a', 'b');".to_owned();
    for table in &tables {
        sql += &script(table);
    }
    let site = Site::new(&sql).await;
    for table in &tables {
        let address = format!("/{}", encode(&table.name));
        let key = &table.columns[0].0;
        for _ in 0..QUESTIONS {
            let (conditions, holds) = condition(&mut rng, table, 3);
            let sorted = rng.random_range(0..table.columns.len());
            let (column, kind) = &table.columns[sorted];
            let minus = if rng.random_bool(0.5) { "-" } else { "" };
            let query = format!(
                "{address}?per_page=1000&fields={}&sort={}&where={}",
                encode(&quoted(key)),
                encode(&format!("{minus}{}", quoted(column))),
                encode(&conditions.to_string()),
            );
            let mut expected: Vec<&Vec<Cell>> = table
                .rows
                .iter()
                .filter(|row| holds(row) == Some(true))
                .collect();
            expected.sort_by(|a, b| {
                let order = match (&a[sorted], &b[sorted]) {
                    (Cell::Null, Cell::Null) => Ordering::Equal,
                    (Cell::Null, _) => Ordering::Greater,
                    (_, Cell::Null) => Ordering::Less,
                    (x, y) => x.partial_cmp(y).unwrap_or(Ordering::Equal),
                };
                let order = if minus.is_empty() {
                    order
                } else {
                    order.reverse()
                };
                order.then(a[0].partial_cmp(&b[0]).unwrap_or(Ordering::Equal))
            });
            let mut expected: Vec<i64> = expected
                .iter()
                .map(|row| match row[0] {
                    Cell::Number(number) => number,
                    _ => i64::MIN,
                })
                .collect();
            let got = site.get(&query).await;
            assert_eq!(got.status, 200, "{query} {conditions} {got:?}");
            let rows = got.at("/data");
            let mut found: Vec<i64> = rows
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row[key].as_i64().unwrap())
                .collect();
            if matches!(kind, Kind::Text(_)) {
                expected.sort_unstable();
                found.sort_unstable();
            }
            assert_eq!(found, expected, "{conditions} by {minus}{column}");
            assert_eq!(got.at("/meta/total"), expected.len());
        }
    }
}
