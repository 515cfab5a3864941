//! JSON text read without building a tree: checked, and taken apart into pieces of text.
//!
//! The scanner checks against RFC 8259, so that what reaches Postgres is well formed, and finds
//! what Postgres can't store in a string: the character U+0000 and halves of surrogate pairs.

use crate::problem::{Kind, Problem};
use std::fmt::Write;

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 100;

/// The members of a JSON object in order, values as JSON text; `None` if `json` is no object, is
/// not well formed or is nested too deep.
pub fn members(json: &str) -> Option<Vec<(String, &str)>> {
    let mut members = Vec::new();
    let mut scanner = Scanner::new(json);
    scanner.space();
    let read = scanner.items(b'{', b'}', |scanner| {
        scanner.space();
        let name = scanner.string()?;
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
    scanner.string().ok()
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

pub(super) fn bad(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Kind::BadRequest).detail(detail)
}

/// A place in a JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Whether a string read so far holds U+0000.
    pub(super) nul: bool,
    /// Whether a string read so far holds half of a surrogate pair.
    pub(super) half: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            nul: false,
            half: false,
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    pub(super) fn is_done(&mut self) -> bool {
        self.space();
        self.peek().is_none()
    }

    /// The text of the value that comes next.
    pub(super) fn part(&mut self) -> Result<&'a str, Problem> {
        self.space();
        let start = self.at;
        self.value(1)?;
        Ok(&self.text[start..self.at])
    }

    pub(super) fn broken(&self, what: &str) -> Problem {
        bad(format!(
            "The body is not valid JSON: {what} (at byte {}).",
            self.at
        ))
    }

    /// The comma-separated inside of an array or object, `each` reading one item.
    pub(super) fn items(
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

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Problem> {
        if self.peek() != Some(byte) {
            return Err(self.broken(&format!("`{}` is missing", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    /// Any value; `depth` counts the brackets around it.
    pub(super) fn value(&mut self, depth: usize) -> Result<(), Problem> {
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

    pub(super) fn string(&mut self) -> Result<String, Problem> {
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
                    return Ok(text);
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

    #[test]
    fn strings_there_and_back() {
        let mut out = String::new();
        write_string(&mut out, "a\"\\\n\u{1}é😀/");
        assert_eq!(out, "\"a\\\"\\\\\\n\\u0001é😀/\"");
        assert_eq!(string_value(&out).unwrap(), "a\"\\\n\u{1}é😀/");
        assert_eq!(string_value("12"), None);
    }
}
