//! What becomes of what was typed: beside others' changes, after the session's end, for who may not write.

use serde_json::json;

use super::{Visitor, between, data::at_work};
use crate::harness::PASSWORD;

#[tokio::test]
async fn what_others_changed_meanwhile_is_not_overwritten_unseen() {
    let (_server, tenant, visitor, base) = at_work("meanwhile").await;
    let query = json!({"query": "create table doc (id int primary key, title text, d date, t time, j jsonb)"});
    tenant.admin.post("/api/v1/sql", &query).await.expect(200);
    let rows = r#"insert into doc values (1, 'one', 'infinity', '10:00:00.123456', '{"n": 12345678901234567890.5, "k": 1}')"#;
    tenant
        .admin
        .post("/api/v1/sql", &json!({ "query": rows }))
        .await
        .expect(200);
    let here = format!("{base}/doc/row/1");
    let page = visitor.get(&here).await.expect(200).text();
    let was = |page: &str, name: &str| {
        let mark = format!("name=\"was.{name}\" value=\"");
        between(page, &mark, "\"").to_owned()
    };
    // What no picker can show is a text, and stays as it is.
    assert!(page.contains(r#"value="infinity""#) && !page.contains(r#"type="date" name="v.d""#));
    assert!(page.contains("12345678901234567890.5"), "{page}");
    let digests: Vec<String> = ["title", "d", "t", "j"]
        .iter()
        .map(|name| was(&page, name))
        .collect();
    tenant
        .admin
        .patch("/api/v1/doc/1", &json!({"title": "two"}))
        .await
        .expect(200);
    let form = |title: &'static str, digests: &[String]| {
        vec![
            ("v.title", title.to_owned()),
            ("was.title", digests[0].clone()),
            ("v.d", "infinity".to_owned()),
            ("was.d", digests[1].clone()),
            ("v.t", "10:00:00.123456".to_owned()),
            ("was.t", digests[2].clone()),
            (
                "v.j",
                "{\"n\": 12345678901234567890.5, \"k\": 2}".to_owned(),
            ),
            ("was.j", digests[3].clone()),
        ]
    };
    let send = async |form: Vec<(&'static str, String)>| {
        let fields: Vec<(&str, &str)> = form
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        visitor.submit(&here, &here, &fields).await
    };
    let refused = send(form("mine", &digests)).await.expect(400).text();
    assert!(
        refused.contains("was changed meanwhile, to `two`"),
        "{refused}"
    );
    assert_eq!(
        tenant.admin.read("/api/v1/doc/1").await["data"]["title"],
        "two"
    );
    // Who has seen it may overwrite it; of what was not touched, the form says nothing.
    let seen: Vec<String> = ["title", "d", "t", "j"]
        .iter()
        .map(|name| was(&refused, name))
        .collect();
    send(form("mine", &seen)).await.expect(303);
    let row = tenant.admin.get("/api/v1/doc/1").await.expect(200).text();
    for part in [
        r#""title":"mine""#,
        r#""d":"infinity""#,
        "10:00:00.123456",
        "12345678901234567890.5",
        r#""k": 2"#,
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
}

#[tokio::test]
async fn what_was_typed_stays_where_a_form_can_not_be_taken() {
    let (_server, tenant, visitor, base) = at_work("stays").await;
    let here = format!("{base}/clients/row/1");
    let script = [("HX-Request", "true")];
    let fields = [("_csrf", "0000"), ("v.name", "x")];
    let kept = visitor.post_with(&here, &fields, &script).await.expect(403);
    assert_eq!(kept.header("hx-reswap"), "none");
    let nobody = Visitor {
        cookies: std::sync::Arc::default(),
        ..visitor.clone()
    };
    let kept = nobody.post_with(&here, &fields, &script).await.expect(401);
    assert!(kept.text().contains("Log in in another tab"));
    assert_eq!(kept.header("hx-reswap"), "none");
    assert_ne!(
        tenant.admin.read("/api/v1/clients/1").await["data"]["name"],
        "x"
    );
}

#[tokio::test]
async fn who_only_reads_has_reports_and_no_fields_to_type_into() {
    let (server, tenant, _visitor, base) = at_work("reads").await;
    tenant.user("viewer@mail.example", "viewer").await;
    let viewer = Visitor::new(&server);
    let form = [
        ("as", "user"),
        ("key", tenant.key.as_str()),
        ("email", "viewer@mail.example"),
        ("password", PASSWORD),
    ];
    viewer.post("/login", &form).await.expect(303);
    let reports = format!("/panel/{}/reports", tenant.id);
    let page = viewer.get(&reports).await.expect(200).text();
    assert!(page.contains("Collection efficiency") && !page.contains("New report"));
    viewer.get(&format!("{reports}/invoices")).await.expect(200);
    viewer
        .get(&format!("{reports}/invoices/frame"))
        .await
        .expect(200);
    let row = viewer
        .get(&format!("{base}/clients/row/1"))
        .await
        .expect(200)
        .text();
    let open = row
        .split("name=\"v.")
        .skip(1)
        .filter(|field| !field.split('>').next().unwrap().contains("disabled"));
    assert_eq!(open.count(), 0);
}
