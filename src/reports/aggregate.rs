//! From parameters to figures: `dimension=status&measure=total&aggregation=sum&period=monthly`.

use crate::{
    data::{
        catalog::Table,
        plan::{Rules, brief},
        request::{Aggregate, Function, Group, Measure, Page, Period, Ranking},
    },
    listing::{
        parameters::{Parameters, unknown},
        words::{invalid, names},
    },
    problem::Problem,
};

/// The most groups of an answer, and as many as there are if nothing is said.
pub const MOST: u32 = 1000;

/// The most dimensions, and the most measures.
const MOST_NAMES: usize = 8;

/// Figures that were asked for, and how their members are called.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What is asked of the spine.
    pub aggregate: Aggregate,
    /// Members that are dimensions.
    pub dimensions: Vec<String>,
    /// The member that holds a period's first day, if there are periods.
    pub period: Option<String>,
    /// Members that are figures.
    pub measures: Vec<String>,
    /// The parameters as they are understood, by name.
    pub meta: Vec<(&'static str, Option<String>)>,
}

/// Reads the parameters of figures over a view.
///
/// # Errors
/// `invalid-parameter` naming the one that is unknown, given twice, or has a value that it does
/// not take.
pub fn read(
    parameters: &[(String, String)],
    table: &Table,
    rules: &Rules,
) -> Result<Figures, Problem> {
    let mut own = Own::default();
    let mut rows = Vec::new();
    for (name, value) in parameters {
        match name.as_str() {
            "dimension" => once(&mut own.dimension, name, value)?,
            "measure" => once(&mut own.measure, name, value)?,
            "aggregation" => once(&mut own.aggregation, name, value)?,
            "period" => once(&mut own.period, name, value)?,
            "date" => once(&mut own.date, name, value)?,
            "sort" => once(&mut own.sort, name, value)?,
            "limit" => once(&mut own.limit, name, value)?,
            "q" | "since" | "where" | "filter" => rows.push((name.clone(), value.clone())),
            other if other.starts_with("filter[") => rows.push((name.clone(), value.clone())),
            other => return Err(unknown(other)),
        }
    }
    let (list, _) =
        Parameters::read(&rows, true, true)?.list(table.name.clone(), Vec::new(), "")?;
    own.figures(table, rules, list.rows)
}

/// The parameters that only figures have.
#[derive(Default)]
struct Own<'a> {
    dimension: Option<&'a str>,
    measure: Option<&'a str>,
    aggregation: Option<&'a str>,
    period: Option<&'a str>,
    date: Option<&'a str>,
    sort: Option<&'a str>,
    limit: Option<&'a str>,
}

impl Own<'_> {
    fn figures(
        self,
        table: &Table,
        rules: &Rules,
        rows: crate::data::request::Rows,
    ) -> Result<Figures, Problem> {
        let dimensions = columns(self.dimension, "dimension", table, rules)?;
        let measured = columns(self.measure, "measure", table, rules)?;
        let functions = functions(self.aggregation, !measured.is_empty())?;
        // Said and left empty, it takes back what a record says.
        let said = self.period.filter(|text| !text.is_empty());
        let period = said.map(period).transpose()?;
        let date = match period {
            Some(_) => Some(date(self.date, table, rules)?),
            None if self.date.is_some() => {
                return Err(invalid("date", "goes with `period`"));
            }
            None => None,
        };
        let mut groups: Vec<Group> = dimensions
            .iter()
            .map(|column| group(column.clone(), column.clone(), None, "dimension"))
            .collect();
        let mut period_key = None;
        if let Some(date) = &date {
            let key = if dimensions
                .iter()
                .chain(&measured)
                .any(|name| name == "period")
            {
                "period_start"
            } else {
                "period"
            };
            period_key = Some(key.to_owned());
            groups.push(group(key.to_owned(), date.clone(), period, "date"));
        }
        let measures = measures(&measured, &functions, &groups)?;
        let keys = || {
            let groups = groups.iter().map(|group| group.key.as_str());
            groups.chain(measures.iter().map(|measure| measure.key.as_str()))
        };
        let order = ranking(self.sort, keys().collect())?;
        let limit = limit(self.limit)?;
        let joined = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
        let meta = vec![
            ("dimension", joined(&dimensions)),
            ("measure", joined(&measured)),
            (
                "aggregation",
                Some(
                    functions
                        .iter()
                        .map(|f| f.name())
                        .collect::<Vec<_>>()
                        .join(","),
                ),
            ),
            ("period", said.map(str::to_owned)),
            ("date", date),
        ];
        let names = measures.iter().map(|measure| measure.key.clone()).collect();
        Ok(Figures {
            dimensions,
            period: period_key,
            measures: names,
            meta,
            aggregate: Aggregate {
                table: table.name.clone(),
                rows: crate::data::request::Rows {
                    order: Vec::new(),
                    page: Page {
                        limit: Some(limit),
                        ..Page::default()
                    },
                    ..rows
                },
                groups,
                measures,
                order,
            },
        })
    }
}

