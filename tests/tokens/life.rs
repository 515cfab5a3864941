//! A token's life: made, shown once, read, changed, revoked; here and on other servers.

use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::make;
use crate::harness::Server;

#[tokio::test]
async fn a_token_is_made_and_its_secrets_are_shown_once() {
    let server = Server::start().await;
    let tenant = server.tenant("maker").await;
    let properties = json!({"name": "one", "scopes": ["tables", "views"], "hmac": true, "rate_limit": 5,
        "allowed_tables": ["clients"], "ip_allowlist": ["127.0.0.0/8"], "expires_at": "2999-01-01T00:00:00Z"});
    let answer = tenant
        .admin
        .post("/api/tokens", &properties)
        .await
        .expect(201);
    let made = answer.json();
    assert_eq!(
        answer.header("location"),
        format!("/api/tokens/{}", made["id"])
    );
    let token = made["token"].as_str().unwrap();
    let digits = token.strip_prefix("dba_").unwrap();
    assert!(
        digits.len() == 48 && digits.bytes().all(|b| b.is_ascii_hexdigit()),
        "{token}"
    );
    let secret = made["hmac_secret"].as_str().unwrap();
    assert_eq!(secret.len(), 64);

    let one = tenant
        .admin
        .get(answer.header("location"))
        .await
        .expect(200);
    let list = tenant.admin.get("/api/tokens").await.expect(200);
    assert_eq!(list.json()["data"], json!([one.json()]));
    let mut expected = made.clone();
    for secret in ["token", "hmac_secret"] {
        expected.as_object_mut().unwrap().remove(secret);
    }
    assert_eq!(one.json(), expected);
    assert_eq!(expected["hmac"], true);
    assert_eq!(expected["allowed_views"], json!([]));
    let change = json!({"name": "two"});
    let patched = tenant
        .admin
        .patch(answer.header("location"), &change)
        .await
        .expect(200);
    for shown in [one.text(), list.text(), patched.text()] {
        assert!(!shown.contains(token) && !shown.contains(secret), "{shown}");
    }

    // Neither the token nor the secret is in the database.
    let platform = server.platform_superuser().await;
    let row = platform
        .query_one("select t::text, hash from tokens t", &[])
        .await
        .unwrap();
    let (text, hash): (String, Vec<u8>) = (row.get(0), row.get(1));
    assert!(!text.contains(digits) && !text.contains(secret), "{text}");
    assert_eq!(hash, Sha256::digest(token).to_vec());
}

#[tokio::test]
async fn what_is_asked_for_is_judged() {
    let server = Server::start().await;
    let tenant = server.tenant("judge").await;
    let admin = &tenant.admin;
    for (body, fields) in [
        (json!({"name": "x"}), vec!["scopes"]),
        (json!({"name": "x", "scopes": ["sql"]}), vec!["scopes"]),
        (
            json!({"name": "x", "scopes": ["sql", "write"], "allowed_tables": ["a"], "allowed_views": ["b"]}),
            vec!["allowed_tables", "allowed_views"],
        ),
        (
            json!({"name": "x", "scopes": ["tables"], "kind": "demo"}),
            vec!["kind"],
        ),
        (
            json!({"name": "x", "scopes": ["tables"], "expires_at": "2001-01-01T00:00:00Z"}),
            vec!["expires_at"],
        ),
    ] {
        let problem = admin
            .post("/api/tokens", &body)
            .await
            .problem(400, "validation-failed");
        let named: Vec<&String> = problem["errors"].as_object().unwrap().keys().collect();
        assert_eq!(named, fields, "{body}");
    }
    // A change is judged with what stays.
    let made = make(
        &tenant,
        json!({"scopes": ["tables", "write"], "allowed_tables": ["clients"]}),
    )
    .await;
    let path = format!("/api/tokens/{}", made.id);
    let sql = json!({"scopes": ["sql", "write"]});
    admin
        .patch(&path, &sql)
        .await
        .problem(400, "validation-failed");
    let both = json!({"scopes": ["sql", "write"], "allowed_tables": null});
    let changed = admin.patch(&path, &both).await.expect(200).json();
    assert_eq!(changed["scopes"], json!(["sql", "write"]));
    assert_eq!(changed["allowed_tables"], json!([]));
    for fixed in ["kind", "hmac", "token"] {
        let problem = admin
            .patch(&path, &json!({fixed: null}))
            .await
            .problem(400, "validation-failed");
        assert!(problem["errors"][fixed].is_array(), "{problem}");
    }
    // What null takes away, and what is not mentioned stays.
    let limits =
        json!({"rate_limit": 9, "expires_at": "2999-01-01T00:00:00Z", "ip_allowlist": ["::1"]});
    admin.patch(&path, &limits).await.expect(200);
    let changed = admin
        .patch(&path, &json!({"expires_at": null}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&changed["rate_limit"], &changed["expires_at"]),
        (&json!(9), &Value::Null)
    );
    assert_eq!(changed["ip_allowlist"], json!(["::1"]));
}

