//! Who takes much of the processor gives way: PostgreSQL shares it out among nobody, but the kernel does among processes.
//!
//! A tenant whose sessions together take more than a quarter of one processor gets them a lower priority (`nice`) than all
//! others have, until it has taken less for a while. On a machine with nothing else to do that changes nothing. It works
//! where the server's processes are ours: on the own PostgreSQL, on Linux. A process may always lower the priority
//! of its user's own; only root may raise it again, so elsewhere a session stays low until it ends, five minutes at most for
//! one of a pool.

use std::{
    collections::{HashMap, HashSet},
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, setpriority_process};

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
        Some(Self {
            parent: Process::read(pid)?.parent,
            taken: HashMap::new(),
            greedy: HashMap::new(),
            looked: Instant::now(),
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
            if self.session(pid).is_some_and(|session| session.nice != LOW) {
                set(pid, LOW);
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
        for (pid, role, nice) in found {
            let due = if self.greedy.contains_key(&role) {
                LOW
            } else {
                0
            };
            if nice != due {
                set(pid, due);
            }
        }
    }
}

/// Raising it again is not allowed to everybody, and a process that has just ended needs nothing: what fails is left.
fn set(pid: i32, nice: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = setpriority_process(Some(pid), nice);
    }
    // Every session of PostgreSQL's is a session of the kernel's too. Where those are scheduled as groups (`sched(7)`), the
    // value of a process counts within its group alone, and the group has its own.
    let _ = fs::write(format!("/proc/{pid}/autogroup"), nice.to_string());
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
