//! A shape as a schema document in GraphQL's own language.

use super::shape::{Column, Relation, Root, SCALARS, Shape, Table, Ty};
use super::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::data::catalog::TypeKind;
use crate::data::json::write_string;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Comparisons of every type, in the order shown, and whether they take a list of values.
const COMPARISONS: [(&str, bool); 9] = [
    ("eq", false),
    ("neq", false),
    ("gt", false),
    ("gte", false),
    ("lt", false),
    ("lte", false),
    ("in", true),
    ("nin", true),
    ("between", true),
];

/// The schema document.
pub fn write(shape: &Shape) -> String {
    let mut sdl = Sdl {
        shape,
        text: String::new(),
        used: BTreeSet::new(),
    };
    sdl.roots();
    for table in &shape.tables {
        sdl.table(table);
    }
    sdl.enums();
    sdl.filters();
    sdl.scalars();
    sdl.text
}

/// Whether sums and means are made of a column.
pub fn is_summed(shape: &Shape, table: &Table, column: &Column) -> bool {
    let definition = &shape.catalog.tables[table.position];
    let ty = definition.columns[column.position].ty.base();
    ty.is_number() && !matches!(ty.kind, TypeKind::Array(_))
}

/// Whether the least and the greatest value of a column are shown.
pub fn is_bounded(shape: &Shape, table: &Table, column: &Column) -> bool {
    let definition = &shape.catalog.tables[table.position];
    let ty = definition.columns[column.position].ty.base();
    is_summed(shape, table, column) || (ty.is_instant() && !matches!(ty.kind, TypeKind::Array(_)))
}

/// Whether rows can be sorted by a column.
fn is_ordered(shape: &Shape, table: &Table, column: &Column) -> bool {
    let definition = &shape.catalog.tables[table.position];
    definition.columns[column.position].ty.ordered.is_some()
}

struct Sdl<'a> {
    shape: &'a Shape,
    text: String,
    /// Column types that are compared somewhere, by the name of their filter.
    used: BTreeSet<(String, String)>,
}

