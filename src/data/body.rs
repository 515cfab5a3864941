//! Rows that a client sends: JSON read once, checked, and kept as JSON text per column.
//!
//! No tree is built. The scanner checks the whole text against RFC 8259, so that what reaches
//! Postgres is well formed, and finds what Postgres can't store in a string: the character
//! U+0000 and halves of surrogate pairs.

use crate::problem::{Kind, Problem};
use std::fmt::Write;

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 100;

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
                let row = scanner.row(Some(body.rows.len() + 1), &mut flaws)?;
                body.rows.push(row);
                Ok(())
            })?;
        } else {
            body.rows.push(scanner.row(None, &mut flaws)?);
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

/// The members of a JSON object in order, values as JSON text; `None` if `json` is no object, is
/// not well formed or is nested too deep.
pub fn members(json: &str) -> Option<Vec<(String, &str)>> {
    let mut members = Vec::new();
    let mut scanner = Scanner::new(json);
    scanner.space();
    let read = scanner.items(b'{', b'}', |scanner| {
        scanner.space();
        let name = scanner.string()?.text;
        scanner.space();
        scanner.expect(b':')?;
        members.push((name, scanner.part()?));
        Ok(())
    });
    (read.is_ok() && scanner.is_done()).then_some(members)
}

/// The elements of a JSON array, as JSON text; `None` as for [`members`].
pub fn elements(json: &str) -> Option<Vec<&str>> {
    let mut elements = Vec::new();
    let mut scanner = Scanner::new(json);
    scanner.space();
    let read = scanner.items(b'[', b']', |scanner| {
        elements.push(scanner.part()?);
        Ok(())
    });
    (read.is_ok() && scanner.is_done()).then_some(elements)
}

/// Whether the text is one JSON value that Postgres can store.
pub fn is_json(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.value(1).is_ok() && scanner.is_done() && !scanner.nul && !scanner.half
}

/// The text of a JSON string value; `None` if `json` is no string.
pub fn string_value(json: &str) -> Option<String> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(inner.to_owned());
    }
    let mut scanner = Scanner::new(json);
    scanner.string().ok().map(|string| string.text)
}

/// Writes text as a JSON string.
pub fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a string can't fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn bad(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Kind::BadRequest).detail(detail)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    nul: bool,
    half: bool,
}

struct Text {
    text: String,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            nul: false,
            half: false,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn is_done(&mut self) -> bool {
        self.space();
        self.peek().is_none()
    }

    /// The text of the value that comes next.
    fn part(&mut self) -> Result<&'a str, Problem> {
        self.space();
        let start = self.at;
        self.value(1)?;
        Ok(&self.text[start..self.at])
    }

    fn broken(&self, what: &str) -> Problem {
        bad(format!(
            "The body is not valid JSON: {what} (at byte {}).",
            self.at
        ))
    }

    /// One object of the top level.
    fn row(&mut self, number: Option<usize>, flaws: &mut Problem) -> Result<Vec<Cell>, Problem> {
        let mut cells: Vec<Cell> = Vec::new();
        let label = number.map_or_else(String::new, |n| format!("row {n}: "));
        let mut say = |name: &str, message: &str| {
            flaws
                .errors
                .entry(name.to_owned())
                .or_default()
                .push(format!("{label}{message}"));
        };
        self.items(b'{', b'}', |scanner| {
            scanner.space();
            (scanner.nul, scanner.half) = (false, false);
            let name = scanner.string()?.text;
            if scanner.half {
                return Err(bad("A member's name has half of a surrogate pair."));
            }
            scanner.nul = false;
            scanner.space();
            scanner.expect(b':')?;
            scanner.space();
            let start = scanner.at;
            scanner.value(if number.is_some() { 2 } else { 1 })?;
            let json = scanner.text[start..scanner.at].to_owned();
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
            cells.push(Cell {
                name,
                json,
                trusted: false,
            });
            Ok(())
        })?;
        Ok(cells)
    }

    /// The comma-separated inside of an array or object, `each` reading one item.
    fn items(
        &mut self,
        open: u8,
        close: u8,
        mut each: impl FnMut(&mut Self) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.expect(open)?;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            each(self)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b) if b == close => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.broken("a comma or a closing bracket is missing")),
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        if self.peek() != Some(byte) {
            return Err(self.broken(&format!("`{}` is missing", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    /// Any value; `depth` counts the brackets around it.
    fn value(&mut self, depth: usize) -> Result<(), Problem> {
        if depth > MAX_DEPTH {
            return Err(bad(format!(
                "The body is nested more than {MAX_DEPTH} deep."
            )));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.items(b'{', b'}', |scanner| {
                scanner.space();
                scanner.string()?;
                scanner.space();
                scanner.expect(b':')?;
                scanner.value(depth + 1)
            }),
            Some(b'[') => self.items(b'[', b']', |scanner| scanner.value(depth + 1)),
            Some(b'"') => self.string().map(|_| ()),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            None => Err(self.broken("it ends too early")),
            Some(_) => Err(self.broken("a value is missing")),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), Problem> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.broken("a value is misspelt"));
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<(), Problem> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (zero && whole > 1) {
            return Err(self.broken("a number is misspelt"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.broken("a number ends in a point"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.broken("a number has an empty exponent"));
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Text, Problem> {
        self.expect(b'"')?;
        let mut text = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            text.push_str(&self.text[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Text { text });
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut text)?;
                }
                None => return Err(self.broken("a string has no end")),
                Some(_) => return Err(self.broken("a string holds a bare control character")),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), Problem> {
        let plain = match self.peek() {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode(text);
            }
            _ => return Err(self.broken("a string holds an unknown escape")),
        };
        self.at += 1;
        text.push(plain);
        Ok(())
    }

    /// The four digits behind `\u`, and the second half of a pair where one belongs.
    fn unicode(&mut self, text: &mut String) -> Result<(), Problem> {
        let first = self.hex()?;
        if first == 0 {
            self.nul = true;
        }
        if !(0xd800..0xe000).contains(&first) {
            text.extend(char::from_u32(first));
            return Ok(());
        }
        let rest = &self.text.as_bytes()[self.at..];
        if first < 0xdc00 && rest.starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                text.extend(char::from_u32(code));
                return Ok(());
            }
            self.at = back;
        }
        self.half = true;
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, Problem> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let code = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(code) = code else {
            return Err(self.broken("`\\u` needs four hexadecimal digits"));
        };
        self.at += 4;
        Ok(code)
    }
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

    #[test]
    fn strings_there_and_back() {
        let mut out = String::new();
        write_string(&mut out, "a\"\\\n\u{1}é😀/");
        assert_eq!(out, "\"a\\\"\\\\\\n\\u0001é😀/\"");
        assert_eq!(string_value(&out).unwrap(), "a\"\\\n\u{1}é😀/");
        assert_eq!(string_value("12"), None);
    }
}
