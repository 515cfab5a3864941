//! A server that is killed in the middle of sign-ups: the next one finishes or removes all that it left.
//!
//! `cargo test --test main -- killed_at_twenty --ignored --nocapture` does it at twenty random moments of 200 sign-ups, and
//! once without a kill; that takes the better part of an hour.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, Instant},
};

use hyper::Method;
use serde_json::json;

use crate::harness::{
    Client, PASSWORD,
    process::{Folder, Process, superuser},
};

/// Copies that are held against the template with all their rows; of the others, rows are counted.
const CERTIFIED: usize = 20;

const ARGUMENTS: &[&str] = &["--spares=0", "--demo=false"];

#[tokio::test]
async fn killed_in_the_middle_of_sign_ups() {
    killed(6, Some(Duration::from_millis(rand::random_range(0..2000)))).await;
}

#[tokio::test]
#[ignore = "twenty times 200 sign-ups"]
async fn killed_at_twenty_random_moments() {
    // A kill may hit any part of it: recording, copying, the last registrants.
    let whole = killed(200, None).await.as_secs_f64();
    for round in 0..20 {
        let moment = Duration::from_secs_f64(whole * rand::random::<f64>());
        println!("round {round}: killed after {moment:?}");
        killed(200, Some(moment)).await;
    }
}

/// Sign-ups from an empty pool, a kill, and another start; what is then there is whole and somebody's.
///
/// Returns how long it took until all tenants were at rest.
async fn killed(sign_ups: usize, after: Option<Duration>) -> Duration {
    let folder = Folder::new();
    let server = Process::start(folder.path(), ARGUMENTS);
    let begin = Instant::now();
    let registrations: Vec<_> = (0..sign_ups)
        .map(|number| tokio::spawn(register(server.client.clone(), number)))
        .collect();
    let server = match after {
        Some(after) => {
            begun(folder.path()).await;
            tokio::time::sleep(after).await;
            // Waits for the process: from here on nobody but the next one works on anything.
            drop(server);
            Process::start(folder.path(), ARGUMENTS)
        }
        None => server,
    };
    let mut answered = Vec::new();
    for registration in registrations {
        answered.extend(registration.await.unwrap());
    }
    if after.is_none() {
        assert_eq!(answered.len(), sign_ups, "all are answered");
    }
    let tenants = at_rest(folder.path()).await;
    let took = begin.elapsed();
    println!(
        "{} answered, {} tenants of {sign_ups} sign-ups",
        answered.len(),
        tenants.len()
    );
    for (email, key) in &answered {
        let keyed = server.client.with("Api-Key", key);
        keyed.sign_in(email).await;
    }
    nothing_is_orphaned(folder.path(), &tenants).await;
    let certified = if after.is_none() { sign_ups } else { CERTIFIED };
    for tenant in tenants.iter().take(certified) {
        let keyed = server.client.with("Api-Key", &tenant.key);
        let admin = keyed.sign_in(&tenant.email).await;
        admin.identical().await;
    }
    server.stop();
    took
}

struct Tenant {
    schema: String,
    role: String,
    key: String,
    email: String,
}

/// Waits until no tenant is being made or removed and every account has one that is ready.
async fn at_rest(folder: &Path) -> Vec<Tenant> {
    let platform = superuser(folder, "sandlot").await;
    let rest = async {
        loop {
            let sql = "select count(*) from tenants where status in ('provisioning', 'deleting')";
            let busy: i64 = platform.query_one(sql, &[]).await.unwrap().get(0);
            if busy == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(900), rest)
        .await
        .expect("at rest in time");
    let sql = "select count(*) from accounts a where not exists
               (select from tenants t where t.account_id = a.id and t.status = 'ready')";
    let alone: i64 = platform.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(alone, 0, "accounts without a tenant that is ready");
    let sql = "select t.schema, t.role, t.api_key, a.email from tenants t
               join accounts a on a.id = t.account_id order by random()";
    let rows = platform.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| Tenant {
            schema: row.get(0),
            role: row.get(1),
            key: row.get(2),
            email: row.get(3),
        })
        .collect()
}

/// The schemas and roles in the cluster are those of the tenants, and each schema has all rows.
async fn nothing_is_orphaned(folder: &Path, tenants: &[Tenant]) {
    let superuser = superuser(folder, "sandlot_tenants").await;
    let names = async |sql: &str| -> HashSet<String> {
        let rows = superuser.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    let schemas =
        names("select nspname::text from pg_namespace where nspowner = 'sandlot_owner'::regrole")
            .await;
    let known = tenants.iter().map(|t| t.schema.clone()).collect();
    assert_eq!(schemas, known, "schemas");
    let roles = names("select rolname::text from pg_roles where rolname ~ '^t_'").await;
    let known = tenants.iter().map(|t| t.role.clone()).collect();
    assert_eq!(roles, known, "roles");
    let tables = names(
        "select tablename::text from pg_tables where schemaname = 'public' and tablename <> 'users'",
    )
    .await;
    let count = async |schema: &str| -> Vec<i64> {
        let each = tables
            .iter()
            .map(|table| format!("(select count(*) from \"{schema}\".\"{table}\")"));
        let sql = format!("select array[{}]", each.collect::<Vec<_>>().join(", "));
        superuser.query_one(&sql, &[]).await.unwrap().get(0)
    };
    let whole = count("public").await;
    for tenant in tenants {
        assert_eq!(count(&tenant.schema).await, whole, "{}", tenant.schema);
        let sql = format!("select count(*) from \"{}\".users", tenant.schema);
        let users: i64 = superuser.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(users, 1, "users of {}", tenant.schema);
    }
}

/// What the answer promised; none if there was none, since nothing was promised then.
async fn register(client: Client, number: usize) -> Option<(String, String)> {
    let email = format!("killed{number}@mail.example");
    let body = json!({"email": email, "password": PASSWORD}).to_string();
    let answer = client
        .try_call(Method::POST, "/api/register", Some(body.into()))
        .await
        .ok()?;
    let made = answer.expect(201).json();
    let key = made["tenant"]["api_key"].as_str().unwrap();
    Some((email, key.to_owned()))
}

/// Waits until a sign-up is recorded.
async fn begun(folder: &Path) {
    let platform = superuser(folder, "sandlot").await;
    let sql = "select count(*) from tenants";
    while platform.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
