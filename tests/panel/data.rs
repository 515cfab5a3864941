//! The data browser over HTTP: what it shows is what the API has, and what it does the API did.

use serde_json::json;

use super::{Visitor, between, encode};
use crate::harness::{Server, Tenant};

pub async fn at_work(name: &str) -> (Server, Tenant, Visitor, String) {
    let server = Server::start().await;
    let tenant = server.tenant(name).await;
    let visitor = Visitor::of(&server, &tenant).await;
    let base = format!("/panel/{}/data", tenant.id);
    (server, tenant, visitor, base)
}

#[tokio::test]
async fn the_address_is_the_apis_own() {
    let (_server, tenant, visitor, base) = at_work("grid").await;
    let query = "filter[status]=2&sort=-total,id&per_page=50&page=2&fields=id,number,total";
    let rows = tenant
        .admin
        .read(&format!("/api/v1/invoices?{query}"))
        .await;
    let page = visitor
        .get(&format!("{base}/invoices?{query}"))
        .await
        .expect(200)
        .text();
    for row in rows["data"].as_array().unwrap() {
        assert!(page.contains(row["number"].as_str().unwrap()), "{row}");
    }
    assert_eq!(page.matches("<tr data-row=").count(), 50);
    assert!(page.contains("51–100 of"), "{page}");
    // The request that does the same stands there to be copied, and does the same.
    let target = between(&page, "The same by the API: <code>GET ", "</code>")
        .replace("&amp;", "&")
        .replace("&#38;", "&");
    let same = tenant.admin.read(&target).await;
    assert_eq!(same["data"], rows["data"]);
    // What does not fit is said where it can be changed.
    let wrong = visitor
        .get(&format!("{base}/invoices?filter[nothing]=1"))
        .await
        .expect(400);
    assert!(wrong.text().contains("nothing"));
    visitor.get(&format!("{base}/nowhere")).await.expect(404);
}

#[tokio::test]
async fn forms_lead_to_addresses() {
    let (_server, _tenant, visitor, base) = at_work("forms").await;
    for (form, address) in [
        (
            "_fc=total&_fo=gte&_fv=1000&page=3",
            "filter[total.gte]=1000",
        ),
        (
            "_fc=number&_fo=ilike&_fv=INV*1&sort=-id",
            "sort=-id&filter[number.ilike]=INV%251",
        ),
        (
            "_fc=project_id&_fo=null&_fv=",
            "filter[project_id.null]=true",
        ),
        ("_fc=status&_fo=in&_fv=1,2", "filter[status.in]=1,2"),
        ("_cols=1&_col=id&_col=number", "fields=id,number"),
    ] {
        let answer = visitor
            .get(&format!("{base}/invoices?{form}"))
            .await
            .expect(303);
        let location = answer.header("location").to_owned();
        assert_eq!(location, format!("{base}/invoices?{address}"));
        visitor.get(&location).await.expect(200);
    }
    let cleared = visitor
        .get(&format!("{base}/invoices?q="))
        .await
        .expect(303);
    assert_eq!(cleared.header("location"), format!("{base}/invoices"));
}

#[tokio::test]
async fn every_table_and_view_is_shown() {
    let (_server, tenant, visitor, base) = at_work("every").await;
    let all = tenant.admin.read("/api/v1/").await;
    let counts = visitor.read(&base.replace("/data", "/counts")).await;
    for entry in all["data"].as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        visitor.get(&format!("{base}/{name}")).await.expect(200);
        assert!(counts[name].is_string(), "{name}");
        if entry["kind"] == "table" {
            visitor.get(&format!("{base}/{name}/new")).await.expect(200);
            visitor
                .get(&format!("{base}/{name}/import"))
                .await
                .expect(200);
        }
    }
    let invoices = tenant.admin.read("/api/v1/invoices?per_page=1").await;
    let total = invoices["meta"]["total"].to_string();
    assert_eq!(counts["invoices"].as_str().unwrap().replace(',', ""), total);
}

