//! Conditions of a list.

use super::spelt;

/// What stands between `where` and `order by` for a list of clients without a count.
fn condition(query: &str) -> String {
    let text = spelt(&format!("GET /clients?count=none&fields=id&{query}"), "");
    match text.split_once(" where ") {
        None => text,
        Some((_, rest)) => {
            let (text, tail) = rest.split_once(" order by").unwrap_or((rest, ""));
            let values = tail.split_once(" <- ").map_or("", |(_, values)| values);
            format!("{text} <- {values}")
        }
    }
}

#[test]
fn conditions() {
    for (query, sql) in [
        ("filter=id:7", r#"t."id" op(=) $1::@"int4" <- 7"#),
        ("filter=id.neq:7", r#"t."id" op(<>) $1::@"int4" <- 7"#),
        ("filter[id]=7", r#"t."id" op(=) $1::@"int4" <- 7"#),
        ("filter[id.gt]=7", r#"t."id" op(>) $1::@"int4" <- 7"#),
        ("filter[id.gte]=7", r#"t."id" op(>=) $1::@"int4" <- 7"#),
        ("filter[id.lt]=7", r#"t."id" op(<) $1::@"int4" <- 7"#),
        ("filter[id.lte]=-7", r#"t."id" op(<=) $1::@"int4" <- -7"#),
        (
            "filter[id.in]=1,2",
            r#"t."id" op(=) any ($1::@"int4"[]) <- {"1","2"}"#,
        ),
        (
            "filter[id.nin]=1,2",
            r#"t."id" op(<>) all ($1::@"int4"[]) <- {"1","2"}"#,
        ),
        (
            "filter[id.in]=",
            r#"t."id" op(=) any ($1::@"int4"[]) <- {}"#,
        ),
        (
            "filter[id.between]=1,2",
            r#"(t."id" op(>=) $1::@"int4" and t."id" op(<=) $2::@"int4") <- 1 | 2"#,
        ),
        (
            "filter[id.null]=",
            r#"t."id" is not distinct from null <- "#,
        ),
        (
            "filter[id.null]=true",
            r#"t."id" is not distinct from null <- "#,
        ),
        (
            "filter[id.null]=false",
            r#"t."id" is distinct from null <- "#,
        ),
        ("filter[id.notnull]", r#"t."id" is distinct from null <- "#),
        (
            "filter[id.notnull]=0",
            r#"t."id" is not distinct from null <- "#,
        ),
        (
            "filter[id.like]=1%25",
            r#"t."id"::@text op(~~) $1::@"text" <- 1%"#,
        ),
        (
            "filter[id.like]=1%25&filter[id.ilike]=_",
            r#"(t."id"::@text op(~~) $1::@"text" and t."id"::@text op(~~*) $2::@"text") <- 1% | _"#,
        ),
        ("filter=name:a:b", r#"t."name" op(=) $1::@"text" <- a:b"#),
        ("filter=name:a,b", r#"t."name" op(=) $1::@"text" <- a,b"#),
        (
            "filter=name:%22a%22%22b%22",
            r#"t."name" op(=) $1::@"text" <- a"b"#,
        ),
        ("filter=%22name%22:x", r#"t."name" op(=) $1::@"text" <- x"#),
        ("filter=name:", r#"t."name" op(=) $1::@"text" <- "#),
        ("filter=name:+x+", r#"t."name" op(=) $1::@"text" <-  x "#),
        (
            "filter[name.in]=a,%22b,c%22,%22d%5C%22%22%22",
            r#"t."name" op(=) any ($1::@"text"[]) <- {"a","b,c","d\\\""}"#,
        ),
        (
            "filter=code:toolong",
            r#"t."code" op(=) $1::@"varchar" <- toolong"#,
        ),
        (
            "filter=mood:ok",
            r#"t."mood" op(=) ($1::@text)::"x"."mood" <- ok"#,
        ),
        (
            "filter[mood.in]=ok,sad",
            r#"t."mood" op(=) any (($1::@text[])::"x"."mood"[]) <- {"ok","sad"}"#,
        ),
        (
            "filter[mood.gt]=ok",
            r#"t."mood" op(>) ($1::@text)::"x"."mood" <- ok"#,
        ),
        (
            "filter[mood.like]=o%25",
            r#"t."mood"::@text op(~~) $1::@"text" <- o%"#,
        ),
        (
            "filter=moods:{ok}",
            r#"t."moods" op(=) ($1::@text)::"x"."mood"[] <- {ok}"#,
        ),
        (
            "filter=tags:{a,b}",
            r#"t."tags" op(=) $1::@"text"[] <- {a,b}"#,
        ),
        (
            "filter[tags.in]={a},{b}",
            r#"(t."tags" op(=) $1::@"text"[] or t."tags" op(=) $2::@"text"[]) <- {a} | {b}"#,
        ),
        (
            "filter[tags.nin]={a}",
            r#"(t."tags" op(<>) $1::@"text"[]) <- {a}"#,
        ),
        ("filter[tags.in]=", r#"false <- "#),
        ("filter[tags.nin]=", r#"true <- "#),
        (
            "filter=mail:A@b",
            r#"t."mail" operator("public".=) ($1::@text)::"public"."citext" <- A@b"#,
        ),
        (
            "filter=price:1.5",
            r#"t."price" op(=) $1::@"numeric" <- 1.5"#,
        ),
        (
            "filter=meta:{}",
            r#"t."meta"::@text op(=) $1::@"text" <- {}"#,
        ),
        (
            "filter[meta.in]={}",
            r#"t."meta"::@text op(=) any ($1::@"text"[]) <- {"{}"}"#,
        ),
        ("filter=data:{}", r#"t."data" op(=) $1::@"jsonb" <- {}"#),
        (
            "filter[at]=(1,2)",
            r#"t."at"::@text op(=) $1::@"text" <- (1,2)"#,
        ),
        ("filter=ok:true", r#"t."ok" op(=) $1::@"bool" <- true"#),
        (
            "filter=%22A+%22%22b%22%22.c%22:1",
            r#"t."A ""b"".c" op(=) $1::@"text" <- 1"#,
        ),
        (
            "filter[%22A+%22%22b%22%22.c%22.gt]=1",
            r#"t."A ""b"".c" op(>) $1::@"text" <- 1"#,
        ),
        (
            "since=2024-01-01",
            r#"t."updated_at" op(>=) $1::@"timestamptz" <- 2024-01-01"#,
        ),
        (
            "q=a%25b",
            r#"(t."name"::@text op(~~*) $1::@"text" or t."code"::@text op(~~*) $1::@"text" or t."mail"::@text op(~~*) $1::@"text" or t."A ""b"".c"::@text op(~~*) $1::@"text") <- %a\%b%"#,
        ),
        (r#"where={"id":7}"#, r#"t."id" op(=) $1::@"int4" <- 7"#),
        (
            r#"where={"id":{"gt":1,"lt":5}}"#,
            r#"(t."id" op(>) $1::@"int4" and t."id" op(<) $2::@"int4") <- 1 | 5"#,
        ),
        (
            r#"where={"or":[{"id":1},{"name":"x"}]}"#,
            r#"(t."id" op(=) $1::@"int4" or t."name" op(=) $2::@"text") <- 1 | x"#,
        ),
        (
            r#"where={"not":{"id":1,"name":null}}"#,
            r#"not ((t."id" op(=) $1::@"int4" and t."name" is not distinct from null)) <- 1"#,
        ),
        (r#"where={"or":[]}"#, r#"false <- "#),
        (
            r#"where={"tags":["a\"b",null]}"#,
            r#"t."tags" op(=) $1::@"text"[] <- {"a\"b",null}"#,
        ),
        (
            r#"where={"data":{"eq":{"a":[1]}}}"#,
            r#"t."data" op(=) $1::@"jsonb" <- {"a":[1]}"#,
        ),
        (
            r#"where={"orders":{"n":1}}"#,
            r#"exists (select from "x"."orders" as t1 where t1."clientid" op(=) t."id" and (t1."n" op(=) $1::@"int4")) <- 1"#,
        ),
        (
            r#"where={"orders":{"none":{"n":1}}}"#,
            r#"not exists (select from "x"."orders" as t1 where t1."clientid" op(=) t."id" and (t1."n" op(=) $1::@"int4")) <- 1"#,
        ),
        (
            r#"where={"orders":{"every":{"n":1}}}"#,
            r#"not exists (select from "x"."orders" as t1 where t1."clientid" op(=) t."id" and (t1."n" op(=) $1::@"int4") is not true) <- 1"#,
        ),
        (
            r#"where={"orders":{"client":{"id":1}}}"#,
            r#"exists (select from "x"."orders" as t1 where t1."clientid" op(=) t."id" and (exists (select from "x"."clients" as t2 where t2."id" op(=) t1."clientid" and (t2."id" op(=) $1::@"int4")))) <- 1"#,
        ),
    ] {
        assert_eq!(condition(query), sql, "{query}");
    }
}

#[test]
fn refused_conditions() {
    for query in [
        "filter",
        "filter=",
        "filter=id",
        "filter=:1",
        "filter=id:x",
        "filter=id:1.5",
        "filter=id:1e400",
        "filter=id:2147483648",
        "filter=id:",
        "filter=uuid:x",
        "filter=ok:maybe",
        "filter=mood:happy",
        "filter=price:1,5",
        "filter=price:x",
        "filter=secret:x",
        "filter=nosuch:1",
        "filter=%22id:1",
        "filter=name:%22a",
        "filter=name:%22a%22b%22",
        "filter=name:%00",
        "filter=id.foo:1",
        "filter=a.b.eq:1",
    ] {
        assert_eq!(
            condition(query),
            r#"invalid-parameter ["filter"]"#,
            "{query}"
        );
    }
    for (query, name) in [
        ("filter[id.foo]=1", "filter[id.foo]"),
        ("filter[]=1", "filter[]"),
        ("filter[.eq]=1", "filter[.eq]"),
        ("filter[id.in]=1,x", "filter[id.in]"),
        ("filter[id.between]=1", "filter[id.between]"),
        ("filter[id.between]=1,2,3", "filter[id.between]"),
        ("filter[id.null]=x", "filter[id.null]"),
        ("filter[meta.gt]=1", "filter[meta.gt]"),
        ("filter[at.between]=1,2", "filter[at.between]"),
        ("filter[name.like]=a%5C", "filter[name.like]"),
        ("filter[secret.null]=", "filter[secret.null]"),
        ("filter[id", "filter[id"),
        ("filter]id=1", "filter]id"),
        ("filters=1", "filters"),
        ("FILTER=id:1", "FILTER"),
        ("q=%00", "q"),
        ("since=now", "since"),
        ("where={", "where"),
        ("where=[]", "where"),
        (r#"where={"secret":1}"#, "where"),
        (r#"where={"id":{"in":1}}"#, "where"),
        (r#"where={"id":{"nosuch":1}}"#, "where"),
        (r#"where={"orders":{"nosuch":1}}"#, "where"),
        (r#"where={"or":{}}"#, "where"),
        ("where={}&where={}", "where"),
    ] {
        let refusal = format!("invalid-parameter [\"{name}\"]");
        assert_eq!(condition(query), refusal, "{query}");
    }
}
