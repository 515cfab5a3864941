//! SQL, GraphQL, reports, structure, tokens, users, logs and the sandbox over HTTP.

use serde_json::json;

use super::{Visitor, between, encode};
use crate::harness::{PASSWORD, Server, Tenant};

async fn at_work(name: &str) -> (Server, Tenant, Visitor, String) {
    let server = Server::start().await;
    let tenant = server.tenant(name).await;
    let visitor = Visitor::of(&server, &tenant).await;
    let base = format!("/panel/{}", tenant.id);
    (server, tenant, visitor, base)
}

#[tokio::test]
async fn sql_runs_as_the_tenant() {
    let (_server, tenant, visitor, base) = at_work("sql").await;
    let sql = format!("{base}/sql");
    let page = visitor
        .get(&format!("{sql}?q={}", encode("delete from notes")))
        .await
        .expect(200)
        .text();
    assert!(
        page.contains("delete from notes"),
        "the address fills the console"
    );
    let notes = tenant.admin.read("/api/v1/notes?per_page=1").await;
    assert!(
        notes["meta"]["total"].as_u64().unwrap() > 0,
        "reading an address ran it"
    );
    let shown = visitor
        .submit(
            &sql,
            &sql,
            &[("query", "select id, name from clients order by id limit 2")],
        )
        .await;
    let text = shown.expect(200).text();
    assert!(
        text.contains("Bramblewater") || text.matches("<td class=\"n\"").count() == 2,
        "{text}"
    );
    assert!(text.contains("2 rows"), "{text}");
    let tried = [("query", "delete from notes"), ("rollback", "1")];
    let text = visitor.submit(&sql, &sql, &tried).await.expect(200).text();
    assert!(
        text.contains("nothing kept") && text.contains("notes"),
        "{text}"
    );
    let after = tenant.admin.read("/api/v1/notes?per_page=1").await;
    assert_eq!(after["meta"]["total"], notes["meta"]["total"]);
    let text = visitor
        .submit(&sql, &sql, &[("query", "selec 1")])
        .await
        .expect(200)
        .text();
    assert!(
        text.contains("role=\"alert\"") && text.contains("syntax error"),
        "{text}"
    );
    let text = visitor
        .submit(&sql, &sql, &[("query", "select '<b>x</b>' as \"<i>\"")])
        .await
        .expect(200)
        .text();
    assert!(!text.contains("<b>x") && !text.contains("<i>\""), "{text}");
}

