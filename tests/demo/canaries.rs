//! Markers of every type in a template of its own: none of them comes out, in whatever form, by answers, at rest or in
//! logs.

use std::time::Duration;

use sandlot::template::load::load;

use super::{
    demo,
    masking::tables,
    script::{ask, requests},
    zoo::{self, Markers},
};
use crate::harness::{
    PASSWORD, Server,
    process::{self, Folder, Process},
};

#[tokio::test]
async fn no_marker_of_any_type_comes_out() {
    let server = Server::start().await;
    let mut platform = server.connect_as("sandlot").await;
    load(&mut platform, &zoo::sql(), "zoo").await.unwrap();
    let superuser = server.superuser().await;
    let markers = Markers::read(&superuser).await;
    assert!(markers.values > 300 && markers.len() > 10_000);
    let (anybody, made) = demo(&server, 3).await;
    let report = server.app.demo.explain().await.unwrap();
    println!("{}", report.text());
    assert_eq!(report.empty, []);
    let kept = report.columns.iter().filter(|line| line.verdict == "kept");
    let kept: Vec<&str> = kept
        .filter(|line| line.table != "users")
        .map(|line| line.column.as_str())
        .collect();
    assert_eq!(kept, ["id"]);
    let (mut looked, mut answered) = (0, 0);
    for request in requests(&superuser, &anybody).await {
        let (head, body) = ask(&anybody, &request).await;
        answered += usize::from(head.starts_with('2'));
        for text in [head, body] {
            looked += text.len();
            let found = markers.found(&text);
            assert_eq!(found, None, "{request:?}: {text}");
        }
    }
    assert!(
        looked > 300_000 && answered > 200,
        "{looked} bytes, {answered} answers"
    );
    // The same by rest: rows, and whatever Postgres knows of the schema.
    for table in tables(&superuser, &made.identity.schema).await {
        let sql = format!("select t::text from {}.\"{table}\" t", made.identity.schema);
        for row in superuser.query(&sql, &[]).await.unwrap() {
            assert_eq!(markers.found(row.get(0)), None, "{table}");
        }
    }
    assert_eq!(markers.found(&report.text()), None);
    // The test sees what it looks for.
    let real: String = superuser
        .query_one("select t::text from public.zoo t where id = 1", &[])
        .await
        .unwrap()
        .get(0);
    for part in real
        .trim_matches(['(', ')'])
        .split(',')
        .filter(|part| part.len() > 14)
        .take(12)
    {
        assert!(markers.found(part).is_some(), "{part}");
    }
}

#[tokio::test]
async fn no_marker_is_in_a_log() {
    let folder = Folder::new();
    let file = folder.path().join("zoo.sql");
    // A key to a table that no rule can fill: what is refused while the demo is made is logged too.
    let stubborn = "create table stubborn (a text, check (length(a) > 3 and length(a) % 7 = 0 and a <> upper(a)));
        insert into stubborn values ('qxzjvwkgbpfyqx'), ('zjvwkgbpfyqxqx');\n";
    std::fs::write(&file, zoo::sql() + stubborn).unwrap();
    let template = format!("--template-file={}", file.display());
    let server = Process::start(folder.path(), &[&template, "--log=debug", "--spares=0"]);
    let token = server
        .said
        .iter()
        .find_map(|line| line.strip_prefix("demo token"));
    let anybody = server.client.bearer(token.unwrap().trim());
    for _ in 0..1200 {
        if anybody.get("/api/v1/zoo?per_page=1").await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let superuser = process::superuser(folder.path(), "sandlot_tenants").await;
    let markers = Markers::read(&superuser).await;
    for request in requests(&superuser, &anybody).await {
        ask(&anybody, &request).await;
    }
    // What a tenant's administrator reads of calls, and what the platform keeps of all.
    let credentials = serde_json::json!({"email": "logs@mail.example", "password": PASSWORD});
    let made = server
        .client
        .post("/api/register", &credentials)
        .await
        .expect(201)
        .json();
    let keyed = server
        .client
        .with("Api-Key", made["tenant"]["api_key"].as_str().unwrap());
    keyed.until_ready().await;
    let admin = keyed.sign_in("logs@mail.example").await;
    admin.get("/api/v1/zoo?per_page=2").await.expect(200);
    let platform = process::superuser(folder.path(), "sandlot").await;
    let mut kept = String::new();
    for _ in 0..100 {
        let sql = "select coalesce(string_agg(l::text, e'\n'), '') from audit_log l";
        kept = platform.query_one(sql, &[]).await.unwrap().get(0);
        if kept.lines().count() > 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let logs = admin.read("/api/logs?per_page=1000").await.to_string();
    server.stop();
    let said = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let postgres = std::fs::read_to_string(folder.path().join("postgres.log")).unwrap();
    assert!(
        said.contains("stubborn") && said.lines().count() > 200,
        "{} lines",
        said.lines().count()
    );
    assert!(kept.lines().count() > 200, "{} calls", kept.lines().count());
    for (what, text) in [
        ("log", &said),
        ("postgres.log", &postgres),
        ("audit", &kept),
        ("/api/logs", &logs),
    ] {
        for line in text.lines() {
            assert_eq!(markers.found(line), None, "{what}: {line:.600}");
        }
    }
}
