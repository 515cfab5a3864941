//! Nothing but problem documents leaves the server as an error.

use hyper::Method;
use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn unknown_routes_and_wrong_methods() {
    let server = Server::start().await;
    for path in [
        "/nowhere",
        "/api/nowhere",
        "/api/auth/nowhere",
        "/api/v2/clients",
        "/API/register",
    ] {
        server.client.get(path).await.problem(404, "not-found");
    }
    let answer = server.client.get("/api/register").await;
    assert_eq!(answer.header("allow"), "POST");
    answer.problem(405, "method-not-allowed");
    let answer = server.client.call(Method::PUT, "/api/tenant", None).await;
    assert_eq!(answer.header("allow"), "GET, DELETE");
    answer.problem(405, "method-not-allowed");
    let tenant = server.tenant("methods").await;
    for (path, allow) in [
        ("/api/v1/clients", "GET, POST"),
        ("/api/v1/clients/1", "GET, PUT, PATCH, DELETE"),
        ("/api/v1/clients/schema", "GET"),
    ] {
        let answer = tenant
            .admin
            .call(Method::from_bytes(b"PURGE").unwrap(), path, None)
            .await;
        assert!(
            answer.header("allow").starts_with(allow),
            "{path}: {}",
            answer.header("allow")
        );
        answer.problem(405, "method-not-allowed");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let server = Server::start().await;
    let tenant = server.tenant("bodies").await;
    for body in ["", "{", "[", "nonsense", "\u{0}", "{\"a\":1e400}"] {
        let body = body.as_bytes().to_vec();
        server
            .client
            .call(Method::POST, "/api/register", Some(body.clone().into()))
            .await
            .problem(400, "bad-request");
        tenant
            .admin
            .call(Method::POST, "/api/v1/clients", Some(body.into()))
            .await
            .expect(400);
    }
    let text = server.client.with("Content-Type", "text/plain");
    text.call(Method::POST, "/api/register", Some("hello".into()))
        .await
        .problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn limits_of_size() {
    let server = Server::start().await;
    let tenant = server.tenant("limits").await;
    let long = "x".repeat(4096);
    tenant
        .admin
        .get(&format!("/api/v1/clients?_={long}"))
        .await
        .problem(400, "query-string-too-long");
    let fits = "x".repeat(4096 - 2);
    tenant
        .admin
        .get(&format!("/api/v1/clients?_={fits}"))
        .await
        .expect(200);
    let large = json!({"name": "x".repeat(262_144)});
    tenant
        .admin
        .post("/api/v1/clients", &large)
        .await
        .problem(413, "payload-too-large");
}

#[tokio::test]
async fn a_path_of_the_wrong_type() {
    let server = Server::start().await;
    let tenant = server.tenant("types").await;
    for id in [
        "abc",
        "1.5",
        "99999999999999999999",
        "-1",
        "1e400",
        "%00",
        "%ff",
        "1,2",
        "true",
    ] {
        let answer = tenant.admin.get(&format!("/api/v1/clients/{id}")).await;
        assert!(
            matches!(answer.status, 400 | 404),
            "{id}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn request_ids_are_taken_or_made() {
    let server = Server::start().await;
    let named = server
        .client
        .with("X-Request-Id", "mine-1")
        .get("/healthz")
        .await;
    assert_eq!(named.header("x-request-id"), "mine-1");
    assert_eq!(
        server
            .client
            .get("/healthz")
            .await
            .header("x-request-id")
            .len(),
        32
    );
}

#[tokio::test]
async fn health_readiness_and_figures() {
    let server = Server::start().await;
    server.client.get("/healthz").await.expect(200);
    server.client.get("/readyz").await.expect(200);
    let page = server.client.get("/metrics").await.expect(200);
    assert!(
        page.text().contains("sandlot_http_requests_total"),
        "{}",
        page.text()
    );
}
