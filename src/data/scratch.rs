//! A Postgres for tests: one server per test process, gone with it, and a schema per test.

use super::connection::Connection;
use crate::postgres::{Embedded, Options};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tenants::{Access, Credentials, Identity, Limits, Settings, Tenants};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// A tenant of the scratch server: a schema, and a role that owns what is in it.
pub struct Tenant {
    /// The schema's name.
    pub schema: String,
    role: String,
}

impl Tenant {
    /// Makes a schema and a role, and runs `sql` as that role.
    pub async fn new(sql: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let tenant = Self {
            schema: format!("tenant_{number}"),
            role: format!("t_{number}"),
        };
        let (schema, role) = (&tenant.schema, &tenant.role);
        client("postgres", "public")
            .await
            .batch_execute(&format!(
                "create role {role} login; create schema {schema}; \
                 grant usage, create on schema {schema} to {role}"
            ))
            .await
            .unwrap();
        let connection = tenant.connect().await;
        connection.client().batch_execute(sql).await.unwrap();
        tenant
    }

    /// Another schema of the same content, by running the same statements.
    pub async fn connect(&self) -> Connection {
        let tenants = Tenants::open(Settings {
            platform: server().await.superuser(),
            platform_database: None,
            credentials: Credentials::Trust,
            limits: Limits::default(),
        });
        let identity = Identity {
            role: self.role.clone(),
            schema: self.schema.clone(),
            read_only: false,
        };
        let lease = tenants.unwrap().lease(&identity, Access::Write).await;
        Connection::new(lease.unwrap(), Duration::from_secs(60))
    }
}

/// A client logged in as `role` with `schema` in its search path.
pub async fn client(role: &str, schema: &str) -> Client {
    let (client, connection) = server()
        .await
        .config(role, "postgres")
        .options(format!(
            "-c search_path={schema} -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
        ))
        .connect(NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// The running server; it dies with the process.
static SERVER: OnceCell<Embedded> = OnceCell::const_new();

async fn server() -> &'static Embedded {
    SERVER
        .get_or_init(|| async {
            let mut options = Options::scratch().unwrap();
            options
                .settings
                .push(("max_connections".to_owned(), "200".to_owned()));
            Embedded::start(options).await.unwrap()
        })
        .await
}
