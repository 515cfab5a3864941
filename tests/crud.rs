//! The data API as a CRUD client uses it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn a_list_has_data_meta_and_links() {
    let server = Server::start().await;
    let tenant = server.tenant("list").await;
    let list = tenant
        .admin
        .read("/api/v1/clients?page=2&per_page=5&sort=-id&fields=id,name")
        .await;
    let rows = list["data"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for row in rows {
        let columns: Vec<_> = row.as_object().unwrap().keys().collect();
        assert_eq!(columns, ["id", "name"]);
    }
    let ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    let meta = &list["meta"];
    assert_eq!(
        (&meta["current_page"], &meta["per_page"]),
        (&json!(2), &json!(5))
    );
    let total = meta["total"].as_i64().unwrap();
    assert_eq!(meta["total_pages"], (total + 4) / 5);
    for link in ["self", "first", "prev", "next", "last"] {
        let link = list["links"][link].as_str().unwrap();
        assert!(link.contains("/api/v1/clients?"), "{link}");
    }
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_a_row() {
    let server = Server::start().await;
    let tenant = server.tenant("pages").await;
    let mut seen = BTreeSet::new();
    let mut next = Some("/api/v1/invoices?sort=status&per_page=400&fields=id".to_owned());
    let mut total = 0;
    while let Some(path) = next {
        let page = tenant.admin.read(&path).await;
        for row in page["data"].as_array().unwrap() {
            assert!(seen.insert(row["id"].as_i64().unwrap()), "{row} came twice");
        }
        total = page["meta"]["total"].as_u64().unwrap();
        next = page["links"]["next"]
            .as_str()
            .map(|link| link[link.find("/api").unwrap()..].to_owned());
    }
    assert_eq!(seen.len() as u64, total);
}

#[tokio::test]
async fn a_filter_keeps_what_fits() {
    let server = Server::start().await;
    let tenant = server.tenant("filter").await;
    let list = tenant
        .admin
        .read("/api/v1/invoices?filter=status:1&per_page=1000")
        .await;
    let rows = list["data"].as_array().unwrap();
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| row["status"] == 1));
}

