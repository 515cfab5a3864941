//! The one place of the spine that talks to Postgres for rows.
//!
//! A transaction is sent as a whole, its end included, before the first answer is awaited: that
//! saves round trips, and a request that is dropped half way leaves no transaction open.

use super::rows::{Format, Layout, Written};
use super::sql::{Bind, Statement};
use bytes::BytesMut;
use futures_util::{StreamExt, pin_mut};
use postgres_types::{Format as Encoding, FromSql, IsNull, ToSql, Type};
use std::error::Error as StdError;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tenants::{Error, Lease};
use tokio_postgres::Statement as Prepared;

/// The most bytes of rows in one answer.
pub const MAX_ANSWER: usize = 32 << 20;

/// What came of a statement.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The rows as bytes.
    pub body: Vec<u8>,
    /// How many rows.
    pub rows: u64,
    /// Whether there was a row more than were to be shown.
    pub more: bool,
    /// The count of all pages' rows, if the statement counts and there is a row.
    pub total: Option<i64>,
    /// What was captured of the last row: text, or `None` for null.
    pub last: Option<Vec<Option<String>>>,
}

/// Why there is no outcome.
#[derive(Debug)]
pub enum Failure {
    /// The schema is not what the catalog said.
    Moved(Option<Error>),
    /// Postgres refused, or is out of reach.
    Database(Error),
    /// The rows are more than one answer holds.
    TooLarge,
    /// One of several writes touched no row.
    Missed,
    /// What the rows are sorted by is more than a cursor holds.
    LongCursor,
}

/// What happens to what a write did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// It is committed.
    #[default]
    Yes,
    /// Deferred constraints are checked as a commit would, then it is rolled back.
    No,
}

/// Runs one read.
///
/// `capture` are the members to take from the last row; `in_transaction` runs it in one of the
/// lease's kind, for a lease under which nothing may write.
pub async fn read(
    lease: &Lease,
    statement: &Statement,
    format: Format,
    capture: &[usize],
    in_transaction: bool,
) -> Result<Outcome, Failure> {
    let prepared = prepare(lease, statement).await?;
    let layout = Layout::new(statement, format);
    let rows = collect(lease, &prepared, statement, &layout);
    let written = if in_transaction {
        let (began, written, ended) = tokio::join!(
            lease.batch_execute(lease.begin_text()),
            rows,
            lease.batch_execute("commit"),
        );
        began.map_err(failed)?;
        let written = written.map_err(|failure| failure.noted(lease))?;
        ended.map_err(failed)?;
        written
    } else {
        rows.await.map_err(|failure| failure.noted(lease))?
    };
    Ok(outcome(written, &layout, capture))
}

/// The statements of one write, and what to take from its last row.
#[derive(Debug)]
pub struct Write {
    /// To be run in this order; their rows are put together.
    pub statements: Vec<Statement>,
    /// Members of the rows.
    pub capture: Vec<usize>,
}

/// Runs writes in one transaction. A failure comes with the place of the write that failed.
///
/// One write is sent with the end of its transaction. Of several, each has to touch a row, so
/// the end waits for what came of them. A statement alone is a transaction already. `late` are the statements, each with
/// its semicolon, that check what is checked late where nothing is kept.
pub async fn write(
    lease: &Lease,
    writes: &[Write],
    keep: Keep,
    late: &str,
) -> Result<Vec<Outcome>, (usize, Failure)> {
    if let ([write], Keep::Yes) = (writes, keep)
        && let [statement] = write.statements.as_slice()
    {
        let outcome = alone(lease, write, statement).await;
        return Ok(vec![outcome.map_err(|failure| (0, failure))?]);
    }
    let ready = ready(lease, writes).await?;
    let rows = ready.iter().map(|ready| ready.rows(lease));
    let end = match keep {
        Keep::Yes => "commit".to_owned(),
        Keep::No => format!("{late}rollback"),
    };
    let (began, rows, ended) = if writes.len() == 1 {
        tokio::join!(
            lease.batch_execute(lease.begin_text()),
            in_order(rows),
            lease.batch_execute(&end),
        )
    } else {
        let (began, rows) = tokio::join!(lease.batch_execute(lease.begin_text()), in_order(rows));
        let ended = match missed(&rows, &ready, writes.len()) {
            Some(at) => {
                let rolled_back = lease.batch_execute("rollback").await;
                rolled_back.map_err(|error| (at, failed(error)))?;
                return Err((at, Failure::Missed));
            }
            None => lease.batch_execute(&end).await,
        };
        (began, rows, ended)
    };
    let last = writes.len().saturating_sub(1);
    if ended.is_err() && keep == Keep::No {
        // The check of deferred constraints failed and left the transaction open.
        let rolled_back = lease.batch_execute("rollback").await;
        rolled_back.map_err(|error| (last, failed(error)))?;
    }
    began.map_err(|error| (0, failed(error)))?;
    let outcomes = gathered(lease, writes, &ready, rows)?;
    ended.map_err(|error| (last, failed(error)))?;
    Ok(outcomes)
}

