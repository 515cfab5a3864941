//! What was is there again: all of it, users and what the tenant has made of the template too.

use std::time::{Duration, Instant};

use tenants::{
    Error,
    certify::{Certificate, Digest, Verdict},
    names, script,
};

use crate::stage::{EVERYTHING, SHOP, Stage};

const LIMIT: Duration = Duration::from_secs(60);

async fn digest(stage: &Stage) -> Digest {
    stage
        .cluster
        .tenants
        .digest(&stage.ann, "public", LIMIT)
        .await
        .unwrap()
}

async fn assert_same(stage: &Stage, before: &Digest) {
    let certificate = Certificate::compare(before, &digest(stage).await);
    assert_eq!(
        certificate.verdict,
        Verdict::Identical,
        "{:#?}",
        certificate.differences
    );
}

#[tokio::test]
async fn what_was_is_there_again() {
    let stage = Stage::new(SHOP).await;
    let tenants = &stage.cluster.tenants;
    stage
        .run(
            "insert into users (id, email, password_hash) values (5, 'ann@example.org', 'h'), (6, 'bob@example.org', 'h');
             update shelves set keeper = 5 where id = 1; delete from goods where id < 100; refresh materialized view counts;
             create table own (id serial, who bigint not null references users);
             insert into own (who) values (5), (6);
             create function mine() returns bigint language sql as 'select count(*) from own';
             create view seen as select mine() as n",
        )
        .await;
    let before = digest(&stage).await;
    let snapshot = names::fresh_snapshot();
    assert_eq!(
        tenants
            .snapshot(&stage.ann, &snapshot, LIMIT)
            .await
            .unwrap(),
        []
    );
    assert_same(&stage, &before).await;

    stage
        .run("drop table goods cascade; delete from own; update users set email = 'x' where id = 6; create table later (i int)")
        .await;
    for _ in 0..2 {
        assert_eq!(
            tenants.restore(&stage.ann, &snapshot, LIMIT).await.unwrap(),
            []
        );
        assert_same(&stage, &before).await;
        assert_eq!(stage.one::<i64>("select n from seen").await, 2);
        assert_eq!(
            stage
                .one::<i64>("select keeper from shelves where id = 1")
                .await,
            5
        );
        let users = "select string_agg(email, ' ' order by id) from users";
        assert_eq!(
            stage.one::<String>(users).await,
            "ann@example.org bob@example.org"
        );
        stage.assert_no_more_schemas(&[&snapshot]).await;
        stage
            .run("insert into own (who) values (6); drop view seen")
            .await;
        assert_eq!(stage.one::<i32>("select max(id) from own").await, 3);
    }

    // A reset knows that this is no copy of the template any more.
    assert!(stage.reset(None).await.unwrap().whole);
    assert_eq!(stage.one::<i64>("select count(*) from users").await, 2);
    tenants.delete_snapshot(&snapshot).await.unwrap();
    tenants.delete_snapshot(&snapshot).await.unwrap();
    stage.assert_green("reset").await;
    let error = tenants
        .restore(&stage.ann, &snapshot, LIMIT)
        .await
        .unwrap_err();
    assert!(matches!(error, script::Error::NoSchema(_)), "{error}");
    assert!(tenants.delete_snapshot(&stage.ann.schema).await.is_err());
    assert!(tenants.delete_snapshot("_sandlot").await.is_err());
}

#[tokio::test]
async fn everything_is_there_again() {
    let stage = Stage::new(EVERYTHING).await;
    let tenants = &stage.cluster.tenants;
    stage
        .run("insert into users (email, name) values ('a@example.org', 'a')")
        .await;
    let before = digest(&stage).await;
    let snapshot = names::fresh_snapshot();
    assert_eq!(
        tenants
            .snapshot(&stage.ann, &snapshot, LIMIT)
            .await
            .unwrap(),
        []
    );
    stage.run("drop table clients cascade").await;
    tenants.restore(&stage.ann, &snapshot, LIMIT).await.unwrap();
    assert_same(&stage, &before).await;
    assert_eq!(stage.one::<i64>("select count(*) from users").await, 1);
    tenants.delete_snapshot(&snapshot).await.unwrap();
    stage.assert_green("restored").await;
}

#[tokio::test]
async fn a_snapshot_is_out_of_its_tenants_reach() {
    let stage = Stage::new(SHOP).await;
    let snapshot = names::fresh_snapshot();
    let tenants = &stage.cluster.tenants;
    tenants
        .snapshot(&stage.ann, &snapshot, LIMIT)
        .await
        .unwrap();
    for sql in [
        "select * from S.goods",
        "drop table S.goods",
        "create table S.mine (i int)",
        "drop schema S cascade",
    ] {
        let error = stage
            .try_run(&sql.replace('S', &snapshot))
            .await
            .unwrap_err();
        assert_eq!(error.state().unwrap().code(), "42501", "{sql}");
    }
    // It takes nothing to remove it, and nothing of it holds the role.
    tenants.delete_snapshot(&snapshot).await.unwrap();
    tenants
        .remove(&stage.ann.schema, &stage.ann.role)
        .await
        .unwrap();
    let superuser = stage.cluster.superuser().await;
    let left = "select count(*) from pg_roles where rolname = $1";
    let left: i64 = superuser
        .query_one(left, &[&stage.ann.role])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn code_that_never_ends_is_ended() {
    let stage = Stage::new(SHOP).await;
    stage
        .run(
            "create function slow(i int) returns int language plpgsql immutable as
                 'begin loop begin perform pg_sleep(1); exception when query_canceled then null; end; end loop; end';
             create table slowed (i int, j int generated always as (case when i > 0 then slow(i) else 0 end) stored);
             insert into slowed values (0);
             create table fast (i int)",
        )
        .await;
    let snapshot = names::fresh_snapshot();
    let tenants = &stage.cluster.tenants;
    tenants
        .snapshot(&stage.ann, &snapshot, LIMIT)
        .await
        .unwrap();
    tenants.delete_snapshot(&snapshot).await.unwrap();
    // A generated value is computed anew in a copy; this one by now takes for ever.
    stage
        .run("create or replace function slow(i int) returns int language sql immutable as 'select 1'; insert into slowed values (1);
              create or replace function slow(i int) returns int language plpgsql immutable as
                 'begin loop begin perform pg_sleep(1); exception when query_canceled then null; end; end loop; end'")
        .await;
    let start = Instant::now();
    let error = tenants
        .snapshot(&stage.ann, &snapshot, Duration::from_millis(1500))
        .await
        .unwrap_err();
    assert!(
        matches!(error, script::Error::Tenants(Error::Timeout { .. })),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(20));
    stage.assert_no_more_schemas(&[]).await;
}
