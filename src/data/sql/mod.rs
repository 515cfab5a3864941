//! From a plan to SQL text and its parameters.
//!
//! The text depends on the shape of the plan alone: every value is a parameter, so that
//! statements prepared on a connection are met again. The exception is the size of a page, a
//! number that the planner needs to see. Names are quoted and, as tenants may define functions
//! and operators of any name in their schema, always qualified.

mod aggregate;
mod dependents;
mod filter;
mod read;
mod write;

use super::catalog::{Catalog, Column, Relation, Table, Type, TypeKind, TypeSchema};
use super::plan::{Plan, Step};
use super::request::Place;
use super::writer::Writer;

/// One statement with its parameters and what its columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// SQL text.
    pub text: String,
    /// Values of `$1`, `$2`, ...
    pub binds: Vec<Bind>,
    /// One per column of the result; then the count, if `counted`.
    pub columns: Vec<Shown>,
    /// Whether a last column, the same in each row, counts the rows of all pages.
    pub counted: bool,
    /// The most rows to show, if the statement may give one more to tell that there are more.
    pub most: Option<u32>,
}

/// The value of a parameter, as text that its type reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The text; null if `None`.
    pub value: Option<String>,
    /// How the parameter is turned into its type, with `$1` for the parameter.
    pub cast: String,
    /// Where the client said so.
    pub at: Place,
}

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The member's name; `None` for a column that is only captured.
    pub key: Option<String>,
    /// How its bytes become JSON.
    pub writer: Writer,
    /// The same JSON in every row, without a column in the result.
    pub constant: Option<String>,
    /// The position of the table's column, if it is one.
    pub column: Option<usize>,
}

/// Spells a plan for a schema. Reads and single writes give one statement; rows that name
/// different columns give one each, to be run in order in one transaction.
pub fn statements(plan: &Plan, schema: &str) -> Vec<Statement> {
    match &plan.step {
        Step::Read(read) => vec![read::list(&plan.catalog, schema, read)],
        Step::Summarize(summary) => vec![aggregate::summary(plan, schema, summary)],
        Step::Insert(insert) => insert
            .runs
            .iter()
            .map(|run| write::insert(plan, schema, insert, run))
            .collect(),
        Step::Update(update) => vec![write::update(plan, schema, update)],
        Step::Delete(delete) => vec![match &delete.dependents {
            Some(dependents) => dependents::delete(plan, schema, delete, dependents),
            None => write::delete(plan, schema, delete),
        }],
    }
}

/// The statement that counts the rows of all pages by itself, for a page without rows.
pub fn count(plan: &Plan, schema: &str) -> Option<Statement> {
    match &plan.step {
        Step::Read(read) => Some(read::count(&plan.catalog, schema, read)),
        _ => None,
    }
}

/// The statement that asks the planner how many rows all pages have.
pub fn estimate(plan: &Plan, schema: &str) -> Option<Statement> {
    match &plan.step {
        Step::Read(read) => Some(read::estimate(&plan.catalog, schema, read)),
        _ => None,
    }
}

/// Queries that try each given column's values on its type, by the column's position: the one
/// that fails is at fault.
pub fn probes(plan: &Plan, schema: &str) -> Vec<(usize, Statement)> {
    write::probes(plan, schema)
}

/// Queries that tell which relations would break by a write, each with those that it asks about; one row with an array of
/// truth values.
pub fn references<'a>(plan: &'a Plan, schema: &str) -> Vec<(Vec<&'a Relation>, Statement)> {
    write::references(plan, schema)
}

/// Quotes an identifier.
pub fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    push_quoted(&mut quoted, name);
    quoted
}

fn push_quoted(text: &mut String, name: &str) {
    text.push('"');
    for part in name.split_inclusive('"') {
        text.push_str(part);
        if part.ends_with('"') {
            text.push('"');
        }
    }
    text.push('"');
}

/// A statement in the making.
struct Spelling<'a> {
    catalog: &'a Catalog,
    schema: &'a str,
    text: String,
    binds: Vec<Bind>,
    aliases: usize,
}

