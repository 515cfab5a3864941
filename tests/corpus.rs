//! One set of questions, made from the catalog, asked over REST, GraphQL and plain SQL: the same
//! rows to the byte, or the same refusal. Every operator meets every type that there is.
//!
//! With `SANDLOT_EXAMPLES` naming a folder, each `NAME/NAME.sql` in it is asked too.

use std::{collections::BTreeMap, path::PathBuf};

use hyper::Method;
use sandlot::{
    data::{
        catalog::{Catalog, Column, Table},
        request::Operator,
    },
    template::load::load,
};
use serde_json::{Value, json};

use crate::{
    graphql::shown,
    harness::{Client, Server, Tenant},
};

/// How many columns of a type each operator is tried on.
const COLUMNS: usize = 2;

/// One comparison of one column.
struct Question<'a> {
    table: &'a Table,
    column: &'a Column,
    operator: Operator,
    /// Values as text, and the same as JSON.
    values: Vec<(String, String)>,
}

#[tokio::test]
async fn the_crm_answers_alike_on_all_surfaces() {
    let server = Server::start().await;
    let tenant = server.tenant("corpus").await;
    let asked = ask_all(&server, &tenant).await;
    assert!(asked >= 200, "only {asked} questions");
}

#[tokio::test]
async fn the_examples_answer_alike_on_all_surfaces() {
    let Some(folder) = std::env::var_os("SANDLOT_EXAMPLES") else {
        return;
    };
    let mut asked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let folder: PathBuf = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let file = folder.join(format!("{name}.sql"));
        let sql = std::fs::read_to_string(&file).unwrap();
        let server = Server::start().await;
        let mut platform = server.connect_as("sandlot").await;
        load(&mut platform, &sql, &name).await.unwrap();
        let tenant = server.tenant("corpus").await;
        asked += ask_all(&server, &tenant).await;
    }
    assert!(asked >= 300, "only {asked} questions");
    println!("{asked} questions");
}

/// Asks every question of a tenant's schema, and says how many there were.
async fn ask_all(server: &Server, tenant: &Tenant) -> usize {
    let (catalog, shape) = shown(server, tenant).await;
    let sql = server.superuser().await;
    let path = format!(
        "set search_path = \"{}\"; set time zone 'UTC'",
        tenant.schema
    );
    sql.batch_execute(&path).await.unwrap();
    let questions = questions(&catalog, &sql).await;
    let mut answered = 0;
    for question in &questions {
        let rest = over_rest(&tenant.admin, question).await;
        let Some(field) = shape.get(&question.table.name) else {
            panic!("{} is no field", question.table.name)
        };
        let graphql = over_graphql(&tenant.admin, question, field).await;
        let what = || {
            let (table, column) = (&question.table.name, &question.column.name);
            format!(
                "{table}.{column} {} {:?}",
                question.operator.name(),
                question.values
            )
        };
        assert_eq!(rest, graphql, "{}", what());
        if let Ok(rest) = rest {
            answered += 1;
            let rows = sql.query_one(&by_sql(question), &[]).await;
            let rows: Option<String> = rows.unwrap_or_else(|e| panic!("{}: {e:?}", what())).get(0);
            assert_eq!(rest, rows.unwrap_or_default(), "{}", what());
        }
    }
    assert!(
        answered * 10 >= questions.len() * 9,
        "only {answered} are no refusals"
    );
    questions.len()
}

/// Every operator on the first columns of each type, in each kind of table.
async fn questions<'a>(catalog: &'a Catalog, sql: &tokio_postgres::Client) -> Vec<Question<'a>> {
    let mut used: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut questions = Vec::new();
    for table in catalog
        .tables
        .iter()
        .filter(|table| table.has_key() && table.name != "users")
    {
        for column in &table.columns {
            let known = used.entry((&column.ty.shown, column.nullable)).or_default();
            if *known == COLUMNS {
                continue;
            }
            let text = format!(
                "select {0}::text, to_json({0})::text from {1} where {0} is not null
                  group by {0}::text, to_json({0})::text order by md5({0}::text) limit 3",
                quote(&column.name),
                quote(&table.name)
            );
            let values: Vec<(String, String)> = sql
                .query(&text, &[])
                .await
                .unwrap()
                .iter()
                .map(|row| (row.get(0), row.get(1)))
                .collect();
            if values.is_empty() {
                continue;
            }
            *known += 1;
            for (_, operator) in Operator::ALL {
                questions.push(Question {
                    table,
                    column,
                    operator,
                    values: chosen(operator, &values),
                });
            }
        }
    }
    questions
}

