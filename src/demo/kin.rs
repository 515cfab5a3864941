//! What columns of one row, and of rows that belong together, say alike: an order goes to its client's address, a line has
//! the price of its product, and a declared link finds its partner.

use seed::masks::Kind;

use super::{
    facts::Facts,
    make::Make,
    names::{self, Figure},
    rules::{Rules, Said},
    verdict::{Judged, Verdict},
};

/// Lets columns say what the rows that they belong to say.
pub fn join(facts: &Facts, rules: &Rules, judged: &mut [Vec<Judged>]) {
    let mut found: Vec<(usize, usize, Verdict, &'static str)> = Vec::new();
    for (at, table) in facts.catalog.tables.iter().enumerate() {
        for (column, one) in judged[at].iter().enumerate() {
            let Verdict::Make(make) = &one.verdict else {
                continue;
            };
            let of = |(key, other): (usize, usize)| Verdict::Echo {
                key,
                column: other,
                make: make.clone(),
            };
            let said = rules.column(&table.name, &table.columns[column].name);
            match said {
                Some(Said::As(..)) => {
                    if let Some(partner) = declared(facts, at, column) {
                        found.push((at, column, of(partner), "link in a rule"));
                    }
                }
                Some(_) => {}
                None => {
                    if let Some(partner) = address(facts, judged, at, column, make) {
                        found.push((at, column, of(partner), "name, and whom it belongs to"));
                    } else if let Some(partner) = price(facts, judged, at, column, make) {
                        found.push((at, column, of(partner), "name, and what it belongs to"));
                    }
                }
            }
        }
    }
    for (at, column, verdict, signal) in found {
        let one = &mut judged[at][column];
        one.verdict = verdict;
        signal.clone_into(&mut one.signal);
    }
    days(facts, judged);
}

/// The key and the column of a link that a rule declares.
fn declared(facts: &Facts, at: usize, column: usize) -> Option<(usize, usize)> {
    let keys = &facts.catalog.tables[at].foreign_keys;
    let key = keys
        .iter()
        .position(|key| key.name.is_empty() && key.columns == [column])?;
    facts
        .has_rows(keys[key].table)
        .then(|| (key, keys[key].referred[0]))
}

/// For `ship_city` of an order: the column of its client that says a city.
fn address(
    facts: &Facts,
    judged: &[Vec<Judged>],
    at: usize,
    column: usize,
    make: &Make,
) -> Option<(usize, usize)> {
    let Make::Text(text) = make else { return None };
    let place = matches!(
        text.kind,
        Kind::Street
            | Kind::City
            | Kind::State
            | Kind::Zip
            | Kind::Country
            | Kind::Company
            | Kind::Name
    );
    let table = &facts.catalog.tables[at];
    if text.unique || !place {
        return None;
    }
    names::without_purpose(&table.columns[column].name)?;
    partners(facts, at)
        .filter(|(_, other)| names::is_customer(&facts.catalog.tables[*other].name))
        .find_map(|(key, other)| {
            let same = judged[other].iter().position(|judged| {
                matches!(&judged.verdict, Verdict::Make(Make::Text(of)) if of.kind == text.kind)
            })?;
            Some((key, same))
        })
}

/// For the price of a line: the column of its product that has the same name and is made alike.
fn price(
    facts: &Facts,
    judged: &[Vec<Judged>],
    at: usize,
    column: usize,
    make: &Make,
) -> Option<(usize, usize)> {
    let table = &facts.catalog.tables[at];
    let name = &table.columns[column].name;
    if names::figure(name) != Some(Figure::Price) {
        return None;
    }
    partners(facts, at).find_map(|(key, other)| {
        let same = facts.catalog.tables[other].find(name)?;
        matches!(&judged[other].get(same)?.verdict, Verdict::Make(of) if of == make)
            .then_some((key, same))
    })
}

/// Tables that a table refers to by one of its keys, with that key.
fn partners(facts: &Facts, at: usize) -> impl Iterator<Item = (usize, usize)> {
    let keys = facts.catalog.tables[at].foreign_keys.iter().enumerate();
    keys.filter(move |(_, key)| key.table != at && facts.has_rows(key.table))
        .map(|(key, foreign)| (key, foreign.table))
}

/// Instants that are called dates begin at midnight, where all of a table are.
fn days(facts: &Facts, judged: &mut [Vec<Judged>]) {
    for (table, columns) in facts.catalog.tables.iter().zip(judged) {
        let told = |one: &Judged| matches!(one.verdict, Verdict::Make(Make::Moment(..)));
        let all = table
            .columns
            .iter()
            .zip(columns.iter())
            .all(|(column, one)| !told(one) || names::is_day(&column.name));
        if !all {
            continue;
        }
        for one in columns {
            if let Verdict::Make(make) = &mut one.verdict
                && let Make::Moment(rank, zoned) = *make
                && one.signal != "rule"
            {
                *make = Make::Midnight(rank, zoned);
            }
        }
    }
}
