//! From a valid operation to requests for the spine: one for each field of `Query` or `Mutation`.
//!
//! What its arguments say is in [`super::arguments`].

use super::json::{Json, Variables};
use super::limits::MAX_ROOTS;
use super::sdl::input_name;
use super::shape::{Root, Shape};
use crate::data::nested::Children;
use crate::data::request::{
    Aggregate, Count, Create, Delete, Function, Item, List, Measure, One, Place, Request, Rows,
    Update,
};
use crate::problem::{Kind, Problem};
use apollo_compiler::executable::{Directive, Field, Selection, SelectionSet};
use apollo_compiler::{ExecutableDocument, Node};
use std::collections::HashMap;

/// One field of the answer's `data`.
#[derive(Debug)]
pub struct Step {
    /// Its name in the answer.
    pub key: String,
    /// Where it stands in the document.
    pub location: Option<apollo_compiler::parser::LineColumn>,
    /// What gives its value.
    pub source: Source,
    /// What is made together with a new row.
    pub children: Vec<Children>,
}

/// What gives a value of `data`.
#[derive(Debug)]
pub enum Source {
    /// This JSON text.
    Constant(String),
    /// The library's introspection, under the same name.
    Introspection,
    /// The spine.
    Request(Root, Box<Request>),
    /// The spine, for figures that are then put into objects.
    Figures(Box<Request>, Vec<Figure>),
}

/// A member of an aggregate's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// This JSON text.
    Constant(String, String),
    /// The measure at this place.
    Measure(String, usize),
    /// An object of them.
    Object(String, Vec<Figure>),
}

/// A field of an answer and where it was asked for; several places are put together.
type Collected<'a> = Vec<(&'a str, Vec<&'a Node<Field>>)>;

/// What compiling looks at.
#[derive(Clone, Copy)]
pub struct Compiler<'a> {
    /// What names mean.
    pub shape: &'a Shape,
    /// Where fragments are.
    pub document: &'a ExecutableDocument,
    /// What variables hold.
    pub variables: &'a Variables,
}

impl<'a> Compiler<'a> {
    /// The steps of an operation, in the order of its answer.
    ///
    /// # Errors
    /// `bad-request` for too many fields, `invalid-parameter` naming an argument.
    pub fn steps(&self, set: &'a SelectionSet) -> Result<Vec<Step>, Problem> {
        let fields = self.collect(&[set]);
        if fields.len() > MAX_ROOTS {
            return Err(Problem::new(Kind::BadRequest).detail(format!(
                "The operation has {} fields at its top, and {MAX_ROOTS} are allowed.",
                fields.len()
            )));
        }
        let mut steps = Vec::with_capacity(fields.len());
        for (key, fields) in fields {
            let first = fields[0];
            let source = match first.name.as_str() {
                "__typename" => Source::Constant(format!("\"{}\"", set.ty)),
                "__schema" | "__type" => Source::Introspection,
                "_ping" => Source::Constant("\"pong\"".to_owned()),
                name => match self.shape.roots.get(name) {
                    Some((root, table)) => self.root(*root, *table, &fields)?,
                    None => return Err(Kind::InternalError.into()),
                },
            };
            let children = match &source {
                Source::Request(Root::Create, _) => {
                    let table = self.shape.roots.get(first.name.as_str());
                    let input = self.argument(first, "input").unwrap_or(Json::Null);
                    table.map_or_else(Vec::new, |(_, table)| self.children(*table, &input))
                }
                _ => Vec::new(),
            };
            steps.push(Step {
                key: key.to_owned(),
                children,
                location: first
                    .name
                    .location()
                    .and_then(|at| at.line_column(&self.document.sources)),
                source,
            });
        }
        Ok(steps)
    }

