//! The script of requests that a demo token makes: every kind of them over every table, and what came back.

use hyper::Method;
use serde_json::{Value, json};
use tokio_postgres::Client as Postgres;

use super::masking::{columns, tables};
use crate::harness::Client;

/// Kinds of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    List,
    Filter,
    Sort,
    Search,
    Count,
    Aggregate,
    Include,
    Csv,
    GraphQl,
    Report,
    Embed,
    Export,
    Write,
}

/// One request of the script.
#[derive(Clone, Debug)]
pub struct Request {
    pub kind: Kind,
    method: Method,
    path: String,
    accept: &'static str,
    body: Option<Value>,
}

impl Request {
    pub fn get(kind: Kind, path: String) -> Self {
        Self {
            kind,
            method: Method::GET,
            path,
            accept: "application/json",
            body: None,
        }
    }

    fn send(method: Method, path: String, body: Option<Value>) -> Self {
        Self {
            method,
            body,
            ..Self::get(Kind::Write, path)
        }
    }

    fn graphql(query: &str) -> Self {
        let body = json!({ "query": query });
        Self {
            kind: if query.contains("Aggregate") {
                Kind::Aggregate
            } else {
                Kind::GraphQl
            },
            ..Self::send(Method::POST, "/api/v1/graphql".to_owned(), Some(body))
        }
    }
}

/// What a demo token asks of all tables of a template.
pub async fn requests(superuser: &Postgres, anybody: &Client) -> Vec<Request> {
    let mut requests = Vec::new();
    for table in tables(superuser, "public").await {
        let columns = columns(superuser, "public", &table).await;
        of_table(&table, &columns, &mut requests);
    }
    // Each relation of each table, either way.
    for table in names(anybody, "/api/v1/tables").await {
        let schema = anybody.read(&format!("/api/v1/{table}/schema")).await;
        for relation in schema["data"]["relations"].as_array().into_iter().flatten() {
            let name = relation["name"].as_str().unwrap();
            let path = format!("/api/v1/{table}?include={name}&per_page=2");
            requests.push(Request::get(Kind::Include, path));
        }
    }
    for report in names(anybody, "/api/v1/reports").await {
        for (kind, path) in [
            (Kind::Report, format!("/api/v1/reports/{report}?per_page=5")),
            (
                Kind::Report,
                format!("/api/v1/reports/{report}?q=a&count=exact"),
            ),
            (Kind::Embed, format!("/embed/report/{report}")),
        ] {
            requests.push(Request::get(kind, path));
        }
    }
    for path in [
        "/api/v1/openapi.json",
        "/api/v1/openapi.yaml",
        "/api/v1/openapi.json?openapi=3.0.3",
        "/api/v1/postman.json",
    ] {
        requests.push(Request::get(Kind::Export, path.to_owned()));
    }
    for path in [
        "/api/v1/",
        "/api/v1/tables",
        "/api/v1/reports",
        "/api/v1/auth/test",
    ] {
        requests.push(Request::get(Kind::List, path.to_owned()));
    }
    requests.extend(
        fields(anybody)
            .await
            .iter()
            .map(|query| Request::graphql(query)),
    );
    requests.push(Request::graphql(
        "{ __schema { types { name description enumValues { name description } inputFields { name description defaultValue } fields { name description } } } }",
    ));
    requests
}

