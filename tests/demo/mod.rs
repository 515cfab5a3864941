//! Demo mode: what it shows, what it hides, and that nobody can keep anything.

use std::sync::Arc;

use sandlot::demo::Generation;
use serde_json::json;

use crate::harness::{Client, Server};

mod canaries;
mod examples;
mod masking;
mod refresh;
mod script;
mod totals;
mod writes;
mod zoo;

/// Makes a demo of a seed, and a client with the public token.
pub async fn demo(server: &Server, seed: u64) -> (Client, Arc<Generation>) {
    let made = server.app.demo.refresh(Some(seed)).await.unwrap();
    let token = server.app.demo.token().unwrap().as_str().to_owned();
    (server.client.bearer(&token), made)
}

#[tokio::test]
async fn anybody_reads_made_up_values_with_the_public_token() {
    let server = Server::start().await;
    let (anybody, made) = demo(&server, 7).await;
    let list = anybody.get("/api/v1/clients?per_page=5").await.expect(200);
    assert_eq!(list.header("sandlot-mode"), "demo");
    assert_eq!(list.header("sandlot-seed"), "7");
    assert_eq!(list.header("sandlot-simulated"), "");
    let rows = list.json();
    assert_eq!(rows["data"].as_array().unwrap().len(), 5);
    let real = server.superuser().await;
    let mail = rows["data"][0]["email"].as_str().unwrap();
    assert!(mail.ends_with(".example"), "{mail}");
    let sql = "select count(*) from public.clients where email = $1 or name = $2";
    let name = rows["data"][0]["name"].as_str().unwrap();
    let same: i64 = real.query_one(sql, &[&mail, &name]).await.unwrap().get(0);
    assert_eq!(same, 0, "{mail} {name}");

    // Secrets are not hidden but absent.
    let schema = anybody.read("/api/v1/users/schema").await;
    let columns = schema["data"]["columns"].as_array().unwrap();
    assert!(
        columns
            .iter()
            .all(|column| column["name"] != "password_hash")
    );
    anybody
        .get("/api/v1/users?sort=password_hash")
        .await
        .problem(400, "invalid-parameter");
    let absent = "select count(*) from information_schema.columns where table_schema = $1 and column_name = 'password_hash'";
    let found: i64 = real
        .query_one(absent, &[&made.identity.schema])
        .await
        .unwrap()
        .get(0);
    assert_eq!(found, 0);

    // Every surface, by the same token; the embedded page without any.
    anybody
        .get("/api/v1/reports/invoices?per_page=2")
        .await
        .expect(200);
    let figures =
        "/api/v1/reports/invoices/aggregate?dimension=status_name&measure=total&aggregation=sum";
    anybody.get(figures).await.expect(200);
    let page = server
        .client
        .get("/embed/report/invoices")
        .await
        .expect(200);
    assert_eq!(page.header("sandlot-mode"), "demo");
    assert_eq!(page.header("sandlot-seed"), "7");
    let question = json!({"query": "{ clients(limit: 1) { name invoices(limit: 1) { total } } }"});
    let answer = anybody.post("/api/v1/graphql", &question).await.expect(200);
    assert_eq!(answer.header("sandlot-seed"), "7");
    assert!(answer.json()["errors"].is_null(), "{}", answer.text());
    let trial = anybody.read("/api/v1/auth/test").await;
    assert_eq!(trial["kind"], "demo");
}

#[tokio::test]
async fn what_is_a_tenants_is_closed_to_the_demo() {
    let server = Server::start().await;
    let (anybody, made) = demo(&server, 1).await;
    anybody
        .post("/api/v1/sql", &json!({"query": "select 1"}))
        .await
        .problem(403, "scope-not-allowed");
    for path in [
        "/api/auth/me",
        "/api/tokens",
        "/api/tenants",
        "/api/tenant/certificate",
    ] {
        let answer = anybody.get(path).await;
        assert!(
            matches!(answer.status, 401 | 403),
            "{path}: {}",
            answer.text()
        );
    }
    let tenant = server.tenant("demonstrator").await;
    let mixed = anybody.with("Api-Key", &tenant.key);
    mixed
        .get("/api/v1/clients")
        .await
        .problem(403, "tenant-mismatch");

    // The role that serves it reaches nothing but the demo, and owns nothing of that.
    let role = server.connect_as(&made.identity.role).await;
    for table in [
        "public.clients".to_owned(),
        format!("{}.clients", tenant.schema),
        "_sandlot.template".to_owned(),
    ] {
        let refused = role
            .query(&format!("select 1 from {table}"), &[])
            .await
            .unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{table}");
    }
    let schema = &made.identity.schema;
    for (sql, code) in [
        (format!("create table {schema}.mine (id int)"), "42501"),
        (
            format!("alter table {schema}.clients disable trigger all"),
            "42501",
        ),
        (
            format!("drop trigger _sandlot_never on {schema}.clients"),
            "42501",
        ),
        (format!("truncate {schema}.notes"), "42501"),
        (
            format!("select nextval('{schema}.invoice_number_seq')"),
            "42501",
        ),
        // However a commit is asked for, the database refuses it.
        (format!("delete from {schema}.notes where id = 1"), "25006"),
        (
            format!("begin; update {schema}.clients set name = 'x' where id = 1; commit"),
            "25006",
        ),
        (
            format!(
                "begin; savepoint a; insert into {schema}.notes (rel_type, rel_id, content) values ('client', 1, 'x'); release a; commit"
            ),
            "25006",
        ),
        (
            format!("do $$ begin delete from {schema}.notes; commit; end $$"),
            "25006",
        ),
    ] {
        let refused = role.batch_execute(&sql).await.expect_err(&sql);
        assert_eq!(refused.code().unwrap().code(), code, "{sql}");
        role.batch_execute("rollback").await.unwrap();
    }
}
