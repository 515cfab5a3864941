//! From a valid operation to requests for the spine: one for each field of `Query` or `Mutation`.

use super::json::{Json, Variables};
use super::limits::MAX_ROOTS;
use super::sdl::input_name;
use super::shape::{Root, Shape, Ty};
use super::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::data::body::{Body, Cell};
use crate::data::nested::{Change, Children};
use crate::data::request::{
    Aggregate, Count, Create, Delete, Filter, Function, Item, List, Measure, One, Operator, Order,
    Page, Place, Request, Rows, Update,
};
use crate::problem::{Kind, Problem};
use apollo_compiler::executable::{Directive, Field, Selection, SelectionSet};
use apollo_compiler::{ExecutableDocument, Node};
use std::collections::HashMap;

/// The words of `SortDirection`: descending, and whether nulls come first if it is said.
pub const DIRECTIONS: [(&str, bool, Option<bool>); 6] = [
    ("ASC", false, None),
    ("DESC", true, None),
    ("ASC_NULLS_FIRST", false, Some(true)),
    ("ASC_NULLS_LAST", false, Some(false)),
    ("DESC_NULLS_FIRST", true, Some(true)),
    ("DESC_NULLS_LAST", true, Some(false)),
];

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
                        self.argument(field, input_name(&named.join(", "))).as_ref(),
                    ),
                    select,
                })
            }
            Root::Delete | Root::Aggregate => Request::Delete(Delete {
                table: name,
                key: key(),
                select,
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

    /// Which rows, in which order.
    fn rows(&self, table: usize, field: &Field) -> Result<Rows, Problem> {
        let limit = self.number(field, "limit", MAX_LIMIT.into())?;
        let limit = limit.and_then(|limit| u32::try_from(limit).ok());
        let mut order = Vec::new();
        if let Some(keys) = self.argument(field, "orderBy") {
            for key in keys.items() {
                self.order(table, key, &mut Vec::new(), &mut order);
            }
        }
        Ok(Rows {
            filter: self.filter(table, field),
            order,
            page: Page {
                limit: Some(limit.unwrap_or(DEFAULT_LIMIT)),
                offset: self.number(field, "offset", u64::MAX)?.unwrap_or(0),
                cursor: None,
            },
            ..Rows::default()
        })
    }

    fn number(&self, field: &Field, name: &str, most: u64) -> Result<Option<u64>, Problem> {
        let Some(Json::Number(text)) = self.argument(field, name) else {
            return Ok(None);
        };
        let number = text.parse::<u64>().ok().filter(|number| *number <= most);
        number.map(Some).ok_or_else(|| {
            let message = if most == u64::MAX {
                "must not be negative".to_owned()
            } else {
                format!("must be from 0 to {most}")
            };
            Problem::new(Kind::InvalidParameter).field(name, message)
        })
    }

    /// What an argument holds; nothing if it is not given or null.
    fn argument(&self, field: &Field, name: &str) -> Option<Json> {
        let value = Json::of(field.specified_argument_by_name(name)?, self.variables)?;
        (value != Json::Null).then_some(value)
    }

    fn order(&self, table: usize, key: &Json, path: &mut Vec<String>, order: &mut Vec<Order>) {
        let shape = &self.shape.tables[table];
        let definition = self.shape.definition(table);
        for (name, value) in key.fields() {
            if let Json::Text(word) = value {
                let column = shape.columns.iter().find(|column| column.name == *name);
                let direction = DIRECTIONS.iter().find(|(known, ..)| known == word);
                if let (Some(column), Some((_, descending, nulls_first))) = (column, direction) {
                    order.push(Order {
                        path: path.clone(),
                        column: definition.columns[column.position].name.clone(),
                        descending: *descending,
                        nulls_first: *nulls_first,
                        at: Place::from("orderBy"),
                    });
                }
            } else if let Some(relation) = shape.relations.iter().find(|found| found.name == *name)
            {
                path.push(definition.relations[relation.position].name().to_owned());
                self.order(relation.table, value, path, order);
                path.pop();
            }
        }
    }

    fn filter(&self, table: usize, field: &Field) -> Option<Filter> {
        let conditions = self.argument(field, "where")?;
        Some(Filter::Json {
            json: self.conditions(table, &conditions).to_string(),
            at: Place::from("where"),
        })
    }

    /// Conditions in GraphQL's names as the spine reads them, in the database's.
    fn conditions(&self, table: usize, given: &Json) -> Json {
        let shape = &self.shape.tables[table];
        let definition = self.shape.definition(table);
        let mut all = Vec::new();
        for (name, value) in given.fields() {
            if matches!(name.as_str(), "and" | "or" | "not") {
                if *value == Json::Null {
                    continue;
                }
                let value = if name == "not" {
                    self.conditions(table, value)
                } else {
                    let each = value.items().iter();
                    Json::List(each.map(|one| self.conditions(table, one)).collect())
                };
                all.push((name.clone(), value));
            } else if let Some(found) = shape.columns.iter().find(|c| c.condition == *name) {
                let column = &definition.columns[found.position].name;
                let column = if matches!(column.as_str(), "and" | "or" | "not") {
                    format!("\"{column}\"")
                } else {
                    column.clone()
                };
                let is_array = matches!(found.ty, Ty::List(_));
                all.push((column, comparisons(value, is_array)));
            } else if let Some(relation) = shape.relations.iter().find(|r| r.condition == *name) {
                let name = definition.relations[relation.position].name().to_owned();
                let tests = if relation.is_list {
                    let words = value
                        .fields()
                        .iter()
                        .filter(|(_, test)| *test != Json::Null);
                    words
                        .map(|(word, test)| (word.clone(), self.conditions(relation.table, test)))
                        .collect()
                } else {
                    // No row at all is what null means where there is one at most.
                    let word = if *value == Json::Null { "none" } else { "some" };
                    vec![(word.to_owned(), self.conditions(relation.table, value))]
                };
                if tests.is_empty() {
                    continue;
                }
                all.push((name, Json::Object(tests)));
            }
        }
        Json::Object(all)
    }

    fn key_columns(&self, table: usize) -> Vec<&'a str> {
        let shape = &self.shape.tables[table];
        let definition = self.shape.definition(table);
        let parts = definition.key.iter().filter_map(|key| {
            let mut columns = shape.columns.iter();
            columns.find(|column| column.position == *key)
        });
        parts.map(|column| column.name.as_str()).collect()
    }

    fn key(&self, table: usize, field: &Field) -> Vec<String> {
        let columns = self.key_columns(table).into_iter();
        columns
            .map(|name| {
                self.argument(field, name)
                    .map_or(String::new(), |v| v.bare())
            })
            .collect()
    }

    /// The rows that an input has nested in it.
    fn children(&self, table: usize, input: &Json) -> Vec<Children> {
        let shape = &self.shape.tables[table];
        let definition = self.shape.definition(table);
        let nested = input.fields().iter().filter_map(|(name, value)| {
            let relation = shape
                .relations
                .iter()
                .find(|relation| relation.name == *name)?;
            if *value == Json::Null {
                return None;
            }
            let rows = value.items().iter().map(|input| Change {
                request: Request::Create(Create {
                    table: self.shape.definition(relation.table).name.clone(),
                    body: self.body(relation.table, Some(input)),
                    select: Vec::new(),
                    conflict: None,
                }),
                children: self.children(relation.table, input),
            });
            Some(Children {
                relation: definition.relations[relation.position].name().to_owned(),
                rows: rows.collect(),
            })
        });
        nested.collect()
    }

    /// The columns that an input gives values for.
    fn body(&self, table: usize, input: Option<&Json>) -> Body {
        let shape = &self.shape.tables[table];
        let definition = self.shape.definition(table);
        let fields = input.map_or(&[][..], Json::fields).iter();
        let is_nested = |name: &str| {
            let mut relations = shape.relations.iter();
            relations.any(|relation| relation.is_nested && relation.name == name)
        };
        let columns = fields.filter(|(name, _)| !is_nested(name));
        let cells = columns.map(|(name, value)| {
            let column = shape.columns.iter().find(|column| column.name == *name);
            Cell {
                name: column.map_or_else(
                    || name.clone(),
                    |column| definition.columns[column.position].name.clone(),
                ),
                json: value.to_string(),
                trusted: false,
            }
        });
        Body {
            rows: vec![cells.collect()],
            ..Body::default()
        }
    }
}

/// The tests of one column, with a list where one is taken: by the test, or by the column.
fn comparisons(tests: &Json, is_array: bool) -> Json {
    let Json::Object(tests) = tests else {
        return tests.clone();
    };
    let listed = |(word, value): &(String, Json)| {
        let operator = Operator::named(word);
        let takes_list = operator.is_some_and(|operator| {
            let compares = !matches!(
                operator,
                Operator::Like | Operator::Ilike | Operator::Null | Operator::NotNull
            );
            operator.takes_list() || (is_array && compares)
        });
        let value = match value {
            Json::Null | Json::List(_) => value.clone(),
            single if takes_list => Json::List(vec![single.clone()]),
            single => single.clone(),
        };
        (word.clone(), value)
    };
    Json::Object(tests.iter().map(listed).collect())
}

fn sets<'a>(fields: &[&'a Node<Field>]) -> Vec<&'a SelectionSet> {
    fields.iter().map(|field| &field.selection_set).collect()
}
