//! A small HTTP client: one connection a call, every answer checked for the house rules.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The password of everybody in the tests.
pub const PASSWORD: &str = "correct horse";

/// Calls one server, with headers that every call carries.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    asked: String,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            headers: Vec::new(),
        }
    }

    /// The same client with one more header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client
            .headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same client at another server.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// The same client with a token.
    pub fn bearer(&self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    /// The token that `bearer` set.
    pub fn token(&self) -> &str {
        self.headers
            .iter()
            .find_map(|(_, value)| value.strip_prefix("Bearer "))
            .unwrap()
    }

    /// Waits until the tenant of this client's `Api-Key` is ready.
    pub async fn until_ready(&self) {
        let ready = async {
            loop {
                let state = self.read("/api/tenant").await;
                assert_ne!(state["status"], "failed", "{state}");
                if state["status"] == "ready" {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(180), ready)
            .await
            .expect("a copy in time");
    }

    /// The same client with the access token of whoever has this address and the tests' password.
    pub async fn sign_in(&self, email: &str) -> Self {
        let credentials = serde_json::json!({"email": email, "password": PASSWORD});
        let answer = self.post("/api/auth/token", &credentials).await;
        let tokens = answer.expect(200).json();
        self.bearer(tokens["access_token"].as_str().unwrap())
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// What a path answers with, which has to be a 200.
    pub async fn read(&self, path: &str) -> Value {
        self.get(path).await.expect(200).json()
    }

    /// The certificate of this administrator's tenant, which has to be green.
    pub async fn identical(&self) -> Value {
        let certificate = self.read("/api/tenant/certificate").await;
        assert_eq!(
            certificate["verdict"], "identical",
            "{}",
            certificate["differences"]
        );
        certificate
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body.to_string().into()))
            .await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, Some(body.to_string().into()))
            .await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path, Some(body.to_string().into()))
            .await
    }

    /// Any call; a body is sent as JSON unless a header says otherwise.
    pub async fn call(&self, method: Method, path: &str, body: Option<Bytes>) -> Answer {
        self.try_call(method, path, body).await.unwrap()
    }

    /// The same of a server that may be going.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let asked = format!("{method} {path}");
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", self.address.to_string());
        let typed = self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if body.is_some() && !typed {
            request = request.header("Content-Type", "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.unwrap_or_default())).unwrap();
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
            asked,
        };
        answer.check();
        Ok(answer)
    }
}

impl Answer {
    /// Fails the test unless the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self
    }

    /// Fails the test unless the answer is the expected problem.
    #[track_caller]
    pub fn problem(self, status: u16, slug: &str) -> Value {
        let body = self.expect(status).json();
        let kind = body["type"].as_str().unwrap_or_default();
        assert!(kind.ends_with(&format!("#error-{slug}")), "{body}");
        body
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.asked, self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What holds for every answer of the server.
    fn check(&self) {
        assert!(!self.header("x-request-id").is_empty(), "{}", self.asked);
        if self.status < 400 {
            return;
        }
        // Pages for people say it in a page.
        if self.header("content-type").starts_with("text/html") {
            let page = ["/account", "/panel", "/log", "/register"];
            let path = self.asked.split(' ').nth(1).unwrap_or_default();
            assert!(
                page.iter().any(|own| path.starts_with(own)),
                "{}",
                self.asked
            );
            return;
        }
        if self.header("hx-reswap") == "none" {
            // A line above a page of the panel that stays as it is.
            assert!(
                self.header("content-type").starts_with("text/plain"),
                "{}",
                self.asked
            );
            return;
        }
        if self
            .header("content-type")
            .starts_with("application/graphql-response+json")
        {
            assert!(self.json()["errors"].is_array(), "{}", self.asked);
            return;
        }
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}: {}",
            self.asked,
            self.text()
        );
        let body = self.json();
        assert_eq!(body["status"], self.status, "{body}");
        for member in ["type", "title", "detail", "instance"] {
            assert!(body[member].is_string(), "{}: {body}", self.asked);
        }
        if self.status == 405 {
            assert!(!self.header("allow").is_empty(), "{}", self.asked);
        }
    }
}
