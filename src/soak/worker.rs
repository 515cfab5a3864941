//! One client: asks until it is answered, and keeps a tenant's sessions.

use std::{sync::Arc, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use crate::problem::Kind;

use super::{
    figures::Figures,
    http::{Answer, Call, Line, Server},
    judge::{Verdict, judge},
    rows::{CREATE, TABLE},
    tenants::{Tenant, Tenants},
};

/// Pause before a server that is away is asked again.
const PAUSE: Duration = Duration::from_millis(250);
/// Tries of a call whose answers are wrong, and of a write that is said to be still at work.
const TRIES: u32 = 20;
const TRIES_AT_WORK: u32 = 300;

/// A client with its connections.
pub struct Worker {
    pub(super) server: Arc<Server>,
    pub(super) figures: Arc<Figures>,
    pub(super) tenants: Arc<Tenants>,
    pub(super) rng: StdRng,
    pub(super) line: Line,
    /// For what is sent twice at once.
    pub(super) second_line: Line,
    /// Until when an answer is waited for, once the time is over.
    stop: watch::Receiver<Option<Instant>>,
}

/// With which credentials a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Nobody,
    /// The `Api-Key` alone.
    Key,
    /// The administrator's session, and the key.
    Session,
    /// The API token.
    Token,
}

/// What has to come.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    Status(u16),
    Problem(Kind),
}

/// The answer that was wanted.
#[derive(Debug)]
pub struct Done {
    pub body: Value,
    pub location: String,
}

/// Why there is none.
#[derive(Debug)]
pub enum Failure {
    /// An answer that no server should give.
    Wrong(String),
    /// The time is over.
    Undecided,
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

impl Worker {
    pub fn new(
        server: Arc<Server>,
        figures: Arc<Figures>,
        tenants: &Arc<Tenants>,
        seed: u64,
        stop: watch::Receiver<Option<Instant>>,
    ) -> Self {
        Self {
            server,
            figures,
            tenants: Arc::clone(tenants),
            rng: StdRng::seed_from_u64(seed),
            line: Line::new(),
            second_line: Line::new(),
            stop,
        }
    }

    /// Makes tenants ready to be called as, until all are.
    pub async fn prepare(&mut self) -> anyhow::Result<()> {
        let tenants = Arc::clone(&self.tenants);
        while let Some(mut tenant) = tenants.next().await {
            match self.make_ready(&mut tenant).await {
                Ok(()) => tenants.tell_key(&tenant.access.api_key),
                Err(Failure::Wrong(what)) => anyhow::bail!("{}: {what}", tenant.access.email),
                Err(Failure::Undecided) => {
                    anyhow::bail!("{} could not be made ready in time", tenant.access.email)
                }
            }
        }
        Ok(())
    }

    /// Calls as one tenant after the other until the time is over.
    pub async fn call_until(&mut self, end: Instant, pause: Duration, calls: u64) {
        let tenants = Arc::clone(&self.tenants);
        let mut next = Instant::now() + pause.mul_f64(self.rng.random());
        let figures = Arc::clone(&self.figures);
        let enough = || calls > 0 && figures.so_far() >= calls;
        while Instant::now() < end && self.stop.borrow().is_none() && !enough() {
            if !pause.is_zero() {
                tokio::time::sleep_until(next.min(end)).await;
                // What was missed is not made up for: the rate is a bound, before and after a fault.
                next = (next + pause).max(Instant::now());
            }
            let Some(mut tenant) = tenants.any(&mut self.rng).await else {
                return;
            };
            let call = self.draw(&tenant);
            let outcome = self.make(call, &mut tenant).await;
            self.note(call.name(), &mut tenant, outcome);
        }
    }

    /// Holds all rows of all tenants against what was written.
    pub async fn look_at_all(&mut self) {
        let tenants = Arc::clone(&self.tenants);
        while let Some(mut tenant) = tenants.next().await {
            if !tenant.aside {
                let outcome = self.look(&mut tenant).await;
                self.note("last look", &mut tenant, outcome);
            }
        }
    }

