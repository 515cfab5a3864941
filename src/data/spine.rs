//! From a request to rows: what every surface calls.

use super::catalog::Catalog;
use super::catalog::cache::Cache;
use super::cursor::Seal;
use super::explain::explain;
use super::ledger::Ledger;
use super::plan::{Plan, Read, Rules, SortBy, Step, order_text};
use super::request::{Count, Request};
use super::rows::{Format, positions};
use super::run::{self, Failure, Keep, Outcome, Write};
use super::secrets::{MakeSecret, with_secrets, without_secrets};
use super::sql;
use super::visit::Visit;
use crate::problem::{Kind, Problem};
use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenants::{Identity, Lease, Tenants};

/// A longer cursor would not fit into an address, nor into a header.
const LONGEST_CURSOR: usize = 2048;

/// What answering needs besides the request: one for the whole server.
#[derive(Clone)]
pub struct Spine {
    tenants: Tenants,
    catalogs: Arc<Cache>,
    seal: Seal,
    ledger: Ledger,
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
    /// How many rows of which table went with a deleted one, as a JSON object.
    pub went: Option<String>,
}

/// Which of several writes was refused, and why.
#[derive(Debug)]
pub struct Fault {
    /// Its place among the requests.
    pub at: usize,
    /// Why.
    pub problem: Problem,
}

impl Spine {
    /// A spine with an empty cache.
    ///
    /// `seal_key` seals cursors and the ledger; servers of one installation share it. `make_secret` turns a
    /// secret that a client sent into what is stored.
    pub fn new(tenants: Tenants, seal_key: &[u8], make_secret: MakeSecret) -> Self {
        Self {
            tenants,
            catalogs: Arc::default(),
            seal: Seal::new(seal_key),
            ledger: Ledger::new(seal_key),
            make_secret,
        }
    }

    /// What the schema holds now, less than a second old.
    pub async fn catalog(&self, identity: &Identity) -> Result<Arc<Catalog>, Problem> {
        match self.known_catalog(identity) {
            Some(catalog) => Ok(catalog),
            None => self.look_again(identity).await,
        }
    }

    /// The same, if that is known without asking.
    pub fn known_catalog(&self, identity: &Identity) -> Option<Arc<Catalog>> {
        self.catalogs.fresh(&self.tenants, identity)
    }

    /// What the schema holds at this very moment: for a name that was not found.
    pub async fn look_again(&self, identity: &Identity) -> Result<Arc<Catalog>, Problem> {
        let rules = Rules::default();
        let mut visit = Visit::begin(self, identity, &rules).await?;
        visit.look().await?;
        let catalog = visit.catalog().clone();
        visit.end(false);
        Ok(catalog)
    }

    /// Answers one request.
    ///
    /// A connection is taken once at most, and not at all if the request is refused for what it
    /// says. A schema that changed since the catalog was read is read again.
    pub async fn answer(&self, ask: Ask<'_>) -> Result<Answer, Problem> {
        if ask.request.is_write() {
            let requests = std::slice::from_ref(ask.request);
            let written = self
                .write(ask.identity, ask.rules, requests, ask.keep)
                .await;
            let mut answers = written.map_err(|fault| fault.problem)?;
            return answers.pop().ok_or_else(|| Kind::InternalError.into());
        }
        let mut visit = Visit::begin(self, ask.identity, ask.rules).await?;
        loop {
            let plan = visit.plan(ask.request).await?;
            let until = visit.until;
            // Where nothing may write, a transaction sees to it.
            let own = ask.rules.no_writes.is_some() && !visit.is_held();
            let statements = sql::statements(&plan, &ask.identity.schema);
            let Some(statement) = statements.first() else {
                return Ok(Answer::default());
            };
            if !own
                && !plan.runs_tenants_code()
                && let Some(lane) = visit.lane(&statement.text).await?
            {
                let read = pin!(self.read(ask, &plan, statement, lane.lease(), false));
                if let Some(answer) = lane.run(read).await {
                    return Ok(answer);
                }
            }
            let lease = visit.lease().await?;
            let began = Instant::now();
            let read = {
                // Pinned here, or each layer that waits for it would move it.
                let read = pin!(self.read(ask, &plan, statement, lease, own));
                until.keep(lease, read).await?
            };
            match read {
                Ok(answer) => {
                    lease.rate(&statement.text, began.elapsed());
                    visit.end(plan.runs_tenants_code());
                    return Ok(answer);
                }
                Err(failure) if visit.has_moved(&failure).await? => {}
                Err(Failure::Moved(_)) if !visit.is_held() => {
                    visit.hold(ask.request.table()).await?;
                }
                Err(failure) => return Err(fail(failure, visit, &plan).await),
            }
        }
    }

