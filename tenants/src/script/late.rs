//! What a script adds to tables once their rows are there: keys, indexes, checks, triggers, rules, policies, statistics.

use super::body;
use super::catalog::{Constraint, Index, Object, Relation, Trigger};
use super::draft::{Draft, here, object, options};
use super::graph::Phase;
use super::slot::{OWNER, ident, names_schema};

/// Draws up all of it.
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
    draw_rules(draft);
    for trigger in &draft.catalog.triggers {
        draw_trigger(draft, trigger);
    }
    draw_policies(draft);
    draw_statistics(draft);
    for table in draft.catalog.relations.iter().filter(|r| matches!(r.kind.as_str(), "r" | "p")) {
        draw_flags(draft, table);
    }
}

fn alter_only(draft: &Draft<'_>, relation: u32) -> String {
    format!("alter table only {} ", draft.relation(relation))
}

/// A name that sorts the parts of one table beside each other.
fn part_name(draft: &Draft<'_>, relation: u32, name: &str) -> String {
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
            draft.leave_out("index", &index.name, "it is not valid in the template", &[on]);
            return;
        }
        let mut needs = draft.needs("pg_class", index.oid);
        needs.extend([object("rows", index.relation), object("pg_class", index.relation)]);
        draft.add(Phase::Index, ("index", &called), index.definition.clone(), vec![on.clone()], needs);
    } else if let Some(options) = options(index.options.as_ref(), None) {
        let sql = format!("alter index {name} set {options}");
        draft.add(Phase::Setting, ("index options", &called), sql, Vec::new(), vec![on.clone()]);
    }
    if let Some(parent) = index.parent
        && let Some(whole) = draft.catalog.indexes.iter().find(|i| i.oid == parent)
    {
        let sql = format!("alter index {} attach partition {name}", here(&whole.name));
        let needs = vec![on.clone(), object("pg_class", parent)];
        draft.add(Phase::Index, ("index of a partition", &called), sql, vec![object("attached", index.oid)], needs);
    }
    for (column, target) in &index.statistics {
        let sql = format!("alter index {name} alter column {column} set statistics {target}");
        draft.add(Phase::Setting, ("statistics target", &called), sql, Vec::new(), vec![on.clone()]);
    }
    let materialized = draft.by_oid.get(&index.relation).is_some_and(|r| r.kind == "m");
    if index.clustered {
        let alter = if materialized { alter.replace("table only", "materialized view") } else { alter.clone() };
        let rest = format!("cluster on {}", ident(&index.name));
        draft.add_part(Phase::Setting, ("clustering", &called), alter, rest, Vec::new(), vec![on.clone()]);
    }
    if index.replica_identity {
        let rest = format!("replica identity using index {}", ident(&index.name));
        draft.add_part(Phase::Setting, ("replica identity", &called), alter, rest, Vec::new(), vec![on]);
    }
}

/// Primary, unique and exclusion keys.
fn draw_key(draft: &mut Draft<'_>, key: &Constraint) {
    let on = object("pg_constraint", key.oid);
    let called = part_name(draft, key.relation, &key.name);
    let rest = format!("add constraint {} {}", ident(&key.name), key.definition);
    let mut needs = draft.needs("pg_constraint", key.oid);
    needs.extend(draft.needs("pg_class", key.index).into_iter().filter(|o| *o != on));
    needs.extend([object("rows", key.relation), object("attached", key.relation)]);
    draft.called.insert(on.clone(), format!("constraint {} on {}", ident(&key.name), draft.relation(key.relation)));
    let covers = vec![on, object("pg_class", key.index)];
    draft.add_part(Phase::Index, ("key", &called), alter_only(draft, key.relation), rest, covers, needs);
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
    let parts = draft.catalog.constraints.iter().filter(|k| k.parent == key.oid && k.relation != key.relation);
    needs.extend(parts.map(|k| object("pg_constraint", k.oid)));
    needs.extend(attached_indexes(draft, key.index));
    let partitioned = draft.by_oid.get(&key.relation).is_some_and(|r| r.kind == "p");
    let head = if partitioned {
        format!("alter table {} ", draft.relation(key.relation))
    } else {
        alter_only(draft, key.relation)
    };
    draft.called.insert(on.clone(), format!("constraint {} on {}", ident(&key.name), draft.relation(key.relation)));
    draft.add_part(Phase::ForeignKey, ("foreign key", &called), head, rest, vec![on], needs);
}

