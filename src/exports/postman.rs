//! The Postman collection (v2.1) of what a credential may reach.

use super::{
    model::{Fields, Model, Report, Resource, in_list, report_path},
    openapi::{Credential, Style, sample, schema},
    tree::{Node, list, map},
};
use crate::data::catalog::Table;

/// Format of the collection.
const FORMAT: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// Finds the id that a request needs, and signs it if there is a secret.
const BEFORE: &str = include_str!("before.js");

/// Checks answers.
const AFTER: &str = include_str!("after.js");

/// The collection; `api_key` is that of a caller who signed in and needs one. The public demo token is filled in for
/// whoever came with it.
pub fn collection(model: &Model<'_>, style: &Style, api_key: Option<&str>) -> Node {
    let public_url = &style.public_url;
    let it = Writer {
        key: api_key.is_some(),
    };
    let resources: Node = model
        .served()
        .map(|resource| folder(resource.noun(), it.resource(model, resource)))
        .collect();
    let reports: Node = model
        .reports
        .iter()
        .map(|report| folder(&report.title, it.report(report)))
        .collect();
    let graphql = model
        .graphql
        .as_ref()
        .map_or_else(|| list![], |fields| it.graphql(model, fields).into());
    let variable = |name: &str, value: &str, description: &str| {
        map! { "key" => name, "value" => value, "type" => "string", "description" => description }
    };
    let base = format!("{public_url}/api/v1");
    let demo_token = style.demo_token.as_deref().unwrap_or_default();
    let mut what = "An API token (`dba_..`) or an access token".to_owned();
    if !demo_token.is_empty() {
        what.push_str(&format!("; anybody may use the demo's, {demo_token}"));
    }
    let mut variables = vec![
        variable("baseUrl", &base, "Where the API is"),
        variable(
            "api_token",
            match style.credential {
                Credential::Demo => demo_token,
                _ => "",
            },
            &what,
        ),
        variable(
            "hmac_secret",
            "",
            "The token's secret, if it signs its requests",
        ),
    ];
    if let Some(key) = api_key {
        variables.push(variable(
            "api_key",
            key,
            "Which tenant an access token is used for",
        ));
    }
    map! {
        "info" => map! {
            "name" => "Sandlot API",
            "description" => format!(
                "What your credential may reach. Set the variable `api_token`, and `hmac_secret` if the \
                 token has one; requests are then signed by the pre-request script. \
                 The reference is at {public_url}/api_docs."),
            "schema" => FORMAT,
        },
        "auth" => map! {
            "type" => "bearer",
            "bearer" => list![map! { "key" => "token", "value" => "{{api_token}}", "type" => "string" }],
        },
        "event" => list![event("prerequest", BEFORE), event("test", AFTER)],
        "variable" => variables,
        "item" => list![
            folder("Resources", resources),
            folder("Reports", reports),
            folder("GraphQL", graphql),
        ],
    }
}

struct Writer {
    /// Whether requests name their tenant.
    key: bool,
}

impl Writer {
    fn resource(&self, model: &Model<'_>, resource: &Resource<'_>) -> Node {
        let list_query = of_list(model, resource.table, &resource.columns);
        let mut list = self.request("List", "GET", &resource.path, list_query, None);
        if resource.keyed() {
            list.put("event", list![event("test", &remember(resource))]);
        }
        let mut items = vec![
            list,
            self.request(
                "Schema",
                "GET",
                &format!("{}/schema", resource.path),
                Vec::new(),
                None,
            ),
        ];
        let row = format!("{}/:id", resource.path);
        if resource.keyed() {
            items.push(self.request("One", "GET", &row, Vec::new(), None));
        }
        if resource.creates {
            let body = sample::example(resource);
            let mut create = self.request("Create", "POST", &resource.path, Vec::new(), Some(body));
            if resource.keyed() {
                create.put("event", list![event("test", &remember_made(resource))]);
            }
            items.push(create);
        }
        if resource.updates {
            for (name, method) in [("Replace", "PUT"), ("Update", "PATCH")] {
                let body = sample::change_example(resource);
                items.push(self.request(name, method, &row, Vec::new(), Some(body)));
            }
        }
        if resource.deletes {
            items.push(self.request("Delete", "DELETE", &row, Vec::new(), None));
        }
        items.into()
    }

    fn report(&self, report: &Report<'_>) -> Node {
        let path = report_path(&report.slug);
        let query = of_report(report.view, &report.columns);
        list![
            self.request("Rows", "GET", &path, query, None),
            self.request("Schema", "GET", &format!("{path}/schema"), Vec::new(), None),
            self.request(
                "Aggregate",
                "GET",
                &format!("{path}/aggregate"),
                of_figures(report.view, &report.columns),
                None,
            ),
        ]
    }

