//! Any template: a file of plain SQL becomes the schema `public`, whole or not at all, and copies of it certify green.

use sandlot::template::load::{LoadError, load};
use tenants::{
    certify::{Certificate, Digest, Side, Verdict},
    script::Script,
};
use tokio_postgres::Client;

use crate::harness::Server;

/// A schema by hand: a transaction of its own, an extension, views on views, a stale materialized view.
const SHOP: &str = r"
begin;
create extension if not exists citext with schema public;
create extension pg_trgm;
create type public.mood as enum ('sad', 'ok');
create table public.shelves (id serial primary key, label citext unique, mood public.mood default 'ok');
create table goods (
    id bigint generated always as identity primary key,
    shelf int not null references shelves deferrable initially deferred,
    name public.citext not null, price numeric(10, 2) check (price > 0),
    label text generated always as (upper(name::text)) stored
);
create index on goods using gin ((name::text) public.gin_trgm_ops);
alter table public.goods owner to somebody_else;
grant all on goods to somebody_else;
insert into shelves (label) values ('Top'), ('Bottom');
create materialized view prices as select shelf, sum(price) as total from goods group by shelf;
create materialized view totals as select sum(total) from prices;
create view dear as select * from goods where price > 10 and name = 'LAMP';
create view dearest as select * from dear where price > 100;
create function find(wanted citext) returns bigint language sql stable set search_path to 'public' as
    $$ select id from public.goods where name operator(public.=) wanted::public.citext $$;
create function plain(wanted text) returns bigint language plpgsql as
    $$ begin return (select id from goods where name = wanted::citext); end $$;
copy goods (shelf, name, price) from stdin;
1	Lamp	12.50
2	Cup\t\\.	3
\.
comment on table goods is 'What there is; all of it';
commit;
";

/// Makes a copy as provisioning does, and compares it with the template.
async fn certify(server: &Server, schema: &str) -> (Certificate, Client) {
    let role = format!("t_{schema}_{}", std::process::id());
    let superuser = server.superuser().await;
    let mut platform = server.connect_as("sandlot").await;
    // The schema may be named alike in the databases of other tests, the role may not.
    let database: String = superuser
        .query_one("select current_database()::text", &[])
        .await
        .unwrap()
        .get(0);
    let role = format!("{role}_{database}");
    superuser
        .batch_execute(&format!(
            "create role {role} login; create schema {schema} authorization sandlot_owner;
             grant usage, create on schema {schema} to {role}; grant {role} to sandlot"
        ))
        .await
        .unwrap();
    let script = Script::read(&mut platform, "public").await.unwrap();
    script.replay(&mut platform, schema, &role).await.unwrap();
    superuser
        .batch_execute(&format!("revoke {role} from sandlot"))
        .await
        .unwrap();
    let template = Digest::read(&mut platform, "public", Side::Template, Some(&script))
        .await
        .unwrap();
    let mut tenant = server.connect_as(&role).await;
    let copy = Digest::read(&mut tenant, schema, Side::Copy { template: "public" }, None)
        .await
        .unwrap();
    tenant
        .batch_execute(&format!("set search_path = {schema}, _extensions"))
        .await
        .unwrap();
    (Certificate::compare(&template, &copy), tenant)
}

#[track_caller]
fn assert_green(certificate: &Certificate) {
    assert_eq!(
        certificate.verdict,
        Verdict::Identical,
        "{:#?}",
        certificate.differences
    );
}

