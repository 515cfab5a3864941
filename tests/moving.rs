//! A table changes its shape while it is read: each answer is right, or one clean refusal.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};

const CLIENTS: usize = 16;

const START: &str = "
    create table movings (id int primary key, a int not null, b text not null);
    insert into movings select n, n * 10, 'b' || n from generate_series(1, 5) n;";

/// One after the other, each by its own.
const CHANGES: [&str; 9] = [
    "alter table movings add column c text not null default 'c'",
    "alter table movings alter a type text using a::text",
    "alter table movings rename b to d",
    "alter table movings alter a type int using a::int",
    "alter table movings drop column c",
    "alter table movings rename d to b",
    "begin; drop table movings; create table movings (id int primary key, b text not null, a int not null); \
     insert into movings select n, 'b' || n, n * 10 from generate_series(1, 5) n; commit",
    "alter table movings rename to moved",
    "alter table moved rename to movings",
];

/// How often the changes are gone through.
const ROUNDS: usize = 4;

#[derive(Default)]
struct Seen {
    right: AtomicUsize,
    refused: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_changes_while_it_is_read() {
    let server = Server::start().await;
    let tenant = server.tenant("moving").await;
    server.as_tenant(&tenant, START).await;
    let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
    let mut readers = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (client, stop, seen) = (tenant.admin.clone(), Arc::clone(&stop), Arc::clone(&seen));
        readers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                read(&client, number, &seen).await;
            }
        });
    }
    let ddl = server.connect_as(&server.role(&tenant).await).await;
    let path = format!("set search_path = \"{}\"", tenant.schema);
    ddl.batch_execute(&path).await.unwrap();
    for change in CHANGES.into_iter().cycle().take(ROUNDS * CHANGES.len()) {
        let before = seen.right.load(Ordering::Relaxed) + seen.refused.load(Ordering::Relaxed);
        ddl.batch_execute(change).await.unwrap();
        // Every reader meets every state about once.
        while seen.right.load(Ordering::Relaxed) + seen.refused.load(Ordering::Relaxed)
            < before + CLIENTS
        {
            assert!(
                readers.try_join_next().is_none(),
                "a reader has met something else"
            );
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(reader) = readers.join_next().await {
        reader.unwrap();
    }
    let right = seen.right.load(Ordering::Relaxed);
    let refused = seen.refused.load(Ordering::Relaxed);
    println!("{right} right answers, {refused} refusals");
    assert!(right > refused, "{right} right answers, {refused} refusals");
}

/// One of several ways to read, and what may come back.
async fn read(client: &Client, number: usize, seen: &Seen) {
    let (rows, count) = match number % 6 {
        0 => (rest(client, "?per_page=10").await, 5),
        1 => (rest(client, "?sort=-a&fields=id,a&per_page=10").await, 5),
        2 => (rest(client, "?filter[b]=b3").await, 1),
        3 => (
            rest(
                client,
                "?where={\"a\":{\"gte\":\"10\"}}&per_page=10"
                    .replace('"', "%22")
                    .as_str(),
            )
            .await,
            5,
        ),
        4 => (rest(client, "/4").await, 1),
        _ => (graphql(client).await, 5),
    };
    let Some(rows) = rows else {
        seen.refused.fetch_add(1, Ordering::Relaxed);
        return;
    };
    assert_eq!(rows.len(), count, "{rows:?}");
    let names = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for row in &rows {
        // All rows of an answer are of one shape, and each value is its row's own.
        assert_eq!(names(row), names(&rows[0]), "{rows:?}");
        let id = row["id"].as_i64().unwrap();
        for (name, value) in row.as_object().unwrap() {
            let right = match name.as_str() {
                "id" => true,
                "a" => *value == json!(id * 10) || *value == json!((id * 10).to_string()),
                "b" | "d" => *value == json!(format!("b{id}")),
                "c" => *value == "c",
                _ => false,
            };
            assert!(right, "{rows:?}");
        }
    }
    seen.right.fetch_add(1, Ordering::Relaxed);
}

async fn rest(client: &Client, rest: &str) -> Option<Vec<Value>> {
    let answer = client.get(&format!("/api/v1/movings{rest}")).await;
    if answer.status != 200 {
        refused(&answer);
        return None;
    }
    Some(match answer.json()["data"].clone() {
        Value::Array(rows) => rows,
        row => vec![row],
    })
}

async fn graphql(client: &Client) -> Option<Vec<Value>> {
    let query = json!({"query": "{ movings(limit: 10) { id a } }"});
    let answer = client
        .post("/api/v1/graphql", &query)
        .await
        .expect(200)
        .json();
    match answer["data"]["movings"].as_array() {
        Some(rows) => Some(rows.clone()),
        None => {
            // The document does not fit the schema of the moment: there is no such field.
            let fault = answer["errors"][0].to_string();
            assert!(
                fault.contains("movings") || fault.contains("not-found"),
                "{answer}"
            );
            None
        }
    }
}

#[track_caller]
fn refused(answer: &Answer) {
    let kind = answer.json()["type"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let slug = kind.rsplit("#error-").next().unwrap_or_default();
    let clean = ["not-found", "invalid-parameter"].contains(&slug);
    assert!(clean && answer.status < 500, "{}", answer.text());
}
