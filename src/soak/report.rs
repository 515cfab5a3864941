//! The figures of a run, for people and for programs.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use super::{
    figures::{Figures, Seen, Wrong},
    options::Options,
    recovery::{Recovery, Second, recoveries},
    times::Times,
};

/// Windows that a run is told in.
const WINDOWS: usize = 12;

/// All that a run has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The server.
    pub url: String,
    /// Tenants that were called as.
    pub tenants: u32,
    /// Calls that were open at once.
    pub clients: u32,
    /// What the calls followed from.
    pub seed: u64,
    /// When the load began (RFC 3339).
    pub began: String,
    /// How long it lasted.
    pub seconds: usize,
    /// Answers as wanted, refusals that were asked for among them.
    pub good: u64,
    /// The same a second.
    pub rate: f64,
    /// Answers that no server should give.
    pub wrong: u64,
    /// The first of them.
    pub first_wrong: Vec<Wrong>,
    /// Calls whose fate never became known.
    pub undecided: u64,
    /// Rows of all tenants at the end, each as it was written.
    pub rows: u64,
    /// Answers to repeated writes that were given again instead of writing again.
    pub repeated: u64,
    /// Refusals that were not asked for, by slug.
    pub refused: BTreeMap<&'static str, u64>,
    /// Calls without an answer of the server's, by reason.
    pub unanswered: BTreeMap<&'static str, u64>,
    /// By kind of call.
    pub calls: BTreeMap<&'static str, Latency>,
    /// The run in parts of the same length.
    pub windows: Vec<Window>,
    /// What came of each fault.
    pub faults: Vec<Recovery>,
    /// Good answers of each second.
    pub each_second: Vec<u64>,
}

/// How long answers took, in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub longest: f64,
}

/// A part of the run.
#[derive(Clone, Debug, Serialize)]
pub struct Window {
    /// Its first second.
    pub from: usize,
    /// Good answers a second.
    pub rate: f64,
    /// Refusals that were not asked for.
    pub refused: u64,
    /// Calls without an answer.
    pub unanswered: u64,
}

impl Report {
    pub(super) fn of(options: &Options, making: &Figures, run: &Figures, last: &Figures) -> Self {
        let Seen {
            seconds,
            times,
            refused,
            unanswered,
            repeated,
            faults,
            ..
        } = run.seen();
        let phases = [making.seen(), run.seen(), last.seen()];
        let good = seconds.iter().map(|second| second.good).sum::<u64>();
        // What was made and looked at counts for right and wrong, not for the rates.
        let mut calls: BTreeMap<_, _> = (times.iter())
            .map(|(call, times)| (*call, Latency::of(times)))
            .collect();
        for call in ["register", "sign in"] {
            if let Some(times) = phases[0].times.get(call) {
                calls.insert(call, Latency::of(times));
            }
        }
        let first_wrong = phases.iter().flat_map(|seen| seen.first_wrong.clone());
        Self {
            url: options.url.clone(),
            tenants: options.tenants,
            clients: options.clients,
            seed: options.seed,
            began: run.began_at.to_rfc3339(),
            seconds: seconds.len(),
            good,
            rate: good as f64 / seconds.len().max(1) as f64,
            wrong: phases.iter().map(|seen| seen.wrong).sum(),
            first_wrong: first_wrong.collect(),
            undecided: phases.iter().map(|seen| seen.undecided).sum(),
            rows: phases[2].rows,
            repeated,
            refused,
            unanswered,
            calls,
            windows: windows(&seconds),
            faults: recoveries(&seconds, &faults),
            each_second: seconds.iter().map(|second| second.good).collect(),
        }
    }

    /// Whether something was answered, all of it rightly, and every write's fate is known.
    pub fn holds(&self) -> bool {
        self.good > 0 && self.wrong == 0 && self.undecided == 0
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} s, {} tenants, {} clients, seed {}: {} good answers, {:.1} a second\n",
            self.seconds, self.tenants, self.clients, self.seed, self.good, self.rate
        );
        text += &format!(
            "{} wrong, {} undecided, {} rows at the end, {} repeated writes made once\n",
            self.wrong, self.undecided, self.rows, self.repeated
        );
        for (what, counts) in [("refused", &self.refused), ("unanswered", &self.unanswered)] {
            for (name, count) in counts {
                // Writing to a String can't fail.
                let _ = writeln!(text, "{what:10} {count:8}  {name}");
            }
        }
        text += &format!(
            "\n{:20} {:>8} {:>8} {:>8} {:>10}\n",
            "call", "count", "p50 ms", "p99 ms", "longest ms"
        );
        for (call, took) in &self.calls {
            let _ = writeln!(
                text,
                "{call:20} {:8} {:8.1} {:8.1} {:10.1}",
                took.count, took.p50, took.p99, took.longest
            );
        }
        text += "\n  from s  good/s  refused  unanswered\n";
        for window in &self.windows {
            let _ = writeln!(
                text,
                "{:8} {:7.1} {:8} {:11}",
                window.from, window.rate, window.refused, window.unanswered
            );
        }
        for fault in &self.faults {
            let back = match fault.back_after {
                Some(seconds) => format!("back {seconds} s after it"),
                None => "not back until the end".to_owned(),
            };
            let _ = writeln!(
                text,
                "fault from {} to {} s: {:.1} a second before it, {} s without an answer, {back}; \
                 p99 {:.0} ms before it, {:.0} ms meanwhile",
                fault.from,
                fault.to,
                fault.rate_before,
                fault.silent,
                fault.p99_before,
                fault.p99_during
            );
        }
        for wrong in &self.first_wrong {
            let _ = writeln!(
                text,
                "WRONG after {} s: {} as {}: {}",
                wrong.second, wrong.call, wrong.tenant, wrong.what
            );
        }
        text
    }
}

impl Latency {
    fn of(times: &Times) -> Self {
        Self {
            count: times.count,
            p50: times.within(0.5),
            p99: times.within(0.99),
            longest: times.longest.as_secs_f64() * 1e3,
        }
    }
}

fn windows(seconds: &[Second]) -> Vec<Window> {
    let length = seconds.len().div_ceil(WINDOWS).max(1);
    let parts = seconds.chunks(length).enumerate();
    parts
        .map(|(number, part)| {
            let sum = |of: fn(&Second) -> u64| part.iter().map(of).sum::<u64>();
            Window {
                from: number * length,
                rate: sum(|second| second.good) as f64 / part.len() as f64,
                refused: sum(|second| second.refused),
                unanswered: sum(|second| second.unanswered),
            }
        })
        .collect()
}
