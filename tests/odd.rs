//! Schemas, values and codes that are seldom seen, and what is said of them.

use serde_json::{Value, json};

use crate::harness::{Server, Tenant};

async fn sql(tenant: &Tenant, query: &str) {
    let answer = tenant
        .admin
        .post("/api/v1/sql", &json!({ "query": query }))
        .await;
    answer.expect(200);
}

#[tokio::test]
async fn all_columns_that_lack_a_value_are_named() {
    let server = Server::start().await;
    let tenant = server.tenant("lacks").await;
    let refused = tenant.admin.post("/api/v1/staffs", &json!({})).await;
    let errors = refused.problem(422, "creation-failed")["errors"].take();
    let names: Vec<&String> = errors.as_object().unwrap().keys().collect();
    assert_eq!(names, ["email", "firstname", "lastname"]);
    // A trigger that may fill the others in leaves only what PostgreSQL names.
    sql(&tenant, "create function fill() returns trigger language plpgsql as $$ begin new.lastname := 'x'; return new; end $$").await;
    sql(
        &tenant,
        "create trigger fill before insert on staffs for each row execute function fill()",
    )
    .await;
    // A changed schema is known within a second.
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let refused = tenant.admin.post("/api/v1/staffs", &json!({})).await;
    let errors = refused.problem(422, "creation-failed")["errors"].take();
    assert_eq!(errors.as_object().unwrap().len(), 1, "{errors}");
}

#[tokio::test]
async fn what_is_at_fault_is_named() {
    let server = Server::start().await;
    let tenant = server.tenant("fault").await;
    let taken = tenant.admin.read("/api/v1/contacts?per_page=1").await["data"][0].take();
    let again = json!({"clientid": taken["clientid"], "firstname": "A", "lastname": "B", "email": taken["email"]});
    let refused = tenant.admin.post("/api/v1/contacts", &again).await;
    let refused = refused.problem(422, "creation-failed");
    assert_eq!(
        refused["errors"]["email"][0], "is taken by another row",
        "{refused}"
    );
    // Of a computed column, what it is computed from.
    let lost = json!({"rel_type": "project", "rel_id": 99_999, "name": "x"});
    let refused = tenant.admin.post("/api/v1/tasks", &lost).await;
    let refused = refused.problem(422, "creation-failed");
    assert!(refused["errors"]["rel_id"].is_array(), "{refused}");
    assert_eq!(refused["errors"].get("project_id"), None);
    for (filter, says) in [
        ("filter=date:2026-10", "`2026-10` is no valid date"),
        (
            "filter=date.gte:01.10.2026",
            "`01.10.2026` is no valid date",
        ),
        ("filter=tags:vip", "`vip` is no valid text[]"),
    ] {
        let refused = tenant
            .admin
            .get(&format!("/api/v1/invoices?{filter}"))
            .await;
        let refused = refused.problem(400, "invalid-parameter");
        let said = refused["errors"]["filter"][0].as_str().unwrap();
        assert!(said.starts_with(says), "{said}");
    }
    let query = json!({"query": "{ clients(limit: 5000) { id } }"});
    let answer = tenant.admin.post("/api/v1/graphql", &query).await.json();
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("limit"), "{message}");
}

#[tokio::test]
async fn a_raise_is_the_tenants_whatever_its_code() {
    let server = Server::start().await;
    let tenant = server.tenant("raise").await;
    sql(&tenant, "create table r (id int primary key)").await;
    sql(
        &tenant,
        "create function stop() returns trigger language plpgsql as
        $$ begin raise exception 'no %', new.id using errcode = '57014'; end $$",
    )
    .await;
    sql(
        &tenant,
        "create trigger stop before insert on r for each row execute function stop()",
    )
    .await;
    let refused = tenant.admin.post("/api/v1/r", &json!({"id": 1})).await;
    let refused = refused.problem(422, "creation-failed");
    assert_eq!(refused["detail"], "A trigger or function refused it: no 1");
    for code in ["57014", "53100", "40001"] {
        let query = format!("do $$ begin raise exception 'stop' using errcode = '{code}'; end $$");
        let refused = tenant
            .admin
            .post("/api/v1/sql", &json!({ "query": query }))
            .await;
        refused.problem(400, "bad-request");
    }
}

