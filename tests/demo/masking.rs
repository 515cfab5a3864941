//! Nothing of a masked value is to be had: not by reading, sorting, counting or failing, and not from definitions.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hyper::Method;
use sandlot::demo::Generation;
use seed::crm::checks::CHECKS;
use serde_json::{Value, json};
use tokio_postgres::Client as Postgres;

use super::demo;
use crate::harness::{Client, Server};

/// The check that the demo does not keep: its rows are numbered as the template's are, and their dates are made up.
const LEFT_OUT: &str = "numbers follow time: the highest is the latest";

#[tokio::test]
async fn what_adds_up_in_the_template_adds_up_in_the_demo() {
    let server = Server::start().await;
    let (_, made) = demo(&server, 11).await;
    let report = server.app.demo.explain().await.unwrap();
    assert_eq!(report.empty, []);
    assert_eq!(report.left_out, []);
    let superuser = server.superuser().await;
    for (rule, sql) in CHECKS.iter().filter(|(rule, _)| *rule != LEFT_OUT) {
        let sql = sql.replace("public.", &format!("{}.", made.identity.schema));
        let broken: i64 = superuser.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(broken, 0, "{rule}");
    }
    // The same rows, null where they were null, pointing where they pointed.
    for table in tables(&superuser, "public").await {
        let columns = columns(&superuser, &made.identity.schema, &table).await;
        let nulls: Vec<String> = columns
            .iter()
            .map(|column| format!("count(\"{column}\")"))
            .collect();
        let mut counts = Vec::new();
        for schema in ["public", made.identity.schema.as_str()] {
            let sql = format!(
                "select array[count(*), {}] from {schema}.\"{table}\"",
                nulls.join(", ")
            );
            let counted: Vec<i64> = superuser.query_one(&sql, &[]).await.unwrap().get(0);
            counts.push(counted);
        }
        assert_eq!(counts[0], counts[1], "{table}");
    }
}

#[tokio::test]
async fn a_seed_gives_the_same_bytes_anywhere_and_another_one_others() {
    let (one, two) = (Server::start().await, Server::start().await);
    let (_, first) = demo(&one, 5).await;
    let (_, second) = demo(&two, 5).await;
    let content = one.content(&first.identity.schema).await;
    assert!(content.len() > 20);
    assert_eq!(content, two.content(&second.identity.schema).await);

    let (_, other) = demo(&one, 6).await;
    let report = one.app.demo.explain().await.unwrap();
    let superuser = one.superuser().await;
    let (mut cells, mut same) = (0, 0);
    for line in report
        .columns
        .iter()
        .filter(|line| line.verdict == "masked")
    {
        let (table, column) = (&line.table, &line.column);
        let numbered = |schema: &str| {
            format!(
                "select row_number() over (order by ctid) as n, \"{column}\" as v from {schema}.\"{table}\""
            )
        };
        let key = columns(&superuser, &first.identity.schema, table)
            .await
            .contains(&"id".to_owned());
        let pair = |schema: &str| {
            if key {
                format!("select id as n, \"{column}\" as v from {schema}.\"{table}\"")
            } else {
                numbered(schema)
            }
        };
        let sql = format!(
            "select count(*) filter (where a.v is not null), count(*) filter (where a.v::text = b.v::text) from ({}) a join ({}) b using (n)",
            pair(&first.identity.schema),
            pair(&other.identity.schema)
        );
        let row = superuser.query_one(&sql, &[]).await.unwrap();
        cells += row.get::<_, i64>(0);
        same += row.get::<_, i64>(1);
    }
    assert!(cells > 100_000, "{cells}");
    assert!(same * 100 <= cells, "{same} of {cells} cells are the same");
}

#[tokio::test]
async fn answers_tell_nothing_of_what_is_masked() {
    let (one, two) = (Server::start().await, Server::start().await);
    // Another template of the same shape: in every masked cell stands something else.
    let (_, other) = demo(&two, 99).await;
    let masked = masked_columns(&two).await;
    replace(&two, &other, &masked).await;
    let (first, _) = demo(&one, 7).await;
    let (second, _) = demo(&two, 7).await;
    let requests = requests(&one).await;
    assert!(requests.len() >= 500, "{}", requests.len());
    for request in &requests {
        let (a, b) = (ask(&first, request).await, ask(&second, request).await);
        assert_eq!(a.0, b.0, "{request:?}");
        assert_eq!(a.1, b.1, "{request:?}");
    }
}

