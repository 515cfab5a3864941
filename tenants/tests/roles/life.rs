//! A tenant's life: made, filled, renamed, removed, and nothing left of it.

use std::collections::HashSet;

use crate::harness::Cluster;
use tenants::{Access, Error, Identity, Orphans, Tenants, names};

const USERS: &str = "create table SCHEMA.users (id bigint generated always as identity primary key,
    email text not null, password_hash text not null, name text, role text not null);
    create unique index on SCHEMA.users (lower(email))";

async fn fill(tenants: &Tenants, tenant: &Identity) {
    let fill = tenants.fill(&tenant.role).await.unwrap();
    fill.batch_execute(&USERS.replace("SCHEMA", &tenant.schema))
        .await
        .unwrap();
    fill.batch_execute(&format!(
        "alter table {}.users owner to {}",
        tenant.schema, tenant.role
    ))
    .await
    .unwrap();
    fill.commit().await.unwrap();
}

async fn orphans(tenants: &Tenants) -> Orphans {
    tenants
        .orphans(&HashSet::new(), &HashSet::new())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_filled_schema_belongs_to_its_tenant_and_the_membership_is_over() {
    let cluster = Cluster::new().await;
    let mut ann = cluster.tenant("spare").await;
    fill(&cluster.tenants, &ann).await;
    let superuser = cluster.superuser().await;
    let members = "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.roleid
        where r.rolname = $1 and not coalesce((to_jsonb(m)->>'admin_option')::bool, false)";
    assert_eq!(
        superuser
            .query_one(members, &[&ann.role])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
    let platform = cluster.tenants.platform().await.unwrap();
    let read = format!("select * from {}.users", ann.schema);
    assert!(
        platform.batch_execute(&read).await.is_err(),
        "the platform can't read what it has handed over"
    );
    drop(platform);

    let claimed = format!("{}_x", ann.schema);
    cluster
        .tenants
        .rename_schema(&ann.schema, &claimed)
        .await
        .unwrap();
    cluster
        .tenants
        .rename_schema(&ann.schema, &claimed)
        .await
        .unwrap();
    let nowhere = cluster
        .tenants
        .rename_schema("nowhere", "elsewhere")
        .await
        .unwrap_err();
    assert_eq!(nowhere.state().unwrap().code(), "3F000");
    ann.schema = claimed;
    let id = cluster
        .tenants
        .registrant(&ann, "Ann@example.org", Some("Ann"), "$argon2id$x", "admin")
        .await
        .unwrap();
    assert_eq!(
        cluster
            .tenants
            .registrant(&ann, "ann@example.org", Some("Ann"), "$argon2id$y", "admin")
            .await
            .unwrap(),
        id
    );
    let lease = cluster.tenants.lease(&ann, Access::Read).await.unwrap();
    let rows = lease
        .query("select email, password_hash, role from users", &[])
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, &str>(1), "$argon2id$x");
}

#[tokio::test]
async fn a_fill_that_is_dropped_leaves_nothing() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let fill = cluster.tenants.fill(&ann.role).await.unwrap();
    fill.batch_execute(&format!("create table {}.half (i int)", ann.schema))
        .await
        .unwrap();
    drop(fill);
    let lease = cluster.tenants.lease(&ann, Access::Write).await.unwrap();
    // Waits for the table's name if the other transaction is still there.
    lease
        .batch_execute("create table half (i int)")
        .await
        .unwrap();
}

#[tokio::test]
async fn every_step_may_be_done_twice() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    cluster.tenants.make_role(&ann.role).await.unwrap();
    cluster
        .tenants
        .make_schema(&ann.schema, &ann.role)
        .await
        .unwrap();
    cluster
        .tenants
        .prepare(Some(&crate::harness::superuser()))
        .await
        .unwrap();
    cluster.tenants.prepare(None).await.unwrap();
    cluster
        .tenants
        .remove(&ann.schema, &ann.role)
        .await
        .unwrap();
    cluster
        .tenants
        .remove(&ann.schema, &ann.role)
        .await
        .unwrap();
    assert_eq!(orphans(&cluster.tenants).await, Orphans::default());
}

#[tokio::test]
async fn a_schema_that_is_not_ours_is_left_alone() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    for schema in ["public", "_sandlot", "pg_catalog"] {
        assert!(
            matches!(
                cluster.tenants.remove(schema, &ann.role).await,
                Err(Error::Unfit(_))
            ),
            "{schema}"
        );
        assert!(
            matches!(
                cluster.tenants.make_schema(schema, &ann.role).await,
                Err(Error::Unfit(_))
            ),
            "{schema}"
        );
    }
    assert!(
        cluster.tenants.lease(&ann, Access::Read).await.is_ok(),
        "nothing was removed"
    );
}

