//! Indexes, keys and checks that a script adds to tables once their rows are there.

use super::catalog::{Constraint, Index, Object};
use super::draft::{Draft, here, object, options};
use super::graph::Phase;
use super::slot::ident;

/// Draws up all of them.
pub(crate) fn draw(draft: &mut Draft<'_>) {
    for index in &draft.catalog.indexes {
        draw_index(draft, index);
    }
    for constraint in draft.catalog.constraints.iter().filter(|c| c.relation != 0) {
        match constraint.kind.as_str() {
            "c" => draw_check(draft, constraint),
            "f" => draw_foreign_key(draft, constraint),
            _ => draw_key(draft, constraint),
        }
    }
}

/// The beginning of what alters one table and not its heirs.
pub(crate) fn alter_only(draft: &Draft<'_>, relation: u32) -> String {
    format!("alter table only {} ", draft.relation(relation))
}

/// A name that sorts the parts of one table beside each other.
pub(crate) fn part_name(draft: &Draft<'_>, relation: u32, name: &str) -> String {
    let table = draft.by_oid.get(&relation).map_or("", |r| r.name.as_str());
    format!("{table} {name}")
}

fn draw_index(draft: &mut Draft<'_>, index: &Index) {
    let (name, on) = (here(&index.name), object("pg_class", index.oid));
    let called = part_name(draft, index.relation, &index.name);
    draft.called.insert(on.clone(), format!("index {name}"));
    let alter = alter_only(draft, index.relation);
    if index.constraint.is_none() {
        if !index.valid {
            draft.leave_out(
                "index",
                &index.name,
                "it is not valid in the template",
                &[on],
            );
            return;
        }
        let mut needs = draft.needs("pg_class", index.oid);
        needs.extend([
            object("rows", index.relation),
            object("pg_class", index.relation),
        ]);
        draft.add(
            Phase::Index,
            ("index", &called),
            index.definition.clone(),
            vec![on.clone()],
            needs,
        );
    } else if let Some(options) = options(index.options.as_ref(), None) {
        let sql = format!("alter index {name} set {options}");
        draft.add(
            Phase::Setting,
            ("index options", &called),
            sql,
            Vec::new(),
            vec![on.clone()],
        );
    }
    if let Some(parent) = index.parent
        && let Some(whole) = draft.catalog.indexes.iter().find(|i| i.oid == parent)
    {
        let sql = format!("alter index {} attach partition {name}", here(&whole.name));
        let needs = vec![on.clone(), object("pg_class", parent)];
        draft.add(
            Phase::Index,
            ("index of a partition", &called),
            sql,
            vec![object("attached", index.oid)],
            needs,
        );
    }
    for (column, target) in &index.statistics {
        let sql = format!("alter index {name} alter column {column} set statistics {target}");
        draft.add(
            Phase::Setting,
            ("statistics target", &called),
            sql,
            Vec::new(),
            vec![on.clone()],
        );
    }
    let materialized = draft
        .by_oid
        .get(&index.relation)
        .is_some_and(|r| r.kind == "m");
    if index.clustered {
        let alter = if materialized {
            alter.replace("table only", "materialized view")
        } else {
            alter.clone()
        };
        let rest = format!("cluster on {}", ident(&index.name));
        draft.add_part(
            Phase::Setting,
            ("clustering", &called),
            alter,
            rest,
            Vec::new(),
            vec![on.clone()],
        );
    }
    if index.replica_identity {
        let rest = format!("replica identity using index {}", ident(&index.name));
        draft.add_part(
            Phase::Setting,
            ("replica identity", &called),
            alter,
            rest,
            Vec::new(),
            vec![on],
        );
    }
}

