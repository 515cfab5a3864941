//! Every identity's own few connections, under one cap for all of them together.
//!
//! Written here and not taken from a pool crate, because three rules cross the borders between pools:
//! idle connections of one tenant are closed to make room for another, a free place goes to the tenant
//! that has the fewest, and a place counts as taken until its backend is really gone.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{
    connect::{Door, Identity, Link},
    error::Error,
    lease::{Access, Lease},
};

/// How long to wait, at first and at most, before a login is tried again that was refused for the number of connections.
const CROWDED: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(320));

/// Connections of many identities to one database.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

/// How a pool divides its places.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    /// Places of all identities together.
    pub(crate) cap: usize,
    /// Places of one identity.
    pub(crate) each: usize,
    /// Places of one that is alone, and how long it has to have been.
    pub(crate) alone: usize,
    pub(crate) alone_after: Duration,
    /// Places kept for identities that have none yet.
    pub(crate) reserve: usize,
    pub(crate) idle: Duration,
    pub(crate) wait: Duration,
    pub(crate) queue: usize,
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Connections that are open, being opened or being ended.
    pub open: usize,
    /// Those of them that are not idle.
    pub in_use: usize,
    /// Requests that wait for one.
    pub waiting: usize,
    /// Most that may be open.
    pub cap: usize,
}

/// The right to one connection of an identity; free for others when dropped.
pub(crate) struct Place {
    /// None once the place has been given back.
    pool: Option<Pool>,
    identity: Arc<Identity>,
}

struct Shared {
    door: Door,
    share: Share,
    /// Through which stubborn backends are ended; the platform's own pools have none.
    executioner: Option<Pool>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shelves: HashMap<Arc<Identity>, Shelf>,
    /// Sums over the shelves.
    idle: usize,
    busy: usize,
    waiting: usize,
    /// Who had a place last, and since when nobody else had one.
    last: Option<(Arc<Identity>, Instant)>,
    tickets: u64,
    closed: bool,
}

#[derive(Default)]
struct Shelf {
    /// Longest idle first.
    idle: Vec<(Instant, Arc<Link>)>,
    /// Places taken: leased, opening, or ending.
    busy: usize,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    ticket: u64,
    seat: oneshot::Sender<Seat>,
}

type Seat = (Place, Option<Arc<Link>>);

impl Pool {
    pub(crate) fn new(door: Door, share: Share, executioner: Option<Pool>) -> Self {
        let idle = share.idle;
        let pool = Self(Arc::new(Shared {
            door,
            share,
            executioner,
            state: Mutex::default(),
        }));
        tokio::spawn(sweep(Arc::downgrade(&pool.0), idle));
        pool
    }

    /// A connection that is logged in as `identity`: an idle one of its own, else a new one when its turn comes.
    pub(crate) async fn lease(
        &self,
        identity: &Arc<Identity>,
        access: Access,
    ) -> Result<Lease, Error> {
        let until = Instant::now() + self.0.share.wait;
        let mut pause = CROWDED.0;
        loop {
            let (place, warm) = self.seat(identity).await?;
            let opened = match warm {
                Some(link) => Ok(link),
                // Boxed, since the state of a login is large, and each request would carry room for it.
                None => Box::pin(self.0.door.open(identity)).await.map(Arc::new),
            };
            match opened {
                // The role's own limit, most likely: another server has its share of the tenant's connections. One of
                // ours may come back sooner than one of theirs ends, so the place goes back into the queue.
                Err(Error::Busy) if Instant::now() + pause < until => {
                    // Nor is this a moment for more than its share.
                    self.0.state.lock().last = None;
                    sleep(pause).await;
                    pause = (pause * 2).min(CROWDED.1);
                    drop(place);
                }
                opened => return Ok(Lease::new(place, opened?, access)),
            }
        }
    }

