//! Writes.

use super::spelt;

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
