//! From an address to SQL without a database: one line a case.

use super::Call;
use super::parse::{Headers, path, request};
use crate::data::catalog::types::oid;
use crate::data::catalog::{
    Catalog, Column, ForeignKey, Generated, Table, Type, TypeKind, TypeSchema, Unique,
};
use crate::data::cursor::Seal;
use crate::data::plan::{Rules, Special, plan};
use crate::data::sql::{self, Statement};
use crate::listing::parameters::parameters;
use crate::problem::Problem;
use std::sync::{Arc, LazyLock};

static SHOP: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    let column = |name: &str, ty: Type| Column {
        name: name.to_owned(),
        ty,
        nullable: name != "id",
        default: None,
        generated: Generated::No,
        comment: None,
    };
    let int = || Type::builtin("int4", oid::INT4);
    let text = || Type::builtin("text", oid::TEXT);
    let varchar = Type {
        length: Some(5),
        ..Type::builtin("varchar", oid::VARCHAR)
    };
    let mood = Type {
        schema: TypeSchema::Own,
        oid: 0,
        kind: TypeKind::Enum(vec!["ok".to_owned(), "sad".to_owned()]),
        ordered: Some(TypeSchema::Builtin),
        ..Type::builtin("mood", 0)
    };
    let moods = Type {
        array: true,
        kind: TypeKind::Array(Box::new(mood.clone())),
        ..mood.clone()
    };
    let tags = Type {
        array: true,
        oid: 1009,
        kind: TypeKind::Array(Box::new(text())),
        ordered: Some(TypeSchema::Builtin),
        ..Type::builtin("text", 1009)
    };
    let citext = Type {
        schema: TypeSchema::Other("public".to_owned()),
        ordered: Some(TypeSchema::Other("public".to_owned())),
        ..Type::builtin("citext", 0)
    };
    let price = Type {
        schema: TypeSchema::Own,
        kind: TypeKind::Domain(Box::new(Type::builtin("numeric", oid::NUMERIC))),
        ordered: Some(TypeSchema::Builtin),
        ..Type::builtin("price", 0)
    };
    let table = |name: &str, columns: Vec<Column>, key: &[usize]| Table {
        name: name.to_owned(),
        columns,
        key: key.to_vec(),
        uniques: vec![Unique {
            name: format!("{name}_pkey"),
            columns: key.to_vec(),
            plain: !key.is_empty(),
            deferrable: false,
        }],
        insertable: true,
        updatable: true,
        deletable: true,
        ..Table::default()
    };
    let mut clients = table(
        "clients",
        vec![
            column("id", int()),
            column("name", text()),
            column("code", varchar),
            column("mood", mood),
            column("moods", moods),
            column("tags", tags),
            column("mail", citext),
            column("price", price),
            column("meta", Type::builtin("json", oid::JSON)),
            column("data", Type::builtin("jsonb", oid::JSONB)),
            column("updated_at", Type::builtin("timestamptz", oid::TIMESTAMPTZ)),
            column("A \"b\".c", text()),
            column("uuid", Type::builtin("uuid", oid::UUID)),
            column("at", Type::builtin("point", 600)),
            column("ok", Type::builtin("bool", oid::BOOL)),
            column("secret", text()),
        ],
        &[0],
    );
    clients.columns[0].generated = Generated::IdentityAlways;
    let mut orders = table(
        "orders",
        vec![
            column("id", int()),
            column("clientid", int()),
            column("n", int()),
        ],
        &[0],
    );
    orders.foreign_keys.push(ForeignKey {
        name: "orders_clientid_fkey".to_owned(),
        columns: vec![1],
        table: 0,
        referred: vec![0],
        on_delete: "cascade",
    });
    let pairs = table(
        "pairs",
        vec![column("a", int()), column("b", text()), column("c", text())],
        &[0, 1],
    );
    let loose = table("loose", vec![column("a", int())], &[]);
    Arc::new(Catalog::new(vec![clients, orders, pairs, loose]))
});

fn statements(line: &str, body: &str) -> Result<Vec<Statement>, Problem> {
    let (method, address) = line.split_once(' ').unwrap_or(("GET", line));
    let (place, query) = address.split_once('?').unwrap_or((address, ""));
    let call = Call {
        method,
        base: "",
        path: place,
        query,
        headers: Headers {
            content_type: Some("application/json"),
            accept: None,
            prefer: Some("resolution=merge-duplicates"),
        },
        body: body.as_bytes(),
    };
    let rules = Rules {
        special: vec![Special {
            table: "clients".to_owned(),
            hidden: vec!["secret".to_owned()],
            ..Special::default()
        }],
        ..Rules::default()
    };
    let (request, _) = request(method, &path(place)?, &parameters(query)?, &call)?;
    let plan = plan(&request, &SHOP, &rules, &Seal::new(b"k"))?;
    Ok(sql::statements(&plan, "x"))
}

/// The statement's text with short names for what is always there, and its parameters.
fn spelt(line: &str, body: &str) -> String {
    match statements(line, body) {
        Err(problem) => {
            let names: Vec<&String> = problem.errors.keys().collect();
            format!("{} {names:?}", problem.kind.slug())
        }
        Ok(statements) => {
            let texts = statements.iter().map(|statement| {
                let values: Vec<&str> = statement
                    .binds
                    .iter()
                    .map(|bind| bind.value.as_deref().unwrap_or("NULL"))
                    .collect();
                let text = statement
                    .text
                    .replace("operator(pg_catalog.", "op(")
                    .replace("pg_catalog.", "@");
                if values.is_empty() {
                    text
                } else {
                    format!("{text} <- {}", values.join(" | "))
                }
            });
            texts.collect::<Vec<_>>().join("; ")
        }
    }
}

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

