//! Planning of conditions that come as a JSON object, the shape that GraphQL's `where` has.

use super::filter::{MAX_DEPTH, too_deep};
use super::{Predicate, Scope, brief};
use crate::data::catalog::{Type, types::oid};
use crate::data::json::{elements, members, string_value};
use crate::data::request::{Operator, Place, Which};
use crate::problem::{Kind, Problem};

impl Scope<'_> {
    /// The conditions of a JSON object on the rows of a table; all of them must hold.
    pub(super) fn conditions(
        &self,
        table: usize,
        json: &str,
        at: &Place,
        depth: usize,
    ) -> Result<Predicate, Problem> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let Some(members) = members(json) else {
            return Err(refuse(at, "must be a JSON object of conditions"));
        };
        let mut all = Vec::with_capacity(members.len());
        for (name, value) in members {
            all.push(match name.as_str() {
                "and" => Predicate::And(self.each(table, value, at, depth)?),
                "or" => Predicate::Or(self.each(table, value, at, depth)?),
                "not" => Predicate::Not(Box::new(self.conditions(table, value, at, depth + 1)?)),
                _ => self.condition(table, &name, value, at, depth)?,
            });
        }
        Ok(Predicate::And(all))
    }

    /// The conditions of an array of objects.
    fn each(
        &self,
        table: usize,
        json: &str,
        at: &Place,
        depth: usize,
    ) -> Result<Vec<Predicate>, Problem> {
        let Some(elements) = elements(json) else {
            return Err(refuse(at, "`and` and `or` take an array of conditions"));
        };
        elements
            .into_iter()
            .map(|element| self.conditions(table, element, at, depth + 1))
            .collect()
    }

    fn condition(
        &self,
        table: usize,
        name: &str,
        value: &str,
        at: &Place,
        depth: usize,
    ) -> Result<Predicate, Problem> {
        let definition = &self.catalog.tables[table];
        let bare = name
            .strip_prefix('"')
            .and_then(|name| name.strip_suffix('"'))
            .filter(|_| definition.find(name).is_none())
            .map(|name| name.replace("\"\"", "\""));
        let name = bare.as_deref().unwrap_or(name);
        if let Some(column) = self.rules.column(definition, name) {
            let ty = &definition.columns[column].ty;
            return self.on_column(table, name, ty, value, at);
        }
        if definition.relation(name).is_some() {
            return self.on_relation(table, name, value, at, depth);
        }
        Err(refuse(
            at,
            format!(
                "`{}` has no column or relation `{}`",
                brief(&definition.name),
                brief(name)
            ),
        ))
    }

    fn on_column(
        &self,
        table: usize,
        name: &str,
        ty: &Type,
        value: &str,
        at: &Place,
    ) -> Result<Predicate, Problem> {
        let Some(tests) = members(value) else {
            return self.test(table, name, ty, Operator::Eq, value, at);
        };
        let mut all = Vec::with_capacity(tests.len());
        for (operator, value) in tests {
            let Some(operator) = Operator::named(&operator) else {
                let known: Vec<&str> = Operator::ALL.iter().map(|(name, _)| *name).collect();
                return Err(refuse(
                    at,
                    format!(
                        "`{}` is no operator; there are {}",
                        brief(&operator),
                        known.join(", ")
                    ),
                ));
            };
            all.push(self.test(table, name, ty, operator, value, at)?);
        }
        Ok(Predicate::And(all))
    }

    fn test(
        &self,
        table: usize,
        name: &str,
        ty: &Type,
        operator: Operator,
        value: &str,
        at: &Place,
    ) -> Result<Predicate, Problem> {
        let (operator, values) = match (operator, value) {
            (Operator::Eq, "null") => (Operator::Null, Vec::new()),
            (Operator::Neq, "null") => (Operator::NotNull, Vec::new()),
            (operator, list) if operator.takes_list() => {
                let Some(elements) = elements(list) else {
                    let name = operator.name();
                    return Err(refuse(at, format!("`{name}` takes an array")));
                };
                let texts = elements.iter().map(|element| text(ty, operator, element));
                (
                    operator,
                    texts.collect::<Option<Vec<_>>>().ok_or_else(|| {
                        refuse(
                            at,
                            format!("a value for `{}` is not one of its type", brief(name)),
                        )
                    })?,
                )
            }
            (operator, value) => match text(ty, operator, value) {
                Some(text) => (operator, vec![text]),
                None => {
                    return Err(refuse(
                        at,
                        format!("the value for `{}` is not one of its type", brief(name)),
                    ));
                }
            },
        };
        self.compare(table, name, operator, &values, at)
    }

    fn on_relation(
        &self,
        table: usize,
        name: &str,
        value: &str,
        at: &Place,
        depth: usize,
    ) -> Result<Predicate, Problem> {
        let relation = self.relation(table, name, at)?;
        let definition = &self.catalog.tables[table].relations[relation];
        let related = |which, conditions: &str| {
            Ok(Predicate::Related {
                relation,
                which,
                predicate: Box::new(self.conditions(
                    definition.table,
                    conditions,
                    at,
                    depth + 1,
                )?),
            })
        };
        let how_many: Option<Vec<(Which, &str)>> = members(value)
            .filter(|members| !members.is_empty())
            .and_then(|members| {
                members
                    .iter()
                    .map(|(word, conditions)| Some((which(word)?, *conditions)))
                    .collect()
            });
        match how_many {
            None => related(Which::Some, value),
            Some(tests) => Ok(Predicate::And(
                tests
                    .into_iter()
                    .map(|(which, conditions)| related(which, conditions))
                    .collect::<Result<_, Problem>>()?,
            )),
        }
    }
}

fn which(word: &str) -> Option<Which> {
    match word {
        "some" => Some(Which::Some),
        "every" => Some(Which::Every),
        "none" => Some(Which::None),
        _ => None,
    }
}

/// A JSON value as text that the type reads: what is in a string, an array as Postgres spells it; JSON is JSON.
fn text(ty: &Type, operator: Operator, json: &str) -> Option<String> {
    let is_json = matches!(ty.base().oid, oid::JSON | oid::JSONB);
    let is_pattern = matches!(operator, Operator::Like | Operator::Ilike);
    match json.as_bytes().first()? {
        b'"' if is_json && !is_pattern => Some(json.to_owned()),
        b'"' => string_value(json),
        b'[' if ty.base().array => array(json),
        b'[' | b'{' if is_json => Some(json.to_owned()),
        b'[' | b'{' => None,
        _ if json == "null" => None,
        _ => Some(json.to_owned()),
    }
}

fn array(json: &str) -> Option<String> {
    let mut text = "{".to_owned();
    for (at, element) in elements(json)?.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match element.as_bytes().first()? {
            b'[' => text.push_str(&array(element)?),
            b'"' => {
                text.push('"');
                for c in string_value(element)?.chars() {
                    if matches!(c, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(c);
                }
                text.push('"');
            }
            b'{' => return None,
            _ => text.push_str(element),
        }
    }
    text.push('}');
    Some(text)
}

fn refuse(at: &Place, message: impl Into<String>) -> Problem {
    Problem::new(Kind::InvalidParameter).field(at.clone(), message)
}
