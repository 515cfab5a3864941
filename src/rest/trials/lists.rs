//! What a list can do beyond pages: conditions, related rows, cursors, counts, CSV.

use super::Site;
use crate::listing::words::encode;
use crate::rest::Call;
use crate::rest::parse::Headers;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SHOP: &str = "
create table countries (code text primary key, name text);
insert into countries values ('DE', 'Germany'), ('FR', 'France');
create table clients (
  id int primary key, company text not null, country_code text references countries, score numeric,
  tags text[], meta jsonb, updated_at timestamptz
);
insert into clients
  select n, 'Company ' || n, (array['DE','FR',null])[1 + n % 3], nullif(n % 7, 0), array['t' || n % 2, 'x'],
         jsonb_build_object('n', n), timestamptz '2024-01-01 00:00+00' + n * interval '1 day'
    from generate_series(1, 40) n;
create table invoices (id int primary key, clientid int not null references clients, total numeric(12,2), number text unique);
insert into invoices select n, 1 + n % 10, n * 10, 'N' || n from generate_series(1, 60) n;
create table invoice_items (invoice_id int references invoices, n int, text text, primary key (invoice_id, n));
insert into invoice_items select i, n, 'item ' || n from generate_series(1, 60) i, generate_series(1, 2) n;
create table dates (at date);
";

async fn shop() -> Site {
    Site::new(SHOP).await
}

