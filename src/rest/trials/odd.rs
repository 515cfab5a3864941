//! Odd names, hostile schemas, rubbish.

use super::Site;
use crate::listing::words::encode;
use serde_json::json;

#[tokio::test]
async fn any_name_is_served() {
    let long = "ä".repeat(31);
    let names = [
        "select",
        "Upper Case",
        "a\"b",
        "a'b",
        "a;b--",
        "a/b",
        "a,b",
        "a.b",
        "a:b",
        "a[b]",
        "%",
        "?",
        "\\",
        "$1",
        " lead",
        &long,
        "tables",
        "schema",
        "日本語",
        "-",
        "a&b=c",
        "#",
        "t",
        "r",
    ];
    let mut script = String::new();
    for name in names {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        script += &format!(
            "create table {quoted} ({quoted} text primary key, \"v {quoted_inner}\" int default 1);",
            quoted_inner = name
                .replace('"', "\"\"")
                .chars()
                .take(20)
                .collect::<String>()
        );
        script += &format!("insert into {quoted} values ('k');");
    }
    let site = Site::new(&script).await;
    for name in names {
        let path = encode(name);
        let base = if name == "tables" {
            "/tables/tables".to_owned()
        } else {
            format!("/{path}")
        };
        let column = encode(&format!("\"{}\"", name.replace('"', "\"\"")));
        let got = site
            .get(&format!(
                "{base}?sort=-{column}&fields={column}&filter={column}:k&filter[{column}.in]=k"
            ))
            .await;
        assert_eq!(got.at("/data"), json!([{name: "k"}]), "{name} {got:?}");
        if name == "tables" {
            continue;
        }
        let key = json!({name: name}).to_string();
        let got = site.send(&format!("POST {base}"), &key).await;
        assert_eq!(got.status, 201, "{name} {got:?}");
        let location = got
            .header("Location")
            .unwrap()
            .strip_prefix("/api/v1")
            .unwrap()
            .to_owned();
        if name == "schema" {
            // The word itself is the fixed route; its first letter encoded, it is a key.
            assert_eq!(
                site.get("/schema/%73chema").await.at("/data/schema"),
                "schema"
            );
            continue;
        }
        let got = site
            .send(&format!("PUT {location}"), &json!({name: "n"}).to_string())
            .await;
        assert_eq!(got.status, 200, "{name} {got:?}");
        assert_eq!(
            site.send(&format!("DELETE {base}/n"), "").await.status,
            200,
            "{name}"
        );
    }
}

/// Functions and operators of the tenant's that would win over Postgres' own, were they not
/// named in full. Each would be noticed: it raises.
const HOSTILE: &str = "
create function boom() returns void language plpgsql as $$ begin raise exception 'called'; end $$;
create function eq(text, text) returns boolean language plpgsql as $$ begin raise exception 'called'; end $$;
create function eq(varchar, varchar) returns boolean language plpgsql as $$ begin raise exception 'called'; end $$;
create function eq(varchar, text) returns boolean language plpgsql as $$ begin raise exception 'called'; end $$;
create function eq(int, int) returns boolean language plpgsql as $$ begin raise exception 'called'; end $$;
create function eq(int, bigint) returns boolean language plpgsql as $$ begin raise exception 'called'; end $$;
create operator = (leftarg = text, rightarg = text, procedure = eq);
create operator = (leftarg = varchar, rightarg = varchar, procedure = eq);
create operator = (leftarg = varchar, rightarg = text, procedure = eq);
create operator = (leftarg = int, rightarg = int, procedure = eq);
create operator < (leftarg = varchar, rightarg = varchar, procedure = eq);
create operator ~~* (leftarg = varchar, rightarg = text, procedure = eq);
create operator <> (leftarg = varchar, rightarg = varchar, procedure = eq);
create operator >= (leftarg = varchar, rightarg = varchar, procedure = eq);
create function lower(varchar) returns text language plpgsql as $$ begin raise exception 'called'; end $$;
create function to_json(varchar) returns json language plpgsql as $$ begin raise exception 'called'; end $$;
create function to_json(int[]) returns json language plpgsql as $$ begin raise exception 'called'; end $$;
create function json_to_record(json) returns record language plpgsql as $$ begin raise exception 'called'; end $$;
create function json_to_recordset(json) returns setof record language plpgsql as $$ begin raise exception 'called'; end $$;
create function row_to_json(record) returns json language plpgsql as $$ begin raise exception 'called'; end $$;
create function json_agg(json) returns json language plpgsql as $$ begin raise exception 'called'; end $$;
create function count() returns bigint language plpgsql as $$ begin raise exception 'called'; end $$;
create type int4 as enum ('hostile');
create domain text as pg_catalog.int4;
create type json as enum ('hostile');
create table items (id pg_catalog.int4 primary key, name varchar(20) unique, tags pg_catalog.int4[], parent pg_catalog.int4 references items);
insert into items select n, 'name ' || n, array[n], nullif(n, 1) from generate_series(1, 3) n;
";

