//! Random tables and random requests: never a syntax error, never a row too few, too many or wrong.
//!
//! `world` makes tables with names, types, keys and references of all kinds and knows their rows;
//! `ask` makes conditions and evaluates them naively; `change` writes and keeps count.

mod ask;
mod change;
mod world;

use super::Site;
use crate::data::Ask;
use crate::data::catalog::Catalog;
use crate::data::request::{Aggregate, Filter, Function, Group, Measure, Request, Rows};
use crate::data::rows::Format;
use crate::data::run::Keep;
use crate::listing::words::encode;
use ask::{Related, Test, by_key, compare, condition, parameter, related};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use world::{Cell, Row, Table, World, quoted};

/// Questions asked of each world before and after it is changed.
const QUESTIONS: usize = 60;
const CHANGES: usize = 60;

#[tokio::test]
async fn answers_are_those_of_a_naive_evaluation() {
    for seed in 0..5 {
        trial(20_261_128 + seed).await;
    }
}

/// `cargo test --release --lib random -- --ignored` goes on for as long as one likes.
#[tokio::test]
#[ignore = "takes minutes"]
async fn answers_are_those_of_a_naive_evaluation_for_long() {
    for seed in 0..200 {
        trial(seed).await;
    }
}

async fn trial(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut world = World::new(&mut rng);
    let site = Site::new(&world.script()).await;
    for _ in 0..2 {
        let catalog = site.spine.catalog(&site.tenant.identity).await.unwrap();
        for _ in 0..QUESTIONS {
            let at = rng.random_range(0..world.tables.len());
            let seen = format!("seed {seed}");
            match rng.random_range(0..4) {
                0 => figures(&mut rng, &site, &world, &catalog, at, &seen).await,
                1 => one(&mut rng, &site, &world, &catalog, at, &seen).await,
                _ => list(&mut rng, &site, &world, &catalog, at, &seen).await,
            }
        }
        for _ in 0..CHANGES {
            change::change(&mut rng, &site, &mut world, &format!("seed {seed}")).await;
        }
        compare_all(&site, &mut world, &format!("seed {seed}")).await;
    }
}

/// Compares all rows with those that there should be. Where no key orders them, their places do,
/// which Postgres gives anew as it likes; so that order is taken over.
async fn compare_all(site: &Site, world: &mut World, seen: &str) {
    for table in &mut world.tables {
        let got = site.get(&format!("/{}?per_page=1000", path(table))).await;
        let found = got.at("/data").as_array().unwrap().clone();
        let mut left = std::mem::take(&mut table.rows);
        left.sort_by(|a, b| by_key(&table.key, a, b));
        for shown in found {
            let same = |row: &Row| table.shown(row, &table.all()) == shown;
            let fits = if table.key.is_empty() {
                left.iter().position(same)
            } else {
                left.first().filter(|row| same(row)).map(|_| 0)
            };
            let at = fits.unwrap_or_else(|| panic!("{seen}: {shown} is not there or out of order"));
            table.rows.push(left.remove(at));
        }
        assert!(left.is_empty(), "{seen}: {} rows are missing", left.len());
    }
}

/// Which rows a list is about, and how that is spelt.
fn filters<'w>(
    rng: &mut StdRng,
    world: &'w World,
    catalog: &Catalog,
    at: usize,
) -> (String, Vec<Test<'w>>) {
    let (mut query, mut tests) = (String::new(), Vec::new());
    if rng.random_bool(0.7) {
        let (json, test) = condition(rng, world, catalog, at, 3);
        query += &format!("&where={}", encode(&json.to_string()));
        tests.push(test);
    }
    while rng.random_bool(0.3) {
        let (text, test) = parameter(rng, world, at);
        query += &format!("&{text}");
        tests.push(test);
    }
    (query, tests)
}

/// What rows show: columns and related rows, as `fields` and `include` say it.
struct Shape<'w> {
    query: String,
    columns: Vec<usize>,
    related: Vec<(Related<'w>, Vec<usize>)>,
}

