//! Fills the tables of a demo: reads how many rows there are, how they hang together, where nulls are and what is kept,
//! and makes up the rest.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, pin_mut};
use seed::masks::Row;
use tenants::names::quote_ident;
use tokio_postgres::{Client, RowStream, types::ToSql};

use crate::data::catalog::Table;

use super::{
    facts::Facts,
    make::{Cell, Life, Make},
    totals::{Totals, scale_of},
    verdict::{Judged, Verdict},
    worked,
};

/// No row.
const NONE: u32 = u32::MAX;
/// Bytes of rows that are sent at once.
const CHUNK: usize = 64 << 10;

/// How the rows of one table hang together with others.
#[derive(Default)]
struct Wires {
    rows: u64,
    /// For each foreign key, the number of the row that each row points at.
    refs: Vec<Vec<u32>>,
    lives: Vec<Life>,
    /// Of columns that are numbered within groups, the number of each row.
    ordinals: HashMap<usize, Vec<u32>>,
    /// For each set of columns that keys refer to, the row of each value.
    keys: HashMap<Vec<usize>, HashMap<String, u32>>,
}

/// Fills all tables.
pub struct Filling<'a> {
    client: &'a Client,
    facts: &'a Facts,
    judged: Vec<Vec<Judged>>,
    totals: &'a Totals,
    seed: u64,
    source: &'a str,
    target: &'a str,
    wires: Vec<Wires>,
    /// Tables that are left empty, and why.
    empty: HashMap<usize, String>,
}

