//! Random writes, and what must come of them.

use super::world::{Cell, Row, Table, World, quoted};
use super::{Site, address, path};
use crate::listing::words::encode;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Map, Value};

/// Given columns of a row, by position.
type Given = Vec<(usize, Cell)>;

/// Makes one change over the API and the same in the world, if it is one that is allowed.
pub(super) async fn change(rng: &mut StdRng, site: &Site, world: &mut World, seen: &str) {
    let at = rng.random_range(0..world.tables.len());
    match rng.random_range(0..6) {
        0 => remove(rng, site, world, at, seen).await,
        1 | 2 => update(rng, site, world, at, seen).await,
        _ => create(rng, site, world, at, seen).await,
    }
}

async fn create(rng: &mut StdRng, site: &Site, world: &mut World, at: usize, seen: &str) {
    let many = rng.random_bool(0.4);
    let rows: Vec<Given> = (0..if many { rng.random_range(1..4) } else { 1 })
        .map(|_| {
            let number = rng.random_range(0..120);
            given(rng, world, at, number)
        })
        .collect();
    let mut rows = rows;
    let table = &world.tables[at];
    let upsert = !table.key.is_empty() && rng.random_bool(0.4);
    if upsert {
        // Postgres refuses to change a row twice in one statement.
        let mut keys: Vec<Row> = Vec::new();
        rows.retain(|row| {
            let key = key(table, &full(table, row));
            let new = !keys.contains(&key);
            keys.push(key);
            new
        });
    }
    let merge = rng.random_bool(0.5);
    let kept = rng.random_bool(0.8);
    let bodies: Vec<Value> = rows.iter().map(|row| body(table, row)).collect();
    let body = if many {
        Value::from(bodies)
    } else {
        bodies[0].clone()
    };
    let names = table.key.iter().map(|at| quoted(&table.columns[*at].name));
    let names: Vec<String> = names.collect();
    let line = if upsert {
        format!(
            "POST /{}?on_conflict={}",
            path(table),
            encode(&names.join(","))
        )
    } else {
        format!("POST /{}", path(table))
    };
    let mut prefer = Vec::new();
    if upsert {
        prefer.push(if merge {
            "resolution=merge-duplicates"
        } else {
            "resolution=ignore-duplicates"
        });
    }
    if !kept {
        prefer.push("tx=rollback");
    }
    let prefer = prefer.join(", ");
    let got = site
        .send_preferring(&line, &body.to_string(), Some(&prefer))
        .await;
    let says = format!("{seen}: {line} {prefer} {body} {got:?}");

    let mut after = table.rows.clone();
    let mut answered: Vec<Row> = Vec::new();
    let mut fits = true;
    for row in &rows {
        let new = full(table, row);
        let known = after
            .iter()
            .position(|known| !table.key.is_empty() && key(table, known) == key(table, &new));
        match known {
            None => {
                fits &= table.keeps(&new, world);
                after.push(new.clone());
                answered.push(new);
            }
            Some(_) if !upsert => fits = false,
            Some(known) => {
                // Not null is looked at before a row meets another one.
                fits &= table.is_whole(&new);
                if merge {
                    for (column, cell) in row {
                        after[known][*column] = cell.clone();
                    }
                    fits &= table.keeps(&after[known], world);
                    answered.push(after[known].clone());
                }
            }
        }
    }
    if !fits {
        assert_eq!((got.status, got.slug), (422, "creation-failed"), "{says}");
        return;
    }
    let shown: Vec<Value> = answered
        .iter()
        .map(|row| table.shown(row, &table.all()))
        .collect();
    if many {
        assert_eq!(got.status, 201, "{says}");
        assert_eq!(got.at("/data"), Value::from(shown), "{says}");
    } else {
        let expected = shown.first().cloned().unwrap_or(Value::Null);
        assert_eq!(
            got.status,
            if shown.is_empty() { 200 } else { 201 },
            "{says}"
        );
        assert_eq!(got.at("/data"), expected, "{says}");
    }
    if kept {
        world.tables[at].rows = after;
    }
}