impl<'w> Shape<'w> {
    fn new(rng: &mut StdRng, world: &'w World, catalog: &Catalog, at: usize) -> Self {
        let mut shape = Self {
            query: String::new(),
            columns: world.tables[at].all(),
            related: Vec::new(),
        };
        let some = |rng: &mut StdRng, table: &Table| -> Vec<usize> {
            let count = rng.random_range(1..=table.columns.len());
            let start = rng.random_range(0..table.columns.len());
            let all = (0..count).map(|step| (start + step) % table.columns.len());
            all.collect()
        };
        if rng.random_bool(0.4) {
            shape.columns = some(rng, &world.tables[at]);
            let names = fields(&world.tables[at], &shape.columns);
            shape.query += &format!("&fields={names}");
        }
        for relation in related(world, catalog, at) {
            if rng.random_bool(0.5) {
                continue;
            }
            let table = &world.tables[relation.table];
            let mut columns = table.all();
            if rng.random_bool(0.4) {
                columns = some(rng, table);
                let name = encode(&quoted(&relation.name));
                shape.query += &format!("&fields%5B{name}%5D={}", fields(table, &columns));
            }
            shape.related.push((relation, columns));
        }
        if !shape.related.is_empty() {
            let names = shape
                .related
                .iter()
                .map(|(related, _)| quoted(&related.name));
            let names: Vec<String> = names.collect();
            shape.query += &format!("&include={}", encode(&names.join(",")));
        }
        shape
    }

    fn shown(&self, world: &World, at: usize, row: &Row) -> Value {
        let mut shown = world.tables[at].shown(row, &self.columns);
        for (related, columns) in &self.related {
            let table = &world.tables[related.table];
            let rows = (related.rows)(row);
            let mut rows = rows.iter().map(|row| table.shown(row, columns));
            let value = if related.is_list {
                rows.collect()
            } else {
                rows.next().unwrap_or(Value::Null)
            };
            shown[&related.name] = value;
        }
        shown
    }
}

async fn list(
    rng: &mut StdRng,
    site: &Site,
    world: &World,
    catalog: &Catalog,
    at: usize,
    seen: &str,
) {
    let table = &world.tables[at];
    let (filter, tests) = filters(rng, world, catalog, at);
    let shape = Shape::new(rng, world, catalog, at);
    let order = Order::new(rng, world, catalog, at);
    let rows = table
        .rows
        .iter()
        .filter(|row| ask::all(&tests, row) == Some(true));
    let rows = sorted(rows.collect(), |a, b| order.compare(&table.key, a, b));
    let expected: Vec<Value> = rows.iter().map(|row| shape.shown(world, at, row)).collect();
    let per_page = rng.random_range(1..30);
    let mut query = format!(
        "/{}?per_page={per_page}{filter}{}{}",
        path(table),
        shape.query,
        order.query
    );
    let says = |query: &str| format!("{seen}: {query}");
    if rng.random_bool(0.4) && order.resumes && table.resumes([]) {
        let start = query.clone();
        query += "&cursor=";
        let mut found = Vec::new();
        loop {
            let got = site.get(&query).await;
            assert_eq!(got.status, 200, "{} {got:?}", says(&query));
            found.extend(got.at("/data").as_array().unwrap().clone());
            assert!(found.len() <= expected.len(), "{}", says(&query));
            match got.at("/meta/next_cursor") {
                Value::String(cursor) => query = format!("{start}&cursor={cursor}"),
                _ => break,
            }
        }
        assert_eq!(found, expected, "{}", says(&start));
        return;
    }
    let page = rng.random_range(1..3);
    let counts = rng.random_bool(0.7);
    query += &format!("&page={page}");
    if !counts {
        query += "&count=none";
    }
    let got = site.get(&query).await;
    assert_eq!(got.status, 200, "{} {got:?}", says(&query));
    let from = (page - 1) * per_page;
    let expected_page: Vec<Value> = expected.iter().skip(from).take(per_page).cloned().collect();
    assert_eq!(
        got.at("/data"),
        Value::from(expected_page),
        "{}",
        says(&query)
    );
    if counts {
        assert_eq!(got.at("/meta/total"), expected.len(), "{}", says(&query));
    }
    let more = got.at("/links/next") != Value::Null;
    assert_eq!(more, expected.len() > from + per_page, "{}", says(&query));
}

/// The value of a row that it is sorted by.
type SortValue<'w> = Box<dyn Fn(&Row) -> Cell + 'w>;

/// Sort keys, each a column of the table or of a row that it refers to.
struct Order<'w> {
    query: String,
    keys: Vec<(SortValue<'w>, bool)>,
    /// Whether a cursor can go on from it.
    resumes: bool,
}

