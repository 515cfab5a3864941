//! A server for each test, on databases of its own, over one Postgres for all.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use clap::Parser as _;
use sandlot::{
    app::App,
    config::{Cli, Settings},
    databases::Databases,
    postgres::{Embedded, Options},
    serve,
};
use tokio::{
    net::TcpListener,
    sync::{OnceCell, watch},
};

mod client;
pub mod process;

pub use client::{Answer, Client, PASSWORD};

/// The Postgres of this test run; it dies with the process, however that ends.
static POSTGRES: OnceCell<Embedded> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A server under test; dropping it stops it.
pub struct Server {
    pub client: Client,
    /// Its parts, for what has no call.
    pub app: Arc<App>,
    platform: String,
    tenants: String,
    /// Stops the server when it is dropped.
    _stop: watch::Sender<bool>,
}

/// A tenant, signed in as its administrator.
pub struct Tenant {
    pub schema: String,
    pub key: String,
    pub email: String,
    pub id: i64,
    /// Calls as the administrator.
    pub admin: Client,
    /// Calls with the `Api-Key` alone.
    pub keyed: Client,
}

impl Server {
    /// Starts a server on fresh copies of migrated and seeded databases.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with further command-line arguments.
    pub async fn start_with(arguments: &[&str]) -> Self {
        let postgres = POSTGRES.get_or_init(prepare).await;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (platform, tenants) = (format!("platform_{number}"), format!("tenants_{number}"));
        let superuser = superuser("postgres").await;
        for (copy, original) in [(&platform, "sandlot"), (&tenants, "sandlot_tenants")] {
            superuser
                .batch_execute(&format!(
                    "create database {copy} template {original} strategy file_copy owner sandlot"
                ))
                .await
                .unwrap();
        }
        let urls = [
            postgres.url("sandlot", &platform),
            postgres.url("sandlot", &tenants),
        ];
        let settings = settings(&urls, arguments);
        let mut server = Self::open(&settings).await;
        (server.platform, server.tenants) = (platform, tenants);
        server
    }

    /// Starts another server on the same databases.
    pub async fn twin(&self) -> Self {
        self.twin_with(&[]).await
    }

    /// The same, with further command-line arguments.
    pub async fn twin_with(&self, arguments: &[&str]) -> Self {
        let postgres = POSTGRES.get().unwrap();
        let urls = [
            postgres.url("sandlot", &self.platform),
            postgres.url("sandlot", &self.tenants),
        ];
        let mut server = Self::open(&settings(&urls, arguments)).await;
        (server.platform, server.tenants) = (self.platform.clone(), self.tenants.clone());
        server
    }

    async fn open(settings: &Settings) -> Self {
        let mut databases = Databases::open(settings).await.unwrap();
        // The tests' PostgreSQL trusts whoever reaches its socket, as an own one does.
        databases.own |= settings.direct_listen.is_some();
        let app = App::open(settings, &databases).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let settings = settings.clone();
        let served = Arc::clone(&app);
        tokio::spawn(async move { serve::run(&settings, served, listener, stopped).await });
        Self {
            client: Client::new(address),
            app,
            platform: String::new(),
            tenants: String::new(),
            _stop: stop,
        }
    }

    /// Registers a tenant and signs its administrator in.
    pub async fn tenant(&self, name: &str) -> Tenant {
        let email = format!("{name}@mail.example");
        let credentials = serde_json::json!({"email": email, "password": PASSWORD});
        let registration = self
            .client
            .post("/api/register", &credentials)
            .await
            .expect(201)
            .json();
        let key = registration["tenant"]["api_key"].as_str().unwrap();
        let keyed = self.client.with("Api-Key", key);
        // On a machine that is busy with other tests the copy may be waited for.
        keyed.until_ready().await;
        Tenant {
            schema: registration["tenant"]["schema"]
                .as_str()
                .unwrap()
                .to_owned(),
            id: registration["tenant"]["id"].as_i64().unwrap(),
            key: key.to_owned(),
            admin: keyed.sign_in(&email).await,
            email,
            keyed,
        }
    }

    /// Signs an account in, without an `Api-Key`.
    pub async fn account(&self, tenant: &Tenant) -> Client {
        self.client.sign_in(&tenant.email).await
    }

