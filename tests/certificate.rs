//! Certificates over HTTP: green for a fresh copy, red for a changed one, and signed.

use sandlot::tenancy::certificate::verify;
use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn a_fresh_copy_is_identical_and_anybody_can_check_that() {
    let server = Server::start_with(&["--spares=1"]).await;
    let tenant = server.tenant("green").await;
    let certificate = tenant.admin.identical().await;
    assert_eq!(certificate["template_version"], 1);
    assert!(certificate["tables"].as_array().unwrap().len() > 25);
    let key = server.client.read("/api/certificate-key").await;
    let key = key["x"].as_str().unwrap();
    assert!(verify(&certificate.to_string(), key).unwrap());
    let forged = certificate.to_string().replace("identical", "different");
    assert!(!verify(&forged, key).unwrap());
}

#[tokio::test]
async fn a_changed_copy_is_different_and_says_where() {
    let server = Server::start().await;
    let tenant = server.tenant("red").await;
    tenant
        .admin
        .patch("/api/v1/clients/1", &json!({"name": "Changed"}))
        .await
        .expect(200);
    let certificate = tenant.admin.read("/api/tenant/certificate").await;
    assert_eq!(certificate["verdict"], "different");
    let named: Vec<&str> = certificate["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|difference| difference["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["clients"], "{certificate}");
}

#[tokio::test]
async fn a_copy_is_compared_with_the_version_that_it_is_of() {
    let server = Server::start().await;
    let old = server.tenant("old").await;
    let superuser = server.superuser().await;
    superuser
        .batch_execute("update public.clients set name = 'Renamed' where id = 1")
        .await
        .unwrap();
    let new = server.tenant("new").await;
    for (tenant, version, name) in [(&old, 1, None), (&new, 2, Some("Renamed"))] {
        let certificate = tenant.admin.identical().await;
        assert_eq!(certificate["template_version"], version);
        let row = tenant.admin.read("/api/v1/clients/1").await;
        assert_eq!(row["data"]["name"] == "Renamed", name.is_some());
    }
}