#[tokio::test]
async fn no_marker_in_a_masked_cell_comes_out_anywhere() {
    let server = Server::start().await;
    let superuser = server.superuser().await;
    // Types that no rule knows, and texts in every kind of definition.
    superuser
        .batch_execute(&format!(
            "alter table public.clients add column odd pg_lsn, add column planted text default '{MARKER}-default',
                 add constraint planted_check check (planted <> '{MARKER}-check');
             comment on table public.clients is '{MARKER}-comment';
             comment on column public.clients.name is '{MARKER}-comment';
             create view public.planted_view as select id, '{MARKER}-view'::text as told from public.clients;
             create function public.planted() returns text language sql as $$ select '{MARKER}-body'::text $$;
             set session_replication_role = replica;"
        ))
        .await
        .unwrap();
    let mut planted = 0;
    for table in tables(&superuser, "public").await {
        planted += plant(&superuser, &table).await;
    }
    assert!(planted > 80, "{planted} columns");
    let (anybody, made) = demo(&server, 3).await;
    assert!(
        server
            .app
            .demo
            .explain()
            .await
            .unwrap()
            .text()
            .contains("view planted_view: left out")
    );
    let forms = forms();
    let mut looked = 0;
    for request in requests(&server).await.iter().chain(&more()) {
        let (head, body) = ask(&anybody, request).await;
        for text in [head, body] {
            looked += text.len();
            let found = forms
                .iter()
                .find(|form| text.to_lowercase().contains(form.as_str()));
            assert_eq!(found, None, "{request:?}: {text:.400}");
        }
    }
    assert!(looked > 1_000_000, "{looked} bytes");
    // Nor is it there at rest, whatever one may ask.
    for table in tables(&superuser, &made.identity.schema).await {
        let sql = format!(
            "select count(*) from {}.\"{table}\" t where lower(t::text) like '%{}%'",
            made.identity.schema, CORE
        );
        let found: i64 = superuser.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(found, 0, "{table}");
    }
}

/// What no word of any language holds.
const CORE: &str = "xqzjvwkxqg";
const MARKER: &str = "Xqzjvwkxqg";

/// The marker in all forms that are looked for, in small letters.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for part in CORE.as_bytes().windows(8) {
        let part = String::from_utf8_lossy(part).into_owned();
        forms.push(part.chars().rev().collect());
        forms.push(hex::encode(&part));
        forms.push(part);
    }
    for text in [CORE, MARKER] {
        // Behind one or two other letters, base64 looks different; its ends depend on what is beside.
        for before in ["", "-", "--"] {
            let coded = BASE64.encode(format!("{before}{text}"));
            forms.push(coded[4..12].to_lowercase());
        }
    }
    // Numbers, days and addresses that are planted.
    forms.extend(["71717.17", "1871-07-", "10.71.71.", "7a7a7a7a/"].map(str::to_owned));
    forms
}

