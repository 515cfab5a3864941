//! Writes that are made once, however often they are asked for.

use super::ledger::{Replay, Reply};
use super::plan::{Plan, Rules};
use super::request::Request;
use super::run::{self, Failure, Write};
use super::spine::{Answer, Fault, Spine, fail, planned, spell, written_answers};
use super::visit::Visit;
use crate::problem::{Kind, Problem};
use tenants::{Identity, Lease};

/// What makes a write one that is made once.
#[derive(Clone, Copy)]
pub struct Once<'a> {
    /// What the client calls it by.
    pub replay: &'a Replay,
    /// Puts the answer together, which is kept with the write; a fault undoes it.
    pub render: &'a (dyn Fn(Vec<Answer>) -> Result<Reply, Box<Fault>> + Send + Sync),
}

/// Why the work of a transaction stopped.
enum Stop {
    /// For what was asked.
    Refused(Fault),
    /// At a statement of the write at this place.
    Failed(usize, Failure),
}

impl Spine {
    /// Runs writes in one transaction, once: asked again, it gives the answer that it gave.
    ///
    /// Nothing is kept of a request that is refused. What is refused now, and was made when it could
    /// be, gets its answer too, unless the caller has lost the right.
    pub async fn write_once(
        &self,
        identity: &Identity,
        rules: &Rules,
        requests: &[Request],
        once: Once<'_>,
    ) -> Result<Reply, Fault> {
        let whole = |problem: Problem| Fault { at: 0, problem };
        let mut visit = Visit::begin(self, identity, rules).await.map_err(whole)?;
        visit.alone = requests.len() == 1;
        let ready = match self.sealed(&mut visit, requests).await {
            Ok(ready) => ready,
            Err(fault) => return self.recall(visit, once.replay, fault).await,
        };
        loop {
            let plans = match planned(&mut visit, &ready).await {
                Ok(plans) => plans,
                Err(fault) => return self.recall(visit, once.replay, fault).await,
            };
            let writes: Vec<Write> = plans.iter().map(|plan| spell(plan, identity)).collect();
            let until = visit.until;
            let lease = visit.lease().await.map_err(whole)?;
            let done = until.keep(lease, self.made(lease, identity, (&plans, &writes), once));
            match done.await.map_err(|error| whole(error.into()))? {
                Ok(reply) => {
                    visit.end(plans.iter().any(Plan::runs_tenants_code));
                    return Ok(reply);
                }
                Err(Stop::Refused(fault)) => {
                    visit.end(true);
                    return Err(fault);
                }
                Err(Stop::Failed(_, failure))
                    if visit.has_moved(&failure).await.map_err(whole)? => {}
                Err(Stop::Failed(at, failure)) => {
                    let Some(plan) = plans.get(at) else {
                        return Err(whole(Kind::InternalError.into()));
                    };
                    let problem = fail(failure, visit, plan).await;
                    return Err(Fault { at, problem });
                }
            }
        }
    }

    /// The transaction, from its beginning to its end.
    async fn made(
        &self,
        lease: &Lease,
        identity: &Identity,
        (plans, writes): (&[Plan], &[Write]),
        once: Once<'_>,
    ) -> Result<Reply, Stop> {
        let whole = |problem: Problem| Stop::Refused(Fault { at: 0, problem });
        if let Some(reply) = self
            .begin(lease, identity, once.replay)
            .await
            .map_err(whole)?
        {
            return Ok(reply);
        }
        let made = async {
            let written = run::within(lease, writes).await;
            let outcomes = written.map_err(|(at, failure)| Stop::Failed(at, failure))?;
            (once.render)(written_answers(outcomes, plans)).map_err(|fault| Stop::Refused(*fault))
        };
        let reply = match made.await {
            Ok(reply) => reply,
            Err(stop) => {
                let rolled_back = lease.rollback().await;
                rolled_back.map_err(|error| whole(error.into()))?;
                return Err(stop);
            }
        };
        match self.end(lease, identity, once.replay, &reply).await {
            Ok(()) => Ok(reply),
            Err(Unended::Refused(problem)) => Err(whole(problem)),
            Err(Unended::Failed(error)) => {
                let last = writes.len().saturating_sub(1);
                Err(Stop::Failed(last, Failure::Database(error)))
            }
        }
    }

    /// Begins a transaction and claims the request in it. There is an answer if it was made before,
    /// and the transaction is over then.
    pub(super) async fn begin(
        &self,
        lease: &Lease,
        identity: &Identity,
        replay: &Replay,
    ) -> Result<Option<Reply>, Problem> {
        let (began, claimed) = tokio::join!(
            lease.begin(),
            self.ledger().claim(&**lease, &identity.role, replay)
        );
        began?;
        if !matches!(claimed, Ok(None)) {
            lease.rollback().await?;
        }
        claimed
    }

    /// Puts the answer into the ledger and commits.
    pub(super) async fn end(
        &self,
        lease: &Lease,
        identity: &Identity,
        replay: &Replay,
        reply: &Reply,
    ) -> Result<(), Unended> {
        let (stored, ended) = tokio::join!(
            self.ledger().store(&**lease, &identity.role, replay, reply),
            lease.commit()
        );
        if stored.is_err() || ended.is_err() {
            // A transaction that failed at its end is over; the lease has to know.
            lease.rollback().await.map_err(Unended::Failed)?;
        }
        stored.map_err(Unended::Refused)?;
        ended.map_err(Unended::Failed)
    }

    /// What a request that is refused now was answered before; else the refusal.
    pub(super) async fn recall(
        &self,
        mut visit: Visit<'_>,
        replay: &Replay,
        fault: Fault,
    ) -> Result<Reply, Fault> {
        if matches!(fault.problem.kind.status(), 401 | 403) {
            return Err(fault);
        }
        let at = fault.at;
        let here = |problem| Fault { at, problem };
        let (identity, until) = (visit.identity, visit.until);
        let lease = visit.lease().await.map_err(here)?;
        let asked = async {
            let claimed = self.begin(lease, identity, replay).await;
            lease.rollback().await?;
            claimed
        };
        let claimed = until.keep(lease, asked).await;
        let claimed = claimed.map_err(|error| here(error.into()))?;
        visit.end(false);
        match claimed {
            Ok(Some(reply)) => Ok(reply),
            _ => Err(fault),
        }
    }
}

/// Why a transaction could not be ended.
pub(super) enum Unended {
    /// The ledger refused.
    Refused(Problem),
    /// The commit failed.
    Failed(tenants::Error),
}
