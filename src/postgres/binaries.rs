//! Finds PostgreSQL's binaries on this machine.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{Error, runner::Runner};

/// The oldest major version that works.
pub const OLDEST: u32 = 15;

/// A folder with `postgres` and `initdb` of a version that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The folder.
    pub dir: PathBuf,
    /// Major version: 15, 16, ..
    pub major: u32,
    /// The version as Postgres says it: `15.18`, `18beta1`.
    pub version: String,
}

impl Binaries {
    /// Whether this Postgres takes a setting, `name=value`, with the cluster given: some values need a library that
    /// it may have been built without.
    pub(super) fn takes(&self, cluster: &Path, setting: &str, runner: &Runner) -> bool {
        let name = setting.split('=').next().unwrap_or_default();
        runner
            .command(self.dir.join("postgres"))
            // Asked first, it does not mind to be run by root.
            .args(["-C", name, "-c", setting, "-D"])
            .arg(cluster)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// Finds binaries that `runner` can run.
///
/// With `explicit` only that folder counts. Otherwise, in this order: what `pg_config`
/// says, Debian's and the RPMs' folders (highest version first), the search path,
/// Homebrew's and other usual places. With `made_by`, the major version of an existing
/// cluster, only that version will do: data of one major version can't be opened by another.
pub(super) fn find(
    explicit: Option<&Path>,
    made_by: Option<(&Path, u32)>,
    runner: &Runner,
) -> Result<Binaries, Error> {
    let places = match explicit {
        Some(dir) => vec![dir.to_path_buf()],
        None => places(),
    };
    let mut seen = Vec::new();
    let mut known = HashSet::new();
    for dir in places {
        if !known.insert(dir.clone()) {
            continue;
        }
        match inspect(&dir, runner) {
            Ok(Some(found)) => match made_by {
                Some((_, major)) if major != found.major => {
                    seen.push(format!("{} is {}", dir.display(), found.version));
                }
                _ => return Ok(found),
            },
            Ok(None) if explicit.is_some() => {
                seen.push(format!("{} lacks `postgres` or `initdb`", dir.display()));
            }
            Ok(None) => {}
            Err(remark) => seen.push(remark),
        }
    }
    Err(match made_by {
        Some((cluster, made_by)) if !seen.is_empty() => Error::OtherVersion {
            cluster: cluster.to_path_buf(),
            made_by,
            seen,
        },
        _ => Error::NoBinaries(seen),
    })
}

/// Looks at one folder: the binaries, nothing there, or why they won't do.
fn inspect(dir: &Path, runner: &Runner) -> Result<Option<Binaries>, String> {
    let postgres = dir.join("postgres");
    if !postgres.is_file() || !dir.join("initdb").is_file() {
        return Ok(None);
    }
    let output = runner
        .command(&postgres)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            format!(
                "{} can't be run by user {}: {error}",
                postgres.display(),
                runner.name
            )
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((major, version)) = parse_version(&text) else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{} does not tell its version: {}{}",
            postgres.display(),
            text.trim(),
            complaint.trim()
        ));
    };
    if major < OLDEST {
        return Err(format!("{} is {version}, too old", dir.display()));
    }
    Ok(Some(Binaries {
        dir: dir.to_path_buf(),
        major,
        version,
    }))
}

/// Takes the version out of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_version(text: &str) -> Option<(u32, String)> {
    let version = text
        .trim()
        .strip_prefix("postgres (PostgreSQL) ")?
        .split_whitespace()
        .next()?;
    let digits = version.find(|c: char| !c.is_ascii_digit());
    let major = version[..digits.unwrap_or(version.len())].parse().ok()?;
    Some((major, version.to_owned()))
}