#[tokio::test]
async fn half_made_tenants_are_found_and_removed() {
    let cluster = Cluster::new().await;
    let (ann, role) = (cluster.tenant("ann").await, names::fresh_role());
    cluster.tenants.make_role(&role).await.unwrap();
    let found = cluster
        .tenants
        .orphans(
            &HashSet::from([ann.schema.clone()]),
            &HashSet::from([ann.role.clone()]),
        )
        .await
        .unwrap();
    assert_eq!(
        found,
        Orphans {
            schemas: vec![],
            roles: vec![role.clone()]
        }
    );
    cluster.tenants.remove("never_made", &role).await.unwrap();
    let left = orphans(&cluster.tenants).await;
    assert_eq!(
        left,
        Orphans {
            schemas: vec![ann.schema],
            roles: vec![ann.role]
        }
    );
    // Another platform on the same cluster sees none of this.
    assert_eq!(
        orphans(&Cluster::new().await.tenants).await,
        Orphans::default()
    );
}

#[tokio::test]
async fn a_tenant_at_work_is_removed_with_all_it_made() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    let lease = cluster.tenants.lease(&ann, Access::Write).await.unwrap();
    lease
        .batch_execute(
            "create table t (i int); create type mood as enum ('ok'); create function f() returns mood language sql as $$ select 'ok'::mood $$;
             create view v as select f(); create table p (i int) partition by list (i); create table p1 partition of p for values in (1);
             alter default privileges grant select on tables to public; begin; lock table t",
        )
        .await
        .unwrap();
    cluster
        .tenants
        .remove(&ann.schema, &ann.role)
        .await
        .unwrap();
    assert!(
        lease.batch_execute("select 1").await.is_err(),
        "its session is over"
    );
    assert!(matches!(
        cluster.tenants.lease(&ann, Access::Read).await,
        Err(Error::Refused { .. })
    ));
    assert_eq!(orphans(&cluster.tenants).await, Orphans::default());
}

#[tokio::test]
async fn a_role_that_others_have_pinned_is_removed() {
    let cluster = Cluster::new().await;
    let (ann, bob, cyd) = (
        cluster.tenant("ann").await,
        cluster.tenant("bob").await,
        cluster.tenant("cyd").await,
    );
    for (pinner, other) in [(&bob, &cyd), (&cyd, &bob)] {
        let lease = cluster.tenants.lease(pinner, Access::Write).await.unwrap();
        lease
            .batch_execute(
                &"create table t (i int, j int); grant all on t to PINNED, OTHER with grant option; grant select (j) on t to PINNED;
                 create policy two on t to PINNED, current_user using (true); create policy one on t to PINNED using (true);
                 create sequence s; grant usage on sequence s to PINNED;
                 create function f() returns int language sql as 'select 1'; grant execute on function f() to PINNED;
                 create procedure pr() language sql as 'select 1'; grant execute on procedure pr() to PINNED;
                 create type mood as enum ('ok'); grant usage on type mood to PINNED;
                 create domain d as int; grant usage on domain d to PINNED;
                 create view v as select 1 as one; grant select on v to PINNED;
                 create materialized view mv as select 1 as one; grant select on mv to PINNED;
                 alter default privileges grant all on tables to PINNED;
                 alter default privileges grant execute on functions to PINNED"
                    .replace("PINNED", &ann.role)
                    .replace("OTHER", &other.role),
            )
            .await
            .unwrap();
        lease.finish();
    }
    cluster
        .tenants
        .remove(&ann.schema, &ann.role)
        .await
        .unwrap();
    let left = orphans(&cluster.tenants).await;
    assert!(
        !left.roles.contains(&ann.role) && !left.schemas.contains(&ann.schema),
        "{left:?}"
    );
    // The pinners keep what is theirs, and the platform is no member of anybody.
    let lease = cluster.tenants.lease(&bob, Access::Write).await.unwrap();
    lease.batch_execute("select * from t, v, mv").await.unwrap();
    let platform = cluster.tenants.platform().await.unwrap();
    for other in [&bob, &cyd] {
        assert!(
            platform
                .batch_execute(&format!("select * from {}.t", other.schema))
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn the_reader_sees_the_template_and_nothing_else() {
    let cluster = Cluster::new().await;
    let ann = cluster.tenant("ann").await;
    fill(&cluster.tenants, &ann).await;
    let platform = cluster.tenants.platform().await.unwrap();
    platform
        .batch_execute(&format!(
            "create table public.\"Odd \"\"name\" (i int); insert into public.\"Odd \"\"name\" values (7);
             create view public.v as select 1 as one; {}",
            USERS.replace("SCHEMA", "public")
        ))
        .await
        .unwrap();
    drop(platform);
    cluster.tenants.grant_reader().await.unwrap();
    let lease = cluster
        .tenants
        .lease(&cluster.tenants.reader(), Access::Write)
        .await
        .unwrap();
    lease
        .batch_execute("select one from v; select i from \"Odd \"\"name\"")
        .await
        .unwrap();
    for sql in [
        "select * from users".to_owned(),
        "insert into \"Odd \"\"name\" values (8)".to_owned(),
        "create table public.x (i int)".to_owned(),
        format!("select * from {}.users", ann.schema),
    ] {
        assert!(lease.batch_execute(&sql).await.is_err(), "{sql}");
    }
    lease.begin().await.unwrap();
    let mode: String = lease
        .query_one("show transaction_read_only", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(mode, "on", "whatever access was asked for");
}
