//! Who takes much of the processor gives way: PostgreSQL shares it out among nobody, but the kernel does among processes.
//!
//! A tenant whose sessions together take more than a quarter of one processor gets them a lower priority (`nice`) than all
//! others have, and half of the processors to share while others are served too, until it has taken less for a while. The
//! priority alone is not enough: the kernel lets who runs end its slice, four milliseconds, before somebody of a higher priority
//! who wakes gets its turn, and a request wakes several processes one after the other. It works where the server's processes
//! are ours: on the own PostgreSQL, on Linux. A process may always lower the priority of its user's own; only root may raise it
//! again, so elsewhere a session stays low until it ends, five minutes at most for one of a pool.

use std::{
    collections::{HashMap, HashSet},
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, setpriority_process};

use crate::processors::Processors;

/// Part of one processor that a tenant may take before it has to give way.
const PART: f64 = 0.25;

/// How low those are who have to. A tenant may have eight sessions, which together get a tenth beside one ordinary process.
const LOW: i32 = 19;

/// Looks in a row that a tenant takes less in before it counts as ordinary.
const CALM: u32 = 5;

/// The kernel's unit of processor time is a hundredth of a second, whatever it counts in itself (`proc(5)`).
const TICK: Duration = Duration::from_millis(10);

/// What was seen of the sessions' processes.
pub(crate) struct Priorities {
    /// The process that starts all sessions, by which theirs are known.
    parent: i32,
    /// Processor time of each process, by its number and the moment of its start.
    taken: HashMap<(i32, u64), u64>,
    /// Roles that have to give way, and looks in a row in which they took less.
    greedy: HashMap<u32, u32>,
    looked: Instant,
    /// Looks in a row in which nobody else took anything.
    alone: u32,
    /// How others run.
    usual: Standing,
    /// How those run who have to give way to others.
    low: Standing,
}

/// What the kernel gives a process.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Standing {
    nice: i32,
    processors: Processors,
}

/// A line of `/proc/<pid>/stat`, as far as it matters.
#[derive(Debug, PartialEq)]
struct Process {
    parent: i32,
    /// Processor time, in ticks.
    taken: u64,
    nice: i32,
    /// When it was started, in ticks after the machine.
    started: u64,
}

impl Priorities {
    /// For the server that the session `pid` belongs to; none if its processes can't be seen.
    pub(crate) fn of_server(pid: i32) -> Option<Self> {
        let parent = Process::read(pid)?.parent;
        let processors = Processors::of(Pid::from_raw(parent)?)?;
        Some(Self {
            parent,
            taken: HashMap::new(),
            greedy: HashMap::new(),
            looked: Instant::now(),
            alone: CALM,
            usual: Standing {
                nice: 0,
                processors,
            },
            low: Standing {
                nice: LOW,
                processors: processors.later_half(),
            },
        })
    }

    /// Roles that have to give way.
    pub(crate) fn greedy(&self) -> Vec<u32> {
        self.greedy.keys().copied().collect()
    }

    /// The process of a session; none if the number is another process's by now.
    fn session(&self, pid: i32) -> Option<Process> {
        Process::read(pid).filter(|process| process.parent == self.parent)
    }

    /// Lowers sessions of roles that have to give way, as far as the last look has not seen them.
    pub(crate) fn lower(&self, sessions: &[i32]) {
        for pid in sessions.iter().copied() {
            if let Some(session) = self.session(pid) {
                self.greedy_standing().give(pid, session.nice);
            }
        }
    }

    /// How those run who have to give way: on all processors while nobody else is there who could use them.
    fn greedy_standing(&self) -> Standing {
        if self.alone < CALM {
            self.low
        } else {
            Standing {
                nice: self.low.nice,
                ..self.usual
            }
        }
    }

