//! Every operation times every stranger: a new platform call fails here until it is judged.

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Server};

/// What each call asks of a caller.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    /// Nothing, or what is in the body.
    Nothing,
    /// An `Api-Key` alone.
    Key,
    /// An access token.
    Token,
    /// An access token of an administrator, and the `Api-Key` of their tenant.
    Admin,
}

const JUDGED: &[(&str, &str, Needs)] = &[
    ("POST", "/api/register", Needs::Nothing),
    ("GET", "/api/tenants", Needs::Token),
    ("GET", "/api/tenant", Needs::Key),
    ("DELETE", "/api/tenant", Needs::Admin),
    ("GET", "/api/tenant/settings", Needs::Admin),
    ("PATCH", "/api/tenant/settings", Needs::Admin),
    ("GET", "/api/demo", Needs::Nothing),
    ("GET", "/api/tenant/certificate", Needs::Admin),
    ("POST", "/api/tenant/reset", Needs::Admin),
    ("GET", "/api/tenant/connection", Needs::Admin),
    ("GET", "/api/tenant/snapshots", Needs::Admin),
    ("POST", "/api/tenant/snapshots", Needs::Admin),
    ("POST", "/api/tenant/snapshots/{id}/restore", Needs::Admin),
    ("DELETE", "/api/tenant/snapshots/{id}", Needs::Admin),
    ("GET", "/api/certificate-key", Needs::Nothing),
    ("POST", "/api/auth/token", Needs::Nothing),
    ("POST", "/api/auth/refresh", Needs::Nothing),
    ("POST", "/api/auth/logout", Needs::Token),
    ("POST", "/api/auth/logout/everywhere", Needs::Token),
    ("GET", "/api/auth/me", Needs::Token),
    ("PATCH", "/api/auth/me", Needs::Token),
    ("POST", "/api/auth/password", Needs::Token),
    ("POST", "/api/auth/signup", Needs::Key),
    ("GET", "/api/logs", Needs::Admin),
    ("GET", "/api/tokens", Needs::Admin),
    ("POST", "/api/tokens", Needs::Admin),
    ("GET", "/api/tokens/{id}", Needs::Admin),
    ("PATCH", "/api/tokens/{id}", Needs::Admin),
    ("DELETE", "/api/tokens/{id}", Needs::Admin),
    ("GET", "/api/reports", Needs::Admin),
    ("POST", "/api/reports", Needs::Admin),
    ("PATCH", "/api/reports/{id}", Needs::Admin),
    ("DELETE", "/api/reports/{id}", Needs::Admin),
];

/// Calls of the data API: method, path, body.
fn data_calls() -> Vec<(Method, &'static str, Option<Value>)> {
    vec![
        (Method::GET, "/api/v1/", None),
        (Method::GET, "/api/v1/tables", None),
        (Method::GET, "/api/v1/tables/clients", None),
        (Method::GET, "/api/v1/tables/clients/schema", None),
        (Method::GET, "/api/v1/clients", None),
        (Method::GET, "/api/v1/clients/1", None),
        (Method::GET, "/api/v1/clients/schema", None),
        (Method::POST, "/api/v1/clients", Some(json!({"name": "x"}))),
        (Method::PUT, "/api/v1/clients/1", Some(json!({"name": "x"}))),
        (
            Method::PATCH,
            "/api/v1/clients/1",
            Some(json!({"name": "x"})),
        ),
        (Method::DELETE, "/api/v1/clients/1", None),
        (
            Method::POST,
            "/api/v1/sql",
            Some(json!({"query": "select 1"})),
        ),
        (Method::GET, "/api/v1/auth/test", None),
        (Method::GET, "/api/v1/reports", None),
        (Method::GET, "/api/v1/reports/invoices", None),
        (Method::GET, "/api/v1/reports/invoices/schema", None),
        (Method::GET, "/api/v1/reports/invoices/aggregate", None),
        (Method::GET, "/embed/report/invoices", None),
    ]
}

async fn call(client: &Client, method: &Method, path: &str, body: Option<&Value>) -> (u16, String) {
    let body = body.map(|body| body.to_string().into());
    let answer = client.call(method.clone(), path, body).await;
    let slug = if answer.status < 400 {
        String::new()
    } else {
        let kind = answer.json()["type"].as_str().unwrap().to_owned();
        kind.split("#error-").nth(1).unwrap().to_owned()
    };
    (answer.status, slug)
}

#[tokio::test]
async fn every_platform_call_is_judged() {
    let server = Server::start().await;
    let document = server.client.read("/openapi.json").await;
    let mut served = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            served.push((method.to_uppercase(), path.clone()));
        }
    }
    for (method, path) in &served {
        assert!(
            JUDGED.iter().any(|(m, p, _)| m == method && p == path),
            "{method} {path} is not judged in tests/strangers.rs"
        );
    }
    assert_eq!(
        served.len(),
        JUDGED.len(),
        "a judged call is not served: {served:?}"
    );
}