#[tokio::test]
async fn a_cursor_skips_no_row() {
    let server = Server::start().await;
    let tenant = server.tenant("cursors").await;
    // Rows of a view may be alike.
    sql(&tenant, "create view st as select status from invoices").await;
    let list = tenant.admin.read("/api/v1/st?per_page=100").await;
    assert_eq!(list["meta"]["next_cursor"], Value::Null);
    let refused = tenant.admin.get("/api/v1/st?per_page=100&cursor=").await;
    refused.problem(400, "invalid-parameter");
    // A place that is too long to be sent is none.
    sql(&tenant, "create table docs (id int primary key, body text)").await;
    sql(
        &tenant,
        "insert into docs select n, repeat('x', 3000) || n from generate_series(1, 9) n",
    )
    .await;
    let list = tenant
        .admin
        .read("/api/v1/docs?sort=body&fields=id&per_page=1")
        .await;
    assert_eq!(list["meta"]["next_cursor"], Value::Null);
    let refused = tenant
        .admin
        .get("/api/v1/docs?sort=body&fields=id&per_page=1&cursor=")
        .await;
    let refused = refused.problem(400, "invalid-parameter");
    assert!(
        refused["errors"]["cursor"][0]
            .as_str()
            .unwrap()
            .contains("too long")
    );
    let list = tenant
        .admin
        .read("/api/v1/docs?fields=id&per_page=1&cursor=")
        .await;
    assert!(list["meta"]["next_cursor"].is_string());
}

#[tokio::test]
async fn keys_called_input_leave_the_schema_whole() {
    let server = Server::start().await;
    let tenant = server.tenant("inputs").await;
    sql(&tenant, r#"create table bomb ("input" int, "input_" int, tags text[], primary key ("input", "input_"))"#).await;
    sql(&tenant, "insert into bomb values (1, 2)").await;
    let query = json!({"query": r#"mutation { updateBomb(input: 1, input_: 2, input__: {tags: "vip"}) { tags } }"#});
    let answer = tenant
        .admin
        .post("/api/v1/graphql", &query)
        .await
        .expect(200)
        .json();
    // A single value is a list of one.
    assert_eq!(
        answer["data"]["updateBomb"]["tags"],
        json!(["vip"]),
        "{answer}"
    );
}

#[tokio::test]
async fn json_is_compared_as_json() {
    let server = Server::start().await;
    let tenant = server.tenant("jsons").await;
    sql(&tenant, "create table jt (id int primary key, j jsonb)").await;
    sql(
        &tenant,
        r#"insert into jt values (1, '5'), (2, '"5"'), (3, '"abc"')"#,
    )
    .await;
    let csv = tenant.admin.with("Accept", "text/csv");
    let csv = csv.get("/api/v1/jt?sort=id").await.expect(200).text();
    assert_eq!(
        csv,
        "id,j\r\n1,5\r\n2,\"\"\"5\"\"\"\r\n3,\"\"\"abc\"\"\"\r\n"
    );
    let back = tenant.admin.with("Content-Type", "text/csv");
    sql(&tenant, "truncate jt").await;
    let put = back
        .call(hyper::Method::POST, "/api/v1/jt", Some(csv.into()))
        .await;
    put.expect(201);
    for (condition, ids) in [
        (r#"{"j":{"eq":"5"}}"#, vec![2]),
        (r#"{"j":{"eq":5}}"#, vec![1]),
        (r#"{"j":{"in":["abc",5]}}"#, vec![1, 3]),
        (r#"{"j":{"like":"%abc%"}}"#, vec![3]),
    ] {
        let encoded: String = condition
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        let list = tenant
            .admin
            .read(&format!("/api/v1/jt?sort=id&where={encoded}"))
            .await;
        let found: Vec<i64> = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_i64().unwrap())
            .collect();
        assert_eq!(found, ids, "{condition}");
    }
}

#[tokio::test]
async fn nul_is_refused_where_it_comes_from() {
    let server = Server::start().await;
    let tenant = server.tenant("nul").await;
    for parameter in [
        "path=%00",
        "method=%00",
        "user_id=%00",
        "since=-262000-01-01T00:00:00Z",
    ] {
        let refused = tenant.admin.get(&format!("/api/logs?{parameter}")).await;
        refused.problem(400, "invalid-parameter");
    }
    let report = json!({"slug": "n", "title": "n", "view": "invoices", "chart": {"q": "\0"}});
    let refused = tenant.admin.post("/api/reports", &report).await;
    refused.problem(400, "validation-failed");
    let form = server
        .client
        .with("Content-Type", "application/x-www-form-urlencoded");
    let body = "email=%00&password=xxxxxxxx".into();
    let answer = form.call(hyper::Method::POST, "/login", Some(body)).await;
    assert!([400, 401].contains(&answer.status), "{}", answer.status);
}
