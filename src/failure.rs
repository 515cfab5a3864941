//! What a database's failure is to a client: out of reach, too slow, or our fault.

use sea_orm::{DbErr, RuntimeErr, sqlx};
use tokio_postgres::error::SqlState;

use crate::problem::{Kind, Problem};

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        if is_out_of_reach(&error) {
            unavailable().because(error)
        } else {
            Problem::new(Kind::InternalError).because(error)
        }
    }
}

/// For statements of the server's own making; what a tenant's data can cause is sorted
/// where the statement is known.
impl From<tenants::Error> for Problem {
    fn from(error: tenants::Error) -> Self {
        let problem = match &error {
            tenants::Error::Timeout { .. } => Problem::new(Kind::RequestTimeout),
            tenants::Error::Sql(_) => match error.state() {
                Some(state) if *state == SqlState::QUERY_CANCELED => {
                    Problem::new(Kind::RequestTimeout)
                }
                Some(state) if state.code().starts_with("53") => unavailable(),
                _ => Problem::new(Kind::InternalError),
            },
            tenants::Error::Unfit(_) => Problem::new(Kind::InternalError),
            _ => unavailable(),
        };
        problem.because(error)
    }
}

fn unavailable() -> Problem {
    Problem::new(Kind::ServiceUnavailable).header("retry-after", "1")
}

/// Whether the server, rather than the statement, is what failed.
fn is_out_of_reach(error: &DbErr) -> bool {
    let runtime = match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return true,
        DbErr::Exec(runtime) | DbErr::Query(runtime) => runtime,
        _ => return false,
    };
    let RuntimeErr::SqlxError(error) = runtime else {
        return false;
    };
    match &**error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        // Class 08: connection; 57P: shut down by the operator; 53: out of resources; 55P03: locked for too long.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "57P", "53", "55P03"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}
