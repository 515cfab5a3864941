//! Operations, path by path.

use super::super::{
    model::{Model, Report, Resource, report_path},
    tree::{Node, list, map},
};
use super::{
    SUMMARY, Style,
    answers::{Does, Used, envelope, good, responses},
    brief, parts, reference,
};
use crate::data::plan::Reach;

/// All paths, and the problems that their answers share.
pub fn paths(model: &Model<'_>, style: &Style) -> (Node, Used) {
    let mut used = Used::default();
    let mut paths = Vec::new();
    let it = Writer { model, style };
    if model.whole && !style.actions {
        it.index(&mut paths, &mut used);
    }
    for resource in model.served() {
        it.resource(&mut paths, resource, &mut used);
    }
    if model.whole && !style.actions && !model.reports.is_empty() {
        it.reports(&mut paths, &mut used);
    }
    for report in &model.reports {
        it.report(&mut paths, report, &mut used);
    }
    if model.graphql.is_some() {
        paths.push(("/graphql".to_owned(), it.graphql(&mut used)));
    }
    if model.sql {
        paths.push(("/sql".to_owned(), it.sql(&mut used)));
    }
    (Node::Map(paths), used)
}

struct Writer<'w, 'a> {
    model: &'w Model<'a>,
    style: &'w Style,
}

type Paths = Vec<(String, Node)>;

impl Writer<'_, '_> {
    fn resource(&self, paths: &mut Paths, resource: &Resource<'_>, used: &mut Used) {
        let view = resource.table.kind.is_view();
        let read = if view { Does::ReadView } else { Does::Read };
        let mut rows = map! {
            "get" => self.list(resource, read, used),
        };
        if resource.creates {
            rows.put("post", self.create(resource, used));
        }
        paths.push((resource.path.clone(), rows));
        paths.push((
            format!("{}/schema", resource.path),
            map! { "get" => self.describe(resource, used) },
        ));
        if !resource.keyed() {
            return;
        }
        let mut row = map! { "parameters" => list![parts::key(resource)] };
        let data = || envelope(row_of(resource), &[]);
        row.put(
            "get",
            self.operation(
                &format!("get_{}", resource.name),
                &format!("One row of {}", resource.noun()),
                resource.noun(),
                Some("The row with this key."),
                parts::of_row(self.model, resource, self.style),
                responses(
                    read,
                    vec![("200", good(self.style, "The row", data(), &[], false))],
                    used,
                    self.style,
                ),
            ),
        );
        if resource.updates {
            for (method, word, summary) in [
                ("put", "replace", "Set columns of a row"),
                ("patch", "update", "Change columns of a row"),
            ] {
                // Both set what is given; for those who read the document as instructions, one
                // is enough.
                if self.style.actions && method == "put" {
                    continue;
                }
                row.put(method, self.change(resource, word, summary, used));
            }
        }
        if resource.deletes {
            let mut parameters = parts::of_row(self.model, resource, self.style);
            let mut gone = data();
            if !self.style.actions {
                parameters.push(parts::shared("dependents"));
                gone = parts::deleted(row_of(resource));
            }
            parameters.extend(parts::of_write(self.style, false));
            row.put(
                "delete",
                self.operation(
                    &format!("delete_{}", resource.name),
                    &format!("Take a row of {} away", resource.noun()),
                    resource.noun(),
                    Some("Answers with the row as it was."),
                    parameters,
                    responses(
                        Does::Delete,
                        vec![(
                            "200",
                            good(self.style, "The row that was", gone, WRITTEN, false),
                        )],
                        used,
                        self.style,
                    ),
                ),
            );
        }
        paths.push((format!("{}/{{id}}", resource.path), row));
    }

    fn list(&self, resource: &Resource<'_>, read: Does, used: &mut Used) -> Node {
        self.operation(
            &format!("list_{}", resource.name),
            &format!("Rows of {}", resource.noun()),
            resource.noun(),
            Some(
                resource
                    .table
                    .comment
                    .as_deref()
                    .unwrap_or("A page at a time."),
            ),
            parts::of_list(self.model, resource, self.style),
            responses(
                read,
                vec![("200", self.page(row_of(resource)))],
                used,
                self.style,
            ),
        )
    }

    fn page(&self, row: Node) -> Node {
        let rows = map! { "type" => "array", "items" => row };
        let schema = envelope(rows, &[("meta", "Meta"), ("links", "Links")]);
        good(self.style, "A page of rows", schema, &[], true)
    }

    fn describe(&self, resource: &Resource<'_>, used: &mut Used) -> Node {
        self.operation(
            &format!("describe_{}", resource.name),
            &format!("Columns, keys and rules of {}", resource.noun()),
            resource.noun(),
            Some("Columns with their types, keys, checks and relations."),
            Vec::new(),
            responses(
                Does::Describe,
                vec![("200", self.definition())],
                used,
                self.style,
            ),
        )
    }

    fn definition(&self) -> Node {
        let schema = envelope(reference("schemas", "Definition"), &[]);
        good(self.style, "What it is made of", schema, &[], false)
    }

