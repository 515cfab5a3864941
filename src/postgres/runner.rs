//! The operating-system user that Postgres runs as.
//!
//! Postgres refuses to run as root. Started as root, we run it as the owner of the
//! existing cluster, else as `postgres`, else as `nobody`; started by anybody else, it
//! runs as that user.

use std::{
    io,
    os::unix::{
        fs::{MetadataExt, lchown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use super::Error;

/// The only search path that Postgres and the shell beside it get.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:\
                           /run/current-system/sw/bin:/opt/homebrew/bin";

/// Who runs Postgres.
#[derive(Clone, Debug)]
pub(super) struct Runner {
    pub uid: u32,
    pub gid: u32,
    /// Name for messages; the number where the name is not known.
    pub name: String,
    /// Whether we are root and become that user.
    pub switch: bool,
}

impl Runner {
    /// Decides who runs Postgres; `cluster` is the data folder of Postgres, if there is one.
    pub fn choose(cluster: Option<&Path>) -> Result<Self, Error> {
        let me = rustix::process::geteuid().as_raw();
        let owner = match cluster {
            None => None,
            Some(cluster) => {
                let found = cluster
                    .symlink_metadata()
                    .map_err(Error::io("look at", cluster))?;
                if !found.is_dir() {
                    return Err(Error::Folder {
                        path: cluster.to_path_buf(),
                        why: "is not a folder".to_owned(),
                    });
                }
                Some((cluster, found.uid(), found.gid()))
            }
        };
        match owner {
            Some((cluster, 0, _)) => Err(Error::Foreign {
                cluster: cluster.to_path_buf(),
                owner: 0,
            }),
            Some((_, uid, gid)) if me == 0 => Ok(Self {
                uid,
                gid,
                name: name_of(uid),
                switch: true,
            }),
            Some((cluster, uid, _)) if uid != me => Err(Error::Foreign {
                cluster: cluster.to_path_buf(),
                owner: uid,
            }),
            None if me == 0 => ["postgres", "nobody"]
                .into_iter()
                .find_map(by_name)
                .ok_or(Error::NoUser),
            _ => Ok(Self {
                uid: me,
                gid: rustix::process::getegid().as_raw(),
                name: name_of(me),
                switch: false,
            }),
        }
    }

    /// A command that runs as this user, with an environment and a working folder that
    /// say nothing about ours: what Postgres runs for tenants is hostile, and the
    /// server's settings may hold secrets. Messages are in English, times in UTC.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/");
        if self.switch {
            // The standard library drops root's supplementary groups along with the uid.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives a file or folder to this user; a symbolic link is never followed.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        if self.switch {
            lchown(path, Some(self.uid), Some(self.gid))
        } else {
            Ok(())
        }
    }

    /// Whether this user can pass through `folder`. Asks the kernel, which also knows
    /// about access lists and mounts.
    pub fn can_enter(&self, folder: &Path) -> bool {
        self.command("/bin/sh")
            .args(["-c", "cd -P -- \"$1\"", "sh"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

fn by_name(name: &str) -> Option<Runner> {
    Some(Runner {
        uid: id(&["-u", name])?.parse().ok().filter(|uid| *uid != 0)?,
        gid: id(&["-g", name])?.parse().ok()?,
        name: name.to_owned(),
        switch: true,
    })
}

fn name_of(uid: u32) -> String {
    let uid = uid.to_string();
    id(&["-un", &uid]).unwrap_or(uid)
}

/// `id`, and not a look into /etc/passwd, because users may come from elsewhere
/// (Open Directory on macOS, LDAP).
fn id(args: &[&str]) -> Option<String> {
    let output = Command::new("id")
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn root_never_runs_it() {
        let runner = Runner::choose(None).unwrap();
        assert_ne!(runner.uid, 0);
        let out = runner.command("/usr/bin/env").output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert_eq!(text.lines().count(), 3, "only three variables: {text}");
        let out = runner
            .command("/bin/sh")
            .args(["-c", "id -u; pwd"])
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert_eq!(text, format!("{}\n/\n", runner.uid));
    }

    #[test]
    fn knows_what_it_can_enter() {
        let runner = Runner::choose(None).unwrap();
        assert!(runner.can_enter(Path::new("/usr/bin")));
        assert!(!runner.can_enter(Path::new("/usr/bin/env")));
        assert!(!runner.can_enter(Path::new("/nowhere/at all")));
    }

    #[test]
    fn a_cluster_decides() {
        let dir = tempfile::tempdir().unwrap();
        let me = rustix::process::geteuid().as_raw();
        if me == 0 {
            assert!(matches!(
                Runner::choose(Some(dir.path())),
                Err(Error::Foreign { owner: 0, .. })
            ));
            lchown(dir.path(), Some(12345), Some(12346)).unwrap();
            let runner = Runner::choose(Some(dir.path())).unwrap();
            assert_eq!(
                (runner.uid, runner.gid, runner.switch),
                (12345, 12346, true)
            );
        } else {
            assert_eq!(Runner::choose(Some(dir.path())).unwrap().uid, me);
            assert!(matches!(
                Runner::choose(Some(Path::new("/"))),
                Err(Error::Foreign { owner: 0, .. })
            ));
        }
    }
}
