//! Calls the installation over HTTP, as a client would.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Most bytes of an answer that are kept.
const MOST: usize = 80 << 20;

/// Calls one server with one tenant's credentials.
#[derive(Clone)]
pub struct Caller {
    pub address: SocketAddr,
    pub key: String,
    pub token: String,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

impl Caller {
    /// Any call; a body is JSON.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("api-key", &self.key);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body)))?;
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = http_body_util::Limited::new(body, MOST)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("reading the answer: {error}"))?
            .to_bytes();
        Ok(Answer {
            status: parts.status.as_u16(),
            body,
        })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.call("POST", path, Some(body)).await
    }

    /// The same, as JSON, if the status is the expected one.
    pub async fn post_for(&self, path: &str, body: &Value, status: u16) -> anyhow::Result<Value> {
        let answer = self.post(path, body).await?;
        anyhow::ensure!(
            answer.status == status,
            "POST {path} answered {}: {}",
            answer.status,
            answer.text()
        );
        serde_json::from_slice(&answer.body).context("the answer is not JSON")
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
