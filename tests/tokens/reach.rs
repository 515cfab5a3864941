//! What a token does not reach is not there for it, in no answer of any surface.

use serde_json::{Value, json};

use super::make;
use crate::harness::Server;

/// What is outside of a token's lists leaves no trace in anything that the token is answered.
#[tokio::test]
async fn what_is_out_of_reach_is_nowhere() {
    let server = Server::start().await;
    let tenant = server.tenant("narrow").await;
    let narrow = json!({"scopes": ["tables", "views", "graphql", "write"],
        "allowed_tables": ["clients", "invoices"], "allowed_views": ["report_invoices"]});
    let client = make(&tenant, narrow).await.client;
    let names = |answer: Value| -> Vec<String> {
        let data = answer["data"].as_array().unwrap().clone();
        data.iter()
            .map(|entry| entry["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(client.read("/api/v1/").await),
        ["clients", "invoices", "report_invoices"]
    );
    assert_eq!(
        names(client.read("/api/v1/tables").await),
        ["clients", "invoices"]
    );
    let reports = client.read("/api/v1/reports").await;
    assert_eq!(
        (
            reports["data"].as_array().unwrap().len(),
            &reports["data"][0]["slug"]
        ),
        (1, &json!("invoices"))
    );
    let test = client.read("/api/v1/auth/test").await;
    assert_eq!(
        (&test["tables"], &test["views"], &test["kind"]),
        (&json!(2), &json!(1), &json!("standard"))
    );

    let query = "{ __schema { types { kind name fields { name } inputFields { name } } } }";
    let types = client
        .post("/api/v1/graphql", &json!({"query": query}))
        .await
        .expect(200)
        .json();
    let types = types["data"]["__schema"]["types"]
        .as_array()
        .unwrap()
        .clone();
    let objects: Vec<&str> = types
        .iter()
        .filter(|ty| ty["kind"] == "OBJECT")
        .map(|ty| ty["name"].as_str().unwrap())
        .filter(|name| !name.starts_with("__"))
        .collect();
    let known = ["Client", "Invoice", "ReportInvoice", "Query", "Mutation"];
    for object in &objects {
        let stem = known.iter().find(|stem| object.starts_with(**stem));
        assert!(
            stem.is_some() && !object.starts_with("InvoiceItem"),
            "{object}"
        );
    }
    let fields = |name: &str| -> Vec<String> {
        let ty = types.iter().find(|ty| ty["name"] == name).unwrap();
        let fields = ty["fields"].as_array().unwrap();
        fields
            .iter()
            .map(|field| field["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        fields("Query").len(),
        3 + 3 + 2 + 1,
        "{:?}",
        fields("Query")
    );
    assert!(!fields("Client").contains(&"projects".to_owned()));

    // The exports describe the two tables and the view, and their addresses.
    let openapi = client.get("/api/v1/openapi.json").await.expect(200);
    let paths = openapi.json()["paths"].as_object().unwrap().clone();
    let heads: std::collections::BTreeSet<&str> = paths
        .keys()
        .map(|path| path.trim_start_matches('/').split('/').next().unwrap())
        .collect();
    let rest = ["auth", "graphql", "reports", "tables", ""];
    let tables: Vec<&&str> = heads.iter().filter(|head| !rest.contains(head)).collect();
    assert_eq!(tables, [&"clients", &"invoices", &"report_invoices"]);
    let postman = client.get("/api/v1/postman.json").await.expect(200);
    assert!(postman.text().contains("/invoices") && postman.text().contains("/clients"));

    // Other tables' names: nowhere in what is told of these two, nor in what goes wrong with them.
    let mut texts = vec![
        serde_json::to_string(&types).unwrap(),
        openapi.text(),
        postman.text(),
    ];
    for path in [
        "clients/schema",
        "invoices/schema",
        "report_invoices/schema",
        "clients?include=nosuch",
        "clients?sort=nosuch",
        "clients?filter=nosuch:1",
        "invoices?include=project",
        "projects",
        "nosuch",
        "reports/nosuch",
        "reports/project-progress-overview",
    ] {
        texts.push(client.get(&format!("/api/v1/{path}")).await.text());
    }
    for (path, body) in [
        (
            "invoices",
            json!({"number": "x", "clientid": 1, "project_id": 999_999_999}),
        ),
        ("clients", json!({"name": "x", "country_id": 999_999_999})),
    ] {
        texts.push(client.post(&format!("/api/v1/{path}"), &body).await.text());
    }
    // Clients are referred to by rows that can't be seen.
    texts.push(client.delete("/api/v1/clients/1").await.text());
    for query in [
        "{ projects { id } }",
        "{ clients { project { id } } }",
        "mutation { createProject(input: {name: \"x\"}) { id } }",
    ] {
        let answer = client
            .post("/api/v1/graphql", &json!({"query": query}))
            .await
            .expect(200);
        let text = answer.text();
        // The name that was asked for is echoed; no other is offered in its place.
        assert!(!text.to_lowercase().contains("did you mean"), "{text}");
    }
    let all = tenant.admin.read("/api/v1/").await;
    for name in names(all) {
        if ["clients", "invoices", "report_invoices"].contains(&name.as_str()) {
            continue;
        }
        for text in &texts {
            let quoted = [format!("`{name}`"), format!("\"{name}\"")];
            let echoed = text.contains("instance") && text.contains(&format!("/{name}\""));
            assert!(
                echoed || !quoted.iter().any(|name| text.contains(name)),
                "{name}: {text}"
            );
        }
    }
}
