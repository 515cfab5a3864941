//! The Postman collection: what a reader of it looks for is there.

use serde_json::{Value, json};

use crate::{harness::Server, tokens::make};

#[tokio::test]
async fn the_postman_collection_has_what_its_readers_look_for() {
    let server = Server::start().await;
    let tenant = server.tenant("postman").await;
    let collection = tenant.admin.read("/api/v1/postman.json").await;
    assert_eq!(collection["info"]["name"], "Sandlot API");
    assert!(
        collection["info"]["schema"]
            .as_str()
            .unwrap()
            .contains("v2.1.0")
    );
    let names = |items: &Value| -> Vec<String> {
        let items = items.as_array().unwrap().iter();
        items
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&collection["item"]),
        ["Resources", "Reports", "GraphQL"]
    );
    let variables = collection["variable"].as_array().unwrap();
    let value = |name: &str| {
        let found = variables.iter().find(|variable| variable["key"] == name);
        found.unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert!(value("baseUrl").ends_with("/api/v1"));
    assert_eq!(
        (value("api_token"), value("hmac_secret")),
        (String::new(), String::new())
    );
    assert_eq!(value("api_key"), tenant.key);
    assert_eq!(collection["auth"]["type"], "bearer");
    assert_eq!(collection["auth"]["bearer"][0]["value"], "{{api_token}}");
    let folders = collection["item"][0]["item"].as_array().unwrap();
    let clients = folders
        .iter()
        .find(|folder| folder["name"] == "clients")
        .unwrap();
    assert_eq!(
        names(&clients["item"]),
        [
            "List", "Schema", "One", "Create", "Replace", "Update", "Delete"
        ]
    );
    let list = &clients["item"][0]["request"];
    assert_eq!(list["url"]["raw"], "{{baseUrl}}/clients");
    for name in ["page", "per_page", "sort", "fields", "filter"] {
        let query = list["url"]["query"].as_array().unwrap();
        let parameter = query
            .iter()
            .find(|parameter| parameter["key"] == name)
            .unwrap();
        assert_eq!(parameter["disabled"], true, "{name}");
    }
    let script = collection["event"][0]["script"]["exec"].to_string();
    assert!(script.contains("X-Signature") && !script.contains("pm.environment"));
    let subset = tenant
        .admin
        .get("/api/v1/postman.json?tables=tasks&views=")
        .await;
    let subset = subset.expect(200).json();
    assert_eq!(names(&subset["item"][0]["item"]), ["tasks"]);
    assert_eq!(subset["item"][1]["item"], json!([]));
    let queries = names(&subset["item"][2]["item"]);
    assert_eq!(
        queries,
        ["Ping", "Types", "List tasks", "Create by createTask"]
    );
}

#[tokio::test]
async fn every_example_makes_a_row_that_can_be_changed_and_taken_away() {
    let server = Server::start().await;
    let tenant = server.tenant("examples").await;
    let scopes = json!({"scopes": ["tables", "views", "graphql", "write"]});
    let token = make(&tenant, scopes).await.client;
    let collection = token.read("/api/v1/postman.json").await;
    let mut made = 0;
    for folder in collection["item"][0]["item"].as_array().unwrap() {
        let request = |name: &str| {
            let items = folder["item"].as_array().unwrap().iter();
            let mut found = items.filter(|item| item["name"] == name);
            found.next().map(|item| item["request"].clone())
        };
        let body = |request: &Value| -> Value {
            serde_json::from_str(request["body"]["raw"].as_str().unwrap()).unwrap()
        };
        let path = format!("/api/v1/{}", folder["name"].as_str().unwrap());
        let Some(create) = request("Create") else {
            continue;
        };
        let answer = token.post(&path, &body(&create)).await.expect(201);
        let row = answer.header("location").to_owned();
        let change = body(&request("Replace").unwrap());
        token.put(&row, &change).await.expect(200);
        token
            .patch(&row, &body(&request("Update").unwrap()))
            .await
            .expect(200);
        token.delete(&row).await.expect(200);
        made += 1;
    }
    assert!(made > 20, "{made}");
}

#[tokio::test]
async fn the_public_demo_token_is_in_what_is_exported() {
    let server = Server::start().await;
    let tenant = server.tenant("sampler").await;
    let (anybody, _) = crate::demo::demo(&server, 1).await;
    for (client, filled) in [(&anybody, true), (&tenant.admin, false)] {
        let collection = client.read("/api/v1/postman.json").await;
        let variables = collection["variable"].as_array().unwrap();
        let named = |variable: &&Value| variable["key"] == "api_token";
        let variable = variables.iter().find(named).unwrap();
        let value = if filled { anybody.token() } else { "" };
        assert_eq!(variable["value"], value);
        let said = variable["description"].as_str().unwrap();
        assert!(said.contains(anybody.token()), "{said}");
        for query in ["", "?openapi=3.0.3", "?tables=clients"] {
            let document = client.read(&format!("/api/v1/openapi.json{query}")).await;
            let scheme = &document["components"]["securitySchemes"]["bearer"];
            let said = scheme["description"].as_str().unwrap();
            assert!(said.contains(anybody.token()), "{said}");
        }
    }
}
