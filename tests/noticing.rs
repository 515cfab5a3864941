//! A change of a schema is heard of, whoever makes it and however; where the database does not tell, it is looked for.

use std::time::{Duration, Instant};

use serde_json::json;
use tenants::Identity;
use tokio::time::{sleep, timeout};

use crate::harness::{Server, Tenant};

/// What is noticed at all is noticed within this.
const SECOND: Duration = Duration::from_secs(1);

/// For a machine that runs all tests at once.
const PATIENCE: Duration = Duration::from_secs(30);

async fn identity(server: &Server, tenant: &Tenant) -> Identity {
    Identity {
        role: server.role(tenant).await,
        schema: tenant.schema.clone(),
        read_only: false,
    }
}

/// Waits until a schema is said to be as it is at a moment, which is given back.
async fn settled(server: &Server, identity: &Identity) -> Instant {
    let settled = async {
        loop {
            let looked = Instant::now();
            sleep(Duration::from_millis(10)).await;
            if server.app.tenants.is_unchanged(identity, looked) {
                return looked;
            }
        }
    };
    timeout(PATIENCE, settled).await.expect("listening")
}

/// Whether a schema is said to have changed, within a second.
async fn told(server: &Server, identity: &Identity, looked: Instant) -> bool {
    let told = async {
        while server.app.tenants.is_unchanged(identity, looked) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SECOND, told).await.is_ok()
}

#[tokio::test]
async fn every_change_is_told_and_concerns_nobody_else() {
    let server = Server::start().await;
    let (tenant, other) = (server.tenant("changer").await, server.tenant("idle").await);
    let (own, others) = (
        identity(&server, &tenant).await,
        identity(&server, &other).await,
    );
    let schema = &tenant.schema;
    let as_tenant = server.connect_as(&own.role).await;
    let superuser = server.superuser().await;
    let platform = server.connect_as("sandlot").await;
    for (who, client) in [
        ("tenant", &as_tenant),
        ("superuser", &superuser),
        ("platform", &platform),
    ] {
        let table = format!("{schema}.by_{who}");
        client
            .batch_execute("set search_path = pg_catalog")
            .await
            .unwrap();
        for change in [
            format!("create table {table} (a int)"),
            format!("alter table {table} add b int"),
            format!("comment on column {table}.b is 'x'"),
            format!("do $$ begin execute 'create index on {table} (a)'; end $$"),
            format!("create type {schema}.of_{who} as enum ('a')"),
            format!("alter type {schema}.of_{who} add value 'b'"),
            format!("drop type {schema}.of_{who}"),
            format!("begin; drop table {table}; create table {table} (c int); commit"),
            format!("drop table {table}"),
        ] {
            let looked = settled(&server, &own).await;
            client.batch_execute(&change).await.unwrap();
            assert!(told(&server, &own, looked).await, "{who}: {change}");
        }
    }
    // Those that name no schema.
    for change in [
        format!("create table {schema}.plain (a int)"),
        format!("create policy p on {schema}.plain using (true)"),
        format!("grant select on {schema}.plain to public"),
        format!(
            "create trigger t before insert on {schema}.plain for each row \
             execute function suppress_redundant_updates_trigger()"
        ),
        format!("alter table {schema}.plain disable trigger t"),
        format!("drop trigger t on {schema}.plain"),
        "drop owned by current_user cascade".to_owned(),
    ] {
        let looked = settled(&server, &own).await;
        as_tenant.batch_execute(&change).await.unwrap();
        assert!(told(&server, &own, looked).await, "{change}");
    }
    // A reset puts another schema in the place of what is left of this one.
    let looked = settled(&server, &own).await;
    tenant
        .admin
        .post("/api/tenant/reset", &json!({}))
        .await
        .expect(200);
    assert!(told(&server, &own, looked).await);

    // Rows are no change; and what happened to one tenant was none for the other.
    let looked = settled(&server, &others).await;
    for client in [&as_tenant, &superuser] {
        client
            .batch_execute(&format!("delete from {schema}.notes; create table {schema}.last (a int); drop table {schema}.last"))
            .await
            .unwrap();
    }
    other.admin.read("/api/v1/clients").await;
    assert!(!told(&server, &others, looked).await);
}

#[tokio::test]
async fn nobody_is_deaf_without_knowing_it() {
    let server = Server::start().await;
    let tenant = server.tenant("listener").await;
    let own = identity(&server, &tenant).await;
    let superuser = server.superuser().await;
    // The backend that listens is ended: until another listens, nothing is sure.
    let looked = settled(&server, &own).await;
    let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and query like '%pg_event_trigger%' and pid <> pg_backend_pid()";
    let ended: i64 = superuser.query_one(ended, &[]).await.unwrap().get(0);
    assert!(ended > 0);
    assert!(told(&server, &own, looked).await);
    settled(&server, &own).await;

    // One of the triggers is switched off: changes are looked for then.
    let looked = settled(&server, &own).await;
    let off = "alter event trigger sandlot_drops disable";
    superuser.batch_execute(off).await.unwrap();
    assert!(told(&server, &own, looked).await);
    tenant.admin.read("/api/v1/clients?per_page=1").await;
    let drop = format!("drop table {}.notes", tenant.schema);
    superuser.batch_execute(&drop).await.unwrap();
    let noticed = async {
        while tenant.admin.get("/api/v1/notes/schema").await.status != 404 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SECOND, noticed).await.expect("noticed");
}

#[tokio::test]
async fn the_channel_is_secret() {
    let server = Server::start().await;
    let tenant = server.tenant("eavesdropper").await;
    let role = server.role(&tenant).await;
    let client = server.connect_as(&role).await;
    for sql in [
        "select name from _sandlot.channel",
        "alter event trigger sandlot_changes disable",
        "drop event trigger sandlot_changes",
        "set session_replication_role = replica",
    ] {
        let refused = client.batch_execute(sql).await.expect_err(sql);
        assert_eq!(refused.code().unwrap().code(), "42501", "{sql}");
    }
    let superuser = server.superuser().await;
    let name = "select name from _sandlot.channel";
    let name: String = superuser.query_one(name, &[]).await.unwrap().get(0);
    let seen = "select count(*) from pg_proc where prosrc like '%' || $1 || '%'";
    let seen: i64 = client.query_one(seen, &[&name]).await.unwrap().get(0);
    assert_eq!(seen, 0);
    let seen = "select count(*) from pg_stat_activity where query like '%' || $1 || '%' and pid <> pg_backend_pid()";
    let seen: i64 = client.query_one(seen, &[&name]).await.unwrap().get(0);
    assert_eq!(seen, 0);
}
