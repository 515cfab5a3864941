//! A connection on loan: the tenant's own session, and the promise that it comes back clean or not at all.

use std::{
    future::Future,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;
use tokio_postgres::{Client, SimpleQueryMessage, Statement};

use crate::{
    connect::{Identity, Link},
    error::Error,
    names::quote_literal,
    pool::{Place, Pool},
    watchdog,
};

/// What a lease is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Transactions are read-only.
    Read,
    /// Transactions may write, if the identity may.
    Write,
}

/// A connection that is logged in as one identity, on loan from that identity's pool.
///
/// It is a [`Client`] by `Deref`. Give it back by [`Lease::finish`] when all that ran on it was SQL of
/// the server's own making, by [`Lease::finish_raw`] otherwise. Dropping it is always safe: if work was
/// cut short the backend is ended, else the session is rolled back and looked over before anybody else gets it.
pub struct Lease {
    /// None once the place has moved on to whoever looks after the connection.
    place: Option<Place>,
    identity: Arc<Identity>,
    link: Arc<Link>,
    access: Access,
    /// Whether [`Lease::begin`] was called and neither [`Lease::commit`] nor [`Lease::rollback`] has succeeded since.
    in_transaction: AtomicBool,
    conduct: AtomicU8,
    /// Whether the connection goes back without being looked over.
    as_it_is: bool,
}

/// Nothing is going on.
const QUIET: u8 = 0;
/// Work is going on; still so when the lease is dropped if its caller went away.
const WORKING: u8 = 1;
/// The watchdog has struck.
const SPOILT: u8 = 2;

/// How long a session may take to roll back and answer before it is ended.
const MENDING: Duration = Duration::from_secs(1);

impl Lease {
    pub(crate) fn new(place: Place, link: Arc<Link>, access: Access) -> Self {
        Self {
            identity: place.identity().clone(),
            place: Some(place),
            link,
            access,
            in_transaction: AtomicBool::new(false),
            conduct: AtomicU8::new(QUIET),
            as_it_is: false,
        }
    }

    /// Process id of the backend.
    pub fn pid(&self) -> i32 {
        self.link.pid
    }

    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    pub(crate) fn is_good(&self) -> bool {
        self.link.is_good()
    }

    /// Whether others may wait behind `text`.
    pub(crate) fn is_quick(&self, text: &str) -> bool {
        self.link.statements.is_quick(text)
    }

    /// Takes note of how long the prepared `text` took; see [`Lane`](crate::Lane).
    pub fn rate(&self, text: &str, took: Duration) {
        self.link.statements.rate(text, took);
    }

    /// Has the connection ended when it is given back: an answer is still under way.
    pub(crate) fn cut_short(&self) {
        self.conduct.store(WORKING, Ordering::Relaxed);
    }

    /// Whether that was asked for.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.conduct.load(Ordering::Relaxed) == WORKING
    }

    /// Whether the connection ended because the server sent more in one message than is read.
    pub fn is_exceeded(&self) -> bool {
        self.link.is_exceeded()
    }

    /// Prepares `sql`, or finds it among the last hundred statements that this connection prepared.
    ///
    /// # Errors
    /// Whatever Postgres says of `sql`.
    pub async fn prepare_cached(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.link.statements.get(sql) {
            return Ok(statement);
        }
        // Boxed: its state is large, and whoever finds the statement would carry room for it.
        let statement = Box::pin(self.link.client.prepare(sql)).await?;
        self.link.statements.put(sql, statement.clone());
        Ok(statement)
    }

    /// Forgets what was prepared and what is known of types: for when a table has changed under a statement (0A000).
    pub fn forget_statements(&self) {
        self.link.statements.clear();
        self.link.client.clear_type_cache();
    }

    /// The text that opens this lease's kind of transaction, for callers that pipeline it themselves.
    ///
    /// The level is named because a role's own default of a stricter one makes writes fail at random.
    pub fn begin_text(&self) -> &'static str {
        match self.access {
            Access::Read => "begin isolation level read committed, read only",
            Access::Write => "begin isolation level read committed, read write",
        }
    }

    /// Opens a transaction, read-only for [`Access::Read`].
    pub async fn begin(&self) -> Result<(), Error> {
        self.in_transaction.store(true, Ordering::Relaxed);
        Ok(self.link.client.batch_execute(self.begin_text()).await?)
    }

    /// Commits; deferred constraints and triggers run now, so call it inside [`Lease::run`].
    pub async fn commit(&self) -> Result<(), Error> {
        self.link.client.batch_execute("commit").await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Rolls back; does nothing when no transaction is open.
    pub async fn rollback(&self) -> Result<(), Error> {
        self.link.client.batch_execute("rollback").await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Runs `work`, which uses this lease, and stops it from outside if it takes longer than `limit`.
    ///
    /// At the limit the backend is asked to cancel; a second later, if it is still there, it is
    /// terminated. Either way the connection is thrown away. One `run` at a time.
    ///
    /// # Errors
    /// [`Error::Timeout`] at the limit, else what `work` returns.
    pub async fn run<T, E: Into<Error>>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        self.conduct.store(WORKING, Ordering::Relaxed);
        let Ok(outcome) = timeout(limit, work).await else {
            self.conduct.store(SPOILT, Ordering::Relaxed);
            let executioner = self.place.as_ref().and_then(Place::executioner);
            tokio::spawn(watchdog::end(
                watchdog::Target::of(&self.link, &self.identity),
                executioner,
            ));
            return Err(Error::Timeout { limit });
        };
        self.conduct.store(QUIET, Ordering::Relaxed);
        outcome.map_err(Into::into)
    }

    /// The client by itself, for portals, which borrow it; and the watch to run that work under.
    ///
    /// A transaction that is dropped before its end is rolled back. None if somebody else holds the connection.
    pub async fn alone(&mut self) -> Option<(Watch<'_>, &mut Client)> {
        // Whoever had the connection before may be letting go of it this instant, on another thread.
        while Arc::strong_count(&self.link) > 1 {
            tokio::task::yield_now().await;
        }
        let watch = Watch {
            conduct: &self.conduct,
            target: watchdog::Target::of(&self.link, &self.identity),
            executioner: self.place.as_ref().and_then(Place::executioner),
        };
        let link = Arc::get_mut(&mut self.link)?;
        Some((watch, &mut link.client))
    }

    /// Gives the connection back as it is.
    ///
    /// For work of the server's own making. If a transaction is still open or work was cut short,
    /// this is the same as dropping the lease.
    pub fn finish(mut self) {
        self.keep_as_it_is();
    }

    /// Has the connection given back as it is when the lease is dropped.
    pub(crate) fn keep_as_it_is(&mut self) {
        self.as_it_is = true;
    }

    /// Gives the connection back after SQL that a tenant wrote: it is looked over first, without keeping the caller waiting.
    pub fn finish_raw(self) {
        drop(self);
    }
}