#[tokio::test]
async fn strangers_get_nowhere() {
    let server = Server::start().await;
    let mine = server.tenant("mine").await;
    let other = server.tenant("other").await;
    let strangers = tokens(&mine.admin, &server.jwt_key().await);

    let mut calls: Vec<(Method, String, Option<Value>)> = JUDGED
        .iter()
        .filter(|(_, _, needs)| matches!(needs, Needs::Token | Needs::Admin))
        .map(|(method, path, _)| {
            let body = matches!(*method, "POST" | "PATCH").then(|| json!({}));
            (method.parse().unwrap(), path.replace("{id}", "1"), body)
        })
        .collect();
    let query = Some(json!({"query": "{ clients { id } }"}));
    calls.push((Method::POST, "/api/v1/graphql".to_owned(), query));
    calls.extend(
        data_calls()
            .into_iter()
            .map(|(method, path, body)| (method, path.to_owned(), body)),
    );

    for (method, path, body) in &calls {
        let body = body.as_ref();
        for client in [&server.client, &mine.keyed] {
            let answer = call(client, method, path, body).await;
            assert_eq!(answer, (401, "missing-token".into()), "{method} {path}");
        }
        for (name, token, slug) in &strangers {
            let answer = call(&mine.keyed.bearer(token), method, path, body).await;
            assert_eq!(answer, (401, (*slug).into()), "{method} {path} with {name}");
        }
        let wrong_key = mine
            .admin
            .with("Api-Key", "ak_00000000000000000000000000000000");
        let answer = call(&wrong_key, method, path, body).await;
        assert_eq!(answer, (401, "invalid-api-key".into()), "{method} {path}");
        let crossed = mine.admin.with("Api-Key", &other.key);
        let answer = call(&crossed, method, path, body).await;
        assert_eq!(answer, (403, "tenant-mismatch".into()), "{method} {path}");
    }
    // Whatever was tried, both copies are still there.
    mine.admin.get("/api/v1/clients/1").await.expect(200);
    other.admin.get("/api/v1/clients/1").await.expect(200);
}

#[tokio::test]
async fn roles_hold_for_every_write() {
    let server = Server::start().await;
    let tenant = server.tenant("roles").await;
    let viewer = tenant.user("viewer@mail.example", "viewer").await;
    let editor = tenant.user("editor@mail.example", "editor").await;
    let account = server.account(&tenant).await;
    for (method, path, body) in data_calls() {
        let answer = call(&viewer, &method, path, body.as_ref()).await;
        if method == Method::GET {
            assert_eq!(answer.0, 200, "{method} {path}");
            continue;
        }
        assert_eq!(answer, (403, "permission-denied".into()), "{method} {path}");
        let template = call(&account, &method, path, body.as_ref()).await;
        assert_eq!(template, (403, "read-only".into()), "{method} {path}");
        let users = path.replace("clients", "users");
        let answer = call(&editor, &method, &users, body.as_ref()).await;
        assert_eq!(
            answer,
            (403, "permission-denied".into()),
            "{method} {users}"
        );
    }
    let (status, slug) = call(&editor, &Method::DELETE, "/api/tenant", None).await;
    assert_eq!((status, slug.as_str()), (403, "permission-denied"));
    // An account's token under the key of its own tenant acts as the tenant's administrator.
    let owner = account.with("Api-Key", &tenant.key);
    owner
        .patch("/api/v1/clients/1", &json!({"name": "Owned"}))
        .await
        .expect(200);
}

/// Forged, stale and crossed-out tokens, each with the one slug that it deserves.
fn tokens(admin: &Client, key: &[u8]) -> Vec<(&'static str, String, &'static str)> {
    let good = admin.token();
    let parts: Vec<&str> = good.split('.').collect();
    let (payload, signature) = (parts[1], parts[2]);
    let claims: Value = serde_json::from_slice(&unbase64(payload)).unwrap();
    let sign = |header: &jsonwebtoken::Header, claims: &Value, key: &[u8]| {
        let key = jsonwebtoken::EncodingKey::from_secret(key);
        jsonwebtoken::encode(header, claims, &key).unwrap()
    };
    let hs256 = jsonwebtoken::Header::default();
    let hs512 = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS512);
    let mut stale = claims.clone();
    stale["exp"] = json!(claims["iat"].as_i64().unwrap() - 1);
    let mut refresh = claims.clone();
    refresh["use"] = json!("refresh");
    let mut foreign = claims.clone();
    foreign["iss"] = json!("elsewhere");
    let flipped: String = signature.chars().rev().collect();
    vec![
        (
            "a forged one",
            sign(&hs256, &claims, b"guess"),
            "invalid-token",
        ),
        (
            "another algorithm",
            sign(&hs512, &claims, b"guess"),
            "invalid-token",
        ),
        ("a stale one", sign(&hs256, &stale, key), "token-expired"),
        (
            "a refresh token",
            sign(&hs256, &refresh, key),
            "invalid-token",
        ),
        (
            "another issuer",
            sign(&hs256, &foreign, key),
            "invalid-token",
        ),
        (
            "the right key by another algorithm",
            sign(&hs512, &claims, key),
            "invalid-token",
        ),
        (
            "no algorithm",
            format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."),
            "invalid-token",
        ),
        (
            "another signature",
            format!("{}.{payload}.{flipped}", parts[0]),
            "invalid-token",
        ),
        ("rubbish", "rubbish".to_owned(), "invalid-token"),
        (
            "an unknown API token",
            format!("dba_{}", "0".repeat(48)),
            "invalid-token",
        ),
    ]
}

fn unbase64(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let bits = text
        .bytes()
        .fold(String::new(), |bits, c| bits + &format!("{:06b}", value(c)));
    (0..bits.len() / 8)
        .map(|at| u8::from_str_radix(&bits[at * 8..at * 8 + 8], 2).unwrap())
        .collect()
}
