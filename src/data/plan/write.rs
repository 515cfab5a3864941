//! Planning of writes: which columns get which values.

use super::{Delete, Insert, OnConflict, Output, Run, Scope, Step, Update, brief};
use crate::data::body::{Body, Cell};
use crate::data::catalog::{Generated, Table, Type, TypeKind, types::oid};
use crate::data::json::{is_json, string_value, write_string};
use crate::data::request;
use crate::data::value::check_json;
use crate::problem::{Kind, Problem};
use std::borrow::Cow;

/// The given columns of a row by position, ascending, with their JSON.
type Given<'b> = Vec<(usize, Cow<'b, str>)>;

/// The most statements that one body is taken apart into.
const MAX_RUNS: usize = 500;

impl Scope<'_> {
    pub(super) fn create(&self, table: usize, create: &request::Create) -> Result<Insert, Problem> {
        let definition = &self.catalog.tables[table];
        check_insertable(definition)?;
        let rows = self.rows_of(definition, &create.body, None)?;
        let mut runs: Vec<Run> = Vec::new();
        for (number, cells) in rows.into_iter().enumerate() {
            let columns: Vec<usize> = cells.iter().map(|(column, _)| *column).collect();
            match runs.last_mut() {
                Some(run) if run.columns == columns => {
                    run.json.pop();
                    run.json.push(',');
                    object(&mut run.json, definition, &cells);
                    run.json.push(']');
                    run.rows += 1;
                }
                _ => {
                    let mut json = "[".to_owned();
                    object(&mut json, definition, &cells);
                    json.push(']');
                    runs.push(Run {
                        columns,
                        json,
                        rows: 1,
                        first: number,
                    });
                }
            }
        }
        if runs.len() > MAX_RUNS {
            return Err(Problem::new(Kind::BadRequest).detail(format!(
                "The rows change {MAX_RUNS} times and more between sets of columns; put rows that name the same columns next to each other."
            )));
        }
        Ok(Insert {
            runs,
            outputs: self.written(table, &create.select)?,
            conflict: create
                .conflict
                .as_ref()
                .map(|conflict| self.conflict(table, conflict))
                .transpose()?,
        })
    }

    pub(super) fn update(&self, table: usize, update: &request::Update) -> Result<Step, Problem> {
        let definition = &self.catalog.tables[table];
        let key = self.key(table, &update.key)?;
        if !definition.updatable {
            return Err(forbidden(definition, "takes no changes"));
        }
        let mut rows = self.rows_of(definition, &update.body, Some(&update.key))?;
        let (Some(cells), true) = (rows.pop(), rows.is_empty() && !update.body.many) else {
            return Err(Problem::new(Kind::BadRequest)
                .detail("A change of one row takes one JSON object, not an array."));
        };
        if cells.is_empty() {
            return Ok(Step::Read(self.one(table, &update.key, &update.select)?));
        }
        let mut json = String::new();
        object(&mut json, definition, &cells);
        Ok(Step::Update(Update {
            key,
            set: Run {
                columns: cells.iter().map(|(column, _)| *column).collect(),
                json,
                rows: 1,
                first: 0,
            },
            outputs: self.written(table, &update.select)?,
        }))
    }

    pub(super) fn delete(&self, table: usize, delete: &request::Delete) -> Result<Delete, Problem> {
        let definition = &self.catalog.tables[table];
        let key = self.key(table, &delete.key)?;
        if !definition.deletable {
            return Err(forbidden(definition, "gives no rows away"));
        }
        Ok(Delete {
            key,
            outputs: self.written(table, &delete.select)?,
            dependents: delete.dependents.then(|| self.dependents(table)),
        })
    }

    /// What a write shows of its rows, and the key behind it, for their address.
    fn written(&self, table: usize, select: &[request::Item]) -> Result<Vec<Output>, Problem> {
        let mut outputs = self.outputs(table, select, 0)?;
        for &column in &self.catalog.tables[table].key {
            let shown = outputs
                .iter()
                .any(|output| matches!(output, Output::Column { column: c, .. } if *c == column));
            if !shown {
                outputs.push(Output::Column { key: None, column });
            }
        }
        Ok(outputs)
    }

    fn conflict(&self, table: usize, conflict: &request::Conflict) -> Result<OnConflict, Problem> {
        let definition = &self.catalog.tables[table];
        let at = "on_conflict".into();
        let mut columns = conflict
            .columns
            .iter()
            .map(|name| self.column(table, name, &at))
            .collect::<Result<Vec<usize>, Problem>>()?;
        columns.sort_unstable();
        columns.dedup();
        let fits = definition.uniques.iter().any(|unique| {
            let mut named = unique.columns.clone();
            named.sort_unstable();
            unique.plain && !unique.deferrable && named == columns
        });
        if !fits {
            return Err(Problem::new(Kind::InvalidParameter).field(
                "on_conflict",
                format!(
                    "`{}` has no unique key of exactly these columns",
                    brief(&definition.name)
                ),
            ));
        }
        Ok(OnConflict {
            columns,
            merge: conflict.merge,
        })
    }

    /// The cells of each row by column position, ascending; all faults at once.
    ///
    /// `key` is the address of the row that is changed: a column that can't be set may still
    /// be sent back with the value that it has.
    fn rows_of<'b>(
        &self,
        table: &Table,
        body: &'b Body,
        key: Option<&[String]>,
    ) -> Result<Vec<Given<'b>>, Problem> {
        let mut faults = Problem::new(Kind::ValidationFailed);
        let mut rows = Vec::with_capacity(body.rows.len());
        for (number, given) in body.rows.iter().enumerate() {
            let mut cells = Vec::with_capacity(given.len());
            for cell in given {
                match self.cell(table, cell, key, body.text) {
                    Ok(Some((column, json))) => cells.push((column, json)),
                    Ok(None) => {}
                    Err(message) => {
                        let name = if cell.trusted {
                            self.rules.public_name(&table.name, &cell.name)
                        } else {
                            &cell.name
                        };
                        let messages = faults.errors.entry(brief(name).into_owned());
                        let message = body.row_label(number) + &message;
                        messages.or_default().push(message);
                    }
                }
            }
            cells.sort_by_key(|(column, _)| *column);
            rows.push(cells);
        }
        if faults.errors.is_empty() {
            Ok(rows)
        } else {
            Err(faults)
        }
    }

    fn cell<'b>(
        &self,
        table: &Table,
        cell: &'b Cell,
        key: Option<&[String]>,
        text: bool,
    ) -> Result<Option<(usize, Cow<'b, str>)>, String> {
        let position = if cell.trusted {
            table.find(&cell.name)
        } else {
            self.rules.column(table, &cell.name)
        };
        let Some(position) = position else {
            return Err(format!("is no column of `{}`", brief(&table.name)));
        };
        let column = &table.columns[position];
        if !column.is_settable() {
            let part = table.key.iter().position(|column| *column == position);
            let given = string_value(&cell.json).unwrap_or_else(|| cell.json.clone());
            if let (Some(part), Some(key)) = (part, key)
                && key.get(part) == Some(&given)
            {
                return Ok(None);
            }
            return Err(match column.generated {
                Generated::Stored => "is computed from other columns and can't be set",
                _ => "is numbered by the database and can't be set",
            }
            .to_owned());
        }
        let json = match string_value(&cell.json) {
            Some(inner) if text && takes_documents(&column.ty) => {
                if !is_json(&inner) {
                    return Err("must be JSON".to_owned());
                }
                Cow::Owned(inner)
            }
            _ => Cow::Borrowed(cell.json.as_str()),
        };
        check_json(column, &json)?;
        Ok(Some((position, json)))
    }
}

fn object(json: &mut String, table: &Table, cells: &Given<'_>) {
    json.push('{');
    for (at, (column, value)) in cells.iter().enumerate() {
        if at > 0 {
            json.push(',');
        }
        write_string(json, &table.columns[*column].name);
        json.push(':');
        json.push_str(value);
    }
    json.push('}');
}

/// Whether the text of a cell that is all text is JSON of another kind than a string.
fn takes_documents(ty: &Type) -> bool {
    let base = ty.base();
    base.array || base.kind == TypeKind::Composite || matches!(base.oid, oid::JSON | oid::JSONB)
}

/// Refuses new rows where nobody can make any, in most views.
///
/// # Errors
/// `forbidden`.
pub fn check_insertable(table: &Table) -> Result<(), Problem> {
    match table.insertable {
        true => Ok(()),
        false => Err(forbidden(table, "takes no new rows")),
    }
}

fn forbidden(table: &Table, what: &str) -> Problem {
    Problem::new(Kind::Forbidden).detail(format!(
        "`{}` is a {} and {what}.",
        brief(&table.name),
        table.kind.word()
    ))
}
