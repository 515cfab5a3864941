//! Spelling of reads.

use super::{Shown, Spelling, Statement, table_of};
use crate::data::catalog::{Catalog, Type, types::oid};
use crate::data::plan::{Output, Predicate, Read, Sort, SortBy};
use crate::data::request::{Count, Place};
use crate::data::writer::Writer;

/// The rows of a page, or the one row.
pub(super) fn list(catalog: &Catalog, schema: &str, read: &Read) -> Statement {
    let mut spelling = Spelling::new(catalog, schema);
    // The parameters of the outputs come after those of the predicate, whose text is used twice.
    let matching = spelling.aside(|spelling| {
        spelling.condition(read.table, "t", &read.predicate);
    });
    spelling.push("select ");
    let columns = spelling.outputs(read.table, "t", &read.outputs);
    let counted = read.count == Count::Exact && !read.single;
    if counted {
        if columns.iter().any(|shown| shown.constant.is_none()) {
            spelling.push(", ");
        }
        spelling.push("(select pg_catalog.count(*) from ");
        spelling.table(read.table, "t");
        spelling.push(&matching);
        spelling.push(")");
    }
    spelling.push(" from ");
    spelling.table(read.table, "t");
    spelling.push(&matching);
    if let Some(values) = &read.after {
        spelling.push(if matching.is_empty() {
            " where "
        } else {
            " and "
        });
        spelling.behind("t", read, values);
    }
    spelling.order(read.table, "t", &read.order);
    spelling.page(read);
    let most = read.limit.filter(|_| read.peek);
    Statement {
        most,
        ..spelling.finish(columns, counted)
    }
}

/// How many rows all pages have.
pub(super) fn count(catalog: &Catalog, schema: &str, read: &Read) -> Statement {
    let mut spelling = Spelling::new(catalog, schema);
    spelling.push("select pg_catalog.count(*) from ");
    spelling.table(read.table, "t");
    spelling.condition(read.table, "t", &read.predicate);
    spelling.finish(Vec::new(), true)
}

/// What the planner thinks of how many rows all pages have.
pub(super) fn estimate(catalog: &Catalog, schema: &str, read: &Read) -> Statement {
    let mut spelling = Spelling::new(catalog, schema);
    spelling.push("explain select from ");
    spelling.table(read.table, "t");
    spelling.condition(read.table, "t", &read.predicate);
    spelling.finish(Vec::new(), false)
}

