//! Settings, demo and limits, tokens that are changed, users that are removed.

use serde_json::{Value, json};

use super::{Visitor, between};
use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn settings_are_shown_and_changed_by_administrators() {
    let server = Server::start_with(&["--tenant-quota=50", "--tenant-ttl=48"]).await;
    let tenant = server.tenant("settings").await;
    let target = "/api/tenant/settings";
    let editor = tenant.user("editor@mail.example", "editor").await;
    let settings = tenant.admin.read(target).await;
    assert_eq!(settings["owner"]["email"], tenant.email.as_str());
    assert_eq!(settings["open_signup"], true);
    assert_eq!(settings["quota_bytes"], 50_000_000);
    assert_eq!(settings["over_quota"], false);
    assert!(settings["size_bytes"].as_i64().unwrap() > 100_000);
    let state = tenant.keyed.read("/api/tenant").await;
    assert_eq!(settings["expires_at"], state["expires_at"]);
    let names: Vec<&str> = (settings["limits"].as_array().unwrap().iter())
        .map(|limit| limit["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["address", "caller", "sign-in", "register"]);

    // Changed in the panel; it holds at once.
    let visitor = Visitor::of(&server, &tenant).await;
    let at = format!("/panel/{}/settings", tenant.id);
    let page = visitor.get(&at).await.expect(200).text();
    assert!(page.contains("of 50.0 MB") && page.contains("max=\"50000000\""));
    let newcomer = json!({"email": "one@mail.example", "password": PASSWORD});
    tenant
        .keyed
        .post("/api/auth/signup", &newcomer)
        .await
        .expect(201);
    visitor
        .submit(&at, &at, &[("do", "close")])
        .await
        .expect(303);
    let newcomer = json!({"email": "two@mail.example", "password": PASSWORD});
    tenant
        .keyed
        .post("/api/auth/signup", &newcomer)
        .await
        .problem(404, "feature-disabled");
    let page = visitor.get(&at).await.expect(200).text();
    assert!(page.contains("value=\"open\""), "{page}");
    visitor
        .submit(&at, &at, &[("do", "open")])
        .await
        .expect(303);
    tenant
        .keyed
        .post("/api/auth/signup", &newcomer)
        .await
        .expect(201);

    // By the API: what is wrong is refused, what is absent stays.
    for wrong in [
        json!({"open_signup": null}),
        json!({"open_signup": "no"}),
        json!({"quota_bytes": 1}),
    ] {
        let refused = tenant.admin.patch(target, &wrong).await;
        refused.problem(400, "validation-failed");
    }
    let closed = json!({"open_signup": false});
    let changed = tenant.admin.patch(target, &closed).await.expect(200);
    assert_eq!(changed.json()["open_signup"], false);
    let same = tenant.admin.patch(target, &json!({})).await.expect(200);
    assert_eq!(same.json()["open_signup"], false);
    editor.get(target).await.problem(403, "permission-denied");
    editor
        .patch(target, &json!({"open_signup": true}))
        .await
        .problem(403, "permission-denied");
}

#[tokio::test]
async fn the_demo_is_what_the_page_says() {
    let server = Server::start_with(&["--demo=true", "--token-rate=77"]).await;
    let tenant = server.tenant("curious").await;
    server.app.demo.refresh(Some(7)).await.unwrap();
    let demo = server.client.read("/api/demo").await;
    let public = server.client.bearer(demo["token"].as_str().unwrap());
    let rows = public.get("/api/v1/clients?per_page=1").await.expect(200);
    assert_eq!(rows.header("sandlot-seed"), demo["seed"].to_string());
    assert!(demo["made_at"].is_string() && demo["next_at"].is_string());
    let visitor = Visitor::of(&server, &tenant).await;
    let page = visitor.get(&format!("/panel/{}/demo", tenant.id)).await;
    let page = page.expect(200).text();
    assert_eq!(
        between(&page, "id=\"demo-token\">", "<"),
        demo["token"].as_str().unwrap()
    );
    assert!(page.contains(&demo["seed"].to_string()));
    assert!(page.contains("77 a minute"), "{page}");
}

#[tokio::test]
async fn a_server_without_a_demo_says_so() {
    let server = Server::start().await;
    let tenant = server.tenant("alone").await;
    server
        .client
        .get("/api/demo")
        .await
        .problem(404, "feature-disabled");
    let visitor = Visitor::of(&server, &tenant).await;
    let page = visitor.get(&format!("/panel/{}/demo", tenant.id)).await;
    assert!(page.expect(200).text().contains("There is no demo"));
}

#[tokio::test]
async fn a_token_is_changed_in_place() {
    let server = Server::start().await;
    let tenant = server.tenant("change").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let list = format!("/panel/{}/tokens", tenant.id);
    let new = json!({
        "name": "First", "scopes": ["tables", "views"], "allowed_tables": ["clients"],
        "hmac": true, "ip_allowlist": ["127.0.0.0/8"], "expires_at": "2099-05-04T12:30:00Z",
    });
    let made = tenant
        .admin
        .post("/api/tokens", &new)
        .await
        .expect(201)
        .json();
    let at = format!("{list}/{}", made["id"]);
    let read = || async {
        let target = format!("/api/tokens/{}", made["id"]);
        tenant.admin.read(&target).await
    };

    // The page says what it is; its secrets are not there any more.
    let page = visitor.get(&at).await.expect(200).text();
    for secret in ["token", "hmac_secret"] {
        assert!(!page.contains(made[secret].as_str().unwrap()), "{secret}");
    }
    assert!(page.contains("value=\"2099-05-04\"") && page.contains("value=\"127.0.0.0/8\""));
    assert!(page.contains("never used") && page.contains("signed"));
    assert!(page.contains("value=\"clients\" checked"), "{page}");
    assert!(page.contains("value=\"tables\" checked") && !page.contains("value=\"write\" checked"));

    // Sent as it stands, it stays as it is.
    let same = [
        ("name", "First"),
        ("scope", "tables"),
        ("scope", "views"),
        ("allowed_tables", "clients"),
        ("ip_allowlist", "127.0.0.0/8"),
        ("expires_at", "2099-05-04"),
        ("rate_limit", ""),
        ("domain_allowlist", ""),
    ];
    let before = read().await;
    visitor.submit(&at, &at, &same).await.expect(303);
    assert_eq!(read().await, before);

    // Changed: each field, and limits taken away.
    let other = [
        ("name", "Second"),
        ("scope", "tables"),
        ("scope", "write"),
        ("allowed_tables", "clients"),
        ("allowed_tables", "invoices"),
        ("ip_allowlist", ""),
        ("domain_allowlist", "app.example, *.other.example"),
        ("rate_limit", "7"),
        ("expires_at", ""),
    ];
    visitor.submit(&at, &at, &other).await.expect(303);
    let after = read().await;
    assert_eq!(after["name"], "Second");
    assert_eq!(after["scopes"], json!(["tables", "write"]));
    assert_eq!(after["allowed_tables"], json!(["clients", "invoices"]));
    assert_eq!(after["ip_allowlist"], json!([]));
    assert_eq!(
        after["domain_allowlist"],
        json!(["*.other.example", "app.example"])
    );
    assert_eq!(after["rate_limit"], 7);
    assert_eq!(after["expires_at"], Value::Null);
    assert_eq!(after["hmac"], true);

    // What is refused is said at its place, and what was typed stays.
    let wrong = [
        ("name", "Third"),
        ("scope", "sql"),
        ("rate_limit", "many"),
        ("ip_allowlist", "nowhere"),
    ];
    let page = visitor.submit(&at, &at, &wrong).await.expect(400).text();
    for said in [
        "value=\"Third\"",
        "value=\"many\"",
        "rate_limit ",
        "ip_allowlist ",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!(read().await, after);

    // Another copy's token is not there.
    let other = server.tenant("stranger").await;
    let stranger = Visitor::of(&server, &other).await;
    let theirs = format!("/panel/{}/tokens/{}", other.id, made["id"]);
    stranger.get(&theirs).await.expect(404);
    let own = format!("/panel/{}/tokens", other.id);
    stranger.submit(&own, &theirs, &same).await.expect(404);
    assert_eq!(read().await, after);
}

#[tokio::test]
async fn a_token_shows_when_it_was_used() {
    let server = Server::start().await;
    let tenant = server.tenant("used").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let new = json!({"name": "Busy", "scopes": ["tables"]});
    let made = tenant
        .admin
        .post("/api/tokens", &new)
        .await
        .expect(201)
        .json();
    let program = server.client.bearer(made["token"].as_str().unwrap());
    program.get("/api/v1/clients?per_page=1").await.expect(200);
    let list = visitor.get(&format!("/panel/{}/tokens", tenant.id)).await;
    let list = list.expect(200).text();
    let used = tenant.admin.read("/api/tokens").await;
    let used = used["data"][0]["last_used_at"].as_str().unwrap().to_owned();
    let shown = used[..16].replace('T', " ");
    assert!(
        list.contains(&shown) && !list.contains("never<br>"),
        "{list}"
    );
}

#[tokio::test]
async fn a_user_is_removed() {
    let server = Server::start().await;
    let tenant = server.tenant("leaving").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let gone = tenant.user("gone@mail.example", "editor").await;
    let found = tenant
        .admin
        .read("/api/v1/users?filter[email]=gone@mail.example")
        .await;
    let id = found["data"][0]["id"].to_string();
    let at = format!("/panel/{}/users", tenant.id);
    let fields = [("do", "remove"), ("id", id.as_str())];
    visitor.submit(&at, &at, &fields).await.expect(303);
    let page = visitor.get(&at).await.expect(200).text();
    assert!(page.contains("The user is removed.") && !page.contains("gone@mail.example"));
    gone.get("/api/auth/me").await.problem(401, "invalid-token");
    let again = json!({"email": "gone@mail.example", "password": PASSWORD});
    tenant
        .keyed
        .post("/api/auth/token", &again)
        .await
        .problem(401, "invalid-credentials");
    // Who is not there can't be removed.
    let refused = visitor.submit(&at, &at, &fields).await;
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn the_log_is_read_by_time_and_status() {
    let server = Server::start().await;
    let tenant = server.tenant("times").await;
    let visitor = Visitor::of(&server, &tenant).await;
    tenant.admin.get("/api/v1/nowhere").await.expect(404);
    let at = format!("/panel/{}/logs", tenant.id);
    // Calls are written down a moment later.
    let mut page = String::new();
    for _ in 0..200 {
        page = visitor.get(&at).await.expect(200).text();
        if page.contains("/api/v1/nowhere") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(page.contains("/api/v1/nowhere"), "{page}");
    assert!(
        page.contains("aria-label=\"Calls over time by status\"") && page.contains("class=\"s4\"")
    );
    for (query, found) in [
        ("since=2020-01-01T00:00", true),
        ("until=2020-01-01T00:00", false),
        ("since=2020-01-01T00:00&until=2099-01-01T00:00:30", true),
        ("since=2099-01-01T00:00", false),
        ("status=4xx&method=GET&since=", true),
        ("status=5xx", false),
    ] {
        let page = visitor.get(&format!("{at}?{query}")).await;
        let page = page.expect(200).text();
        assert_eq!(
            page.contains("<td title=\"\" dir=\"ltr\">/api/v1/nowhere"),
            found,
            "{query}"
        );
        assert_eq!(page.contains("No call fits."), !found, "{query}");
    }
    let wrong = visitor.get(&format!("{at}?since=soon")).await;
    assert!(wrong.status == 400 && wrong.text().contains("role=\"alert\""));
}
