//! Pools, the watchdog and the state a session comes back in, on a real server.

use std::{future::pending, sync::Arc, time::Duration};

use crate::harness::Cluster;
use tenants::{Access, Credentials, Error, Identity, Lease};
use tokio::{sync::Barrier, time::timeout};

/// Longer than anything here takes, so that a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(20);

async fn write(cluster: &Cluster, identity: &Identity) -> Lease {
    cluster
        .tenants
        .lease(identity, Access::Write)
        .await
        .unwrap()
}

/// Returns once `pid` is no backend any more.
pub async fn gone(cluster: &Cluster, pid: i32) {
    let client = cluster.superuser().await;
    let there = "select count(*) from pg_stat_activity where pid = $1";
    let wait = async {
        while client
            .query_one(there, &[&pid])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the backend is ended");
}

/// Returns once no place of the pool is taken.
pub async fn quiet(cluster: &Cluster) {
    let wait = async {
        while cluster.tenants.stats().in_use > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait)
        .await
        .expect("every lease comes back");
}

#[tokio::test]
async fn a_finished_connection_is_used_again() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let lease = write(&cluster, &ann).await;
    let pid = lease.pid();
    let first = lease.prepare_cached("select 1").await.unwrap();
    lease.query_one(&first, &[]).await.unwrap();
    lease.finish();
    let lease = write(&cluster, &ann).await;
    assert_eq!(lease.pid(), pid);
    lease.prepare_cached("select 1").await.unwrap();
    let kept: i64 = lease
        .query_one(
            "select count(*) from pg_prepared_statements where statement = 'select 1'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept, 1, "prepared once");
}

#[tokio::test]
async fn a_session_that_was_changed_is_not_used_again() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    for (sql, kept) in [
        ("select 1", true),
        ("set local statement_timeout = 1", true),
        ("rollback", true),
        ("do $$ begin raise exception 'no' ; end $$", true),
        ("set search_path = pg_catalog", false),
        ("select set_config('statement_timeout', '0', false)", false),
        ("set my.own = 'x'", true),
        (
            "do $$ begin if current_setting('my.own') <> '' then raise 'kept'; end if; end $$",
            true,
        ),
        ("reset role", true),
        ("prepare mine as select 1", false),
        ("deallocate all", false),
        ("declare c cursor with hold for select 1", false),
        ("listen news", false),
    ] {
        let lease = write(&cluster, &ann).await;
        let pid = lease.pid();
        lease.begin().await.unwrap();
        let outcome = lease.execute(sql, &[]).await;
        match outcome {
            Ok(_) => lease.commit().await.unwrap(),
            Err(error) => assert!(sql.contains("'no'"), "{sql}: {error:?}"),
        }
        lease.finish_raw();
        quiet(&cluster).await;
        let again = write(&cluster, &ann).await;
        assert_eq!(again.pid() == pid, kept, "{sql}");
        again.finish();
    }
}

