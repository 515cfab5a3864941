//! I1 to I3 over HTTP: a tenant's hostile code runs with the tenant's rights alone.

use serde_json::json;

use crate::harness::Server;

/// A trigger on `clients` that tries a way out and writes down what it got.
fn trap(way_out: &str, victim: &str) -> String {
    format!(
        r#"
        create table loot (what text);
        create function steal() returns trigger language plpgsql as $body$
        declare got text;
        begin
            begin
                {way_out}
                execute 'select string_agg(c::text, '','') from "{victim}".clients c' into got;
                insert into loot values ('GOT ' || coalesce(got, 'nothing'));
            exception when others then
                insert into loot values ('refused: ' || sqlerrm);
            end;
            return new;
        end $body$;
        create trigger trap after insert on clients for each row execute function steal();
        create constraint trigger late_trap after insert on clients
            deferrable initially deferred for each row execute function steal();
        "#
    )
}

#[tokio::test]
async fn a_tenants_trigger_reaches_nothing_of_another_tenant() {
    let server = Server::start().await;
    let victim = server.tenant("victim").await;
    let ways = [
        "",
        "set role sandlot;",
        "reset role;",
        "perform set_config('role', 'sandlot', false);",
        "perform set_config('role', 'sandlot_owner', true);",
        "perform set_config('role', 'postgres', true);",
        "perform set_config('session_authorization', 'sandlot', false);",
        "set session authorization default;",
        "perform set_config('search_path', 'public', false);",
    ];
    for (number, way) in ways.iter().enumerate() {
        let attacker = server.tenant(&format!("attacker{number}")).await;
        server
            .as_tenant(&attacker, &trap(way, &victim.schema))
            .await;
        let before = server.content(&victim.schema).await;
        attacker
            .admin
            .post("/api/v1/clients", &json!({"name": "Trojan"}))
            .await
            .expect(201);
        let loot = attacker.admin.read("/api/v1/loot").await;
        let rows = loot["data"].as_array().unwrap();
        assert_eq!(rows.len(), 2, "both triggers ran: {way}");
        for row in rows {
            let what = row["what"].as_str().unwrap();
            assert!(what.starts_with("refused: "), "{way}: {what}");
        }
        // The connection is fit for the next request, and the victim is untouched.
        attacker
            .admin
            .get("/api/v1/clients?per_page=1")
            .await
            .expect(200);
        assert_eq!(server.content(&victim.schema).await, before);
    }
}

#[tokio::test]
async fn a_tenants_own_operators_and_functions_are_not_what_the_server_calls() {
    let server = Server::start().await;
    let tenant = server.tenant("hijack").await;
    server.as_tenant(
        &tenant,
        r#"
        create function lower(text) returns text language sql as $$ select 'hijacked' $$;
        create function lower(varchar) returns text language sql as $$ select 'hijacked' $$;
        create function shout(text, text) returns bool language plpgsql as
            $$ begin raise exception 'hijacked operator'; end $$;
        create operator = (leftarg = text, rightarg = text, function = shout);
        create function count() returns bigint language sql as $$ select 666::bigint $$;
        create function to_json(anyelement) returns json language sql as $$ select '"hijacked"'::json $$;
        "#,
    )
    .await;
    let list = tenant
        .admin
        .get("/api/v1/clients?per_page=2")
        .await
        .expect(200);
    assert!(!list.text().contains("hijacked"), "{}", list.text());
    assert_ne!(list.json()["meta"]["total"], 666);
    server.account(&tenant).await;
    let credentials = json!({"email": tenant.email, "password": crate::harness::PASSWORD});
    tenant
        .keyed
        .post("/api/auth/token", &credentials)
        .await
        .expect(200);
}

#[tokio::test]
async fn tenants_have_no_way_into_the_platforms_database_or_the_template() {
    let server = Server::start().await;
    let tenant = server.tenant("locked").await;
    let role = server.role(&tenant).await;
    assert!(server.try_connect_to_platform_as(&role).await.is_err());
    let client = server.connect_as(&role).await;
    for sql in [
        "select * from public.clients",
        "select * from _sandlot.template",
        "create temp table t (a int)",
        "select pg_advisory_lock(1)",
        "select pg_catalog.lo_create(0)",
        "create schema mine",
    ] {
        assert!(client.batch_execute(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn writing_to_one_copy_changes_no_other() {
    let server = Server::start().await;
    let writer = server.tenant("writer").await;
    let other = server.tenant("other").await;
    let template = server.content("public").await;
    let before = server.content(&other.schema).await;
    writer
        .admin
        .post("/api/v1/clients", &json!({"name": "New"}))
        .await
        .expect(201);
    writer
        .admin
        .patch("/api/v1/clients/1", &json!({"name": "Changed"}))
        .await
        .expect(200);
    let task = json!({"rel_type": "project", "rel_id": 1, "name": "Look"});
    let task = writer
        .admin
        .post("/api/v1/tasks", &task)
        .await
        .expect(201)
        .json();
    let path = format!("/api/v1/tasks/{}", task["data"]["id"]);
    writer.admin.delete(&path).await.expect(200);
    assert_eq!(server.content("public").await, template);
    assert_eq!(server.content(&other.schema).await, before);
}

#[tokio::test]
async fn what_a_default_or_policy_does_to_the_session_stays_with_its_request() {
    let server = Server::start_with(&["--connections-per-tenant=1"]).await;
    let tenant = server.tenant("sly").await;
    server
        .as_tenant(
            &tenant,
            "create function sly() returns text language plpgsql as $$ begin
                 perform set_config('TimeZone', 'Asia/Tokyo', false);
                 execute 'listen sly';
                 return 'x';
             end $$;
             create table by_default (id int primary key, note text default sly());
             create table by_setting (id int primary key, note text default set_config('TimeZone', 'Asia/Tokyo', false));
             create table by_policy (id int primary key);
             insert into by_policy values (1);
             alter table by_policy enable row level security;
             alter table by_policy force row level security;
             create policy p on by_policy using (sly() = 'x');",
        )
        .await;
    let zone = json!({"query": "select current_setting('TimeZone') as zone, (select count(*) from pg_listening_channels()) as heard"});
    for path in ["by_default", "by_setting"] {
        let body = json!({"id": 1});
        tenant
            .admin
            .post(&format!("/api/v1/{path}"), &body)
            .await
            .expect(201);
        let after = tenant
            .admin
            .post("/api/v1/sql", &zone)
            .await
            .expect(200)
            .json();
        assert_eq!(after["rows"][0]["zone"], "UTC", "{path}: {after}");
        assert_eq!(after["rows"][0]["heard"], 0, "{path}: {after}");
    }
    let rows = tenant.admin.read("/api/v1/by_policy").await;
    assert_eq!(rows["data"][0]["id"], 1);
    let after = tenant
        .admin
        .post("/api/v1/sql", &zone)
        .await
        .expect(200)
        .json();
    assert_eq!(after["rows"][0]["zone"], "UTC", "policy: {after}");
}
