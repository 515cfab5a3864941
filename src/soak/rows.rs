//! What a tenant's table must hold, kept beside it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

/// The table that every tenant under load has.
pub const TABLE: &str = "soak_rows";
/// What makes it; the constraint is there to be run into.
pub const CREATE: &str = "create table soak_rows (id bigint generated always as identity primary key, \
     marker text not null, label text not null, amount integer not null check (amount >= 0), \
     version integer not null default 1)";
/// A column that comes and goes.
pub const EXTRA: &str = "extra";
/// Time in which every server on the same databases has seen that it came or went.
const SETTLED: Duration = Duration::from_secs(2);

/// One row, but for its key and the marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub label: String,
    pub amount: i64,
    pub version: i64,
}

/// All rows of one tenant.
#[derive(Debug)]
pub struct Rows {
    pub marker: String,
    /// Whether the column [`EXTRA`] is there.
    extra: bool,
    changed: Option<Instant>,
    /// Whether it came or went so lately that a server may not know.
    unsettled: bool,
    by_id: BTreeMap<i64, Row>,
}

impl Rows {
    pub fn new(marker: String) -> Self {
        Self {
            marker,
            extra: false,
            changed: None,
            unsettled: false,
            by_id: BTreeMap::new(),
        }
    }

    /// To be called before each call, for what its answer may look like.
    pub fn settle(&mut self) {
        self.unsettled = (self.changed).is_some_and(|changed| changed.elapsed() < SETTLED);
    }

    /// Whether the column is there.
    pub fn has_extra(&self) -> bool {
        self.extra
    }

    /// It came or went.
    pub fn change_extra(&mut self) {
        self.extra = !self.extra;
        self.changed = Some(Instant::now());
    }

    /// The columns that every server knows of.
    pub fn columns(&self) -> &'static str {
        if self.extra && !self.unsettled {
            "id marker label amount version extra"
        } else {
            "id marker label amount version"
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn total(&self) -> i64 {
        self.by_id.values().map(|row| row.amount).sum()
    }

    /// The key of the row at a place in the order of keys.
    pub fn id_at(&self, place: usize) -> Option<i64> {
        self.by_id.keys().nth(place).copied()
    }

    pub fn get(&self, id: i64) -> Option<&Row> {
        self.by_id.get(&id)
    }

    pub fn remove(&mut self, id: i64) {
        self.by_id.remove(&id);
    }

    /// Takes a changed row.
    pub fn put(&mut self, id: i64, row: Row) {
        self.by_id.insert(id, row);
    }

    /// Takes a new row as the server answered it: the values are those sent, the key is nobody's yet.
    pub fn add(&mut self, answered: &Value, row: Row) -> Result<i64, String> {
        let id = answered["id"].as_i64().ok_or("a new row without a key")?;
        if self.by_id.contains_key(&id) {
            return Err(format!("the key {id} was given twice"));
        }
        self.same(answered, &self.shown(id, &row))?;
        self.by_id.insert(id, row);
        Ok(id)
    }

    /// A row as the API shows it.
    pub fn shown(&self, id: i64, row: &Row) -> Value {
        let mut shown = json!({"id": id, "marker": self.marker, "label": row.label,
            "amount": row.amount, "version": row.version});
        if self.extra {
            shown[EXTRA] = Value::Null;
        }
        shown
    }

    /// The rows that fit, in the order of their keys.
    pub fn list(&self, fits: impl Fn(&Row) -> bool) -> Vec<Value> {
        let rows = self.by_id.iter().filter(|(_, row)| fits(row));
        rows.map(|(id, row)| self.shown(*id, row)).collect()
    }

    /// Holds a value of an answer against the one that it must be.
    pub fn same(&self, found: &Value, wanted: &Value) -> Result<(), String> {
        if self.unsettled {
            compare(&without_extra(found), &without_extra(wanted))
        } else {
            compare(found, wanted)
        }
    }

    /// The same of what does not hold every column.
    pub fn same_columns(&self, found: &Value, wanted: &Value) -> Result<(), String> {
        if self.columns().ends_with(EXTRA) {
            compare(found, wanted)
        } else {
            compare(found, &without_extra(wanted))
        }
    }
}

fn compare(found: &Value, wanted: &Value) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    let (Value::Array(found), Value::Array(wanted)) = (found, wanted) else {
        return Err(format!("{} instead of {}", short(found), short(wanted)));
    };
    let key = |row: &Value| row["id"].as_i64();
    for row in wanted {
        match found.iter().filter(|one| key(one) == key(row)).count() {
            0 => return Err(format!("a row is missing: {}", short(row))),
            1 => {}
            _ => return Err(format!("a row is there twice: {}", short(row))),
        }
    }
    for (at, row) in found.iter().enumerate() {
        if wanted.get(at) != Some(row) {
            let wanted = wanted.get(at).map(short);
            return Err(format!(
                "row {at} is {} instead of {}",
                short(row),
                wanted.as_deref().unwrap_or("none")
            ));
        }
    }
    Err("rows that differ".to_owned())
}

/// A row or a list of rows without the column that comes and goes.
fn without_extra(value: &Value) -> Value {
    let mut value = value.clone();
    let rows = match &mut value {
        Value::Array(rows) => rows.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for row in rows {
        if let Some(row) = row.as_object_mut() {
            row.remove(EXTRA);
        }
    }
    value
}

/// As much of a value as fits into a line.
pub fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let mut rows = Rows::new("soak.1".to_owned());
        for id in [1, 2, 5] {
            let row = Row {
                label: format!("l{id}"),
                amount: id,
                version: 1,
            };
            rows.add(&rows.shown(id, &row), row).unwrap();
        }
        rows
    }

    #[test]
    fn what_is_lost_doubled_or_changed_is_named() {
        let rows = rows();
        let right = rows.list(|_| true);
        let found = |list: &[Value]| rows.same(&json!(list), &json!(right));
        found(&right).unwrap();
        assert!(found(&right[1..]).unwrap_err().contains("missing"));
        let mut bad = right.clone();
        bad.push(right[2].clone());
        assert!(found(&bad).unwrap_err().contains("twice"));
        let mut bad = right.clone();
        bad[1]["amount"] = json!(3);
        assert!(found(&bad).unwrap_err().contains("instead of"));
        let mut bad = right.clone();
        bad.push(json!({"id": 9}));
        assert!(found(&bad).unwrap_err().contains("none"));
    }

    #[test]
    fn a_column_that_has_just_come_may_be_there_or_not() {
        let mut rows = rows();
        let without = json!(rows.list(|_| true));
        rows.change_extra();
        let with = json!(rows.list(|_| true));
        assert_ne!(with, without);
        rows.settle();
        rows.same(&with, &with).unwrap();
        rows.same(&without, &with).unwrap();
        rows.changed = None;
        rows.settle();
        rows.same(&with, &with).unwrap();
        assert!(rows.same(&without, &with).is_err());
    }

    #[test]
    fn a_new_row_has_a_new_key_and_the_values_that_were_sent() {
        let mut rows = rows();
        let row = rows.get(1).unwrap().clone();
        assert!(rows.add(&rows.shown(2, &row), row.clone()).is_err());
        assert!(rows.add(&json!({"id": 7}), row.clone()).is_err());
        rows.add(&rows.shown(7, &row), row).unwrap();
        assert_eq!((rows.len(), rows.total()), (4, 9));
    }
}
