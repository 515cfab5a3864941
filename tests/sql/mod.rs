//! Statements of a tenant's own: what they answer.

mod walls;

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Server};

const PATH: &str = "/api/v1/sql";

async fn sql(client: &Client, query: &str) -> Answer {
    client.post(PATH, &json!({ "query": query })).await
}

/// The answer to a statement that is right.
async fn run(client: &Client, query: &str) -> Value {
    sql(client, query).await.expect(200).json()
}

/// The answer to a statement that Postgres or the surface refuses.
async fn refused(client: &Client, query: &str) -> Value {
    sql(client, query).await.problem(400, "bad-request")
}

#[tokio::test]
async fn a_query_gives_columns_rows_and_tables() {
    let server = Server::start().await;
    let tenant = server.tenant("query").await;
    let query = "select id, name from clients where id < 3 order by id;";
    let answer = sql(&tenant.admin, query).await.expect(200);
    assert_eq!(answer.header("sandlot-mode"), "live");
    let body = answer.json();
    assert_eq!(body["columns"][0]["name"], "id");
    assert_eq!(body["columns"][1]["name"], "name");
    assert_eq!(body["rows"].as_array().unwrap().len(), 2);
    assert_eq!(body["rows"][0]["id"], 1);
    assert_eq!(body["affected_tables"], json!(["clients"]));
    assert_eq!(body["rows_affected"], 2);
    assert_eq!(body["truncated"], false);
    assert!(body["runtime_seconds"].as_f64().unwrap() > 0.0);
    // The same row, the same values, as over REST.
    let rest = tenant.admin.read("/api/v1/clients/1").await;
    let all = run(&tenant.admin, "select * from clients where id = 1").await;
    for (column, value) in all["rows"][0].as_object().unwrap() {
        assert_eq!(&rest["data"][column], value, "{column}");
    }
}

#[tokio::test]
async fn values_of_any_type_are_what_postgres_makes_of_them() {
    let server = Server::start().await;
    let tenant = server.tenant("types").await;
    run(&tenant.admin, "create type mood as enum ('sad', 'glad')").await;
    run(&tenant.admin, "create type pair as (a int, b text)").await;
    run(
        &tenant.admin,
        "create domain level as int check (value > 0)",
    )
    .await;
    let values = [
        "1::int2",
        "9007199254740993",
        "12345678901234567890.10::numeric",
        "'NaN'::float8",
        "0.1::float4",
        "true",
        "'a\"b'::text",
        "'ä'::varchar",
        "'x'::char(3)",
        "'n'::name",
        "'c'::\"char\"",
        "'{\"a\": [1]}'::json",
        "'{\"a\": [1]}'::jsonb",
        "date '2024-02-29'",
        "timestamp '2024-02-29 12:00:00.5'",
        "timestamptz '2024-02-29 12:00:00+02'",
        "time '12:00'",
        "timetz '12:00+02'",
        "interval '1 mon 2 days 3 h'",
        "'infinity'::timestamptz",
        "date '0044-03-15 BC'",
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
        "'\\xdeadbeef'::bytea",
        "b'101'",
        "b'101'::varbit",
        "'10.0.0.1/8'::inet",
        "'10.0.0.0/8'::cidr",
        "'08:00:2b:01:02:03'::macaddr",
        "point '(1,2)'",
        "box '(1,1),(0,0)'",
        "'1.50'::money",
        "'<a/>'::xml",
        "to_tsvector('simple', 'a b')",
        "to_tsquery('simple', 'a & b')",
        "'[1,5)'::int4range",
        "'{[1,2),[4,5)}'::int4multirange",
        "array[1,2,null]",
        "array[['a','b'],['c','d']]",
        "'{}'::text[]",
        "array['{\"a\":1}'::jsonb]",
        "'glad'::mood",
        "array['sad'::mood]",
        "row(1, 'x')::pair",
        "array[row(1, 'x')::pair]",
        "row(1, 'x')",
        "7::level",
        "array[7::level]",
        "'clients'::regclass",
        "26::oid",
        "'0/0'::pg_lsn",
        "null::int",
        "null::pair",
        "null",
        "'untyped'",
    ];
    let list: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(at, v)| format!("{v} as c{at}"))
        .collect();
    let list = list.join(", ");
    let plain = run(&tenant.admin, &format!("select {list}")).await;
    let json = run(
        &tenant.admin,
        &format!("select row_to_json(t) as j from (select {list}) t"),
    )
    .await;
    for (at, value) in values.iter().enumerate() {
        let key = format!("c{at}");
        assert_eq!(
            plain["rows"][0][&key], json["rows"][0]["j"][&key],
            "{value}"
        );
    }
    // A statement that can't be put inside another.
    let beside = format!(
        "with made as (insert into clients (name) values ('x') returning id) select {list} from made"
    );
    let mixed = sql(&tenant.admin, &beside.replace("row(1, 'x') as", "1 as"))
        .await
        .expect(200)
        .json();
    for (at, value) in values
        .iter()
        .enumerate()
        .filter(|(_, value)| **value != "row(1, 'x')")
    {
        let key = format!("c{at}");
        assert_eq!(
            mixed["rows"][0][&key], json["rows"][0]["j"][&key],
            "{value}"
        );
    }
    let problem = refused(&tenant.admin, &beside).await;
    assert!(
        problem["errors"]["query"].is_array() || problem["sqlstate"].is_string(),
        "{problem}"
    );
    for query in [
        "select * from pg_catalog.pg_class",
        "select * from pg_catalog.pg_proc limit 100",
    ] {
        run(&tenant.admin, query).await;
    }
}

