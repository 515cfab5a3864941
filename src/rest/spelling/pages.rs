//! Orders, pages and columns.

use super::spelt;

/// What stands behind the table's name in a list of ids.
fn tail(address: &str) -> String {
    let text = spelt(&format!("GET {address}"), "");
    let after = text
        .split_once(" as t")
        .map_or(text.as_str(), |(_, rest)| rest);
    after.to_owned()
}

#[test]
fn orders_and_pages() {
    for (query, sql) in [
        ("", r#" order by t."id" limit 26"#),
        ("sort=name", r#" order by t."name", t."id" limit 26"#),
        (
            "sort=-name,mood",
            r#" order by t."name" desc, t."mood", t."id" limit 26"#,
        ),
        (
            "sort=-id,name",
            r#" order by t."id" desc, t."name" limit 26"#,
        ),
        ("sort=id,id", r#" order by t."id" limit 26"#),
        (
            "sort=%22A+%22%22b%22%22.c%22",
            r#" order by t."A ""b"".c", t."id" limit 26"#,
        ),
        (
            "sort=-%22name%22",
            r#" order by t."name" desc, t."id" limit 26"#,
        ),
        ("sort=+name+", r#" order by t."name", t."id" limit 26"#),
        ("per_page=7", r#" order by t."id" limit 8"#),
        (
            "per_page=7&page=3",
            r#" order by t."id" limit 8 offset $1::@"int8" <- 14"#,
        ),
        (
            "page=9007199254740993",
            r#" order by t."id" limit 26 offset $1::@"int8" <- 225179981368524800"#,
        ),
        ("cursor=", r#" order by t."id" limit 26"#),
        ("sort=nosuch", r#"invalid-parameter ["sort"]"#),
        ("sort=secret", r#"invalid-parameter ["sort"]"#),
        ("sort=meta", r#"invalid-parameter ["sort"]"#),
        ("sort=at", r#"invalid-parameter ["sort"]"#),
        ("sort=,", r#"invalid-parameter ["sort"]"#),
        ("sort=--id", r#"invalid-parameter ["sort"]"#),
        ("sort=orders.id", r#"invalid-parameter ["sort"]"#),
        ("sort=id%20desc", r#"invalid-parameter ["sort"]"#),
        ("page=0", r#"invalid-parameter ["page"]"#),
        ("page=1.5", r#"invalid-parameter ["page"]"#),
        ("page=+1", r#"invalid-parameter ["page"]"#),
        ("page=", r#"invalid-parameter ["page"]"#),
        ("page=18446744073709551616", r#"invalid-parameter ["page"]"#),
        ("per_page=1001", r#"invalid-parameter ["per_page"]"#),
        ("per_page=0", r#"invalid-parameter ["per_page"]"#),
        ("per_page=-5", r#"invalid-parameter ["per_page"]"#),
        ("cursor=x", r#"invalid-parameter ["cursor"]"#),
        ("cursor=&page=1", r#"invalid-parameter ["cursor"]"#),
        ("count=some", r#"invalid-parameter ["count"]"#),
    ] {
        let query = if query.contains("count=") {
            query.to_owned()
        } else {
            format!("count=none&{query}")
        };
        assert_eq!(tail(&format!("/clients?fields=id&{query}")), sql, "{query}");
    }
    assert_eq!(
        tail("/orders?count=none&fields=id&sort=-client.name"),
        r#" order by (select t1."name" from "x"."clients" as t1 where t1."id" op(=) t."clientid") desc, t."id" limit 26"#
    );
    assert_eq!(
        tail("/loose?count=none"),
        " order by t.tableoid, t.ctid limit 26"
    );
    assert_eq!(
        tail("/pairs?count=none&sort=-b"),
        r#" order by t."b" desc, t."a" limit 26"#
    );
}

#[test]
fn columns() {
    for (line, sql) in [
        (
            "/pairs/1,x",
            r#"select t."a", t."b", t."c" from "x"."pairs" as t where t."a" op(=) $1::@"int4" and t."b" op(=) $2::@"text" <- 1 | x"#,
        ),
        (
            "/pairs/1,x%2Cy",
            r#"select t."a", t."b", t."c" from "x"."pairs" as t where t."a" op(=) $1::@"int4" and t."b" op(=) $2::@"text" <- 1 | x,y"#,
        ),
        (
            "/orders/7?fields=n,id,n",
            r#"select t."n", t."id" from "x"."orders" as t where t."id" op(=) $1::@"int4" <- 7"#,
        ),
        (
            "/clients/7?fields=mood,tags,at,price,data",
            r#"select t."mood"::@text, @to_json(t."tags")::@text, @to_json(t."at")::@text, t."price", t."data" from "x"."clients" as t where t."id" op(=) $1::@"int4" <- 7"#,
        ),
        (
            "/orders/7?fields=id&include=client&fields[client]=name,mood",
            r#"select t."id", (select @row_to_json(t2) from (select t1."name" as "name", t1."mood" as "mood" from "x"."clients" as t1 where t1."id" op(=) t."clientid") as t2) from "x"."orders" as t where t."id" op(=) $1::@"int4" <- 7"#,
        ),
        (
            "/clients/7?fields=id&include=orders&fields[orders]=n",
            r#"select t."id", (select coalesce(@json_agg(t2), '[]'::@json) from (select t1."n" as "n" from "x"."orders" as t1 where t1."clientid" op(=) t."id" order by t1."id" limit 1000) as t2) from "x"."clients" as t where t."id" op(=) $1::@"int4" <- 7"#,
        ),
        (
            "/loose?fields=a",
            r#"select t."a", (select @count(*) from "x"."loose" as t) from "x"."loose" as t order by t.tableoid, t.ctid limit 25"#,
        ),
        (
            "/orders?filter=n:1&fields=id",
            r#"select t."id", (select @count(*) from "x"."orders" as t where t."n" op(=) $1::@"int4") from "x"."orders" as t where t."n" op(=) $1::@"int4" order by t."id" limit 25 <- 1"#,
        ),
        (
            "/orders?fields=n",
            r#"select t."n", t."id", (select @count(*) from "x"."orders" as t) from "x"."orders" as t order by t."id" limit 25"#,
        ),
        ("/clients?fields=secret", r#"invalid-parameter ["fields"]"#),
        ("/clients?fields=id,", r#"invalid-parameter ["fields"]"#),
        ("/clients?fields=*", r#"invalid-parameter ["fields"]"#),
        (
            "/clients?fields=id&fields=name",
            r#"invalid-parameter ["fields"]"#,
        ),
        (
            "/clients?fields[orders]=id",
            r#"invalid-parameter ["fields[orders]"]"#,
        ),
        (
            "/clients?include=nosuch",
            r#"invalid-parameter ["include"]"#,
        ),
        (
            "/clients?include=orders.client.orders.client",
            r#"invalid-parameter ["include"]"#,
        ),
        ("/clients/7?page=1", r#"invalid-parameter ["page"]"#),
        ("/clients/7?filter=id:1", r#"invalid-parameter ["filter"]"#),
        ("/clients/7?sort=id", r#"invalid-parameter ["sort"]"#),
        ("/clients/x", "not-found []"),
        ("/clients/7,8", "not-found []"),
        ("/clients/%00", "not-found []"),
        ("/clients/", r#"select t."id""#),
        ("/loose/1", "not-found []"),
        ("/nosuch", "not-found []"),
        ("/clients/%zz", "bad-request []"),
        ("/%ff", "bad-request []"),
        ("/a/b/c", "not-found []"),
    ] {
        let text = spelt(&format!("GET {line}"), "");
        assert!(
            text == sql || (line.ends_with('/') && text.starts_with(sql)),
            "{line}: {text}"
        );
    }
}
