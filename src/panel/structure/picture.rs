//! A picture of all relations: tables in columns, what is referred to left of what refers to it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::tables::Table;

const WIDE: usize = 172;
const HIGH: usize = 30;
const ACROSS: usize = 74;
const DOWN: usize = 14;
const EDGE: usize = 8;

/// What is drawn.
pub struct Picture {
    /// Width of the whole.
    pub width: usize,
    /// Height of the whole.
    pub height: usize,
    /// Size of a box.
    pub wide: usize,
    /// See `wide`.
    pub high: usize,
    /// The tables.
    pub boxes: Vec<Node>,
    /// The relations.
    pub lines: Vec<Line>,
}

/// A table.
pub struct Node {
    /// What it is called, as far as there is room.
    pub name: String,
    /// Its whole name.
    pub title: String,
    /// Where its page is.
    pub href: String,
    /// Left edge.
    pub x: usize,
    /// Upper edge.
    pub y: usize,
}

/// A relation.
pub struct Line {
    /// The curve, as SVG has paths.
    pub path: String,
    /// `invoices.clientid → clients.id`
    pub title: String,
}

/// Draws the tables and their foreign keys; views have none and are left out.
pub fn draw(tables: &[Table], base: &str) -> Picture {
    let tables: Vec<&Table> = tables.iter().filter(|table| !table.is_view()).collect();
    let columns = arranged(&tables);
    let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let tallest = columns.iter().map(Vec::len).max().unwrap_or(0);
    for (across, column) in columns.iter().enumerate() {
        // Shorter columns stand in the middle.
        let lead = (tallest - column.len()) * (HIGH + DOWN) / 2;
        for (down, name) in column.iter().enumerate() {
            let x = EDGE + across * (WIDE + ACROSS);
            let y = EDGE + lead + down * (HIGH + DOWN);
            places.insert(name, (x, y));
        }
    }
    let mut lines = Vec::new();
    for table in &tables {
        for key in &table.foreign_keys {
            let to = key.references.table.as_str();
            let (Some(from), Some(at)) = (places.get(table.name.as_str()), places.get(to)) else {
                continue;
            };
            lines.push(Line {
                path: curve(*from, *at),
                title: format!(
                    "{}.{} → {to}.{}",
                    table.name,
                    key.columns.join(","),
                    key.references.columns.join(",")
                ),
            });
        }
    }
    Picture {
        width: 2 * EDGE + columns.len() * (WIDE + ACROSS)
            - if columns.is_empty() { 0 } else { ACROSS },
        height: 2 * EDGE + tallest * (HIGH + DOWN),
        wide: WIDE,
        high: HIGH,
        boxes: tables
            .iter()
            .filter_map(|table| {
                let (x, y) = *places.get(table.name.as_str())?;
                Some(Node {
                    name: super::super::cells::brief(&table.name, 20),
                    title: table.name.clone(),
                    href: super::at(base, &table.name),
                    x,
                    y,
                })
            })
            .collect(),
        lines,
    }
}

/// The names in columns: each right of all that it refers to, as far as they form no circle.
fn arranged<'a>(tables: &[&'a Table]) -> Vec<Vec<&'a str>> {
    let mut depth: BTreeMap<&str, usize> = tables
        .iter()
        .map(|table| (table.name.as_str(), 0))
        .collect();
    // As often as there are tables: a circle would go on for ever.
    for _ in 0..tables.len().min(12) {
        for table in tables {
            let least = table
                .foreign_keys
                .iter()
                .filter(|key| key.references.table != table.name)
                .filter_map(|key| depth.get(key.references.table.as_str()))
                .map(|depth| depth + 1)
                .max()
                .unwrap_or(0);
            if let Some(depth) = depth.get_mut(table.name.as_str())
                && least > *depth
                && least <= 7
            {
                *depth = least;
            }
        }
    }
    let used: BTreeSet<usize> = depth.values().copied().collect();
    let mut columns: Vec<Vec<&str>> = used
        .iter()
        .map(|wanted| {
            let mut column: Vec<&str> = depth
                .iter()
                .filter(|(_, depth)| *depth == wanted)
                .map(|(name, _)| *name)
                .collect();
            column.sort_unstable();
            column
        })
        .collect();
    // Each column in the order of what it refers to, so that fewer lines cross.
    for at in 1..columns.len() {
        let order: BTreeMap<&str, usize> = columns[..at]
            .iter()
            .flat_map(|column| {
                column
                    .iter()
                    .enumerate()
                    .map(|(place, name)| (*name, place))
            })
            .collect();
        let middle = |name: &&str| -> usize {
            let table = tables.iter().find(|table| table.name == **name);
            let places: Vec<usize> = table
                .into_iter()
                .flat_map(|table| &table.foreign_keys)
                .filter_map(|key| order.get(key.references.table.as_str()).copied())
                .collect();
            places.iter().sum::<usize>() * 100 / places.len().max(1)
        };
        columns[at].sort_by_key(middle);
    }
    columns
}

/// From the left edge of what refers to the right edge of what is referred to.
fn curve(from: (usize, usize), to: (usize, usize)) -> String {
    let (y1, y2) = (from.1 + HIGH / 2, to.1 + HIGH / 2);
    if from.0 == to.0 {
        // To itself, or to a neighbour above or below.
        let x = from.0 + WIDE;
        return format!(
            "M{x} {y1}C{} {y1} {} {y2} {x} {}",
            x + 40,
            x + 40,
            y2 + usize::from(y1 == y2) * 8
        );
    }
    let (x1, x2) = (from.0, to.0 + WIDE);
    let bend = x1.abs_diff(x2) / 2;
    format!(
        "M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}",
        x1.saturating_sub(bend),
        x2 + bend
    )
}