#[tokio::test]
async fn a_row_is_made_changed_and_deleted() {
    let (_server, tenant, visitor, base) = at_work("row").await;
    let new = format!("{base}/clients/new");
    // What the database refuses is said at the field, and what was typed stays.
    let refused = visitor
        .submit(
            &new,
            &new,
            &[("v.name", "Typed & kept"), ("v.country_id", "999999")],
        )
        .await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let text = refused.text();
    assert!(
        text.contains("Typed &amp; kept") || text.contains("Typed &#38; kept"),
        "{text}"
    );
    assert!(text.contains("class=\"field bad\""), "{text}");
    let made = visitor
        .submit(&new, &new, &[("v.name", "Made here")])
        .await
        .expect(303);
    let row = made.header("location").to_owned();
    let page = visitor.get(&row).await.expect(200).text();
    assert!(page.contains("Made here"));
    let key = row.rsplit('/').next().unwrap();
    let changed = visitor
        .submit(&row, &row, &[("v.name", "Changed here")])
        .await
        .expect(303);
    assert_eq!(changed.header("location"), row);
    let one = tenant.admin.read(&format!("/api/v1/clients/{key}")).await;
    assert_eq!(one["data"]["name"], "Changed here");
    let delete = format!("{row}/delete");
    assert!(
        visitor
            .get(&delete)
            .await
            .expect(200)
            .text()
            .contains("No row has to go with it")
    );
    visitor.submit(&delete, &delete, &[]).await.expect(303);
    tenant
        .admin
        .get(&format!("/api/v1/clients/{key}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_form_sends_what_was_changed_alone() {
    let (_server, tenant, visitor, base) = at_work("changed").await;
    let path = "/api/v1/invoices/2";
    let before = tenant.admin.read(path).await;
    let row = format!("{base}/invoices/row/2");
    // The form as a browser sends it back untouched: every field with what stands in it.
    let page = visitor.get(&row).await.expect(200).text();
    let mut fields: Vec<(String, String)> = Vec::new();
    for part in page.split(" name=\"was.").skip(1) {
        let name = part.split('"').next().unwrap().to_owned();
        let digest = between(part, "value=\"", "\"").to_owned();
        fields.push((format!("was.{name}"), digest));
        let value = &before["data"][&name];
        let text = match value {
            serde_json::Value::String(text) => text
                .replace("+00:00", "")
                .trim_end_matches(":00")
                .to_owned(),
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        if value.is_null() {
            fields.push((format!("null.{name}"), "1".into()));
        }
        // Numbers as the API spells them: parsed ones have lost their zeros.
        if !value.is_f64() {
            fields.push((format!("v.{name}"), text));
        }
    }
    assert!(fields.len() > 20, "{fields:?}");
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    visitor.submit(&row, &row, &fields).await.expect(303);
    let after = tenant.admin.read(path).await;
    assert_eq!(before, after, "untouched fields were written");
}

#[tokio::test]
async fn values_are_changed_where_they_stand() {
    let (_server, tenant, visitor, base) = at_work("place").await;
    let cell = format!("{base}/invoices/row/3/cell/reference");
    let part = visitor.get(&cell).await.expect(200).text();
    assert!(
        part.trim_start().starts_with("<td") && part.contains("name=\"v\""),
        "{part}"
    );
    let saved = visitor
        .submit(&base, &cell, &[("v", "PO-1")])
        .await
        .expect(200)
        .text();
    assert!(
        saved.contains("PO-1") && saved.contains("data-col=\"reference\""),
        "{saved}"
    );
    let row = tenant.admin.read("/api/v1/invoices/3").await;
    assert_eq!(row["data"]["reference"], "PO-1");
    let status = format!("{base}/invoices/row/3/cell/status");
    let refused = visitor
        .submit(&base, &status, &[("v", "77")])
        .await
        .expect(422)
        .text();
    assert!(
        refused.contains("role=\"alert\"") && refused.contains("invoices_status_check")
            || refused.contains("breaks the rule"),
        "{refused}"
    );
    visitor
        .get(&format!("{base}/invoices/row/3/cell/nothing"))
        .await
        .expect(404);
}

#[tokio::test]
async fn what_depends_on_a_row_is_shown_first_and_goes_with_it() {
    let (_server, tenant, visitor, base) = at_work("depends").await;
    let row = "/api/v1/clients/1?dependents=delete";
    let trial = tenant.admin.with("Prefer", "tx=rollback");
    let tried = trial.delete(row).await.expect(200).json();
    let deleted = tried["meta"]["deleted"].as_object().unwrap();
    assert!(deleted.len() > 4, "one level alone: {tried}");
    let total: u64 = deleted.values().map(|rows| rows.as_u64().unwrap()).sum();
    let delete = format!("{base}/clients/row/1/delete");
    let page = visitor.get(&delete).await.expect(200).text();
    for (table, rows) in deleted {
        let line = format!(">{table}</a></td><td class=\"n\">{rows}</td>");
        assert!(table == "clients" || page.contains(&line), "{line}: {page}");
    }
    assert!(page.contains("filter[clientid]=1"), "{page}");
    assert!(page.contains(&format!("Delete {total} rows")), "{page}");
    // Not without its number, nor with another one.
    for sure in ["", "1"] {
        let answer = visitor.submit(&delete, &delete, &[("sure", sure)]).await;
        let said = answer.expect(400).text();
        assert!(said.contains("Nothing is deleted"), "{said}");
    }
    tenant.admin.get("/api/v1/clients/1").await.expect(200);
    let sure = total.to_string();
    let done = visitor.submit(&delete, &delete, &[("sure", &sure)]).await;
    let grid = done.expect(303).header("location").to_owned();
    let said = visitor.get(&grid).await.expect(200).text();
    assert!(said.contains("rows are deleted."), "{said}");
    tenant.admin.get("/api/v1/clients/1").await.expect(404);
    let left = tenant
        .admin
        .read("/api/v1/invoices?filter[clientid]=1")
        .await;
    assert_eq!(left["meta"]["total"], 0);
    // Another row stands as it did.
    let others = tenant
        .admin
        .read("/api/v1/invoices?filter[clientid]=2")
        .await;
    assert!(others["meta"]["total"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_hundred_thousand_rows_are_paged_and_filtered() {
    let (server, tenant, visitor, base) = at_work("rows").await;
    server
        .as_tenant(
            &tenant,
            "create table big (id int generated by default as identity primary key, name text, n int); \
             insert into big (name, n) select 'row ' || i, i % 1000 from generate_series(1, 100000) i; \
             create index on big (n)",
        )
        .await;
    for (query, seen) in [
        ("", "1–25 of 100,000"),
        ("?page=4000", "99,976–100,000 of 100,000"),
        ("?page=1000&per_page=100&sort=-name", "of 100,000"),
        ("?filter[n]=7", "1–25 of 100"),
        ("?q=row+99999", "1–1 of 1"),
    ] {
        let began = std::time::Instant::now();
        let page = visitor.get(&format!("{base}/big{query}")).await.expect(200);
        let took = began.elapsed();
        assert!(page.text().contains(seen), "{query}");
        eprintln!("100,000 rows, {query:?}: {took:.0?}");
        // An order of magnitude above what a debug build takes on a busy machine.
        assert!(took.as_secs() < 10, "{query} took {took:?}");
    }
    let csv = visitor
        .get(&format!("{base}/big/export.csv"))
        .await
        .expect(200);
    assert_eq!(csv.text().lines().count(), 100_001);
}

#[tokio::test]
async fn a_file_as_large_as_the_api_takes_is_imported() {
    let (server, tenant, visitor, base) = at_work("large").await;
    server
        .as_tenant(
            &tenant,
            "create table parts (code text primary key, n int not null)",
        )
        .await;
    let grid = format!("{base}/parts");
    let mut csv = "code,n\n".to_owned();
    for at in 0..16_000 {
        let (code, n) = match at {
            5_000 => (4_999, "1"),
            9_000 => (9_000, "x"),
            at => (at, "12345"),
        };
        csv.push_str(&format!("P-{code:06},{n}\n"));
    }
    assert!((235_000..256 * 1024).contains(&csv.len()), "{}", csv.len());
    let token = visitor.token(&grid).await;
    let send = async |to: &str, text: &str| {
        let headers = [
            ("Content-Type", "text/csv"),
            ("X-CSRF-Token", token.as_str()),
        ];
        visitor.send(&format!("{grid}/{to}"), text, &headers).await
    };
    let page = send("import/preview", &csv).await.expect(200).text();
    assert!(
        page.contains("15998 fit") && page.contains("2 do not"),
        "{}",
        &page[..2000]
    );
    // A row whose key stands further up in the file, and one of another type.
    for line in ["<td class=\"n\">5002</td>", "<td class=\"n\">9002</td>"] {
        assert!(page.contains(line), "{line}: {}", &page[..2000]);
    }
    let good = between(&page, "<textarea name=\"csv\" hidden>", "</textarea>");
    send("import", good.trim_start()).await.expect(303);
    let rows = tenant.admin.read("/api/v1/parts?per_page=1").await;
    assert_eq!(rows["meta"]["total"], 15_998);
    // All or nothing.
    let refused = send("import", &csv).await;
    assert!(refused.text().contains("Nothing was imported"));
    // Nothing but bad rows: all are counted where the API tells them, the first ones listed.
    let bad = "code,n\n".to_owned() + &"x,y\n".repeat(5_000);
    let page = send("import/preview", &bad).await.expect(200).text();
    assert!(
        page.contains("5000 do not") && page.contains("The first 100 are listed"),
        "{}",
        &page[..2000]
    );
    // Where it tells one at a time, they are not sought for ever.
    let page = send("import/preview", good.trim_start())
        .await
        .expect(200)
        .text();
    assert!(page.contains("nothing was tried"), "{}", &page[..2000]);
    let larger = csv.clone() + &csv;
    let page = visitor
        .get(&format!("{grid}/import"))
        .await
        .expect(200)
        .text();
    assert!(page.contains("data-most=\"262144\"") && page.contains("Up to 256 KB"));
    assert_eq!(send("import/preview", &larger).await.status, 413);
}

#[tokio::test]
async fn several_rows_at_once() {
    let (_server, tenant, visitor, base) = at_work("bulk").await;
    let rows = json!([{"name": "One"}, {"name": "Two"}]);
    let made = tenant
        .admin
        .post("/api/v1/clients", &rows)
        .await
        .expect(201)
        .json();
    let keys: Vec<String> = made["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].to_string())
        .collect();
    let grid = format!("{base}/clients");
    let bulk = format!("{grid}/bulk");
    let back = format!("{grid}?sort=-id");
    let fields = [
        ("key", keys[0].as_str()),
        ("key", keys[1].as_str()),
        ("do", "csv"),
        ("back", back.as_str()),
    ];
    let csv = visitor.submit(&grid, &bulk, &fields).await.expect(200);
    assert!(csv.header("content-disposition").contains("clients.csv"));
    assert_eq!(csv.text().lines().count(), 3);
    // One that something depends on stays, and keeps no other from going.
    let fields = [
        ("key", keys[0].as_str()),
        ("key", "1"),
        ("key", keys[1].as_str()),
        ("do", "delete"),
        ("back", back.as_str()),
    ];
    let done = visitor.submit(&grid, &bulk, &fields).await.expect(303);
    assert_eq!(done.header("location"), back);
    let page = visitor.get(&back).await.expect(200).text();
    assert!(page.contains("2 rows are deleted, 1 kept."), "{page}");
    tenant
        .admin
        .get(&format!("/api/v1/clients/{}", keys[1]))
        .await
        .expect(404);
    // It leads nowhere else than to the grid.
    let fields = [("key", ""), ("back", "https://evil.example/")];
    let done = visitor.submit(&grid, &bulk, &fields).await;
    assert!(!done.header("location").contains("evil"));
}

#[tokio::test]
async fn csv_is_tried_before_it_is_kept() {
    let (_server, tenant, visitor, base) = at_work("import").await;
    let grid = format!("{base}/clients");
    let csv = "name,country_id\r\nGood one,1\r\n,2\r\nBad land,999999\r\n\"Quoted, Inc\",2\r\nBad number,x\r\n";
    let before = tenant.admin.read("/api/v1/clients?per_page=1").await;
    let preview = visitor
        .submit(&grid, &format!("{grid}/import/preview"), &[("csv", csv)])
        .await
        .expect(200)
        .text();
    assert!(preview.contains("5 rows"), "{preview}");
    assert!(
        preview.contains("2 fit") && preview.contains("3 do not"),
        "{preview}"
    );
    for line in [
        "<td class=\"n\">3</td>",
        "<td class=\"n\">4</td>",
        "<td class=\"n\">6</td>",
    ] {
        assert!(preview.contains(line), "{line}: {preview}");
    }
    assert!(preview.contains("country_id"));
    let after = tenant.admin.read("/api/v1/clients?per_page=1").await;
    assert_eq!(
        before["meta"]["total"], after["meta"]["total"],
        "a preview kept rows"
    );
    // What fits is imported, as the preview offers it.
    let good = between(&preview, "<textarea name=\"csv\" hidden>", "</textarea>")
        .trim_start()
        .replace("&quot;", "\"")
        .replace("&#34;", "\"");
    visitor
        .submit(&grid, &format!("{grid}/import"), &[("csv", &good)])
        .await
        .expect(303);
    let found = tenant.admin.read("/api/v1/clients?q=Quoted").await;
    assert_eq!(found["data"][0]["name"], "Quoted, Inc");
    let total = tenant.admin.read("/api/v1/clients?per_page=1").await;
    assert_eq!(
        total["meta"]["total"].as_u64(),
        before["meta"]["total"].as_u64().map(|n| n + 2)
    );
    // All or nothing.
    let refused = visitor
        .submit(&grid, &format!("{grid}/import"), &[("csv", csv)])
        .await;
    assert!(
        refused.status >= 400 && refused.text().contains("Nothing was imported"),
        "{}",
        refused.text()
    );
    for bad in ["", "name", "name\n\"open", "a,b\n1\n"] {
        let answer = visitor
            .submit(&grid, &format!("{grid}/import/preview"), &[("csv", bad)])
            .await;
        assert_eq!(answer.status, 400, "{bad:?}");
    }
}

#[tokio::test]
async fn exports_are_whole() {
    let (_server, tenant, visitor, base) = at_work("export").await;
    let rows = tenant.admin.read("/api/v1/invoice_items?per_page=1").await;
    let total = rows["meta"]["total"].as_u64().unwrap();
    assert!(total > 2000, "too few rows to have several pages");
    let json = visitor
        .read(&format!("{base}/invoice_items/export.json"))
        .await;
    assert_eq!(json.as_array().unwrap().len() as u64, total);
    let mut ids: Vec<u64> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_u64().unwrap())
        .collect();
    ids.dedup();
    assert_eq!(ids.len() as u64, total);
    let some = visitor
        .get(&format!(
            "{base}/invoices/export.csv?filter[status]=2&fields=number,total&sort=total&per_page=5"
        ))
        .await
        .expect(200);
    let expected = tenant
        .admin
        .read("/api/v1/invoices?filter[status]=2&per_page=1")
        .await;
    assert_eq!(
        some.text().lines().count() as u64,
        expected["meta"]["total"].as_u64().unwrap() + 1
    );
    assert!(some.text().starts_with("number,total\r\n"));
}

#[tokio::test]
async fn a_foreign_key_is_picked() {
    let (_server, _tenant, visitor, base) = at_work("pick").await;
    let all = visitor
        .get(&format!("{base}/clients/pick?column=id&q="))
        .await
        .expect(200)
        .text();
    assert_eq!(all.matches("data-value=").count(), 20);
    let one = visitor
        .get(&format!("{base}/clients/pick?column=id&q=7"))
        .await
        .expect(200)
        .text();
    assert_eq!(one.matches("data-value=").count(), 1);
    assert!(one.contains("data-value=\"7\""));
    let none = visitor
        .get(&format!(
            "{base}/clients/pick?column=id&q={}",
            encode("no such client")
        ))
        .await
        .expect(200)
        .text();
    assert!(none.contains("No row of clients fits"));
}