/// Puts a marker of its own format into every cell of a column that may tell something, and says into how many columns.
async fn plant(superuser: &Postgres, table: &str) -> usize {
    let sql = "select a.attname::text, t.typname::text, a.attnum::int from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = ('public.' || quote_ident($1))::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
          and not exists (select from pg_constraint k where k.conrelid = a.attrelid and a.attnum = any (k.conkey)
                          and (k.contype in ('p', 'f') or pg_get_constraintdef(k.oid) like '%ANY%'))";
    let mut count = 0;
    for row in superuser.query(sql, &[&table]).await.unwrap() {
        let (column, ty, number): (String, String, i32) = (row.get(0), row.get(1), row.get(2));
        let full = format!("{table}.{column}");
        if SHOWN.contains(&full.as_str()) {
            continue;
        }
        let text = format!("'{MARKER}{number}x' || t.n");
        let value = match ty.as_str() {
            "text" | "varchar" if column.contains("email") => {
                format!("{text} || '@' || '{MARKER}.leak'")
            }
            "text" | "varchar" => text,
            "_text" => format!("array[{text}]"),
            "jsonb" if column == "checklist" => format!("jsonb_build_array({text})"),
            "jsonb" => format!("jsonb_build_object({text}, {text})"),
            "inet" => "('10.71.71.' || t.n % 200)::inet".to_owned(),
            "pg_lsn" => "'7A7A7A7A/7A7A'::pg_lsn".to_owned(),
            "numeric"
                if !matches!(
                    column.as_str(),
                    "hourly_rate"
                        | "rate"
                        | "discount_percent"
                        | "tax_rate"
                        | "quantity"
                        | "exchange_rate"
                        | "estimated_hours"
                        | "decimals"
                ) =>
            {
                "71717.17".to_owned()
            }
            "date" => "('1871-07-01'::date + (t.n % 25)::int)".to_owned(),
            _ => continue,
        };
        let sql = format!(
            "update public.\"{table}\" p set \"{column}\" = {value} from (select ctid as at, row_number() over (order by ctid) as n from public.\"{table}\") t
             where p.ctid = t.at and p.\"{column}\" is not null"
        );
        let sql = if matches!(column.as_str(), "odd" | "planted") {
            sql.replace(&format!("and p.\"{column}\" is not null"), "")
        } else {
            sql
        };
        superuser
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{full}: {error:?}"));
        count += 1;
    }
    count
}

/// Columns that the rules of the CRM show as they are.
const SHOWN: &[&str] = &[
    "countries.iso2",
    "countries.iso3",
    "countries.numeric_code",
    "countries.name",
    "currencies.code",
    "currencies.name",
    "currencies.symbol",
    "currencies.rate",
    "taxes.name",
    "taxes.rate",
    "departments.name",
    "activity_log.rel_type",
    "activity_log.action",
    "currencies.decimals",
];

/// Puts the values of a demo into the template's masked cells.
async fn replace(server: &Server, demo: &Generation, masked: &BTreeMap<String, Vec<String>>) {
    let superuser = server.superuser().await;
    superuser
        .batch_execute("set session_replication_role = replica")
        .await
        .unwrap();
    for (table, columns) in masked {
        let schema = &demo.identity.schema;
        let keyed = self::columns(&superuser, "public", table)
            .await
            .contains(&"id".to_owned());
        let sql = if keyed {
            let set: Vec<String> = columns
                .iter()
                .map(|column| format!("\"{column}\" = {}", cast(column)))
                .collect();
            format!(
                "update public.\"{table}\" p set {} from {schema}.\"{table}\" d where p.id = d.id",
                set.join(", ")
            )
        } else {
            // Without a number the order in the file counts, and has to stay.
            format!(
                "create temp table held on commit drop as select * from public.\"{table}\" order by ctid;
                 delete from public.\"{table}\"; insert into public.\"{table}\" select * from held;
                 update public.\"{table}\" set created_at = created_at - interval '77 days', updated_at = updated_at - interval '77 days';
                 create temp table again on commit drop as select * from public.\"{table}\" order by ctid"
            )
        };
        let sql = format!("begin; {sql}; commit");
        superuser
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{table}: {error:?}"));
    }
}

/// The demo's types are its own; a value of one goes over as text.
fn cast(column: &str) -> String {
    format!("d.\"{column}\"")
}

async fn masked_columns(server: &Server) -> BTreeMap<String, Vec<String>> {
    let mut masked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in server.app.demo.explain().await.unwrap().columns {
        if line.verdict == "masked" {
            masked.entry(line.table).or_default().push(line.column);
        }
    }
    masked
}

/// One request of the script.
#[derive(Clone, Debug)]
struct Request {
    method: Method,
    path: String,
    accept: &'static str,
    body: Option<Value>,
}

impl Request {
    fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            accept: "application/json",
            body: None,
        }
    }
}