impl<'a> Spelling<'a> {
    fn new(catalog: &'a Catalog, schema: &'a str) -> Self {
        Self {
            catalog,
            schema,
            text: String::with_capacity(512),
            binds: Vec::new(),
            aliases: 0,
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn name(&mut self, name: &str) {
        push_quoted(&mut self.text, name);
    }

    /// `"schema"."table" as alias`
    fn table(&mut self, table: usize, alias: &str) {
        self.relation(table);
        self.push(" as ");
        self.push(alias);
    }

    fn relation(&mut self, table: usize) {
        push_quoted(&mut self.text, self.schema);
        self.push(".");
        push_quoted(&mut self.text, &self.catalog.tables[table].name);
    }

    /// `alias."column"`
    fn column(&mut self, alias: &str, column: &Column) {
        self.push(alias);
        self.push(".");
        self.name(&column.name);
    }

    /// The column as operators take it: those that are there for any enum, array or range do not
    /// see through a domain.
    fn operand(&mut self, alias: &str, column: &Column) {
        self.column(alias, column);
        let base = column.ty.base();
        let general = matches!(
            base.kind,
            TypeKind::Enum(_) | TypeKind::Array(_) | TypeKind::Range
        );
        if general && matches!(column.ty.kind, TypeKind::Domain(_)) {
            let name = self.type_name(base);
            self.push("::");
            self.push(&name);
        }
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// ` operator(schema.op) `, in the schema of the type's own comparison.
    fn operator(&mut self, operator: &str, schema: Option<&TypeSchema>) {
        self.push(" operator(");
        match schema {
            None | Some(TypeSchema::Builtin) => self.push("pg_catalog"),
            Some(TypeSchema::Own) => push_quoted(&mut self.text, self.schema),
            Some(TypeSchema::Other(name)) => push_quoted(&mut self.text, name),
        }
        self.push(".");
        self.push(operator);
        self.push(") ");
    }

    fn type_name(&self, ty: &Type) -> String {
        let mut text = String::new();
        match &ty.schema {
            TypeSchema::Builtin => text.push_str("pg_catalog"),
            TypeSchema::Own => push_quoted(&mut text, self.schema),
            TypeSchema::Other(name) => push_quoted(&mut text, name),
        }
        text.push('.');
        push_quoted(&mut text, &ty.name);
        if ty.array {
            text.push_str("[]");
        }
        text
    }

    /// A parameter turned into the type; `array` asks for an array of it.
    ///
    /// Types that differ from clone to clone are reached through text, so that the driver never
    /// has to look one up.
    fn bind(&mut self, ty: &Type, array: bool, value: Option<String>, at: &Place) {
        let ty = ty.base();
        let list = if array { "[]" } else { "" };
        let name = self.type_name(ty);
        let through_text = ty.schema != TypeSchema::Builtin;
        let spell = |number: &str| {
            if through_text {
                format!("(${number}::pg_catalog.text{list})::{name}{list}")
            } else {
                format!("${number}::{name}{list}")
            }
        };
        let number = (self.binds.len() + 1).to_string();
        self.text.push_str(&spell(&number));
        self.binds.push(Bind {
            value,
            cast: spell("1"),
            at: at.clone(),
        });
    }

    /// How a column leaves Postgres for its writer.
    fn shown(&mut self, alias: &str, column: &Column) -> Writer {
        let writer = Writer::of(&column.ty);
        match writer {
            Writer::Enum => {
                self.column(alias, column);
                self.push("::pg_catalog.text");
            }
            Writer::Other => {
                self.push("pg_catalog.to_json(");
                self.column(alias, column);
                self.push(")::pg_catalog.text");
            }
            _ => self.column(alias, column),
        }
        writer
    }

    fn finish(self, columns: Vec<Shown>, counted: bool) -> Statement {
        Statement {
            text: self.text,
            binds: self.binds,
            columns,
            counted,
            most: None,
        }
    }
}

/// Whether the type is an array, so that an array of it is spelt like itself.
fn is_array(ty: &Type) -> bool {
    matches!(ty.base().kind, TypeKind::Array(_))
}

/// The text of an array with these elements, as `array_in` reads it.
fn array_text(values: &[String]) -> String {
    let mut text = "{".to_owned();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push('"');
        for c in value.chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text.push('}');
    text
}

fn table_of(catalog: &Catalog, table: usize) -> &Table {
    &catalog.tables[table]
}