async fn ids(site: &Site, query: &str) -> Vec<i64> {
    let got = site.get(query).await;
    let rows = got.at("/data");
    let rows = rows.as_array().unwrap_or_else(|| panic!("{query} {got:?}"));
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn conditions_in_json() {
    let site = shop().await;
    for (conditions, total) in [
        (json!({}), 40),
        (json!({"id": 7}), 1),
        (json!({"id": {"gte": 5, "lt": 9}}), 4),
        (json!({"or": [{"id": 1}, {"id": {"in": [2, "3"]}}]}), 3),
        (json!({"or": []}), 0),
        (json!({"and": []}), 40),
        (json!({"not": {"id": {"gt": 3}}}), 3),
        (
            json!({"and": [{"id": {"gt": 3}}, {"id": {"lte": 5}}], "company": {"like": "%5"}}),
            1,
        ),
        (json!({"country_code": null}), 13),
        (json!({"country_code": {"eq": null}}), 13),
        (json!({"country_code": {"neq": null}}), 27),
        (json!({"country_code": {"null": true}}), 13),
        (json!({"country_code": {"notnull": true}}), 27),
        (json!({"country_code": {"nin": ["DE"]}}), 14),
        (json!({"country": {"name": "Germany"}}), 13),
        (
            json!({"not": {"country": {"name": {"ilike": "germ%"}}}}),
            27,
        ),
        (json!({"invoices": {"some": {"total": {"gte": 600}}}}), 1),
        (json!({"invoices": {"total": {"gte": 600}}}), 1),
        (json!({"invoices": {"none": {}}}), 30),
        (json!({"invoices": {"every": {"total": {"lt": 560}}}}), 35),
        (json!({"invoices": {"items": {"text": "item 2"}}}), 10),
        (json!({"tags": ["t1", "x"]}), 20),
        (json!({"tags": {"in": [["t1", "x"], ["nope"]]}}), 20),
        (json!({"meta": {"eq": {"n": 3}}}), 1),
        (json!({"score": 1.0}), 6),
        (json!({"id": {"between": [3, 5]}}), 3),
        (json!({"updated_at": {"gte": "2024-02-01T00:00:00Z"}}), 10),
    ] {
        let query = format!("/clients?where={}", encode(&conditions.to_string()));
        let got = site.get(&query).await;
        assert_eq!(got.at("/meta/total"), total, "{conditions} {got:?}");
    }
    let deep = format!("{}{{}}{}", "{\"not\":".repeat(200), "}".repeat(200));
    for conditions in [
        "",
        "1",
        "[]",
        "{",
        "{\"nosuch\":1}",
        "{\"id\":{\"foo\":1}}",
        "{\"id\":[1]}",
        "{\"id\":{\"in\":1}}",
        "{\"or\":{}}",
        "{\"not\":[]}",
        "{\"id\":\"x\"}",
        "{\"id\":{\"gt\":null}}",
        "{\"id\":1}x",
        "{\"id\":{\"in\":[null]}}",
        "{\"invoices\":1}",
        "{\"country\":{\"nosuch\":1}}",
        "{\"meta\":{\"gt\":{}}, \"company\":{\"eq\":{}}}",
        &deep,
    ] {
        let got = site
            .get(&format!("/clients?where={}", encode(conditions)))
            .await;
        assert_eq!(got.slug, "invalid-parameter", "{conditions} {got:?}");
    }
}

#[tokio::test]
async fn related_rows_come_along() {
    let site = shop().await;
    let got = site
        .get("/invoices/12?include=client.country,items&fields=id&fields[client]=company&fields[client.country]=name&fields[items]=n,text")
        .await;
    assert_eq!(
        got.json(),
        json!({"data": {
            "id": 12,
            "client": {"company": "Company 3", "country": {"name": "Germany"}},
            "items": [{"n": 1, "text": "item 1"}, {"n": 2, "text": "item 2"}],
        }})
    );
    let got = site
        .get("/clients?include=invoices.items,country&per_page=2&sort=-id")
        .await;
    assert_eq!(got.at("/data/0/invoices"), json!([]));
    assert_eq!(got.at("/data/1/country/code"), "DE");
    assert_eq!(
        site.get("/clients/38?include=country")
            .await
            .at("/data/country"),
        json!(null)
    );
    let got = site.get("/clients/2?include=invoices").await;
    assert_eq!(got.at("/data/invoices").as_array().unwrap().len(), 6);
    assert_eq!(got.at("/data/invoices/0/total"), 10.0);
    let got = site
        .get("/invoice_items/3,1?include=invoice.client.country")
        .await;
    assert_eq!(got.at("/data/invoice/client/country/code"), "FR");
    for query in [
        "include=nosuch",
        "include=client.nosuch",
        "include=client.country.clients.invoices",
        "fields[client]=id",
        "include=client&fields[client]=nosuch",
        "include=,",
        "include=client..country",
    ] {
        let got = site.get(&format!("/invoices?{query}")).await;
        assert_eq!(got.slug, "invalid-parameter", "{query} {got:?}");
    }
    let got = site
        .get("/invoices?sort=-client.company,id&per_page=1")
        .await;
    assert_eq!(got.at("/data/0/clientid"), 9);
    assert_eq!(site.get("/clients?sort=invoices.id").await.errors, ["sort"]);
    for line in [
        "POST /invoices?include=client&fields=id&fields[client]=company",
        "PUT /invoices/900?include=client&fields=id&fields[client]=company",
        "DELETE /invoices/900?include=client&fields=id&fields[client]=company",
    ] {
        let got = site.send(line, r#"{"id":900,"clientid":4}"#).await;
        assert_eq!(got.slug, "", "{line} {got:?}");
        assert_eq!(
            got.at("/data"),
            json!({"id": 900, "client": {"company": "Company 4"}}),
            "{line} {got:?}"
        );
    }
}

#[tokio::test]
async fn pages_cover_every_row_once() {
    let site = shop().await;
    for sort in [
        "score",
        "-score",
        "country_code,-score",
        "-country_code",
        "id",
        "-id",
        "tags",
    ] {
        let (mut seen, mut page) = (Vec::new(), 1);
        loop {
            let part = ids(
                &site,
                &format!("/clients?sort={sort}&per_page=7&page={page}"),
            )
            .await;
            if part.is_empty() {
                break;
            }
            seen.extend(part);
            page += 1;
        }
        let unique: BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!((seen.len(), unique.len()), (40, 40), "{sort}");
    }
}

#[tokio::test]
async fn cursors_cover_every_row_once_and_in_order() {
    let site = shop().await;
    for sort in [
        "id",
        "-id",
        "score",
        "-score",
        "country_code,-score",
        "-country_code,score",
        "updated_at",
        "company",
    ] {
        let whole = ids(&site, &format!("/clients?sort={sort}&per_page=1000")).await;
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let got = site
                .get(&format!(
                    "/clients?sort={sort}&fields=id&per_page=7&cursor={cursor}"
                ))
                .await;
            assert_eq!(got.at("/meta/total"), 40, "{got:?}");
            let rows = got.at("/data");
            assert_eq!(rows[0].as_object().unwrap().len(), 1);
            seen.extend(
                rows.as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["id"].as_i64().unwrap()),
            );
            match got.at("/meta/next_cursor") {
                Value::String(next) => {
                    assert!(got.at("/links/next").as_str().unwrap().contains(&next));
                    cursor = next;
                }
                _ => break,
            }
        }
        assert_eq!(seen, whole, "{sort}");
    }
}