    /// The key that this server signs its tokens with.
    pub async fn jwt_key(&self) -> Vec<u8> {
        let platform = self.platform_superuser().await;
        let sql = "select value from secrets where name = 'jwt'";
        platform.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// A hash of each table of a schema, by the table's name: its rows in any order.
    pub async fn content(&self, schema: &str) -> std::collections::BTreeMap<String, (i64, String)> {
        let superuser = self.superuser().await;
        let tables = superuser
            .query(
                "select tablename::text from pg_tables where schemaname = $1",
                &[&schema],
            )
            .await
            .unwrap();
        let mut content = std::collections::BTreeMap::new();
        for table in tables {
            let table: String = table.get(0);
            let sql = format!(
                "select count(*), coalesce(md5(string_agg(t::text, '|' order by t::text)), '') \
                 from \"{schema}\".\"{table}\" t"
            );
            let row = superuser.query_one(&sql, &[]).await.unwrap();
            content.insert(table, (row.get(0), row.get(1)));
        }
        content
    }

    /// Runs SQL as a tenant's own role, with its schema in the search path.
    pub async fn as_tenant(&self, tenant: &Tenant, sql: &str) {
        let client = self.connect_as(&self.role(tenant).await).await;
        let path = format!("set search_path = \"{}\"", tenant.schema);
        client.batch_execute(&path).await.unwrap();
        client.batch_execute(sql).await.unwrap();
    }

    /// The name of a tenant's login role.
    pub async fn role(&self, tenant: &Tenant) -> String {
        let platform = self.platform_superuser().await;
        let sql = "select role from tenants where id = $1";
        platform.query_one(sql, &[&tenant.id]).await.unwrap().get(0)
    }

    /// A raw connection to the tenants database, logged in as a role.
    pub async fn connect_as(&self, role: &str) -> tokio_postgres::Client {
        connect(&POSTGRES.get().unwrap().config(role, &self.tenants))
            .await
            .unwrap()
    }

    /// How a role logs in to the tenants database.
    pub fn config_of(&self, role: &str) -> tokio_postgres::Config {
        POSTGRES.get().unwrap().config(role, &self.tenants)
    }

    /// Tries to log in to the platform's database as a role.
    pub async fn try_connect_to_platform_as(
        &self,
        role: &str,
    ) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        connect(&POSTGRES.get().unwrap().config(role, &self.platform)).await
    }

    /// The superuser, in this server's tenants database.
    pub async fn superuser(&self) -> tokio_postgres::Client {
        superuser(&self.tenants).await
    }

    /// The superuser, in this server's platform database.
    pub async fn platform_superuser(&self) -> tokio_postgres::Client {
        superuser(&self.platform).await
    }
}

impl Tenant {
    /// Where its own programs log in, by the door for PostgreSQL's protocol.
    pub async fn connection_url(&self) -> String {
        let connection = self.admin.get("/api/tenant/connection").await;
        let connection = connection.expect(200).json();
        connection["url"].as_str().unwrap().to_owned()
    }

    /// Adds a user with a role, and signs them in.
    pub async fn user(&self, email: &str, role: &str) -> Client {
        let credentials = serde_json::json!({"email": email, "password": PASSWORD});
        let user = self
            .keyed
            .post("/api/auth/signup", &credentials)
            .await
            .expect(201)
            .json();
        if role != "viewer" {
            let path = format!("/api/v1/users/{}", user["id"]);
            let change = serde_json::json!({ "role": role });
            self.admin.patch(&path, &change).await.expect(200);
        }
        self.keyed.sign_in(email).await
    }
}

fn settings(urls: &[String; 2], arguments: &[&str]) -> Settings {
    let fixed = [
        "sandlot".to_owned(),
        format!("--database-url={}", urls[0]),
        format!("--tenants-url={}", urls[1]),
        // Tests measure when they want to.
        "--tenant-quota=0".to_owned(),
        // All tests come from one address; those that are about limits ask for them.
        "--ip-rate=0".to_owned(),
        "--token-rate=0".to_owned(),
        "--sign-in-rate=0".to_owned(),
        "--register-rate=0".to_owned(),
        // Tests that are about spares ask for them.
        "--spares=0".to_owned(),
        // Tests that are about the demo make one.
        "--demo=false".to_owned(),
    ];
    let more = arguments.iter().map(|argument| (*argument).to_owned());
    let fixed = fixed
        .into_iter()
        .filter(|fixed| !arguments.iter().any(|given| same_flag(given, fixed)));
    Cli::parse_from(fixed.chain(more)).settings
}

/// Starts Postgres and fills the pair of databases that all tests copy.
async fn prepare() -> Embedded {
    let mut options = Options::scratch().unwrap();
    options
        .settings
        .push(("max_connections".to_owned(), "400".to_owned()));
    let postgres = Embedded::start(options).await.unwrap();
    let plain = Cli::parse_from(["sandlot"]).settings;
    let databases = Databases {
        platform_url: postgres.url("sandlot", "sandlot"),
        tenants_url: postgres.url("sandlot", "sandlot_tenants"),
        embedded: Some(postgres),
        own: true,
    };
    App::open(&plain, &databases).await.unwrap().close().await;
    databases.embedded.unwrap()
}

async fn superuser(database: &str) -> tokio_postgres::Client {
    let mut config = POSTGRES.get().unwrap().superuser();
    config.dbname(database);
    connect(&config).await.unwrap()
}

/// A raw connection.
///
/// # Errors
/// When the server refuses it or is out of reach.
pub async fn connect(
    config: &tokio_postgres::Config,
) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn same_flag(one: &str, other: &str) -> bool {
    one.starts_with("--") && one.split('=').next() == other.split('=').next()
}
