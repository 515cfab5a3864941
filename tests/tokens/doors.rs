//! Where a token is refused before it is asked what for: and in which order.

use serde_json::{Value, json};

use super::{make, signed::Signed};
use crate::harness::Server;

#[tokio::test]
async fn addresses_and_pages_are_held_against_their_lists() {
    let server = Server::start().await;
    let tenant = server.tenant("places").await;
    for (list, held) in [
        (json!(["127.0.0.1"]), true),
        (json!(["10.0.0.0/8", "127.0.0.0/8"]), true),
        (json!(["::ffff:127.0.0.0/104"]), true),
        (json!(["10.0.0.0/8", "::1", "127.0.0.2"]), false),
    ] {
        let made = make(&tenant, json!({"scopes": ["tables"], "ip_allowlist": list})).await;
        // What a client says of itself is no address.
        let client = made
            .client
            .with("X-Forwarded-For", "10.0.0.1")
            .with("Forwarded", "for=10.0.0.1");
        let answer = client.get("/api/v1/clients/1").await;
        if held {
            answer.expect(200);
        } else {
            answer.problem(403, "ip-not-allowed");
        }
    }
    let domains = json!(["app.example", "*.shop.example", "https://one.example:8443"]);
    let made = make(
        &tenant,
        json!({"scopes": ["tables"], "domain_allowlist": domains}),
    )
    .await;
    for (origin, held) in [
        (Some("https://app.example"), true),
        (Some("http://app.example:3000"), true),
        (Some("https://eu.shop.example"), true),
        (Some("https://one.example:8443"), true),
        (Some("https://one.example"), false),
        (Some("https://app.example.evil"), false),
        (Some("null"), false),
        (None, false),
    ] {
        let client = match origin {
            Some(origin) => made.client.with("Origin", origin),
            None => made.client.clone(),
        };
        let answer = client.get("/api/v1/clients/1").await;
        if held {
            answer.expect(200);
        } else {
            answer.problem(403, "domain-not-allowed");
        }
    }
}

#[tokio::test]
async fn a_token_in_the_address_is_one_for_frames() {
    let server = Server::start().await;
    let on = Server::start_with(&["--query-tokens"]).await;
    let path = |token: &str| format!("/api/v1/clients?per_page=1&token={token}&page=2");
    for (server, is_on) in [(&server, false), (&on, true)] {
        let tenant = server.tenant("frames").await;
        let embed = make(
            &tenant,
            json!({"scopes": ["tables", "views"], "kind": "embed"}),
        )
        .await;
        let standard = make(&tenant, json!({"scopes": ["tables", "views"]})).await;
        let client = &server.client;
        // As a header, an embed token is like any other that reads.
        embed.client.get("/api/v1/clients/1").await.expect(200);
        embed
            .client
            .post("/api/v1/clients", &json!({"name": "x"}))
            .await
            .problem(403, "write-not-allowed");
        if !is_on {
            for token in [&embed.token, &standard.token, &"rubbish".to_owned()] {
                client
                    .get(&path(token))
                    .await
                    .problem(401, "query-token-disabled");
            }
            continue;
        }
        let page = client.get(&path(&embed.token)).await.expect(200);
        assert!(!page.text().contains(&embed.token), "{}", page.text());
        assert_eq!(
            page.json()["links"]["self"],
            "/api/v1/clients?per_page=1&page=2"
        );
        client
            .get(&path(&standard.token))
            .await
            .problem(403, "embed-type-required");
        for token in ["", "rubbish", "dba_", &"0".repeat(52), tenant.admin.token()] {
            client.get(&path(token)).await.problem(401, "invalid-token");
        }
        standard
            .client
            .get(&path(&embed.token))
            .await
            .problem(401, "invalid-token");
        client
            .get("/api/v1/clients")
            .await
            .problem(401, "missing-token");
        let frame = client
            .get(&format!("/embed/report/invoices?token={}", embed.token))
            .await
            .expect(200);
        assert!(frame.text().contains("<svg") && !frame.text().contains(&embed.token));
        let report = format!(
            "/api/v1/reports/invoices/aggregate?dimension=status&token={}",
            embed.token
        );
        let figures = client.get(&report).await.expect(200);
        assert!(!figures.text().contains(&embed.token));
        let write = client
            .post(&path(&embed.token), &json!({"name": "x"}))
            .await;
        write.problem(403, "write-not-allowed");
    }
}

/// A token that is wrong in every way is told of the first; each is mended in turn.
#[tokio::test]
async fn refusals_come_in_the_order_that_tells_least() {
    let server = Server::start().await;
    let tenant = server.tenant("order").await;
    let other = server.tenant("another").await;
    let everything = json!({"scopes": ["views"], "hmac": true, "expires_at": "2999-01-01T00:00:00Z",
        "ip_allowlist": ["10.0.0.1"], "domain_allowlist": ["app.example"], "allowed_tables": ["projects"]});
    let made = make(&tenant, everything).await;
    let platform = server.platform_superuser().await;
    platform
        .execute(
            "update tokens set expires_at = now() - interval '1 second'",
            &[],
        )
        .await
        .unwrap();

    let send = |client: crate::harness::Client, sound: bool| {
        let request = Signed::new(&made, "POST", "/api/v1/clients", "", r#"{"nosuch":1}"#);
        let signature = if sound {
            request.signature()
        } else {
            "0".repeat(64)
        };
        async move {
            let answer = request.send(&client, &signature).await;
            let kind = answer.json()["type"].as_str().unwrap().to_owned();
            (
                answer.status,
                kind.rsplit("#error-").next().unwrap().to_owned(),
            )
        }
    };
    let mut client = server
        .client
        .bearer(&made.token.to_uppercase())
        .with("Api-Key", &other.key);
    let mut met = Vec::new();
    met.push(send(client.clone(), false).await);
    client = client.bearer(&format!("dba_{}", "0".repeat(48)));
    met.push(send(client.clone(), false).await);
    client = client.bearer(&made.token);
    met.push(send(client.clone(), false).await);
    met.push(send(client.clone(), true).await);
    let change = |change: Value| {
        let path = format!("/api/tokens/{}", made.id);
        let admin = tenant.admin.clone();
        async move { admin.patch(&path, &change).await.expect(200) }
    };
    change(json!({"expires_at": null})).await;
    met.push(send(client.clone(), true).await);
    change(json!({"ip_allowlist": ["127.0.0.1"]})).await;
    met.push(send(client.clone(), true).await);
    client = client.with("Origin", "https://app.example");
    met.push(send(client.clone(), true).await);
    client = client.with("Api-Key", &tenant.key);
    met.push(send(client.clone(), true).await);
    change(json!({"scopes": ["tables"]})).await;
    met.push(send(client.clone(), true).await);
    change(json!({"allowed_tables": []})).await;
    met.push(send(client.clone(), true).await);
    change(json!({"scopes": ["tables", "write"]})).await;
    met.push(send(client.clone(), true).await);
    let expected = [
        (401, "invalid-token"),
        (401, "invalid-token"),
        (401, "invalid-signature"),
        (401, "invalid-token"),
        (403, "ip-not-allowed"),
        (403, "domain-not-allowed"),
        (403, "tenant-mismatch"),
        (403, "scope-not-allowed"),
        (403, "table-not-allowed"),
        (403, "write-not-allowed"),
        (400, "validation-failed"),
    ];
    assert_eq!(
        met,
        expected.map(|(status, slug)| (status, slug.to_owned()))
    );
}