#[tokio::test]
async fn columns_of_one_name_are_told_apart() {
    let server = Server::start().await;
    let tenant = server.tenant("names").await;
    let body = run(&tenant.admin, "select 1 as a, 2 as a, 3 as \"a_2\", 4, 5").await;
    assert_eq!(
        body["rows"][0],
        json!({"a": 1, "a_2": 2, "a_2_2": 3, "?column?": 4, "?column?_2": 5})
    );
    let names: Vec<_> = body["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert_eq!(names, ["a", "a_2", "a_2_2", "?column?", "?column?_2"]);
    assert_eq!(run(&tenant.admin, "select").await["rows"], json!([{}]));
}

#[tokio::test]
async fn parameters_are_bound_by_their_types() {
    let server = Server::start().await;
    let tenant = server.tenant("params").await;
    let body = json!({
        "query": "select $1::int as i, $2::text as t, $3::jsonb as j, $4::int[] as a, $5::numeric as n, $6::bool as b, $7::date as d",
        "params": [7, "o'brien; drop table clients --", {"k": [1]}, [1, null], 123456789012345678.25_f64, true, null],
    });
    let row = tenant.admin.post(PATH, &body).await.expect(200).json()["rows"][0].clone();
    assert_eq!(row["i"], 7);
    assert_eq!(row["t"], "o'brien; drop table clients --");
    assert_eq!(row["j"], json!({"k": [1]}));
    assert_eq!(row["a"], json!([1, null]));
    assert_eq!((&row["b"], &row["d"]), (&json!(true), &Value::Null));
    for (query, params, key) in [
        ("select $1::int", json!([]), "params"),
        ("select 1", json!([1]), "params"),
        ("select $1::int", json!([[1]]), "params[0]"),
        (
            "select $1::text, $2::text",
            json!(["a", "\u{0}"]),
            "params[1]",
        ),
    ] {
        let answer = tenant
            .admin
            .post(PATH, &json!({"query": query, "params": params}))
            .await;
        let problem = answer.problem(400, "validation-failed");
        assert!(problem["errors"][key].is_array(), "{problem}");
    }
    let body = json!({"query": "select $1::int", "params": ["many"]});
    let problem = tenant
        .admin
        .post(PATH, &body)
        .await
        .problem(400, "bad-request");
    assert_eq!(problem["sqlstate"], "22P02");
}

#[tokio::test]
async fn writes_and_definitions_say_what_they_worked_on() {
    let server = Server::start().await;
    let tenant = server.tenant("writes").await;
    let admin = &tenant.admin;
    let made = run(
        admin,
        "create table gadgets (id int primary key, tags text[])",
    )
    .await;
    assert_eq!(made["affected_tables"], json!(["gadgets"]));
    assert_eq!((&made["columns"], &made["rows"]), (&json!([]), &json!([])));
    let put = run(admin, "insert into gadgets values (1, '{a}'), (2, '{b,c}')").await;
    assert_eq!(put["rows_affected"], 2);
    assert_eq!(put["affected_tables"], json!(["gadgets"]));
    let back = run(
        admin,
        "update gadgets set tags = tags || 'z'::text where id = 1 returning id, tags -- done",
    )
    .await;
    assert_eq!(back["rows"], json!([{"id": 1, "tags": ["a", "z"]}]));
    assert_eq!(back["rows_affected"], 1);
    let kept = tenant.admin.read("/api/v1/gadgets/1").await;
    assert_eq!(kept["data"]["tags"], json!(["a", "z"]));
    // A foreign key looks at other tables, which the statement does not work on.
    let projects = run(
        admin,
        "insert into projects (name, clientid) values ('p', 1)",
    )
    .await;
    assert_eq!(projects["affected_tables"], json!(["projects"]));
    let view = run(
        admin,
        "select count(*) from report_staff_billable_time_report",
    )
    .await;
    let tables = view["affected_tables"].as_array().unwrap();
    assert!(
        tables.contains(&json!("report_staff_billable_time_report"))
            && tables.contains(&json!("timesheets"))
    );
    let simulated = admin.with("Prefer", "tx=rollback");
    let answer = sql(&simulated, "delete from gadgets returning id")
        .await
        .expect(200);
    assert_eq!(answer.header("sandlot-simulated"), "true");
    assert_eq!(answer.json()["rows_affected"], 2);
    assert_eq!(run(admin, "table gadgets").await["rows_affected"], 2);
    let gone = run(admin, "drop table gadgets").await;
    assert_eq!(gone["affected_tables"], json!(["gadgets"]));
}

#[tokio::test]
async fn long_answers_are_cut() {
    let server = Server::start().await;
    let tenant = server.tenant("long").await;
    let admin = &tenant.admin;
    let body = run(admin, "select generate_series(1, 1000000000000) as n").await;
    assert_eq!(body["rows"].as_array().unwrap().len(), 10_000);
    assert_eq!(body["rows"][9_999]["n"], 10_000);
    assert_eq!(
        (&body["truncated"], &body["rows_affected"]),
        (&json!(true), &Value::Null)
    );
    let exact = run(admin, "select n from generate_series(1, 10000) n").await;
    assert_eq!(
        (&exact["truncated"], &exact["rows_affected"]),
        (&json!(false), &json!(10_000))
    );
    let wide = sql(
        admin,
        "select repeat('x', 1000000) as x from generate_series(1, 1000)",
    )
    .await
    .expect(200);
    assert!(wide.body.len() < (10 << 20) + 1024, "{}", wide.body.len());
    let wide = wide.json();
    assert_eq!(wide["truncated"], true);
    assert_eq!(wide["rows"].as_array().unwrap().len(), 10);
    let arrays = run(
        admin,
        "select array[n] as a from generate_series(1, 20000) n",
    )
    .await;
    assert_eq!(arrays["rows"].as_array().unwrap().len(), 10_000);
    // All of a cut write is done.
    run(admin, "create table many (n int)").await;
    let body = run(
        admin,
        "insert into many select generate_series(1, 12000) returning n",
    )
    .await;
    assert_eq!(body["truncated"], true);
    assert_eq!(
        run(admin, "select count(*) from many").await["rows"][0]["count"],
        12_000
    );
}

#[tokio::test]
async fn refusals_carry_code_and_position() {
    let server = Server::start().await;
    let tenant = server.tenant("refusals").await;
    let admin = &tenant.admin;
    for (query, code, position) in [
        ("selec 1", "42601", Some(1)),
        ("select nope from clients", "42703", Some(8)),
        ("select 'ä', nope from clients", "42703", Some(13)),
        ("table nowhere", "42P01", Some(7)),
        ("select 1 / 0", "22012", None),
        ("select array[1 / 0]", "22012", None),
        (
            "insert into projects (name, clientid) values ('x', -5)",
            "23503",
            None,
        ),
        ("vacuum", "25001", None),
        ("vacuum clients", "25001", None),
        ("select 1; select 2", "42601", None),
        ("select 1; drop table clients", "42601", None),
        ("do $$ begin commit; end $$", "2D000", None),
        (
            "do $$ begin raise exception 'own words'; end $$",
            "P0001",
            None,
        ),
        ("release savepoint x", "3B001", None),
        ("set role postgres", "42501", None),
        ("select * from pg_catalog.pg_authid", "42501", None),
        (
            "select pg_catalog.pg_read_file('/etc/passwd')",
            "42501",
            None,
        ),
    ] {
        let problem = refused(admin, query).await;
        assert_eq!(problem["sqlstate"], code, "{query}: {problem}");
        if let Some(position) = position {
            assert_eq!(problem["position"], position, "{query}");
        }
        assert!(problem["errors"]["query"].is_array(), "{query}");
    }
    let problem = refused(admin, "do $$ begin raise exception 'own words'; end $$").await;
    assert!(problem["detail"].as_str().unwrap().ends_with("own words"));
    for query in [
        "create database x",
        "drop database postgres",
        "alter system set work_mem = 1",
    ] {
        refused(admin, query).await;
    }
    for query in [
        "",
        " ",
        ";",
        "-- x",
        "commit",
        "rollback",
        "begin",
        "abort",
        "/**/end",
        "prepare transaction 'x'",
        "copy clients to stdout",
        "copy clients from stdin",
        "copy clients to program 'id'",
    ] {
        let problem = refused(admin, query).await;
        assert!(problem.get("sqlstate").is_none(), "{query}");
    }
    // After all of that the session is as it was.
    run(admin, "select 1").await;
}

#[tokio::test]
async fn a_copy_that_expires_says_so_here_too() {
    let server = Server::start_with(&["--tenant-ttl=1"]).await;
    let tenant = server.tenant("mortal").await;
    let answer = sql(&tenant.admin, "select 1").await.expect(200);
    assert!(answer.header("sunset").ends_with("GMT"));
    let answer = tenant.admin.get("/api/v1/reports").await.expect(200);
    assert!(answer.header("sunset").ends_with("GMT"));
}
