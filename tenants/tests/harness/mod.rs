//! A scratch PostgreSQL for the tests of one binary, gone with the process that started it, however that ends.
// Each test binary uses a part of it.
#![allow(dead_code)]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tenants::{Credentials, Identity, Limits, Settings, Tenants, Weakness, names};
use tokio_postgres::{Client, Config, NoTls};

/// One server per test binary.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);
static SERIAL: AtomicU32 = AtomicU32::new(0);

struct Server {
    socket: PathBuf,
    /// While this pipe is open the server lives. The system closes it when the process dies, even if it is killed.
    _alive: ChildStdin,
    _child: Child,
}

/// A platform of its own inside the scratch server: role, databases and tenants under names no other test has.
pub struct Cluster {
    pub tenants: Tenants,
    pub weaknesses: Vec<Weakness>,
    serial: u32,
}

impl Cluster {
    /// A prepared cluster whose databases belong to a role of its own.
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// The same with other settings.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (settings, serial) = settings(change);
        let tenants = Tenants::open(settings).unwrap();
        let weaknesses = tenants.prepare(Some(&superuser())).await.unwrap();
        Self {
            tenants,
            weaknesses,
            serial,
        }
    }

    /// A tenant with a schema of its own and nothing in it.
    pub async fn tenant(&self, name: &str) -> Identity {
        let schema = format!("{name}_{:06}", self.serial);
        let role = names::fresh_role();
        self.tenants.make_role(&role).await.unwrap();
        self.tenants.make_schema(&schema, &role).await.unwrap();
        Identity {
            role,
            schema,
            read_only: false,
        }
    }

    /// A superuser in the tenants database.
    pub async fn superuser(&self) -> Client {
        connect(superuser().dbname(self.tenants.settings().platform.get_dbname().unwrap()))
            .await
            .unwrap()
    }

    /// A connection that `identity` opens itself, past the pool.
    pub async fn raw(&self, identity: &Identity) -> Result<Client, tokio_postgres::Error> {
        connect(
            self.tenants
                .settings()
                .platform
                .clone()
                .user(&identity.role),
        )
        .await
    }
}

/// Settings for a platform that nobody has prepared yet, and its number.
pub fn settings(change: impl FnOnce(&mut Settings)) -> (Settings, u32) {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let mut platform = superuser();
    platform
        .user(format!("plat{serial}"))
        .dbname(format!("tenants{serial}"));
    let limits = Limits {
        connections: 12,
        platform: 4,
        wait: Duration::from_secs(20),
        ..Limits::default()
    };
    let mut settings = Settings {
        platform,
        platform_database: Some(format!("platform{serial}")),
        credentials: Credentials::Trust,
        limits,
    };
    change(&mut settings);
    (settings, serial)
}

/// The bootstrap superuser of the scratch server.
pub fn superuser() -> Config {
    let mut config = Config::new();
    config
        .host_path(&SERVER.socket)
        .user("postgres")
        .dbname("postgres");
    config
}

/// A connection with nothing around it.
pub async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Server {
    fn start() -> Self {
        let binaries = binaries();
        let directory = tempfile::Builder::new()
            .prefix("sandlot-")
            .tempdir_in("/tmp")
            .unwrap()
            .keep();
        let user = unprivileged();
        let mut run = Command::new("sh");
        if let Some((uid, gid)) = user {
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
            chown(&directory, Some(uid), Some(gid)).unwrap();
            run.uid(uid).gid(gid);
        }
        // The shell waits on a pipe that this process holds, stops the server when the pipe closes, and leaves nothing
        // behind. Everybody is trusted but the tenants of one database.
        let script = r#"
            set -e
            "$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$2/log"
            { echo 'local scram_tenants postgres,scram_platform trust'
              echo 'local scram_tenants all scram-sha-256'
              echo 'local all all trust'; } >"$2/data/pg_hba.conf"
            "$1/pg_ctl" -D "$2/data" -l "$2/log" -w -o "-c listen_addresses= -c unix_socket_directories=$2 -c fsync=off \
                -c max_connections=300 -c max_worker_processes=0 -c autovacuum=off" start >/dev/null
            echo ready
            read _ || true
            "$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null || true
            rm -rf "$2"
        "#;
        let mut child = run
            .arg("-c")
            .arg(script)
            .arg("sh")
            .arg(&binaries)
            .arg(&directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line.trim(), "ready", "see {}", directory.display());
        Self {
            socket: directory,
            _alive: child.stdin.take().unwrap(),
            _child: child,
        }
    }
}

/// Where `initdb` and `postgres` are: `PG_BIN`, `pg_config`, or the newest of the usual places.
fn binaries() -> PathBuf {
    if let Some(path) = env::var_os("PG_BIN") {
        return path.into();
    }
    let said = Command::new("pg_config").arg("--bindir").output().ok();
    let said = said.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let mut places: Vec<PathBuf> = said.into_iter().collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        places.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    places.retain(|place| place.join("initdb").exists() && place.join("postgres").exists());
    places.sort();
    places.pop().expect("PostgreSQL's initdb and postgres")
}

/// PostgreSQL refuses to run as root: then the user and group to run it as.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or(1) != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = users
            .lines()
            .find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
