//! What checks demand of values, as far as it can be read from their definitions.

use seed::masks::Shape;

use crate::data::catalog::Table;

/// What must hold of one column's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Lowest number.
    pub low: Option<f64>,
    /// Highest number.
    pub high: Option<f64>,
    /// The values that there are.
    pub list: Option<Vec<String>>,
    /// The shape of texts.
    pub shape: Option<Shape>,
    /// Fewest and most characters.
    pub length: (Option<usize>, Option<usize>),
    /// The kind of JSON value.
    pub json: Option<String>,
}

/// What a table's checks say.
#[derive(Debug, Default)]
pub struct Checks {
    /// Of each column.
    pub bounds: Vec<Bounds>,
    /// Pairs of columns, the first of which is not above the second.
    pub order: Vec<(usize, usize)>,
}

impl Checks {
    /// Reads the checks of a table; what can't be read is left to Postgres to refuse.
    pub fn read(table: &Table) -> Self {
        let mut checks = Self {
            bounds: vec![Bounds::default(); table.columns.len()],
            order: Vec::new(),
        };
        for check in &table.checks {
            let words = words(&check.definition);
            // An alternative binds nobody.
            if words
                .iter()
                .any(|word| *word == Word::Name("OR".to_owned()))
            {
                continue;
            }
            let and = Word::Name("AND".to_owned());
            for piece in words.split(|word| *word == and) {
                checks.piece(table, piece);
            }
        }
        checks
    }

