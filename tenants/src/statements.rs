//! Prepared statements of one connection, kept by their text, the least used forgotten first.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio_postgres::Statement;

/// Statements kept per connection. A plan is some 20 to 100 kB of the backend's memory.
const KEPT: usize = 100;

/// The statements that one connection has prepared.
#[derive(Default)]
pub(crate) struct Statements(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_text: HashMap<Box<str>, (Statement, u64)>,
    clock: u64,
}

impl Statements {
    pub(crate) fn get(&self, text: &str) -> Option<Statement> {
        let mut kept = self.0.lock();
        kept.clock += 1;
        let now = kept.clock;
        let (statement, used) = kept.by_text.get_mut(text)?;
        *used = now;
        Some(statement.clone())
    }

    pub(crate) fn put(&self, text: &str, statement: Statement) {
        let mut kept = self.0.lock();
        if kept.by_text.len() >= KEPT {
            // A scan of a hundred entries costs less than the round trip that preparing took.
            let oldest = kept
                .by_text
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(text, _)| text.clone());
            if let Some(oldest) = oldest {
                kept.by_text.remove(&oldest);
            }
        }
        kept.clock += 1;
        let now = kept.clock;
        kept.by_text.insert(text.into(), (statement, now));
    }

    pub(crate) fn clear(&self) {
        self.0.lock().by_text.clear();
    }
}
