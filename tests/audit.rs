//! The audit log: what is written down of a call, who reads it, and that it holds nobody up.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Client, PASSWORD, Server, Tenant};

/// Reads a page of the log until it has what is looked for; what is written takes a moment.
async fn until(admin: &Client, query: &str, found: impl Fn(&Value) -> bool) -> Value {
    // Looking is a call too, and is written down: a page has to hold all of that.
    let query = if query.is_empty() {
        "?per_page=1000"
    } else {
        query
    };
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let page = admin.read(&format!("/api/logs{query}")).await;
        if found(&page) {
            return page;
        }
        assert!(Instant::now() < end, "{query}: {page:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn paths(page: &Value) -> Vec<&str> {
    let calls = page["data"].as_array().unwrap().iter();
    calls.map(|call| call["path"].as_str().unwrap()).collect()
}

fn holds(page: &Value, path: &str) -> bool {
    paths(page).contains(&path)
}

#[tokio::test]
async fn every_call_is_written_down_without_bodies_and_secrets() {
    let server = Server::start_with(&["--trusted-proxies=127.0.0.1"]).await;
    let tenant = server.tenant("audited").await;
    let secret = format!("dba_{}", "5".repeat(48));
    let from = tenant
        .admin
        .with("X-Forwarded-For", "198.51.100.7")
        .with("X-Request-Id", "my-own-id");
    from.get(&format!(
        "/api/v1/clients?per_page=2&token={secret}&_x={secret}"
    ))
    .await;
    from.post("/api/v1/clients", &json!({"name": "Zebra Ltd"}))
        .await
        .expect(201);
    from.get(&format!("/api/v1/clients/{secret}")).await;
    from.get("/api/v1/clients/999999?fields=name")
        .await
        .expect(404);
    let token = json!({"name": "audited", "scopes": ["tables"]});
    let token = tenant
        .admin
        .post("/api/tokens", &token)
        .await
        .expect(201)
        .json();
    let bearer = token["token"].as_str().unwrap();
    server
        .client
        .bearer(bearer)
        .get("/api/v1/leads/1")
        .await
        .expect(200);
    // Whoever has the key and no right is seen too.
    let failed = json!({"email": tenant.email, "password": "not this one"});
    tenant
        .keyed
        .post("/api/auth/token", &failed)
        .await
        .expect(401);

    let page = until(&tenant.admin, "?per_page=1000", |page| {
        let calls = page["data"].as_array().unwrap();
        let failed = |call: &Value| call["path"] == "/api/auth/token" && call["status"] == 401;
        calls.iter().any(failed)
    })
    .await;
    let text = page.to_string();
    let by_token = format!("?token_id={}", token["id"]);
    let by_token = until(&tenant.admin, &by_token, |_| true).await;
    assert_eq!(paths(&by_token), ["/api/v1/leads/1"]);
    assert_eq!(
        by_token["data"][0]["caller"],
        json!({"kind": "token", "id": token["id"].to_string()})
    );
    for gone in [
        &secret[4..],
        &bearer[4..],
        "Zebra",
        "not this one",
        PASSWORD,
        &tenant.key,
        "eyJ",
    ] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    assert!(holds(&page, "/api/register") && holds(&page, "/api/v1/clients/[redacted]"));
    let calls = page["data"].as_array().unwrap();
    let missed = calls.iter().find(|call| call["status"] == 404).unwrap();
    assert_eq!(missed["method"], "GET");
    assert_eq!(missed["query"], "fields=name");
    assert_eq!(missed["address"], "198.51.100.7");
    assert_eq!(missed["request_id"], "my-own-id");
    assert_eq!(missed["caller"]["kind"], "user");
    assert!(missed["duration_ms"].as_f64().unwrap() > 0.0);
    let at: chrono::DateTime<chrono::Utc> = missed["at"].as_str().unwrap().parse().unwrap();
    assert!((chrono::Utc::now() - at).num_seconds() < 60);
    let list = calls
        .iter()
        .find(|call| call["query"].as_str().is_some_and(|q| q.contains("token")))
        .unwrap();
    assert_eq!(list["query"], "per_page=2&token=[redacted]&_x=[redacted]");
    let refused = calls
        .iter()
        .find(|call| call["path"] == "/api/auth/token" && call["status"] == 401)
        .unwrap();
    assert_eq!(refused["caller"], Value::Null);
    // Nor does the table behind it know more.
    let platform = server.platform_superuser().await;
    let sql = "select coalesce(string_agg(l::text, ' '), '') from audit_log l";
    let all: String = platform.query_one(sql, &[]).await.unwrap().get(0);
    for gone in [&secret[4..], "Zebra", "not this one", PASSWORD, &tenant.key] {
        assert!(!all.contains(gone), "{gone}");
    }
}

#[tokio::test]
async fn administrators_see_the_calls_of_their_own_tenant() {
    let server = Server::start().await;
    let (mine, other) = (server.tenant("mine").await, server.tenant("other").await);
    other.admin.get("/api/v1/leads/1").await;
    mine.admin.get("/api/v1/contacts/1").await;
    // A stranger who knows the key shows, and stays nameless.
    let stranger = other.admin.with("Api-Key", &mine.key);
    stranger.get("/api/v1/invoices/1").await.expect(403);
    let page = until(&mine.admin, "?per_page=1000", |page| {
        holds(page, "/api/v1/contacts/1") && holds(page, "/api/v1/invoices/1")
    })
    .await;
    assert!(!holds(&page, "/api/v1/leads/1"), "{page}");
    let calls = page["data"].as_array().unwrap();
    let crossed = calls.iter().find(|call| call["status"] == 403).unwrap();
    assert_eq!(crossed["caller"], json!({"kind": "user", "id": null}));
    let viewer = mine.user("viewer@mail.example", "viewer").await;
    viewer
        .get("/api/logs")
        .await
        .problem(403, "permission-denied");
    let account = server.account(&mine).await.with("Api-Key", &mine.key);
    account.get("/api/logs?per_page=1").await.expect(200);
}

#[tokio::test]
async fn filters_and_pages() {
    let server = Server::start().await;
    let tenant = server.tenant("filters").await;
    let viewer = tenant.user("viewer@mail.example", "viewer").await;
    let me = viewer.read("/api/auth/me").await;
    for id in 1..=5 {
        viewer
            .get(&format!("/api/v1/clients/{id}"))
            .await
            .expect(200);
    }
    viewer.delete("/api/v1/clients/1").await.expect(403);
    viewer.get("/api/v1/nowhere").await.expect(404);
    until(&tenant.admin, "", |page| holds(page, "/api/v1/nowhere")).await;
    let user = me["id"].as_str().unwrap();
    let get = async |query: &str| {
        let path = format!("/api/logs?user_id={user}&{query}");
        tenant.admin.read(&path).await
    };
    let total = async |query: &str| get(query).await["meta"]["total"].as_u64().unwrap();
    assert_eq!(total("").await, 8);
    assert_eq!(total("status=4xx").await, 2);
    assert_eq!(total("status=404").await, 1);
    assert_eq!(
        total("status=2xx&method=GET&path=/api/v1/clients/").await,
        5
    );
    assert_eq!(total("method=delete").await, 1);
    assert_eq!(total("since=2999-01-01T00:00:00Z").await, 0);
    assert_eq!(total("until=2999-01-01T00:00:00%2B02:00").await, 8);
    assert_eq!(total("token_id=1").await, 0);

    // The latest first, and pages that neither repeat nor skip.
    let first = get("path=/api/v1/clients/&method=GET&per_page=2").await;
    assert_eq!(paths(&first), ["/api/v1/clients/5", "/api/v1/clients/4"]);
    assert_eq!(
        first["meta"],
        json!({"current_page": 1, "per_page": 2, "total": 5, "total_pages": 3})
    );
    let next = first["links"]["next"].as_str().unwrap();
    let second = tenant.admin.read(next).await;
    assert_eq!(paths(&second), ["/api/v1/clients/3", "/api/v1/clients/2"]);
    let next = second["links"]["next"].as_str().unwrap();
    let third = tenant.admin.read(next).await;
    assert_eq!(paths(&third), ["/api/v1/clients/1"]);
    assert_eq!(third["links"]["next"], Value::Null);

    for bad in [
        "page=0",
        "per_page=1001",
        "status=7xx",
        "since=now",
        "nonsense=1",
        "page=x",
        "page=1&page=1",
    ] {
        let answer = tenant.admin.get(&format!("/api/logs?{bad}")).await;
        let body = answer.problem(400, "invalid-parameter");
        let name = bad.split('=').next().unwrap();
        assert!(body["errors"][name].is_array(), "{body}");
    }
}

#[tokio::test]
async fn a_table_that_is_locked_holds_no_request_up() {
    let server = Server::start_with(&["--log-queue=20"]).await;
    let tenant = server.tenant("locked").await;
    until(&tenant.admin, "", |page| holds(page, "/api/register")).await;
    let mut platform = server.platform_superuser().await;
    let lock = platform.transaction().await.unwrap();
    lock.batch_execute("lock table audit_log in access exclusive mode")
        .await
        .unwrap();
    let figure = async |name: &str| -> u64 {
        let page = server.client.get("/metrics").await.text();
        let line = page.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let end = Instant::now() + Duration::from_secs(30);
    while figure("sandlot_audit_entries_dropped_total").await < 10
        || figure("sandlot_audit_entries_queued").await < 20
    {
        assert!(Instant::now() < end);
        tenant.admin.get("/api/v1/clients/1").await.expect(200);
    }
    lock.commit().await.unwrap();
    // What had waited is there, and what comes later too.
    tenant.admin.get("/api/v1/leads/1").await;
    until(&tenant.admin, "?per_page=1000", |page| {
        paths(page)
            .iter()
            .filter(|path| **path == "/api/v1/clients/1")
            .count()
            >= 20
    })
    .await;
    tenant.admin.get("/api/v1/leads/2").await;
    until(&tenant.admin, "", |page| holds(page, "/api/v1/leads/2")).await;
}

#[tokio::test]
async fn days_are_made_ahead_and_dropped() {
    let server = Server::start_with(&["--log-days=2"]).await;
    let tenant = server.tenant("days").await;
    until(&tenant.admin, "", |page| holds(page, "/api/register")).await;
    let platform = server.platform_superuser().await;
    let days = async || -> Vec<String> {
        let sql = "select inhrelid::regclass::text from pg_inherits \
                   where inhparent = 'audit_log'::regclass order by 1";
        let rows = platform.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let today = chrono::Utc::now().date_naive();
    let name = |offset: i64| {
        let day = today + chrono::TimeDelta::days(offset);
        day.format("audit_log_%Y%m%d").to_string()
    };
    assert!(days().await.contains(&name(3)));
    // Old days are dropped by the next server that looks, and a day that is missing is made.
    for offset in [-2, -3, -40] {
        let day = today + chrono::TimeDelta::days(offset);
        let sql = format!(
            "create table {} partition of audit_log for values from ('{day} 00:00+00') to ('{} 00:00+00')",
            name(offset),
            day + chrono::TimeDelta::days(1)
        );
        platform.batch_execute(&sql).await.unwrap();
    }
    for offset in 0..=3 {
        let drop = format!("drop table {}", name(offset));
        platform.batch_execute(&drop).await.unwrap();
    }
    tenant.admin.get("/api/v1/leads/1").await;
    until(&tenant.admin, "", |page| holds(page, "/api/v1/leads/1")).await;
    let twin = server.twin_with(&["--log-days=2"]).await;
    twin.client.get("/healthz").await.expect(200);
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let days = days().await;
        if days.contains(&name(3)) && !days.contains(&name(-3)) && !days.contains(&name(-40)) {
            assert!(days.contains(&name(-2)), "{days:?}");
            break;
        }
        assert!(Instant::now() < end, "{days:?}");
    }
}

#[tokio::test]
async fn a_server_without_a_log_says_so() {
    let server = Server::start_with(&["--log-days=0"]).await;
    let Tenant { admin, .. } = server.tenant("unlogged").await;
    admin
        .get("/api/logs")
        .await
        .problem(404, "feature-disabled");
}
