//! One request from plan to rows: what every surface calls.

use super::catalog::Catalog;
use super::catalog::cache::Cache;
use super::cursor::Seal;
use super::explain::explain;
use super::plan::{Plan, Rules, SortBy, Step, order_text, plan};
use super::request::{Count, Request};
use super::rows::{Format, positions};
use super::run::{self, Failure, Keep, Outcome};
use super::secrets::{MakeSecret, with_secrets, without_secrets};
use super::sql;
use crate::problem::{Kind, Problem};
use std::sync::Arc;
use std::time::Duration;
use tenants::{Access, Error, Identity, Lease, Tenants};
use tokio::time::Instant;

/// What answering needs besides the request: one for the whole server.
#[derive(Clone)]
pub struct Spine {
    tenants: Tenants,
    catalogs: Arc<Cache>,
    seal: Seal,
    make_secret: MakeSecret,
}

/// A request as a certain caller makes it of a certain schema.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who logs in, and to which schema.
    pub identity: &'a Identity,
    /// What the caller may see and do.
    pub rules: &'a Rules,
    /// What is asked.
    pub request: &'a Request,
    /// What rows are written as; writes always give JSON.
    pub format: Format,
    /// Whether a write is kept.
    pub keep: Keep,
}

/// Rows and what is known about them.
#[derive(Debug, Default)]
pub struct Answer {
    /// The rows: JSON objects separated by commas, or CSV.
    pub body: Vec<u8>,
    /// How many rows.
    pub rows: u64,
    /// Whether more rows follow.
    pub more: bool,
    /// How many rows all pages have, if it was counted.
    pub total: Option<u64>,
    /// Where the next page starts, if there is one and the order can be resumed.
    pub next_cursor: Option<String>,
    /// The key of the last row that a write touched, one text per column.
    pub key: Vec<String>,
}

impl Spine {
    /// A spine with an empty cache.
    ///
    /// `seal_key` seals cursors; servers of one installation share it. `make_secret` turns a
    /// secret that a client sent into what is stored.
    pub fn new(tenants: Tenants, seal_key: &[u8], make_secret: MakeSecret) -> Self {
        Self {
            tenants,
            catalogs: Arc::default(),
            seal: Seal::new(seal_key),
            make_secret,
        }
    }

    /// What the schema holds now, at most half a second old.
    pub async fn catalog(&self, identity: &Identity) -> Result<Arc<Catalog>, Problem> {
        match self.catalogs.fresh(&identity.schema) {
            Some(catalog) => Ok(catalog),
            None => self.look_again(identity).await,
        }
    }

    /// What the schema holds at this very moment: for a name that was not found.
    pub async fn look_again(&self, identity: &Identity) -> Result<Arc<Catalog>, Problem> {
        let until = self.deadline();
        let lease = self.tenants.lease(identity, Access::Read).await?;
        let catalog = self.look(identity, &lease, until).await?;
        lease.finish();
        Ok(catalog)
    }

    /// Answers a request.
    ///
    /// A connection is taken once at most, and not at all if the request is refused for what it
    /// says. A schema that changed since the catalog was read is read again, once.
    pub async fn answer(&self, ask: Ask<'_>) -> Result<Answer, Problem> {
        let until = self.deadline();
        let mut lease = None;
        let mut looked = false;
        let mut catalog = match self.catalogs.fresh(&ask.identity.schema) {
            Some(catalog) => catalog,
            None => {
                looked = true;
                let taken = self.take(ask, &mut lease).await?;
                self.look(ask.identity, taken, until).await?
            }
        };
        let request = loop {
            // Planned with the secret as it was sent, to refuse before work is put into it.
            let open = without_secrets(ask.request, ask.rules)?;
            match plan(&open, &catalog, ask.rules, &self.seal) {
                Ok(_) => {
                    break with_secrets(ask.request, open, ask.rules, &self.make_secret).await?;
                }
                Err(problem) if looked || !may_be_stale(&problem) => return Err(problem),
                Err(problem) => {
                    looked = true;
                    let taken = self.take(ask, &mut lease).await?;
                    let newer = self.look(ask.identity, taken, until).await?;
                    if Arc::ptr_eq(&newer, &catalog) {
                        if let Some(lease) = lease {
                            lease.finish();
                        }
                        return Err(problem);
                    }
                    catalog = newer;
                }
            }
        };
        let mut moved = false;
        loop {
            let plan = plan(&request, &catalog, ask.rules, &self.seal)?;
            let taken = self.take(ask, &mut lease).await?;
            match until.keep(taken, self.run(ask, &plan, taken)).await {
                Ok(answer) => {
                    if let Some(lease) = lease {
                        give_back(lease, &plan);
                    }
                    return Ok(answer);
                }
                Err(Failure::Moved(_)) if !moved => {
                    moved = true;
                    catalog = self.look(ask.identity, taken, until).await?;
                }
                Err(failure) => {
                    let explained = async { Ok(explain(failure, ask, &plan, taken).await) };
                    return Err(until
                        .keep(taken, explained)
                        .await
                        .unwrap_or_else(|_| Kind::RequestTimeout.into()));
                }
            }
        }
    }

