//! What tables and views are made of, as `GET /api/v1/tables/{table}/schema` tells it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    listing::words::encode,
    problem::{Kind, Problem},
};

use super::{
    api::Api,
    cells::{Cell, Row},
    kept::{indented, json, null},
};

/// Columns that name a row to people, best first.
const NAMES: [&str; 10] = [
    "name",
    "company",
    "title",
    "subject",
    "label",
    "number",
    "email",
    "code",
    "slug",
    "firstname",
];

/// A table or view in the list of all.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    /// What it is called.
    pub name: String,
    /// `table`, `view`, `materialized view`, ..
    pub kind: String,
    /// What it is for.
    pub comment: Option<String>,
}

/// A table or view.
#[derive(Clone, Debug, Deserialize)]
pub struct Table {
    /// What it is called.
    pub name: String,
    /// `table`, `view`, `materialized view`, ..
    pub kind: String,
    /// What it is for.
    pub comment: Option<String>,
    /// Columns that tell a row from the others; none if nothing does.
    pub primary_key: Vec<String>,
    /// All columns, in order.
    pub columns: Vec<Column>,
    /// Columns that are unique together.
    #[serde(default)]
    pub unique: Vec<Unique>,
    /// What it refers to.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Its rules.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Tables that are related either way.
    #[serde(default)]
    pub relations: Vec<Relation>,
    /// What the caller may do.
    pub allows: Allows,
    /// Address of the rows in the API.
    #[serde(skip)]
    pub rows: String,
}

/// A column.
#[derive(Clone, Debug, Deserialize)]
pub struct Column {
    /// What it is called.
    pub name: String,
    /// Its type as SQL has it.
    #[serde(rename = "type")]
    pub ty: String,
    /// `base`, `enum`, `array`, `domain`, `composite`, `range`, ..
    pub kind: String,
    /// What a domain is made of.
    pub base_type: Option<String>,
    /// Whether it may be empty.
    #[serde(default)]
    pub nullable: bool,
    /// What it gets when nothing is given.
    pub default: Option<String>,
    /// How the database makes its value, if it does.
    pub generated: Option<String>,
    /// Whether a client may give a value.
    #[serde(default)]
    pub settable: bool,
    /// Whether it is never shown, as a password is.
    #[serde(default)]
    pub write_only: bool,
    /// Whether it belongs to the key.
    #[serde(default)]
    pub primary_key: bool,
    /// Characters that it takes.
    pub max_length: Option<u32>,
    /// The values that it takes, if they are listed.
    #[serde(rename = "enum")]
    pub labels: Option<Vec<String>>,
    /// What it is for.
    pub comment: Option<String>,
}

/// Columns that are unique together.
#[derive(Clone, Debug, Deserialize)]
pub struct Unique {
    /// Name of the rule.
    pub name: String,
    /// The columns.
    pub columns: Vec<String>,
}

/// A rule on rows.
#[derive(Clone, Debug, Deserialize)]
pub struct Check {
    /// Name of the rule.
    pub name: String,
    /// Columns that it looks at.
    pub columns: Vec<String>,
    /// The rule as SQL.
    pub definition: String,
}

/// Columns that refer to another table.
#[derive(Clone, Debug, Deserialize)]
pub struct ForeignKey {
    /// Name of the rule.
    pub name: String,
    /// The columns.
    pub columns: Vec<String>,
    /// What they refer to.
    pub references: References,
    /// What becomes of a row when the one it refers to is deleted.
    pub on_delete: String,
}

/// What a foreign key refers to.
#[derive(Clone, Debug, Deserialize)]
pub struct References {
    /// The table.
    pub table: String,
    /// Its columns.
    pub columns: Vec<String>,
}

/// A table that is related.
#[derive(Clone, Debug, Deserialize)]
pub struct Relation {
    /// Its name in `include`.
    pub name: String,
    /// `one` or `many`
    pub kind: String,
    /// The table.
    pub table: String,
    /// The foreign key that relates them.
    pub foreign_key: String,
}

