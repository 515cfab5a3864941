//! How much one operation may ask for, worked out before anything runs.
//!
//! Fragments count each time they are spread and aliases each time they are given, so neither
//! buys more than was written out; a fragment is looked at once, so a bomb costs nothing.

use apollo_compiler::ast::{Definition, Document, Selection};
use std::collections::HashMap;

use crate::data::nested::{Change, Children};
use crate::data::request::{Item, Request};
use crate::problem::{Kind, Problem};

/// The most tokens of a document.
pub const MAX_TOKENS: usize = 50_000;

/// How deep the brackets of a document may be nested.
pub const MAX_NESTING: usize = 64;

/// The most fields of an operation, fragments spread out.
pub const MAX_FIELDS: u64 = 1_500;

/// How many fields below each other an operation may go; introspection has a limit of its own.
pub const MAX_DEPTH: u64 = 12;

/// The most fields of `Query` or `Mutation` in an operation.
pub const MAX_ROOTS: usize = 100;

/// The most values that an operation may ask for: rows, as far as `limit` lets them, times fields.
pub const MAX_VALUES: u64 = 1_000_000;

/// The most rows that are nested in others.
pub const MAX_NESTED: usize = 500;

/// How much of the schema an operation may ask for: the usual query of tools, three times over.
const MAX_INTROSPECTION: u64 = 10_000;

/// How many there are of what a list of introspection shows, for one type; a guess is enough.
const INTROSPECTED: [(&str, u64); 5] = [
    ("fields", 10),
    ("inputFields", 10),
    ("args", 4),
    ("enumValues", 6),
    ("directives", 5),
];

/// What a selection set comes to, spread out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    fields: u64,
    depth: u64,
    /// Fields times what [`INTROSPECTED`] says; counts only inside introspection.
    weight: u64,
    /// The weight of what is inside introspection.
    introspection: u64,
}

/// Refuses a document that is too large when it is spread out, or too deep.
///
/// # Errors
/// `bad-request`.
pub fn check(document: &Document) -> Result<(), Problem> {
    let fragments = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            Definition::FragmentDefinition(fragment) => {
                Some((fragment.name.as_str(), fragment.selection_set.as_slice()))
            }
            _ => None,
        });
    let mut measure = Measure {
        fragments: fragments.collect(),
        known: HashMap::new(),
    };
    for definition in &document.definitions {
        let Definition::OperationDefinition(operation) = definition else {
            continue;
        };
        let size = measure.set(&operation.selection_set);
        let refusal = if size.fields > MAX_FIELDS {
            format!(
                "The operation asks for more than {MAX_FIELDS} fields, aliases and fragments spread out."
            )
        } else if size.depth > MAX_DEPTH {
            format!("The operation goes more than {MAX_DEPTH} fields deep.")
        } else if size.introspection > MAX_INTROSPECTION {
            "The operation asks for the schema too many times over.".to_owned()
        } else {
            continue;
        };
        return Err(Problem::new(Kind::BadRequest).detail(refusal));
    }
    Ok(())
}

/// Refuses requests that may give too many values.
///
/// # Errors
/// `bad-request`.
pub fn check_values<'a>(requests: impl Iterator<Item = &'a Request>) -> Result<(), Problem> {
    let values = requests.fold(0_u64, |sum, request| sum.saturating_add(values(request)));
    if values <= MAX_VALUES {
        return Ok(());
    }
    Err(Problem::new(Kind::BadRequest).detail(format!(
        "The operation asks for up to {values} values, and {MAX_VALUES} are allowed; lower `limit`, or ask for fewer fields."
    )))
}

/// Refuses more rows nested in others than are made one after the other in good time.
///
/// # Errors
/// `bad-request`.
pub fn check_nested<'a>(children: impl Iterator<Item = &'a Children>) -> Result<(), Problem> {
    let rows: usize = children
        .flat_map(|children| &children.rows)
        .map(Change::rows)
        .sum();
    if rows <= MAX_NESTED {
        return Ok(());
    }
    Err(Problem::new(Kind::BadRequest).detail(format!(
        "The operation nests {rows} rows in others, and {MAX_NESTED} are allowed."
    )))
}