    /// The lease taken already, or one taken now.
    async fn take<'l>(
        &self,
        ask: Ask<'_>,
        lease: &'l mut Option<Lease>,
    ) -> Result<&'l Lease, Problem> {
        let taken = match lease.take() {
            Some(taken) => taken,
            None => {
                let access = if ask.rules.no_writes.is_some() {
                    Access::Read
                } else {
                    Access::Write
                };
                self.tenants.lease(ask.identity, access).await?
            }
        };
        Ok(lease.insert(taken))
    }

    async fn look(
        &self,
        identity: &Identity,
        lease: &Lease,
        until: Deadline,
    ) -> Result<Arc<Catalog>, Problem> {
        let look = self.catalogs.look(&identity.schema, lease);
        lease.run(until.left(), look).await.map_err(Problem::from)
    }

    /// When the work of a request that starts now must be over.
    fn deadline(&self) -> Deadline {
        Deadline(Instant::now() + self.tenants.settings().limits.statement)
    }

    async fn run(&self, ask: Ask<'_>, plan: &Plan, lease: &Lease) -> Result<Answer, Failure> {
        let statements = sql::statements(plan, &ask.identity.schema);
        let table = &plan.catalog.tables[plan.table];
        let Step::Read(read) = &plan.step else {
            let capture = statements
                .first()
                .and_then(|statement| positions(&statement.columns, &table.key))
                .unwrap_or_default();
            let outcome = run::write(lease, &statements, &capture, ask.keep).await?;
            let key: Option<Vec<String>> = outcome.last.into_iter().flatten().collect();
            return Ok(Answer {
                body: outcome.body,
                rows: outcome.rows,
                key: key.unwrap_or_default(),
                ..Answer::default()
            });
        };
        let Some(statement) = statements.first() else {
            return Ok(Answer::default());
        };
        let sorted = read.order.iter().filter_map(|sort| match sort.by {
            SortBy::Column(column) => Some(column),
            _ => None,
        });
        let capture = if read.cursor {
            positions(&statement.columns, &sorted.collect::<Vec<_>>()).unwrap_or_default()
        } else {
            Vec::new()
        };
        let read_only = ask.rules.no_writes.is_some();
        let outcome = run::read(lease, statement, ask.format, &capture, read_only).await?;
        let total = total(ask, plan, lease, &outcome).await?;
        let shown = read.offset.saturating_add(outcome.rows);
        let more = outcome.more || (!read.peek && total.is_some_and(|total| shown < total));
        let next_cursor = match outcome.last {
            Some(values) if more && read.cursor => {
                Some(self.seal.close(&order_text(table, &read.order), &values))
            }
            _ => None,
        };
        Ok(Answer {
            body: outcome.body,
            rows: outcome.rows,
            more,
            total,
            next_cursor,
            key: Vec::new(),
        })
    }
}

/// When the work of a request must be over, all steps together.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Runs work on the lease under the watchdog.
    async fn keep<T>(
        self,
        lease: &Lease,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let whole = async { Ok::<_, Error>(work.await) };
        match lease.run(self.left(), whole).await {
            Ok(outcome) => outcome,
            Err(error) => Err(Failure::Database(error)),
        }
    }
}

/// Gives the connection back; after code of the tenant's may have run, by way of being looked over.
fn give_back(lease: Lease, plan: &Plan) {
    let table = &plan.catalog.tables[plan.table];
    let writes = !matches!(plan.step, Step::Read(_));
    if table.kind.is_view() || (writes && table.triggers) {
        lease.finish_raw();
    } else {
        lease.finish();
    }
}

/// The count of all pages' rows. It comes with the rows; where there are none, it is zero on the
/// first page and asked for on others.
async fn total(
    ask: Ask<'_>,
    plan: &Plan,
    lease: &Lease,
    outcome: &Outcome,
) -> Result<Option<u64>, Failure> {
    let Step::Read(read) = &plan.step else {
        return Ok(None);
    };
    let whole = |n: i64| u64::try_from(n).unwrap_or(0);
    match read.count {
        _ if read.single => Ok(None),
        Count::None => Ok(None),
        Count::Exact => {
            if let Some(total) = outcome.total {
                return Ok(Some(whole(total)));
            }
            if read.offset == 0 && read.after.is_none() && read.limit != Some(0) {
                return Ok(Some(0));
            }
            let Some(statement) = sql::count(plan, &ask.identity.schema) else {
                return Ok(None);
            };
            let total: Option<i64> = run::scalar(lease, &statement)
                .await
                .map_err(Failure::Database)?;
            Ok(total.map(whole))
        }
        Count::Planned => {
            let Some(statement) = sql::estimate(plan, &ask.identity.schema) else {
                return Ok(None);
            };
            let top: Option<String> = run::scalar(lease, &statement)
                .await
                .map_err(Failure::Database)?;
            Ok(top.as_deref().and_then(estimated))
        }
    }
}

/// The number of rows in the first line of a plan: `Seq Scan on t  (cost=0.00..1.04 rows=4 width=0)`.
fn estimated(line: &str) -> Option<u64> {
    let (_, rest) = line.rsplit_once(" rows=")?;
    rest.split(' ').next()?.parse().ok()
}

/// Whether another look at the schema might change a refusal.
fn may_be_stale(problem: &Problem) -> bool {
    matches!(
        problem.kind,
        Kind::NotFound | Kind::InvalidParameter | Kind::ValidationFailed
    )
}