#[tokio::test]
async fn nothing_of_the_tenants_is_called_by_our_sql() {
    let site = Site::new(HOSTILE).await;
    for path in ["pg_catalog", "SCHEMA, pg_catalog"] {
        if path.starts_with("SCHEMA") {
            site.run(&format!(
                "set search_path = {}, pg_catalog",
                site.tenant.schema()
            ))
            .await;
        }
        for query in [
            "",
            "filter=name:name 1",
            "filter[name.in]=name 1,x",
            "filter[name.between]=a,z",
            "q=name",
            "filter[name.ilike]=N%25",
            "filter[id.neq]=1",
            "sort=-name",
            "filter[tags.in]={1},{2}",
            "include=items",
            "cursor=",
            "filter[name.nin]=a",
            "fields=tags",
            "count=planned",
        ] {
            let got = site.get(&format!("/items?{query}")).await;
            assert_eq!(got.status, 200, "{path} {query} {got:?}");
        }
        assert_eq!(site.get("/items/1").await.status, 200);
        assert_eq!(site.get("/items/schema").await.status, 200);
        let got = site
            .send("POST /items", r#"{"id":9,"name":"x","tags":[1,2]}"#)
            .await;
        assert_eq!(got.status, 201, "{got:?}");
        let got = site.send("PUT /items/9", r#"{"name":"y"}"#).await;
        assert_eq!(got.status, 200, "{got:?}");
        let got = site
            .send(
                "POST /items",
                r#"{"id":"1","name":"waytoolongforthiscolumnindeed"}"#,
            )
            .await;
        assert_eq!(got.errors, ["name"], "{got:?}");
        assert_eq!(site.send("DELETE /items/9", "").await.status, 200);
    }
}

#[tokio::test]
async fn values_never_become_sql() {
    let site =
        Site::new("create table t (id int primary key, v text); insert into t values (1, 'a');")
            .await;
    for evil in [
        "'; drop table t; --",
        "\" or true --",
        "1) or (1=1",
        "$1",
        "{\"a\"}",
        "a\\",
        "\\",
        "%_",
        "''",
        "\"\"",
        "x' union select password",
        "/*",
        "*/",
        "--",
        "\u{feff}",
        "$$",
        "E'\\'",
        "{a,b}",
        "\"",
        ",",
    ] {
        let value = encode(evil);
        for query in [
            format!(
                "filter[v]={}",
                encode(&format!("\"{}\"", evil.replace('"', "\"\"")))
            ),
            format!(
                "filter[v.in]={}",
                encode(&format!("\"{}\"", evil.replace('"', "\"\"")))
            ),
            format!("filter[v.ilike]={value}x"),
            format!("q={value}"),
            format!("sort={value}"),
            format!("fields={value}"),
            format!("filter={value}"),
            format!("cursor={value}"),
            format!("since={value}"),
            format!("include={value}"),
            format!("where={value}"),
            format!("count={value}"),
            format!("{value}=1"),
        ] {
            let got = site.get(&format!("/t?{query}")).await;
            assert!(got.status < 500, "{query} {got:?}");
            assert!(
                got.status != 200 || got.at("/meta/total") != 1 || query.starts_with('_'),
                "{query} {got:?}"
            );
        }
        let got = site.get(&format!("/{value}")).await;
        assert!(matches!(got.status, 400 | 404), "{evil} {got:?}");
        let got = site.get(&format!("/t/{value}")).await;
        assert!(matches!(got.status, 400 | 404), "{evil} {got:?}");
        let got = site.send("POST /t", &json!({ evil: 1 }).to_string()).await;
        assert_eq!(got.status, 400, "{evil} {got:?}");
        let got = site
            .send("PUT /t/1", &json!({ "v": evil }).to_string())
            .await;
        assert_eq!(got.at("/data/v"), evil);
        site.send("PUT /t/1", r#"{"v":"a"}"#).await;
    }
}

#[tokio::test]
async fn a_failing_view_is_the_views_fault() {
    let site = Site::new(
        "create table t (id int primary key, v text); insert into t values (0, 'x');
         create view broken as select 1 / id as v from t;
         create function deny() returns trigger language plpgsql as $$ begin raise exception 'not on my watch'; end $$;
         create table guarded (id int primary key);
         create trigger deny before insert on guarded for each row execute function deny();",
    )
    .await;
    assert_eq!(site.get("/broken").await.slug, "view-execution-error");
    let got = site.send("POST /guarded", r#"{"id":1}"#).await;
    assert_eq!(got.slug, "creation-failed");
    assert!(got.detail.contains("not on my watch"));
}

#[tokio::test]
async fn deferred_rules_are_rules() {
    let site = Site::new(
        "create table t (id int primary key, mate int references t deferrable initially deferred);",
    )
    .await;
    let got = site.send("POST /t", r#"{"id":1,"mate":2}"#).await;
    assert_eq!(
        (got.slug, got.errors),
        ("creation-failed", vec!["mate".to_owned()])
    );
    let got = site
        .send("POST /t", r#"[{"id":1,"mate":2},{"id":2,"mate":1}]"#)
        .await;
    assert_eq!(got.status, 201);
    let got = site
        .send_preferring("POST /t", r#"{"id":3,"mate":9}"#, Some("tx=rollback"))
        .await;
    assert_eq!(got.slug, "creation-failed", "{got:?}");
    let got = site
        .send_preferring("POST /t", r#"{"id":3,"mate":2}"#, Some("tx=rollback"))
        .await;
    assert_eq!(
        (got.status, got.header("Sandlot-Simulated")),
        (201, Some("true"))
    );
    assert_eq!(site.get("/t").await.at("/meta/total"), 2);
}

#[tokio::test]
async fn a_table_that_changes_under_readers_gives_right_answers() {
    let site = Site::new(
        "create table t (id int primary key, a int, b text); insert into t select n, n, n from generate_series(1, 50) n;",
    )
    .await;
    let changes = async {
        for round in 0..15 {
            site.run(&format!("alter table t add c{round} int default {round}"))
                .await;
            site.run("alter table t alter a type bigint using a::bigint")
                .await;
            site.run("alter table t rename b to bb").await;
            site.run("alter table t alter a type text using a::text")
                .await;
            site.run("alter table t rename bb to b").await;
            site.run("alter table t alter a type int using a::int")
                .await;
            site.run(&format!("alter table t drop c{round}")).await;
        }
    };
    let reads = async {
        let (mut right, mut refused) = (0, 0);
        for round in 0..150 {
            let query = [
                "",
                "?fields=id,a",
                "?sort=-a",
                "?filter[id.gt]=40",
                "?fields=id,b&sort=b",
            ][round % 5];
            let got = site.get(&format!("/t{query}")).await;
            match got.status {
                200 => {
                    right += 1;
                    let first = got.at("/data/0");
                    let a = first
                        .get("a")
                        .map_or(first["id"].to_string(), |a| a.to_string());
                    assert_eq!(
                        a.trim_matches('"'),
                        first["id"].to_string(),
                        "{query} {got:?}"
                    );
                }
                400 => refused += 1,
                _ => panic!("{query} {got:?}"),
            }
        }
        (right, refused)
    };
    let (_, (a, b), (c, d)) = tokio::join!(changes, reads, reads_again(&site));
    assert!(a + c > 250, "{a} {b} {c} {d}");
}

async fn reads_again(site: &Site) -> (i32, i32) {
    let (mut right, mut refused) = (0, 0);
    for id in 0..150 {
        match site.get(&format!("/t/{}", 1 + id % 50)).await {
            got if got.status == 200 => {
                assert_eq!(got.at("/data/id"), 1 + id % 50);
                right += 1;
            }
            got if got.status < 500 => refused += 1,
            got => panic!("{got:?}"),
        }
    }
    (right, refused)
}
