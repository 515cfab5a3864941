//! What a tenant's statements must not get at, and what they must not leave behind.

use hyper::Method;
use serde_json::{Value, json};

use super::{PATH, refused, run, sql};
use crate::harness::Server;

#[tokio::test]
async fn a_session_that_was_changed_is_not_met_again() {
    let server = Server::start_with(&["--connections-per-tenant=1"]).await;
    let tenant = server.tenant("dirty").await;
    let admin = &tenant.admin;
    for query in [
        "set search_path = pg_catalog",
        "set client_encoding = latin1",
        "set datestyle = german",
        "set timezone = 'Asia/Tokyo'",
        "select set_config('standard_conforming_strings', 'off', false)",
        "prepare mine as select 1",
        "listen somebody",
        "set \"my.own\" = 'x'",
        "declare mine cursor with hold for select 1",
        "deallocate all",
    ] {
        sql(admin, query).await;
        let after = run(
            admin,
            "select current_setting('search_path') as path, current_setting('client_encoding') as encoding,
                    current_setting('datestyle') as style, current_setting('timezone') as zone,
                    nullif(current_setting('my.own', true), '') as own,
                    (select count(*) from pg_catalog.pg_prepared_statements where name = 'mine') as prepared,
                    (select count(*) from pg_catalog.pg_listening_channels()) as channels,
                    (select count(*) from pg_catalog.pg_cursors where name = 'mine') as cursors, e'\\\\' as slash",
        )
        .await;
        let row = &after["rows"][0];
        assert!(
            row["path"].as_str().unwrap().contains(&tenant.schema),
            "{query}: {row}"
        );
        assert_eq!(row["encoding"], "UTF8", "{query}");
        assert!(
            row["style"].as_str().unwrap().starts_with("ISO"),
            "{query}: {row}"
        );
        assert_eq!(row["zone"], "UTC", "{query}");
        assert_eq!(row["own"], Value::Null, "{query}");
        for count in ["prepared", "channels", "cursors"] {
            assert_eq!(row[count], 0, "{query}");
        }
        admin.get("/api/v1/clients/1").await.expect(200);
    }
    let problem = refused(
        admin,
        "select set_config('client_encoding', 'latin1', true), 'ä' from clients limit 1",
    )
    .await;
    assert!(problem["detail"].as_str().unwrap().contains("UTF-8"));
    refused(admin, "select 'a\u{0}'").await;
}

#[tokio::test]
async fn only_the_administrator_of_a_copy_runs_statements() {
    let server = Server::start().await;
    let tenant = server.tenant("rights").await;
    let body = json!({"query": "select 1"});
    for role in ["viewer", "editor"] {
        let user = tenant.user(&format!("{role}@mail.example"), role).await;
        user.post(PATH, &body)
            .await
            .problem(403, "permission-denied");
    }
    let account = server.account(&tenant).await;
    account.post(PATH, &body).await.problem(403, "read-only");
    account
        .with("Api-Key", &tenant.key)
        .post(PATH, &body)
        .await
        .expect(200);
    server
        .client
        .post(PATH, &body)
        .await
        .problem(401, "missing-token");
    tenant
        .keyed
        .post(PATH, &body)
        .await
        .problem(401, "missing-token");
    let answer = tenant.admin.get(PATH).await.expect(405);
    assert_eq!(answer.header("allow"), "POST");
    tenant
        .admin
        .call(Method::DELETE, PATH, None)
        .await
        .problem(405, "method-not-allowed");
    for body in ["", "[]", "1", "{\"query\"", "null"] {
        let answer = tenant
            .admin
            .call(Method::POST, PATH, Some(body.to_owned().into()))
            .await;
        assert_eq!(answer.status, 400, "{body}");
    }
    let csv = tenant.admin.with("Content-Type", "text/csv");
    csv.post(PATH, &body)
        .await
        .problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn another_copy_stays_out_of_reach() {
    let server = Server::start().await;
    let (mine, other) = (server.tenant("mine").await, server.tenant("other").await);
    let before = server.content(&other.schema).await;
    let role = server.role(&other).await;
    for query in [
        format!("select * from \"{}\".clients", other.schema),
        format!("delete from \"{}\".clients", other.schema),
        format!("create table \"{}\".mine (id int)", other.schema),
        format!("drop schema \"{}\" cascade", other.schema),
        format!("set role \"{role}\""),
        format!("set session authorization \"{role}\""),
        format!("select set_config('role', '{role}', false)"),
        format!("alter role \"{role}\" set search_path = pg_catalog"),
        format!("grant \"{role}\" to current_user"),
        format!("do $$ begin execute 'set local role \"{role}\"'; end $$"),
        "select * from public.clients".to_owned(),
        "select * from public.users".to_owned(),
        "select * from _sandlot.seaql_migrations".to_owned(),
        "create table public.mine (id int)".to_owned(),
        "create temporary table mine (id int)".to_owned(),
        "select pg_catalog.lo_create(0)".to_owned(),
        "create extension dblink".to_owned(),
    ] {
        let answer = sql(&mine.admin, &query).await;
        let problem = answer.problem(400, "bad-request");
        assert_eq!(problem["sqlstate"], "42501", "{query}: {problem}");
    }
    // What a function leaves behind in the transaction ends with it.
    run(&mine.admin, &format!(
        "create function sneak() returns int language plpgsql as $$ begin execute 'set local role \"{role}\"'; return 1; end $$"
    )).await;
    refused(&mine.admin, "select sneak()").await;
    refused(&mine.admin, "reset role; select 1").await;
    assert_eq!(server.content(&other.schema).await, before);
}

#[tokio::test]
async fn a_statement_ends_at_the_limit() {
    let server = Server::start_with(&["--request-timeout=4"]).await;
    let tenant = server.tenant("slow").await;
    let stubborn = "do $$ begin loop begin perform pg_catalog.pg_sleep(10);
                    exception when query_canceled then null; end; end loop; end $$";
    for query in [
        "select pg_sleep(30)",
        stubborn,
        "insert into clients (name) select 'x' from pg_sleep(30)",
    ] {
        sql(&tenant.admin, query)
            .await
            .problem(502, "request-timeout");
    }
    sql(
        &tenant.admin,
        "select pg_terminate_backend(pg_backend_pid())",
    )
    .await
    .problem(503, "service-unavailable");
    run(&tenant.admin, "select 1").await;
}

#[tokio::test]
async fn operators_and_functions_of_the_tenants_own_fool_nobody() {
    let server = Server::start().await;
    let tenant = server.tenant("hijack").await;
    let admin = &tenant.admin;
    for query in [
        "create function to_json(anyelement) returns json language sql as $$ select '\"fooled\"'::json $$",
        "create function yes(oid, oid) returns bool language sql as $$ select true $$",
        "create operator = (leftarg = oid, rightarg = oid, function = yes)",
        "create function yes(text, text) returns bool language sql as $$ select true $$",
        "create operator = (leftarg = text, rightarg = text, function = yes)",
        "create table pg_locks (relation oid)",
        "create table pg_class (oid oid, relname text)",
    ] {
        run(admin, query).await;
    }
    let body = run(
        admin,
        "select array[id] as a from clients where id operator(pg_catalog.=) 1",
    )
    .await;
    assert_eq!(body["rows"], json!([{"a": [1]}]));
    assert_eq!(body["affected_tables"], json!(["clients"]));
}
