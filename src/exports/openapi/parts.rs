//! What operations share: parameters, headers, envelopes.

use super::super::{
    model::{Model, Resource, in_list},
    tree::{Node, list, map},
};
use super::schema::relations;
use super::{PARAMETER, Style, brief, reference};
use crate::data::catalog::{Column, Table};
use crate::listing::parameters::{MAX_PER_PAGE, PER_PAGE};

/// References to the parameters of a list, with those that depend on the table.
pub fn of_list(model: &Model<'_>, resource: &Resource<'_>, style: &Style) -> Vec<Node> {
    let table = resource.table;
    let own = |name: &str| own(resource, name, style);
    let mut parameters = vec![
        shared("page"),
        shared("per_page"),
        own("sort"),
        own("fields"),
    ];
    parameters.push(shared("filter"));
    if !style.actions {
        parameters.push(shared("where"));
    }
    if relations(model, table).next().is_some() {
        parameters.push(own("include"));
    }
    parameters.push(shared("q"));
    if style.actions {
        return parameters;
    }
    parameters.extend(["cursor", "count"].map(shared));
    let changed = table
        .find("updated_at")
        .is_some_and(|at| resource.columns.contains(&at) && table.columns[at].ty.is_instant());
    if changed {
        parameters.push(shared("since"));
    }
    parameters
}

/// The parameters that say what of a row is shown.
pub fn of_row(model: &Model<'_>, resource: &Resource<'_>, style: &Style) -> Vec<Node> {
    let mut parameters = vec![own(resource, "fields", style)];
    if relations(model, resource.table).next().is_some() {
        parameters.push(own(resource, "include", style));
    }
    parameters
}

/// The parameters of figures over a report.
pub fn of_figures(view: &Table, columns: &[usize], style: &Style) -> Vec<Node> {
    let names = |fits: &dyn Fn(&Column) -> bool| -> Vec<String> {
        columns
            .iter()
            .map(|at| &view.columns[*at])
            .filter(|column| fits(column))
            .map(|column| in_list(&column.name))
            .collect()
    };
    let dates = names(&|column| column.ty.is_instant());
    let mut parameters = vec![
        choice(
            "dimension",
            "Columns that rows are put together by",
            names(&|_| true),
            style,
        ),
        choice(
            "measure",
            "Columns that are added up, averaged, counted or compared; without one, rows are counted",
            names(&|_| true),
            style,
        ),
        choice(
            "aggregation",
            "What is done with the measures; `sum` if nothing is said",
            ["sum", "avg", "count", "min", "max"]
                .map(str::to_owned)
                .to_vec(),
            style,
        ),
    ];
    if !dates.is_empty() {
        parameters.push(one_of(
            "period",
            "Stretches of time that rows are put together by",
            ["daily", "weekly", "monthly", "quarterly", "yearly"]
                .map(str::to_owned)
                .to_vec(),
        ));
        parameters.push(one_of(
            "date",
            "The column that periods are made of, where there are several",
            dates,
        ));
    }
    parameters.push(map! {
        "name" => "sort", "in" => "query",
        "description" => "Members of the answer to sort groups by; `-` in front of one sorts it downwards",
        "schema" => map! { "type" => "string" },
    });
    parameters.push(map! {
        "name" => "limit", "in" => "query", "description" => "The most groups",
        "schema" => map! { "type" => "integer", "minimum" => 1_i64, "maximum" => 1000_i64, "default" => 1000_i64 },
    });
    parameters.extend(["filter", "where", "q"].map(shared));
    parameters
}

/// A row's key in its address.
pub fn key(resource: &Resource<'_>) -> Node {
    let table = resource.table;
    let names: Vec<&str> = table
        .key
        .iter()
        .map(|at| table.columns[*at].name.as_str())
        .collect();
    let description = match names.as_slice() {
        [one] => format!("The row's `{one}`"),
        all => format!("`{}` of the row, joined by commas", all.join("`, `")),
    };
    map! {
        "name" => "id", "in" => "path", "required" => true,
        "description" => brief(&description, PARAMETER),
        "schema" => super::schema::key(table),
    }
}

/// The headers that a write takes, where the reader of the document can send headers.
pub fn of_write(style: &Style, creates: bool) -> Vec<Node> {
    if style.actions {
        return Vec::new();
    }
    let prefer = if creates { "Prefer.create" } else { "Prefer" };
    vec![shared(prefer), shared("Idempotency-Key")]
}

/// A reference to a shared parameter.
pub fn shared(name: &str) -> Node {
    reference("parameters", name)
}