fn of_table(table: &str, columns: &[String], requests: &mut Vec<Request>) {
    let mut get = |kind: Kind, rest: &str| {
        requests.push(Request::get(kind, format!("/api/v1/{table}{rest}")));
    };
    get(Kind::List, "?per_page=3");
    get(Kind::List, "?per_page=50&page=2");
    get(Kind::List, "/schema");
    get(Kind::List, "/1");
    get(Kind::Search, "?q=a&per_page=2");
    get(Kind::Search, "?q=example&per_page=2");
    for count in ["none", "exact", "estimated"] {
        get(Kind::Count, &format!("?count={count}&per_page=1"));
    }
    for column in columns {
        get(Kind::Sort, &format!("?sort=-{column}&per_page=2"));
        get(
            Kind::Filter,
            &format!("?filter[{column}.notnull]=true&per_page=1"),
        );
        // Of numbers, texts and dates; a filter that a type does not take fails on both sides.
        for value in ["100", "m", "2025-06-01"] {
            get(
                Kind::Filter,
                &format!("?filter[{column}.gt]={value}&per_page=1&fields={column}"),
            );
        }
    }
    get(
        Kind::Filter,
        "?filter[created_at.gte]=2025-03-01&per_page=2",
    );
    requests.push(Request {
        accept: "text/csv",
        ..Request::get(Kind::Csv, format!("/api/v1/{table}?per_page=20"))
    });
    let (all, one) = (format!("/api/v1/{table}"), format!("/api/v1/{table}/1"));
    for body in [
        json!({"id": 1}),
        json!({"no_such_column": 1}),
        json!({}),
        json!([{"id": 3}, {"id": 3}]),
    ] {
        requests.push(Request::send(Method::POST, all.clone(), Some(body)));
    }
    requests.push(Request::send(Method::DELETE, one.clone(), None));
    requests.push(Request::send(
        Method::PATCH,
        one.clone(),
        Some(json!({"id": 2})),
    ));
    if let Some(column) = columns.iter().rev().find(|column| !column.contains("_at")) {
        let body = json!({ column.as_str(): "no such value" });
        requests.push(Request::send(Method::PATCH, one, Some(body)));
    }
}

