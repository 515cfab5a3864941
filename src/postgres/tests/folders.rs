//! Where the files are, who owns them, and how they are reached.

use std::os::unix::fs::{DirBuilderExt, lchown};

use super::*;

#[tokio::test]
async fn one_server_per_folder() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    let error = Embedded::start(folder.options()).await.unwrap_err();
    let me = std::process::id();
    assert!(matches!(error, Error::Held { by: Some(pid), .. } if pid == me));
    assert!(server.is_up());
    server.stop().await;
}

#[tokio::test]
async fn the_address_is_understood_by_all() {
    use std::str::FromStr;

    let server = Embedded::start(Options::scratch().unwrap()).await.unwrap();
    let url = server.url("postgres", "template1");
    let client = connect(&url.parse().unwrap()).await.unwrap();
    let row = client.query_one("select current_database()", &[]).await;
    assert_eq!(row.unwrap().get::<_, &str>(0), "template1");
    let parsed = sea_orm::sqlx::postgres::PgConnectOptions::from_str(&url).unwrap();
    assert_eq!(parsed.get_socket().unwrap(), server.socket_dir());
    let database = sea_orm::Database::connect(&url).await.unwrap();
    database.ping().await.unwrap();
    let psql = server.binaries().dir.join("psql");
    if psql.exists() {
        let out = Command::new(psql)
            .args(["-Atc", "select 7", &url])
            .output()
            .unwrap();
        assert_eq!(out.stdout, b"7\n", "{out:?}");
    }
    let data_dir = server.started.data_dir.clone();
    server.stop().await;
    assert!(!data_dir.exists());
}

#[tokio::test]
async fn a_wrong_setting_is_told() {
    let folder = Folder::new();
    let options = Options {
        settings: vec![("shared_buffers".to_owned(), "plenty".to_owned())],
        ..folder.options()
    };
    let error = Embedded::start(options).await.unwrap_err().to_string();
    assert!(error.contains("ended with status 1"), "{error}");
    assert!(error.contains("invalid value for parameter"), "{error}");
    let server = Embedded::start(folder.options()).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_killed_initdb_is_redone() {
    let folder = Folder::new();
    let data_dir = folder.data_dir();
    let unfinished = || {
        let entries = fs::read_dir(&data_dir).into_iter().flatten().flatten();
        entries
            .filter(|entry| {
                let name = entry.file_name();
                name.to_str().unwrap().starts_with(initdb::UNFINISHED)
            })
            .any(|entry| entry.path().join("PG_VERSION").exists())
    };
    let other = Other::start(data_dir.to_str().unwrap());
    until("initdb to begin", unfinished);
    other.kill();
    assert!(!data_dir.join("postgres").exists());
    let server = Embedded::start(folder.options()).await.unwrap();
    assert!(server.is_fresh());
    server.stop().await;
    // What is left of the first goes at the latest with the next one that is made.
    until("initdb to tidy up", || !unfinished());
}

#[tokio::test]
async fn long_and_odd_paths() {
    let folder = Folder::new();
    let odd = folder.data_dir().join("a \"b\", 'c' % é");
    let long = folder.data_dir().join("long".repeat(30));
    for data_dir in [odd, long] {
        let options = Options {
            durable: false,
            ..Options::new(&data_dir)
        };
        let server = Embedded::start(options).await.unwrap();
        let socket = server.socket_dir().join(".s.PGSQL.5432");
        assert!(socket.exists());
        assert!(socket.as_os_str().len() <= 103);
        keep_a_row(&server).await;
        let database = sea_orm::Database::connect(server.url("postgres", "postgres"));
        database.await.unwrap().ping().await.unwrap();
        let socket_dir = server.socket_dir().to_path_buf();
        server.stop().await;
        assert_eq!(
            socket_dir.exists(),
            socket_dir.starts_with(data_dir.canonicalize().unwrap())
        );
    }
}

/// A checkout under a home of mode 0700, started as root.
#[tokio::test]
async fn an_unreachable_folder() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = Folder::with_mode(0o700);
    let server = Embedded::start(folder.options()).await.unwrap();
    let note = server.note().unwrap();
    let own = server.cluster().parent().unwrap().to_path_buf();
    assert!(note.contains(own.to_str().unwrap()), "{note}");
    assert!(!own.starts_with(folder.0.path()));
    let found = own.metadata().unwrap();
    assert_eq!(found.mode() & 0o777, 0o700);
    assert_ne!(found.uid(), 0);
    let _removed = Removed(own.clone());
    keep_a_row(&server).await;
    server.stop().await;
    let server = Embedded::start(folder.options()).await.unwrap();
    assert_eq!(server.cluster().parent().unwrap(), own);
    assert_eq!(count(&server).await, 1);
    server.stop().await;
    fs::remove_dir_all(&own).unwrap();
    let error = Embedded::start(folder.options()).await.unwrap_err();
    assert!(error.to_string().contains("is gone"), "{error}");
}

/// An ordinary user runs it as itself, and root goes on as that user.
#[tokio::test]
async fn as_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // Postgres insists on a user that has a name.
    let uid = id_of("daemon");
    let folder = Folder::new();
    let data_dir = folder.data_dir();
    fs::DirBuilder::new().mode(0o700).create(&data_dir).unwrap();
    lchown(&data_dir, Some(uid), Some(uid)).unwrap();
    let mut other = Other::start_as(uid, &folder, data_dir.to_str().unwrap());
    let cluster = PathBuf::from(other.told("started "));
    assert_eq!(cluster.metadata().unwrap().uid(), uid);
    let owner = fs::metadata(format!("/proc/{}", postmaster(&cluster))).unwrap();
    assert_eq!(owner.uid(), uid);
    other.kill();
    let server = Embedded::start(folder.options()).await.unwrap();
    let owner = fs::metadata(format!("/proc/{}", postmaster(&cluster))).unwrap();
    assert_eq!(owner.uid(), uid);
    assert_eq!(server.note(), None);
    server.stop().await;
    // What root made, the ordinary user is told it can't use.
    let mut other = Other::start_as(id_of("nobody"), &folder, data_dir.to_str().unwrap());
    other.told("failed ");
    other.child.wait().unwrap();
}