    /// Looks at the tenants' sessions, each a process and a role, and sets their priorities.
    pub(crate) fn divide(&mut self, sessions: &[(i32, u32)]) {
        let since = self.looked.elapsed();
        self.looked = Instant::now();
        let mut taken = HashMap::new();
        let mut of_role: HashMap<u32, u64> = HashMap::new();
        let mut found = Vec::new();
        for (pid, role) in sessions.iter().copied() {
            let Some(process) = self.session(pid) else {
                continue;
            };
            let name = (pid, process.started);
            let before = self.taken.get(&name).copied().unwrap_or_default();
            *of_role.entry(role).or_default() += process.taken.saturating_sub(before);
            taken.insert(name, process.taken);
            found.push((pid, role, process.nice));
        }
        self.taken = taken;
        judge(&mut self.greedy, &of_role, since);
        let others =
            (of_role.iter()).any(|(role, ticks)| *ticks > 0 && !self.greedy.contains_key(role));
        self.alone = if others {
            0
        } else {
            self.alone.saturating_add(1)
        };
        let low = self.greedy_standing();
        for (pid, role, nice) in found {
            let due = if self.greedy.contains_key(&role) {
                low
            } else {
                self.usual
            };
            due.give(pid, nice);
        }
    }
}

impl Standing {
    /// Gives it to a process that has the priority `nice` now. Raising that again is not allowed to everybody, and a process
    /// that has just ended needs nothing: what fails is left.
    fn give(self, pid: i32, nice: i32) {
        let Some(process) = Pid::from_raw(pid) else {
            return;
        };
        if Processors::of(process) != Some(self.processors) {
            self.processors.keep(process);
        }
        if nice != self.nice {
            let _ = setpriority_process(Some(process), self.nice);
            // Every session of PostgreSQL's is a session of the kernel's too. Where those are scheduled as groups (`sched(7)`),
            // the value of a process counts within its group alone, and the group has its own.
            let _ = fs::write(format!("/proc/{pid}/autogroup"), self.nice.to_string());
        }
    }
}

/// Who has to give way, given what each role took in some time.
fn judge(greedy: &mut HashMap<u32, u32>, taken: &HashMap<u32, u64>, within: Duration) {
    let most = within.as_secs_f64() / TICK.as_secs_f64() * PART;
    let over: HashSet<u32> = (taken.iter())
        .filter(|(_, ticks)| **ticks as f64 > most)
        .map(|(role, _)| *role)
        .collect();
    greedy.retain(|role, calm| {
        *calm += 1;
        *calm < CALM || over.contains(role)
    });
    greedy.extend(over.into_iter().map(|role| (role, 0)));
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Of the text of `/proc/<pid>/stat`; the second field is the program's name, with whatever is in it.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The third field of the file is the first of these.
        let field = |number: usize| fields.get(number - 3);
        Some(Self {
            parent: field(4)?.parse().ok()?,
            taken: field(14)?.parse::<u64>().ok()? + field(15)?.parse::<u64>().ok()?,
            nice: field(19)?.parse().ok()?,
            started: field(22)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let text = "77 (a) b (c) S 12 77 77 0 -1 4194560 9 0 0 0 250 31 0 0 30 10 1 0 123456 1 2 3";
        let process = Process {
            parent: 12,
            taken: 281,
            nice: 10,
            started: 123_456,
        };
        assert_eq!(Process::parse(text), Some(process));
        assert_eq!(Process::parse("77 (short) S 1"), None);
    }

    #[test]
    fn who_takes_much_gives_way_until_it_is_calm() {
        let mut greedy = HashMap::new();
        let mut look = |one: u64, two: u64| {
            let taken = HashMap::from([(1, one), (2, two)]);
            judge(&mut greedy, &taken, Duration::from_secs(1));
            let mut roles: Vec<u32> = greedy.keys().copied().collect();
            roles.sort_unstable();
            roles
        };
        assert_eq!(look(25, 26), [2], "a quarter is not too much");
        assert_eq!(look(80, 0), [1, 2]);
        for _ in 0..3 {
            assert_eq!(look(0, 0), [1, 2]);
        }
        assert_eq!(look(0, 0), [1], "five looks after the second's last");
        assert_eq!(look(0, 0), Vec::<u32>::new());
    }
}