impl<'w> Order<'w> {
    fn new(rng: &mut StdRng, world: &'w World, catalog: &Catalog, at: usize) -> Self {
        let table = &world.tables[at];
        let mut order = Self {
            query: String::new(),
            keys: Vec::new(),
            resumes: true,
        };
        let mut names = Vec::new();
        for _ in 0..rng.random_range(0..3) {
            let minus = rng.random_bool(0.5);
            let sign = if minus { "-" } else { "" };
            let mut parents = related(world, catalog, at);
            parents.retain(|related| !related.is_list);
            if !parents.is_empty() && rng.random_bool(0.2) {
                let picked = rng.random_range(0..parents.len());
                let parent = parents.swap_remove(picked);
                let target = &world.tables[parent.table];
                let column = rng.random_range(0..target.columns.len());
                let name = quoted(&target.columns[column].name);
                names.push(format!("{sign}{}.{name}", quoted(&parent.name)));
                let rows = parent.rows;
                let value = move |row: &Row| {
                    rows(row)
                        .first()
                        .map_or(Cell::Null, |row| row[column].clone())
                };
                if !target.columns[column].kind.ranks() {
                    names.pop();
                    continue;
                }
                order.resumes = false;
                order.keys.push((Box::new(value), minus));
                continue;
            }
            let column = rng.random_range(0..table.columns.len());
            if !table.columns[column].kind.ranks() {
                continue;
            }
            order.resumes &= table.resumes([column]);
            names.push(format!("{sign}{}", quoted(&table.columns[column].name)));
            order
                .keys
                .push((Box::new(move |row: &Row| row[column].clone()), minus));
        }
        if !names.is_empty() {
            order.query = format!("&sort={}", encode(&names.join(",")));
        }
        order
    }

    fn compare(&self, key: &[usize], a: &Row, b: &Row) -> Ordering {
        let by_keys = self
            .keys
            .iter()
            .fold(Ordering::Equal, |order, (value, minus)| {
                order.then_with(|| {
                    let order = compare(&value(a), &value(b));
                    if *minus { order.reverse() } else { order }
                })
            });
        by_keys.then_with(|| by_key(key, a, b))
    }
}

async fn one(
    rng: &mut StdRng,
    site: &Site,
    world: &World,
    catalog: &Catalog,
    at: usize,
    seen: &str,
) {
    let table = &world.tables[at];
    let shape = Shape::new(rng, world, catalog, at);
    let number = rng.random_range(0..50);
    let row = world.row(rng, table, number);
    let found = table
        .rows
        .iter()
        .find(|known| !table.key.is_empty() && table.key.iter().all(|at| known[*at] == row[*at]));
    let address = format!("/{}/{}", path(table), address(table, &row));
    let query = format!("{address}?_={}", shape.query);
    let got = site.get(&query).await;
    match found {
        Some(row) => {
            assert_eq!(got.status, 200, "{seen}: {query} {got:?}");
            assert_eq!(
                got.at("/data"),
                shape.shown(world, at, row),
                "{seen}: {query}"
            );
        }
        None => assert_eq!(got.slug, "not-found", "{seen}: {query} {got:?}"),
    }
}