/// The parameters that depend on a table, for `components`.
pub fn own_parameters(
    model: &Model<'_>,
    resource: &Resource<'_>,
    style: &Style,
) -> Vec<(String, Node)> {
    let table = resource.table;
    let columns = || resource.columns.iter().map(|at| &table.columns[*at]);
    let both = columns()
        .filter(|column| column.ty.ordered.is_some())
        .map(|column| in_list(&column.name))
        .flat_map(|name| [name.clone(), format!("-{name}")]);
    let related = relations(model, table).map(|relation| in_list(relation.name()));
    let fields = columns().map(|column| in_list(&column.name));
    [
        ("sort", "Columns to sort by; `-` in front of one sorts it downwards", both.collect()),
        ("fields", "Columns to show; all if it is left out", fields.collect()),
        (
            "include",
            "Related rows to add; a point goes on from there, and `fields[name]` shows part of them",
            related.collect(),
        ),
    ]
    .map(|(name, description, names)| {
        let parameter = choice(name, description, names, style);
        (format!("{}.{name}", resource.name), parameter)
    })
    .into()
}

/// All shared parameters, for `components`.
pub fn parameters(style: &Style) -> Node {
    let query = |name: &str, description: &str, schema: Node| {
        map! { "name" => name, "in" => "query", "description" => description, "schema" => schema }
    };
    let header = |name: &str, description: &str, schema: Node| {
        map! { "name" => name, "in" => "header", "description" => description, "schema" => schema }
    };
    let text = || map! { "type" => "string" };
    let mut parameters = map! {
        "page" => query("page", "Number of the page, from 1",
            map! { "type" => "integer", "minimum" => 1_i64, "default" => 1_i64 }),
        "per_page" => query("per_page", "Rows of a page",
            map! { "type" => "integer", "minimum" => 1_i64, "maximum" => MAX_PER_PAGE, "default" => PER_PAGE }),
        "filter" => map! {
            "name" => "filter", "in" => "query", "style" => "form", "explode" => true,
            "description" => "`column:value` or `column.operator:value`; several are joined by and. \
                Operators: eq, neq, gt, gte, lt, lte, like, ilike, in, nin, between, null, notnull. \
                Lists are separated by commas; names and values may stand in double quotes. \
                `filter[total.gte]=1000` says the same.",
            "schema" => map! { "type" => "array", "items" => map! {
                "type" => "string", "pattern" => "^[^:]+:", "examples" => list!["status:1"],
            } },
        },
        "where" => query("where", "A condition as JSON, for groups of and, or and not: \
            `{\"or\": [{\"total\": {\"gte\": 1000}}, {\"status\": {\"eq\": 1}}]}`",
            map! { "type" => "string", "contentMediaType" => "application/json" }),
        "q" => query("q", "Rows with this text in one of their text columns", text()),
        "cursor" => query("cursor", "Goes through all rows without skipping or repeating any: empty for \
            the first page, then `meta.next_cursor` of the page before. Goes without `page`.", text()),
        "count" => query("count", "How all rows are counted: exactly, as Postgres' planner guesses, or not at all",
            map! { "type" => "string", "enum" => list!["exact", "planned", "none"], "default" => "exact" }),
        "since" => query("since", "Rows whose `updated_at` is not before this instant",
            map! { "type" => "string", "format" => "date-time" }),
    };
    if style.actions {
        parameters.put(
            "sort",
            query(
                "sort",
                "Columns separated by commas; `-` in front of one sorts it downwards",
                text(),
            ),
        );
        parameters.put(
            "fields",
            query(
                "fields",
                "Columns to show, separated by commas; all if it is left out",
                text(),
            ),
        );
        return parameters;
    }
    parameters.put(
        "on_conflict",
        query(
            "on_conflict",
            "Columns of a unique key: rows that are there already are \
        changed or left, as `Prefer: resolution=..` says, which it needs",
            text(),
        ),
    );
    parameters.put(
        "Prefer",
        header(
            "Prefer",
            "`tx=rollback` does everything and keeps nothing",
            map! { "type" => "string", "examples" => list!["tx=rollback"] },
        ),
    );
    parameters.put(
        "Prefer.create",
        header(
            "Prefer",
            "`tx=rollback` does everything and keeps nothing; \
        `resolution=merge-duplicates` or `resolution=ignore-duplicates` goes with `on_conflict`",
            map! { "type" => "string", "examples" => list!["tx=rollback"] },
        ),
    );
    parameters.put(
        "Idempotency-Key",
        header(
            "Idempotency-Key",
            "A repeated request with the same key is answered as the \
        first one was and not run again, for 24 hours",
            map! { "type" => "string", "minLength" => 1_i64, "maxLength" => 255_i64 },
        ),
    );
    parameters
}

