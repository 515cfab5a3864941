//! The handle to all tenants: opened once, cloned freely.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::timeout};
use tokio_postgres::Client;

use crate::{
    changes::Changes,
    connect::{Door, Identity},
    error::Error,
    lane::{Lanes, Reader},
    lease::{Access, Lease},
    pool::{Pool, Share, Stats},
    settings::Settings,
};

/// Every tenant's connections, and what the platform does for them. Clones share one set of pools.
#[derive(Clone)]
pub struct Tenants(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    settings: Settings,
    platform_role: String,
    pub(crate) door: Door,
    tenant_pool: Pool,
    lanes: Lanes,
    platform_pool: Pool,
    /// For what must not wait behind a clone: ending backends, and asking whether the server is there.
    pub(crate) watch_pool: Pool,
    healing: Mutex<()>,
    pub(crate) changes: Changes,
    /// Roles that had a connection to write since somebody asked.
    pub(crate) active: parking_lot::Mutex<HashSet<String>>,
}

/// What every connection says it is used by.
pub(crate) const APPLICATION: &str = "sandlot";

/// Connections of the watch pool; one of them is the guard's for good.
const WATCHERS: usize = 3;

impl Tenants {
    /// Takes note of `settings`; connects when the first connection is asked for. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// [`Error::Unfit`] when the settings name no user or no database.
    pub fn open(mut settings: Settings) -> Result<Self, Error> {
        settings.platform.application_name(APPLICATION);
        let (Some(role), Some(_)) = (settings.platform.get_user(), settings.platform.get_dbname())
        else {
            return Err(Error::Unfit(
                "the tenants database's URL must name a user and a database".to_owned(),
            ));
        };
        let platform_role = role.to_owned();
        let limits = settings.limits.clone();
        let door = Door::new(
            settings.platform.clone(),
            settings.credentials.clone(),
            limits.clone(),
        );
        let share = |cap, each, alone, reserve| Share {
            cap,
            each,
            alone,
            alone_after: limits.alone_after,
            reserve,
            idle: limits.idle,
            wait: limits.wait,
            queue: limits.queue,
        };
        let watch_pool = Pool::new(door.clone(), share(WATCHERS, WATCHERS, WATCHERS, 0), None);
        let platform_pool = Pool::new(
            door.clone(),
            share(limits.platform, limits.platform, limits.platform, 0),
            None,
        );
        // A quarter of the places is for tenants that have none, so that busy ones can't take all.
        let cap = limits.connections.max(1);
        let tenant_pool = Pool::new(
            door.clone(),
            share(
                cap,
                limits.per_tenant.clamp(1, cap),
                limits.when_alone().clamp(1, cap),
                cap / 4,
            ),
            Some(watch_pool.clone()),
        );
        let healing = Mutex::new(());
        Ok(Self(Arc::new(Inner {
            settings,
            platform_role,
            door,
            tenant_pool,
            lanes: Lanes::default(),
            platform_pool,
            watch_pool,
            healing,
            changes: Changes::default(),
            active: parking_lot::Mutex::default(),
        })))
    }

    /// A connection that is logged in as `identity` (I1).
    ///
    /// Waits its turn; a role that has locked itself out is healed on the way.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Unreachable`], [`Error::Closed`], or [`Error::Refused`] when healing did not help.
    pub async fn lease(&self, identity: &Identity, access: Access) -> Result<Lease, Error> {
        let access = if identity.read_only {
            Access::Read
        } else {
            access
        };
        if access == Access::Write {
            let mut active = self.0.active.lock();
            if !active.contains(&identity.role) {
                active.insert(identity.role.clone());
            }
        }
        let identity = Arc::new(identity.clone());
        match self.0.tenant_pool.lease(&identity, access).await {
            // Boxed: see `Pool::lease`.
            Err(Error::Refused { .. }) => Box::pin(self.lease_healed(&identity, access)).await,
            outcome => outcome,
        }
    }

