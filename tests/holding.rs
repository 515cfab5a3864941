//! What one tenant, or a client that leaves, can hold up or leave behind.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::harness::{Server, Tenant};

async fn sql(tenant: &Tenant, query: &str) -> Value {
    let answer = tenant
        .admin
        .post("/api/v1/sql", &json!({ "query": query }))
        .await;
    answer.expect(200).json()
}

#[tokio::test]
async fn a_tenant_that_is_locked_for_long_does_not_hold_the_others_up() {
    let server = Server::start().await;
    let locked = server.tenant("locked").await;
    let other = server.tenant("other").await;
    // As long as a reset of it holds its row.
    let platform = server.platform_superuser().await;
    platform.batch_execute("begin").await.unwrap();
    let row = "select 1 from tenants where id = $1 for no key update";
    platform.query_one(row, &[&locked.id]).await.unwrap();

    let change = json!({"open_signup": true});
    let changes = (0..20).map(|_| locked.admin.patch("/api/tenant/settings", &change));
    let reads = async {
        sleep(Duration::from_millis(200)).await;
        for _ in 0..3 {
            other.admin.get("/api/v1/countries/1").await.expect(200);
        }
    };
    let (refused, ()) = tokio::join!(join_all(changes), reads);
    for answer in refused {
        let answer = answer.expect(503);
        assert_eq!(answer.header("retry-after"), "1");
    }
    platform.batch_execute("rollback").await.unwrap();
    locked
        .admin
        .patch("/api/tenant/settings", &change)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_reset_goes_on_without_its_client() {
    let server = Server::start().await;
    let tenant = server.tenant("left").await;
    sql(&tenant, "update clients set name = 'changed'").await;
    let role = server.connect_as(&server.role(&tenant).await).await;
    let lock = format!(
        "begin; lock table \"{}\".clients in access exclusive mode",
        tenant.schema
    );
    role.batch_execute(&lock).await.unwrap();
    let tables = json!({"tables": ["clients"]});
    let reset = tenant.admin.post("/api/tenant/reset", &tables);
    let left = timeout(Duration::from_millis(300), reset).await;
    assert!(left.is_err(), "the reset did not wait for the lock");
    role.batch_execute("rollback").await.unwrap();
    let mut name = Value::from("changed");
    for _ in 0..100 {
        sleep(Duration::from_millis(100)).await;
        name = tenant.admin.read("/api/v1/clients/1").await["data"]["name"].take();
        if name != "changed" {
            break;
        }
    }
    assert_ne!(name, "changed", "the reset ended with its client");
    let schemas = server.superuser().await;
    let left = "select count(*) from pg_namespace where nspname like 'reset\\_%'";
    let left: i64 = schemas.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(left, 0, "schemas of a reset were left behind");
}

#[tokio::test]
async fn a_call_whose_client_leaves_is_in_the_log() {
    let server = Server::start().await;
    let tenant = server.tenant("cut").await;
    let query = json!({"query": "select pg_sleep(2)"});
    let cut = timeout(
        Duration::from_millis(300),
        tenant.admin.post("/api/v1/sql", &query),
    )
    .await;
    assert!(cut.is_err());
    for _ in 0..100 {
        let log = tenant.admin.read("/api/logs?path=/api/v1/sql").await;
        if log["data"][0]["status"] == 499 {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("the call is not in the log");
}

#[tokio::test]
async fn the_count_of_a_later_page_may_not_write_either() {
    let server = Server::start().await;
    let tenant = server.tenant("sly").await;
    for statement in [
        "create table told (at int)",
        "create function sly() returns boolean language plpgsql volatile as $$ begin
           if current_setting('transaction_read_only') = 'off' then insert into told values (1); end if;
           return true; end $$",
        "create view watched as select id, name from clients where sly()",
    ] {
        sql(&tenant, statement).await;
    }
    let viewer = tenant.user("reader@mail.example", "viewer").await;
    viewer.get("/api/v1/watched?per_page=2").await.expect(200);
    viewer
        .get("/api/v1/watched?per_page=2&page=100000")
        .await
        .expect(200);
    let told = sql(&tenant, "select count(*) as n from told").await;
    assert_eq!(told["rows"][0]["n"], 0, "{told}");
}

#[tokio::test]
async fn the_fields_of_an_operation_are_bounded_together() {
    let server = Server::start().await;
    let tenant = server.tenant("sum").await;
    sql(&tenant, "create table long (id int primary key, body text)").await;
    sql(
        &tenant,
        "insert into long values (1, repeat('x', 12000000))",
    )
    .await;
    let two = json!({"query": "{ a: long { body } b: long { body } }"});
    let answer = tenant
        .admin
        .post("/api/v1/graphql", &two)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["errors"], Value::Null);
    let three = json!({"query": "{ a: long { body } b: long { body } c: long { body } }"});
    let answer = tenant.admin.post("/api/v1/graphql", &three).await.json();
    assert_eq!(answer["data"], Value::Null, "more than 32 MB in one answer");
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("all fields"), "{message}");
}
