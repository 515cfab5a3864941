//! What Postgres refuses, in our words: the one table from SQLSTATE to problem.
//!
//! No text of Postgres' is passed on, with one exception: what a tenant's own trigger or function
//! says by `raise`. Constraints are looked up in the catalog by name, so nothing is said of
//! tables that the caller does not see.

use super::catalog::{Catalog, Generated, Relation, Table};
use super::plan::{Plan, Rules, Step, brief};
use crate::problem::{Kind, Problem};
use tenants::Error;
use tokio_postgres::error::DbError;

/// Whether a failure may come from a schema that changed after the plan was made.
pub fn is_moved(error: &Error) -> bool {
    let Some(refused) = error.db() else {
        return false;
    };
    match refused.code().code() {
        // Undefined table, column, type or function, wrong types, unknown statement or schema.
        "42P01" | "42703" | "42704" | "42883" | "42804" | "26000" | "3F000" => true,
        "0A000" => refused.message().contains("cached plan"),
        // A table dropped while it was being opened.
        "XX000" => true,
        _ => false,
    }
}

/// Whether a value may not have fitted its type, so that probing may tell which.
///
/// Some types' input functions complain of syntax, of names that do not exist or of limits.
pub fn is_misfit(error: &Error) -> bool {
    error.db().is_some_and(|refused| {
        match refused.code().code().split_at(2) {
            ("42", "501") => false,
            ("22" | "42" | "54" | "0A", _) => true,
            // A domain's check is of class 23 and names no table.
            ("23", "514") => refused.table().is_none(),
            _ => false,
        }
    })
}

/// Whether a function's own `raise` said so, under whatever code.
pub fn is_raised(refused: &DbError) -> bool {
    refused.code().code() == "P0001" || refused.routine() == Some("exec_stmt_raise")
}

/// Whether a reference between rows would break.
pub fn is_reference(error: &Error) -> bool {
    error
        .db()
        .is_some_and(|refused| refused.code().code() == "23503")
}

/// The problem that a failure of a plan is to its caller.
pub fn problem(error: Error, plan: &Plan, rules: &Rules, schema: &str) -> Problem {
    let (Error::Sql(_), Some(refused)) = (&error, error.db()) else {
        // Out of reach, too slow, no connection free: not for what was asked.
        return error.into();
    };
    let answer = match refused.code().code().split_at(2) {
        _ if is_raised(refused) => other(refused, plan),
        ("23", _) => constraint(refused, plan, rules, schema),
        ("57", "014") => Kind::RequestTimeout.into(),
        ("08" | "57", _) => Problem::new(Kind::ServiceUnavailable)
            .detail("The database is out of reach for the moment."),
        ("40", _) | ("55", "P03") => Problem::new(Kind::ServiceUnavailable)
            .detail("The request collided with others; nothing of it was kept. Try it again."),
        ("53", "400") => Problem::new(Kind::BadRequest)
            .detail("The request needs more temporary space than one tenant may use."),
        ("53", _) => Problem::new(Kind::ServiceUnavailable)
            .detail("The database is short of resources for the moment."),
        ("25", "006") => Problem::new(Kind::PermissionDenied)
            .detail("The request would write, by way of a function, and the caller may only read."),
        ("42", "501") => Problem::new(Kind::Forbidden)
            .detail("The database denies this: a right is missing, or a row policy forbids it."),
        ("55", "000") if !plan.is_read() => {
            Problem::new(Kind::Forbidden).detail("The resource takes no such writes.")
        }
        _ => other(refused, plan),
    };
    answer.because(error)
}

impl Plan {
    fn is_read(&self) -> bool {
        matches!(self.step, Step::Read(_) | Step::Summarize(_))
    }

    /// The row of the catalogue for a write that a rule of the table refuses.
    fn refused(&self) -> Kind {
        match self.step {
            Step::Insert(_) => Kind::CreationFailed,
            Step::Update(_) => Kind::UpdateFailed,
            Step::Delete(_) => Kind::DeletionFailed,
            Step::Read(_) => Kind::BadRequest,
            Step::Summarize(_) => Kind::AggregationError,
        }
    }

    fn definition(&self) -> &Table {
        &self.catalog.tables[self.table]
    }