    fn create(&self, resource: &Resource<'_>, used: &mut Used) -> Node {
        let new = reference("schemas", &format!("{}.New", resource.name));
        let mut parameters = parts::of_row(self.model, resource, self.style);
        let (body, data) = if self.style.actions {
            (json(new), row_of(resource))
        } else {
            parameters.push(parts::shared("on_conflict"));
            let many = map! { "type" => "array", "minItems" => 1_i64, "items" => new.clone() };
            let rows = map! { "type" => "array", "items" => row_of(resource) };
            let csv = map! { "schema" => map! { "type" => "string", "description" => "A line of names, then a line a row" } };
            (
                json(map! { "oneOf" => list![new, many] }).with("text/csv", csv),
                map! { "oneOf" => list![row_of(resource), rows] },
            )
        };
        parameters.extend(parts::of_write(self.style, true));
        let description = if self.style.actions {
            "Answers with the new row."
        } else {
            "Answers with what was made. An array makes all of its rows or none."
        };
        let headers: Vec<&str> = WRITTEN.iter().copied().chain(["Location"]).collect();
        let mut answers = vec![(
            "201",
            good(
                self.style,
                "The new row or rows",
                envelope(data, &[]),
                &headers,
                false,
            ),
        )];
        if !self.style.actions {
            let nothing = envelope(map! { "type" => "null" }, &[]);
            let kept = "Nothing was made: `on_conflict` left what was there";
            answers.insert(0, ("200", good(self.style, kept, nothing, WRITTEN, false)));
        }
        self.operation(
            &format!("create_{}", resource.name),
            &format!("Make rows of {}", resource.noun()),
            resource.noun(),
            Some(description),
            parameters,
            responses(Does::Create, answers, used, self.style),
        )
        .with("requestBody", body_of(body))
    }

    fn change(&self, resource: &Resource<'_>, word: &str, summary: &str, used: &mut Used) -> Node {
        let mut parameters = parts::of_row(self.model, resource, self.style);
        parameters.extend(parts::of_write(self.style, false));
        let change = reference("schemas", &format!("{}.Change", resource.name));
        let data = envelope(row_of(resource), &[]);
        self.operation(
            &format!("{word}_{}", resource.name),
            &format!("{summary} of {}", resource.noun()),
            resource.noun(),
            Some("The columns that are given are set, the others stay as they are."),
            parameters,
            responses(
                Does::Update,
                vec![(
                    "200",
                    good(self.style, "The row as it is now", data, WRITTEN, false),
                )],
                used,
                self.style,
            ),
        )
        .with("requestBody", body_of(json(change)))
    }

    fn report(&self, paths: &mut Paths, report: &Report<'_>, used: &mut Used) {
        // What a report reads is always among the resources.
        let Some(resource) = self
            .model
            .resources
            .iter()
            .find(|resource| resource.table.name == report.view.name)
        else {
            return;
        };
        let path = report_path(&report.slug);
        let rows = self.operation(
            &format!("rows_of_{}", report.name),
            &format!("Rows of the report {}", report.title),
            "Reports",
            Some(
                report
                    .view
                    .comment
                    .as_deref()
                    .unwrap_or("A page at a time."),
            ),
            parts::of_list(self.model, resource, self.style),
            responses(
                Does::ReadView,
                vec![("200", self.page(row_of(resource)))],
                used,
                self.style,
            ),
        );
        let describe = self.operation(
            &format!("columns_of_{}", report.name),
            &format!("Columns of the report {}", report.title),
            "Reports",
            Some("Columns with their types."),
            Vec::new(),
            responses(
                Does::ReadView,
                vec![("200", self.definition())],
                used,
                self.style,
            ),
        );
        let figures = self.operation(
            &format!("figures_of_{}", report.name),
            &format!("Figures over the report {}", report.title),
            "Reports",
            Some("Rows are put together by dimensions and by periods of a date; without a measure they are counted."),
            parts::of_figures(report.view, &report.columns, self.style),
            responses(
                Does::Aggregate,
                vec![("200", self.figures())],
                used, self.style),
        );
        paths.push((path.clone(), map! { "get" => rows }));
        paths.push((format!("{path}/schema"), map! { "get" => describe }));
        paths.push((format!("{path}/aggregate"), map! { "get" => figures }));
    }

    fn figures(&self) -> Node {
        let schema = envelope(reference("schemas", "Figures"), &[]);
        good(self.style, "Figures, one object a group", schema, &[], true)
    }

    fn index(&self, paths: &mut Paths, used: &mut Used) {
        for (path, id, summary) in [
            ("/", "index", "Tables and views within reach"),
            ("/tables", "tables", "Tables within reach"),
        ] {
            if id == "tables" && matches!(self.model.rules.tables, Reach::Nothing(_)) {
                continue;
            }
            paths.push((path.to_owned(), self.entries(id, summary, "API", used)));
        }
    }

