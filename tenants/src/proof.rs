//! Digests for certificates: the template's read as the platform, a copy's as its own tenant.

use std::time::Duration;

use tokio::{sync::Semaphore, time::timeout};

use crate::{
    Identity, Tenants,
    certify::{Digest, Side},
    error::Error,
    script, watchdog,
};

/// Digests of copies that are read at once: each is a connection outside of the tenants' pools.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

impl Tenants {
    /// Reads what a tenant's schema is and holds now, as the tenant (I1), and stops at `limit` (I4).
    ///
    /// `template` is the schema that it was copied from.
    ///
    /// # Errors
    /// [`script::Error::Tenants`] with [`Error::Timeout`] at the limit, [`script::Error::NoSchema`].
    pub async fn digest(
        &self,
        identity: &Identity,
        template: &str,
        limit: Duration,
    ) -> Result<Digest, script::Error> {
        let _turn = AT_ONCE.acquire().await.map_err(|_| Error::Closed)?;
        let mut link = self.0.door.open(identity).await?;
        let target = watchdog::Target::of(&link, identity);
        let side = Side::Copy { template };
        let reading = Digest::read(&mut link.client, &identity.schema, side, None);
        match timeout(limit, reading).await {
            Ok(digest) => digest,
            Err(_) => {
                tokio::spawn(watchdog::end(target, Some(self.0.watch_pool.clone())));
                Err(Error::Timeout { limit }.into())
            }
        }
    }
}