/// For each list and aggregate of GraphQL a query of all its fields that are values.
async fn fields(anybody: &Client) -> Vec<String> {
    let question = json!({"query": "{ __schema { queryType { fields { name type { ...t } args { name } } } types { name fields { name type { ...t } args { name } } } } }
        fragment t on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"});
    let answer = anybody
        .post("/api/v1/graphql", &question)
        .await
        .expect(200)
        .json();
    let schema = &answer["data"]["__schema"];
    let named = |of: &Value| {
        let mut of = of.clone();
        while !of["ofType"].is_null() {
            of = of["ofType"].clone();
        }
        (
            of["kind"].as_str().unwrap().to_owned(),
            of["name"].as_str().unwrap().to_owned(),
        )
    };
    let fields_of = |name: &str| {
        let types = schema["types"].as_array().unwrap();
        let found = types.iter().find(|of| of["name"] == name).unwrap();
        found["fields"].as_array().unwrap().clone()
    };
    let values = |name: &str| -> Vec<String> {
        let fields = fields_of(name);
        let leaf = fields
            .iter()
            .filter(|field| named(&field["type"]).0 != "OBJECT");
        leaf.map(|field| field["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut queries = Vec::new();
    for field in schema["queryType"]["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        let (kind, of) = named(&field["type"]);
        let takes = |arg: &str| {
            field["args"]
                .as_array()
                .unwrap()
                .iter()
                .any(|one| one["name"] == arg)
        };
        if kind != "OBJECT" {
            continue;
        }
        if takes("limit") {
            queries.push(format!(
                "{{ {name}(limit: 3) {{ {} }} }}",
                values(&of).join(" ")
            ));
        } else if takes("where") {
            let sums: Vec<String> = fields_of(&of)
                .iter()
                .filter_map(|part| {
                    let (kind, of) = named(&part["type"]);
                    let part = part["name"].as_str().unwrap();
                    if kind != "OBJECT" {
                        return Some(part.to_owned());
                    }
                    let leaves = values(&of);
                    (!leaves.is_empty()).then(|| format!("{part} {{ {} }}", leaves.join(" ")))
                })
                .collect();
            queries.push(format!("{{ {name} {{ {} }} }}", sums.join(" ")));
        }
    }
    queries
}

/// What only the CRM has.
pub fn of_the_crm() -> Vec<Request> {
    let mut requests: Vec<Request> = [
        (Kind::Include, "/api/v1/clients?include=invoices,contacts&per_page=2"),
        (Kind::Include, "/api/v1/invoices?include=items,client&per_page=2&sort=-total"),
        (Kind::Filter, "/api/v1/staffs?filter[email.like]=a*&per_page=2"),
        (Kind::Report, "/api/v1/reports/invoices?per_page=3&sort=-balance"),
        (
            Kind::Aggregate,
            "/api/v1/reports/invoices/aggregate?dimension=status_name&measure=total&aggregation=sum&period=monthly&date=date",
        ),
        (
            Kind::Aggregate,
            "/api/v1/reports/invoices/aggregate?dimension=country&measure=total&aggregation=avg",
        ),
        (
            Kind::Aggregate,
            "/api/v1/reports/collection-efficiency-by-invoice/aggregate?measure=collected&aggregation=max",
        ),
        (Kind::List, "/api/v1/report_invoices?per_page=2&q=paid"),
    ]
    .map(|(kind, path)| Request::get(kind, path.to_owned()))
    .into();
    for measure in ["total", "balance", "collected"] {
        for way in ["sum", "avg", "min", "max", "count"] {
            for dimension in ["status_name", "country", "client"] {
                let path = format!(
                    "/api/v1/reports/invoices/aggregate?dimension={dimension}&measure={measure}&aggregation={way}"
                );
                requests.push(Request::get(Kind::Aggregate, path));
            }
        }
    }
    for query in [
        "{ clients(limit: 3, orderBy: [{name: ASC}]) { id name email invoices(limit: 2) { number total } } }",
        "{ staffs(limit: 3, where: {hourly_rate: {gte: 60}}) { full_name last_ip } }",
        "mutation { createNote(input: {rel_type: \"client\", rel_id: 1, content: \"x\"}) { id content } }",
        "mutation { updateClient(id: 1, input: {country_id: 999999}) { id } }",
    ] {
        requests.push(Request::graphql(query));
    }
    requests
}

async fn names(anybody: &Client, path: &str) -> Vec<String> {
    let list = anybody.read(path).await;
    let rows = list["data"].as_array().unwrap().iter();
    rows.map(|row| {
        let name = if row["slug"].is_string() {
            &row["slug"]
        } else {
            &row["name"]
        };
        name.as_str().unwrap().to_owned()
    })
    .collect()
}

/// Head and body of an answer, ids of requests, times and the port aside.
pub async fn ask(client: &Client, request: &Request) -> (String, String) {
    let client_with = client.with("Accept", request.accept);
    let body = request.body.as_ref().map(|body| body.to_string().into());
    let answer = client_with
        .call(request.method.clone(), &request.path, body)
        .await;
    let mut head: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| {
            !matches!(
                name.as_str(),
                "x-request-id" | "date" | "x-response-time" | "ratelimit" | "server-timing"
            )
        })
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default()))
        .collect();
    head.sort();
    head.insert(0, answer.status.to_string());
    let address = client.address.to_string();
    // Each server has a public token of its own, which exports show.
    let text = answer.text().replace(&address, "HOST");
    let text = text.replace(client.token(), "TOKEN");
    let body = without_now(&text);
    if body != text {
        // Postgres writes an instant of now without zeros at its end.
        head.retain(|line| !line.starts_with("content-length"));
    }
    (head.join("\n").replace(&address, "HOST"), body)
}

/// The body without the instants of today, which a write that is simulated has from the clock.
fn without_now(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let today = chrono::Utc::now().format("%Y-%m-%d").to_string();
    while let Some(at) = rest.find(&today) {
        out.push_str(&rest[..at]);
        out.push_str("TODAY");
        let after = &rest[at + today.len()..];
        let end = after.find(['"', ',', '<', '\n']).unwrap_or(after.len());
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}
