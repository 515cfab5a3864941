//! Registering, and what a registration makes.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn a_registration_is_a_ready_copy_and_its_administrator() {
    let server = Server::start().await;
    let body = json!({"email": "Ada.Lovelace+x@Mail.Example", "password": PASSWORD, "name": "Ada"});
    let answer = server.client.post("/api/register", &body).await.expect(201);
    assert_eq!(answer.header("location"), "/api/tenant");
    let made = answer.json();
    let (tenant, user) = (&made["tenant"], &made["user"]);
    let schema = tenant["schema"].as_str().unwrap();
    let (local, digits) = schema.rsplit_once('_').unwrap();
    assert_eq!(local, "ada_lovelace_x");
    assert!(
        digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()),
        "{schema}"
    );
    assert_eq!(tenant["status"], "ready");
    assert_eq!(user["role"], "admin");

    let key = tenant["api_key"].as_str().unwrap();
    let state = server.client.with("Api-Key", key).read("/api/tenant").await;
    assert_eq!(
        (&state["id"], &state["status"]),
        (&tenant["id"], &json!("ready"))
    );
    assert!(state["size_bytes"].as_i64().unwrap() > 1_000_000, "{state}");
    assert!(state.get("api_key").is_none());

    // The registrant is the copy's only user.
    let rows = server
        .superuser()
        .await
        .query(
            &format!("select id::text, email, name, role::text from \"{schema}\".users"),
            &[],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, String>(0), user["id"].to_string());
    assert_eq!(rows[0].get::<_, String>(3), "admin");
}

#[tokio::test]
async fn a_known_address_gets_another_tenant_for_its_password_alone() {
    let server = Server::start().await;
    let first = server.tenant("twice").await;
    let again = json!({"email": "TWICE@mail.example", "password": PASSWORD});
    let second = server
        .client
        .post("/api/register", &again)
        .await
        .expect(201)
        .json();
    assert_ne!(second["tenant"]["api_key"], first.key.as_str());
    let wrong = json!({"email": first.email, "password": "wrong horse"});
    server
        .client
        .post("/api/register", &wrong)
        .await
        .problem(401, "invalid-credentials");

    let account = server.account(&first).await;
    let tenants = account.read("/api/tenants").await;
    let keys: BTreeSet<_> = tenants["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tenant| tenant["api_key"].as_str().unwrap().to_owned())
        .collect();
    let second_key = second["tenant"]["api_key"].as_str().unwrap().to_owned();
    assert_eq!(keys, BTreeSet::from([first.key.clone(), second_key]));
    first
        .admin
        .get("/api/tenants")
        .await
        .problem(403, "permission-denied");
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_is_named_by_field() {
    let server = Server::start().await;
    let bad = json!({"email": "nowhere", "password": "short", "name": 5, "extra": true});
    let problem = server
        .client
        .post("/api/register", &bad)
        .await
        .problem(400, "validation-failed");
    let named: Vec<_> = problem["errors"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["email", "extra", "name", "password"]);
}

#[tokio::test]
async fn parallel_registrations_of_one_address_share_an_account() {
    let server = Server::start().await;
    let body = json!({"email": "crowd@mail.example", "password": PASSWORD});
    let answers =
        futures_util::future::join_all((0..6).map(|_| server.client.post("/api/register", &body)))
            .await;
    let schemas: BTreeSet<_> = answers
        .into_iter()
        .map(|answer| answer.expect(201).json()["tenant"]["schema"].to_string())
        .collect();
    assert_eq!(schemas.len(), 6);
    let row = server
        .platform_superuser()
        .await
        .query_one("select count(*) from accounts", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_is_an_error_and_can_be_tried_again() {
    let server = Server::start_with(&["--spares=0"]).await;
    let superuser = server.superuser().await;
    let trap = "create schema traps;
                create function traps.trap() returns event_trigger language plpgsql
                    as $$ begin raise exception 'trapped'; end $$;
                create event trigger trap on ddl_command_start when tag in ('CREATE TABLE')
                    execute function traps.trap()";
    superuser.batch_execute(trap).await.unwrap();
    let body = json!({"email": "late@mail.example", "password": PASSWORD});
    let answer = server.client.post("/api/register", &body).await;
    let problem = answer.problem(500, "internal-error");
    assert!(problem["detail"].as_str().unwrap().contains("again"));
    let platform = server.platform_superuser().await;
    let left = platform.query("select id from tenants", &[]).await.unwrap();
    assert!(left.is_empty(), "{} records", left.len());
    superuser
        .batch_execute("drop event trigger trap")
        .await
        .unwrap();
    let again = server.client.post("/api/register", &body).await.expect(201);
    let again = again.json();
    let key = again["tenant"]["api_key"].as_str().unwrap();
    server.client.with("Api-Key", key).until_ready().await;
}

#[tokio::test]
async fn a_deleted_tenant_is_gone_without_trace() {
    let server = Server::start().await;
    let tenant = server.tenant("gone").await;
    let kept = server.tenant("kept").await;
    let before = server.content(&kept.schema).await;
    let superuser = server.superuser().await;
    let role = server.role(&tenant).await;
    let answer = tenant.admin.delete("/api/tenant").await.expect(200).json();
    assert_eq!(answer["status"], "deleted");
    assert_eq!(answer["schema"], tenant.schema.as_str());
    tenant
        .keyed
        .get("/api/tenant")
        .await
        .problem(401, "invalid-api-key");
    for (sql, name) in [
        (
            "select 1 from pg_namespace where nspname = $1",
            &tenant.schema,
        ),
        ("select 1 from pg_roles where rolname = $1", &role),
    ] {
        assert!(
            superuser.query(sql, &[name]).await.unwrap().is_empty(),
            "{name}"
        );
    }
    assert_eq!(server.content(&kept.schema).await, before);
    // The account stays.
    server
        .account(&tenant)
        .await
        .get("/api/auth/me")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_copy_holds_the_templates_rows_without_its_users() {
    let server = Server::start().await;
    let tenant = server.tenant("whole").await;
    let mut template = server.content("public").await;
    let mut copy = server.content(&tenant.schema).await;
    assert!(template.remove("users").unwrap().0 > 1);
    assert_eq!(copy.remove("users").unwrap().0, 1);
    for (table, content) in &template {
        assert_eq!(copy[table].0, content.0, "rows of {table}");
    }
    assert_eq!(template.len(), copy.len());
}

#[tokio::test]
async fn a_tenant_whose_time_is_over_is_warned_of_and_removed() {
    let server = Server::start_with(&["--tenant-ttl=1"]).await;
    let tenant = server.tenant("brief").await;
    let state = tenant.keyed.read("/api/tenant").await;
    assert!(state["expires_at"].is_string(), "{state}");
    let list = tenant
        .admin
        .get("/api/v1/clients?per_page=1")
        .await
        .expect(200);
    assert!(
        list.header("sunset").ends_with(" GMT"),
        "{:?}",
        list.headers
    );
    let platform = server.platform_superuser().await;
    let sql = "update tenants set created_at = now() - interval '2 hours' where id = $1";
    platform.execute(sql, &[&tenant.id]).await.unwrap();
    let gone = async {
        while tenant.keyed.get("/api/tenant").await.status == 200 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), gone)
        .await
        .expect("gone in time");
    tenant
        .keyed
        .get("/api/tenant")
        .await
        .problem(401, "invalid-api-key");
}