/// That an index's parts are attached, without which it is not valid.
fn attached_indexes(draft: &Draft<'_>, index: u32) -> Vec<Object> {
    let parts = draft.catalog.indexes.iter().filter(|i| i.parent == Some(index));
    parts.flat_map(|i| [vec![object("attached", i.oid)], attached_indexes(draft, i.oid)].concat()).collect()
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
    needs.extend([object("rows", check.relation), object("attached", check.relation)]);
    // What heirs declare themselves must be there before the check comes down to them.
    let same = |c: &&Constraint| c.inherited && c.local && c.kind == "c" && c.name == check.name && c.oid != check.oid;
    let heirs: Vec<Object> = (draft.catalog.constraints.iter().filter(same))
        .filter(|c| descends(draft, c.relation, check.relation))
        .map(|c| object("pg_constraint", c.oid))
        .collect();
    needs.extend(heirs);
    let only = if check.definition.contains("NO INHERIT") { "only " } else { "" };
    let head = format!("alter table {only}{} ", draft.relation(check.relation));
    let rest = format!("add constraint {} {}", ident(&check.name), check.definition);
    draft.add_part(Phase::Check, ("check", &called), head, rest, vec![on], needs);
}

fn descends(draft: &Draft<'_>, table: u32, from: u32) -> bool {
    let parents = draft.by_oid.get(&table).map_or(&[] as &[u32], |r| &r.parents);
    parents.iter().any(|p| *p == from || descends(draft, *p, from))
}

fn draw_rules(draft: &mut Draft<'_>) {
    for rule in &draft.catalog.rules {
        let Some(definition) = &rule.definition else { continue };
        let on = object("pg_rewrite", rule.oid);
        let called = part_name(draft, rule.relation, &rule.name);
        let mut needs = draft.needs("pg_rewrite", rule.oid);
        needs.extend([object("pg_class", rule.relation), object("rows", rule.relation)]);
        draft.called.insert(on.clone(), format!("rule {} on {}", ident(&rule.name), draft.relation(rule.relation)));
        draft.add(Phase::Rule, ("rule", &called), definition.clone(), vec![on.clone()], needs);
        if let Some(state) = state(&rule.enabled) {
            let rest = format!("{state} rule {}", ident(&rule.name));
            let head = alter_only(draft, rule.relation);
            draft.add_part(Phase::Security, ("state of a rule", &called), head, rest, Vec::new(), vec![on]);
        }
    }
}

fn draw_trigger(draft: &mut Draft<'_>, trigger: &Trigger) {
    let on = object("pg_trigger", trigger.oid);
    let called = part_name(draft, trigger.relation, &trigger.name);
    if trigger.internal {
        if trigger.constraint && trigger.definition.is_none() && !trigger.inherited {
            draft.note("trigger", &called, "a foreign key's own triggers are on; only a superuser may turn them off");
        }
        return;
    }
    let state = state(&trigger.enabled)
        .map(|s| format!("{}{s} trigger {}", alter_only(draft, trigger.relation), ident(&trigger.name)));
    let mut needs = draft.needs("pg_trigger", trigger.oid);
    needs.extend([object("rows", trigger.relation), object("attached", trigger.relation)]);
    if let Some(definition) = trigger.definition.as_ref().filter(|_| !trigger.inherited) {
        let definition = body::literals(definition, &draft.names());
        draft.called.insert(
            on.clone(),
            format!("trigger {} on {}", ident(&trigger.name), draft.relation(trigger.relation)),
        );
        if names_schema(&definition) {
            match definition.strip_prefix("CREATE TRIGGER") {
                Some(rest) => {
                    draft.mending.push(format!("create or replace trigger{rest}"));
                    draft.mending.extend(state.clone());
                }
                None => draft.note("trigger", &called, "its arguments name the schema, and stay as they are on a rename"),
            }
        }
        draft.add(Phase::Trigger, ("trigger", &called), definition, vec![on.clone()], needs);
    }
    if let Some(sql) = state {
        // Partitions got their triggers from the whole table's, which is made by now.
        draft.add(Phase::Security, ("state of a trigger", &called), sql, Vec::new(), vec![on]);
    }
}

