//! How far the copies are that this server makes at this moment.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Tenants whose copies wait or are made, in the order in which they asked.
#[derive(Default)]
pub struct Progress(Mutex<BTreeMap<i64, &'static str>>);

/// One tenant's place; left when dropped.
pub struct Entered<'a> {
    progress: &'a Progress,
    id: i64,
}

impl Progress {
    /// Notes that a tenant waits for its copy.
    pub fn enter(&self, id: i64) -> Entered<'_> {
        self.0.lock().insert(id, "queued");
        Entered { progress: self, id }
    }

    /// The stage of a tenant's copy, and how many are before it.
    pub fn of(&self, id: i64) -> Option<(&'static str, usize)> {
        let places = self.0.lock();
        let stage = places.get(&id)?;
        Some((stage, places.range(..id).count()))
    }
}

impl Entered<'_> {
    /// Notes that the copy is being made.
    pub fn working(&self) {
        self.progress.0.lock().insert(self.id, "copying");
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.progress.0.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_who_is_before_it_and_is_left_in_the_end() {
        let progress = Progress::default();
        let first = progress.enter(1);
        let second = progress.enter(2);
        first.working();
        assert_eq!(progress.of(1), Some(("copying", 0)));
        assert_eq!(progress.of(2), Some(("queued", 1)));
        drop(first);
        assert_eq!(progress.of(2), Some(("queued", 0)));
        drop(second);
        assert_eq!(progress.of(2), None);
    }
}
