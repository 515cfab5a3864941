//! Writes in the demo answer as anywhere, and leave no trace.

use std::collections::BTreeMap;

use hyper::Method;
use seed::dice::Dice;
use serde_json::{Value, json};

use super::demo;
use crate::harness::{Client, Server};

#[tokio::test]
async fn a_write_answers_as_a_real_one_and_is_gone() {
    let server = Server::start().await;
    let (anybody, _) = demo(&server, 2).await;
    let total = |answer: &Value| answer["meta"]["total"].as_i64().unwrap();
    let before = total(&anybody.read("/api/v1/invoices?per_page=1").await);
    let made = anybody
        .post("/api/v1/invoices", &json!({"clientid": 1, "total": 120.5}))
        .await
        .expect(201);
    assert_eq!(made.header("sandlot-simulated"), "true");
    assert_eq!(made.header("sandlot-mode"), "demo");
    let row = made.json()["data"].clone();
    // Numbered, with its defaults, and with what the database works out.
    assert_eq!(row["id"], before + 1);
    assert_eq!(row["number"], format!("INV-{:06}", before + 1));
    assert_eq!(row["currency_total"], json!(120.50));
    assert_eq!(row["status"], 1);
    assert_eq!(
        made.header("location"),
        format!("/api/v1/invoices/{}", before + 1)
    );
    let again = anybody
        .post("/api/v1/invoices", &json!({"clientid": 1, "total": 1}))
        .await
        .expect(201);
    assert_eq!(again.json()["data"]["id"], row["id"]);
    let many = json!([{"clientid": 1}, {"clientid": 2}]);
    let many = anybody
        .post("/api/v1/invoices", &many)
        .await
        .expect(201)
        .json();
    assert_eq!(many["data"][1]["id"], before + 2);

    let changed = anybody
        .patch("/api/v1/clients/3", &json!({"name": "Changed"}))
        .await
        .expect(200);
    assert_eq!(changed.json()["data"]["name"], "Changed");
    assert_eq!(changed.header("sandlot-simulated"), "true");
    assert_ne!(
        anybody.get("/api/v1/clients/3").await.json()["data"]["name"],
        "Changed"
    );
    anybody.delete("/api/v1/notes/1").await.expect(200);
    anybody.get("/api/v1/notes/1").await.expect(200);
    let upsert = anybody.with("Prefer", "resolution=merge-duplicates");
    let country = json!({"iso2": "DE", "iso3": "DEU", "numeric_code": 276, "name": "Somewhere"});
    let merged = upsert
        .post("/api/v1/countries?on_conflict=iso2", &country)
        .await;
    assert!(matches!(merged.status, 200 | 201), "{}", merged.text());
    assert_eq!(merged.json()["data"]["name"], "Somewhere");
    let mutation = json!({"query": "mutation { createClient(input: {name: \"Mine\"}) { id name } deleteNote(id: 2) { id } }"});
    let answer = anybody.post("/api/v1/graphql", &mutation).await.expect(200);
    assert_eq!(
        answer.header("sandlot-simulated"),
        "true",
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["data"]["createClient"]["name"], "Mine");
    assert_eq!(
        before,
        total(&anybody.get("/api/v1/invoices?per_page=1").await.json())
    );
}

#[tokio::test]
async fn what_a_live_tenant_refuses_the_demo_refuses_alike() {
    let server = Server::start().await;
    let (anybody, _) = demo(&server, 4).await;
    let live = server.tenant("parity").await.admin;
    for (method, path, body) in [
        (Method::POST, "clients", json!({"nonsense": 1})),
        (Method::POST, "clients", json!({"name": null})),
        (
            Method::POST,
            "clients",
            json!({"name": "x", "country_id": 99999}),
        ),
        (
            Method::POST,
            "invoices",
            json!({"clientid": 1, "status": 9}),
        ),
        (
            Method::POST,
            "invoices",
            json!({"clientid": 1, "total": "much"}),
        ),
        (
            Method::POST,
            "invoices",
            json!({"clientid": 1, "date": "2026-05-05", "due_date": "2026-05-01"}),
        ),
        (
            Method::POST,
            "invoices",
            json!({"clientid": 1, "currency_total": 5}),
        ),
        (
            Method::POST,
            "countries",
            json!({"iso2": "DE", "iso3": "DEU", "numeric_code": 1, "name": "x"}),
        ),
        (
            Method::POST,
            "leads",
            json!({"name": "x", "status": "nowhere"}),
        ),
        (
            Method::POST,
            "leads",
            json!({"name": "x", "source": "nowhere"}),
        ),
        (Method::POST, "project_members", json!({"project_id": 1})),
        // Checked at the end of the transaction.
        (
            Method::POST,
            "milestones",
            json!([{"project_id": 1, "name": "a", "position": 900}, {"project_id": 1, "name": "b", "position": 900}]),
        ),
        (Method::PATCH, "clients/1", json!({"currency_id": 99999})),
        (Method::PATCH, "clients/999999", json!({"name": "x"})),
        (Method::DELETE, "countries/238", Value::Null),
        (Method::DELETE, "clients/999999", Value::Null),
    ] {
        let path = format!("/api/v1/{path}");
        let (ours, theirs) = (
            send(&anybody, &method, &path, &body).await,
            send(&live, &method, &path, &body).await,
        );
        assert!(theirs.0 >= 400, "{method} {path} {body}: {theirs:?}");
        assert_eq!(ours, theirs, "{method} {path} {body}");
    }
}

