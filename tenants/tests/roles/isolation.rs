//! What a tenant may try against its neighbours, the platform and the cluster, on a real server.

use crate::harness::Cluster;
use tenants::{Access, Identity};
use tokio_postgres::error::SqlState;

/// SQLSTATE of a statement that fails.
async fn refusal(client: &tokio_postgres::Client, sql: &str) -> String {
    match client.batch_execute(sql).await {
        Ok(()) => "done".to_owned(),
        Err(error) => error
            .code()
            .map_or_else(|| error.to_string(), |state| state.code().to_owned()),
    }
}

async fn secret(cluster: &Cluster, identity: &Identity) {
    let lease = cluster
        .tenants
        .lease(identity, Access::Write)
        .await
        .unwrap();
    lease
        .batch_execute("create table secrets (word text); insert into secrets values ('swordfish')")
        .await
        .unwrap();
    lease.finish();
}

#[tokio::test]
async fn sessions_are_the_tenants_own() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let lease = cluster.tenants.lease(&ann, Access::Write).await.unwrap();
    let row = lease
        .query_one("select session_user::text, current_user::text, current_setting('search_path'), current_setting('is_superuser')", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>(0), ann.role);
    assert_eq!(row.get::<_, String>(1), ann.role);
    assert_eq!(
        row.get::<_, String>(2),
        format!("\"{}\", _extensions", ann.schema)
    );
    assert_eq!(row.get::<_, String>(3), "off");
    let count = "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = $1";
    let memberships: i64 = lease.query_one(count, &[&ann.role]).await.unwrap().get(0);
    assert_eq!(memberships, 0, "a tenant's role is a member of nothing");
}