/// Every folder worth a look, best first.
fn places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    places.extend(told_by(Command::new("pg_config").arg("--bindir")));
    places.extend(numbered("/usr/lib/postgresql", "", "bin"));
    places.extend(numbered("/usr", "pgsql-", "bin"));
    // The shell knows the search path, and we need not read our environment for it.
    let on_path = told_by(Command::new("/bin/sh").args(["-c", "command -v postgres"]));
    if let Some(postgres) = on_path {
        places.extend(postgres.parent().map(Path::to_path_buf));
        if let Ok(target) = postgres.canonicalize() {
            places.extend(target.parent().map(Path::to_path_buf));
        }
    }
    for cellar in ["/opt/homebrew/opt", "/usr/local/opt"] {
        places.extend(numbered(cellar, "postgresql@", "bin"));
        places.push(Path::new(cellar).join("postgresql/bin"));
    }
    places.extend(numbered(
        "/home/linuxbrew/.linuxbrew/opt",
        "postgresql@",
        "bin",
    ));
    places.extend(numbered("/usr/libexec", "postgresql", ""));
    places.push("/Applications/Postgres.app/Contents/Versions/latest/bin".into());
    places.push("/usr/local/pgsql/bin".into());
    places
}

/// `parent/<prefix><number>/<suffix>` for every number there is, highest first.
fn numbered(parent: &str, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path().join(suffix)))
        })
        .collect();
    found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    found.into_iter().map(|(_, path)| path).collect()
}

fn told_by(command: &mut Command) -> Option<PathBuf> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let path = PathBuf::from(text.trim());
    (output.status.success() && path.is_absolute()).then_some(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn reads_versions() {
        let version = |text| parse_version(text).map(|(major, text)| format!("{major} {text}"));
        assert_eq!(
            version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n").unwrap(),
            "15 15.18"
        );
        assert_eq!(
            version("postgres (PostgreSQL) 18beta1").unwrap(),
            "18 18beta1"
        );
        assert_eq!(version("postgres (PostgreSQL) 16").unwrap(), "16 16");
        assert_eq!(version("postgres (PostgreSQL) devel"), None);
        assert_eq!(version("psql (PostgreSQL) 15.1"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn sorts_by_number() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["pg9", "pg16", "pg15", "pgx", "other"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let found = numbered(dir.path().to_str().unwrap(), "pg", "bin");
        let names: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["pg16/bin", "pg15/bin", "pg9/bin"]);
    }

    /// Makes a folder with a `postgres` that says `version`.
    fn fake(version: &str) -> tempfile::TempDir {
        let dir = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in("/tmp")
            .unwrap();
        for name in ["postgres", "initdb"] {
            let path = dir.path().join(name);
            fs::write(&path, format!("#!/bin/sh\necho '{version}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        dir
    }

    #[test]
    fn an_explicit_folder_is_the_only_one() {
        let runner = Runner::choose(None).unwrap();
        let good = fake("postgres (PostgreSQL) 16.2");
        let found = find(Some(good.path()), None, &runner).unwrap();
        assert_eq!((found.major, found.version.as_str()), (16, "16.2"));
        assert_eq!(found.dir, good.path());

        let old = fake("postgres (PostgreSQL) 14.9");
        let error = find(Some(old.path()), None, &runner)
            .unwrap_err()
            .to_string();
        assert!(error.contains("14.9, too old"), "{error}");
        for command in ["sudo apt install", "sudo dnf install", "brew install"] {
            assert!(error.contains(command), "{error}");
        }

        let empty = tempfile::tempdir().unwrap();
        let error = find(Some(empty.path()), None, &runner)
            .unwrap_err()
            .to_string();
        assert!(error.contains("lacks `postgres`"), "{error}");
    }

    #[test]
    fn an_existing_cluster_needs_its_own_version() {
        let runner = Runner::choose(None).unwrap();
        let good = fake("postgres (PostgreSQL) 16.2");
        let cluster = Path::new("/somewhere/postgres");
        assert!(find(Some(good.path()), Some((cluster, 16)), &runner).is_ok());
        let error = find(Some(good.path()), Some((cluster, 15)), &runner)
            .unwrap_err()
            .to_string();
        assert!(error.contains("made by PostgreSQL 15"), "{error}");
        assert!(error.contains("is 16.2"), "{error}");
    }

    #[test]
    fn finds_the_binaries_of_this_machine() {
        let runner = Runner::choose(None).unwrap();
        let found = find(None, None, &runner).unwrap();
        assert!(found.major >= OLDEST);
        assert!(found.dir.join("initdb").is_file());
    }
}