/// What the caller may do with rows.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Allows {
    /// Make new ones.
    pub create: bool,
    /// Change them.
    pub update: bool,
    /// Delete them.
    pub delete: bool,
}

/// How a value is given in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// One of a list.
    Choice,
    /// Yes or no.
    Bool,
    /// A number.
    Number,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A day and a time, without a zone.
    Moment,
    /// A day and a time in a zone.
    Instant,
    /// Lines of text.
    Lines,
    /// JSON: objects, lists.
    Json,
    /// A password.
    Secret,
    /// A short text, and everything else.
    Text,
}

/// All tables and views that the caller sees.
///
/// # Errors
/// Whatever problem the API answers with.
pub async fn list(api: Api<'_>) -> Result<Vec<Listed>, Problem> {
    #[derive(Deserialize)]
    struct Index {
        data: Vec<Listed>,
    }
    Ok(api.get("/api/v1/").await?.json::<Index>()?.data)
}

/// Makes the API look at the schema anew, which it does for a name that it does not know; what it
/// knows may be half a second old, and a page that shows what was just done must not be.
pub async fn look_again(api: Api<'_>) {
    // No table is called so: names have 63 bytes at most.
    let nobody = "n".repeat(64);
    let answer = table(api, &nobody).await;
    debug_assert!(answer.is_err(), "a table has a name of 64 bytes");
}

/// What a table or view is made of.
///
/// # Errors
/// `not-found`, and whatever else the API answers with.
pub async fn table(api: Api<'_>, name: &str) -> Result<Table, Problem> {
    #[derive(Deserialize)]
    struct Described {
        data: Table,
        links: Links,
    }
    #[derive(Deserialize)]
    struct Links {
        rows: String,
    }
    // A name that a part of the address can't be is no table's.
    if name.is_empty() {
        return Err(Kind::NotFound.into());
    }
    let target = format!("/api/v1/tables/{}/schema", encode(name));
    let described: Described = api.get(&target).await?.json()?;
    let mut table = described.data;
    table.rows = described.links.rows;
    Ok(table)
}

impl Table {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that are shown.
    pub fn shown(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.write_only)
    }

    /// Whether it is no table.
    pub fn is_view(&self) -> bool {
        self.kind.contains("view")
    }

    /// The column that names a row to people.
    pub fn label(&self) -> Option<&Column> {
        let named = NAMES.iter().find_map(|name| self.column(name));
        named.or_else(|| {
            self.shown()
                .find(|column| column.is_text() && !column.primary_key)
        })
    }

    /// The key of a row as a part of an address; none without a key.
    pub fn key(&self, row: &Row) -> Option<String> {
        if self.primary_key.is_empty() {
            return None;
        }
        let parts = self.primary_key.iter().map(|column| {
            let cell = row.cell(column);
            // A part that is nothing or empty can't stand in an address.
            (!cell.text().is_empty()).then(|| encode(cell.text()))
        });
        Some(parts.collect::<Option<Vec<_>>>()?.join(","))
    }

    /// The foreign key that a column alone makes.
    pub fn reference(&self, column: &str) -> Option<&ForeignKey> {
        self.foreign_keys
            .iter()
            .find(|key| key.columns.len() == 1 && key.columns[0] == column)
    }

    /// The relation that follows a foreign key of this table.
    pub fn relation(&self, key: &ForeignKey) -> Option<&Relation> {
        self.relations
            .iter()
            .find(|relation| relation.kind == "one" && relation.foreign_key == key.name)
    }

    /// The texts that a rule `column in (..)` allows.
    fn allowed(&self, column: &str) -> Option<Vec<String>> {
        let check = self.checks.iter().find(|check| {
            check.columns == [column] && check.definition.contains("= ANY (ARRAY[")
        })?;
        let mut rest = check.definition.split_once("ARRAY[")?.1;
        let mut texts = Vec::new();
        while let Some((_, begun)) = rest.split_once('\'') {
            let (text, after) = quoted(begun)?;
            texts.push(text);
            rest = after;
        }
        (!texts.is_empty()).then_some(texts)
    }

    /// What may be chosen for a column, with what each value means.
    pub fn choices(&self, column: &Column) -> Vec<(String, String)> {
        let same = |labels: Vec<String>| {
            labels
                .into_iter()
                .map(|label| (label.clone(), label))
                .collect()
        };
        if let Some(labels) = &column.labels {
            return same(labels.clone());
        }
        if let Some(labels) = self.allowed(&column.name) {
            return same(labels);
        }
        column.meanings()
    }

    /// How a column's value is given in a form.
    pub fn control(&self, column: &Column) -> Control {
        if column.write_only {
            return Control::Secret;
        }
        if !self.choices(column).is_empty() {
            return Control::Choice;
        }
        column.control()
    }
}

