//! Reports: read, added up, drawn, and kept by a tenant's administrator.

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Server};

const SEEDED: [&str; 5] = [
    "collection-efficiency-by-invoice",
    "invoices",
    "project-progress-overview",
    "project-time-billable-report",
    "staff-billable-time-report",
];

async fn data(client: &Client, path: &str) -> Vec<Value> {
    let body = client.read(path).await;
    body["data"].as_array().unwrap().clone()
}

async fn sql(client: &Client, query: &str) -> Vec<Value> {
    let body = json!({ "query": query });
    let answer = client.post("/api/v1/sql", &body).await.expect(200).json();
    answer["rows"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_seeded_reports_are_read_like_tables() {
    let server = Server::start().await;
    let tenant = server.tenant("seeded").await;
    let account = server.account(&tenant).await;
    for client in [&tenant.admin, &account] {
        let listed = data(client, "/api/v1/reports").await;
        let slugs: Vec<_> = listed
            .iter()
            .map(|report| report["slug"].as_str().unwrap())
            .collect();
        assert_eq!(slugs, SEEDED);
        for report in &listed {
            for link in report["links"].as_object().unwrap().values() {
                client.get(link.as_str().unwrap()).await.expect(200);
            }
        }
    }
    let path = "/api/v1/reports/invoices?filter=status:1&sort=-total&per_page=3&fields=number,total,status&page=2";
    let list = tenant.admin.read(path).await;
    let rows = list["data"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row["status"] == 1));
    assert!(
        list["links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("/api/v1/reports/invoices?page=3")
    );
    assert_eq!(list["links"]["self"], path);
    let csv = tenant
        .admin
        .with("Accept", "text/csv")
        .get(path)
        .await
        .expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.text().starts_with("number,total,status\r\n"));
    let schema = tenant.admin.read("/api/v1/reports/invoices/schema").await;
    let names: Vec<_> = schema["data"]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["name"])
        .collect();
    assert!(names.contains(&&json!("balance")), "{names:?}");
    assert_eq!(
        tenant
            .admin
            .get("/api/v1/reports")
            .await
            .header("sandlot-mode"),
        "live"
    );
    assert_eq!(
        account.get("/api/v1/reports").await.header("sandlot-mode"),
        "template"
    );
}

