//! Writes that are made once: `Idempotency-Key` over every surface, and the ledger behind it.

use bytes::Bytes;
use futures_util::future::join_all;
use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server, Tenant};

async fn count(tenant: &Tenant, name: &str) -> i64 {
    let path = format!("/api/v1/clients?filter=name:{name}&per_page=1");
    let answer = tenant.admin.read(&path).await;
    answer["meta"]["total"].as_i64().unwrap()
}

async fn entries(server: &Server) -> i64 {
    let sql = "select count(*) from _sandlot.replies";
    let superuser = server.superuser().await;
    superuser.query_one(sql, &[]).await.unwrap().get(0)
}

fn keyed(client: &Client, key: &str) -> Client {
    client.with("Idempotency-Key", key)
}

#[track_caller]
fn same(first: &Answer, again: &Answer) {
    assert_eq!(first.status, again.status, "{}", again.text());
    assert_eq!(first.body, again.body);
    for name in ["content-type", "location"] {
        assert_eq!(first.header(name), again.header(name));
    }
    assert_eq!(first.header("duplicate-request"), "");
    assert_eq!(again.header("duplicate-request"), "true");
}

#[tokio::test]
async fn a_repeated_write_is_answered_and_not_made_again() {
    let server = Server::start().await;
    let tenant = server.tenant("once").await;
    let client = keyed(&tenant.admin, "one");
    let body = json!({"name": "Once"});

    let first = client.post("/api/v1/clients", &body).await.expect(201);
    let again = client.post("/api/v1/clients", &body).await.expect(201);
    same(&first, &again);
    assert!(!first.header("location").is_empty());
    assert_eq!(count(&tenant, "Once").await, 1);

    // Update and delete: the row that was is shown again although it is gone.
    let path = first.header("location").to_owned();
    let change = json!({"name": "Twice"});
    let client = keyed(&tenant.admin, "two");
    let first = client.patch(&path, &change).await.expect(200);
    same(&first, &client.patch(&path, &change).await);
    let client = keyed(&tenant.admin, "three");
    let first = client.delete(&path).await.expect(200);
    same(&first, &client.delete(&path).await);
    tenant.admin.delete(&path).await.problem(404, "not-found");

    // Many rows, some with other columns, and CSV.
    let client = keyed(&tenant.admin, "four");
    let rows = json!([{"name": "Many"}, {"name": "Many", "city": "Oslo"}]);
    let first = client.post("/api/v1/clients", &rows).await.expect(201);
    same(&first, &client.post("/api/v1/clients", &rows).await);
    assert_eq!(first.json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(count(&tenant, "Many").await, 2);
    let client = keyed(&tenant.admin, "five").with("Content-Type", "text/csv");
    let csv = Bytes::from_static(b"name\nSheet\nSheet\n");
    let post = async || {
        let call = client.call(Method::POST, "/api/v1/clients", Some(csv.clone()));
        call.await.expect(201)
    };
    same(&post().await, &post().await);
    assert_eq!(count(&tenant, "Sheet").await, 2);

    // Reading takes no notice.
    let read = keyed(&tenant.admin, "one").get("/api/v1/clients").await;
    assert_eq!(read.expect(200).header("duplicate-request"), "");
}

#[tokio::test]
async fn a_key_is_one_requests_and_one_tenants() {
    let server = Server::start().await;
    let (one, other) = (server.tenant("one").await, server.tenant("other").await);
    let body = json!({"name": "Key"});
    let client = keyed(&one.admin, "\"k\"");
    client.post("/api/v1/clients", &body).await.expect(201);

    let conflict = "idempotency-conflict";
    let another = client
        .post("/api/v1/clients", &json!({"name": "Kez"}))
        .await;
    another.problem(409, conflict);
    client
        .put("/api/v1/clients/1", &body)
        .await
        .problem(409, conflict);
    let query = client.post("/api/v1/clients?fields=id", &body).await;
    query.problem(409, conflict);
    let path = client.post("/api/v1/tickets", &body).await;
    assert!([400, 409].contains(&path.status));
    let editor = one.user("ed@mail.example", "editor").await;
    let someone = keyed(&editor, "\"k\"").post("/api/v1/clients", &body).await;
    someone.problem(409, conflict);
    assert_eq!(count(&one, "Key").await, 1);

    // Another tenant's key is another key.
    let client = keyed(&other.admin, "\"k\"");
    let first = client.post("/api/v1/clients", &body).await.expect(201);
    same(&first, &client.post("/api/v1/clients", &body).await);
    assert_eq!(count(&other, "Key").await, 1);

    // What is no key is refused, and nothing is written.
    let long = "k".repeat(256);
    for bad in ["", "   ", "ключ", long.as_str()] {
        let client = keyed(&one.admin, bad);
        let answer = client
            .post("/api/v1/clients", &json!({"name": "Bad"}))
            .await;
        let problem = answer.problem(400, "invalid-parameter");
        assert!(problem["errors"]["Idempotency-Key"].is_array(), "{problem}");
    }
    assert_eq!(count(&one, "Bad").await, 0);
    let most = keyed(&one.admin, &long[1..]);
    most.post("/api/v1/clients", &json!({"name": "Most"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn what_fails_or_is_not_kept_leaves_no_entry() {
    let server = Server::start().await;
    let tenant = server.tenant("fails").await;
    let client = keyed(&tenant.admin, "again");
    let before = entries(&server).await;

    // A value, a rule of the table, a row that is not there, a rule at the commit.
    client
        .post("/api/v1/clients", &json!({"name": 1, "nosuch": 2}))
        .await
        .expect(400);
    client
        .post("/api/v1/invoices", &json!({"clientid": -1}))
        .await
        .expect(422);
    client
        .patch("/api/v1/clients/999999", &json!({"name": "x"}))
        .await
        .problem(404, "not-found");
    server
        .as_tenant(
            &tenant,
            "create table late (id int primary key, other int references late deferrable initially deferred)",
        )
        .await;
    let late = json!({"id": 1, "other": 2});
    client
        .post("/api/v1/late", &late)
        .await
        .problem(422, "creation-failed");
    let viewer = tenant.user("v@mail.example", "viewer").await;
    let viewer = keyed(&viewer, "again");
    viewer
        .post("/api/v1/clients", &json!({"name": "x"}))
        .await
        .problem(403, "permission-denied");
    let simulated = client.with("Prefer", "tx=rollback");
    let dry = simulated
        .post("/api/v1/clients", &json!({"name": "Dry"}))
        .await
        .expect(201);
    assert_eq!(dry.header("sandlot-simulated"), "true");
    let sql = json!({"query": "insert into clients (name) values ('Dry')"});
    simulated.post("/api/v1/sql", &sql).await.expect(200);
    assert_eq!(entries(&server).await, before);

    // The key is free for the request that succeeds.
    let body = json!({"name": "Then"});
    let first = client.post("/api/v1/clients", &body).await.expect(201);
    same(&first, &client.post("/api/v1/clients", &body).await);
    assert_eq!(entries(&server).await, before + 1);
}

#[tokio::test]
async fn a_repetition_is_answered_though_it_could_not_be_made_now() {
    let server = Server::start().await;
    let tenant = server.tenant("gone").await;
    server
        .as_tenant(&tenant, "create table brief (id int primary key)")
        .await;
    let client = keyed(&tenant.admin, "brief");
    let body = json!({"id": 1});
    let first = client.post("/api/v1/brief", &body).await.expect(201);
    let by_sql = keyed(&tenant.admin, "sql");
    let sql = json!({"query": "insert into brief values (2) returning id"});
    let first_sql = by_sql.post("/api/v1/sql", &sql).await.expect(200);
    server.as_tenant(&tenant, "drop table brief").await;

    let superuser = server.superuser().await;
    let known: i64 = superuser
        .query_one("select count(*) from _sandlot.replies", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(known, 2);
    same(&first, &client.post("/api/v1/brief", &body).await);
    same(&first_sql, &by_sql.post("/api/v1/sql", &sql).await);
    // Who may not write any more is told so.
    let editor = tenant.user("ed@mail.example", "editor").await;
    let editor = keyed(&editor, "ed");
    let body = json!({"name": "Ed"});
    editor.post("/api/v1/clients", &body).await.expect(201);
    server
        .as_tenant(
            &tenant,
            "update users set role = 'viewer' where email = 'ed@mail.example'",
        )
        .await;
    let viewer = keyed(&tenant.keyed.sign_in("ed@mail.example").await, "ed");
    viewer
        .post("/api/v1/clients", &body)
        .await
        .problem(403, "permission-denied");
}

#[tokio::test]
async fn mutations_and_statements_are_made_once() {
    let server = Server::start().await;
    let tenant = server.tenant("graph").await;
    let client = keyed(&tenant.admin, "graph");
    let mutation = json!({
        "query": "mutation M($n: String!) { __typename a: createClient(input: {name: $n}) { id name } createClient(input: {name: $n}) { id } }",
        "variables": {"n": "Graph"},
    });
    let first = client.post("/api/v1/graphql", &mutation).await.expect(200);
    assert!(first.json()["errors"].is_null(), "{}", first.text());
    assert_eq!(first.json()["data"]["a"]["name"], "Graph");
    same(&first, &client.post("/api/v1/graphql", &mutation).await);
    assert_eq!(count(&tenant, "Graph").await, 2);
    let other = json!({"query": "mutation { createClient(input: {name: \"Other\"}) { id } }"});
    client
        .post("/api/v1/graphql", &other)
        .await
        .problem(409, "idempotency-conflict");

    // Nested rows.
    let client = keyed(&tenant.admin, "nested");
    let nested = json!({"query": "mutation { createClient(input: {name: \"Nest\", contacts: [{firstname: \"A\", lastname: \"B\", email: \"a@b.example\"}]}) { id contacts { lastname } } }"});
    let first = client.post("/api/v1/graphql", &nested).await.expect(200);
    assert_eq!(
        first.json()["data"]["createClient"]["contacts"][0]["lastname"],
        "B",
        "{}",
        first.text()
    );
    same(&first, &client.post("/api/v1/graphql", &nested).await);
    assert_eq!(count(&tenant, "Nest").await, 1);

    // A mutation that fails keeps nothing, and its key is free.
    let client = keyed(&tenant.admin, "failing");
    let failing = json!({"query": "mutation { createClient(input: {name: \"Half\"}) { id } deleteClient(id: 999999) { id } }"});
    let failed = client
        .post("/api/v1/graphql", &failing)
        .await
        .expect(200)
        .json();
    assert_eq!(failed["data"], Value::Null);
    assert_eq!(count(&tenant, "Half").await, 0);
    client.post("/api/v1/graphql", &other).await.expect(200);
    // A query takes no notice of a key.
    let query = json!({"query": "{ _ping }"});
    client.post("/api/v1/graphql", &query).await.expect(200);

    let client = keyed(&tenant.admin, "sql");
    let insert = json!({"query": "insert into clients (name) values ($1) returning id, name", "params": ["Sql"]});
    let first = client.post("/api/v1/sql", &insert).await.expect(200);
    same(&first, &client.post("/api/v1/sql", &insert).await);
    assert_eq!(count(&tenant, "Sql").await, 1);
    client
        .post("/api/v1/sql", &json!({"query": "select 1"}))
        .await
        .problem(409, "idempotency-conflict");
}

#[tokio::test]
async fn fifty_at_once_over_two_servers_make_one_row() {
    let server = Server::start().await;
    let twin = server.twin().await;
    let tenant = server.tenant("fifty").await;
    let client = keyed(&tenant.admin, "fifty");
    let body = json!({"name": "Fifty"});
    let calls = (0..50).map(|at| {
        let client = if at % 2 == 0 {
            client.clone()
        } else {
            client.at(twin.client.address)
        };
        let body = &body;
        async move { client.post("/api/v1/clients", body).await.expect(201) }
    });
    let answers = join_all(calls).await;
    let made = answers
        .iter()
        .filter(|answer| answer.header("duplicate-request").is_empty());
    assert_eq!(made.count(), 1);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(count(&tenant, "Fifty").await, 1);
}

#[tokio::test]
async fn an_entry_lives_for_a_day_and_no_longer_than_what_it_tells_of() {
    let server = Server::start().await;
    let tenant = server.tenant("day").await;
    let client = keyed(&tenant.admin, "day");
    let body = json!({"name": "Day"});
    let superuser = server.superuser().await;
    client.post("/api/v1/clients", &body).await.expect(201);
    let row = superuser
        .query_one(
            "select extract(epoch from expires_at - now())::int from _sandlot.replies",
            &[],
        )
        .await
        .unwrap();
    assert!((86_300..=86_400).contains(&row.get::<_, i32>(0)));

    // Expired: the request is made anew, whether the sweep has been there or not.
    let expire = "update _sandlot.replies set expires_at = now() - interval '1 second'";
    superuser.batch_execute(expire).await.unwrap();
    let anew = client.post("/api/v1/clients", &body).await.expect(201);
    assert_eq!(anew.header("duplicate-request"), "");
    superuser.batch_execute(expire).await.unwrap();
    assert_eq!(server.app.tenants.sweep_ledger().await.unwrap(), 1);
    assert_eq!(entries(&server).await, 0);

    // A reset takes the rows away, and the memory of having made them.
    client.post("/api/v1/clients", &body).await.expect(201);
    tenant
        .admin
        .post("/api/tenant/reset", &json!({}))
        .await
        .expect(200);
    assert_eq!(entries(&server).await, 0);
    assert_eq!(count(&tenant, "Day").await, 0);
    client.post("/api/v1/clients", &body).await.expect(201);
    tenant.admin.delete("/api/tenant").await.expect(200);
    assert_eq!(entries(&server).await, 0);
}

#[tokio::test]
async fn a_long_answer_is_not_kept_and_the_write_is_still_made_once() {
    let server = Server::start().await;
    let tenant = server.tenant("long").await;
    let client = keyed(&tenant.admin, "long");
    let query = "insert into clients (name) select 'Long' returning repeat('x', 300000) as x";
    let sql = json!({ "query": query });
    client.post("/api/v1/sql", &sql).await.expect(200);
    let again = client.post("/api/v1/sql", &sql).await;
    let problem = again.problem(409, "idempotency-conflict");
    assert!(
        problem["detail"].as_str().unwrap().contains("too long"),
        "{problem}"
    );
    assert_eq!(count(&tenant, "Long").await, 1);
}