#[tokio::test]
async fn a_report_is_published_changed_and_withdrawn() {
    let (server, tenant, visitor, base) = at_work("reports").await;
    let at = format!("{base}/reports");
    let list = visitor.get(&at).await.expect(200).text();
    assert_eq!(
        list.matches("<iframe src=\"/panel/").count(),
        5,
        "five seeded charts"
    );
    let new = format!("{at}/new");
    assert!(
        visitor
            .get(&format!("{new}?view=expenses"))
            .await
            .expect(200)
            .text()
            .contains("name=\"measure\"")
    );
    let fields = [
        ("view", "clients"),
        ("title", "Clients <by> state"),
        ("slug", "clients-by-state"),
        ("aggregation", "count"),
        ("dimension", "industry"),
        ("kind", "pie"),
    ];
    let made = visitor.submit(&new, &new, &fields).await.expect(303);
    let report = made.header("location").to_owned();
    assert_eq!(report, format!("{at}/clients-by-state"));
    let page = visitor.get(&report).await.expect(200).text();
    assert!(
        page.contains("Clients &lt;by&gt; state") || page.contains("Clients &#60;by&#62; state"),
        "{page}"
    );
    // The chart is what the API embeds, for frames on this host alone.
    let frame = visitor
        .get(&format!("{report}/frame?kind=bar"))
        .await
        .expect(200);
    assert!(frame.text().contains("<svg"));
    assert!(
        frame
            .header("content-security-policy")
            .contains("frame-ancestors 'self'")
    );
    assert_ne!(frame.header("x-frame-options"), "DENY");
    server
        .client
        .get(&format!("{report}/frame"))
        .await
        .expect(303);
    let kept = [
        ("do", "keep"),
        ("kind", "bar"),
        ("aggregation", "count"),
        ("dimension", "city"),
    ];
    visitor.submit(&report, &report, &kept).await.expect(303);
    let record = tenant.admin.read("/api/reports").await;
    let record = record["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["slug"] == "clients-by-state")
        .unwrap()
        .clone();
    assert_eq!(record["chart"]["dimension"], "city");
    visitor
        .submit(&report, &report, &[("do", "withdraw")])
        .await
        .expect(303);
    tenant
        .admin
        .get("/api/v1/reports/clients-by-state")
        .await
        .expect(404);
    visitor
        .submit(&report, &report, &[("do", "delete")])
        .await
        .expect(303);
    visitor.get(&report).await.expect(404);
    let wrong = [("view", "clients"), ("title", "x"), ("slug", "Not a slug")];
    let refused = visitor.submit(&new, &new, &wrong).await;
    assert!(
        refused.status == 400 && refused.text().contains("slug"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn tables_are_made_and_altered() {
    let (_server, tenant, visitor, base) = at_work("structure").await;
    let at = format!("{base}/structure");
    let all = visitor.get(&at).await.expect(200).text();
    assert!(
        all.contains("<svg") && all.matches("class=\"rel\"").count() > 40,
        "relations are drawn"
    );
    let new = format!("{at}/new");
    let fields = [
        ("table", "pets"),
        ("name0", "id"),
        ("type0", "bigint generated by default as identity"),
        ("key0", "1"),
        ("name1", "owner"),
        ("type1", "bigint"),
    ];
    visitor.submit(&new, &new, &fields).await.expect(303);
    let pets = format!("{at}/table/pets");
    for change in [
        vec![
            ("do", "add"),
            ("column", "call name"),
            ("type", "text"),
            ("default", "'Rex'"),
            ("required", "1"),
        ],
        vec![
            ("do", "refer"),
            ("column", "owner"),
            ("other", "clients"),
            ("fate", "cascade"),
        ],
        vec![("do", "index"), ("column", "call name"), ("unique", "1")],
        vec![
            ("do", "rename-column"),
            ("column", "call name"),
            ("to", "name"),
        ],
        vec![("do", "type"), ("column", "name"), ("type", "varchar(40)")],
    ] {
        let answer = visitor.submit(&pets, &pets, &change).await;
        assert_eq!(answer.status, 303, "{change:?}: {}", answer.text());
    }
    let page = visitor.get(&pets).await.expect(200).text();
    for part in [
        "character varying(40)",
        "on delete cascade",
        "create unique index".to_uppercase().as_str(),
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let made = tenant
        .admin
        .post("/api/v1/pets", &json!({"owner": 1}))
        .await
        .expect(201)
        .json();
    assert_eq!(made["data"]["name"], "Rex");
    let refused = visitor
        .submit(
            &pets,
            &pets,
            &[("do", "type"), ("column", "name"), ("type", "integer")],
        )
        .await;
    assert!(
        refused.status == 400 && refused.text().contains("role=\"alert\""),
        "{}",
        refused.status
    );
    visitor
        .submit(&pets, &pets, &[("do", "drop"), ("sure", "pet")])
        .await
        .expect(400);
    visitor
        .submit(&pets, &pets, &[("do", "drop"), ("sure", "pets")])
        .await
        .expect(303);
    tenant.admin.get("/api/v1/pets").await.expect(404);
}

#[tokio::test]
async fn a_token_is_made_used_and_revoked() {
    let (server, _tenant, visitor, base) = at_work("tokens").await;
    let at = format!("{base}/tokens");
    let fields = [
        ("name", "Script <1>"),
        ("scope", "tables"),
        ("allowed_tables", "clients"),
        ("allowed_tables", "invoices"),
    ];
    let page = visitor.submit(&at, &at, &fields).await.expect(200).text();
    let token = between(&page, "id=\"made-token\">", "<").to_owned();
    let program = server.client.bearer(&token);
    program.get("/api/v1/clients?per_page=1").await.expect(200);
    program
        .get("/api/v1/projects")
        .await
        .problem(403, "table-not-allowed");
    let list = visitor.get(&at).await.expect(200).text();
    assert!(!list.contains(&token), "the secret is shown once");
    assert!(list.contains("tables clients, invoices"), "{list}");
    let refused = visitor
        .submit(&at, &at, &[("name", "x"), ("scope", "sql")])
        .await
        .expect(400)
        .text();
    assert!(refused.contains("class=\"fault\""), "{refused}");
    let signed = [("name", "Signed"), ("scope", "tables"), ("hmac", "1")];
    let page = visitor.submit(&at, &at, &signed).await.expect(200).text();
    assert!(page.contains("id=\"made-secret\""));
    let id = between(&list, "name=\"id\" value=\"", "\"").to_owned();
    visitor
        .submit(&at, &at, &[("do", "revoke"), ("id", &id)])
        .await
        .expect(303);
    program
        .get("/api/v1/clients")
        .await
        .problem(401, "invalid-token");
    // One of another tenant is none.
    visitor
        .submit(&at, &at, &[("do", "revoke"), ("id", "999999")])
        .await
        .expect(404);
}

#[tokio::test]
async fn users_get_roles_and_passwords() {
    let (_server, tenant, visitor, base) = at_work("users").await;
    let at = format!("{base}/users");
    let add = [
        ("do", "add"),
        ("email", "new@mail.example"),
        ("password", PASSWORD),
        ("role", "viewer"),
    ];
    visitor.submit(&at, &at, &add).await.expect(303);
    let sign_in = |password: &str| json!({"email": "new@mail.example", "password": password});
    tenant
        .keyed
        .post("/api/auth/token", &sign_in(PASSWORD))
        .await
        .expect(200);
    let users = tenant
        .admin
        .read("/api/v1/users?filter[email]=new@mail.example")
        .await;
    let id = users["data"][0]["id"].to_string();
    visitor
        .submit(&at, &at, &[("do", "role"), ("id", &id), ("role", "editor")])
        .await
        .expect(303);
    visitor
        .submit(
            &at,
            &at,
            &[
                ("do", "password"),
                ("id", &id),
                ("password", "another horse"),
            ],
        )
        .await
        .expect(303);
    tenant
        .keyed
        .post("/api/auth/token", &sign_in(PASSWORD))
        .await
        .expect(401);
    let user = tenant.admin.read(&format!("/api/v1/users/{id}")).await;
    assert_eq!(user["data"]["role"], "editor");
    visitor
        .submit(&at, &at, &[("do", "out"), ("id", &id)])
        .await
        .expect(303);
    tenant
        .keyed
        .post("/api/auth/token", &sign_in("another horse"))
        .await
        .expect(401);
    let weak = [
        ("do", "password"),
        ("id", id.as_str()),
        ("password", "short"),
    ];
    let refused = visitor.submit(&at, &at, &weak).await;
    assert!(
        refused.status == 400 && refused.text().contains("8 to 128"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn what_the_panel_does_is_in_the_log() {
    let (_server, tenant, visitor, base) = at_work("logs").await;
    let row = format!("{base}/data/clients/row/1");
    visitor
        .submit(&row, &row, &[("v.name", "Logged")])
        .await
        .expect(303);
    let mut found = false;
    for _ in 0..100 {
        let log = tenant.admin.read("/api/logs?method=PATCH").await;
        if log["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|call| call["path"] == "/api/v1/clients/1")
        {
            found = true;
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(found, "a change by the panel is not in the log");
    let page = visitor
        .get(&format!("{base}/logs?method=PATCH&status=&path="))
        .await
        .expect(200)
        .text();
    assert!(
        page.contains("/api/v1/clients/1") && page.contains("<rect class=\"s2\""),
        "{page}"
    );
    let wrong = visitor
        .get(&format!("{base}/logs?status=never"))
        .await
        .expect(400)
        .text();
    assert!(wrong.contains("role=\"alert\""), "{wrong}");
}

#[tokio::test]
async fn the_sandbox_is_reset_kept_compared_and_deleted() {
    let (server, tenant, visitor, base) = at_work("sandbox").await;
    let at = format!("{base}/sandbox");
    let name = |client: &str| client.to_owned();
    let before = tenant.admin.read("/api/v1/clients/1").await;
    tenant
        .admin
        .patch("/api/v1/clients/1", &json!({"name": "Broken"}))
        .await
        .expect(200);
    visitor
        .submit(&at, &at, &[("do", "take"), ("name", "broken")])
        .await
        .expect(303);
    let page = visitor
        .get(&format!("{at}?certificate"))
        .await
        .expect(200)
        .text();
    assert!(
        page.contains("class=\"verdict other\"") && page.contains("clients"),
        "{page}"
    );
    visitor
        .submit(&at, &at, &[("do", "reset")])
        .await
        .expect(303);
    let page = visitor.get(&at).await.expect(200).text();
    assert!(page.contains("Put back: clients."), "{page}");
    let reset = tenant.admin.read("/api/v1/clients/1").await;
    assert_eq!(
        name(reset["data"]["name"].as_str().unwrap()),
        before["data"]["name"].as_str().unwrap()
    );
    assert!(
        visitor
            .get(&format!("{at}?certificate"))
            .await
            .expect(200)
            .text()
            .contains("class=\"verdict same\"")
    );
    let id = between(&page, "name=\"id\" value=\"", "\"").to_owned();
    visitor
        .submit(&at, &at, &[("do", "restore"), ("id", &id)])
        .await
        .expect(303);
    let restored = tenant.admin.read("/api/v1/clients/1").await;
    assert_eq!(restored["data"]["name"], "Broken");
    visitor
        .submit(&at, &at, &[("do", "forget"), ("id", &id)])
        .await
        .expect(303);
    visitor
        .submit(&at, &at, &[("do", "delete"), ("sure", "yes")])
        .await
        .expect(400);
    tenant.keyed.get("/api/tenant").await.expect(200);
    visitor
        .submit(&at, &at, &[("do", "delete"), ("sure", &tenant.schema)])
        .await
        .expect(303);
    tenant
        .keyed
        .get("/api/tenant")
        .await
        .problem(401, "invalid-api-key");
    visitor.get(&base).await.expect(404);
    drop(server);
}

#[tokio::test]
async fn a_page_is_drawn_once_and_passwords_are_tried_sparingly() {
    let server = Server::start_with(&["--token-rate=20", "--sign-in-rate=6"]).await;
    let tenant = server.tenant("limits").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let base = format!("/panel/{}", tenant.id);
    // Each of these looks up dozens of things, and is one request all the same.
    for _ in 0..6 {
        visitor
            .get(&format!("{base}/data/invoices"))
            .await
            .expect(200);
    }
    visitor.get(&format!("{base}/counts")).await.expect(200);
    let mut refused = 0;
    for _ in 0..20 {
        let answer = visitor.get(&format!("{base}/data")).await;
        refused += usize::from(answer.status == 429);
    }
    assert!(refused > 0, "pages draw from no limit");
    let wrong = [
        ("email", "limits@mail.example"),
        ("password", "wrong horse"),
    ];
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(Visitor::new(&server).post("/login", &wrong).await.status);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(statuses.contains(&401), "{statuses:?}");
}
