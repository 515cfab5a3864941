//! Spelling of writes. The values of a row come in as one JSON parameter.

use super::{Bind, Shown, Spelling, Statement, table_of};
use crate::data::catalog::{Column, Relation, RelationKind, TypeSchema};
use crate::data::plan::{Delete, Insert, OnConflict, Output, Plan, Run, Step, Update};
use crate::data::request::Place;

pub(super) fn insert(plan: &Plan, schema: &str, insert: &Insert, run: &Run) -> Statement {
    let mut spelling = Spelling::new(&plan.catalog, schema);
    let table = table_of(&plan.catalog, plan.table);
    spelling.push("insert into ");
    spelling.table(plan.table, "t");
    if run.columns.is_empty() {
        // As many rows as objects, each of nothing but defaults.
        spelling.push(" select from pg_catalog.json_array_elements(");
        spelling.json(&run.json);
        spelling.push(")");
    } else {
        for (at, &column) in run.columns.iter().enumerate() {
            spelling.push(if at == 0 { " (" } else { ", " });
            spelling.name(&table.columns[column].name);
        }
        spelling.push(") select ");
        spelling.values(&table.columns, &run.columns);
        spelling.push(" from pg_catalog.json_to_recordset(");
        spelling.json(&run.json);
        spelling.record(&table.columns, &run.columns, false);
    }
    if let Some(conflict) = &insert.conflict {
        spelling.conflict(&table.columns, conflict, run);
    }
    let columns = spelling.returning(plan.table, &insert.outputs);
    spelling.finish(columns, false)
}

pub(super) fn update(plan: &Plan, schema: &str, update: &Update) -> Statement {
    let mut spelling = Spelling::new(&plan.catalog, schema);
    let table = table_of(&plan.catalog, plan.table);
    spelling.push("update ");
    spelling.table(plan.table, "t");
    for (at, &column) in update.set.columns.iter().enumerate() {
        spelling.push(if at == 0 { " set " } else { ", " });
        spelling.name(&table.columns[column].name);
        spelling.push(" = ");
        spelling.column("r", &table.columns[column]);
    }
    spelling.push(" from pg_catalog.json_to_record(");
    spelling.json(&update.set.json);
    spelling.record(&table.columns, &update.set.columns, false);
    spelling.push(" where ");
    spelling.predicate(plan.table, "t", &update.key);
    let columns = spelling.returning(plan.table, &update.outputs);
    spelling.finish(columns, false)
}

pub(super) fn delete(plan: &Plan, schema: &str, delete: &Delete) -> Statement {
    let mut spelling = Spelling::new(&plan.catalog, schema);
    spelling.push("delete from ");
    spelling.table(plan.table, "t");
    spelling.push(" where ");
    spelling.predicate(plan.table, "t", &delete.key);
    let columns = spelling.returning(plan.table, &delete.outputs);
    spelling.finish(columns, false)
}

/// The values that a write was given, and the function that makes rows of them.
fn given(plan: &Plan) -> (&[Run], &'static str) {
    match &plan.step {
        Step::Insert(insert) => (&insert.runs, "json_to_recordset("),
        Step::Update(update) => (std::slice::from_ref(&update.set), "json_to_record("),
        _ => (&[], ""),
    }
}

/// One query per given column and run that reads the column's values and nothing else.
pub(super) fn probes(plan: &Plan, schema: &str) -> Vec<(usize, Statement)> {
    let (runs, function) = given(plan);
    let table = table_of(&plan.catalog, plan.table);
    let mut probes = Vec::new();
    for run in runs {
        for &column in &run.columns {
            let mut spelling = Spelling::new(&plan.catalog, schema);
            spelling.push("select pg_catalog.count(");
            spelling.column("r", &table.columns[column]);
            spelling.push(") from pg_catalog.");
            spelling.push(function);
            spelling.json(&run.json);
            spelling.record(&table.columns, &[column], true);
            probes.push((column, spelling.finish(Vec::new(), true)));
        }
    }
    probes
}

/// The relations of rows that are written to rows of other tables, and of each whether it leads to no row. Of rows that refer
/// to their own table nothing is asked: they may come together.
fn referring<'a>(plan: &'a Plan, schema: &str) -> Vec<(Vec<&'a Relation>, Statement)> {
    let (runs, function) = given(plan);
    let table = table_of(&plan.catalog, plan.table);
    let mut queries = Vec::new();
    for run in runs {
        let relations = table.relations.iter().filter(|relation| {
            relation.kind == RelationKind::Parent
                && relation.table != plan.table
                && relation
                    .here
                    .iter()
                    .all(|column| run.columns.contains(column))
        });
        let relations: Vec<&Relation> = relations.collect();
        let mut spelling = Spelling::new(&plan.catalog, schema);
        spelling.select_array(&relations, |spelling, relation| {
            spelling.push("coalesce(pg_catalog.bool_or(");
            for &column in &relation.here {
                spelling.column("r", &table.columns[column]);
                spelling.push(" is not null and ");
            }
            spelling.push("not ");
            spelling.exists(plan.table, "r", relation);
            spelling.push("), false)");
        });
        spelling.push(" from pg_catalog.");
        spelling.push(function);
        spelling.json(&run.json);
        spelling.record(&table.columns, &run.columns, false);
        if !relations.is_empty() {
            queries.push((relations, spelling.finish(Vec::new(), false)));
        }
    }
    queries
}

