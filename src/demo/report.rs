//! What became of each column of the template in the demo, for `sandlot demo explain`.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{
    facts::Facts,
    make::{Document, Make},
    rules::KINDS,
    verdict::{Judged, Verdict},
};

/// What became of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Each column.
    pub columns: Vec<Line>,
    /// What adds up in the template and is made to add up in the demo.
    #[serde(default)]
    pub totals: Vec<String>,
    /// Tables that are served empty, and why.
    pub empty: Vec<(String, String)>,
    /// What is not there, or not as in the template, and why.
    pub left_out: Vec<(String, String)>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
    /// `kept`, `wired`, `computed`, `masked` or `omitted`.
    pub verdict: String,
    /// What led to it.
    pub signal: String,
    /// How its values are made.
    pub generator: String,
}

impl Report {
    /// What was judged.
    pub fn new(facts: &Facts, judged: &[Vec<Judged>]) -> Self {
        let mut report = Self::default();
        for (table, columns) in facts.catalog.tables.iter().zip(judged) {
            for (column, judged) in table.columns.iter().zip(columns) {
                let (verdict, generator) = match &judged.verdict {
                    Verdict::Keep => ("kept", String::new()),
                    Verdict::Follow { key, .. } => {
                        let target = table
                            .foreign_keys
                            .get(*key)
                            .map_or("", |key| &facts.catalog.tables[key.table].name);
                        ("wired", format!("to {target}"))
                    }
                    Verdict::Echo { key, column, .. } => {
                        let other = table
                            .foreign_keys
                            .get(*key)
                            .map(|key| &facts.catalog.tables[key.table]);
                        let name = other.and_then(|other| {
                            Some(format!(
                                "as {}.{}",
                                other.name,
                                other.columns.get(*column)?.name
                            ))
                        });
                        ("masked", name.unwrap_or_default())
                    }
                    Verdict::Number => ("wired", "row".to_owned()),
                    Verdict::Computed => ("computed", String::new()),
                    // It tells how rows hang together, and nothing of what was there.
                    Verdict::Make(Make::Ordinal) => ("wired", name(&Make::Ordinal)),
                    Verdict::Make(make) => ("masked", name(make)),
                    Verdict::Omit => ("omitted", String::new()),
                };
                report.columns.push(Line {
                    table: table.name.clone(),
                    column: column.name.clone(),
                    verdict: verdict.to_owned(),
                    signal: judged.signal.clone(),
                    generator,
                });
            }
        }
        report
    }

    /// The report as text, a line for each column, in columns.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|line| format!("{}.{}", line.table, line.column))
            .collect();
        let wide = names.iter().map(String::len).max().unwrap_or(0);
        for (line, name) in self.columns.iter().zip(&names) {
            // Writing to a String can't fail.
            let _ = writeln!(
                out,
                "{name:wide$}  {:8}  {:28}  {}",
                line.verdict, line.signal, line.generator
            );
        }
        for total in &self.totals {
            let _ = writeln!(out, "adds up: {total}");
        }
        for (table, why) in &self.empty {
            let _ = writeln!(out, "{table} is served empty: {why}");
        }
        for (what, why) in &self.left_out {
            let _ = writeln!(out, "{what}: {why}");
        }
        out
    }
}

/// How a way of making values is called.
fn name(make: &Make) -> String {
    match make {
        Make::Text(text) => {
            let kind = KINDS
                .iter()
                .find(|(_, kind)| *kind == text.kind)
                .map_or("pattern", |(name, _)| name);
            let unique = if text.unique { ", each its own" } else { "" };
            match text.most {
                Some(most) => format!("{kind}, at most {most}{unique}"),
                None => format!("{kind}{unique}"),
            }
        }
        Make::Int(low, high) => format!("number {low} to {high}"),
        Make::Each(first) => format!("each number once, from {first}"),
        Make::Ordinal => "ordinal".to_owned(),
        Make::Decimal(low, high, scale) => format!("number {low} to {high}, {scale} digits"),
        Make::Bool => "bool".to_owned(),
        Make::One(of) => format!("one of {}", of.len()),
        Make::Same(_) => "always the same".to_owned(),
        Make::Date(rank) => format!("date, {}", format!("{rank:?}").to_lowercase()),
        Make::Moment(rank, _) => format!("instant, {}", format!("{rank:?}").to_lowercase()),
        Make::Midnight(rank, _) => format!("day, {}", format!("{rank:?}").to_lowercase()),
        Make::Time(_) => "time of day".to_owned(),
        Make::Interval => "interval".to_owned(),
        Make::Bytes => "bytes".to_owned(),
        Make::Inet | Make::Cidr => "address of a documentation range".to_owned(),
        Make::Mac(_) => "address of a documentation block".to_owned(),
        Make::Json(Document::Array(_)) => "json array".to_owned(),
        Make::Json(_) => "json".to_owned(),
        Make::List(of) => format!("list of {}", name(of)),
        Make::Range(_) | Make::Ranges(_) => "range".to_owned(),
        Make::Fields(fields) => format!(
            "fields: {}",
            fields.iter().map(name).collect::<Vec<_>>().join("; ")
        ),
        Make::Point => "point".to_owned(),
        Make::Bits(_) => "bits".to_owned(),
        Make::Xml => "xml".to_owned(),
        Make::Lexemes => "words".to_owned(),
        Make::Null => "null".to_owned(),
    }
}
