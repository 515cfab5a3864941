//! What of a catalog a caller meets in GraphQL, and under which names.

use super::names::{Taken, camel, is_name, pascal, spelt};
use crate::data::catalog::types::oid;
use crate::data::catalog::{Catalog, RelationKind, Type, TypeKind, TypeSchema, singular};
use crate::data::plan::Rules;
use std::collections::HashMap;
use std::sync::Arc;

/// Scalars besides those of the language, and what they hold.
pub const SCALARS: [(&str, &str); 11] = [
    (
        "BigInt",
        "A whole number of 64 bits, written with all its digits; a string is read too.",
    ),
    ("Bytes", "Bytes as `\\x` and hexadecimal digits."),
    ("Date", "A day, `2024-02-29`."),
    ("DateTime", "An instant, `2024-02-29T13:45:00+00:00`."),
    (
        "Decimal",
        "A decimal number, written with all its digits; a string is read too.",
    ),
    (
        "Interval",
        "A span of time as PostgreSQL writes it, `1 day 02:00:00`.",
    ),
    ("JSON", "Any JSON value."),
    (
        "LocalDateTime",
        "A date and time of no zone, `2024-02-29T13:45:00`.",
    ),
    (
        "Text",
        "A value of a type that GraphQL has no word for, as PostgreSQL writes it.",
    ),
    ("Time", "A time of day, `13:45:00`."),
    ("UUID", "A UUID in lower case."),
];

/// Names that no table can have, besides those of scalars.
const RESERVED: [&str; 5] = ["Query", "Mutation", "Subscription", "ID", "SortDirection"];

/// What is put behind a table's type name to name the types that go with it.
const FAMILY: [&str; 9] = [
    "",
    "Where",
    "ListWhere",
    "OrderBy",
    "Create",
    "Update",
    "Aggregate",
    "Sums",
    "Bounds",
];

/// Words of `where` that a column of the same name gives way to.
const WORDS: [&str; 3] = ["and", "or", "not"];

/// All that a caller meets, and under which names.
#[derive(Debug)]
pub struct Shape {
    /// What the positions mean.
    pub catalog: Arc<Catalog>,
    /// Tables and views, in name order.
    pub tables: Vec<Table>,
    /// Enums, in name order.
    pub enums: Vec<Enum>,
    /// Fields of `Query` and `Mutation`.
    pub roots: HashMap<String, (Root, usize)>,
}

/// What a field of `Query` or `Mutation` does with its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// Many rows.
    List,
    /// One row by its key.
    One,
    /// Figures over rows.
    Aggregate,
    /// A new row.
    Create,
    /// New values for a row.
    Update,
    /// A row taken away.
    Delete,
}

/// A table or view.
#[derive(Debug)]
pub struct Table {
    /// Its position in the catalog.
    pub position: usize,
    /// The name of its type.
    pub name: String,
    /// Its fields of `Query` and `Mutation`, by what they do.
    pub roots: Vec<(Root, String)>,
    /// The columns that the caller sees.
    pub columns: Vec<Column>,
    /// The relations to tables that the caller sees.
    pub relations: Vec<Relation>,
    /// Inputs that are no columns, as of a password.
    pub secrets: Vec<String>,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its position in the table.
    pub position: usize,
    /// Its field.
    pub name: String,
    /// Its field in `where`.
    pub condition: String,
    /// What it holds.
    pub ty: Ty,
}

/// A relation.
#[derive(Debug)]
pub struct Relation {
    /// Its position in the table.
    pub position: usize,
    /// Its field.
    pub name: String,
    /// Its field in `where`.
    pub condition: String,
    /// Position in [`Shape::tables`] of where it leads to.
    pub table: usize,
    /// Whether it leads to many rows.
    pub is_list: bool,
    /// Whether rows can be made there together with one of this table.
    pub is_nested: bool,
}

/// An enum, all of whose labels GraphQL can spell.
#[derive(Debug)]
pub struct Enum {
    /// The name of its type.
    pub name: String,
    /// Its labels in order.
    pub labels: Vec<String>,
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ty {
    /// A scalar or enum.
    Named(String),
    /// An array of one.
    List(String),
}

impl Shape {
    /// What of `catalog` a caller with these rules meets.
    pub fn new(catalog: Arc<Catalog>, rules: &Rules) -> Self {
        let shown: Vec<usize> = (0..catalog.tables.len())
            .filter(|at| {
                let table = &catalog.tables[*at];
                rules.sees(table)
                    && (0..table.columns.len()).any(|column| rules.sees_column(table, column))
            })
            .collect();
        let mut taken = Taken::with(RESERVED);
        for (scalar, _) in SCALARS.iter().chain(&BUILT_IN) {
            taken.grant_family(&[(*scalar).to_owned()], &["", "Filter", "ListFilter"]);
        }
        let names: Vec<String> = shown
            .iter()
            .map(|at| {
                let name = &catalog.tables[*at].name;
                taken.grant_family(&[pascal(&singular(name)), pascal(name)], &FAMILY)
            })
            .collect();
        let enums = enums(&catalog, &shown, rules, &mut taken);
        let mut tables: Vec<Table> = shown
            .iter()
            .zip(&names)
            .map(|(at, name)| table(&catalog, *at, name, rules, &shown, &enums))
            .collect();
        roots(&catalog, &mut tables);
        nest(&catalog, &mut tables);
        let enums = enums.into_values().collect::<Vec<_>>();
        Self {
            roots: tables
                .iter()
                .enumerate()
                .flat_map(|(at, table)| {
                    let named = table.roots.iter();
                    named.map(move |(root, name)| (name.clone(), (*root, at)))
                })
                .collect(),
            tables,
            enums: sorted(enums),
            catalog,
        }
    }

