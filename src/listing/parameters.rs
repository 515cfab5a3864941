//! Parameters of lists: from a query string to what is asked.

use super::words::{decode, invalid, names, split, unquote};
use crate::data::plan::brief;
use crate::data::request::{Count, Filter, Item, List, Operator, Order, Page, Rows};
use crate::problem::Problem;

/// Rows of a page if nothing is said.
pub const PER_PAGE: u32 = 25;

/// The most rows of a page.
pub const MAX_PER_PAGE: u32 = 1000;

/// How deep `include` goes.
const MAX_INCLUDE: usize = 3;

/// How a list was paged, to say where the other pages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// From 1; meaningless under a cursor.
    pub page: u64,
    /// Rows of a page.
    pub per_page: u32,
    /// Whether a cursor was given.
    pub by_cursor: bool,
    /// The other parameters as sent, each with a `&` in front.
    pub others: String,
}

/// The parameters of a query string in order, decoded.
///
/// Those whose names start with `_` are left out, and `token`, which is a credential.
pub fn parameters(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut parameters = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let Some(name) = decode(name, true) else {
            return Err(invalid(
                "query",
                "a parameter's name is not percent-encoded UTF-8",
            ));
        };
        if name.starts_with('_') || name == "token" {
            continue;
        }
        let Some(value) = decode(value, true) else {
            return Err(invalid(&brief(&name), "is not percent-encoded UTF-8"));
        };
        parameters.push((name, value));
    }
    Ok(parameters)
}

/// Refuses any parameter, where an address takes none.
pub fn refuse_all(parameters: &[(String, String)]) -> Result<(), Problem> {
    match parameters.first() {
        Some((name, _)) => Err(unknown(name)),
        None => Ok(()),
    }
}

/// Parameters by their meaning, not yet looked at closely.
#[derive(Default)]
pub struct Parameters<'a> {
    single: Vec<(&'a str, &'a str)>,
    filters: Vec<Filter>,
    fields: Vec<(Vec<String>, Vec<String>)>,
}

/// What may be said of a list besides `filter`, `where` and `fields`.
const OF_LISTS: [&str; 8] = [
    "page", "per_page", "sort", "include", "q", "since", "cursor", "count",
];

impl<'a> Parameters<'a> {
    /// Sorts parameters out; `reads` tells a read from a write, `many` a list from one row.
    ///
    /// # Errors
    /// `invalid-parameter` naming one that the call does not take, or whose value can't be read.
    pub fn read(
        parameters: &'a [(String, String)],
        reads: bool,
        many: bool,
    ) -> Result<Self, Problem> {
        let mut read = Self::default();
        for (name, value) in parameters {
            let bracket = name
                .split_once('[')
                .and_then(|(head, rest)| Some((head, rest.strip_suffix(']')?)));
            match (name.as_str(), bracket) {
                ("fields", _) => read.fields(Vec::new(), name, value)?,
                (_, Some(("fields", path))) => {
                    let path = include_path(path, name)?;
                    read.fields(path, name, value)?;
                }
                ("filter", _) if reads && many => read.filters.push(simple_filter(value)?),
                (_, Some(("filter", column))) if reads && many => {
                    read.filters.push(bracket_filter(column, name, value)?);
                }
                ("where", _) if reads && many => {
                    read.once(name, value)?;
                    read.filters.push(Filter::Json {
                        json: value.clone(),
                        at: "where".into(),
                    });
                }
                ("include", _) => read.once(name, value)?,
                ("on_conflict", _) if !reads && many => read.once(name, value)?,
                (known, _) if reads && many && OF_LISTS.contains(&known) => {
                    read.once(name, value)?;
                }
                _ => return Err(unknown(name)),
            }
        }
        Ok(read)
    }

    fn once(&mut self, name: &'a str, value: &'a str) -> Result<(), Problem> {
        if self.get(name).is_some() {
            return Err(invalid(name, "is given twice"));
        }
        self.single.push((name, value));
        Ok(())
    }