    fn root(
        &self,
        root: Root,
        table: usize,
        fields: &[&'a Node<Field>],
    ) -> Result<Source, Problem> {
        let field = fields[0];
        let name = self.shape.definition(table).name.clone();
        if root == Root::Aggregate {
            let (figures, measures) = self.figures(table, &sets(fields));
            let request = Request::Aggregate(Aggregate {
                table: name,
                rows: Rows {
                    filter: self.filter(table, field),
                    ..Rows::default()
                },
                measures,
                ..Aggregate::default()
            });
            return Ok(Source::Figures(Box::new(request), figures));
        }
        let select = self.items(table, &sets(fields))?;
        let key = || self.key(table, field);
        let request = match root {
            Root::List => Request::List(List {
                table: name,
                select,
                rows: self.rows(table, field)?,
                count: Count::None,
            }),
            Root::One => Request::One(One {
                table: name,
                key: key(),
                select,
            }),
            Root::Create => Request::Create(Create {
                table: name,
                body: self.body(table, self.argument(field, "input").as_ref()),
                select,
                conflict: None,
            }),
            Root::Update => {
                let columns = self.key_columns(table);
                let named: Vec<String> = columns.iter().map(|name| format!("{name}:")).collect();
                Request::Update(Update {
                    table: name,
                    key: key(),
                    body: self.body(
                        table,
                        self.argument(field, &input_name(&named.join(", ")))
                            .as_ref(),
                    ),
                    select,
                })
            }
            Root::Delete | Root::Aggregate => Request::Delete(Delete {
                table: name,
                key: key(),
                select,
                dependents: false,
            }),
        };
        Ok(Source::Request(root, Box::new(request)))
    }

    /// The fields of selection sets with fragments spread and skipped ones left out, those of one
    /// name together (October 2021, 6.3.2). All types are objects, so every fragment applies.
    fn collect(&self, sets: &[&'a SelectionSet]) -> Collected<'a> {
        let mut places = HashMap::new();
        let mut collected = Collected::new();
        for set in sets {
            self.add(set, &mut places, &mut collected);
        }
        collected
    }

    fn add(
        &self,
        set: &'a SelectionSet,
        places: &mut HashMap<&'a str, usize>,
        collected: &mut Collected<'a>,
    ) {
        for selection in &set.selections {
            if self.is_skipped(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let key = field.response_key().as_str();
                    let place = *places.entry(key).or_insert_with(|| {
                        collected.push((key, Vec::new()));
                        collected.len() - 1
                    });
                    collected[place].1.push(field);
                }
                Selection::InlineFragment(fragment) => {
                    self.add(&fragment.selection_set, places, collected);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = spread.fragment_def(self.document) {
                        self.add(&fragment.selection_set, places, collected);
                    }
                }
            }
        }
    }

    fn is_skipped(&self, directives: &[Node<Directive>]) -> bool {
        directives.iter().any(|directive| {
            let holds = || {
                let value = directive.specified_argument_by_name("if");
                let value = value.and_then(|value| Json::of(value, self.variables));
                value == Some(Json::Bool(true))
            };
            match directive.name.as_str() {
                "skip" => holds(),
                "include" => !holds(),
                _ => false,
            }
        })
    }

    /// What each row shows.
    fn items(&self, table: usize, sets: &[&'a SelectionSet]) -> Result<Vec<Item>, Problem> {
        let shape = &self.shape.tables[table];
        let definition = self.shape.definition(table);
        let mut items = Vec::new();
        for (key, fields) in self.collect(sets) {
            let field = fields[0];
            let at = || Place::from(field.name.to_string());
            let name = field.name.as_str();
            if name == "__typename" {
                items.push(Item::Constant {
                    key: key.to_owned(),
                    json: format!("\"{}\"", shape.name),
                });
            } else if let Some(column) = shape.columns.iter().find(|column| column.name == name) {
                items.push(Item::Column {
                    key: Some(key.to_owned()),
                    column: definition.columns[column.position].name.clone(),
                    at: at(),
                });
            } else if let Some(relation) = shape.relations.iter().find(|found| found.name == name) {
                let rows = if relation.is_list {
                    self.rows(relation.table, field)?
                } else {
                    Rows::default()
                };
                items.push(Item::Related {
                    key: key.to_owned(),
                    relation: definition.relations[relation.position].name().to_owned(),
                    select: self.items(relation.table, &self::sets(&fields))?,
                    rows: Box::new(rows),
                    at: at(),
                });
            }
        }
        if items.is_empty() {
            // A request that names nothing means every column.
            return Err(Problem::new(Kind::BadRequest)
                .detail("`@skip` and `@include` leave nothing to show of a row."));
        }
        Ok(items)
    }

    /// The members of an aggregate's answer, and what has to be measured for them.
    fn figures(&self, table: usize, sets: &[&'a SelectionSet]) -> (Vec<Figure>, Vec<Measure>) {
        let shape = &self.shape.tables[table];
        let definition = self.shape.definition(table);
        let mut measures = Vec::new();
        let mut measure = |function: Function, column: Option<String>| {
            measures.push(Measure {
                key: measures.len().to_string(),
                at: Place::from(function.name()),
                function,
                column,
                distinct: false,
            });
            measures.len() - 1
        };
        let mut figures = Vec::new();
        for (key, fields) in self.collect(sets) {
            let key = key.to_owned();
            let function = match fields[0].name.as_str() {
                "count" => {
                    figures.push(Figure::Measure(key, measure(Function::Count, None)));
                    continue;
                }
                "sum" => Function::Sum,
                "avg" => Function::Avg,
                "min" => Function::Min,
                "max" => Function::Max,
                _ => {
                    let name = format!("\"{}Aggregate\"", shape.name);
                    figures.push(Figure::Constant(key, name));
                    continue;
                }
            };
            let mut inside = Vec::new();
            for (key, fields) in self.collect(&self::sets(&fields)) {
                let name = fields[0].name.as_str();
                let column = shape.columns.iter().find(|column| column.name == name);
                inside.push(match column {
                    Some(column) => {
                        let column = definition.columns[column.position].name.clone();
                        Figure::Measure(key.to_owned(), measure(function, Some(column)))
                    }
                    None => {
                        let sums = matches!(function, Function::Sum | Function::Avg);
                        let ending = if sums { "Sums" } else { "Bounds" };
                        let name = format!("\"{}{ending}\"", shape.name);
                        Figure::Constant(key.to_owned(), name)
                    }
                });
            }
            figures.push(Figure::Object(key, inside));
        }
        (figures, measures)
    }
}

fn sets<'a>(fields: &[&'a Node<Field>]) -> Vec<&'a SelectionSet> {
    fields.iter().map(|field| &field.selection_set).collect()
}