#[tokio::test]
async fn a_cursor_survives_inserts_and_refuses_tampering() {
    let site = shop().await;
    let first = site.get("/clients?sort=-id&per_page=5").await;
    let cursor = first.at("/meta/next_cursor").as_str().unwrap().to_owned();
    site.run("insert into clients (id, company) values (100, 'new')")
        .await;
    let next = ids(
        &site,
        &format!("/clients?sort=-id&per_page=5&cursor={cursor}"),
    )
    .await;
    assert_eq!(next, [35, 34, 33, 32, 31]);
    let mut forged = cursor.clone();
    forged.replace_range(0..1, if cursor.starts_with('A') { "B" } else { "A" });
    for query in [
        format!("sort=-id&cursor={forged}"),
        format!("sort=id&cursor={cursor}"),
        format!("sort=-id&cursor={cursor}x"),
        format!("sort=-id&cursor={cursor}&page=2"),
        format!("sort=tags&cursor={cursor}"),
    ] {
        let got = site.get(&format!("/clients?{query}")).await;
        assert_eq!(got.errors, ["cursor"], "{query} {got:?}");
    }
    assert_eq!(site.get("/dates?cursor=").await.errors, ["cursor"]);
}

#[tokio::test]
async fn counts_and_instants() {
    let site = shop().await;
    let got = site.get("/clients?count=none&per_page=10").await;
    assert_eq!(got.at("/meta/total"), json!(null));
    assert_eq!(got.at("/meta/total_pages"), json!(null));
    assert_eq!(got.at("/links/last"), json!(null));
    assert!(got.at("/links/next").is_string());
    let got = site.get("/clients?count=none&per_page=10&page=4").await;
    assert_eq!(got.at("/links/next"), json!(null));
    site.run("analyze clients").await;
    let got = site.get("/clients?count=planned&per_page=10").await;
    assert_eq!(got.at("/meta/total"), 40);
    let got = site.get("/clients?count=planned&filter[id.gt]=20").await;
    assert!(got.at("/meta/total").as_u64().unwrap() > 10, "{got:?}");
    let got = site.get("/clients?since=2024-02-01T00:00:00Z").await;
    assert_eq!(got.at("/meta/total"), 10);
    assert_eq!(
        site.get("/clients?since=2024-02-01")
            .await
            .at("/meta/total"),
        10
    );
    for query in [
        "since=yesterday",
        "since=",
        "since=2024-99-99",
        "since=now",
        "since=2024-01-01T",
    ] {
        assert_eq!(
            site.get(&format!("/clients?{query}")).await.errors,
            ["since"],
            "{query}"
        );
    }
    assert_eq!(
        site.get("/invoices?since=2024-02-01").await.errors,
        ["since"]
    );
}

#[tokio::test]
async fn rows_as_csv() {
    let site = shop().await;
    site.run("update clients set company = E'say \"hi\", all\\nof you', tags = null where id = 1; update clients set company = '' where id = 2").await;
    let got = site
        .call(Call {
            method: "GET",
            base: "/api/v1",
            path: "/clients",
            query: "fields=id,company,country_code,tags,meta,updated_at&per_page=2",
            headers: Headers {
                accept: Some("text/csv"),
                ..Headers::default()
            },
            body: b"",
            replay: None,
        })
        .await;
    assert_eq!(got.header("Content-Type"), Some("text/csv; charset=utf-8"));
    assert_eq!(
        got.text,
        "id,company,country_code,tags,meta,updated_at\r\n\
         1,\"say \"\"hi\"\", all\nof you\",FR,,\"{\"\"n\"\": 1}\",2024-01-02T00:00:00+00:00\r\n\
         2,\"\",,\"[\"\"t0\"\",\"\"x\"\"]\",\"{\"\"n\"\": 2}\",2024-01-03T00:00:00+00:00\r\n"
    );
}

