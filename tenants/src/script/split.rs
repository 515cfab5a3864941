//! A script in parts, so that two connections can fill a large copy's tables at the same time.
//!
//! First comes what tables need and the tables themselves, then for each table its rows with their indexes, last all that
//! is left. A statement is in a table's part only if it needs nothing but the first part and that table.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::catalog::Object;
use super::draft::{Draft, here, there};
use super::graph::{self, Body, Item, Part, Phase};

/// The statements of a script by when they can run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Split {
    pub(crate) before: Vec<String>,
    /// Each needs nothing of the others.
    pub(crate) tables: Vec<Share>,
    pub(crate) after: Vec<String>,
}

/// What fills one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The table in the template, as an identifier.
    pub(crate) source: String,
    /// The same in the copy, with a slot.
    pub(crate) target: String,
    /// What it took on disk with its indexes when the script was drawn up.
    pub(crate) bytes: u64,
    pub(crate) statements: Vec<String>,
}

impl Split {
    /// What the tables in shares of their own took on disk when the script was drawn up.
    pub(crate) fn bytes(&self) -> u64 {
        self.tables.iter().map(|share| share.bytes).sum()
    }
}

/// Splits what a draft has drawn up; none if it can't be done in parts.
///
/// `bytes` are the sizes of the tables.
pub(crate) fn split(draft: &Draft<'_>, bytes: &HashMap<u32, u64>) -> Option<Split> {
    let items = &draft.items;
    let by_object: HashMap<&Object, usize> = (items.iter().enumerate())
        .flat_map(|(i, item)| item.covers.iter().map(move |o| (o, i)))
        .collect();
    let needs: Vec<HashSet<usize>> = (items.iter().enumerate())
        .map(|(i, item)| {
            all_needs(item)
                .filter_map(|o| by_object.get(o).copied())
                .filter(|n| *n != i)
                .collect()
        })
        .collect();
    let early = (0..items.len()).filter(|i| items[*i].phase <= Phase::Attach);
    let before = closed(early.collect(), &HashSet::new(), &needs);
    let mut tables = Vec::new();
    let mut done = before.clone();
    for (table, own) in shares(draft, items) {
        let own = closed(own, &before, &needs);
        let Some(relation) = draft.by_oid.get(&table) else {
            continue;
        };
        if own.iter().any(|i| items[*i].phase == Phase::Rows) {
            done.extend(&own);
            tables.push(Share {
                source: there(draft.schema, &relation.name),
                target: here(&relation.name),
                bytes: bytes.get(&table).copied().unwrap_or_default(),
                statements: ordered(items, |i| own.contains(&i))?,
            });
        }
    }
    Some(Split {
        before: ordered(items, |i| before.contains(&i))?,
        tables,
        after: ordered(items, |i| !done.contains(&i))?,
    })
}

/// Rows and indexes of each table that stands by itself.
fn shares(draft: &Draft<'_>, items: &[Item]) -> BTreeMap<u32, HashSet<usize>> {
    let heirs: HashSet<u32> = (draft.catalog.relations.iter())
        .flat_map(|r| r.parents.iter().copied())
        .collect();
    let alone = |oid: &u32| {
        draft
            .by_oid
            .get(oid)
            .is_some_and(|r| r.kind == "r" && r.parents.is_empty() && !heirs.contains(oid))
    };
    let mut shares: BTreeMap<u32, HashSet<usize>> = BTreeMap::new();
    for (i, item) in items.iter().enumerate() {
        let objects = match item.phase {
            Phase::Rows => &item.covers,
            Phase::Index => &item.needs,
            _ => continue,
        };
        let mut of: Vec<u32> = (objects.iter())
            .filter(|(class, _)| class == "rows")
            .map(|(_, oid)| *oid)
            .collect();
        of.dedup();
        if let [table] = of[..]
            && alone(&table)
        {
            shares.entry(table).or_default().insert(i);
        }
    }
    shares
}

/// Those of the items that need only each other, and what is there already.
fn closed(
    mut items: HashSet<usize>,
    there: &HashSet<usize>,
    needs: &[HashSet<usize>],
) -> HashSet<usize> {
    loop {
        let lacking: Vec<usize> = (items.iter().copied())
            .filter(|i| {
                needs[*i]
                    .iter()
                    .any(|need| !items.contains(need) && !there.contains(need))
            })
            .collect();
        if lacking.is_empty() {
            return items;
        }
        for item in lacking {
            items.remove(&item);
        }
    }
}

fn ordered(items: &[Item], which: impl Fn(usize) -> bool) -> Option<Vec<String>> {
    let items: Vec<Item> = (items.iter().enumerate())
        .filter(|(i, _)| which(*i))
        .map(|(_, item)| item.clone())
        .collect();
    graph::order(&items).ok()
}

fn all_needs(item: &Item) -> impl Iterator<Item = &Object> {
    let (parts, last): (&[Part], &[Part]) = match &item.body {
        Body::Parts { parts, last, .. } => (parts, last),
        _ => (&[], &[]),
    };
    (item.needs.iter()).chain(parts.iter().chain(last).flat_map(|p| &p.needs))
}
