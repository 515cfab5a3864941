//! Makes the cluster, once.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    io::{self, Read, Seek},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use super::{
    Error,
    binaries::Binaries,
    guard::{Stop, guarded},
    place::Place,
};

/// Character types to try, best first; see [`locale`].
const CHARACTER_TYPES: [&str; 3] = ["C.UTF-8", "en_US.UTF-8", "C"];

/// Beginning of the name of a cluster that is being made.
pub(super) const UNFINISHED: &str = "postgres.new-";

/// The major version that made the cluster; none if there is no cluster yet.
pub(super) fn made_by(cluster: &Path) -> Result<Option<u32>, Error> {
    let path = cluster.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse() {
            Ok(major) => Ok(Some(major)),
            Err(_) => Err(Error::Folder {
                path,
                why: format!("names no version: {:?}", text.trim()),
            }),
        },
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("read", path)(error))
        }
        Err(_) if cluster.exists() => Err(Error::Folder {
            path: cluster.to_path_buf(),
            why: "is no PostgreSQL cluster; move it away to let one be made".to_owned(),
        }),
        Err(_) => Ok(None),
    }
}

/// Makes the cluster if there is none.
///
/// `initdb` works on a folder beside it, which gets its name when everything is written:
/// a cluster that exists is whole. What a killed `initdb` left is removed first, and the
/// name is new each time, as that `initdb` may be about to remove its folder itself.
pub(super) fn ensure(
    place: &Place,
    binaries: &Binaries,
    durable: bool,
    scratch: Option<&Path>,
) -> Result<bool, Error> {
    if place.cluster.exists() {
        return Ok(false);
    }
    tracing::info!(
        version = %binaries.version,
        cluster = %place.cluster.display(),
        "making the PostgreSQL cluster"
    );
    remove_leftovers(&place.root);
    let mut refusal = String::new();
    for character_type in CHARACTER_TYPES {
        let new = place
            .root
            .join(format!("{UNFINISHED}{:08x}", rand::random::<u32>()));
        DirBuilder::new()
            .mode(0o700)
            .create(&new)
            .map_err(Error::io("make", &new))?;
        place
            .runner
            .own(&new)
            .map_err(Error::io("give away", &new))?;
        match run(place, binaries, &new, character_type, durable, scratch)? {
            Ok(()) => {
                if durable {
                    flush(&new)?;
                }
                fs::rename(&new, &place.cluster).map_err(Error::io("rename", &new))?;
                File::open(&place.root)
                    .and_then(|root| root.sync_all())
                    .map_err(Error::io("sync", &place.root))?;
                return Ok(true);
            }
            Err(output) => {
                remove_leftovers(&place.root);
                let unknown_locale = output.contains("locale");
                refusal = output;
                if !unknown_locale {
                    break;
                }
            }
        }
    }
    Err(Error::Initdb(refusal))
}

/// Runs `initdb` under a guard, so that it ends with us: two of them must not meet in one
/// folder. Gives what it wrote if it failed.
fn run(
    place: &Place,
    binaries: &Binaries,
    new: &Path,
    character_type: &str,
    durable: bool,
    scratch: Option<&Path>,
) -> Result<Result<(), String>, Error> {
    let program = binaries.dir.join("initdb");
    let mut arguments = vec![
        "-D".as_ref(),
        new.as_os_str(),
        "--encoding=UTF8".as_ref(),
        "--username=postgres".as_ref(),
        // Who may enter the socket's folder may log in; nobody comes by TCP.
        "--auth-local=trust".as_ref(),
        "--auth-host=reject".as_ref(),
        "--no-instructions".as_ref(),
    ];
    let locale = locale(binaries.major, character_type);
    arguments.extend(locale.iter().map(OsStr::new));
    if !durable || FLUSHES_AT_ONCE {
        arguments.push("--no-sync".as_ref());
    }
    let mut output = nameless_file(place)?;
    let mut child = guarded(
        &place.runner,
        Stop::Terminate,
        new,
        scratch,
        &program,
        arguments,
        &output,
    )
    .and_then(|mut command| command.spawn())
    .map_err(Error::io("run", &program))?;
    // `wait` would close the pipe, and the guard would stop initdb.
    let pipe = child.stdin.take();
    let status = child.wait().map_err(Error::io("wait for", &program))?;
    drop(pipe);
    if status.success() {
        return Ok(Ok(()));
    }
    let mut text = Vec::new();
    output
        .rewind()
        .and_then(|()| output.read_to_end(&mut text))
        .map_err(Error::io("read the output of", &program))?;
    Ok(Err(format!("{status}\n{}", String::from_utf8_lossy(&text))))
}

/// Text is compared by code point: the order is the same on every machine and never
/// changes under an index, as it does when a system's locale is upgraded. Which characters
/// are letters, and which are each other's capitals, is Unicode's, so that searches
/// without regard to case find `Müller`: built into PostgreSQL 17 and later; before that
/// from the system's `C.UTF-8`, else (macOS) from another locale that every system has.
fn locale(major: u32, character_type: &str) -> Vec<String> {
    let mut arguments = vec![
        "--locale=C".to_owned(),
        format!("--lc-ctype={character_type}"),
    ];
    if major >= 17 {
        arguments.push("--locale-provider=builtin".to_owned());
        arguments.push("--builtin-locale=C.UTF-8".to_owned());
    } else {
        arguments.push("--locale-provider=libc".to_owned());
    }
    arguments
}

/// Whether one call flushes a whole file system. `initdb` flushes a thousand files one by
/// one, which takes seconds on a busy disk.
const FLUSHES_AT_ONCE: bool = cfg!(target_os = "linux");

/// Brings the new cluster to the disk before it gets its name.
#[cfg(target_os = "linux")]
fn flush(new: &Path) -> Result<(), Error> {
    File::open(new)
        .and_then(|folder| Ok(rustix::fs::syncfs(&folder)?))
        .map_err(Error::io("sync", new))
}

/// `initdb` has done it.
#[cfg(not(target_os = "linux"))]
fn flush(_new: &Path) -> Result<(), Error> {
    Ok(())
}

/// Removes what an `initdb` left that did not finish. If something is still writing
/// there, the next start gets the rest.
fn remove_leftovers(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(UNFINISHED.as_bytes())
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(%error, folder = %entry.path().display(), "could not remove an unfinished cluster");
        }
    }
}

/// A file for the output that has no name any more and goes away by itself.
fn nameless_file(place: &Place) -> Result<File, Error> {
    let path = place.root.join("initdb.log");
    let _ = fs::remove_file(&path);
    let file = File::options()
        .read(true)
        .append(true)
        .create_new(true)
        .open(&path)
        .map_err(Error::io("make", &path))?;
    fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_follows_the_version() {
        assert_eq!(
            locale(15, "C.UTF-8").join(" "),
            "--locale=C --lc-ctype=C.UTF-8 --locale-provider=libc"
        );
        assert!(locale(17, "C").contains(&"--locale-provider=builtin".to_owned()));
    }
}
