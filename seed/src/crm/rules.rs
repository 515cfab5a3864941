//! Tests of the rules that the generated rows keep, over all rows at scale 1, read back from the `copy` text.

#![allow(clippy::unwrap_used)]

mod money;
mod shape;
mod work;

use super::{Crm, Table};
use std::collections::HashMap;
use std::sync::LazyLock;

/// All tables under one seed.
static TABLES: LazyLock<HashMap<&'static str, Rows>> = LazyLock::new(|| {
    let crm = Crm::new(11, 1);
    Crm::tables()
        .iter()
        .map(|table| (table.name, Rows::of(&crm, table)))
        .collect()
});

/// The rows of a table.
struct Rows {
    columns: HashMap<&'static str, usize>,
    rows: Vec<Vec<Option<String>>>,
}

/// One of them.
#[derive(Clone, Copy)]
struct Row<'a> {
    table: &'a Rows,
    values: &'a [Option<String>],
}

fn table(name: &str) -> &'static Rows {
    &TABLES[name]
}

impl Rows {
    fn of(crm: &Crm, table: &Table) -> Self {
        let mut text = Vec::new();
        for chunk in 0..crm.chunks(table) {
            crm.copy(table, chunk, &mut text);
        }
        let text = String::from_utf8(text).unwrap();
        let rows = text
            .lines()
            .map(|line| line.split('\t').map(value).collect())
            .collect();
        Rows {
            columns: table
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| (*column, index))
                .collect(),
            rows,
        }
    }

    fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row {
            table: self,
            values,
        })
    }

    /// The row with this number: those of a table are numbered from 1 without gaps.
    fn number(&self, id: &str) -> Row<'_> {
        let row = Row {
            table: self,
            values: &self.rows[id.parse::<usize>().unwrap() - 1],
        };
        assert_eq!(row.text("id"), id);
        row
    }

    /// Rows by the value of a column.
    fn by(&self, column: &str) -> HashMap<&str, Vec<Row<'_>>> {
        let mut groups: HashMap<&str, Vec<Row<'_>>> = HashMap::new();
        for row in self.iter() {
            if let Some(value) = row.maybe(column) {
                groups.entry(value).or_default().push(row);
            }
        }
        groups
    }
}

impl<'a> Row<'a> {
    fn maybe(&self, column: &str) -> Option<&'a str> {
        self.values[self.table.columns[column]].as_deref()
    }

    fn text(&self, column: &str) -> &'a str {
        self.maybe(column)
            .unwrap_or_else(|| panic!("{column} is null in {:?}", self.values))
    }

    /// A number with two decimals, in hundredths.
    fn cents(&self, column: &str) -> i64 {
        self.text(column).replace('.', "").parse().unwrap()
    }

    /// The date of a date or an instant.
    fn date(&self, column: &str) -> &'a str {
        &self.text(column)[..10]
    }
}

/// A value as `copy` writes it.
fn value(text: &str) -> Option<String> {
    if text == "\\N" {
        return None;
    }
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => panic!("a backslash at the end of {text}"),
            },
            character => character,
        });
    }
    Some(out)
}