/// Headers of answers, for `components`.
pub fn headers() -> Node {
    let header =
        |description: &str, schema: Node| map! { "description" => description, "schema" => schema };
    let text = || map! { "type" => "string" };
    map! {
        "Sandlot-Mode" => header("Which data the answer is about",
            map! { "type" => "string", "enum" => list!["live", "template", "demo"] }),
        "Sandlot-Simulated" => header("`true` on a write that was not kept",
            map! { "type" => "string", "enum" => list!["true"] }),
        "Duplicate-Request" => header("`true` on an answer that was given before",
            map! { "type" => "string", "enum" => list!["true"] }),
        "X-Request-Id" => header("The request's id, taken from the request where it has one", text()),
        "Location" => header("Where the new row is, if it is one and has a key", text()),
        "Retry-After" => header("Seconds to wait", map! { "type" => "integer", "minimum" => 0_i64 }),
        "RateLimit" => header("What is left of the limit", text()),
        "RateLimit-Policy" => header("The limit", text()),
    }
}

/// Schemas that are not a table's, for `components`.
pub fn schemas(style: &Style) -> Node {
    let nullable = |kind: &str| map! { "type" => list![kind, "null"] };
    let text = || map! { "type" => "string" };
    let mut schemas = map! {
        "Problem" => super::answers::problem_schema(),
        "Meta" => map! {
            "type" => "object",
            "required" => list!["current_page", "per_page", "total", "total_pages", "next_cursor"],
            "properties" => map! {
                "current_page" => nullable("integer"),
                "per_page" => map! { "type" => "integer" },
                "total" => nullable("integer"),
                "total_pages" => nullable("integer"),
                "next_cursor" => nullable("string"),
            },
        },
        "Links" => map! {
            "type" => "object",
            "required" => list!["self", "first", "prev", "next", "last"],
            "properties" => map! {
                "self" => text(),
                "first" => nullable("string"), "prev" => nullable("string"),
                "next" => nullable("string"), "last" => nullable("string"),
            },
        },
        "Definition" => map! {
            "type" => "object",
            "description" => "What a table, view or report is made of",
            "required" => list!["kind", "columns"],
            "properties" => map! {
                "name" => text(),
                "kind" => text(),
                "comment" => nullable("string"),
                "primary_key" => map! { "type" => "array", "items" => text() },
                "columns" => map! { "type" => "array", "items" => map! {
                    "type" => "object",
                    "required" => list!["name", "type"],
                    "properties" => map! {
                        "name" => text(), "type" => text(), "nullable" => map! { "type" => "boolean" },
                    },
                } },
            },
        },
        "Figures" => map! {
            "type" => "array",
            "description" => "One object a group: its dimensions, its period, its measures",
            "items" => map! { "type" => "object" },
        },
        "GraphqlAnswer" => map! {
            "type" => "object",
            "properties" => map! {
                "data" => nullable("object"),
                "errors" => map! { "type" => "array", "items" => map! {
                    "type" => "object",
                    "required" => list!["message"],
                    "properties" => map! {
                        "message" => text(),
                        "path" => map! { "type" => "array", "items" => map! {} },
                        "extensions" => map! { "type" => "object" },
                    },
                } },
            },
        },
    };
    if !style.actions {
        schemas.put(
            "Entry",
            map! {
                "type" => "object",
                "required" => list!["links"],
                "properties" => map! {
                    "name" => text(), "kind" => text(), "comment" => nullable("string"),
                    "slug" => text(), "title" => text(), "view" => text(),
                    "links" => map! { "type" => "object", "additionalProperties" => text() },
                },
            },
        );
    }
    schemas
}

/// A reference to a parameter that depends on the table; a reader of instructions gets by with
/// one for all tables.
fn own(resource: &Resource<'_>, name: &str, style: &Style) -> Node {
    if style.actions && name != "include" {
        return shared(name);
    }
    shared(&format!("{}.{name}", resource.name))
}

/// A list of names, separated by commas, out of those there are.
fn choice(name: &str, description: &str, names: Vec<String>, style: &Style) -> Node {
    let mut parameter = map! { "name" => name, "in" => "query" };
    if style.actions {
        let all = format!("{description}. Separated by commas: {}", names.join(", "));
        parameter.put("description", brief(&all, PARAMETER));
        return parameter.with("schema", map! { "type" => "string" });
    }
    parameter.put("style", "form");
    parameter.put("explode", false);
    parameter.put("description", description);
    let items = map! { "type" => "string", "enum" => names.into_iter().collect::<Node>() };
    parameter.with(
        "schema",
        map! { "type" => "array", "minItems" => 1_i64, "items" => items },
    )
}

/// One of several words.
fn one_of(name: &str, description: &str, names: Vec<String>) -> Node {
    map! {
        "name" => name, "in" => "query", "description" => description,
        "schema" => map! { "type" => "string", "enum" => names.into_iter().collect::<Node>() },
    }
}
