//! Text that tries to become SQL, in every place that takes text: none of it runs.
//!
//! Each payload would call a sequence of the tenant's if any part of it were run. The sequence
//! stays untouched, no table changes, and nothing is answered with a fault of the server.

use hyper::Method;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};

/// What may end whatever the text stands in.
const BEFORE: [&str; 18] = [
    "", "'", "\"", "')", "\")", "'))", "\"))", "$$", "\\'", "1", "1)", "''", "\"\"", "'::text",
    "E'\\'", "\u{2bc}", "*/", "\n",
];
/// What is to run.
const MIDDLE: [&str; 6] = [
    " or nextval('canary') > 0 ",
    "; select nextval('canary'); ",
    " union select nextval('canary') ",
    " || nextval('canary')::text || ",
    ", (select nextval('canary')) ",
    "; commit; begin; select nextval('canary'); commit ",
];
/// What may make the rest harmless.
const BEHIND: [&str; 6] = ["", "--", "/*", "'", "\"", ";--\n"];

/// Payloads that a place is tried with.
const EACH: usize = 6;

/// Addresses with `{}` for the payload, percent-encoded.
const READS: &[&str] = &[
    "/api/v1/{}",
    "/api/v1/clients/{}",
    "/api/v1/tables/{}",
    "/api/v1/tables/{}/schema",
    "/api/v1/project_members/{}",
    "/api/v1/clients?fields={}",
    "/api/v1/clients?include={}",
    "/api/v1/clients?include=invoices&fields[invoices]={}",
    "/api/v1/clients?fields[{}]=id",
    "/api/v1/clients?sort={}",
    "/api/v1/clients?sort=-{}",
    "/api/v1/invoices?sort=client.{}",
    "/api/v1/clients?filter={}",
    "/api/v1/clients?filter={}:1",
    "/api/v1/clients?filter=name:{}",
    "/api/v1/clients?filter[{}]=1",
    "/api/v1/clients?filter[name.{}]=1",
    "/api/v1/clients?filter[name.eq]={}",
    "/api/v1/clients?filter[name.like]={}",
    "/api/v1/clients?filter[name.ilike]={}",
    "/api/v1/clients?filter[name.in]=a,{},b",
    "/api/v1/clients?filter[name.nin]={}",
    "/api/v1/clients?filter[name.between]=a,{}",
    "/api/v1/invoices?filter[status.in]=1,{}",
    "/api/v1/invoices?filter[status]={}",
    "/api/v1/invoices?filter[date.gte]={}",
    "/api/v1/invoices?filter[total.lt]={}",
    "/api/v1/clients?filter[id.null]={}",
    "/api/v1/clients?where={}",
    "/api/v1/clients?q={}",
    "/api/v1/clients?since={}",
    "/api/v1/clients?cursor={}",
    "/api/v1/clients?count={}",
    "/api/v1/clients?page={}",
    "/api/v1/clients?per_page={}",
    "/api/v1/clients?{}=1",
    "/api/v1/reports/{}",
    "/api/v1/reports/{}/schema",
    "/api/v1/reports/{}/aggregate",
    "/api/v1/reports/invoices?filter[client]={}",
    "/api/v1/reports/invoices?sort={}",
    "/api/v1/reports/invoices/aggregate?dimension={}",
    "/api/v1/reports/invoices/aggregate?measure={}&aggregation=sum",
    "/api/v1/reports/invoices/aggregate?measure=total&aggregation={}",
    "/api/v1/reports/invoices/aggregate?measure=total&aggregation=sum&period={}",
    "/api/v1/reports/invoices/aggregate?measure=total&aggregation=sum&period=daily&date={}",
    "/api/v1/reports/invoices/aggregate?dimension=status&sort={}",
    "/embed/report/{}",
];

