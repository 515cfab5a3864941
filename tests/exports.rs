//! Exports say what the credential may reach, exactly, in a form that tools accept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::{
    harness::{Client, Server},
    tokens::make,
};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn document(client: &Client, query: &str) -> Value {
    let path = format!("/api/v1/openapi.json{query}");
    client.read(&path).await
}

/// Operations by method and path.
fn operations(document: &Value) -> BTreeMap<(String, String), &Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                operations.insert((method.to_uppercase(), path.clone()), operation);
            }
        }
    }
    operations
}

/// Every object of a document with where it stands.
fn objects<'d>(at: &str, value: &'d Value, found: &mut Vec<(String, &'d Value)>) {
    match value {
        Value::Object(members) => {
            found.push((at.to_owned(), value));
            for (name, value) in members {
                objects(&format!("{at}/{name}"), value, found);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                objects(&format!("{at}/{n}"), item, found);
            }
        }
        _ => {}
    }
}

/// The tables that a document names, by the paths of their rows.
fn resources(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap().keys();
    paths
        .filter_map(|path| path.strip_suffix("/schema"))
        .filter(|path| !path.starts_with("/reports/"))
        .map(|path| path.trim_start_matches('/').to_owned())
        .collect()
}

fn check(document: &Value) {
    let mut found = Vec::new();
    objects("#", document, &mut found);
    for (at, object) in &found {
        if let Some(target) = object["$ref"].as_str() {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{at}: {target}");
        }
    }
    let mut ids = BTreeSet::new();
    for (call, operation) in operations(document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{call:?}: {id} is given twice");
        for text in ["summary", "description"] {
            let length = operation[text].as_str().unwrap().chars().count();
            assert!((1..=300).contains(&length), "{call:?}: {text}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = match parameter["$ref"].as_str() {
                Some(target) => document.pointer(&target[1..]).unwrap(),
                None => parameter,
            };
            let length = parameter["description"].as_str().unwrap().chars().count();
            assert!((1..=700).contains(&length), "{call:?}: {parameter}");
        }
    }
}

#[tokio::test]
async fn the_document_is_whole_in_both_versions() {
    let server = Server::start().await;
    let tenant = server.tenant("whole").await;
    let newer = document(&tenant.admin, "").await;
    assert_eq!(newer["openapi"], "3.1.0");
    check(&newer);
    let older = document(&tenant.admin, "?openapi=3.0.3").await;
    assert_eq!(older["openapi"], "3.0.3");
    check(&older);
    let calls =
        |document: &Value| -> Vec<(String, String)> { operations(document).into_keys().collect() };
    assert_eq!(calls(&newer), calls(&older));
    let mut found = Vec::new();
    objects("#", &older, &mut found);
    for (at, object) in found {
        let in_data = ["/example", "/examples", "/enum"]
            .iter()
            .any(|part| at.contains(part));
        // A property may be called `type`; then it is an object.
        if !in_data && !object["type"].is_object() {
            assert!(!object["type"].is_array(), "{at}: {}", object["type"]);
            assert_ne!(object["type"], "null", "{at}");
        }
    }
    for (method, path) in [
        ("GET", "/clients"),
        ("POST", "/clients"),
        ("GET", "/clients/{id}"),
        ("PUT", "/clients/{id}"),
        ("PATCH", "/clients/{id}"),
        ("DELETE", "/clients/{id}"),
        ("GET", "/clients/schema"),
        ("GET", "/report_invoices"),
        ("GET", "/reports"),
        ("GET", "/reports/invoices"),
        ("GET", "/reports/invoices/schema"),
        ("GET", "/reports/invoices/aggregate"),
        ("POST", "/graphql"),
        ("POST", "/sql"),
    ] {
        assert!(
            operations(&newer).contains_key(&(method.into(), path.into())),
            "{method} {path}"
        );
    }
    // A view has no rows with addresses, and takes none.
    assert!(newer["paths"]["/report_invoices"].get("post").is_none());
    assert!(newer["paths"].get("/report_invoices/{id}").is_none());
    let yaml = tenant.admin.get("/api/v1/openapi.yaml").await.expect(200);
    assert_eq!(yaml.header("content-type"), "application/yaml");
    assert!(
        yaml.text()
            .starts_with("openapi: \"3.1.0\"\ninfo:\n  title: Sandlot API\n")
    );
}

