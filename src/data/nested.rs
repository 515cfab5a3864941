//! Rows made together with the rows that refer to them, in one transaction.
//!
//! What a row refers to is known only when that is made, so these go one after the other; plain
//! writes, which do not wait for each other, are [`Spine::write`]'s.

use super::body::Cell;
use super::catalog::{Catalog, RelationKind};
use super::json::write_string;
use super::ledger::Reply;
use super::once::{Once, Unended};
use super::plan::{Plan, Rules, brief, plan};
use super::request::{Create, One, Request};
use super::rows::{Format, positions};
use super::run::{self, Failure, Keep, Outcome};
use super::secrets::{with_secrets, without_secrets};
use super::spine::{Answer, Fault, Spine, fail};
use super::sql;
use super::visit::Visit;
use crate::problem::{Kind, Problem};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tenants::{Identity, Lease};

/// A write, and rows that are made with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The write; only a new row has others made with it.
    pub request: Request,
    /// Rows that refer to it.
    pub children: Vec<Children>,
}

/// New rows that refer to another new row.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    /// The relation that leads to them.
    pub relation: String,
    /// The rows; what they refer by is filled in.
    pub rows: Vec<Change>,
}

impl Change {
    /// How many rows it makes or changes.
    pub fn rows(&self) -> usize {
        let children = self.children.iter().flat_map(|children| &children.rows);
        1 + children.map(Self::rows).sum::<usize>()
    }
}

impl Spine {
    /// Runs writes, and what is nested in them, in one transaction: all are kept, or none.
    ///
    /// Each answers with its row as it is when all that is nested in it is made.
    pub async fn write_nested(
        &self,
        identity: &Identity,
        rules: &Rules,
        changes: &[Change],
        keep: Keep,
    ) -> Result<Vec<Answer>, Fault> {
        match self
            .nest(identity, rules, changes, End::Plain(keep))
            .await?
        {
            Done::Answers(answers) => Ok(answers),
            Done::Reply(_) => Err(whole(Kind::InternalError.into())),
        }
    }

    /// The same once: asked again, it gives the answer that it gave.
    pub async fn nest_once(
        &self,
        identity: &Identity,
        rules: &Rules,
        changes: &[Change],
        once: Once<'_>,
    ) -> Result<Reply, Fault> {
        match self.nest(identity, rules, changes, End::Once(once)).await? {
            Done::Reply(reply) => Ok(reply),
            Done::Answers(_) => Err(whole(Kind::InternalError.into())),
        }
    }

    async fn nest(
        &self,
        identity: &Identity,
        rules: &Rules,
        changes: &[Change],
        end: End<'_>,
    ) -> Result<Done, Fault> {
        let mut visit = Visit::begin(self, identity, rules).await.map_err(whole)?;
        visit.alone = false;
        for (at, change) in changes.iter().enumerate() {
            let tried = try_all(&mut visit, rules, change).await;
            match (tried, end) {
                (Ok(()), _) => {}
                (Err(problem), End::Plain(_)) => return Err(Fault { at, problem }),
                (Err(problem), End::Once(once)) => {
                    let fault = Fault { at, problem };
                    return self
                        .recall(visit, once.replay, fault)
                        .await
                        .map(Done::Reply);
                }
            }
        }
        loop {
            let catalog = Arc::clone(visit.catalog());
            let until = visit.until;
            let lease = visit.lease().await.map_err(whole)?;
            let work = Work {
                spine: self,
                lease,
                catalog: &catalog,
                identity,
                rules,
            };
            let done = until.keep(lease, work.all(changes, end)).await;
            let (at, stop) = match done.map_err(|error| whole(error.into()))? {
                Ok(done) => {
                    visit.end(true);
                    return Ok(done);
                }
                Err(stopped) => stopped,
            };
            match stop {
                Stop::Refused(problem) => {
                    visit.end(true);
                    return Err(Fault { at, problem });
                }
                Stop::Failed(failure, _) if visit.has_moved(&failure).await.map_err(whole)? => {}
                Stop::Failed(failure, plan) => {
                    let problem = fail(failure, visit, &plan).await;
                    return Err(Fault { at, problem });
                }
            }
        }
    }
}

