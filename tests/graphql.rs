//! The GraphQL surface over HTTP, on the CRM.

use std::{collections::BTreeMap, sync::Arc};

use hyper::Method;
use sandlot::{
    auth::{
        caller::{Caller, Place, Role, Who},
        rights,
    },
    data::{catalog::Catalog, plan::Rules},
    graphql,
};
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server, Tenant};

/// `docs/crm.graphql` is what an administrator meets; `UPDATE_DOCS=1` makes it anew.
#[tokio::test]
async fn the_schema_in_the_docs_is_the_one_served() {
    let server = Server::start().await;
    let tenant = server.tenant("docs").await;
    let (catalog, rules) = met(&server, &tenant).await;
    crate::reference::compare("crm.graphql", &graphql::sdl(catalog, &rules));
}

/// A tenant's catalog, and its administrator's rules.
async fn met(server: &Server, tenant: &Tenant) -> (Arc<Catalog>, Rules) {
    let app = &server.app;
    let model = app.directory.by_key(&tenant.key).await.unwrap().unwrap();
    let caller = Caller {
        who: Who::Account {
            id: model.account_id,
        },
        place: Place::Tenant(model),
        role: Role::Admin,
        family: String::new(),
        token: None,
        signature: None,
    };
    let (identity, _) = rights::place(&caller, &app.tenants).unwrap();
    let catalog = app.spine.catalog(&identity).await.unwrap();
    (catalog, rights::rules(&caller))
}

/// A tenant's catalog, and for each table the field that lists it and the name of its type.
pub async fn shown(
    server: &Server,
    tenant: &Tenant,
) -> (Arc<Catalog>, BTreeMap<String, (String, String)>) {
    let (catalog, rules) = met(server, tenant).await;
    let lists = graphql::lists(Arc::clone(&catalog), &rules);
    (catalog, lists)
}

const PATH: &str = "/api/v1/graphql";

pub async fn ask(client: &Client, query: &str, variables: Value) -> Value {
    let body = json!({"query": query, "variables": variables});
    client.post(PATH, &body).await.expect(200).json()
}

/// `data` of an operation that has to succeed.
#[track_caller]
pub fn data(answer: Value) -> Value {
    assert!(answer.get("errors").is_none(), "{answer:#}");
    answer["data"].clone()
}

/// The slug of the first error of an operation that has to fail, and where it stands.
#[track_caller]
pub fn slug(answer: &Value) -> &str {
    let slug = answer["errors"][0]["extensions"]["slug"].as_str();
    slug.unwrap_or_else(|| panic!("no fault: {answer:#}"))
}

#[tokio::test]
async fn the_examples_of_the_first_document() {
    let server = Server::start().await;
    let tenant = server.tenant("examples").await;
    for body in [
        r#"{"query": "{ staffs(limit: 5) { id email firstname lastname } }"}"#,
        r#"{"query": "{ staffs(limit: 5) { id email firstname lastname } }", "variables": {}, "operationName": null}"#,
    ] {
        let body = Some(body.into());
        let answer = tenant
            .admin
            .call(Method::POST, PATH, body)
            .await
            .expect(200);
        let data = data(answer.json());
        let staffs = data["staffs"].as_array().unwrap();
        assert_eq!(staffs.len(), 5);
        for staff in staffs {
            let columns: Vec<&String> = staff.as_object().unwrap().keys().collect();
            assert_eq!(columns, ["email", "firstname", "id", "lastname"]);
        }
        assert_eq!(answer.header("sandlot-mode"), "live");
    }
    let query = "{ __schema { types { name kind } } }";
    let types = data(ask(&tenant.admin, query, Value::Null).await);
    let types = types["__schema"]["types"].as_array().unwrap().clone();
    for wanted in [
        json!({"name": "Staff", "kind": "OBJECT"}),
        json!({"name": "StaffWhere", "kind": "INPUT_OBJECT"}),
    ] {
        assert!(types.contains(&wanted), "{wanted}");
    }
    let query =
        r#"mutation { createProject(input: { name: "API Test", clientid: 1 }) { id name } }"#;
    let made = data(ask(&tenant.admin, query, json!({})).await);
    assert_eq!(made["createProject"]["name"], "API Test");
    let path = format!("/api/v1/projects/{}", made["createProject"]["id"]);
    let row = tenant.admin.read(&path).await;
    assert_eq!(row["data"]["clientid"], 1);
    assert_eq!(
        data(ask(&tenant.admin, "{ _ping }", Value::Null).await),
        json!({"_ping": "pong"})
    );
}

