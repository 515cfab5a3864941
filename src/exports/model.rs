//! What the calling credential may reach, which all exports describe and nothing else.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::{
    data::{
        catalog::{Catalog, Table},
        plan::{Reach, Rules},
    },
    listing::{self, words::encode},
};

/// What a caller may reach.
#[derive(Debug)]
pub struct Model<'a> {
    /// All that the schema holds; positions in it are meant below.
    pub catalog: &'a Catalog,
    /// What the caller may see of it.
    pub rules: &'a Rules,
    /// Tables and views, in name order.
    pub resources: Vec<Resource<'a>>,
    /// Reports, in the order of their slugs.
    pub reports: Vec<Report<'a>>,
    /// Whether lists of all there is belong to it, which a subset leaves out.
    pub whole: bool,
    /// The fields of GraphQL, if the caller may use it.
    pub graphql: Option<Vec<Fields>>,
    /// Whether the caller may send SQL.
    pub sql: bool,
}

/// A table or view.
#[derive(Debug)]
pub struct Resource<'a> {
    /// Its definition.
    pub table: &'a Table,
    /// Position in the catalog.
    pub position: usize,
    /// Where its rows are, behind the API's base: `/clients`.
    pub path: String,
    /// A name out of letters, digits and `_` that no other resource has.
    pub name: String,
    /// Positions of the columns that the caller sees.
    pub columns: Vec<usize>,
    /// Whether it has addresses of its own: what only a report reads may have none.
    pub served: bool,
    /// Members of bodies that are not columns.
    pub secrets: Vec<&'a str>,
    /// Whether rows can be made.
    pub creates: bool,
    /// Whether a row can be changed.
    pub updates: bool,
    /// Whether a row can be taken away.
    pub deletes: bool,
}

/// A report.
#[derive(Debug)]
pub struct Report<'a> {
    /// Last part of its address.
    pub slug: String,
    /// What people call it.
    pub title: String,
    /// The view or table that it reads.
    pub view: &'a Table,
    /// The slug out of letters, digits and `_`.
    pub name: String,
    /// Positions of the columns that the caller sees.
    pub columns: Vec<usize>,
}

/// A report as it is kept.
#[derive(Clone, Debug)]
pub struct Published {
    /// Last part of its address.
    pub slug: String,
    /// What people call it.
    pub title: String,
    /// The view or table that it reads.
    pub view: String,
}

/// How GraphQL calls what it does with a table.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The table or view.
    pub table: String,
    /// The field that lists its rows.
    pub list: String,
    /// The field that makes a row, if the caller may.
    pub create: Option<String>,
    /// Its columns as GraphQL spells them.
    pub columns: Vec<String>,
    /// Those of them that are enums.
    pub enums: Vec<String>,
}

/// Which tables and views are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subset {
    /// Tables by name.
    pub tables: BTreeSet<String>,
    /// Views by name.
    pub views: BTreeSet<String>,
}

impl Subset {
    fn holds(&self, table: &Table) -> bool {
        self.tables.contains(&table.name) || self.views.contains(&table.name)
    }
}

impl<'a> Model<'a> {
    /// What of the catalog and the reports the rules let through; all of it, or a subset.
    pub fn new(
        catalog: &'a Catalog,
        rules: &'a Rules,
        published: Vec<Published>,
        subset: Option<&Subset>,
    ) -> Self {
        let wanted = |table: &Table| subset.is_none_or(|subset| subset.holds(table));
        let mut resources: Vec<Resource<'a>> = catalog
            .tables
            .iter()
            .enumerate()
            .filter(|(_, table)| rules.sees(table) && wanted(table))
            .map(|(position, table)| resource(rules, table, position))
            .collect();
        let mut reports = Vec::new();
        for report in published {
            let Some(position) = catalog.find(&report.view) else {
                continue;
            };
            let view = &catalog.tables[position];
            let listed = matches!(&rules.views, Reach::Only(names) if names.contains(&report.slug));
            if !wanted(view) || !(rules.sees(view) || listed) {
                continue;
            }
            if resources.iter().all(|known| known.position != position) {
                // A token's list may name the report alone, and not the view behind it.
                let mut behind = resource(rules, view, position);
                (behind.served, behind.creates) = (false, false);
                (behind.updates, behind.deletes) = (false, false);
                resources.push(behind);
            }
            reports.push(Report {
                name: identifier(&report.slug),
                slug: report.slug,
                title: report.title,
                columns: visible(rules, view),
                view,
            });
        }
        Self {
            catalog,
            rules,
            resources,
            reports,
            whole: subset.is_none(),
            graphql: None,
            sql: false,
        }
    }

    /// The resource at a position of the catalog.
    pub fn at(&self, position: usize) -> Option<&Resource<'a>> {
        self.served().find(|resource| resource.position == position)
    }

    /// The resources with addresses of their own.
    pub fn served(&self) -> impl Iterator<Item = &Resource<'a>> {
        self.resources.iter().filter(|resource| resource.served)
    }
}

impl Resource<'_> {
    /// Whether rows have addresses.
    pub fn keyed(&self) -> bool {
        !self.table.kind.is_view() && self.table.has_key()
    }

    /// What it is called in sentences.
    pub fn noun(&self) -> &str {
        &self.table.name
    }
}

fn resource<'a>(rules: &'a Rules, table: &'a Table, position: usize) -> Resource<'a> {
    let taken = listing::FIXED.contains(&table.name.as_str());
    // Under `/tables` nothing can be written.
    let writes = !taken && rules.check_write(table).is_ok();
    let special = rules.special(&table.name);
    let mut resource = Resource {
        table,
        position,
        path: listing::address("", &table.name),
        name: identifier(&table.name),
        columns: visible(rules, table),
        served: true,
        secrets: special
            .into_iter()
            .flat_map(|special| &special.secrets)
            .map(|secret| secret.given.as_str())
            .collect(),
        creates: writes && table.insertable,
        updates: false,
        deletes: false,
    };
    resource.updates = writes && table.updatable && resource.keyed();
    resource.deletes = writes && table.deletable && resource.keyed();
    resource
}

fn visible(rules: &Rules, table: &Table) -> Vec<usize> {
    (0..table.columns.len())
        .filter(|column| rules.sees_column(table, *column))
        .collect()
}

/// A name out of ASCII letters, digits and `_`: the name itself where it is one, else what can be
/// kept of it and a hash of all of it, so that it depends on no other name.
pub fn identifier(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(fits) {
        return name.to_owned();
    }
    let kept: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    let hash = Sha256::digest(name.as_bytes());
    format!("{kept}_{}", hex::encode(&hash[..4]))
}

/// A name in a list of names: as it is, or in double quotes where it could be misread.
pub fn in_list(name: &str) -> String {
    let plain = name
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | ' '))
        && name.trim() == name;
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Where a report is, behind the API's base.
pub fn report_path(slug: &str) -> String {
    format!("/reports/{}", encode(slug))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_stable_and_tell_names_apart() {
        assert_eq!(identifier("invoice_items"), "invoice_items");
        let odd = ["Order Details", "Order-Details", "größe", "", "a.b"];
        let made: BTreeSet<String> = odd.iter().map(|name| identifier(name)).collect();
        assert_eq!(made.len(), odd.len());
        assert!(
            made.iter()
                .all(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        );
    }

    #[test]
    fn names_in_lists_are_quoted_where_they_need_it() {
        for (name, spelt) in [
            ("id", "id"),
            ("My Name", "My Name"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a.b", "\"a.b\""),
            ("-x", "\"-x\""),
            (" x", "\" x\""),
        ] {
            assert_eq!(in_list(name), spelt);
        }
    }
}