impl Column {
    /// The type that decides how values look.
    pub fn base(&self) -> &str {
        let ty = self.base_type.as_deref().unwrap_or(&self.ty);
        ty.split('(').next().unwrap_or(ty).trim()
    }

    /// Whether it holds numbers.
    pub fn is_number(&self) -> bool {
        matches!(
            self.base(),
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" | "money"
        )
    }

    /// Whether it holds text.
    pub fn is_text(&self) -> bool {
        matches!(
            self.base(),
            "text" | "character varying" | "character" | "citext"
        )
    }

    /// What the numbers of a column mean, where its comment lists them: `1 open, 2 closed`.
    pub fn meanings(&self) -> Vec<(String, String)> {
        let comment = self.comment.as_deref().unwrap_or_default();
        if !self.is_number() || !comment.starts_with(|c: char| c.is_ascii_digit()) {
            return Vec::new();
        }
        let parts: Option<Vec<_>> = comment
            .split(',')
            .map(|part| {
                let (number, meaning) = part.trim().split_once(' ')?;
                number.parse::<i64>().ok()?;
                Some((number.to_owned(), format!("{number} {meaning}")))
            })
            .collect();
        parts.filter(|parts| parts.len() > 1).unwrap_or_default()
    }

    /// What a value of it looks like, for a class of the style sheet.
    pub fn look(&self) -> &'static str {
        match self.control() {
            Control::Number => "n",
            Control::Json => "j",
            Control::Date | Control::Time | Control::Moment | Control::Instant => "d",
            _ => "t",
        }
    }

    fn control(&self) -> Control {
        if matches!(self.kind.as_str(), "array" | "composite") {
            return Control::Json;
        }
        if self.is_number() && self.base() != "money" {
            return Control::Number;
        }
        match self.base() {
            "boolean" => Control::Bool,
            "date" => Control::Date,
            "json" | "jsonb" => Control::Json,
            "timestamp without time zone" => Control::Moment,
            "timestamp with time zone" => Control::Instant,
            "time without time zone" => Control::Time,
            "text" if self.is_long() => Control::Lines,
            _ => Control::Text,
        }
    }

    fn is_long(&self) -> bool {
        [
            "description",
            "note",
            "content",
            "message",
            "body",
            "text",
            "address",
            "terms",
        ]
        .iter()
        .any(|word| self.name.contains(word))
    }

    /// The text that a form shows for a value.
    pub fn shown(&self, cell: &Cell, control: Control) -> String {
        let text = cell.text();
        match control {
            // What `datetime-local` takes has no zone; the field says that it is UTC.
            Control::Instant => text.strip_suffix("+00:00").unwrap_or(text).to_owned(),
            Control::Json if matches!(cell, Cell::Text(_)) => json(text).get().to_owned(),
            Control::Json if text.len() < 10_000 && text.starts_with('{') => {
                indented(text, 1).unwrap_or_else(|| text.to_owned())
            }
            _ => text.to_owned(),
        }
    }

    /// The value that a form's text is.
    ///
    /// # Errors
    /// A message for the field, where the text is none.
    pub fn value(&self, text: &str, control: Control) -> Result<Box<RawValue>, String> {
        let trimmed = text.trim();
        Ok(match control {
            Control::Text | Control::Lines | Control::Secret => json(&text.replace("\r\n", "\n")),
            _ if trimmed.is_empty() => null(),
            Control::Bool if ["true", "false"].contains(&trimmed) => json(&(trimmed == "true")),
            // The text itself goes to the database, so that numbers keep their digits.
            Control::Json => {
                serde_json::from_str(trimmed).map_err(|error| format!("is not JSON: {error}"))?
            }
            Control::Instant if !has_zone(trimmed) => json(&format!("{trimmed}+00:00")),
            _ => json(trimmed),
        })
    }
}

