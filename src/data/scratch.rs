//! A Postgres for tests: one server per test process, gone with it, and a schema per test.

use super::connection::Connection;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_postgres::{Client, Config, NoTls};

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
        Connection::new(client(&self.role, &self.schema).await)
    }
}

/// A client logged in as `role` with `schema` in its search path.
pub async fn client(role: &str, schema: &str) -> Client {
    let (client, connection) = Config::new()
        .host_path(SERVER.as_path())
        .user(role)
        .dbname("postgres")
        .options(format!(
            "-c search_path={schema} -c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres"
        ))
        .connect(NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// The socket directory of the running server.
static SERVER: LazyLock<PathBuf> = LazyLock::new(|| {
    let binaries = binaries();
    let folder = tempfile::Builder::new()
        .prefix("sl")
        .tempdir_in("/tmp")
        .unwrap()
        .keep();
    let user = other_user();
    if let Some((uid, gid)) = user {
        chown(&folder, Some(uid), Some(gid)).unwrap();
    }
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command.current_dir(&folder).env("LC_ALL", "C");
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        command
    };
    let made = command(&binaries.join("initdb"))
        .args([
            "-D",
            "data",
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--no-sync",
        ])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "initdb failed");
    // The shell waits for the end of its input, which comes when this process is gone, in
    // whatever way it went.
    let script = "\"$0\" -D data -k \"$1\" -c listen_addresses= -c fsync=off \
                  -c max_connections=200 & p=$!; read _; kill -QUIT $p; wait; rm -rf \"$1\"";
    let mut shell = command(Path::new("/bin/sh"))
        .args(["-c", script])
        .arg(binaries.join("postgres"))
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(shell.stderr.take().unwrap()).lines();
    let ready = lines.any(|line| line.unwrap().contains("ready to accept connections"));
    assert!(ready, "postgres did not start");
    std::thread::spawn(move || lines.for_each(drop));
    // The child's input stays open for as long as this process lives.
    std::mem::forget(shell);
    folder
});

fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .chain(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ))
        .filter(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .collect();
    found.sort_by_key(|folder| {
        let version = folder.parent().and_then(Path::file_name);
        version
            .and_then(|v| v.to_str()?.parse::<u32>().ok())
            .unwrap_or(0)
    });
    found
        .pop()
        .expect("PostgreSQL's binaries are not on this machine")
}

/// Postgres refuses to run as root; then it runs as `postgres` or `nobody`.
fn other_user() -> Option<(u32, u32)> {
    let id = |what: &str| {
        let out = Command::new("id").arg(what).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    if id("-u") != "0" {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = passwd
            .lines()
            .find(|line| line.split(':').next() == Some(*name))?;
        let fields: Vec<&str> = line.split(':').collect();
        Some((fields[2].parse().ok()?, fields[3].parse().ok()?))
    })
}
