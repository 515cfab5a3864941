//! A connection of the tenant's as the spine uses it: statements by text, and an end in time.

use std::time::Duration;

use tenants::Lease;
use tokio::time::Instant;
use tokio_postgres::{Client, Error, Statement};

/// A connection on loan for one request; given back when dropped.
pub struct Connection {
    /// None only while it is being given back.
    lease: Option<Lease>,
    until: Instant,
}

impl Connection {
    /// Takes a lease, for as long as the request may work.
    pub fn new(lease: Lease, limit: Duration) -> Self {
        Self {
            lease: Some(lease),
            until: Instant::now() + limit,
        }
    }

    /// The client.
    ///
    /// # Panics
    /// Never: the lease is there until the drop.
    pub fn client(&self) -> &Client {
        self.lease()
    }

    /// The statement of that text, prepared at its first use on this connection.
    pub async fn prepare(&self, text: &str) -> Result<Statement, Error> {
        self.lease().prepare_cached(text).await
    }

    /// Drops what was prepared, after tables have changed.
    pub fn forget(&self) {
        self.lease().forget_statements();
    }

    /// Runs work that uses this connection, and stops it from outside when the request's time is over (I4).
    ///
    /// # Errors
    /// `None` when the time was over; the connection is of no more use then.
    pub async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let left = self.until.saturating_duration_since(Instant::now());
        let work = async { Ok::<T, tenants::Error>(work.await) };
        self.lease().run(left, work).await.ok()
    }

    #[allow(clippy::expect_used)]
    fn lease(&self) -> &Lease {
        self.lease.as_ref().expect("the lease is there until the drop")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.finish();
        }
    }
}
