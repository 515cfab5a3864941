//! Introspection and noticing changes.

use crate::data::catalog::cache::{Cache, fingerprint_query};
use crate::data::catalog::{
    Generated, RelationKind, TableKind, TypeKind, introspect, looks, schema_exists,
};
use crate::data::scratch::Tenant;
use std::sync::Arc;

const SHOP: &str = r#"
create type mood as enum ('sad', 'ok', 'happy');
create domain price as numeric(10,2) check (value >= 0);
create type address as (street text, zip varchar(5));
create table clients (
  id int generated always as identity primary key,
  name varchar(40) not null,
  mood mood default 'ok',
  tags text[],
  home address,
  seen tstzrange,
  unique (name)
);
comment on table clients is 'who buys';
comment on column clients.name is 'as on the door';
create table invoices (
  id bigserial primary key,
  clientid int not null references clients on delete cascade,
  total price not null default 0,
  double numeric generated always as (total * 2) stored,
  gone int,
  constraint positive check (total >= 0)
);
alter table invoices drop column gone;
create table lines (invoice bigint references invoices, n smallint, text text, primary key (invoice, n));
create table notes (text text);
create view rich as select id, name from clients where id > 0;
create view counts as select clientid, count(*) as n from invoices group by 1;
create materialized view frozen as select 1 as one;
create table logs (id int, at date) partition by range (at);
create table "Odd ""Table""" ("select" int primary key, "a.b" text, "ä ö" text);
create unique index some_names on clients (lower(name)) where mood = 'ok';
"#;

/// What a look costs does not grow with the number of schemas: an index finds all that it reads.
#[tokio::test]
async fn no_look_reads_a_whole_catalog() {
    let tenant = Tenant::new(SHOP).await;
    let connection = tenant.lease().await;
    // Then a table is read whole only where there is no other way.
    connection
        .batch_execute("set enable_seqscan = off")
        .await
        .unwrap();
    for look in looks().into_iter().chain([fingerprint_query()]) {
        let text = look.replace("$1", &format!("'{}'", tenant.schema()));
        let plan = connection
            .query(&format!("explain (costs off) {text}"), &[])
            .await
            .unwrap();
        for line in plan.iter().map(|row| row.get::<_, String>(0)) {
            assert!(!line.contains("Seq Scan on pg_"), "{line}\n{text}");
        }
    }
}

#[tokio::test]
async fn a_schema_is_read_whole() {
    let tenant = Tenant::new(SHOP).await;
    let connection = tenant.lease().await;
    let catalog = introspect(&connection, tenant.schema()).await.unwrap();
    let names: Vec<&str> = catalog.tables.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Odd \"Table\"",
            "clients",
            "counts",
            "frozen",
            "invoices",
            "lines",
            "logs",
            "notes",
            "rich"
        ]
    );
    let clients = catalog.table("clients").unwrap();
    assert_eq!(clients.comment.as_deref(), Some("who buys"));
    assert_eq!(clients.key, [0]);
    let id = &clients.columns[0];
    assert_eq!(id.generated, Generated::IdentityAlways);
    assert!(!id.nullable && !id.is_settable());
    let name = &clients.columns[1];
    assert_eq!(name.ty.length, Some(40));
    assert_eq!(name.ty.shown, "character varying(40)");
    assert_eq!(name.comment.as_deref(), Some("as on the door"));
    assert_eq!(
        clients.columns[2].ty.labels().unwrap(),
        ["sad", "ok", "happy"]
    );
    assert_eq!(clients.columns[2].ty.oid, 0);
    assert!(matches!(clients.columns[3].ty.kind, TypeKind::Array(_)));
    assert!(clients.columns[3].ty.ordered.is_some());
    assert_eq!(clients.columns[4].ty.kind, TypeKind::Composite);
    assert_eq!(clients.columns[5].ty.kind, TypeKind::Range);
    assert_eq!(clients.uniques.len(), 3);
    let partial = clients
        .uniques
        .iter()
        .find(|u| u.name == "some_names")
        .unwrap();
    assert!(!partial.plain && partial.columns.is_empty());
    assert_eq!(clients.relations[0].names[0], "invoices");
    assert_eq!(clients.relations[0].kind, RelationKind::Children);

    let invoices = catalog.table("invoices").unwrap();
    let columns: Vec<&str> = invoices.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(columns, ["id", "clientid", "total", "double"]);
    let total = &invoices.columns[2].ty;
    assert_eq!((total.precision, total.scale), (Some(10), Some(2)));
    assert_eq!(total.base().shown, "numeric(10,2)");
    assert_eq!(invoices.columns[3].generated, Generated::Stored);
    assert_eq!(invoices.checks[0].columns, [2]);
    assert_eq!(invoices.foreign_keys[0].on_delete, "cascade");
    assert_eq!(invoices.relations[0].names[0], "client");
    assert_eq!(catalog.table("lines").unwrap().key, [0, 1]);
    assert!(catalog.table("notes").unwrap().key.is_empty());
    assert!(catalog.table("rich").unwrap().updatable);
    assert!(!catalog.table("counts").unwrap().insertable);
    assert_eq!(
        catalog.table("frozen").unwrap().kind,
        TableKind::Materialized
    );
    assert_eq!(catalog.table("logs").unwrap().kind, TableKind::Partitioned);
}

