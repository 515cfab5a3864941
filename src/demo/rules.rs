//! What is said of tables and columns by name, over what is found out about them: the file of `SANDLOT_DEMO_RULES`.
//!
//! A line says one thing: `TABLE.COLUMN keep`, `omit`, `null`, `as TABLE.COLUMN`, or how it is made; `TABLE empty`;
//! `VIEW keep`; or `then SQL`, which is run on the made rows. Lines that are indented go on with the one before; `#` begins a comment.

use std::collections::HashMap;

use anyhow::{Context as _, bail, ensure};
use seed::masks::Kind;
use serde_json::Value;

use super::{
    make::{Document, Make},
    names::Rank,
    pattern,
};

/// What is said of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Its values are shown as they are.
    Keep,
    /// It is left out of the demo.
    Omit,
    /// Its values are made like this.
    Make(Make),
    /// Its values refer to those of this column of this table, as a foreign key would.
    As(String, String),
}

/// All that is said.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    columns: HashMap<(String, String), Said>,
    relations: HashMap<String, bool>,
    /// Statements that are run when the rows are there, in order.
    pub then: Vec<String>,
}

impl Rules {
    /// Reads the text of a file over what is said already.
    ///
    /// # Errors
    /// The number of the line that can't be read, and why.
    pub fn read(mut self, text: &str) -> anyhow::Result<Self> {
        let mut lines: Vec<(usize, String)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            match lines.last_mut() {
                Some((_, before)) if line.starts_with([' ', '\t']) => {
                    before.push(' ');
                    before.push_str(line.trim());
                }
                _ => lines.push((at + 1, line.trim().to_owned())),
            }
        }
        for (at, line) in lines {
            self.line(&line).with_context(|| format!("line {at}"))?;
        }
        Ok(self)
    }

    /// What is said of a column.
    pub fn column(&self, table: &str, column: &str) -> Option<&Said> {
        self.columns.get(&(table.to_owned(), column.to_owned()))
    }

    /// Columns that refer to others without a foreign key: each with the table and column that it refers to.
    pub fn links(&self) -> impl Iterator<Item = (&(String, String), (&str, &str))> {
        let mut links: Vec<_> = self
            .columns
            .iter()
            .filter_map(|(column, said)| match said {
                Said::As(table, other) => Some((column, (table.as_str(), other.as_str()))),
                _ => None,
            })
            .collect();
        // A map has no order, and the order of keys decides how old rows are.
        links.sort();
        links.into_iter()
    }

    /// Whether a statement of the rules works on a table: then it says how what is in it adds up.
    pub fn works_on(&self, table: &str) -> bool {
        self.then.iter().any(|statement| {
            let mut words = statement.split_whitespace();
            words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("update"))
                && words
                    .next()
                    .is_some_and(|word| word.trim_matches('"') == table)
        })
    }

    /// Whether a table is to be served empty.
    pub fn is_empty(&self, table: &str) -> bool {
        self.relations.get(table) == Some(&false)
    }

    /// Whether a view is shown whatever texts it has.
    pub fn is_kept(&self, view: &str) -> bool {
        self.relations.get(view) == Some(&true)
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        let (name, rest) = line
            .split_once(char::is_whitespace)
            .context("a name, and what is said of it")?;
        let rest = rest.trim();
        if name == "then" {
            self.then.push(rest.trim_end_matches(';').to_owned());
            return Ok(());
        }
        let Some((table, column)) = name.split_once('.') else {
            let kept = match rest {
                "keep" => true,
                "empty" => false,
                _ => bail!("{rest:?}: of a table or view, `keep` or `empty`"),
            };
            self.relations.insert(name.to_owned(), kept);
            return Ok(());
        };
        let said = match rest {
            "keep" => Said::Keep,
            "omit" => Said::Omit,
            rest if rest.starts_with("as ") => {
                let (table, column) = rest[3..]
                    .trim()
                    .split_once('.')
                    .context("`as` takes a table and a column")?;
                Said::As(table.to_owned(), column.to_owned())
            }
            rest => Said::Make(make(rest)?),
        };
        self.columns
            .insert((table.to_owned(), column.to_owned()), said);
        Ok(())
    }
}