    /// Runs writes in one transaction: all are kept, or none.
    ///
    /// Each is planned before any runs, and answers with its rows as they were written.
    pub async fn write(
        &self,
        identity: &Identity,
        rules: &Rules,
        requests: &[Request],
        keep: Keep,
    ) -> Result<Vec<Answer>, Fault> {
        let whole = |problem: Problem| Fault { at: 0, problem };
        let (keep, late) = rules.end(keep);
        let mut visit = Visit::begin(self, identity, rules).await.map_err(whole)?;
        visit.alone = requests.len() == 1;
        let ready = self.sealed(&mut visit, requests).await?;
        loop {
            let plans = planned(&mut visit, &ready).await?;
            let writes: Vec<Write> = plans.iter().map(|plan| spell(plan, identity)).collect();
            let until = visit.until;
            let lease = visit.lease().await.map_err(whole)?;
            let written = {
                let written = pin!(run::write(lease, &writes, keep, late));
                until.keep(lease, written).await
            };
            match written.map_err(|error| whole(error.into()))? {
                Ok(outcomes) => {
                    visit.end(plans.iter().any(Plan::runs_tenants_code));
                    return Ok(written_answers(outcomes, &plans));
                }
                Err((_, failure)) if visit.has_moved(&failure).await.map_err(whole)? => {}
                Err((at, failure)) => {
                    let Some(plan) = plans.get(at) else {
                        return Err(whole(Kind::InternalError.into()));
                    };
                    let problem = fail(failure, visit, plan).await;
                    return Err(Fault { at, problem });
                }
            }
        }
    }

    /// Checks requests, and puts secrets in as they are stored.
    pub(super) async fn sealed<'a>(
        &self,
        visit: &mut Visit<'_>,
        requests: &'a [Request],
    ) -> Result<Vec<Cow<'a, Request>>, Fault> {
        let rules = visit.rules;
        let mut stored = Vec::with_capacity(requests.len());
        for (at, request) in requests.iter().enumerate() {
            let here = |problem| Fault { at, problem };
            // Planned with secrets as they were sent, to refuse before work is put into them.
            let open = without_secrets(request, rules).map_err(here)?;
            visit.plan(&open).await.map_err(here)?;
            stored.push((request, open));
        }
        let mut ready = Vec::with_capacity(stored.len());
        for (at, (request, open)) in stored.into_iter().enumerate() {
            let sealed = with_secrets(request, open, rules, &self.make_secret).await;
            ready.push(sealed.map_err(|problem| Fault { at, problem })?);
        }
        Ok(ready)
    }

    /// Which writes were made once.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn catalogs(&self) -> &Cache {
        &self.catalogs
    }

    pub(super) fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    pub(super) fn seal(&self) -> &Seal {
        &self.seal
    }

    pub(super) fn make_secret(&self) -> &MakeSecret {
        &self.make_secret
    }

    /// How long the work of one request may take.
    pub(super) fn limit(&self) -> Duration {
        self.tenants.settings().limits.statement
    }

    /// Runs a read; `own` in a transaction of its own.
    async fn read(
        &self,
        ask: Ask<'_>,
        plan: &Plan,
        statement: &sql::Statement,
        lease: &Lease,
        own: bool,
    ) -> Result<Answer, Failure> {
        let Step::Read(read) = &plan.step else {
            let outcome = run::read(lease, statement, ask.format, &[], own).await?;
            return Ok(Answer {
                body: outcome.body,
                rows: outcome.rows,
                ..Answer::default()
            });
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
        let outcome = run::read(lease, statement, ask.format, &capture, own).await?;
        let total = total(&ask.identity.schema, plan, read, (lease, own), &outcome).await?;
        let shown = read.offset.saturating_add(outcome.rows);
        let more = outcome.more || (!read.peek && total.is_some_and(|total| shown < total));
        let table = &plan.catalog.tables[plan.table];
        let next_cursor = match outcome.last {
            Some(values) if more && read.cursor => {
                let cursor = self.seal.close(&order_text(table, &read.order), &values);
                Some(cursor).filter(|cursor| cursor.len() <= LONGEST_CURSOR)
            }
            _ => None,
        };
        if more && read.by_cursor && next_cursor.is_none() {
            return Err(Failure::LongCursor);
        }
        Ok(Answer {
            body: outcome.body,
            rows: outcome.rows,
            more,
            total,
            next_cursor,
            ..Answer::default()
        })
    }
}