#[tokio::test]
async fn schemas_say_what_columns_take() {
    let server = Server::start().await;
    let tenant = server.tenant("schemas").await;
    let document = document(&tenant.admin, "").await;
    let schemas = &document["components"]["schemas"];
    let row = &schemas["tickets.Row"]["properties"];
    assert_eq!(
        row["channel"]["enum"],
        json!(["email", "portal", "phone", "chat"])
    );
    assert_eq!(row["closed_at"]["type"], json!(["string", "null"]));
    assert_eq!(row["closed_at"]["format"], "date-time");
    assert_eq!(
        (&row["status"]["minimum"], &row["status"]["maximum"]),
        (&json!(1), &json!(5))
    );
    assert_eq!(row["tags"]["items"]["type"], json!(["string", "null"]));
    assert_eq!(
        row["client"]["anyOf"][0]["$ref"],
        "#/components/schemas/clients.Row"
    );
    assert_eq!(schemas["tickets.New"]["required"], json!(["subject"]));
    assert_eq!(schemas["tickets.New"]["additionalProperties"], false);
    // What the database computes can't be sent.
    assert_eq!(
        schemas["staffs.Row"]["properties"]["full_name"]["readOnly"],
        true
    );
    assert!(
        schemas["staffs.New"]["properties"]
            .get("full_name")
            .is_none()
    );
    // Nobody learns of hashes; a password can be set and not read.
    assert!(
        schemas["users.Row"]["properties"]
            .get("password_hash")
            .is_none()
    );
    assert!(schemas["users.Row"]["properties"].get("password").is_none());
    assert_eq!(
        schemas["users.New"]["properties"]["password"]["writeOnly"],
        true
    );
}

#[tokio::test]
async fn each_caller_finds_what_they_may_do() {
    let server = Server::start().await;
    let tenant = server.tenant("callers").await;
    let viewer = tenant.user("viewer@mail.example", "viewer").await;
    let editor = tenant.user("editor@mail.example", "editor").await;
    let account = server.account(&tenant).await;
    let admins = document(&tenant.admin, "").await;
    let all = resources(&admins);
    assert!(all.contains("users") && all.len() > 25, "{all:?}");

    let viewers = document(&viewer, "").await;
    assert_eq!(resources(&viewers), all);
    for (method, path) in operations(&viewers).into_keys() {
        assert!(method == "GET" || path == "/graphql", "{method} {path}");
    }
    let editors = document(&editor, "").await;
    assert!(editors["paths"]["/clients"].get("post").is_some());
    assert!(editors["paths"]["/users"].get("post").is_none());
    assert!(editors["paths"].get("/sql").is_none());

    let template = document(&account, "").await;
    let mut without_users = all.clone();
    without_users.remove("users");
    assert_eq!(resources(&template), without_users);
    assert_eq!(template["security"], json!([{"bearer": []}]));
    assert_eq!(admins["security"], json!([{"bearer": [], "apiKey": []}]));

    server
        .client
        .get("/api/v1/openapi.json")
        .await
        .problem(401, "missing-token");
    let posted = tenant.admin.post("/api/v1/openapi.json", &json!({})).await;
    assert_eq!(posted.header("allow"), "GET, HEAD");
    posted.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn a_new_table_is_in_the_next_export() {
    let server = Server::start().await;
    let tenant = server.tenant("fresh").await;
    document(&tenant.admin, "").await;
    let sql = "create table \"Odd Name, it is\" (\"a,b\" int primary key, \"größe\" numeric(6,2) not null); \
               create table reports (id int primary key); create table plain (x text)";
    server.as_tenant(&tenant, sql).await;
    let query = "?tables=%22Odd%20Name%2C%20it%20is%22,reports,plain&use=tools";
    let document = document(&tenant.admin, query).await;
    check(&document);
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/Odd%20Name%2C%20it%20is",
            "/Odd%20Name%2C%20it%20is/schema",
            "/Odd%20Name%2C%20it%20is/{id}",
            "/graphql",
            "/plain",
            "/plain/schema",
            // Its place is taken by the reports.
            "/tables/reports",
            "/tables/reports/schema",
            "/tables/reports/{id}",
        ]
    );
    assert!(document["paths"]["/tables/reports"].get("post").is_none());
    assert!(document["paths"]["/plain"].get("post").is_some());
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let name = schemas
        .keys()
        .find(|name| name.starts_with("Odd_Name__it_is_"))
        .unwrap();
    assert!(
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "._".contains(c)),
        "{name}"
    );
    let name = name.split('.').next().unwrap();
    let sort =
        &document["components"]["parameters"][format!("{name}.sort")]["schema"]["items"]["enum"];
    assert_eq!(sort, &json!(["\"a,b\"", "-\"a,b\"", "größe", "-größe"]));
    // What it proposes is taken.
    let path = "/api/v1/Odd%20Name%2C%20it%20is?sort=-%22a%2Cb%22&fields=gr%C3%B6%C3%9Fe";
    tenant.admin.get(path).await.expect(200);
}