impl Sdl<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A description, in the indentation of what it describes.
    fn describe(&mut self, indent: &str, text: &str) {
        self.text.push_str(indent);
        write_string(&mut self.text, text);
        self.text.push('\n');
    }

    fn roots(&mut self) {
        self.line("type Query {");
        self.describe("  ", "Answers `pong`.");
        self.line("  _ping: String!");
        for table in &self.shape.tables {
            for (root, name) in &table.roots {
                let ty = &table.name;
                match root {
                    Root::List => {
                        let arguments = self.list_arguments(table);
                        self.line(&format!("  {name}({arguments}): [{ty}!]!"));
                    }
                    Root::One => {
                        let key = self.key(table);
                        self.line(&format!("  {name}({key}): {ty}"));
                    }
                    Root::Aggregate => {
                        self.line(&format!("  {name}(where: {ty}Where): {ty}Aggregate!"));
                    }
                    _ => {}
                }
            }
        }
        self.line("}");
        let writes = |table: &Table| {
            let written = table.roots.iter();
            written
                .filter(|(root, _)| root.is_write())
                .cloned()
                .collect::<Vec<_>>()
        };
        if !self
            .shape
            .tables
            .iter()
            .any(|table| !writes(table).is_empty())
        {
            return;
        }
        self.line("");
        self.describe(
            "",
            "The fields of one operation are kept together, or none of them.",
        );
        self.line("type Mutation {");
        for table in &self.shape.tables {
            for (root, name) in writes(table) {
                let (ty, key) = (&table.name, self.key(table));
                let input = input_name(&key);
                let line = match root {
                    Root::Create => format!("  {name}(input: {ty}Create!): {ty}!"),
                    Root::Update => format!("  {name}({key}, {input}: {ty}Update!): {ty}!"),
                    _ => format!("  {name}({key}): {ty}!"),
                };
                self.line(&line);
            }
        }
        self.line("}");
    }

    fn list_arguments(&self, table: &Table) -> String {
        let ty = &table.name;
        let mut arguments =
            format!("limit: Int = {DEFAULT_LIMIT}, offset: Int = 0, where: {ty}Where");
        if self.has_order(table) {
            // Writing to a string can't fail.
            let _ = write!(arguments, ", orderBy: [{ty}OrderBy!]");
        }
        arguments
    }

    fn key(&self, table: &Table) -> String {
        let definition = &self.shape.catalog.tables[table.position];
        let parts = definition.key.iter().filter_map(|key| {
            let column = table
                .columns
                .iter()
                .find(|column| column.position == *key)?;
            Some(format!("{}: {}!", column.name, column.ty))
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Whether there is anything of the table's own to sort by.
    fn has_order(&self, table: &Table) -> bool {
        let mut columns = table.columns.iter();
        columns.any(|column| is_ordered(self.shape, table, column))
    }

    fn table(&mut self, table: &Table) {
        self.object(table);
        self.conditions(table);
        self.order(table);
        self.inputs(table);
        self.aggregate(table);
    }

    fn object(&mut self, table: &Table) {
        let definition = &self.shape.catalog.tables[table.position];
        self.line("");
        if let Some(comment) = &definition.comment {
            self.describe("", comment);
        }
        self.line(&format!("type {} {{", table.name));
        for column in &table.columns {
            let source = &definition.columns[column.position];
            if let Some(comment) = &source.comment {
                self.describe("  ", comment);
            }
            let sure = if source.nullable { "" } else { "!" };
            self.line(&format!("  {}: {}{sure}", column.name, column.ty));
        }
        for relation in &table.relations {
            let target = &self.shape.tables[relation.table];
            let line = if relation.is_list {
                let arguments = self.list_arguments(target);
                format!("  {}({arguments}): [{}!]!", relation.name, target.name)
            } else {
                format!("  {}: {}", relation.name, target.name)
            };
            self.line(&line);
        }
        self.line("}");
    }

    fn conditions(&mut self, table: &Table) {
        let name = &table.name;
        self.line("");
        self.line(&format!("input {name}Where {{"));
        self.line(&format!("  and: [{name}Where!]"));
        self.line(&format!("  or: [{name}Where!]"));
        self.line(&format!("  not: {name}Where"));
        for column in &table.columns {
            self.used
                .insert((column.ty.filter(), column.ty.to_string()));
            self.line(&format!("  {}: {}", column.condition, column.ty.filter()));
        }
        for relation in &table.relations {
            let target = &self.shape.tables[relation.table].name;
            let list = if relation.is_list { "List" } else { "" };
            self.line(&format!("  {}: {target}{list}Where", relation.condition));
        }
        self.line("}");
        if self.is_listed(name) {
            self.line("");
            self.line(&format!("input {name}ListWhere {{"));
            for (word, what) in [
                ("some", "For one of the rows at least."),
                (
                    "every",
                    "For every one of the rows, also where there is none.",
                ),
                ("none", "For not one of the rows."),
            ] {
                self.describe("  ", what);
                self.line(&format!("  {word}: {name}Where"));
            }
            self.line("}");
        }
    }

    /// Whether a relation leads to a list of these.
    fn is_listed(&self, name: &str) -> bool {
        let lists = |relation: &Relation| {
            relation.is_list && self.shape.tables[relation.table].name == name
        };
        let mut tables = self.shape.tables.iter();
        tables.any(|table| table.relations.iter().any(lists))
    }

    fn order(&mut self, table: &Table) {
        if !self.has_order(table) {
            return;
        }
        self.line("");
        self.describe("", "One key each; the first one counts most.");
        self.line(&format!("input {}OrderBy {{", table.name));
        for column in &table.columns {
            if is_ordered(self.shape, table, column) {
                self.line(&format!("  {}: SortDirection", column.name));
            }
        }
        for relation in &table.relations {
            let target = &self.shape.tables[relation.table];
            if !relation.is_list && self.has_order(target) {
                self.line(&format!("  {}: {}OrderBy", relation.name, target.name));
            }
        }
        self.line("}");
    }

    fn inputs(&mut self, table: &Table) {
        let definition = &self.shape.catalog.tables[table.position];
        for (root, ending) in [(Root::Create, "Create"), (Root::Update, "Update")] {
            if table.root(root).is_none() {
                continue;
            }
            self.line("");
            self.line(&format!("input {}{ending} {{", table.name));
            for column in &table.columns {
                let source = &definition.columns[column.position];
                if !source.is_settable() {
                    continue;
                }
                if root == Root::Create && !source.is_optional() {
                    self.describe("  ", "Has to be given, unless a trigger fills it.");
                }
                self.line(&format!("  {}: {}", column.name, column.ty));
            }
            for relation in &table.relations {
                if root != Root::Create || !relation.is_nested {
                    continue;
                }
                let target = &self.shape.tables[relation.table].name;
                self.describe("  ", "Made with it, and referring to it.");
                let ty = if relation.is_list {
                    "[{}Create!]"
                } else {
                    "{}Create"
                };
                self.line(&format!(
                    "  {}: {}",
                    relation.name,
                    ty.replace("{}", target)
                ));
            }
            for secret in &table.secrets {
                self.describe("  ", "Never shown again; what is kept is made from it.");
                self.line(&format!("  {secret}: String"));
            }
            self.line("}");
        }
    }

    fn aggregate(&mut self, table: &Table) {
        let shape = self.shape;
        let summed: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| is_summed(shape, table, column))
            .collect();
        let bounded: Vec<&Column> = table
            .columns
            .iter()
            .filter(|column| is_bounded(shape, table, column))
            .collect();
        let name = &table.name;
        self.line("");
        self.line(&format!("type {name}Aggregate {{"));
        self.line("  count: BigInt!");
        if !summed.is_empty() {
            self.line(&format!("  sum: {name}Sums!"));
            self.line(&format!("  avg: {name}Sums!"));
        }
        if !bounded.is_empty() {
            self.line(&format!("  min: {name}Bounds!"));
            self.line(&format!("  max: {name}Bounds!"));
        }
        self.line("}");
        if !summed.is_empty() {
            self.line("");
            self.line(&format!("type {name}Sums {{"));
            for column in summed {
                let float = column.ty == Ty::Named("Float".to_owned());
                let ty = if float { "Float" } else { "Decimal" };
                self.line(&format!("  {}: {ty}", column.name));
            }
            self.line("}");
        }
        if !bounded.is_empty() {
            self.line("");
            self.line(&format!("type {name}Bounds {{"));
            for column in bounded {
                self.line(&format!("  {}: {}", column.name, column.ty));
            }
            self.line("}");
        }
    }

    fn enums(&mut self) {
        self.line("");
        self.describe("", "Which comes first, and where nulls go: behind all others, and in front with `DESC`, unless it is said.");
        self.line("enum SortDirection {");
        for (word, ..) in super::arguments::DIRECTIONS {
            self.line(&format!("  {word}"));
        }
        self.line("}");
        for found in &self.shape.enums {
            self.line("");
            self.line(&format!("enum {} {{", found.name));
            for label in &found.labels {
                self.line(&format!("  {label}"));
            }
            self.line("}");
        }
    }

    fn filters(&mut self) {
        for (filter, ty) in std::mem::take(&mut self.used) {
            self.line("");
            self.line(&format!("input {filter} {{"));
            for (word, is_list) in COMPARISONS {
                if is_list {
                    self.line(&format!("  {word}: [{ty}!]"));
                } else {
                    self.line(&format!("  {word}: {ty}"));
                }
            }
            self.describe("  ", "The value as text, against a pattern of `%` and `_`.");
            self.line("  like: String");
            self.describe("  ", "The same, without regard to case.");
            self.line("  ilike: String");
            self.line("  null: Boolean");
            self.line("  notnull: Boolean");
            self.line("}");
        }
    }

    fn scalars(&mut self) {
        for (name, what) in SCALARS {
            self.line("");
            self.describe("", what);
            self.line(&format!("scalar {name}"));
        }
    }
}

/// The name of the argument with new values; a key's columns of that name go first.
pub fn input_name(key: &str) -> String {
    let mut name = "input".to_owned();
    while key
        .split(", ")
        .any(|part| part.split(':').next() == Some(&name))
    {
        name.push('_');
    }
    name
}

const _: () = assert!(DEFAULT_LIMIT <= MAX_LIMIT);