    /// A connection of the role that the pool's door belongs to: the platform's.
    pub(crate) async fn lease_own(&self, access: Access) -> Result<Lease, Error> {
        self.lease(&self.0.door.own(), access).await
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.0.state.lock();
        Stats {
            open: state.idle + state.busy,
            in_use: state.busy,
            waiting: state.waiting,
            cap: self.0.share.cap,
        }
    }

    /// Closes the idle connections of every identity of `role`.
    pub(crate) fn forget(&self, role: &str) {
        let mut state = self.0.state.lock();
        state.close_idle(|identity, _| identity.role == role);
    }

    /// Refuses everything from now on; those who wait are told, idle connections are closed.
    pub(crate) async fn close(&self) {
        let links = {
            let mut state = self.0.state.lock();
            state.closed = true;
            state.waiting = 0;
            for shelf in state.shelves.values_mut() {
                shelf.waiting.clear();
            }
            state.close_idle(|_, _| true)
        };
        for link in links {
            let mut ended = link.ended.clone();
            drop(link);
            let _ = timeout(Duration::from_secs(1), ended.changed()).await;
        }
    }

    async fn seat(&self, identity: &Arc<Identity>) -> Result<Seat, Error> {
        let turn = {
            let mut state = self.0.state.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            let shelf = state.shelves.entry(identity.clone()).or_default();
            let ahead = shelf
                .waiting
                .iter()
                .filter(|waiter| !waiter.seat.is_closed())
                .count();
            let taken = shelf.busy;
            let admitted = state.admits(identity, taken, &self.0.share);
            if ahead == 0 && admitted {
                return Ok(self.take(&mut state, identity));
            }
            if ahead >= self.0.share.queue {
                return Err(Error::Busy);
            }
            state.tickets += 1;
            state.waiting += 1;
            let (seat, turn) = oneshot::channel();
            let waiter = Waiter {
                ticket: state.tickets,
                seat,
            };
            state
                .shelves
                .entry(identity.clone())
                .or_default()
                .waiting
                .push_back(waiter);
            if admitted {
                // It has come to be alone while others of its own wait.
                self.serve(&mut state);
            }
            turn
        };
        match timeout(self.0.share.wait, turn).await {
            Ok(Ok(seat)) => Ok(seat),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::Busy),
        }
    }

    /// Takes a place that `admits` has granted, with the identity's freshest idle connection if it has one.
    fn take(&self, state: &mut State, identity: &Arc<Identity>) -> Seat {
        state.note(identity);
        let shelf = state.shelves.entry(identity.clone()).or_default();
        shelf.busy += 1;
        state.busy += 1;
        let mut warm = None;
        while warm.is_none() {
            let Some((_, link)) = shelf.idle.pop() else {
                break;
            };
            state.idle -= 1;
            // One that broke while it lay here is no use: Postgres may have been restarted.
            warm = link.is_good().then_some(link);
        }
        if warm.is_none() && state.busy + state.idle > self.0.share.cap {
            state.close_oldest();
        }
        (
            Place {
                pool: Some(self.clone()),
                identity: identity.clone(),
            },
            warm,
        )
    }

    /// Hands out what is free, to the identity with the fewest places first, then to the longest wait.
    fn serve(&self, state: &mut State) {
        while state.waiting > 0 {
            let Some(identity) = state.next(&self.0.share) else {
                return;
            };
            let Some(waiter) = state
                .shelves
                .get_mut(&identity)
                .and_then(|shelf| shelf.waiting.pop_front())
            else {
                return;
            };
            state.waiting -= 1;
            if waiter.seat.is_closed() {
                continue;
            }
            let seat = self.take(state, &identity);
            if let Err((mut place, warm)) = waiter.seat.send(seat) {
                // It gave up this instant. Its drop would wait for the lock that we hold.
                place.pool = None;
                state.put(&identity, warm);
            }
        }
    }
}

impl Place {
    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// Leaves `link` for the next request of the same identity.
    pub(crate) fn shelve(mut self, link: Arc<Link>) {
        self.leave(Some(link));
    }

    pub(crate) fn executioner(&self) -> Option<Pool> {
        self.pool.as_ref()?.0.executioner.clone()
    }

