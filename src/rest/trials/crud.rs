//! Lists, rows and writes as a client meets them.

use super::Site;
use crate::data::plan::{Refusal, Rules};
use crate::problem::Kind;
use serde_json::json;

const SHOP: &str = "
create type status as enum ('draft', 'sent', 'paid');
create table users (id serial primary key, email text unique not null, password_hash text not null, role text not null default 'viewer');
insert into users (email, password_hash) values ('a@b.example', 'x');
create table clients (
  id int generated always as identity primary key,
  company varchar(40) not null,
  country text default 'DE',
  score numeric(6,2),
  unique (company)
);
insert into clients (company, country, score)
  select 'Company ' || n, (array['DE','FR',null])[1 + n % 3], n * 1.5 from generate_series(1, 60) n;
create table invoices (
  id bigserial primary key,
  clientid int not null references clients,
  status status not null default 'draft',
  total numeric(12,2) not null default 0 check (total >= 0),
  tax numeric generated always as (total * 0.19) stored,
  date date not null default '2024-01-01',
  meta jsonb,
  paid boolean
);
insert into invoices (clientid, status, total) select 1 + n % 5, (array['draft','sent','paid'])[1 + n % 3]::status, n from generate_series(1, 30) n;
create table tags (a int, b text, c text, primary key (a, b));
insert into tags values (1, 'x,y', 'one'), (2, 'ä/b', 'two');
create table log (line text);
create view rich as select id, company from clients where score > 80;
create view sums as select clientid, sum(total) as total from invoices group by 1;
";

async fn shop() -> Site {
    Site::new(SHOP).await
}

#[tokio::test]
async fn a_list_has_its_envelope() {
    let site = shop().await;
    let got = site.get("/clients").await;
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(got.at("/data").as_array().unwrap().len(), 25);
    assert_eq!(
        got.at("/data/0"),
        json!({"id": 1, "company": "Company 1", "country": "FR", "score": 1.5})
    );
    let meta = got.at("/meta");
    assert_eq!(meta["current_page"], 1);
    assert_eq!(meta["per_page"], 25);
    assert_eq!(meta["total"], 60);
    assert_eq!(meta["total_pages"], 3);
    assert_eq!(
        got.at("/links"),
        json!({
            "self": "/api/v1/clients",
            "first": "/api/v1/clients?page=1&per_page=25",
            "prev": null,
            "next": "/api/v1/clients?page=2&per_page=25",
            "last": "/api/v1/clients?page=3&per_page=25",
        })
    );
}

#[tokio::test]
async fn pages_sorts_fields_and_filters() {
    let site = shop().await;
    let got = site
        .get("/clients?page=3&per_page=7&sort=-score&fields=id,score")
        .await;
    assert_eq!(got.at("/data/0"), json!({"id": 46, "score": 69.0}));
    assert_eq!(
        got.at("/links/prev"),
        "/api/v1/clients?page=2&per_page=7&sort=-score&fields=id,score"
    );
    let got = site.get("/clients?page=99").await;
    assert_eq!(got.at("/meta/total"), 60);
    assert_eq!(got.at("/data"), json!([]));
    assert_eq!(got.at("/links/next"), json!(null));
    assert_eq!(got.at("/links/prev"), "/api/v1/clients?page=3&per_page=25");
    for (query, total) in [
        ("filter=country:DE", 20),
        ("filter=country:DE&filter=id.lt:10", 3),
        ("filter[score.gte]=60", 21),
        ("filter%5Bscore.gte%5D=60&filter[score.lt]=63", 2),
        ("filter[id.in]=1,2,%223%22,999", 3),
        ("filter[id.nin]=1,2", 58),
        ("filter[id.between]=5,8", 4),
        ("filter[country.null]=", 20),
        ("filter[country.null]=false", 40),
        ("filter[country.notnull]=true", 40),
        ("filter[company.like]=Company 1%25", 11),
        ("filter[company.ilike]=cOMPANY 1_", 10),
        ("filter[country.neq]=DE", 20),
        ("filter=%22company%22:%22Company 7%22", 1),
        ("filter=company:nobody", 0),
        ("q=company+7", 1),
        ("q=%25", 0),
        ("filter[id.in]=", 0),
        ("_=123&_cache=x", 60),
    ] {
        let got = site.get(&format!("/clients?{query}")).await;
        assert_eq!(got.at("/meta/total"), total, "{query} {got:?}");
    }
    let got = site
        .get("/invoices?filter=status:paid&sort=-total,id&per_page=1")
        .await;
    assert_eq!(got.at("/meta/total"), 10);
    assert_eq!(got.at("/data/0/status"), "paid");
}

