//! One statement as the tenant: in a transaction, under the watchdog, by a portal that gives no
//! more rows than are shown.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::{StreamExt as _, future::try_join_all, pin_mut};
use postgres_types::{IsNull, ToSql, Type};
use tenants::{Access, Identity, Tenants};
use tokio_postgres::{Client, IsolationLevel, Portal, Row, Transaction};

use crate::{
    data::{
        ledger::{Ledger, Replay, Reply},
        rows::Raw,
        run::{Keep, MAX_ANSWER, Text},
    },
    problem::{Kind, Problem},
};

use super::{
    affected, params,
    parse::{self, Ask},
    refuse::Failure,
    shape::{Column, Shape},
};

/// The most rows of an answer.
pub const MOST_ROWS: u64 = 10_000;

/// The most bytes of an answer's rows.
pub const MOST_BYTES: usize = 10 << 20;

/// How many times longer a value's bytes may be than its JSON: a `numeric` has up to eight bytes
/// before its first digit, and binary arrays a few for each element.
const MOST_GROWTH: usize = 16;

/// Rows asked for at a time, at first and at most.
const BATCH: (u64, u64) = (64, 1024);

/// What came of a statement.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What the rows are made of.
    pub columns: Vec<Column>,
    /// JSON objects, separated by commas.
    pub rows: Vec<u8>,
    /// Tables and views that it worked on, by name.
    pub affected: Vec<String>,
    /// How many rows it changed or gave; not known if it was cut short.
    pub count: Option<u64>,
    /// Whether there were more rows than are shown.
    pub truncated: bool,
    /// How long Postgres and the way to it took.
    pub runtime: Duration,
}

/// How a statement is to be run.
#[derive(Clone, Copy)]
pub struct How<'a> {
    /// Whether what it writes is kept.
    pub keep: Keep,
    /// Whether it may write.
    pub access: Access,
    /// What it is called by, if it is to be run once, and what its outcome is to HTTP.
    pub once: Option<Once<'a>>,
}

/// What makes a statement one that is run once.
#[derive(Clone, Copy)]
pub struct Once<'a> {
    /// Where that is kept.
    pub ledger: &'a Ledger,
    /// What the client calls it by.
    pub replay: &'a Replay,
    /// The answer to an outcome.
    pub render: &'a (dyn Fn(&Outcome) -> Reply + Send + Sync),
}

/// What is answered.
#[derive(Debug)]
pub enum Done {
    /// What came of it now.
    Now(Outcome),
    /// The whole answer, as the ledger keeps it.
    Kept(Reply),
}

/// Runs a statement as `identity`.
///
/// # Errors
/// `bad-request` with Postgres' words, code and position if it refuses, `request-timeout`,
/// `service-unavailable`; `idempotency-conflict` for one that is to be run once.
pub async fn run(
    tenants: &Tenants,
    identity: &Identity,
    ask: &Ask<'_>,
    how: How<'_>,
) -> Result<Done, Problem> {
    let mut lease = tenants.lease(identity, how.access).await?;
    let limit = tenants.settings().limits.statement;
    let Some((watch, client)) = lease.alone().await else {
        return Err(Problem::new(Kind::InternalError).because("the connection is shared"));
    };
    let mut shift = 0;
    let work = work(client, identity, ask, how, &mut shift);
    let done = watch.run(limit, work).await;
    let exceeded = lease.is_exceeded();
    lease.finish_raw();
    match done {
        Err(_) if exceeded => Err(Problem::new(Kind::BadRequest).detail(format!(
            "A row, or something else that the statement says, is more than {} MB.",
            MAX_ANSWER >> 20
        ))),
        done => done.map_err(|failure| failure.problem(shift)),
    }
}