    async fn lease_healed(&self, identity: &Arc<Identity>, access: Access) -> Result<Lease, Error> {
        // One at a time: whoever comes second finds the role healed.
        let _turn = self.0.healing.lock().await;
        match self.0.tenant_pool.lease(identity, access).await {
            Err(Error::Refused { role, source }) => {
                tracing::info!(role, %source, "login refused, healing the role");
                if self.heal(&role).await.is_err() {
                    return Err(Error::Refused { role, source });
                }
                self.0.tenant_pool.lease(identity, access).await
            }
            outcome => outcome,
        }
    }

    /// The same for one read by the statement `text`, which runs no tenant's code: together with others where it is known to be quick.
    ///
    /// # Errors
    /// As [`Tenants::lease`].
    pub async fn read<'a>(&self, identity: &Identity, text: &'a str) -> Result<Reader<'a>, Error> {
        let wanted = self.stats().waiting > 0;
        if let Some(lane) = self.0.lanes.join(identity, text, wanted) {
            return Ok(Reader::Together(lane));
        }
        let lease = self.lease(identity, Access::Write).await?;
        Ok(if lease.is_quick(text) {
            Reader::Together(self.0.lanes.share(lease, text))
        } else {
            Reader::Alone(lease)
        })
    }

    /// Who reads the template: a role that may read `public`, its `users` left out, and nothing else.
    pub fn reader(&self) -> Identity {
        Identity {
            role: self.reader_role(),
            schema: "public".to_owned(),
            read_only: true,
        }
    }

    /// The role that owns demos and can't log in, so that nobody who may write in a demo may alter it.
    pub fn demo_owner(&self) -> String {
        format!("{}_demo", self.platform_role())
    }

    /// A connection of the platform itself, with nothing in its `search_path`. Never runs a tenant's code (I3).
    pub async fn platform(&self) -> Result<Lease, Error> {
        self.0.platform_pool.lease_own(Access::Write).await
    }

    /// A connection that is logged in as `identity` and belongs to no pool, to the tenants database or another one of
    /// the cluster: for trying out, from outside, what the role may do. Refused where the role's own limit is reached.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Unreachable`], [`Error::Refused`].
    pub async fn session(
        &self,
        identity: &Identity,
        database: Option<&str>,
    ) -> Result<Client, Error> {
        let door = match database {
            Some(database) => &self.0.door.to(database),
            None => &self.0.door,
        };
        Ok(door.open(identity).await?.client)
    }

    /// Whether the server answers.
    ///
    /// # Errors
    /// [`Error::Unreachable`] after five seconds, or what went wrong.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = async {
            let lease = self.watch().await?;
            lease.batch_execute("select 1").await?;
            lease.finish();
            Ok(())
        };
        timeout(Duration::from_secs(5), answer)
            .await
            .unwrap_or(Err(Error::Unreachable { source: None }))
    }

    /// How full the tenants' pools are.
    pub fn stats(&self) -> Stats {
        self.0.tenant_pool.stats()
    }

    /// Refuses new leases and closes idle connections; those on loan are closed when they come back.
    pub async fn close(&self) {
        self.0.tenant_pool.close().await;
        self.0.platform_pool.close().await;
        self.0.watch_pool.close().await;
    }

    /// What the handle was opened with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) async fn watch(&self) -> Result<Lease, Error> {
        self.0.watch_pool.lease_own(Access::Write).await
    }

    /// Closes the idle connections of `role`.
    pub(crate) fn forget(&self, role: &str) {
        self.0.tenant_pool.forget(role);
    }

    pub(crate) fn platform_role(&self) -> &str {
        &self.0.platform_role
    }

    /// The role that owns tenants' schemas and can't log in.
    pub(crate) fn owner_role(&self) -> String {
        format!("{}_owner", self.platform_role())
    }

    pub(crate) fn reader_role(&self) -> String {
        format!("{}_reader", self.platform_role())
    }

    pub(crate) fn database(&self) -> &str {
        self.0.settings.platform.get_dbname().unwrap_or_default()
    }

    /// Connections that this handle may open in all.
    pub(crate) fn connections(&self) -> usize {
        self.0.settings.limits.connections + self.0.settings.limits.platform + WATCHERS
    }
}