    fn graphql(&self, model: &Model<'_>, fields: &[Fields]) -> Vec<Node> {
        let document = |name: &str, query: String| {
            let body = map! { "query" => query, "variables" => map! {} };
            self.request(name, "POST", "/graphql", Vec::new(), Some(body))
        };
        let mut items = vec![
            document("Ping", "{ _ping }".to_owned()),
            document("Types", "{ __schema { types { name kind } } }".to_owned()),
        ];
        for of in fields {
            let columns: Vec<&str> = of.columns.iter().take(4).map(String::as_str).collect();
            let query = format!("{{ {}(limit: 5) {{ {} }} }}", of.list, columns.join(" "));
            items.push(document(&format!("List {}", of.list), query));
        }
        let made = fields.iter().find_map(|of| {
            let resource = model
                .resources
                .iter()
                .find(|resource| resource.table.name == of.table)?;
            mutation(of, resource)
        });
        if let Some((name, query)) = made {
            items.push(document(&name, query));
        }
        items
    }

    /// A request; parameters with their value and whether they are sent.
    fn request(
        &self,
        name: &str,
        method: &str,
        path: &str,
        query: Vec<Parameter>,
        body: Option<Node>,
    ) -> Node {
        let writes = method != "GET";
        let mut headers = Vec::new();
        if self.key {
            headers.push(map! { "key" => "Api-Key", "value" => "{{api_key}}" });
        }
        if body.is_some() {
            headers.push(map! { "key" => "Content-Type", "value" => "application/json" });
        }
        if writes {
            headers.push(map! {
                "key" => "Prefer", "value" => "tx=rollback", "disabled" => true,
                "description" => "Does everything and keeps nothing",
            });
            headers.push(map! {
                "key" => "Idempotency-Key", "value" => "{{$guid}}", "disabled" => true,
                "description" => "Repeats are answered as the first request was",
            });
        }
        let mut raw = format!("{{{{baseUrl}}}}{path}");
        let sent: Vec<String> = query
            .iter()
            .filter(|parameter| parameter.sent)
            .map(|parameter| format!("{}={}", parameter.name, parameter.value))
            .collect();
        if !sent.is_empty() {
            raw = format!("{raw}?{}", sent.join("&"));
        }
        let mut url = map! {
            "raw" => raw,
            "host" => list!["{{baseUrl}}"],
            "path" => path.trim_start_matches('/').split('/').collect::<Node>(),
        };
        if !query.is_empty() {
            url.put(
                "query",
                query.into_iter().map(Parameter::node).collect::<Node>(),
            );
        }
        if path.ends_with("/:id") {
            url.put(
                "variable",
                list![map! {
                    "key" => "id", "value" => "{{row_id}}",
                    "description" => "The row's id; left as it is, that of the row last listed, or for writes last made",
                }],
            );
        }
        let mut request = map! { "method" => method, "header" => headers };
        if let Some(body) = body {
            request.put(
                "body",
                map! {
                    "mode" => "raw", "raw" => body.pretty(),
                    "options" => map! { "raw" => map! { "language" => "json" } },
                },
            );
        }
        request.put("url", url);
        map! { "name" => name, "request" => request, "response" => list![] }
    }
}

/// A parameter of an address.
struct Parameter {
    name: &'static str,
    value: String,
    description: &'static str,
    sent: bool,
}

impl Parameter {
    fn node(self) -> Node {
        let mut node = map! { "key" => self.name, "value" => self.value };
        if !self.description.is_empty() {
            node.put("description", self.description);
        }
        if !self.sent {
            node.put("disabled", true);
        }
        node
    }
}

fn disabled(name: &'static str, value: impl Into<String>, description: &'static str) -> Parameter {
    Parameter {
        name,
        value: value.into(),
        description,
        sent: false,
    }
}

fn of_list(model: &Model<'_>, table: &Table, columns: &[usize]) -> Vec<Parameter> {
    let mut parameters = of_report(table, columns);
    let related = schema::relations(model, table).next();
    if let Some(relation) = related {
        parameters.push(disabled(
            "include",
            in_list(relation.name()),
            "Related rows to add",
        ));
    }
    parameters
}

