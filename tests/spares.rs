//! Spares: taken whole, taken once, and never stale.

use std::time::Duration;

use serde_json::json;

use crate::harness::{PASSWORD, Server};

/// Waits until the platform has this many finished spares.
async fn until_stocked(server: &Server, wanted: i64) {
    let platform = server.platform_superuser().await;
    let stocked = async {
        loop {
            let sql = "select count(*) from spares s where template_version is not null";
            let spares: i64 = platform.query_one(sql, &[]).await.unwrap().get(0);
            if spares == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), stocked)
        .await
        .expect("spares in time");
}

#[tokio::test]
async fn a_registration_takes_a_spare_and_the_stock_is_filled_again() {
    let server = Server::start_with(&["--spares=2"]).await;
    until_stocked(&server, 2).await;
    let platform = server.platform_superuser().await;
    let spares = platform
        .query("select role from spares", &[])
        .await
        .unwrap();
    let roles: Vec<String> = spares.iter().map(|row| row.get(0)).collect();
    let tenant = server.tenant("quick").await;
    assert!(
        roles.contains(&server.role(&tenant).await),
        "the tenant has a spare's role"
    );
    tenant
        .admin
        .post("/api/v1/clients", &json!({"name": "Mine"}))
        .await
        .expect(201);
    until_stocked(&server, 2).await;
    // A spare that was taken has left nothing behind under its old name.
    let superuser = server.superuser().await;
    let sql = "select count(*) from pg_namespace where nspname like 'spare\\_%'";
    assert_eq!(
        superuser
            .query_one(sql, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        2
    );
}

#[tokio::test]
async fn each_spare_is_taken_once() {
    let server = Server::start_with(&["--spares=3"]).await;
    until_stocked(&server, 3).await;
    let registrations = futures_util::future::join_all((0..6).map(|number| {
        let client = server.client.clone();
        async move {
            let body = json!({"email": format!("many{number}@mail.example"), "password": PASSWORD});
            client.post("/api/register", &body).await.expect(201).json()
        }
    }))
    .await;
    let roles = server
        .platform_superuser()
        .await
        .query_one("select count(distinct role), count(*) from tenants", &[])
        .await
        .unwrap();
    assert_eq!(roles.get::<_, i64>(0), 6);
    for registration in registrations {
        let key = registration["tenant"]["api_key"].as_str().unwrap();
        let state = server.client.with("Api-Key", key).read("/api/tenant").await;
        assert_eq!(state["schema"], registration["tenant"]["schema"]);
    }
}

#[tokio::test]
async fn spares_of_an_older_template_are_replaced() {
    let server = Server::start_with(&["--spares=2"]).await;
    until_stocked(&server, 2).await;
    let superuser = server.superuser().await;
    superuser
        .batch_execute("alter table public.clients add column fresh text default 'new'; analyze public.clients")
        .await
        .unwrap();
    superuser
        .batch_execute("alter table public.clients owner to sandlot")
        .await
        .unwrap();
    let platform = server.platform_superuser().await;
    let renewed = async {
        loop {
            let sql = "select count(*) from spares where template_version = 2";
            if platform.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), renewed)
        .await
        .expect("new spares in time");
    let tenant = server.tenant("fresh").await;
    let row = tenant.admin.read("/api/v1/clients/1").await;
    assert_eq!(row["data"]["fresh"], "new");
    let state = tenant.keyed.read("/api/tenant").await;
    assert_eq!(state["template_version"], 2);
}
