//! What the arguments of a field say: conditions, order, pages, keys, new values.

use super::compile::Compiler;
use super::json::Json;
use super::shape::Ty;
use super::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::data::body::{Body, Cell};
use crate::data::nested::{Change, Children};
use crate::data::request::{Create, Filter, Operator, Order, Page, Place, Request, Rows};
use crate::problem::{Kind, Problem};
use apollo_compiler::executable::Field;

/// The words of `SortDirection`: descending, and whether nulls come first if it is said.
pub const DIRECTIONS: [(&str, bool, Option<bool>); 6] = [
    ("ASC", false, None),
    ("DESC", true, None),
    ("ASC_NULLS_FIRST", false, Some(true)),
    ("ASC_NULLS_LAST", false, Some(false)),
    ("DESC_NULLS_FIRST", true, Some(true)),
    ("DESC_NULLS_LAST", true, Some(false)),
];

impl<'a> Compiler<'a> {
    /// Which rows, in which order.
    pub(super) fn rows(&self, table: usize, field: &Field) -> Result<Rows, Problem> {
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
    pub(super) fn argument(&self, field: &Field, name: &str) -> Option<Json> {
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

    pub(super) fn filter(&self, table: usize, field: &Field) -> Option<Filter> {
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

    pub(super) fn key_columns(&self, table: usize) -> Vec<&'a str> {
        let shape = &self.shape.tables[table];
        let definition = self.shape.definition(table);
        let parts = definition.key.iter().filter_map(|key| {
            let mut columns = shape.columns.iter();
            columns.find(|column| column.position == *key)
        });
        parts.map(|column| column.name.as_str()).collect()
    }

    pub(super) fn key(&self, table: usize, field: &Field) -> Vec<String> {
        let columns = self.key_columns(table).into_iter();
        columns
            .map(|name| {
                self.argument(field, name)
                    .map_or(String::new(), |v| v.bare())
            })
            .collect()
    }

    /// The rows that an input has nested in it.
    pub(super) fn children(&self, table: usize, input: &Json) -> Vec<Children> {
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
    pub(super) fn body(&self, table: usize, input: Option<&Json>) -> Body {
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
            let column = column.map(|column| &definition.columns[column.position]);
            // A single value is a list of one (3.11).
            let json = match (column, value) {
                (_, Json::List(_) | Json::Null) => value.to_string(),
                (Some(column), single) if column.ty.base().array => format!("[{single}]"),
                (_, value) => value.to_string(),
            };
            Cell {
                name: column.map_or_else(|| name.clone(), |column| column.name.clone()),
                json,
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
