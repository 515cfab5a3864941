//! Rows as the API answers with them: values keep the text that they came as, in their order.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Characters of a value that a grid shows.
const BRIEF: usize = 80;

/// A row: names and values, in the order of the columns.
#[derive(Debug, Default)]
pub struct Row(pub Vec<(String, Box<RawValue>)>);

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, with all its digits.
    Number(String),
    /// A text.
    Text(String),
    /// An object or a list, as JSON.
    Json(String),
}

/// A page of rows.
#[derive(Debug, Deserialize)]
pub struct Page {
    /// The rows.
    pub data: Vec<Row>,
    /// How many there are.
    pub meta: Meta,
}

/// How a page is placed among the others.
#[derive(Debug, Default, Deserialize)]
pub struct Meta {
    /// Rows of all pages.
    pub total: Option<u64>,
    /// Pages.
    pub total_pages: Option<u64>,
    /// This page, from 1; none if it was asked for by a cursor.
    pub current_page: Option<u64>,
    /// Rows of a page.
    pub per_page: u64,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// One row.
#[derive(Debug, Deserialize)]
pub struct One {
    /// The row.
    pub data: Row,
}

impl Row {
    /// The value of a column; nothing where there is no such column.
    pub fn cell(&self, column: &str) -> Cell {
        self.raw(column).map_or(Cell::Null, Cell::of)
    }

    /// The JSON of a column's value.
    pub fn raw(&self, column: &str) -> Option<&RawValue> {
        self.0
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, value)| &**value)
    }
}

impl Cell {
    /// The value that a JSON text is.
    pub fn of(raw: &RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            None | Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'"') => Self::Text(serde_json::from_str(text).unwrap_or_default()),
            Some(b'{' | b'[') => Self::Json(text.to_owned()),
            Some(_) => Self::Number(text.to_owned()),
        }
    }

    /// The whole value as text; empty for nothing.
    pub fn text(&self) -> &str {
        match self {
            Self::Null => "",
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Number(text) | Self::Text(text) | Self::Json(text) => text,
        }
    }

    /// The value as one short line.
    pub fn brief(&self) -> String {
        brief(self.text(), BRIEF)
    }
}

/// A text as one line of so many characters at most.
pub fn brief(text: &str, most: usize) -> String {
    let mut line = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == most {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

/// A number with its thousands apart: `1,426`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Vec::new();
                while let Some(member) = map.next_entry()? {
                    row.push(member);
                }
                Ok(Row(row))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_order_and_their_digits() {
        let row: Row = serde_json::from_str(
            r#"{"z":12345678901234567890.10,"a":"x\"y","n":null,"j":{"b": 1}}"#,
        )
        .unwrap();
        let names: Vec<&str> = row.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["z", "a", "n", "j"]);
        assert_eq!(
            row.cell("z"),
            Cell::Number("12345678901234567890.10".into())
        );
        assert_eq!(row.cell("a").text(), "x\"y");
        assert_eq!(row.cell("j"), Cell::Json("{\"b\": 1}".into()));
        assert_eq!(row.cell("nothing"), Cell::Null);
    }

    #[test]
    fn long_values_become_short_lines() {
        assert_eq!(brief("a\nb", 10), "a b");
        assert_eq!(brief(&"ü".repeat(100), 3), "üüü…");
        assert_eq!(grouped(1), "1");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(100_000), "100,000");
    }
}
