//! Spelling of figures over rows.

use super::{Shown, Spelling, Statement, table_of};
use crate::data::catalog::{Column, Type, types::oid};
use crate::data::plan::{Figure, Grouping, Plan, Summary};
use crate::data::request::{Function, Period};
use crate::data::writer::Writer;

pub(super) fn summary(plan: &Plan, schema: &str, summary: &Summary) -> Statement {
    let mut spelling = Spelling::new(&plan.catalog, schema);
    let columns = &table_of(&plan.catalog, plan.table).columns;
    let mut shown = Vec::new();
    // What to sort by, for groups and then measures: the value itself, not the way it is shown.
    let mut values = Vec::new();
    spelling.push("select ");
    for (key, grouping) in &summary.groups {
        let value = spelling.aside(|spelling| spelling.grouping(columns, grouping));
        let ty = match grouping.period {
            Some(_) => Type::builtin("date", oid::DATE),
            None => columns[grouping.column].ty.clone(),
        };
        spelling.figure(&mut shown, key, &value, &ty);
        values.push(value);
    }
    for (key, figure) in &summary.measures {
        let value = spelling.aside(|spelling| spelling.measure(columns, figure));
        let ty = result(columns, figure);
        spelling.figure(&mut shown, key, &value, &ty);
        values.push(value);
    }
    spelling.push(" from ");
    spelling.table(plan.table, "t");
    spelling.condition(plan.table, "t", &summary.predicate);
    let groups = summary.groups.len();
    for (at, value) in values.iter().take(groups).enumerate() {
        spelling.push(if at == 0 { " group by " } else { ", " });
        spelling.push(value);
    }
    // Without groups there is one row, and nothing to sort.
    let order = if groups == 0 { &[][..] } else { &summary.order };
    for (at, (position, descending)) in order.iter().enumerate() {
        spelling.push(if at == 0 { " order by " } else { ", " });
        spelling.push(&values[*position]);
        spelling.push(if *descending { " desc nulls last" } else { "" });
    }
    if let Some(limit) = summary.limit {
        spelling.push(&format!(" limit {limit}"));
    }
    spelling.offset(summary.offset);
    spelling.finish(shown, false)
}

impl Spelling<'_> {
    fn grouping(&mut self, columns: &[Column], grouping: &Grouping) {
        let column = &columns[grouping.column];
        let Some(period) = grouping.period else {
            self.column("t", column);
            return;
        };
        // Sessions run in UTC, so that days begin there for instants too.
        self.push("pg_catalog.date_trunc('");
        self.push(match period {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
            Period::Quarter => "quarter",
            Period::Year => "year",
        });
        self.push("', ");
        self.column("t", column);
        self.push(if column.ty.base().oid == oid::TIMESTAMPTZ {
            "::pg_catalog.timestamptz"
        } else {
            "::pg_catalog.\"timestamp\""
        });
        self.push(")::pg_catalog.date");
    }

    fn measure(&mut self, columns: &[Column], figure: &Figure) {
        self.push("pg_catalog.");
        self.push(figure.function.name());
        self.push("(");
        if figure.distinct {
            self.push("distinct ");
        }
        match figure.column {
            None => self.push("*"),
            Some(at) => {
                let column = &columns[at];
                self.operand("t", column);
                if is_cast(column, figure) {
                    self.push("::pg_catalog.text");
                }
            }
        }
        self.push(")");
    }

    fn figure(&mut self, shown: &mut Vec<Shown>, key: &str, value: &str, ty: &Type) {
        if !shown.is_empty() {
            self.push(", ");
        }
        let writer = Writer::of(ty);
        match writer {
            Writer::Enum => {
                self.push(value);
                self.push("::pg_catalog.text");
            }
            Writer::Other => {
                self.push("pg_catalog.to_json(");
                self.push(value);
                self.push(")::pg_catalog.text");
            }
            _ => self.push(value),
        }
        shown.push(Shown {
            key: Some(key.to_owned()),
            writer,
            constant: None,
            column: None,
        });
    }
}

/// Whether `min` and `max` see the column as text: texts of types that they have no form for.
fn is_cast(column: &Column, figure: &Figure) -> bool {
    matches!(figure.function, Function::Min | Function::Max)
        && column.ty.is_text()
        && column.ty.base().oid != oid::BPCHAR
}

/// The type of a figure (`pg_aggregate.dat`).
fn result(columns: &[Column], figure: &Figure) -> Type {
    let numeric = || Type::builtin("numeric", oid::NUMERIC);
    let int8 = || Type::builtin("int8", oid::INT8);
    let float8 = || Type::builtin("float8", oid::FLOAT8);
    let Some(column) = figure.column.map(|at| &columns[at]) else {
        return int8();
    };
    let ty = column.ty.base();
    match (figure.function, ty.oid) {
        (Function::Count, _) | (Function::Sum, oid::INT2 | oid::INT4) => int8(),
        (Function::Sum, oid::INT8) => numeric(),
        (Function::Avg, oid::FLOAT4 | oid::FLOAT8) => float8(),
        (Function::Avg, oid::INT2 | oid::INT4 | oid::INT8 | oid::NUMERIC) => numeric(),
        _ if is_cast(column, figure) => Type::builtin("text", oid::TEXT),
        _ => ty.clone(),
    }
}