    fn fields(&mut self, path: Vec<String>, name: &str, value: &str) -> Result<(), Problem> {
        if self.fields.iter().any(|(known, _)| *known == path) {
            return Err(invalid(name, "is given twice"));
        }
        self.fields.push((path, names(value, name)?));
        Ok(())
    }

    /// The value of one that comes once.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.single
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    /// What rows show: `fields`, and what `include` adds with fields of its own.
    pub fn select(&self) -> Result<Vec<Item>, Problem> {
        let mut paths = Vec::new();
        if let Some(include) = self.get("include") {
            for part in split(include, ',') {
                paths.push(include_path(part, "include")?);
            }
        }
        for (path, _) in &self.fields {
            if !path.is_empty() && !paths.iter().any(|known| known.starts_with(path)) {
                return Err(invalid(
                    &format!("fields[{}]", path.join(".")),
                    "is not included; name it in `include`",
                ));
            }
        }
        Ok(self.items(&[], &paths))
    }

    fn items(&self, at: &[String], paths: &[Vec<String>]) -> Vec<Item> {
        let fields = self.fields.iter().find(|(path, _)| path == at);
        let mut items = match fields {
            None => vec![Item::All],
            Some((path, columns)) => {
                let place = if path.is_empty() {
                    "fields".to_owned()
                } else {
                    format!("fields[{}]", path.join("."))
                };
                columns
                    .iter()
                    .map(|column| Item::Column {
                        key: None,
                        column: column.clone(),
                        at: place.clone().into(),
                    })
                    .collect()
            }
        };
        let mut done: Vec<&str> = Vec::new();
        for path in paths.iter().filter(|path| path.starts_with(at)) {
            let Some(relation) = path.get(at.len()) else {
                continue;
            };
            if done.contains(&relation.as_str()) {
                continue;
            }
            done.push(relation);
            let mut below = at.to_vec();
            below.push(relation.clone());
            items.push(Item::Related {
                key: relation.clone(),
                relation: relation.clone(),
                select: self.items(&below, paths),
                rows: Box::new(Rows {
                    page: Page {
                        limit: Some(MAX_PER_PAGE),
                        ..Page::default()
                    },
                    ..Rows::default()
                }),
                at: "include".into(),
            });
        }
        items
    }

    /// The list that is asked for, and how it is paged.
    pub fn list(
        self,
        table: String,
        select: Vec<Item>,
        query: &str,
    ) -> Result<(List, Paging), Problem> {
        let page = self.number("page", 1, u64::MAX / 1024)?.unwrap_or(1);
        let per_page = self.number("per_page", 1, MAX_PER_PAGE.into())?;
        let per_page = per_page
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(PER_PAGE);
        let cursor = self.get("cursor");
        if cursor.is_some() && self.get("page").is_some() {
            return Err(invalid("cursor", "goes without `page`"));
        }
        let count = match self.get("count") {
            None | Some("exact") => Count::Exact,
            Some("planned") => Count::Planned,
            Some("none") => Count::None,
            Some(_) => return Err(invalid("count", "must be exact, planned or none")),
        };
        let order = match self.get("sort") {
            None => Vec::new(),
            Some(text) => sort(text)?,
        };
        let rows = Rows {
            search: self.get("q").map(str::to_owned),
            since: self.get("since").map(str::to_owned),
            order,
            page: Page {
                limit: Some(per_page),
                offset: if cursor.is_some() {
                    0
                } else {
                    (page - 1) * u64::from(per_page)
                },
                cursor: cursor.map(str::to_owned),
            },
            filter: (!self.filters.is_empty()).then_some(Filter::And(self.filters)),
        };
        let paging = Paging {
            page,
            per_page,
            by_cursor: cursor.is_some(),
            others: others(query),
        };
        let list = List {
            table,
            select,
            rows,
            count,
        };
        Ok((list, paging))
    }

    fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(number) if digits && (least..=most).contains(&number) => Ok(Some(number)),
            _ if most > u64::from(u32::MAX) => Err(invalid(
                name,
                format!("must be a whole number from {least}"),
            )),
            _ => Err(invalid(
                name,
                format!("must be a whole number from {least} to {most}"),
            )),
        }
    }
}

/// `status:1`, `total.gte:1000`, `"odd name":"a value"`.
fn simple_filter(text: &str) -> Result<Filter, Problem> {
    let parts = split(text, ':');
    let [name, _, ..] = parts.as_slice() else {
        return Err(invalid(
            "filter",
            "must be `column:value` or `column.operator:value`",
        ));
    };
    let value = &text[name.len() + 1..];
    comparison(name, value, "filter")
}

/// `filter[total.gte]=1000`
fn bracket_filter(column: &str, at: &str, value: &str) -> Result<Filter, Problem> {
    comparison(column, value, &brief(at))
}

fn comparison(column: &str, value: &str, at: &str) -> Result<Filter, Problem> {
    let parts = split(column, '.');
    let (column, operator) = match parts.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            let known = Operator::named(last.trim());
            let Some(operator) = known else {
                let all: Vec<&str> = Operator::ALL.iter().map(|(name, _)| *name).collect();
                return Err(invalid(
                    at,
                    format!(
                        "`{}` is no operator; there are {}. A name with a point is put in double quotes",
                        brief(last),
                        all.join(", ")
                    ),
                ));
            };
            (&column[..column.len() - last.len() - 1], operator)
        }
        _ => (column, Operator::Eq),
    };
    let column = unquote(column, at)?;
    if column.is_empty() {
        return Err(invalid(at, "names no column"));
    }
    let whole = || {
        if value.trim_start().starts_with('"') {
            unquote(value, at)
        } else {
            Ok(value.to_owned())
        }
    };
    let values = match operator {
        Operator::In | Operator::Nin if value.is_empty() => Vec::new(),
        operator if operator.takes_list() => split(value, ',')
            .into_iter()
            .map(|part| unquote(part, at))
            .collect::<Result<_, Problem>>()?,
        _ => vec![whole()?],
    };
    Ok(Filter::Compare {
        column,
        operator,
        values,
        at: at.to_owned().into(),
    })
}

/// `-total,name`, and `client.company` for a column of a related row.
fn sort(text: &str) -> Result<Vec<Order>, Problem> {
    let mut order = Vec::new();
    for part in split(text, ',') {
        let part = part.trim();
        let (name, descending) = match part.strip_prefix('-') {
            Some(name) => (name, true),
            None => (part, false),
        };
        let mut path = dotted(name, "sort")?;
        let Some(column) = path.pop() else { continue };
        order.push(Order {
            path,
            column,
            descending,
            nulls_first: None,
            at: "sort".into(),
        });
    }
    Ok(order)
}

/// `items.tax`: relations one below the other.
fn include_path(text: &str, at: &str) -> Result<Vec<String>, Problem> {
    let path = dotted(text, at)?;
    if path.len() > MAX_INCLUDE {
        return Err(invalid(
            at,
            format!("goes {MAX_INCLUDE} relations deep at most"),
        ));
    }
    Ok(path)
}

/// Names separated by points; one with a point in it is quoted.
fn dotted(text: &str, at: &str) -> Result<Vec<String>, Problem> {
    let names = split(text, '.')
        .into_iter()
        .map(|name| unquote(name, at))
        .collect::<Result<Vec<String>, Problem>>()?;
    if names.iter().any(String::is_empty) {
        return Err(invalid(at, "a name is missing"));
    }
    Ok(names)
}

/// The parameters that other pages keep, as they were sent.
fn others(query: &str) -> String {
    let mut others = String::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        let name = decode(name, true).unwrap_or_default();
        if !matches!(name.as_str(), "page" | "per_page" | "cursor" | "token") {
            others.push('&');
            others.push_str(part);
        }
    }
    others
}

/// The problem that a parameter is which a call does not take.
pub fn unknown(name: &str) -> Problem {
    invalid(&brief(name), "is no parameter of this call")
}
