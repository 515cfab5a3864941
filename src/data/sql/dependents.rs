//! Spelling of a deletion with what depends on the row: one statement over all tables.
//!
//! It collects the places of all rows that go, each once, so that circles of foreign keys end;
//! deletes them; and shows the row that was, with how many rows of each table went. Foreign keys
//! are checked when the statement is over, whatever their action.

use super::{Shown, Spelling, Statement};
use crate::data::catalog::{Type, types::oid};
use crate::data::plan::{Delete, DependentStep, Dependents, Plan};
use crate::data::request::Place;
use crate::data::writer::Writer;

pub(super) fn delete(
    plan: &Plan,
    schema: &str,
    delete: &Delete,
    dependents: &Dependents,
) -> Statement {
    let mut spelling = Spelling::new(&plan.catalog, schema);
    spelling.push(
        "with recursive gone(place, part, spot) as (select 0::pg_catalog.int4, t.tableoid, t.ctid from ",
    );
    spelling.table(plan.table, "t");
    spelling.push(" where ");
    spelling.predicate(plan.table, "t", &delete.key);
    if !dependents.steps.is_empty() {
        spelling.push(" union select n.place, n.part, n.spot from gone as g cross join lateral (");
        for (at, step) in dependents.steps.iter().enumerate() {
            if at > 0 {
                spelling.push(" union all ");
            }
            let place = step.to.unwrap_or_default();
            spelling.push(&format!(
                "select {place}::pg_catalog.int4 as place, c.tableoid as part, c.ctid as spot from "
            ));
            spelling.follow(dependents, step);
        }
        spelling.push(") as n");
    }
    spelling.push(")");
    for (place, &table) in dependents.tables.iter().enumerate() {
        spelling.push(&format!(", d{place} as (delete from "));
        spelling.table(table, "t");
        spelling.push(" using gone as g where ");
        spelling.is_at("t", place);
        spelling.push(if place == 0 {
            " returning t.*)"
        } else {
            " returning 1)"
        });
    }
    spelling.push(" select ");
    let mut columns = spelling.outputs(plan.table, "t", &delete.outputs);
    if columns.iter().any(|shown| shown.constant.is_none()) {
        spelling.push(", ");
    }
    spelling.push("pg_catalog.json_build_object('deleted', ");
    spelling.counts(
        dependents.tables.iter().enumerate(),
        |spelling, (place, table)| {
            spelling.push(&format!("pg_catalog.count(*) from d{place}"));
            *table
        },
    );
    spelling.push(", 'unlinked', ");
    spelling.counts(dependents.unlinks.iter(), |spelling, step| {
        spelling.push("pg_catalog.count(distinct (c.part, c.spot)) from gone as g cross join lateral (select c.tableoid as part, c.ctid as spot from ");
        spelling.follow(dependents, step);
        spelling.push(") as c where not exists (select from gone as o where o.part operator(pg_catalog.=) c.part and o.spot operator(pg_catalog.=) c.spot)");
        step.table
    });
    spelling.push(")::pg_catalog.text from d0 as t where ");
    spelling.predicate(plan.table, "t", &delete.key);
    columns.push(Shown {
        key: None,
        writer: Writer::Text,
        constant: None,
        column: None,
    });
    spelling.finish(columns, false)
}

impl Spelling<'_> {
    /// `{"table": count, ..}` of the counts that are not zero; `count` spells one and says of which table.
    fn counts<T>(&mut self, of: impl Iterator<Item = T>, count: impl Fn(&mut Self, T) -> usize) {
        let text = Type::builtin("text", oid::TEXT);
        let mut any = false;
        for one in of {
            self.push(if any { ", (" } else {
                "coalesce((select pg_catalog.json_object_agg(s.n, s.c) from (select v.n, pg_catalog.sum(v.c) as c from (values ("
            });
            any = true;
            let mut table = 0;
            let counted = self.aside(|spelling| table = count(spelling, one));
            let name = self.catalog.tables[table].name.clone();
            self.bind(&text, false, Some(name), &Place::from("dependents"));
            self.push(", (select ");
            self.push(&counted);
            self.push("))");
        }
        self.push(if any {
            ") as v(n, c) where v.c operator(pg_catalog.>) 0 group by v.n) as s), '{}'::pg_catalog.json)"
        } else {
            "'{}'::pg_catalog.json"
        });
    }

    /// `parent as p join child as c on .. where` the parent is where `g` says.
    fn follow(&mut self, dependents: &Dependents, step: &DependentStep) {
        let parent = dependents.tables[step.from];
        let catalog = self.catalog;
        let relation = &catalog.tables[parent].relations[step.relation];
        self.table(parent, "p");
        self.push(" join ");
        self.table(step.table, "c");
        self.push(" on ");
        self.matching(parent, "p", relation, "c");
        self.push(" where ");
        self.is_at("p", step.from);
    }

    /// Whether a row is the one that `g` names.
    fn is_at(&mut self, alias: &str, place: usize) {
        self.push(&format!(
            "g.place operator(pg_catalog.=) {place} and {alias}.ctid operator(pg_catalog.=) g.spot \
             and {alias}.tableoid operator(pg_catalog.=) g.part"
        ));
    }
}
