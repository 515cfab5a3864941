//! Examples of bodies: made from types, keys and checks, never from rows.

use super::super::{
    model::Resource,
    tree::{Node, list, map},
};
use super::schema::{checks, quoted};
use crate::data::catalog::{Column, Table, TypeKind, types::oid};

/// A body that makes a row: the columns that it needs, or else the first that it takes.
pub fn example(resource: &Resource<'_>) -> Node {
    let table = resource.table;
    let columns = || resource.columns.iter().copied();
    let settable = |at: &usize| table.columns[*at].is_settable() && !table.key.contains(at);
    let needs: Vec<usize> = columns()
        .filter(|at| !table.columns[*at].is_optional())
        .collect();
    let shown: Vec<usize> = match needs.is_empty() {
        true => columns().filter(settable).take(2).collect(),
        // A default in a unique key beside them is taken by another row, most likely.
        false => columns()
            .filter(|at| needs.contains(at) || settable(at) && unique_beside(table, *at, &needs))
            .collect(),
    };
    let member = |at: usize| (table.columns[at].name.clone(), sample(table, at));
    Node::Map(shown.into_iter().map(member).collect())
}

/// A change of one column, one that refers to nothing if there is one.
pub fn change_example(resource: &Resource<'_>) -> Node {
    let table = resource.table;
    let columns = || resource.columns.iter().copied();
    let settable = |at: &usize| table.columns[*at].is_settable() && !table.key.contains(at);
    let at = columns()
        .find(|at| settable(at) && !refers(table, *at))
        .or_else(|| columns().find(settable));
    match at {
        Some(at) => Node::Map(vec![(table.columns[at].name.clone(), sample(table, at))]),
        None => map! {},
    }
}

/// A text that fits a pattern made of characters, classes and how often each comes, such as
/// `^[A-Z]{2}-[0-9]+$`; none for other patterns.
pub fn of_pattern(pattern: &str) -> Option<String> {
    let mut rest = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let mut text = String::new();
    while let Some(first) = rest.chars().next() {
        let (one, after) = match first {
            '[' => {
                let (class, after) = rest[1..].split_once(']')?;
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_ .@".contains(c);
                if !class.chars().all(plain) {
                    return None;
                }
                (class.chars().next()?, after)
            }
            c if c.is_ascii_alphanumeric() || "-_ @".contains(c) => (c, &rest[1..]),
            _ => return None,
        };
        let (times, after) = match after.chars().next() {
            Some('{') => {
                let (times, after) = after[1..].split_once('}')?;
                let least = times.split(',').next()?;
                (least.parse::<usize>().ok().filter(|n| *n <= 100)?, after)
            }
            Some('+') => (1, &after[1..]),
            Some('*' | '?') => (0, &after[1..]),
            _ => (1, after),
        };
        text.extend(std::iter::repeat_n(one, times));
        rest = after;
    }
    (!text.is_empty()).then_some(text)
}

/// Whether a number stands in a unique key with one of these columns.
fn unique_beside(table: &Table, at: usize, columns: &[usize]) -> bool {
    let beside = |other: &usize| *other != at && columns.contains(other);
    is_unique_number(table, at)
        && table
            .uniques
            .iter()
            .any(|key| key.columns.contains(&at) && key.columns.iter().any(beside))
}

/// Whether the column is a number in a unique key that is no primary key, and refers to nothing.
fn is_unique_number(table: &Table, at: usize) -> bool {
    let keys = || table.uniques.iter().filter(|key| key.columns != table.key);
    table.columns[at].ty.is_number()
        && !refers(table, at)
        && keys().any(|key| key.columns.contains(&at))
}

fn refers(table: &Table, at: usize) -> bool {
    table
        .foreign_keys
        .iter()
        .any(|key| key.columns.contains(&at))
}

/// Whether a check says that the column comes after another one.
fn comes_later(table: &Table, at: usize) -> bool {
    let name = quoted(&table.columns[at].name);
    let checks = table
        .checks
        .iter()
        .filter(|check| check.columns.contains(&at));
    checks
        .filter(|check| check.columns.len() == 2)
        .any(|check| {
            let text = check.definition.trim_start_matches("CHECK ");
            let text = text.trim_matches(['(', ')']);
            let after = [" > ", " >= "]
                .into_iter()
                .filter_map(|sign| text.split_once(sign))
                .any(|(later, _)| later == name);
            let before = [" < ", " <= "]
                .into_iter()
                .filter_map(|sign| text.split_once(sign))
                .any(|(_, later)| later == name);
            after || before
        })
}

/// A value that the column takes.
fn sample(table: &Table, at: usize) -> Node {
    let column = &table.columns[at];
    let checks = checks(table, at);
    if let Some(label) = column.ty.labels().unwrap_or(&checks.labels).first() {
        return label.into();
    }
    let base = column.ty.base();
    if matches!(base.kind, TypeKind::Array(_)) {
        return list![];
    }
    let later = comes_later(table, at);
    let usual = match (is_unique_number(table, at), later) {
        (true, _) => 1000,
        (false, true) => 2,
        (false, false) => 1,
    };
    let most = checks.most.unwrap_or(i64::MAX);
    let number = checks.least.unwrap_or(usual).max(usual).min(most);
    match base.oid {
        oid::BOOL => true.into(),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC => {
            number.into()
        }
        oid::DATE if later => "2024-03-01".into(),
        oid::DATE => "2024-02-29".into(),
        oid::TIME if later => "14:45:00".into(),
        oid::TIME => "13:45:00".into(),
        oid::TIMESTAMP if later => "2024-02-29T14:45:00".into(),
        oid::TIMESTAMP => "2024-02-29T13:45:00".into(),
        oid::TIMESTAMPTZ if later => "2024-02-29T14:45:00Z".into(),
        oid::TIMESTAMPTZ => "2024-02-29T13:45:00Z".into(),
        oid::UUID => "5f0c8a52-6f1f-4b8e-9d0e-3b1f6f0a7c11".into(),
        oid::JSON | oid::JSONB => map! {},
        _ if column.ty.is_text() => match checks.pattern {
            Some((_, fits)) => fits.into(),
            None => text_sample(column).into(),
        },
        _ => "".into(),
    }
}

fn text_sample(column: &Column) -> String {
    let text = match column.name.as_str() {
        name if name.contains("mail") => "ada@mail.example",
        name if name.contains("url") || name.contains("website") => "https://example.org",
        _ => "Example",
    };
    let length = column.ty.base().length.unwrap_or(u32::MAX) as usize;
    text.chars().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::of_pattern;

    #[test]
    fn texts_fit_the_patterns_that_are_understood() {
        for (pattern, text) in [
            ("^[A-Z]{2}$", Some("AA")),
            ("^INV-[0-9]+$", Some("INV-0")),
            ("^[a-z]{2,5}x?$", Some("aa")),
            ("[A-Z]{2}", None),
            ("^[^a]$", None),
            ("^(a|b)$", None),
            ("^a.c$", None),
            ("^[[:alpha:]]$", None),
            ("^[0-9]{2000}$", None),
            ("^$", None),
        ] {
            assert_eq!(of_pattern(pattern).as_deref(), text, "{pattern}");
        }
    }
}