    /// Removes the tenants; one that can't be removed is left.
    pub async fn remove_all(&mut self) {
        let tenants = Arc::clone(&self.tenants);
        while let Some(mut tenant) = tenants.next().await {
            let call = Call::new(hyper::Method::DELETE, "/api/tenant", None);
            let asked = self.ask(
                &mut tenant,
                "remove",
                By::Session,
                &call,
                Wanted::Status(200),
            );
            let _ = asked.await;
        }
    }

    /// Sends a call until its answer is the wanted one or a wrong one.
    pub async fn ask(
        &mut self,
        tenant: &mut Tenant,
        name: &'static str,
        by: By,
        call: &Call,
        wanted: Wanted,
    ) -> Result<Done, Failure> {
        let (mut wrong, mut at_work) = (0, 0);
        loop {
            let sent = dressed(call, by, tenant);
            let answer = self.line.send(&self.server, &sent).await;
            let pause = match self.outcome(tenant, name, answer, wanted) {
                Outcome::Done(done) => return Ok(done),
                Outcome::Wait(pause) => pause,
                Outcome::Expired if by == By::Session => {
                    Box::pin(self.sign_in_again(tenant)).await?;
                    continue;
                }
                Outcome::Expired => return Err(Failure::Wrong("token-expired".to_owned())),
                Outcome::AtWork if at_work < TRIES_AT_WORK => {
                    at_work += 1;
                    PAUSE
                }
                // The server's own fault does not decide a write; that it happened is wrong all the same.
                Outcome::Fault(what) if wrong < TRIES => {
                    wrong += 1;
                    self.figures.wrong(&tenant.schema, name, what);
                    PAUSE
                }
                Outcome::AtWork => return Err(Failure::Wrong("is at work for ever".to_owned())),
                Outcome::Fault(what) | Outcome::Wrong(what) => return Err(Failure::Wrong(what)),
            };
            let late = |until: Instant| Instant::now() > until;
            if self.stop.borrow().is_some_and(late) {
                return Err(Failure::Undecided);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// What an answer, or none, means to a call; counted.
    pub(super) fn outcome(
        &self,
        tenant: &Tenant,
        name: &'static str,
        answer: Result<Answer, &'static str>,
        wanted: Wanted,
    ) -> Outcome {
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => {
                self.figures.unanswered(reason);
                return Outcome::Wait(PAUSE);
            }
        };
        let wait = || {
            let seconds = answer.header("retry-after").parse().unwrap_or(1);
            Outcome::Wait(Duration::from_secs(seconds))
        };
        let again = answer.header("duplicate-request") == "true";
        let done = |body| {
            self.figures.good(name, answer.took, again);
            let location = answer.header("location").to_owned();
            Outcome::Done(Done { body, location })
        };
        match (judge(&answer, &tenant.rows.marker), wanted) {
            (Verdict::Good(body), Wanted::Status(status)) if status == answer.status => done(body),
            (Verdict::Refused(kind, body), Wanted::Problem(wanted)) if kind == wanted => done(body),
            (Verdict::Away(reason), _) => {
                self.figures.unanswered(reason);
                Outcome::Wait(PAUSE)
            }
            (Verdict::Wrong(what), _) => Outcome::Wrong(what),
            (Verdict::Good(body), _) => Outcome::Wrong(format!(
                "status {}: {}",
                answer.status,
                super::rows::short(&body)
            )),
            (Verdict::Refused(kind, body), _) => match kind {
                Kind::TooManyRequests
                | Kind::ServiceUnavailable
                | Kind::RequestTimeout
                | Kind::TenantProvisioning => {
                    self.figures.refused(kind.slug());
                    wait()
                }
                Kind::IdempotencyConflict => {
                    self.figures.refused(kind.slug());
                    Outcome::AtWork
                }
                Kind::TokenExpired => Outcome::Expired,
                kind if kind.status() >= 500 => Outcome::Fault(super::rows::short(&body)),
                _ => Outcome::Wrong(super::rows::short(&body)),
            },
        }
    }

    /// Takes down what came of a call; a tenant whose rows are no longer known is put aside.
    fn note(&self, name: &'static str, tenant: &mut Tenant, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => {}
            Err(Failure::Wrong(what)) => {
                self.figures.wrong(&tenant.schema, name, what);
                tenant.aside = true;
            }
            Err(Failure::Undecided) => {
                self.figures.undecided();
                tenant.aside = true;
            }
        }
    }

    async fn make_ready(&mut self, tenant: &mut Tenant) -> Result<(), Failure> {
        if tenant.access.api_key.is_empty() {
            let body = json!({"email": tenant.access.email, "password": tenant.access.password});
            let call = Call::post("/api/register", body);
            let made = self.ask(tenant, "register", By::Nobody, &call, Wanted::Status(201));
            let key = made.await?.body["tenant"]["api_key"].clone();
            tenant.access.api_key = text(&key)?;
        }
        loop {
            let call = Call::get("/api/tenant");
            let state = self.ask(tenant, "tenant", By::Key, &call, Wanted::Status(200));
            let state = state.await?.body;
            tenant.schema = text(&state["schema"])?;
            match state["status"].as_str() {
                Some("ready") => break,
                Some("provisioning") => tokio::time::sleep(PAUSE).await,
                _ => return Err(Failure::Wrong(format!("the tenant is {}", state["status"]))),
            }
        }
        self.sign_in(tenant).await?;
        for query in [&format!("drop table if exists {TABLE}"), CREATE] {
            let call = Call::post("/api/v1/sql", json!({ "query": query }));
            let key = tenant.key();
            let call = call.with("idempotency-key", key);
            self.ask(tenant, "sql", By::Session, &call, Wanted::Status(200))
                .await?;
        }
        let scopes = json!(["tables", "views", "graphql", "write", "sql"]);
        let call = Call::post("/api/tokens", json!({"name": "soak", "scopes": scopes}));
        let made = self.ask(tenant, "token", By::Session, &call, Wanted::Status(201));
        tenant.token = text(&made.await?.body["token"])?;
        Ok(())
    }

    /// By the refresh token, else by the password.
    async fn sign_in_again(&mut self, tenant: &mut Tenant) -> Result<(), Failure> {
        let body = json!({"refresh_token": tenant.refresh});
        let call = dressed(&Call::post("/api/auth/refresh", body), By::Key, tenant);
        let answer = self.line.send(&self.server, &call).await;
        // An answer that got lost has spent the token.
        match self.outcome(tenant, "refresh", answer, Wanted::Status(200)) {
            Outcome::Done(done) => tenant.signed_in(&done.body),
            _ => self.sign_in(tenant).await,
        }
    }

    async fn sign_in(&mut self, tenant: &mut Tenant) -> Result<(), Failure> {
        let body = json!({"email": tenant.access.email, "password": tenant.access.password});
        let call = Call::post("/api/auth/token", body);
        let done = self.ask(tenant, "sign in", By::Key, &call, Wanted::Status(200));
        let body = done.await?.body;
        tenant.signed_in(&body)
    }
}

impl Tenant {
    /// A key that no other write of this run has.
    pub fn key(&mut self) -> String {
        self.writes += 1;
        format!("{}/{}", self.rows.marker, self.writes)
    }

