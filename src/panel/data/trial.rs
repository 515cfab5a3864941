//! Which rows of a CSV file the API would take: all are tried, none is kept.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::problem::Problem;

use super::super::{csv::Record, desk::Desk, tables::Table};
use super::import::{Sheet, messages, post};

/// Rows that are looked for one by one: if there are more, they are mended in the file first.
const MOST_SOUGHT: usize = 100;
/// How long rows are tried.
const TRYING: Duration = Duration::from_secs(20);

/// What came of trying rows.
pub struct Tried<'a> {
    /// Rows that can be made together.
    pub good: Vec<&'a Record>,
    /// Rows that can't.
    pub bad: Vec<Bad>,
    /// The line from which on rows were not tried.
    pub untried: Option<usize>,
}

/// A row that was refused.
pub struct Bad {
    /// Where it begins.
    pub line: usize,
    /// Why, by column.
    pub messages: Vec<(String, String)>,
}

/// Tries all rows of a file.
///
/// Values that are none of their column's are told by the API for all rows at once. Of rows with
/// the same unique key the first one stays. For the rest, parts of the rows are tried, smaller and
/// smaller, until those that are refused stand alone.
///
/// # Errors
/// What no row is the reason of.
pub async fn run<'a>(
    desk: &Desk<'_>,
    table: &Table,
    sheet: &'a Sheet,
) -> Result<Tried<'a>, Problem> {
    let mut trial = Trial {
        desk,
        table,
        heads: &sheet.heads,
        began: Instant::now(),
        sought: 0,
        bad: Vec::new(),
    };
    let mut rows: Vec<&Record> = sheet.rows.iter().collect();
    let mut untried = None;
    loop {
        let Some(problem) = trial.refusal(&rows).await? else {
            break;
        };
        let left = trial.without_told(&problem, &rows);
        if left.len() == rows.len() {
            rows = trial.without_twins(rows).await?;
            (rows, untried) = trial.each(rows, false).await?;
            if trial.refusal(&rows).await?.is_some() {
                // Each fits by itself and not together.
                let late;
                (rows, late) = trial.each(rows, true).await?;
                untried = [untried, late].into_iter().flatten().min();
            }
            break;
        }
        rows = left;
    }
    let mut bad = trial.bad;
    bad.sort_by_key(|bad| bad.line);
    Ok(Tried {
        good: rows,
        bad,
        untried,
    })
}

struct Trial<'a, 'd> {
    desk: &'a Desk<'d>,
    table: &'a Table,
    heads: &'a Record,
    began: Instant,
    /// Rows that were found by trying parts.
    sought: usize,
    bad: Vec<Bad>,
}

impl Trial<'_, '_> {
    /// Why rows can't be made together, if they can't.
    async fn refusal(&self, rows: &[&Record]) -> Result<Option<Problem>, Problem> {
        if rows.is_empty() {
            return Ok(None);
        }
        let api = self.desk.api().unnoted();
        match post(api, self.table, self.heads, rows.iter().copied(), false).await {
            Ok(()) => Ok(None),
            Err(problem) if problem.kind.status() >= 500 => Err(problem),
            Err(problem) => Ok(Some(problem)),
        }
    }

    /// The rows that the API's answer does not name.
    fn without_told<'r>(&mut self, problem: &Problem, rows: &[&'r Record]) -> Vec<&'r Record> {
        let mut told: HashMap<usize, Vec<(String, String)>> = HashMap::new();
        for (column, messages) in &problem.errors {
            for message in messages {
                if let Some((row, message)) = labelled(message) {
                    let why = told.entry(row).or_default();
                    why.push((column.clone(), message.to_owned()));
                }
            }
        }
        let mut left = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            match told.remove(&(at + 1)) {
                Some(messages) => self.bad.push(Bad {
                    line: row.line,
                    messages,
                }),
                None => left.push(*row),
            }
        }
        left
    }

    /// Rows of which none has the unique key of one further up, as far as the API says that this
    /// is why the two can't be made.
    async fn without_twins<'r>(
        &mut self,
        rows: Vec<&'r Record>,
    ) -> Result<Vec<&'r Record>, Problem> {
        let names: Vec<&str> = self
            .heads
            .fields
            .iter()
            .map(|field| field.text.as_str())
            .collect();
        let key = &self.table.primary_key;
        let uniques = self.table.unique.iter().map(|unique| &unique.columns);
        let keys: Vec<Vec<usize>> = uniques
            .chain((!key.is_empty()).then_some(key))
            .filter_map(|columns| {
                let places = columns.iter();
                places
                    .map(|column| names.iter().position(|name| name == column))
                    .collect()
            })
            .collect();
        let mut seen: HashMap<(usize, Vec<&str>), &Record> = HashMap::new();
        let mut left = Vec::with_capacity(rows.len());
        for row in rows {
            let of = |places: &[usize]| -> Vec<&str> {
                let fields = places.iter().filter_map(|place| row.fields.get(*place));
                fields.map(|field| field.text.as_str()).collect()
            };
            let mut all = keys.iter().enumerate();
            let twin = all.find_map(|(at, places)| seen.get(&(at, of(places))));
            if let Some(twin) = twin
                && !self.is_over()
                && let Some(problem) = self.refusal(&[twin, row]).await?
                && self.refusal(&[row]).await?.is_none()
            {
                self.found(row, &problem);
                continue;
            }
            for (at, places) in keys.iter().enumerate() {
                seen.entry((at, of(places))).or_insert(row);
            }
            left.push(row);
        }
        Ok(left)
    }

    /// Rows that can be made, each by itself or, `together`, behind those further up.
    async fn each<'r>(
        &mut self,
        rows: Vec<&'r Record>,
        together: bool,
    ) -> Result<(Vec<&'r Record>, Option<usize>), Problem> {
        let mut good: Vec<&Record> = Vec::with_capacity(rows.len());
        // Parts that wait, the first one last.
        let mut parts: Vec<&[&Record]> = vec![&rows];
        while let Some(part) = parts.pop() {
            let Some(first) = part.first() else { continue };
            if self.is_over() {
                return Ok((good, Some(first.line)));
            }
            let before = if together { good.as_slice() } else { &[] };
            match self.refusal(&[before, part].concat()).await? {
                None => good.extend(part),
                Some(problem) if part.len() == 1 => self.found(first, &problem),
                Some(_) => {
                    let (one, other) = part.split_at(part.len() / 2);
                    parts.push(other);
                    parts.push(one);
                }
            }
        }
        Ok((good, None))
    }

    fn found(&mut self, row: &Record, problem: &Problem) {
        self.sought += 1;
        let messages = messages(problem).into_iter();
        let plain = |message: String| match labelled(&message) {
            Some((_, message)) => message.to_owned(),
            None => message,
        };
        self.bad.push(Bad {
            line: row.line,
            messages: messages
                .map(|(column, message)| (column, plain(message)))
                .collect(),
        });
    }

    fn is_over(&self) -> bool {
        self.sought >= MOST_SOUGHT || self.began.elapsed() > TRYING
    }
}

/// `row 3: is too long`: the number, and what follows.
fn labelled(message: &str) -> Option<(usize, &str)> {
    let (number, message) = message.strip_prefix("row ")?.split_once(": ")?;
    Some((number.parse().ok()?, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_a_message_is_read() {
        assert_eq!(labelled("row 12: is: odd"), Some((12, "is: odd")));
        assert_eq!(labelled("is taken by another row"), None);
        assert_eq!(labelled("row x: y"), None);
    }
}
