//! An embedded Postgres that another process has started: found, and used beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Error, lock::Lock, place, url};

/// A Postgres of ours that another process keeps running.
#[derive(Clone, Debug)]
pub struct Running {
    socket_dir: PathBuf,
}

/// The Postgres of a data folder that a living server holds; none if nobody holds it.
///
/// The folder of its socket is in the fifth line of `postmaster.pid`, which Postgres writes.
pub fn running(data_dir: &Path) -> Option<Running> {
    let data_dir = data_dir.canonicalize().ok()?;
    let Err(Error::Held { .. }) = Lock::take(&data_dir) else {
        return None;
    };
    let root = place::read_pointer(&data_dir).ok()?.unwrap_or(data_dir);
    let text = fs::read_to_string(root.join("postgres").join("postmaster.pid")).ok()?;
    let socket_dir = PathBuf::from(text.lines().nth(4)?);
    socket_dir.is_absolute().then_some(Running { socket_dir })
}

impl Running {
    /// How to log in as `user` in `database`, as an address.
    pub fn url(&self, user: &str, database: &str) -> String {
        url(&self.socket_dir, user, database)
    }
}
