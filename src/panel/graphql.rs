//! The GraphQL console: a document and its variables, the answer, and what may be asked.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::problem::Problem;

use super::{
    cells,
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
};

/// What stands in the console at first.
const FIRST: &str = "{\n  invoices(limit: 5, where: {total: {gte: 1000}}, orderBy: [{date: DESC}]) {\n    number\n    total\n    client { name }\n  }\n}";

/// What is asked of the schema: the fields at the top of queries and mutations.
const SCHEMA: &str = "{ __schema { queryType { fields { ...f } } mutationType { fields { ...f } } } } \
    fragment f on __Field { name args { name type { ...t } } type { ...t } } \
    fragment t on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

#[derive(Template)]
#[template(path = "panel/graphql.html")]
struct GraphqlPage {
    shell: Shell,
    base: String,
    query: String,
    variables: String,
    answer: Option<String>,
    fault: Option<String>,
    fields: Vec<(&'static str, Vec<String>)>,
}

#[derive(Template)]
#[template(path = "panel/graphql_answer.html")]
struct AnswerPart {
    answer: Option<String>,
    fault: Option<String>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    args: Vec<Argument>,
    #[serde(rename = "type")]
    ty: Type,
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    #[serde(rename = "type")]
    ty: Type,
}

#[derive(Deserialize)]
struct Type {
    kind: String,
    name: Option<String>,
    #[serde(rename = "ofType")]
    of: Option<Box<Type>>,
}

/// `GET /panel/{id}/graphql`, with the document in the address; nothing runs.
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    let query = desk.ask.query.get("q").unwrap_or(FIRST).to_owned();
    let variables = desk.ask.query.get("v").unwrap_or_default().to_owned();
    whole(desk, query, variables, None, None).await
}

/// `POST /panel/{id}/graphql`
pub async fn run(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let query = form.get("query").unwrap_or_default().replace("\r\n", "\n");
    let variables = form.get("variables").unwrap_or_default().to_owned();
    let (answer, fault) = match asked(&query, &variables) {
        Err(fault) => (None, Some(fault)),
        Ok(body) => match desk
            .drawn_api()
            .send(Method::POST, "/api/v1/graphql", &body)
            .await
        {
            Ok(reply) => (Some(pretty(&reply.body)), None),
            Err(problem) => (None, Some(problem.detail.into_owned())),
        },
    };
    if !page::is_fragment(desk.ask.request) {
        return whole(desk, query, variables, answer, fault).await;
    }
    let mut response = page::page(&AnswerPart { answer, fault })?;
    let mut state = vec![("q".to_owned(), query)];
    if !variables.is_empty() {
        state.push(("v".to_owned(), variables));
    }
    let address = Pairs(state).behind(&format!("{}/graphql", desk.base()));
    if address.len() < 3000 {
        page::put(&mut response, "hx-push-url", &address);
    }
    Ok(response)
}

async fn whole(
    desk: &Desk<'_>,
    query: String,
    variables: String,
    answer: Option<String>,
    fault: Option<String>,
) -> Result<Response, Problem> {
    page::page(&GraphqlPage {
        shell: desk.shell("GraphQL", "graphql").await?,
        base: desk.base(),
        fields: fields(desk).await,
        query,
        variables,
        answer,
        fault,
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

/// What may be asked, as the schema itself tells; nothing if it can't.
async fn fields(desk: &Desk<'_>) -> Vec<(&'static str, Vec<String>)> {
    let body = json!({ "query": SCHEMA });
    let Ok(reply) = desk
        .api()
        .unnoted()
        .send(Method::POST, "/api/v1/graphql", &body)
        .await
    else {
        return Vec::new();
    };
    let Ok(answer) = reply.json::<Value>() else {
        return Vec::new();
    };
    let part = |title: &'static str, root: &str| {
        let fields = &answer["data"]["__schema"][root]["fields"];
        let fields: Vec<Field> = serde_json::from_value(fields.clone()).ok()?;
        Some((title, fields.iter().map(spelt).collect()))
    };
    [
        part("Queries", "queryType"),
        part("Mutations", "mutationType"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn spelt(field: &Field) -> String {
    let args: Vec<String> = field
        .args
        .iter()
        .map(|argument| format!("{}: {}", argument.name, argument.ty.spelt()))
        .collect();
    if args.is_empty() {
        return format!("{}: {}", field.name, field.ty.spelt());
    }
    format!("{}({}): {}", field.name, args.join(", "), field.ty.spelt())
}

impl Type {
    fn spelt(&self) -> String {
        let inner = || self.of.as_ref().map_or_else(String::new, |of| of.spelt());
        match self.kind.as_str() {
            "NON_NULL" => format!("{}!", inner()),
            "LIST" => format!("[{}]", inner()),
            _ => self.name.clone().unwrap_or_default(),
        }
    }
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
