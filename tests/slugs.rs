//! Every error that a client can cause, caused over HTTP: its exact title and status, and its
//! anchor on the page that its `type` leads to.

use std::collections::BTreeMap;

use hyper::Method;
use sandlot::problem::Kind;
use serde_json::json;

use crate::{
    harness::{Answer, Client, Server},
    tokens::make,
};

/// What the reference promises: slug, status, title.
const PROMISED: &[(&str, u16, &str)] = &[
    ("query-string-too-long", 400, "Query String Too Long"),
    ("empty-body", 400, "Empty Body"),
    ("batching-not-supported", 400, "Batching Not Supported"),
    ("invalid-request", 400, "Invalid Request"),
    ("bad-request", 400, "Bad Request"),
    ("invalid-parameter", 400, "Invalid Parameter"),
    ("validation-failed", 400, "Validation Failed"),
    ("missing-token", 401, "Missing Token"),
    ("invalid-token", 401, "Invalid Token"),
    ("token-expired", 401, "Token Expired"),
    ("invalid-credentials", 401, "Invalid Credentials"),
    ("invalid-api-key", 401, "Invalid Api-Key"),
    ("query-token-disabled", 401, "Query Token Disabled"),
    ("invalid-signature", 401, "Invalid Signature"),
    ("quota-exceeded", 402, "Quota Exceeded"),
    ("embed-type-required", 403, "Embed Type Required"),
    ("domain-not-allowed", 403, "Domain Not Allowed"),
    ("ip-not-allowed", 403, "IP Not Allowed"),
    ("scope-not-allowed", 403, "Scope Not Allowed"),
    ("table-not-allowed", 403, "Table Not Allowed"),
    ("view-not-allowed", 403, "View Not Allowed"),
    ("write-not-allowed", 403, "Write Not Allowed"),
    ("forbidden", 403, "Write Not Permitted"),
    ("tenant-mismatch", 403, "Tenant Mismatch"),
    ("read-only", 403, "Read Only"),
    ("permission-denied", 403, "Permission Denied"),
    ("feature-disabled", 404, "Feature Disabled"),
    ("not-found", 404, "Not Found"),
    ("method-not-allowed", 405, "Method Not Allowed"),
    ("idempotency-conflict", 409, "Idempotency Conflict"),
    ("payload-too-large", 413, "Payload Too Large"),
    ("unsupported-media-type", 415, "Unsupported Media Type"),
    ("creation-failed", 422, "Creation Failed"),
    ("update-failed", 422, "Update Failed"),
    ("deletion-failed", 422, "Deletion Failed"),
    ("too-many-requests", 429, "Too Many Requests"),
    ("view-execution-error", 500, "View Execution Error"),
    ("aggregation-error", 500, "Aggregation Error"),
    ("request-timeout", 502, "Request Timeout"),
    ("tenant-provisioning", 503, "Tenant Provisioning"),
    ("service-unavailable", 503, "Service Unavailable"),
];

/// Problems that no request can cause: the server's own faults.
const OWN_FAULTS: &[(&str, u16, &str)] = &[
    // The routes would have to lack a part that they are built with.
    ("unauthorized", 403, "Unauthorized"),
    // What has no other name, such as a panic.
    ("internal-error", 500, "Internal Error"),
];

/// Problems that were met, by slug.
#[derive(Default)]
struct Met(BTreeMap<String, (u16, String)>);

impl Met {
    /// Notes a problem; it has to be the one that was meant to come.
    #[track_caller]
    fn note(&mut self, slug: &str, answer: Answer) {
        let status = answer.status;
        let body = answer.problem(status, slug);
        let title = body["title"].as_str().unwrap().to_owned();
        self.0.insert(slug.to_owned(), (status, title));
    }
}

#[test]
fn the_catalogue_is_what_was_promised() {
    let mut promised: Vec<_> = PROMISED.iter().chain(OWN_FAULTS).copied().collect();
    let mut known: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| (kind.slug(), kind.status(), kind.title()))
        .collect();
    promised.sort_unstable();
    known.sort_unstable();
    assert_eq!(promised, known);
}

