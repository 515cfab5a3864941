//! Refusals take their time: whoever asks on after a limit was reached must not cost more than
//! what the limit saves.
//!
//! A client that waits for its answer before it asks again is slowed down to what costs nothing,
//! however many sockets it uses: the more refusals wait, the longer each of them does, so that
//! no more than some two hundred leave in a second.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::sleep;

/// How long one waits at least.
const LEAST: Duration = Duration::from_millis(100);

/// How much longer for each other one that waits.
const EACH: Duration = Duration::from_millis(5);

/// How long one waits at most: less than what a stopping server has time for.
const MOST: Duration = Duration::from_secs(5);

/// The refusals that wait.
#[derive(Default)]
pub struct Refusals(AtomicU32);

/// One of them; it ends when dropped, also when its client has gone.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Refusals {
    /// Waits as long as a refusal has to now.
    pub async fn wait(&self) {
        let others = self.0.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.0);
        sleep(pause(others)).await;
    }
}

fn pause(others: u32) -> Duration {
    (LEAST + EACH * others).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_leave_in_a_second_however_many_wait() {
        for clients in [1_u32, 10, 50, 500] {
            let rate = f64::from(clients) / pause(clients - 1).as_secs_f64();
            assert!(rate <= 200.0, "{clients}: {rate}");
        }
        assert_eq!(pause(u32::MAX / 8), MOST);
    }

    #[tokio::test]
    async fn one_whose_client_has_gone_does_not_count() {
        let refusals = Refusals::default();
        let gone = tokio::time::timeout(Duration::ZERO, refusals.wait()).await;
        assert!(gone.is_err());
        assert_eq!(refusals.0.load(Ordering::Relaxed), 0);
        refusals.wait().await;
    }
}
