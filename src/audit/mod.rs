//! The audit log: one row for each API call, written in batches beside the requests.
//!
//! A request only puts its [`Entry`] into a queue. The queue is bounded: while the database is
//! slow or away and the queue is full, further entries are counted and dropped, so the log never
//! holds a request up. Bodies and secrets are not in an entry; see [`redact`].

use std::{net::IpAddr, sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use sea_orm::DatabaseConnection;
use tokio::{
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel, error::TryRecvError},
    },
    time::{Instant, sleep, timeout},
};

pub mod redact;
mod store;

/// Most entries of one batch.
const BATCH: usize = 1000;

/// How long a batch waits for more.
const LINGER: Duration = Duration::from_millis(200);

/// Longest pause before a failed batch is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often the days' partitions are looked after.
const DAILY: Duration = Duration::from_secs(1800);

/// Time for what is queued to be written when the server stops.
const LAST: Duration = Duration::from_secs(3);

/// One API call.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When the request had arrived.
    pub at: DateTime<Utc>,
    /// The tenant that it was about, if that became known.
    pub tenant_id: Option<i64>,
    /// Who asked, such as `user:3:7`, if that became known.
    pub caller: Option<String>,
    /// `GET`, `POST`, ..
    pub method: String,
    /// The path as sent, without secrets.
    pub path: String,
    /// What followed `?`, without secrets.
    pub query: Option<String>,
    /// Status of the answer.
    pub status: u16,
    /// Milliseconds to the answer.
    pub ms: f64,
    /// The client's address.
    pub address: IpAddr,
    /// The request's id.
    pub request_id: String,
}

impl Entry {
    fn day(&self) -> NaiveDate {
        self.at.date_naive()
    }
}

/// The log's figures, for the page of figures.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Entries that were written.
    pub written: Counter,
    /// Entries that were dropped.
    pub dropped: Counter,
    /// Entries that wait.
    pub queued: Gauge,
}

/// The log.
pub struct Audit {
    db: DatabaseConnection,
    /// Days for which entries are kept.
    days: u32,
    sender: Sender<Entry>,
    queue: Mutex<Queue>,
    figures: Figures,
}

/// What is on its way to the database; locked by whoever writes.
struct Queue {
    receiver: Receiver<Entry>,
    batch: Vec<Entry>,
    kept: Option<Instant>,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Written,
    /// It may succeed later.
    Later,
    /// It never will.
    Hopeless,
}

impl Audit {
    /// A log in the platform's database that keeps entries for `days`, with a queue of `most`.
    pub fn new(db: DatabaseConnection, days: u32, most: usize, figures: Figures) -> Arc<Self> {
        let (sender, receiver) = channel(most.max(1));
        Arc::new(Self {
            db,
            days,
            sender,
            queue: Mutex::new(Queue {
                receiver,
                batch: Vec::new(),
                kept: None,
            }),
            figures,
        })
    }

    /// Days for which entries are kept; 0 if there is no log.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// Whether there is a log.
    pub fn is_on(&self) -> bool {
        self.days > 0
    }

    /// Puts an entry into the queue, or drops it if that is full.
    pub fn record(&self, entry: Entry) {
        match self.sender.try_send(entry) {
            Ok(()) => {
                self.figures.queued.inc();
            }
            Err(_) => {
                self.figures.dropped.inc();
            }
        }
    }

    /// Writes what comes, for as long as the server runs.
    pub async fn keep(&self) {
        if !self.is_on() {
            return;
        }
        let mut queue = self.queue.lock().await;
        let mut pause = LINGER;
        loop {
            self.keep_days(&mut queue).await;
            let Queue {
                receiver, batch, ..
            } = &mut *queue;
            if batch.is_empty() {
                let got = timeout(DAILY, receiver.recv_many(batch, BATCH)).await;
                if got.is_err() {
                    continue;
                }
                // A whole batch has nothing to wait for.
                if batch.len() < BATCH {
                    sleep(LINGER).await;
                }
            }
            fill(receiver, batch);
            match self.write(batch).await {
                Fate::Later => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Fate::Written | Fate::Hopeless => pause = LINGER,
            }
        }
    }

    /// Writes what is queued, as far as it can be done in a moment; for the server's end, when
    /// [`Audit::keep`] has been stopped.
    pub async fn finish(&self) {
        if !self.is_on() {
            return;
        }
        let rest = async {
            let mut queue = self.queue.lock().await;
            let Queue {
                receiver, batch, ..
            } = &mut *queue;
            loop {
                fill(receiver, batch);
                if batch.is_empty() || self.write(batch).await == Fate::Later {
                    return;
                }
            }
        };
        if timeout(LAST, rest).await.is_err() {
            tracing::warn!("the audit log could not be written to its end");
        }
    }

    async fn keep_days(&self, queue: &mut Queue) {
        if queue.kept.is_some_and(|kept| kept.elapsed() < DAILY) {
            return;
        }
        let today = Utc::now().date_naive();
        match store::keep_days(&self.db, today, self.days).await {
            Ok(()) => queue.kept = Some(Instant::now()),
            Err(error) => tracing::warn!(%error, "the audit log's days could not be looked after"),
        }
    }

    async fn write(&self, batch: &mut Vec<Entry>) -> Fate {
        let mut outcome = store::insert(&self.db, batch).await;
        if outcome.as_ref().is_err_and(store::lacks_a_day) {
            // The clock was stepped, or nobody looked after the days for long.
            for day in batch
                .iter()
                .map(Entry::day)
                .collect::<std::collections::BTreeSet<_>>()
            {
                if let Err(error) = store::make_day(&self.db, day).await {
                    tracing::warn!(%error, %day, "a day of the audit log could not be made");
                }
            }
            outcome = store::insert(&self.db, batch).await;
        }
        let count = batch.len();
        let fate = match outcome {
            Ok(()) => Fate::Written,
            Err(error) if store::may_pass(&error) => {
                tracing::warn!(%error, count, "a part of the audit log waits");
                return Fate::Later;
            }
            Err(error) => {
                tracing::error!(%error, count, "a part of the audit log is lost");
                Fate::Hopeless
            }
        };
        self.figures.queued.dec_by(count as i64);
        match fate {
            Fate::Written => self.figures.written.inc_by(count as u64),
            _ => self.figures.dropped.inc_by(count as u64),
        };
        batch.clear();
        fate
    }
}

/// Takes what is there, up to a whole batch.
fn fill(receiver: &mut Receiver<Entry>, batch: &mut Vec<Entry>) {
    while batch.len() < BATCH {
        match receiver.try_recv() {
            Ok(entry) => batch.push(entry),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_drops_and_counts() {
        let figures = Figures::default();
        let audit = Audit::new(DatabaseConnection::default(), 1, 3, figures.clone());
        for number in 0..10 {
            audit.record(Entry {
                at: Utc::now(),
                tenant_id: None,
                caller: None,
                method: "GET".to_owned(),
                path: "/api/v1/clients".to_owned(),
                query: None,
                status: 200,
                ms: 1.0,
                address: IpAddr::from([203, 0, 113, 7]),
                request_id: number.to_string(),
            });
        }
        assert_eq!((figures.queued.get(), figures.dropped.get()), (3, 7));
    }
}
