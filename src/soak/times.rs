//! How long answers took, in few numbers.

use std::{collections::BTreeMap, time::Duration};

/// Each bound is this many times the one before.
const STEP: f64 = 1.05;

/// How long answers took: a count for each bound.
#[derive(Clone, Debug, Default)]
pub struct Times {
    counts: BTreeMap<u32, u64>,
    pub count: u64,
    pub longest: Duration,
}

impl Times {
    pub fn add(&mut self, took: Duration) {
        let micros = took.as_micros().max(1) as f64;
        let bound = (micros.ln() / STEP.ln()).ceil() as u32;
        *self.counts.entry(bound).or_default() += 1;
        self.count += 1;
        self.longest = self.longest.max(took);
    }

    /// Counts what another one has counted.
    pub fn take_in(&mut self, other: &Self) {
        for (bound, count) in &other.counts {
            *self.counts.entry(*bound).or_default() += count;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    /// The bound that this share of the answers kept, in milliseconds; up to a twentieth too long.
    pub fn within(&self, share: f64) -> f64 {
        let wanted = (self.count as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (bound, count) in &self.counts {
            sum += count;
            if sum >= wanted {
                return STEP.powi(*bound as i32) / 1e3;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_shares() {
        let mut times = Times::default();
        for millis in 1..=100 {
            times.add(Duration::from_millis(millis));
        }
        let near = |share: f64, wanted: f64| {
            let found = times.within(share);
            assert!(
                found >= wanted * 0.999 && found <= wanted * 1.051,
                "{found}"
            );
        };
        near(0.5, 50.0);
        near(0.99, 99.0);
        near(1.0, 100.0);
        assert_eq!(times.longest, Duration::from_millis(100));
    }
}