async fn one<T: for<'a> tokio_postgres::types::FromSql<'a>>(client: &Client, sql: &str) -> T {
    client
        .query_one(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .get(0)
}

#[tokio::test]
async fn a_file_by_hand_becomes_the_template() {
    let server = Server::start().await;
    let mut platform = server.connect_as("sandlot").await;
    load(&mut platform, SHOP, "shop.sql").await.unwrap();

    let (certificate, tenant) = certify(&server, "shop_1").await;
    assert_green(&certificate);
    assert_eq!(one::<i64>(&tenant, "select find('LAMP')").await, 1);
    assert_eq!(one::<i64>(&tenant, "select plain('lamp')").await, 1);
    assert_eq!(
        one::<String>(&tenant, "select sum::text from totals").await,
        "15.50"
    );
    assert_eq!(one::<i64>(&tenant, "select count(*) from dear").await, 1);
    tenant
        .batch_execute("insert into users (email, password_hash) values ('a@b.example', 'x')")
        .await
        .unwrap();

    assert_eq!(
        one::<String>(&platform, "select source from _sandlot.template").await,
        "shop.sql"
    );
    // Only the reader may look at it, and not at its users.
    let reader = server.connect_as("sandlot_reader").await;
    assert_eq!(
        one::<i64>(&reader, "select count(*) from public.goods").await,
        2
    );
    assert!(
        reader
            .query("select * from public.users", &[])
            .await
            .is_err()
    );
    assert!(
        tenant
            .query("select * from public.goods", &[])
            .await
            .is_err()
    );
    // The session is as it was.
    assert_eq!(
        one::<String>(&platform, "select current_setting('search_path')").await,
        "\"$user\", public"
    );

    // The next template takes the place of the first, whose copies go on working with the extensions.
    load(&mut platform, "create extension hstore; create extension citext; create table things (id int primary key, h hstore, n citext)", "things.sql")
        .await
        .unwrap();
    assert_eq!(one::<i64>(&tenant, "select find('LAMP')").await, 1);
    let (certificate, _) = certify(&server, "things_1").await;
    assert_green(&certificate);
    assert_eq!(certificate.tables.len(), 1);
}

/// What `pg_dump --no-owner --no-privileges` writes, in short.
const DUMP: &str = r"--
-- PostgreSQL database dump
--
\restrict k3y

SET statement_timeout = 0;
SET lock_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;
CREATE SCHEMA public;
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
COMMENT ON EXTENSION citext IS 'data type';
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.users (
    id integer NOT NULL,
    email public.citext NOT NULL,
    password_hash text NOT NULL,
    role text DEFAULT 'viewer'::text NOT NULL
);
CREATE SEQUENCE public.users_id_seq AS integer START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
CREATE TABLE public.posts (id integer NOT NULL, author integer, body text);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
COPY public.posts (id, author, body) FROM stdin;
1	7	first; post
2	\N	second
\.
COPY public.users (id, email, password_hash, role) FROM stdin;
7	joe@mail.example	x	admin
\.
SELECT pg_catalog.setval('public.users_id_seq', 7, true);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE ONLY public.posts ADD CONSTRAINT posts_author_fkey FOREIGN KEY (author) REFERENCES public.users(id);
CREATE MATERIALIZED VIEW public.counts AS SELECT count(*) AS count FROM public.posts WITH NO DATA;
REFRESH MATERIALIZED VIEW public.counts;

\unrestrict k3y
";

#[tokio::test]
async fn a_dump_becomes_the_template() {
    let server = Server::start().await;
    let mut platform = server.connect_as("sandlot").await;
    load(&mut platform, DUMP, "dump.sql").await.unwrap();
    let (certificate, tenant) = certify(&server, "dump_1").await;
    assert_green(&certificate);
    assert_eq!(certificate.nulled.len(), 1);
    assert_eq!(one::<i64>(&tenant, "select count(*) from posts").await, 2);
    assert_eq!(one::<i64>(&tenant, "select count(*) from users").await, 0);
    // The trial of the table `users` has left no trace.
    assert_eq!(
        one::<i64>(&platform, "select last_value from public.users_id_seq").await,
        7
    );
}

#[tokio::test]
async fn a_file_that_fails_leaves_the_old_template() {
    let server = Server::start().await;
    let before = server.content("public").await;
    let mut platform = server.connect_as("sandlot").await;
    let version: i64 = one(&platform, "select version from _sandlot.template").await;
    for (sql, line, words) in [
        ("create table a ();\n\nselect\n  nonsense();", 4, "nonsense"),
        (
            "create table a (i int);\ncopy a from stdin;\n1\nx\n\\.\n",
            4,
            "invalid input syntax",
        ),
        (
            "create table a (i int unique);\ninsert into a values (1), (1)",
            2,
            "duplicate key",
        ),
        (
            "create table a ();\ndo $$ begin commit; end $$",
            2,
            "invalid transaction termination",
        ),
        ("create table a ();\nrollback;", 2, "one transaction"),
        ("create schema shop;", 1, "schema shop"),
        ("\n\\i other.sql", 2, "psql"),
        ("create extension file_fdw", 1, "superuser"),
        ("create extension nonesuch", 1, "not installed"),
        ("set role sandlot_owner;", 1, "--no-owner"),
        ("create table a (x nonesuch.type);", 1, "nonesuch"),
    ] {
        let error = load(&mut platform, sql, "bad.sql").await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("line {line}: ")) && text.contains(words),
            "{sql}: {text}"
        );
    }
    for (sql, words) in [
        (
            "create table users (id int, email text)",
            "password_hash, role",
        ),
        ("create view users as select 1 as id", "no table"),
        (
            "create table users (id int primary key, email text, password_hash text, role text)",
            "can't be added",
        ),
        (
            "create table users (id serial, email text, password_hash text, role text, age int not null)",
            "age",
        ),
        (
            "create table users (id serial, email text, password_hash text, role text check (role in ('boss', 'admin')))",
            "can't be added",
        ),
        ("create table _sandlot.mine ()", "schema _sandlot"),
        (
            "do $$ begin create type _sandlot.mine as (a int); exception when others then null; end $$",
            "schema _sandlot",
        ),
        (
            "select set_config('role', 'sandlot_owner', true); create table public.a ()",
            "",
        ),
    ] {
        let error = load(&mut platform, sql, "bad.sql").await.unwrap_err();
        assert!(error.to_string().contains(words), "{sql}: {error}");
    }
    let needs_users =
        "create table users (id serial primary key, email text, password_hash text, role text);
        create table posts (author int not null references users)";
    let error = load(&mut platform, needs_users, "bad.sql")
        .await
        .unwrap_err();
    assert!(matches!(error, LoadError::Script(_)), "{error}");
    assert!(
        error
            .to_string()
            .contains("column \"author\" of table \"posts\""),
        "{error}"
    );

    assert!(server.content("public").await == before);
    assert_eq!(
        one::<i64>(&platform, "select version from _sandlot.template").await,
        version
    );
    let reader = server.connect_as("sandlot_reader").await;
    assert!(one::<i64>(&reader, "select count(*) from public.clients").await > 0);
}

