//! Starts Postgres, keeps it running, and stops it.
//!
//! All of it happens on a thread of its own, so a server outlives the async runtime that
//! asked for it, as a test run with a runtime per test needs.

use std::{
    path::PathBuf,
    process::ExitStatus,
    time::{Duration, Instant},
};

use tokio::{
    process::{Child, ChildStdin, Command},
    sync::{oneshot, watch},
};
use tokio_postgres::{Config, NoTls, error::SqlState};

use super::{
    Error, Options, State,
    binaries::{self, Binaries},
    guard::{Stop, guarded},
    initdb,
    lock::Lock,
    log::Log,
    place::{self, Place},
    processes, settings,
};

/// How long a starting Postgres may say nothing at all. Once it says that it recovers it
/// is waited for as long as it takes.
const SILENCE: Duration = Duration::from_secs(60);

/// Pauses between attempts to start it again: the first, doubled up to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long one has to last for the next pause to be short again.
const STEADY: Duration = Duration::from_secs(10);

/// How often a running server is looked at.
const TICK: Duration = Duration::from_secs(2);

/// How often an earlier server's memory may be in the way of the first start.
const LEFTOVER_ATTEMPTS: u32 = 40;

/// What the caller learns once the server is up.
#[derive(Debug)]
pub(super) struct Started {
    pub place: Place,
    pub data_dir: PathBuf,
    pub socket_dir: PathBuf,
    pub binaries: Binaries,
    pub fresh: bool,
}

/// The thread's body: everything from the lock to the last sign of life.
///
/// `stop` turning true, or its sender going away, ends it.
pub(super) fn run(
    options: Options,
    first: oneshot::Sender<Result<Started, Error>>,
    states: watch::Sender<State>,
    stop: watch::Receiver<bool>,
) {
    match prepare(&options) {
        Ok((server, fresh, locks)) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(server.supervise(fresh, first, &states, stop)),
                Err(source) => {
                    let doing = "start a runtime".to_owned();
                    let _ = first.send(Err(Error::Io { doing, source }));
                }
            }
            // Whoever waits for `Stopped` may start another one on the same folder.
            drop(locks);
        }
        Err(error) => {
            if options.scratch {
                // Nobody else knows of it.
                let _ = std::fs::remove_dir_all(&options.data_dir);
            }
            let _ = first.send(Err(error));
        }
    }
    states.send_replace(State::Stopped);
}

/// Everything that has to be right before Postgres can be started.
fn prepare(options: &Options) -> Result<(Server, bool, Vec<Lock>), Error> {
    let data_dir = place::make_data_dir(&options.data_dir)?;
    let mut locks = vec![Lock::take_soon(&data_dir)?];
    let place = Place::choose(&data_dir, options.scratch)?;
    if place.root != data_dir {
        // A copied data folder names the same place as the original.
        locks.push(Lock::take_soon(&place.root)?);
    }
    if place.runner.switch && place.runner.name == "nobody" {
        tracing::warn!(
            "PostgreSQL runs as user nobody, so other programs of that user could read its data; \
             a user named postgres would be better"
        );
    }
    let made_by = initdb::made_by(&place.cluster)?;
    let binaries = binaries::find(
        options.bin_dir.as_deref(),
        made_by.map(|major| (place.cluster.as_path(), major)),
        &place.runner,
    )?;
    let name = place.name();
    let socket_dir = place.socket_dir()?;
    if made_by.is_some()
        && let Some(pid) = processes::clear(&place.cluster, &socket_dir, &name, &place.runner)?
    {
        tracing::info!(pid, "stopped the PostgreSQL that an earlier run left");
    }
    let scratch = options.scratch.then(|| data_dir.clone());
    let fresh = initdb::ensure(&place, &binaries, options.durable, scratch.as_deref())?;
    let lz4 = binaries.takes(&place.cluster, "wal_compression=lz4", &place.runner);
    let server = Server {
        settings: settings::arguments(options.durable, lz4, &options.settings, &socket_dir, &name),
        log: Log::new(data_dir.join("postgres.log")),
        scratch,
        process_memory: options.process_memory,
        data_dir,
        socket_dir,
        binaries,
        place,
        name,
    };
    Ok((server, fresh, locks))
}