/// The values that an operator is asked with.
fn chosen(operator: Operator, values: &[(String, String)]) -> Vec<(String, String)> {
    let first = values[0].clone();
    match operator {
        Operator::Null | Operator::NotNull => vec![("true".into(), "true".into())],
        Operator::In | Operator::Nin => values.to_vec(),
        Operator::Between => vec![first, values[values.len() - 1].clone()],
        Operator::Like | Operator::Ilike => {
            let start: String = first.0.chars().take(2).collect();
            let pattern = start.replace('\\', "\\\\") + "%";
            vec![(pattern.clone(), json!(pattern).to_string())]
        }
        _ => vec![first],
    }
}

/// The rows as text, or the slug of the refusal.
async fn over_rest(client: &Client, question: &Question<'_>) -> Result<String, String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let values: Vec<String> = question
        .values
        .iter()
        .map(|(text, _)| quoted(text))
        .collect();
    let filter = format!(
        "filter[{}.{}]",
        quoted(&question.column.name),
        question.operator.name()
    );
    let path = format!(
        "/api/v1/tables/{}?per_page=1000&count=none&{}={}",
        encode(&question.table.name),
        encode(&filter),
        encode(&values.join(","))
    );
    let answer = client.get(&path).await;
    if answer.status >= 400 {
        let kind = answer.json()["type"].as_str().unwrap().to_owned();
        return Err(kind.rsplit("#error-").next().unwrap().to_owned());
    }
    let text = answer.text();
    let rows = text.strip_prefix("{\"data\":[").unwrap();
    Ok(rows[..rows.find("],\"meta\":").unwrap()].to_owned())
}

async fn over_graphql(
    client: &Client,
    question: &Question<'_>,
    (field, ty): &(String, String),
) -> Result<String, String> {
    let columns: Vec<&str> = question
        .table
        .columns
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    let query = format!(
        "query($where: {ty}Where) {{ {field}(limit: 1000, where: $where) {{ {} }} }}",
        columns.join(" ")
    );
    let values: Vec<&str> = question
        .values
        .iter()
        .map(|(_, json)| json.as_str())
        .collect();
    let value = match question.operator.takes_list() {
        true => format!("[{}]", values.join(",")),
        false => values[0].to_owned(),
    };
    // Put together as text, so that numbers keep their digits.
    let body = format!(
        r#"{{"query":{},"variables":{{"where":{{"{}":{{"{}":{value}}}}}}}}}"#,
        json!(query),
        question.column.name,
        question.operator.name()
    );
    let answer = client
        .call(Method::POST, "/api/v1/graphql", Some(body.into()))
        .await
        .expect(200);
    let text = answer.text();
    let start = format!("{{\"data\":{{\"{field}\":[");
    match text
        .strip_prefix(&start)
        .and_then(|rows| rows.strip_suffix("]}}"))
    {
        Some(rows) => Ok(rows.to_owned()),
        None => {
            let answer: Value = answer.json();
            let slug = answer["errors"][0]["extensions"]["slug"].as_str();
            Err(slug.unwrap_or(&text).to_owned())
        }
    }
}

/// The question as one would write it by hand.
fn by_sql(question: &Question<'_>) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let column = quote(&question.column.name);
    let values: Vec<String> = question
        .values
        .iter()
        .map(|(text, _)| literal(text))
        .collect();
    let condition = match question.operator {
        Operator::Eq => format!("{column} = {}", values[0]),
        Operator::Neq => format!("{column} <> {}", values[0]),
        Operator::Gt => format!("{column} > {}", values[0]),
        Operator::Gte => format!("{column} >= {}", values[0]),
        Operator::Lt => format!("{column} < {}", values[0]),
        Operator::Lte => format!("{column} <= {}", values[0]),
        Operator::Like => format!("{column}::text like {}", values[0]),
        Operator::Ilike => format!("{column}::text ilike {}", values[0]),
        Operator::In => format!("{column} in ({})", values.join(", ")),
        Operator::Nin => format!("{column} not in ({})", values.join(", ")),
        Operator::Between => format!("{column} between {} and {}", values[0], values[1]),
        Operator::Null => format!("{column} is null"),
        Operator::NotNull => format!("{column} is not null"),
    };
    let named = |at: &usize| quote(&question.table.columns[*at].name);
    let key: Vec<String> = question.table.key.iter().map(named).collect();
    format!(
        "select string_agg(row_to_json(r)::text, ',') from
           (select * from {} where {condition} order by {} limit 1000) as r",
        quote(&question.table.name),
        key.join(", ")
    )
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn encode(text: &str) -> String {
    let bytes = text.bytes();
    bytes
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
