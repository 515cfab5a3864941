//! Where the files of the embedded Postgres are.
//!
//! Usually under the data folder. If the user that runs Postgres can't pass through it
//! (a checkout under a home of mode 0700, started as root), they are in a folder of their
//! own, which `postgres.folder` in the data folder names.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::{Error, guard::SCRATCH_PREFIX, runner::Runner};

/// Longest path of a folder for sockets, in bytes: macOS has room for 103 in an address
/// (Linux: 107), and Postgres adds `/.s.PGSQL.5432`.
const LONGEST_SOCKET_DIR: usize = 103 - "/.s.PGSQL.5432".len();

/// Where a folder of its own may be. Only root writes to the first; in the second nobody
/// can replace what another made (sticky).
const OWN_PARENTS: [&str; 2] = ["/var/lib", "/var/tmp"];

const POINTER: &str = "postgres.folder";

/// Where everything is, and who owns it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// What holds cluster and socket: the data folder, or a folder of its own.
    pub root: PathBuf,
    /// Postgres' data folder; may not exist yet.
    pub cluster: PathBuf,
    pub runner: Runner,
}

impl Place {
    /// Finds the place of an existing cluster, or decides on one.
    ///
    /// `data_dir` is absolute, exists, and is locked by us. With `scratch` it is a
    /// throw-away folder and given to the runner as a whole, who will remove it.
    pub fn choose(data_dir: &Path, scratch: bool) -> Result<Self, Error> {
        if let Some(root) = read_pointer(data_dir)? {
            let cluster = existing(&root);
            let runner = Runner::choose(cluster.as_deref())?;
            private(&root, &runner)?;
            return Ok(Self::at(root, runner));
        }
        let cluster = existing(data_dir);
        let runner = Runner::choose(cluster.as_deref())?;
        if scratch {
            runner
                .own(data_dir)
                .map_err(Error::io("give away", data_dir))?;
        }
        if runner.can_enter(data_dir) {
            return Ok(Self::at(data_dir.to_path_buf(), runner));
        }
        if let Some(cluster) = cluster {
            return Err(Error::Folder {
                path: cluster,
                why: format!(
                    "user {} can't reach it any more; let it pass through the folders above, \
                     or start as that user",
                    runner.name
                ),
            });
        }
        let root = own_folder(&runner)?;
        write_pointer(data_dir, &root).map_err(Error::io("write", data_dir.join(POINTER)))?;
        Ok(Self::at(root, runner))
    }

    fn at(root: PathBuf, runner: Runner) -> Self {
        Self {
            cluster: root.join("postgres"),
            root,
            runner,
        }
    }

    /// A name for this installation, from the place of its cluster: 16 hexadecimal digits.
    pub fn name(&self) -> String {
        let digest = Sha256::digest(self.cluster.as_os_str().as_bytes());
        hex::encode(&digest[..8])
    }

    /// Makes the folder for the socket: beside the cluster if the path is short enough and
    /// the file system has sockets, else in the system's place for such files.
    pub fn socket_dir(&self) -> Result<PathBuf, Error> {
        let beside = self.root.join("socket");
        let short = beside.as_os_str().len() <= LONGEST_SOCKET_DIR;
        if short && private(&beside, &self.runner).is_ok() && has_sockets(&beside) {
            return Ok(beside);
        }
        let name = format!("sandlot-{}", self.name());
        let runtime = if self.runner.switch {
            PathBuf::from("/run")
        } else {
            PathBuf::from(format!("/run/user/{}", self.runner.uid))
        };
        let mut refused = None;
        // In /tmp somebody may have taken the name, by accident or to annoy.
        let candidates = std::iter::once(runtime.join(&name))
            .chain((0..8).map(|n| Path::new("/tmp").join(format!("{name}-{n}"))));
        for dir in candidates {
            match private(&dir, &self.runner) {
                Ok(()) if has_sockets(&dir) => return Ok(dir),
                Ok(()) => {}
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| Error::Folder {
            path: beside,
            why: "no folder for sockets was found".to_owned(),
        }))
    }
}

/// Makes the data folder if need be, and returns its absolute path without links.
pub(super) fn make_data_dir(data_dir: &Path) -> Result<PathBuf, Error> {
    if !data_dir.exists() {
        // Started as root, another user runs Postgres and has to pass through; what is
        // secret in it is secret by the modes of the files.
        let mode = if rustix::process::geteuid().is_root() {
            0o711
        } else {
            0o700
        };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(data_dir)
            .map_err(Error::io("make", data_dir))?;
        fs::set_permissions(data_dir, fs::Permissions::from_mode(mode))
            .map_err(Error::io("set the mode of", data_dir))?;
    }
    data_dir.canonicalize().map_err(Error::io("open", data_dir))
}

