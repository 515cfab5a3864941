//! Resets over HTTP: what has changed goes back, users stay, the certificate is green again.

use serde_json::json;

use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn a_changed_row_goes_back_and_the_users_stay() {
    let server = Server::start().await;
    let tenant = server.tenant("reset").await;
    let other = server.tenant("other").await;
    other
        .admin
        .patch("/api/v1/clients/1", &json!({"name": "Kept"}))
        .await
        .expect(200);
    tenant.user("kept@mail.example", "viewer").await;
    let before = tenant.admin.read("/api/v1/clients/1").await;
    tenant
        .admin
        .patch("/api/v1/clients/1", &json!({"name": "Changed"}))
        .await
        .expect(200);
    tenant
        .admin
        .post("/api/v1/clients", &json!({"name": "Added"}))
        .await
        .expect(201);

    let report = tenant
        .admin
        .post("/api/tenant/reset", &json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(report["whole"], false, "{report}");
    assert_eq!(report["tables"], json!(["clients"]), "{report}");
    let after = tenant.admin.read("/api/v1/clients/1").await;
    assert_eq!(after, before);
    tenant.admin.identical().await;
    let credentials = json!({"email": "kept@mail.example", "password": PASSWORD});
    tenant
        .keyed
        .post("/api/auth/token", &credentials)
        .await
        .expect(200);
    let kept = other.admin.read("/api/v1/clients/1").await;
    assert_eq!(kept["data"]["name"], "Kept");
}

#[tokio::test]
async fn changed_definitions_make_the_copy_anew() {
    let server = Server::start().await;
    let tenant = server.tenant("anew").await;
    server.as_tenant(&tenant, "drop table notes cascade; alter table clients add column own int; create table mine (a int)").await;
    tenant
        .admin
        .get("/api/v1/notes")
        .await
        .problem(404, "not-found");
    let answer = tenant
        .admin
        .call(hyper::Method::POST, "/api/tenant/reset", None)
        .await;
    assert_eq!(answer.expect(200).json()["whole"], true);
    tenant
        .admin
        .get("/api/v1/notes?per_page=1")
        .await
        .expect(200);
    tenant
        .admin
        .get("/api/v1/mine")
        .await
        .problem(404, "not-found");
    tenant.admin.identical().await;
    let credentials = json!({"email": tenant.email, "password": PASSWORD});
    tenant
        .keyed
        .post("/api/auth/token", &credentials)
        .await
        .expect(200);
}

#[tokio::test]
async fn named_tables_alone_go_back() {
    let server = Server::start().await;
    let tenant = server.tenant("named").await;
    tenant
        .admin
        .patch("/api/v1/clients/1", &json!({"name": "Changed"}))
        .await
        .expect(200);
    tenant
        .admin
        .patch("/api/v1/projects/1", &json!({"name": "Changed"}))
        .await
        .expect(200);
    tenant
        .admin
        .post("/api/tenant/reset", &json!({"tables": ["projects"]}))
        .await
        .expect(200);
    let client = tenant.admin.read("/api/v1/clients/1").await;
    assert_eq!(client["data"]["name"], "Changed");
    let project = tenant.admin.read("/api/v1/projects/1").await;
    assert_ne!(project["data"]["name"], "Changed");
    let unknown = tenant
        .admin
        .post("/api/tenant/reset", &json!({"tables": ["nope"]}))
        .await;
    unknown.problem(400, "validation-failed");
}

#[tokio::test]
async fn a_snapshot_is_taken_restored_and_deleted() {
    let server = Server::start().await;
    let tenant = server.tenant("snap").await;
    let name = |name: &str| json!({"name": name});
    tenant
        .admin
        .patch("/api/v1/clients/1", &name("Before"))
        .await
        .expect(200);
    let path = "/api/tenant/snapshots";
    let taken = tenant
        .admin
        .post(path, &name("first"))
        .await
        .expect(201)
        .json();
    tenant
        .admin
        .post(path, &name("first"))
        .await
        .problem(422, "creation-failed");
    tenant
        .admin
        .patch("/api/v1/clients/1", &name("After"))
        .await
        .expect(200);
    server.as_tenant(&tenant, "drop table notes cascade").await;

    let one = format!("{path}/{}", taken["id"]);
    let restore = format!("{one}/restore");
    tenant
        .admin
        .call(hyper::Method::POST, &restore, None)
        .await
        .expect(200);
    let row = tenant.admin.read("/api/v1/clients/1").await;
    assert_eq!(row["data"]["name"], "Before");
    tenant
        .admin
        .get("/api/v1/notes?per_page=1")
        .await
        .expect(200);
    let credentials = json!({"email": tenant.email, "password": PASSWORD});
    tenant
        .keyed
        .post("/api/auth/token", &credentials)
        .await
        .expect(200);

    tenant.admin.delete(&one).await.expect(200);
    tenant
        .admin
        .call(hyper::Method::POST, &restore, None)
        .await
        .problem(404, "not-found");
    tenant.admin.post(path, &name("second")).await.expect(201);
    tenant.admin.delete("/api/tenant").await.expect(200);
    let left = "select count(*) from pg_namespace where nspname like 'snap\\_%' and nspname <> $1";
    let superuser = server.superuser().await;
    let left: i64 = superuser
        .query_one(left, &[&tenant.schema])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 0, "the snapshots went with their tenant");
}

#[tokio::test]
async fn a_reset_that_another_server_is_at_is_no_orphan() {
    let server = Server::start().await;
    let tenant = server.tenant("busy").await;
    let role = server.role(&tenant).await;
    let superuser = server.superuser().await;
    let schema = format!("reset_{}", "a".repeat(26));
    superuser
        .batch_execute(&format!(
            "create schema {schema} authorization sandlot_owner; grant usage, create on schema {schema} to {role}"
        ))
        .await
        .unwrap();
    let there = async || {
        let sql = "select exists (select from pg_namespace where nspname = $1)";
        let row = superuser.query_one(sql, &[&schema]).await.unwrap();
        row.get::<_, bool>(0)
    };
    // Who works on a tenant holds its record.
    let worker = server.platform_superuser().await;
    worker
        .batch_execute(&format!(
            "begin; select from tenants where id = {} for no key update",
            tenant.id
        ))
        .await
        .unwrap();
    let twin = server.twin().await;
    twin.app.tenancy.remove_orphans().await.unwrap();
    assert!(there().await);
    worker.batch_execute("rollback").await.unwrap();
    // The twin's own search at its start may be at it.
    let gone = async {
        while there().await {
            twin.app.tenancy.remove_orphans().await.unwrap();
        }
    };
    let gone = tokio::time::timeout(std::time::Duration::from_secs(20), gone).await;
    gone.expect("an orphan goes");
}

#[tokio::test]
async fn who_has_a_tenants_record_for_a_moment_is_waited_for() {
    let server = Server::start().await;
    let tenant = server.tenant("moment").await;
    let worker = server.platform_superuser().await;
    let hold = format!(
        "begin; select from tenants where id = {} for no key update",
        tenant.id
    );
    worker.batch_execute(&hold).await.unwrap();
    let reset = json!({"tables": ["notes"]});
    let (answer, released) = tokio::join!(tenant.admin.post("/api/tenant/reset", &reset), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        worker.batch_execute("rollback").await
    });
    released.unwrap();
    answer.expect(200);
    // For good it is not.
    worker.batch_execute(&hold).await.unwrap();
    let answer = tenant.admin.post("/api/tenant/reset", &reset).await;
    answer.problem(503, "service-unavailable");
}