/// Runs the one statement of a write and lets it commit by itself, which spares Postgres two
/// statements. The session's defaults, pinned when it started, are those of our transactions; a
/// constraint that is checked at the end fails the statement, after its rows.
async fn alone(lease: &Lease, write: &Write, statement: &Statement) -> Result<Outcome, Failure> {
    let prepared = prepare(lease, statement).await?;
    let layout = Layout::new(statement, Format::Json);
    let rows = collect(lease, &prepared, statement, &layout).await;
    let written = rows.map_err(|failure| failure.noted(lease))?;
    Ok(outcome(written, &layout, &write.capture))
}

/// Runs writes inside an open transaction, and leaves it open whatever comes of them.
///
/// As with [`write`], each of several has to touch a row.
pub(super) async fn within(
    lease: &Lease,
    writes: &[Write],
) -> Result<Vec<Outcome>, (usize, Failure)> {
    let ready = ready(lease, writes).await?;
    let rows = in_order(ready.iter().map(|ready| ready.rows(lease))).await;
    if writes.len() > 1
        && let Some(at) = missed(&rows, &ready, writes.len())
    {
        return Err((at, Failure::Missed));
    }
    gathered(lease, writes, &ready, rows)
}

/// A statement of one of several writes, prepared.
struct Ready<'a> {
    /// Place of the write.
    at: usize,
    statement: &'a Statement,
    prepared: Prepared,
    layout: Layout,
}

impl Ready<'_> {
    async fn rows(&self, lease: &Lease) -> Result<Written, Failure> {
        collect(lease, &self.prepared, self.statement, &self.layout).await
    }
}

async fn ready<'a>(lease: &Lease, writes: &'a [Write]) -> Result<Vec<Ready<'a>>, (usize, Failure)> {
    let mut ready = Vec::new();
    for (at, write) in writes.iter().enumerate() {
        for statement in &write.statements {
            let prepared = prepare(lease, statement).await;
            ready.push(Ready {
                at,
                statement,
                prepared: prepared.map_err(|failure| (at, failure))?,
                layout: Layout::new(statement, Format::Json),
            });
        }
    }
    Ok(ready)
}