#[tokio::test]
async fn related_rows_either_way() {
    let server = Server::start().await;
    let tenant = server.tenant("related").await;
    let query = "
        query Invoices($least: Decimal!, $deep: Boolean = false) {
          invoices(limit: 3, where: {total: {gte: $least}, invoiceItems: {some: {quantity: {gt: 0}}}},
                   orderBy: [{client: {name: DESC}}, {id: ASC}]) {
            __typename
            ...Facts
            lines: invoiceItems(limit: 2, orderBy: [{id: DESC}]) { id invoice { number: id } }
            invoiceItems @include(if: $deep) { id }
          }
        }
        fragment Facts on Invoice { id total client { id name invoices(limit: 1) { id } } }";
    let found = data(ask(&tenant.admin, query, json!({"least": 1000})).await);
    let invoices = found["invoices"].as_array().unwrap();
    assert_eq!(invoices.len(), 3);
    let names: Vec<&str> = invoices
        .iter()
        .map(|i| i["client"]["name"].as_str().unwrap())
        .collect();
    assert!(names.is_sorted_by(|a, b| a >= b), "{names:?}");
    for invoice in invoices {
        assert_eq!(invoice["__typename"], "Invoice");
        assert!(invoice["total"].as_f64().unwrap() >= 1000.0);
        assert!(invoice.get("invoiceItems").is_none());
        let lines = invoice["lines"].as_array().unwrap();
        assert!((1..=2).contains(&lines.len()));
        assert_eq!(lines[0]["invoice"]["number"], invoice["id"]);
        assert_eq!(invoice["client"]["invoices"].as_array().unwrap().len(), 1);
    }
    let query = "query($id: BigInt!) { client(id: $id) { id invoices(where: {status: {eq: 1}}) { id status } } none: client(id: 99999999) { id } }";
    let found = data(ask(&tenant.admin, query, json!({"id": 1})).await);
    assert_eq!(found["client"]["id"], 1);
    assert_eq!(found["none"], Value::Null);
    let statuses = found["client"]["invoices"].as_array().unwrap();
    assert!(statuses.iter().all(|row| row["status"] == 1));
}

#[tokio::test]
async fn the_same_rows_as_rest() {
    let server = Server::start().await;
    let tenant = server.tenant("same").await;
    let path = "/api/v1/invoices?fields=id,total,date,clientid,created_at&sort=-total&per_page=30&page=2&filter[total.lt]=5000";
    let rest = tenant.admin.read(path).await;
    let query = "{ invoices(limit: 30, offset: 30, where: {total: {lt: 5000}}, orderBy: [{total: DESC}]) { id total date clientid created_at } }";
    let found = data(ask(&tenant.admin, query, Value::Null).await);
    assert_eq!(rest["data"].as_array().unwrap().len(), 30);
    assert_eq!(found["invoices"], rest["data"]);
}