fn whole(problem: Problem) -> Fault {
    Fault { at: 0, problem }
}

/// How a transaction ends.
#[derive(Clone, Copy)]
enum End<'a> {
    /// By itself.
    Plain(Keep),
    /// With the answer in the ledger.
    Once(Once<'a>),
}

/// What came of a transaction.
enum Done {
    Answers(Vec<Answer>),
    Reply(Reply),
}

/// Why the work of a transaction stopped.
enum Stop {
    /// For what was asked.
    Refused(Problem),
    /// At a statement.
    Failed(Failure, Box<Plan>),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// What the statements of one transaction have in common.
#[derive(Clone, Copy)]
struct Work<'a> {
    spine: &'a Spine,
    lease: &'a Lease,
    catalog: &'a Arc<Catalog>,
    identity: &'a Identity,
    rules: &'a Rules,
}

impl<'a> Work<'a> {
    /// Everything from the transaction's beginning to its end.
    async fn all(self, changes: &'a [Change], end: End<'a>) -> Result<Done, (usize, Stop)> {
        let database = |at: usize, error: tenants::Error| (at, Stop::Refused(error.into()));
        match end {
            End::Plain(_) => {
                let began = self.lease.begin().await;
                began.map_err(|error| database(0, error))?;
            }
            End::Once(once) => {
                let begun = self.spine.begin(self.lease, self.identity, once.replay);
                if let Some(reply) = begun.await.map_err(|problem| (0, problem.into()))? {
                    return Ok(Done::Reply(reply));
                }
            }
        }
        let made = async {
            let mut answers = Vec::with_capacity(changes.len());
            for (at, change) in changes.iter().enumerate() {
                let made = self.make(change, Vec::new()).await;
                answers.push(made.map_err(|stop| (at, stop))?);
            }
            Ok(match end {
                End::Plain(_) => Done::Answers(answers),
                End::Once(once) => Done::Reply(
                    (once.render)(answers)
                        .map_err(|fault| (fault.at, Stop::Refused(fault.problem)))?,
                ),
            })
        };
        let done = match made.await {
            Ok(done) => done,
            Err((at, stop)) => {
                let rolled_back = self.lease.rollback().await;
                rolled_back.map_err(|error| database(at, error))?;
                return Err((at, stop));
            }
        };
        let last = changes.len().saturating_sub(1);
        let ended = match (end, &done) {
            (End::Once(once), Done::Reply(reply)) => {
                let ended = self
                    .spine
                    .end(self.lease, self.identity, once.replay, reply);
                match ended.await {
                    Err(Unended::Refused(problem)) => return Err((last, problem.into())),
                    Err(Unended::Failed(error)) => Err(error),
                    Ok(()) => Ok(()),
                }
            }
            (End::Plain(Keep::No), _) => {
                let checked = self.lease.batch_execute(self.rules.end(Keep::No).1).await;
                let rolled_back = self.lease.rollback().await;
                rolled_back.map_err(|error| database(last, error))?;
                checked.map_err(tenants::Error::from)
            }
            _ => self.lease.commit().await,
        };
        let Err(error) = ended else {
            return Ok(done);
        };
        let request = changes.last().map(|change| &change.request);
        let planned = request.map(|request| self.plan(request));
        match planned {
            Some(Ok(plan)) => {
                // A transaction that failed at its end is over; the lease has to know.
                let over = self.lease.rollback().await;
                over.map_err(|error| database(last, error))?;
                Err((last, Stop::Failed(Failure::Database(error), Box::new(plan))))
            }
            _ => Err(database(last, error)),
        }
    }