async fn figures(
    rng: &mut StdRng,
    site: &Site,
    world: &World,
    catalog: &Catalog,
    at: usize,
    seen: &str,
) {
    const FUNCTIONS: [Function; 5] = [
        Function::Count,
        Function::Sum,
        Function::Avg,
        Function::Min,
        Function::Max,
    ];
    let table = &world.tables[at];
    let (json, test) = condition(rng, world, catalog, at, 2);
    let picked = rng.random_range(0..table.columns.len());
    let groups: Vec<usize> = match rng.random_bool(0.6) && table.columns[picked].kind.ranks() {
        true => vec![picked],
        false => Vec::new(),
    };
    let mut measures = vec![("rows \"'".to_owned(), Function::Count, None, false)];
    for number in 0..rng.random_range(0..4) {
        let column = rng.random_range(0..table.columns.len());
        let function = FUNCTIONS[rng.random_range(0..5)];
        let kind = table.columns[column].kind;
        let fits = match function {
            Function::Count => true,
            Function::Sum | Function::Avg => kind.is_number(),
            _ => kind.has_bounds(),
        };
        let distinct = function == Function::Count && rng.random_bool(0.5);
        if fits {
            measures.push((format!("m{number}"), function, Some(column), distinct));
        }
    }
    let request = Request::Aggregate(Aggregate {
        table: table.name.clone(),
        rows: Rows {
            filter: Some(Filter::Json {
                json: json.to_string(),
                at: "where".into(),
            }),
            ..Rows::default()
        },
        groups: groups
            .iter()
            .map(|column| Group {
                key: "group".to_owned(),
                column: table.columns[*column].name.clone(),
                period: None,
                at: "dimension".into(),
            })
            .collect(),
        measures: measures
            .iter()
            .map(|(key, function, column, distinct)| Measure {
                key: key.clone(),
                function: *function,
                column: column.map(|at| table.columns[at].name.clone()),
                distinct: *distinct,
                at: "measure".into(),
            })
            .collect(),
        order: Vec::new(),
    });
    let answer = site
        .spine
        .answer(Ask {
            identity: &site.tenant.identity,
            rules: &site.rules,
            request: &request,
            format: Format::Json,
            keep: Keep::Yes,
        })
        .await;
    let body = answer
        .unwrap_or_else(|problem| panic!("{seen}: {problem:?} {request:?}"))
        .body;
    let found: Value =
        serde_json::from_str(&format!("[{}]", String::from_utf8_lossy(&body))).unwrap();

    let rows: Vec<&Row> = table
        .rows
        .iter()
        .filter(|row| test(row) == Some(true))
        .collect();
    let mut keys: Vec<Vec<Cell>> = Vec::new();
    for row in &rows {
        let key: Vec<Cell> = groups.iter().map(|at| row[*at].clone()).collect();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if groups.is_empty() {
        keys = vec![Vec::new()];
    }
    keys.sort_by(|a, b| by_key(&(0..a.len()).collect::<Vec<_>>(), a, b));
    let expected: Value = keys
        .into_iter()
        .map(|key| {
            let of_group =
                |row: &&&Row| groups.iter().zip(&key).all(|(at, cell)| row[*at] == *cell);
            let rows: Vec<&Row> = rows.iter().filter(of_group).copied().collect();
            let mut shown = Map::new();
            if let Some(cell) = key.first() {
                shown.insert("group".to_owned(), cell.json());
            }
            for (name, function, column, distinct) in &measures {
                shown.insert(name.clone(), figure(*function, *column, *distinct, &rows));
            }
            Value::Object(shown)
        })
        .collect();
    assert!(
        alike(&found, &expected),
        "{seen}: {request:?}\n{found}\n{expected}"
    );
}

fn figure(function: Function, column: Option<usize>, distinct: bool, rows: &[&Row]) -> Value {
    let Some(at) = column else {
        return Value::from(rows.len());
    };
    let mut cells: Vec<&Cell> = rows.iter().map(|row| &row[at]).collect();
    cells.retain(|cell| **cell != Cell::Null);
    cells.sort_by(|a, b| compare(a, b));
    if distinct {
        cells.dedup();
    }
    let sum = total(&cells);
    match function {
        Function::Count => Value::from(cells.len()),
        _ if cells.is_empty() => Value::Null,
        Function::Sum => Value::from(sum),
        Function::Avg => Value::from(sum / cells.len() as f64),
        Function::Min => cells[0].json(),
        Function::Max => cells[cells.len() - 1].json(),
    }
}

/// The sum, exact as Postgres has it.
fn total(cells: &[&Cell]) -> f64 {
    let whole = cells.iter().map(|cell| match cell {
        Cell::Int(number) => i128::from(*number) * 100,
        Cell::Decimal(hundredths) => i128::from(*hundredths),
        Cell::Float(number) => (number * 100.0) as i128,
        _ => 0,
    });
    whole.sum::<i128>() as f64 / 100.0
}

/// Equal, numbers as far as the last digits of a mean allow.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs().max(1.0) * 1e-12
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}

fn sorted<T>(mut rows: Vec<T>, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    rows.sort_by(order);
    rows
}

fn path(table: &Table) -> String {
    encode(&table.name)
}

/// A row's key as an address spells it.
fn address(table: &Table, row: &Row) -> String {
    let parts = table
        .key
        .iter()
        .map(|at| encode(&row[*at].text().unwrap_or_default()));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        "1".to_owned()
    } else {
        parts.join(",")
    }
}

fn fields(table: &Table, columns: &[usize]) -> String {
    let names = columns.iter().map(|at| quoted(&table.columns[*at].name));
    encode(&names.collect::<Vec<_>>().join(","))
}
