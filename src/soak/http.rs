//! One kept connection to the server under load, opened again whenever it is gone.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::Instant};

/// Longest wait for an answer; a server is to give up before.
const PATIENCE: Duration = Duration::from_secs(75);

/// Where the calls go.
#[derive(Debug)]
pub struct Server {
    /// `host:port`.
    address: String,
    /// What stands before every path, without a slash at its end.
    prefix: String,
}

/// A request, which may be sent several times.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    pub headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub took: Duration,
}

/// A connection that is kept between calls.
pub struct Line {
    sender: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Server {
    /// Of `http://host[:port][/prefix]`.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let rest = url
            .strip_prefix("http://")
            .context("--url begins with http://; TLS is not built in")?;
        let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        anyhow::ensure!(!host.is_empty(), "--url names no host");
        let port = host.rsplit_once(':').map_or("", |(_, port)| port);
        let address = if port.parse::<u16>().is_ok() {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        Ok(Self {
            address,
            prefix: prefix.trim_end_matches('/').to_owned(),
        })
    }
}

impl Call {
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, None)
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    pub fn new(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            headers: Vec::new(),
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

impl Line {
    pub fn new() -> Self {
        Self { sender: None }
    }

    /// Sends a call and waits for the whole answer; the error says in a few words why there is none.
    pub async fn send(&mut self, server: &Server, call: &Call) -> Result<Answer, &'static str> {
        match tokio::time::timeout(PATIENCE, self.exchange(server, call)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(reason)) => {
                self.sender = None;
                Err(reason)
            }
            Err(_) => {
                self.sender = None;
                Err("no answer in time")
            }
        }
    }

    async fn exchange(&mut self, server: &Server, call: &Call) -> Result<Answer, &'static str> {
        let mut kept = self.sender.take();
        if let Some(sender) = &mut kept
            && sender.ready().await.is_err()
        {
            kept = None;
        }
        let mut sender = match kept {
            Some(sender) => sender,
            None => connect(server).await?,
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", server.prefix, call.path))
            .header("host", &server.address);
        if call.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| "the request can't be written")?;
        let began = Instant::now();
        let answer = sender.send_request(request).await;
        let (parts, body) = answer.map_err(|_| "connection lost")?.into_parts();
        let body = body.collect().await.map_err(|_| "answer cut short")?;
        let took = began.elapsed();
        self.sender = Some(sender);
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
            took,
        })
    }
}

async fn connect(server: &Server) -> Result<http1::SendRequest<Full<Bytes>>, &'static str> {
    let stream = TcpStream::connect(&server.address)
        .await
        .map_err(|_| "no connection")?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| "no connection")?;
    // Ends with the sender, or with the server's closing, which `ready` then tells.
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port_and_a_prefix() {
        let parts = |url| {
            let server = Server::parse(url).unwrap();
            (server.address, server.prefix)
        };
        assert_eq!(parts("http://h:81"), ("h:81".into(), String::new()));
        assert_eq!(parts("http://h/"), ("h:80".into(), String::new()));
        assert_eq!(parts("http://[::1]:8/a/"), ("[::1]:8".into(), "/a".into()));
        assert_eq!(parts("http://[::1]").0, "[::1]:80");
        assert!(Server::parse("https://h").is_err());
        assert!(Server::parse("http://").is_err());
    }
}
