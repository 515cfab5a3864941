//! A Postgres for tests: one server per test process, gone with it, and a schema per test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenants::{Access, Credentials, Identity, Lease, Limits, Settings, Tenants};
use tokio_postgres::Config;

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
        let mut platform = Config::new();
        platform
            .host_path(SERVER.as_path())
            .user("postgres")
            .dbname("postgres");
        let tenant = Self {
            identity: Identity {
                role: format!("t_{number}"),
                schema: format!("tenant_{number}"),
                read_only: false,
            },
            tenants: Tenants::open(Settings {
                platform,
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
