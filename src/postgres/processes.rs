//! The processes that live in a cluster's folder: finding what an earlier run left, and
//! ending it.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Error, runner::Runner};

/// How long an orphaned Postgres may take for its fast shutdown, then for leaving at
/// once, and how long the kernel may take to end it.
const PATIENCE: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(120)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(10)),
];

/// Makes sure that nothing lives in the cluster: an orphaned Postgres of an earlier run is
/// stopped, its lock files are removed. Returns its number, if there was one.
///
/// Removing them is needed when the number in them was given to a stranger since, whom
/// Postgres takes for a living server. It can't start a second server on the same data:
/// Postgres still refuses while any process has the old shared memory. The caller holds
/// the data folder's lock.
pub(super) fn clear(
    cluster: &Path,
    socket_dir: &Path,
    name: &str,
    runner: &Runner,
) -> Result<Option<u32>, Error> {
    let pid_file = cluster.join("postmaster.pid");
    let mut orphan = None;
    for (signal, patience) in PATIENCE {
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            let living = living_in(cluster, name, runner);
            if living.is_empty() {
                let socket_lock = socket_dir.join(".s.PGSQL.5432.lock");
                remove(&pid_file)?;
                remove(&socket_lock)?;
                return Ok(orphan);
            }
            let head = read_pid(&pid_file).filter(|pid| living.contains(pid));
            match head {
                // The postmaster ends its own children.
                Some(head) if signal != Signal::KILL => {
                    if !told {
                        told = true;
                        tracing::info!(pid = head, ?signal, "stopping an orphaned PostgreSQL");
                        orphan = Some(head);
                        send(head, signal);
                    }
                }
                // Without one nothing is lost by it: recovery follows anyway. Those that
                // sleep notice by themselves; those that compute would not.
                _ => end(&living),
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

/// Whether the postmaster was asked to stop, by whomever. A smart shutdown (`SIGTERM`)
/// takes no more connections and waits for those that are there, so it would last as
/// long as our pools hold theirs. Returns the postmaster's number.
pub(super) fn is_stopping(cluster: &Path) -> Option<u32> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    // The last line is the state, padded with blanks.
    (text.lines().nth(7)?.trim() == "stopping").then(|| parse_pid(&text))?
}

/// Asks a postmaster to end its sessions and stop.
pub(super) fn stop_fast(pid: u32) {
    send(pid, Signal::INT);
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
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
    parse_pid(&fs::read_to_string(pid_file).ok()?)
}

fn parse_pid(text: &str) -> Option<u32> {
    let pid = text.lines().next()?.trim().parse().ok()?;
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
    let list = runner
        .command("ps")
        .args(["-A", "-ww", "-o", "uid=,pid=,args="])
        .output();
    match list {
        Ok(list) => taken(
            &String::from_utf8_lossy(&list.stdout),
            cluster,
            name,
            runner.uid,
        ),
        Err(_) => Vec::new(),
    }
}

#[cfg(any(test, not(target_os = "linux")))]
fn taken(list: &str, cluster: &Path, name: &str, user: u32) -> Vec<u32> {
    let title = format!("postgres: {name}: ");
    let cluster = format!(" -D {} ", cluster.display());
    list.lines()
        .filter_map(|line| {
            let (uid, rest) = line.trim_start().split_once(' ')?;
            let (pid, args) = rest.trim_start().split_once(' ')?;
            let args = args.trim_start();
            let program = args.split(" -").next()?;
            let ours = args.starts_with(&title)
                || (program.ends_with("/postgres") && args.contains(&cluster));
            (ours && uid.parse() == Ok(user)).then(|| pid.parse().ok())?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_only_numbers_that_can_be_a_servers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("postmaster.pid");
        assert_eq!(read_pid(&path), None);
        for (text, pid) in [
            ("123\n/data\n", Some(123)),
            ("", None),
            ("1\n", None),
            ("0\n", None),
            ("-5\n", None),
            ("x\n", None),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_pid(&path), pid, "{text:?}");
        }
    }

    #[test]
    fn takes_processes_out_of_a_list() {
        let list = "    0     1 /sbin/init\n  \
                    501    20 /opt/pg/bin/postgres -D /a b/postgres -c x=y\n  \
                    501    21 postgres: cafe: checkpointer \n  \
                    501    22 postgres: beef: checkpointer \n  \
                    501    23 grep -D /a b/postgres -c\n  \
                    502    24 postgres: cafe: writer \n\n";
        let found = taken(list, Path::new("/a b/postgres"), "cafe", 501);
        assert_eq!(found, [20, 21]);
    }
}
