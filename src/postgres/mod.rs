//! The embedded Postgres: found, made, started, kept running and stopped by the server.
//!
//! `binaries` finds PostgreSQL on the machine, `runner` decides which user runs it,
//! `place` where its files are, `lock` that only one process uses them, `initdb` makes
//! the cluster, `guard` ties its life to ours, `processes` ends what an earlier run left,
//! `supervise` runs it all with the settings of `settings` and the log of `log`.

mod binaries;
mod error;
mod guard;
mod initdb;
mod lock;
mod log;
mod place;
mod processes;
mod runner;
mod running;
pub mod settings;
mod supervise;
#[cfg(test)]
mod tests;

use std::{
    fmt::Write,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use tokio::sync::{oneshot, watch};

pub use self::{
    binaries::{Binaries, OLDEST},
    error::{Error, INSTALL},
    lock::{LOCK_FILE, Lock},
    running::{Running, running},
};

/// Memory that one process of Postgres may take for itself if nothing else is said, in MB.
pub const PROCESS_MEMORY: u32 = 512;

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; made if need be. Postgres' files go under it as `postgres/`,
    /// `socket/` and `postgres.log`, unless its user can't reach them there.
    pub data_dir: PathBuf,
    /// The folder with `postgres` and `initdb`, if it is not to be searched for.
    pub bin_dir: Option<PathBuf>,
    /// Settings of Postgres, name and value, that win over [`settings::SETTINGS`].
    pub settings: Vec<(String, String)>,
    /// Whether data survive a crash of the machine; a crash of processes they survive in
    /// any case.
    pub durable: bool,
    /// Memory that one process of Postgres may take for itself, in MB, where the system can bound it (Linux).
    pub process_memory: Option<u32>,
    /// The data folder is ours alone and goes away with us.
    scratch: bool,
}

impl Options {
    /// A lasting server in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            bin_dir: None,
            settings: Vec::new(),
            durable: true,
            process_memory: Some(PROCESS_MEMORY),
            scratch: false,
        }
    }

    /// A throw-away server in a new folder under /tmp, which is removed with all that is
    /// in it when the server is stopped or the process ends, in whatever way.
    pub fn scratch() -> Result<Self, Error> {
        Ok(Self {
            data_dir: place::make_scratch(Path::new("/tmp"))?,
            durable: false,
            scratch: true,
            ..Self::new("")
        })
    }
}

/// Whether the embedded server can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes connections.
    Up,
    /// It is starting, recovering, or stopping.
    Down,
    /// It is gone for good, and its data folder is free.
    Stopped,
}

/// A running Postgres of our own.
///
/// It lives on a thread of its own and not on the caller's runtime. It ends with
/// [`Embedded::stop`], when this is dropped, and when the process ends, in whatever way;
/// if it ends by itself it is started again.
#[derive(Debug)]
pub struct Embedded {
    started: supervise::Started,
    states: watch::Receiver<State>,
    stop: watch::Sender<bool>,
}

impl Embedded {
    /// Starts Postgres and waits until it takes connections.
    ///
    /// The first start makes the cluster, which takes a second or more; a start after a
    /// crash recovers, which may take longer. Dropping the future gives the start up.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let (first, told) = oneshot::channel();
        let (report, states) = watch::channel(State::Down);
        let (stop, stopped) = watch::channel(false);
        std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || supervise::run(options, first, report, stopped))
            .map_err(|source| Error::Io {
                doing: "start a thread".to_owned(),
                source,
            })?;
        let started = told.await.map_err(|_| Error::Abandoned)??;
        Ok(Self {
            started,
            states,
            stop,
        })
    }

    /// Stops Postgres (sessions end, everything is written) and waits until it is gone and
    /// the data folder is free. It is forced after 120 s, so this returns within 135.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let mut states = self.states.clone();
        // An error means that the thread is gone, and with it Postgres.
        let _ = states.wait_for(|state| *state == State::Stopped).await;
    }

    /// Whether it takes connections, as far as is known without asking it.
    pub fn is_up(&self) -> bool {
        *self.states.borrow() == State::Up
    }

    /// Changes of state, to wait for.
    pub fn states(&self) -> watch::Receiver<State> {
        self.states.clone()
    }

    /// How to log in as the superuser, for the one-time set-up only.
    pub fn superuser(&self) -> tokio_postgres::Config {
        self.config("postgres", "postgres")
    }

    /// How to log in as `user` in `database`; no password is needed.
    pub fn config(&self, user: &str, database: &str) -> tokio_postgres::Config {
        supervise::config(&self.started.socket_dir, user, database)
    }

    /// The same as an address, in the form that libpq, sqlx and tokio-postgres agree on:
    /// the socket's folder, percent-encoded, in the place of the host.
    pub fn url(&self, user: &str, database: &str) -> String {
        url(&self.started.socket_dir, user, database)
    }

    /// The folder of the socket, for `psql -h`.
    pub fn socket_dir(&self) -> &Path {
        &self.started.socket_dir
    }

    /// Postgres' data folder.
    pub fn cluster(&self) -> &Path {
        &self.started.place.cluster
    }

    /// The binaries in use.
    pub fn binaries(&self) -> &Binaries {
        &self.started.binaries
    }

    /// Whether this start made the cluster.
    pub fn is_fresh(&self) -> bool {
        self.started.fresh
    }

    /// A sentence for the start message if the files are not under the data folder.
    pub fn note(&self) -> Option<String> {
        let started = &self.started;
        (started.place.root != started.data_dir).then(|| {
            format!(
                "PostgreSQL's files are in {}, because user {} can't reach {}",
                started.place.root.display(),
                started.place.runner.name,
                started.data_dir.display()
            )
        })
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn url(socket_dir: &Path, user: &str, database: &str) -> String {
    format!(
        "postgres://{}@{}:5432/{}",
        percent(user.as_bytes()),
        percent(socket_dir.as_os_str().as_bytes()),
        percent(database.as_bytes())
    )
}

/// Percent-encodes everything but letters, digits and `-._~` (RFC 3986, 2.3).
fn percent(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
