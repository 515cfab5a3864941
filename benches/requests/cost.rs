//! What dear requests cost: time of each, and the server's memory beside it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::Method;
use serde_json::json;

use crate::{client::Client, figures::median, load, stage::Stage, work::Work};

/// Pages of a thousand rows for 64 clients; the server's memory is looked at all the while.
const PAGES: Work = Work {
    name: "pages of 1,000 rows",
    goal: None,
    method: "GET",
    path: "/api/v1/orders?per_page=1000&page={page}",
    body: "",
    sql: "",
};

/// What tools ask first.
const INTROSPECTION: &str = "query { __schema { queryType { name } mutationType { name } \
    types { kind name description fields(includeDeprecated: true) { name description \
    args { name description type { ...T } defaultValue } type { ...T } isDeprecated } \
    inputFields { name description type { ...T } defaultValue } enumValues { name } } \
    directives { name locations args { name type { ...T } } } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Prints both tables.
pub async fn report(stage: &Stage, seconds: u32) {
    let calls = stage
        .client
        .with("Api-Key", &stage.tenants[0].key)
        .bearer(&stage.token().await);
    println!(
        "| request | bytes sent | status | first, ms | median of 15, ms | bytes back | server's memory, MB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, query) in documents() {
        let body = json!({ "query": query }).to_string();
        one(stage, &calls, &name, "/api/v1/graphql", Some(body)).await;
    }
    for path in [
        "/api/v1/orders?per_page=1000",
        "/api/v1/customers?per_page=1000&include=orders",
        "/api/v1/customers?per_page=1000&include=orders.customer.orders",
    ] {
        one(stage, &calls, path, path, None).await;
    }
    let token = stage.token().await;
    println!(
        "\n| {}, 64 clients | answers/s | server's memory, MB, at most |",
        PAGES.name
    );
    println!("|---|---|---|");
    println!("| before | | {:.0} |", stage.memory());
    for round in 1..=5 {
        let stop = Arc::new(AtomicBool::new(false));
        let pid = stage.pid();
        let watch = {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut most: f64 = 0.0;
                while !stop.load(Ordering::Relaxed) {
                    most = most.max(Stage::memory_of(pid));
                    std::thread::sleep(Duration::from_millis(100));
                }
                most
            })
        };
        let rate = load::wrk(
            stage,
            stage.client.address,
            &PAGES,
            &stage.tenants[..1],
            &token,
            64,
            seconds,
        );
        stop.store(true, Ordering::Relaxed);
        let most = watch.join().unwrap();
        println!("| {round} | {rate:.0} | {most:.0} |");
    }
}

async fn one(stage: &Stage, calls: &Client, name: &str, path: &str, body: Option<String>) {
    let sent = body.as_ref().map_or(0, String::len);
    let method = if body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let mut times = Vec::new();
    let (mut status, mut back) = (0, 0);
    for _ in 0..16 {
        let body = body.clone().map(Into::into);
        let began = Instant::now();
        let answer = calls.call(method.clone(), path, body).await;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        (status, back) = (answer.status, answer.body.len());
        assert!(status < 500, "{name}: {}", answer.text());
    }
    let first = times.remove(0);
    println!(
        "| {name} | {sent} | {status} | {first:.1} | {:.1} | {back} | {:.0} |",
        median(times),
        stage.memory()
    );
}

/// Operations that ask for too much, and the dearest that fit into 16 kB.
fn documents() -> Vec<(String, String)> {
    let fill = |part: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for number in 0.. {
            let next = part(number);
            if text.len() + next.len() > 16_000 {
                break;
            }
            text += &next;
        }
        text
    };
    let mut bomb = "{ customers { ...f0 } }".to_owned();
    for n in 0..30 {
        bomb += &format!(
            " fragment f{n} on Customer {{ ...f{0} a{n}: id ...f{0} }}",
            n + 1
        );
    }
    bomb += " fragment f30 on Customer { id }";
    let aliases: String = (0..10_000).map(|n| format!("a{n}:id ")).collect();
    let deep = "{ orders { customer ".repeat(10) + "{ id }" + &"} }".repeat(10);
    let fragments = fill(&|n| format!(" fragment f{n} on Customer {{ id name }}"));
    let spreads: String = (0..340).map(|n| format!("...f{n} ")).collect();
    [
        ("introspection", INTROSPECTION.to_owned()),
        ("depth of 20", format!("{{ customers {deep} }}")),
        ("10,000 aliases", format!("{{ customers {{ {aliases} }} }}")),
        ("fragment bomb", bomb),
        (
            "1,000 x 1,000 rows",
            "{ customers(limit: 1000) { id orders(limit: 1000) { id } } }".to_owned(),
        ),
        (
            "16 kB of aliases",
            format!("{{ customers {{ {} }} }}", fill(&|n| format!("a{n}:id "))),
        ),
        (
            "16 kB of unknown fields",
            format!("{{ customers {{ {} }} }}", fill(&|n| format!("x{n} "))),
        ),
        (
            "16 kB of the same field",
            format!("{{ customers {{ {} }} }}", fill(&|_| "id ".to_owned())),
        ),
        (
            "16 kB of fragments",
            format!("{{ customers {{ {spreads} }} }} {fragments}"),
        ),
        (
            "16 kB of conditions",
            format!(
                "{{ customers(where: {{and: [{}]}}) {{ id }} }}",
                fill(&|n| format!("{{id:{{eq:{n}}}}},"))
            ),
        ),
        ("16 kB of brackets", "{a".repeat(8_000)),
        ("16 kB of signs", "@!$:".repeat(4_000)),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}
