//! What a request costs PostgreSQL: statements, round trips and bytes, counted on the wire, so that they can't creep up.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hyper::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, UnixStream},
};
use tokio_postgres::config::Host;

use crate::harness::{Client, Server};

/// Requests of which the least is taken: now and then the server looks at a catalog beside one.
const REQUESTS: usize = 15;

/// What has passed between a server and PostgreSQL.
#[derive(Default)]
struct Wire {
    /// Statements that were run (`Execute` and `Query`).
    statements: AtomicUsize,
    /// Statements that were parsed.
    parsed: AtomicUsize,
    /// Times that the server waited for PostgreSQL (`Sync` and `Query`).
    trips: AtomicUsize,
    /// Bytes that PostgreSQL answered.
    bytes: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    statements: usize,
    parsed: usize,
    trips: usize,
    bytes: usize,
}

#[tokio::test]
async fn a_read_is_one_statement_and_a_write_two_at_most() {
    let server = Server::start_with(&["--log-days=0"]).await;
    let tenant = server.tenant("counted").await;
    let config = server.config_of("sandlot");
    let Host::Unix(folder) = &config.get_hosts()[0] else {
        panic!("the tests' PostgreSQL is on a socket");
    };
    let wire = Arc::new(Wire::default());
    let port = between(folder.join(".s.PGSQL.5432"), Arc::clone(&wire)).await;
    let url = format!(
        "--tenants-url=postgres://sandlot@127.0.0.1:{port}/{}",
        config.get_dbname().unwrap()
    );
    let counted = server.twin_with(&["--log-days=0", &url]).await;
    let client = tenant.admin.at(counted.client.address);

    let table = "/api/v1/countries";
    let graphql = json!({"query": "{ clients(limit: 25) { id name } }"});
    let nested =
        json!({"query": "{ clients(limit: 25) { id name projects(limit: 5) { id name } } }"});
    let insert = json!({"name": "Counted"});
    // The template's tables have triggers: after a write the session is looked at, whether they left it as it was.
    for (name, method, path, body, statements, trips) in [
        ("list", Method::GET, "/api/v1/clients", None, 1, 1),
        ("one", Method::GET, "/api/v1/clients/1", None, 1, 1),
        ("a small table", Method::GET, table, None, 1, 1),
        (
            "include",
            Method::GET,
            "/api/v1/clients?include=projects",
            None,
            1,
            1,
        ),
        (
            "insert",
            Method::POST,
            "/api/v1/clients",
            Some(&insert),
            2,
            2,
        ),
        (
            "update",
            Method::PATCH,
            "/api/v1/clients/1",
            Some(&insert),
            2,
            2,
        ),
        (
            "GraphQL list",
            Method::POST,
            "/api/v1/graphql",
            Some(&graphql),
            1,
            1,
        ),
        (
            "GraphQL, nested",
            Method::POST,
            "/api/v1/graphql",
            Some(&nested),
            1,
            1,
        ),
    ] {
        let (cost, answered) = least(&client, &wire, &method, path, body).await;
        println!("{name}: {cost:?}, {answered} bytes answered");
        assert!(
            cost.statements <= statements && cost.trips <= trips,
            "{name}: {cost:?}"
        );
        assert_eq!(cost.parsed, 0, "{name} is prepared");
        // The rows travel once, as text or JSON, and little else does.
        assert!(
            cost.bytes < 2 * answered + 512,
            "{name}: {} bytes for an answer of {answered}",
            cost.bytes
        );
    }
}

/// The least that a request costs, and the size of its answer.
async fn least(
    client: &Client,
    wire: &Wire,
    method: &Method,
    path: &str,
    body: Option<&Value>,
) -> (Cost, usize) {
    let mut all = Vec::new();
    for _ in 0..REQUESTS {
        let before = wire.cost();
        let body = body.map(|body| body.to_string().into());
        let answer = client.call(method.clone(), path, body).await;
        assert!(answer.status < 300, "{}", answer.text());
        let after = wire.cost();
        let cost = Cost {
            statements: after.statements - before.statements,
            parsed: after.parsed - before.parsed,
            trips: after.trips - before.trips,
            bytes: after.bytes - before.bytes,
        };
        all.push((cost, answer.body.len()));
    }
    all.into_iter().min().unwrap()
}

impl Wire {
    fn cost(&self) -> Cost {
        let of = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        Cost {
            statements: of(&self.statements),
            parsed: of(&self.parsed),
            trips: of(&self.trips),
            bytes: of(&self.bytes),
        }
    }

    fn count(&self, kind: u8) {
        let counters: &[&AtomicUsize] = match kind {
            b'Q' => &[&self.statements, &self.trips],
            b'E' => &[&self.statements],
            b'P' => &[&self.parsed],
            b'S' => &[&self.trips],
            _ => &[],
        };
        for counter in counters {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A port that leads to PostgreSQL's socket, for as long as the test lasts.
async fn between(socket: PathBuf, wire: Arc<Wire>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            client.set_nodelay(true).unwrap();
            let postgres = UnixStream::connect(&socket).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_postgres, to_postgres) = postgres.into_split();
            tokio::spawn(ask(from_client, to_postgres, Arc::clone(&wire)));
            tokio::spawn(answer(from_postgres, to_client, Arc::clone(&wire)));
        }
    });
    port
}

/// Passes messages on and counts them by their first byte; the first ones have none.
async fn ask(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    wire: Arc<Wire>,
) -> std::io::Result<()> {
    let mut first = true;
    loop {
        let mut message = Vec::new();
        if !first {
            message.push(from.read_u8().await?);
            wire.count(message[0]);
        }
        let length = from.read_u32().await?;
        message.extend(length.to_be_bytes());
        let start = message.len();
        message.resize(start + length as usize - 4, 0);
        from.read_exact(&mut message[start..]).await?;
        // A request for TLS or a cancellation is followed by another first message, or by nothing.
        let code = message.get(4..8).map(|code| code == [0, 3, 0, 0]);
        first = first && code != Some(true);
        to.write_all(&message).await?;
    }
}

async fn answer(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    wire: Arc<Wire>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        wire.bytes.fetch_add(count, Ordering::SeqCst);
        to.write_all(&buffer[..count]).await?;
    }
}