    /// One change with what is nested in it. `given` are the cells that say what it refers to.
    fn make(self, change: &'a Change, given: Vec<Cell>) -> BoxFuture<'a, Result<Answer, Stop>> {
        async move {
            let mut request = change.request.clone();
            let shown = match &mut request {
                Request::Create(create) => {
                    add(create, given)?;
                    // A row with others in it is shown when they are made. Until then all of its
                    // columns are, those that the others refer by among them.
                    let has_others = !change.children.is_empty();
                    has_others.then(|| std::mem::take(&mut create.select))
                }
                _ => None,
            };
            let open = without_secrets(&request, self.rules)?;
            let make_secret = self.spine.make_secret();
            let sealed = with_secrets(&request, open, self.rules, make_secret).await?;
            let plan = self.plan(&sealed)?;
            let table = &self.catalog.tables[plan.table];
            let Some(select) = shown else {
                let outcome = self.run(&plan, &table.key).await?;
                return Ok(Answer {
                    body: outcome.body,
                    rows: outcome.rows,
                    ..Answer::default()
                });
            };
            let mut wanted = table.key.clone();
            let mut relations = Vec::with_capacity(change.children.len());
            for children in &change.children {
                let relation = table
                    .relation(&children.relation)
                    .map(|at| &table.relations[at])
                    .filter(|relation| relation.kind != RelationKind::Parent)
                    .ok_or_else(|| Problem::from(Kind::InternalError))?;
                wanted.extend(&relation.here);
                relations.push((relation, &children.rows));
            }
            let outcome = self.run(&plan, &wanted).await?;
            let values = outcome.last.unwrap_or_default();
            let mut next = table.key.len();
            for (relation, rows) in relations {
                let values = &values[next..next + relation.here.len()];
                next += relation.here.len();
                let target = &self.catalog.tables[relation.table];
                let cells: Vec<Cell> = relation
                    .there
                    .iter()
                    .zip(values)
                    .map(|(column, value)| cell(&target.columns[*column].name, value.as_deref()))
                    .collect();
                for row in rows {
                    self.make(row, cells.clone()).await?;
                }
            }
            let key: Option<Vec<String>> = values.into_iter().take(table.key.len()).collect();
            let again = Request::One(One {
                table: table.name.clone(),
                key: key.unwrap_or_default(),
                select,
            });
            let plan = self.plan(&again)?;
            let outcome = self.run(&plan, &[]).await?;
            Ok(Answer {
                body: outcome.body,
                rows: outcome.rows,
                ..Answer::default()
            })
        }
        .boxed()
    }

    fn plan(self, request: &Request) -> Result<Plan, Problem> {
        plan(request, self.catalog, self.rules, self.spine.seal())
    }

    /// Runs a plan inside the open transaction; it has to touch a row.
    async fn run(self, plan: &Plan, wanted: &[usize]) -> Result<Outcome, Stop> {
        let mut last = Outcome::default();
        for statement in sql::statements(plan, &self.identity.schema) {
            let capture = positions(&statement.columns, wanted).unwrap_or_default();
            last = run::read(self.lease, &statement, Format::Json, &capture, false)
                .await
                .map_err(|failure| Stop::Failed(failure, Box::new(plan.clone())))?;
        }
        if last.rows == 0 {
            return Err(Stop::Failed(Failure::Missed, Box::new(plan.clone())));
        }
        Ok(last)
    }
}

/// Plans a change and all that is nested in it, to refuse what can be refused before it runs.
fn try_all<'a>(
    visit: &'a mut Visit<'_>,
    rules: &'a Rules,
    change: &'a Change,
) -> BoxFuture<'a, Result<(), Problem>> {
    async move {
        let open = without_secrets(&change.request, rules)?;
        visit.plan(&open).await?;
        for row in change.children.iter().flat_map(|children| &children.rows) {
            try_all(visit, rules, row).await?;
        }
        Ok(())
    }
    .boxed()
}

/// Puts cells into the one row of a request; none of them may be there already.
fn add(create: &mut Create, given: Vec<Cell>) -> Result<(), Problem> {
    let mut faults = Problem::new(Kind::ValidationFailed);
    for row in &mut create.body.rows {
        for cell in &given {
            if row.iter().any(|known| known.name == cell.name) {
                faults = faults.field(
                    brief(&cell.name),
                    "is filled in from the row that this one is nested in",
                );
            }
        }
        row.extend(given.iter().cloned());
    }
    if faults.errors.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// A cell with a value that came out of the database as text, which its type reads.
fn cell(name: &str, value: Option<&str>) -> Cell {
    let mut json = String::new();
    match value {
        Some(text) => write_string(&mut json, text),
        None => json.push_str("null"),
    }
    Cell {
        name: name.to_owned(),
        json,
        trusted: false,
    }
}