/// Primary, unique and exclusion keys.
fn draw_key(draft: &mut Draft<'_>, key: &Constraint) {
    let on = object("pg_constraint", key.oid);
    let called = part_name(draft, key.relation, &key.name);
    let rest = format!("add constraint {} {}", ident(&key.name), key.definition);
    let mut needs = draft.needs("pg_constraint", key.oid);
    needs.extend(
        draft
            .needs("pg_class", key.index)
            .into_iter()
            .filter(|o| *o != on),
    );
    needs.extend([
        object("rows", key.relation),
        object("attached", key.relation),
    ]);
    draft.called.insert(
        on.clone(),
        format!(
            "constraint {} on {}",
            ident(&key.name),
            draft.relation(key.relation)
        ),
    );
    let covers = vec![on, object("pg_class", key.index)];
    draft.add_part(
        Phase::Index,
        ("key", &called),
        alter_only(draft, key.relation),
        rest,
        covers,
        needs,
    );
}

fn draw_foreign_key(draft: &mut Draft<'_>, key: &Constraint) {
    // Of a key that refers to a partitioned table, Postgres keeps a copy for each partition by itself.
    if key.parent != 0 && key.parent_relation == key.relation {
        return;
    }
    let on = object("pg_constraint", key.oid);
    let called = part_name(draft, key.relation, &key.name);
    let rest = format!("add constraint {} {}", ident(&key.name), key.definition);
    let mut needs = draft.needs("pg_constraint", key.oid);
    for table in [key.relation, key.target] {
        needs.extend([object("rows", table), object("attached", table)]);
    }
    // The keys of partitions come first, under their own names; the whole table's key then takes them up.
    let parts = draft
        .catalog
        .constraints
        .iter()
        .filter(|k| k.parent == key.oid && k.relation != key.relation);
    needs.extend(parts.map(|k| object("pg_constraint", k.oid)));
    needs.extend(attached_indexes(draft, key.index));
    let partitioned = draft
        .by_oid
        .get(&key.relation)
        .is_some_and(|r| r.kind == "p");
    let head = if partitioned {
        format!("alter table {} ", draft.relation(key.relation))
    } else {
        alter_only(draft, key.relation)
    };
    draft.called.insert(
        on.clone(),
        format!(
            "constraint {} on {}",
            ident(&key.name),
            draft.relation(key.relation)
        ),
    );
    draft.add_part(
        Phase::ForeignKey,
        ("foreign key", &called),
        head,
        rest,
        vec![on],
        needs,
    );
}

/// That an index's parts are attached, without which it is not valid.
fn attached_indexes(draft: &Draft<'_>, index: u32) -> Vec<Object> {
    let parts = draft
        .catalog
        .indexes
        .iter()
        .filter(|i| i.parent == Some(index));
    parts
        .flat_map(|i| {
            [
                vec![object("attached", i.oid)],
                attached_indexes(draft, i.oid),
            ]
            .concat()
        })
        .collect()
}

/// Checks that could not be made with their tables.
fn draw_check(draft: &mut Draft<'_>, check: &Constraint) {
    let on = object("pg_constraint", check.oid);
    let made = draft.items.iter().any(|i| i.covers.contains(&on));
    if made || (check.inherited && !check.local) {
        return;
    }
    let called = part_name(draft, check.relation, &check.name);
    let mut needs = draft.needs("pg_constraint", check.oid);
    needs.extend([
        object("rows", check.relation),
        object("attached", check.relation),
    ]);
    // What heirs declare themselves must be there before the check comes down to them.
    let same = |c: &&Constraint| {
        c.inherited && c.local && c.kind == "c" && c.name == check.name && c.oid != check.oid
    };
    let heirs: Vec<Object> = (draft.catalog.constraints.iter().filter(same))
        .filter(|c| descends(draft, c.relation, check.relation))
        .map(|c| object("pg_constraint", c.oid))
        .collect();
    needs.extend(heirs);
    let only = if check.definition.contains("NO INHERIT") {
        "only "
    } else {
        ""
    };
    let head = format!("alter table {only}{} ", draft.relation(check.relation));
    let rest = format!("add constraint {} {}", ident(&check.name), check.definition);
    draft.add_part(
        Phase::Check,
        ("check", &called),
        head,
        rest,
        vec![on],
        needs,
    );
}

fn descends(draft: &Draft<'_>, table: u32, from: u32) -> bool {
    let parents = draft
        .by_oid
        .get(&table)
        .map_or(&[] as &[u32], |r| &r.parents);
    parents
        .iter()
        .any(|p| *p == from || descends(draft, *p, from))
}