#[tokio::test]
async fn bad_parameters_are_named() {
    let site = shop().await;
    for (query, name) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("page=99999999999999999999", "page"),
        ("page=1&page=2", "page"),
        ("per_page=0", "per_page"),
        ("per_page=1001", "per_page"),
        ("sort=nosuch", "sort"),
        ("sort=", "sort"),
        ("fields=nosuch", "fields"),
        ("fields=", "fields"),
        ("filter=nosuch:1", "filter"),
        ("filter=id", "filter"),
        ("filter=id:x", "filter"),
        ("filter=id:99999999999999999999", "filter"),
        ("filter[id.foo]=1", "filter[id.foo]"),
        ("filter[id.between]=1", "filter[id.between]"),
        ("filter[id.null]=maybe", "filter[id.null]"),
        ("nosuch=1", "nosuch"),
        ("include=nosuch", "include"),
        ("count=some", "count"),
        ("since=2024-01-01", "since"),
        ("cursor=abc", "cursor"),
        ("filter=%ff:1", "filter"),
        ("filter=company:%00", "filter"),
        ("q=%00", "q"),
        ("fields[client]=id", "fields[client]"),
        ("on_conflict=id", "on_conflict"),
    ] {
        let got = site.get(&format!("/clients?{query}")).await;
        assert_eq!(got.slug, "invalid-parameter", "{query} {got:?}");
        assert_eq!(got.errors, [name], "{query}");
    }
    for (query, name) in [
        ("filter[date.gt]=yesterdayish", "filter[date.gt]"),
        ("filter=date:2024-13-45", "filter"),
        ("filter=total:1e", "filter"),
        ("filter=status:unknown", "filter"),
        ("filter[meta.gt]={", "filter[meta.gt]"),
        ("filter[status.like]=a%5C", "filter[status.like]"),
    ] {
        let got = site.get(&format!("/invoices?{query}")).await;
        assert_eq!(got.slug, "invalid-parameter", "{query} {got:?}");
        assert_eq!(got.errors, [name], "{query}");
    }
}

