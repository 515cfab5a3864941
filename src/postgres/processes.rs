//! The processes that live in a cluster's folder: finding what an earlier run left, and
//! ending it.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Error, runner::Runner};

/// How long an orphaned Postgres may take for its fast shutdown, and then for leaving at once.
const PATIENCE: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(30)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(10)),
];

/// Makes sure that nothing lives in `cluster`: an orphaned Postgres of an earlier run is
/// stopped, and a `postmaster.pid` of one that is gone is removed.
///
/// Removing it is needed when its number was given to a stranger since, which Postgres
/// takes for a living server. It can't start a second server on the same data: Postgres
/// still refuses while any process has the old shared memory. The caller holds the
/// folder's lock. Returns the orphan's number, if there was one.
pub(super) fn clear(cluster: &Path, name: &str, runner: &Runner) -> Result<Option<u32>, Error> {
    let pid_file = cluster.join("postmaster.pid");
    let mut orphan = None;
    for (signal, patience) in PATIENCE {
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            let living = living_in(cluster, name, runner);
            if living.is_empty() {
                return match fs::remove_file(&pid_file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        Err(Error::io("remove", &pid_file)(error))
                    }
                    _ => Ok(orphan),
                };
            }
            let head = read_pid(&pid_file).filter(|pid| living.contains(pid));
            if !told {
                told = true;
                match head {
                    // The postmaster ends its own children.
                    Some(head) if signal != Signal::KILL => {
                        if orphan.is_none() {
                            tracing::info!(pid = head, "stopping an orphaned PostgreSQL");
                        }
                        orphan = Some(head);
                        send(head, signal);
                    }
                    _ => end(&living),
                }
            }
            if Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Err(Error::Folder {
        path: cluster.to_path_buf(),
        why: format!(
            "processes {:?} use it and can't be stopped",
            living_in(cluster, name, runner)
        ),
    })
}

/// Kills what a dead postmaster left in `cluster`: its children find out by themselves,
/// but one in the middle of a long computation does so late, and until then Postgres
/// refuses to start. Nothing is lost by it: recovery follows anyway.
pub(super) fn kill_children(cluster: &Path, name: &str, runner: &Runner) {
    end(&living_in(cluster, name, runner));
}

fn end(pids: &[u32]) {
    for pid in pids {
        send(*pid, Signal::KILL);
    }
}

/// Sends a signal; a process that is gone meanwhile has obeyed.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, signal);
    }
}

/// Number of the postmaster as `postmaster.pid` has it.
pub(super) fn read_pid(pid_file: &Path) -> Option<u32> {
    let text = fs::read_to_string(pid_file).ok()?;
    let pid: u32 = text.lines().next()?.trim().parse().ok()?;
    (pid > 1).then_some(pid)
}

/// Processes of `runner`'s user that live in `cluster`. Postgres and all its children
/// have the cluster as their working folder.
#[cfg(target_os = "linux")]
pub(super) fn living_in(cluster: &Path, _name: &str, runner: &Runner) -> Vec<u32> {
    use std::os::unix::fs::MetadataExt;

    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let lives_here = fs::read_link(entry.path().join("cwd")).ok()? == cluster
                && entry.metadata().ok()?.uid() == runner.uid
                && is_postgres(&entry.path());
            lives_here.then_some(pid)
        })
        .collect()
}

/// Somebody's shell may have the same working folder. Postgres is named after its
/// binary, which may have been replaced by an upgrade since.
#[cfg(target_os = "linux")]
fn is_postgres(process: &Path) -> bool {
    fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "postgres")
}

/// Processes of `runner`'s user that live in `cluster`: the postmaster has the folder
/// among its arguments, its children have the cluster's name in their titles.
#[cfg(not(target_os = "linux"))]
pub(super) fn living_in(cluster: &Path, name: &str, runner: &Runner) -> Vec<u32> {
    listed(cluster, name, runner)
}

#[cfg(any(test, not(target_os = "linux")))]
fn listed(cluster: &Path, name: &str, runner: &Runner) -> Vec<u32> {
    let output = runner
        .command("ps")
        .args(["-A", "-ww", "-o", "uid=,pid=,args="])
        .output();
    let Ok(output) = output else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let title = format!("postgres: {name}: ");
    let cluster = format!(" -D {} ", cluster.display());
    text.lines()
        .filter_map(|line| {
            let (uid, rest) = line.trim_start().split_once(' ')?;
            let (pid, args) = rest.trim_start().split_once(' ')?;
            let program = args.split(" -").next()?;
            let ours = args.trim_start().starts_with(&title)
                || (program.ends_with("/postgres") && args.contains(&cluster));
            (ours && uid.parse() == Ok(runner.uid)).then(|| pid.parse().ok())?
        })
        .collect()
}