    /// The catalog's table behind one of [`Shape::tables`].
    pub fn definition(&self, table: usize) -> &crate::data::catalog::Table {
        &self.catalog.tables[self.tables[table].position]
    }
}

impl Root {
    /// Whether it is a field of `Mutation`.
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }
}

impl Table {
    /// The field of `Query` or `Mutation` that does this, if there is one.
    pub fn root(&self, root: Root) -> Option<&str> {
        let found = self.roots.iter().find(|(known, _)| *known == root);
        found.map(|(_, name)| name.as_str())
    }
}

impl Ty {
    /// The type of the input that compares it.
    pub fn filter(&self) -> String {
        match self {
            Self::Named(name) => format!("{name}Filter"),
            Self::List(name) => format!("{name}ListFilter"),
        }
    }
}

impl std::fmt::Display for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::List(name) => write!(f, "[{name}]"),
        }
    }
}

/// The language's own scalars that columns use.
const BUILT_IN: [(&str, &str); 4] = [("Boolean", ""), ("Float", ""), ("Int", ""), ("String", "")];

type Enums = HashMap<(TypeSchema, String), Enum>;

fn enums(catalog: &Catalog, shown: &[usize], rules: &Rules, taken: &mut Taken) -> Enums {
    let mut found: Vec<(&Type, &[String])> = Vec::new();
    for at in shown {
        let table = &catalog.tables[*at];
        for (at, column) in table.columns.iter().enumerate() {
            let ty = element(&column.ty);
            if let TypeKind::Enum(labels) = &ty.kind
                && rules.sees_column(table, at)
                && !labels.is_empty()
                && labels.iter().all(|label| {
                    is_name(label) && !["true", "false", "null"].contains(&label.as_str())
                })
            {
                found.push((ty, labels));
            }
        }
    }
    found.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    let mut enums = Enums::new();
    for (ty, labels) in found {
        enums
            .entry((ty.schema.clone(), ty.name.clone()))
            .or_insert_with(|| {
                let name = pascal(&ty.name);
                let proposals = [name.clone(), name + "Enum"];
                Enum {
                    name: taken.grant_family(&proposals, &["", "Filter", "ListFilter"]),
                    labels: labels.to_vec(),
                }
            });
    }
    enums
}

fn sorted(mut enums: Vec<Enum>) -> Vec<Enum> {
    enums.sort_by(|a, b| a.name.cmp(&b.name));
    enums
}

fn table(
    catalog: &Catalog,
    position: usize,
    name: &str,
    rules: &Rules,
    shown: &[usize],
    enums: &Enums,
) -> Table {
    let definition = &catalog.tables[position];
    let seen: Vec<usize> = (0..definition.columns.len())
        .filter(|column| rules.sees_column(definition, *column))
        .collect();
    // Names that can be spelt keep theirs, whatever comes before them.
    let mut fields = Taken::with(
        seen.iter()
            .map(|at| definition.columns[*at].name.as_str())
            .filter(|name| is_name(name)),
    );
    let mut grant = |name: &str| {
        if is_name(name) {
            name.to_owned()
        } else {
            fields.grant(&[spelt(name)])
        }
    };
    let named: Vec<(usize, String)> = seen
        .iter()
        .map(|at| (*at, grant(&definition.columns[*at].name)))
        .collect();
    let related: Vec<(usize, String, usize)> = definition
        .relations
        .iter()
        .enumerate()
        .filter_map(|(at, relation)| {
            let table = shown.iter().position(|shown| *shown == relation.table)?;
            let target = &catalog.tables[relation.table];
            let joined = relation
                .here
                .iter()
                .all(|c| rules.sees_column(definition, *c))
                && relation.there.iter().all(|c| rules.sees_column(target, *c));
            let proposals: Vec<String> = relation.names.iter().map(|name| camel(name)).collect();
            joined.then_some((at, proposals, table))
        })
        .map(|(at, proposals, table)| (at, fields.grant(&proposals), table))
        .collect();
    let mut conditions = Taken::with(
        WORDS.into_iter().chain(
            named
                .iter()
                .map(|(_, name)| name.as_str())
                .chain(related.iter().map(|(_, name, _)| name.as_str()))
                .filter(|name| !WORDS.contains(name)),
        ),
    );
    let mut condition = |name: &str| {
        if WORDS.contains(&name) {
            conditions.grant(&[format!("{name}_")])
        } else {
            name.to_owned()
        }
    };
    let columns: Vec<Column> = named
        .into_iter()
        .map(|(position, name)| Column {
            position,
            condition: condition(&name),
            name,
            ty: ty(&definition.columns[position].ty, enums),
        })
        .collect();
    let relations = related
        .into_iter()
        .map(|(position, name, table)| Relation {
            position,
            condition: condition(&name),
            name,
            table,
            is_list: definition.relations[position].kind == RelationKind::Children,
            is_nested: false,
        })
        .collect();
    let secrets = rules
        .special(&definition.name)
        .into_iter()
        .flat_map(|special| &special.secrets)
        .map(|secret| secret.given.clone())
        .filter(|given| is_name(given) && columns.iter().all(|column| column.name != *given))
        .collect();
    Table {
        position,
        name: name.to_owned(),
        roots: Vec::new(),
        columns,
        relations,
        secrets,
    }
}

