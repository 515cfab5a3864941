//! Which processors a process may run on (`sched_setaffinity(2)`). Linux only; elsewhere nothing is known of them.

use rustix::process::Pid;

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A set of processors.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Processors(CpuSet);

#[cfg(target_os = "linux")]
impl Processors {
    /// Those that a process may run on; none if there is no such process.
    pub(crate) fn of(process: Pid) -> Option<Self> {
        sched_getaffinity(Some(process)).ok().map(Self)
    }

    /// The later half of them: the kernel gives devices' interrupts to the first ones. All of them if there is only one.
    pub(crate) fn later_half(self) -> Self {
        let all: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|processor| self.0.is_set(*processor))
            .collect();
        let mut half = CpuSet::new();
        for processor in &all[all.len() / 2..] {
            half.set(*processor);
        }
        Self(half)
    }

    /// Lets a process run on these and no other. A process that has just ended needs nothing: what fails is left.
    pub(crate) fn keep(self, process: Pid) {
        let _ = sched_setaffinity(Some(process), &self.0);
    }
}

/// A set of processors, of which nothing is known here.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Processors;

#[cfg(not(target_os = "linux"))]
impl Processors {
    pub(crate) fn of(_: Pid) -> Option<Self> {
        None
    }

    pub(crate) fn later_half(self) -> Self {
        self
    }

    pub(crate) fn keep(self, _: Pid) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_later_half_is_the_larger_one() {
        for (all, half) in [
            (&[3][..], &[3][..]),
            (&[0, 1], &[1]),
            (&[1, 4, 6], &[4, 6]),
            (&[0, 1, 2, 3], &[2, 3]),
        ] {
            let set = |processors: &[usize]| {
                let mut set = CpuSet::new();
                for processor in processors {
                    set.set(*processor);
                }
                Processors(set)
            };
            assert_eq!(set(all).later_half(), set(half), "{all:?}");
        }
    }
}
