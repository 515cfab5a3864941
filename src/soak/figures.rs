//! What has been seen so far, by second, by call and by refusal.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    recovery::{Fault, Second},
    times::Times,
};

/// Wrong answers that are kept with what was wrong; the others are counted.
const KEPT: usize = 50;

/// Counters that all clients share.
pub struct Figures {
    began: Instant,
    /// The same by the clock of this machine.
    pub began_at: DateTime<Utc>,
    seen: Mutex<Seen>,
}

/// The counters themselves.
#[derive(Clone, Default)]
pub struct Seen {
    pub seconds: Vec<Second>,
    pub times: BTreeMap<&'static str, Times>,
    /// Refusals that were not asked for, by slug.
    pub refused: BTreeMap<&'static str, u64>,
    /// Calls without an answer of the server's, by reason.
    pub unanswered: BTreeMap<&'static str, u64>,
    /// Answers that were given before and given again.
    pub repeated: u64,
    /// Writes whose fate never became known.
    pub undecided: u64,
    pub wrong: u64,
    pub first_wrong: Vec<Wrong>,
    pub faults: Vec<Fault>,
    /// Rows that were there at the last look.
    pub rows: u64,
    closed: bool,
}

/// An answer that no server should give.
#[derive(Clone, Debug, Serialize)]
pub struct Wrong {
    /// When, in seconds of the run.
    pub second: u64,
    /// Schema of the tenant that was called as.
    pub tenant: String,
    /// Which of the calls.
    pub call: &'static str,
    /// What was wrong with it.
    pub what: String,
}

impl Figures {
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            began_at: Utc::now(),
            seen: Mutex::default(),
        }
    }

    /// From now on the rates stay as they are.
    pub fn close(&self) {
        let mut seen = self.seen.lock();
        if !seen.closed {
            self.second(&mut seen);
            seen.closed = true;
        }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    pub fn good(&self, call: &'static str, took: Duration, repeated: bool) {
        let mut seen = self.seen.lock();
        self.count(&mut seen, |second| {
            second.good += 1;
            second.times.add(took);
        });
        seen.times.entry(call).or_default().add(took);
        seen.repeated += u64::from(repeated);
    }

    /// Good answers until now.
    pub fn so_far(&self) -> u64 {
        self.seen
            .lock()
            .times
            .values()
            .map(|times| times.count)
            .sum()
    }

    pub fn refused(&self, slug: &'static str) {
        let mut seen = self.seen.lock();
        self.count(&mut seen, |second| second.refused += 1);
        *seen.refused.entry(slug).or_default() += 1;
    }

    pub fn unanswered(&self, reason: &'static str) {
        let mut seen = self.seen.lock();
        self.count(&mut seen, |second| second.unanswered += 1);
        *seen.unanswered.entry(reason).or_default() += 1;
    }

    pub fn wrong(&self, tenant: &str, call: &'static str, what: String) {
        let second = self.began.elapsed().as_secs();
        super::news(&format!(
            "WRONG after {second} s: {call} as {tenant}: {what}"
        ));
        let mut seen = self.seen.lock();
        seen.wrong += 1;
        if seen.first_wrong.len() < KEPT {
            seen.first_wrong.push(Wrong {
                second,
                tenant: tenant.to_owned(),
                call,
                what,
            });
        }
    }

    pub fn undecided(&self) {
        self.seen.lock().undecided += 1;
    }

    pub fn rows(&self, count: usize) {
        self.seen.lock().rows += count as u64;
    }

    /// A second fault begins only after the first one is over.
    pub fn fault_begins(&self) {
        let from = self.began.elapsed().as_secs() as usize;
        let mut seen = self.seen.lock();
        if seen.faults.last().is_none_or(|last| last.to.is_some()) {
            seen.faults.push(Fault { from, to: None });
        }
    }

    pub fn fault_is_over(&self) {
        let now = self.began.elapsed().as_secs() as usize;
        if let Some(last) = self.seen.lock().faults.last_mut() {
            last.to.get_or_insert(now);
        }
    }

    /// How it goes.
    pub fn line(&self) -> String {
        let mut seen = self.seen.lock();
        self.second(&mut seen);
        let last = seen.seconds.iter().rev().skip(1).take(60);
        let good: u64 = last.clone().map(|second| second.good).sum();
        let sum = |counts: &BTreeMap<&str, u64>| counts.values().sum::<u64>();
        format!(
            "{} s: {:.1} good answers a second in the last minute, so far {} refused, {} unanswered, {} wrong",
            self.began.elapsed().as_secs(),
            good as f64 / last.count().max(1) as f64,
            sum(&seen.refused),
            sum(&seen.unanswered),
            seen.wrong
        )
    }

    fn count(&self, seen: &mut Seen, add: impl Fn(&mut Second)) {
        if !seen.closed {
            add(self.second(seen));
        }
    }

    /// The counters of the second that it is; those in between had nothing to count.
    fn second<'a>(&self, seen: &'a mut Seen) -> &'a mut Second {
        let now = self.began.elapsed().as_secs() as usize;
        if seen.seconds.len() <= now {
            seen.seconds.resize_with(now + 1, Second::default);
        }
        &mut seen.seconds[now]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_begins_once_and_ends_once() {
        let figures = Figures::start();
        figures.fault_is_over();
        figures.fault_begins();
        figures.fault_begins();
        figures.fault_is_over();
        figures.fault_begins();
        let faults = figures.seen().faults;
        assert_eq!(faults.len(), 2);
        assert!(faults[0].to.is_some() && faults[1].to.is_none());
    }
}
