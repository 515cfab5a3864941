//! A small shell beside each Postgres, so that it never outlives us.
//!
//! The shell holds the other end of a pipe. When the pipe closes, because we closed it or
//! because we died in whatever way, it stops what it started. It ignores the signals of a
//! terminal and has a process group of its own, so Ctrl-C reaches only us, and Postgres
//! stays up until the requests in flight are answered.

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
};

use super::runner::Runner;

/// Beginning of the name of every throw-away folder; the script removes no other.
pub(super) const SCRATCH_PREFIX: &str = "sandlot-scratch-";

/// Arguments: the signal that stops the program, the folder that its processes live in, a
/// folder to remove when we are gone (or nothing), the program and its arguments.
///
/// The watching half signals the waiting half (`$$`) and never the program itself: the
/// waiting half knows whether the program is still its child, so no signal ever goes to a
/// stranger that was given the same number. It repeats itself, because a signal between
/// two `wait`s may be lost in some shells. After 120 s `QUIT` asks Postgres to leave at
/// once (the next start recovers, which takes longer than letting it flush its files), and after 10 more it is killed.
///
/// A postmaster that was killed may leave a child that computes and does not notice. Where
/// there is a /proc such children are found by their working folder and killed.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
stop=$1 home=$2 scratch=$3 gone=
shift 3
exec 3<&0
( trap - HUP INT QUIT TERM; exec "$@" ) </dev/null 3<&- &
program=$!
trap 'gone=1; kill -s "$stop" "$program"' USR1
trap 'kill -s QUIT "$program"' USR2
trap 'kill -s KILL "$program"' ALRM
(
    trap - USR1 USR2 ALRM
    while read -r _; do :; done <&3
    second=0
    while :; do
        if [ "$second" -lt 120 ]; then signal=USR1
        elif [ "$second" -lt 130 ]; then signal=USR2
        else signal=ALRM
        fi
        kill -s "$signal" $$ || exit
        second=$((second + 1))
        sleep 1
    done
) >/dev/null 2>&1 &
watcher=$!
exec 3<&-
while :; do
    wait "$program"
    status=$?
    { [ "$status" -ne 127 ] && kill -0 "$program"; } 2>/dev/null || break
done
# A signal may have ended that `wait` just before the program did: its own status is still to be had then.
wait "$program" 2>/dev/null
again=$?
[ "$again" -eq 127 ] || status=$again
kill -s KILL "$watcher" 2>/dev/null
for process in /proc/[0-9]*; do
    if [ "$process/cwd" -ef "$home" ] && read -r name <"$process/comm" && [ "$name" = postgres ]; then
        kill -s KILL "${process#/proc/}"
    fi
done 2>/dev/null
if [ -n "$gone" ]; then
    case $scratch in
    /*/SCRATCH_PREFIX*) cd / && { rm -rf -- "$scratch" 2>/dev/null || { sleep 1; rm -rf -- "$scratch"; }; } ;;
    esac
fi
exit "$status"
"#;

/// Signal that stops the guarded program.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stop {
    /// Postgres' fast shutdown: sessions end, everything is written.
    Fast,
    /// Postgres' immediate shutdown, for data that nobody needs.
    Immediate,
    /// For programs other than the server.
    Terminate,
}

/// A command that runs `program` under the guard as `runner`.
///
/// `home` is the working folder of its processes, and `scratch` is removed when we end. Its standard input is the pipe: hold it as long as the program is to run. Output goes
/// to `log`.
pub(super) fn guarded(
    runner: &Runner,
    stop: Stop,
    home: &Path,
    scratch: Option<&Path>,
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    log: &File,
) -> std::io::Result<Command> {
    let mut command = runner.command("/bin/sh");
    command
        .arg("-c")
        .arg(SCRIPT.replace("SCRATCH_PREFIX", SCRATCH_PREFIX))
        .arg("sandlot-guard")
        .arg(match stop {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
            Stop::Terminate => "TERM",
        })
        .arg(home)
        .arg(scratch.unwrap_or(Path::new("")))
        .arg(program)
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?);
    Ok(command)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        fs,
        io::{Read, Seek},
    };

    use super::*;

    fn guard(stop: Stop, scratch: Option<&Path>, script: &str) -> (std::process::Child, File) {
        let log = tempfile::tempfile().unwrap();
        let runner = Runner::choose(None).unwrap();
        let child = guarded(
            &runner,
            stop,
            Path::new("/nowhere"),
            scratch,
            Path::new("/bin/sh"),
            ["-c", script],
            &log,
        )
        .unwrap()
        .spawn()
        .unwrap();
        (child, log)
    }

    #[test]
    fn passes_the_exit_status_on() {
        let (mut child, _) = guard(Stop::Fast, None, "exit 7");
        let pipe = child.stdin.take();
        assert_eq!(child.wait().unwrap().code(), Some(7));
        drop(pipe);
    }

    #[test]
    fn stops_the_program_when_the_pipe_closes() {
        let (mut child, mut log) = guard(
            Stop::Terminate,
            None,
            "trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done",
        );
        while !read(&mut log).contains("ready") {
            std::thread::yield_now();
        }
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(5));
    }

    #[test]
    fn removes_only_a_scratch_folder() {
        let parent = tempfile::tempdir_in("/tmp").unwrap();
        let runner = Runner::choose(None).unwrap();
        runner.own(parent.path()).unwrap();
        let scratch = parent.path().join(format!("{SCRATCH_PREFIX}1"));
        let other = parent.path().join("other");
        for dir in [&scratch, &other] {
            fs::create_dir_all(dir.join("full of")).unwrap();
            runner.own(&dir.join("full of")).unwrap();
            runner.own(dir).unwrap();
        }
        for dir in [&scratch, &other] {
            let (mut child, _) = guard(Stop::Terminate, Some(dir), "exec sleep 100");
            drop(child.stdin.take());
            assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
        }
        assert!(!scratch.exists());
        assert!(other.exists());

        // A program that ends by itself leaves the folder: it will be started again.
        fs::create_dir(&scratch).unwrap();
        let (mut child, _) = guard(Stop::Terminate, Some(&scratch), "exit 1");
        let pipe = child.stdin.take();
        child.wait().unwrap();
        drop(pipe);
        assert!(scratch.exists());
    }

    #[test]
    fn output_is_kept() {
        let (mut child, mut log) = guard(Stop::Terminate, None, "echo one; echo two >&2");
        let pipe = child.stdin.take();
        child.wait().unwrap();
        drop(pipe);
        assert_eq!(read(&mut log), "one\ntwo\n");
    }

    fn read(log: &mut File) -> String {
        let mut text = String::new();
        log.rewind().unwrap();
        log.read_to_string(&mut text).unwrap();
        text
    }
}
