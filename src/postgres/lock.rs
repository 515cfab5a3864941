//! One process per data folder: `sandlot.lock`.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

use super::Error;

/// Name of the lock file in the folder.
pub const LOCK_FILE: &str = "sandlot.lock";

/// How long a killed process may take until the kernel has closed its files.
const ENDING: Duration = Duration::from_secs(2);

/// The right to use a data folder; given back when dropped, and by the kernel when the
/// process ends in whatever way, so a lock never has to be removed by hand.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, never read")] File);

impl Lock {
    /// The same, giving a process that is just ending a moment to be gone.
    pub fn take_soon(folder: &Path) -> Result<Self, Error> {
        let patience = Instant::now() + ENDING;
        loop {
            match Self::take(folder) {
                Err(Error::Held { .. }) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                outcome => return outcome,
            }
        }
    }

    /// Takes the folder, or says which process has it ([`Error::Held`]).
    ///
    /// The file stays where it is afterwards: removing it would let two processes hold
    /// locks on two files of the same name.
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // The folder may belong to another user than us, who must not send us elsewhere.
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let by = match file.read_to_string(&mut text) {
                    Ok(_) => text.trim().parse().ok(),
                    Err(_) => None,
                };
                return Err(Error::Held {
                    folder: folder.to_path_buf(),
                    by,
                });
            }
            Err(error) => return Err(Error::io("lock", &path)(error.into())),
        }
        write_pid(&mut file).map_err(Error::io("write", &path))?;
        Ok(Self(file))
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let error = Lock::take(dir.path()).unwrap_err();
        let me = std::process::id();
        assert!(matches!(error, Error::Held { by: Some(pid), .. } if pid == me));
        assert!(
            error.to_string().contains(&format!("process {me}")),
            "{error}"
        );
        drop(lock);
        Lock::take(dir.path()).unwrap();
    }

    #[test]
    fn follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, dir.path().join(LOCK_FILE)).unwrap();
        assert!(matches!(Lock::take(dir.path()), Err(Error::Io { .. })));
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    }
}
