//! Rows that a client sends: JSON read once, checked, and kept as JSON text per column.
//!
//! No tree is built: a body is its columns' names and the text of their values.

use super::json::{Scanner, bad};
use crate::problem::{Kind, Problem};

/// The most members of one object; no table has as many columns.
const MAX_MEMBERS: usize = 2000;

/// One row or several, as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The rows, each with its columns in the order given.
    pub rows: Vec<Vec<Cell>>,
    /// Whether an array was given, even of one row.
    pub many: bool,
    /// Whether values come as text alone, as in CSV: for columns that take other JSON than
    /// strings, such as arrays and documents, the text is their JSON.
    pub text: bool,
}

/// A value for one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Name as given, not yet known to be a column.
    pub name: String,
    /// A JSON value.
    pub json: String,
    /// Whether the server put it there, as the hash of a password: such a cell may go into a
    /// column that clients don't see.
    pub trusted: bool,
}

impl Body {
    /// Reads a JSON object, or an array of objects.
    ///
    /// Fails with `bad-request` where the text is not that, and with `validation-failed` naming
    /// the columns whose text Postgres can't store or that are given twice.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            bad(format!(
                "The body is not UTF-8 (at byte {}).",
                error.valid_up_to()
            ))
        })?;
        let mut scanner = Scanner::new(text);
        scanner.space();
        let many = match scanner.peek() {
            None => return Err(bad("The body is empty; send a JSON object.")),
            Some(b'{') => false,
            Some(b'[') => true,
            Some(_) => {
                scanner.value(0)?;
                return Err(bad("The body is not a JSON object or an array of them."));
            }
        };
        let mut body = Self {
            rows: Vec::new(),
            many,
            text: false,
        };
        let mut flaws = Problem::new(Kind::ValidationFailed);
        if many {
            scanner.items(b'[', b']', |scanner| {
                scanner.space();
                if scanner.peek() != Some(b'{') {
                    return Err(bad("Each item of the array must be a JSON object."));
                }
                let cells = row(scanner, Some(body.rows.len() + 1), &mut flaws)?;
                body.rows.push(cells);
                Ok(())
            })?;
        } else {
            body.rows.push(row(&mut scanner, None, &mut flaws)?);
        }
        scanner.space();
        if scanner.peek().is_some() {
            return Err(scanner.broken("Nothing may follow the value"));
        }
        if body.rows.is_empty() {
            return Err(bad("The array has no rows."));
        }
        if !flaws.errors.is_empty() {
            return Err(flaws);
        }
        Ok(body)
    }

    /// The prefix of messages about a row: its number where there are several.
    pub fn row_label(&self, row: usize) -> String {
        if self.many {
            format!("row {}: ", row + 1)
        } else {
            String::new()
        }
    }
}

/// One object of the top level.
fn row(
    scanner: &mut Scanner<'_>,
    number: Option<usize>,
    flaws: &mut Problem,
) -> Result<Vec<Cell>, Problem> {
    let mut cells: Vec<Cell> = Vec::new();
    let label = number.map_or_else(String::new, |n| format!("row {n}: "));
    let mut say = |name: &str, message: &str| {
        flaws
            .errors
            .entry(name.to_owned())
            .or_default()
            .push(format!("{label}{message}"));
    };
    scanner.items(b'{', b'}', |scanner| {
        scanner.space();
        (scanner.nul, scanner.half) = (false, false);
        let name = scanner.string()?;
        if scanner.half {
            return Err(bad("A member's name has half of a surrogate pair."));
        }
        scanner.nul = false;
        scanner.space();
        scanner.expect(b':')?;
        scanner.space();
        let json = scanner.part()?.to_owned();
        if scanner.nul {
            say(&name, "holds the character U+0000, which can't be stored");
        }
        if scanner.half {
            say(
                &name,
                "holds half of a surrogate pair, which is no character",
            );
        }
        if cells.iter().any(|cell| cell.name == name) {
            say(&name, "is given twice");
        }
        if cells.len() >= MAX_MEMBERS {
            return Err(bad(format!(
                "An object has more than {MAX_MEMBERS} members."
            )));
        }
        cells.push(Cell {
            name,
            json,
            trusted: false,
        });
        Ok(())
    })?;
    Ok(cells)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cells(text: &str) -> Vec<(String, String)> {
        let body = Body::parse(text.as_bytes()).unwrap();
        body.rows
            .into_iter()
            .flatten()
            .map(|cell| (cell.name, cell.json))
            .collect()
    }

    fn slug(text: &[u8]) -> &'static str {
        Body::parse(text).unwrap_err().kind.slug()
    }

    #[test]
    fn keeps_values_as_written() {
        assert_eq!(
            cells(" { \"a\" : 1.50 , \"b\": [1, {\"x\":null}] ,\"c\":\"\\u00e9\"}\n"),
            [
                ("a", "1.50"),
                ("b", "[1, {\"x\":null}]"),
                ("c", "\"\\u00e9\"")
            ]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }

    #[test]
    fn names_are_unescaped() {
        assert_eq!(cells(r#"{"\u0061\n\ud83d\ude00":true}"#)[0].0, "a\n😀");
    }

    #[test]
    fn arrays_are_many() {
        let body = Body::parse(br#"[{"a":1},{}]"#).unwrap();
        assert!(body.many);
        assert_eq!(body.rows.len(), 2);
        assert_eq!(body.row_label(1), "row 2: ");
    }

    #[test]
    fn what_is_no_json_is_a_bad_request() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "[]",
            "[1]",
            "1",
            "null",
            "\"x\"",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":nul}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"",
            "{\"a\":NaN}",
            "{\"\\ud800\":1}",
            "[{\"a\":1}",
            "{\"a\":.5}",
            "{\"a\":-}",
            "[[{}]]",
            deep.as_str(),
        ] {
            assert_eq!(slug(text.as_bytes()), "bad-request", "{text:.40}");
        }
        assert_eq!(slug(b"{\"a\":\"\xff\"}"), "bad-request");
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(slug(deep.as_bytes()), "bad-request");
    }

    #[test]
    fn text_that_cannot_be_stored_is_named() {
        let text = br#"{"a":"\u0000","b":"\ud800x","c":{"d":["\udc00"]},"e":"\ud83d\ude00"}"#;
        let problem = Body::parse(text).unwrap_err();
        assert_eq!(problem.kind.slug(), "validation-failed");
        assert_eq!(problem.errors.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_column_given_twice_is_named() {
        let problem = Body::parse(br#"[{"a":1},{"a":1,"\u0061":2}]"#).unwrap_err();
        assert_eq!(problem.errors["a"], ["row 2: is given twice"]);
    }
}
