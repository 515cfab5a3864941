//! The parts of a request that need no database: reading the address, planning, spelling SQL, reading a JWT,
//! hashing an API token for its look-up, and masking a value for the demo.
//!
//! `cargo bench -p parts`
#![allow(clippy::unwrap_used, missing_docs)]

use std::{hint::black_box, sync::Arc};

use chrono::Utc;
use criterion::{Criterion, criterion_group, criterion_main};
use sandlot::{
    auth::{
        caller::Who,
        jwt::{Keys, Use, claims},
        tokens::secret,
    },
    data::{
        catalog::{Catalog, Column, Generated, Table, TableKind, Type, TypeKind, TypeSchema},
        cursor::Seal,
        plan::{Rules, plan},
        request::Request,
        sql::statements,
    },
    listing::parameters::parameters,
    rest::{Call, parse},
};

const LIST: &str = "page=3&per_page=50&sort=-total,id&filter=status:open&filter%5Btotal.gte%5D=1000&fields=id,number,total,status";
const BODY: &[u8] =
    br#"{"customer_id":7,"number":"N-1","status":"open","total":12.5,"paid":false,"weight":7}"#;

fn parts(bench: &mut Criterion) {
    let catalog = Arc::new(Catalog::new(vec![orders()]));
    let (rules, seal) = (Rules::default(), Seal::new(b"bench"));
    for (name, method, path, query, body) in [
        ("list", "GET", "/orders", "", &b""[..]),
        ("list, filtered and sorted", "GET", "/orders", LIST, b""),
        ("one", "GET", "/orders/7", "", b""),
        ("insert", "POST", "/orders", "", BODY),
    ] {
        let call = call(method, path, query, body);
        bench.bench_function(&format!("parse/{name}"), |bench| {
            bench.iter(|| read(black_box(&call)));
        });
        let request = read(&call);
        bench.bench_function(&format!("plan/{name}"), |bench| {
            bench.iter(|| plan(black_box(&request), &catalog, &rules, &seal).unwrap());
        });
        let plan = plan(&request, &catalog, &rules, &seal).unwrap();
        bench.bench_function(&format!("sql/{name}"), |bench| {
            bench.iter(|| statements(black_box(&plan), "ada_123456"));
        });
    }

    let keys = Keys::new(&[7; 32]);
    let said = claims(
        &Who::Account { id: 7 },
        None,
        Use::Access,
        "family",
        "name",
        Utc::now(),
    );
    let token = keys.sign(&said).unwrap();
    bench.bench_function("jwt/read", |bench| {
        bench.iter(|| keys.read(black_box(&token), Use::Access).unwrap());
    });
    let token = secret::fresh();
    bench.bench_function("token/hash for the look-up", |bench| {
        bench.iter(|| secret::hash(black_box(&token)).unwrap());
    });

    for (name, kind) in [
        ("full name", seed::masks::Kind::Name),
        ("e-mail address", seed::masks::Kind::Email),
        ("sentences", seed::masks::Kind::Prose),
    ] {
        let text = seed::masks::Text {
            kind,
            most: Some(200),
            unique: false,
            rows: 10_000,
        };
        let mut number = 0;
        bench.bench_function(&format!("mask/{name}"), |bench| {
            bench.iter(|| {
                number += 1;
                seed::masks::Row::new(42, "clients", number % 10_000).text("column", &text)
            });
        });
    }
}

fn read(call: &Call<'_>) -> Request {
    let target = parse::path(call.path).unwrap();
    let parameters = parameters(call.query).unwrap();
    parse::request(call.method, &target, &parameters, call)
        .unwrap()
        .0
}

fn call<'a>(method: &'a str, path: &'a str, query: &'a str, body: &'a [u8]) -> Call<'a> {
    Call {
        method,
        base: "/api/v1",
        path,
        query,
        headers: parse::Headers {
            content_type: Some("application/json"),
            ..parse::Headers::default()
        },
        body,
        replay: None,
    }
}

/// A table of the size that people have.
fn orders() -> Table {
    let columns = [
        ("id", "int8", 20),
        ("customer_id", "int8", 20),
        ("number", "text", 25),
        ("status", "text", 25),
        ("total", "numeric", 1700),
        ("paid", "bool", 16),
        ("discount", "numeric", 1700),
        ("placed", "date", 1082),
        ("shipped", "timestamptz", 1184),
        ("weight", "int4", 23),
        ("note", "text", 25),
        ("updated_at", "timestamptz", 1184),
    ];
    let columns = columns.map(|(name, ty, oid)| Column {
        name: name.to_owned(),
        ty: Type {
            schema: TypeSchema::Builtin,
            name: ty.to_owned(),
            array: false,
            oid,
            kind: TypeKind::Base,
            shown: ty.to_owned(),
            length: None,
            precision: None,
            scale: None,
            ordered: Some(TypeSchema::Builtin),
        },
        nullable: name != "id",
        default: None,
        generated: if name == "id" {
            Generated::IdentityAlways
        } else {
            Generated::No
        },
        comment: None,
    });
    Table {
        name: "orders".to_owned(),
        kind: TableKind::Table,
        columns: columns.into(),
        key: vec![0],
        insertable: true,
        updatable: true,
        deletable: true,
        ..Table::default()
    }
}

criterion_group!(benches, parts);
criterion_main!(benches);
