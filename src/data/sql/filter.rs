//! Spelling of predicates and of the place behind a cursor.

use super::{Spelling, array_text, is_array};
use crate::data::catalog::{Column, Relation, Type, types::oid};
use crate::data::plan::{Predicate, Read, Sort, SortBy};
use crate::data::request::{Operator, Place, Which};

impl Spelling<'_> {
    /// A predicate on the rows of `table`, called `alias`.
    pub(super) fn predicate(&mut self, table: usize, alias: &str, predicate: &Predicate) {
        match predicate {
            Predicate::And(parts) => self.joined(table, alias, parts, " and ", "true"),
            Predicate::Or(parts) => self.joined(table, alias, parts, " or ", "false"),
            Predicate::Not(inner) => {
                self.push("not (");
                self.predicate(table, alias, inner);
                self.push(")");
            }
            Predicate::Compare {
                column,
                operator,
                values,
                at,
            } => {
                let catalog = self.catalog;
                let column = &catalog.tables[table].columns[*column];
                self.compare(alias, column, *operator, values, at);
            }
            Predicate::Null { column, is } => {
                let catalog = self.catalog;
                // `is not distinct from null` asks about the value as a whole; of a row value
                // `is null` asks about each part.
                self.column(alias, &catalog.tables[table].columns[*column]);
                self.push(if *is {
                    " is not distinct from null"
                } else {
                    " is distinct from null"
                });
            }
            Predicate::Search { columns, text } => self.search(table, alias, columns, text),
            Predicate::Related {
                relation,
                which,
                predicate,
            } => {
                let catalog = self.catalog;
                let relation = &catalog.tables[table].relations[*relation];
                let inner = self.alias();
                self.push(match which {
                    Which::Some => "exists (select from ",
                    Which::None | Which::Every => "not exists (select from ",
                });
                self.table(relation.table, &inner);
                self.push(" where ");
                self.matching(table, alias, relation, &inner);
                self.push(" and (");
                self.predicate(relation.table, &inner, predicate);
                self.push(match which {
                    Which::Every => ") is not true)",
                    _ => "))",
                });
            }
        }
    }

    fn joined(&mut self, table: usize, alias: &str, parts: &[Predicate], word: &str, empty: &str) {
        match parts {
            [] => self.push(empty),
            [only] => self.predicate(table, alias, only),
            parts => {
                for (at, part) in parts.iter().enumerate() {
                    self.push(if at == 0 { "(" } else { word });
                    self.predicate(table, alias, part);
                }
                self.push(")");
            }
        }
    }

    /// The condition that ties a related row to its row.
    pub(super) fn matching(&mut self, table: usize, alias: &str, relation: &Relation, inner: &str) {
        let catalog = self.catalog;
        let (here, there) = (&catalog.tables[table], &catalog.tables[relation.table]);
        for (at, (a, b)) in relation.here.iter().zip(&relation.there).enumerate() {
            if at > 0 {
                self.push(" and ");
            }
            let (a, b) = (&here.columns[*a], &there.columns[*b]);
            self.operand(inner, b);
            self.operator("=", b.ty.ordered.as_ref());
            self.operand(alias, a);
        }
    }

    fn compare(
        &mut self,
        alias: &str,
        column: &Column,
        operator: Operator,
        values: &[String],
        at: &Place,
    ) {
        let ty = &column.ty;
        let first = || values.first().cloned();
        let simple = match operator {
            Operator::Eq => "=",
            Operator::Neq => "<>",
            Operator::Gt => ">",
            Operator::Gte => ">=",
            Operator::Lt => "<",
            Operator::Lte => "<=",
            Operator::Like => "~~",
            Operator::Ilike => "~~*",
            Operator::Between => {
                self.push("(");
                self.compare(alias, column, Operator::Gte, &values[..1], at);
                self.push(" and ");
                self.compare(alias, column, Operator::Lte, &values[1..], at);
                self.push(")");
                return;
            }
            Operator::In | Operator::Nin => {
                self.among(alias, column, operator == Operator::In, values, at);
                return;
            }
            // Planned as `Predicate::Null`.
            Operator::Null | Operator::NotNull => return,
        };
        let by_text = ty.ordered.is_none() || matches!(operator, Operator::Like | Operator::Ilike);
        if by_text {
            self.column(alias, column);
            self.push("::pg_catalog.text");
            self.operator(simple, None);
            self.bind(&text_type(), false, first(), at);
        } else {
            self.operand(alias, column);
            self.operator(simple, ty.ordered.as_ref());
            self.bind(ty, false, first(), at);
        }
    }

    fn among(&mut self, alias: &str, column: &Column, is: bool, values: &[String], at: &Place) {
        let ty = &column.ty;
        if is_array(ty) {
            // An array of arrays is one flat array to Postgres, so each one is compared by itself.
            let (single, word) = if is {
                (Operator::Eq, " or ")
            } else {
                (Operator::Neq, " and ")
            };
            if values.is_empty() {
                self.push(if is { "false" } else { "true" });
            }
            for (n, value) in values.iter().enumerate() {
                self.push(if n == 0 { "(" } else { word });
                self.compare(alias, column, single, std::slice::from_ref(value), at);
            }
            self.push(if values.is_empty() { "" } else { ")" });
            return;
        }
        let by_text = ty.ordered.is_none();
        if by_text {
            self.column(alias, column);
            self.push("::pg_catalog.text");
        } else {
            self.operand(alias, column);
        }
        let schema = if by_text { None } else { ty.ordered.as_ref() };
        self.operator(if is { "=" } else { "<>" }, schema);
        self.push(if is { "any (" } else { "all (" });
        let text = text_type();
        let ty = if by_text { &text } else { ty };
        self.bind(ty, true, Some(array_text(values)), at);
        self.push(")");
    }

    fn search(&mut self, table: usize, alias: &str, columns: &[usize], text: &str) {
        if columns.is_empty() {
            self.push("false");
            return;
        }
        let mut pattern = "%".to_owned();
        for c in text.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        let catalog = self.catalog;
        let number = self.binds.len() + 1;
        for (at, column) in columns.iter().enumerate() {
            self.push(if at == 0 { "(" } else { " or " });
            self.column(alias, &catalog.tables[table].columns[*column]);
            self.push("::pg_catalog.text");
            self.operator("~~*", None);
            if at == 0 {
                self.bind(
                    &text_type(),
                    false,
                    Some(pattern.clone()),
                    &Place::from("q"),
                );
            } else {
                self.push(&format!("${number}::pg_catalog.\"text\""));
            }
        }
        self.push(")");
    }

    /// The condition that a row comes behind the place of a cursor.
    ///
    /// Key by key: behind in this one, or level in it and behind in the rest.
    pub(super) fn behind(&mut self, alias: &str, read: &Read, values: &[Option<String>]) {
        let keys: Vec<(&Sort, &Option<String>)> = read.order.iter().zip(values).collect();
        self.behind_keys(alias, read.table, &keys);
    }

    fn behind_keys(&mut self, alias: &str, table: usize, keys: &[(&Sort, &Option<String>)]) {
        let Some(((sort, value), rest)) = keys.split_first() else {
            self.push("false");
            return;
        };
        let catalog = self.catalog;
        let SortBy::Column(column) = sort.by else {
            // Orders by anything else have no cursor.
            self.push("false");
            return;
        };
        let column = &catalog.tables[table].columns[column];
        let at = Place::from("cursor");
        let nulls_first = sort.nulls_first.unwrap_or(sort.descending);
        let (further, level) = if sort.descending {
            (Operator::Lt, Operator::Eq)
        } else {
            (Operator::Gt, Operator::Eq)
        };
        self.push("(");
        match value {
            Some(value) => {
                let value = std::slice::from_ref(value);
                self.compare(alias, column, further, value, &at);
                if column.nullable && !nulls_first {
                    self.push(" or ");
                    self.column(alias, column);
                    self.push(" is null");
                }
                if !rest.is_empty() {
                    self.push(" or (");
                    self.compare(alias, column, level, value, &at);
                    self.push(" and ");
                    self.behind_keys(alias, table, rest);
                    self.push(")");
                }
            }
            None => {
                if nulls_first {
                    self.column(alias, column);
                    self.push(" is not null");
                } else {
                    self.push("false");
                }
                if !rest.is_empty() {
                    self.push(" or (");
                    self.column(alias, column);
                    self.push(" is null and ");
                    self.behind_keys(alias, table, rest);
                    self.push(")");
                }
            }
        }
        self.push(")");
    }
}

fn text_type() -> Type {
    Type::builtin("text", oid::TEXT)
}