impl<'a> Filling<'a> {
    /// Reads of all tables how many rows there are, and the keys that others refer to.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn begin(
        client: &'a Client,
        facts: &'a Facts,
        mut judged: Vec<Vec<Judged>>,
        totals: &'a Totals,
        seed: u64,
        (source, target): (&'a str, &'a str),
    ) -> Result<Self, tokio_postgres::Error> {
        let mut wires = Vec::with_capacity(judged.len());
        for (at, columns) in judged.iter_mut().enumerate() {
            let mut wire = Wires::default();
            if facts.has_rows(at) {
                let text = format!("select count(*) from {}", from(facts, at, source));
                let rows: i64 = client.query_one(&text, &[]).await?.try_get(0)?;
                wire.rows = u64::try_from(rows).unwrap_or(0);
                for column in columns {
                    if let Verdict::Make(Make::Text(text)) = &mut column.verdict {
                        text.rows = wire.rows;
                    }
                }
            }
            wires.push(wire);
        }
        let mut filling = Self {
            client,
            facts,
            judged,
            totals,
            seed,
            source,
            target,
            wires,
            empty: HashMap::new(),
        };
        filling.read_keys().await?;
        Ok(filling)
    }

    /// Fills the tables, those that others refer to first.
    ///
    /// A table whose rows are refused is left empty. Returns which, and why.
    ///
    /// # Errors
    /// When Postgres goes away.
    pub async fn run(
        mut self,
        empty: HashMap<usize, String>,
    ) -> Result<HashMap<usize, String>, tokio_postgres::Error> {
        self.empty = empty;
        for at in order(self.facts) {
            self.table(at).await?;
        }
        Ok(self.empty)
    }

    async fn read_keys(&mut self) -> Result<(), tokio_postgres::Error> {
        let mut wanted: HashSet<(usize, Vec<usize>)> = HashSet::new();
        for (at, table) in self.facts.catalog.tables.iter().enumerate() {
            if self.facts.has_rows(at) {
                wanted.extend(
                    table
                        .foreign_keys
                        .iter()
                        .map(|key| (key.table, key.referred.clone())),
                );
            }
        }
        for (at, columns) in wanted {
            if !self.facts.has_rows(at) {
                continue;
            }
            let list: Vec<String> = columns
                .iter()
                .map(|column| self.as_text(at, *column))
                .collect();
            let mut rows: HashMap<String, u32> = HashMap::new();
            let found = self.in_order(at, &list).await?;
            pin_mut!(found);
            let mut number = 0;
            while let Some(row) = found.next().await {
                let row = row?;
                let parts: Result<Vec<Option<String>>, _> =
                    (0..columns.len()).map(|part| row.try_get(part)).collect();
                if let Some(key) = joined(&parts?) {
                    rows.insert(key, number);
                }
                number += 1;
            }
            self.wires[at].keys.insert(columns, rows);
        }
        Ok(())
    }

    async fn table(&mut self, at: usize) -> Result<(), tokio_postgres::Error> {
        let facts = self.facts;
        let table = &facts.catalog.tables[at];
        if self.empty.contains_key(&at) || self.wires[at].rows == 0 {
            return Ok(());
        }
        for key in &table.foreign_keys {
            let needs = key
                .columns
                .iter()
                .all(|column| !table.columns[*column].nullable);
            if needs && key.table != at && self.empty.contains_key(&key.table) {
                let of = &facts.catalog.tables[key.table].name;
                self.empty.insert(
                    at,
                    format!("its rows belong to those of {of}, which is empty"),
                );
                return Ok(());
            }
        }
        let read = self.read(at).await?;
        self.wire(at, &read);
        self.client.batch_execute("savepoint rows").await?;
        match self.write(at, &read).await {
            Ok(()) => self.client.batch_execute("release savepoint rows").await,
            Err(error) => match error.as_db_error() {
                None => Err(error),
                Some(refused) => {
                    // The database's own words may quote a value; the constraint's name and the code do not.
                    let why = match refused.constraint() {
                        Some(constraint) => format!("no rule covers the constraint {constraint}"),
                        None => {
                            format!("rows were refused with SQLSTATE {}", refused.code().code())
                        }
                    };
                    self.client
                        .batch_execute("rollback to savepoint rows")
                        .await?;
                    self.empty.insert(at, why);
                    Ok(())
                }
            },
        }
    }

    /// Reads what is needed of each row: texts of what is kept and of keys, and where nulls are.
    async fn read(&self, at: usize) -> Result<Vec<Vec<Option<Box<str>>>>, tokio_postgres::Error> {
        let table = &self.facts.catalog.tables[at];
        let in_key = |column: usize| {
            table
                .foreign_keys
                .iter()
                .any(|key| key.columns.contains(&column))
        };
        let grouping: HashSet<usize> = self.judged[at]
            .iter()
            .flat_map(|judged| judged.group.iter().copied())
            .collect();
        let list: Vec<String> = (0..table.columns.len())
            .map(|column| {
                let kept = matches!(self.judged[at][column].verdict, Verdict::Keep);
                if kept || in_key(column) || grouping.contains(&column) {
                    self.as_text(at, column)
                } else if table.columns[column].nullable
                    && self.judged[at][column].verdict.made().is_some()
                {
                    let name = quote_ident(&table.columns[column].name);
                    format!("case when {name} is distinct from null then '' end")
                } else {
                    "''".to_owned()
                }
            })
            .collect();
        let found = self.in_order(at, &list).await?;
        pin_mut!(found);
        let mut rows = Vec::new();
        while let Some(row) = found.next().await {
            let row = row?;
            let cells: Result<Vec<Option<Box<str>>>, _> = (0..list.len())
                .map(|column| {
                    row.try_get::<_, Option<&str>>(column)
                        .map(|text| text.map(Box::from))
                })
                .collect();
            rows.push(cells?);
        }
        Ok(rows)
    }

    /// Finds which rows each row points at, when it lived, and its numbers within groups.
    fn wire(&mut self, at: usize, read: &[Vec<Option<Box<str>>>]) {
        let table = &self.facts.catalog.tables[at];
        let refs: Vec<Vec<u32>> = table
            .foreign_keys
            .iter()
            .map(|key| {
                let rows = self.wires[key.table].keys.get(&key.referred);
                let row_of = |cells: &Vec<Option<Box<str>>>| {
                    let parts: Vec<Option<String>> = key
                        .columns
                        .iter()
                        .map(|c| cells[*c].as_deref().map(str::to_owned))
                        .collect();
                    joined(&parts)
                        .and_then(|value| rows?.get(&value).copied())
                        .unwrap_or(NONE)
                };
                read.iter().map(row_of).collect()
            })
            .collect();
        let root = table.foreign_keys.iter().all(|key| key.table == at);
        let rows = read.len() as u64;
        let mut lives: Vec<Life> = Vec::with_capacity(read.len());
        for number in 0..read.len() {
            let starts = table
                .foreign_keys
                .iter()
                .zip(&refs)
                .filter_map(|(key, refs)| {
                    let lives = if key.table == at {
                        &lives
                    } else {
                        &self.wires[key.table].lives
                    };
                    lives.get(refs[number] as usize).map(|life| life.start)
                });
            let parent = starts.max();
            let row = Row::new(self.seed, &table.name, number as u64);
            // What nothing else has to be older than began in the first of the three years.
            let span = if root { rows * 3 } else { rows };
            lives.push(Life::new(
                number as u64,
                span,
                parent,
                &mut row.dice("life"),
            ));
        }
        let mut ordinals = HashMap::new();
        for (column, judged) in self.judged[at].iter().enumerate() {
            if judged.verdict != Verdict::Make(Make::Ordinal) {
                continue;
            }
            let mut counts: HashMap<String, u32> = HashMap::new();
            let numbers = read.iter().map(|cells| {
                let group: Vec<&str> = judged
                    .group
                    .iter()
                    .map(|c| cells[*c].as_deref().unwrap_or("\0"))
                    .collect();
                let count = counts.entry(group.join("\u{1f}")).or_default();
                *count += 1;
                *count
            });
            ordinals.insert(column, numbers.collect());
        }
        let wires = &mut self.wires[at];
        (wires.refs, wires.lives, wires.ordinals, wires.rows) = (refs, lives, ordinals, rows);
    }

    async fn write(
        &self,
        at: usize,
        read: &[Vec<Option<Box<str>>>],
    ) -> Result<(), tokio_postgres::Error> {
        let table = &self.facts.catalog.tables[at];
        let written: Vec<usize> = (0..table.columns.len())
            .filter(|column| {
                !matches!(
                    self.judged[at][*column].verdict,
                    Verdict::Computed | Verdict::Omit
                )
            })
            .collect();
        let names: Vec<String> = written
            .iter()
            .map(|column| quote_ident(&table.columns[*column].name))
            .collect();
        let text = format!(
            "copy {}.{} ({}) from stdin",
            quote_ident(self.target),
            quote_ident(&table.name),
            names.join(", ")
        );
        let sink = self.client.copy_in(&text).await?;
        pin_mut!(sink);
        let mut out = Vec::with_capacity(CHUNK + 4096);
        for (number, cells) in read.iter().enumerate() {
            let row = Row::new(self.seed, &table.name, number as u64);
            let mut values: Vec<Option<String>> = vec![None; table.columns.len()];
            for &column in &written {
                let own = cells[column].as_deref();
                values[column] = self.value(&row, at, column, number as u32, own);
            }
            for formula in self.totals.formulas(at) {
                let scale = |column: usize| scale_of(&table.columns[column].ty);
                let free = |column: usize| {
                    matches!(self.judged[at][column].verdict, Verdict::Make(_))
                        && !self
                            .totals
                            .formulas(at)
                            .iter()
                            .any(|other| other.column == column)
                };
                worked::work(formula, &mut values, &row, scale, free);
            }
            for (place, &column) in written.iter().enumerate() {
                if place > 0 {
                    out.push(b'\t');
                }
                match &values[column] {
                    Some(text) => escape(text, &mut out),
                    None => out.extend_from_slice(b"\\N"),
                }
            }
            out.push(b'\n');
            if out.len() >= CHUNK {
                sink.send(Bytes::from(std::mem::take(&mut out))).await?;
            }
        }
        sink.send(Bytes::from(out)).await?;
        sink.finish().await?;
        Ok(())
    }

    /// A cell as it is written; `own` is what was read of it.
    fn value(
        &self,
        row: &Row<'_>,
        at: usize,
        column: usize,
        number: u32,
        own: Option<&str>,
    ) -> Option<String> {
        match &self.judged[at][column].verdict {
            Verdict::Keep => own.map(str::to_owned),
            Verdict::Make(make) => own.and_then(|_| self.cell(row, at, column, number, make)),
            Verdict::Number => Some((number + 1).to_string()),
            Verdict::Follow { .. } => own.and_then(|own| self.followed(at, column, number, own)),
            Verdict::Echo { .. } => own.and_then(|own| self.echoed(row, at, column, number, own)),
            Verdict::Computed | Verdict::Omit => None,
        }
    }

    fn cell(
        &self,
        row: &Row<'_>,
        at: usize,
        column: usize,
        number: u32,
        make: &Make,
    ) -> Option<String> {
        let table = &self.facts.catalog.tables[at];
        let wires = &self.wires[at];
        let ordinal = wires
            .ordinals
            .get(&column)
            .and_then(|numbers| numbers.get(number as usize));
        let cell = Cell {
            row,
            life: *wires.lives.get(number as usize)?,
            column: &table.columns[column].name,
            place: self.judged[at][column].place,
            ordinal: ordinal.map_or(1, |ordinal| u64::from(*ordinal)),
            rows: wires.rows,
        };
        cell.spell(make)
    }

    /// The value at the end of the foreign keys that a column follows.
    fn followed(
        &self,
        mut at: usize,
        mut column: usize,
        mut number: u32,
        own: &str,
    ) -> Option<String> {
        // Keys in a circle end somewhere, or tell nothing.
        for _ in 0..self.wires.len().max(8) {
            match &self.judged[at][column].verdict {
                Verdict::Follow { key, part } => {
                    let foreign = &self.facts.catalog.tables[at].foreign_keys[*key];
                    number = *self.wires[at].refs.get(*key)?.get(number as usize)?;
                    if number == NONE || self.empty.contains_key(&foreign.table) {
                        return None;
                    }
                    (at, column) = (foreign.table, *foreign.referred.get(*part)?);
                }
                Verdict::Keep => return Some(own.to_owned()),
                Verdict::Number => return Some((number + 1).to_string()),
                Verdict::Make(make) => {
                    let row = Row::new(
                        self.seed,
                        &self.facts.catalog.tables[at].name,
                        u64::from(number),
                    );
                    return self.cell(&row, at, column, number, make);
                }
                Verdict::Echo { .. } => {
                    let row = Row::new(
                        self.seed,
                        &self.facts.catalog.tables[at].name,
                        u64::from(number),
                    );
                    return self.echoed(&row, at, column, number, own);
                }
                Verdict::Computed | Verdict::Omit => return None,
            }
        }
        None
    }

    /// What the row that a row belongs to says in another column, or what the row says itself where there is none.
    fn echoed(
        &self,
        row: &Row<'_>,
        at: usize,
        column: usize,
        number: u32,
        own: &str,
    ) -> Option<String> {
        let Verdict::Echo {
            key,
            column: other,
            make,
        } = &self.judged[at][column].verdict
        else {
            return None;
        };
        let foreign = &self.facts.catalog.tables[at].foreign_keys[*key];
        let partner = self.wires[at].refs.get(*key)?.get(number as usize).copied();
        let partner =
            partner.filter(|row| *row != NONE && !self.empty.contains_key(&foreign.table));
        let said = partner.and_then(|row| self.followed(foreign.table, *other, row, own));
        let text = said.or_else(|| self.cell(row, at, column, number, make))?;
        // The other column may have more room.
        Some(match make {
            Make::Text(of) => text.chars().take(of.most.unwrap_or(usize::MAX)).collect(),
            _ => text,
        })
    }

    fn as_text(&self, at: usize, column: usize) -> String {
        format!(
            "{}::pg_catalog.text",
            quote_ident(&self.facts.catalog.tables[at].columns[column].name)
        )
    }

    /// Expressions over all rows of a table, in the order that numbers them.
    async fn in_order(
        &self,
        at: usize,
        expressions: &[String],
    ) -> Result<RowStream, tokio_postgres::Error> {
        let text = format!(
            "select {} from {} {}",
            expressions.join(", "),
            from(self.facts, at, self.source),
            self.sorted(at)
        );
        self.client
            .query_raw(&text, std::iter::empty::<&(dyn ToSql + Sync)>())
            .await
    }

    /// The order that numbers rows: that of the key where the database numbers it, else that of the table's file, which
    /// tells nothing of values.
    fn sorted(&self, at: usize) -> String {
        let table = &self.facts.catalog.tables[at];
        match table.key[..] {
            [key]
                if self.judged[at][key].verdict == Verdict::Keep
                    && self.facts.is_numbered(at, key) =>
            {
                format!("order by {}", quote_ident(&table.columns[key].name))
            }
            _ => "order by tableoid, ctid".to_owned(),
        }
    }
}

