//! What Postgres says of a statement, told to whoever wrote it.
//!
//! The one place where Postgres' own words are passed on: the statement is the caller's, and so
//! is everything that their role can see. Its detail and context are not, since they may speak of
//! objects that the statement did not name.

use tenants::Error;
use tokio_postgres::error::{DbError, ErrorPosition};

use crate::{
    data::{plan::brief, sqlstate},
    problem::{Kind, Problem},
};

/// Why a statement has no outcome.
#[derive(Debug)]
pub enum Failure {
    /// It can't be run as it was sent.
    Refused(Problem),
    /// Postgres refused it, or is out of reach.
    Database(Error),
}

/// The most characters of Postgres' words that are passed on.
const MOST: usize = 2000;

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Failure {
    /// The problem that it is; `shift` characters of what was run are not the caller's.
    pub fn problem(self, shift: u32) -> Problem {
        let error = match self {
            Self::Refused(problem) => return problem,
            Self::Database(error) => error,
        };
        let (Error::Sql(_), Some(refused)) = (&error, error.db()) else {
            // Out of reach, too slow, no connection free: not for what was asked.
            return error.into();
        };
        told(refused, shift).because(error)
    }
}

fn told(refused: &DbError, shift: u32) -> Problem {
    let code = refused.code().code();
    let refuses = || {
        Problem::new(Kind::BadRequest).detail(format!(
            "PostgreSQL refuses the statement: {}",
            cut(refused.message())
        ))
    };
    let problem = match code.split_at(2) {
        _ if sqlstate::is_raised(refused) => refuses(),
        ("57", "014") => return Kind::RequestTimeout.into(),
        ("53", rest) if rest != "400" => Problem::new(Kind::ServiceUnavailable)
            .detail("The database is short of resources for the moment."),
        ("40", _) | ("55", "P03") => Problem::new(Kind::ServiceUnavailable)
            .detail("The statement collided with others; nothing of it was kept. Try it again."),
        ("25", "001") => Problem::new(Kind::BadRequest).detail(
            "The statement can't run inside a transaction, in which this address runs every statement.",
        ),
        ("42", "601") if refused.message().contains("multiple commands") => {
            Problem::new(Kind::BadRequest)
                .detail("`query` holds more than one statement; send one a request.")
        }
        _ => refuses(),
    };
    let mut problem = problem
        .field("query", cut(refused.message()))
        .member("sqlstate", code);
    if code.starts_with("42")
        && let Some(hint) = refused.hint()
    {
        problem = problem.field("query", cut(hint));
    }
    for (name, value) in [
        ("table", refused.table()),
        ("column", refused.column()),
        ("constraint", refused.constraint()),
    ] {
        if let Some(value) = value {
            problem = problem.member(name, &*brief(value));
        }
    }
    match refused.position() {
        Some(ErrorPosition::Original(position)) if *position > shift => {
            problem.member("position", position - shift)
        }
        _ => problem,
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}