/// Makes a throw-away data folder in `parent` with a name that nobody else has.
pub(super) fn make_scratch(parent: &Path) -> Result<PathBuf, Error> {
    let dir = parent.join(format!("{SCRATCH_PREFIX}{:016x}", rand::random::<u64>()));
    DirBuilder::new()
        .mode(0o700)
        .create(&dir)
        .map_err(Error::io("make", &dir))?;
    dir.canonicalize().map_err(Error::io("open", &dir))
}

fn existing(root: &Path) -> Option<PathBuf> {
    let cluster = root.join("postgres");
    cluster.symlink_metadata().is_ok().then_some(cluster)
}

/// Makes sure that `dir` is a folder that belongs to `runner` and that only it may enter;
/// makes it if it is not there. A link, or somebody else's folder, is refused.
fn private(dir: &Path, runner: &Runner) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("make", dir)(error)),
    }
    // Everything below goes by this handle: the name may be made to point elsewhere.
    let folder = File::options()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::DIRECTORY).bits().cast_signed())
        .open(dir)
        .map_err(Error::io("open", dir))?;
    let found = folder.metadata().map_err(Error::io("look at", dir))?;
    let ours = found.uid() == runner.uid || (runner.switch && found.uid() == 0);
    if !ours {
        return Err(Error::Folder {
            path: dir.to_path_buf(),
            why: format!("is not a folder of user {}", runner.name),
        });
    }
    if found.uid() != runner.uid {
        fchown(&folder, Some(runner.uid), Some(runner.gid)).map_err(Error::io("give away", dir))?;
    }
    if found.mode() & 0o7777 != 0o700 {
        folder
            .set_permissions(fs::Permissions::from_mode(0o700))
            .map_err(Error::io("set the mode of", dir))?;
    }
    Ok(())
}

/// Some shared and network file systems have no sockets.
fn has_sockets(dir: &Path) -> bool {
    let probe = dir.join(".probe");
    let _ = fs::remove_file(&probe);
    let works = UnixListener::bind(&probe).is_ok();
    let _ = fs::remove_file(&probe);
    works
}

fn own_folder(runner: &Runner) -> Result<PathBuf, Error> {
    let mut refused = None;
    for parent in OWN_PARENTS {
        // A random name: a folder that an earlier data folder of the same path left
        // behind must not come back to life.
        let dir = Path::new(parent).join(format!("sandlot-{:016x}", rand::random::<u64>()));
        match private(&dir, runner) {
            Ok(()) if runner.can_enter(&dir) => return Ok(dir),
            Ok(()) => {
                let _ = fs::remove_dir(&dir);
            }
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| Error::Folder {
        path: OWN_PARENTS[0].into(),
        why: format!("user {} can't reach a folder in it", runner.name),
    }))
}

/// Reads the pointer. The data folder may belong to another user than root, who must not
/// send us just anywhere, so only names that [`own_folder`] makes are taken.
pub(super) fn read_pointer(data_dir: &Path) -> Result<Option<PathBuf>, Error> {
    let path = data_dir.join(POINTER);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let root = PathBuf::from(text.trim_end_matches('\n'));
    let named_well = root
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix("sandlot-"))
        .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|b| b.is_ascii_hexdigit()));
    let placed_well = OWN_PARENTS
        .iter()
        .any(|parent| root.parent() == Some(Path::new(parent)));
    if !named_well || !placed_well {
        return Err(Error::Folder {
            path,
            why: format!("names {}, which is no folder of ours", root.display()),
        });
    }
    if !root.is_dir() {
        return Err(Error::Folder {
            path: root,
            why: format!(
                "is gone, and the data with it; remove {} to start anew",
                path.display()
            ),
        });
    }
    Ok(Some(root))
}

fn write_pointer(data_dir: &Path, root: &Path) -> io::Result<()> {
    let new = data_dir.join("postgres.folder.new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::create_new(&new)?;
    writeln!(file, "{}", root.display())?;
    file.sync_all()?;
    fs::rename(&new, data_dir.join(POINTER))?;
    File::open(data_dir)?.sync_all()
}