#[tokio::test]
async fn tokens_are_their_tenants_alone() {
    let server = Server::start().await;
    let (mine, other) = (server.tenant("mine").await, server.tenant("other").await);
    let made = make(&mine, json!({"scopes": ["tables"]})).await;
    let path = format!("/api/tokens/{}", made.id);
    other.admin.get(&path).await.problem(404, "not-found");
    other
        .admin
        .patch(&path, &json!({"name": "x"}))
        .await
        .problem(404, "not-found");
    other.admin.delete(&path).await.problem(404, "not-found");
    assert_eq!(
        other.admin.get("/api/tokens").await.json()["data"],
        json!([])
    );
    let editor = mine.user("editor@mail.example", "editor").await;
    editor
        .get("/api/tokens")
        .await
        .problem(403, "permission-denied");
    // A token makes no tokens, and has no business in the platform's other calls.
    for call in [
        "/api/tokens",
        "/api/auth/me",
        "/api/tenants",
        "/api/reports",
    ] {
        made.client
            .with("Api-Key", &mine.key)
            .get(call)
            .await
            .problem(403, "scope-not-allowed");
    }
    // The key may come along, and has to agree then.
    made.client.get("/api/v1/clients/1").await.expect(200);
    made.client
        .with("Api-Key", &mine.key)
        .get("/api/v1/clients/1")
        .await
        .expect(200);
    let crossed = made.client.with("Api-Key", &other.key);
    crossed
        .get("/api/v1/clients/1")
        .await
        .problem(403, "tenant-mismatch");
    let unknown = made.client.with("Api-Key", "ak_0");
    unknown
        .get("/api/v1/clients/1")
        .await
        .problem(401, "invalid-api-key");
}

#[tokio::test]
async fn a_revoked_token_is_refused_here_at_once_and_elsewhere_within_a_second() {
    let server = Server::start().await;
    let twin = server.twin().await;
    let tenant = server.tenant("revoker").await;
    let made = make(&tenant, json!({"scopes": ["tables"]})).await;
    let there = made.client.at(twin.client.address);
    let path = format!("/api/tokens/{}", made.id);
    for client in [&made.client, &there] {
        client.get("/api/v1/clients/1").await.expect(200);
    }
    tenant
        .admin
        .patch(&path, &json!({"allowed_tables": ["projects"]}))
        .await
        .expect(200);
    made.client
        .get("/api/v1/clients/1")
        .await
        .problem(403, "table-not-allowed");
    until(&there, 403).await;

    tenant
        .admin
        .patch(&path, &json!({"allowed_tables": []}))
        .await
        .expect(200);
    until(&there, 200).await;
    tenant.admin.delete(&path).await.expect(200);
    made.client
        .get("/api/v1/clients/1")
        .await
        .problem(401, "invalid-token");
    until(&there, 401).await;
    tenant.admin.get(&path).await.problem(404, "not-found");

    let made = make(&tenant, json!({"scopes": ["tables"]})).await;
    made.client.get("/api/v1/clients/1").await.expect(200);
    tenant.admin.delete("/api/tenant").await;
    made.client
        .get("/api/v1/clients/1")
        .await
        .problem(401, "invalid-token");
    let platform = server.platform_superuser().await;
    let left = platform
        .query_one("select count(*) from tokens", &[])
        .await
        .unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}

/// Asks until the status is there, which takes a second at most.
async fn until(client: &crate::harness::Client, status: u16) {
    let start = Instant::now();
    while client.get("/api/v1/clients/1").await.status != status {
        assert!(start.elapsed() < Duration::from_millis(1500), "{status}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_last_use_is_written_down_in_batches() {
    let server = Server::start().await;
    let tenant = server.tenant("user").await;
    let made = make(&tenant, json!({"scopes": ["tables"]})).await;
    let path = format!("/api/tokens/{}", made.id);
    let record = tenant.admin.read(&path).await;
    assert_eq!(record["last_used_at"], Value::Null);
    let before = Utc::now();
    let platform = server.platform_superuser().await;
    for _ in 0..20 {
        made.client.get("/api/v1/clients/1").await.expect(200);
    }
    let writes = "select n_tup_upd from pg_stat_user_tables where relname = 'tokens'";
    // Whoever reads the record has what happened so far written down: once for the twenty.
    let record = tenant.admin.read(&path).await;
    let used: chrono::DateTime<Utc> = record["last_used_at"].as_str().unwrap().parse().unwrap();
    assert!(used >= before - chrono::TimeDelta::milliseconds(1) && used <= Utc::now());
    let counted: i64 = platform.query_one(writes, &[]).await.unwrap().get(0);
    assert!(counted <= 2, "{counted}");
}

#[tokio::test]
async fn there_is_a_bound_on_tokens() {
    let server = Server::start().await;
    let tenant = server.tenant("hoarder").await;
    let platform = server.platform_superuser().await;
    let made = make(&tenant, json!({"scopes": ["tables"]})).await;
    platform
        .execute(
            "insert into tokens (tenant_id, name, hash, hint, kind, scopes, allowed_tables, allowed_views, \
             ip_allowlist, domain_allowlist) select tenant_id, name, sha256(n::text::bytea), hint, kind, scopes, \
             allowed_tables, allowed_views, ip_allowlist, domain_allowlist \
             from tokens, generate_series(1, 97) n",
            &[],
        )
        .await
        .unwrap();
    let body = json!({"name": "x", "scopes": ["tables"]});
    let makes = (0..6).map(|_| tenant.admin.post("/api/tokens", &body));
    let answers = futures_util::future::join_all(makes).await;
    let good = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(good, 2);
    tenant
        .admin
        .post("/api/tokens", &body)
        .await
        .problem(422, "creation-failed");
    tenant
        .admin
        .delete(&format!("/api/tokens/{}", made.id))
        .await
        .expect(200);
    tenant.admin.post("/api/tokens", &body).await.expect(201);
}
