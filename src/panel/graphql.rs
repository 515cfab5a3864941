//! The GraphQL page: GraphiQL, served from here, and a plain form where there are no scripts.

use askama::Template;
use bytes::Bytes;
use poem::{
    Response,
    http::{Method, header},
};
use serde_json::{Value, json};

use crate::problem::Problem;

use super::{
    assets, cells,
    desk::Desk,
    is_json,
    page::{self, Shell},
};

/// What is called.
const API: &str = "/api/v1/graphql";

/// What stands in the editor at first.
const FIRST: &str = "{\n  invoices(limit: 5, where: {total: {gte: 1000}}, orderBy: [{date: DESC}]) {\n    number\n    total\n    client { name }\n  }\n}";
/// The same where the template is another one.
const PING: &str = "# Ctrl+Space says what may be asked for.\n{\n  _ping\n}";

#[derive(Template)]
#[template(path = "panel/graphql.html")]
struct GraphqlPage {
    shell: Shell,
    base: String,
    copy: i64,
    js: &'static str,
    css: &'static str,
    /// What the address asks for; none leaves the editor as it was left.
    asked: Option<String>,
    /// What stands there otherwise.
    first: &'static str,
    variables: String,
    answer: Option<String>,
    fault: Option<String>,
}

/// `GET /panel/{id}/graphql`, with the document in the address; nothing runs.
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    let asked = desk.ask.query.get("q").map(str::to_owned);
    let variables = desk.ask.query.get("v").unwrap_or_default().to_owned();
    whole(desk, asked, variables, None, None).await
}

/// `POST /panel/{id}/graphql`: what GraphiQL sends as JSON goes to the API as it is; without
/// scripts a form does the same.
pub async fn run(desk: &Desk<'_>) -> Result<Response, Problem> {
    if is_json(desk.ask.request) {
        let json = [("content-type", "application/json")];
        let body = Bytes::copy_from_slice(desk.ask.body);
        let api = desk.drawn_api();
        let reply = api.call(Method::POST, API, &json, body).await?;
        return Ok(Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(reply.body));
    }
    let form = desk.ask.form();
    let query = form.get("query").unwrap_or_default().replace("\r\n", "\n");
    let variables = form.get("variables").unwrap_or_default().to_owned();
    let (answer, fault) = match asked(&query, &variables) {
        Err(fault) => (None, Some(fault)),
        Ok(body) => match desk.drawn_api().send(Method::POST, API, &body).await {
            Ok(reply) => (Some(pretty(&reply.body)), None),
            Err(problem) => (None, Some(problem.detail.into_owned())),
        },
    };
    whole(desk, Some(query), variables, answer, fault).await
}

async fn whole(
    desk: &Desk<'_>,
    asked: Option<String>,
    variables: String,
    answer: Option<String>,
    fault: Option<String>,
) -> Result<Response, Problem> {
    let shell = desk.shell("GraphQL", "graphql").await?;
    let tables = shell.tenant.iter().flat_map(|head| &head.tables);
    let is_crm = tables.into_iter().any(|table| table.name == "invoices");
    page::page(&GraphqlPage {
        base: desk.base(),
        copy: desk.tenant.id,
        js: assets::address("graphiql.js"),
        css: assets::address("graphiql.css"),
        first: if is_crm { FIRST } else { PING },
        asked,
        variables,
        answer,
        fault,
        shell,
    })
}

fn asked(query: &str, variables: &str) -> Result<Value, String> {
    let mut body = json!({ "query": query });
    if !variables.trim().is_empty() {
        body["variables"] = serde_json::from_str(variables)
            .map_err(|error| format!("The variables are not JSON: {error}"))?;
    }
    Ok(body)
}

/// The answer with its lines and indents; as it came if it is too long for that.
fn pretty(body: &[u8]) -> String {
    const LONGEST: usize = 200_000;
    let text = String::from_utf8_lossy(body);
    if body.len() > LONGEST {
        return cells::brief(&text, LONGEST);
    }
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut chars = text.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    // Digits stay as they came, which parsing and writing would not promise.
    while let Some(c) = chars.next() {
        if quoted {
            out.push(c);
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' => {
                quoted = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                if matches!(chars.peek(), Some('}' | ']')) {
                    continue;
                }
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                if !matches!(out.chars().last(), Some('{' | '[')) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' | '\n' | '\r' | '\t' => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_laid_out_without_touching_values() {
        let made = pretty(br#"{"a":[1.10,{"b":"x,{\"y\\"}],"c":{},"d":[]}"#);
        let expected = "{\n  \"a\": [\n    1.10,\n    {\n      \"b\": \"x,{\\\"y\\\\\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}";
        assert_eq!(made, expected);
    }
}
