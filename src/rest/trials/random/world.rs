//! Random tables: any names, types and keys, rows, and references between them.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;
use std::collections::HashSet;
use std::fmt::Write;

/// Tables that refer to each other, with their rows.
pub(super) struct World {
    pub(super) tables: Vec<Table>,
}

/// A table as it should be.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Positions of the key's columns; none for a table without one.
    pub(super) key: Vec<usize>,
    pub(super) links: Vec<Link>,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

/// A foreign key.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) here: Vec<usize>,
    pub(super) table: usize,
    pub(super) there: Vec<usize>,
}

pub(super) type Row = Vec<Cell>;

/// What a column holds, with the type's SQL where there are several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Bool,
    Int(&'static str),
    Decimal(&'static str),
    Float(&'static str),
    Text(&'static str),
    Word,
    Date,
    Instant(&'static str),
    Uuid,
    Ints,
    Texts,
    Document,
}

/// A value; those of one kind compare as Postgres compares them.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    /// In hundredths.
    Decimal(i64),
    Float(f64),
    Text(String),
    /// The label's place in its enum.
    Word(usize),
    /// Counted from the first of January 2024, in months of 28.
    Date(u32),
    /// Seconds of that month, and whether it says its zone.
    Instant(u32, bool),
    Uuid(u128),
    Ints(Vec<i64>),
    Texts(Vec<String>),
    /// JSON text as Postgres spells it.
    Document(&'static str),
}

/// Labels of the enum in its order, which is not theirs.
const LABELS: [&str; 4] = ["zero", "One's", "a \"b\",c", "日{}"];
const DOCUMENTS: [&str; 5] = ["{\"a\": [1, null]}", "[]", "\"it's\"", "7", "true"];

impl World {
    /// Two or three tables; the second refers to the first, the last may have no key.
    pub(super) fn new(rng: &mut StdRng) -> Self {
        let mut names = HashSet::new();
        let mut world = Self { tables: Vec::new() };
        for at in 0..rng.random_range(2..4) {
            let table = world.table(rng, at, &mut names);
            world.tables.push(table);
        }
        world
    }

    fn table(&self, rng: &mut StdRng, at: usize, names: &mut HashSet<String>) -> Table {
        let mut used = HashSet::new();
        let mut columns = Vec::new();
        let mut key = Vec::new();
        let keys = match rng.random_range(0..5) {
            0 if at == 2 => 0,
            0 => 2,
            _ => 1,
        };
        for _ in 0..keys {
            const KEYS: [Kind; 6] = [
                Kind::Int("int8"),
                Kind::Int("int4"),
                Kind::Text("text"),
                Kind::Text("varchar(30)"),
                Kind::Date,
                Kind::Uuid,
            ];
            key.push(columns.len());
            columns.push(Column {
                name: name(rng, &mut used),
                kind: KEYS[rng.random_range(0..KEYS.len())],
                nullable: false,
            });
        }
        for _ in 0..rng.random_range(2..7) {
            columns.push(Column {
                name: name(rng, &mut used),
                kind: kind(rng),
                nullable: rng.random_bool(0.7),
            });
        }
        let mut links = Vec::new();
        let mut targets: Vec<usize> = (0..at).filter(|_| rng.random_bool(0.7)).collect();
        if at == 1 && targets.is_empty() {
            targets.push(0);
        }
        for target in targets {
            let referred = &self.tables[target];
            if referred.key.is_empty() {
                continue;
            }
            // Where there is nobody to refer to, null must do.
            let nullable = rng.random_bool(0.7) || referred.rows.is_empty();
            let mut here = Vec::new();
            for &column in &referred.key {
                here.push(columns.len());
                columns.push(Column {
                    name: name(rng, &mut used),
                    kind: referred.columns[column].kind,
                    nullable,
                });
            }
            links.push(Link {
                name: name(rng, names),
                here,
                table: target,
                there: referred.key.clone(),
            });
        }
        let mut table = Table {
            name: name(rng, names),
            columns,
            key,
            links,
            rows: Vec::new(),
        };
        for number in 0..rng.random_range(0..40) {
            let row = self.row(rng, &table, number);
            table.rows.push(row);
        }
        table
    }

    /// A row that keeps all promises; `number` makes its key one of its kind.
    pub(super) fn row(&self, rng: &mut StdRng, table: &Table, number: u32) -> Row {
        let mut row: Row = table
            .columns
            .iter()
            .map(|column| {
                if column.nullable && rng.random_bool(0.2) {
                    Cell::Null
                } else {
                    value(rng, column.kind)
                }
            })
            .collect();
        for (part, &column) in table.key.iter().enumerate() {
            let number = match (table.key.len(), part) {
                (1, _) => number,
                (_, 0) => number % 3,
                _ => number / 3,
            };
            row[column] = distinct(table.columns[column].kind, number);
        }
        for link in &table.links {
            let rows = &self.tables[link.table].rows;
            let nullable = table.columns[link.here[0]].nullable;
            let nobody = rows.is_empty() || (nullable && rng.random_bool(0.2));
            let target = (!nobody).then(|| &rows[rng.random_range(0..rows.len())]);
            for (&here, &there) in link.here.iter().zip(&link.there) {
                row[here] = target.map_or(Cell::Null, |row| row[there].clone());
            }
        }
        row
    }

    /// What makes the tables.
    pub(super) fn script(&self) -> String {
        let labels: Vec<String> = LABELS.iter().map(|label| literal(label)).collect();
        let mut sql = format!("create type word as enum ({});", labels.join(","));
        for table in &self.tables {
            let name = quoted(&table.name);
            let mut parts: Vec<String> = table
                .columns
                .iter()
                .map(|column| {
                    let null = if column.nullable { "" } else { " not null" };
                    format!("{} {}{null}", quoted(&column.name), column.kind.sql())
                })
                .collect();
            let list = |columns: &[usize], of: &Table| {
                let names = columns.iter().map(|at| quoted(&of.columns[*at].name));
                names.collect::<Vec<_>>().join(",")
            };
            if !table.key.is_empty() {
                parts.push(format!("primary key ({})", list(&table.key, table)));
            }
            for link in &table.links {
                let target = &self.tables[link.table];
                parts.push(format!(
                    "constraint {} foreign key ({}) references {} ({})",
                    quoted(&link.name),
                    list(&link.here, table),
                    quoted(&target.name),
                    list(&link.there, target)
                ));
            }
            let _ = write!(sql, "create table {name} ({});", parts.join(","));
            for row in &table.rows {
                let cells = row.iter().zip(&table.columns).map(|(cell, column)| {
                    let text = cell.text().map_or("null".to_owned(), |text| literal(&text));
                    format!("{text}::{}", column.kind.sql())
                });
                let cells: Vec<String> = cells.collect();
                let _ = write!(sql, "insert into {name} values ({});", cells.join(","));
            }
        }
        sql
    }
}

impl Table {
    /// The row as the API shows it, of the given columns.
    pub(super) fn shown(&self, row: &Row, columns: &[usize]) -> Value {
        columns
            .iter()
            .map(|at| (self.columns[*at].name.clone(), row[*at].json()))
            .collect()
    }

    /// The positions of all columns.
    pub(super) fn all(&self) -> Vec<usize> {
        (0..self.columns.len()).collect()
    }

    /// Whether the order of these columns can be gone on from with a cursor.
    pub(super) fn resumes(&self, columns: impl IntoIterator<Item = usize>) -> bool {
        let mut columns = columns.into_iter().chain(self.key.iter().copied());
        !self.key.is_empty() && columns.all(|at| self.columns[at].kind.reads_back())
    }
}

impl Kind {
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int(ty)
            | Self::Decimal(ty)
            | Self::Float(ty)
            | Self::Text(ty)
            | Self::Instant(ty) => ty,
            Self::Word => "word",
            Self::Date => "date",
            Self::Uuid => "uuid",
            Self::Ints => "int4[]",
            Self::Texts => "text[]",
            Self::Document => "jsonb",
        }
    }

    /// Whether greater and less are known here.
    pub(super) const fn ranks(self) -> bool {
        !matches!(self, Self::Document)
    }

    /// Whether `sum` and `avg` take it.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Int(_) | Self::Decimal(_) | Self::Float(_))
    }

    /// Whether `min` and `max` take it.
    pub(super) const fn has_bounds(self) -> bool {
        !matches!(self, Self::Bool | Self::Uuid | Self::Document)
    }

    const fn reads_back(self) -> bool {
        !matches!(self, Self::Ints | Self::Texts | Self::Document)
    }
}

impl Cell {
    /// As Postgres reads and writes it; `None` is null.
    pub(super) fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(is) => is.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Decimal(n) => {
                let sign = if *n < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", n.abs() / 100, n.abs() % 100)
            }
            Self::Float(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Word(at) => LABELS[*at].to_owned(),
            Self::Date(day) => format!(
                "{}-{:02}-{:02}",
                2024 + day / 336,
                1 + day / 28 % 12,
                1 + day % 28
            ),
            Self::Instant(..) => self.instant(' '),
            Self::Uuid(bits) => {
                let digits = format!("{bits:032x}");
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
                parts.join("-")
            }
            Self::Ints(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
                format!("{{{}}}", numbers.join(","))
            }
            Self::Texts(texts) => {
                let escape = |text: &String| text.replace('\\', "\\\\").replace('"', "\\\"");
                let texts: Vec<String> = texts
                    .iter()
                    .map(|text| format!("\"{}\"", escape(text)))
                    .collect();
                format!("{{{}}}", texts.join(","))
            }
            Self::Document(json) => (*json).to_owned(),
        })
    }

    /// As JSON shows it.
    pub(super) fn json(&self) -> Value {
        let parsed = |text: &str| serde_json::from_str(text).unwrap();
        match self {
            Self::Null => Value::Null,
            Self::Bool(_) | Self::Int(_) | Self::Decimal(_) | Self::Float(_) => {
                parsed(&self.text().unwrap_or_default())
            }
            Self::Document(json) => parsed(json),
            Self::Instant(..) => Value::from(self.instant('T')),
            Self::Ints(numbers) => Value::from(numbers.clone()),
            Self::Texts(texts) => Value::from(texts.clone()),
            _ => Value::from(self.text().unwrap_or_default()),
        }
    }

    fn instant(&self, separator: char) -> String {
        let Self::Instant(seconds, zoned) = self else {
            return String::new();
        };
        let (minutes, second) = (seconds / 60, seconds % 60);
        let (hours, minute) = (minutes / 60, minutes % 60);
        let zone = match (zoned, separator) {
            (false, _) => "",
            (true, 'T') => "+00:00",
            (true, _) => "+00",
        };
        format!(
            "2024-01-{:02}{separator}{:02}:{minute:02}:{second:02}{zone}",
            1 + hours / 24,
            hours % 24
        )
    }
}

