//! Reads that share a connection, and who has how many.

use std::time::Duration;

use crate::{
    connections::{gone, quiet},
    harness::Cluster,
};
use tenants::{Access, Identity, Lane, Lease, Reader};
use tokio::time::timeout;

/// Longer than anything here takes, so that a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(20);
const QUICK: &str = "select 1";

/// A part in a connection on which `text` has been quick.
async fn together<'a>(cluster: &Cluster, identity: &Identity, text: &'a str) -> Lane<'a> {
    for _ in 0..2 {
        match cluster.tenants.read(identity, text).await.unwrap() {
            Reader::Together(lane) => return lane,
            Reader::Alone(lease) => {
                learn(&lease, text).await;
                lease.finish();
            }
        }
    }
    panic!("it was quick and has a connection of its own");
}

/// Has the connection take `text` for quick.
async fn learn(lease: &Lease, text: &str) {
    lease.prepare_cached(text).await.unwrap();
    lease.rate(text, Duration::from_micros(50));
}

/// A connection of its own, for `text` is not known to be quick.
async fn alone(cluster: &Cluster, identity: &Identity, text: &str) -> Lease {
    match cluster.tenants.read(identity, text).await.unwrap() {
        Reader::Alone(lease) => lease,
        Reader::Together(_) => panic!("{text:?} was never quick"),
    }
}

async fn run(lane: &Lane<'_>, text: &str) -> Option<u64> {
    lane.run(async {
        let prepared = lane.lease().prepare_cached(text).await?;
        lane.lease().execute(&prepared, &[]).await
    })
    .await
}

async fn lease(cluster: &Cluster, identity: &Identity) -> Lease {
    let leased = cluster.tenants.lease(identity, Access::Write).await;
    leased.unwrap()
}

/// Whether there is another connection for `identity` within a tenth of a second.
async fn another(cluster: &Cluster, identity: &Identity) -> Option<Lease> {
    let soon = Duration::from_millis(100);
    timeout(soon, lease(cluster, identity)).await.ok()
}

#[tokio::test]
async fn quick_reads_of_one_tenant_share_a_connection() {
    let cluster = Cluster::new().await;
    let (ann, bob) = (cluster.tenant("ann").await, cluster.tenant("bob").await);
    alone(&cluster, &ann, QUICK).await.finish();
    let one = together(&cluster, &ann, QUICK).await;
    let two = together(&cluster, &ann, QUICK).await;
    assert_eq!(one.lease().pid(), two.lease().pid());
    assert_eq!(cluster.tenants.stats().in_use, 1);
    alone(&cluster, &ann, "select 2").await.finish();
    let bobs = together(&cluster, &bob, QUICK).await;
    assert_ne!(one.lease().pid(), bobs.lease().pid(), "another tenant");
    let answers = tokio::join!(run(&one, QUICK), run(&two, QUICK), run(&bobs, QUICK));
    assert_eq!(answers, (Some(1), Some(1), Some(1)));
    let pid = one.lease().pid();
    drop((one, two, bobs));
    assert_eq!(cluster.tenants.stats().in_use, 0, "without a look at it");
    let again = together(&cluster, &ann, QUICK).await;
    assert_eq!(again.lease().pid(), pid, "it went back as it was");
}

#[tokio::test]
async fn a_connection_takes_so_many_reads_and_no_more() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let mut lanes = Vec::new();
    lanes.push(together(&cluster, &ann, QUICK).await);
    let pid = lanes[0].lease().pid();
    while lanes.len() < 100 {
        // Whoever has an answer keeps it taking more.
        run(&lanes[0], QUICK).await.unwrap();
        let next = together(&cluster, &ann, QUICK).await;
        if next.lease().pid() != pid {
            break;
        }
        lanes.push(next);
    }
    assert_eq!(lanes.len(), 16);
}

#[tokio::test]
async fn a_slow_read_is_left_by_those_behind_it_and_is_not_followed() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let slow = "select pg_catalog.pg_sleep(600)";
    let head = together(&cluster, &ann, slow).await;
    learn(head.lease(), QUICK).await;
    let behind = together(&cluster, &ann, QUICK).await;
    let pid = head.lease().pid();
    assert_eq!(behind.lease().pid(), pid);
    let answers = timeout(PATIENCE, async {
        tokio::join!(run(&head, slow), run(&behind, QUICK))
    });
    assert_eq!(answers.await.expect("nobody waits for it"), (None, None));
    let next = cluster.tenants.read(&ann, QUICK).await.unwrap();
    let next = match &next {
        Reader::Together(lane) => lane.lease(),
        Reader::Alone(lease) => lease,
    };
    assert_ne!(next.pid(), pid);
    next.query_one(QUICK, &[]).await.unwrap();
    assert!(!head.lease().is_closed(), "somebody may be reading still");
    drop((head, behind));
    gone(&cluster, pid).await;
}

