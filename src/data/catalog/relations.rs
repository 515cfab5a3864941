//! Names for related tables: what `include=client,items` may say.
//!
//! A relation is a foreign key seen from either side. Each side proposes names from the most
//! natural to the clumsiest; a name counts only where exactly one relation of the table
//! proposes it at that step and no column has it, so that the outcome does not depend on the
//! order of anything. The first name granted is the one that answers use.

use super::Table;
use std::collections::{HashMap, HashSet};

/// A related table, seen from the table that holds this value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Relation {
    /// What it may be called, the preferred name first; never empty.
    pub names: Vec<String>,
    /// Whether there is one row or a list of them.
    pub kind: RelationKind,
    /// Position of the related table in the catalog.
    pub table: usize,
    /// Positions of the columns on this side.
    pub here: Vec<usize>,
    /// Positions of the matching columns of the related table.
    pub there: Vec<usize>,
    /// Name of the foreign key.
    pub foreign_key: String,
}

/// How many rows a [`Relation`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// This table refers to one row.
    Parent,
    /// One row at most refers to this table, by a unique key.
    Child,
    /// Any number of rows refer to this table.
    Children,
}

impl Relation {
    /// The name that answers use.
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Whether it leads to a list.
    pub fn is_list(&self) -> bool {
        self.kind == RelationKind::Children
    }
}

/// The singular of an English table name: `invoices` gives `invoice`, `companies` `company`.
///
/// Rules in order: `ies` to `y`; `sses`, `shes`, `ches`, `xes`, `zes`, `uses` lose `es`;
/// `ss` and `us` stay; a last `s` goes. A name of no such form stays as it is.
pub fn singular(name: &str) -> String {
    let lower = name.to_lowercase();
    // Lower-casing can change the length of text beyond ASCII; such names have no rule here.
    if lower.len() != name.len() {
        return name.to_owned();
    }
    let cut = |n: usize| name[..name.len() - n].to_owned();
    if lower.ends_with("ies") && lower.len() > 4 {
        return cut(3) + "y";
    }
    for ending in ["sses", "shes", "ches", "xes", "zes", "uses"] {
        if lower.ends_with(ending) && lower.len() > ending.len() {
            return cut(2);
        }
    }
    if lower.ends_with("ss") || lower.ends_with("us") || !lower.ends_with('s') || lower.len() < 2 {
        return name.to_owned();
    }
    cut(1)
}

/// Fills in the relations of all tables from their foreign keys.
pub(super) fn relate(tables: &mut [Table]) {
    let mut proposals: Vec<Vec<Proposal>> = (0..tables.len()).map(|_| Vec::new()).collect();
    for (at, table) in tables.iter().enumerate() {
        for key in &table.foreign_keys {
            let target = &tables[key.table];
            let by: Vec<&str> = key
                .columns
                .iter()
                .map(|&column| table.columns[column].name.as_str())
                .collect();
            let by = by.join("_");
            let single = (key.columns.len() == 1).then(|| stem(&by)).flatten();
            proposals[at].push(Proposal {
                steps: [
                    single,
                    Some(singular(&target.name)),
                    Some(target.name.clone()),
                    Some(format!("{}_by_{by}", target.name)),
                    Some(key.name.clone()),
                ],
                relation: Relation {
                    names: Vec::new(),
                    kind: RelationKind::Parent,
                    table: key.table,
                    here: key.columns.clone(),
                    there: key.referred.clone(),
                    foreign_key: key.name.clone(),
                },
            });
            let unique = table.uniques.iter().any(|unique| {
                unique.plain
                    && unique
                        .columns
                        .iter()
                        .all(|column| key.columns.contains(column))
            });
            proposals[key.table].push(Proposal {
                steps: [
                    Some(table.name.clone()),
                    short(&table.name, &target.name),
                    None,
                    Some(format!("{}_by_{by}", table.name)),
                    Some(key.name.clone()),
                ],
                relation: Relation {
                    names: Vec::new(),
                    kind: if unique {
                        RelationKind::Child
                    } else {
                        RelationKind::Children
                    },
                    table: at,
                    here: key.referred.clone(),
                    there: key.columns.clone(),
                    foreign_key: key.name.clone(),
                },
            });
        }
    }
    for (table, proposals) in tables.iter_mut().zip(proposals) {
        table.relations = grant(table, proposals);
    }
}

struct Proposal {
    steps: [Option<String>; 5],
    relation: Relation,
}