/// The relations by which rows of other tables may keep a row from being deleted, and of each whether any does.
fn referred<'a>(
    plan: &'a Plan,
    schema: &str,
    delete: &Delete,
) -> Option<(Vec<&'a Relation>, Statement)> {
    let table = table_of(&plan.catalog, plan.table);
    let relations = table.relations.iter().filter(|relation| {
        let keys = &plan.catalog.tables[relation.table].foreign_keys;
        let key = keys.iter().find(|key| key.name == relation.foreign_key);
        relation.kind != RelationKind::Parent
            && key.is_some_and(|key| matches!(key.on_delete, "no action" | "restrict"))
    });
    let relations: Vec<&Relation> = relations.collect();
    let mut spelling = Spelling::new(&plan.catalog, schema);
    spelling.select_array(&relations, |spelling, relation| {
        spelling.exists(plan.table, "t", relation);
    });
    spelling.push(" from ");
    spelling.table(plan.table, "t");
    spelling.push(" where ");
    spelling.predicate(plan.table, "t", &delete.key);
    (!relations.is_empty()).then(|| (relations, spelling.finish(Vec::new(), false)))
}

pub(super) fn references<'a>(plan: &'a Plan, schema: &str) -> Vec<(Vec<&'a Relation>, Statement)> {
    match &plan.step {
        Step::Delete(delete) if delete.dependents.is_none() => {
            referred(plan, schema, delete).into_iter().collect()
        }
        _ => referring(plan, schema),
    }
}

impl Spelling<'_> {
    /// `select array[a, b, ..]`, one for each relation.
    fn select_array(&mut self, relations: &[&Relation], spell: impl Fn(&mut Self, &Relation)) {
        for (at, relation) in relations.iter().enumerate() {
            self.push(if at == 0 { "select array[" } else { ", " });
            spell(self, relation);
        }
        self.push("]");
    }

    /// Whether a row has a related one.
    fn exists(&mut self, table: usize, alias: &str, relation: &Relation) {
        self.push("exists (select from ");
        self.table(relation.table, "c");
        self.push(" where ");
        self.matching(table, alias, relation, "c");
        self.push(")");
    }

    fn values(&mut self, columns: &[Column], given: &[usize]) {
        for (at, &column) in given.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.column("r", &columns[column]);
        }
    }

    fn json(&mut self, json: &str) {
        self.push(&format!("${}::pg_catalog.json", self.binds.len() + 1));
        self.binds.push(Bind {
            value: Some(json.to_owned()),
            cast: "$1::pg_catalog.json".to_owned(),
            at: Place::from("body"),
        });
    }

    /// `) as r("a" type, ..)`: what the members of the JSON are.
    ///
    /// `exact` asks for the column's own type with its modifier, whose input function then
    /// refuses what the column would refuse; otherwise the assignment does.
    fn record(&mut self, columns: &[Column], given: &[usize], exact: bool) {
        self.push(") as r(");
        for (at, &column) in given.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            let column = &columns[column];
            self.name(&column.name);
            let modified = column.ty.schema == TypeSchema::Builtin && column.ty.shown.contains('(');
            let ty = if exact && modified {
                column.ty.shown.clone()
            } else if exact {
                self.type_name(&column.ty)
            } else {
                self.type_name(column.ty.base())
            };
            self.push(" ");
            self.push(&ty);
        }
        self.push(")");
    }

    fn conflict(&mut self, columns: &[Column], conflict: &OnConflict, run: &Run) {
        for (at, &column) in conflict.columns.iter().enumerate() {
            self.push(if at == 0 { " on conflict (" } else { ", " });
            self.name(&columns[column].name);
        }
        if !conflict.merge {
            self.push(") do nothing");
            return;
        }
        self.push(") do update set ");
        let mut set: Vec<usize> = run
            .columns
            .iter()
            .copied()
            .filter(|column| !conflict.columns.contains(column))
            .collect();
        if set.is_empty() {
            // Setting the key to itself changes nothing and makes the row come back.
            set.extend(conflict.columns.first());
        }
        for (at, &column) in set.iter().enumerate() {
            if at > 0 {
                self.push(", ");
            }
            self.name(&columns[column].name);
            self.push(" = ");
            self.column("excluded", &columns[column]);
        }
    }

    /// What the write shows of its rows.
    ///
    /// Related rows need a query around it: `returning` has none of its own to correlate with.
    fn returning(&mut self, table: usize, outputs: &[Output]) -> Vec<Shown> {
        let related = outputs
            .iter()
            .any(|output| matches!(output, Output::Related { .. }));
        if related {
            self.text.insert_str(0, "with t as (");
            self.push(" returning t.*) select ");
            let columns = self.outputs(table, "t", outputs);
            self.push(" from t");
            return columns;
        }
        let shows = outputs
            .iter()
            .any(|output| !matches!(output, Output::Constant { .. }));
        self.push(" returning ");
        if !shows {
            self.push("true");
        }
        self.outputs(table, "t", outputs)
    }
}