    /// Positions of the columns that the client gave.
    fn given(&self) -> Vec<usize> {
        match &self.step {
            Step::Insert(insert) => insert
                .runs
                .iter()
                .flat_map(|run| run.columns.clone())
                .collect(),
            Step::Update(update) => update.set.columns.clone(),
            _ => Vec::new(),
        }
    }
}

/// Anything without a row of its own: code of the tenant's that failed, most likely.
fn other(refused: &DbError, plan: &Plan) -> Problem {
    let name = brief(&plan.definition().name);
    let raised = is_raised(refused);
    let said = if raised {
        format!(": {}", brief(refused.message()))
    } else {
        format!(" (SQLSTATE {})", refused.code().code())
    };
    if !plan.is_read() {
        return Problem::new(plan.refused()).detail(if raised {
            format!("A trigger or function refused it{said}")
        } else {
            format!("A trigger, rule or expression of `{name}` failed{said}.")
        });
    }
    if matches!(plan.step, Step::Summarize(_)) {
        return Problem::new(Kind::AggregationError).detail(format!(
            "The aggregate over `{name}` failed in the database{said}."
        ));
    }
    if plan.definition().kind.is_view() {
        return Problem::new(Kind::ViewExecutionError)
            .detail(format!("The view `{name}` failed in the database{said}."));
    }
    Problem::new(Kind::BadRequest).detail(format!(
        "Reading `{name}` failed in the database{said}; a value asked for, a row policy or an expression may be at fault."
    ))
}

fn constraint(refused: &DbError, plan: &Plan, rules: &Rules, schema: &str) -> Problem {
    let catalog = &plan.catalog;
    let own = refused.schema() == Some(schema);
    let table = refused
        .table()
        .filter(|_| own)
        .and_then(|name| catalog.table(name));
    let name = refused.constraint().unwrap_or("");
    match (refused.code().code(), table) {
        ("23502", Some(table)) if same(table, plan) => missing(refused, plan, rules),
        ("23505" | "23P01", Some(table)) if same(table, plan) => unique(table, name, plan, rules),
        ("23503", Some(table)) => foreign_key(table, name, plan, rules),
        ("23514", Some(table)) if same(table, plan) => check(table, name, plan, rules),
        ("23514", None) => {
            Problem::new(plan.refused()).detail("A value is outside of what its domain allows.")
        }
        _ => Problem::new(plan.refused())
            .detail("A rule of another table, reached by a trigger, refused it."),
    }
}

fn same(table: &Table, plan: &Plan) -> bool {
    let own = plan.definition();
    // A view or a partitioned table passes its writes on, and the rule is that of the table below.
    table.name == own.name
        || own.kind.is_view()
        || own.kind == super::catalog::TableKind::Partitioned
}

/// Names all columns that lack a value, where it is certain that nothing else fills them.
fn missing(refused: &DbError, plan: &Plan, rules: &Rules) -> Problem {
    let table = plan.definition();
    let message = "must have a value";
    let mut problem =
        Problem::new(plan.refused()).detail("A column that must have a value has none.");
    if let Some(column) = refused.column() {
        problem = problem.field(rules.public_name(&table.name, column), message);
    }
    let Step::Insert(insert) = &plan.step else {
        return problem;
    };
    if table.filled_in {
        return problem;
    }
    for (at, column) in table.columns.iter().enumerate() {
        let left_out = insert.runs.iter().any(|run| !run.columns.contains(&at));
        let name = rules.public_name(&table.name, &column.name);
        if left_out && !column.is_optional() && !problem.errors.contains_key(name) {
            problem = problem.field(name, message);
        }
    }
    problem
}

fn unique(table: &Table, name: &str, plan: &Plan, rules: &Rules) -> Problem {
    let columns = table
        .uniques
        .iter()
        .find(|unique| unique.name == name)
        .map(|unique| match unique.inside.as_slice() {
            [] => unique.columns.as_slice(),
            inside => inside,
        })
        .or_else(|| {
            let check = table.checks.iter().find(|check| check.name == name)?;
            Some(check.columns.as_slice())
        })
        .unwrap_or_default();
    let message = match columns {
        [_] => "is taken by another row",
        _ => "is, together with the others named, taken by another row",
    };
    named(
        Problem::new(plan.refused())
            .detail("Another row has these values, and they must be unique."),
        table,
        columns,
        message,
        rules,
    )
}