fn grant(table: &Table, proposals: Vec<Proposal>) -> Vec<Relation> {
    let mut taken: HashSet<String> = table
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let mut names: Vec<Vec<String>> = proposals.iter().map(|_| Vec::new()).collect();
    for step in 0..5 {
        let mut claims: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, proposal) in proposals.iter().enumerate() {
            if let Some(name) = &proposal.steps[step] {
                claims.entry(name).or_default().push(at);
            }
        }
        let mut granted = Vec::new();
        for (name, claimants) in claims {
            if let [only] = claimants[..]
                && !taken.contains(name)
            {
                names[only].push(name.to_owned());
            }
            granted.push(name.to_owned());
        }
        // A name that was fought over stays out of use: a later step must not hand it to one side.
        taken.extend(granted);
    }
    let mut relations = Vec::new();
    for (proposal, mut names) in proposals.into_iter().zip(names) {
        if names.is_empty() {
            let key = &proposal.relation.foreign_key;
            let name = (1..)
                .map(|n| format!("{key}_{n}"))
                .find(|name| taken.insert(name.clone()));
            names.extend(name);
        }
        relations.push(Relation {
            names,
            ..proposal.relation
        });
    }
    relations.sort_by(|a, b| a.names.cmp(&b.names));
    relations
}

/// `client` for `client_id`, `clientId` and `clientid`; nothing where there is no such ending.
fn stem(column: &str) -> Option<String> {
    let stem = ["_id", "_uuid", "_key", "_code", "Id", "ID", "id"]
        .iter()
        .find_map(|ending| column.strip_suffix(ending))?
        .trim_end_matches(['_', ' ', '-']);
    (!stem.is_empty()).then(|| stem.to_owned())
}

/// `items` for `invoice_items` seen from `invoices`.
fn short(child: &str, parent: &str) -> Option<String> {
    [singular(parent), parent.to_owned()]
        .iter()
        .find_map(|prefix| child.strip_prefix(prefix.as_str())?.strip_prefix('_'))
        .filter(|rest| !rest.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::{Catalog, Column, ForeignKey, Generated, Table, Type};
    use super::*;

    fn table(name: &str, columns: &[&str], keys: &[(&[usize], usize)]) -> Table {
        Table {
            name: name.to_owned(),
            columns: columns
                .iter()
                .map(|name| Column {
                    name: (*name).to_owned(),
                    ty: Type::builtin("int4", 23),
                    nullable: true,
                    default: None,
                    generated: Generated::No,
                    comment: None,
                })
                .collect(),
            key: vec![0],
            foreign_keys: keys
                .iter()
                .enumerate()
                .map(|(n, (columns, target))| ForeignKey {
                    name: format!("{name}_fk{n}"),
                    columns: columns.to_vec(),
                    table: *target,
                    referred: vec![0],
                    on_delete: "no action",
                })
                .collect(),
            ..Table::default()
        }
    }

    fn names(catalog: &Catalog, name: &str) -> Vec<Vec<String>> {
        catalog
            .table(name)
            .map(|table| table.relations.iter().map(|r| r.names.clone()).collect())
            .unwrap_or_default()
    }

    #[test]
    fn natural_names_either_way() {
        let catalog = Catalog::new(vec![
            table("clients", &["id"], &[]),
            table("invoices", &["id", "clientid"], &[(&[1], 0)]),
            table("invoice_items", &["id", "invoice_id"], &[(&[1], 1)]),
        ]);
        assert_eq!(names(&catalog, "clients")[0][0], "invoices");
        assert_eq!(
            names(&catalog, "invoices"),
            [
                vec!["client", "clients", "clients_by_clientid", "invoices_fk0"],
                vec![
                    "invoice_items",
                    "items",
                    "invoice_items_by_invoice_id",
                    "invoice_items_fk0"
                ],
            ]
        );
    }

    #[test]
    fn two_keys_to_one_table_share_no_name() {
        let catalog = Catalog::new(vec![
            table("users", &["id"], &[]),
            table(
                "tasks",
                &["id", "author_id", "owner"],
                &[(&[1], 0), (&[2], 0)],
            ),
        ]);
        assert_eq!(
            names(&catalog, "tasks"),
            [
                vec!["author", "users_by_author_id", "tasks_fk0"],
                vec!["users_by_owner", "tasks_fk1"],
            ]
        );
        assert_eq!(names(&catalog, "users")[0][0], "tasks_by_author_id");
    }

    #[test]
    fn a_column_keeps_its_name() {
        let catalog = Catalog::new(vec![
            table("clients", &["id", "tasks"], &[]),
            table("tasks", &["id", "client", "client_id"], &[(&[2], 0)]),
        ]);
        assert_eq!(names(&catalog, "tasks")[0][0], "clients");
        assert_eq!(names(&catalog, "clients")[0][0], "tasks_by_client_id");
    }

    #[test]
    fn singulars() {
        for (many, one) in [
            ("invoices", "invoice"),
            ("companies", "company"),
            ("statuses", "status"),
            ("taxes", "tax"),
            ("addresses", "address"),
            ("expenses", "expense"),
            ("branches", "branch"),
            ("staff", "staff"),
            ("status", "status"),
            ("glass", "glass"),
            ("s", "s"),
            ("Größen", "Größen"),
            ("series", "sery"),
        ] {
            assert_eq!(singular(many), one);
        }
    }
}