/// The text of a quoted constant of SQL after its first quote, and what follows its last one.
fn quoted(begun: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = begun;
    loop {
        let (part, after) = rest.split_once('\'')?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                text.push('\'');
                rest = after;
            }
            None => return Some((text, after)),
        }
    }
}

/// Whether an instant says its zone.
fn has_zone(text: &str) -> bool {
    text.ends_with('Z') || text.get(11..).is_some_and(|time| time.contains(['+', '-']))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn column(ty: &str, comment: &str) -> Column {
        serde_json::from_value(json!({
            "name": "x", "type": ty, "kind": "base", "comment": comment, "nullable": true, "settable": true,
        }))
        .unwrap()
    }

    #[test]
    fn comments_that_list_meanings_are_read() {
        let status = column("smallint", "1 unpaid, 2 paid, 3 partially paid");
        assert_eq!(
            status.meanings()[2],
            ("3".into(), "3 partially paid".into())
        );
        for other in ["", "12 months at most", "One of them, or 2"] {
            assert!(column("smallint", other).meanings().is_empty(), "{other}");
        }
    }

    #[test]
    fn forms_and_values() {
        let instant = column("timestamp with time zone", "");
        let cell = Cell::Text("2023-11-10T15:12:12+00:00".into());
        assert_eq!(
            instant.shown(&cell, Control::Instant),
            "2023-11-10T15:12:12"
        );
        let value = |text: &str, control| {
            let value = instant.value(text, control);
            value.map(|value| value.get().to_owned())
        };
        for (text, control, sent) in [
            (
                "2023-11-10T15:12",
                Control::Instant,
                r#""2023-11-10T15:12+00:00""#,
            ),
            (
                "2023-11-10T15:12-05:00",
                Control::Instant,
                r#""2023-11-10T15:12-05:00""#,
            ),
            ("", Control::Text, r#""""#),
            (" a\r\nb", Control::Lines, r#"" a\nb""#),
            ("", Control::Number, "null"),
            ("true", Control::Bool, "true"),
            ("1e400", Control::Json, "1e400"),
        ] {
            assert_eq!(value(text, control).unwrap(), sent);
        }
        assert!(value("{", Control::Json).is_err());
    }

    #[test]
    fn allowed_texts_may_hold_quotes() {
        let table: Table = serde_json::from_value(json!({
            "name": "t", "kind": "table", "primary_key": [], "columns": [],
            "allows": {"create": true, "update": true, "delete": true},
            "checks": [{"name": "c", "columns": ["x"],
                        "definition": "CHECK ((x = ANY (ARRAY['it''s'::text, 'a, b'::text, ''::text])))"}],
        }))
        .unwrap();
        assert_eq!(table.allowed("x").unwrap(), ["it's", "a, b", ""]);
    }

    #[test]
    fn types_have_their_controls() {
        for (ty, control) in [
            ("numeric(14,2)", Control::Number),
            ("boolean", Control::Bool),
            ("date", Control::Date),
            ("jsonb", Control::Json),
            ("uuid", Control::Text),
            ("timestamp without time zone", Control::Moment),
        ] {
            assert_eq!(column(ty, "").control(), control, "{ty}");
        }
    }
}
