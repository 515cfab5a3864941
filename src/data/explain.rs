//! What a failure is to the caller: where a value is at fault, found out by trying each.

use super::catalog::Relation;
use super::plan::{Plan, Rules, Step, brief};
use super::run::{self, Failure};
use super::{sql, sqlstate};
use crate::problem::{Kind, Problem};
use tenants::{Error, Lease};

/// The problem that a failed plan is; `alone` if no other writes went with it.
pub async fn explain(
    failure: Failure,
    schema: &str,
    rules: &Rules,
    (plan, alone): (&Plan, bool),
    lease: &Lease,
) -> Problem {
    let error = match failure {
        Failure::TooLarge if !matches!(plan.step, Step::Read(_) | Step::Summarize(_)) => {
            return Problem::new(Kind::BadRequest).detail(format!(
                "The rows that were written are more than {} MB and can't be shown; they may have been kept. Look before \
                 you send it again, and name few `fields`.",
                run::MAX_ANSWER >> 20
            ));
        }
        Failure::TooLarge => {
            return Problem::new(Kind::BadRequest).detail(format!(
                "The rows are more than {} MB; ask for fewer of them, or for fewer columns.",
                run::MAX_ANSWER >> 20
            ));
        }
        Failure::Missed => {
            return match &plan.step {
                Step::Insert(_) => Problem::new(Kind::CreationFailed)
                    .detail("The database took the row and kept nothing of it."),
                _ => no_such_row(plan),
            };
        }
        Failure::LongCursor => {
            return Problem::new(Kind::InvalidParameter).field(
                "cursor",
                "can't hold the values that this order sorts by: they are too long; sort by others, or take `page`",
            );
        }
        Failure::Moved(None) => {
            return Problem::new(Kind::ServiceUnavailable)
                .detail("The table was being changed meanwhile. Try it again.");
        }
        Failure::Moved(Some(error)) | Failure::Database(error) => error,
    };
    if sqlstate::is_misfit(&error) {
        let found = match &plan.step {
            Step::Read(_) | Step::Summarize(_) => misfit_parameters(schema, plan, lease).await,
            _ => misfit_columns(schema, rules, plan, lease).await,
        };
        if let Some(problem) = found {
            return problem.because(error);
        }
    }
    if alone && sqlstate::is_reference(&error) {
        let broken = broken_references(schema, plan, lease).await;
        if !broken.is_empty() {
            return sqlstate::references(&broken, plan, rules).because(error);
        }
    }
    sqlstate::problem(error, plan, rules, schema)
}

/// The relations of a row to others that keep it from being written or deleted.
///
/// Postgres names the one that it looks at first, which follows from the numbers that the copy's constraints happen to have.
async fn broken_references<'a>(schema: &str, plan: &'a Plan, lease: &Lease) -> Vec<&'a Relation> {
    let mut broken = Vec::new();
    for (relations, statement) in sql::references(plan, schema) {
        let found: Option<Vec<bool>> = run::scalar(lease, &statement).await.unwrap_or_default();
        let both = relations.into_iter().zip(found.unwrap_or_default());
        broken.extend(both.filter_map(|(relation, is)| is.then_some(relation)));
    }
    broken
}

async fn misfit_parameters(schema: &str, plan: &Plan, lease: &Lease) -> Option<Problem> {
    let mut problem = Problem::new(Kind::InvalidParameter);
    let statements = sql::statements(plan, schema);
    for bind in statements.iter().flat_map(|statement| &statement.binds) {
        let Some(error) = fault(run::try_bind(lease, bind).await) else {
            continue;
        };
        if &*bind.at == "id" {
            return Some(no_such_row(plan));
        }
        let value = bind.value.as_deref().unwrap_or_default();
        let message = format!(
            "`{}` {}",
            brief(value),
            misfit(&error, &type_of(&bind.cast))
        );
        let known = problem.errors.get(&*bind.at);
        if known.is_none_or(|messages| !messages.contains(&message)) {
            problem = problem.field(bind.at.clone(), message);
        }
    }
    (!problem.errors.is_empty()).then_some(problem)
}

async fn misfit_columns(
    schema: &str,
    rules: &Rules,
    plan: &Plan,
    lease: &Lease,
) -> Option<Problem> {
    let table = &plan.catalog.tables[plan.table];
    // The key of an update or delete is a parameter of its own.
    let statements = sql::statements(plan, schema);
    for bind in statements.iter().flat_map(|statement| &statement.binds) {
        if &*bind.at == "id" && fault(run::try_bind(lease, bind).await).is_some() {
            return Some(no_such_row(plan));
        }
    }
    let mut problem = Problem::new(Kind::ValidationFailed);
    for (position, probe) in sql::probes(plan, schema) {
        let column = &table.columns[position];
        let name = rules.public_name(&table.name, &column.name);
        if problem.errors.contains_key(name) {
            continue;
        }
        if let Some(error) = fault(run::scalar::<i64>(lease, &probe).await) {
            problem = problem.field(name, misfit(&error, &column.ty.shown));
        }
    }
    (!problem.errors.is_empty()).then_some(problem)
}

/// The last name of the type that a value is turned into.
fn type_of(cast: &str) -> String {
    let name = cast.rsplit("::").next().unwrap_or(cast);
    name.rsplit('.').next().unwrap_or(name).replace('"', "")
}

/// The error of a trial, if it says something of the value: others come from elsewhere.
fn fault<T>(tried: Result<T, Error>) -> Option<Error> {
    tried.err().filter(sqlstate::is_misfit)
}

/// No row can have a key that its column can't hold.
fn no_such_row(plan: &Plan) -> Problem {
    let table = &plan.catalog.tables[plan.table].name;
    Problem::new(Kind::NotFound).detail(format!("`{}` has no such row.", brief(table)))
}

/// What is wrong with a value, to follow its name.
fn misfit(error: &Error, what: &str) -> String {
    match error.state().map(tokio_postgres::error::SqlState::code) {
        Some("22001") => format!("is too long for {what}"),
        Some("22003") => format!("is out of range for {what}"),
        Some("22007" | "22008") => {
            format!("is no valid {what}, or out of its range; it is read as in ISO 8601")
        }
        Some("23514") => format!("is outside of what {what} allows"),
        Some("22P05") => "holds a character that can't be stored".to_owned(),
        _ => format!("is no valid {what}"),
    }
}