async fn work(
    client: &mut Client,
    identity: &Identity,
    ask: &Ask<'_>,
    how: How<'_>,
    shift: &mut u32,
) -> Result<Done, Failure> {
    let started = Instant::now();
    let (shape, params) = match shaped(client, ask, shift).await {
        Ok(shaped) => shaped,
        // What can't be run any more may have been run once.
        Err(failure) => return recalled(client, identity, how, failure).await,
    };
    let transaction = begin(client, how.access).await?;
    if let Some(once) = how.once {
        let claimed = once.ledger.claim(&transaction, &identity.role, once.replay);
        if let Some(reply) = claimed.await? {
            transaction.rollback().await?;
            return Ok(Done::Kept(reply));
        }
    }
    let schema = &identity.schema;
    let before = if parse::drops(&ask.query) {
        affected::names(&transaction, schema).await?
    } else {
        affected::Names::new()
    };
    let binds = params.iter().map(|text| Text(text.as_deref()));
    let portal = transaction.bind_raw(&shape.statement, binds).await?;
    let mut outcome = rows(&transaction, &portal, &shape).await?;
    drop(portal);
    outcome.affected = affected::tables(&transaction, schema, &before).await?;
    // A statement may change how the session spells text.
    if std::str::from_utf8(&outcome.rows).is_err() {
        return Err(Problem::new(Kind::BadRequest)
            .detail("The rows are not UTF-8; leave `client_encoding` as it is.")
            .into());
    }
    outcome.columns = shape.columns;
    outcome.runtime = started.elapsed();
    if let Some(once) = how.once {
        let reply = (once.render)(&outcome);
        let (role, replay) = (&identity.role, once.replay);
        let stored = once.ledger.store(&transaction, role, replay, &reply);
        stored.await?;
        transaction.commit().await?;
        return Ok(Done::Kept(reply));
    }
    match how.keep {
        Keep::Yes => transaction.commit().await?,
        Keep::No => {
            transaction
                .batch_execute("set constraints all immediate")
                .await?;
            transaction.rollback().await?;
        }
    }
    outcome.runtime = started.elapsed();
    Ok(Done::Now(outcome))
}

/// What the statement gives and takes.
async fn shaped(
    client: &Client,
    ask: &Ask<'_>,
    shift: &mut u32,
) -> Result<(Shape, Vec<Option<String>>), Failure> {
    // Preparing takes one statement and no more, and runs nothing.
    let first = client.prepare(&ask.query).await?;
    let params = params::texts(first.params(), &ask.params)?;
    let shape = Shape::of(client, &ask.query, first).await?;
    *shift = shape.shift;
    if let Some(at) = shape.unshown() {
        let column = &shape.columns[at];
        return Err(Problem::new(Kind::BadRequest)
            .detail("A column is of a type that this statement can't show; cast it to text.")
            .field(
                "query",
                format!("`{}` is of type {}", column.key, column.kind),
            )
            .into());
    }
    Ok((shape, params))
}

/// What was answered to a statement that fails now, or the failure.
async fn recalled(
    client: &mut Client,
    identity: &Identity,
    how: How<'_>,
    failure: Failure,
) -> Result<Done, Failure> {
    let Some(once) = how.once else {
        return Err(failure);
    };
    let transaction = begin(client, how.access).await?;
    let claimed = once.ledger.claim(&transaction, &identity.role, once.replay);
    match claimed.await {
        Ok(Some(reply)) => Ok(Done::Kept(reply)),
        _ => Err(failure),
    }
}

/// Dropped before its end, the transaction rolls back.
async fn begin(client: &mut Client, access: Access) -> Result<Transaction<'_>, Failure> {
    Ok(client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .read_only(access == Access::Read)
        .start()
        .await?)
}

