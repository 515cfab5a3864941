//! The certificate that a copy is the template: both sides read by whoever owns them, then compared as plain values.

mod digest;
mod facts;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use self::digest::Facts;
pub(crate) use self::digest::hash_rows;
pub use self::digest::{Digest, Side};
use crate::script::slot::ident;
use crate::script::{Nulled, Uncloned};

/// How many differences a certificate names; the rest are counted.
const MOST_DIFFERENCES: usize = 200;
/// How many characters of a fact a difference shows.
const MOST_TEXT: usize = 300;

/// Whether a copy is the template, kind by kind and table by table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The outcome.
    pub verdict: Verdict,
    /// The copied schema.
    pub template: String,
    /// The schema of the copy.
    pub copy: String,
    /// By kind of object.
    pub objects: BTreeMap<String, Objects>,
    /// By table, of those whose rows are copied.
    pub tables: Vec<TableHashes>,
    /// What differs, the first few hundred.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more_differences: usize,
    /// Columns that are null in copies, because they refer to rows of `users`.
    pub nulled: Vec<Nulled>,
    /// What was not compared, because it follows from the rows of `users`.
    pub left_out: Vec<String>,
    /// What copies lack.
    pub uncloned: Vec<Uncloned>,
}

/// Whether template and copy are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// In all that was compared.
    Identical,
    /// In at least one place they are not.
    Different,
}

/// The objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// How many the template has.
    pub count: usize,
    /// SHA-256 over names and facts in the template, as hex digits.
    pub template_hash: String,
    /// The same in the copy.
    pub copy_hash: String,
}

/// The rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableHashes {
    /// The table's name.
    pub name: String,
    /// How many rows the template has.
    pub rows: i64,
    /// SHA-256 over the sorted SHA-256 of the rows' texts in the template, as hex digits; empty where there is no table.
    pub template_hash: String,
    /// The same in the copy.
    pub copy_hash: String,
}

/// One place where the copy is not the template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The kind of object, or `rows`.
    pub kind: String,
    /// The object's name.
    pub name: String,
    /// `missing`, `added`, or the fact that differs.
    pub what: String,
    /// The fact in the template.
    pub template: Option<String>,
    /// The fact in the copy.
    pub copy: Option<String>,
}

impl Certificate {
    /// Compares the digests of a template and of a copy.
    ///
    /// What the template's script could not clone is not held against the copy.
    pub fn compare(template: &Digest, copy: &Digest) -> Self {
        let excused = excuses(&template.uncloned);
        let mut differences = Vec::new();
        let mut objects = BTreeMap::new();
        let none = BTreeMap::new();
        let kinds: BTreeSet<&String> = template.objects.keys().chain(copy.objects.keys()).collect();
        for kind in kinds {
            let (ours, theirs) = (
                template.objects.get(kind).unwrap_or(&none),
                copy.objects.get(kind).unwrap_or(&none),
            );
            let ours: BTreeMap<&String, &Facts> = ours
                .iter()
                .filter(|(name, _)| !is_excused(&excused, name))
                .collect();
            let theirs: BTreeMap<&String, &Facts> = theirs.iter().collect();
            compare_kind(kind, &ours, &theirs, &mut differences);
            let hashes = Objects {
                count: ours.len(),
                template_hash: hash(&ours),
                copy_hash: hash(&theirs),
            };
            objects.insert(kind.clone(), hashes);
        }
        let tables = compare_tables(template, copy, &excused, &mut differences);
        let verdict = if differences.is_empty() {
            Verdict::Identical
        } else {
            Verdict::Different
        };
        let more_differences = differences.len().saturating_sub(MOST_DIFFERENCES);
        differences.truncate(MOST_DIFFERENCES);
        Self {
            verdict,
            template: template.schema.clone(),
            copy: copy.schema.clone(),
            objects,
            tables,
            differences,
            more_differences,
            nulled: template.nulled.clone(),
            left_out: template.left_out.clone(),
            uncloned: template.uncloned.clone(),
        }
    }

    /// The certificate as bytes that are the same whenever it says the same: compact JSON, keys in a fixed order.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The names of what could not be cloned, as they are and as Postgres quotes them.
fn excuses(uncloned: &[Uncloned]) -> BTreeSet<String> {
    uncloned
        .iter()
        .filter(|u| u.missing)
        .flat_map(|u| [u.name.clone(), ident(&u.name)])
        .collect()
}

/// Whether an object is, or belongs to, something that could not be cloned.
fn is_excused(excused: &BTreeSet<String>, name: &str) -> bool {
    excused.iter().any(|e| {
        name.strip_prefix(e.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '(']))
            || name
                .strip_suffix(e.as_str())
                .is_some_and(|rest| rest.ends_with(' '))
    })
}

fn compare_kind(
    kind: &str,
    ours: &BTreeMap<&String, &Facts>,
    theirs: &BTreeMap<&String, &Facts>,
    differences: &mut Vec<Difference>,
) {
    let mut differ = |name: &str, what: &str, template: Option<String>, copy: Option<String>| {
        differences.push(Difference {
            kind: kind.to_owned(),
            name: name.to_owned(),
            what: what.to_owned(),
            template,
            copy,
        });
    };
    for (name, facts) in ours {
        let Some(other) = theirs.get(name) else {
            differ(name, "missing", None, None);
            continue;
        };
        let fields: BTreeSet<&String> = facts.keys().chain(other.keys()).collect();
        for field in fields {
            let (ours, theirs) = (facts.get(field), other.get(field));
            if ours != theirs {
                differ(name, field, ours.map(shown), theirs.map(shown));
            }
        }
    }
    for name in theirs.keys().filter(|name| !ours.contains_key(*name)) {
        differ(name, "added", None, None);
    }
}

fn compare_tables(
    template: &Digest,
    copy: &Digest,
    excused: &BTreeSet<String>,
    differences: &mut Vec<Difference>,
) -> Vec<TableHashes> {
    let names: BTreeSet<&String> = template.tables.keys().chain(copy.tables.keys()).collect();
    let mut out = Vec::new();
    for name in names.into_iter().filter(|n| !is_excused(excused, n)) {
        let (ours, theirs) = (template.tables.get(name), copy.tables.get(name));
        if ours != theirs {
            let rows = |side: Option<&digest::Rows>| {
                side.map(|r| format!("{} rows, hash {}", r.rows, r.hash))
            };
            differences.push(Difference {
                kind: "rows".to_owned(),
                name: name.clone(),
                what: "rows".to_owned(),
                template: rows(ours),
                copy: rows(theirs),
            });
        }
        out.push(TableHashes {
            name: name.clone(),
            rows: ours.map_or(0, |r| r.rows),
            template_hash: ours.map(|r| r.hash.clone()).unwrap_or_default(),
            copy_hash: theirs.map(|r| r.hash.clone()).unwrap_or_default(),
        });
    }
    out
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut short: String = text
        .replace("\0s;", "~")
        .replace("\0sq;", "~")
        .replace('\0', "")
        .chars()
        .take(MOST_TEXT)
        .collect();
    if short.len() < text.len() && text.chars().count() > MOST_TEXT {
        short.push('…');
    }
    short
}

fn hash(objects: &BTreeMap<&String, &Facts>) -> String {
    let mut hasher = Sha256::new();
    for (name, facts) in objects {
        let line = serde_json::to_vec(&(name, facts)).unwrap_or_default();
        hasher.update((line.len() as u64).to_be_bytes());
        hasher.update(line);
    }
    hex::encode(hasher.finalize())
}
