//! One connection for several reads at once, sent behind each other and answered in that order (pipelining).
//!
//! PostgreSQL goes from one to the next without sleeping in between, and what it sends is read and handed on together. What that
//! takes is that none is slow, since the others stand behind it: only statements that were quick on the same connection are let
//! in, and who is not answered soon leaves and asks again on a connection of its own. That is right for reads alone.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::time::timeout;

use crate::{connect::Identity, lease::Lease};

/// Reads that may be under way on one connection.
const DEPTH: usize = 16;

/// How long a connection takes further reads while requests wait for a place: it has to come free for them.
const TURN: Duration = Duration::from_millis(5);

/// How long ago the last answer may be on a connection that takes further reads.
const STILL: Duration = Duration::from_millis(10);

/// How long a read waits for its answer before it is asked elsewhere.
const PATIENCE: Duration = Duration::from_millis(50);

/// The connections that take further reads.
#[derive(Clone, Default)]
pub(crate) struct Lanes(Arc<Mutex<HashMap<Arc<Identity>, Vec<Shared>>>>);

/// How a read gets at its rows.
pub enum Reader<'a> {
    /// On a connection that others may be reading from.
    Together(Lane<'a>),
    /// On one of its own.
    Alone(Lease),
}

/// One read's part in a connection that others may be reading from.
pub struct Lane<'a> {
    lanes: Lanes,
    common: Arc<Common>,
    /// Its statement.
    text: &'a str,
    /// Whether nothing of it is under way any more.
    answered: AtomicBool,
}

struct Shared {
    common: Arc<Common>,
    reads: usize,
}

struct Common {
    lease: Lease,
    since: Instant,
    /// Milliseconds from then to the last answer.
    last: AtomicU64,
}

impl Lanes {
    /// A part in a connection of `identity` on which `text` is known to be quick; `wanted` if requests wait for its place.
    pub(crate) fn join<'a>(
        &self,
        identity: &Identity,
        text: &'a str,
        wanted: bool,
    ) -> Option<Lane<'a>> {
        let mut lanes = self.0.lock();
        let mut shared = lanes.get_mut(identity)?.iter_mut();
        let shared = shared.find(|shared| shared.admits(text, wanted))?;
        shared.reads += 1;
        Some(self.lane(shared.common.clone(), text))
    }

    /// Lets others read from what was leased for one, who has the first part in it.
    pub(crate) fn share<'a>(&self, mut lease: Lease, text: &'a str) -> Lane<'a> {
        lease.keep_as_it_is();
        let identity = lease.identity().clone();
        let common = Arc::new(Common {
            lease,
            since: Instant::now(),
            last: AtomicU64::new(0),
        });
        self.0.lock().entry(identity).or_default().push(Shared {
            common: common.clone(),
            reads: 1,
        });
        self.lane(common, text)
    }

    fn lane<'a>(&self, common: Arc<Common>, text: &'a str) -> Lane<'a> {
        Lane {
            lanes: self.clone(),
            common,
            text,
            answered: AtomicBool::new(false),
        }
    }

    /// Takes one read off. The last takes the connection with it, which goes back when that is dropped.
    fn leave(&self, common: &Arc<Common>) -> Option<Shared> {
        let mut lanes = self.0.lock();
        let identity = common.lease.identity();
        let all = lanes.get_mut(identity)?;
        let at = all
            .iter()
            .position(|shared| Arc::ptr_eq(&shared.common, common))?;
        all[at].reads -= 1;
        if all[at].reads > 0 {
            return None;
        }
        let last = all.swap_remove(at);
        if all.is_empty() {
            lanes.remove(identity);
        }
        Some(last)
    }
}

impl Shared {
    fn admits(&self, text: &str, wanted: bool) -> bool {
        let common = &self.common;
        let age = common.since.elapsed();
        let last = Duration::from_millis(common.last.load(Ordering::Relaxed));
        self.reads < DEPTH
            && !common.lease.is_cut_short()
            && age.saturating_sub(last) < STILL
            && !(wanted && age > TURN)
            && common.lease.is_good()
            && common.lease.is_quick(text)
    }
}

impl Lane<'_> {
    /// The connection, for one statement that leaves no trace in its session: no transaction, no code of the tenant's.
    pub fn lease(&self) -> &Lease {
        &self.common.lease
    }

    /// What `work` brings, if it succeeds soon. If not, it is to be done again on a connection of its own.
    ///
    /// A connection that was left before the answer, or whose caller went away, is ended after the others' answers.
    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Option<T> {
        let common = &self.common;
        let began = common.since.elapsed();
        let outcome = timeout(PATIENCE, work).await;
        let ended = common.since.elapsed();
        if matches!(outcome, Ok(Ok(_))) && ended - began < STILL {
            let milliseconds = u64::try_from(ended.as_millis()).unwrap_or(u64::MAX);
            common.last.store(milliseconds, Ordering::Relaxed);
        } else {
            common.lease.rate(self.text, Duration::MAX);
        }
        let outcome = outcome.ok()?;
        self.answered.store(true, Ordering::Relaxed);
        outcome.ok()
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        if !*self.answered.get_mut() {
            self.common.lease.cut_short();
        }
        self.lanes.leave(&self.common);
    }
}
