//! What a copy is: everything the template has, under any name, and nothing that points back.

use tenants::certify::{Certificate, Verdict};
use tenants::script::{Error, Nulled};

use crate::server::{Fixture, quoted};

/// A template with at least one of everything.
pub(crate) const EVERYTHING: &str = include_str!("everything.sql");

pub(crate) fn assert_identical(certificate: &Certificate) {
    assert_eq!(
        certificate.verdict,
        Verdict::Identical,
        "{:#?}",
        certificate.differences
    );
}

#[tokio::test]
async fn everything_is_copied() {
    let mut fixture = Fixture::new(EVERYTHING).await;
    let script = fixture.script().await;
    assert_eq!(script.uncloned(), &[]);
    fixture.copy(&script, "jo_123456").await.unwrap();
    let certificate = fixture.certify(&script, "jo_123456").await;
    assert_identical(&certificate);
    assert!(
        certificate.objects.len() > 25,
        "{:?}",
        certificate.objects.keys()
    );
    assert!(certificate.nulled.contains(&Nulled {
        table: "clients".into(),
        column: "owner_id".into()
    }));
    assert_eq!(
        certificate.left_out,
        ["contents of materialized view empty_one", "rows of users"]
    );
    let copied = certificate
        .tables
        .iter()
        .find(|t| t.name == "clients")
        .unwrap();
    assert_eq!(
        (copied.rows, &copied.template_hash),
        (45, &copied.copy_hash)
    );

    // The copy works by itself, and neither side moves the other.
    let tenant = fixture.as_tenant("jo_123456").await;
    tenant
        .batch_execute("insert into users (email) values ('me@example.org'); insert into clients (name) values ('new')")
        .await
        .unwrap();
    let row = tenant
        .query_one("select max(id), max(code) from clients", &[])
        .await
        .unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (51, 600));
    for (call, result) in [
        ("named_count()", 46),
        ("pathed()", 20),
        ("client_count()", 46),
        ("loop_inner()", 1),
    ] {
        let row = tenant
            .query_one(&format!("select {call}"), &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, i64>(0), result, "{call}");
    }
    let template = fixture
        .platform
        .query_one("select count(*), max(code) from public.clients", &[])
        .await
        .unwrap();
    assert_eq!(
        (template.get::<_, i64>(0), template.get::<_, i32>(1)),
        (45, 540)
    );
}

/// Two tables with a key between them, one that refers to itself, and two that refer to each other.
const KEYS: &str = "create table parents (id int primary key); insert into parents select generate_series(1, 50);
    create table children (id int primary key, parent_id int references parents on delete cascade,
        other_id int, constraint other foreign key (other_id) references parents deferrable initially deferred);
    insert into children select n, n, 51 - n from generate_series(1, 50) n;
    create table links (child_id int not null references children, parent_id int references parents, primary key (child_id));
    insert into links select n, n from generate_series(1, 50) n;
    create table tree (id int primary key, up int references tree); insert into tree select n, nullif(n / 2, 0) from generate_series(1, 50) n;
    create table heads (id int primary key, tail int); create table tails (id int primary key, head int references heads);
    alter table heads add foreign key (tail) references tails deferrable;
    create table late (parent_id int, constraint late foreign key (parent_id) references parents not valid); insert into late values (7)";

#[tokio::test]
async fn keys_are_not_checked_again_where_that_is_allowed() {
    // Only a key that nobody looks at lets a row pass that lacks its parent.
    let broken = "set session_replication_role = replica; update public.children set parent_id = 99 where id = 3";
    let mut allowed = Fixture::new(KEYS).await;
    let script = allowed.script().await;
    allowed.copy(&script, "jo_1").await.unwrap();
    assert_identical(&allowed.certify(&script, "jo_1").await);
    let tenant = allowed.as_tenant("jo_1").await;
    for wrong in [
        "insert into children values (51, 51, 1)",
        "update links set child_id = 77 where child_id = 7",
        "delete from parents where id = 1",
        "insert into tree values (51, 52)",
        "insert into late values (51)",
    ] {
        let error = tenant.batch_execute(wrong).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "23503", "{wrong}");
    }
    allowed
        .superuser()
        .await
        .batch_execute(broken)
        .await
        .unwrap();
    allowed.copy(&script, "jo_2").await.unwrap();
    let copy = allowed.as_tenant("jo_2").await;
    let row = copy.query_one("select parent_id from children where id = 3", &[]);
    assert_eq!(row.await.unwrap().get::<_, i32>(0), 99);

    let mut checking = Fixture::checking_keys(KEYS).await;
    let script = checking.script().await;
    checking.copy(&script, "jo_1").await.unwrap();
    assert_identical(&checking.certify(&script, "jo_1").await);
    checking
        .superuser()
        .await
        .batch_execute(broken)
        .await
        .unwrap();
    let error = checking.copy(&script, "jo_2").await.unwrap_err();
    assert!(error.to_string().contains("23503"), "{error}");
}

