//! What a request costs the server's memory: allocations, their bytes, and how often an answer is copied, so that they
//! can't creep up.
//!
//! A binary of its own, since all of the process is counted. The bounds are up to a tenth above what was counted
//! when they were set; whoever makes a request dearer has to raise one here, and say why.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    unused_imports,
    missing_docs
)]

use std::alloc::System;

use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

mod harness;

use harness::{Server, Tenant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests that are counted together, and how often; the least counts, for the server has other things to do.
const TOGETHER: usize = 10;
const BATCHES: usize = 12;

/// Bytes that may be allocated for each further byte of an answer: whoever copies it once more needs one more. Counted are
/// PostgreSQL's bytes in a buffer, the rows, and the body, whose memory doubles as it grows.
const COPIES: f64 = 4.5;

/// A request, and the most allocations and bytes that it may cost.
struct Bound {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: Option<serde_json::Value>,
    allocations: usize,
    bytes: usize,
}

fn bounds() -> [Bound; 4] {
    let bound = |name, method, path, body, allocations, bytes| Bound {
        name,
        method,
        path,
        body,
        allocations,
        bytes,
    };
    let insert = json!({"name": "Counted", "city": "Oslo"});
    let graphql = json!({"query": "{ clients(limit: 25) { id name city } }"});
    [
        bound(
            "list",
            "GET",
            "/api/v1/clients?count=none",
            None,
            240,
            132_000,
        ),
        bound("one", "GET", "/api/v1/clients/1", None, 185, 54_500),
        bound(
            "insert",
            "POST",
            "/api/v1/clients",
            Some(insert),
            308,
            66_000,
        ),
        bound(
            "GraphQL list",
            "POST",
            "/api/v1/graphql",
            Some(graphql),
            195,
            58_500,
        ),
    ]
}

#[tokio::test]
async fn no_request_allocates_more_than_it_did() {
    let server = Server::start_with(&["--ip-rate=1000000", "--token-rate=1000000"]).await;
    let tenant = server.tenant("counted").await;
    let mut line = TcpStream::connect(server.client.address).await.unwrap();
    line.set_nodelay(true).unwrap();
    let mut too_many = Vec::new();
    for bound in bounds() {
        let cost = least(&mut line, &written(&bound, &tenant)).await;
        let (allocations, bytes, answered) = cost;
        println!(
            "{}: {allocations} allocations, {bytes} bytes, for {answered} bytes answered",
            bound.name
        );
        if allocations > bound.allocations || bytes > bound.bytes {
            too_many.push(format!(
                "{}: {allocations} allocations ({} allowed), {bytes} bytes ({} allowed)",
                bound.name, bound.allocations, bound.bytes
            ));
        }
    }
    let page = |path| Bound {
        path,
        ..bounds().into_iter().next().unwrap()
    };
    let short = page("/api/v1/clients?count=none&per_page=100");
    let long = page("/api/v1/clients?count=none&per_page=300");
    let (_, few, short) = least(&mut line, &written(&short, &tenant)).await;
    let (_, many, long) = least(&mut line, &written(&long, &tenant)).await;
    let copies = (many - few) as f64 / (long - short) as f64;
    println!("a further byte of a list: {copies:.2} bytes");
    if copies > COPIES {
        too_many.push(format!("a byte of a list: {copies:.2} ({COPIES} allowed)"));
    }
    assert!(too_many.is_empty(), "{too_many:#?}");
}

/// The least allocations that a request costs, their bytes, and the bytes of its answer.
async fn least(line: &mut TcpStream, request: &[u8]) -> (usize, usize, usize) {
    let mut buffer = vec![0; 1 << 20];
    let mut least = (usize::MAX, usize::MAX, 0);
    for _ in 0..BATCHES {
        let region = Region::new(ALLOCATOR);
        let mut answered = 0;
        for _ in 0..TOGETHER {
            answered = ask(line, request, &mut buffer).await;
        }
        let change = region.change();
        let allocations = (change.allocations + change.reallocations) / TOGETHER;
        let bytes = change.bytes_allocated / TOGETHER;
        least = least.min((allocations, bytes, answered));
    }
    least
}

/// A request as bytes, so that sending it allocates nothing.
fn written(bound: &Bound, tenant: &Tenant) -> Vec<u8> {
    let body = bound.body.as_ref().map(ToString::to_string);
    let body = body.unwrap_or_default();
    let mut request = format!(
        "{} {} HTTP/1.1\r\nHost: counted\r\nApi-Key: {}\r\nAuthorization: Bearer {}\r\n",
        bound.method,
        bound.path,
        tenant.key,
        tenant.admin.token()
    );
    if !body.is_empty() {
        request += &format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    (request + "\r\n" + &body).into_bytes()
}

/// Sends a request and reads its whole answer, whose length is returned; allocates nothing.
async fn ask(line: &mut TcpStream, request: &[u8], buffer: &mut [u8]) -> usize {
    line.write_all(request).await.unwrap();
    let (mut end, mut wanted) = (0, usize::MAX);
    while end < wanted {
        let count = line.read(&mut buffer[end..]).await.unwrap();
        assert!(count > 0, "the server closed the connection");
        end += count;
        let head = buffer[..end]
            .windows(4)
            .position(|four| four == b"\r\n\r\n");
        if let (Some(head), usize::MAX) = (head, wanted) {
            let text = std::str::from_utf8(&buffer[..head]).unwrap();
            assert!(text.starts_with("HTTP/1.1 20"), "{text}");
            let (_, rest) = text.split_once("content-length: ").unwrap();
            let length: usize = rest.split("\r\n").next().unwrap().parse().unwrap();
            wanted = head + 4 + length;
        }
    }
    wanted
}
