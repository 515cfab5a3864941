//! A scratch Postgres for the whole test binary, gone with it however it ends, and a database for each test.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tenants::certify::{Certificate, Digest, Side};
use tenants::script::{Error, Script};
use tokio_postgres::{Client, NoTls};

/// Held by the shell that stops Postgres and removes its files when the pipe to this process closes.
struct Server {
    directory: PathBuf,
    _shell: Child,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Waits for this process to end, then takes Postgres and its files along.
const SHELL: &str = r#""$0/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$1/log" 2>&1 &&
"$0/pg_ctl" -w -s -D "$1/data" -l "$1/log" -o "-c unix_socket_directories='$1' $2" start && echo ready
read _
"$0/pg_ctl" -s -D "$1/data" -m immediate stop
rm -rf "$1""#;

/// What the server is told beside where its socket is.
const OPTIONS: &str = "-c listen_addresses='' -c fsync=off -c wal_level=minimal -c max_wal_senders=0 \
    -c max_locks_per_transaction=512 -c autovacuum=off -c timezone=Asia/Kathmandu";

impl Server {
    fn start() -> Self {
        // A short path, since a socket's may not be longer than 107 bytes.
        let directory = tempfile::Builder::new()
            .prefix("sl")
            .tempdir_in("/tmp")
            .unwrap()
            .keep();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SHELL])
            .arg(binaries())
            .arg(&directory)
            .arg(OPTIONS)
            .current_dir(&directory)
            .process_group(0);
        if directory.metadata().unwrap().uid() == 0 {
            let (uid, gid) = other_user();
            chown(&directory, Some(uid), Some(gid)).unwrap();
            shell.uid(uid).gid(gid);
        }
        let mut shell = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(
            line,
            "ready\n",
            "{}",
            std::fs::read_to_string(directory.join("log")).unwrap_or_default()
        );
        Self {
            directory,
            _shell: shell,
        }
    }
}

/// Where the newest installed Postgres has its programs.
fn binaries() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for root in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        for entry in Path::new(root).read_dir().into_iter().flatten().flatten() {
            let name = entry
                .file_name()
                .to_string_lossy()
                .trim_start_matches("postgresql@")
                .to_owned();
            let bin = entry.path().join("bin");
            found.extend(
                name.parse()
                    .ok()
                    .filter(|_| bin.join("initdb").exists())
                    .map(|version| (version, bin)),
            );
        }
    }
    if let Some((_, bin)) = found.into_iter().max() {
        return bin;
    }
    let output = Command::new("pg_config")
        .arg("--bindir")
        .output()
        .expect("PostgreSQL's programs are installed");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// The user that runs Postgres, which refuses root.
fn other_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|l| l.split(':').next() == Some(name))?;
        let fields: Vec<&str> = line.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .expect("a user that is not root")
}

/// A database with a template in `public`, the platform's role, and a tenant's role.
pub(crate) struct Fixture {
    role: String,
    pub(crate) database: String,
    pub(crate) tenant: String,
    pub(crate) platform: Client,
}

impl Fixture {
    /// A fresh database whose `public` is made by the SQL given, run as the platform's role.
    pub(crate) async fn new(template: &str) -> Self {
        Self::of("sandlot", template).await
    }

    /// The same where the platform's role may not set `session_replication_role`.
    pub(crate) async fn checking_keys(template: &str) -> Self {
        Self::of("checking", template).await
    }

    async fn of(role: &str, template: &str) -> Self {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let (database, tenant) = (format!("d{number}"), format!("t_{number}"));
        let root = connect("postgres", "postgres").await;
        // Roles are the cluster's: the first test makes the platform's.
        root.batch_execute(
            "do $$ begin perform pg_advisory_xact_lock(1); if not exists (select from pg_roles where rolname = 'sandlot') then
            create role sandlot login createrole; create role checking login createrole;
            create role sandlot_owner nologin; grant sandlot_owner to sandlot, checking;
            grant set on parameter session_replication_role to sandlot;
            end if; end $$",
        )
        .await
        .unwrap();
        root.batch_execute(&format!(
            "create database {database} owner {role} template template0"
        ))
        .await
        .unwrap();
        let root = connect(&database, "postgres").await;
        root.batch_execute(&format!(
            "alter schema public owner to {role}; revoke all on schema public from public",
        ))
        .await
        .unwrap();
        let platform = connect(&database, role).await;
        platform.batch_execute(template).await.unwrap();
        platform
            .batch_execute(&format!("create role {tenant} login"))
            .await
            .unwrap();
        platform.batch_execute("reset all").await.unwrap();
        Self {
            role: role.to_owned(),
            database,
            tenant,
            platform,
        }
    }

    /// A connection of a superuser.
    pub(crate) async fn superuser(&self) -> Client {
        connect(&self.database, "postgres").await
    }

    /// A connection of the tenant's own role.
    pub(crate) async fn as_tenant(&self, schema: &str) -> Client {
        let client = connect(&self.database, &self.tenant).await;
        let path = format!(
            "select set_config('search_path', quote_ident('{}'), false)",
            schema.replace('\'', "''")
        );
        client.batch_execute(&path).await.unwrap();
        client
    }

    pub(crate) async fn script(&mut self) -> Script {
        Script::read(&mut self.platform, "public").await.unwrap()
    }

    /// Makes a copy in a new schema, as provisioning does.
    pub(crate) async fn copy(&mut self, script: &Script, schema: &str) -> Result<(), Error> {
        let (name, tenant, role) = (quoted(schema), self.tenant.clone(), self.role.clone());
        self.platform
            .batch_execute(&format!(
                "create schema {name}; grant usage, create on schema {name} to {tenant}; \
                 alter schema {name} owner to sandlot_owner; grant {tenant} to {role}"
            ))
            .await?;
        let done = script.replay(&mut self.platform, schema, &tenant).await;
        self.platform
            .batch_execute(&format!("revoke {tenant} from {role}"))
            .await?;
        done
    }

    /// Compares the template with a copy, each side read by its owner.
    pub(crate) async fn certify(&mut self, script: &Script, schema: &str) -> Certificate {
        let template = Digest::read(&mut self.platform, "public", Side::Template, Some(script))
            .await
            .unwrap();
        let mut tenant = self.as_tenant(schema).await;
        let copy = Digest::read(&mut tenant, schema, Side::Copy { template: "public" }, None)
            .await
            .unwrap();
        Certificate::compare(&template, &copy)
    }
}

/// A name as an identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn connect(database: &str, user: &str) -> Client {
    let server = SERVER.get_or_init(Server::start);
    let mut config = tokio_postgres::Config::new();
    config
        .host_path(&server.directory)
        .user(user)
        .dbname(database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
