//! Clients that send or read too slowly, or hold too many sockets.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use crate::harness::Server;

/// Longest time that a server with limits of one second may take to cut somebody off.
const SOON: Duration = Duration::from_secs(15);

/// Reads until the other side closes; fails the test if it does not.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset ends it as well as a close.
    let _ = timeout(SOON, stream.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

#[tokio::test]
async fn whoever_sends_too_slowly_is_cut_off() {
    let server = Server::start_with(&["--header-timeout=1", "--body-timeout=1"]).await;
    for begun in [
        "",
        "GET / HTTP/1.1\r\nHost: x\r\nX-A:",
        "POST /api/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: 500\r\n\r\n{",
        "POST /api/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
    ] {
        let mut slow = TcpStream::connect(server.client.address).await.unwrap();
        slow.write_all(begun.as_bytes()).await.unwrap();
        // More now and then does not buy time.
        let begun_at = Instant::now();
        let mut beat = tokio::time::interval(Duration::from_millis(100));
        let more: &[u8] = if begun.contains("chunked") {
            b"1\r\n \r\n"
        } else {
            b" "
        };
        while !begun.is_empty() && slow.write_all(more).await.is_ok() {
            beat.tick().await;
            assert!(begun_at.elapsed() < SOON, "{begun:?} is still served");
        }
        let answer = rest(&mut slow).await;
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{begun:?}");
    }
    server.client.get("/").await.expect(200);
}

#[tokio::test]
async fn whoever_sends_too_much_before_reading_gets_to_read_why() {
    let server = Server::start().await;
    let long = "x".repeat(1_000_000);
    let chunk = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    for (header, body) in [
        (format!("Content-Length: {}", long.len()), &long),
        ("Transfer-Encoding: chunked".to_owned(), &chunk),
    ] {
        let mut stream = TcpStream::connect(server.client.address).await.unwrap();
        let head = format!("POST /api/register HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for part in body.as_bytes().chunks(50_000) {
            stream.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with(b"HTTP/1.1 413"), "{header}");
    }
}

#[tokio::test]
async fn whoever_does_not_take_answers_is_cut_off() {
    let server = Server::start_with(&["--write-timeout=1"]).await;
    let whole = server
        .client
        .get("/openapi.json")
        .await
        .expect(200)
        .body
        .len();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut slow = socket.connect(server.client.address).await.unwrap();
    // More than what the kernel takes in for the two sides.
    let count = 64 * 1024 * 1024 / whole;
    let asked = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count);
    let (mut reads, mut writes) = slow.split();
    let begun = Instant::now();
    // The server stops reading while its answers are not taken, and then the writing waits.
    let sent = timeout(SOON, writes.write_all(asked.as_bytes())).await;
    let mut got = 0;
    let mut bytes = vec![0; 64 * 1024];
    if sent.is_ok() {
        // All was sent, or the server has closed; nothing is read until its time is over.
        let over = Duration::from_secs(3).saturating_sub(begun.elapsed());
        let _ = timeout(over, std::future::pending::<()>()).await;
    }
    while let Ok(count @ 1..) = timeout(SOON, reads.read(&mut bytes)).await.unwrap() {
        got += count;
    }
    assert!(got < whole * count, "all {count} answers came");
    server.client.get("/").await.expect(200);
}

#[tokio::test]
async fn one_address_holds_no_more_than_its_sockets() {
    let server = Server::start_with(&["--sockets-per-address=3"]).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.client.address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
    let mut fourth = TcpStream::connect(server.client.address).await.unwrap();
    assert!(rest(&mut fourth).await.is_empty());
    // Another address is served meanwhile, and this one again once it has let go.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(server.client.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    other.write_all(request).await.unwrap();
    assert!(rest(&mut other).await.starts_with(b"HTTP/1.1 200"));
    drop(held);
    let end = Instant::now() + SOON;
    loop {
        let mut again = TcpStream::connect(server.client.address).await.unwrap();
        let _ = again.write_all(request).await;
        if rest(&mut again).await.starts_with(b"HTTP/1.1 200") {
            break;
        }
        assert!(Instant::now() < end);
    }
}
