//! Prepared statements of one connection, kept by their text, the least used forgotten first.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio_postgres::Statement;

/// Statements kept per connection. A plan is some 20 to 100 kB of the backend's memory.
const KEPT: usize = 100;

/// How long a statement takes, asked alone, that others may wait behind. More, and a connection of its own, which another processor
/// may serve, is the better way.
const QUICK: Duration = Duration::from_micros(if cfg!(debug_assertions) {
    // What is slow then is this program.
    3000
} else {
    300
});

/// From here on one run is enough to count as slow.
const SLOW: Duration = Duration::from_millis(10);

/// The statements that one connection has prepared.
#[derive(Default)]
pub(crate) struct Statements(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_text: HashMap<Box<str>, Prepared>,
    clock: u64,
}

struct Prepared {
    statement: Statement,
    used: u64,
    /// The shortest of its last runs: how long one waits for a processor is not its fault.
    shortest: Duration,
}

impl Statements {
    pub(crate) fn get(&self, text: &str) -> Option<Statement> {
        let mut kept = self.0.lock();
        kept.clock += 1;
        let now = kept.clock;
        let prepared = kept.by_text.get_mut(text)?;
        prepared.used = now;
        Some(prepared.statement.clone())
    }

    pub(crate) fn put(&self, text: &str, statement: Statement) {
        let mut kept = self.0.lock();
        if kept.by_text.len() >= KEPT {
            // A scan of a hundred entries costs less than the round trip that preparing took.
            let oldest = kept
                .by_text
                .iter()
                .min_by_key(|(_, prepared)| prepared.used)
                .map(|(text, _)| text.clone());
            if let Some(oldest) = oldest {
                kept.by_text.remove(&oldest);
            }
        }
        kept.clock += 1;
        let prepared = Prepared {
            statement,
            used: kept.clock,
            shortest: Duration::MAX,
        };
        kept.by_text.insert(text.into(), prepared);
    }

    pub(crate) fn is_quick(&self, text: &str) -> bool {
        let kept = self.0.lock();
        let prepared = kept.by_text.get(text);
        prepared.is_some_and(|prepared| prepared.shortest < QUICK)
    }

    /// Takes note of how long `text` took.
    pub(crate) fn rate(&self, text: &str, took: Duration) {
        if let Some(prepared) = self.0.lock().by_text.get_mut(text) {
            // A short run of long ago counts less with each one since.
            let before = prepared.shortest.saturating_add(prepared.shortest / 8);
            prepared.shortest = if took < SLOW { before.min(took) } else { took };
        }
    }

    pub(crate) fn clear(&self) {
        self.0.lock().by_text.clear();
    }
}