#[tokio::test]
async fn clones_share_one_catalog() {
    let (one, two) = (Tenant::new(SHOP).await, Tenant::new(SHOP).await);
    let cache = Cache::default();
    let first = cache.look(one.schema(), &one.lease().await).await.unwrap();
    let second = cache.look(two.schema(), &two.lease().await).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(cache.shapes(), 1);
}

#[tokio::test]
async fn every_change_of_definition_is_noticed() {
    let tenant = Tenant::new(SHOP).await;
    let connection = tenant.lease().await;
    let other = tenant.lease().await;
    let cache = Cache::default();
    for change in [
        "create table fresh (a int)",
        "alter table fresh add b text",
        "alter table fresh rename b to c",
        "alter table fresh alter c type varchar(9)",
        "alter table fresh alter c set not null",
        "alter table fresh alter c set default 'x'",
        "alter table fresh add primary key (a)",
        "alter table fresh add check (a > 0)",
        "create unique index on fresh (c)",
        "comment on table fresh is 'new'",
        "comment on column fresh.c is 'col'",
        "alter table fresh alter a add generated always as identity",
        "alter type mood add value 'mad'",
        "alter type mood rename value 'mad' to 'angry'",
        "alter domain price drop constraint price_check",
        "create or replace view rich as select id, name, mood from clients",
        "create trigger stop before insert on fresh for each row execute function suppress_redundant_updates_trigger()",
        "alter table fresh add d int references clients",
        "alter table fresh drop d",
        "drop table fresh",
    ] {
        let before = cache.look(tenant.schema(), &connection).await.unwrap();
        let again = cache.look(tenant.schema(), &connection).await.unwrap();
        assert!(Arc::ptr_eq(&before, &again));
        let result = other.batch_execute(change).await;
        if change.contains("trigger") || change.contains("drop constraint") {
            // Neither of these shows in the catalog for certain; the fingerprint must not fail.
            let _ = result;
            cache.look(tenant.schema(), &connection).await.unwrap();
            continue;
        }
        result.unwrap();
        let after = cache.look(tenant.schema(), &connection).await.unwrap();
        assert!(!Arc::ptr_eq(&before, &after), "{change}");
    }
}

#[tokio::test]
async fn rows_are_no_change_of_definition() {
    let tenant = Tenant::new(SHOP).await;
    let connection = tenant.lease().await;
    let cache = Cache::default();
    let before = cache.look(tenant.schema(), &connection).await.unwrap();
    for statement in [
        "insert into notes values ('x')",
        "analyze notes",
        "vacuum notes",
    ] {
        connection.batch_execute(statement).await.unwrap();
        let after = cache.look(tenant.schema(), &connection).await.unwrap();
        assert!(Arc::ptr_eq(&before, &after));
    }
}

