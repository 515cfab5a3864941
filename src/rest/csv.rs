//! Rows sent as CSV (RFC 4180): a line of column names, then a line a row.

use crate::data::body::{Body, Cell};
use crate::data::json::write_string;
use crate::problem::{Kind, Problem};

/// Reads CSV into rows. A field that is empty and not quoted is null.
///
/// Fails with `bad-request` where a line has another number of fields than the first, a quote is
/// not closed or a name comes twice.
pub fn read(bytes: &[u8]) -> Result<Body, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad("The body is not UTF-8."))?;
    let mut records = Records {
        rest: text.strip_prefix('\u{feff}').unwrap_or(text),
        line: 0,
    };
    let Some(names) = records.next_record()? else {
        return Err(bad("The body is empty; its first line names the columns."));
    };
    let names: Vec<String> = names.into_iter().map(|field| field.text).collect();
    if let Some(twice) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
        return Err(bad(format!(
            "The first line names `{}` twice.",
            names[twice]
        )));
    }
    let mut rows = Vec::new();
    while let Some(fields) = records.next_record()? {
        if fields.len() != names.len() {
            return Err(bad(format!(
                "Line {} has {} fields and the first line {}.",
                records.line,
                fields.len(),
                names.len()
            )));
        }
        let cells = names.iter().zip(fields).map(|(name, field)| Cell {
            name: name.clone(),
            json: field.json(),
            trusted: false,
        });
        rows.push(cells.collect());
    }
    if rows.is_empty() {
        return Err(bad("There are no rows behind the line of names."));
    }
    Ok(Body {
        rows,
        many: true,
        text: true,
    })
}

struct Records<'a> {
    rest: &'a str,
    line: usize,
}

struct Field {
    text: String,
    quoted: bool,
}

impl Field {
    fn json(self) -> String {
        if self.text.is_empty() && !self.quoted {
            return "null".to_owned();
        }
        let mut json = String::with_capacity(self.text.len() + 2);
        write_string(&mut json, &self.text);
        json
    }
}

impl Records<'_> {
    /// The fields of the next line; empty lines are passed over.
    fn next_record(&mut self) -> Result<Option<Vec<Field>>, Problem> {
        while let Some(rest) = self
            .rest
            .strip_prefix("\r\n")
            .or_else(|| self.rest.strip_prefix('\n'))
        {
            self.rest = rest;
            self.line += 1;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let mut fields = Vec::new();
        loop {
            fields.push(self.field()?);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let ends = ["\r\n", "\n"]
                .iter()
                .find_map(|end| self.rest.strip_prefix(*end));
            match ends {
                Some(rest) => self.rest = rest,
                None if self.rest.is_empty() => {}
                None => {
                    return Err(bad(format!(
                        "Line {} has text behind a closing quote.",
                        self.line
                    )));
                }
            }
            return Ok(Some(fields));
        }
    }

    fn field(&mut self) -> Result<Field, Problem> {
        let Some(mut rest) = self.rest.strip_prefix('"') else {
            let end = self.rest.find([',', '\n', '\r']).unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok(Field {
                text: text.to_owned(),
                quoted: false,
            });
        };
        let mut text = String::new();
        loop {
            let Some((part, tail)) = rest.split_once('"') else {
                return Err(bad(format!("A quote of line {} is not closed.", self.line)));
            };
            text.push_str(part);
            match tail.strip_prefix('"') {
                Some(tail) => {
                    text.push('"');
                    rest = tail;
                }
                None => {
                    self.line += text.matches('\n').count();
                    self.rest = tail;
                    return Ok(Field { text, quoted: true });
                }
            }
        }
    }
}

fn bad(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Kind::BadRequest).detail(detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cells(text: &str) -> Vec<Vec<(String, String)>> {
        let rows = read(text.as_bytes()).unwrap().rows;
        rows.into_iter()
            .map(|row| row.into_iter().map(|cell| (cell.name, cell.json)).collect())
            .collect()
    }

    #[test]
    fn fields_as_written() {
        let rows = cells("\u{feff}id,\"a \"\"b\"\"\"\r\n1,\"x,\ny\"\n\n2,\n3,\"\"");
        let second: Vec<&str> = rows.iter().map(|row| row[1].1.as_str()).collect();
        assert_eq!(second, ["\"x,\\ny\"", "null", "\"\""]);
        assert_eq!(rows[0][1].0, "a \"b\"");
        assert_eq!(rows[2][0].1, "\"3\"");
    }

    #[test]
    fn what_is_no_table_is_a_bad_request() {
        for text in [
            "",
            "\n",
            "a,b\n",
            "a,b\n1\n",
            "a\n\"x",
            "a\n\"x\"y\n",
            "a,a\n1,2\n",
        ] {
            let problem = read(text.as_bytes()).unwrap_err();
            assert_eq!(problem.kind.slug(), "bad-request", "{text:?}");
        }
        assert!(read(b"a\n\xff\n").is_err());
    }
}
