//! Rubbish over every route: clean refusals, no 5xx, no panic, no hang.

use std::{net::SocketAddr, time::Duration};

use hyper::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::harness::Server;

/// Sends bytes as they are and returns the status of the answer, or 0 if there is none.
async fn raw(address: SocketAddr, bytes: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close before all is sent.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    timeout(Duration::from_secs(30), stream.read_to_end(&mut answer))
        .await
        .expect("an answer or a closed connection")
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&answer);
    text.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

#[tokio::test]
async fn bytes_that_are_not_http() {
    let server = Server::start().await;
    let address = server.client.address;
    let host = format!("Host: {address}\r\n");
    let requests: Vec<Vec<u8>> = vec![
        b"\x00\x01\x02\x03\r\n\r\n".to_vec(),
        b"\xff\xfe\xfd".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        format!("GET /\u{0} HTTP/1.1\r\n{host}\r\n").into_bytes(),
        [
            b"GET /api/v1/\xff\xfe HTTP/1.1\r\n".as_slice(),
            host.as_bytes(),
            b"\r\n",
        ]
        .concat(),
        format!("GET /healthz HTTP/1.1\r\n{host}{host}\r\n").into_bytes(),
        format!(
            "GET /healthz HTTP/1.1\r\n{host}X: {}\r\n\r\n",
            "x".repeat(100_000)
        )
        .into_bytes(),
        format!("GET /{} HTTP/1.1\r\n{host}\r\n", "x".repeat(100_000)).into_bytes(),
        format!("POST /api/register HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n").into_bytes(),
        format!(
            "POST /api/register HTTP/1.1\r\n{host}Content-Length: 5\r\nContent-Length: 6\r\n\r\n"
        )
        .into_bytes(),
        format!("POST /api/register HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\nZZ\r\n")
            .into_bytes(),
        format!("POST /api/register HTTP/1.1\r\n{host}Content-Length: 99999999999999\r\n\r\n")
            .into_bytes(),
        format!("{} / HTTP/1.1\r\n{host}\r\n", "M".repeat(70_000)).into_bytes(),
    ];
    for bytes in requests {
        let status = raw(address, &bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(status < 500, "{shown:?} was answered with {status}");
        assert!(
            !(200..300).contains(&status),
            "{shown:?} was answered with {status}"
        );
    }
    server.client.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn rubbish_over_every_route() {
    let server = Server::start().await;
    let tenant = server.tenant("rubbish").await;
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let long_63 = "n".repeat(63);
    let long_64 = "n".repeat(64);
    let bodies = [
        "{",
        "null",
        "5",
        "\"x\"",
        "[]",
        "[[]]",
        "[null]",
        "{}",
        "[{}]",
        r#"{"name":"a\u0000b"}"#,
        r#"{"name":"\ud800"}"#,
        r#"{"name":1e400}"#,
        r#"{"id":100000000000000000000}"#,
        r#"{"id":-1}"#,
        r#"{"id":null}"#,
        r#"{"name":{"a":[1,{"b":null}]}}"#,
        r#"{"name":"a","name":"b"}"#,
        r#"{"":1}"#,
        "{\"\u{1}\":1}",
        &format!("{{\"{long_63}\":1}}"),
        &format!("{{\"{long_64}\":1}}"),
        &deep,
    ];
    let ids = [
        "0",
        "-1",
        "1e400",
        "100000000000000000000",
        "%00",
        "%ff%fe",
        "%F0%9F%92%A9",
        "'",
        "\"",
        "1;drop",
        "1,2,3",
        ",",
        "..",
        ".",
        "%2e%2e",
        "%2F",
        "null",
        "NaN",
        "1%20or%201=1",
    ];
    let queries = [
        "page=0",
        "page=-1",
        "page=1e400",
        "page=99999999999999999999",
        "per_page=0",
        "per_page=1001",
        "per_page=x",
        "sort=",
        "sort=-",
        "sort=nope",
        "sort=id,id",
        "sort=%00",
        "fields=",
        "fields=nope",
        "fields=id,id",
        "filter=",
        "filter=status",
        "filter=status:",
        "filter=:1",
        "filter=status:x",
        "filter=status:100000000000000000000",
        "filter=nope:1",
        "filter=name:%00",
        "filter=name:%ff",
        "nope=1",
        "%ff=1",
        "=",
        "&&&",
        "page=1&page=2",
        "page[]=1",
        "filter=id:NaN",
        "filter=date:infinity",
        "filter=date:4713-01-01%20BC",
        "filter=total:1e400",
    ];
    let mut calls: Vec<(Method, String, Option<String>)> = Vec::new();
    for id in ids {
        calls.push((Method::GET, format!("/api/v1/invoices/{id}"), None));
        calls.push((Method::DELETE, format!("/api/v1/nope/{id}"), None));
        calls.push((
            Method::PATCH,
            format!("/api/v1/invoices/{id}"),
            Some("{\"status\":1}".into()),
        ));
        calls.push((Method::GET, format!("/api/v1/{id}"), None));
        calls.push((Method::GET, format!("/api/v1/{id}/schema"), None));
        calls.push((Method::GET, format!("/api/v1/tables/{id}"), None));
        calls.push((Method::GET, format!("/api/v1/reports/{id}"), None));
        calls.push((Method::GET, format!("/embed/report/{id}"), None));
    }
    for name in [&long_63, &long_64] {
        calls.push((Method::GET, format!("/api/v1/{name}"), None));
        calls.push((Method::GET, format!("/api/v1/invoices?sort={name}"), None));
    }
    for query in queries {
        for path in [
            "/api/v1/invoices",
            "/api/v1/invoices/1",
            "/api/v1/invoices/schema",
            "/api/v1/",
            "/api/v1/tables",
            "/api/v1/reports",
            "/api/v1/reports/invoices",
            "/api/v1/reports/invoices/aggregate",
            "/embed/report/invoices",
        ] {
            calls.push((Method::GET, format!("{path}?{query}"), None));
        }
    }
    for body in bodies {
        for (method, path) in [
            (Method::POST, "/api/v1/clients"),
            (Method::PUT, "/api/v1/clients/999999"),
            (Method::PATCH, "/api/v1/clients/999999"),
            (Method::POST, "/api/v1/nope"),
            (Method::POST, "/api/v1/graphql"),
            (Method::POST, "/api/v1/sql"),
        ] {
            calls.push((method, path.to_owned(), Some(body.to_owned())));
        }
    }
    calls.extend(platform_calls(&server, &ids, &bodies).await);
    assert!(calls.len() >= 500, "{}", calls.len());
    for (method, path, body) in calls {
        let shown = body
            .as_ref()
            .map(|body| body.chars().take(60).collect::<String>());
        let call = tenant
            .admin
            .call(method.clone(), &path, body.map(Into::into));
        let answer = timeout(Duration::from_secs(60), call)
            .await
            .expect("an answer");
        assert!(
            answer.status < 500,
            "{method} {path} {shown:?}: {}",
            answer.text()
        );
    }
    tenant.admin.get("/api/v1/clients/1").await.expect(200);
}

/// Each of the platform's calls that reads a body, with each of the bodies, and each whose path
/// holds an id, with each of the ids; as the server's own document lists them.
async fn platform_calls(
    server: &Server,
    ids: &[&str],
    bodies: &[&str],
) -> Vec<(Method, String, Option<String>)> {
    let document = server.client.read("/openapi.json").await;
    let mut calls = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            if path.contains("{id}") {
                for id in ids {
                    calls.push((method.clone(), path.replace("{id}", id), Some("{}".into())));
                }
            }
            if operation.get("requestBody").is_some() {
                for body in bodies {
                    let path = path.replace("{id}", "1");
                    calls.push((method.clone(), path, Some((*body).to_owned())));
                }
            }
        }
    }
    assert!(calls.len() >= 100, "{}", calls.len());
    calls
}
