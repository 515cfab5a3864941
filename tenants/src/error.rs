//! The one error type of this crate: what a caller has to tell apart, with Postgres' own words kept as source.

use std::{error::Error as _, io, time::Duration};

use tokio_postgres::error::{DbError, SqlState};

/// Why a piece of tenant work was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server can't be reached, or went away in the middle.
    #[error("the tenants database can't be reached")]
    Unreachable {
        /// What the driver saw; none when it took too long to answer.
        source: Option<tokio_postgres::Error>,
    },
    /// The server is there and refuses to log this role in.
    #[error("the tenants database refuses to log {role} in")]
    Refused {
        /// The role that tried.
        role: String,
        /// The server's refusal.
        source: tokio_postgres::Error,
    },
    /// No connection became free in time.
    #[error("no connection became free in time")]
    Busy,
    /// The work took longer than it may; it was cancelled and its connection thrown away.
    #[error("cancelled after {} s", limit.as_secs_f32())]
    Timeout {
        /// How long it was allowed to take.
        limit: Duration,
    },
    /// The tenants were closed; the server is stopping.
    #[error("closed")]
    Closed,
    /// Postgres refused the statement.
    #[error("the statement failed")]
    Sql(#[source] tokio_postgres::Error),
    /// The server or the platform's role lacks something without which nothing works.
    #[error("{0}")]
    Unfit(String),
}

impl Error {
    /// Postgres' own report, where the server sent one.
    pub fn db(&self) -> Option<&DbError> {
        match self {
            Self::Unreachable { source } => source.as_ref()?.as_db_error(),
            Self::Refused { source, .. } | Self::Sql(source) => source.as_db_error(),
            _ => None,
        }
    }

    /// SQLSTATE of Postgres' report.
    pub fn state(&self) -> Option<&SqlState> {
        self.db().map(DbError::code)
    }

    /// Whether trying again later, with nothing changed, may help: the server is away, busy or stopping.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy | Self::Closed)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let away = match error.as_db_error() {
            Some(report) => is_away(report.code()),
            None => {
                error.is_closed()
                    || error
                        .source()
                        .is_some_and(|source| source.is::<io::Error>())
            }
        };
        if away {
            Self::Unreachable {
                source: Some(error),
            }
        } else {
            Self::Sql(error)
        }
    }
}

/// Sorts the failure of a login: away, crowded, or refused (which [`crate::Tenants::heal`] may mend).
pub(crate) fn of_login(role: &str, error: tokio_postgres::Error) -> Error {
    match error.code() {
        // Either the role's own limit or the cluster's: somebody has to leave first.
        Some(state) if *state == SqlState::TOO_MANY_CONNECTIONS => Error::Busy,
        Some(state) if !is_away(state) => Error::Refused {
            role: role.to_owned(),
            source: error,
        },
        _ => Error::Unreachable {
            source: Some(error),
        },
    }
}

/// Class 08 is a broken connection; 57P01 to 57P05 are a server that stops, crashes, starts, or drops us.
fn is_away(state: &SqlState) -> bool {
    let code = state.code();
    code.starts_with("08") || code.starts_with("57P")
}