/// Lists, filters, sorts, searches, counts, includes, CSV, GraphQL, reports, embeds and writes that fail and do not.
async fn requests(server: &Server) -> Vec<Request> {
    let mut requests = Vec::new();
    let superuser = server.superuser().await;
    for table in tables(&superuser, "public").await {
        let mut path = |rest: &str| requests.push(Request::get(format!("/api/v1/{table}{rest}")));
        path("?per_page=3");
        path("/schema");
        path("?q=a&per_page=2");
        path("?count=none&per_page=2");
        path("?filter[created_at.gte]=2025-03-01&per_page=2");
        for column in columns(&superuser, "public", &table).await {
            path(&format!("?sort=-{column}&per_page=2"));
            path(&format!("?filter[{column}.notnull]=true&per_page=1"));
        }
        requests.push(Request {
            accept: "text/csv",
            ..Request::get(format!("/api/v1/{table}?per_page=20"))
        });
        let post = |body: Value| Request {
            method: Method::POST,
            path: format!("/api/v1/{table}"),
            accept: "application/json",
            body: Some(body),
        };
        requests.push(post(json!({"id": 1})));
        requests.push(post(json!({"no_such_column": 1})));
        requests.push(post(json!({})));
        requests.push(Request {
            method: Method::DELETE,
            body: None,
            ..Request::get(format!("/api/v1/{table}/1"))
        });
        requests.push(Request {
            method: Method::PATCH,
            body: Some(json!({"id": 2})),
            ..Request::get(format!("/api/v1/{table}/1"))
        });
    }
    for path in [
        "/api/v1/",
        "/api/v1/tables",
        "/api/v1/reports",
        "/api/v1/clients?include=invoices,contacts&per_page=2",
        "/api/v1/invoices?include=items,client&per_page=2&sort=-total",
        "/api/v1/staffs?filter[email.like]=a*&per_page=2",
        "/api/v1/reports/invoices?per_page=3&sort=-balance",
        "/api/v1/reports/staff-billable-time-report?per_page=3",
        "/api/v1/reports/invoices/aggregate?dimension=status_name&measure=total&aggregation=sum&period=monthly&date=date",
        "/api/v1/reports/invoices/aggregate?dimension=country&measure=total&aggregation=avg",
        "/api/v1/reports/collection-efficiency-by-invoice/aggregate?measure=collected&aggregation=max",
        "/embed/report/invoices",
        "/embed/report/project-progress-overview",
        "/api/v1/report_invoices?per_page=2&q=paid",
    ] {
        requests.push(Request::get(path.to_owned()));
    }
    for query in [
        "{ clients(limit: 3, orderBy: [{name: ASC}]) { id name email invoices(limit: 2) { number total } } }",
        "{ staffs(limit: 3, where: {hourly_rate: {gte: 60}}) { full_name last_ip } }",
        "{ __schema { types { name description fields { name description } } } }",
        "mutation { createNote(input: {rel_type: \"client\", rel_id: 1, content: \"x\"}) { id content } }",
        "mutation { updateClient(id: 1, input: {country_id: 999999}) { id } }",
    ] {
        requests.push(Request {
            method: Method::POST,
            path: "/api/v1/graphql".to_owned(),
            accept: "application/json",
            body: Some(json!({ "query": query })),
        });
    }
    requests
}

fn more() -> Vec<Request> {
    [
        "/api/v1/planted_view",
        "/api/v1/planted_view/schema",
        "/api/v1/clients?per_page=380",
        "/api/v1/clients?sort=odd",
        "/api/v1/clients?filter[planted.like]=*x*",
        "/api/v1/openapi.json",
        "/api/v1/postman.json",
    ]
    .map(|path| Request::get(path.to_owned()))
    .into()
}

/// Head and body of an answer, ids of requests, times and the port aside.
async fn ask(client: &Client, request: &Request) -> (String, String) {
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
    // Instants of a write are now.
    let now = regex_free_now(&answer.text().replace(&address, "HOST"));
    (head.join("\n").replace(&address, "HOST"), now)
}

/// The body with instants of this year's end, which a write that is simulated has from the clock, taken out.
fn regex_free_now(text: &str) -> String {
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

pub async fn tables(superuser: &Postgres, schema: &str) -> Vec<String> {
    let sql = "select tablename::text from pg_tables where schemaname = $1 order by 1";
    superuser
        .query(sql, &[&schema])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

pub async fn columns(superuser: &Postgres, schema: &str, table: &str) -> Vec<String> {
    let sql = "select column_name::text from information_schema.columns where table_schema = $1 and table_name = $2 order by ordinal_position";
    superuser
        .query(sql, &[&schema, &table])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}