/// What to say of a trigger or rule that is not in its ordinary state.
fn state(enabled: &str) -> Option<&'static str> {
    match enabled {
        "D" => Some("disable"),
        "R" => Some("enable replica"),
        "A" => Some("enable always"),
        _ => None,
    }
}

fn draw_policies(draft: &mut Draft<'_>) {
    for policy in &draft.catalog.policies {
        let on = object("pg_policy", policy.oid);
        let called = part_name(draft, policy.relation, &policy.name);
        let table = draft.relation(policy.relation);
        let kind = if policy.permissive { "permissive" } else { "restrictive" };
        let command = match policy.command.as_str() {
            "r" => "select",
            "a" => "insert",
            "w" => "update",
            "d" => "delete",
            _ => "all",
        };
        let roles: Vec<&str> = policy.roles.iter().map(|r| if r.is_empty() { OWNER } else { r }).collect();
        let mut sql = format!(
            "create policy {} on {table} as {kind} for {command} to {}",
            ident(&policy.name),
            roles.join(", ")
        );
        sql.extend(policy.using.iter().map(|e| format!(" using ({e})")));
        sql.extend(policy.check.iter().map(|e| format!(" with check ({e})")));
        let mut needs = draft.needs("pg_policy", policy.oid);
        needs.extend([object("pg_class", policy.relation), object("rows", policy.relation)]);
        draft.called.insert(on.clone(), format!("policy {} on {table}", ident(&policy.name)));
        draft.add(Phase::Security, ("policy", &called), sql, vec![on], needs);
    }
}

fn draw_statistics(draft: &mut Draft<'_>) {
    for s in &draft.catalog.statistics {
        let (name, on) = (here(&s.name), object("pg_statistic_ext", s.oid));
        let kinds = s.kinds.iter().filter_map(|k| match k.as_str() {
            "d" => Some("ndistinct"),
            "f" => Some("dependencies"),
            "m" => Some("mcv"),
            // Statistics of expressions come by themselves.
            _ => None,
        });
        let kinds: Vec<&str> = kinds.collect();
        let list = if s.expressions_only { String::new() } else { format!(" ({})", kinds.join(", ")) };
        let mut sql = format!("create statistics {name}{list} on {} from {}", s.columns, here(&s.table));
        sql.extend(s.target.iter().map(|t| format!("; alter statistics {name} set statistics {t}")));
        let needs = draft.needs("pg_statistic_ext", s.oid);
        draft.owns(on.clone(), format!("statistics {name}"));
        draft.add(Phase::Statistics, ("statistics", &s.name), sql, vec![on], needs);
    }
}

fn draw_flags(draft: &mut Draft<'_>, table: &Relation) {
    let mut flag = |kind, phase, rest: &str| {
        let needs = vec![object("pg_class", table.oid), object("rows", table.oid)];
        draft.add_part(phase, (kind, &table.name), format!("alter table only {} ", here(&table.name)), rest.to_owned(), Vec::new(), needs);
    };
    match table.replica_identity.as_str() {
        "f" => flag("replica identity", Phase::Setting, "replica identity full"),
        "n" => flag("replica identity", Phase::Setting, "replica identity nothing"),
        _ => {}
    }
    if table.row_security {
        flag("row security", Phase::Security, "enable row level security");
    }
    if table.force_security {
        flag("row security", Phase::Security, "force row level security");
    }
}