#[tokio::test]
async fn no_way_of_switching_roles_reads_a_neighbour() {
    let cluster = Cluster::new().await;
    let (ann, bob) = (cluster.tenant("ann").await, cluster.tenant("bob").await);
    secret(&cluster, &ann).await;
    let platform = cluster
        .tenants
        .settings()
        .platform
        .get_user()
        .unwrap()
        .to_owned();
    let lease = cluster.tenants.lease(&bob, Access::Write).await.unwrap();
    let read = format!("select word from {}.secrets", ann.schema);
    assert_eq!(
        refusal(&lease, &read).await,
        SqlState::INSUFFICIENT_PRIVILEGE.code()
    );

    for role in [
        &ann.role,
        &platform,
        &format!("{platform}_owner"),
        "postgres",
    ] {
        assert_eq!(
            refusal(&lease, &format!("set role {role}")).await,
            "42501",
            "{role}"
        );
        assert_eq!(
            refusal(&lease, &format!("set session authorization {role}")).await,
            "42501",
            "{role}"
        );
        assert_eq!(
            refusal(
                &lease,
                &format!("select set_config('role', '{role}', false)")
            )
            .await,
            "42501",
            "{role}"
        );
        assert_eq!(
            refusal(&lease, &format!("grant {role} to {}", bob.role)).await,
            "42501",
            "{role}"
        );
    }
    // What succeeds leads nowhere: there is nobody to go back to.
    for way in [
        "reset role",
        "reset session authorization",
        "discard all",
        "select set_config('role', 'none', false)",
    ] {
        assert_eq!(refusal(&lease, way).await, "done", "{way}");
        assert_eq!(refusal(&lease, &read).await, "42501", "after {way}");
    }
    drop(lease);

    // The same from code that Postgres runs for the tenant: function, trigger, deferred trigger.
    let lease = cluster.tenants.lease(&bob, Access::Write).await.unwrap();
    lease
        .batch_execute(&format!(
            "create table stolen (word text);
             create table t (id int);
             create function steal() returns trigger language plpgsql as $$
             declare way text;
             begin
                 foreach way in array array['reset role', 'reset session authorization', 'set role {victim}',
                     'set role {platform}', 'set session authorization {victim}', 'set local role postgres', 'select 1'] loop
                     begin execute way; exception when others then null; end;
                     begin perform set_config('role', '{victim}', true); exception when others then null; end;
                     begin insert into stolen {read}; exception when insufficient_privilege then null; end;
                 end loop;
                 insert into stolen values (current_user || ' ' || session_user);
                 return null;
             end $$;
             create trigger now after insert on t for each row execute function steal();
             create constraint trigger later after insert on t deferrable initially deferred for each row execute function steal();",
            victim = ann.role,
        ))
        .await
        .unwrap();
    lease.begin().await.unwrap();
    lease
        .batch_execute("insert into t values (1)")
        .await
        .unwrap();
    lease.commit().await.unwrap();
    lease.finish();
    let lease = cluster.tenants.lease(&bob, Access::Read).await.unwrap();
    let stolen: Vec<String> = lease
        .query("select word from stolen", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(
        stolen,
        vec![format!("{0} {0}", bob.role); 2],
        "both triggers ran, as bob and as nobody else"
    );
}

#[tokio::test]
async fn what_reaches_beyond_a_schema_is_refused() {
    let cluster = Cluster::new().await;
    // Other tests keep their databases on the same server; nothing else is lacking.
    let lacking: Vec<_> = cluster
        .weaknesses
        .iter()
        .filter(|weakness| !weakness.what.starts_with("everybody may connect to other"))
        .collect();
    assert!(lacking.is_empty(), "{lacking:?}");
    let bob = cluster.tenant("bob").await;
    let lease = cluster.tenants.lease(&bob, Access::Write).await.unwrap();
    for sql in [
        "select pg_advisory_lock(1)",
        "select pg_try_advisory_lock(1, 2)",
        "select pg_advisory_xact_lock_shared(1)",
        "select pg_try_advisory_xact_lock(1)",
        "select lo_create(0)",
        "select lo_creat(-1)",
        "select lo_from_bytea(0, 'x')",
        "select pg_logical_emit_message(false, 'a', 'b')",
        "create temporary table x (i int)",
        "create table public.x (i int)",
        "select * from public.x",
        "create schema mine",
        "create table _sandlot.x (i int)",
        "select pg_read_file('/etc/passwd')",
        "select pg_ls_dir('/')",
        "copy (select 1) to '/tmp/x'",
        "copy (select 1) to program 'true'",
        "create extension dblink",
        "create function f() returns int language c as 'x'",
        "create role r",
        "create database d",
        "create event trigger e on ddl_command_start execute function f()",
        "select rolpassword from pg_authid",
        "alter system set work_mem = '1GB'",
        "set session_replication_role = replica",
        "set temp_file_limit = -1",
        "select pg_reload_conf()",
        "vacuum pg_class_nothing",
    ] {
        let state = refusal(&lease, sql).await;
        assert!(
            ["42501", "3F000", "42P01", "42883"].contains(&state.as_str()),
            "{sql}: {state}"
        );
    }
    assert_eq!(
        refusal(&lease, "prepare transaction 'x'").await,
        "done",
        "outside a transaction it does nothing"
    );
    assert_eq!(
        refusal(&lease, "begin; select 1; prepare transaction 'x'").await,
        "55000"
    );
}

#[tokio::test]
async fn the_platforms_database_is_shut() {
    let cluster = Cluster::new().await;
    let bob = cluster.tenant("bob").await;
    let platform = cluster
        .tenants
        .settings()
        .platform_database
        .clone()
        .unwrap();
    for database in [platform.as_str(), "postgres", "template1"] {
        let mut config = cluster.tenants.settings().platform.clone();
        let refused = crate::harness::connect(config.user(&bob.role).dbname(database))
            .await
            .err()
            .unwrap();
        assert_eq!(
            refused.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{database}"
        );
    }
}

#[tokio::test]
async fn connections_cannot_be_hoarded() {
    let cluster = Cluster::new().await;
    let bob = cluster.tenant("bob").await;
    let mut held = Vec::new();
    let refused = loop {
        match cluster.raw(&bob).await {
            Ok(client) => held.push(client),
            Err(error) => break error,
        }
        assert!(held.len() < 50, "no limit");
    };
    assert_eq!(refused.code(), Some(&SqlState::TOO_MANY_CONNECTIONS));
    let limits = &cluster.tenants.settings().limits;
    assert_eq!(held.len(), 2 * limits.per_tenant + 2);
}

#[tokio::test]
async fn a_tenant_cannot_touch_its_own_schema_or_role_limits() {
    let cluster = Cluster::new().await;
    let bob = cluster.tenant("bob").await;
    let lease = cluster.tenants.lease(&bob, Access::Write).await.unwrap();
    for sql in [
        format!("alter schema {} rename to other", bob.schema),
        format!("drop schema {} cascade", bob.schema),
        format!("alter schema {} owner to {}", bob.schema, bob.role),
        format!("alter role {} connection limit -1", bob.role),
        format!("alter role {} nologin", bob.role),
        format!("alter role {} createdb", bob.role),
        format!("alter role {} set temp_file_limit = -1", bob.role),
    ] {
        assert_eq!(refusal(&lease, &sql).await, "42501", "{sql}");
    }
    // Granting a right that one may not pass on is a warning, and gives nothing.
    lease
        .batch_execute(&format!("grant usage on schema {} to public", bob.schema))
        .await
        .unwrap();
    let shared = "select has_schema_privilege('public', $1::text, 'usage')";
    assert!(
        !lease
            .query_one(shared, &[&bob.schema])
            .await
            .unwrap()
            .get::<_, bool>(0)
    );
    lease
        .batch_execute(&format!("alter role {} reset all", bob.role))
        .await
        .unwrap();
    let bound: String = cluster
        .raw(&bob)
        .await
        .unwrap()
        .query_one("show temp_file_limit", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(bound, "128MB");
}

#[tokio::test]
async fn the_lock_table_cannot_be_filled() {
    let cluster = Cluster::new().await;
    let bob = cluster.tenant("bob").await;
    let tenants = cluster.tenants.clone();
    let guard = tokio::spawn(async move { tenants.keep_guard().await });
    let client = cluster.tenants.session(&bob, None).await.unwrap();
    client
        .batch_execute(
            "do $$ begin
                 for n in 1..900 loop execute format('create table many_%s ()', n); end loop;
             end $$",
        )
        .await
        .unwrap();
    let hold = "do $$ begin
             for n in 1..900 loop execute format('lock table many_%s in row share mode', n); end loop;
         end $$;";
    // Far below the limit: an ordinary transaction over many tables goes through.
    client
        .batch_execute(&format!("begin; {hold} select pg_sleep(2.5); commit"))
        .await
        .unwrap();
    // 300 connections of 64 locks each: a role may hold 2400. Three sessions together are too many, two are not.
    let mut holders = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let client = cluster.tenants.session(&bob, None).await.unwrap();
        holders.spawn(async move {
            client
                .batch_execute(&format!("begin; {hold} select pg_sleep(60)"))
                .await
        });
    }
    let ended = holders.join_next().await.unwrap().unwrap().unwrap_err();
    assert_eq!(ended.code(), Some(&SqlState::ADMIN_SHUTDOWN), "{ended:?}");
    let left =
        "select count(*) from pg_stat_activity where usename = $1 and wait_event = 'PgSleep'";
    let left: i64 = cluster
        .superuser()
        .await
        .query_one(left, &[&bob.role])
        .await
        .unwrap()
        .get(0);
    assert_eq!(left, 2);
    guard.abort();
}
