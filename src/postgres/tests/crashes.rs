//! Starts after good and bad ends, and servers that die while we run.

use super::*;

#[tokio::test]
async fn starts_twice_and_keeps_the_data() {
    let folder = Folder::new();
    let options = Options::new(folder.data_dir());
    let begin = Instant::now();
    let server = Embedded::start(options.clone()).await.unwrap();
    println!(
        "first start of {}: {:?}",
        server.binaries().version,
        begin.elapsed()
    );
    assert!(server.is_fresh() && server.is_up());
    assert_eq!(server.note(), None);
    keep_a_row(&server).await;
    let client = connect(&server.superuser()).await.unwrap();
    for setting in settings::SETTINGS {
        let shown: String = client
            .query_one(
                "select reset_val from pg_settings where lower(name) = $1",
                &[&setting.name],
            )
            .await
            .unwrap_or_else(|_| panic!("{} is no setting", setting.name))
            .get(0);
        let same: bool = setting.value == shown
            || client
                .query_one(&format!("show {}", setting.name), &[])
                .await
                .unwrap()
                .get::<_, String>(0)
                == setting.value;
        assert!(same, "{} is {shown}", setting.name);
    }
    let row = client
        .query_one(
            "select lower('ÄÉß') = 'äéß', 'a' > 'B', current_setting('server_encoding')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), (true, true, "UTF8"));
    let socket_dir = server.socket_dir().metadata().unwrap();
    assert_eq!(socket_dir.mode() & 0o777, 0o700);
    let begin = Instant::now();
    server.stop().await;
    println!("stop: {:?}", begin.elapsed());
    assert!(!server.is_up());
    assert!(living_in(server.cluster()).is_empty());

    let begin = Instant::now();
    let server = Embedded::start(options).await.unwrap();
    println!("second start: {:?}", begin.elapsed());
    assert!(!server.is_fresh());
    assert_eq!(count(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn comes_back_after_kill_9() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    keep_a_row(&server).await;
    // A child that computes does not notice that the postmaster is gone.
    let busy = connect(&server.superuser()).await.unwrap();
    let busy = tokio::spawn(async move {
        busy.batch_execute("do $$ begin loop end loop; end $$")
            .await
            .unwrap_err()
    });
    for _ in 0..3 {
        let before = postmaster(server.cluster());
        let mut states = server.states();
        states.mark_unchanged();
        let begin = Instant::now();
        kill(before, Signal::KILL);
        states
            .wait_for(|state| *state == State::Down)
            .await
            .unwrap();
        states.wait_for(|state| *state == State::Up).await.unwrap();
        println!("back after: {:?}", begin.elapsed());
        assert_ne!(postmaster(server.cluster()), before);
        assert_eq!(count(&server).await, 1);
    }
    busy.await.unwrap();
    // The guard's own death is no different.
    let Some(guard) = guard_of(postmaster(server.cluster())) else {
        return server.stop().await;
    };
    let group = |pid: u32| rustix::process::getpgid(Pid::from_raw(pid.cast_signed())).unwrap();
    assert_eq!(group(guard).as_raw_nonzero().get().cast_unsigned(), guard);
    assert_ne!(group(guard), group(std::process::id()));
    let mut states = server.states();
    kill(guard, Signal::KILL);
    states
        .wait_for(|state| *state == State::Down)
        .await
        .unwrap();
    states.wait_for(|state| *state == State::Up).await.unwrap();
    assert_eq!(count(&server).await, 1);
    server.stop().await;
    assert!(living_in(server.cluster()).is_empty());
}

/// Somebody sends `SIGTERM` to the postmaster, which then waits for our own connections.
#[tokio::test]
async fn comes_back_after_a_smart_shutdown() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    keep_a_row(&server).await;
    let client = connect(&server.superuser()).await.unwrap();
    let mut states = server.states();
    kill(postmaster(server.cluster()), Signal::TERM);
    let down = states.wait_for(|state| *state == State::Down).await;
    drop(down.unwrap());
    states.wait_for(|state| *state == State::Up).await.unwrap();
    assert!(client.simple_query("select 1").await.is_err());
    assert_eq!(count(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_start_can_be_given_up() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    server.stop().await;
    let cluster = server.cluster().to_path_buf();
    let pid_file = cluster.join("postmaster.pid");
    tokio::select! {
        _ = Embedded::start(folder.options()) => panic!("it was to be given up"),
        () = async {
            while !pid_file.exists() {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    until("the folder to be free", || {
        Lock::take(&folder.data_dir()).is_ok()
    });
    assert!(living_in(&cluster).is_empty());
}

#[tokio::test]
async fn dies_with_us() {
    let folder = Folder::new();
    let mut other = Other::start(folder.data_dir().to_str().unwrap());
    let cluster = PathBuf::from(other.told("started "));
    assert!(!living_in(&cluster).is_empty());
    let error = Embedded::start(folder.options()).await.unwrap_err();
    let pid = other.child.id();
    assert!(matches!(error, Error::Held { by: Some(by), .. } if by == pid));
    let begin = Instant::now();
    other.kill();
    until("Postgres to end", || living_in(&cluster).is_empty());
    println!("gone after: {:?}", begin.elapsed());
    // It was a shutdown, not a crash.
    let log = fs::read_to_string(folder.data_dir().join("postgres.log")).unwrap();
    assert!(log.contains("shutdown request"), "{log}");

    let mut other = Other::start("scratch");
    let cluster = PathBuf::from(other.told("started "));
    let scratch = cluster.parent().unwrap().to_path_buf();
    other.kill();
    until("the scratch folder to go", || !scratch.exists());
    assert!(living_in(&cluster).is_empty());
}

/// A next start right after a `kill -9` minds neither a server that is still stopping
/// nor one that was killed along with its guard while a child of it computes.
#[tokio::test]
async fn starts_right_after_kill_9() {
    let folder = Folder::new();
    let data_dir = folder.data_dir();
    let mut other = Other::start(data_dir.to_str().unwrap());
    let cluster = PathBuf::from(other.told("started "));
    other.kill();

    let mut other = Other::start(data_dir.to_str().unwrap());
    other.told("started ");
    let config = supervise::config(&data_dir.join("socket"), "postgres", "postgres");
    let busy = connect(&config).await.unwrap();
    let row = busy.query_one("select pg_backend_pid()", &[]).await;
    let child: i32 = row.unwrap().get(0);
    let busy = tokio::spawn(async move {
        busy.batch_execute("do $$ begin loop end loop; end $$")
            .await
            .unwrap_err()
    });
    let watching = connect(&config).await.unwrap();
    let computes = "select 1 from pg_stat_activity where pid = $1 and state = 'active'";
    while watching
        .query(computes, &[&child])
        .await
        .unwrap()
        .is_empty()
    {}
    // The other process would start its server again, and end the child first.
    kill(other.child.id(), Signal::STOP);
    let head = postmaster(&cluster);
    if let Some(guard) = guard_of(head) {
        kill(guard, Signal::KILL);
    }
    kill(head, Signal::KILL);
    other.kill();
    assert!(living_in(&cluster).contains(&child.cast_unsigned()));
    let server = Embedded::start(folder.options()).await.unwrap();
    busy.await.unwrap();
    server.stop().await;
}

/// Only Postgres itself is left of an earlier run.
#[tokio::test]
async fn an_orphan_is_stopped() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    keep_a_row(&server).await;
    server.stop().await;
    let cluster = server.cluster().to_path_buf();
    let runner = runner::Runner::choose(Some(&cluster)).unwrap();
    let mut orphan = runner
        .command(server.binaries().dir.join("postgres"))
        .arg("-D")
        .arg(&cluster)
        .args(["-c", "listen_addresses="])
        .arg("-c")
        .arg(format!(
            "unix_socket_directories={}",
            server.socket_dir().display()
        ))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the orphan to start", || {
        fs::read_to_string(cluster.join("postmaster.pid")).is_ok_and(|text| text.contains("ready"))
    });
    // It has a client, for which a smart shutdown would wait.
    let client = connect(&server.superuser()).await.unwrap();
    let server = Embedded::start(folder.options()).await.unwrap();
    orphan.wait().unwrap();
    assert!(client.simple_query("select 1").await.is_err());
    assert_eq!(count(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_stale_pid_file_is_no_obstacle() {
    let folder = Folder::new();
    let server = Embedded::start(folder.options()).await.unwrap();
    keep_a_row(&server).await;
    server.stop().await;
    // The number now belongs to a stranger of the same user, who must not be hurt.
    let cluster = server.cluster().to_path_buf();
    let runner = runner::Runner::choose(Some(&cluster)).unwrap();
    let mut stranger = runner.command("sleep").arg("1000").spawn().unwrap();
    let pid_file = cluster.join("postmaster.pid");
    fs::write(
        &pid_file,
        format!("{}\n{}\n1\n5432\n", stranger.id(), cluster.display()),
    )
    .unwrap();
    fs::write(
        server.socket_dir().join(".s.PGSQL.5432.lock"),
        format!("{}\n", stranger.id()),
    )
    .unwrap();
    let server = Embedded::start(folder.options()).await.unwrap();
    assert_eq!(count(&server).await, 1);
    server.stop().await;
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