fn of_report(table: &Table, columns: &[usize]) -> Vec<Parameter> {
    let name = |at: &usize| in_list(&table.columns[*at].name);
    let first = columns.first().map(name).unwrap_or_default();
    let sorted = table
        .key
        .first()
        .or_else(|| {
            columns
                .iter()
                .find(|at| table.columns[**at].ty.ordered.is_some())
        })
        .map(name)
        .unwrap_or_default();
    let shown: Vec<String> = columns.iter().take(3).map(name).collect();
    let status = columns
        .iter()
        .find(|at| table.columns[**at].name == "status");
    let filtered = status.map_or_else(|| first.clone(), name);
    let filter = match status.map(|at| &table.columns[*at].ty) {
        Some(ty) if ty.is_number() => format!("{filtered}:1"),
        _ => format!("{filtered}.notnull:true"),
    };
    vec![
        disabled("page", "1", "Page number"),
        disabled("per_page", "25", "Rows of a page, 1000 at most"),
        disabled(
            "sort",
            format!("-{sorted}"),
            "Columns to sort by; `-` for downwards",
        ),
        disabled("fields", shown.join(","), "Columns to show"),
        disabled(
            "filter",
            filter,
            "`column:value` or `column.operator:value`",
        ),
        disabled(
            "where",
            format!("{{\"{filtered}\":{{\"notnull\":true}}}}"),
            "A condition as JSON",
        ),
        disabled("q", "text", "Text to look for"),
        disabled("count", "exact", "exact, planned or none"),
        disabled(
            "cursor",
            "",
            "Empty, then `meta.next_cursor`; goes without `page`",
        ),
    ]
}

fn of_figures(view: &Table, columns: &[usize]) -> Vec<Parameter> {
    let column = |fits: &dyn Fn(&crate::data::catalog::Column) -> bool| {
        columns
            .iter()
            .map(|at| &view.columns[*at])
            .find(|column| fits(column))
            .map(|column| in_list(&column.name))
    };
    let dimension = column(&|column| column.name == "status" || column.ty.is_text());
    let measure = column(&|column| column.ty.is_number() && !column.name.ends_with("id"));
    let date = column(&|column| column.ty.is_instant());
    let mut parameters = Vec::new();
    let mut sent = |name, value: Option<String>, description| {
        if let Some(value) = value {
            parameters.push(Parameter {
                name,
                value,
                description,
                sent: true,
            });
        }
    };
    sent(
        "dimension",
        dimension,
        "Columns that rows are put together by",
    );
    let measured = measure.is_some();
    sent("measure", measure, "Columns that figures are made of");
    let function = if measured { "sum" } else { "count" };
    sent(
        "aggregation",
        Some(function.to_owned()),
        "sum, avg, count, min or max",
    );
    if let Some(date) = date {
        parameters.push(disabled(
            "period",
            "monthly",
            "daily, weekly, monthly, quarterly or yearly; goes with `date`",
        ));
        parameters.push(disabled(
            "date",
            date,
            "The column that periods are made of; goes with `period`",
        ));
    }
    parameters.push(disabled("limit", "100", "The most groups"));
    parameters
}

/// A mutation that makes a row out of the example, if GraphQL spells all its columns as they are.
fn mutation(of: &Fields, resource: &Resource<'_>) -> Option<(String, String)> {
    let create = of.create.as_ref()?;
    let Node::Map(members) = sample::example(resource) else {
        return None;
    };
    let mut input = Vec::new();
    for (name, value) in &members {
        // An enum is no string in GraphQL; and a column may have another name there.
        let plain = of.columns.contains(name) && !of.enums.contains(name);
        if !plain || matches!(value, Node::Map(_) | Node::List(_)) {
            return None;
        }
        input.push(format!("{name}: {}", value.json()));
    }
    let shown = of.columns.first()?;
    let name = format!("Create by {create}");
    let query = format!(
        "mutation {{ {create}(input: {{ {} }}) {{ {shown} }} }}",
        input.join(", ")
    );
    (!input.is_empty()).then_some((name, query))
}

/// Remembers the first row of a list, for the request of one row.
fn remember(resource: &Resource<'_>) -> String {
    let table = resource.table;
    let key: Node = table
        .key
        .iter()
        .map(|at| table.columns[*at].name.as_str())
        .collect();
    format!(
        "const rows = pm.response.code === 200 ? pm.response.json().data : [];\n\
         if (rows.length) pm.collectionVariables.set({}, {}.map((part) => encodeURIComponent(rows[0][part])).join(','));",
        Node::from(format!("listed {}", resource.path)).json(),
        key.json(),
    )
}

/// Remembers the row that was made, for the requests that change it and take it away. The demo
/// keeps no row, nor what is done to one that it has.
fn remember_made(resource: &Resource<'_>) -> String {
    format!(
        "const made = pm.response.code === 201 && pm.response.headers.get('Location');\n\
         const demo = pm.response.headers.get('Sandlot-Mode') === 'demo';\n\
         const row = demo ? pm.collectionVariables.get({}) : made && made.split('/').pop();\n\
         if (row) pm.collectionVariables.set({}, row);",
        Node::from(format!("listed {}", resource.path)).json(),
        Node::from(format!("made {}", resource.path)).json(),
    )
}

fn folder(name: &str, items: Node) -> Node {
    map! { "name" => name, "item" => items }
}

fn event(listen: &str, script: &str) -> Node {
    map! {
        "listen" => listen,
        "script" => map! { "type" => "text/javascript", "exec" => script.lines().collect::<Node>() },
    }
}
