//! A Postgres for tests: one server per test process, gone with it, and a schema per test.

use crate::postgres::{Embedded, Options};
use std::sync::atomic::{AtomicUsize, Ordering};
use tenants::{Access, Credentials, Identity, Lease, Limits, Settings, Tenants};
use tokio::sync::OnceCell;

/// A tenant of the scratch server: a schema, and a role that owns what is in it.
pub struct Tenant {
    /// Who logs in.
    pub identity: Identity,
    /// Where connections come from.
    pub tenants: Tenants,
}

impl Tenant {
    /// Makes a schema and a role, and runs `sql` as that role.
    pub async fn new(sql: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let tenant = Self {
            identity: Identity {
                role: format!("t_{number}"),
                schema: format!("tenant_{number}"),
                read_only: false,
            },
            tenants: Tenants::open(Settings {
                platform: server().await.superuser(),
                platform_database: None,
                credentials: Credentials::Trust,
                limits: Limits::default(),
            })
            .unwrap(),
        };
        let Identity { role, schema, .. } = &tenant.identity;
        let platform = tenant.tenants.platform().await.unwrap();
        platform
            .batch_execute(&format!(
                "create role {role} login; create schema {schema}; \
                 grant usage, create on schema {schema} to {role}"
            ))
            .await
            .unwrap();
        platform.finish();
        tenant.run(sql).await;
        tenant
    }

    /// The schema's name.
    pub fn schema(&self) -> &str {
        &self.identity.schema
    }

    /// A connection of the tenant's.
    pub async fn lease(&self) -> Lease {
        self.tenants
            .lease(&self.identity, Access::Write)
            .await
            .unwrap()
    }

    /// Runs statements as the tenant.
    pub async fn run(&self, sql: &str) {
        let lease = self.lease().await;
        lease.batch_execute(sql).await.unwrap();
        lease.finish();
    }
}

/// The running server; it dies with the process.
static SERVER: OnceCell<Embedded> = OnceCell::const_new();

async fn server() -> &'static Embedded {
    SERVER
        .get_or_init(|| async {
            let mut options = Options::scratch().unwrap();
            let connections = ("max_connections".to_owned(), "200".to_owned());
            options.settings.push(connections);
            Embedded::start(options).await.unwrap()
        })
        .await
}