/// A name that can make trouble: words of SQL and of this API, signs of all kinds, up to 63 bytes.
fn name(rng: &mut StdRng, used: &mut HashSet<String>) -> String {
    const WORDS: &[&str] = &[
        "select",
        "t",
        "t1",
        "r",
        "and",
        "or",
        "not",
        "some",
        "none",
        "every",
        "data",
        "null",
        "excluded",
        "$1",
        "id",
        "Id",
        "order",
        "user",
        "ctid_",
        "--",
        "/*",
        "';",
        "\"",
        "eq",
        "in",
        "true",
        "..",
        "%",
        "a.b",
        "a:b",
        "-a",
        " a",
        "a ",
        "[",
        "__typename",
        "public",
        "*",
    ];
    const LETTERS: &[char] = &[
        'a', 'B', '"', '\'', ' ', '.', ',', ':', '%', '\\', 'ä', '日', '$', '-', '/', '[', ']',
        '(', ';', '&', '=', '+', '?', '#', '{', '|', '\n', '\u{1}', '\u{7f}', '😀', '_', '*', '`',
    ];
    loop {
        let mut name = if rng.random_bool(0.3) {
            WORDS[rng.random_range(0..WORDS.len())].to_owned()
        } else {
            let length = rng.random_range(1..40);
            (0..length)
                .map(|_| LETTERS[rng.random_range(0..LETTERS.len())])
                .collect()
        };
        while name.len() > 63 {
            name.pop();
        }
        if name.trim().is_empty() || !used.insert(name.clone()) {
            continue;
        }
        return name;
    }
}