/// A table as it is read and written: without those that inherit from it.
pub fn from(facts: &Facts, at: usize, source: &str) -> String {
    let table: &Table = &facts.catalog.tables[at];
    let only = if table.kind.word() == "table" {
        "only "
    } else {
        ""
    };
    format!("{only}{}.{}", quote_ident(source), quote_ident(&table.name))
}

/// The tables with rows, those that others refer to first, as far as there is no circle.
fn order(facts: &Facts) -> Vec<usize> {
    fn visit(facts: &Facts, at: usize, seen: &mut HashSet<usize>, out: &mut Vec<usize>) {
        if !seen.insert(at) {
            return;
        }
        for key in &facts.catalog.tables[at].foreign_keys {
            visit(facts, key.table, seen, out);
        }
        if facts.has_rows(at) {
            out.push(at);
        }
    }
    let (mut seen, mut out) = (HashSet::new(), Vec::new());
    for at in 0..facts.catalog.tables.len() {
        visit(facts, at, &mut seen, &mut out);
    }
    out
}

/// A key's values as one text; none if one is null.
fn joined(parts: &[Option<String>]) -> Option<String> {
    let parts: Option<Vec<&str>> = parts.iter().map(Option::as_deref).collect();
    Some(parts?.join("\u{1f}"))
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte => out.push(byte),
        }
    }
}
