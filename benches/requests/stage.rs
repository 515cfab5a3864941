//! A release server with its own Postgres, and tenants on it, all gone when it is dropped.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::client::{Client, PASSWORD};

const EMAIL: &str = "bench@mail.example";

/// A running server and its tenants.
pub struct Stage {
    server: Child,
    pub client: Client,
    pub tenants: Vec<Tenant>,
    /// Address of the tenants' database for the superuser.
    pub database: String,
    pub postgres: String,
    postmaster: u32,
    pub folder: TempDir,
}

pub struct Tenant {
    pub key: String,
    pub schema: String,
}

/// Seconds of processor time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    pub server: f64,
    pub postgres: f64,
}

impl Stage {
    /// Starts everything; `count` tenants of one account.
    pub async fn set(count: usize, arguments: &[String]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("sandlot-bench-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let template = folder.path().join("template.sql");
        fs::write(&template, include_str!("template.sql")).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut server = Command::new(env!("CARGO_BIN_EXE_sandlot"))
            .args(["--listen=127.0.0.1:0", "--spares=0", "--connections=480"])
            // Limits are drawn on and never reached.
            .args(
                [
                    "--ip-rate",
                    "--token-rate",
                    "--sign-in-rate",
                    "--register-rate",
                ]
                .map(|rate| format!("{rate}=100000000")),
            )
            .args(arguments)
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .arg("--template-file")
            .arg(template)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut lines = BufReader::new(server.stdout.take().unwrap());
        lines.read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("the server did not start: {first}"));
        let client = Client::new(address.parse().unwrap());
        let running = sandlot::postgres::running(&folder.path().join("data")).unwrap();
        let database = running.url("postgres", "sandlot_tenants");
        let (postgres, postmaster) = ask_postgres(&database).await;
        let mut stage = Self {
            server,
            client,
            tenants: Vec::new(),
            database,
            postgres,
            postmaster,
            folder,
        };
        for _ in 0..count {
            stage.register().await;
        }
        stage
    }

    async fn register(&mut self) {
        let credentials = json!({"email": EMAIL, "password": PASSWORD});
        let answer = self.client.post("/api/register", &credentials).await;
        let tenant = answer.expect(201).json()["tenant"].clone();
        let text = |name: &str| tenant[name].as_str().unwrap().to_owned();
        let (key, schema) = (text("api_key"), text("schema"));
        let keyed = self.client.with("Api-Key", &key);
        keyed.until_ready().await;
        self.tenants.push(Tenant { key, schema });
    }

    /// An access token of the account, which is every tenant's administrator; good for five minutes.
    pub async fn token(&self) -> String {
        self.client.sign_in(EMAIL).await.token().to_owned()
    }

    /// Processor time that the server and all processes of its Postgres have taken so far.
    pub fn spent(&self) -> Spent {
        let own = |fields: &[f64]| fields[0] + fields[1];
        let mut spent = Spent::default();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let Some((parent, times)) = times(&entry.path()) else {
                continue;
            };
            if pid == self.server.id() {
                spent.server += own(&times);
            } else if parent == self.postmaster {
                spent.postgres += own(&times);
            } else if pid == self.postmaster {
                // Those of processes that have ended are kept by the one that started them.
                spent.postgres += times.iter().sum::<f64>();
            }
        }
        spent
    }

    /// Memory that the server holds, in MB.
    pub fn memory(&self) -> f64 {
        Self::memory_of(self.server.id())
    }

    /// The same by the server's process id.
    pub fn memory_of(pid: u32) -> f64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kilobytes.unwrap_or_default() / 1024.0
    }

    /// Process id of the server, for a profiler.
    pub fn pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // SIGTERM, so that it stops its Postgres.
        let pid = self.server.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        let _ = self.server.wait();
    }
}

/// Postgres' version, and the process that all its others descend from.
async fn ask_postgres(database: &str) -> (String, u32) {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let sql = "select current_setting('server_version'), pg_backend_pid()";
    let row = client.query_one(sql, &[]).await.unwrap();
    let backend: i32 = row.get(1);
    let parent = times(Path::new(&format!("/proc/{backend}"))).unwrap().0;
    drop(client);
    connection.await.unwrap().unwrap();
    (row.get(0), parent)
}

/// Of a process its parent and, in seconds, user and system time, its own and its ended children's.
fn times(process: &Path) -> Option<(u32, [f64; 4])> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    // The name, in brackets, may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| Some(fields.get(at)?.parse::<f64>().ok()? / 100.0);
    Some((
        fields.get(1)?.parse().ok()?,
        [ticks(11)?, ticks(12)?, ticks(13)?, ticks(14)?],
    ))
}