#[tokio::test]
async fn a_read_whose_caller_goes_away_leaves_the_others_their_answers() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let nap = "select pg_catalog.pg_sleep(0.3)";
    let head = together(&cluster, &ann, nap).await;
    learn(head.lease(), QUICK).await;
    let behind = together(&cluster, &ann, QUICK).await;
    let pid = behind.lease().pid();
    let sent = timeout(Duration::from_millis(10), head.lease().query_one(nap, &[])).await;
    assert!(sent.is_err(), "it is under way");
    drop(head);
    let answer = timeout(PATIENCE, behind.lease().query_one(QUICK, &[])).await;
    answer.expect("an answer").expect("a row");
    assert_eq!(run(&behind, QUICK).await, Some(1));
    let next = together(&cluster, &ann, QUICK).await;
    assert_ne!(next.lease().pid(), pid, "it takes no more");
    drop((behind, next));
    gone(&cluster, pid).await;
    quiet(&cluster).await;
}

#[tokio::test]
async fn a_failure_is_for_who_failed_alone() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let wrong = "select 1 / (random() * 0)::int";
    let one = together(&cluster, &ann, wrong).await;
    learn(one.lease(), QUICK).await;
    let two = together(&cluster, &ann, QUICK).await;
    assert_eq!(one.lease().pid(), two.lease().pid());
    let answers = tokio::join!(run(&one, wrong), run(&two, QUICK));
    assert_eq!(answers, (None, Some(1)));
    let pid = one.lease().pid();
    drop((one, two));
    quiet(&cluster).await;
    let again = lease(&cluster, &ann).await;
    assert_eq!(again.pid(), pid, "nothing was under way any more");
    again.finish();
    alone(&cluster, &ann, wrong).await.finish();
}

#[tokio::test]
async fn who_waits_for_a_place_gets_it_however_many_read() {
    let cluster = Cluster::with(|settings| {
        settings.limits.per_tenant = 1;
        settings.limits.alone_after = PATIENCE;
    })
    .await;
    let ann = cluster.tenant("ann").await;
    let mut lane = together(&cluster, &ann, QUICK).await;
    let reads = async {
        loop {
            run(&lane, QUICK).await;
            // The next one joins before this one leaves, so that the connection never comes free by itself.
            let soon = Duration::from_millis(20);
            match timeout(soon, together(&cluster, &ann, QUICK)).await {
                Ok(next) => lane = next,
                Err(_) => {
                    drop(lane);
                    lane = together(&cluster, &ann, QUICK).await;
                }
            }
        }
    };
    let write = timeout(PATIENCE, lease(&cluster, &ann));
    tokio::select! {
        () = reads => unreachable!("they go on"),
        lease = write => lease.expect("a place among the reads").finish(),
    }
}

#[tokio::test]
async fn who_is_alone_may_have_twice_as_many() {
    let cluster = Cluster::with(|settings| {
        settings.limits.per_tenant = 2;
        settings.limits.alone_after = Duration::from_secs(1);
    })
    .await;
    let (ann, bob) = (cluster.tenant("ann").await, cluster.tenant("bob").await);
    lease(&cluster, &bob).await.finish();
    let mut held = vec![lease(&cluster, &ann).await, lease(&cluster, &ann).await];
    assert!(another(&cluster, &ann).await.is_none(), "bob was here");
    let third = timeout(PATIENCE, async {
        loop {
            if let Some(lease) = another(&cluster, &ann).await {
                break lease;
            }
        }
    });
    held.push(third.await.expect("bob is long gone"));
    held.push(another(&cluster, &ann).await.expect("a fourth"));
    assert!(another(&cluster, &ann).await.is_none(), "four are the most");
    let bobs = another(&cluster, &bob).await.expect("not kept waiting");
    held.pop().unwrap().finish();
    assert!(another(&cluster, &ann).await.is_none(), "bob is here");
    held.pop().unwrap().finish();
    assert!(another(&cluster, &ann).await.is_none(), "two are its share");
    held.pop().unwrap().finish();
    held.push(another(&cluster, &ann).await.expect("one of two"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(another(&cluster, &ann).await.is_none(), "bob is at work");
    bobs.finish();
}
