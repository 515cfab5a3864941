//! Why the embedded Postgres could not be started, in words for the operator.

use std::{error::Error as StdError, fmt, io, path::PathBuf};

/// Why the embedded Postgres could not be started.
#[derive(Debug)]
pub enum Error {
    /// No usable binaries; one remark for every place that had unusable ones.
    NoBinaries(Vec<String>),
    /// The existing cluster was made by a major version that is not on this machine.
    OtherVersion {
        /// Where the cluster is.
        cluster: PathBuf,
        /// The major version that made it.
        made_by: u32,
        /// One remark for every place that was looked at.
        seen: Vec<String>,
    },
    /// Another living process holds the data folder.
    Held {
        /// The folder.
        folder: PathBuf,
        /// The process, unless it has not written its number yet.
        by: Option<u32>,
    },
    /// The existing cluster belongs to a user that this process can't become.
    Foreign {
        /// Where the cluster is.
        cluster: PathBuf,
        /// Numeric id of the user that owns it.
        owner: u32,
    },
    /// Neither a user `postgres` nor a user `nobody` exists, and root may not run Postgres.
    NoUser,
    /// A folder can't be used for the reason given.
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `initdb` failed; what it wrote.
    Initdb(String),
    /// Postgres did not come up; the reason and the end of its log.
    Start {
        /// What was observed.
        why: String,
        /// The last lines that Postgres wrote.
        log: String,
        /// The whole log.
        file: PathBuf,
    },
    /// The operating system refused something.
    Io {
        /// What was tried.
        doing: String,
        /// The refusal.
        source: io::Error,
    },
    /// The caller gave up before Postgres was up.
    Abandoned,
}

impl Error {
    /// Turns an I/O error into ours: `.map_err(Error::io("read", &path))`.
    pub(super) fn io(
        verb: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing: format!("{verb} {}", path.display()),
            source,
        }
    }
}

/// How to get the server's binaries, by system.
pub const INSTALL: &str = "\
  Debian, Ubuntu:  sudo apt install postgresql
  Fedora:          sudo dnf install postgresql-server
  macOS:           brew install postgresql@17";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBinaries(seen) => {
                writeln!(
                    f,
                    "no PostgreSQL {} or later was found. Install its server",
                    super::binaries::OLDEST
                )?;
                writeln!(f, "{INSTALL}")?;
                write!(
                    f,
                    "or name the folder that holds `postgres` and `initdb` in the settings."
                )?;
                remarks(f, seen)
            }
            Self::OtherVersion {
                cluster,
                made_by,
                seen,
            } => {
                write!(
                    f,
                    "the data in {} was made by PostgreSQL {made_by}, which was not found; \
                     install that version again, or dump the data with it and start with an \
                     empty data folder.",
                    cluster.display()
                )?;
                remarks(f, seen)
            }
            Self::Held { folder, by } => {
                write!(f, "the data folder {} is in use by ", folder.display())?;
                match by {
                    Some(pid) => write!(f, "another sandlot, process {pid}")?,
                    None => write!(f, "another sandlot that is just starting")?,
                }
                write!(
                    f,
                    "; stop it first, or give this one a data folder of its own"
                )
            }
            Self::Foreign { cluster, owner } => write!(
                f,
                "the data in {} belongs to user number {owner}; start as that user or as root",
                cluster.display()
            ),
            Self::NoUser => write!(
                f,
                "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor a \
                 user `nobody` to run it as"
            ),
            Self::Folder { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Initdb(output) => write!(f, "initdb failed: {}", output.trim_end()),
            Self::Start { why, log, file } => {
                write!(f, "PostgreSQL did not start: {why}")?;
                if !log.is_empty() {
                    write!(f, "\nthe end of {}:\n{log}", file.display())?;
                }
                Ok(())
            }
            Self::Io { doing, source } => write!(f, "could not {doing}: {source}"),
            Self::Abandoned => write!(f, "the start was given up"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

fn remarks(f: &mut fmt::Formatter<'_>, seen: &[String]) -> fmt::Result {
    for remark in seen {
        write!(f, "\n  seen: {remark}")?;
    }
    Ok(())
}
