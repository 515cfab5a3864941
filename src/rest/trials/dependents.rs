//! Deleting a row with what depends on it.

use super::Site;
use crate::data::plan::{Reach, Refusal};
use crate::problem::Kind;
use serde_json::json;

/// Three levels, a circle, a table that refers to itself, and every action of a foreign key.
const SHOP: &str = r#"
create table "we 'ird" (id int primary key, name text);
create table orders (id int primary key, "client" int not null references "we 'ird", before int references orders);
create table lines (a int, b text, orderid int not null references orders on delete restrict, primary key (a, b));
create table notes (id int primary key, la int not null, lb text not null, foreign key (la, lb) references lines);
create table tags (id int primary key, client int references "we 'ird" on delete cascade);
create table marks (id int primary key, tag int not null references tags);
create table visits (id int primary key, client int references "we 'ird" on delete set null, tag int references tags on delete set null);
create table c1 (id int primary key, client int references "we 'ird", other int);
create table c2 (id int primary key, c1 int references c1);
alter table c1 add foreign key (other) references c2;
insert into "we 'ird" values (1, 'one'), (2, 'two');
insert into orders values (10, 1, null), (11, 2, 10), (12, 2, null), (13, 1, 11);
insert into lines values (1, 'x,y', 10), (2, 'x', 11), (3, 'x', 12);
insert into notes values (1, 1, 'x,y'), (2, 3, 'x');
insert into tags values (1, 1), (2, 2);
insert into marks values (1, 1), (2, 2);
insert into visits values (1, 1, 1), (2, 2, 1), (3, 1, null), (4, 2, 2);
insert into c1 values (1, 1, null), (2, 2, null);
insert into c2 values (1, 1), (2, 2);
update c1 set other = 1 where id = 1; update c1 set other = 2 where id = 2;
"#;

#[tokio::test]
async fn all_levels_go_in_one_statement() {
    let site = Site::new(SHOP).await;
    let line = "DELETE /we%20%27ird/1?dependents=delete";
    assert_eq!(
        site.send("DELETE /we%20%27ird/1", "").await.slug,
        "deletion-failed"
    );
    let went = json!({
        "deleted": {"we 'ird": 1, "orders": 3, "lines": 2, "notes": 1, "tags": 1, "marks": 1, "c1": 1, "c2": 1},
        // Two visits lose their client and two their tag.
        "unlinked": {"visits": 4},
    });
    // Tried first: the same answer, and nothing is gone.
    let got = site.send_preferring(line, "", Some("tx=rollback")).await;
    assert_eq!(
        (got.status, got.at("/meta")),
        (200, went.clone()),
        "{got:?}"
    );
    assert_eq!(got.header("Sandlot-Simulated"), Some("true"));
    assert_eq!(site.get("/orders").await.at("/meta/total"), 4);
    let got = site.send(line, "").await;
    assert_eq!((got.status, got.at("/meta")), (200, went), "{got:?}");
    assert_eq!(got.at("/data"), json!({"id": 1, "name": "one"}));
    for (table, ids) in [
        ("we%20%27ird", json!([2])),
        ("orders", json!([12])),
        ("notes", json!([2])),
        ("tags", json!([2])),
        ("marks", json!([2])),
        ("c1", json!([2])),
        ("c2", json!([2])),
    ] {
        let rows = site.get(&format!("/{table}?fields=id&sort=id")).await;
        let found: Vec<_> = rows
            .at("/data")
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect();
        assert_eq!(json!(found), ids, "{table}");
    }
    let visits = site.get("/visits?sort=id").await.at("/data");
    assert_eq!(
        visits,
        json!([{"id": 1, "client": null, "tag": null}, {"id": 2, "client": 2, "tag": null}, {"id": 3, "client": null, "tag": null}, {"id": 4, "client": 2, "tag": 2}])
    );
    assert_eq!(site.send(line, "").await.slug, "not-found");
    // A row that refers to itself alone, in a table of a composite key.
    let got = site
        .send("DELETE /lines/3,x?dependents=delete&fields=b", "")
        .await;
    assert_eq!(
        got.json(),
        json!({"data": {"b": "x"}, "meta": {"deleted": {"lines": 1, "notes": 1}, "unlinked": {}}})
    );
}

#[tokio::test]
async fn what_may_not_be_written_stays_and_stands_in_the_way() {
    let mut site = Site::new(SHOP).await;
    let line = "DELETE /we%20%27ird/1?dependents=delete";
    site.rules.tables = Reach::Only(
        ["we 'ird", "orders", "lines", "tags", "marks", "c1", "c2"]
            .map(str::to_owned)
            .into(),
    );
    let got = site.send(line, "").await;
    assert_eq!(got.slug, "deletion-failed", "{got:?}");
    assert!(!got.detail.contains("`notes`"), "{got:?}");
    site.rules.tables = Reach::All;
    site.rules.no_writes = Some(Refusal::new(Kind::WriteNotAllowed));
    assert_eq!(site.send(line, "").await.slug, "write-not-allowed");
    site.rules.no_writes = None;
    // A rule of the tenant's own that refuses a row undoes all of it.
    site.run(
        "create function stay() returns trigger language plpgsql as $$ begin raise exception 'stay'; end $$;
         create trigger stay before delete on notes for each row execute function stay()",
    )
    .await;
    let got = site.send(line, "").await;
    assert!(got.status >= 400, "{got:?}");
    assert_eq!(site.get("/orders").await.at("/meta/total"), 4);
}

#[tokio::test]
async fn the_parameter_is_of_deletions_alone() {
    let site = Site::new(SHOP).await;
    for line in [
        "DELETE /orders/10?dependents=keep",
        "DELETE /orders/10?dependents=delete&dependents=delete",
        "PATCH /orders/10?dependents=delete",
        "GET /orders/10?dependents=delete",
        "POST /orders?dependents=delete",
    ] {
        let got = site.send(line, r#"{"id":10}"#).await;
        assert_eq!(
            (got.slug, got.errors),
            ("invalid-parameter", vec!["dependents".to_owned()]),
            "{line}"
        );
    }
}
