//! Writer of rows in PostgreSQL's `copy` text format: one line a row, columns parted by tabs, `\N` for null.

use crate::crm::calendar::{Day, Moment};
use std::io::Write;

/// One row being written. [`Line::end`] completes it.
#[derive(Debug)]
pub struct Line<'a> {
    out: &'a mut Vec<u8>,
    columns: usize,
}

impl<'a> Line<'a> {
    /// Begins a row at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Line { out, columns: 0 }
    }

    /// A text; control characters and backslashes are escaped.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.part();
        self.escaped(text);
        self
    }

    /// A text, or null.
    pub fn maybe(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// A whole number.
    pub fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        self.part();
        self.display(value.into())
    }

    /// The number of a row, or null.
    pub fn id(&mut self, id: Option<u64>) -> &mut Self {
        match id {
            Some(id) => {
                self.part();
                self.display(id)
            }
            None => self.null(),
        }
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.part();
        self.out.push(if value { b't' } else { b'f' });
        self
    }

    /// A number with two decimals, given in hundredths.
    pub fn hundredths(&mut self, value: i64) -> &mut Self {
        self.part();
        let sign = if value < 0 { "-" } else { "" };
        self.display(format_args!(
            "{sign}{}.{:02}",
            value.abs() / 100,
            value.abs() % 100
        ))
    }

    /// A date.
    pub fn day(&mut self, day: Day) -> &mut Self {
        self.part();
        self.display(day.date())
    }

    /// A date, or null.
    pub fn maybe_day(&mut self, day: Option<Day>) -> &mut Self {
        match day {
            Some(day) => self.day(day),
            None => self.null(),
        }
    }

    /// An instant.
    pub fn at(&mut self, moment: Moment) -> &mut Self {
        self.part();
        self.display(moment)
    }

    /// An instant, or null.
    pub fn maybe_at(&mut self, moment: Option<Moment>) -> &mut Self {
        match moment {
            Some(moment) => self.at(moment),
            None => self.null(),
        }
    }

    /// An array of texts.
    pub fn list(&mut self, items: &[&str]) -> &mut Self {
        let mut array = String::from("{");
        for (index, item) in items.iter().enumerate() {
            array.push_str(if index == 0 { "\"" } else { ",\"" });
            for c in item.chars() {
                if matches!(c, '"' | '\\') {
                    array.push('\\');
                }
                array.push(c);
            }
            array.push('"');
        }
        array.push('}');
        self.text(&array)
    }

    /// A JSON object with these members.
    pub fn object(&mut self, members: &[(&str, Json<'_>)]) -> &mut Self {
        self.text(&object(members))
    }

    /// Null.
    pub fn null(&mut self) -> &mut Self {
        self.part();
        self.out.extend_from_slice(b"\\N");
        self
    }

    /// Completes the row.
    pub fn end(&mut self) {
        self.out.push(b'\n');
    }

    fn part(&mut self) {
        if self.columns > 0 {
            self.out.push(b'\t');
        }
        self.columns += 1;
    }

    fn escaped(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                byte => self.out.push(byte),
            }
        }
    }

    fn display(&mut self, value: impl std::fmt::Display) -> &mut Self {
        // Writing to a vector cannot fail.
        let _ = write!(self.out, "{value}");
        self
    }
}

/// A member of a JSON object.
#[derive(Clone, Copy, Debug)]
pub enum Json<'a> {
    /// A string.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// A list of strings.
    List(&'a [&'a str]),
}

/// JSON text of an object.
pub fn object(members: &[(&str, Json<'_>)]) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        quote(name, &mut out);
        out.push_str(": ");
        match value {
            Json::Text(text) => quote(text, &mut out),
            Json::Int(number) => out.push_str(&number.to_string()),
            Json::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Json::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    quote(item, &mut out);
                }
                out.push(']');
            }
        }
    }
    out.push('}');
    out
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(write: impl FnOnce(&mut Line<'_>)) -> String {
        let mut out = Vec::new();
        let mut line = Line::new(&mut out);
        write(&mut line);
        line.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(
            line(|l| {
                l.text("a\tb\\c\nd").null().int(-5).bool(true);
            }),
            "a\\tb\\\\c\\nd\t\\N\t-5\tt\n"
        );
    }

    #[test]
    fn amounts_have_two_decimals() {
        assert_eq!(
            line(|l| {
                l.hundredths(5).hundredths(-150).hundredths(100_000);
            }),
            "0.05\t-1.50\t1000.00\n"
        );
    }

    #[test]
    fn arrays_and_objects_quote_their_items() {
        assert_eq!(
            line(|l| {
                l.list(&["a", "b \"c\""]);
            }),
            "{\"a\",\"b \\\\\"c\\\\\"\"}\n"
        );
        assert_eq!(
            object(&[
                ("a", Json::Text("x\"y")),
                ("b", Json::List(&["c", "d"])),
                ("e", Json::Bool(false))
            ]),
            "{\"a\": \"x\\\"y\", \"b\": [\"c\", \"d\"], \"e\": false}"
        );
    }
}
