//! The replay ledger from the tenant's side: what its functions do, and what nobody gets out of them.

use std::time::Duration;

use tenants::Access;
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::harness::Cluster;

const KEY: &str = "'\\x0101010101010101010101010101010101010101010101010101010101010101'";
const OTHER: &str = "'\\x0202020202020202020202020202020202020202020202020202020202020202'";

/// SQLSTATE of what fails.
fn code<T>(outcome: Result<T, tokio_postgres::Error>) -> String {
    match outcome {
        Ok(_) => "done".to_owned(),
        Err(error) => error
            .code()
            .map_or_else(|| error.to_string(), |state| state.code().to_owned()),
    }
}

/// Whether it was new, whether it was the same request, and the answer.
async fn claim(client: &Client, key: &str, request: &str) -> (bool, Option<bool>, Option<String>) {
    let sql = format!(
        "select fresh, same, encode(answer, 'escape') from _sandlot.claim(1::int2, {key}::bytea, {request}::bytea)"
    );
    let row = client.query_one(&sql, &[]).await.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

async fn store(client: &Client, key: &str, answer: &str) -> Result<(), tokio_postgres::Error> {
    let sql = format!("select _sandlot.store(1::int2, {key}::bytea, {answer}::bytea)");
    client.batch_execute(&sql).await
}

#[tokio::test]
async fn the_second_waits_for_the_first_and_reads_what_it_stored() {
    let cluster = Cluster::new().await;
    let alice = cluster.tenant("alice").await;
    let (first, second) = (
        cluster.raw(&alice).await.unwrap(),
        cluster.raw(&alice).await.unwrap(),
    );
    first.batch_execute("begin").await.unwrap();
    assert_eq!(claim(&first, KEY, KEY).await, (true, None, None));
    let waiting = claim(&second, KEY, KEY);
    tokio::pin!(waiting);
    assert!(
        timeout(Duration::from_millis(300), &mut waiting)
            .await
            .is_err()
    );
    store(&first, KEY, "'hello'").await.unwrap();
    first.batch_execute("commit").await.unwrap();
    assert_eq!(waiting.await, (false, Some(true), Some("hello".to_owned())));
    // Another request under the key learns nothing of the answer.
    assert_eq!(claim(&second, KEY, OTHER).await, (false, Some(false), None));

    // What is rolled back is free again.
    first.batch_execute("begin").await.unwrap();
    assert!(claim(&first, OTHER, KEY).await.0);
    first.batch_execute("rollback").await.unwrap();
    assert!(claim(&second, OTHER, KEY).await.0);

    // The longest wait is ten seconds.
    let lock_timeout: String = second
        .query_one(
            "select array_to_string(proconfig, ';') from pg_proc where proname = 'claim'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(lock_timeout.contains("lock_timeout=10s"), "{lock_timeout}");
}

#[tokio::test]
async fn an_answer_is_stored_once_by_the_transaction_that_claimed_and_is_bounded() {
    let cluster = Cluster::new().await;
    let alice = cluster.tenant("alice").await;
    let client = cluster.raw(&alice).await.unwrap();
    client.batch_execute("begin").await.unwrap();
    claim(&client, KEY, KEY).await;
    store(&client, KEY, "'one'").await.unwrap();
    client.batch_execute("savepoint s").await.unwrap();
    assert_eq!(code(store(&client, KEY, "'two'").await), "55000");
    client.batch_execute("rollback to s").await.unwrap();
    let long = "convert_to(repeat('x', 300000), 'UTF8')";
    claim(&client, OTHER, KEY).await;
    assert_eq!(code(store(&client, OTHER, long).await), "54000");
    client.batch_execute("rollback to s; commit").await.unwrap();
    // Afterwards nobody changes it any more.
    assert_eq!(code(store(&client, KEY, "'three'").await), "55000");
    let answer = claim(&client, KEY, KEY).await.2;
    assert_eq!(answer.as_deref(), Some("one"));
}

#[tokio::test]
async fn one_tenant_has_nothing_of_anothers_and_nobody_reaches_the_table() {
    let cluster = Cluster::new().await;
    let (alice, bob) = (cluster.tenant("alice").await, cluster.tenant("bob").await);
    let (hers, his) = (
        cluster.raw(&alice).await.unwrap(),
        cluster.raw(&bob).await.unwrap(),
    );
    hers.batch_execute("begin").await.unwrap();
    claim(&hers, KEY, KEY).await;
    store(&hers, KEY, "'hers'").await.unwrap();
    hers.batch_execute("commit").await.unwrap();

    // The same key is another one for him, and his answer does not become hers.
    his.batch_execute("begin").await.unwrap();
    assert!(claim(&his, KEY, KEY).await.0);
    store(&his, KEY, "'his'").await.unwrap();
    his.batch_execute("commit").await.unwrap();
    assert_eq!(claim(&hers, KEY, KEY).await.2.as_deref(), Some("hers"));

    for sql in [
        "select * from _sandlot.replies",
        "insert into _sandlot.replies (role) values ('x')",
        "update _sandlot.replies set answer = null",
        "delete from _sandlot.replies",
        "truncate _sandlot.replies",
        "begin; lock table _sandlot.replies in access share mode",
        "copy _sandlot.replies to stdout",
        "create trigger x before insert on _sandlot.replies for each row execute function suppress_redundant_updates_trigger()",
        "create index on _sandlot.replies (key)",
        "create table _sandlot.mine (i int)",
        "create function _sandlot.claim(int) returns int language sql as 'select 1'",
        "create or replace function _sandlot.store(a_space int2, a_key bytea, an_answer bytea) returns void language sql as ''",
        "alter function _sandlot.claim(int2, bytea, bytea) security invoker",
        "alter function _sandlot.claim(int2, bytea, bytea) set search_path = public",
        "grant all on _sandlot.replies to public",
    ] {
        assert_eq!(code(his.batch_execute(sql).await), "42501", "{sql}");
        his.batch_execute("rollback").await.unwrap();
    }
    let keeper = format!(
        "{}_ledger",
        cluster.tenants.settings().platform.get_user().unwrap()
    );
    let switch = format!("set role \"{keeper}\"");
    assert_eq!(code(his.batch_execute(&switch).await), "42501");
}

#[tokio::test]
async fn names_and_operators_of_a_tenants_own_do_not_reach_the_functions() {
    let cluster = Cluster::new().await;
    let (alice, bob) = (cluster.tenant("alice").await, cluster.tenant("bob").await);
    let hers = cluster.raw(&alice).await.unwrap();
    claim(&hers, KEY, KEY).await;
    let his = cluster.raw(&bob).await.unwrap();
    his.batch_execute(&format!(
        "set search_path = {schema}, pg_catalog;
         create table {schema}.replies (role name, space int2, key bytea, request bytea, writer xid8, expires_at timestamptz, answer bytea);
         create function {schema}.yes(name, name) returns bool language sql immutable as 'select true';
         create function {schema}.yes(bytea, bytea) returns bool language sql immutable as 'select true';
         create operator {schema}.= (leftarg = name, rightarg = name, function = {schema}.yes);
         create operator {schema}.= (leftarg = bytea, rightarg = bytea, function = {schema}.yes);
         create function {schema}.now() returns timestamptz language sql as $$ select 'infinity'::timestamptz $$;
         create function {schema}.octet_length(bytea) returns int language sql as 'select 32'",
        schema = bob.schema
    ))
    .await
    .unwrap();
    assert!(claim(&his, KEY, KEY).await.0, "he was given her entry");
    let sql = "select _sandlot.claim(1::int2, 'short'::bytea, 'short'::bytea)";
    assert_eq!(code(his.batch_execute(sql).await), "42501");
}

#[tokio::test]
async fn a_loop_that_fills_and_rolls_back_is_stopped() {
    let cluster = Cluster::new().await;
    let alice = cluster.tenant("alice").await;
    let client = cluster.raw(&alice).await.unwrap();
    let filling = "do $$ begin
        for i in 1 .. 6000 loop
            begin
                perform _sandlot.claim(1::int2, sha256(i::text::bytea), sha256('x'));
                raise division_by_zero;
            exception when division_by_zero then null;
            end;
        end loop;
    end $$";
    assert_eq!(code(client.batch_execute(filling).await), "53400");
    let kept = "do $$ begin perform _sandlot.claim(1::int2, sha256(i::text::bytea), sha256('x'))
        from generate_series(1, 6000) i; end $$";
    let client = cluster.raw(&alice).await.unwrap();
    assert_eq!(code(client.batch_execute(kept).await), "53400");

    // What stays counts against the tenant's quota. The bound is the session's, over a second.
    let client = cluster.raw(&alice).await.unwrap();
    let measure = || cluster.tenants.measure(&alice.schema, &alice.role);
    let before = measure().await.unwrap().unwrap();
    client.batch_execute("begin").await.unwrap();
    claim(&client, KEY, KEY).await;
    store(&client, KEY, "convert_to(repeat('x', 200000), 'UTF8')")
        .await
        .unwrap();
    client.batch_execute("commit").await.unwrap();
    let grown = measure().await.unwrap().unwrap() - before;
    assert!((200_000..210_000).contains(&grown), "{grown}");
}

#[tokio::test]
async fn who_is_no_tenant_has_no_ledger_and_a_tenants_goes_with_it() {
    let cluster = Cluster::new().await;
    let alice = cluster.tenant("alice").await;
    let lease = cluster.tenants.lease(&alice, Access::Write).await.unwrap();
    claim(&lease, KEY, KEY).await;
    lease.finish();
    let superuser = cluster.superuser().await;
    let entries = async || {
        let row = superuser.query_one("select count(*) from _sandlot.replies", &[]);
        row.await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(entries().await, 1);
    cluster
        .tenants
        .remove(&alice.schema, &alice.role)
        .await
        .unwrap();
    assert_eq!(entries().await, 0);
    let reader = cluster.raw(&cluster.tenants.reader()).await.unwrap();
    let sql = format!("select _sandlot.claim(1::int2, {KEY}::bytea, {KEY}::bytea)");
    assert_eq!(code(reader.batch_execute(&sql).await), "42501");
    assert_eq!(code(superuser.batch_execute(&sql).await), "42501");
    // Prepared again, nothing of it changes.
    cluster.tenants.prepare(None).await.unwrap();
    assert_eq!(code(reader.batch_execute(&sql).await), "42501");
}