#[tokio::test]
async fn a_row_lives_through_create_read_change_and_delete() {
    let server = Server::start().await;
    let tenant = server.tenant("crud").await;
    for (table, new, change) in [
        (
            "clients",
            json!({"name": "Fresh Ltd"}),
            json!({"name": "Stale Ltd"}),
        ),
        (
            "projects",
            json!({"name": "API Test", "clientid": 1}),
            json!({"name": "Other"}),
        ),
        (
            "tasks",
            json!({"rel_type": "project", "rel_id": 3, "name": "Review API docs"}),
            json!({"name": "Done"}),
        ),
    ] {
        let made = tenant
            .admin
            .post(&format!("/api/v1/{table}"), &new)
            .await
            .expect(201);
        let row = made.json()["data"].clone();
        let path = format!("/api/v1/{table}/{}", row["id"]);
        assert_eq!(made.header("location"), path);
        assert_eq!(made.header("sandlot-mode"), "live");
        contains(&row, &new);

        let read = tenant.admin.read(&path).await;
        assert_eq!(read["data"], row);
        let changed = tenant.admin.patch(&path, &change).await.expect(200).json();
        contains(&changed["data"], &change);
        let put = tenant.admin.put(&path, &new).await.expect(200).json();
        contains(&put["data"], &new);
        let gone = tenant.admin.delete(&path).await.expect(200).json();
        contains(&gone["data"], &new);
        tenant.admin.get(&path).await.problem(404, "not-found");
        tenant.admin.delete(&path).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn an_invoice_is_created_changed_and_deleted() {
    let server = Server::start().await;
    let tenant = server.tenant("invoice").await;
    let list = tenant.admin.read("/api/v1/invoices?per_page=1").await;
    let row = &list["data"][0];
    let schema = tenant.admin.read("/api/v1/invoices/schema").await;
    let mut new = row.as_object().unwrap().clone();
    new.remove("id");
    for column in schema["data"]["columns"].as_array().unwrap() {
        if column["generated"] != Value::Null && column["generated"] != false {
            new.remove(column["name"].as_str().unwrap());
        }
    }
    if let Some(number) = new.get_mut("number") {
        *number = json!("INV-COPY-1");
    }
    let made = tenant
        .admin
        .post("/api/v1/invoices", &Value::Object(new))
        .await
        .expect(201)
        .json();
    let path = format!("/api/v1/invoices/{}", made["data"]["id"]);
    tenant
        .admin
        .patch(&path, &json!({"status": 1}))
        .await
        .expect(200);
    tenant.admin.delete(&path).await.expect(200);
}

#[tokio::test]
async fn only_the_columns_at_fault_are_named() {
    let server = Server::start().await;
    let tenant = server.tenant("faults").await;
    let bad = json!({"name": "Fine", "clientid": "many", "nonsense": 1});
    let problem = tenant
        .admin
        .post("/api/v1/projects", &bad)
        .await
        .problem(400, "validation-failed");
    assert_eq!(keys(&problem["errors"]), ["clientid", "nonsense"]);
}

#[tokio::test]
async fn a_broken_rule_of_the_table_is_a_422_that_names_its_column() {
    let server = Server::start().await;
    let tenant = server.tenant("rules").await;
    let orphan = json!({"name": "Orphan", "clientid": 999_999_999});
    let problem = tenant
        .admin
        .post("/api/v1/projects", &orphan)
        .await
        .problem(422, "creation-failed");
    assert!(problem["errors"]["clientid"].is_array(), "{problem}");
    let problem = tenant
        .admin
        .post("/api/v1/projects", &json!({"clientid": 1}))
        .await
        .problem(422, "creation-failed");
    assert!(problem["errors"]["name"].is_array(), "{problem}");
    let change = json!({"clientid": 999_999_999});
    tenant
        .admin
        .patch("/api/v1/projects/1", &change)
        .await
        .problem(422, "update-failed");
    let projects = tenant
        .admin
        .read("/api/v1/projects?per_page=1&fields=clientid")
        .await;
    let path = format!("/api/v1/clients/{}", projects["data"][0]["clientid"]);
    tenant
        .admin
        .delete(&path)
        .await
        .problem(422, "deletion-failed");
}

#[tokio::test]
async fn an_array_is_inserted_whole_or_not_at_all() {
    let server = Server::start().await;
    let tenant = server.tenant("array").await;
    let before = tenant.admin.read("/api/v1/projects?per_page=1").await;
    let two = json!([{"name": "One", "clientid": 1}, {"name": "Two", "clientid": 1}]);
    let made = tenant
        .admin
        .post("/api/v1/projects", &two)
        .await
        .expect(201)
        .json();
    assert_eq!(made["data"].as_array().unwrap().len(), 2);
    let half = json!([{"name": "Three", "clientid": 1}, {"name": "Four", "clientid": 999_999_999}]);
    tenant
        .admin
        .post("/api/v1/projects", &half)
        .await
        .problem(422, "creation-failed");
    let after = tenant.admin.read("/api/v1/projects?per_page=1").await;
    let total = |list: &Value| list["meta"]["total"].as_i64().unwrap();
    assert_eq!(total(&after), total(&before) + 2);
}

#[tokio::test]
async fn a_table_made_a_moment_ago_is_served() {
    let server = Server::start().await;
    let tenant = server.tenant("fresh").await;
    tenant
        .admin
        .get("/api/v1/gadgets")
        .await
        .problem(404, "not-found");
    server
        .as_tenant(
            &tenant,
            "create table gadgets (id bigint generated always as identity primary key, name text not null)",
        )
        .await;
    tenant
        .admin
        .post("/api/v1/gadgets", &json!({"name": "first"}))
        .await
        .expect(201);
    let list = tenant.admin.read("/api/v1/gadgets").await;
    assert_eq!(list["data"][0]["name"], "first");
    server
        .as_tenant(&tenant, "alter table gadgets add column size int default 3")
        .await;
    let one = tenant.admin.read("/api/v1/gadgets/1").await;
    assert!(one["data"].get("name").is_some(), "{one}");
}

#[tokio::test]
async fn the_template_is_read_by_accounts_and_hides_its_users() {
    let server = Server::start().await;
    let tenant = server.tenant("reader").await;
    let account = server.account(&tenant).await;
    let list = account.get("/api/v1/clients?per_page=2").await.expect(200);
    assert_eq!(list.header("sandlot-mode"), "template");
    account.get("/api/v1/clients/1").await.expect(200);
    account.get("/api/v1/users").await.problem(404, "not-found");
    account
        .get("/api/v1/users/1")
        .await
        .problem(404, "not-found");
    account
        .get("/api/v1/users/schema")
        .await
        .problem(404, "not-found");
    account
        .post("/api/v1/clients", &json!({"name": "x"}))
        .await
        .problem(403, "read-only");
}

#[tokio::test]
async fn a_schema_describes_its_table() {
    let server = Server::start().await;
    let tenant = server.tenant("schema").await;
    let schema = tenant.admin.read("/api/v1/invoices/schema").await;
    let columns = schema["data"]["columns"].as_array().unwrap();
    let names: Vec<_> = columns
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    for name in ["id", "status", "total", "date"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for path in ["/api/v1/tables/invoices/schema", "/api/v1/tables/invoices"] {
        tenant.admin.get(path).await.expect(200);
    }
}

fn contains(row: &Value, part: &Value) {
    for (column, value) in part.as_object().unwrap() {
        assert_eq!(&row[column], value, "{column} of {row}");
    }
}

/// The members of an object, sorted.
fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}