    fn leave(&mut self, link: Option<Arc<Link>>) {
        let Some(pool) = self.pool.take() else { return };
        let mut state = pool.0.state.lock();
        state.put(&self.identity, link);
        pool.serve(&mut state);
        drop(state);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave(None);
    }
}

impl State {
    /// Whether `identity`, which has `taken` places, may have one more.
    fn admits(&self, identity: &Identity, taken: usize, share: &Share) -> bool {
        let limit = if taken == 0 {
            share.cap
        } else {
            share.cap - share.reserve
        };
        let each = if taken < share.each || !self.is_alone(identity, taken, share) {
            share.each
        } else {
            share.alone
        };
        taken < each && self.busy < limit
    }

    /// Whether all places that are taken are `identity`'s, and have been for long enough.
    fn is_alone(&self, identity: &Identity, taken: usize, share: &Share) -> bool {
        let last = self.last.as_ref();
        self.busy == taken
            && last.is_some_and(|(last, since)| {
                **last == *identity && since.elapsed() >= share.alone_after
            })
    }

    fn note(&mut self, identity: &Arc<Identity>) {
        if self.last.as_ref().is_none_or(|(last, _)| last != identity) {
            self.last = Some((identity.clone(), Instant::now()));
        }
    }

    fn next(&self, share: &Share) -> Option<Arc<Identity>> {
        self.shelves
            .iter()
            .filter(|(identity, shelf)| self.admits(identity, shelf.busy, share))
            .filter_map(|(identity, shelf)| {
                Some((shelf.busy, shelf.waiting.front()?.ticket, identity))
            })
            .min_by_key(|(busy, ticket, _)| (*busy, *ticket))
            .map(|(_, _, identity)| identity.clone())
    }

    /// Gives a place back, with the connection that it had if that is still good.
    fn put(&mut self, identity: &Arc<Identity>, link: Option<Arc<Link>>) {
        let Some(shelf) = self.shelves.get_mut(identity) else {
            return;
        };
        shelf.busy -= 1;
        self.busy -= 1;
        if let Some(link) = link.filter(|link| !self.closed && link.is_good()) {
            shelf.idle.push((Instant::now(), link));
            self.idle += 1;
        }
        if shelf.is_empty() {
            self.shelves.remove(identity);
        }
    }

    fn close_oldest(&mut self) {
        let oldest = self
            .shelves
            .iter()
            .filter_map(|(identity, shelf)| Some((shelf.idle.first()?.0, identity.clone())))
            .min_by_key(|(since, _)| *since);
        let Some((_, identity)) = oldest else { return };
        if let Some(shelf) = self.shelves.get_mut(&identity) {
            shelf.idle.remove(0);
            self.idle -= 1;
            if shelf.is_empty() {
                self.shelves.remove(&identity);
            }
        }
    }

    /// Takes out the idle connections that `which` picks. Dropping them closes them.
    fn close_idle(&mut self, which: impl Fn(&Identity, Instant) -> bool) -> Vec<Arc<Link>> {
        let mut closed = Vec::new();
        self.shelves.retain(|identity, shelf| {
            shelf.idle.retain(|(since, link)| {
                let close = link.client.is_closed() || which(identity, *since);
                if close {
                    closed.push(link.clone());
                }
                !close
            });
            !shelf.is_empty()
        });
        self.idle -= closed.len();
        closed
    }
}

impl Shelf {
    fn is_empty(&self) -> bool {
        self.busy == 0 && self.idle.is_empty() && self.waiting.is_empty()
    }
}

/// Closes what has been idle for too long, until the pool itself is gone.
async fn sweep(shared: Weak<Shared>, idle: Duration) {
    let mut ticks = tokio::time::interval((idle / 2).max(Duration::from_millis(10)));
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let now = Instant::now();
        drop(
            shared
                .state
                .lock()
                .close_idle(|_, since| now.duration_since(since) >= idle),
        );
    }
}