    fn piece(&mut self, table: &Table, piece: &[Word]) {
        let column = |word: &Word| match word {
            Word::Name(name) => table.find(name),
            _ => None,
        };
        match piece {
            [
                Word::Name(function),
                of,
                Word::Sign(sign),
                Word::Number(number),
            ] if is_length(function) => {
                let Some(at) = column(of) else { return };
                let count = *number as usize;
                let length = &mut self.bounds[at].length;
                match sign.as_str() {
                    "<=" => length.1 = Some(count),
                    "<" => length.1 = Some(count.saturating_sub(1)),
                    ">=" => length.0 = Some(count),
                    ">" => length.0 = Some(count + 1),
                    "=" => *length = (Some(count), Some(count)),
                    _ => {}
                }
            }
            [Word::Name(function), of, Word::Sign(sign), Word::Text(kind)]
                if function == "jsonb_typeof" || function == "json_typeof" =>
            {
                if let (Some(at), "=") = (column(of), sign.as_str()) {
                    self.bounds[at].json = Some(kind.clone());
                }
            }
            [
                of,
                Word::Sign(sign),
                Word::Name(any),
                Word::Name(array),
                list @ ..,
            ] if sign == "=" && any == "ANY" && array == "ARRAY" => {
                if let Some(at) = column(of) {
                    let values = list.iter().map(|word| match word {
                        Word::Text(text) => Some(text.clone()),
                        Word::Number(number) => Some(number.to_string()),
                        _ => None,
                    });
                    self.bounds[at].list = values.collect();
                }
            }
            [of, Word::Sign(sign), Word::Number(number)] => {
                let Some(at) = column(of) else { return };
                let bounds = &mut self.bounds[at];
                match sign.as_str() {
                    ">=" => bounds.low = Some(*number),
                    ">" => {
                        bounds.low = Some(number + if number.fract() == 0.0 { 1.0 } else { 0.0 })
                    }
                    "<=" => bounds.high = Some(*number),
                    "<" => bounds.high = Some(number - 1.0),
                    _ => {}
                }
            }
            [of, Word::Sign(sign), Word::Text(text)] if sign == "~" || sign == "~*" => {
                if let Some(at) = column(of) {
                    self.bounds[at].shape = super::pattern::shape(text);
                }
            }
            [one, Word::Sign(sign), other] => {
                if let (Some(one), Some(other)) = (column(one), column(other)) {
                    match sign.as_str() {
                        "<" | "<=" => self.order.push((one, other)),
                        ">" | ">=" => self.order.push((other, one)),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_length(function: &str) -> bool {
    matches!(function, "length" | "char_length" | "character_length")
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Name(String),
    Number(f64),
    Text(String),
    Sign(String),
}

/// The words of a definition, without its brackets, commas and casts.
fn words(definition: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = definition.strip_prefix("CHECK").unwrap_or(definition);
    while let Some(c) = rest.chars().next() {
        let take =
            |rest: &str, test: fn(char) -> bool| rest.find(|c| !test(c)).unwrap_or(rest.len());
        match c {
            '\'' => {
                let mut text = String::new();
                let mut signs = rest.char_indices().skip(1).peekable();
                let mut end = rest.len();
                while let Some((at, c)) = signs.next() {
                    if c != '\'' {
                        text.push(c);
                    } else if signs.next_if(|(_, c)| *c == '\'').is_some() {
                        text.push('\'');
                    } else {
                        end = at + 1;
                        break;
                    }
                }
                words.push(Word::Text(text));
                rest = &rest[end..];
            }
            '"' => {
                let end = rest[1..].find('"').map_or(rest.len(), |at| at + 2);
                words.push(Word::Name(rest[1..end.max(2) - 1].to_owned()));
                rest = &rest[end..];
            }
            ':' => {
                rest = rest.trim_start_matches(':');
                rest = rest.strip_prefix('"').map_or(rest, |rest| {
                    rest.split_once('"').map_or("", |(_, rest)| rest)
                });
                rest = &rest[take(rest, |c| c.is_alphanumeric() || matches!(c, '_' | '.'))..];
                for more in [
                    " varying",
                    " precision",
                    " without time zone",
                    " with time zone",
                ] {
                    rest = rest.strip_prefix(more).unwrap_or(rest);
                }
                if let Some((size, after)) =
                    rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
                    && size.chars().all(|c| c.is_ascii_digit() || c == ',')
                {
                    rest = after;
                }
                rest = rest.strip_prefix("[]").unwrap_or(rest);
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = take(rest, |c| {
                    c.is_alphanumeric() || matches!(c, '_' | '.' | '$')
                });
                words.push(Word::Name(rest[..end].to_owned()));
                rest = &rest[end..];
            }
            c if c.is_ascii_digit()
                || c == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit()) =>
            {
                let end = 1 + take(&rest[1..], |c| c.is_ascii_digit() || c == '.');
                words.push(Word::Number(rest[..end].parse().unwrap_or(0.0)));
                rest = &rest[end..];
            }
            '<' | '>' | '=' | '~' | '!' | '*' | '+' | '/' | '|' | '%' | '@' | '&' | '#' | '-' => {
                let end = take(rest, |c| "<>=~!*+/|%@&#-".contains(c));
                words.push(Word::Sign(rest[..end].to_owned()));
                rest = &rest[end..];
            }
            c => rest = &rest[c.len_utf8()..],
        }
    }
    words
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::catalog::{Check, Column, Generated, Type};

    fn read(checks: &[&str]) -> Checks {
        let column = |name: &str| Column {
            name: name.to_owned(),
            ty: Type::builtin("text", 25),
            nullable: true,
            default: None,
            generated: Generated::No,
            comment: None,
        };
        let check = |definition: &&str| Check {
            name: "c".to_owned(),
            columns: Vec::new(),
            definition: (*definition).to_owned(),
        };
        Checks::read(&Table {
            columns: vec![column("a"), column("b")],
            checks: checks.iter().map(check).collect(),
            ..Table::default()
        })
    }

    #[test]
    fn bounds_lists_and_lengths_are_read() {
        let checks = read(&[
            "CHECK (((a >= 1) AND (a <= 5)))",
            "CHECK (((b)::text = ANY ((ARRAY['x'::character varying, 'it''s'::character varying])::text[])))",
        ]);
        assert_eq!(
            (checks.bounds[0].low, checks.bounds[0].high),
            (Some(1.0), Some(5.0))
        );
        assert_eq!(
            checks.bounds[1].list,
            Some(vec!["x".to_owned(), "it's".to_owned()])
        );
        let checks = read(&["CHECK ((a > (0)::numeric))", "CHECK ((length(b) <= 254))"]);
        assert_eq!(checks.bounds[0].low, Some(1.0));
        assert_eq!(checks.bounds[1].length, (None, Some(254)));
        let checks = read(&[
            "CHECK ((jsonb_typeof(a) = 'array'::text))",
            "CHECK ((b ~ '^[A-Z]{2}$'::text))",
        ]);
        assert_eq!(checks.bounds[0].json.as_deref(), Some("array"));
        assert!(checks.bounds[1].shape.is_some());
    }

    #[test]
    fn an_alternative_binds_nobody_and_pairs_have_an_order() {
        assert_eq!(
            read(&["CHECK (((a IS NULL) OR (a > 3)))"]).bounds[0],
            Bounds::default()
        );
        assert_eq!(read(&["CHECK ((b >= a))"]).order, [(0, 1)]);
    }
}