#[tokio::test]
async fn aggregates_agree_with_the_rows() {
    let server = Server::start().await;
    let tenant = server.tenant("figures").await;
    let query = "{ all: invoicesAggregate { n: count }
      invoicesAggregate(where: {status: {eq: 1}}) { __typename count sum { total } avg { total } min { total date } max { sum: total } } }";
    let found = data(ask(&tenant.admin, query, Value::Null).await);
    let sql = format!(
        "select count(*), sum(total)::text, min(date)::text from \"{}\".invoices where status = 1",
        tenant.schema
    );
    let row = server.superuser().await.query_one(&sql, &[]).await.unwrap();
    let figures = &found["invoicesAggregate"];
    assert_eq!(figures["count"], row.get::<_, i64>(0));
    assert_eq!(
        figures["sum"]["total"].to_string().parse::<f64>().unwrap(),
        row.get::<_, String>(1).parse::<f64>().unwrap()
    );
    assert_eq!(figures["min"]["date"], row.get::<_, String>(2));
    assert!(figures["max"]["sum"].as_f64() >= figures["avg"]["total"].as_f64());
    assert!(found["all"]["n"].as_i64() > figures["count"].as_i64());
}

#[tokio::test]
async fn mutations_stand_or_fall_together() {
    let server = Server::start().await;
    let tenant = server.tenant("mutations").await;
    let admin = &tenant.admin;
    let query = "
        mutation($name: String!) {
          one: createClient(input: {name: $name}) { id name invoices { id } }
          two: createClient(input: {name: \"Second\"}) { id country { name } }
          updateClient(id: 1, input: {name: \"Renamed\"}) { id name projects(limit: 1) { id } }
        }";
    let made = data(ask(admin, query, json!({"name": "First"})).await);
    assert_eq!(made["one"]["name"], "First");
    assert_eq!(made["one"]["invoices"], json!([]));
    assert_eq!(made["updateClient"]["name"], "Renamed");
    let gone = format!(
        "mutation {{ deleteClient(id: {}) {{ id name }} }}",
        made["one"]["id"]
    );
    assert_eq!(
        data(ask(admin, &gone, Value::Null).await)["deleteClient"]["name"],
        "First"
    );
    assert_eq!(slug(&ask(admin, &gone, Value::Null).await), "not-found");

    let before = server.content(&tenant.schema).await;
    for (last, wanted, path) in [
        ("bad: deleteClient(id: 99999999) { id }", "not-found", "bad"),
        (
            "bad: createProject(input: {clientid: 1}) { id }",
            "creation-failed",
            "bad",
        ),
        (
            "bad: createProject(input: {name: \"x\", clientid: 99999999}) { id }",
            "creation-failed",
            "bad",
        ),
        (
            "bad: updateInvoice(id: 1, input: {clientid: 99999999}) { id }",
            "update-failed",
            "bad",
        ),
    ] {
        let query =
            format!("mutation {{ updateClient(id: 2, input: {{name: \"No\"}}) {{ id }} {last} }}");
        let answer = ask(admin, &query, Value::Null).await;
        assert_eq!(slug(&answer), wanted, "{answer:#}");
        assert_eq!(answer["data"], Value::Null);
        assert!(answer.as_object().unwrap().contains_key("data"));
        assert_eq!(answer["errors"][0]["path"], json!([path]));
    }
    assert_eq!(
        server.content(&tenant.schema).await,
        before,
        "nothing is kept"
    );

    let simulated = admin.with("Prefer", "tx=rollback");
    let query = json!({"query": "mutation { createClient(input: {name: \"Ghost\"}) { id name } }"});
    let answer = simulated.post(PATH, &query).await.expect(200);
    assert_eq!(answer.header("sandlot-simulated"), "true");
    assert_eq!(answer.json()["data"]["createClient"]["name"], "Ghost");
    assert_eq!(
        server.content(&tenant.schema).await,
        before,
        "nothing is kept"
    );
}

#[tokio::test]
async fn rows_are_made_with_those_that_refer_to_them() {
    let server = Server::start().await;
    let tenant = server.tenant("nested").await;
    let admin = &tenant.admin;
    let query = "
        mutation($client: ClientCreate!) {
          createClient(input: $client) {
            name
            projects(orderBy: [{id: ASC}]) { name client { name } tasks { name } milestones { name } }
          }
          updateClient(id: 1, input: {name: \"Beside\"}) { name }
        }";
    let client = json!({"name": "Whole Ltd", "projects": [
        {"name": "One", "milestones": [{"name": "Start", "position": 1}, {"name": "End", "position": 2}]},
        {"name": "Two"},
    ]});
    let query = query.replace(" tasks { name }", "");
    let made = data(ask(admin, &query, json!({"client": client})).await);
    let wanted = json!({
        "createClient": {"name": "Whole Ltd", "projects": [
            {"name": "One", "client": {"name": "Whole Ltd"}, "milestones": [{"name": "Start"}, {"name": "End"}]},
            {"name": "Two", "client": {"name": "Whole Ltd"}, "milestones": []},
        ]},
        "updateClient": {"name": "Beside"},
    });
    assert_eq!(made, wanted);

    let before = server.content(&tenant.schema).await;
    for (projects, wanted) in [
        (json!([{"name": "One"}, {"name": null}]), "creation-failed"),
        (
            json!([{"name": "One", "milestones": [{"name": "x", "id": 1}]}]),
            "creation-failed",
        ),
        (json!([{"name": "One", "clientid": 1}]), "validation-failed"),
        (
            json!([{"name": "One", "billing_type": 5_000_000}]),
            "bad-request",
        ),
        (json!([{"name": "One", "progress": 5_000}]), ""),
    ] {
        let client = json!({"name": "Half Ltd", "projects": projects});
        let answer = ask(admin, &query, json!({"client": client})).await;
        assert!(wanted.is_empty() || slug(&answer) == wanted, "{answer:#}");
        assert!(
            answer["errors"].is_array() && answer["data"].is_null(),
            "{answer:#}"
        );
    }
    let many: Vec<Value> = (0..501).map(|n| json!({"name": n.to_string()})).collect();
    let client = json!({"name": "Large Ltd", "projects": many});
    assert_eq!(
        slug(&ask(admin, &query, json!({"client": client})).await),
        "bad-request"
    );
    let simulated = admin.with("Prefer", "tx=rollback");
    let client = json!({"name": "Ghost Ltd", "projects": [{"name": "One"}]});
    let answer = data(ask(&simulated, &query, json!({"client": client})).await);
    assert_eq!(
        answer["createClient"]["projects"][0]["client"]["name"],
        "Ghost Ltd"
    );
    let viewer = tenant.user("viewer@mail.example", "viewer").await;
    let answer = ask(&viewer, &query, json!({"client": client})).await;
    assert_eq!(slug(&answer), "permission-denied");
    let mut after = server.content(&tenant.schema).await;
    // The viewer is one row more.
    after.insert("users".to_owned(), before["users"].clone());
    assert_eq!(after, before, "nothing is kept");
}

#[tokio::test]
async fn refusals_are_those_of_rest() {
    let server = Server::start().await;
    let tenant = server.tenant("refusals").await;
    let viewer = tenant.user("viewer@mail.example", "viewer").await;
    let editor = tenant.user("editor@mail.example", "editor").await;
    let account = server.account(&tenant).await;
    let write = "mutation { createClient(input: {name: \"x\"}) { id } }";
    for (client, wanted, mode) in [
        (&viewer, "permission-denied", "live"),
        (&account, "read-only", "template"),
    ] {
        let answer = client
            .post(PATH, &json!({"query": write}))
            .await
            .expect(200);
        assert_eq!(answer.header("sandlot-mode"), mode);
        let answer = answer.json();
        assert_eq!(slug(&answer), wanted);
        assert_eq!(answer["data"], Value::Null);
        data(ask(client, "{ clients(limit: 1) { id } }", Value::Null).await);
    }
    data(ask(&editor, write, Value::Null).await);
    let users = "mutation { createUser(input: {email: \"a@mail.example\", password: \"long enough\"}) { id email } }";
    assert_eq!(
        slug(&ask(&editor, users, Value::Null).await),
        "permission-denied"
    );
    let made = data(ask(&tenant.admin, users, Value::Null).await);
    assert_eq!(made["createUser"]["email"], "a@mail.example");
    let login = json!({"email": "a@mail.example", "password": "long enough"});
    tenant
        .keyed
        .post("/api/auth/token", &login)
        .await
        .expect(200);
    // Hashes are no fields, and the template's users no table.
    for (client, query) in [
        (&tenant.admin, "{ users { password_hash } }"),
        (
            &tenant.admin,
            "{ users(where: {password_hash: {like: \"a\"}}) { id } }",
        ),
        (
            &tenant.admin,
            "{ users(orderBy: [{password_hash: ASC}]) { id } }",
        ),
        (&account, "{ users { id } }"),
    ] {
        let answer = ask(client, query, Value::Null).await;
        assert_eq!(slug(&answer), "bad-request");
        assert!(answer.get("data").is_none(), "{answer}");
    }
    let answer = ask(
        &tenant.admin,
        "{ invoices(limit: 1001) { id } }",
        Value::Null,
    )
    .await;
    assert_eq!(slug(&answer), "invalid-parameter");
    let query = "{ invoices(where: {created_at: {gte: \"soon\"}}) { id } }";
    let answer = ask(&tenant.admin, query, Value::Null).await;
    assert_eq!(slug(&answer), "invalid-parameter");
    assert!(answer["errors"][0]["extensions"]["errors"]["where"].is_array());
}

#[tokio::test]
async fn http_as_the_specification_says() {
    let server = Server::start().await;
    let tenant = server.tenant("http").await;
    let admin = &tenant.admin;
    let send = |client: Client, body: &'static str| async move {
        client.call(Method::POST, PATH, Some(body.into())).await
    };
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = admin.call(method, PATH, None).await;
        assert_eq!(answer.header("allow"), "POST");
        answer.problem(405, "method-not-allowed");
    }
    send(admin.clone(), "").await.problem(400, "empty-body");
    send(admin.clone(), " \n").await.problem(400, "empty-body");
    send(admin.clone(), "[{\"query\":\"{ _ping }\"}]")
        .await
        .problem(400, "batching-not-supported");
    send(admin.clone(), "{\"query\":5}")
        .await
        .problem(400, "invalid-request");
    send(admin.clone(), "{\"variables\":{}}")
        .await
        .problem(400, "invalid-request");
    send(admin.clone(), "{")
        .await
        .problem(400, "invalid-request");
    send(admin.with("Content-Type", "text/csv"), "a")
        .await
        .problem(415, "unsupported-media-type");
    send(tenant.keyed.clone(), "{\"query\":\"{ _ping }\"}")
        .await
        .problem(401, "missing-token");

    let modern = admin.with("Accept", "application/graphql-response+json");
    let kind = |answer: &Answer| answer.header("content-type").to_owned();
    for (body, status) in [
        ("{\"query\":\"{ _ping }\"}", 200),
        ("{\"query\":\"{ _ping \"}", 400),
        ("{\"query\":\"{ nothing }\"}", 400),
        ("{\"query\":\"query A { _ping } query B { _ping }\"}", 400),
        (
            "{\"query\":\"query A { _ping }\",\"operationName\":\"B\"}",
            400,
        ),
        (
            "{\"query\":\"query($a: BigInt!) { client(id: $a) { id } }\"}",
            400,
        ),
        (
            "{\"query\":\"query($a: Int!) { clients(limit: $a) { id } }\",\"variables\":{\"a\":\"x\"}}",
            400,
        ),
        (
            "{\"query\":\"mutation { deleteClient(id: 99999999) { id } }\"}",
            200,
        ),
        ("{\"query\":\"subscription { _ping }\"}", 400),
    ] {
        let answer = send(modern.clone(), body).await.expect(status);
        assert_eq!(
            kind(&answer),
            "application/graphql-response+json; charset=utf-8"
        );
        assert_eq!(answer.json().get("data").is_none(), status == 400, "{body}");
        let plain = send(admin.clone(), body).await.expect(200);
        assert_eq!(kind(&plain), "application/json; charset=utf-8");
        assert_eq!(plain.json(), answer.json(), "{body}");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_what_was_there_when_it_did() {
    let server = Server::start().await;
    let tenant = server.tenant("together").await;
    let sql = "create table trees (id int primary key);
        create table birds (id int primary key, tree int references trees);
        create table leaves (id int primary key, tree int references trees);
        insert into trees values (1); insert into birds values (1, 1); insert into leaves values (1, 1)";
    server.as_tenant(&tenant, sql).await;
    let refused = async |query: &str| {
        let answer = ask(&tenant.admin, query, Value::Null).await;
        assert_eq!(slug(&answer), "deletion-failed");
        answer["errors"].to_string()
    };
    let both = refused("mutation { deleteTree(id: 1) { id } }").await;
    assert!(both.contains("`birds`, `leaves` still"), "{both}");
    // The bird was gone by then, and is back since nothing was kept.
    let one = refused("mutation { deleteBird(id: 1) { id } deleteTree(id: 1) { id } }").await;
    assert!(one.contains("Rows of `leaves` still"), "{one}");
}

#[tokio::test]
async fn a_table_of_a_moment_ago_with_names_that_graphql_cannot_spell() {
    let server = Server::start().await;
    let tenant = server.tenant("names").await;
    data(ask(&tenant.admin, "{ _ping }", Value::Null).await);
    let sql = r#"
        create type "my mood" as enum ('SAD', 'ok', 'very_happy');
        create type spaced as enum ('a b', 'c');
        create table "Wörter & Zahlen" (
            "2nd" int, "and" text, "big int" bigint, mood "my mood", spaced spaced,
            exact numeric, list int[], doc jsonb, span int4range, bytes bytea, "__x" uuid,
            at timestamptz, primary key ("2nd", "and"));
        insert into "Wörter & Zahlen" values (1, 'x', 9007199254740993, 'ok', 'a b',
            12345678901234567890.1234567890, '{1,2}', '{"a":[1]}', '[1,5)', '\x00ff', null, '2024-02-29 12:00Z')"#;
    server.as_tenant(&tenant, sql).await;
    let query = "
      query($n: Decimal, $b: BigInt) {
        wRterZahlen(where: {and_: {eq: \"x\"}, exact: {eq: $n}, big_int: {in: [$b, 1]}, mood: {eq: ok}, list: {eq: [1, 2]}}) {
          _2nd and big_int mood spaced exact list doc span bytes _x at
        }
        wRterZahlenById(_2nd: 1, and: \"x\") { exact }
      }";
    let body = json!({"query": query}).to_string();
    let variables = r#","variables":{"n":12345678901234567890.123456789,"b":9007199254740993}}"#;
    let body = body.trim_end_matches('}').to_owned() + variables;
    let answer = tenant
        .admin
        .call(Method::POST, PATH, Some(body.into()))
        .await
        .expect(200);
    let row = r#"{"_2nd":1,"and":"x","big_int":9007199254740993,"mood":"ok","spaced":"a b","exact":12345678901234567890.1234567890,"list":[1,2],"doc":{"a": [1]},"span":"[1,5)","bytes":"\\x00ff","_x":null,"at":"2024-02-29T12:00:00+00:00"}"#;
    let wanted = format!(
        r#"{{"data":{{"wRterZahlen":[{row}],"wRterZahlenById":{{"exact":12345678901234567890.1234567890}}}}}}"#
    );
    assert_eq!(answer.text(), wanted);
}