#[tokio::test]
async fn rows_that_exist_are_merged_or_left() {
    let site = shop().await;
    let body = r#"{"number":"N1","id":1,"clientid":2,"total":5}"#;
    let line = "POST /invoices?on_conflict=number";
    assert_eq!(site.send(line, body).await.errors, ["on_conflict"]);
    let got = site
        .send_preferring(line, body, Some("resolution=merge-duplicates"))
        .await;
    assert_eq!(
        (got.status, got.at("/data/total")),
        (201, json!(5.0)),
        "{got:?}"
    );
    let got = site
        .send_preferring(
            line,
            body,
            Some("return=minimal, resolution=ignore-duplicates"),
        )
        .await;
    assert_eq!((got.status, got.at("/data")), (200, json!(null)), "{got:?}");
    let body = r#"[{"number":"N2","id":2,"clientid":3},{"number":"new","id":1000,"clientid":3}]"#;
    let got = site
        .send_preferring(line, body, Some("resolution=ignore-duplicates"))
        .await;
    assert_eq!(got.at("/data").as_array().unwrap().len(), 1);
    let got = site
        .send_preferring(line, body, Some("resolution=merge-duplicates"))
        .await;
    assert_eq!(got.at("/data").as_array().unwrap().len(), 2);
    let twice = r#"[{"number":"N3","id":3,"clientid":3},{"number":"N3","id":3,"clientid":4}]"#;
    let got = site
        .send_preferring(line, twice, Some("resolution=merge-duplicates"))
        .await;
    assert_eq!(got.slug, "creation-failed", "{got:?}");
    let line = "POST /invoices?on_conflict=total";
    let got = site
        .send_preferring(line, body, Some("resolution=merge-duplicates"))
        .await;
    assert_eq!(got.errors, ["on_conflict"]);
    let line = "POST /invoices?on_conflict=id";
    let got = site
        .send_preferring(line, r#"{"id":1}"#, Some("resolution=merge-duplicates"))
        .await;
    assert_eq!(got.slug, "creation-failed", "{got:?}");
}

#[tokio::test]
async fn rows_come_as_csv() {
    let site = shop().await;
    let csv = |body: &'static str| {
        site.call(Call {
            method: "POST",
            base: "/api/v1",
            path: "/clients",
            query: "fields=id,company,score,tags,meta",
            headers: Headers {
                content_type: Some("text/csv; charset=utf-8"),
                ..Headers::default()
            },
            body: body.as_bytes(),
            replay: None,
        })
    };
    let got = csv("id,company,score,tags,meta\n101,\"a \"\"b\"\",c\",1.5,\"[\"\"x\"\"]\",\"{\"\"k\"\":1}\"\n102,\"\",,,\n").await;
    assert_eq!(got.status, 201, "{got:?}");
    assert_eq!(
        got.at("/data"),
        json!([
            {"id": 101, "company": "a \"b\",c", "score": 1.5, "tags": ["x"], "meta": {"k": 1}},
            {"id": 102, "company": "", "score": null, "tags": null, "meta": null},
        ])
    );
    let got = csv("id,company,score,tags,meta,nosuch\nx,y,z,w,{,1\n").await;
    assert_eq!(
        got.errors,
        ["id", "meta", "nosuch", "score", "tags"],
        "{got:?}"
    );
    assert_eq!(csv("id,company\n1\n").await.slug, "bad-request");
    let got = site
        .call(Call {
            method: "PUT",
            path: "/clients/1",
            headers: Headers {
                content_type: Some("text/csv"),
                ..Headers::default()
            },
            ..Call::default()
        })
        .await;
    assert_eq!(got.slug, "unsupported-media-type");
}
