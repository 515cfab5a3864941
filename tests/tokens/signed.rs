//! Signed requests: what is signed is what was sent, bit for bit.

use bytes::Bytes;
use chrono::Utc;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::{Method, Uri};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Made, make};
use crate::harness::{Answer, Client, Server};

/// All that is signed of a request, and what it is signed with.
#[derive(Clone)]
pub struct Signed {
    pub method: String,
    pub path: String,
    pub query: String,
    pub body: Vec<u8>,
    pub timestamp: String,
    pub secret: String,
}

impl Signed {
    pub fn new(made: &Made, method: &str, path: &str, query: &str, body: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: body.as_bytes().to_vec(),
            timestamp: Utc::now().timestamp().to_string(),
            secret: made.hmac_secret.clone().unwrap(),
        }
    }

    pub fn signature(&self) -> String {
        let body = hex::encode(Sha256::digest(&self.body));
        let parts = [
            &self.method,
            &self.path,
            &self.query,
            &body,
            &self.timestamp,
        ];
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(parts.map(String::as_str).join("\n").as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// Sends it under a signature, its own or that of another request.
    pub async fn send(&self, client: &Client, signature: &str) -> Answer {
        let client = client
            .with("X-Timestamp", &self.timestamp)
            .with("X-Signature", signature)
            .with("Content-Type", "application/json");
        let path = match self.query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        };
        let method = Method::from_bytes(self.method.as_bytes()).unwrap();
        let body = (!self.body.is_empty()).then(|| Bytes::from(self.body.clone()));
        client.call(method, &path, body).await
    }
}

async fn signer(server: &Server, name: &str) -> (crate::harness::Tenant, Made) {
    let tenant = server.tenant(name).await;
    let scopes = json!(["tables", "views", "graphql", "write", "sql"]);
    let made = make(&tenant, json!({"scopes": scopes, "hmac": true})).await;
    (tenant, made)
}

#[tokio::test]
async fn signed_requests_are_answered_on_every_surface() {
    let server = Server::start().await;
    let (_, made) = signer(&server, "signer").await;
    for (method, path, query, body, status) in [
        (
            "GET",
            "/api/v1/clients",
            "filter=name:a%20b&per_page=2&sort=-id",
            "",
            200,
        ),
        ("GET", "/api/v1/clients/1", "", "", 200),
        ("POST", "/api/v1/clients", "", r#"{"name":"Über"}"#, 201),
        (
            "PATCH",
            "/api/v1/clients/1",
            "",
            "{ \"name\" : \"spaced\" }",
            200,
        ),
        ("GET", "/api/v1/reports/invoices", "per_page=1", "", 200),
        (
            "POST",
            "/api/v1/graphql",
            "",
            r#"{"query":"{ clients(limit: 1) { id } }"}"#,
            200,
        ),
        (
            "POST",
            "/api/v1/sql",
            "",
            r#"{"query":"select 1 as one"}"#,
            200,
        ),
        ("GET", "/api/v1/auth/test", "", "", 200),
        ("HEAD", "/api/v1/clients", "", "", 200),
    ] {
        let request = Signed::new(&made, method, path, query, body);
        request
            .send(&made.client, &request.signature())
            .await
            .expect(status);
    }
    made.client
        .get("/api/v1/clients")
        .await
        .problem(401, "invalid-signature");
}

#[tokio::test]
async fn one_flipped_bit_is_noticed() {
    let server = Server::start().await;
    let (tenant, made) = signer(&server, "flipper").await;
    let rows = |client: Client| async move {
        client.get("/api/v1/clients?per_page=1").await.json()["meta"]["total"].clone()
    };
    let before = rows(tenant.admin.clone()).await;
    let good = Signed::new(
        &made,
        "POST",
        "/api/v1/clients",
        "_a=1&_b=%20",
        r#"{"name":"one row"}"#,
    );
    let signature = good.signature();
    let mut sent = 0;
    let flips = |text: &[u8]| -> Vec<Vec<u8>> {
        let bits = (0..text.len() * 8).step_by(3);
        let flip = |bit: usize| {
            let mut text = text.to_vec();
            text[bit / 8] ^= 1 << (bit % 8);
            text
        };
        bits.map(flip).collect()
    };
    let mut changed = Vec::new();
    // What goes on the wire as it is; what no request can carry is left out.
    for path in flips(&good.path.as_bytes()["/api/v1/".len()..]) {
        let Ok(path) = String::from_utf8([b"/api/v1/", &path[..]].concat()) else {
            continue;
        };
        if path
            .parse::<Uri>()
            .is_ok_and(|uri| uri.path() == path && uri.query().is_none())
        {
            changed.push(Signed {
                path,
                ..good.clone()
            });
        }
    }
    for query in flips(good.query.as_bytes()) {
        let Ok(query) = String::from_utf8(query) else {
            continue;
        };
        let whole = format!("/?{query}");
        if whole
            .parse::<Uri>()
            .is_ok_and(|uri| uri.query() == Some(&*query))
        {
            changed.push(Signed {
                query,
                ..good.clone()
            });
        }
    }
    changed.extend(flips(&good.body).into_iter().map(|body| Signed {
        body,
        ..good.clone()
    }));
    for timestamp in flips(good.timestamp.as_bytes()) {
        let Ok(timestamp) = String::from_utf8(timestamp) else {
            continue;
        };
        if timestamp.bytes().all(|byte| byte.is_ascii_graphic()) {
            changed.push(Signed {
                timestamp,
                ..good.clone()
            });
        }
    }
    for method in ["PUT", "PATCH", "GET", "DELETE", "QOST", "post"] {
        changed.push(Signed {
            method: method.to_owned(),
            ..good.clone()
        });
    }
    for request in &changed {
        request
            .send(&made.client, &signature)
            .await
            .problem(401, "invalid-signature");
        sent += 1;
    }
    assert!(sent > 100, "{sent}");
    for bit in 0..256 {
        let mut bytes = hex::decode(&signature).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        good.send(&made.client, &hex::encode(bytes))
            .await
            .problem(401, "invalid-signature");
    }
    for secret in flips(good.secret.as_bytes()) {
        let secret = String::from_utf8_lossy(&secret).into_owned();
        let other = Signed {
            secret,
            ..good.clone()
        };
        good.send(&made.client, &other.signature())
            .await
            .problem(401, "invalid-signature");
    }
    assert_eq!(rows(tenant.admin.clone()).await, before);
    good.send(&made.client, &signature).await.expect(201);
    assert_ne!(rows(tenant.admin).await, before);
}

#[tokio::test]
async fn an_old_or_early_request_is_refused() {
    let server = Server::start().await;
    let (_, made) = signer(&server, "clock").await;
    for (off, held) in [
        (-301, false),
        (301, false),
        (-302, false),
        (-290, true),
        (290, true),
    ] {
        let mut request = Signed::new(&made, "GET", "/api/v1/clients/1", "", "");
        request.timestamp = (Utc::now().timestamp() + off).to_string();
        // A second may pass on the way, which makes an early one less early.
        if off == 301 {
            request.timestamp = (Utc::now().timestamp() + 305).to_string();
        }
        let answer = request.send(&made.client, &request.signature()).await;
        if held {
            answer.expect(200);
        } else {
            answer.problem(401, "invalid-signature");
        }
    }
}