#[tokio::test]
async fn what_leans_on_the_old_template_is_not_torn_down() {
    let server = Server::start().await;
    let mut platform = server.connect_as("sandlot").await;
    platform
        .batch_execute("create extension hstore schema public; create schema kept; create table kept.t (h public.hstore)")
        .await
        .unwrap();
    let error = load(&mut platform, "create table a ()", "a.sql")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("of schema kept"), "{error}");
    platform
        .batch_execute("drop schema kept cascade")
        .await
        .unwrap();
    load(&mut platform, "create table a ()", "a.sql")
        .await
        .unwrap();
}

/// At least one of everything that a copy must have, with the columns that a template's users need.
const EVERYTHING: &str = include_str!("../tenants/tests/clone/everything.sql");

#[tokio::test]
async fn every_kind_of_object_is_loaded_copied_and_served() {
    let server = Server::start().await;
    let mut platform = server.connect_as("sandlot").await;
    let sql = EVERYTHING.replacen(
        "    name text,\n    manager_id",
        "    name text, password_hash text default 'x' not null, role text default 'viewer' not null,\n    manager_id",
        1,
    );
    load(&mut platform, &sql, "everything.sql").await.unwrap();
    let tenant = server.tenant("everything").await;
    let certificate = tenant.admin.identical().await;
    assert!(
        certificate["objects"].as_object().unwrap().len() > 25,
        "{certificate}"
    );
    let rows = tenant.admin.read("/api/v1/clients?per_page=1").await;
    assert_eq!(rows["meta"]["total"], 45);
}

/// Loads every `.sql` file below the folder that `SANDLOT_TEMPLATES` names, clones it and certifies the clone.
#[tokio::test]
#[ignore = "needs a folder of templates: SANDLOT_TEMPLATES"]
async fn a_folder_of_templates_is_loaded_and_cloned() {
    let mut folders = vec![std::path::PathBuf::from(
        std::env::var("SANDLOT_TEMPLATES").unwrap(),
    )];
    let server = Server::start().await;
    let mut platform = server.connect_as("sandlot").await;
    let mut loaded = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let sql = std::fs::read_to_string(&path).unwrap();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                load(&mut platform, &sql, &name)
                    .await
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                loaded += 1;
                let (certificate, _) = certify(&server, &format!("copy_{loaded}")).await;
                assert_green(&certificate);
                assert!(certificate.tables.len() > 5, "{name}");
            }
        }
    }
    assert!(loaded > 0);
}
