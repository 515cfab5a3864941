//! Planning of reads: outputs, order, pages.

use super::{Output, Predicate, Read, Scope, Sort, SortBy, brief};
use crate::data::catalog::{RelationKind, Table, TableKind};
use crate::data::request::{Count, Item, List, Operator, Order, Place, Rows};
use crate::data::value::check_text;
use crate::data::writer::Writer;
use crate::problem::{Kind, Problem};
use std::collections::HashSet;

/// How many relations deep an answer may go.
const MAX_RELATED: usize = 8;

/// The most bytes of a member's name inside related rows, where Postgres spells it.
const MAX_KEY: usize = 63;

impl Scope<'_> {
    pub(super) fn list(&self, table: usize, list: &List) -> Result<Read, Problem> {
        let mut read = self.rows(table, &list.select, &list.rows, 0)?;
        read.count = list.count;
        read.peek = list.count != Count::Exact || list.rows.page.cursor.is_some();
        self.add_cursor(&mut read, list)?;
        Ok(read)
    }

    pub(super) fn one(
        &self,
        table: usize,
        key: &[String],
        select: &[Item],
    ) -> Result<Read, Problem> {
        Ok(Read {
            table,
            predicate: self.key(table, key)?,
            outputs: self.outputs(table, select, 0)?,
            order: Vec::new(),
            after: None,
            limit: None,
            peek: false,
            offset: 0,
            count: Count::None,
            single: true,
            cursor: false,
            by_cursor: false,
        })
    }

    /// The predicate that picks the row of that key; `not-found` where no row can have it.
    pub(super) fn key(&self, table: usize, key: &[String]) -> Result<Predicate, Problem> {
        let definition = &self.catalog.tables[table];
        if !definition.has_key() {
            return Err(Problem::new(Kind::NotFound).detail(format!(
                "`{}` has no primary key, so its rows have no address of their own; filter the list.",
                brief(&definition.name)
            )));
        }
        let missing = || {
            Problem::new(Kind::NotFound).detail(format!(
                "`{}` has no row `{}`.",
                brief(&definition.name),
                brief(&key.join(","))
            ))
        };
        if key.len() != definition.key.len() {
            return Err(missing());
        }
        let mut all = Vec::new();
        for (&column, text) in definition.key.iter().zip(key) {
            if check_text(&definition.columns[column].ty, text).is_err() {
                return Err(missing());
            }
            all.push(Predicate::Compare {
                column,
                operator: Operator::Eq,
                values: vec![text.clone()],
                at: Place::from("id"),
            });
        }
        Ok(Predicate::And(all))
    }

    fn rows(
        &self,
        table: usize,
        select: &[Item],
        rows: &Rows,
        depth: usize,
    ) -> Result<Read, Problem> {
        Ok(Read {
            table,
            outputs: self.outputs(table, select, depth)?,
            predicate: self.matching(table, rows)?,
            order: self.order(table, &rows.order)?,
            after: None,
            limit: rows.page.limit,
            peek: false,
            offset: rows.page.offset,
            count: Count::None,
            single: false,
            cursor: false,
            by_cursor: false,
        })
    }

    /// What must hold of the rows.
    pub(super) fn matching(&self, table: usize, rows: &Rows) -> Result<Predicate, Problem> {
        let mut all = Vec::new();
        if let Some(filter) = &rows.filter {
            all.push(self.filter(table, filter, 0)?);
        }
        if let Some(text) = &rows.search {
            all.push(self.search(table, text)?);
        }
        if let Some(instant) = &rows.since {
            all.push(self.since(table, instant)?);
        }
        Ok(Predicate::And(all))
    }

    /// What each row shows. Nothing asked for means every column.
    pub(super) fn outputs(
        &self,
        table: usize,
        select: &[Item],
        depth: usize,
    ) -> Result<Vec<Output>, Problem> {
        let definition = &self.catalog.tables[table];
        let visible = (0..definition.columns.len())
            .filter(|column| self.rules.sees_column(definition, *column));
        let shown = |column: usize, key: &str| Output::Column {
            key: Some(key.to_owned()),
            column,
        };
        if select.is_empty() {
            let all = visible.map(|column| shown(column, &definition.columns[column].name));
            return Ok(all.collect());
        }
        let mut outputs = Vec::new();
        let mut keys: HashSet<&str> = HashSet::new();
        for item in select {
            match item {
                Item::All => {
                    for column in visible.clone() {
                        let name = &definition.columns[column].name;
                        if keys.insert(name) {
                            outputs.push(shown(column, name));
                        }
                    }
                }
                Item::Column { key, column, at } => {
                    let position = self.column(table, column, at)?;
                    let key = key.as_ref().unwrap_or(column);
                    self.check_key(key, depth, at)?;
                    if keys.insert(key) {
                        outputs.push(shown(position, key));
                    }
                }
                Item::Related {
                    key,
                    relation,
                    select,
                    rows,
                    at,
                } => {
                    if depth >= MAX_RELATED {
                        return Err(Problem::new(Kind::InvalidParameter).field(
                            at.clone(),
                            format!("goes more than {MAX_RELATED} relations deep"),
                        ));
                    }
                    self.check_key(key, depth, at)?;
                    let position = self.relation(table, relation, at)?;
                    let related = &definition.relations[position];
                    let mut read = self.rows(related.table, select, rows, depth + 1)?;
                    read.single = related.kind != RelationKind::Children;
                    if read.single {
                        read.order.clear();
                        (read.limit, read.offset) = (None, 0);
                    }
                    if !keys.insert(key) {
                        return Err(Problem::new(Kind::InvalidParameter)
                            .field(at.clone(), format!("`{}` is named twice", brief(key))));
                    }
                    outputs.push(Output::Related {
                        key: key.clone(),
                        relation: position,
                        read: Box::new(read),
                    });
                }
                Item::Constant { key, json } => {
                    if keys.insert(key) {
                        outputs.push(Output::Constant {
                            key: key.clone(),
                            json: json.clone(),
                        });
                    }
                }
            }
        }
        Ok(outputs)
    }

    fn check_key(&self, key: &str, depth: usize, at: &Place) -> Result<(), Problem> {
        if depth == 0 || key.len() <= MAX_KEY {
            return Ok(());
        }
        Err(Problem::new(Kind::InvalidParameter).field(
            at.clone(),
            format!("a name inside related rows has {MAX_KEY} bytes at most"),
        ))
    }

    /// The position of a column that a client names at `at`.
    pub(super) fn column(&self, table: usize, name: &str, at: &Place) -> Result<usize, Problem> {
        let definition = &self.catalog.tables[table];
        self.rules.column(definition, name).ok_or_else(|| {
            Problem::new(Kind::InvalidParameter)
                .detail(format!(
                    "`{}` has no column `{}`.",
                    brief(&definition.name),
                    brief(name)
                ))
                .field(
                    at.clone(),
                    format!(
                        "`{}` has no column `{}`",
                        brief(&definition.name),
                        brief(name)
                    ),
                )
        })
    }

    /// The position of a relation that a client names at `at`.
    pub(super) fn relation(&self, table: usize, name: &str, at: &Place) -> Result<usize, Problem> {
        let definition = &self.catalog.tables[table];
        let seen = |relation: &usize| {
            let relation = &definition.relations[*relation];
            let target = &self.catalog.tables[relation.table];
            self.rules.sees(target)
                && relation
                    .there
                    .iter()
                    .all(|column| self.rules.sees_column(target, *column))
                && relation
                    .here
                    .iter()
                    .all(|column| self.rules.sees_column(definition, *column))
        };
        definition.relation(name).filter(seen).ok_or_else(|| {
            let known: Vec<&str> = (0..definition.relations.len())
                .filter(|relation| seen(relation))
                .map(|relation| definition.relations[relation].name())
                .collect();
            let known = if known.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            };
            Problem::new(Kind::InvalidParameter).field(
                at.clone(),
                format!(
                    "`{}` has no relation `{}`; {known}",
                    brief(&definition.name),
                    brief(name)
                ),
            )
        })
    }

    /// The sort keys asked for, then what breaks ties: the primary key, or failing that whatever
    /// makes the order total for as long as nothing changes.
    fn order(&self, table: usize, order: &[Order]) -> Result<Vec<Sort>, Problem> {
        let definition = &self.catalog.tables[table];
        let mut sorts: Vec<Sort> = Vec::new();
        for key in order {
            let by = self.sort_by(table, key)?;
            if !sorts.iter().any(|sort| sort.by == by) {
                sorts.push(Sort {
                    by,
                    descending: key.descending,
                    nulls_first: key.nulls_first,
                });
            }
        }
        for by in self.tie_breakers(definition) {
            if !sorts.iter().any(|sort| sort.by == by) {
                sorts.push(Sort {
                    by,
                    descending: false,
                    nulls_first: None,
                });
            }
        }
        Ok(sorts)
    }

    fn tie_breakers(&self, table: &Table) -> Vec<SortBy> {
        if table.has_key() {
            return table.key.iter().map(|c| SortBy::Column(*c)).collect();
        }
        if matches!(table.kind, TableKind::Table | TableKind::Partitioned) {
            return vec![SortBy::Place];
        }
        (0..table.columns.len())
            .filter(|column| table.columns[*column].ty.ordered.is_some())
            .filter(|column| self.rules.sees_column(table, *column))
            .map(SortBy::Column)
            .collect()
    }

    fn sort_by(&self, table: usize, key: &Order) -> Result<SortBy, Problem> {
        let mut path = Vec::new();
        let mut at_table = table;
        for name in &key.path {
            let relation = self.relation(at_table, name, &key.at)?;
            let definition = &self.catalog.tables[at_table].relations[relation];
            if definition.is_list() {
                return Err(Problem::new(Kind::InvalidParameter).field(
                    key.at.clone(),
                    format!(
                        "`{}` is a list and gives no single value to sort by",
                        brief(name)
                    ),
                ));
            }
            path.push(relation);
            at_table = definition.table;
        }
        let column = self.column(at_table, &key.column, &key.at)?;
        let ty = &self.catalog.tables[at_table].columns[column].ty;
        if ty.ordered.is_none() {
            return Err(Problem::new(Kind::InvalidParameter).field(
                key.at.clone(),
                format!(
                    "`{}` is of type {}, which has no order",
                    brief(&key.column),
                    ty.shown
                ),
            ));
        }
        Ok(if path.is_empty() {
            SortBy::Column(column)
        } else {
            SortBy::Related(path, column)
        })
    }

    /// Takes the place to go on from out of the list's cursor, and sees to it that the last row
    /// has all that the next cursor needs.
    fn add_cursor(&self, read: &mut Read, list: &List) -> Result<(), Problem> {
        let table = &self.catalog.tables[read.table];
        let columns: Option<Vec<usize>> = read
            .order
            .iter()
            .map(|sort| match sort.by {
                SortBy::Column(column) => Writer::of(&table.columns[column].ty)
                    .reads_back()
                    .then_some(column),
                _ => None,
            })
            .collect();
        let given = list.rows.page.cursor.as_ref();
        // Rows of a view may be alike in all columns: the next page would begin behind all of them.
        let apart = |columns: &Vec<usize>| !columns.is_empty() && table.has_key();
        let Some(columns) = columns.filter(apart) else {
            if given.is_some() {
                return Err(Problem::new(Kind::InvalidParameter).field(
                    "cursor",
                    "this order can't be paged by cursor; sort by plain columns of a table with a key",
                ));
            }
            return Ok(());
        };
        if let Some(text) = given.filter(|text| !text.is_empty()) {
            read.after = Some(self.seal.open(text, &order_text(table, &read.order))?);
        }
        for column in columns {
            let shown = read
                .outputs
                .iter()
                .any(|output| matches!(output, Output::Column { column: c, .. } if *c == column));
            if !shown {
                read.outputs.push(Output::Column { key: None, column });
            }
        }
        read.cursor = true;
        read.by_cursor = given.is_some();
        Ok(())
    }
}

/// What a cursor is bound to: the table and its order. A cursor of another order is refused.
pub(in crate::data) fn order_text(table: &Table, order: &[Sort]) -> String {
    let mut text = table.name.clone();
    for sort in order {
        text.push('\0');
        text.push_str(match (sort.descending, sort.nulls_first) {
            (false, None) => "+",
            (true, None) => "-",
            (false, Some(true)) => "+f",
            (false, Some(false)) => "+l",
            (true, Some(true)) => "-f",
            (true, Some(false)) => "-l",
        });
        if let SortBy::Column(column) = sort.by {
            text.push_str(&table.columns[column].name);
        }
    }
    text
}
