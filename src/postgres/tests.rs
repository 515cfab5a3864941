//! Real servers, started, killed and started again.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown},
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

#[tokio::test]
async fn starts_twice_and_keeps_the_data() {
    let folder = Folder::new();
    let options = Options::new(folder.data_dir());
    let begin = Instant::now();
    let server = Embedded::start(options.clone()).await.unwrap();
    println!(
        "first start of {}: {:?}",
        server.binaries().version,
        begin.elapsed()
    );
    assert!(server.is_fresh() && server.is_up());
    assert_eq!(server.note(), None);
    keep_a_row(&server).await;
    let client = connect(&server.superuser()).await.unwrap();
    for setting in settings::SETTINGS {
        let shown: String = client
            .query_one(
                "select reset_val from pg_settings where lower(name) = $1",
                &[&setting.name],
            )
            .await
            .unwrap_or_else(|_| panic!("{} is no setting", setting.name))
            .get(0);
        let same: bool = setting.value == shown
            || client
                .query_one(&format!("show {}", setting.name), &[])
                .await
                .unwrap()
                .get::<_, String>(0)
                == setting.value;
        assert!(same, "{} is {shown}", setting.name);
    }
    let row = client
        .query_one(
            "select lower('ÄÉß') = 'äéß', 'a' > 'B', current_setting('server_encoding')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), (true, true, "UTF8"));
    let socket_dir = server.socket_dir().metadata().unwrap();
    assert_eq!(socket_dir.mode() & 0o777, 0o700);
    let begin = Instant::now();
    server.stop().await;
    println!("stop: {:?}", begin.elapsed());
    assert!(!server.is_up());
    assert!(living_in(server.cluster()).is_empty());

    let begin = Instant::now();
    let server = Embedded::start(options).await.unwrap();
    println!("second start: {:?}", begin.elapsed());
    assert!(!server.is_fresh());
    assert_eq!(count(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn one_server_per_folder() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    let error = Embedded::start(folder.options()).await.unwrap_err();
    let me = std::process::id();
    assert!(matches!(error, Error::Held { by: Some(pid), .. } if pid == me));
    assert!(server.is_up());
    server.stop().await;
}

#[tokio::test]
async fn the_address_is_understood_by_all() {
    use std::str::FromStr;

    let server = Embedded::start(Options::scratch().unwrap()).await.unwrap();
    let url = server.url("postgres", "template1");
    let client = connect(&url.parse().unwrap()).await.unwrap();
    let row = client.query_one("select current_database()", &[]).await;
    assert_eq!(row.unwrap().get::<_, &str>(0), "template1");
    let parsed = sea_orm::sqlx::postgres::PgConnectOptions::from_str(&url).unwrap();
    assert_eq!(parsed.get_socket().unwrap(), server.socket_dir());
    let database = sea_orm::Database::connect(&url).await.unwrap();
    database.ping().await.unwrap();
    let psql = server.binaries().dir.join("psql");
    if psql.exists() {
        let out = Command::new(psql)
            .args(["-Atc", "select 7", &url])
            .output()
            .unwrap();
        assert_eq!(out.stdout, b"7\n", "{out:?}");
    }
    let data_dir = server.started.data_dir.clone();
    server.stop().await;
    assert!(!data_dir.exists());
}

#[tokio::test]
async fn comes_back_after_kill_9() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    keep_a_row(&server).await;
    // A child that computes does not notice that the postmaster is gone.
    let busy = connect(&server.superuser()).await.unwrap();
    let busy = tokio::spawn(async move {
        busy.batch_execute("do $$ begin loop end loop; end $$")
            .await
            .unwrap_err()
    });
    for _ in 0..3 {
        let before = postmaster(server.cluster());
        let mut states = server.states();
        states.mark_unchanged();
        let begin = Instant::now();
        kill(before, Signal::KILL);
        states
            .wait_for(|state| *state == State::Down)
            .await
            .unwrap();
        states.wait_for(|state| *state == State::Up).await.unwrap();
        println!("back after: {:?}", begin.elapsed());
        assert_ne!(postmaster(server.cluster()), before);
        assert_eq!(count(&server).await, 1);
    }
    busy.await.unwrap();
    // The guard's own death is no different.
    let Some(guard) = guard_of(postmaster(server.cluster())) else {
        return server.stop().await;
    };
    let group = |pid: u32| rustix::process::getpgid(Pid::from_raw(pid.cast_signed())).unwrap();
    assert_eq!(group(guard).as_raw_nonzero().get().cast_unsigned(), guard);
    assert_ne!(group(guard), group(std::process::id()));
    let mut states = server.states();
    kill(guard, Signal::KILL);
    states
        .wait_for(|state| *state == State::Down)
        .await
        .unwrap();
    states.wait_for(|state| *state == State::Up).await.unwrap();
    assert_eq!(count(&server).await, 1);
    server.stop().await;
    assert!(living_in(server.cluster()).is_empty());
}

/// Somebody sends `SIGTERM` to the postmaster, which then waits for our own connections.
#[tokio::test]
async fn comes_back_after_a_smart_shutdown() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    keep_a_row(&server).await;
    let client = connect(&server.superuser()).await.unwrap();
    let mut states = server.states();
    kill(postmaster(server.cluster()), Signal::TERM);
    let down = states.wait_for(|state| *state == State::Down).await;
    drop(down.unwrap());
    states.wait_for(|state| *state == State::Up).await.unwrap();
    assert!(client.simple_query("select 1").await.is_err());
    assert_eq!(count(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_setting_is_told() {
    let folder = Folder::new();
    let options = Options {
        settings: vec![("shared_buffers".to_owned(), "plenty".to_owned())],
        ..folder.options()
    };
    let error = Embedded::start(options).await.unwrap_err().to_string();
    assert!(error.contains("ended with status 1"), "{error}");
    assert!(error.contains("invalid value for parameter"), "{error}");
    let server = Embedded::start(folder.options()).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_start_can_be_given_up() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    server.stop().await;
    let cluster = server.cluster().to_path_buf();
    let pid_file = cluster.join("postmaster.pid");
    tokio::select! {
        _ = Embedded::start(folder.options()) => panic!("it was to be given up"),
        () = async {
            while !pid_file.exists() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    until("the folder to be free", || {
        Lock::take(&folder.data_dir()).is_ok()
    });
    assert!(living_in(&cluster).is_empty());
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
            fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
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

#[tokio::test]
async fn dies_with_us() {
    let folder = Folder::new();
    let mut other = Other::start(folder.data_dir().to_str().unwrap());
    let cluster = PathBuf::from(other.told("started "));
    assert!(!living_in(&cluster).is_empty());
    let error = Embedded::start(folder.options()).await.unwrap_err();
    let pid = other.child.id();
    assert!(matches!(error, Error::Held { by: Some(by), .. } if by == pid));
    let begin = Instant::now();
    other.kill();
    until("Postgres to end", || living_in(&cluster).is_empty());
    println!("gone after: {:?}", begin.elapsed());
    // It was a shutdown, not a crash.
    let log = fs::read_to_string(folder.data_dir().join("postgres.log")).unwrap();
    assert!(log.contains("shutdown request"), "{log}");

    let mut other = Other::start("scratch");
    let cluster = PathBuf::from(other.told("started "));
    let scratch = cluster.parent().unwrap().to_path_buf();
    other.kill();
    until("the scratch folder to go", || !scratch.exists());
    assert!(living_in(&cluster).is_empty());
}

/// A next start right after a `kill -9` minds neither a server that is still stopping
/// nor one that was killed along with its guard while a child of it computes.
#[tokio::test]
async fn starts_right_after_kill_9() {
    let folder = Folder::new();
    let data_dir = folder.data_dir();
    let mut other = Other::start(data_dir.to_str().unwrap());
    let cluster = PathBuf::from(other.told("started "));
    other.kill();

    let mut other = Other::start(data_dir.to_str().unwrap());
    other.told("started ");
    let config = supervise::config(&data_dir.join("socket"), "postgres", "postgres");
    let busy = connect(&config).await.unwrap();
    let row = busy.query_one("select pg_backend_pid()", &[]).await;
    let child: i32 = row.unwrap().get(0);
    let busy = tokio::spawn(async move {
        busy.batch_execute("do $$ begin loop end loop; end $$")
            .await
            .unwrap_err()
    });
    let watching = connect(&config).await.unwrap();
    let computes = "select 1 from pg_stat_activity where pid = $1 and state = 'active'";
    while watching
        .query(computes, &[&child])
        .await
        .unwrap()
        .is_empty()
    {}
    let head = postmaster(&cluster);
    if let Some(guard) = guard_of(head) {
        kill(guard, Signal::KILL);
    }
    kill(head, Signal::KILL);
    other.kill();
    assert!(living_in(&cluster).contains(&child.cast_unsigned()));
    let server = Embedded::start(folder.options()).await.unwrap();
    busy.await.unwrap();
    server.stop().await;
}

/// Only Postgres itself is left of an earlier run.
#[tokio::test]
async fn an_orphan_is_stopped() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    keep_a_row(&server).await;
    server.stop().await;
    let cluster = server.cluster().to_path_buf();
    let runner = runner::Runner::choose(Some(&cluster)).unwrap();
    let mut orphan = runner
        .command(server.binaries().dir.join("postgres"))
        .arg("-D")
        .arg(&cluster)
        .args(["-c", "listen_addresses="])
        .arg("-c")
        .arg(format!(
            "unix_socket_directories={}",
            server.socket_dir().display()
        ))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the orphan to start", || {
        fs::read_to_string(cluster.join("postmaster.pid")).is_ok_and(|text| text.contains("ready"))
    });
    // It has a client, for which a smart shutdown would wait.
    let client = connect(&server.superuser()).await.unwrap();
    let server = Embedded::start(folder.options()).await.unwrap();
    orphan.wait().unwrap();
    assert!(client.simple_query("select 1").await.is_err());
    assert_eq!(count(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_stale_pid_file_is_no_obstacle() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    keep_a_row(&server).await;
    server.stop().await;
    // The number now belongs to a stranger of the same user, who must not be hurt.
    let cluster = server.cluster().to_path_buf();
    let runner = runner::Runner::choose(Some(&cluster)).unwrap();
    let mut stranger = runner.command("sleep").arg("1000").spawn().unwrap();
    let pid_file = cluster.join("postmaster.pid");
    fs::write(
        &pid_file,
        format!("{}\n{}\n1\n5432\n", stranger.id(), cluster.display()),
    )
    .unwrap();
    fs::write(
        server.socket_dir().join(".s.PGSQL.5432.lock"),
        format!("{}\n", stranger.id()),
    )
    .unwrap();
    let server = Embedded::start(folder.options()).await.unwrap();
    assert_eq!(count(&server).await, 1);
    server.stop().await;
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_killed_initdb_is_redone() {
    let folder = Folder::new();
    let data_dir = folder.data_dir();
    let unfinished = || {
        let entries = fs::read_dir(&data_dir).into_iter().flatten().flatten();
        entries
            .filter(|entry| {
                let name = entry.file_name();
                name.to_str().unwrap().starts_with(initdb::UNFINISHED)
            })
            .any(|entry| entry.path().join("PG_VERSION").exists())
    };
    let other = Other::start(data_dir.to_str().unwrap());
    until("initdb to begin", unfinished);
    other.kill();
    assert!(!data_dir.join("postgres").exists());
    let server = Embedded::start(folder.options()).await.unwrap();
    assert!(server.is_fresh());
    server.stop().await;
    // What is left of the first goes at the latest with the next one that is made.
    until("initdb to tidy up", || !unfinished());
}

#[tokio::test]
async fn long_and_odd_paths() {
    let folder = Folder::new();
    let odd = folder.data_dir().join("a \"b\", 'c' % é");
    let long = folder.data_dir().join("long".repeat(30));
    for data_dir in [odd, long] {
        let options = Options {
            durable: false,
            ..Options::new(&data_dir)
        };
        let server = Embedded::start(options).await.unwrap();
        let socket = server.socket_dir().join(".s.PGSQL.5432");
        assert!(socket.exists());
        assert!(socket.as_os_str().len() <= 103);
        keep_a_row(&server).await;
        let database = sea_orm::Database::connect(server.url("postgres", "postgres"));
        database.await.unwrap().ping().await.unwrap();
        let socket_dir = server.socket_dir().to_path_buf();
        server.stop().await;
        assert_eq!(
            socket_dir.exists(),
            socket_dir.starts_with(data_dir.canonicalize().unwrap())
        );
    }
}

/// A checkout under a home of mode 0700, started as root.
#[tokio::test]
async fn an_unreachable_folder() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = Folder::with_mode(0o700);
    let server = Embedded::start(folder.options()).await.unwrap();
    let note = server.note().unwrap();
    let own = server.cluster().parent().unwrap().to_path_buf();
    assert!(note.contains(own.to_str().unwrap()), "{note}");
    assert!(!own.starts_with(folder.0.path()));
    let found = own.metadata().unwrap();
    assert_eq!(found.mode() & 0o777, 0o700);
    assert_ne!(found.uid(), 0);
    let _removed = Removed(own.clone());
    keep_a_row(&server).await;
    server.stop().await;
    let server = Embedded::start(folder.options()).await.unwrap();
    assert_eq!(server.cluster().parent().unwrap(), own);
    assert_eq!(count(&server).await, 1);
    server.stop().await;
    fs::remove_dir_all(&own).unwrap();
    let error = Embedded::start(folder.options()).await.unwrap_err();
    assert!(error.to_string().contains("is gone"), "{error}");
}

/// An ordinary user runs it as itself, and root goes on as that user.
#[tokio::test]
async fn as_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // Postgres insists on a user that has a name.
    let uid = id_of("daemon");
    let folder = Folder::new();
    let data_dir = folder.data_dir();
    fs::DirBuilder::new().mode(0o700).create(&data_dir).unwrap();
    lchown(&data_dir, Some(uid), Some(uid)).unwrap();
    let mut other = Other::start_as(uid, &folder, data_dir.to_str().unwrap());
    let cluster = PathBuf::from(other.told("started "));
    assert_eq!(cluster.metadata().unwrap().uid(), uid);
    let owner = fs::metadata(format!("/proc/{}", postmaster(&cluster))).unwrap();
    assert_eq!(owner.uid(), uid);
    other.kill();
    let server = Embedded::start(folder.options()).await.unwrap();
    let owner = fs::metadata(format!("/proc/{}", postmaster(&cluster))).unwrap();
    assert_eq!(owner.uid(), uid);
    assert_eq!(server.note(), None);
    server.stop().await;
    // What root made, the ordinary user is told it can't use.
    let mut other = Other::start_as(id_of("nobody"), &folder, data_dir.to_str().unwrap());
    other.told("failed ");
    other.child.wait().unwrap();
}