fn once<'a>(slot: &mut Option<&'a str>, name: &str, value: &'a str) -> Result<(), Problem> {
    match slot.replace(value) {
        Some(_) => Err(invalid(name, "is given twice")),
        None => Ok(()),
    }
}

/// Names of columns, separated by commas; each is there for the caller and named once.
fn columns(
    text: Option<&str>,
    at: &str,
    table: &Table,
    rules: &Rules,
) -> Result<Vec<String>, Problem> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let columns = names(text, at)?;
    if columns.len() > MOST_NAMES {
        return Err(invalid(at, format!("names {MOST_NAMES} columns at most")));
    }
    for (position, column) in columns.iter().enumerate() {
        if rules.column(table, column).is_none() {
            let known: Vec<&str> = (0..table.columns.len())
                .filter(|column| rules.sees_column(table, *column))
                .map(|column| table.columns[column].name.as_str())
                .collect();
            return Err(invalid(
                at,
                format!("`{}` is none of {}", brief(column), known.join(", ")),
            ));
        }
        if columns[..position].contains(column) {
            return Err(invalid(at, format!("names `{}` twice", brief(column))));
        }
    }
    Ok(columns)
}

fn functions(text: Option<&str>, measured: bool) -> Result<Vec<Function>, Problem> {
    let Some(text) = text else {
        return Ok(vec![if measured {
            Function::Sum
        } else {
            Function::Count
        }]);
    };
    let mut functions = Vec::new();
    for name in text.split(',') {
        let function = Function::named(name.trim()).ok_or_else(|| {
            invalid(
                "aggregation",
                format!("`{}` is none of sum, avg, count, min, max", brief(name)),
            )
        })?;
        if !functions.contains(&function) {
            functions.push(function);
        }
    }
    if !measured && functions != [Function::Count] {
        return Err(invalid(
            "measure",
            "is needed for any aggregation but count",
        ));
    }
    Ok(functions)
}

fn period(text: &str) -> Result<Period, Problem> {
    Ok(match text {
        "daily" => Period::Day,
        "weekly" => Period::Week,
        "monthly" => Period::Month,
        "quarterly" => Period::Quarter,
        "yearly" => Period::Year,
        _ => {
            return Err(invalid(
                "period",
                "must be daily, weekly, monthly, quarterly or yearly",
            ));
        }
    })
}

/// The column that periods are made of: the one named, the one called `date`, or the only one.
fn date(named: Option<&str>, table: &Table, rules: &Rules) -> Result<String, Problem> {
    let dates: Vec<&str> = (0..table.columns.len())
        .filter(|column| rules.sees_column(table, *column))
        .map(|column| &table.columns[column])
        .filter(|column| column.ty.is_instant())
        .map(|column| column.name.as_str())
        .collect();
    let list = || dates.join(", ");
    if let Some(named) = named {
        return match dates.iter().find(|known| **known == named) {
            Some(known) => Ok((*known).to_owned()),
            None if dates.is_empty() => Err(invalid("date", "there is no column of dates")),
            None => Err(invalid(
                "date",
                format!("`{}` is none of {}", brief(named), list()),
            )),
        };
    }
    match dates.as_slice() {
        [] => Err(invalid("period", "there is no column of dates")),
        [only] => Ok((*only).to_owned()),
        many if many.contains(&"date") => Ok("date".to_owned()),
        _ => Err(invalid(
            "date",
            format!("is needed, as there are {}", list()),
        )),
    }
}

fn group(key: String, column: String, period: Option<Period>, at: &'static str) -> Group {
    Group {
        key,
        column,
        period,
        at: at.into(),
    }
}

/// A figure is called like its column; if that does not tell it apart, with the aggregation in
/// front.
fn measures(
    columns: &[String],
    functions: &[Function],
    groups: &[Group],
) -> Result<Vec<Measure>, Problem> {
    let measure = |key: String, function: Function, column: Option<String>| Measure {
        key,
        function,
        column,
        distinct: false,
        at: "measure".into(),
    };
    let taken = |key: &str| groups.iter().any(|group| group.key == key);
    if columns.is_empty() {
        let key = if taken("count") {
            "count_rows"
        } else {
            "count"
        };
        return Ok(vec![measure(key.to_owned(), Function::Count, None)]);
    }
    let mut measures: Vec<Measure> = Vec::new();
    for column in columns {
        for function in functions {
            let key = if functions.len() > 1 || taken(column) {
                format!("{}_{column}", function.name())
            } else {
                column.clone()
            };
            if taken(&key) || measures.iter().any(|known| known.key == key) {
                return Err(invalid(
                    "measure",
                    format!("`{}` would be there twice in each row", brief(&key)),
                ));
            }
            measures.push(measure(key, *function, Some(column.clone())));
        }
    }
    Ok(measures)
}

