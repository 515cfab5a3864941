//! Rate limits: whose they are, what they count, and what a client is told.

use std::{sync::Arc, time::Duration};

use hyper::Method;
use serde_json::json;
use tokio::{sync::Mutex, time::Instant};

use crate::harness::{Client, PASSWORD, Server};

/// All of the tests' clients come from here, so this is what has to be trusted.
const TRUST: &str = "--trusted-proxies=127.0.0.0/8";

fn from(client: &Client, address: &str) -> Client {
    client.with("X-Forwarded-For", address)
}

/// How many of `count` requests are granted; the others must be refused.
async fn granted(client: &Client, path: &str, count: usize) -> usize {
    let mut granted = 0;
    for _ in 0..count {
        let answer = client.get(path).await;
        match answer.status {
            429 => assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1),
            _ => granted += 1,
        }
    }
    granted
}

#[tokio::test]
async fn an_address_gets_its_limit_before_any_credential_is_looked_at() {
    let server = Server::start_with(&["--ip-rate=5"]).await;
    let stranger = server.client.bearer("rubbish");
    let first = stranger.get("/api/v1/clients").await;
    assert_eq!(
        first.header("ratelimit-policy"),
        "\"address\";q=5;w=60",
        "{first:?}"
    );
    assert_eq!(first.header("ratelimit"), "\"address\";r=4;t=60");
    first.problem(401, "invalid-token");
    assert_eq!(granted(&stranger, "/nowhere", 9).await, 4);
    let refused = stranger.get("/api/v1/clients").await;
    assert!(
        refused
            .header("ratelimit")
            .starts_with("\"address\";r=0;t=")
    );
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(
        refused.header("ratelimit"),
        format!("\"address\";r=0;t={wait}")
    );
    let body = refused.problem(429, "too-many-requests");
    assert_eq!(body["violated-policies"], json!(["address"]));
    // Probes see the server, not its limits.
    for path in ["/healthz", "/readyz", "/metrics"] {
        let probe = server.client.get(path).await.expect(200);
        assert_eq!(probe.header("ratelimit"), "", "{path}");
    }
    let figures = server.client.get("/metrics").await.text();
    assert!(
        figures.contains("sandlot_rate_limited_total{policy=\"address\"} 6"),
        "{figures}"
    );
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_the_client_is() {
    let server = Server::start_with(&["--ip-rate=3"]).await;
    for number in 0..3 {
        let made_up = from(&server.client, &format!("198.51.100.{number}"));
        made_up.get("/").await.expect(200);
    }
    from(&server.client, "198.51.100.9")
        .get("/")
        .await
        .problem(429, "too-many-requests");

    let server = Server::start_with(&["--ip-rate=3", TRUST]).await;
    let one = from(&server.client, "198.51.100.1");
    assert_eq!(granted(&one, "/", 5).await, 3);
    // What the client itself put into the header is to the left of what the proxy added.
    let made_up = from(&server.client, "192.0.2.55, 198.51.100.1");
    assert_eq!(granted(&made_up, "/", 1).await, 0);
    let other = from(&server.client, "198.51.100.2");
    assert_eq!(granted(&other, "/", 5).await, 3);
    // A network of 64 bits is one client.
    let wide = from(&server.client, "2001:db8:1:2::1");
    assert_eq!(granted(&wide, "/", 2).await, 2);
    let same = from(&server.client, "2001:db8:1:2:3:4:5:6");
    assert_eq!(granted(&same, "/", 2).await, 1);
}

#[tokio::test]
async fn a_caller_gets_their_limit_from_wherever_they_call() {
    let server = Server::start_with(&["--token-rate=6", TRUST]).await;
    let tenant = server.tenant("limited").await;
    let viewer = tenant.user("viewer@mail.example", "viewer").await;
    let mut granted_here = 0;
    for number in 0..10 {
        let client = from(&tenant.admin, &format!("198.51.100.{number}"));
        granted_here += granted(&client, "/api/v1/clients/1", 1).await;
    }
    assert_eq!(granted_here, 6);
    let refused = tenant.admin.get("/api/auth/me").await;
    assert_eq!(refused.header("ratelimit-policy"), "\"caller\";q=6;w=60");
    let body = refused.problem(429, "too-many-requests");
    assert_eq!(body["violated-policies"], json!(["caller"]));
    // Another user of the same tenant has a limit of their own, and so has the account.
    assert_eq!(granted(&viewer, "/api/v1/clients/1", 7).await, 6);
    let account = server.account(&tenant).await;
    assert_eq!(granted(&account, "/api/v1/clients/1", 7).await, 6);
}

#[tokio::test]
async fn a_token_has_a_limit_of_its_own() {
    let server = Server::start_with(&["--token-rate=8"]).await;
    let tenant = server.tenant("tokens").await;
    let make = async |more: serde_json::Value| {
        let mut token = json!({"name": "limited", "scopes": ["tables"]});
        let more = more.as_object().unwrap().clone();
        token.as_object_mut().unwrap().extend(more);
        let made = tenant.admin.post("/api/tokens", &token).await.expect(201);
        server.client.bearer(made.json()["token"].as_str().unwrap())
    };
    let tight = make(json!({"rate_limit": 3})).await;
    let plain = make(json!({})).await;
    assert_eq!(granted(&tight, "/api/v1/clients/1", 6).await, 3);
    assert_eq!(granted(&plain, "/api/v1/clients/1", 10).await, 8);
    let refused = tight.get("/api/v1/clients/1").await;
    assert_eq!(refused.header("ratelimit-policy"), "\"caller\";q=3;w=60");
    refused.problem(429, "too-many-requests");
    // What a stranger does without the token is not drawn from it.
    let stranger = server.client.bearer(&format!("dba_{}", "0".repeat(48)));
    let answer = stranger.get("/api/v1/clients/1").await;
    answer.problem(401, "invalid-token");
}

#[tokio::test]
async fn passwords_and_registrations_are_limited_more_tightly() {
    let server = Server::start_with(&[
        "--ip-rate=100",
        "--sign-in-rate=2",
        "--register-rate=3",
        TRUST,
    ])
    .await;
    let client = from(&server.client, "198.51.100.1");
    let wrong = json!({"email": "a@mail.example", "password": "wrong password"});
    for _ in 0..2 {
        client
            .post("/api/auth/token", &wrong)
            .await
            .problem(401, "invalid-credentials");
    }
    let refused = client.post("/api/auth/token", &wrong).await;
    assert_eq!(
        refused.header("ratelimit-policy"),
        "\"address\";q=100;w=60, \"sign-in\";q=2;w=60"
    );
    let body = refused.problem(429, "too-many-requests");
    assert_eq!(body["violated-policies"], json!(["sign-in"]));
    for _ in 0..3 {
        client.post("/api/register", &json!({})).await.expect(400);
    }
    let right = json!({"email": "a@mail.example", "password": PASSWORD});
    for path in ["/api/register", "/api/auth/signup"] {
        let body = client
            .post(path, &right)
            .await
            .problem(429, "too-many-requests");
        assert_eq!(body["violated-policies"], json!(["register"]), "{path}");
    }
    from(&server.client, "198.51.100.2")
        .post("/api/register", &right)
        .await
        .expect(201);
}

#[tokio::test]
async fn an_operation_with_many_fields_draws_what_as_many_calls_do() {
    let server = Server::start_with(&["--token-rate=100", "--ip-rate=1000", TRUST]).await;
    let tenant = server.tenant("aliases").await;
    let client = from(&tenant.admin, "198.51.100.1");
    let aliases = |count: usize| {
        let fields: String = (0..count)
            .map(|n| format!("a{n}: client(id: 1) {{ id }} "))
            .collect();
        json!({"query": format!("{{ {fields} }}")})
    };
    let left = |answer: &crate::harness::Answer| {
        let limits = answer.header("ratelimit").split(", ");
        let counts = limits.map(|limit| limit.split(";t=").next().unwrap_or_default());
        counts.collect::<Vec<_>>().join(", ")
    };
    let first = client
        .post("/api/v1/graphql", &aliases(60))
        .await
        .expect(200);
    assert_eq!(first.json()["data"].as_object().unwrap().len(), 60);
    assert_eq!(left(&first), "\"address\";r=940, \"caller\";r=40");
    let refused = client.post("/api/v1/graphql", &aliases(60)).await;
    refused.problem(429, "too-many-requests");
    // A refused operation draws the one call that it was; nothing of it ran.
    let rest = client
        .post("/api/v1/graphql", &aliases(39))
        .await
        .expect(200);
    assert_eq!(left(&rest), "\"address\";r=900, \"caller\";r=0");
}

#[tokio::test]
async fn pages_of_other_origins_can_read_what_the_limits_say() {
    let server = Server::start_with(&["--ip-rate=2"]).await;
    let page = server.client.with("Origin", "https://app.example");
    let preflight = page
        .with("Access-Control-Request-Method", "GET")
        .with("Access-Control-Request-Headers", "authorization,api-key");
    // Preflights are not counted: a page would get half its limit.
    for _ in 0..5 {
        let answer = preflight
            .call(Method::OPTIONS, "/api/v1/clients", None)
            .await
            .expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "authorization,api-key"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    let statuses = [401, 401, 429];
    for status in statuses {
        let answer = page.get("/api/v1/clients").await.expect(status);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let exposed = answer
            .header("access-control-expose-headers")
            .to_lowercase();
        for name in answer.headers.keys() {
            let ordinary = ["content-type", "cache-control", "content-length", "date"];
            let internal = [
                "x-content-type-options",
                "x-frame-options",
                "referrer-policy",
            ];
            let policy = ["content-security-policy", "vary"];
            let known = ordinary.iter().chain(&internal).chain(&policy);
            assert!(
                exposed.split(", ").any(|e| e == name.as_str())
                    || known.into_iter().any(|k| *k == name.as_str())
                    || name.as_str().starts_with("access-control"),
                "{name} is not exposed"
            );
        }
    }
    let server = Server::start_with(&["--cors-origins=https://app.example"]).await;
    let page = server.client.with("Origin", "https://app.example");
    let answer = page.get("/api/v1/clients").await.expect(401);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert_eq!(answer.header("vary"), "Origin");
    let other = server.client.with("Origin", "https://evil.example");
    let answer = other.get("/api/v1/clients").await.expect(401);
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn what_did_not_come_by_https_is_sent_there() {
    let server = Server::start_with(&[
        "--https-only",
        "--public-url=https://sandlot.example",
        "--trusted-proxies=127.0.0.1",
        "--ip-rate=2",
    ])
    .await;
    for _ in 0..4 {
        let answer = server
            .client
            .get("/api/v1/clients?page=2")
            .await
            .expect(308);
        assert_eq!(
            answer.header("location"),
            "https://sandlot.example/api/v1/clients?page=2"
        );
        assert_eq!(answer.header("strict-transport-security"), "");
    }
    let secure = server.client.with("X-Forwarded-Proto", "https");
    let answer = secure.get("/api/v1/clients").await.expect(401);
    assert!(
        answer
            .header("strict-transport-security")
            .starts_with("max-age=")
    );
    assert_eq!(answer.header("server"), "");
    // A probe reaches the server past the proxy.
    server.client.get("/healthz").await.expect(200);
}

/// What 20 clients together are granted that ask at twice the limit of one subject, for three
/// windows. `clients` are served in turn.
pub async fn at_twice_the_limit(
    clients: Vec<Client>,
    path: &str,
    limit: u32,
    window: Duration,
) -> u32 {
    let count = clients.len() as u32;
    let every = window * count / (2 * limit);
    // The third window has begun somewhat after twice its length, and its limit is reached in half
    // of it; a fourth one must not begin.
    let begun = Instant::now();
    let end = begun + window * 11 / 4;
    let granted = Arc::new(Mutex::new(0));
    let mut running = Vec::new();
    for (at, client) in clients.into_iter().enumerate() {
        let (path, granted) = (path.to_owned(), Arc::clone(&granted));
        running.push(tokio::spawn(async move {
            let first = begun + every * at as u32 / count;
            let mut beat = tokio::time::interval_at(first, every);
            while beat.tick().await < end && Instant::now() < end {
                let answer = client.get(&path).await;
                match answer.status {
                    429 => {}
                    status => {
                        assert!(status < 500, "{answer:?}");
                        *granted.lock().await += 1;
                    }
                }
            }
        }));
    }
    for client in running {
        client.await.unwrap();
    }
    *granted.lock().await
}

#[tokio::test]
async fn twenty_clients_at_twice_their_limit_get_the_limit() {
    let window = Duration::from_secs(3);
    let server = Server::start_with(&["--token-rate=30", "--rate-window=3", TRUST]).await;
    let tenant = server.tenant("steady").await;
    let clients = vec![tenant.admin.clone(); 20];
    let granted = at_twice_the_limit(clients, "/api/v1/clients/1", 30, window).await;
    assert!(granted.abs_diff(90) <= 1, "{granted}");
}

#[tokio::test]
async fn twenty_addresses_at_twice_their_limits_get_the_limits() {
    let window = Duration::from_secs(4);
    let server = Server::start_with(&["--ip-rate=6", "--rate-window=4", TRUST]).await;
    let mut running = Vec::new();
    for number in 0..20 {
        let client = from(&server.client, &format!("198.51.100.{number}"));
        running.push(tokio::spawn(async move {
            at_twice_the_limit(vec![client], "/", 6, window).await
        }));
    }
    for client in running {
        let granted = client.await.unwrap();
        assert!(granted.abs_diff(18) <= 1, "{granted}");
    }
}