#[tokio::test]
async fn figures_are_those_of_plain_sql() {
    let server = Server::start().await;
    let tenant = server.tenant("figures").await;
    let admin = &tenant.admin;
    for (query, text) in [
        (
            "dimension=status&measure=total&aggregation=sum&period=monthly",
            "select status, date_trunc('month', date::timestamp)::date as period, sum(total) as total
             from report_invoices group by 1, 2 order by 1, 2",
        ),
        (
            "dimension=client,currency&measure=total,balance&aggregation=avg&limit=5&sort=-total",
            "select client, currency, avg(total) as total, avg(balance) as balance
             from report_invoices group by 1, 2 order by 3 desc nulls last, 1, 2 limit 5",
        ),
        (
            "measure=total&aggregation=min,max&period=yearly&date=due_date",
            "select date_trunc('year', due_date::timestamp)::date as period, min(total) as min_total, max(total) as max_total
             from report_invoices group by 1 order by 1",
        ),
        ("", "select count(*) as count from report_invoices"),
        ("dimension=status_name", "select status_name, count(*) as count from report_invoices group by 1 order by 1"),
        (
            "dimension=origin&aggregation=count&filter[total.gte]=1000&where={\"or\":[{\"status\":1},{\"status\":2}]}",
            "select origin, count(*) as count from report_invoices where total >= 1000 and status in (1, 2) group by 1 order by 1",
        ),
        (
            "measure=total&aggregation=sum&period=weekly&q=ltd",
            "select date_trunc('week', date::timestamp)::date as period, sum(total) as total from report_invoices t
             where concat_ws('|', number, status_name, client, industry, country, currency, sale_agent, origin) ilike '%ltd%'
             group by 1 order by 1",
        ),
    ] {
        let escaped = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22").replace('[', "%5B").replace(']', "%5D");
        let path = format!("/api/v1/reports/invoices/aggregate?{escaped}");
        let answer = admin.read(&path).await;
        let rows = answer["data"].as_array().unwrap();
        assert_eq!(rows, &sql(admin, text).await, "{query}");
        assert_eq!(answer["meta"]["groups"], rows.len(), "{query}");
    }
    let csv = admin.with("Accept", "text/csv");
    let table = csv
        .get("/api/v1/reports/invoices/aggregate?dimension=status")
        .await
        .expect(200);
    assert!(table.text().starts_with("status,count\r\n"));
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = Server::start().await;
    let tenant = server.tenant("wrong").await;
    for (query, at) in [
        ("dimension=nope", "dimension"),
        ("measure=client&aggregation=sum", "measure"),
        ("measure=total&aggregation=median", "aggregation"),
        ("period=hourly", "period"),
        ("period=daily&date=total", "date"),
        ("sort=-nope", "sort"),
        ("limit=x", "limit"),
        ("page=2", "page"),
        ("filter=status:many", "filter"),
        ("measure=total&measure=total", "measure"),
        ("dimension=%22", "dimension"),
        ("dimension=a%00b", "dimension"),
        ("drop=table", "drop"),
        ("dimension=status)%3Bdrop%20table%20clients--", "dimension"),
    ] {
        let path = format!("/api/v1/reports/invoices/aggregate?{query}");
        let problem = tenant
            .admin
            .get(&path)
            .await
            .problem(400, "invalid-parameter");
        assert!(problem["errors"][at].is_array(), "{query}: {problem}");
    }
    for path in [
        "/api/v1/reports?x=1",
        "/api/v1/reports/invoices/schema?x=1",
        "/api/v1/reports/invoices?dimension=status",
    ] {
        tenant
            .admin
            .get(path)
            .await
            .problem(400, "invalid-parameter");
    }
    let several = "/api/v1/reports/project-progress-overview/aggregate?period=monthly";
    let problem = tenant
        .admin
        .get(several)
        .await
        .problem(400, "invalid-parameter");
    assert!(
        problem["errors"]["date"][0]
            .as_str()
            .unwrap()
            .contains("start_date"),
        "{problem}"
    );
    for path in [
        "nope",
        "nope/schema",
        "nope/aggregate",
        "invoices/1",
        "invoices/a/b",
        "%00",
        "clients",
        "INVOICES",
    ] {
        tenant
            .admin
            .get(&format!("/api/v1/reports/{path}"))
            .await
            .problem(404, "not-found");
    }
    tenant
        .admin
        .get("/api/v1/reports/%ff")
        .await
        .problem(400, "bad-request");
    for path in [
        "/api/v1/reports",
        "/api/v1/reports/invoices",
        "/api/v1/reports/invoices/aggregate",
    ] {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = tenant.admin.call(method, path, Some("{}".into())).await;
            assert_eq!(answer.header("allow"), "GET, HEAD");
            answer.problem(405, "method-not-allowed");
        }
        server.client.get(path).await.problem(401, "missing-token");
        tenant.keyed.get(path).await.problem(401, "missing-token");
    }
}

#[tokio::test]
async fn a_view_that_fails_says_so() {
    let server = Server::start().await;
    let tenant = server.tenant("failing").await;
    let admin = &tenant.admin;
    sql(
        admin,
        "create view broken as select 1 / (id - 1) as x, id from clients",
    )
    .await;
    let new = json!({"slug": "broken", "title": "Broken", "view": "broken", "published": true});
    admin.post("/api/reports", &new).await.expect(201);
    admin
        .get("/api/v1/reports/broken")
        .await
        .problem(500, "view-execution-error");
    let aggregate = "/api/v1/reports/broken/aggregate?measure=x&aggregation=sum";
    admin.get(aggregate).await.problem(500, "aggregation-error");
    admin
        .get("/embed/report/broken?measure=x")
        .await
        .problem(500, "aggregation-error");
    sql(admin, "drop view broken").await;
    admin
        .get("/api/v1/reports/broken")
        .await
        .problem(404, "not-found");
    admin
        .get("/api/v1/reports/broken/aggregate")
        .await
        .problem(404, "not-found");
    assert!(
        !data(admin, "/api/v1/reports")
            .await
            .iter()
            .any(|report| report["slug"] == "broken")
    );
    // A view of the tenant's own that calls for another role or another schema gets nowhere.
    let other = server.tenant("other").await;
    let reach = format!(
        "create view reach as select * from \"{}\".clients",
        other.schema
    );
    let body = json!({ "query": reach });
    admin
        .post("/api/v1/sql", &body)
        .await
        .problem(400, "bad-request");
}