/// What came of each write, all of its statements together.
fn gathered(
    lease: &Lease,
    writes: &[Write],
    ready: &[Ready<'_>],
    rows: Vec<Result<Written, Failure>>,
) -> Result<Vec<Outcome>, (usize, Failure)> {
    let mut outcomes: Vec<Outcome> = writes.iter().map(|_| Outcome::default()).collect();
    for (rows, ready) in rows.into_iter().zip(ready) {
        let rows = rows.map_err(|failure| (ready.at, failure.noted(lease)))?;
        let capture = &writes[ready.at].capture;
        outcomes[ready.at].add(outcome(rows, &ready.layout, capture));
    }
    Ok(outcomes)
}

/// The first of several writes that touched no row, if none failed.
fn missed(rows: &[Result<Written, Failure>], ready: &[Ready<'_>], writes: usize) -> Option<usize> {
    let mut touched = vec![0; writes];
    for (rows, ready) in rows.iter().zip(ready) {
        touched[ready.at] += rows.as_ref().ok()?.rows;
    }
    touched.iter().position(|rows| *rows == 0)
}

/// Runs a statement for the one value that it gives; `None` without a row.
pub async fn scalar<T: for<'a> FromSql<'a>>(
    lease: &Lease,
    statement: &Statement,
) -> Result<Option<T>, Error> {
    let prepared = lease.prepare_cached(&statement.text).await?;
    let rows = lease.query_raw(&prepared, binds(statement)).await?;
    pin_mut!(rows);
    match rows.next().await {
        Some(row) => Ok(row?.try_get(0)?),
        None => Ok(None),
    }
}

/// The same, `in_transaction` in one of the lease's kind, as [`read`] has it.
pub async fn figure<T: for<'a> FromSql<'a>>(
    lease: &Lease,
    statement: &Statement,
    in_transaction: bool,
) -> Result<Option<T>, Error> {
    if !in_transaction {
        return scalar(lease, statement).await;
    }
    lease.batch_execute(lease.begin_text()).await?;
    let figure = scalar(lease, statement).await;
    lease.batch_execute("rollback").await?;
    figure
}

/// Tries whether a parameter's value is one of its type.
pub async fn try_bind(lease: &Lease, bind: &Bind) -> Result<(), Error> {
    let text = format!("select {} is null", bind.cast);
    let prepared = lease.prepare(&text).await?;
    let value = [Text(bind.value.as_deref())];
    lease.execute_raw(&prepared, value).await?;
    Ok(())
}

impl Outcome {
    /// Puts the rows of another statement behind.
    fn add(&mut self, part: Self) {
        if self.rows > 0 && part.rows > 0 {
            self.body.push(b',');
        }
        self.body.extend_from_slice(&part.body);
        self.rows += part.rows;
        self.last = part.last.or(self.last.take());
    }
}

impl Failure {
    /// Sorts out failures that come from a change of the schema, and forgets what was prepared
    /// for the old one.
    fn noted(self, lease: &Lease) -> Self {
        match self {
            Self::Database(error) if super::sqlstate::is_moved(&error) => {
                lease.forget_statements();
                Self::Moved(Some(error))
            }
            other => other,
        }
    }
}

fn failed(error: impl Into<Error>) -> Failure {
    Failure::Database(error.into())
}

async fn prepare(lease: &Lease, statement: &Statement) -> Result<Prepared, Failure> {
    let prepared = lease
        .prepare_cached(&statement.text)
        .await
        .map_err(|error| failed(error).noted(lease))?;
    let types = prepared.columns().iter().map(|column| column.type_().oid());
    let shown = statement
        .columns
        .iter()
        .filter(|shown| shown.constant.is_none());
    let agrees = shown
        .zip(types)
        .all(|(shown, oid)| shown.writer.accepts(oid));
    if !agrees {
        lease.forget_statements();
        return Err(Failure::Moved(None));
    }
    Ok(prepared)
}

async fn collect(
    lease: &Lease,
    prepared: &Prepared,
    statement: &Statement,
    layout: &Layout,
) -> Result<Written, Failure> {
    let broken = |error| match lease.is_exceeded() {
        true => Failure::TooLarge,
        false => failed(error),
    };
    let rows = lease
        .query_raw(prepared, binds(statement))
        .await
        .map_err(broken)?;
    pin_mut!(rows);
    let mut written = layout.start();
    while let Some(row) = rows.next().await {
        let row = row.map_err(broken)?;
        layout
            .write(&mut written, row)
            .ok_or(Failure::Moved(None))?;
        if written.body.len() > MAX_ANSWER {
            return Err(Failure::TooLarge);
        }
    }
    Ok(written)
}

/// Awaits all of them together, each polled for the first time, and so sent, in order.
async fn in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Waiting<F>> = futures
        .map(|future| Waiting::For(Box::pin(future)))
        .collect();
    poll_fn(|context| {
        let mut ready = true;
        for slot in &mut waiting {
            if let Waiting::For(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *slot = Waiting::Done(value),
                    Poll::Pending => ready = false,
                }
            }
        }
        if ready {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    let done = waiting.into_iter().filter_map(|slot| match slot {
        Waiting::Done(value) => Some(value),
        Waiting::For(_) => None,
    });
    done.collect()
}

enum Waiting<F: Future> {
    For(Pin<Box<F>>),
    Done(F::Output),
}

fn outcome(written: Written, layout: &Layout, capture: &[usize]) -> Outcome {
    Outcome {
        rows: written.rows,
        more: written.more,
        total: layout.total(&written),
        last: layout.capture(&written, capture),
        body: written.body,
    }
}

fn binds(statement: &Statement) -> impl ExactSizeIterator<Item = Text<'_>> {
    statement
        .binds
        .iter()
        .map(|bind| Text(bind.value.as_deref()))
}

/// A parameter sent as text, whatever its type: Postgres reads it.
#[derive(Debug)]
pub struct Text<'a>(pub Option<&'a str>);

impl ToSql for Text<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.0 {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql(ty, out)
    }

    fn encode_format(&self, _: &Type) -> Encoding {
        Encoding::Text
    }
}
