//! Counters in this process: a table of fixed size, so that no number of addresses makes it grow.
//!
//! A key has a place in one bucket of [`WAYS`] entries, each bucket behind a lock of its own that
//! is held for some nanoseconds, so two requests rarely want the same one. In a full bucket the
//! entry that has drawn least makes room: who asks often is remembered, and a flood of addresses
//! that ask once only pushes out others that have hardly asked. Callers have a table apart from
//! addresses, so that no flood of addresses reaches their counters.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher as _, Hash},
    sync::OnceLock,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{Count, Key, Policy};

/// Entries of a bucket.
const WAYS: usize = 8;

/// Buckets for addresses: 131,072 entries, 4.5 MB, made when the first one is needed.
const ADDRESSES: usize = 16 * 1024;

/// Buckets for callers: 32,768 entries, 1.1 MB.
const CALLERS: usize = 4 * 1024;

/// The counters.
pub struct Memory {
    started: Instant,
    addresses: Table,
    callers: Table,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            addresses: Table::new(ADDRESSES),
            callers: Table::new(CALLERS),
        }
    }
}

impl Memory {
    /// Draws `cost` from a counter that may reach `quota` in a window.
    pub fn draw(&self, key: &Key, quota: u32, cost: u32, window: Duration) -> Count {
        let now = self.started.elapsed().as_millis() as u64;
        let table = match key.policy {
            Policy::Caller => &self.callers,
            _ => &self.addresses,
        };
        table.draw(key, quota, cost, window, now)
    }
}

/// One counter; free once its window has ended.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// Hash of the key, under secrets of this process: nobody can look for two that agree.
    key: u128,
    /// Millisecond at which the window ends.
    ends: u64,
    used: u32,
}

struct Table {
    count: usize,
    buckets: OnceLock<Vec<Mutex<[Entry; WAYS]>>>,
    hashes: [RandomState; 2],
}

impl Table {
    fn new(count: usize) -> Self {
        Self {
            count,
            buckets: OnceLock::new(),
            hashes: [RandomState::new(), RandomState::new()],
        }
    }

    fn draw(
        &self,
        key: &(impl Hash + ?Sized),
        quota: u32,
        cost: u32,
        window: Duration,
        now: u64,
    ) -> Count {
        let key = self.hash(key);
        let buckets = self.buckets.get_or_init(|| {
            (0..self.count)
                .map(|_| Mutex::new([Entry::default(); WAYS]))
                .collect()
        });
        let mut bucket = buckets[(key % self.count as u128) as usize].lock();
        let known = bucket.iter().position(|entry| entry.key == key);
        let at = known.unwrap_or_else(|| least(&bucket, now));
        let entry = &mut bucket[at];
        if known.is_none() || entry.ends <= now {
            *entry = Entry {
                key,
                ends: now + window.as_millis() as u64,
                used: 0,
            };
        }
        let granted = cost <= quota.saturating_sub(entry.used);
        if granted {
            entry.used += cost;
        }
        Count {
            granted,
            used: entry.used,
            reset: Duration::from_millis(entry.ends - now),
        }
    }

    fn hash(&self, key: &(impl Hash + ?Sized)) -> u128 {
        let [high, low] = [0, 1].map(|at| u128::from(self.hashes[at].hash_one(key)));
        high << 64 | low
    }
}

/// The entry that makes room: one whose window has ended, else the one that has drawn least.
fn least(bucket: &[Entry; WAYS], now: u64) -> usize {
    let cost = |entry: &Entry| if entry.ends <= now { 0 } else { entry.used + 1 };
    (0..WAYS)
        .min_by_key(|at| cost(&bucket[*at]))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn grants(table: &Table, key: &str, quota: u32, draws: u32, now: u64) -> u32 {
        (0..draws)
            .filter(|_| table.draw(key, quota, 1, WINDOW, now).granted)
            .count() as u32
    }

    #[test]
    fn a_window_grants_the_quota_and_the_next_one_again() {
        let table = Table::new(16);
        assert_eq!(grants(&table, "a", 5, 9, 0), 5);
        assert_eq!(grants(&table, "a", 5, 9, 59_999), 0);
        assert_eq!(grants(&table, "a", 5, 9, 60_000), 5);
        assert_eq!(grants(&table, "b", 5, 9, 60_000), 5);
    }

    #[test]
    fn a_draw_is_granted_whole_or_not_at_all() {
        let table = Table::new(16);
        assert!(table.draw("a", 10, 8, WINDOW, 0).granted);
        assert!(!table.draw("a", 10, 3, WINDOW, 0).granted);
        let last = table.draw("a", 10, 2, WINDOW, 0);
        assert!(last.granted);
        assert_eq!(last.used, 10);
        assert!(!table.draw("b", 10, u32::MAX, WINDOW, 0).granted);
    }

    #[test]
    fn a_flood_of_addresses_does_not_wipe_out_who_asks_often() {
        let table = Table::new(16);
        assert_eq!(grants(&table, "loud", 100, 90, 0), 90);
        for number in 0..100_000 {
            table.draw(&format!("flood {number}"), 100, 1, WINDOW, 0);
        }
        assert_eq!(grants(&table, "loud", 100, 100, 0), 10);
    }

    #[test]
    fn the_table_is_as_small_as_it_says() {
        let bucket = std::mem::size_of::<Mutex<[Entry; WAYS]>>();
        assert!(bucket * ADDRESSES <= 4_500_000, "{bucket}");
        assert!(bucket * CALLERS <= 1_200_000, "{bucket}");
    }

    #[test]
    fn many_threads_get_the_quota_together() {
        let table = Table::new(16);
        let granted: u32 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| grants(&table, "a", 1000, 500, 0)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_default())
                .sum()
        });
        assert_eq!(granted, 1000);
    }
}