#[tokio::test]
async fn an_administrator_keeps_reports() {
    let server = Server::start().await;
    let tenant = server.tenant("keeper").await;
    let other = server.tenant("neighbour").await;
    let admin = &tenant.admin;
    sql(
        admin,
        "create view by_country as select country_id, name, created_at from clients",
    )
    .await;
    let chart = json!({"kind": "bar", "dimension": "country_id", "limit": 10, "sort": "-count"});
    let new = json!({"slug": "by-country", "title": "Clients <by> country", "view": "by_country", "chart": chart});
    let made = admin.post("/api/reports", &new).await.expect(201);
    let address = made.header("location").to_owned();
    let made = made.json();
    assert_eq!(address, format!("/api/reports/{}", made["id"]));
    assert_eq!(
        (&made["published"], &made["seeded"]),
        (&json!(false), &json!(false))
    );
    // Not published: not there, neither for the administrator nor drawn.
    for path in [
        "/api/v1/reports/by-country",
        "/api/v1/reports/by-country/aggregate",
        "/embed/report/by-country",
    ] {
        admin.get(path).await.problem(404, "not-found");
    }
    admin
        .patch(&address, &json!({"published": true}))
        .await
        .expect(200);
    for path in [
        "/api/v1/reports/by-country",
        "/api/v1/reports/by-country/aggregate",
        "/embed/report/by-country",
    ] {
        admin.get(path).await.expect(200);
        other.admin.get(path).await.problem(404, "not-found");
    }
    let all = data(admin, "/api/reports").await;
    assert_eq!(all.len(), SEEDED.len() + 1);
    assert_eq!(data(&other.admin, "/api/reports").await.len(), SEEDED.len());
    let seeded = all
        .iter()
        .find(|report| report["slug"] == "invoices")
        .unwrap();
    assert_eq!(seeded["seeded"], true);

    for (body, at) in [
        (json!({}), "slug"),
        (
            json!({"slug": "No Slug", "title": "x", "view": "by_country"}),
            "slug",
        ),
        (
            json!({"slug": "a--b", "title": "x", "view": "by_country"}),
            "slug",
        ),
        (
            json!({"slug": "a", "title": " ", "view": "by_country"}),
            "title",
        ),
        (
            json!({"slug": "a", "title": "x", "view": "nowhere"}),
            "view",
        ),
        (
            json!({"slug": "a", "title": "x", "view": "pg_class"}),
            "view",
        ),
        (
            json!({"slug": "a", "title": "x", "view": "by_country", "published": "yes"}),
            "published",
        ),
        (
            json!({"slug": "a", "title": "x", "view": "by_country", "chart": []}),
            "chart",
        ),
        (
            json!({"slug": "a", "title": "x", "view": "by_country", "chart": {"kind": "globe"}}),
            "chart",
        ),
        (
            json!({"slug": "a", "title": "x", "view": "by_country", "chart": {"dimension": "nope"}}),
            "chart",
        ),
        (
            json!({"slug": "a", "title": "x", "view": "by_country", "chart": {"nonsense": "x"}}),
            "chart",
        ),
        (
            json!({"slug": "a", "title": "x", "view": "by_country", "owner": 1}),
            "owner",
        ),
    ] {
        let problem = admin
            .post("/api/reports", &body)
            .await
            .problem(400, "validation-failed");
        assert!(problem["errors"][at].is_array(), "{body}: {problem}");
    }
    let problem = admin
        .post("/api/reports", &new)
        .await
        .problem(422, "creation-failed");
    assert!(problem["errors"]["slug"].is_array());

    // One's own takes the place of a seeded one, for oneself alone.
    let own = json!({"slug": "invoices", "title": "Mine", "view": "by_country", "published": true});
    let own = admin.post("/api/reports", &own).await.expect(201).json();
    let mine = admin.read("/api/v1/reports/invoices?per_page=1").await;
    assert!(mine["data"][0].get("country_id").is_some());
    assert_eq!(data(admin, "/api/reports").await.len(), SEEDED.len() + 1);
    let theirs = other
        .admin
        .read("/api/v1/reports/invoices?per_page=1")
        .await;
    assert!(theirs["data"][0].get("total").is_some());
    let clash = json!({"slug": "by-country"});
    admin
        .patch(&format!("/api/reports/{}", own["id"]), &clash)
        .await
        .problem(422, "update-failed");
    admin
        .delete(&format!("/api/reports/{}", own["id"]))
        .await
        .expect(200);
    let again = admin.read("/api/v1/reports/invoices?per_page=1").await;
    assert!(again["data"][0].get("total").is_some());

    // Somebody else's record is not there; a seeded one takes no writes.
    other
        .admin
        .patch(&address, &json!({"title": "x"}))
        .await
        .problem(404, "not-found");
    other.admin.delete(&address).await.problem(404, "not-found");
    let path = format!("/api/reports/{}", seeded["id"]);
    admin
        .patch(&path, &json!({"title": "x"}))
        .await
        .problem(403, "forbidden");
    admin.delete(&path).await.problem(403, "forbidden");
    admin
        .delete("/api/reports/999999")
        .await
        .problem(404, "not-found");
    admin
        .delete("/api/reports/x")
        .await
        .problem(404, "not-found");
    for role in ["viewer", "editor"] {
        let user = tenant.user(&format!("{role}@mail.example"), role).await;
        user.get("/api/v1/reports/by-country").await.expect(200);
        user.post("/api/reports", &new)
            .await
            .problem(403, "permission-denied");
        user.delete(&address)
            .await
            .problem(403, "permission-denied");
    }
    assert_eq!(
        admin.delete(&address).await.expect(200).json()["slug"],
        "by-country"
    );
    admin
        .get("/api/v1/reports/by-country")
        .await
        .problem(404, "not-found");
}