#[tokio::test]
async fn subsets_keep_to_the_limits_of_gpt_actions() {
    let server = Server::start().await;
    let tenant = server.tenant("subsets").await;
    let document = document(&tenant.admin, "?tables=clients,tasks&views=invoices").await;
    check(&document);
    assert_eq!(
        resources(&document),
        ["clients", "report_invoices", "tasks"]
            .map(str::to_owned)
            .into()
    );
    assert!(
        document["paths"]
            .get("/reports/invoices/aggregate")
            .is_some()
    );
    assert!(document["paths"].get("/sql").is_none());
    assert_eq!(document["security"], json!([{"bearer": []}]));
    let mut found = Vec::new();
    objects("#", &document, &mut found);
    for (at, object) in found {
        assert_ne!(object["in"], "header", "{at}");
    }
    for path in ["openapi.json", "openapi.yaml"] {
        let subset = format!("/api/v1/{path}?tables=clients,tasks,invoices");
        let text = tenant.admin.get(&subset).await.expect(200).text();
        assert!(text.chars().count() <= 100_000, "{path}");
        let all: Vec<String> = resources(&self::document(&tenant.admin, "").await)
            .into_iter()
            .filter(|name| !name.starts_with("report_"))
            .collect();
        let large = format!("/api/v1/{path}?tables={}", all.join(","));
        let problem = tenant
            .admin
            .get(&large)
            .await
            .problem(400, "invalid-parameter");
        let said = problem["errors"]["tables"][0].as_str().unwrap();
        assert!(
            said.contains("100000") && said.contains("fewer tables"),
            "{said}"
        );
        // Other tools have no such limit.
        tenant
            .admin
            .get(&format!("{large}&use=tools"))
            .await
            .expect(200);
    }
    let problem = tenant
        .admin
        .get("/api/v1/openapi.json?use=gpt-actions")
        .await;
    problem.problem(400, "invalid-parameter");
    for (query, at) in [
        ("tables=nowhere", "tables"),
        ("tables=report_invoices", "tables"),
        ("views=clients", "views"),
        ("views=nothing", "views"),
        ("openapi=3.2", "openapi"),
        ("page=1", "page"),
    ] {
        let problem = tenant
            .admin
            .get(&format!("/api/v1/openapi.json?{query}"))
            .await;
        let problem = problem.problem(400, "invalid-parameter");
        assert!(problem["errors"].get(at).is_some(), "{query}: {problem}");
    }
}

