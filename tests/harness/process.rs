//! The server as a process of its own, on a folder of its own, for what a test within the process can't see or do.

use std::{
    fs::OpenOptions,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use sandlot::postgres;
use tempfile::TempDir;

use super::Client;

/// The superuser in a database of the server that holds a folder.
pub async fn superuser(folder: &Path, database: &str) -> tokio_postgres::Client {
    let running = postgres::running(folder).expect("a server that holds the folder");
    let url = running.url("postgres", database);
    // A Postgres that has just recovered may still turn a connection away.
    let mut left = 50;
    loop {
        match tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return client;
            }
            Err(error) => assert!(left > 0, "{error}"),
        }
        left -= 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A data folder that Postgres' own user can reach, so that all of it goes away with it.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new()
            .prefix("sandlot-process-")
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir_in("/tmp")
            .unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The server as a process of its own; dropping it kills it with -9 and waits for its end.
pub struct Process {
    child: Child,
    pub client: Client,
    /// What it said when it started, line by line.
    pub said: Vec<String>,
}

impl Process {
    /// Starts it on a folder, where what it logs goes to `log`.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandlot"))
            .args([
                "--listen=127.0.0.1:0",
                "--tenant-quota=0",
                "--register-rate=0",
                "--sign-in-rate=0",
                "--ip-rate=0",
                "--token-rate=0",
            ])
            .args(arguments)
            .arg("--data-dir")
            .arg(folder)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut address, mut said) = (None, Vec::new());
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some(found) = line.strip_prefix("listening on http://") {
                address = found.parse().ok();
            }
            let last = line.contains("/api/register");
            said.push(line);
            if last {
                break;
            }
        }
        Self {
            child,
            client: Client::new(address.expect("the server listens")),
            said,
        }
    }
}

impl Process {
    /// Ends it in good order, so that nothing of it is in the folder that is about to go.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