#[tokio::test]
async fn a_report_is_drawn_for_a_frame() {
    let server = Server::start().await;
    let tenant = server.tenant("frame").await;
    let admin = &tenant.admin;
    for slug in SEEDED {
        let page = admin
            .get(&format!("/embed/report/{slug}"))
            .await
            .expect(200);
        assert!(page.header("content-type").starts_with("text/html"));
        let policy = page.header("content-security-policy").to_owned();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors *"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-frame-options"), "");
        let text = page.text();
        for part in [
            "<svg",
            "role=\"img\"",
            "<title id=",
            "<desc id=",
            "<table>",
            "<rect",
            "prefers-color-scheme: dark",
        ] {
            assert!(
                text.contains(part) || (part == "<rect" && text.contains("<circle")),
                "{slug}: {part}"
            );
        }
        for load in [
            "<script",
            "src=",
            "url(",
            "@import",
            "http-equiv",
            " style=",
            "href=\"http",
            " on",
        ] {
            let found = text
                .match_indices(load)
                .filter(|(at, _)| {
                    load != " on"
                        || text[at + 3..].starts_with(|c: char| c.is_ascii_lowercase())
                            && text[at + 1..at + 12].contains("=\"")
                })
                .count();
            assert_eq!(found, 0, "{slug} has {load}");
        }
    }
    let svg = admin
        .get("/embed/report/invoices?format=svg&kind=line")
        .await
        .expect(200);
    assert_eq!(svg.header("content-type"), "image/svg+xml");
    assert!(svg.text().starts_with("<svg xmlns="));
    assert!(svg.header("content-disposition").contains("invoices.svg"));
    let other = admin
        .get("/embed/report/invoices?dimension=country&kind=pie&filter=status:2&limit=6")
        .await
        .expect(200);
    assert!(other.text().contains("by country"));
    for (query, at) in [
        ("format=gif", "format"),
        ("kind=globe", "kind"),
        ("dimension=nope", "dimension"),
        ("x=1", "x"),
    ] {
        let problem = admin
            .get(&format!("/embed/report/invoices?{query}"))
            .await
            .problem(400, "invalid-parameter");
        assert!(problem["errors"][at].is_array(), "{query}: {problem}");
    }
    server
        .client
        .get("/embed/report/invoices")
        .await
        .problem(401, "missing-token");
    let token = format!("/embed/report/invoices?token=dba_{}", "0".repeat(48));
    server
        .client
        .get(&token)
        .await
        .problem(401, "query-token-disabled");
    admin
        .post("/embed/report/invoices", &json!({}))
        .await
        .problem(405, "method-not-allowed");
    admin
        .get("/embed/report/nope")
        .await
        .problem(404, "not-found");
    admin.get("/embed/report/").await.problem(404, "not-found");
}

#[tokio::test]
async fn values_are_text_in_a_picture_whatever_they_look_like() {
    let server = Server::start().await;
    let tenant = server.tenant("markup").await;
    let admin = &tenant.admin;
    sql(
        admin,
        "create view nasty as select * from (values ('<script>alert(1)</script>', 1.5), ('\" onmouseover=\"x', 2), (E'\\u202Eabc\\x01', -3),
         (repeat('x', 100000), 4), (null, null), ('</style><b>', 'NaN'), ('</svg>', 1e300::numeric)) v (\"<i>name</i>\", \"a & b\")",
    )
    .await;
    let chart =
        json!({"dimension": "\"<i>name</i>\"", "measure": "\"a & b\"", "aggregation": "sum"});
    let new = json!({"slug": "nasty", "title": "</title><script>x</script>", "view": "nasty", "published": true, "chart": chart});
    admin.post("/api/reports", &new).await.expect(201);
    for query in [
        "",
        "?kind=line",
        "?kind=stacked",
        "?kind=pie",
        "?format=svg",
    ] {
        let text = admin
            .get(&format!("/embed/report/nasty{query}"))
            .await
            .expect(200)
            .text();
        for markup in ["<script", "<b>", "<i>", "onmouseover=\"", "NaN\""] {
            assert!(!text.contains(markup), "{query}: {markup}");
        }
        assert_eq!(text.matches("</svg>").count(), 1);
        assert!(!text.contains('\u{1}'));
    }
}