#[tokio::test]
async fn every_error_that_a_client_can_cause_is_as_promised() {
    let server = Server::start_with(&["--request-timeout=15", "--log-days=0"]).await;
    let tenant = server.tenant("slugs").await;
    let mut met = Met::default();
    requests(&tenant.admin, &mut met).await;
    credentials(&server, &mut met).await;
    tokens(&server, &mut met).await;
    rows(&tenant.admin, &mut met).await;
    states(&server, &mut met).await;
    limits(&mut met).await;

    let page = server.client.get("/api_docs").await.expect(200).text();
    for (slug, status, title) in PROMISED {
        let found = met.0.get(*slug);
        assert_eq!(found, Some(&(*status, (*title).to_owned())), "{slug}");
    }
    for (slug, _, title) in PROMISED.iter().chain(OWN_FAULTS) {
        let section = page
            .split(&format!("id=\"error-{slug}\""))
            .nth(1)
            .unwrap_or_else(|| panic!("{slug} has no anchor"));
        let section = section.split("</section>").next().unwrap();
        assert!(
            section.contains(title) && section.contains("What to do"),
            "{slug}"
        );
        assert!(
            section.contains(&format!("/api_docs#error-{slug}")),
            "{slug}"
        );
    }
}

/// What is wrong with a request, whoever sends it.
async fn requests(admin: &Client, met: &mut Met) {
    let graphql =
        |body: &'static str| admin.call(Method::POST, "/api/v1/graphql", Some(body.into()));
    let clients =
        |body: &'static str| admin.call(Method::POST, "/api/v1/clients", Some(body.into()));
    let long = format!("/api/v1/clients?_={}", "x".repeat(5000));
    met.note("query-string-too-long", admin.get(&long).await);
    met.note("empty-body", graphql(" ").await);
    met.note(
        "batching-not-supported",
        graphql("[{\"query\":\"{ _ping }\"}]").await,
    );
    met.note("invalid-request", graphql("{}").await);
    met.note("bad-request", clients("{").await);
    met.note("validation-failed", clients("{\"no_such_column\":1}").await);
    met.note(
        "invalid-parameter",
        admin.get("/api/v1/clients?no_such=1").await,
    );
    met.note("not-found", admin.get("/api/v1/nowhere").await);
    met.note("method-not-allowed", admin.delete("/api/v1/clients").await);
    met.note("feature-disabled", admin.get("/api/logs").await);
    let large = json!({ "name": "x".repeat(300_000) });
    met.note(
        "payload-too-large",
        admin.post("/api/v1/clients", &large).await,
    );
    let plain = admin.with("Content-Type", "text/plain");
    let plain = plain
        .call(Method::POST, "/api/v1/clients", Some("x".into()))
        .await;
    met.note("unsupported-media-type", plain);
    let keyed = admin.with("Idempotency-Key", "the same");
    keyed
        .post(
            "/api/v1/notes",
            &json!({"rel_type": "client", "rel_id": 1, "content": "one"}),
        )
        .await
        .expect(201);
    let other = keyed
        .post(
            "/api/v1/notes",
            &json!({"rel_type": "client", "rel_id": 1, "content": "two"}),
        )
        .await;
    met.note("idempotency-conflict", other);
    let slow = admin
        .post("/api/v1/sql", &json!({"query": "select pg_sleep(30)"}))
        .await;
    met.note("request-timeout", slow);
}

/// Credentials of people.
async fn credentials(server: &Server, met: &mut Met) {
    let (one, other) = (server.tenant("one").await, server.tenant("other").await);
    let path = "/api/v1/clients";
    met.note("missing-token", one.keyed.get(path).await);
    met.note(
        "invalid-token",
        one.keyed.bearer("nonsense").get(path).await,
    );
    met.note(
        "invalid-api-key",
        one.admin.with("Api-Key", "nobody").get(path).await,
    );
    met.note(
        "tenant-mismatch",
        one.admin.with("Api-Key", &other.key).get(path).await,
    );
    let wrong = json!({"email": one.email, "password": "not the password"});
    met.note(
        "invalid-credentials",
        one.keyed.post("/api/auth/token", &wrong).await,
    );
    let account = server.account(&one).await;
    let client = json!({"name": "New"});
    met.note("read-only", account.post(path, &client).await);
    let viewer = one.user("viewer@mail.example", "viewer").await;
    met.note("permission-denied", viewer.post(path, &client).await);

    let payload = one.admin.token().split('.').nth(1).unwrap();
    let mut claims: serde_json::Value = serde_json::from_slice(&unbase64(payload)).unwrap();
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 1);
    let key = jsonwebtoken::EncodingKey::from_secret(&server.jwt_key().await);
    let stale = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    met.note("token-expired", one.keyed.bearer(&stale).get(path).await);
}

