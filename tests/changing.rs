//! A template that is changed by SQL while sign-ups run: each tenant is wholly of one version, and its certificate says of which.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::harness::{PASSWORD, Server};

/// Sign-ups, so many at a time, and changes of the template between the first and the last.
const SIGN_UPS: usize = 16;
const AT_ONCE: usize = 4;
const CHANGES: usize = 3;

#[tokio::test]
async fn each_tenant_is_wholly_old_or_wholly_new() {
    let server = Server::start_with(&["--spares=2"]).await;
    let (next, done, answered) = (AtomicUsize::new(0), AtomicUsize::new(0), Notify::new());
    let signing_up = futures_util::future::join_all((0..AT_ONCE).map(|_| async {
        let mut keys = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= SIGN_UPS {
                return keys;
            }
            let email = format!("changing{number}@mail.example");
            let body = json!({"email": email, "password": PASSWORD});
            let answer = server.client.post("/api/register", &body).await;
            let key = answer.expect(201).json()["tenant"]["api_key"].clone();
            keys.push((email, key.as_str().unwrap().to_owned()));
            done.fetch_add(1, Ordering::Relaxed);
            answered.notify_one();
        }
    }));
    let changing = async {
        for change in 1..=CHANGES {
            while done.load(Ordering::Relaxed) < change * SIGN_UPS / (CHANGES + 2) {
                answered.notified().await;
            }
            change_template(&server, change).await;
        }
    };
    let (keys, ()) = tokio::join!(signing_up, changing);
    let keys: Vec<_> = keys.into_iter().flatten().collect();
    assert_eq!(keys.len(), SIGN_UPS);

    let mut seen: BTreeMap<i64, Value> = BTreeMap::new();
    for (email, key) in keys {
        let keyed = server.client.with("Api-Key", &key);
        keyed.until_ready().await;
        let admin = keyed.sign_in(&email).await;
        let certificate = admin.identical().await;
        // What was changed together is there together, or not at all.
        let marks = marks(&admin).await;
        assert!(marks.iter().all(|mark| *mark == marks[0]), "{marks:?}");
        let version = certificate["template_version"].as_i64().unwrap();
        let first = seen.entry(version).or_insert_with(|| marks[0].clone());
        assert_eq!(*first, marks[0], "version {version}");
    }
    println!("versions and their marks: {seen:?}");
    assert!(seen.len() > 1, "no sign-up saw a change: {seen:?}");
    let mut marks: Vec<String> = seen.values().map(Value::to_string).collect();
    marks.dedup();
    assert_eq!(
        marks.len(),
        seen.len(),
        "two versions of one state: {seen:?}"
    );
}

/// Changes rows of two tables and a definition in one transaction, as an operator does.
async fn change_template(server: &Server, change: usize) {
    let superuser = server.superuser().await;
    superuser
        .batch_execute(&format!(
            "begin;
             update public.clients set name = 'state {change}' where id = 1;
             update public.invoices set reference = 'state {change}' where id = 1;
             alter table public.departments alter column description set default 'state {change}';
             commit"
        ))
        .await
        .unwrap();
}

/// The three marks that a change leaves, as a tenant has them; null or a name before the first change.
async fn marks(admin: &crate::harness::Client) -> Vec<Value> {
    let of = |value: &Value| match value.as_str() {
        Some(text) if text.starts_with("state ") => value.clone(),
        _ => Value::Null,
    };
    let client = admin.read("/api/v1/clients/1").await;
    let invoice = admin.read("/api/v1/invoices/1").await;
    let body = json!({"name": "A new department"});
    let made = admin.post("/api/v1/departments", &body).await;
    let made = made.expect(201).json();
    vec![
        of(&client["data"]["name"]),
        of(&invoice["data"]["reference"]),
        of(&made["data"]["description"]),
    ]
}
