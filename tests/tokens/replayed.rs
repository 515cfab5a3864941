//! A signed write that comes again is answered as before, and made once.

use futures_util::future::join_all;
use serde_json::json;

use super::{Made, make, signed::Signed};
use crate::harness::{Answer, Server, Tenant};

async fn signer(server: &Server, name: &str) -> (Tenant, Made) {
    let tenant = server.tenant(name).await;
    let scopes = json!(["tables", "views", "graphql", "write", "sql"]);
    let made = make(&tenant, json!({"scopes": scopes, "hmac": true})).await;
    (tenant, made)
}

async fn count(tenant: &Tenant, name: &str) -> i64 {
    let path = format!("/api/v1/clients?filter=name:{name}&per_page=1");
    let answer = tenant.admin.read(&path).await;
    answer["meta"]["total"].as_i64().unwrap()
}

#[track_caller]
fn same(first: &Answer, again: &Answer) {
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(first.header("duplicate-request"), "");
    assert_eq!(again.header("duplicate-request"), "true");
}

#[tokio::test]
async fn a_repeated_signature_writes_once_on_every_surface() {
    let server = Server::start().await;
    let (tenant, made) = signer(&server, "repeater").await;
    let mutation = r#"{"query":"mutation { createClient(input: {name: \"Graph\"}) { id name } }"}"#;
    let insert = r#"{"query":"insert into clients (name) values ('Sql') returning id"}"#;
    for (method, path, body, name) in [
        ("POST", "/api/v1/clients", r#"{"name":"Rest"}"#, "Rest"),
        ("POST", "/api/v1/graphql", mutation, "Graph"),
        ("POST", "/api/v1/sql", insert, "Sql"),
        (
            "PATCH",
            "/api/v1/clients/1",
            r#"{"name":"Patched"}"#,
            "Patched",
        ),
    ] {
        let request = Signed::new(&made, method, path, "", body);
        let signature = request.signature();
        let first = request.send(&made.client, &signature).await;
        for _ in 0..2 {
            same(&first, &request.send(&made.client, &signature).await);
        }
        // What is not signed does not make it another request.
        let named = made.client.with("Idempotency-Key", "other");
        same(&first, &request.send(&named, &signature).await);
        assert_eq!(count(&tenant, name).await, 1, "{path}");
        // The same request, signed anew, is another one.
        let mut later = request.clone();
        later.timestamp = (request.timestamp.parse::<i64>().unwrap() - 1).to_string();
        let other = later.send(&made.client, &later.signature()).await;
        assert_eq!(
            (other.status, other.header("duplicate-request")),
            (first.status, "")
        );
    }
    assert_eq!(count(&tenant, "Rest").await, 2);
    // The row that was is shown again although it is gone.
    let request = Signed::new(&made, "DELETE", "/api/v1/timesheets/1", "", "");
    let first = request.send(&made.client, &request.signature()).await;
    assert_eq!(first.status, 200);
    same(
        &first,
        &request.send(&made.client, &request.signature()).await,
    );
    // Reading is done again each time.
    for (method, path, body) in [
        ("GET", "/api/v1/clients/1", ""),
        (
            "POST",
            "/api/v1/graphql",
            r#"{"query":"{ clients(limit: 1) { id } }"}"#,
        ),
        (
            "POST",
            "/api/v1/sql",
            r#"{"query":"select count(*) from clients"}"#,
        ),
    ] {
        let request = Signed::new(&made, method, path, "", body);
        for _ in 0..2 {
            let answer = request
                .send(&made.client, &request.signature())
                .await
                .expect(200);
            assert_eq!(answer.header("duplicate-request"), "", "{path}");
        }
    }
}

#[tokio::test]
async fn nothing_is_kept_of_what_was_refused_or_not_meant() {
    let server = Server::start().await;
    let (tenant, made) = signer(&server, "refused").await;
    let request = Signed::new(&made, "POST", "/api/v1/clients", "", r#"{"name":"Later"}"#);
    let signature = request.signature();
    let tried = made.client.with("Prefer", "tx=rollback");
    let answer = request.send(&tried, &signature).await.expect(201);
    assert_eq!(answer.header("sandlot-simulated"), "true");
    let change = json!({"scopes": ["tables"]});
    let path = format!("/api/tokens/{}", made.id);
    tenant.admin.patch(&path, &change).await.expect(200);
    request
        .send(&made.client, &signature)
        .await
        .problem(403, "write-not-allowed");
    tenant
        .admin
        .patch(&path, &json!({"scopes": ["tables", "write"]}))
        .await
        .expect(200);
    let first = request.send(&made.client, &signature).await.expect(201);
    same(&first, &request.send(&made.client, &signature).await);
    assert_eq!(count(&tenant, "Later").await, 1);
    // Who may not any more is not told what was answered.
    tenant.admin.patch(&path, &change).await.expect(200);
    request
        .send(&made.client, &signature)
        .await
        .problem(403, "write-not-allowed");
    tenant.admin.delete(&path).await.expect(200);
    request
        .send(&made.client, &signature)
        .await
        .problem(401, "invalid-token");
}

#[tokio::test]
async fn fifty_copies_at_once_over_two_servers_make_one_row() {
    let server = Server::start().await;
    let twin = server.twin().await;
    let (tenant, made) = signer(&server, "fifty").await;
    let there = made.client.at(twin.client.address);
    let request = Signed::new(&made, "POST", "/api/v1/clients", "", r#"{"name":"Fifty"}"#);
    let signature = request.signature();
    let copies = (0..50).map(|copy| {
        let client = if copy % 2 == 0 { &made.client } else { &there };
        request.send(client, &signature)
    });
    let answers = join_all(copies).await;
    let (first, again): (Vec<&Answer>, Vec<&Answer>) = answers
        .iter()
        .partition(|answer| answer.header("duplicate-request").is_empty());
    assert_eq!((first.len(), again.len()), (1, 49));
    for answer in again {
        same(first[0], answer);
    }
    assert_eq!(count(&tenant, "Fifty").await, 1);
}
