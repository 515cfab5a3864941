//! Snapshots: a tenant's schema as it was, kept in a schema beside it, copied by the tenant's own session.
//!
//! Which snapshots there are is for the caller to record, before one is made and until it is deleted. While nobody works
//! with it, a snapshot's schema grants its tenant nothing, so what is kept can't be changed by mistake or by design.

use std::time::Duration;

use tokio::{sync::Semaphore, time::timeout};

use crate::{
    Identity, Tenants,
    error::Error,
    names::{self, quote_ident},
    provision::schema_owner,
    script::{self, Script, Uncloned},
    watchdog,
};

/// Copies that tenants make at once: each is a connection outside of the tenants' pools.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

impl Tenants {
    /// Copies all that a tenant has, its users too, into the schema `snapshot` (of [`names::fresh_snapshot`]).
    ///
    /// It is the state of one moment; materialized views are filled from it anew. Returns what could not be copied. Stops at `limit`. A call that was killed can be
    /// done again, or be undone by [`Tenants::delete_snapshot`].
    ///
    /// # Errors
    /// [`script::Error::Tenants`] with [`Error::Timeout`] at the limit; what Postgres says when objects of the tenant
    /// can't be made again; [`script::Error::Stale`] when the tenant changed definitions meanwhile. Nothing is left then.
    pub async fn snapshot(
        &self,
        identity: &Identity,
        snapshot: &str,
        limit: Duration,
    ) -> Result<Vec<Uncloned>, script::Error> {
        self.delete_snapshot(snapshot).await?;
        let outcome = self
            .copy_own(identity, &identity.schema, snapshot, limit)
            .await;
        match outcome {
            Ok(script) => {
                self.close_schema(snapshot, &identity.role).await?;
                Ok(script.uncloned().to_vec())
            }
            Err(error) => {
                self.drop_schema(snapshot).await;
                Err(error)
            }
        }
    }

    /// Puts a copy of a snapshot in the place of all that the tenant has now; the snapshot stays.
    ///
    /// The two change places in one moment. Returns what could not be copied. Stops at `limit`.
    ///
    /// # Errors
    /// As [`Tenants::snapshot`]; [`script::Error::NoSchema`] if there is no such snapshot. The tenant is as it was then.
    pub async fn restore(
        &self,
        identity: &Identity,
        snapshot: &str,
        limit: Duration,
    ) -> Result<Vec<Uncloned>, script::Error> {
        self.make_sure(snapshot).await?;
        self.open_schema(snapshot, &identity.role).await?;
        let fresh = names::fresh_reset();
        let copied = self.copy_own(identity, snapshot, &fresh, limit).await;
        let closed = self.close_schema(snapshot, &identity.role).await;
        let swapped = match (copied, closed) {
            (Ok(script), Ok(())) => self
                .swap(identity, &script, &fresh)
                .await
                .map(|()| script.uncloned().to_vec()),
            (Err(error), _) => Err(error),
            (_, Err(error)) => Err(error.into()),
        };
        if swapped.is_err() {
            self.drop_schema(&fresh).await;
        }
        swapped
    }

    /// Removes a snapshot. Nothing there is well done.
    ///
    /// # Errors
    /// [`Error::Unfit`] when the schema is none of the platform's snapshots.
    pub async fn delete_snapshot(&self, snapshot: &str) -> Result<(), Error> {
        if !names::is_snapshot(snapshot) {
            return Err(Error::Unfit(format!("{snapshot} is no snapshot")));
        }
        let lease = self.platform().await?;
        lease.begin().await?;
        match schema_owner(&lease, snapshot).await? {
            Some(other) if other != self.owner_role() => {
                return Err(Error::Unfit(format!(
                    "the schema {snapshot} belongs to {other}"
                )));
            }
            Some(_) => {
                let text = format!("drop schema {} cascade", quote_ident(snapshot));
                lease.batch_execute(&text).await?;
            }
            None => {}
        }
        lease.commit().await?;
        lease.finish();
        Ok(())
    }

    /// Copies one schema of a tenant's to a new one, as the tenant: its code runs with its own rights, and for so long only.
    async fn copy_own(
        &self,
        identity: &Identity,
        from: &str,
        to: &str,
        limit: Duration,
    ) -> Result<Script, script::Error> {
        let _turn = AT_ONCE.acquire().await.map_err(|_| Error::Closed)?;
        self.make_schema(to, &identity.role).await?;
        let mut link = self.0.door.open(identity).await?;
        let target = watchdog::Target::of(&link, identity);
        let copying = async {
            // One statement may be most of the work; the limit is kept from outside.
            link.client
                .batch_execute(
                    "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0",
                )
                .await?;
            let script = Script::read_whole(&mut link.client, from).await?;
            script.replay(&mut link.client, to, &identity.role).await?;
            Ok(script)
        };
        match timeout(limit, copying).await {
            Ok(outcome) => outcome,
            Err(_) => {
                watchdog::end(target, Some(self.0.watch_pool.clone())).await;
                Err(Error::Timeout { limit }.into())
            }
        }
    }

    async fn make_sure(&self, snapshot: &str) -> Result<(), script::Error> {
        let lease = self.platform().await?;
        let owner = schema_owner(&lease, snapshot).await?;
        lease.finish();
        if !names::is_snapshot(snapshot) || owner != Some(self.owner_role()) {
            return Err(script::Error::NoSchema(snapshot.to_owned()));
        }
        Ok(())
    }

    async fn open_schema(&self, schema: &str, role: &str) -> Result<(), Error> {
        self.change_right(&format!(
            "grant usage on schema {} to {}",
            quote_ident(schema),
            quote_ident(role)
        ))
        .await
    }

    async fn close_schema(&self, schema: &str, role: &str) -> Result<(), Error> {
        self.change_right(&format!(
            "revoke all on schema {} from {}",
            quote_ident(schema),
            quote_ident(role)
        ))
        .await
    }

    async fn change_right(&self, text: &str) -> Result<(), Error> {
        let lease = self.platform().await?;
        lease.batch_execute(text).await?;
        lease.finish();
        Ok(())
    }
}