/// API tokens, each with the one property that stands in its way.
async fn tokens(server: &Server, met: &mut Met) {
    let tenant = server.tenant("tokens").await;
    let token = async |properties: serde_json::Value| make(&tenant, properties).await;
    let path = "/api/v1/clients";
    let reads = token(json!({"scopes": ["tables"], "allowed_tables": ["clients"]})).await;
    met.note(
        "table-not-allowed",
        reads.client.get("/api/v1/invoices").await,
    );
    met.note(
        "write-not-allowed",
        reads.client.post(path, &json!({"name": "x"})).await,
    );
    met.note(
        "scope-not-allowed",
        reads.client.get("/api/v1/report_invoices").await,
    );
    let views = token(json!({"scopes": ["views"], "allowed_views": ["report_invoices"]})).await;
    let outside = "/api/v1/report_staff_billable_time_report";
    met.note("view-not-allowed", views.client.get(outside).await);
    let signs = token(json!({"scopes": ["tables"], "hmac": true})).await;
    met.note("invalid-signature", signs.client.get(path).await);
    let placed = token(json!({"scopes": ["tables"], "ip_allowlist": ["203.0.113.9"]})).await;
    met.note("ip-not-allowed", placed.client.get(path).await);
    let paged = token(json!({"scopes": ["tables"], "domain_allowlist": ["shop.example"]})).await;
    let elsewhere = paged.client.with("Origin", "https://elsewhere.example");
    met.note("domain-not-allowed", elsewhere.get(path).await);
    let address = format!("{path}?token={}", reads.token);
    met.note("query-token-disabled", server.client.get(&address).await);

    let open = Server::start_with(&["--query-tokens"]).await;
    let tenant = open.tenant("tokens").await;
    let reads = make(&tenant, json!({"scopes": ["tables"]})).await;
    let address = format!("{path}?token={}", reads.token);
    met.note("embed-type-required", open.client.get(&address).await);
}

/// Rules of tables, and views that fail.
async fn rows(admin: &Client, met: &mut Met) {
    let view = admin
        .post("/api/v1/report_invoices", &json!({"number": "x"}))
        .await;
    met.note("forbidden", view);
    // What else is wrong with the request does not matter then.
    let view = admin
        .post("/api/v1/report_invoices?no_such=1", &json!({"number": "x"}))
        .await;
    met.note("forbidden", view);
    let task = json!({"name": "x", "status": 99});
    met.note("creation-failed", admin.post("/api/v1/tasks", &task).await);
    met.note(
        "update-failed",
        admin.patch("/api/v1/tasks/1", &json!({"status": 99})).await,
    );
    let currency = admin.read("/api/v1/invoices?per_page=1").await;
    let currency = format!("/api/v1/currencies/{}", currency["data"][0]["currency_id"]);
    met.note("deletion-failed", admin.delete(&currency).await);
    let sql = json!({"query": "create view broken as select 1 / (id - 1) as x, id from clients"});
    admin.post("/api/v1/sql", &sql).await.expect(200);
    met.note("view-execution-error", admin.get("/api/v1/broken").await);
    let report = json!({"slug": "broken", "title": "Broken", "view": "broken", "published": true});
    admin.post("/api/reports", &report).await.expect(201);
    let figures = admin
        .get("/api/v1/reports/broken/aggregate?measure=x&aggregation=sum")
        .await;
    met.note("aggregation-error", figures);
}

/// A tenant above its quota, and one that is still being made.
async fn states(server: &Server, met: &mut Met) {
    let tenant = server.tenant("states").await;
    server.app.tenancy.measure(1, true).await.unwrap();
    let more = tenant
        .admin
        .post("/api/v1/clients", &json!({"name": "One more"}))
        .await;
    met.note("quota-exceeded", more);
    let platform = server.platform_superuser().await;
    let sql = "update tenants set status = 'provisioning' where id = $1";
    platform.execute(sql, &[&tenant.id]).await.unwrap();
    server.app.directory.forget(&tenant.key).await;
    met.note(
        "tenant-provisioning",
        tenant.admin.get("/api/v1/clients").await,
    );
}

/// Limits, and the store of their counters out of reach.
async fn limits(met: &mut Met) {
    let server = Server::start_with(&["--ip-rate=1"]).await;
    server.client.get("/api_docs").await;
    let mut answer = server.client.get("/api/v1/clients").await;
    while answer.status != 429 {
        answer = server.client.get("/api/v1/clients").await;
    }
    met.note("too-many-requests", answer);
    let server = Server::start_with(&["--ip-rate=100", "--redis-url=redis://127.0.0.1:1/"]).await;
    met.note(
        "service-unavailable",
        server.client.get("/api/v1/clients").await,
    );
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .unwrap()
}