#[tokio::test]
async fn an_open_transaction_is_rolled_back_before_anybody_else_has_the_connection() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let lease = write(&cluster, &ann).await;
    lease.batch_execute("create table t (i int)").await.unwrap();
    let pid = lease.pid();
    lease.begin().await.unwrap();
    lease
        .execute("insert into t values (1)", &[])
        .await
        .unwrap();
    // Finished too early: that is no way to leave it open.
    lease.finish();
    quiet(&cluster).await;
    let lease = write(&cluster, &ann).await;
    assert_eq!(lease.pid(), pid);
    assert_eq!(
        lease
            .query_one("select count(*) from t", &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
    // A transaction that nobody announced, dropped without a word.
    lease
        .batch_execute("begin; insert into t values (2)")
        .await
        .unwrap();
    drop(lease);
    quiet(&cluster).await;
    let lease = write(&cluster, &ann).await;
    assert_eq!(
        lease
            .query_one("select count(*) from t", &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
}

#[tokio::test]
async fn read_access_does_not_write() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let lease = cluster.tenants.lease(&ann, Access::Read).await.unwrap();
    lease.begin().await.unwrap();
    let refused = lease
        .batch_execute("create table t (i int)")
        .await
        .unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006");
}

#[tokio::test]
async fn the_watchdog_ends_what_swallows_its_cancel() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let lease = write(&cluster, &ann).await;
    let pid = lease.pid();
    let stubborn = "set statement_timeout = 0; set client_connection_check_interval = 0;
        do $$ begin loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop; end $$";
    let limit = Duration::from_millis(100);
    let outcome = lease.run(limit, lease.batch_execute(stubborn)).await;
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
    assert_eq!(
        cluster.tenants.stats().in_use,
        1,
        "its place is not free while it runs"
    );
    lease.finish();
    gone(&cluster, pid).await;
    quiet(&cluster).await;
    let next = write(&cluster, &ann).await;
    assert_ne!(next.pid(), pid);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_query_with_it() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let lease = write(&cluster, &ann).await;
    let pid = lease.pid();
    let work = async move {
        let _ = lease
            .run(PATIENCE, lease.batch_execute("select pg_sleep(600)"))
            .await;
    };
    tokio::select! {
        () = work => unreachable!("it sleeps"),
        () = running(&cluster, pid) => {}
    }
    gone(&cluster, pid).await;
    quiet(&cluster).await;
    assert_eq!(cluster.tenants.stats().open, 0);
}

/// Returns once `pid` executes something.
async fn running(cluster: &Cluster, pid: i32) {
    let client = cluster.superuser().await;
    let active = "select count(*) from pg_stat_activity where pid = $1 and state = 'active'";
    while client
        .query_one(active, &[&pid])
        .await
        .unwrap()
        .get::<_, i64>(0)
        == 0
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_tenant_cannot_take_all_places() {
    let cluster = Cluster::with(|settings| {
        settings.limits.connections = 4;
        settings.limits.per_tenant = 4;
    })
    .await;
    let (ann, bob) = (cluster.tenant("ann").await, cluster.tenant("bob").await);
    let arrived = Arc::new(Barrier::new(4));
    let mut greedy = Vec::new();
    for _ in 0..500 {
        let (tenants, ann, arrived) = (cluster.tenants.clone(), ann.clone(), arrived.clone());
        greedy.push(tokio::spawn(async move {
            let lease = tenants.lease(&ann, Access::Write).await.unwrap();
            arrived.wait().await;
            let _ = lease
                .run(PATIENCE * 10, pending::<Result<(), Error>>())
                .await;
        }));
    }
    // Three of the four places are all that ann may hold; the fourth waits for somebody who has none.
    timeout(PATIENCE, arrived.wait())
        .await
        .expect("three of ann's are at work");
    assert_eq!(cluster.tenants.stats().in_use, 3);
    for _ in 0..20 {
        let lease = timeout(PATIENCE, write(&cluster, &bob))
            .await
            .expect("bob does not wait for ann");
        lease.query_one("select 1", &[]).await.unwrap();
        lease.finish();
    }
    assert!(
        greedy.iter().all(|task| !task.is_finished()),
        "all of ann's requests are still there"
    );
    greedy.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn idle_connections_of_others_make_room() {
    let cluster = Cluster::with(|settings| settings.limits.connections = 2).await;
    let mut pids = Vec::new();
    for name in ["ann", "bob", "cyd", "ann2"] {
        let tenant = cluster.tenant(name).await;
        let lease = timeout(PATIENCE, write(&cluster, &tenant))
            .await
            .expect("room is made");
        pids.push(lease.pid());
        lease.finish();
        assert!(cluster.tenants.stats().open <= 2);
    }
    gone(&cluster, pids[0]).await;
}

#[tokio::test]
async fn waiting_has_an_end() {
    let cluster = Cluster::with(|settings| {
        settings.limits.per_tenant = 1;
        settings.limits.queue = 1;
        settings.limits.wait = Duration::from_millis(50);
    })
    .await;
    let ann = cluster.tenant("ann").await;
    let held = write(&cluster, &ann).await;
    let (first, second) = tokio::join!(
        cluster.tenants.lease(&ann, Access::Read),
        cluster.tenants.lease(&ann, Access::Read)
    );
    assert!(matches!(first, Err(Error::Busy)));
    assert!(matches!(second, Err(Error::Busy)));
    held.finish();
    write(&cluster, &ann).await.finish();
    cluster.tenants.close().await;
    assert!(matches!(
        cluster.tenants.lease(&ann, Access::Read).await,
        Err(Error::Closed)
    ));
    assert_eq!(cluster.tenants.stats().open, 0);
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let cluster = Cluster::with(|settings| settings.limits.idle = Duration::from_millis(50)).await;
    let ann = cluster.tenant("ann").await;
    let lease = write(&cluster, &ann).await;
    let pid = lease.pid();
    lease.finish();
    gone(&cluster, pid).await;
}

#[tokio::test]
async fn a_broken_idle_connection_is_replaced() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let lease = write(&cluster, &ann).await;
    let pid = lease.pid();
    lease.finish();
    cluster
        .superuser()
        .await
        .execute("select pg_terminate_backend($1, 5000)", &[&pid])
        .await
        .unwrap();
    gone(&cluster, pid).await;
    // The socket's end is noticed by the connection's own task, which runs in between.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let fresh = write(&cluster, &ann).await;
    assert_ne!(fresh.pid(), pid);
    fresh.query_one("select 1", &[]).await.unwrap();
}

#[tokio::test]
async fn a_role_that_locked_itself_out_still_gets_in() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let first = write(&cluster, &ann).await;
    let database = cluster
        .tenants
        .settings()
        .platform
        .get_dbname()
        .unwrap()
        .to_owned();
    for sql in [
        "set local_preload_libraries = 'nosuch'",
        "set statement_timeout = 1",
        "set default_transaction_read_only = on",
        "set default_transaction_isolation = 'serializable'",
        "set search_path = 'nowhere'",
        "set role = 'postgres'",
        "set idle_in_transaction_session_timeout = 1",
        "set client_encoding = 'LATIN1'",
        "set \"TimeZone\" = 'Asia/Tokyo'",
    ] {
        first
            .batch_execute(&format!("alter role {} {sql}", ann.role))
            .await
            .unwrap();
        first
            .batch_execute(&format!(
                "alter role {} in database {database} {sql}",
                ann.role
            ))
            .await
            .unwrap();
    }
    assert!(
        cluster.raw(&ann).await.is_err(),
        "past the pool it is locked out"
    );
    // The first is still on loan, so this one has to log in.
    let lease = write(&cluster, &ann).await;
    lease.begin().await.unwrap();
    lease.batch_execute("create table t (i int)").await.unwrap();
    lease.commit().await.unwrap();
    let row = lease
        .query_one(
            "select current_setting('search_path'), current_setting('TimeZone')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        row.get::<_, String>(0),
        format!("\"{}\", _extensions", ann.schema)
    );
    assert_eq!(row.get::<_, String>(1), "UTC");
    lease.finish();
    assert!(
        cluster.raw(&ann).await.is_err(),
        "the startup packet was enough, nothing had to be healed"
    );
    cluster.tenants.heal(&ann.role).await.unwrap();
    assert!(cluster.raw(&ann).await.is_ok(), "healed");
}

#[tokio::test]
async fn a_changed_password_is_put_back() {
    let cluster = Cluster::with(|settings| {
        settings
            .platform
            .user("scram_platform")
            .dbname("scram_tenants");
        settings.credentials = Credentials::Derived([7; 32]);
    })
    .await;
    let ann = cluster.tenant("ann").await;
    assert!(cluster.raw(&ann).await.is_err(), "no password, no entry");
    let lease = write(&cluster, &ann).await;
    lease
        .batch_execute(&format!("alter role {} password 'mine'", ann.role))
        .await
        .unwrap();
    let held = write(&cluster, &ann).await;
    held.query_one("select 1", &[]).await.unwrap();
    let mut config = cluster.tenants.settings().platform.clone();
    config.user(&ann.role).password("mine");
    assert!(
        crate::harness::connect(&config).await.is_err(),
        "the platform's password is in force again"
    );
}
