//! CSV (RFC 4180) as it comes out of spreadsheets and goes into them.

use super::cells::{Cell, Row};

/// A record: its fields and the line that it begins at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// From 1.
    pub line: usize,
    /// The fields.
    pub fields: Vec<Field>,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its text.
    pub text: String,
    /// Whether it stood in quotes: an empty one is a text then, and nothing otherwise.
    pub quoted: bool,
}

/// Reads records; empty lines are passed over.
///
/// # Errors
/// A sentence naming the line, where a quote is not closed or text follows one.
pub fn read(text: &str) -> Result<Vec<Record>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let mut chars = text.chars().peekable();
    let (mut line, mut start) = (1, 1);
    let mut fields = Vec::new();
    let mut field = Field {
        text: String::new(),
        quoted: false,
    };
    let mut open = false;
    while let Some(c) = chars.next() {
        if open {
            match c {
                '"' if chars.peek() == Some(&'"') => {
                    chars.next();
                    field.text.push('"');
                }
                '"' => open = false,
                c => {
                    line += usize::from(c == '\n');
                    field.text.push(c);
                }
            }
            continue;
        }
        match c {
            '"' if field.text.is_empty() && !field.quoted => {
                open = true;
                field.quoted = true;
            }
            ',' => fields.push(std::mem::replace(&mut field, blank())),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' => {
                fields.push(std::mem::replace(&mut field, blank()));
                push(&mut records, start, std::mem::take(&mut fields));
                line += 1;
                start = line;
            }
            _ if field.quoted => {
                return Err(format!("Line {line} has text behind a closing quote."));
            }
            c => field.text.push(c),
        }
    }
    if open {
        return Err(format!(
            "The quote that opens in line {start} is not closed."
        ));
    }
    fields.push(field);
    push(&mut records, start, fields);
    Ok(records)
}

/// Writes records that [`read`] reads the same.
pub fn write<'a>(records: impl IntoIterator<Item = &'a [Field]>) -> String {
    let mut out = String::new();
    for record in records {
        for (at, field) in record.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            if field.quoted {
                quote(&mut out, &field.text);
            } else {
                put(&mut out, &field.text);
            }
        }
        out.push_str("\r\n");
    }
    out
}

/// A line of names.
pub fn heading(out: &mut String, names: &[&str]) {
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put(out, &harmless(name));
    }
    out.push_str("\r\n");
}

/// A line of a row's values. A text that a spreadsheet would take for a formula gets an
/// apostrophe in front (OWASP, CSV injection); numbers stay numbers.
pub fn line(out: &mut String, row: &Row, names: &[&str]) {
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match row.cell(name) {
            Cell::Null => {}
            Cell::Text(text) if text.is_empty() => out.push_str("\"\""),
            Cell::Text(text) => put(out, &harmless(&text)),
            other => put(out, other.text()),
        }
    }
    out.push_str("\r\n");
}

fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn put(out: &mut String, text: &str) {
    if text.contains(['"', ',', '\n', '\r']) {
        quote(out, text);
    } else {
        out.push_str(text);
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

fn blank() -> Field {
    Field {
        text: String::new(),
        quoted: false,
    }
}

fn push(records: &mut Vec<Record>, line: usize, fields: Vec<Field>) {
    let empty = fields.len() == 1 && fields[0] == blank();
    if !empty {
        records.push(Record { line, fields });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let records = read(text).unwrap().into_iter();
        records
            .map(|record| record.fields.into_iter().map(|field| field.text).collect())
            .collect()
    }

    #[test]
    fn records_are_read() {
        assert_eq!(
            texts("\u{feff}a,b\r\n\"x,\"\"y\",\n\n1,2"),
            [vec!["a", "b"], vec!["x,\"y", ""], vec!["1", "2"]]
        );
        let records = read("a\n\"1\n2\"\n3\n").unwrap();
        let lines: Vec<usize> = records.iter().map(|record| record.line).collect();
        assert_eq!(lines, [1, 2, 4]);
        assert!(read("a\n\"b").is_err());
        assert!(read("\"a\"b").is_err());
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let text = "a,b\r\n\"\",\r\n\"x\"\"\",\"1\r\n2\"\r\n";
        let records = read(text).unwrap();
        let written = write(records.iter().map(|record| record.fields.as_slice()));
        assert_eq!(read(&written).unwrap(), records);
    }

    #[test]
    fn formulas_are_made_harmless() {
        let row: Row = serde_json::from_str(
            r#"{"a":"=1+1","b":-5,"c":"-5","d":"\u0009x","e":null,"f":"","g":"a=b","h":"@x,y"}"#,
        )
        .unwrap();
        let mut out = String::new();
        line(&mut out, &row, &["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert_eq!(out, "'=1+1,-5,'-5,'\tx,,\"\",a=b,\"'@x,y\"\r\n");
    }
}