impl Spelling<'_> {
    /// What `spell` writes, taken out of the text again; its parameters stay.
    pub(super) fn aside(&mut self, spell: impl FnOnce(&mut Self)) -> String {
        let before = std::mem::take(&mut self.text);
        spell(self);
        std::mem::replace(&mut self.text, before)
    }

    /// ` where ..`, or nothing.
    pub(super) fn condition(&mut self, table: usize, alias: &str, predicate: &Predicate) {
        let parts = match predicate {
            Predicate::And(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        for (at, part) in parts.iter().enumerate() {
            self.push(if at == 0 { " where " } else { " and " });
            // `or` binds more loosely than the `and` in between; it brings its own brackets.
            self.predicate(table, alias, part);
        }
    }

    /// The columns of a result, separated by commas; constants take no column.
    pub(super) fn outputs(&mut self, table: usize, alias: &str, outputs: &[Output]) -> Vec<Shown> {
        let catalog = self.catalog;
        let definition = table_of(catalog, table);
        let mut columns = Vec::with_capacity(outputs.len());
        let mut first = true;
        for output in outputs {
            if !matches!(output, Output::Constant { .. }) && !std::mem::take(&mut first) {
                self.push(", ");
            }
            columns.push(match output {
                Output::Column { key, column } => Shown {
                    key: key.clone(),
                    writer: self.shown(alias, &definition.columns[*column]),
                    constant: None,
                    column: Some(*column),
                },
                Output::Related {
                    key,
                    relation,
                    read,
                } => {
                    self.related(table, alias, *relation, read);
                    Shown {
                        key: Some(key.clone()),
                        writer: Writer::Json,
                        constant: None,
                        column: None,
                    }
                }
                Output::Constant { key, json } => Shown {
                    key: Some(key.clone()),
                    writer: Writer::Json,
                    constant: Some(json.clone()),
                    column: None,
                },
            });
        }
        columns
    }

    /// Related rows as one JSON value: an object or null, or an array.
    fn related(&mut self, table: usize, alias: &str, relation: usize, read: &Read) {
        let catalog = self.catalog;
        let relation = &table_of(catalog, table).relations[relation];
        let definition = table_of(catalog, read.table);
        let (inner, row) = (self.alias(), self.alias());
        self.push(if read.single {
            "(select pg_catalog.row_to_json("
        } else {
            "(select coalesce(pg_catalog.json_agg("
        });
        self.push(&row);
        self.push(if read.single {
            ") from (select "
        } else {
            "), '[]'::pg_catalog.json) from (select "
        });
        for (at, output) in read.outputs.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            let key = match output {
                Output::Column { key, column } => {
                    self.column(&inner, &definition.columns[*column]);
                    key.as_deref()
                }
                Output::Related {
                    key,
                    relation,
                    read: deeper,
                } => {
                    self.related(read.table, &inner, *relation, deeper);
                    Some(key.as_str())
                }
                Output::Constant { key, json } => {
                    let ty = Type::builtin("json", oid::JSON);
                    self.bind(&ty, false, Some(json.clone()), &Place::from("fields"));
                    Some(key.as_str())
                }
            };
            self.push(" as ");
            self.name(key.unwrap_or(""));
        }
        self.push(" from ");
        self.table(read.table, &inner);
        self.push(" where ");
        self.matching(table, alias, relation, &inner);
        if !matches!(&read.predicate, Predicate::And(parts) if parts.is_empty()) {
            self.push(" and ");
            self.predicate(read.table, &inner, &read.predicate);
        }
        self.order(read.table, &inner, &read.order);
        self.page(read);
        self.push(") as ");
        self.push(&row);
        self.push(")");
    }

    fn order(&mut self, table: usize, alias: &str, order: &[Sort]) {
        for (at, sort) in order.iter().enumerate() {
            self.push(if at == 0 { " order by " } else { ", " });
            match &sort.by {
                SortBy::Column(column) => {
                    let catalog = self.catalog;
                    self.column(alias, &table_of(catalog, table).columns[*column]);
                }
                SortBy::Related(path, column) => self.related_value(table, alias, path, *column),
                SortBy::Place => {
                    self.push(alias);
                    self.push(".tableoid, ");
                    self.push(alias);
                    self.push(".ctid");
                }
            }
            if sort.descending {
                self.push(" desc");
            }
            match sort.nulls_first {
                Some(true) => self.push(" nulls first"),
                Some(false) => self.push(" nulls last"),
                None => {}
            }
        }
    }

    /// A column of the row at the end of a path of relations to one row each.
    fn related_value(&mut self, table: usize, alias: &str, path: &[usize], column: usize) {
        let catalog = self.catalog;
        let Some((first, rest)) = path.split_first() else {
            self.column(alias, &table_of(catalog, table).columns[column]);
            return;
        };
        let relation = &table_of(catalog, table).relations[*first];
        let inner = self.alias();
        let value = self.aside(|spelling| {
            spelling.related_value(relation.table, &inner, rest, column);
        });
        self.push("(select ");
        self.push(&value);
        self.push(" from ");
        self.table(relation.table, &inner);
        self.push(" where ");
        self.matching(table, alias, relation, &inner);
        self.push(")");
    }

    fn page(&mut self, read: &Read) {
        if let Some(limit) = read.limit {
            let limit = u64::from(limit) + u64::from(read.peek);
            self.push(&format!(" limit {limit}"));
        }
        self.offset(read.offset);
    }

    pub(super) fn offset(&mut self, offset: u64) {
        if offset > 0 {
            self.push(" offset ");
            let ty = Type::builtin("int8", oid::INT8);
            // Beyond what Postgres counts to there are no rows anyway.
            let offset = i64::try_from(offset).unwrap_or(i64::MAX);
            self.bind(&ty, false, Some(offset.to_string()), &Place::from("page"));
        }
    }
}
