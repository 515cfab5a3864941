//! Many reads at once, which share connections where they are quick: each has its own answer, and none waits for another's.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Client, Server};

/// Less than a request may take, and more than any of these does.
const PATIENCE: Duration = Duration::from_secs(30);
/// Enough for each connection to know how quick a statement is.
const OFTEN: usize = 40;

/// Asks for `path` one after the other and at the same time.
async fn warm_up(client: &Client, path: &str) {
    for _ in 0..OFTEN {
        client.get(path).await.expect(200);
    }
    join_all((0..OFTEN).map(async |_| client.get(path).await.expect(200))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_at_once_has_its_own_answer() {
    let server = Server::start().await;
    let tenants = [server.tenant("left").await, server.tenant("right").await];
    let mut made = Vec::new();
    for (tenant, name) in tenants.iter().zip(["Left", "Right"]) {
        for number in 0..20 {
            let row = json!({"name": format!("{name} {number}")});
            let row = tenant.admin.post("/api/v1/clients", &row).await.expect(201);
            let row = row.json()["data"].clone();
            made.push((tenant, row["id"].clone(), row["name"].clone()));
        }
    }
    for _ in 0..5 {
        let asked = made.iter().map(async |(tenant, id, name)| {
            let one = format!("/api/v1/clients/{id}");
            let one = tenant.admin.read(&one).await;
            assert_eq!((&one["data"]["id"], &one["data"]["name"]), (id, name));
            let list = format!("/api/v1/clients?filter[id]={id}&count=none&fields=id,name");
            let list = tenant.admin.read(&list).await;
            assert_eq!(list["data"], json!([{"id": id, "name": name}]));
        });
        join_all(asked).await;
        let gone = format!("/api/v1/clients/{}", i32::MAX);
        let gone = join_all(tenants.iter().map(async |of| of.admin.get(&gone).await));
        for answer in gone.await {
            answer.problem(404, "not-found");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_table_holds_up_no_other() {
    let server = Server::start().await;
    let tenant = server.tenant("locked").await;
    let (locked, free) = ("/api/v1/clients/1", "/api/v1/countries/1");
    warm_up(&tenant.admin, locked).await;
    warm_up(&tenant.admin, free).await;
    let holder = server.superuser().await;
    let lock = format!("begin; lock table \"{}\".clients", tenant.schema);
    holder.batch_execute(&lock).await.unwrap();
    // Not more than there are connections for.
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let admin = tenant.admin.clone();
            tokio::spawn(async move { admin.get(locked).await.expect(200) })
        })
        .collect();
    for _ in 0..5 {
        let others = (0..8).map(async |_| tenant.admin.get(free).await.expect(200));
        let others = tokio::time::timeout(PATIENCE, join_all(others)).await;
        others.expect("answers beside the lock");
    }
    assert!(waiting.iter().all(|read| !read.is_finished()));
    holder.batch_execute("rollback").await.unwrap();
    for read in waiting {
        let read = tokio::time::timeout(PATIENCE, read).await;
        read.expect("an answer after the lock").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_views_function_does_to_its_session_stays_there() {
    let server = Server::start().await;
    let tenant = server.tenant("skewed").await;
    let sql = "
        create sequence calls;
        create function skew() returns int language plpgsql as $$ begin
            if nextval('calls') > 30 then perform set_config('TimeZone', 'Asia/Tokyo', false); end if;
            return 1;
        end $$;
        create view skewed as select 1 as id, skew() as skew;";
    server.as_tenant(&tenant, sql).await;
    for _ in 0..2 * OFTEN {
        tenant.admin.get("/api/v1/skewed").await.expect(200);
    }
    let zone = json!({"query": "select current_setting('TimeZone') as zone"});
    let answer = tenant.admin.post("/api/v1/sql", &zone).await.expect(200);
    assert!(answer.text().contains("UTC"), "{}", answer.text());
}