#[tokio::test]
async fn one_row_by_its_key() {
    let site = shop().await;
    let got = site.get("/clients/7?fields=company").await;
    assert_eq!(got.text, r#"{"data":{"company":"Company 7"}}"#);
    assert_eq!(site.get("/tags/1,x%2Cy").await.at("/data/c"), "one");
    assert_eq!(site.get("/tags/2,%C3%A4%2Fb").await.at("/data/c"), "two");
    for address in [
        "/clients/0",
        "/clients/-1",
        "/clients/x",
        "/clients/1e400",
        "/clients/100000000000000000000",
        "/clients/1.5",
        "/clients/%00",
        "/clients/1,2",
        "/tags/1",
        "/log/1",
        "/sums/1",
        "/nosuch",
        "/nosuch/1",
        "/clients/1/2",
        "/clients/1'%20or%20'1'='1",
        "/tables/nosuch",
        "/clients//1",
        "/clients/,",
        "/nosuch/schema",
    ] {
        let got = site.get(address).await;
        assert_eq!(got.slug, "not-found", "{address} {got:?}");
    }
    for address in ["/clients/%ff", "/%ff", "/clients/%zz"] {
        assert_eq!(site.get(address).await.slug, "bad-request", "{address}");
    }
}

#[tokio::test]
async fn rows_are_made() {
    let site = shop().await;
    let got = site
        .send("POST /clients", r#"{"company":"New","score":12.5}"#)
        .await;
    assert_eq!(got.status, 201, "{got:?}");
    assert_eq!(got.header("Location"), Some("/api/v1/clients/61"));
    assert_eq!(
        got.json(),
        json!({"data": {"id": 61, "company": "New", "country": "DE", "score": 12.5}})
    );
    let got = site
        .send("POST /clients", r#"{"company":"Null","country":null}"#)
        .await;
    assert_eq!(got.at("/data/country"), json!(null));
    let got = site
        .send("POST /tags", r#"{"a":3,"b":"p,q/r","c":"ä"}"#)
        .await;
    assert_eq!(got.header("Location"), Some("/api/v1/tags/3,p%2Cq%2Fr"));
    assert_eq!(site.get("/tags/3,p%2Cq%2Fr").await.at("/data/c"), "ä");
    let got = site.send("POST /log", r#"{"line":"x"}"#).await;
    assert_eq!((got.status, got.header("Location")), (201, None));
    let got = site.send("POST /log", "{}").await;
    assert_eq!(got.at("/data"), json!({"line": null}));
    let got = site.send("POST /rich", r#"{"company":"By view"}"#).await;
    assert_eq!(got.status, 201, "{got:?}");
    let got = site
        .send(
            "POST /invoices?fields=id,meta",
            r#"{"clientid":"1","total":"9.99","status":"sent","meta":{"a":[1,2.50]},"paid":true}"#,
        )
        .await;
    assert_eq!(got.text, r#"{"data":{"id":31,"meta":{"a": [1, 2.50]}}}"#);
}

#[tokio::test]
async fn an_array_is_all_or_nothing() {
    let site = shop().await;
    let body = r#"[{"line":"a"},{"line":"b"},{},{"line":"c"}]"#;
    let got = site.send("POST /log", body).await;
    assert_eq!(got.status, 201, "{got:?}");
    assert_eq!(
        got.at("/data"),
        json!([{"line": "a"}, {"line": "b"}, {"line": null}, {"line": "c"}])
    );
    let body = r#"[{"company":"A"},{"company":"B","country":"FR"},{"company":"Company 1"}]"#;
    let got = site.send("POST /clients", body).await;
    assert_eq!(
        (got.slug, got.errors),
        ("creation-failed", vec!["company".to_owned()])
    );
    assert_eq!(
        site.get("/clients?filter=company:A")
            .await
            .at("/meta/total"),
        0
    );
    let body = r#"[{"company":"A","country":"FR"},{"company":"B"},{"country":"IT","company":"C"}]"#;
    let got = site.send("POST /clients?fields=country", body).await;
    assert_eq!(
        got.at("/data"),
        json!([{"country": "FR"}, {"country": "DE"}, {"country": "IT"}])
    );
}

#[tokio::test]
async fn faults_of_a_body_are_named() {
    let site = shop().await;
    for (body, names) in [
        (r#"{"nosuch":1}"#, &["nosuch"][..]),
        (
            r#"{"company":1,"country":true,"score":"x"}"#,
            &["company", "country", "score"],
        ),
        (
            r#"{"company":"12345678901234567890123456789012345678901"}"#,
            &["company"],
        ),
        (r#"{"company":"x","score":123456}"#, &["score"]),
        (r#"{"company":"x","score":1e400}"#, &["score"]),
        (r#"{"company":"x","id":1}"#, &["id"]),
        (r#"{"company":"\u0000"}"#, &["company"]),
        (r#"{"company":"\ud800","nosuch":1}"#, &["company"]),
        (r#"{"company":"a","company":"b"}"#, &["company"]),
    ] {
        let got = site.send("POST /clients", body).await;
        assert_eq!(got.slug, "validation-failed", "{body} {got:?}");
        assert_eq!(got.errors, names, "{body}");
    }
    for (body, names) in [
        (
            r#"{"clientid":1,"date":"2024-02-30","status":"nosuch"}"#,
            &["status"][..],
        ),
        (
            r#"{"clientid":1,"date":"2024-02-30","total":12345678901}"#,
            &["date", "total"],
        ),
        (
            r#"{"clientid":1.5,"paid":1,"tax":3}"#,
            &["clientid", "paid", "tax"],
        ),
        (r#"{"clientid":99999999999}"#, &["clientid"]),
        (r#"[{"clientid":1},{"clientid":1,"date":"x"}]"#, &["date"]),
    ] {
        let got = site.send("POST /invoices", body).await;
        assert_eq!(got.slug, "validation-failed", "{body} {got:?}");
        assert_eq!(got.errors, names, "{body}");
    }
    for (body, names) in [
        (r#"{}"#, &["clientid"][..]),
        (r#"{"clientid":999}"#, &["clientid"]),
        (r#"{"clientid":1,"total":-1}"#, &["total"]),
        (r#"{"clientid":null}"#, &["clientid"]),
    ] {
        let got = site.send("POST /invoices", body).await;
        assert_eq!(got.slug, "creation-failed", "{body} {got:?}");
        assert_eq!(got.errors, names, "{body} {got:?}");
    }
    for body in ["", "[]", "{", "1", "[1]", "null"] {
        assert_eq!(
            site.send("POST /clients", body).await.slug,
            "bad-request",
            "{body}"
        );
    }
}

#[tokio::test]
async fn rows_change_and_go() {
    let site = shop().await;
    for method in ["PUT", "PATCH"] {
        let got = site
            .send(&format!("{method} /clients/1"), r#"{"country":"IT"}"#)
            .await;
        assert_eq!(
            got.json(),
            json!({"data": {"id": 1, "company": "Company 1", "country": "IT", "score": 1.5}})
        );
    }
    let got = site
        .send("PUT /clients/1", r#"{"id":1,"country":null}"#)
        .await;
    assert_eq!(got.at("/data/country"), json!(null));
    assert_eq!(
        site.send("PUT /clients/1", r#"{"id":2}"#).await.errors,
        ["id"]
    );
    assert_eq!(site.send("PUT /clients/1", "{}").await.at("/data/id"), 1);
    assert_eq!(
        site.send("PUT /clients/999", r#"{"country":"IT"}"#)
            .await
            .slug,
        "not-found"
    );
    assert_eq!(
        site.send("PUT /clients/x", r#"{"country":"IT"}"#)
            .await
            .slug,
        "not-found"
    );
    assert_eq!(
        site.send("PUT /clients/1", "[{}]").await.slug,
        "bad-request"
    );
    let got = site
        .send("PUT /clients/1", r#"{"company":"Company 2"}"#)
        .await;
    assert_eq!(
        (got.slug, got.errors),
        ("update-failed", vec!["company".to_owned()])
    );
    let got = site.send("PUT /clients/1", r#"{"company":null}"#).await;
    assert_eq!(
        (got.slug, got.errors),
        ("update-failed", vec!["company".to_owned()])
    );
    let got = site.send("PUT /tags/1,x%2Cy", r#"{"a":9}"#).await;
    assert_eq!(got.at("/data/a"), 9);

    let got = site.send("DELETE /clients/1", "").await;
    assert_eq!(got.slug, "deletion-failed");
    assert!(got.detail.contains("`invoices`"), "{got:?}");
    let got = site.send("DELETE /clients/60", "").await;
    assert_eq!(
        (got.status, got.at("/data/company")),
        (200, json!("Company 60"))
    );
    assert_eq!(site.send("DELETE /clients/60", "").await.slug, "not-found");
}

#[tokio::test]
async fn what_takes_no_writes_says_so() {
    let mut site = shop().await;
    assert_eq!(
        site.send("POST /sums", r#"{"total":1}"#).await.slug,
        "forbidden"
    );
    for (line, allow) in [
        ("POST /tables/clients", "GET, HEAD"),
        ("PUT /clients", "GET, POST, HEAD"),
        ("POST /clients/1", "GET, PUT, PATCH, DELETE, HEAD"),
        ("DELETE /clients/schema", "GET, HEAD"),
        ("PUT /sums", "GET, HEAD"),
        ("POST /sums/1", "GET, HEAD"),
        ("POST /", "GET, HEAD"),
    ] {
        let got = site.send(line, "{}").await;
        assert_eq!(got.slug, "method-not-allowed", "{line}");
        assert_eq!(got.header("Allow"), Some(allow));
    }
    site.rules.no_writes = Some(Refusal::new(Kind::ReadOnly));
    for line in ["POST /clients", "PUT /clients/1", "DELETE /clients/1"] {
        for body in ["{}", "", "{"] {
            assert_eq!(site.send(line, body).await.slug, "read-only", "{line}");
        }
    }
    let got = site.send("PUT /clients", "{}").await;
    assert_eq!(got.header("Allow"), Some("GET, HEAD"));
    assert_eq!(site.get("/clients/1").await.status, 200);
}

#[tokio::test]
async fn password_hashes_do_not_exist() {
    let site = shop().await;
    assert_eq!(
        site.get("/users/1").await.at("/data"),
        json!({"id": 1, "email": "a@b.example", "role": "viewer"})
    );
    for query in [
        "filter=password_hash:x",
        "sort=password_hash",
        "fields=password_hash",
    ] {
        let got = site.get(&format!("/users?{query}")).await;
        assert_eq!(got.slug, "invalid-parameter", "{query}");
    }
    let got = site
        .send(
            "POST /users",
            r#"{"email":"c@d.example","password_hash":"y"}"#,
        )
        .await;
    assert_eq!(
        (got.slug, got.errors),
        ("validation-failed", vec!["password_hash".to_owned()])
    );
    let got = site.send("POST /users", r#"{"email":"c@d.example"}"#).await;
    assert_eq!(
        (got.slug, got.errors),
        ("creation-failed", vec!["password".to_owned()])
    );
    let got = site
        .send(
            "POST /users",
            r#"{"email":"c@d.example","password":"short"}"#,
        )
        .await;
    assert_eq!(
        (got.slug, got.errors),
        ("validation-failed", vec!["password".to_owned()])
    );
    let got = site
        .send("POST /users", r#"{"email":"c@d.example","password":5}"#)
        .await;
    assert_eq!(
        (got.slug, got.errors),
        ("validation-failed", vec!["password".to_owned()])
    );
    let got = site
        .send(
            "POST /users",
            r#"{"email":"c@d.example","password":"long enough"}"#,
        )
        .await;
    assert_eq!(got.status, 201, "{got:?}");
    assert!(!got.text.contains("hash"));
    let got = site
        .send("PATCH /users/1", r#"{"password":"even longer"}"#)
        .await;
    assert_eq!(got.status, 200, "{got:?}");
    site.run("do $$ begin assert (select count(*) = 2 from users where password_hash = 'hash of 11'); end $$").await;
    let schema = site.get("/users/schema").await;
    assert!(!schema.text.contains("password_hash"));
    assert!(schema.text.contains("\"password\""));
}

#[tokio::test]
async fn what_there_is() {
    let mut site = shop().await;
    let got = site.get("/").await;
    assert_eq!(got.at("/meta/total"), 7);
    assert_eq!(got.at("/data/0/name"), "clients");
    assert_eq!(got.at("/data/0/links/self"), "/api/v1/clients");
    assert_eq!(site.get("/tables").await.at("/meta/total"), 5);
    assert_eq!(
        site.get("/tables/clients?per_page=1")
            .await
            .at("/meta/total"),
        60
    );
    assert_eq!(site.get("/tables/clients/3").await.at("/data/id"), 3);
    let schema = site.get("/tables/invoices/schema").await;
    assert_eq!(schema.at("/data/primary_key"), json!(["id"]));
    assert_eq!(
        schema.at("/data/columns/2/enum"),
        json!(["draft", "sent", "paid"])
    );
    assert_eq!(schema.at("/data/columns/4/generated"), "stored");
    assert_eq!(
        schema.at("/data/foreign_keys/0/references/table"),
        "clients"
    );
    assert_eq!(schema.at("/data/relations/0/name"), "client");
    site.rules.special[0].absent = true;
    assert_eq!(site.get("/users").await.slug, "not-found");
    assert_eq!(site.get("/").await.at("/meta/total"), 6);
    assert_eq!(
        site.get("/clients/schema?x=1").await.slug,
        "invalid-parameter"
    );
    site.rules = Rules {
        tables: crate::data::plan::Reach::Only(["clients".to_owned()].into()),
        ..Rules::default()
    };
    assert_eq!(site.get("/invoices").await.slug, "table-not-allowed");
    assert_eq!(site.get("/nosuch").await.slug, "table-not-allowed");
    assert_eq!(
        site.get("/clients?include=invoices").await.slug,
        "invalid-parameter"
    );
    assert!(
        !site
            .get("/clients?include=invoices")
            .await
            .detail
            .contains("it has invoices")
    );
}

#[tokio::test]
async fn changes_of_the_schema_are_noticed() {
    let site = shop().await;
    assert_eq!(site.get("/fresh").await.slug, "not-found");
    site.run("create table fresh (id int primary key, a int)")
        .await;
    assert_eq!(site.get("/fresh").await.status, 200);
    assert_eq!(
        site.send("POST /fresh", r#"{"id":1,"a":2}"#).await.status,
        201
    );
    // Each is noticed at once, though the last look was a moment ago.
    site.run("alter table fresh rename a to b").await;
    assert_eq!(
        site.get("/fresh/1").await.at("/data"),
        json!({"id": 1, "b": 2})
    );
    site.run("alter table fresh alter b type text").await;
    assert_eq!(
        site.get("/fresh/1").await.at("/data"),
        json!({"id": 1, "b": "2"})
    );
    site.run("alter table fresh drop b").await;
    assert_eq!(site.get("/fresh/1").await.at("/data"), json!({"id": 1}));
    site.run("alter table fresh add c int").await;
    assert_eq!(
        site.send("PUT /fresh/1", r#"{"c":4}"#).await.at("/data/c"),
        4
    );
    site.run("drop table fresh").await;
    assert_eq!(site.get("/fresh/1").await.slug, "not-found");
    site.run("deallocate all").await;
    assert_eq!(site.get("/clients/1").await.status, 200);
}