fn check(table: &Table, name: &str, plan: &Plan, rules: &Rules) -> Problem {
    let found = table.checks.iter().find(|check| check.name == name);
    let (columns, rule) = found.map_or((&[][..], ""), |check| {
        (check.columns.as_slice(), check.definition.as_str())
    });
    named(
        Problem::new(plan.refused()).detail(format!(
            "The row breaks the rule `{}` of `{}`.",
            brief(name),
            brief(&table.name)
        )),
        table,
        columns,
        &format!("breaks the rule {rule}"),
        rules,
    )
}

/// A key that refers to nothing, or a row that is still referred to.
fn foreign_key(table: &Table, name: &str, plan: &Plan, rules: &Rules) -> Problem {
    let catalog: &Catalog = &plan.catalog;
    let Some(key) = table.foreign_keys.iter().find(|key| key.name == name) else {
        return Problem::new(plan.refused()).detail("A reference between tables would break.");
    };
    let target = &catalog.tables[key.table];
    let given = plan.given();
    let referring = !matches!(plan.step, Step::Delete(_))
        && same(table, plan)
        && (table.name != target.name
            || matches!(plan.step, Step::Insert(_))
            || key.columns.iter().any(|column| given.contains(column)));
    if referring {
        let to = shown(target, rules);
        let problem = Problem::new(plan.refused()).detail(leads_nowhere(&to));
        return named(problem, table, &key.columns, &refers_to_none(&to), rules);
    }
    let by = shown(table, rules);
    let problem = Problem::new(plan.refused()).detail(still_refer(&by));
    if same(target, plan) {
        let message = is_referred_to(&by);
        return named(problem, target, &key.referred, &message, rules);
    }
    problem
}

/// The problem that these relations of the row that is written or deleted would break, all of them named.
pub fn references(broken: &[&Relation], plan: &Plan, rules: &Rules) -> Problem {
    let mut broken: Vec<(String, &[usize])> = broken
        .iter()
        .map(|one| {
            let other = shown(&plan.catalog.tables[one.table], rules);
            (other, one.here.as_slice())
        })
        .collect();
    broken.sort();
    broken.dedup();
    let deletes = matches!(plan.step, Step::Delete(_));
    let mut problem = Problem::new(plan.refused());
    for (other, columns) in &broken {
        let message = if deletes {
            is_referred_to(other)
        } else {
            refers_to_none(other)
        };
        problem = named(problem, plan.definition(), columns, &message, rules);
    }
    let mut others: Vec<String> = broken.into_iter().map(|(other, _)| other).collect();
    others.dedup();
    let others = others.join(", ");
    problem.detail(if deletes {
        still_refer(&others)
    } else {
        leads_nowhere(&others)
    })
}

fn still_refer(by: &str) -> String {
    format!("Rows of {by} still refer to this row.")
}

fn is_referred_to(by: &str) -> String {
    format!("is still referred to by rows of {by}")
}

fn leads_nowhere(to: &str) -> String {
    format!("A reference to {to} leads to no row.")
}

fn refers_to_none(to: &str) -> String {
    format!("refers to no row of {to}")
}

/// A table's name, if the caller may know of it.
fn shown(table: &Table, rules: &Rules) -> String {
    if rules.sees(table) {
        format!("`{}`", brief(&table.name))
    } else {
        "another table".to_owned()
    }
}

/// The column, or those that it is computed from, which are what a client can change.
fn settable(table: &Table, column: usize) -> Vec<usize> {
    let computed = &table.columns[column];
    let expression = match (&computed.generated, &computed.default) {
        (Generated::Stored, Some(expression)) => expression,
        _ => return vec![column],
    };
    let words: Vec<&str> = expression
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let from = (0..table.columns.len()).filter(|at| words.contains(&&*table.columns[*at].name));
    from.collect()
}

fn named(
    mut problem: Problem,
    table: &Table,
    columns: &[usize],
    message: &str,
    rules: &Rules,
) -> Problem {
    for column in columns.iter().flat_map(|column| settable(table, *column)) {
        let name = &table.columns[column].name;
        if rules.sees_column(table, column) || rules.public_name(&table.name, name) != name {
            problem = problem.field(rules.public_name(&table.name, name), message);
        }
    }
    problem
}