fn kind(rng: &mut StdRng) -> Kind {
    const KINDS: [Kind; 18] = [
        Kind::Bool,
        Kind::Int("int2"),
        Kind::Int("int4"),
        Kind::Int("int8"),
        Kind::Decimal("numeric(9,2)"),
        Kind::Float("float4"),
        Kind::Float("float8"),
        Kind::Text("text"),
        Kind::Text("varchar(30)"),
        Kind::Text("name"),
        Kind::Word,
        Kind::Date,
        Kind::Instant("timestamp"),
        Kind::Instant("timestamptz"),
        Kind::Uuid,
        Kind::Ints,
        Kind::Texts,
        Kind::Document,
    ];
    KINDS[rng.random_range(0..KINDS.len())]
}

/// One of a few values, so that they meet again; never null.
pub(super) fn value(rng: &mut StdRng, kind: Kind) -> Cell {
    const TEXTS: [&str; 12] = [
        "",
        "a",
        "A",
        "b",
        "a,b",
        "it's \"x\"",
        "50%\\",
        "日",
        "null",
        " a ",
        "_",
        "äb\n--",
    ];
    let text = |rng: &mut StdRng| TEXTS[rng.random_range(0..TEXTS.len())].to_owned();
    match kind {
        Kind::Bool => Cell::Bool(rng.random_bool(0.5)),
        Kind::Int("int8") => Cell::Int(rng.random_range(-3..4) * 3_000_000_000_000_001),
        Kind::Int(_) => Cell::Int(rng.random_range(-3..4)),
        Kind::Decimal(_) => Cell::Decimal(rng.random_range(-3..4) * 75),
        Kind::Float(_) => Cell::Float(f64::from(rng.random_range(1..9)) * 0.25),
        Kind::Text(_) => Cell::Text(text(rng)),
        Kind::Word => Cell::Word(rng.random_range(0..LABELS.len())),
        Kind::Date => Cell::Date(rng.random_range(0..60)),
        Kind::Instant(ty) => Cell::Instant(rng.random_range(0..6) * 100_001, ty.ends_with("tz")),
        Kind::Uuid => Cell::Uuid(rng.random_range(0..5) << 120 | rng.random_range(0..2)),
        Kind::Ints => Cell::Ints(
            (0..rng.random_range(0..3))
                .map(|_| rng.random_range(-1..2))
                .collect(),
        ),
        Kind::Texts => Cell::Texts((0..rng.random_range(0..3)).map(|_| text(rng)).collect()),
        Kind::Document => Cell::Document(DOCUMENTS[rng.random_range(0..DOCUMENTS.len())]),
    }
}

/// A value for a key, another one for each number.
fn distinct(kind: Kind, number: u32) -> Cell {
    const SIGNS: [&str; 6] = ["/", ",", "%", "'", "\"", "ä"];
    match kind {
        Kind::Text(_) => Cell::Text(format!("{}{number}", SIGNS[number as usize % SIGNS.len()])),
        Kind::Date => Cell::Date(number),
        Kind::Uuid => Cell::Uuid(u128::from(number) << 100 | 7),
        _ => Cell::Int(i64::from(number) * 7 - 20),
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("e'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
