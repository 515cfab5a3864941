//! One caller's stay at one schema: the catalog it goes by, the lease it takes, its deadline.

use super::catalog::Catalog;
use super::plan::{Plan, Rules, plan};
use super::request::Request;
use super::run::Failure;
use super::spine::Spine;
use super::sql::quote;
use crate::problem::{Kind, Problem};
use std::sync::Arc;
use std::time::Duration;
use tenants::{Access, Error, Identity, Lane, Lease, Reader};
use tokio::time::Instant;

/// How often a request is planned again because the schema moved under it. Once is enough unless
/// somebody changes a table many times a second.
const MAX_MOVES: u8 = 3;

/// When the work of a request must be over, all steps together.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

/// What goes on between the start of a request and its end.
pub(super) struct Visit<'a> {
    spine: &'a Spine,
    pub(super) identity: &'a Identity,
    pub(super) rules: &'a Rules,
    pub(super) until: Deadline,
    lease: Option<Lease>,
    catalog: Arc<Catalog>,
    /// Whether the catalog was read or confirmed by this visit.
    looked: bool,
    /// How often the schema moved under a plan.
    moved: u8,
    /// Whether a transaction is open that keeps a table from changing.
    held: bool,
    /// Whether no other writes go with a write, so that what it met with is there to be looked at when it has failed.
    pub(super) alone: bool,
}

impl<'a> Visit<'a> {
    /// Begins with the catalog that is known; a look is taken if that is too long ago.
    pub(super) async fn begin(
        spine: &'a Spine,
        identity: &'a Identity,
        rules: &'a Rules,
    ) -> Result<Self, Problem> {
        let fresh = spine.known_catalog(identity);
        let mut visit = Self {
            spine,
            identity,
            rules,
            until: Deadline(Instant::now() + spine.limit()),
            lease: None,
            looked: false,
            moved: 0,
            held: false,
            alone: true,
            catalog: fresh.clone().unwrap_or_default(),
        };
        if fresh.is_none() {
            visit.look().await?;
        }
        Ok(visit)
    }

    /// What the schema holds, as far as this visit knows.
    pub(super) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The lease, taken at the first call.
    pub(super) async fn lease(&mut self) -> Result<&Lease, Problem> {
        let lease = match self.lease.take() {
            Some(lease) => lease,
            None => {
                let access = if self.rules.no_writes.is_some() {
                    Access::Read
                } else {
                    Access::Write
                };
                self.spine.tenants().lease(self.identity, access).await?
            }
        };
        Ok(self.lease.insert(lease))
    }

    /// A part in a connection that others read from, if `text` may have that and no lease was taken.
    pub(super) async fn lane<'t>(&mut self, text: &'t str) -> Result<Option<Lane<'t>>, Problem> {
        if self.lease.is_some() {
            return Ok(None);
        }
        match self.spine.tenants().read(self.identity, text).await? {
            Reader::Together(lane) => Ok(Some(lane)),
            Reader::Alone(lease) => {
                self.lease = Some(lease);
                Ok(None)
            }
        }
    }

    /// Looks at the schema; whether it is not what it was taken for.
    pub(super) async fn look(&mut self) -> Result<bool, Problem> {
        let until = self.until;
        let (catalogs, schema) = (self.spine.catalogs(), &self.identity.schema);
        let lease = self.lease().await?;
        // Boxed, since it is large, and each request would carry room for it.
        let look = Box::pin(catalogs.look(schema, lease));
        let newer = lease.run(until.left(), look).await?;
        self.looked = true;
        let changed = !Arc::ptr_eq(&newer, &self.catalog);
        self.catalog = newer;
        Ok(changed)
    }

    /// Plans a request; one that a newer catalog might not refuse leads to a look, once a visit.
    pub(super) async fn plan(&mut self, request: &Request) -> Result<Plan, Problem> {
        let seal = self.spine.seal();
        match plan(request, &self.catalog, self.rules, seal) {
            Err(problem) if !self.looked && self.may_be_stale(request, &problem) => {
                if self.look().await? {
                    return plan(request, &self.catalog, self.rules, seal);
                }
                Err(problem)
            }
            outcome => outcome,
        }
    }

    /// Whether another look at the schema might change a refusal.
    fn may_be_stale(&self, request: &Request, problem: &Problem) -> bool {
        let about_names = matches!(
            problem.kind,
            Kind::NotFound | Kind::InvalidParameter | Kind::ValidationFailed
        );
        about_names || self.catalog.find(request.table()).is_none()
    }

    /// After a failure: whether the schema moved under the plan, and it is worth planning again.
    pub(super) async fn has_moved(&mut self, failure: &Failure) -> Result<bool, Problem> {
        if self.moved >= MAX_MOVES || !matches!(failure, Failure::Moved(_)) {
            return Ok(false);
        }
        self.moved += 1;
        self.look().await?;
        Ok(true)
    }

    /// Keeps the table from changing until the end, and looks at it once more: for a read that has
    /// met with changes too often. A table that is not there is for the plan to refuse.
    pub(super) async fn hold(&mut self, table: &str) -> Result<(), Problem> {
        self.held = true;
        let text = format!(
            "lock table {}.{} in access share mode",
            quote(&self.identity.schema),
            quote(table)
        );
        let until = self.until;
        let lease = self.lease().await?;
        let locked = async {
            lease.begin().await?;
            if lease.batch_execute(&text).await.is_err() {
                lease.rollback().await?;
            }
            Ok::<_, Error>(())
        };
        lease.run(until.left(), locked).await?;
        self.look().await.map(|_| ())
    }

    /// Whether a transaction is open that keeps a table from changing.
    pub(super) const fn is_held(&self) -> bool {
        self.held
    }

    /// Gives the lease back; by way of being looked over if code of the tenant's may have run.
    pub(super) fn end(self, tenants_code: bool) {
        match self.lease {
            Some(lease) if tenants_code || self.held => lease.finish_raw(),
            Some(lease) => lease.finish(),
            None => {}
        }
    }
}

impl Deadline {
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Runs work on the lease under the watchdog.
    pub(super) async fn keep<T>(
        self,
        lease: &Lease,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        lease
            .run(self.left(), async { Ok::<_, Error>(work.await) })
            .await
    }
}
