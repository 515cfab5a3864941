//! Foreign keys that are made while their table is still empty, so that nobody looks up again what the template has looked up.
//!
//! The rows are those of a moment at which the template's own keys held. Postgres believes that only of a key that has
//! no rows to check, and of rows that come in with `session_replication_role = replica`, which the platform may set if a
//! superuser has granted it. Tables are filled in the order of their keys: what a key refers to is there before the table
//! that has the key, and a key in a circle of tables is made after the rows, and checked.

use std::collections::{HashMap, HashSet};

use super::draft::{Draft, object};
use super::graph::{Body, Item, Phase};

/// Who turns the keys' triggers off for the rows that follow, and on again.
const OFF: &str = "set local session_replication_role = replica";
const ON: &str = "set local session_replication_role = origin";

/// The parameter that a replay of such a script has to be allowed to set.
pub(crate) const PARAMETER: &str = "session_replication_role";

/// Moves the keys that can be before the rows, and says whether there are any.
pub(crate) fn hasten(draft: &mut Draft<'_>) -> bool {
    let early = early(draft);
    let is_early = |item: &Item| {
        item.phase == Phase::ForeignKey
            && item
                .covers
                .first()
                .is_some_and(|(class, oid)| class == "pg_constraint" && early.contains_key(oid))
    };
    let (keys, rest): (Vec<Item>, Vec<Item>) = draft.items.drain(..).partition(is_early);
    draft.items = rest;
    // The keys of one table are one statement, which waits for all that they refer to.
    let mut by_table: HashMap<u32, Item> = HashMap::new();
    for mut key in keys {
        let Some(table) = key.covers.first().and_then(|(_, oid)| early.get(oid)) else {
            continue;
        };
        let own = object("rows", *table);
        key.needs.retain(|need| *need != own);
        match by_table.get_mut(table) {
            None => {
                key.phase = Phase::Attach;
                by_table.insert(*table, key);
            }
            Some(first) => {
                if let (Body::Sql { rest, .. }, Body::Sql { rest: more, .. }) =
                    (&mut first.body, key.body)
                {
                    rest.push_str(", ");
                    rest.push_str(&more);
                }
                first.covers.extend(key.covers);
                first.needs.extend(key.needs);
            }
        }
    }
    for item in draft.items.iter_mut().filter(|i| i.phase == Phase::Rows) {
        let key = item
            .covers
            .first()
            .and_then(|(_, table)| by_table.get(table));
        if let (Some(key), Body::Sql { rest, .. }) = (key, &mut item.body) {
            item.needs.extend(key.covers.iter().cloned());
            *rest = format!("{OFF};\n{rest};\n{ON}");
        }
    }
    let any = !by_table.is_empty();
    draft.items.extend(by_table.into_values());
    any
}

/// The keys between ordinary tables that are in no circle, with their tables.
fn early(draft: &Draft<'_>) -> HashMap<u32, u32> {
    let heirs: HashSet<u32> = (draft.catalog.relations.iter())
        .flat_map(|r| r.parents.iter().copied())
        .collect();
    let plain = |oid: &u32| {
        draft
            .by_oid
            .get(oid)
            .is_some_and(|r| r.kind == "r" && r.parents.is_empty() && !heirs.contains(oid))
    };
    let keys: Vec<_> = (draft.catalog.constraints.iter())
        .filter(|k| k.kind == "f" && k.parent == 0 && plain(&k.relation) && plain(&k.target))
        // One that was never checked stays so, whatever the rows are.
        .filter(|k| k.validated)
        .collect();
    let mut targets: HashMap<u32, HashSet<u32>> = HashMap::new();
    for key in &keys {
        targets.entry(key.relation).or_default().insert(key.target);
    }
    keys.iter()
        .filter(|k| !reaches(&targets, k.target, k.relation))
        .map(|k| (k.oid, k.relation))
        .collect()
}

/// Whether the keys lead from one table to another, or they are the same.
fn reaches(targets: &HashMap<u32, HashSet<u32>>, from: u32, to: u32) -> bool {
    let mut seen = HashSet::from([from]);
    let mut stack = vec![from];
    while let Some(at) = stack.pop() {
        if at == to {
            return true;
        }
        for next in targets.get(&at).into_iter().flatten() {
            if seen.insert(*next) {
                stack.push(*next);
            }
        }
    }
    false
}
