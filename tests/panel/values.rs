//! Values that are markup, script, right-to-left, long or formulas come out as text everywhere.

use serde_json::json;

use super::{Visitor, driver::Browser, pages};
use crate::harness::Server;

const NASTY: [&str; 7] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</textarea></title><svg onload=alert(1)>",
    "' onfocus='alert(1)' autofocus='",
    "{{ 7 * 7 }}${7*7}",
    "مرحبا \u{202e}txt.exe",
    "javascript:alert(1)",
];

/// What would be markup if it came through.
fn harmless(text: &str, at: &str) {
    for bad in [
        "<script>alert",
        "<img src=x",
        "<svg onload",
        "' onfocus='alert",
    ] {
        assert!(!text.contains(bad), "{at} has {bad}");
    }
}

#[tokio::test]
async fn nothing_of_a_value_becomes_markup() {
    let server = Server::start().await;
    let tenant = server.tenant("nasty").await;
    server
        .as_tenant(
            &tenant,
            "create table \"<b>odd & 'name'\" (id int primary key, \"<i>col\"\"umn\" text, \
             rel int references \"<b>odd & 'name'\")",
        )
        .await;
    let table = super::encode("<b>odd & 'name'");
    let column = "<i>col\"umn";
    for (at, value) in NASTY.iter().enumerate() {
        let row = json!({"id": at + 1, column: value, "rel": at + 1});
        tenant
            .admin
            .post(&format!("/api/v1/{table}"), &row)
            .await
            .expect(201);
    }
    let long = "<b>".repeat(60_000);
    tenant
        .admin
        .post(
            &format!("/api/v1/{table}"),
            &json!({"id": 99, column: long}),
        )
        .await
        .expect(201);
    let visitor = Visitor::of(&server, &tenant).await;
    let base = format!("/panel/{}/data", tenant.id);
    let grid = visitor.get(&format!("{base}/{table}")).await.expect(200);
    harmless(&grid.text(), "the grid");
    assert!(!grid.text().contains("<b>") && !grid.text().contains("<i>col"));
    assert!(grid.body.len() < 150_000, "{} bytes", grid.body.len());
    for (at, value) in NASTY.iter().enumerate() {
        let row = format!("{base}/{table}/row/{}", at + 1);
        for page in [
            row.clone(),
            format!("{row}/delete"),
            format!("{row}/cell/{}", super::encode(column)),
        ] {
            let text = visitor.get(&page).await.expect(200).text();
            harmless(&text, &page);
        }
        // It comes back from the editor as it was.
        let answer = visitor
            .submit(&row, &row, &[(&format!("v.{column}"), value)])
            .await;
        answer.expect(303);
        let one = tenant
            .admin
            .read(&format!("/api/v1/{table}/{}", at + 1))
            .await;
        assert_eq!(one["data"][column], *value);
    }
    for page in [
        "new",
        "import",
        "pick?column=id",
        &format!("?q={}", super::encode(NASTY[1])),
    ] {
        let slash = if page.starts_with('?') { "" } else { "/" };
        let text = visitor
            .get(&format!("{base}/{table}{slash}{page}"))
            .await
            .expect(200)
            .text();
        harmless(&text, page);
    }
    let csv = format!("\"{}\"\n{}\n", NASTY[0], NASTY[0]);
    let answer = visitor
        .submit(
            &base,
            &format!("{base}/{table}/import/preview"),
            &[("csv", &csv)],
        )
        .await;
    harmless(&answer.text(), "the preview");
    let wrong = visitor
        .get(&format!(
            "{base}/{table}?filter[{}]=1",
            super::encode(NASTY[0])
        ))
        .await
        .expect(400);
    harmless(&wrong.text(), "the refusal");
    let login = visitor
        .get(&format!("/login?next={}", super::encode(NASTY[1])))
        .await;
    harmless(&login.text(), "the log-in");
}

#[tokio::test]
async fn a_million_bytes_are_shown_in_part() {
    let server = Server::start().await;
    let tenant = server.tenant("million").await;
    server.as_tenant(&tenant, "create table big (id int primary key, t text); insert into big select 1, repeat('ü', 500000)").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let base = format!("/panel/{}/data/big", tenant.id);
    let grid = visitor.get(&base).await.expect(200);
    assert!(grid.body.len() < 60_000, "{}", grid.body.len());
    let row = format!("{base}/row/1");
    let editor = visitor.get(&row).await.expect(200);
    assert!(editor.body.len() < 60_000, "{}", editor.body.len());
    assert!(
        editor.text().contains("500000 characters"),
        "the editor says why"
    );
    // Saving the form does not cut the value.
    visitor
        .submit(&row, &row, &[("v.id", "1")])
        .await
        .expect(303);
    let length = json!({"query": "select length(t) as l from big"});
    let answer = tenant
        .admin
        .post("/api/v1/sql", &length)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["rows"][0]["l"], 500_000);
    let csv = visitor.get(&format!("{base}/export.csv")).await.expect(200);
    assert!(csv.body.len() > 1_000_000);
}