fn payloads(rng: &mut StdRng, count: usize) -> Vec<String> {
    let mut pick = |parts: &[&str]| parts[rng.random_range(0..parts.len())].to_owned();
    (0..count)
        .map(|_| pick(&BEFORE) + &pick(&MIDDLE) + &pick(&BEHIND))
        .collect()
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn fine(answer: &Answer, place: &str, payload: &str) {
    assert!(
        answer.status < 500,
        "{place} with {payload:?}: {} {}",
        answer.status,
        answer.text()
    );
}

#[tokio::test]
async fn nothing_that_a_client_says_becomes_sql() {
    let server = Server::start().await;
    let tenant = server.tenant("injected").await;
    let neighbour = server.tenant("neighbour").await;
    server.as_tenant(&tenant, "create sequence canary").await;
    let before = server.content(&tenant.schema).await;
    let (template, other) = (
        server.content("public").await,
        server.content(&neighbour.schema).await,
    );
    let mut rng = StdRng::seed_from_u64(5);
    let admin = &tenant.admin;
    for place in READS {
        for payload in payloads(&mut rng, EACH) {
            let quoted = format!("\"{}\"", payload.replace('"', "\"\""));
            for text in [&payload, &quoted] {
                let answer = admin.get(&place.replace("{}", &encode(text))).await;
                fine(&answer, place, text);
            }
        }
    }
    in_conditions(admin, &mut rng).await;
    in_writes(&tenant.admin.with("Prefer", "tx=rollback"), &mut rng).await;
    in_graphql(&tenant.admin.with("Prefer", "tx=rollback"), &mut rng).await;
    in_headers_and_credentials(&server, admin, &mut rng).await;

    let client = server.superuser().await;
    let sql = format!("select is_called from \"{}\".canary", tenant.schema);
    let called: bool = client.query_one(&sql, &[]).await.unwrap().get(0);
    assert!(!called, "something ran");
    assert_eq!(server.content(&tenant.schema).await, before);
    assert_eq!(server.content("public").await, template);
    assert_eq!(server.content(&neighbour.schema).await, other);
}

/// Names, operators and values of `where`, as REST spells it.
async fn in_conditions(admin: &Client, rng: &mut StdRng) {
    for payload in payloads(rng, 4 * EACH) {
        let p = payload.as_str();
        for condition in [
            json!({p: 1}),
            json!({"name": p}),
            json!({"name": {p: "a"}}),
            json!({"name": {"in": [p, "a"]}}),
            json!({"name": {"ilike": p}}),
            json!({"id": p}),
            json!({"invoices": {p: {"id": 1}}}),
            json!({"invoices": {"some": {p: 1}}}),
            json!({"invoices": {"some": {"number": p}}}),
            json!({"not": {"or": [{"name": p}, {p: {"eq": p}}]}}),
        ] {
            let path = format!("/api/v1/clients?where={}", encode(&condition.to_string()));
            fine(&admin.get(&path).await, "where", p);
        }
    }
}

/// Columns and values of rows that are not kept.
async fn in_writes(admin: &Client, rng: &mut StdRng) {
    for payload in payloads(rng, 3 * EACH) {
        let p = payload.as_str();
        let address = encode(p);
        for body in [
            json!({p: "x"}),
            json!({"name": p}),
            json!([{"name": "a"}, {"name": p, "city": p}]),
            json!({"name": {p: p}}),
            json!({"name": "x", "id": p}),
        ] {
            fine(&admin.post("/api/v1/clients", &body).await, "create", p);
            fine(&admin.patch("/api/v1/clients/1", &body).await, "update", p);
        }
        let made = admin.post("/api/v1/clients", &json!({"name": p})).await;
        assert_eq!(made.expect(201).json()["data"]["name"], p);
        let upsert = admin.with("Prefer", "tx=rollback, resolution=merge-duplicates");
        let path = format!("/api/v1/clients?on_conflict={address}");
        fine(&upsert.post(&path, &json!({"name": p})).await, "upsert", p);
        fine(
            &admin.delete(&format!("/api/v1/clients/{address}")).await,
            "delete",
            p,
        );
        let csv = admin.with("Content-Type", "text/csv");
        let cell = p.replace('"', "\"\"");
        for lines in [
            format!("name\r\n\"{cell}\"\r\n"),
            format!("\"{cell}\"\r\nx\r\n"),
        ] {
            let answer = csv.call(Method::POST, "/api/v1/clients", Some(lines.into()));
            fine(&answer.await, "CSV", p);
        }
        for (path, body) in [
            ("/api/reports", json!({"slug": p, "title": p, "view": p})),
            ("/api/reports", json!({"slug": "x", "title": p, "view": p})),
            ("/api/tenant/reset", json!({"tables": [p]})),
        ] {
            fine(&admin.post(path, &body).await, path, p);
        }
    }
}

/// Values and, where variables carry them, names; and the document itself.
async fn in_graphql(admin: &Client, rng: &mut StdRng) {
    let lists = "query ($where: ClientWhere, $order: [ClientOrderBy!]) \
                 { clients(where: $where, orderBy: $order, limit: 1) { id } clientsAggregate(where: $where) { count } }";
    let makes = "mutation ($input: ClientCreate!) { createClient(input: $input) { id name } }";
    for payload in payloads(rng, 3 * EACH) {
        let p = payload.as_str();
        for (query, variables) in [
            (lists, json!({"where": {"name": {"eq": p}}})),
            (lists, json!({"where": {"name": {"in": [p]}}})),
            (lists, json!({"where": {"name": {"like": p}}})),
            (lists, json!({"where": {p: {"eq": 1}}})),
            (lists, json!({"where": {"name": {p: 1}}})),
            (
                lists,
                json!({"where": {"invoices": {"some": {"number": {"eq": p}}}}}),
            ),
            (lists, json!({"order": [{p: "ASC"}]})),
            (lists, json!({"order": [{"name": p}]})),
            (makes, json!({"input": {"name": p}})),
            (makes, json!({"input": {p: p}})),
            (p, Value::Null),
            (
                &format!(
                    "{{ clients(where: {{name: {{eq: {}}}}}) {{ id }} }}",
                    json!(p)
                ),
                Value::Null,
            ),
            (
                &format!("{{ client(id: {}) {{ id }} }}", json!(p)),
                Value::Null,
            ),
            (&format!("{{ {p} {{ id }} }}"), Value::Null),
        ] {
            let body = json!({"query": query, "variables": variables, "operationName": null});
            fine(&admin.post("/api/v1/graphql", &body).await, query, p);
        }
    }
}

/// What reaches the platform's own tables.
async fn in_headers_and_credentials(server: &Server, admin: &Client, rng: &mut StdRng) {
    for payload in payloads(rng, 3 * EACH) {
        let p = payload.as_str();
        let printable: String = p
            .chars()
            .filter(|c| c.is_ascii() && !c.is_control())
            .collect();
        for header in [
            "Api-Key",
            "Authorization",
            "X-Request-Id",
            "Prefer",
            "Accept",
        ] {
            let answer = admin.with(header, &printable).get("/api/v1/clients").await;
            fine(&answer, header, p);
        }
        let long = json!({"email": p, "password": "correct horse"});
        fine(&admin.post("/api/auth/signup", &long).await, "signup", p);
        for email in [p, "injected@mail.example", &format!("{p}@mail.example")] {
            let body = json!({"email": email, "password": p});
            let answer = admin.post("/api/auth/token", &body).await;
            assert!((400..500).contains(&answer.status), "{email}");
        }
        let refreshed = json!({"refresh_token": p});
        fine(
            &server.client.post("/api/auth/refresh", &refreshed).await,
            "refresh",
            p,
        );
    }
    // An address whose local part is fit for mail and hostile to SQL names the tenant's schema.
    for local in [
        "o'brien",
        "x\"; drop schema public cascade; --",
        "a--",
        "$$",
        "pg_'a",
    ] {
        let body = json!({"email": format!("{local}@mail.example"), "password": "correct horse"});
        let answer = server.client.post("/api/register", &body).await;
        fine(&answer, "register", local);
        if answer.status == 201 {
            let schema = answer.json()["tenant"]["schema"]
                .as_str()
                .unwrap()
                .to_owned();
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            assert!(schema.chars().all(plain), "{schema}");
        }
    }
}

/// What a table is made of may be named as hostilely as the values.
#[tokio::test]
async fn hostile_names_are_only_names() {
    let server = Server::start().await;
    let tenant = server.tenant("names").await;
    server.as_tenant(&tenant, "create sequence canary").await;
    let mut rng = StdRng::seed_from_u64(6);
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for (number, payload) in payloads(&mut rng, 10).into_iter().enumerate() {
        let mut name = format!("{number}{payload}").replace(char::is_control, " ");
        name.truncate(name.char_indices().take_while(|(at, _)| *at < 60).count());
        let (table, label) = (quoted(&name), name.replace('\'', "''"));
        let sql = format!(
            "create type {3} as enum ('{label}', 'b');
             create table {0} (id int generated by default as identity primary key, {0} {3} not null default '{label}',
                               up int constraint {1} references {0}, constraint {2} check (id > 0));
             insert into {0} ({0}) values ('b');",
            table,
            quoted(&format!("{name}k")),
            quoted(&format!("{name}c")),
            quoted(&format!("{name}e")),
        );
        server.as_tenant(&tenant, &sql).await;
        let admin = &tenant.admin;
        let path = format!("/api/v1/{}", encode(&name));
        let made = admin
            .post(&path, &json!({"up": 1}))
            .await
            .expect(201)
            .json();
        assert_eq!(made["data"][&name], name);
        let wanted = json!({&name: {"in": [name, "b"]}}).to_string();
        let query = format!(
            "{path}?where={}&sort=-{}&fields=id,{1}",
            encode(&wanted),
            encode(&quoted(&name))
        );
        let listed = admin.read(&query).await;
        assert_eq!(listed["data"][0][&name], "b", "{listed}");
        admin.get(&format!("{path}/1")).await.expect(200);
        admin
            .get(&format!("/api/v1/tables/{}/schema", encode(&name)))
            .await
            .expect(200);
        let bad = admin.post(&path, &json!({"up": 77})).await;
        bad.problem(422, "creation-failed");
        let bad = admin.patch(&format!("{path}/1"), &json!({"id": -1})).await;
        bad.problem(422, "update-failed");
        admin.delete(&format!("{path}/2")).await.expect(200);
    }
    let introspection = json!({"query": "{ __schema { types { name fields { name } } } }"});
    tenant
        .admin
        .post("/api/v1/graphql", &introspection)
        .await
        .expect(200);
    tenant
        .admin
        .get("/api/tenant/certificate")
        .await
        .expect(200);
    tenant
        .admin
        .post("/api/tenant/reset", &json!({}))
        .await
        .expect(200);
    let client = server.superuser().await;
    let left = "select count(*) from pg_sequences where sequencename = 'canary' and last_value is not null";
    let called: i64 = client.query_one(left, &[]).await.unwrap().get(0);
    assert_eq!(called, 0, "something ran");
}