#[test]
fn writes() {
    for (line, body, sql) in [
        (
            "POST /orders",
            r#"{"n":1}"#,
            r#"insert into "x"."orders" as t ("n") select r."n" from @json_to_recordset($1::@json) as r("n" @"int4") returning t."id", t."clientid", t."n" <- [{"n":1}]"#,
        ),
        (
            "POST /orders",
            "{}",
            r#"insert into "x"."orders" as t select from @json_array_elements($1::@json) returning t."id", t."clientid", t."n" <- [{}]"#,
        ),
        (
            "POST /orders?fields=n",
            r#"{"n":null,"id":"7"}"#,
            r#"insert into "x"."orders" as t ("id", "n") select r."id", r."n" from @json_to_recordset($1::@json) as r("id" @"int4", "n" @"int4") returning t."n", t."id" <- [{"id":"7","n":null}]"#,
        ),
        (
            "POST /loose",
            r#"[{"a":1},{"a":2}]"#,
            r#"insert into "x"."loose" as t ("a") select r."a" from @json_to_recordset($1::@json) as r("a" @"int4") returning t."a" <- [{"a":1},{"a":2}]"#,
        ),
        (
            "POST /loose",
            r#"[{"a":1},{}]"#,
            r#"insert into "x"."loose" as t ("a") select r."a" from @json_to_recordset($1::@json) as r("a" @"int4") returning t."a" <- [{"a":1}]; insert into "x"."loose" as t select from @json_array_elements($1::@json) returning t."a" <- [{}]"#,
        ),
        (
            "POST /pairs?on_conflict=a,b",
            r#"{"a":1,"b":"x","c":"y"}"#,
            r#"insert into "x"."pairs" as t ("a", "b", "c") select r."a", r."b", r."c" from @json_to_recordset($1::@json) as r("a" @"int4", "b" @"text", "c" @"text") on conflict ("a", "b") do update set "c" = excluded."c" returning t."a", t."b", t."c" <- [{"a":1,"b":"x","c":"y"}]"#,
        ),
        (
            "POST /clients?fields=id",
            r#"{"mood":"ok","tags":["a"],"price":1,"mail":"m"}"#,
            r#"insert into "x"."clients" as t ("mood", "tags", "mail", "price") select r."mood", r."tags", r."mail", r."price" from @json_to_recordset($1::@json) as r("mood" "x"."mood", "tags" @"text"[], "mail" "public"."citext", "price" @"numeric") returning t."id" <- [{"mood":"ok","tags":["a"],"mail":"m","price":1}]"#,
        ),
        (
            "PUT /orders/7",
            r#"{"n":2}"#,
            r#"update "x"."orders" as t set "n" = r."n" from @json_to_record($1::@json) as r("n" @"int4") where t."id" op(=) $2::@"int4" returning t."id", t."clientid", t."n" <- {"n":2} | 7"#,
        ),
        (
            "PATCH /clients/7?fields=id",
            r#"{"id":7,"name":"x"}"#,
            r#"update "x"."clients" as t set "name" = r."name" from @json_to_record($1::@json) as r("name" @"text") where t."id" op(=) $2::@"int4" returning t."id" <- {"name":"x"} | 7"#,
        ),
        (
            "PUT /orders/7",
            "{}",
            r#"select t."id", t."clientid", t."n" from "x"."orders" as t where t."id" op(=) $1::@"int4" <- 7"#,
        ),
        (
            "DELETE /pairs/1,x?fields=c",
            "",
            r#"delete from "x"."pairs" as t where (t."a" op(=) $1::@"int4" and t."b" op(=) $2::@"text") returning t."c", t."a", t."b" <- 1 | x"#,
        ),
        (
            "POST /clients",
            r#"{"id":1}"#,
            r#"validation-failed ["id"]"#,
        ),
        (
            "POST /clients",
            r#"{"secret":1,"nosuch":2}"#,
            r#"validation-failed ["nosuch", "secret"]"#,
        ),
        (
            "POST /clients",
            r#"{"name":1,"code":"123456","mood":"x","tags":1,"ok":"x","uuid":"x"}"#,
            r#"validation-failed ["code", "mood", "name", "ok", "tags", "uuid"]"#,
        ),
        (
            "PUT /clients/7",
            r#"{"id":8}"#,
            r#"validation-failed ["id"]"#,
        ),
        ("PUT /clients/x", r#"{"name":"y"}"#, "not-found []"),
        ("PUT /loose/1", r#"{"a":1}"#, "not-found []"),
        (
            "POST /orders?fields=n&include=client&fields[client]=name",
            r#"{"n":1}"#,
            r#"with t as (insert into "x"."orders" as t ("n") select r."n" from @json_to_recordset($1::@json) as r("n" @"int4") returning t.*) select t."n", (select @row_to_json(t2) from (select t1."name" as "name" from "x"."clients" as t1 where t1."id" op(=) t."clientid") as t2), t."id" from t <- [{"n":1}]"#,
        ),
        (
            "POST /orders?on_conflict=n",
            r#"{"n":1}"#,
            r#"invalid-parameter ["on_conflict"]"#,
        ),
        (
            "POST /orders?on_conflict=nosuch",
            r#"{"n":1}"#,
            r#"invalid-parameter ["on_conflict"]"#,
        ),
        (
            "POST /orders?filter=n:1",
            r#"{"n":1}"#,
            r#"invalid-parameter ["filter"]"#,
        ),
        (
            "PUT /orders/1?on_conflict=id",
            r#"{"n":1}"#,
            r#"invalid-parameter ["on_conflict"]"#,
        ),
    ] {
        assert_eq!(spelt(line, body), sql, "{line} {body}");
    }
}