#[tokio::test]
async fn a_schema_that_is_not_there() {
    let tenant = Tenant::new("").await;
    let connection = tenant.lease().await;
    let catalog = introspect(&connection, "nosuch").await.unwrap();
    assert!(catalog.tables.is_empty());
    assert!(!schema_exists(&connection, "nosuch").await.unwrap());
    assert!(schema_exists(&connection, tenant.schema()).await.unwrap());
}

/// Tables that run nothing of the tenant's, and others that do, each in its own way.
const CODE: &str = "
create type mood as enum ('sad', 'ok');
create type spot as (x int, y int);
create domain positive as int check (value > 0);
create function hidden() returns text language sql as $$ select set_config('TimeZone', 'Asia/Tokyo', false) $$;
create function sure(int) returns bool language sql immutable as 'select true';
create function told(mood) returns json language sql as $$ select '1'::json $$;
create table plain (
  id int generated by default as identity primary key, code uuid default gen_random_uuid(),
  at timestamptz default now(), note text default 'x' check (length(note) < 100 and note <> ''),
  loud text generated always as (upper(note)) stored, tags text[], counted bigserial);
create index on plain (lower(note)) where note is not null;
create table under (id int primary key, plain int references plain);
create table w_default (id int default 1, note text default hidden());
create table w_setting (id int default 1, note text default set_config('TimeZone', 'Asia/Tokyo', false));
create table w_check (id int check (sure(id)));
create table w_generated (id int, more bool generated always as (sure(id)) stored);
create table w_domain (id positive);
create table w_parted (id int) partition by range (id);
create table w_parent (id int primary key);
create table w_child () inherits (w_parent);
create table w_cascades (id int primary key);
create table w_hangs (id int references w_cascades on delete cascade);
create table w_rule (id int);
create rule r as on insert to w_rule do also select hidden();
create table w_trigger (id int);
create trigger t before insert on w_trigger for each row execute function suppress_redundant_updates_trigger();
";

#[tokio::test]
async fn code_of_the_tenants_is_noticed_where_it_may_run() {
    let tenant = Tenant::new(CODE).await;
    let connection = tenant.lease().await;
    let look = async || introspect(&connection, tenant.schema()).await.unwrap();
    let catalog = look().await;
    for table in &catalog.tables {
        let expected =
            table.name.starts_with("w_") && !["w_child", "w_hangs"].contains(&&*table.name);
        assert_eq!(table.code_on_write, expected, "{} on a write", table.name);
        assert!(!table.code_on_read, "{} on a read", table.name);
    }
    let plain = catalog.find("plain").unwrap();
    assert!(!catalog.code_on_read(plain));

    for (make, undo) in [
        ("create view v as select hidden() as h", ""),
        (
            "create table r (id int); alter table r enable row level security",
            "drop table r",
        ),
        ("create table r (spot spot)", "drop table r"),
        ("create table r (moods mood[])", "drop table r"),
        // The planner works out what an index is of or for.
        (
            "create table r (id int); create index on r (sure(id))",
            "drop table r",
        ),
        (
            "create table r (id int); create index on r (id) where sure(id)",
            "drop table r",
        ),
    ] {
        connection.batch_execute(make).await.unwrap();
        let catalog = look().await;
        let made = catalog.find("r").or(catalog.find("v")).unwrap();
        assert!(catalog.tables[made].code_on_read, "{make}");
        let index = make.contains("index");
        assert!(catalog.tables[made].code_on_write || !index, "{make}");
        let plain = catalog.find("plain").unwrap();
        assert_eq!(catalog.code_on_read(plain), !undo.is_empty(), "{make}");
        connection
            .batch_execute(&format!("drop view if exists v; {undo}"))
            .await
            .unwrap();
    }
}
