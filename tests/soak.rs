//! `sandlot soak` is green on a server that is right, and red behind a proxy that falsifies answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use clap::Parser as _;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, body::Incoming, client, server, service::service_fn,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use sandlot::{
    config::{Cli, Command},
    soak::{self, Report},
};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::Server;

/// What a proxy does to a call that it passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Some answers are lost after the server has done its work.
    Cut,
    /// The same, and writes arrive without their keys.
    CutWithoutKeys,
    /// Some lists are those of whoever asked before.
    Swap,
    /// A value of some rows is another one.
    Change,
    /// Some writes are acknowledged and not kept.
    Lose,
    /// Some writes are made twice.
    Double,
    /// Some problems have no title.
    Untitled,
}

/// Every how many calls it does so.
const EVERY: u32 = 7;

/// A short soak of three tenants.
pub async fn soak(url: &str, more: &[&str]) -> Report {
    let fixed = [
        "sandlot",
        "soak",
        "--url",
        url,
        "--tenants=3",
        "--clients=3",
    ];
    let cli = Cli::parse_from(fixed.iter().chain(more));
    let Some(Command::Soak(options)) = cli.command else {
        panic!("not the soak");
    };
    soak::run(&options).await.unwrap()
}

/// The same behind a proxy, with tenants that may be there already.
async fn behind(server: &Server, file: &str, fault: Fault) -> Report {
    let address = proxy(server.client.address, fault).await;
    let more = ["--tenants-file", file, "--seconds=60", "--calls=150"];
    soak(&format!("http://{address}"), &more).await
}

#[tokio::test]
async fn a_right_server_is_green_and_is_left_as_it_was() {
    let server = Server::start().await;
    let report = soak(
        &format!("http://{}", server.client.address),
        &["--seconds=90", "--calls=400"],
    )
    .await;
    assert!(report.holds(), "{}", report.text());
    assert!(report.refused.is_empty() && report.unanswered.is_empty());
    for call in [
        "create",
        "create, sent twice",
        "change",
        "delete",
        "list",
        "one",
        "sql",
    ] {
        assert!(report.calls.contains_key(call), "{call}: {}", report.text());
    }
    assert!(report.rows > 0 && report.repeated > 0, "{}", report.text());
    let platform = server.platform_superuser().await;
    let sql = "select count(*) from tenants where status <> 'deleting'";
    let left: i64 = platform.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(left, 0, "its tenants are removed");
}

#[tokio::test]
async fn a_falsified_answer_is_red_and_a_lost_one_is_asked_for_again() {
    let server = Server::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tenants.json");
    let file = file.to_str().unwrap();

    let report = behind(&server, file, Fault::None).await;
    assert!(report.holds(), "{}", report.text());
    let report = behind(&server, file, Fault::Cut).await;
    assert!(report.holds(), "{}", report.text());
    assert!(report.unanswered["connection lost"] > 0);

    for (fault, word) in [
        (Fault::Swap, "marker"),
        (Fault::Change, "instead of"),
        (Fault::Lose, ""),
        (Fault::Double, ""),
        (Fault::CutWithoutKeys, ""),
        (Fault::Untitled, "title"),
    ] {
        let report = behind(&server, file, fault).await;
        assert!(!report.holds(), "{fault:?} was not seen: {}", report.text());
        let seen = |what: &str| report.first_wrong.iter().any(|one| one.what.contains(what));
        assert!(seen(word), "{fault:?}: {}", report.text());
    }
}

/// A proxy before one server, for as long as the test lasts.
async fn proxy(server: SocketAddr, fault: Fault) -> SocketAddr {
    before(vec![server], fault).await
}

/// A proxy before several servers, each of which gets every so many calls.
pub async fn round_robin(servers: Vec<SocketAddr>) -> SocketAddr {
    before(servers, Fault::None).await
}

async fn before(servers: Vec<SocketAddr>, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Arc::new(Proxy {
        servers,
        fault,
        calls: AtomicU32::new(0),
        last_list: Mutex::default(),
    });
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let proxy = Arc::clone(&proxy);
            let service = service_fn(move |request| {
                let proxy = Arc::clone(&proxy);
                async move { proxy.pass(request).await }
            });
            let connection = server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

struct Proxy {
    servers: Vec<SocketAddr>,
    fault: Fault,
    calls: AtomicU32,
    last_list: Mutex<Bytes>,
}

impl Proxy {
    async fn pass(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().to_owned();
        let on_rows = path.starts_with("/api/v1/soak_rows");
        let creates = on_rows && parts.method == Method::POST;
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let now = on_rows && number.is_multiple_of(EVERY);
        let server = self.servers[number as usize % self.servers.len()];
        match self.fault {
            Fault::CutWithoutKeys => drop(parts.headers.remove("idempotency-key")),
            Fault::Lose if now && creates => {
                let rollback = "tx=rollback".parse().unwrap();
                parts.headers.insert("prefer", rollback);
            }
            Fault::Double if now && creates => {
                let mut headers = parts.headers.clone();
                headers.remove("idempotency-key");
                forward(server, &parts.method, &parts.uri, headers, body.clone()).await;
            }
            _ => {}
        }
        let mut answer = forward(server, &parts.method, &parts.uri, parts.headers, body).await;
        let list = path == "/api/v1/soak_rows" && parts.method == Method::GET;
        match self.fault {
            Fault::Cut | Fault::CutWithoutKeys if now => {
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            Fault::Swap if list && answer.status() == 200 => {
                let own = answer.body().clone();
                let before = std::mem::replace(&mut *self.last_list.lock(), own);
                if now && !before.is_empty() {
                    *answer.body_mut() = before;
                }
            }
            Fault::Change if now => {
                let text = String::from_utf8_lossy(answer.body()).into_owned();
                *answer.body_mut() = text.replacen("\"version\":1", "\"version\":7", 1).into();
            }
            Fault::Untitled if answer.status().is_client_error() => {
                let text = String::from_utf8_lossy(answer.body()).into_owned();
                *answer.body_mut() = text.replacen("\"title\":", "\"titel\":", 1).into();
            }
            _ => {}
        }
        let (mut parts, body) = answer.into_parts();
        parts.headers.remove("content-length");
        Ok(Response::from_parts(parts, Full::new(body)))
    }
}

async fn forward(
    server: SocketAddr,
    method: &Method,
    uri: &hyper::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Bytes> {
    let stream = TcpStream::connect(server).await.unwrap();
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = Request::new(Full::new(body));
    (*request.method_mut(), *request.uri_mut()) = (method.clone(), uri.clone());
    *request.headers_mut() = headers;
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, body)
}