/// Gives the fields of `Query` and `Mutation` their names: first the lists, those that are named
/// as their table is before all others, then the rest.
fn roots(catalog: &Catalog, tables: &mut [Table]) {
    let mut queries = Taken::with(["_ping"]);
    let list = |table: &Table| camel(&catalog.tables[table.position].name);
    for exact in [true, false] {
        for table in tables.iter_mut() {
            let name = list(table);
            if (name == catalog.tables[table.position].name) == exact {
                table.roots.push((Root::List, queries.grant(&[name])));
            }
        }
    }
    for table in tables.iter_mut() {
        let definition = &catalog.tables[table.position];
        let list = table.root(Root::List).unwrap_or_default().to_owned();
        if definition.has_key() && key_is_seen(table, definition) {
            let single = camel(&singular(&definition.name));
            let name = queries.grant(&[single, format!("{list}ById")]);
            table.roots.push((Root::One, name));
        }
        let name = queries.grant(&[format!("{list}Aggregate")]);
        table.roots.push((Root::Aggregate, name));
        if definition.kind.is_view() {
            continue;
        }
        let settable = !table.secrets.is_empty()
            || table
                .columns
                .iter()
                .any(|column| definition.columns[column.position].is_settable());
        let by_key = table.root(Root::One).is_some();
        // A table's type name is its own, so these names are too.
        if definition.insertable && settable {
            table
                .roots
                .push((Root::Create, format!("create{}", table.name)));
        }
        if definition.updatable && settable && by_key {
            table
                .roots
                .push((Root::Update, format!("update{}", table.name)));
        }
        if definition.deletable && by_key {
            table
                .roots
                .push((Root::Delete, format!("delete{}", table.name)));
        }
    }
}

/// Marks the relations by which rows are made together with the one that they refer to.
fn nest(catalog: &Catalog, tables: &mut [Table]) {
    let is_made: Vec<bool> = tables
        .iter()
        .map(|table| table.root(Root::Create).is_some())
        .collect();
    for table in tables {
        // The row is read again by its key when all are made.
        let by_key = table
            .root(Root::Create)
            .and(table.root(Root::One))
            .is_some();
        let relations = &catalog.tables[table.position].relations;
        for relation in &mut table.relations {
            let refers_here = relations[relation.position].kind != RelationKind::Parent;
            relation.is_nested = by_key
                && refers_here
                && is_made[relation.table]
                && !table.secrets.contains(&relation.name);
        }
    }
}

fn key_is_seen(table: &Table, definition: &crate::data::catalog::Table) -> bool {
    definition
        .key
        .iter()
        .all(|key| table.columns.iter().any(|column| column.position == *key))
}

/// The element of an array, or the type itself, below all domains.
fn element(ty: &Type) -> &Type {
    match &ty.base().kind {
        TypeKind::Array(element) => element.base(),
        _ => ty.base(),
    }
}

fn ty(ty: &Type, enums: &Enums) -> Ty {
    let single = element(ty);
    let name = match enums.get(&(single.schema.clone(), single.name.clone())) {
        Some(found) => found.name.clone(),
        None => scalar(single).to_owned(),
    };
    if matches!(ty.base().kind, TypeKind::Array(_)) {
        Ty::List(name)
    } else {
        Ty::Named(name)
    }
}

fn scalar(ty: &Type) -> &'static str {
    match ty.kind {
        TypeKind::Enum(_) => return "String",
        TypeKind::Range => return "Text",
        TypeKind::Composite => return "JSON",
        _ => {}
    }
    match ty.oid {
        oid::BOOL => "Boolean",
        oid::INT2 | oid::INT4 => "Int",
        oid::INT8 => "BigInt",
        oid::FLOAT4 | oid::FLOAT8 => "Float",
        oid::NUMERIC => "Decimal",
        oid::DATE => "Date",
        oid::TIME | oid::TIMETZ => "Time",
        oid::TIMESTAMP => "LocalDateTime",
        oid::TIMESTAMPTZ => "DateTime",
        oid::INTERVAL => "Interval",
        oid::UUID => "UUID",
        oid::BYTEA => "Bytes",
        oid::JSON | oid::JSONB => "JSON",
        _ if ty.is_text() => "String",
        // An extension's type may come with a cast to JSON of its own.
        0 => "JSON",
        _ => "Text",
    }
}
