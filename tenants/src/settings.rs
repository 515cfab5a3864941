//! What [`crate::Tenants::open`] is given.

use std::{fmt, time::Duration};

use tokio_postgres::Config;

/// Where the tenants are and how much they may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tenants database, with the platform's role as user.
    pub platform: Config,
    /// Name of the platform's own database, if it is in the same cluster: tenants are shut out of it.
    pub platform_database: Option<String>,
    /// How tenants' roles log in.
    pub credentials: Credentials,
    /// Bounds on connections, time and disk.
    pub limits: Limits,
}

/// How tenants' roles prove who they are.
#[derive(Clone)]
pub enum Credentials {
    /// Not at all: whoever reaches the socket may log in, so its directory has mode 0700.
    Trust,
    /// By SCRAM; a role's password is the HMAC-SHA256 of its name under this secret, in hex.
    Derived([u8; 32]),
}

/// Bounds on what tenants take together and each.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections of all tenants together; below the server's `max_connections` by [`Limits::platform`] and a few to spare.
    pub connections: usize,
    /// Connections of one tenant; twice as many while no other one has any.
    pub per_tenant: usize,
    /// How long no other tenant may have had a connection for that.
    pub alone_after: Duration,
    /// Connections of one tenant's own programs, besides; 0 where there is no door for them.
    pub direct: usize,
    /// Connections of the platform itself to this database.
    pub platform: usize,
    /// How long a connection stays open with nothing to do.
    pub idle: Duration,
    /// How long a request waits for a connection.
    pub wait: Duration,
    /// How many requests of one tenant may wait.
    pub queue: usize,
    /// How long one request may work; [`crate::Lease::run`]'s usual limit.
    pub statement: Duration,
    /// Temporary files of one process, in kB; -1 for no bound.
    pub temp_file_kb: i64,
    /// Memory of one sort or hash, in kB; the server's own setting if none.
    pub work_mem_kb: Option<u32>,
    /// Bytes of a template from which a copy of it is made on several connections.
    pub spread_from: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            per_tenant: 4,
            alone_after: Duration::from_secs(5),
            direct: 0,
            platform: 8,
            idle: Duration::from_secs(60),
            wait: Duration::from_secs(30),
            queue: 1000,
            statement: Duration::from_secs(60),
            temp_file_kb: 128 * 1024,
            work_mem_kb: None,
            spread_from: 32 << 20,
        }
    }
}

impl Limits {
    /// Connections of a tenant while no other one has any.
    pub(crate) fn when_alone(&self) -> usize {
        self.per_tenant * 2
    }

    /// `connection limit` of a tenant's role: the most that the pool gives it, the share of its own programs, and room for
    /// backends that are being ended.
    pub(crate) fn role_connections(&self) -> usize {
        self.when_alone() + self.direct + 2
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trust => "Trust",
            Self::Derived(_) => "Derived(..)",
        })
    }
}