#[tokio::test]
async fn answers_are_as_they_are_described() {
    let server = Server::start().await;
    let tenant = server.tenant("described").await;
    let document = document(&tenant.admin, "").await;
    let mut rows = 0;
    for ((method, path), operation) in operations(&document) {
        if method != "GET" || path.contains("{id}") {
            continue;
        }
        let answer = tenant
            .admin
            .get(&format!("/api/v1{path}"))
            .await
            .expect(200);
        let content = &operation["responses"]["200"]["content"];
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        let schema = &content["application/json"]["schema"];
        let body = answer.json();
        let members: BTreeSet<&String> = body.as_object().unwrap().keys().collect();
        for required in schema["required"].as_array().unwrap() {
            assert!(
                body.get(required.as_str().unwrap()).is_some(),
                "{path}: {required}"
            );
        }
        assert!(members.len() <= 3, "{path}: {members:?}");
        let Some(target) = schema["properties"]["data"]["items"]["$ref"].as_str() else {
            continue;
        };
        let row = document.pointer(&target[1..]).unwrap();
        if !target.ends_with(".Row") {
            continue;
        }
        for served in body["data"].as_array().unwrap() {
            rows += 1;
            for (name, value) in served.as_object().unwrap() {
                let property = &row["properties"][name];
                assert!(property.is_object(), "{path}: {name} is not described");
                assert!(
                    fits(property, value),
                    "{path}: {name}: {value} is no {property}"
                );
            }
        }
    }
    assert!(rows > 300, "{rows}");
    // What the document proposes to send is taken, or refused by a rule of the table.
    for ((method, path), operation) in operations(&document) {
        if method != "POST" || ["/graphql", "/sql"].contains(&path.as_str()) {
            continue;
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let target = schema["oneOf"][0]["$ref"].as_str().unwrap();
        let example = &document.pointer(&target[1..]).unwrap()["examples"][0];
        let call = tenant.admin.with("Prefer", "tx=rollback");
        let answer = call.post(&format!("/api/v1{path}"), example).await;
        assert!(
            [201, 422].contains(&answer.status),
            "{path}: {example}: {}",
            answer.text()
        );
    }
}

/// Whether a value is of the type that a property says.
fn fits(property: &Value, value: &Value) -> bool {
    let kinds: Vec<&str> = match &property["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => return true,
    };
    let listed = property
        .get("enum")
        .is_none_or(|labels| labels.as_array().unwrap().contains(value));
    listed
        && kinds.iter().any(|kind| match *kind {
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => value.is_null(),
        })
}

#[tokio::test]
async fn a_token_finds_what_it_may_reach_and_nothing_else() {
    let server = Server::start().await;
    let tenant = server.tenant("limited").await;
    let two = json!({"scopes": ["tables", "graphql"], "allowed_tables": ["clients", "tasks"]});
    let two = make(&tenant, two).await.client;
    let described = document(&two, "").await;
    check(&described);
    assert_eq!(
        resources(&described),
        ["clients", "tasks"].map(str::to_owned).into()
    );
    // No other table is named anywhere, not as a relation, not in a description. The word alone
    // may stand in a comment that its owner wrote on a column that is within reach.
    let text = described.to_string();
    for other in ["invoices", "staffs", "projects", "reports"] {
        for (before, after) in [("/", ""), ("\"", "\""), ("`", "`"), ("", "."), ("", "_")] {
            let name = format!("{before}{other}{after}");
            assert!(!text.contains(&name), "{name}");
        }
    }
    assert!(described["paths"]["/clients"].get("post").is_none());
    assert!(described["paths"].get("/graphql").is_some());
    assert!(described["paths"].get("/sql").is_none());
    assert_eq!(described["security"], json!([{"bearer": []}]));
    let collection = two.read("/api/v1/postman.json").await;
    let folders = collection["item"][0]["item"].as_array().unwrap();
    let names: Vec<&str> = folders
        .iter()
        .map(|folder| folder["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["clients", "tasks"]);
    assert_eq!(collection["item"][1]["item"], json!([]));
    assert_eq!(collection["variable"].as_array().unwrap().len(), 3);
    // A name that is out of reach is a name that there is not.
    let outside = two.get("/api/v1/openapi.json?tables=invoices").await;
    let outside = outside.problem(400, "invalid-parameter");
    let nowhere = two.get("/api/v1/openapi.json?tables=nowhere").await;
    let nowhere = nowhere.problem(400, "invalid-parameter");
    let message = |problem: &Value| problem["errors"]["tables"][0].as_str().unwrap().to_owned();
    assert_eq!(
        message(&outside).replace("invoices", "nowhere"),
        message(&nowhere)
    );

    let reports = json!({"scopes": ["views"], "allowed_views": ["invoices"]});
    let reports = make(&tenant, reports).await.client;
    let described = document(&reports, "").await;
    check(&described);
    let paths: Vec<&String> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/",
            "/reports",
            "/reports/invoices",
            "/reports/invoices/aggregate",
            "/reports/invoices/schema"
        ]
    );
    for path in paths {
        reports.get(&format!("/api/v1{path}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_token_that_signs_is_not_for_gpt_actions() {
    let server = Server::start().await;
    let tenant = server.tenant("signs").await;
    let made = make(&tenant, json!({"scopes": ["tables"], "hmac": true})).await;
    let secret = made.hmac_secret.clone().unwrap();
    let get = async |path: &str| {
        let (path_only, query) = path.split_once('?').unwrap_or((path, ""));
        let now = chrono::Utc::now().timestamp().to_string();
        let digest = hex::encode(Sha256::digest(b""));
        let text = ["GET", path_only, query, &digest, &now].join("\n");
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let client = made
            .client
            .with("X-Timestamp", &now)
            .with("X-Signature", &signature);
        client.get(path).await
    };
    let described = get("/api/v1/openapi.json").await.expect(200).json();
    assert_eq!(
        described["security"],
        json!([{"bearer": [], "timestamp": [], "signature": []}])
    );
    get("/api/v1/openapi.json?tables=clients&use=tools")
        .await
        .expect(200);
    for query in ["tables=clients", "use=gpt-actions"] {
        let refused = get(&format!("/api/v1/openapi.yaml?{query}")).await;
        let refused = refused.problem(400, "invalid-parameter");
        assert!(
            refused["errors"]["use"][0]
                .as_str()
                .unwrap()
                .contains("HMAC"),
            "{refused}"
        );
    }
    get("/api/v1/postman.json").await.expect(200);
}