async fn rows(
    transaction: &Transaction<'_>,
    portal: &Portal,
    shape: &Shape,
) -> Result<Outcome, Failure> {
    let mut written = Outcome::default();
    let mut count = 0;
    let mut batch = BATCH.0;
    loop {
        // One more than is shown, to know if there is one.
        let most = batch.min(MOST_ROWS + 1 - count);
        let stream = transaction
            .query_portal_raw(portal, i32::try_from(most).unwrap_or(i32::MAX))
            .await?;
        pin_mut!(stream);
        let mut put_aside = Vec::new();
        while let Some(row) = stream.next().await {
            let row = row?;
            if shape.converts() {
                put_aside.push(row);
            } else if !written.truncated {
                write(&mut written, &mut count, shape, &row, &[])?;
            }
        }
        let finished = stream.rows_affected();
        for row in put_aside {
            if !written.truncated {
                let cells = converted(transaction, shape, &row).await?;
                write(&mut written, &mut count, shape, &row, &cells)?;
            }
        }
        if let Some(tag) = finished {
            // Rows come in several portions, and the tag counts the last one.
            let shown = if shape.columns.is_empty() && count == 0 {
                tag
            } else {
                count
            };
            written.count = (!written.truncated).then_some(shown);
            return Ok(written);
        }
        if written.truncated {
            return Ok(written);
        }
        batch = next_batch(count, written.rows.len());
    }
}

/// As many rows as probably fit into what is left, so that little is fetched in vain.
fn next_batch(rows: u64, bytes: usize) -> u64 {
    let each = (bytes as u64 / rows.max(1)).max(1);
    let left = (MOST_BYTES.saturating_sub(bytes)) as u64;
    (left / each).clamp(1, BATCH.1)
}

fn write(
    written: &mut Outcome,
    count: &mut u64,
    shape: &Shape,
    row: &Row,
    cells: &[Option<String>],
) -> Result<(), Failure> {
    if *count >= MOST_ROWS {
        written.truncated = true;
        return Ok(());
    }
    let out = &mut written.rows;
    let before = out.len();
    // What can't fit is not copied first.
    let mut size = before;
    for at in 0..shape.columns.len() {
        let raw = row.try_get::<_, Option<Raw<'_>>>(at)?;
        size += raw.map_or(0, |Raw(raw)| raw.len() / MOST_GROWTH);
    }
    if size > MOST_BYTES {
        written.truncated = true;
        return Ok(());
    }
    if *count > 0 {
        out.push(b',');
    }
    if shape.columns.is_empty() {
        out.push(b'{');
    }
    for (at, column) in shape.columns.iter().enumerate() {
        out.extend_from_slice(&column.lead);
        let raw = row.try_get::<_, Option<Raw<'_>>>(at)?;
        match (raw, column.writer) {
            (None, _) => out.extend_from_slice(b"null"),
            (Some(Raw(raw)), Some(writer)) => writer.write(out, raw).ok_or_else(|| {
                Problem::new(Kind::InternalError).because(format!("no {} in {at}", column.kind))
            })?,
            (Some(_), None) => {
                let text = cells.get(at).and_then(Option::as_deref);
                out.extend_from_slice(text.unwrap_or("null").as_bytes());
            }
        }
    }
    out.push(b'}');
    if out.len() > MOST_BYTES {
        out.truncate(before);
        written.truncated = true;
    } else {
        *count += 1;
    }
    Ok(())
}

/// The cells of a row that Postgres has to turn into JSON, each at its column's position.
async fn converted(
    transaction: &Transaction<'_>,
    shape: &Shape,
    row: &Row,
) -> Result<Vec<Option<String>>, Failure> {
    let cells = shape
        .converters
        .iter()
        .enumerate()
        .map(async |(at, converter)| {
            let raw = row.try_get::<_, Option<Raw<'_>>>(at)?;
            let (Some(converter), Some(Raw(raw))) = (converter, raw) else {
                return Ok(None);
            };
            let row = transaction.query_one(converter, &[&Bytes(raw)]).await?;
            Ok::<_, Failure>(row.try_get(0)?)
        });
    try_join_all(cells).await
}

/// A value sent back as it came.
#[derive(Debug)]
struct Bytes<'a>(&'a [u8]);

impl ToSql for Bytes<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_with_the_size_of_rows() {
        assert_eq!(next_batch(64, 64 * 100), 1024);
        assert_eq!(next_batch(64, 64 << 17), 16);
        assert_eq!(next_batch(2, MOST_BYTES), 1);
        assert_eq!(next_batch(0, 0), 1024);
    }
}