    fn reports(&self, paths: &mut Paths, used: &mut Used) {
        let entries = self.entries("reports", "Reports within reach", "Reports", used);
        paths.push(("/reports".to_owned(), entries));
    }

    fn entries(&self, id: &str, summary: &str, tag: &str, used: &mut Used) -> Node {
        let entries = map! { "type" => "array", "items" => reference("schemas", "Entry") };
        let answer = good(
            self.style,
            "What there is",
            envelope(entries, &[]),
            &[],
            false,
        );
        let operation = self.operation(
            id,
            summary,
            tag,
            Some("Each with links to what it leads to."),
            Vec::new(),
            responses(Does::Describe, vec![("200", answer)], used, self.style),
        );
        map! { "get" => operation }
    }

    fn graphql(&self, used: &mut Used) -> Node {
        let example = self.model.graphql.iter().flatten().next().map_or_else(
            || "{ _ping }".to_owned(),
            |fields| {
                let columns: Vec<&str> =
                    fields.columns.iter().take(4).map(String::as_str).collect();
                format!(
                    "{{ {}(limit: 5) {{ {} }} }}",
                    fields.list,
                    columns.join(" ")
                )
            },
        );
        let schema = map! {
            "type" => "object",
            "required" => list!["query"],
            "properties" => map! {
                "query" => map! { "type" => "string", "description" => "A document: queries or mutations" },
                "variables" => map! { "type" => list!["object", "null"] },
                "operationName" => map! { "type" => list!["string", "null"], "description" => "Which operation of the document" },
            },
            "examples" => list![map! { "query" => example, "variables" => map! {}, "operationName" => Node::Null }],
        };
        let mut answer = good(
            self.style,
            "The data, and what went wrong with parts of it",
            reference("schemas", "GraphqlAnswer"),
            WRITTEN,
            false,
        );
        if let Some(content) = answer.get_mut("content") {
            content.put(
                "application/graphql-response+json",
                map! { "schema" => reference("schemas", "GraphqlAnswer") },
            );
        }
        let operation = self
            .operation(
                "graphql",
                "Run a GraphQL document",
                "GraphQL",
                Some("Introspection is on. All mutations of an operation are kept together, or none."),
                parts::of_write(self.style, false),
                responses(Does::Graphql, vec![("200", answer)], used, self.style),
            )
            .with("requestBody", body_of(json(schema)));
        map! { "post" => operation }
    }

    fn sql(&self, used: &mut Used) -> Node {
        let schema = map! {
            "type" => "object",
            "required" => list!["query"],
            "properties" => map! {
                "query" => map! { "type" => "string", "description" => "One statement, with parameters `$1`, `$2`, .." },
                "params" => map! { "type" => "array", "items" => map! {} },
            },
            "examples" => list![map! { "query" => "select 1 as one", "params" => list![] }],
        };
        let answer = map! {
            "type" => "object",
            "required" => list!["columns", "rows", "affected_tables", "rows_affected", "truncated", "runtime_seconds"],
            "properties" => map! {
                "columns" => map! { "type" => "array", "items" => map! {
                    "type" => "object",
                    "properties" => map! { "name" => map! { "type" => "string" }, "type" => map! { "type" => "string" } },
                } },
                "rows" => map! { "type" => "array", "items" => map! { "type" => "object" } },
                "affected_tables" => map! { "type" => "array", "items" => map! { "type" => "string" } },
                "rows_affected" => map! { "type" => list!["integer", "null"] },
                "truncated" => map! { "type" => "boolean" },
                "runtime_seconds" => map! { "type" => "number" },
            },
        };
        let answer = good(
            self.style,
            "What the statement gave",
            answer,
            WRITTEN,
            false,
        );
        let operation = self
            .operation(
                "sql",
                "Run an SQL statement",
                "SQL",
                Some("Any one statement that PostgreSQL allows inside a transaction, run as the tenant."),
                parts::of_write(self.style, false),
                responses(Does::Sql, vec![("200", answer)], used, self.style),
            )
            .with("requestBody", body_of(json(schema)));
        map! { "post" => operation }
    }

    fn operation(
        &self,
        id: &str,
        summary: &str,
        tag: &str,
        description: Option<&str>,
        parameters: Vec<Node>,
        responses: Node,
    ) -> Node {
        let mut operation = map! {
            "operationId" => id,
            "summary" => brief(summary, SUMMARY),
        };
        if let Some(description) = description {
            operation.put("description", brief(description, SUMMARY));
        }
        operation.put("tags", list![tag]);
        if !parameters.is_empty() {
            operation.put("parameters", parameters);
        }
        operation.with("responses", responses)
    }
}

/// Headers that answers to writes have at times.
const WRITTEN: &[&str] = &["Sandlot-Simulated", "Duplicate-Request"];

fn row_of(resource: &Resource<'_>) -> Node {
    reference("schemas", &format!("{}.Row", resource.name))
}

fn json(schema: Node) -> Node {
    map! { "application/json" => map! { "schema" => schema } }
}

fn body_of(content: Node) -> Node {
    map! { "required" => true, "content" => content }
}
