//! Planning of filters: one algebra whatever the dialect.

use super::{Predicate, Scope, brief};
use crate::data::catalog::{Type, TypeKind};
use crate::data::request::{Filter, Operator, Place};
use crate::data::value::{check_text, describe};
use crate::problem::{Kind, Problem};

/// How deep and/or/not and relations may be nested.
pub(super) const MAX_DEPTH: usize = 32;

/// The column that `since` looks at.
const CHANGED_AT: &str = "updated_at";

impl Scope<'_> {
    pub(super) fn filter(
        &self,
        table: usize,
        filter: &Filter,
        depth: usize,
    ) -> Result<Predicate, Problem> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let all = |filters: &[Filter]| -> Result<Vec<Predicate>, Problem> {
            filters
                .iter()
                .map(|filter| self.filter(table, filter, depth + 1))
                .collect()
        };
        Ok(match filter {
            Filter::And(filters) => Predicate::And(all(filters)?),
            Filter::Or(filters) => Predicate::Or(all(filters)?),
            Filter::Not(filter) => {
                Predicate::Not(Box::new(self.filter(table, filter, depth + 1)?))
            }
            Filter::Json { json, at } => self.conditions(table, json, at, depth)?,
            Filter::Compare {
                column,
                operator,
                values,
                at,
            } => self.compare(table, column, *operator, values, at)?,
            Filter::Related {
                relation,
                which,
                filter,
                at,
            } => {
                let relation = self.relation(table, relation, at)?;
                let target = self.catalog.tables[table].relations[relation].table;
                Predicate::Related {
                    relation,
                    which: *which,
                    predicate: Box::new(self.filter(target, filter, depth + 1)?),
                }
            }
        })
    }

    pub(super) fn compare(
        &self,
        table: usize,
        name: &str,
        operator: Operator,
        values: &[String],
        at: &Place,
    ) -> Result<Predicate, Problem> {
        let column = self.column(table, name, at)?;
        let ty = &self.catalog.tables[table].columns[column].ty;
        let refuse =
            |message: String| Problem::new(Kind::InvalidParameter).field(at.clone(), message);
        match operator {
            Operator::Null | Operator::NotNull => {
                let is = match values.first().map_or("true", String::as_str) {
                    "" | "true" | "1" => true,
                    "false" | "0" => false,
                    _ => {
                        return Err(refuse(format!(
                            "`{}` takes true, false or nothing",
                            operator.name()
                        )));
                    }
                };
                return Ok(Predicate::Null {
                    column,
                    is: is == (operator == Operator::Null),
                });
            }
            Operator::Between if values.len() != 2 => {
                return Err(refuse("`between` takes two values".to_owned()));
            }
            _ if !operator.takes_list() && values.len() != 1 => {
                return Err(refuse(format!("`{}` takes one value", operator.name())));
            }
            _ => {}
        }
        let ranks = matches!(
            operator,
            Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte | Operator::Between
        );
        if ranks && ty.ordered.is_none() {
            return Err(refuse(format!(
                "`{}` is of type {}, which has no order",
                brief(name),
                ty.shown
            )));
        }
        let is_pattern = matches!(operator, Operator::Like | Operator::Ilike);
        let by_text = ty.ordered.is_none() || is_pattern;
        for value in values {
            let escapes = value.bytes().rev().take_while(|b| *b == b'\\').count();
            if is_pattern && escapes % 2 == 1 {
                return Err(refuse("the pattern ends in a lone backslash".to_owned()));
            }
            if by_text {
                check_text(&Type::builtin("text", 25), value)
                    .map_err(|message| refuse(format!("the value {message}")))?;
            } else {
                check_text(ty, value)
                    .map_err(|message| refuse(format!("`{}` {message}", brief(name))))?;
            }
        }
        Ok(Predicate::Compare {
            column,
            operator,
            values: values.to_vec(),
            at: at.clone(),
        })
    }

    pub(super) fn search(&self, table: usize, text: &str) -> Result<Predicate, Problem> {
        let definition = &self.catalog.tables[table];
        if text.contains('\0') {
            return Err(Problem::new(Kind::InvalidParameter)
                .field("q", "holds the character U+0000, which no text has"));
        }
        let columns: Vec<usize> = (0..definition.columns.len())
            .filter(|column| definition.columns[*column].ty.is_text())
            .filter(|column| self.rules.sees_column(definition, *column))
            .collect();
        Ok(if text.is_empty() {
            Predicate::And(Vec::new())
        } else {
            Predicate::Search {
                columns,
                text: text.to_owned(),
            }
        })
    }

    pub(super) fn since(&self, table: usize, instant: &str) -> Result<Predicate, Problem> {
        let definition = &self.catalog.tables[table];
        let refuse = |message: String| Problem::new(Kind::InvalidParameter).field("since", message);
        let column = self
            .rules
            .column(definition, CHANGED_AT)
            .filter(|column| definition.columns[*column].ty.is_instant())
            .ok_or_else(|| {
                refuse(format!(
                    "`{}` has no column `{CHANGED_AT}` that holds an instant",
                    brief(&definition.name)
                ))
            })?;
        let ty = &definition.columns[column].ty;
        // Anything shorter is a word such as `now` or a number, which would mean something else
        // at every call.
        let spelt = instant.len() >= 10 && instant.as_bytes()[0].is_ascii_digit();
        if !spelt || matches!(ty.kind, TypeKind::Array(_)) || instant.contains('\0') {
            return Err(refuse(format!("must be {}", describe(ty))));
        }
        Ok(Predicate::Compare {
            column,
            operator: Operator::Gte,
            values: vec![instant.to_owned()],
            at: Place::from("since"),
        })
    }
}

pub(super) fn too_deep() -> Problem {
    Problem::new(Kind::InvalidParameter)
        .detail(format!("The filter is nested more than {MAX_DEPTH} deep."))
}
