//! Every kind of token times every kind of call: each is carried out, or refused with the one slug.
//!
//! What is right follows from the token's properties and from what a call needs, and is worked out
//! here without the server's help.

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use super::make;
use crate::harness::{Client, Server};

/// What a call asks of a token, in the order in which it is judged.
#[derive(Clone, Copy)]
enum Need {
    Scope(&'static str),
    /// A table or view in the path, or one that is nowhere.
    Table(&'static str),
    View(&'static str),
    Nowhere(&'static str),
    /// A report: its slug and the view behind it.
    Report(&'static str, &'static str),
    Write,
    /// The table where a parameter names it: outside of the list it is not there.
    Parameter(&'static str),
    /// The table or view as a name of GraphQL: outside of reach it is not there.
    Field(&'static str),
    ViewField(&'static str),
    /// Refused to all who come so far.
    Refused(u16, &'static str),
}

use Need::{Field, Nowhere, Parameter, Refused, Report, Scope, Table, View, ViewField, Write};

struct Call {
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
    needs: Vec<Need>,
    status: u16,
}

fn call(method: &'static str, path: &'static str, needs: &[Need]) -> Call {
    Call {
        method,
        path,
        body: None,
        needs: needs.to_vec(),
        status: 200,
    }
}

fn send(
    method: &'static str,
    path: &'static str,
    body: Value,
    needs: &[Need],
    status: u16,
) -> Call {
    Call {
        body: Some(body),
        status,
        ..call(method, path, needs)
    }
}

fn graphql(query: &str, needs: &[Need]) -> Call {
    let needs = [&[Scope("graphql")], needs].concat();
    send(
        "POST",
        "/api/v1/graphql",
        json!({"query": query}),
        &needs,
        200,
    )
}

fn calls() -> Vec<Call> {
    let client = || json!({"name": "x"});
    let project = || json!({"name": "x", "clientid": 1});
    vec![
        call("GET", "/api/v1/auth/test", &[]),
        call("GET", "/api/v1/", &[]),
        call("GET", "/api/v1/tables", &[Scope("tables")]),
        call("GET", "/api/v1/clients", &[Table("clients")]),
        call("GET", "/api/v1/clients/1", &[Table("clients")]),
        call("GET", "/api/v1/clients/schema", &[Table("clients")]),
        call("GET", "/api/v1/tables/clients", &[Table("clients")]),
        call("GET", "/api/v1/projects", &[Table("projects")]),
        call("GET", "/api/v1/projects/1", &[Table("projects")]),
        call("GET", "/api/v1/projects/schema", &[Table("projects")]),
        call("GET", "/api/v1/tables/projects/1", &[Table("projects")]),
        call(
            "GET",
            "/api/v1/nosuch",
            &[Nowhere("nosuch"), Refused(404, "not-found")],
        ),
        call(
            "GET",
            "/api/v1/nosuch/schema",
            &[Nowhere("nosuch"), Refused(404, "not-found")],
        ),
        call(
            "GET",
            "/api/v1/listed",
            &[Nowhere("listed"), Refused(404, "not-found")],
        ),
        call(
            "GET",
            "/api/v1/report_invoices?per_page=1",
            &[View("report_invoices")],
        ),
        call(
            "GET",
            "/api/v1/report_invoices/schema",
            &[View("report_invoices")],
        ),
        call(
            "GET",
            "/api/v1/report_project_progress_overview",
            &[View("report_project_progress_overview")],
        ),
        call(
            "GET",
            "/api/v1/clients?include=invoices",
            &[Table("clients"), Parameter("invoices")],
        ),
        call(
            "GET",
            "/api/v1/clients?include=projects",
            &[Table("clients"), Parameter("projects")],
        ),
        call(
            "GET",
            "/api/v1/clients?where={%22projects%22:{%22some%22:{}}}",
            &[Table("clients"), Parameter("projects")],
        ),
        send(
            "POST",
            "/api/v1/clients",
            client(),
            &[Table("clients"), Write],
            201,
        ),
        send(
            "PUT",
            "/api/v1/clients/1",
            client(),
            &[Table("clients"), Write],
            200,
        ),
        send(
            "PATCH",
            "/api/v1/clients/1",
            client(),
            &[Table("clients"), Write],
            200,
        ),
        send(
            "POST",
            "/api/v1/projects",
            project(),
            &[Table("projects"), Write],
            201,
        ),
        send(
            "PATCH",
            "/api/v1/projects/1",
            client(),
            &[Table("projects"), Write],
            200,
        ),
        call(
            "DELETE",
            "/api/v1/timesheets/1",
            &[Table("timesheets"), Write],
        ),
        send(
            "POST",
            "/api/v1/nosuch",
            client(),
            &[Nowhere("nosuch"), Refused(404, "not-found")],
            201,
        ),
        send(
            "POST",
            "/api/v1/report_invoices",
            client(),
            &[View("report_invoices"), Write, Refused(403, "forbidden")],
            201,
        ),
        send(
            "PATCH",
            "/api/v1/users/1",
            client(),
            &[Table("users"), Write, Refused(403, "permission-denied")],
            200,
        ),
        call("GET", "/api/v1/reports", &[Scope("views")]),
        call(
            "GET",
            "/api/v1/reports/invoices?per_page=1",
            &[Report("invoices", "report_invoices")],
        ),
        call(
            "GET",
            "/api/v1/reports/invoices/schema",
            &[Report("invoices", "report_invoices")],
        ),
        call(
            "GET",
            "/api/v1/reports/invoices/aggregate?dimension=status",
            &[Report("invoices", "report_invoices")],
        ),
        call(
            "GET",
            "/embed/report/invoices",
            &[Report("invoices", "report_invoices")],
        ),
        call(
            "GET",
            "/api/v1/reports/project-progress-overview",
            &[Report(
                "project-progress-overview",
                "report_project_progress_overview",
            )],
        ),
        call(
            "GET",
            "/embed/report/project-progress-overview",
            &[Report(
                "project-progress-overview",
                "report_project_progress_overview",
            )],
        ),
        call(
            "GET",
            "/api/v1/reports/nosuch",
            &[Report("nosuch", "nosuch"), Refused(404, "not-found")],
        ),
        graphql("{ _ping }", &[]),
        graphql("{ __schema { types { name } } }", &[]),
        graphql("{ clients(limit: 1) { id } }", &[Field("clients")]),
        graphql("{ projects(limit: 1) { id } }", &[Field("projects")]),
        graphql(
            "{ clients(limit: 1) { projects { id } } }",
            &[Field("clients"), Field("projects")],
        ),
        graphql(
            "{ reportInvoices(limit: 1) { number } }",
            &[ViewField("report_invoices")],
        ),
        graphql("{ projectsAggregate { count } }", &[Field("projects")]),
        graphql(
            "mutation { createClient(input: {name: \"x\"}) { id } }",
            &[Field("clients"), Write],
        ),
        graphql(
            "mutation { updateProject(id: 1, input: {name: \"x\"}) { id } }",
            &[Field("projects"), Write],
        ),
        send(
            "POST",
            "/api/v1/sql",
            json!({"query": "select 1"}),
            &[Scope("sql")],
            200,
        ),
        send(
            "POST",
            "/api/v1/sql",
            json!({"query": "update clients set name = 'x' where id = 1"}),
            &[Scope("sql")],
            200,
        ),
        call("GET", "/api/tokens", &[Refused(403, "scope-not-allowed")]),
        call(
            "DELETE",
            "/api/tenant",
            &[Refused(403, "scope-not-allowed")],
        ),
        send(
            "POST",
            "/api/tenant/reset",
            json!({}),
            &[Refused(403, "scope-not-allowed")],
            200,
        ),
    ]
}

fn tokens() -> Vec<Value> {
    let all = json!(["tables", "views", "graphql", "write"]);
    let reads = json!(["tables", "views", "graphql"]);
    let mut tokens: Vec<Value> = [
        json!(["tables"]),
        json!(["views"]),
        json!(["graphql"]),
        json!(["write"]),
        json!(["tables", "views"]),
        json!(["tables", "write"]),
        json!(["tables", "graphql"]),
        json!(["views", "graphql", "write"]),
        json!(["write", "sql"]),
        json!(["tables", "views", "graphql", "write", "sql"]),
        all.clone(),
        reads.clone(),
    ]
    .into_iter()
    .map(|scopes| json!({"scopes": scopes}))
    .collect();
    let tables = json!(["clients", "invoices", "listed"]);
    for scopes in [&all, &reads] {
        tokens.push(json!({"scopes": scopes, "allowed_tables": tables}));
        tokens.push(json!({"scopes": scopes, "allowed_views": ["report_invoices"]}));
        tokens.push(json!({"scopes": scopes, "allowed_views": ["invoices"]}));
        tokens.push(json!({"scopes": scopes, "allowed_tables": tables, "allowed_views": ["report_invoices", "nosuch"]}));
    }
    tokens.push(json!({"scopes": ["views", "graphql"], "allowed_tables": tables}));
    tokens.push(json!({"scopes": ["tables"], "allowed_tables": ["projects"], "allowed_views": ["report_invoices"]}));
    tokens.push(json!({"scopes": reads, "kind": "embed"}));
    tokens.push(json!({"scopes": reads, "kind": "embed", "allowed_tables": ["projects"]}));
    tokens.push(
        json!({"scopes": all, "ip_allowlist": ["127.0.0.1"], "expires_at": "2999-01-01T00:00:00Z"}),
    );
    tokens.push(json!({"scopes": all, "ip_allowlist": ["10.0.0.0/8"]}));
    tokens.push(json!({"scopes": all, "domain_allowlist": ["app.example"]}));
    tokens.push(json!({"scopes": all, "hmac": true}));
    tokens
}

/// What comes of a call: the status, and the slug where there is one.
fn expected(token: &Value, call: &Call) -> (u16, &'static str) {
    let has = |name: &str, item: &str| {
        token[name]
            .as_array()
            .is_some_and(|list| list.contains(&item.into()))
    };
    let has_list = |name: &str| token[name].as_array().is_some_and(|list| !list.is_empty());
    let scope = |scope: &str| has("scopes", scope);
    let reaches = |list: &str, item: &str| !has_list(list) || has(list, item);
    if token["hmac"] == true {
        return (401, "invalid-signature");
    }
    if has("ip_allowlist", "10.0.0.0/8") {
        return (403, "ip-not-allowed");
    }
    if has_list("domain_allowlist") {
        return (403, "domain-not-allowed");
    }
    // A report's slug in the list means the view behind it.
    let reaches_view = |view: &str| reaches("allowed_views", view);
    let is_graphql = call.path.ends_with("/graphql");
    for need in &call.needs {
        let outcome = match *need {
            Scope(name) => scope(name).then_some(()).ok_or((403, "scope-not-allowed")),
            Table(_) if !scope("tables") => Err((403, "scope-not-allowed")),
            Table(name) if !reaches("allowed_tables", name) => Err((403, "table-not-allowed")),
            View(_) if !scope("views") => Err((403, "scope-not-allowed")),
            View(name) if !reaches_view(name) => Err((403, "view-not-allowed")),
            Report(..) if !scope("views") => Err((403, "scope-not-allowed")),
            Report(slug, view) if !reaches_view(view) && !has("allowed_views", slug) => {
                Err((403, "view-not-allowed"))
            }
            // A name that is nowhere is treated as that of a table, then of a view.
            Nowhere(name) if scope("tables") && has("allowed_tables", name) => Ok(()),
            Nowhere(name) if scope("views") && has("allowed_views", name) => Ok(()),
            Nowhere(_) if !scope("tables") => Err((403, "scope-not-allowed")),
            Nowhere(_) if has_list("allowed_tables") => Err((403, "table-not-allowed")),
            Nowhere(_) if scope("views") && has_list("allowed_views") => {
                Err((403, "view-not-allowed"))
            }
            Parameter(name) if !reaches("allowed_tables", name) => Err((400, "invalid-parameter")),
            Field(_) if !scope("tables") => Err((200, "bad-request")),
            Field(name) if !reaches("allowed_tables", name) => Err((200, "bad-request")),
            ViewField(_) if !scope("views") => Err((200, "bad-request")),
            ViewField(name) if !reaches_view(name) => Err((200, "bad-request")),
            Write if !scope("write") && is_graphql => Err((200, "write-not-allowed")),
            Write if !scope("write") => Err((403, "write-not-allowed")),
            Refused(status, slug) => Err((status, slug)),
            _ => Ok(()),
        };
        if let Err(refused) = outcome {
            return refused;
        }
    }
    (call.status, "")
}

async fn outcome(client: &Client, call: &Call) -> (u16, String) {
    let method: Method = call.method.parse().unwrap();
    let body = call.body.as_ref().map(|body| Bytes::from(body.to_string()));
    let answer = client.call(method, call.path, body).await;
    let after = |text: &Value| {
        text.as_str()
            .and_then(|text| text.split("#error-").nth(1))
            .unwrap_or_default()
            .to_owned()
    };
    let slug = match answer.status {
        200 if call.path.ends_with("/graphql") => {
            after(&answer.json()["errors"][0]["extensions"]["type"])
        }
        status if status < 400 => String::new(),
        _ => after(&answer.json()["type"]),
    };
    (answer.status, slug)
}

#[tokio::test]
async fn each_cell_is_carried_out_or_refused_with_its_slug() {
    let server = Server::start().await;
    let tenant = server.tenant("matrix").await;
    let before = server.content(&tenant.schema).await;
    let (calls, mut wrong, mut cells) = (calls(), Vec::new(), 0);
    let mut met = std::collections::BTreeSet::new();
    for properties in tokens() {
        let made = make(&tenant, properties.clone()).await;
        // Nothing is kept, so that each cell meets the same rows.
        let client = made.client.with("Prefer", "tx=rollback");
        for call in &calls {
            let (status, slug) = expected(&properties, call);
            let got = outcome(&client, call).await;
            if got != (status, slug.to_owned()) {
                wrong.push(format!(
                    "{properties} {} {} {:?}: {got:?} instead of {status} {slug}",
                    call.method, call.path, call.body
                ));
            }
            met.insert(slug);
            cells += 1;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cells}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // The matrix is not all of one colour.
    for slug in [
        "",
        "scope-not-allowed",
        "table-not-allowed",
        "view-not-allowed",
        "write-not-allowed",
        "invalid-parameter",
    ] {
        assert!(met.contains(slug), "{slug}");
    }
    let mut after = server.content(&tenant.schema).await;
    after.retain(|table, _| before.contains_key(table));
    assert_eq!(before, after);
}