#[tokio::test]
async fn everything_is_copied_with_its_keys_checked() {
    let mut fixture = Fixture::checking_keys(EVERYTHING).await;
    let script = fixture.script().await;
    fixture.copy(&script, "jo_123456").await.unwrap();
    assert_identical(&fixture.certify(&script, "jo_123456").await);
}

#[tokio::test]
async fn a_script_is_plain_data_and_makes_many_copies() {
    let mut fixture = Fixture::new(EVERYTHING).await;
    let script = fixture.script().await;
    let text = serde_json::to_string(&script).unwrap();
    assert_eq!(
        serde_json::from_str::<tenants::script::Script>(&text).unwrap(),
        script
    );
    for schema in [
        "Jo's \"odd\" näme",
        "select",
        "ääääääääääääääääääääääääääääää_1",
        "public2",
        "it''s_9",
    ] {
        fixture.copy(&script, schema).await.unwrap();
        assert_identical(&fixture.certify(&script, schema).await);
    }
}

#[tokio::test]
async fn a_renamed_copy_is_mended() {
    let mut fixture = Fixture::new(EVERYTHING).await;
    let script = fixture.script().await;
    fixture
        .copy(&script, "spare_abcdefghijklmnopqrstuvwxyz")
        .await
        .unwrap();
    for (from, to) in [
        ("spare_abcdefghijklmnopqrstuvwxyz", "jo_123456"),
        ("jo_123456", "O'Hara \"9\""),
    ] {
        let rename = format!("alter schema {} rename to {}", quoted(from), quoted(to));
        fixture.platform.batch_execute(&rename).await.unwrap();
        let before = fixture.certify(&script, to).await;
        let broken: Vec<&str> = before.differences.iter().map(|d| d.name.as_str()).collect();
        assert!(broken.contains(&"named_count()"), "{broken:?}");
        assert!(broken.contains(&"pathed()"), "{broken:?}");
        assert!(broken.contains(&"clients.old_nr"), "{broken:?}");
        assert!(broken.contains(&"on_trigger on clients"), "{broken:?}");

        let mut tenant = fixture.as_tenant(to).await;
        let tx = tenant.transaction().await.unwrap();
        for statement in script.mend(to) {
            tx.batch_execute(&statement).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_identical(&fixture.certify(&script, to).await);
    }
    let tenant = fixture.as_tenant("O'Hara \"9\"").await;
    assert_eq!(
        tenant
            .query_one("select named_count()", &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        45
    );
}

#[tokio::test]
async fn what_extensions_keep_in_the_template_stays_there() {
    let template = "create extension citext; create extension btree_gist; create extension pg_trgm;
        create domain nick as citext check (value <> 'x');
        create table people (id int primary key, name citext unique, n nick, span int4range,
            exclude using gist (id with =, span with &&), check (name <> 'bad'));
        create index on people using gin ((name::text) gin_trgm_ops);
        insert into people values (1, 'Ann', 'A', '[1,2)'), (2, 'bob', null, null);
        create function find(who citext) returns int language sql stable as
            'select id from public.people where name = who::public.citext';
        create function parsed(who citext) returns int language sql begin atomic select id from people where name = who; end;
        create function pathed(who citext) returns int language sql set search_path = public as
            'select id from people where name = who';
        create view likes as select p.name, p.name = 'ANN' as is_ann, similarity(p.name::text, 'an') as s from people p;
        create materialized view found as select id from people where name = 'ANN';";
    let mut fixture = Fixture::new(template).await;
    let script = fixture.script().await;
    fixture.copy(&script, "jo_1").await.unwrap();
    assert_identical(&fixture.certify(&script, "jo_1").await);
    let superuser = fixture.superuser().await;
    let row = superuser
        .query_one(
            "select jo_1.find('ANN'), jo_1.parsed('ANN'), jo_1.pathed('ANN')",
            &[],
        )
        .await;
    let row = row.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!([row.get::<_, i32>(0), row.get(1), row.get(2)], [1, 1, 1]);
    superuser
        .batch_execute(
            "create or replace view jo_1.likes as select p.name, p.name = 'ANN' as is_ann, \
        public.similarity(p.name::text, 'an') as s from public.people p",
        )
        .await
        .unwrap();
    let certificate = fixture.certify(&script, "jo_1").await;
    assert!(
        certificate
            .differences
            .iter()
            .any(|d| d.kind == "reference"),
        "{:#?}",
        certificate.differences
    );
}

#[tokio::test]
async fn what_needs_a_user_is_refused() {
    let mut fixture = Fixture::new(
        "create table users (id int primary key); create table notes (id int, by int not null references users)",
    )
    .await;
    let error = tenants::script::Script::read(&mut fixture.platform, "public")
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::NotNullReference { table, column } if table == "notes" && column == "by"),
        "{error}"
    );
    let error = tenants::script::Script::read(&mut fixture.platform, "nosuch")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoSchema(_)), "{error}");
}