impl Plan {
    /// Whether running it may call what the tenant wrote: a view, a trigger, a policy, a default.
    pub(super) fn runs_tenants_code(&self) -> bool {
        let table = &self.catalog.tables[self.table];
        let writes = !matches!(self.step, Step::Read(_) | Step::Summarize(_));
        let others = match &self.step {
            Step::Delete(delete) => delete.dependents.as_ref(),
            _ => None,
        };
        let mut others = others.iter().flat_map(|dependents| &dependents.tables);
        // Any table may be read along with this one.
        (writes && table.code_on_write)
            || others.any(|other| self.catalog.tables[*other].code_on_write)
            || self.catalog.code_on_read(self.table)
    }

    /// Whether rows of other tables go with a deleted one, and are counted behind its key.
    fn deletes_more(&self) -> bool {
        matches!(&self.step, Step::Delete(delete) if delete.dependents.is_some())
    }
}

/// Plans requests that were checked before.
pub(super) async fn planned(
    visit: &mut Visit<'_>,
    requests: &[Cow<'_, Request>],
) -> Result<Vec<Plan>, Fault> {
    let mut plans = Vec::with_capacity(requests.len());
    for (at, request) in requests.iter().enumerate() {
        let plan = visit.plan(request).await;
        plans.push(plan.map_err(|problem| Fault { at, problem })?);
    }
    Ok(plans)
}

pub(super) fn spell(plan: &Plan, identity: &Identity) -> Write {
    let statements = sql::statements(plan, &identity.schema);
    let key = &plan.catalog.tables[plan.table].key;
    let first = statements.first();
    let mut capture = first
        .and_then(|statement| positions(&statement.columns, key))
        .unwrap_or_default();
    if let (true, Some(statement)) = (plan.deletes_more(), first) {
        capture.push(statement.columns.len() - 1);
    }
    Write {
        statements,
        capture,
    }
}

pub(super) fn written_answers(outcomes: Vec<Outcome>, plans: &[Plan]) -> Vec<Answer> {
    let answers = outcomes.into_iter().zip(plans).map(|(outcome, plan)| {
        let mut last = outcome.last.unwrap_or_default();
        let went = if plan.deletes_more() {
            last.pop().flatten()
        } else {
            None
        };
        let key: Option<Vec<String>> = last.into_iter().collect();
        Answer {
            body: outcome.body,
            rows: outcome.rows,
            key: key.unwrap_or_default(),
            went,
            ..Answer::default()
        }
    });
    answers.collect()
}

/// The problem that a failure is. The lease goes back: what failed has ended its transaction.
pub(super) async fn fail(failure: Failure, mut visit: Visit<'_>, plan: &Plan) -> Problem {
    let (until, schema, rules) = (visit.until, &visit.identity.schema, visit.rules);
    let alone = visit.alone;
    let dropped = matches!(failure, Failure::TooLarge);
    let held = visit.is_held();
    let lease = match visit.lease().await {
        Ok(lease) => lease,
        Err(problem) => return problem,
    };
    let explained = async {
        if held {
            // Values are tried in statements of their own, which a failed transaction refuses.
            lease.rollback().await.ok();
        }
        explain(failure, schema, rules, (plan, alone), lease).await
    };
    match until.keep(lease, Box::pin(explained)).await {
        Ok(problem) => {
            // Rows that nobody reads any more are still under way.
            visit.end(dropped || plan.runs_tenants_code());
            problem
        }
        Err(error) => error.into(),
    }
}

/// The count of all pages' rows. It comes with the rows; where there are none, it is zero on the
/// first page and asked for on others.
async fn total(
    schema: &str,
    plan: &Plan,
    read: &Read,
    (lease, own): (&Lease, bool),
    outcome: &Outcome,
) -> Result<Option<u64>, Failure> {
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
            let Some(statement) = sql::count(plan, schema) else {
                return Ok(None);
            };
            let total: Option<i64> = run::figure(lease, &statement, own)
                .await
                .map_err(Failure::Database)?;
            Ok(total.map(whole))
        }
        Count::Planned => {
            let Some(statement) = sql::estimate(plan, schema) else {
                return Ok(None);
            };
            let top: Option<String> = run::figure(lease, &statement, own)
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
