//! Rows of a result written as bytes, JSON or CSV, with no value tree in between.

use super::sql::{Shown, Statement};
use super::writer::{Writer, string};
use postgres_types::{FromSql, Type};
use std::error::Error as StdError;
use std::ops::Range;
use tokio_postgres::Row;

/// Rows and bytes of a value that room is made for at the beginning: most answers fit.
const FORESEEN: u64 = 25;
const ROOM: usize = 24;

/// What rows are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON objects, separated by commas.
    #[default]
    Json,
    /// Lines of comma-separated values (RFC 4180), with a first line of names.
    Csv,
}

/// Rows being written.
pub struct Written {
    /// The bytes so far.
    pub body: Vec<u8>,
    /// How many rows.
    pub rows: u64,
    /// Whether there was a row more than were to be shown.
    pub more: bool,
    /// The last row, for what is captured from it.
    last: Option<Row>,
}

/// How the rows of one statement are written.
pub struct Layout {
    members: Vec<Member>,
    leads: Vec<u8>,
    format: Format,
    counted: Option<usize>,
    most: u64,
    heading: Vec<u8>,
}

struct Member {
    /// Where in the leads stands what goes before the value: `{"id":` or `,"name":`; for CSV a
    /// comma or nothing.
    lead: Option<Range<usize>>,
    writer: Writer,
    source: Source,
}

enum Source {
    Column(usize),
    Constant(Vec<u8>),
}

/// The bytes of a value, of whatever type.
pub struct Raw<'a>(pub &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl Layout {
    /// The layout of a statement's rows.
    pub fn new(statement: &Statement, format: Format) -> Self {
        let mut members = Vec::with_capacity(statement.columns.len());
        let mut heading = Vec::new();
        let mut leads = Vec::with_capacity(statement.columns.len() * 16);
        let (mut shown, mut position) = (0, 0);
        for column in &statement.columns {
            let source = match &column.constant {
                Some(json) => Source::Constant(json.clone().into_bytes()),
                None => {
                    position += 1;
                    Source::Column(position - 1)
                }
            };
            let lead = column.key.as_ref().map(|key| {
                shown += 1;
                let start = leads.len();
                match format {
                    Format::Json => {
                        leads.push(if shown == 1 { b'{' } else { b',' });
                        string(&mut leads, key.as_bytes());
                        leads.push(b':');
                    }
                    Format::Csv => {
                        let comma: &[u8] = if shown == 1 { b"" } else { b"," };
                        heading.extend_from_slice(comma);
                        csv_field(&mut heading, key.as_bytes());
                        leads.extend_from_slice(comma);
                    }
                }
                start..leads.len()
            });
            members.push(Member {
                lead,
                writer: column.writer,
                source,
            });
        }
        heading.extend_from_slice(b"\r\n");
        Self {
            members,
            leads,
            format,
            most: statement.most.map_or(u64::MAX, u64::from),
            counted: statement.counted.then_some(position),
            heading,
        }
    }

    /// Nothing written yet; for CSV the line of names.
    pub fn start(&self) -> Written {
        Written {
            body: {
                let rows = match self.most {
                    u64::MAX => 1,
                    most => most.min(FORESEEN) as usize,
                };
                let mut body = Vec::with_capacity(rows * self.members.len() * ROOM);
                if self.format == Format::Csv {
                    body.extend_from_slice(&self.heading);
                }
                body
            },
            rows: 0,
            more: false,
            last: None,
        }
    }

    /// Writes a row. `None` if its bytes are not what the statement promised.
    pub fn write(&self, written: &mut Written, row: Row) -> Option<()> {
        if written.rows >= self.most {
            written.more = true;
            return Some(());
        }
        let out = &mut written.body;
        match self.format {
            Format::Json => {
                if written.rows > 0 {
                    out.push(b',');
                }
                let start = out.len();
                for member in self.members.iter() {
                    let Some(lead) = &member.lead else { continue };
                    out.extend_from_slice(&self.leads[lead.clone()]);
                    member.value(out, &row)?;
                }
                if out.len() == start {
                    out.push(b'{');
                }
                out.push(b'}');
            }
            Format::Csv => {
                let mut cell = Vec::new();
                for member in &self.members {
                    let Some(lead) = &member.lead else { continue };
                    out.extend_from_slice(&self.leads[lead.clone()]);
                    cell.clear();
                    member.value(&mut cell, &row)?;
                    match cell.as_slice() {
                        b"null" => {}
                        // A text in a document stays one: `"5"` is not 5.
                        [b'"', ..] if !matches!(member.writer, Writer::Json | Writer::Jsonb) => {
                            csv_field(out, unquote(&cell).as_bytes());
                        }
                        json => csv_field(out, json),
                    }
                }
                out.extend_from_slice(b"\r\n");
            }
        }
        written.rows += 1;
        written.last = Some(row);
        Some(())
    }

    /// The count of all pages' rows, from any row of a counted statement.
    pub fn total(&self, written: &Written) -> Option<i64> {
        written.last.as_ref()?.try_get(self.counted?).ok()
    }

    /// The values of some members of the last row as text; `None` inside is null.
    pub fn capture(&self, written: &Written, members: &[usize]) -> Option<Vec<Option<String>>> {
        let row = written.last.as_ref()?;
        let mut cell = Vec::new();
        members
            .iter()
            .map(|member| {
                cell.clear();
                self.members.get(*member)?.value(&mut cell, row)?;
                Some(match cell.as_slice() {
                    b"null" => None,
                    [b'"', ..] => Some(unquote(&cell)),
                    json => Some(String::from_utf8_lossy(json).into_owned()),
                })
            })
            .collect()
    }
}

impl Member {
    fn value(&self, out: &mut Vec<u8>, row: &Row) -> Option<()> {
        match &self.source {
            Source::Constant(json) => out.extend_from_slice(json),
            Source::Column(at) => match row.try_get::<_, Option<Raw<'_>>>(*at).ok()? {
                None => out.extend_from_slice(b"null"),
                Some(Raw(raw)) => self.writer.write(out, raw)?,
            },
        }
        Some(())
    }
}

/// The members of a statement that show the given columns of its table, in that order.
pub fn positions(shown: &[Shown], columns: &[usize]) -> Option<Vec<usize>> {
    columns
        .iter()
        .map(|column| shown.iter().position(|s| s.column == Some(*column)))
        .collect()
}

fn unquote(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell);
    super::json::string_value(&text).unwrap_or_default()
}

fn csv_field(out: &mut Vec<u8>, text: &[u8]) {
    // An empty string is quoted, so that it is not taken for null.
    let plain = !text.is_empty()
        && !text
            .iter()
            .any(|b| matches!(b, b'"' | b',' | b'\r' | b'\n'));
    if plain {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for &byte in text {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_what_needs_it() {
        for (text, field) in [
            ("a", "a"),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("a\nb", "\"a\nb\""),
        ] {
            let mut out = Vec::new();
            csv_field(&mut out, text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&out), field);
        }
    }
}
