//! One escape is one row: its name, what a tenant would gain, and how it is tried.

use futures_util::future::BoxFuture;
use serde_json::json;
use tokio_postgres::error::SqlState;

use super::{Verdict, life, outside, resources, stage::Stage, statements, traps};

/// A way out of a tenant's walls.
pub struct Escape {
    /// Short name, the same in every run.
    pub name: &'static str,
    /// What a tenant would gain.
    pub what: &'static str,
    /// How it is tried.
    pub how: How,
    /// A word of the weakness that opens it, where the database server's owner has to close it.
    pub excuse: Option<&'static str>,
}

/// How an escape is tried.
pub enum How {
    /// SQL that has to be refused, piece by piece.
    Refused(&'static [&'static str]),
    /// SQL that may do what it likes, so long as the victim's secret can't be read afterwards.
    Ways(&'static [&'static str]),
    /// Hostile code that lies in the attacker's schema until a statement sets it off.
    Trap(traps::Trap),
    /// Anything else.
    Probe(Probe),
    /// Not tried: it is known to be open, for a reason.
    Known(&'static str),
    /// Tried when everything else is over.
    Last,
}

/// An escape that takes more than SQL.
pub type Probe = for<'a> fn(&'a Stage<'a>) -> BoxFuture<'a, anyhow::Result<Verdict>>;

/// SQLSTATEs of "you may not", "there is no such thing for you" and "not here".
const REFUSALS: [&str; 10] = [
    "55P02", "42501", "3F000", "42P01", "42883", "42704", "0A000", "55000", "22023", "28000",
];

/// Most of what speaks against a wall that a verdict shows.
const SHOWN: usize = 4;

/// Reads what the victim alone may read.
pub const READ: &str = "select string_agg(word, ',') from {victim}.check_secret";

/// All of them.
pub fn all() -> impl Iterator<Item = Escape> {
    (statements::ESCAPES.into_iter())
        .chain(traps::ESCAPES)
        .chain(outside::ESCAPES)
        .chain(life::ESCAPES)
        .chain(resources::ESCAPES)
}

impl Escape {
    /// Tries it.
    ///
    /// # Errors
    /// When it could not be tried.
    pub async fn attempt(&self, stage: &Stage<'_>) -> anyhow::Result<Verdict> {
        match &self.how {
            How::Refused(statements) => refused(stage, statements).await,
            How::Ways(ways) => reads_nothing(stage, ways).await,
            How::Trap(trap) => trap.spring(stage).await,
            How::Probe(probe) => probe(stage).await,
            How::Known(reason) => Ok(Verdict::Open((*reason).to_owned())),
            How::Last => Ok(Verdict::Held),
        }
    }
}

async fn refused(stage: &Stage<'_>, statements: &[&str]) -> anyhow::Result<Verdict> {
    let mut done = Vec::new();
    let mut session = stage.attack().await?;
    for sql in statements {
        let sql = stage.fill(sql);
        if session.client().is_closed() {
            session = stage.attack().await?;
        }
        let mut outcome = session.work(&sql).await.map(drop);
        if outcome
            .as_ref()
            .is_err_and(|error| error.code() == Some(&SqlState::ACTIVE_SQL_TRANSACTION))
        {
            outcome = session.client().batch_execute(&sql).await;
        }
        match outcome {
            Ok(()) => done.push(format!("done: {sql}")),
            Err(error) => {
                let state = error.code().map_or("", |state| state.code());
                if !REFUSALS.contains(&state) {
                    done.push(format!("not refused but failed ({error}, {state}): {sql}"));
                }
            }
        }
        if stage.has_sql {
            let answer = stage
                .attacker
                .caller
                .post("/api/v1/sql", &json!({"query": sql}))
                .await?;
            if answer.status < 400 {
                done.push(format!("done by POST /api/v1/sql: {sql}"));
            }
        }
    }
    Ok(verdict(done))
}

async fn reads_nothing(stage: &Stage<'_>, ways: &[&str]) -> anyhow::Result<Verdict> {
    let read = stage.fill(READ);
    let mut found = Vec::new();
    for way in ways {
        let way = stage.fill(way);
        let session = stage.attack().await?;
        // In the same text, in the same transaction, and in whatever comes next on the connection.
        for sql in [format!("{way}; {read}"), way.clone(), read.clone()] {
            if let Ok(given) = session.work(&sql).await
                && given.iter().any(|value| value.contains(&stage.secret))
            {
                found.push(format!("the victim's row was read by: {sql}"));
            }
        }
        if stage.has_sql {
            for query in [&way, &read] {
                let answer = stage
                    .attacker
                    .caller
                    .post("/api/v1/sql", &json!({"query": query}))
                    .await?;
                if answer.text().contains(&stage.secret) {
                    found.push(format!(
                        "the victim's row was read by POST /api/v1/sql: {query}"
                    ));
                }
            }
        }
    }
    Ok(verdict(found))
}

/// Held if nothing speaks against it.
pub fn verdict(against: Vec<String>) -> Verdict {
    let shown = against.len().min(SHOWN);
    let mut seen = against[..shown].join("; ");
    if against.len() > shown {
        seen += &format!("; and {} more", against.len() - shown);
    }
    if against.is_empty() {
        Verdict::Held
    } else {
        Verdict::Broken(seen)
    }
}