/// How values are made, as a rule says it.
fn make(said: &str) -> anyhow::Result<Make> {
    let (word, rest) = said.split_once(char::is_whitespace).unwrap_or((said, ""));
    let rest = rest.trim();
    Ok(match word {
        "null" => Make::Null,
        "same" => Make::Same(rest.to_owned()),
        "bool" => Make::Bool,
        "ordinal" => Make::Ordinal,
        "one" => Make::One(rest.split('|').map(|one| one.trim().to_owned()).collect()),
        "list" => Make::List(Box::new(make(rest)?)),
        "pattern" => {
            let shape =
                pattern::shape(&format!("^{rest}$")).context("the pattern can't be followed")?;
            Make::text(Kind::Shape(shape))
        }
        "number" => {
            let numbers: Vec<i64> = rest
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()?;
            match numbers[..] {
                [low, high] => Make::Int(low, high),
                [low, high, scale] => Make::Decimal(low, high, u32::try_from(scale)?),
                _ => bail!(
                    "`number` takes the lowest, the highest, and how many digits are behind the point"
                ),
            }
        }
        "date" | "instant" => {
            let rank = match rest {
                "birth" => Rank::Birth,
                "" | "start" => Rank::Start,
                "middle" => Rank::Middle,
                "late" => Rank::Late,
                "future" => Rank::Future,
                _ => bail!("{rest:?}: start, middle, late, future or birth"),
            };
            if word == "date" {
                Make::Date(rank)
            } else {
                Make::Moment(rank, true)
            }
        }
        "json" => Make::Json(document(&serde_json::from_str(rest)?)?),
        word => match KINDS.iter().find(|(name, _)| *name == word) {
            Some((_, kind)) => Make::text(kind.clone()),
            None => bail!("{word:?} is nothing that can be made"),
        },
    })
}

fn document(said: &Value) -> anyhow::Result<Document> {
    Ok(match said {
        Value::Object(members) => Document::Object(
            members
                .iter()
                .map(|(name, member)| Ok((name.clone(), document(member)?)))
                .collect::<anyhow::Result<_>>()?,
        ),
        Value::Array(items) => {
            ensure!(items.len() == 1, "an array says once what its items are");
            Document::Array(Box::new(document(&items[0])?))
        }
        Value::String(said) => Document::Leaf(Box::new(make(said)?)),
        other => bail!("{other}: a text that says how the value is made"),
    })
}

/// Kinds of text by the names that rules and explanations give them.
pub const KINDS: &[(&str, Kind)] = &[
    ("first-name", Kind::First),
    ("last-name", Kind::Last),
    ("name", Kind::Name),
    ("courtesy", Kind::Courtesy),
    ("mail", Kind::Email),
    ("username", Kind::Username),
    ("phone", Kind::Phone),
    ("company", Kind::Company),
    ("industry", Kind::Industry),
    ("street", Kind::Street),
    ("city", Kind::City),
    ("state", Kind::State),
    ("zip", Kind::Zip),
    ("country", Kind::Country),
    ("country-code", Kind::CountryCode),
    ("url", Kind::Url),
    ("host", Kind::Host),
    ("ip", Kind::Ip),
    ("mac", Kind::Mac),
    ("iban", Kind::Iban),
    ("card", Kind::Card),
    ("job", Kind::Job),
    ("colour", Kind::Colour),
    ("currency", Kind::Currency),
    ("language", Kind::Language),
    ("time-zone", Kind::TimeZone),
    ("title", Kind::Title),
    ("sentence", Kind::Sentence),
    ("prose", Kind::Prose),
    ("word", Kind::Word),
    ("code", Kind::Code),
    ("digits", Kind::Digits),
    ("hex", Kind::Hex),
    ("uuid", Kind::Uuid),
    ("file", Kind::File),
    ("mime", Kind::Mime),
    ("pack", Kind::Pack),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_one_thing_a_line() {
        let rules = Rules::default()
            .read("# x\na.b keep\na.c number 1 5 2\nt empty\nv keep\na.d json {\"x\": [\"word\"]}\nthen update t\n  set a = 1;\n")
            .unwrap();
        assert_eq!(rules.column("a", "b"), Some(&Said::Keep));
        assert_eq!(
            rules.column("a", "c"),
            Some(&Said::Make(Make::Decimal(1, 5, 2)))
        );
        assert!(rules.is_empty("t") && rules.is_kept("v") && !rules.is_kept("t"));
        assert_eq!(rules.then, ["update t set a = 1"]);
        assert!(rules.works_on("t") && !rules.works_on("a"));
        let rules = rules.read("o.mail as c.email").unwrap();
        let links: Vec<_> = rules.links().collect();
        assert_eq!(
            links,
            [(&("o".to_owned(), "mail".to_owned()), ("c", "email"))]
        );
    }

    #[test]
    fn what_can_not_be_read_names_its_line() {
        let error = Rules::default()
            .read("a.b keep\na.c nonsense\n")
            .unwrap_err();
        assert!(format!("{error:#}").starts_with("line 2: "), "{error:#}");
    }
}
