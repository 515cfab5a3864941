//! Each writer against Postgres' own `to_json`.

use crate::data::catalog::introspect;
use crate::data::cursor::Seal;
use crate::data::plan::{Plan, Rules, plan};
use crate::data::request::{Count, List, Request, Rows};
use crate::data::rows::Format;
use crate::data::scratch::Tenant;
use crate::data::{run, sql};
use std::sync::Arc;

/// A column's type and values that are awkward for it, as SQL.
pub(crate) const VALUES: &[(&str, &[&str])] = &[
    ("boolean", &["true", "false", "null"]),
    ("smallint", &["0", "-32768", "32767"]),
    ("integer", &["0", "-2147483648", "2147483647"]),
    (
        "bigint",
        &[
            "0",
            "-9223372036854775808",
            "9223372036854775807",
            "9007199254740993",
        ],
    ),
    (
        "real",
        &[
            "0",
            "'-0'",
            "1.1",
            "1e6",
            "999999",
            "123456.7",
            "1e-4",
            "9.99e-5",
            "3.4028235e38",
            "1.4e-45",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "16777216",
            "0.1",
        ],
    ),
    (
        "double precision",
        &[
            "0",
            "'-0'",
            "0.1",
            "1e15",
            "999999999999999",
            "123456789012345678",
            "1e-4",
            "1e-5",
            "1.7976931348623157e308",
            "5e-324",
            "2.2250738585072014e-308",
            "'NaN'",
            "'-Infinity'",
            "9007199254740993",
            "0.30000000000000004",
            "1e22",
            "1e23",
        ],
    ),
    (
        "numeric",
        &[
            "0",
            "0.00",
            "-1",
            "1e-20",
            "1e30",
            "12345678901234567890.123456789",
            "0.0001",
            "10000",
            "9999.9999",
            "-0.00010001",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "100000000.000000001",
            "1e131071",
            "0.1e-16382",
        ],
    ),
    ("numeric(12,2)", &["0", "-1.5", "9999999999.99"]),
    (
        "text",
        &[
            "''",
            "'plain'",
            "E'\\\\ \" / \\b\\f\\n\\r\\t \\x01\\x1f\\x7f'",
            "'ä€😀'",
            "null",
            "repeat('x', 10000)",
        ],
    ),
    ("varchar(5)", &["'abc'", "'  a  '"]),
    ("char(5)", &["'abc'", "''"]),
    ("name", &["'abc'"]),
    ("\"char\"", &["'a'", "''"]),
    (
        "date",
        &[
            "'2000-01-01'",
            "'1999-12-31'",
            "'0001-01-01'",
            "'0001-12-31 BC'",
            "'4713-11-24 BC'",
            "'5874897-12-31'",
            "'infinity'",
            "'-infinity'",
            "'2024-02-29'",
            "'1900-02-28'",
            "'10000-01-01'",
        ],
    ),
    (
        "time",
        &[
            "'00:00'",
            "'24:00'",
            "'12:34:56.789'",
            "'23:59:59.999999'",
            "'00:00:00.000001'",
        ],
    ),
    ("timetz", &["'12:00+02'", "'12:34:56.5-03:30'"]),
    (
        "timestamp",
        &[
            "'2000-01-01'",
            "'1999-12-31 23:59:59.999999'",
            "'4713-11-24 00:00:00 BC'",
            "'294276-12-31 23:59:59.999999'",
            "'infinity'",
            "'-infinity'",
            "'2024-02-29 12:00:00.1'",
            "'0001-01-01 00:00:00'",
            "'0044-03-15 12:00:00.5 BC'",
        ],
    ),
    (
        "timestamptz",
        &[
            "'2000-01-01 00:00+00'",
            "'2024-07-01 12:34:56.123456+05:30'",
            "'infinity'",
            "'-infinity'",
            "'0044-03-15 12:00:00 BC'",
            "'294276-12-31 23:59:59.999999+00'",
        ],
    ),
    ("uuid", &["'5b6e2b0e-5a3c-4c9d-9f0e-0123456789AB'"]),
    (
        "json",
        &[
            "'{\"a\" :  1e400, \"a\": [1, \"x\"]}'",
            "'null'",
            "'  \"s\" '",
        ],
    ),
    (
        "jsonb",
        &[
            "'{\"b\":1.50,\"a\":null}'",
            "'null'",
            "'12345678901234567890.5'",
        ],
    ),
    ("interval", &["'1 year 2 days 03:04:05.6'", "'-1 day'"]),
    ("bytea", &["'\\xdeadbeef'", "''"]),
    ("inet", &["'10.0.0.1/8'", "'::1'"]),
    ("cidr", &["'10.0.0.0/8'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("money", &["'-12.34'"]),
    ("bit(4)", &["'1010'"]),
    ("varbit", &["'10101'"]),
    ("xml", &["'<a>&amp;</a>'"]),
    ("point", &["'(1,2.5)'"]),
    ("box", &["'((0,0),(1,1))'"]),
    ("polygon", &["'((0,0),(1,1),(2,0))'"]),
    ("circle", &["'<(0,0),1>'"]),
    ("tsvector", &["'a:1 b:2'"]),
    ("tsquery", &["'a & b'"]),
    ("int4range", &["'[1,5)'", "'empty'"]),
    ("tstzrange", &["'[2024-01-01 00:00+00,)'"]),
    ("int4multirange", &["'{[1,2),[5,9)}'"]),
    ("oid", &["4294967295"]),
    ("pg_lsn", &["'16/B374D848'"]),
    ("integer[]", &["'{1,null,3}'", "'{}'", "'{{1,2},{3,4}}'"]),
    ("text[]", &["'{\"a,b\",\"c\\\"d\"}'"]),
    ("timestamptz[]", &["'{2024-01-01 00:00+00}'"]),
    ("mood", &["'sad'", "'very \"odd\"'"]),
    ("mood[]", &["'{sad}'"]),
    ("price", &["12.50"]),
    ("feeling", &["'sad'"]),
    (
        "address",
        &[
            "row('a \"b\"', '12345')::address",
            "row(null, null)::address",
            "null",
        ],
    ),
];

pub(crate) const TYPES: &str = "create type mood as enum ('sad', 'very \"odd\"'); \
    create domain price as numeric(10,2); create domain feeling as mood; \
    create type address as (street text, zip varchar(5));";

async fn planned(tenant: &Tenant, table: &str) -> Plan {
    let connection = tenant.lease().await;
    let catalog = introspect(&connection, tenant.schema()).await.unwrap();
    let request = Request::List(List {
        table: table.to_owned(),
        select: Vec::new(),
        rows: Rows::default(),
        count: Count::None,
    });
    plan(
        &request,
        &Arc::new(catalog),
        &Rules::default(),
        &Seal::new(b"k"),
    )
    .unwrap()
}

async fn listed(tenant: &Tenant, table: &str) -> String {
    let plan = planned(tenant, table).await;
    let statement = &sql::statements(&plan, tenant.schema())[0];
    let connection = tenant.lease().await;
    let outcome = run::read(&connection, statement, Format::Json, &[], true)
        .await
        .unwrap();
    String::from_utf8(outcome.body).unwrap()
}

#[tokio::test]
async fn every_type_is_written_as_postgres_writes_it() {
    let mut script = TYPES.to_owned();
    for (at, (ty, values)) in VALUES.iter().enumerate() {
        script += &format!("create table t{at} (id serial primary key, v {ty});");
        for value in *values {
            script += &format!("insert into t{at} (v) values ({value});");
        }
    }
    let tenant = Tenant::new(&script).await;
    let connection = tenant.lease().await;
    for (at, (ty, _)) in VALUES.iter().enumerate() {
        let ours = listed(&tenant, &format!("t{at}")).await;
        let theirs: Vec<String> = connection
            .query(&format!("select '{{\"id\":' || id || ',\"v\":' || coalesce(to_json(v)::text, 'null') || '}}' from t{at} order by id"), &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(ours, theirs.join(","), "{ty}");
    }
}

/// Values made by a formula over many rows, so that each writer meets thousands of them.
#[tokio::test]
async fn many_values_are_written_as_postgres_writes_them() {
    let columns = [
        (
            "float4",
            "(random() * 2 - 1)::float4 * power(10::float8, (n % 70) - 35)::float4",
        ),
        (
            "float8",
            "(random() * 2 - 1) * power(10::float8, (n % 600) - 300)",
        ),
        ("float8", "n * power(2::float8, n % 60)"),
        ("float4", "n * power(2::float4, n % 60)"),
        (
            "numeric",
            "(random() * 2 - 1)::numeric * power(10::numeric, (n % 60) - 30)",
        ),
        ("numeric", "round((random() * 100000)::numeric, n % 20)"),
        ("date", "date '0001-01-01' + (n * 1234) - 1700000"),
        (
            "timestamp",
            "timestamp '2000-01-01' + (n - 2500) * interval '123 days 4 hours 5.678901 seconds'",
        ),
        (
            "timestamptz",
            "timestamptz '2000-01-01' + (n - 2500) * interval '13 days 4 hours 5.6789 seconds'",
        ),
        ("time", "time '00:00' + n * interval '17.200123 seconds'"),
        (
            "text",
            "(select string_agg(chr(1 + ((n * i * 7919) % 900)), '') from generate_series(1, 9) i)",
        ),
        ("uuid", "md5(n::text)::uuid"),
        (
            "int8",
            "(n::int8 << (n % 51)) * (case when n % 2 = 0 then 1 else -1 end)",
        ),
    ];
    let mut script = "create table t (id int primary key".to_owned();
    for (at, (ty, _)) in columns.iter().enumerate() {
        script += &format!(", c{at} {ty}");
    }
    script += "); insert into t select n";
    for (_, formula) in columns {
        script += &format!(", {formula}");
    }
    script += " from generate_series(1, 5000) n";
    let tenant = Tenant::new(&script).await;
    let ours = listed(&tenant, "t").await;
    let connection = tenant.lease().await;
    let theirs: String = connection
        .query_one(
            "select string_agg(row_to_json(t)::text, ',' order by id) from t",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    // Compared piece by piece, for a message of readable size.
    for (a, b) in ours.split(['{', ',']).zip(theirs.split(['{', ','])) {
        assert_eq!(a, b);
    }
    assert_eq!(ours.len(), theirs.len());
}