struct Server {
    place: Place,
    data_dir: PathBuf,
    socket_dir: PathBuf,
    binaries: Binaries,
    settings: Vec<std::ffi::OsString>,
    log: Log,
    name: String,
    scratch: Option<PathBuf>,
    process_memory: Option<u32>,
}

/// Starts a program whose processes may each take so many kB for themselves; memory that they share does not count.
///
/// A tenant may set its own `work_mem` and make values of a gigabyte. Beyond the bound a statement fails with "out of
/// memory"; without one the system would end processes of its choice. Where the shell can't set it, there is none.
const BOUNDED: &str = r#"ulimit -d "$0" 2>/dev/null || :; exec "$@""#;

/// A Postgres under its guard. Dropping it stops it.
struct Running {
    guard: Child,
    pipe: Option<ChildStdin>,
}

impl Running {
    /// Waits for the guard, and so for Postgres, without stopping them.
    async fn ended(&mut self) -> String {
        match self.guard.wait().await {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        }
    }

    /// Closes the pipe and waits. The guard sees to it that this takes 40 s at most.
    async fn stop(mut self) {
        self.pipe = None;
        self.ended().await;
    }
}

impl Server {
    async fn supervise(
        self,
        fresh: bool,
        first: oneshot::Sender<Result<Started, Error>>,
        states: &watch::Sender<State>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut running = match self.launch_first(&mut stop).await {
            Ok(running) => running,
            Err(error) => {
                self.clean();
                let _ = first.send(Err(error));
                return;
            }
        };
        states.send_replace(State::Up);
        let started = Started {
            place: self.place.clone(),
            data_dir: self.data_dir.clone(),
            socket_dir: self.socket_dir.clone(),
            binaries: self.binaries.clone(),
            fresh,
        };
        if first.send(Ok(started)).is_err() {
            running.stop().await;
            return;
        }
        let mut up = Instant::now();
        let mut length = PAUSE.0;
        let mut tick = tokio::time::interval(TICK);
        loop {
            let how = tokio::select! {
                how = running.ended() => how,
                () = asked(&mut stop) => {
                    states.send_replace(State::Down);
                    running.stop().await;
                    self.clean();
                    return;
                }
                _ = tick.tick() => {
                    self.log.trim();
                    if let Some(pid) = processes::is_stopping(&self.place.cluster) {
                        states.send_if_modified(|state| {
                            std::mem::replace(state, State::Down) != State::Down
                        });
                        processes::stop_fast(pid);
                    }
                    continue;
                }
            };
            states.send_replace(State::Down);
            tracing::error!(how, "PostgreSQL ended; starting it again");
            // One that ends soon after it came up is not to keep the machine busy.
            if up.elapsed() > STEADY {
                length = PAUSE.0;
            } else if pause(length, &mut stop).await.is_ok() {
                length = (length * 2).min(PAUSE.1);
            }
            match self.launch_again(&mut stop).await {
                Some(again) => running = again,
                None => {
                    self.clean();
                    return;
                }
            }
            up = Instant::now();
            states.send_replace(State::Up);
            tracing::info!("PostgreSQL is up again");
        }
    }

