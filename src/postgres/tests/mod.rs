//! Real servers, started, killed and started again: what the tests share.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod crashes;
mod folders;

use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::{Client, NoTls};

use super::*;

/// A data folder in a temporary one that anybody may pass through.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self::with_mode(0o711)
    }

    fn with_mode(mode: u32) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("sandlot-test-")
            .permissions(fs::Permissions::from_mode(mode))
            .tempdir_in("/tmp")
            .unwrap();
        Self(dir)
    }

    fn data_dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// A lasting server that needs not survive the machine, as the tests don't either.
    fn options(&self) -> Options {
        Options {
            durable: false,
            ..Options::new(self.data_dir())
        }
    }
}

/// Removes a folder, also when the test fails.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn connect(config: &tokio_postgres::Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn count(server: &Embedded) -> i64 {
    let client = connect(&server.superuser()).await.unwrap();
    let row = client.query_one("select count(*) from kept", &[]).await;
    row.unwrap().get(0)
}

async fn keep_a_row(server: &Embedded) {
    let client = connect(&server.superuser()).await.unwrap();
    client
        .batch_execute("create table if not exists kept (n int); insert into kept values (1)")
        .await
        .unwrap();
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

fn postmaster(cluster: &Path) -> u32 {
    processes::read_pid(&cluster.join("postmaster.pid")).unwrap()
}

/// The parent of the postmaster, where that is easily told.
fn guard_of(postmaster: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{postmaster}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    Some(parent.unwrap().trim().parse().unwrap())
}

fn living_in(cluster: &Path) -> Vec<u32> {
    let uid = match cluster.metadata() {
        Ok(found) => found.uid(),
        Err(_) => runner::Runner::choose(None).unwrap().uid,
    };
    let runner = runner::Runner {
        uid,
        gid: 0,
        name: String::new(),
        switch: false,
    };
    processes::living_in(cluster, "", &runner)
}

/// Waits for something that another process does.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "waited for {what}"
        );
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The part that another process plays in the tests below: it starts a server as its
/// standard input says, tells where, and waits to be killed.
#[tokio::test]
#[ignore = "only run by other tests"]
async fn another_process() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let options = match line.trim() {
        "" => return,
        "scratch" => Options::scratch().unwrap(),
        data_dir => Options {
            durable: false,
            ..Options::new(data_dir)
        },
    };
    match Embedded::start(options).await {
        Ok(server) => {
            println!("started {}", server.cluster().display());
            if let Some(note) = server.note() {
                println!("note {note}");
            }
            println!("ready");
            std::future::pending::<()>().await;
        }
        Err(error) => println!("failed {error}"),
    }
}

fn id_of(name: &str) -> u32 {
    let out = Command::new("id").args(["-u", name]).output().unwrap();
    String::from_utf8(out.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

struct Other {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Other {
    fn start(what: &str) -> Self {
        Self::run(Command::new(std::env::current_exe().unwrap()), what)
    }

    /// As another user, from a copy: only root may be able to reach this program.
    fn start_as(uid: u32, folder: &Folder, what: &str) -> Self {
        let copy = folder.0.path().join("program");
        if !copy.exists() {
            // By a program of its own: a test beside this one that starts a process would hand it
            // the copy while it is open for writing, and nobody may run a file that is.
            let mut cp = Command::new("cp");
            cp.arg(std::env::current_exe().unwrap()).arg(&copy);
            assert!(cp.status().unwrap().success());
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(copy);
        command.uid(uid).gid(uid);
        Self::run(command, what)
    }

    fn run(mut command: Command, what: &str) -> Self {
        let mut child = command
            .args(["--exact", "postgres::tests::another_process"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{what}").unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The rest of the next line that has `word` in it.
    fn told(&mut self, word: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
        }
        panic!("the other process did not say {word}");
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