#[tokio::test]
async fn formulas_are_made_harmless_in_files() {
    let server = Server::start().await;
    let tenant = server.tenant("formulas").await;
    server
        .as_tenant(
            &tenant,
            "create table f (id int primary key, \"=head\" text, n int); \
             insert into f values (1, '=cmd|''/c calc''!A0', -5), (2, '+1', 2), (3, '@x', 3), (4, '-2', 4), \
             (5, E'\\t=1', 5), (6, 'a=b', 6), (7, null, 7), (8, '', 8)",
        )
        .await;
    let visitor = Visitor::of(&server, &tenant).await;
    let csv = visitor
        .get(&format!("/panel/{}/data/f/export.csv?sort=id", tenant.id))
        .await
        .expect(200)
        .text();
    let expected = "id,'=head,n\r\n1,'=cmd|'/c calc'!A0,-5\r\n2,'+1,2\r\n3,'@x,3\r\n4,'-2,4\r\n5,'\t=1,5\r\n6,a=b,6\r\n7,,7\r\n8,\"\",8\r\n";
    assert_eq!(csv, expected);
}

/// Values that would leave a mark behind if anything took them for more than text.
const MARKS: [&str; 6] = [
    "<script>window.top.__hit = 1</script>",
    "\"><img src=x onerror='window.top.__hit = 2'>",
    "</text></svg><iframe srcdoc='<script>parent.__hit = 3</script>'></iframe>",
    "=HYPERLINK(\"http://evil.example\")",
    "مرحبا بالعالم",
    "javascript:window.top.__hit=4",
];

#[tokio::test(flavor = "multi_thread")]
async fn in_a_browser_values_are_text_in_all_five_places() {
    let server = Server::start_with(&["--query-tokens"]).await;
    let tenant = server.tenant("marks").await;
    server
        .as_tenant(
            &tenant,
            "create table marks (id int generated by default as identity primary key, mark text, n int)",
        )
        .await;
    let long = "<b>ü</b>".repeat(120_000);
    for (at, mark) in MARKS.iter().chain([&long.as_str()]).enumerate() {
        let row = json!({"query": "insert into marks (mark, n) values ($1, $2)", "params": [mark, at + 1]});
        let long = mark.len() > 200_000;
        if long {
            // Longer than a body may be.
            let sql = "insert into marks (mark, n) values (repeat('<b>ü</b>', 120000), 9)";
            server.as_tenant(&tenant, sql).await;
        } else {
            tenant.admin.post("/api/v1/sql", &row).await.expect(200);
        }
    }
    let visitor = Visitor::of(&server, &tenant).await;
    let home = format!("/panel/{}", tenant.id);
    let fields = [
        ("view", "marks"),
        ("title", MARKS[0]),
        ("slug", "marks"),
        ("aggregation", "sum"),
        ("measure", "n"),
        ("dimension", "mark"),
        ("kind", "bar"),
    ];
    let new = format!("{home}/reports/new");
    visitor.submit(&new, &new, &fields).await.expect(303);
    let embed = json!({"name": "Embed", "kind": "embed", "scopes": ["views", "tables"]});
    let embed = tenant
        .admin
        .post("/api/tokens", &embed)
        .await
        .expect(201)
        .json();
    let embed = format!(
        "/embed/report/marks?token={}",
        embed["token"].as_str().unwrap()
    );
    // Long values are cut, and say so by their size.
    for page in [
        format!("{home}/data/marks"),
        format!("{home}/reports/marks/frame"),
        embed.clone(),
    ] {
        let page = visitor.get(&page).await.expect(200);
        assert!(page.body.len() < 100_000, "{} bytes", page.body.len());
    }
    // Export: formulas are made harmless, all else is as it is.
    let csv = visitor
        .get(&format!("{home}/data/marks/export.csv"))
        .await
        .expect(200)
        .text();
    assert!(
        csv.contains("\"'=HYPERLINK") && csv.contains("مرحبا بالعالم") && csv.len() > 1_000_000
    );

    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    pages::sign_in(&browser, &tenant).await;
    let shown = |text: &str, all: bool| {
        // Charts cut what is long.
        let start: String = text.chars().take(if all { 200 } else { 12 }).collect();
        json!(start).to_string()
    };
    for (at, mark) in MARKS.iter().enumerate() {
        let row = at + 1;
        browser.go(&format!("{home}/data/marks/row/{row}")).await;
        browser
            .until(
                &format!(
                    "return document.querySelector('#f-mark')?.value === {}",
                    json!(mark)
                ),
                "the editor",
            )
            .await;
    }
    for (page, all) in [
        (format!("{home}/data/marks"), true),
        (format!("{home}/reports/marks/frame"), false),
        (embed, false),
    ] {
        browser.go(&page).await;
        for mark in MARKS {
            let script = format!(
                "return document.documentElement.textContent.includes({})",
                shown(mark, all)
            );
            browser.until(&script, mark).await;
        }
        let clean = "return window.top.__hit === undefined && !document.querySelector('img[src=x], iframe, b, svg script') && [...document.scripts].every((one) => one.src)";
        browser
            .until(clean, &format!("nothing but text on {page}"))
            .await;
        assert_eq!(browser.refused().await, [""; 0], "{page}");
    }
    // What is written from the right is set from the right.
    browser.go(&format!("{home}/data/marks")).await;
    let right = "return [...document.querySelectorAll('td[data-col=mark]')].filter((cell) => getComputedStyle(cell).direction === 'rtl').length === 1";
    browser.until(right, "the value from the right").await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}
