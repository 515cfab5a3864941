//! A new demo takes over from one request to the next.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::demo;
use crate::harness::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_fails_no_request_and_mixes_no_page() {
    let server = Server::start().await;
    let (anybody, first) = demo(&server, 1).await;
    let page = "/api/v1/clients?per_page=20&fields=id,name&include=contacts";
    let old = anybody.get(page).await.expect(200).text();
    let (over, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..32)
        .map(|_| {
            let (anybody, over, answered) =
                (anybody.clone(), Arc::clone(&over), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut seen = BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    let answer = anybody.get(page).await.expect(200);
                    seen.insert((answer.header("sandlot-seed").to_owned(), answer.text()));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                seen
            })
        })
        .collect();
    let second = server.app.demo.refresh(Some(2)).await.unwrap();
    let at_swap = answered.load(Ordering::Relaxed);
    let new = anybody.get(page).await.expect(200).text();
    while answered.load(Ordering::Relaxed) < at_swap + 64 {
        tokio::task::yield_now().await;
    }
    over.store(true, Ordering::Relaxed);
    let whole = BTreeSet::from([("1".to_owned(), old), ("2".to_owned(), new)]);
    assert_eq!(whole.len(), 2);
    let mut seen = BTreeSet::new();
    for client in clients {
        seen.extend(client.await.unwrap());
    }
    assert_eq!(seen, whole);
    assert_ne!(first.identity.schema, second.identity.schema);
}

#[tokio::test]
async fn a_demo_is_made_in_the_background_and_again_when_the_template_changes() {
    let server = Server::start_with(&["--demo=true"]).await;
    let token = server.app.demo.token().unwrap().as_str().to_owned();
    let anybody = server.client.bearer(&token);
    let first = made(&server, 0).await;
    assert_eq!(
        anybody
            .get("/api/v1/clients")
            .await
            .expect(200)
            .header("sandlot-seed"),
        first.to_string()
    );
    let page = server.client.get("/").await.expect(200).text();
    assert!(page.contains(&token), "{page}");
    server
        .superuser()
        .await
        .batch_execute("alter table public.clients add column rank integer")
        .await
        .unwrap();
    server.app.tenancy.renew_template().await.unwrap();
    let second = made(&server, first).await;
    assert_ne!(first, second);
    let schema = anybody
        .get("/api/v1/clients/schema")
        .await
        .expect(200)
        .text();
    assert!(schema.contains("\"rank\""));
}

#[tokio::test]
async fn without_a_demo_there_is_no_token() {
    let server = Server::start().await;
    assert!(server.app.demo.token().is_none());
    server
        .client
        .get("/embed/report/invoices")
        .await
        .problem(401, "missing-token");
    let token = sandlot::demo::Token::derived(&[0; 32]);
    server
        .client
        .bearer(token.as_str())
        .get("/api/v1/clients")
        .await
        .problem(401, "invalid-token");
}

/// The seed of the demo that is served, once it is another one.
async fn made(server: &Server, before: i64) -> i64 {
    let platform = server.platform_superuser().await;
    for _ in 0..1200 {
        let sql = "select seed from demos where made_at is not null order by id desc limit 1";
        if let Some(row) = platform.query_opt(sql, &[]).await.unwrap()
            && row.get::<_, i64>(0) != before
        {
            // The record is there before the server has turned to it.
            while server.app.demo.here().await.unwrap().seed == before {
                tokio::task::yield_now().await;
            }
            return row.get(0);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no demo was made");
}
