//! What the parts of a request take, each by itself, on the template that ships.
//!
//! `cargo bench --bench parts` starts a Postgres of its own for the catalog, a row and a token, and then asks it nothing but
//! the token, once a second. Arguments are Criterion's: a name, `--measurement-time`, `--save-baseline`.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../clone/stage.rs"]
#[allow(dead_code)]
mod stage;

use std::{hint::black_box, sync::Arc};

use chrono::Utc;
use criterion::Criterion;
use hmac::{Hmac, KeyInit as _, Mac as _};
use poem::http::HeaderMap;
use sandlot::{
    auth::{
        caller::{Role, Who},
        jwt::{self, Keys, Use},
        tokens::{Tokens, secret, signature},
    },
    data::{
        catalog::{Catalog, introspect},
        cursor::Seal,
        plan::{Rules, plan},
        request::Request,
        rows::Raw,
        sql,
        writer::Writer,
    },
    databases::TENANTS,
    graphql::reader::Reader,
    listing::parameters::parameters,
    rest::{
        Call,
        parse::{self, Headers},
    },
};
use seed::masks::{self, Kind, Text};
use sha2::{Digest as _, Sha256};
use stage::{Shape, Stage};
use tokio::runtime::Runtime;
use tokio_postgres::Row;

const LIST: &str = "filter=status:1&filter=total.gt:100&sort=-total&include=client&per_page=25";
const NEW: &str = r#"{"name":"Counted","city":"Oslo","is_active":true,"tags":["new"]}"#;
const DOCUMENT: &str = "query { clients(limit: 25) { id name projects(limit: 5) { id name } } }";

fn main() {
    let runtime = Runtime::new().unwrap();
    let stage = runtime.block_on(Stage::set(Shape::Crm(1), 0));
    let mut criterion = Criterion::default().configure_from_args();
    let catalog = Arc::new(runtime.block_on(catalog(&stage)));
    requests(&mut criterion, &catalog);
    documents(&mut criterion, &catalog);
    let row = runtime.block_on(a_row(&stage));
    json(&mut criterion, &catalog, &row);
    demo(&mut criterion);
    jwts(&mut criterion);
    signatures(&mut criterion);
    tokens(&mut criterion, &runtime, &stage);
    criterion.final_summary();
    runtime.block_on(stage.close());
}

async fn catalog(stage: &Stage) -> Catalog {
    let client = stage.superuser(TENANTS).await;
    introspect(&client, "public").await.unwrap()
}

/// From an address and a body to the statement.
fn requests(criterion: &mut Criterion, catalog: &Arc<Catalog>) {
    let (rules, seal) = (Rules::default(), Seal::new(b"bench"));
    for (name, method, path, query, body) in [
        ("list", "GET", "/invoices", LIST, ""),
        ("one row", "GET", "/invoices/7", "", ""),
        ("insert", "POST", "/clients", "", NEW),
    ] {
        let call = Call {
            method,
            base: "/api/v1",
            path,
            query,
            headers: Headers {
                content_type: Some("application/json"),
                ..Headers::default()
            },
            body: body.as_bytes(),
            replay: None,
        };
        let read = || -> Request {
            let target = parse::path(black_box(path)).unwrap();
            let given = parameters(black_box(query)).unwrap();
            parse::request(method, &target, &given, &call).unwrap().0
        };
        criterion.bench_function(&format!("{name}: parse"), |bench| bench.iter(read));
        let request = read();
        let make = || plan(black_box(&request), catalog, &rules, &seal).unwrap();
        criterion.bench_function(&format!("{name}: plan"), |bench| bench.iter(make));
        let made = make();
        criterion.bench_function(&format!("{name}: SQL"), |bench| {
            bench.iter(|| sql::statements(black_box(&made), "somebody_123456"));
        });
    }
}

/// From a GraphQL document to requests.
fn documents(criterion: &mut Criterion, catalog: &Arc<Catalog>) {
    let reader = Reader::new(Arc::clone(catalog), &Rules::default()).unwrap();
    criterion.bench_function("GraphQL: schema", |bench| {
        bench.iter(|| Reader::new(Arc::clone(catalog), &Rules::default()).is_ok());
    });
    criterion.bench_function("GraphQL: parse and validate", |bench| {
        bench.iter(|| reader.read(black_box(DOCUMENT)).is_ok());
    });
    let good = reader.read(DOCUMENT).unwrap();
    criterion.bench_function("GraphQL: compile", |bench| {
        bench.iter(|| good.compile().unwrap());
    });
}

async fn a_row(stage: &Stage) -> Row {
    let client = stage.superuser(TENANTS).await;
    let sql = "select * from public.invoices where id = 7";
    client.query_one(sql, &[]).await.unwrap()
}