fn ranking(sort: Option<&str>, keys: Vec<&str>) -> Result<Vec<Ranking>, Problem> {
    let mut order = Vec::new();
    let Some(sort) = sort.filter(|text| !text.trim().is_empty()) else {
        return Ok(order);
    };
    for part in crate::listing::words::split(sort, ',') {
        let part = part.trim();
        let (name, descending) = match part.strip_prefix('-') {
            Some(name) => (name, true),
            None => (part, false),
        };
        let key = crate::listing::words::unquote(name, "sort")?;
        if !keys.contains(&key.as_str()) {
            return Err(invalid(
                "sort",
                format!("`{}` is none of {}", brief(&key), keys.join(", ")),
            ));
        }
        order.push(Ranking {
            key,
            descending,
            at: "sort".into(),
        });
    }
    Ok(order)
}

fn limit(text: Option<&str>) -> Result<u32, Problem> {
    let Some(text) = text else { return Ok(MOST) };
    text.parse()
        .ok()
        .filter(|number| (1..=MOST).contains(number) && text.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(|| invalid("limit", format!("must be a whole number from 1 to {MOST}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::catalog::{Column, Generated, Type, types::oid};

    fn table(columns: &[(&str, &str, u32)]) -> Table {
        Table {
            name: "v".to_owned(),
            columns: columns
                .iter()
                .map(|(name, ty, oid)| Column {
                    name: (*name).to_owned(),
                    ty: Type::builtin(ty, *oid),
                    nullable: true,
                    default: None,
                    generated: Generated::No,
                    comment: None,
                })
                .collect(),
            ..Table::default()
        }
    }

    fn invoices() -> Table {
        table(&[
            ("status", "int4", oid::INT4),
            ("total", "numeric", oid::NUMERIC),
            ("date", "date", oid::DATE),
            ("due_date", "date", oid::DATE),
            ("period", "text", oid::TEXT),
        ])
    }

    fn figures(query: &str) -> Result<Figures, Problem> {
        let parameters = crate::listing::parameters::parameters(query)?;
        read(&parameters, &invoices(), &Rules::default())
    }

    #[test]
    fn the_document_s_example_is_understood() {
        let figures =
            figures("dimension=status&measure=total&aggregation=sum&period=monthly").unwrap();
        assert_eq!(figures.dimensions, ["status"]);
        assert_eq!(figures.period.as_deref(), Some("period"));
        assert_eq!(figures.measures, ["total"]);
        let groups = &figures.aggregate.groups;
        assert_eq!((groups.len(), groups[1].column.as_str()), (2, "date"));
        assert_eq!(groups[1].period, Some(Period::Month));
    }

    #[test]
    fn members_never_collide() {
        let several = figures("measure=total,status&aggregation=sum,avg").unwrap();
        assert_eq!(
            several.measures,
            ["sum_total", "avg_total", "sum_status", "avg_status"]
        );
        let same = figures("dimension=status&measure=status&aggregation=count").unwrap();
        assert_eq!(same.measures, ["count_status"]);
        let period = figures("dimension=period&period=yearly").unwrap();
        assert_eq!(period.period.as_deref(), Some("period_start"));
        assert_eq!(figures("").unwrap().measures, ["count"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, at) in [
            ("dimension=nope", "dimension"),
            ("dimension=status,status", "dimension"),
            ("measure=nope", "measure"),
            ("measure=total&aggregation=median", "aggregation"),
            ("measure=total&aggregation=", "aggregation"),
            ("aggregation=sum", "measure"),
            ("period=hourly", "period"),
            ("date=date", "date"),
            ("period=daily&date=total", "date"),
            ("period=daily&period=weekly", "period"),
            ("sort=nope", "sort"),
            ("sort=-", "sort"),
            ("limit=0", "limit"),
            ("limit=+5", "limit"),
            ("limit=1001", "limit"),
            ("filter=status", "filter"),
            ("page=1", "page"),
            ("include=x", "include"),
            ("fields=status", "fields"),
            ("nonsense=1", "nonsense"),
        ] {
            let problem = figures(query).unwrap_err();
            assert!(problem.errors.contains_key(at), "{query}: {problem:?}");
        }
        let without = table(&[("a", "int4", oid::INT4)]);
        let period = [("period".to_owned(), "daily".to_owned())];
        assert!(read(&period, &without, &Rules::default()).is_err());
        let two = table(&[("a", "date", oid::DATE), ("b", "date", oid::DATE)]);
        let problem = read(&period, &two, &Rules::default()).unwrap_err();
        assert!(problem.errors["date"][0].contains("a, b"));
    }
}