/// What [`Lease::run`] does, for work that borrows the client.
pub struct Watch<'a> {
    conduct: &'a AtomicU8,
    target: watchdog::Target,
    executioner: Option<Pool>,
}

impl Watch<'_> {
    /// Runs `work` and stops it from outside if it takes longer than `limit`; see [`Lease::run`].
    ///
    /// # Errors
    /// [`Error::Timeout`] at the limit, else what `work` returns.
    pub async fn run<T, E: From<Error>>(
        self,
        limit: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.conduct.store(WORKING, Ordering::Relaxed);
        let Ok(outcome) = timeout(limit, work).await else {
            self.conduct.store(SPOILT, Ordering::Relaxed);
            tokio::spawn(watchdog::end(self.target, self.executioner));
            return Err(Error::Timeout { limit }.into());
        };
        self.conduct.store(QUIET, Ordering::Relaxed);
        outcome
    }
}

impl Deref for Lease {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.link.client
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        let link = self.link.clone();
        if link.client.is_closed() {
            return;
        }
        let conduct = *self.conduct.get_mut();
        if self.as_it_is && conduct == QUIET && !*self.in_transaction.get_mut() {
            place.shelve(link);
            return;
        }
        // Without a runtime there is nobody to look after it; the process is ending.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            let target = watchdog::Target::of(&link, place.identity());
            if conduct == SPOILT {
                drop(link);
                watchdog::wait(target).await;
                return;
            }
            if conduct == QUIET
                && timeout(MENDING, is_as_we_left_it(&link, place.identity())).await == Ok(true)
            {
                place.shelve(link);
                return;
            }
            drop(link);
            // The place is kept until the backend is gone: what still works for a tenant counts against it.
            watchdog::end(target, place.executioner()).await;
        });
    }
}

/// Rolls back, and compares the session with a fresh one: who it is, its settings, what it has prepared, opened or listens to.
async fn is_as_we_left_it(link: &Link, identity: &Identity) -> bool {
    // Every name is qualified, for the session's search_path is the tenant's. The transaction's time equals the
    // statement's only if this message opened it, so an open transaction shows even if `rollback` did not end it.
    // Settings that a tenant invents are in no view: `reset all` empties them.
    let text = format!(
        "rollback; select pg_catalog.now() operator(pg_catalog.=) pg_catalog.statement_timestamp()
             and session_user operator(pg_catalog.=) {role} and current_user operator(pg_catalog.=) {role}
             and pg_catalog.pg_my_temp_schema() operator(pg_catalog.=) 0
             and not exists (select from pg_catalog.pg_settings where source operator(pg_catalog.=) 'session')
             and (select pg_catalog.count(*) operator(pg_catalog.=) 1
                      and pg_catalog.bool_and(name operator(pg_catalog.=) 'sandlot_mark')
                  from pg_catalog.pg_prepared_statements where from_sql)
             and not exists (select from pg_catalog.pg_cursors)
             and not exists (select from pg_catalog.pg_listening_channels());
         reset all",
        role = quote_literal(&identity.role),
    );
    let Ok(answer) = link.client.simple_query(&text).await else {
        return false;
    };
    answer
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")))
}
