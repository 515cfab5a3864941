//! What a script adds to tables last: rules, triggers, policies, statistics, and flags.

use super::body;
use super::catalog::{Relation, Trigger};
use super::draft::{Draft, here, object};
use super::graph::Phase;
use super::keys::{alter_only, part_name};
use super::slot::{OWNER, ident, names_schema};

/// Draws up all of it.
pub(crate) fn draw(draft: &mut Draft<'_>) {
    draw_rules(draft);
    for trigger in &draft.catalog.triggers {
        draw_trigger(draft, trigger);
    }
    if !draft.bare {
        draw_policies(draft);
    }
    draw_statistics(draft);
    for table in draft
        .catalog
        .relations
        .iter()
        .filter(|r| matches!(r.kind.as_str(), "r" | "p"))
    {
        draw_flags(draft, table);
    }
}

fn draw_rules(draft: &mut Draft<'_>) {
    for rule in &draft.catalog.rules {
        let Some(definition) = &rule.definition else {
            continue;
        };
        let on = object("pg_rewrite", rule.oid);
        let called = part_name(draft, rule.relation, &rule.name);
        let mut needs = draft.needs("pg_rewrite", rule.oid);
        needs.extend([
            object("pg_class", rule.relation),
            object("rows", rule.relation),
        ]);
        draft.called.insert(
            on.clone(),
            format!(
                "rule {} on {}",
                ident(&rule.name),
                draft.relation(rule.relation)
            ),
        );
        draft.add(
            Phase::Rule,
            ("rule", &called),
            definition.clone(),
            vec![on.clone()],
            needs,
        );
        if let Some(state) = state(&rule.enabled) {
            let rest = format!("{state} rule {}", ident(&rule.name));
            let head = alter_only(draft, rule.relation);
            draft.add_part(
                Phase::Security,
                ("state of a rule", &called),
                head,
                rest,
                Vec::new(),
                vec![on],
            );
        }
    }
}

fn draw_trigger(draft: &mut Draft<'_>, trigger: &Trigger) {
    let on = object("pg_trigger", trigger.oid);
    let called = part_name(draft, trigger.relation, &trigger.name);
    if trigger.internal {
        if trigger.constraint && trigger.definition.is_none() && !trigger.inherited {
            draft.note(
                "trigger",
                &called,
                "a foreign key's own triggers are on; only a superuser may turn them off",
            );
        }
        return;
    }
    let state = state(&trigger.enabled).map(|s| {
        format!(
            "{}{s} trigger {}",
            alter_only(draft, trigger.relation),
            ident(&trigger.name)
        )
    });
    let mut needs = draft.needs("pg_trigger", trigger.oid);
    needs.extend([
        object("rows", trigger.relation),
        object("attached", trigger.relation),
    ]);
    if let Some(definition) = trigger.definition.as_ref().filter(|_| !trigger.inherited) {
        let definition = body::literals(definition, &draft.names());
        draft.called.insert(
            on.clone(),
            format!(
                "trigger {} on {}",
                ident(&trigger.name),
                draft.relation(trigger.relation)
            ),
        );
        if names_schema(&definition) {
            match definition.strip_prefix("CREATE TRIGGER") {
                Some(rest) => {
                    draft
                        .mending
                        .push(format!("create or replace trigger{rest}"));
                    draft.mending.extend(state.clone());
                }
                None => draft.note(
                    "trigger",
                    &called,
                    "its arguments name the schema, and stay as they are on a rename",
                ),
            }
        }
        draft.add(
            Phase::Trigger,
            ("trigger", &called),
            definition,
            vec![on.clone()],
            needs,
        );
    }
    if let Some(sql) = state {
        // Partitions got their triggers from the whole table's, which is made by now.
        draft.add(
            Phase::Security,
            ("state of a trigger", &called),
            sql,
            Vec::new(),
            vec![on],
        );
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
        let kind = if policy.permissive {
            "permissive"
        } else {
            "restrictive"
        };
        let command = match policy.command.as_str() {
            "r" => "select",
            "a" => "insert",
            "w" => "update",
            "d" => "delete",
            _ => "all",
        };
        let roles: Vec<&str> = policy
            .roles
            .iter()
            .map(|r| if r.is_empty() { OWNER } else { r })
            .collect();
        let mut sql = format!(
            "create policy {} on {table} as {kind} for {command} to {}",
            ident(&policy.name),
            roles.join(", ")
        );
        sql.extend(policy.using.iter().map(|e| format!(" using ({e})")));
        sql.extend(policy.check.iter().map(|e| format!(" with check ({e})")));
        let mut needs = draft.needs("pg_policy", policy.oid);
        needs.extend([
            object("pg_class", policy.relation),
            object("rows", policy.relation),
        ]);
        draft.called.insert(
            on.clone(),
            format!("policy {} on {table}", ident(&policy.name)),
        );
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
        let list = if s.expressions_only {
            String::new()
        } else {
            format!(" ({})", kinds.join(", "))
        };
        let mut sql = format!(
            "create statistics {name}{list} on {} from {}",
            s.columns,
            here(&s.table)
        );
        sql.extend(
            s.target
                .iter()
                .map(|t| format!("; alter statistics {name} set statistics {t}")),
        );
        let needs = draft.needs("pg_statistic_ext", s.oid);
        draft.owns(on.clone(), format!("statistics {name}"));
        draft.add(
            Phase::Statistics,
            ("statistics", &s.name),
            sql,
            vec![on],
            needs,
        );
    }
}

fn draw_flags(draft: &mut Draft<'_>, table: &Relation) {
    let bare = draft.bare;
    let mut flag = |kind, phase, rest: &str| {
        let needs = vec![object("pg_class", table.oid), object("rows", table.oid)];
        draft.add_part(
            phase,
            (kind, &table.name),
            format!("alter table only {} ", here(&table.name)),
            rest.to_owned(),
            Vec::new(),
            needs,
        );
    };
    match table.replica_identity.as_str() {
        "f" => flag("replica identity", Phase::Setting, "replica identity full"),
        "n" => flag(
            "replica identity",
            Phase::Setting,
            "replica identity nothing",
        ),
        _ => {}
    }
    if bare {
        return;
    }
    if table.row_security {
        flag("row security", Phase::Security, "enable row level security");
    }
    if table.force_security {
        flag("row security", Phase::Security, "force row level security");
    }
}