    /// Starts Postgres; tries again only if an earlier server's processes are in the way,
    /// which go by themselves.
    async fn launch_first(&self, stop: &mut watch::Receiver<bool>) -> Result<Running, Error> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.launch(stop).await {
                Err(Error::Start { log, .. })
                    if attempt < LEFTOVER_ATTEMPTS && log.contains("still in use") =>
                {
                    self.clear()?;
                    pause(Duration::from_millis(250), stop).await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Starts Postgres again until it works; `None` when asked to stop.
    async fn launch_again(&self, stop: &mut watch::Receiver<bool>) -> Option<Running> {
        let mut length = PAUSE.0;
        loop {
            let launched = match self.clear() {
                Ok(()) => self.launch(stop).await,
                Err(error) => Err(error),
            };
            match launched {
                Ok(running) => return Some(running),
                Err(Error::Abandoned) => return None,
                Err(error) => tracing::error!(%error, "PostgreSQL is down"),
            }
            pause(length, stop).await.ok()?;
            length = (length * 2).min(PAUSE.1);
        }
    }

    fn clear(&self) -> Result<(), Error> {
        let place = &self.place;
        processes::clear(&place.cluster, &self.socket_dir, &self.name, &place.runner)?;
        Ok(())
    }

    /// Starts Postgres and waits until it takes connections.
    async fn launch(&self, stop: &mut watch::Receiver<bool>) -> Result<Running, Error> {
        let log = self.log.open()?;
        let mut program = self.binaries.dir.join("postgres");
        let mut arguments = Vec::new();
        if let Some(megabytes) = self.process_memory {
            let kilobytes = (u64::from(megabytes) * 1024).to_string();
            arguments.extend(["-c".into(), BOUNDED.into(), kilobytes.into()]);
            arguments.push(program.into_os_string());
            program = "/bin/sh".into();
        }
        arguments.extend(["-D".into(), self.place.cluster.clone().into_os_string()]);
        arguments.extend(self.settings.iter().cloned());
        let how = match self.scratch {
            None => Stop::Fast,
            Some(_) => Stop::Immediate,
        };
        let command = guarded(
            &self.place.runner,
            how,
            &self.place.cluster,
            self.scratch.as_deref(),
            &program,
            arguments,
            &log.file,
        );
        let mut guard = command
            .and_then(|command| Command::from(command).spawn())
            .map_err(Error::io("run", &program))?;
        let mut running = Running {
            pipe: guard.stdin.take(),
            guard,
        };
        match self.await_ready(&mut running, stop).await {
            Ok(()) => Ok(running),
            Err(Some(why)) => {
                running.stop().await;
                Err(Error::Start {
                    why,
                    log: log.tail(),
                    file: self.log.path().to_path_buf(),
                })
            }
            Err(None) => {
                running.stop().await;
                Err(Error::Abandoned)
            }
        }
    }

    /// Connects until it works. Fails with the reason, or with none when asked to stop.
    async fn await_ready(
        &self,
        running: &mut Running,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), Option<String>> {
        let config = config(&self.socket_dir, "postgres", "postgres");
        let mut heard = Instant::now();
        let mut told = Instant::now();
        loop {
            let answer = tokio::select! {
                how = running.ended() => return Err(Some(how)),
                () = asked(stop) => return Err(None),
                answer = tokio::time::timeout(Duration::from_secs(5), config.connect(NoTls)) => answer,
            };
            let complaint = match answer {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => {
                    if error.code() == Some(&SqlState::CANNOT_CONNECT_NOW) {
                        heard = Instant::now();
                        if told.elapsed() > Duration::from_secs(5) {
                            told = heard;
                            tracing::info!("PostgreSQL is recovering");
                        }
                    }
                    error.to_string()
                }
                Err(_) => "it takes connections and does not answer".to_owned(),
            };
            if heard.elapsed() > SILENCE {
                return Err(Some(format!(
                    "{complaint}, for {} seconds",
                    SILENCE.as_secs()
                )));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Removes what is of no use when the server is stopped.
    fn clean(&self) {
        if let Err(error) = self.clear() {
            tracing::warn!(%error, "PostgreSQL has left something behind");
        }
        if !self.socket_dir.starts_with(&self.data_dir) {
            let _ = std::fs::remove_dir(&self.socket_dir);
        }
        if let Some(scratch) = &self.scratch {
            // The guard may have been spared the work, or have been killed.
            let _ = std::fs::remove_dir_all(scratch);
        }
    }
}

/// How to log in on the embedded server.
pub(super) fn config(socket_dir: &std::path::Path, user: &str, database: &str) -> Config {
    let mut config = Config::new();
    config
        .host_path(socket_dir)
        .port(5432)
        .user(user)
        .dbname(database);
    config
}

/// Waits until the server is to stop.
async fn asked(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left who could want it.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn pause(length: Duration, stop: &mut watch::Receiver<bool>) -> Result<(), Error> {
    tokio::select! {
        () = tokio::time::sleep(length) => Ok(()),
        () = asked(stop) => Err(Error::Abandoned),
    }
}

/// The guard ends as Postgres did; a shell adds 128 to the number of a signal.
fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) if code > 128 => format!("it was ended by signal {}", code - 128),
        Some(code) => format!("it ended with status {code}"),
        None => format!("its guard ended with {status}"),
    }
}