/// The values that a request may give.
fn values(request: &Request) -> u64 {
    match request {
        Request::List(list) => {
            let rows = u64::from(list.rows.page.limit.unwrap_or(u32::MAX));
            rows.saturating_mul(row(&list.select))
        }
        Request::One(one) => row(&one.select),
        Request::Create(create) => row(&create.select),
        Request::Update(update) => row(&update.select),
        Request::Delete(delete) => row(&delete.select),
        // One row; what it costs is to read the table, as the count of a list does.
        Request::Aggregate(aggregate) => aggregate.measures.len() as u64,
    }
}

fn row(select: &[Item]) -> u64 {
    select.iter().fold(1_u64, |sum, item| {
        sum.saturating_add(match item {
            Item::Related { select, rows, .. } => {
                u64::from(rows.page.limit.unwrap_or(1)).saturating_mul(row(select))
            }
            _ => 1,
        })
    })
}

struct Measure<'a> {
    fragments: HashMap<&'a str, &'a [Selection]>,
    known: HashMap<&'a str, Size>,
}

impl<'a> Measure<'a> {
    fn set(&mut self, selections: &'a [Selection]) -> Size {
        let mut whole = Size::default();
        for selection in selections {
            let part = match selection {
                Selection::Field(field) => {
                    let inner = self.set(&field.selection_set);
                    let name = field.name.as_str();
                    let many = INTROSPECTED.iter().find(|(known, _)| *known == name);
                    let weight = inner
                        .weight
                        .saturating_add(1)
                        .saturating_mul(many.map_or(1, |(_, many)| *many));
                    let introspects = matches!(name, "__schema" | "__type");
                    Size {
                        fields: inner.fields.saturating_add(1),
                        depth: if introspects { 1 } else { inner.depth + 1 },
                        weight,
                        introspection: if introspects {
                            weight
                        } else {
                            inner.introspection
                        },
                    }
                }
                Selection::InlineFragment(fragment) => self.set(&fragment.selection_set),
                Selection::FragmentSpread(spread) => self.fragment(spread.fragment_name.as_str()),
            };
            whole = Size {
                fields: whole.fields.saturating_add(part.fields),
                depth: whole.depth.max(part.depth),
                weight: whole.weight.saturating_add(part.weight),
                introspection: whole.introspection.saturating_add(part.introspection),
            };
        }
        whole
    }

    fn fragment(&mut self, name: &str) -> Size {
        let Some((&name, &selections)) = self.fragments.get_key_value(name) else {
            return Size::default();
        };
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        // A fragment that spreads itself is met here again; validation refuses it.
        self.known.insert(name, Size::default());
        let size = self.set(selections);
        self.known.insert(name, size);
        size
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), String> {
        let document = Document::parse(text, "test").unwrap();
        check(&document).map_err(|problem| problem.detail.into_owned())
    }

    #[test]
    fn aliases_count() {
        let aliases = |n: usize| {
            let fields: String = (0..n).map(|n| format!("a{n}: id ")).collect();
            format!("{{ staffs {{ {fields} }} }}")
        };
        assert_eq!(checked(&aliases(1_000)), Ok(()));
        assert!(
            checked(&aliases(10_000))
                .unwrap_err()
                .contains("1500 fields")
        );
    }

    #[test]
    fn a_bomb_of_fragments_is_measured_and_not_gone_through() {
        let mut text = "{ ...f0 }".to_owned();
        for n in 0..60 {
            text += &format!(" fragment f{n} on Query {{ ...f{0} ...f{0} }}", n + 1);
        }
        text += " fragment f60 on Query { _ping }";
        assert!(checked(&text).unwrap_err().contains("fields"));
    }

    #[test]
    fn depth_counts_fields() {
        let deep = |n: usize| format!("{}{}", "{ a ".repeat(n), "}".repeat(n));
        assert_eq!(checked(&deep(12)), Ok(()));
        assert!(checked(&deep(13)).unwrap_err().contains("deep"));
    }

    #[test]
    fn a_fragment_that_spreads_itself_ends() {
        assert_eq!(
            checked("{ ...a } fragment a on Query { b ...c } fragment c on Query { ...a }"),
            Ok(())
        );
    }

    #[test]
    fn the_schema_may_be_asked_for_a_few_times() {
        let one =
            "__schema { types { name fields { name args { name type { name } } type { name } } } }";
        assert_eq!(checked(&format!("{{ {one} }}")), Ok(()));
        let many: String = (0..60).map(|n| format!("a{n}: {one} ")).collect();
        assert!(
            checked(&format!("{{ {many} }}"))
                .unwrap_err()
                .contains("schema")
        );
    }
}