async fn update(rng: &mut StdRng, site: &Site, world: &mut World, at: usize, seen: &str) {
    let number = rng.random_range(0..60);
    let target = {
        let table = &world.tables[at];
        world.row(rng, table, number)
    };
    let mut set = given(rng, world, at, number);
    let table = &world.tables[at];
    set.retain(|(column, _)| !table.key.contains(column));
    let kept = rng.random_bool(0.8);
    let verb = if rng.random_bool(0.5) { "PUT" } else { "PATCH" };
    let line = format!("{verb} /{}/{}", path(table), address(table, &target));
    let body = body(table, &set);
    let prefer = (!kept).then_some("tx=rollback");
    let got = site.send_preferring(&line, &body.to_string(), prefer).await;
    let says = format!("{seen}: {line} {body} {got:?}");
    let known = table
        .rows
        .iter()
        .position(|row| !table.key.is_empty() && key(table, row) == key(table, &target));
    let Some(known) = known else {
        assert_eq!(got.slug, "not-found", "{says}");
        return;
    };
    let mut row = table.rows[known].clone();
    for (column, cell) in set {
        row[column] = cell;
    }
    if table.keeps(&row, world) {
        assert_eq!(got.status, 200, "{says}");
        assert_eq!(got.at("/data"), table.shown(&row, &table.all()), "{says}");
        if kept {
            world.tables[at].rows[known] = row;
        }
    } else {
        assert_eq!((got.status, got.slug), (422, "update-failed"), "{says}");
    }
}

async fn remove(rng: &mut StdRng, site: &Site, world: &mut World, at: usize, seen: &str) {
    let table = &world.tables[at];
    if table.rows.is_empty() || table.key.is_empty() {
        return;
    }
    let picked = rng.random_range(0..table.rows.len());
    let row = table.rows[picked].clone();
    let line = format!("DELETE /{}/{}", path(table), address(table, &row));
    let kept = rng.random_bool(0.8);
    let prefer = (!kept).then_some("tx=rollback");
    let got = site.send_preferring(&line, "", prefer).await;
    let says = format!("{seen}: {line} {got:?}");
    let referred = world.tables.iter().any(|other| {
        let links = other.links.iter().filter(|link| link.table == at);
        links.into_iter().any(|link| {
            let meets = |other: &Row| {
                let mut pairs = link.here.iter().zip(&link.there);
                pairs.all(|(here, there)| other[*here] == row[*there])
            };
            other.rows.iter().any(meets)
        })
    });
    if referred {
        assert_eq!((got.status, got.slug), (422, "deletion-failed"), "{says}");
        return;
    }
    assert_eq!(got.status, 200, "{says}");
    assert_eq!(got.at("/data"), table.shown(&row, &table.all()), "{says}");
    if kept {
        world.tables[at].rows.remove(picked);
    }
}

/// Columns of a new row; now and then one that breaks a promise.
fn given(rng: &mut StdRng, world: &World, at: usize, number: u32) -> Given {
    let table = &world.tables[at];
    let mut row = world.row(rng, table, number);
    for link in &table.links {
        if rng.random_bool(0.1) {
            // Refers to a row that most likely is not there.
            let target = &world.tables[link.table];
            let nobody = world.row(rng, target, 1000 + number);
            for (here, there) in link.here.iter().zip(&link.there) {
                row[*here] = nobody[*there].clone();
            }
        }
    }
    let linked = |column: usize| table.links.iter().any(|link| link.here.contains(&column));
    let mut given = Vec::new();
    for (column, cell) in row.into_iter().enumerate() {
        let nullable = table.columns[column].nullable;
        let cell = if rng.random_bool(0.03) && !table.key.contains(&column) && !linked(column) {
            Cell::Null
        } else {
            cell
        };
        // Half a reference is none; so its columns are given together.
        if !nullable || linked(column) || rng.random_bool(0.8) {
            given.push((column, cell));
        }
    }
    given
}

fn body(table: &Table, row: &Given) -> Value {
    let members = row
        .iter()
        .map(|(column, cell)| (table.columns[*column].name.clone(), cell.json()));
    Value::Object(Map::from_iter(members))
}

fn full(table: &Table, given: &Given) -> Row {
    let mut row = vec![Cell::Null; table.columns.len()];
    for (column, cell) in given {
        row[*column] = cell.clone();
    }
    row
}

fn key(table: &Table, row: &Row) -> Row {
    table.key.iter().map(|at| row[*at].clone()).collect()
}

impl Table {
    fn is_whole(&self, row: &Row) -> bool {
        let mut cells = row.iter().zip(&self.columns);
        cells.all(|(cell, column)| column.nullable || *cell != Cell::Null)
    }

    /// Whether the row breaks neither `not null` nor a foreign key.
    fn keeps(&self, row: &Row, world: &World) -> bool {
        self.is_whole(row)
            && self.links.iter().all(|link| {
                let unknown = link.here.iter().any(|at| row[*at] == Cell::Null);
                let meets = |other: &Row| {
                    let mut pairs = link.here.iter().zip(&link.there);
                    pairs.all(|(here, there)| row[*here] == other[*there])
                };
                unknown || world.tables[link.table].rows.iter().any(meets)
            })
    }
}
