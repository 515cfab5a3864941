//! How long it took after a fault until the old rate was back.

use serde::Serialize;

use super::times::Times;

/// Seconds before a fault whose rate is the old one.
const BEFORE: usize = 30;
/// Seconds that are looked at together, for a low rate is not the same in each.
const TOGETHER: usize = 5;
/// Share of the old rate that counts as the old rate.
const SHARE: f64 = 0.8;

/// What one second saw.
#[derive(Clone, Debug, Default)]
pub struct Second {
    /// Answers as wanted.
    pub good: u64,
    /// Refusals that were not asked for.
    pub refused: u64,
    /// Calls without an answer.
    pub unanswered: u64,
    /// How long the answers as wanted took.
    pub times: Times,
}

/// When a fault was on, in seconds of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub from: usize,
    /// None while it is on.
    pub to: Option<usize>,
}

/// What came of a fault.
#[derive(Clone, Debug, Serialize)]
pub struct Recovery {
    /// Second in which it began.
    pub from: usize,
    /// Second in which it was over; where nobody said so, in which the first answer came again.
    pub to: usize,
    /// Good answers a second before it.
    pub rate_before: f64,
    /// What 99 of 100 answers kept in those seconds, and while it was on, in milliseconds.
    pub p99_before: f64,
    /// See there.
    pub p99_during: f64,
    /// Seconds without any good answer, from its beginning until the old rate was back.
    pub silent: usize,
    /// Seconds from its end until the old rate was back; none if it never was.
    pub back_after: Option<usize>,
}

/// Of each fault that somebody marked, else of each time that the server was away.
pub fn recoveries(seconds: &[Second], marked: &[Fault]) -> Vec<Recovery> {
    if marked.is_empty() {
        return guessed(seconds);
    }
    let ended = marked
        .iter()
        .filter_map(|fault| Some((fault.from, fault.to?)));
    ended
        .map(|(from, to)| recovery(seconds, from, to))
        .collect()
}

fn guessed(seconds: &[Second]) -> Vec<Recovery> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(from) = (at..seconds.len()).find(|at| seconds[*at].unanswered > 0) {
        let answers = |at: &usize| seconds[*at].unanswered == 0 && seconds[*at].good > 0;
        let to = (from..seconds.len()).find(answers).unwrap_or(seconds.len());
        let recovery = recovery(seconds, from, to);
        at = to + recovery.back_after.unwrap_or(seconds.len()) + 1;
        found.push(recovery);
    }
    found
}

fn recovery(seconds: &[Second], from: usize, to: usize) -> Recovery {
    let rate = |part: &[Second]| {
        part.iter().map(|second| second.good).sum::<u64>() as f64 / part.len().max(1) as f64
    };
    let before = &seconds[from.saturating_sub(BEFORE).min(seconds.len())..from.min(seconds.len())];
    let rate_before = rate(before);
    let is_back = |part: &[Second]| {
        rate(part) >= SHARE * rate_before && part.iter().all(|second| second.unanswered == 0)
    };
    let after = &seconds[to.min(seconds.len())..];
    let back_after = after.windows(TOGETHER).position(is_back);
    // Not further, or the silence is that of another fault.
    let over = to + back_after.unwrap_or(after.len()) + TOGETHER;
    let until_over = seconds.iter().take(over).skip(from);
    Recovery {
        from,
        to,
        rate_before,
        p99_before: p99(before),
        p99_during: p99(&seconds[from.min(seconds.len())..to.min(seconds.len())]),
        silent: until_over.filter(|second| second.good == 0).count(),
        back_after,
    }
}

fn p99(part: &[Second]) -> f64 {
    let mut all = Times::default();
    for second in part {
        all.take_in(&second.times);
    }
    all.within(0.99)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(goods: &[(u64, usize)]) -> Vec<Second> {
        let seconds = goods.iter().flat_map(|(good, count)| {
            std::iter::repeat_n(
                Second {
                    good: *good,
                    refused: 0,
                    unanswered: u64::from(*good == 0),
                    times: Times::default(),
                },
                *count,
            )
        });
        seconds.collect()
    }

    #[test]
    fn the_old_rate_is_back_when_it_stays() {
        let seconds = run(&[(100, 20), (0, 5), (40, 2), (95, 1), (30, 1), (100, 10)]);
        let fault = Fault {
            from: 20,
            to: Some(24),
        };
        let found = recoveries(&seconds, &[fault]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].silent, found[0].back_after), (5, Some(3)));
        assert!((found[0].rate_before - 100.0).abs() < 0.01);
    }

    #[test]
    fn the_silence_of_the_next_fault_is_not_counted() {
        let seconds = run(&[(100, 40), (0, 5), (100, 10)]);
        let fault = Fault {
            from: 20,
            to: Some(21),
        };
        let found = recoveries(&seconds, &[fault]);
        assert_eq!((found[0].silent, found[0].back_after), (0, Some(0)));
    }

    #[test]
    fn what_nobody_marked_is_guessed() {
        let seconds = run(&[(50, 12), (0, 3), (50, 12), (0, 4)]);
        let found = recoveries(&seconds, &[]);
        let spans: Vec<_> = found.iter().map(|r| (r.from, r.to, r.back_after)).collect();
        assert_eq!(spans, [(12, 15, Some(0)), (27, 31, None)]);
        assert!(recoveries(&run(&[(50, 30)]), &[]).is_empty());
    }
}
