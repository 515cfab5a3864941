//! The disk quota: what a tenant above it may do, and how it comes back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::Server;

const ROOM: u64 = 1_000_000;
const GROW: &str = "create table big as select n, repeat(md5(n::text), 30) as filler from generate_series(1, 4000) n";

#[tokio::test]
async fn above_its_quota_a_tenant_reads_and_deletes() {
    let server = Server::start().await;
    let (tenant, other) = (server.tenant("large").await, server.tenant("small").await);
    let role = server.role(&tenant).await;
    let size = server
        .app
        .tenants
        .measure(&tenant.schema, &role)
        .await
        .unwrap()
        .unwrap();
    let quota = u64::try_from(size).unwrap() + ROOM;
    let tenancy = &server.app.tenancy;
    tenancy.measure(quota, true).await.unwrap();
    let client = json!({"name": "One more"});
    let made = tenant
        .admin
        .post("/api/v1/clients", &client)
        .await
        .expect(201)
        .json();
    let made = format!("/api/v1/clients/{}", made["data"]["id"]);
    let name = json!({"name": "before"});
    let snapshots = "/api/tenant/snapshots";
    let kept = tenant.admin.post(snapshots, &name).await.expect(201).json();
    let restore = format!("{snapshots}/{}/restore", kept["id"]);
    // What is kept counts too.
    tenancy.measure(quota, false).await.unwrap();
    let twice = tenant.admin.post("/api/v1/clients", &client).await;
    twice.problem(402, "quota-exceeded");
    let path = format!("{snapshots}/{}", kept["id"]);
    tenant.admin.delete(&path).await.expect(200);
    tenancy.measure(quota, false).await.unwrap();
    tenant
        .admin
        .post("/api/v1/clients", &client)
        .await
        .expect(201);

    server.as_tenant(&tenant, GROW).await;
    tenancy.measure(quota, false).await.unwrap();
    for server in [&server, &server.twin().await] {
        let calls = tenant.admin.at(server.client.address);
        calls
            .post("/api/v1/clients", &client)
            .await
            .problem(402, "quota-exceeded");
        calls
            .patch(&made, &client)
            .await
            .problem(402, "quota-exceeded");
        let somebody = json!({"email": "somebody@mail.example", "password": "long enough"});
        let keyed = tenant.keyed.at(server.client.address);
        keyed
            .post("/api/auth/signup", &somebody)
            .await
            .problem(402, "quota-exceeded");
        let report = json!({"slug": "mine", "title": "Mine", "view": "clients", "chart": {}});
        for (path, body) in [
            (snapshots, &json!({"name": "after"})),
            (restore.as_str(), &json!({})),
            ("/api/reports", &report),
        ] {
            let refused = calls.post(path, body).await;
            refused.problem(402, "quota-exceeded");
        }
        calls.get("/api/v1/clients?per_page=1").await.expect(200);
        for (query, status) in [
            ("create table more (i int)", 402),
            (
                "with more as (insert into clients (name) values ('x') returning id) select * from more",
                402,
            ),
            ("select count(*) from clients", 200),
            ("delete from big where n < 10", 200),
        ] {
            calls
                .post("/api/v1/sql", &json!({ "query": query }))
                .await
                .expect(status);
        }
        let create = "mutation { createClient(input: {name: \"x\"}) { id } }";
        let answer = calls
            .post("/api/v1/graphql", &json!({ "query": create }))
            .await;
        assert!(
            answer.text().contains("quota-exceeded"),
            "{}",
            answer.text()
        );
    }
    tenant.admin.delete(&made).await.expect(200);
    other
        .admin
        .post("/api/v1/clients", &client)
        .await
        .expect(201);

    // Deleted rows give nothing back by themselves; the next look sees to it.
    server.as_tenant(&tenant, "delete from big").await;
    let back = async {
        // Postgres counts dead rows a moment later.
        while tenant.admin.post("/api/v1/clients", &client).await.status != 201 {
            tenancy.measure(quota, false).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), back)
        .await
        .expect("room was made");
}

#[tokio::test]
async fn a_reset_brings_a_tenant_back_below_its_quota() {
    let server = Server::start().await;
    let tenant = server.tenant("full").await;
    let role = server.role(&tenant).await;
    let measure = async || {
        let size = server.app.tenants.measure(&tenant.schema, &role).await;
        u64::try_from(size.unwrap().unwrap()).unwrap()
    };
    let quota = measure().await + ROOM;
    // The replay ledger fills the quota like tables do.
    let answer =
        json!({"query": "insert into clients (name) select 'x' returning repeat('x', 250000)"});
    for at in 0..5 {
        let keyed = tenant.admin.with("Idempotency-Key", &at.to_string());
        keyed.post("/api/v1/sql", &answer).await.expect(200);
    }
    let client = json!({"name": "One more"});
    let keyed = tenant.admin.with("Idempotency-Key", "before");
    let before = keyed.post("/api/v1/clients", &client).await.expect(201);
    assert!(measure().await > quota);
    let tenancy = &server.app.tenancy;
    tenancy.measure(quota, false).await.unwrap();
    let full = tenant.admin.post("/api/v1/clients", &client).await;
    full.problem(402, "quota-exceeded");
    // What was made before it was full is answered still.
    let again = keyed.post("/api/v1/clients", &client).await.expect(201);
    assert_eq!(again.header("duplicate-request"), "true");
    assert_eq!(again.body, before.body);
    tenant
        .admin
        .post("/api/tenant/reset", &json!({}))
        .await
        .expect(200);
    tenancy.measure(quota, false).await.unwrap();
    tenant
        .admin
        .post("/api/v1/clients", &client)
        .await
        .expect(201);
}

#[tokio::test]
async fn measuring_waits_for_nobodys_lock() {
    let server = Server::start().await;
    let tenant = server.tenant("locking").await;
    let role = server.role(&tenant).await;
    let holder = server.connect_as(&role).await;
    holder
        .batch_execute(&format!("begin; lock table \"{}\".clients", tenant.schema))
        .await
        .unwrap();
    let began = Instant::now();
    let size = server
        .app
        .tenants
        .measure(&tenant.schema, &role)
        .await
        .unwrap();
    assert_eq!(size, None);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn memberships_in_tenants_roles_are_taken_back() {
    let server = Server::start().await;
    let (giver, taker) = (server.tenant("giver").await, server.tenant("taker").await);
    let (giver, taker) = (server.role(&giver).await, server.role(&taker).await);
    let superuser = server.superuser().await;
    superuser
        .batch_execute(&format!("grant {giver} to {taker}"))
        .await
        .unwrap();
    assert_eq!(server.app.tenants.sever().await.unwrap(), 1);
    assert_eq!(server.app.tenants.sever().await.unwrap(), 0);
}