#[tokio::test]
async fn a_template_that_changed_makes_no_copy() {
    let mut fixture = Fixture::new(
        "create table a (id int primary key); create function f() returns int return 1",
    )
    .await;
    for change in [
        "alter table a add column b int",
        "create or replace function f() returns int return 2",
        "create index on a (b)",
        "comment on column a.b is 'x'",
        "alter table a alter column b set default 5",
        "create type e as enum ('a')",
        "alter type e add value 'b'",
        "drop table a",
    ] {
        let script = fixture.script().await;
        let (schema, number) = (
            format!("jo_{}", script.stamp().unsigned_abs()),
            script.stamp(),
        );
        fixture.platform.batch_execute(change).await.unwrap();
        let error = fixture.copy(&script, &schema).await.unwrap_err();
        assert!(matches!(error, Error::Stale), "{change}: {error}");
        assert_ne!(fixture.script().await.stamp(), number, "{change}");
    }
    let script = fixture.script().await;
    fixture.copy(&script, "jo_2").await.unwrap();
    assert_identical(&fixture.certify(&script, "jo_2").await);
}

#[tokio::test]
async fn what_cannot_be_copied_is_named() {
    let mut fixture =
        Fixture::new("create table plain (id int primary key); insert into plain values (1)").await;
    let superuser = fixture.superuser().await;
    superuser
        .batch_execute(
            "create extension postgres_fdw; create server elsewhere foreign data wrapper postgres_fdw;
            grant usage on foreign server elsewhere to sandlot;
            create function public.in_c(int) returns int language internal immutable strict as 'int4abs';
            create function touch() returns event_trigger language plpgsql as 'begin end';
            create event trigger watch on ddl_command_end execute function touch(); alter function touch() owner to sandlot;
            create operator class public.odd for type int using btree as operator 1 <, function 1 btint4cmp(int, int);",
        )
        .await
        .unwrap();
    fixture
        .platform
        .batch_execute(
            "create foreign table \"Far away\" (id int, t text) server elsewhere; create view over_it as select * from \"Far away\";
            create view over_that as select * from over_it; comment on foreign table \"Far away\" is 'far';
            create table mixed (id int default in_c(-1), r \"Far away\"); create publication told for table plain;
            select lo_create(0); create function uses(\"Far away\") returns int language sql as 'select 1';
            create table labelled (t text check (t <> 'public.plain'));",
        )
        .await
        .unwrap();
    let script = fixture.script().await;
    let named: Vec<String> = script
        .uncloned()
        .iter()
        .map(|u| format!("{} {}", u.kind, u.name))
        .collect();
    for expected in [
        "foreign table Far away",
        "view over_it",
        "view over_that",
        "table mixed",
        "function in_c",
        "function uses",
        "event trigger watch",
        "publication told",
        "large objects 1 of sandlot",
        "operator class odd",
        "table labelled",
    ] {
        assert!(
            named.iter().any(|n| n == expected),
            "{expected} in {named:?}"
        );
    }
    fixture.copy(&script, "jo_1").await.unwrap();
    let certificate = fixture.certify(&script, "jo_1").await;
    assert_identical(&certificate);
    assert_eq!(certificate.uncloned, script.uncloned());
}