    fn signed_in(&mut self, body: &Value) -> Result<(), Failure> {
        self.session = text(&body["access_token"])?;
        self.refresh = text(&body["refresh_token"])?;
        Ok(())
    }
}

/// What an answer means to whoever asked.
pub(super) enum Outcome {
    Done(Done),
    /// Nothing is decided; ask again after this time.
    Wait(Duration),
    /// The first one with this key is not through.
    AtWork,
    /// The session is over.
    Expired,
    /// The server's own fault.
    Fault(String),
    Wrong(String),
}

/// The call with a tenant's credentials.
pub(super) fn dressed(call: &Call, by: By, tenant: &Tenant) -> Call {
    let call = call.clone();
    let key = &tenant.access.api_key;
    let own_key = call.headers.iter().any(|(name, _)| *name == "api-key");
    match by {
        By::Nobody => call,
        By::Key => call.with("api-key", key),
        By::Session if own_key => call.with("authorization", format!("Bearer {}", tenant.session)),
        By::Session => call
            .with("api-key", key)
            .with("authorization", format!("Bearer {}", tenant.session)),
        By::Token => call.with("authorization", format!("Bearer {}", tenant.token)),
    }
}

fn text(value: &Value) -> Result<String, Failure> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| Failure::Wrong(format!("{value} where a text belongs")))
}
