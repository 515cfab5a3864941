//! `postgres.log`: what Postgres writes, kept from growing without bound.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::Error;

/// Size at which the log is put aside, in bytes. There are two at most.
const LONGEST: u64 = 16 << 20;

/// How much of the end an error shows, in bytes.
const TAIL: u64 = 4000;

pub(super) struct Log {
    path: PathBuf,
}

/// The log as one run of Postgres writes it.
pub(super) struct Opened {
    pub file: File,
    from: u64,
}

impl Log {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the log for another run.
    pub fn open(&self) -> Result<Opened, Error> {
        self.trim();
        let file = self
            .options(&self.path)
            .map_err(Error::io("open", &self.path))?;
        let from = file
            .metadata()
            .map_err(Error::io("look at", &self.path))?
            .len();
        Ok(Opened { file, from })
    }

    /// Puts a long log aside as `postgres.log.1`. Copied and cut, not renamed, because a
    /// running Postgres goes on writing to the file that it was given.
    pub fn trim(&self) {
        if let Err(error) = self.try_trim() {
            tracing::warn!(%error, log = %self.path.display(), "could not put the log aside");
        }
    }

    fn try_trim(&self) -> io::Result<()> {
        match self.path.symlink_metadata() {
            Ok(found) if found.len() > LONGEST => {}
            _ => return Ok(()),
        }
        let mut log = self.options(&self.path)?;
        let mut aside = self.path.clone().into_os_string();
        aside.push(".1");
        let mut aside = self.options(Path::new(&aside))?;
        aside.set_len(0)?;
        io::copy(&mut log, &mut aside)?;
        log.set_len(0)
    }

    fn options(&self, path: &Path) -> io::Result<File> {
        File::options()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
    }
}

impl Opened {
    /// The last lines of this run.
    pub fn tail(&self) -> String {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        let read = file.seek(SeekFrom::End(0)).and_then(|end| {
            // The log may have been put aside in the meantime.
            let from = self.from.min(end).max(end.saturating_sub(TAIL));
            file.seek(SeekFrom::Start(from))?;
            file.take(TAIL).read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).trim_end().to_owned(),
            Err(error) => format!("(it can't be read: {error})"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn shows_the_end_of_this_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("postgres.log");
        fs::write(&path, "earlier\n").unwrap();
        let mut opened = Log::new(path).open().unwrap();
        assert_eq!(opened.tail(), "");
        opened.file.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(opened.tail(), "one\ntwo");
        opened.file.write_all(&[b'x'; 5000]).unwrap();
        assert_eq!(opened.tail().len(), 4000);
    }

    #[test]
    fn a_long_log_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("postgres.log");
        fs::write(&path, "short").unwrap();
        let log = Log::new(path.clone());
        log.trim();
        assert_eq!(fs::read(&path).unwrap(), b"short");

        let mut writer = log.open().unwrap().file;
        writer.set_len(LONGEST).unwrap();
        writer.write_all(b"end").unwrap();
        log.trim();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        let aside = dir.path().join("postgres.log.1");
        assert_eq!(fs::metadata(aside).unwrap().len(), LONGEST + 3);
        writer.write_all(b"goes on").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"goes on");
    }
}