/// The values of an invoice, as they come from Postgres, as JSON.
fn json(criterion: &mut Criterion, catalog: &Catalog, row: &Row) {
    let columns = &catalog.table("invoices").unwrap().columns;
    let writers: Vec<(usize, Writer)> = columns
        .iter()
        .map(|column| Writer::of(&column.ty))
        .enumerate()
        // Those that a statement of ours asks for as text.
        .filter(|(_, writer)| !matches!(writer, Writer::Other))
        .collect();
    let name = format!("JSON of {} values", writers.len());
    criterion.bench_function(&name, |bench| {
        let mut out = Vec::with_capacity(1024);
        bench.iter(|| {
            out.clear();
            for (at, writer) in &writers {
                match row.get::<_, Option<Raw<'_>>>(*at) {
                    Some(raw) => writer.write(&mut out, raw.0).unwrap(),
                    None => out.extend_from_slice(b"null"),
                }
            }
            out.len()
        });
    });
}

/// Made-up values of the demo.
fn demo(criterion: &mut Criterion) {
    criterion.bench_function("demo: who a row speaks of", |bench| {
        bench.iter(|| masks::Row::new(7, "clients", black_box(42)));
    });
    let row = masks::Row::new(7, "clients", 42);
    for (name, kind, unique) in [
        ("name", Kind::Name, false),
        ("unique mail address", Kind::Email, true),
        ("prose", Kind::Prose, false),
    ] {
        let text = Text {
            kind,
            most: Some(200),
            unique,
            rows: 1_000,
        };
        criterion.bench_function(&format!("demo: {name}"), |bench| {
            bench.iter(|| row.text("column", black_box(&text)));
        });
    }
}

fn jwts(criterion: &mut Criterion) {
    let keys = Keys::new(&[7; 32]);
    let signed = |usage| {
        let who = Who::Account { id: 7 };
        let claims = jwt::claims(&who, Some(Role::Admin), usage, "family", "name", Utc::now());
        keys.sign(&claims).unwrap()
    };
    // A refresh token is never kept, so this is the whole check.
    let (refresh, access) = (signed(Use::Refresh), signed(Use::Access));
    criterion.bench_function("JWT: check", |bench| {
        bench.iter(|| keys.read(black_box(&refresh), Use::Refresh).is_ok());
    });
    criterion.bench_function("JWT: seen before", |bench| {
        bench.iter(|| keys.read(black_box(&access), Use::Access).is_ok());
    });
}

fn signatures(criterion: &mut Criterion) {
    let (secret, now) = ("a".repeat(64), Utc::now().timestamp());
    for (name, bytes) in [("100 bytes", 100), ("100 kB", 100_000)] {
        let body = vec![b'x'; bytes];
        let digest = hex::encode(Sha256::digest(&body));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("POST\n/api/v1/clients\n\n{digest}\n{now}").as_bytes());
        let mut headers = HeaderMap::new();
        let held = hex::encode(mac.finalize().into_bytes());
        headers.insert("x-timestamp", now.to_string().parse().unwrap());
        headers.insert("x-signature", held.parse().unwrap());
        let signed = signature::Signed {
            method: "POST",
            path: "/api/v1/clients",
            query: "",
            body: &body,
        };
        signature::check(&headers, signed, &secret, now).unwrap();
        criterion.bench_function(&format!("signature of {name}: check"), |bench| {
            bench.iter(|| signature::check(&headers, black_box(signed), &secret, now).is_ok());
        });
    }
}

fn tokens(criterion: &mut Criterion, runtime: &Runtime, stage: &Stage) {
    let text = secret::fresh();
    criterion.bench_function("token: read and hash", |bench| {
        bench.iter(|| secret::hash(black_box(&text)));
    });
    runtime.block_on(issue(stage, &text));
    let tokens = Tokens::new(stage.app.db.clone(), &[7; 32]);
    criterion.bench_function("token: find", |bench| {
        bench.iter(|| runtime.block_on(tokens.find(&text)).unwrap().unwrap());
    });
}

/// A token of a tenant without a schema.
async fn issue(stage: &Stage, text: &str) {
    let client = stage.superuser("sandlot").await;
    let hash = secret::hash(text).unwrap();
    let sql = "with a as (insert into accounts (email, password_hash) values ('bench@mail.example', '') returning id), \
        t as (insert into tenants (account_id, schema, role, api_key, status, template_version) \
            select id, 'bench', 'bench', 'bench', 'ready', 1 from a returning id) \
        insert into tokens (tenant_id, name, hash, hint, kind, scopes, allowed_tables, allowed_views, ip_allowlist, domain_allowlist) \
            select id, 'bench', $1, '', 'standard', '[]', '[]', '[]', '[]', '[]' from t";
    client.execute(sql, &[&hash.as_slice()]).await.unwrap();
}