#[tokio::test]
async fn a_thousand_writes_leave_no_trace_and_are_refused_as_a_tenants_are() {
    let server = Server::start().await;
    let (anybody, made) = demo(&server, 8).await;
    // The same writes on a copy of the template, which keeps none of them either.
    let live = server.tenant("thousand").await.admin;
    let live = live.with("Prefer", "tx=rollback");
    let before = (
        server.content(&made.identity.schema).await,
        sequences(&server, &made.identity.schema).await,
    );
    let tables = [
        "clients",
        "contacts",
        "notes",
        "invoices",
        "invoice_items",
        "payments",
        "tasks",
        "leads",
        "tickets",
        "expenses",
        "project_members",
    ];
    let mut dice = Dice::new(1, "writes", 0);
    let (mut done, mut refused) = (0, 0);
    for number in 0..1000 {
        let table = dice.pick(&tables);
        let id = dice.between(1, 60);
        let (method, path, body) = match dice.below(5) {
            0 => (Method::DELETE, format!("/api/v1/{table}/{id}"), Value::Null),
            1 => (
                Method::PATCH,
                format!("/api/v1/{table}/{id}"),
                body(table, &mut dice),
            ),
            2 => {
                let query = format!(
                    "mutation {{ createNote(input: {{rel_type: \"client\", rel_id: {id}, content: \"n{number}\"}}) {{ content }} updateClient(id: {id}, input: {{country_id: {}}}) {{ id }} }}",
                    id * 7
                );
                (
                    Method::POST,
                    "/api/v1/graphql".to_owned(),
                    json!({ "query": query }),
                )
            }
            3 => (
                Method::POST,
                format!("/api/v1/{table}"),
                json!([body(table, &mut dice), body(table, &mut dice)]),
            ),
            _ => (
                Method::POST,
                format!("/api/v1/{table}"),
                body(table, &mut dice),
            ),
        };
        let keyed = if dice.chance(20) {
            anybody.with("Idempotency-Key", &format!("k{number}"))
        } else {
            anybody.clone()
        };
        let ours = send(&keyed, &method, &path, &body).await;
        assert_eq!(
            ours,
            send(&live, &method, &path, &body).await,
            "{method} {path} {body}"
        );
        match ours.0 {
            200..300 => done += 1,
            400..500 => refused += 1,
            status => panic!("{method} {path} {body}: {status}"),
        }
    }
    println!("{done} done, {refused} refused, each as on a copy of the template");
    assert!(done > 400 && refused > 20, "{done} done, {refused} refused");
    let after = (
        server.content(&made.identity.schema).await,
        sequences(&server, &made.identity.schema).await,
    );
    assert_eq!(before, after);
    let sql = "select count(*) from _sandlot.replies where role = $1::text::name";
    let kept: i64 = server
        .superuser()
        .await
        .query_one(sql, &[&made.identity.role])
        .await
        .unwrap()
        .get(0);
    assert_eq!(kept, 0, "entries of the replay ledger");
}

fn body(table: &str, dice: &mut Dice) -> Value {
    let id = dice.between(1, 40);
    match table {
        "clients" => json!({"name": format!("c{id}"), "country_id": id}),
        "contacts" => {
            json!({"clientid": id, "firstname": "a", "lastname": "b", "email": format!("x{}@y.example", dice.bits())})
        }
        "notes" => json!({"rel_type": "client", "rel_id": id, "content": "x"}),
        "invoices" => json!({"clientid": id, "status": dice.between(0, 7)}),
        "invoice_items" => json!({"invoice_id": id, "description": "x", "quantity": 2, "rate": 3}),
        "payments" => json!({"invoice_id": id, "amount": dice.between(-1, 9)}),
        "tasks" => json!({"name": "t", "rel_type": "project", "rel_id": id}),
        "leads" => json!({"name": "l", "status": "new"}),
        "tickets" => json!({"subject": "s", "clientid": id}),
        "expenses" => json!({"name": "e", "amount": 3}),
        _ => json!({"project_id": id, "staff_id": dice.between(1, 28)}),
    }
}

/// Status, slug and the fields at fault.
async fn send(
    client: &Client,
    method: &Method,
    path: &str,
    body: &Value,
) -> (u16, String, Vec<String>) {
    let body = (!body.is_null()).then(|| body.to_string().into());
    let answer = client.call(method.clone(), path, body).await;
    if answer.status < 400 {
        // A field of GraphQL that failed says why in an answer of 200.
        let failed = if path.ends_with("graphql") {
            answer.json()["errors"][0]["extensions"]["slug"].to_string()
        } else {
            String::new()
        };
        return (answer.status, failed, Vec::new());
    }
    let problem = answer.json();
    let kind = problem["type"].as_str().unwrap_or_default();
    let slug = kind
        .rsplit_once("#error-")
        .map_or("", |(_, slug)| slug)
        .to_owned();
    let fields = problem["errors"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(field, _)| field.clone())
        .collect();
    (answer.status, slug, fields)
}

/// Where each sequence of a schema stands.
async fn sequences(server: &Server, schema: &str) -> BTreeMap<String, Option<i64>> {
    let sql = "select sequencename::text, last_value from pg_sequences where schemaname = $1";
    let rows = server
        .superuser()
        .await
        .query(sql, &[&schema])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
