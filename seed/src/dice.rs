//! Random numbers that depend on nothing but a seed, the name of a stream and the number of a row.
//!
//! The generator is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): it costs nothing
//! to start, so each row has one of its own, and its numbers do not change with a new release of a library. Only
//! arithmetic that IEEE 754 fixes to the last bit is used, so the values are the same on every machine.

use rand::TryRng;
use std::convert::Infallible;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The stream called `stream` of the row numbered `row`, under `seed`.
    pub fn new(seed: u64, stream: &str, row: u64) -> Self {
        let mut state = mix(seed ^ 0x5a4d_1c07_93e2_bb61);
        for byte in stream.bytes() {
            state = mix(state ^ u64::from(byte));
        }
        Dice {
            state: mix(state ^ row),
        }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number from 0 up to but not including `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A number from `low` to `high`, both included; `low` where they are the wrong way round.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as usize) as i64
    }

    /// The same for days and other small numbers.
    pub fn days(&mut self, low: i32, high: i32) -> i32 {
        self.between(i64::from(low), i64::from(high)) as i32
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent as usize
    }

    /// One of `items`, all equally likely. `items` must not be empty.
    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    /// The index of one of `weights`, each as likely as it is heavy.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().sum::<u32>() as usize);
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight as usize {
                return index;
            }
            left -= *weight as usize;
        }
        0
    }

    /// A number from 0 up to but not including 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number of the standard normal distribution, within -6 to 6: the sum of twelve even ones less six.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A factor around 1 of a log-normal distribution whose logarithm has this standard deviation.
    pub fn spread(&mut self, deviation: f64) -> f64 {
        exp(self.normal() * deviation)
    }
}

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// One of the numbers below `len`, a different one for every different `index` below `len`.
pub fn shuffled(seed: u64, index: u64, len: u64) -> u64 {
    let half = (64 - len.leading_zeros()).div_ceil(2);
    let mask = (1u64 << half) - 1;
    let mut value = index;
    // A Feistel network is one to one on the smallest even number of bits that holds `len`; walking on until the value
    // falls below `len` keeps it so.
    loop {
        let (mut left, mut right) = (value >> half, value & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (mix(seed ^ right ^ (round << 56)) & mask));
        }
        value = (left << half) | right;
        if value < len {
            return value;
        }
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The exponential function to three digits, by squaring alone: the one of the system's library differs from machine to
/// machine in its last bits.
fn exp(x: f64) -> f64 {
    let mut value = 1.0 + x / 1024.0;
    for _ in 0..10 {
        value *= value;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_all_three() {
        let first = |seed, stream, row| Dice::new(seed, stream, row).bits();
        assert_eq!(first(1, "a", 1), first(1, "a", 1));
        assert_ne!(first(1, "a", 1), first(2, "a", 1));
        assert_ne!(first(1, "a", 1), first(1, "b", 1));
        assert_ne!(first(1, "a", 1), first(1, "a", 2));
    }

    #[test]
    fn the_numbers_stay_the_same_for_ever() {
        let mut dice = Dice::new(7, "clients", 3);
        assert_eq!(
            [dice.below(1000), dice.below(1000), dice.below(1000)],
            [508, 510, 118]
        );
    }

    #[test]
    fn shuffling_is_one_to_one() {
        for len in [1, 2, 3, 100, 1000, 4097] {
            let mut seen: Vec<u64> = (0..len).map(|index| shuffled(9, index, len)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn spreads_are_centred_on_one() {
        let mut dice = Dice::new(1, "spread", 0);
        let mut values: Vec<f64> = (0..10_001).map(|_| dice.spread(0.6)).collect();
        values.sort_by(f64::total_cmp);
        assert!((values[5000] - 1.0).abs() < 0.05, "median {}", values[5000]);
        assert!(values[0] > 0.02 && values[10_000] < 40.0);
    }
}
