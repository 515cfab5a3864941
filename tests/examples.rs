//! The requests that a newcomer copies from the API's guide, byte for byte, and what comes back.

use hyper::Method;
use serde_json::Value;

use crate::harness::{Answer, Client, Server};

/// The first page of figures by status and month.
const FIGURES: &str = "/api/v1/reports/invoices/aggregate?dimension=status&measure=total&aggregation=sum&period=monthly";

async fn post(client: &Client, path: &str, body: &'static str) -> Answer {
    client.call(Method::POST, path, Some(body.into())).await
}

#[tokio::test]
async fn graphql_requests_work_as_they_are_written() {
    let server = Server::start().await;
    let tenant = server.tenant("graphql").await;
    let client = tenant.admin.with("Content-Type", "application/json");
    let ask = async |body| {
        let answer = post(&client, "/api/v1/graphql", body).await.expect(200);
        let answer = answer.json();
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    };
    let staffs = ask(r#"{
"query": "{ staffs(limit: 5) { id email firstname lastname } }",
"variables": {},
"operationName": null
}"#)
    .await;
    let rows = staffs["staffs"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for name in ["email", "firstname", "lastname"] {
        assert!(rows.iter().all(|row| row[name].is_string()), "{staffs}");
    }
    let same = ask(r#"{
"query": "{ staffs(limit: 5) { id email firstname lastname } }"
}"#)
    .await;
    assert_eq!(same, staffs);
    let all = ask(r#"{"query": "{ staffs { id firstname lastname email } }"}"#).await;
    assert!(all["staffs"].as_array().unwrap().len() > 5, "{all}");
    let types = ask(r#"{
"query": "{ __schema { types { name kind } } }"
}"#)
    .await;
    let types = types["__schema"]["types"].as_array().unwrap().clone();
    assert!(
        types
            .iter()
            .any(|one| one["name"] == "Staff" && one["kind"] == "OBJECT")
    );
    for (body, name) in [
        (
            r#"{
"query": "mutation { createProject(input: { name: \"New Project\", clientid: 1 }) { id name } }",
"variables": {}
}"#,
            "New Project",
        ),
        (
            r#"{
"query": "mutation { createProject(input: { name: \"API Test\", clientid: 1 }) { id name } }"
}"#,
            "API Test",
        ),
    ] {
        let made = ask(body).await["createProject"].clone();
        assert_eq!(made["name"], name);
        let path = format!("/api/v1/projects/{}", made["id"]);
        let row = tenant.admin.read(&path).await;
        assert_eq!(row["data"]["name"], name);
    }
}

#[tokio::test]
async fn rest_requests_work_as_they_are_written() {
    let server = Server::start().await;
    let tenant = server.tenant("rest").await;
    let admin = &tenant.admin;
    let latest = admin.get("/api/v1/projects?sort=-id&per_page=5").await;
    let latest = latest.expect(200).json();
    let ids: Vec<i64> = latest["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids.len(), 5);
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");

    let client = admin.with("Content-Type", "application/json");
    let task = r#"{ "rel_type": "project", "rel_id": 3, "name": "Review API docs" }"#;
    let made = post(&client, "/api/v1/tasks", task).await.expect(201);
    let row = made.json()["data"].clone();
    assert_eq!(
        (&row["rel_id"], &row["name"]),
        (&Value::from(3), &Value::from("Review API docs"))
    );
    assert_eq!(
        made.header("location"),
        format!("/api/v1/tasks/{}", row["id"])
    );

    let schema = admin.read("/api/v1/invoices/schema").await;
    let columns = schema["data"]["columns"].as_array().unwrap();
    for name in ["status", "total", "date"] {
        assert!(
            columns.iter().any(|column| column["name"] == name),
            "{name}"
        );
    }

    let figures = admin.read(FIGURES).await;
    let rows = figures["data"].as_array().unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert!(
            row["total"].is_number() && row["period"].is_string(),
            "{row}"
        );
    }
}

/// Each list parameter with the guide's own value.
#[tokio::test]
async fn list_parameters_work_as_they_are_written() {
    let server = Server::start().await;
    let tenant = server.tenant("parameters").await;
    for (table, parameter) in [
        ("invoices", "page=1"),
        ("invoices", "per_page=25"),
        ("invoices", "sort=-id"),
        ("leads", "fields=id,name,email"),
        ("invoices", "filter=status:1"),
    ] {
        let path = format!("/api/v1/{table}?{parameter}");
        let list = tenant.admin.read(&path).await;
        let rows = list["data"].as_array().unwrap();
        assert!((1..=25).contains(&rows.len()), "{path}");
        assert!(parameter != "filter=status:1" || rows.iter().all(|row| row["status"] == 1));
        let names: Vec<_> = rows[0].as_object().unwrap().keys().collect();
        assert!(
            table != "leads" || names == ["email", "id", "name"],
            "{names:?}"
        );
    }
    let together = "/api/v1/leads?page=1&per_page=25&sort=-id&fields=id,name,email";
    tenant.admin.get(together).await.expect(200);
}
