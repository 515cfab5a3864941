//! A copy has the template's statistics from its first moment.

use crate::harness::Server;

/// What the planner knows of a schema's columns.
const KNOWN: &str = "select tablename::text, attname::text,
        md5(concat_ws(' ', inherited, null_frac, avg_width, n_distinct, most_common_vals, most_common_freqs,
                      histogram_bounds, correlation))
    from pg_stats where schemaname = $1 order by 1, 2";

async fn known(client: &tokio_postgres::Client, schema: &str) -> Vec<(String, String, String)> {
    let rows = client.query(KNOWN, &[&schema]).await.unwrap();
    let told = |row: &tokio_postgres::Row| (row.get(0), row.get(1), row.get(2));
    rows.iter().map(told).collect()
}

#[tokio::test]
async fn a_copy_is_planned_for_like_its_template() {
    let server = Server::start().await;
    let superuser = server.superuser().await;
    superuser
        .batch_execute("create index on public.leads (lower(company)); analyze public.leads")
        .await
        .unwrap();
    let tenant = server.tenant("planned").await;
    let mut copy = known(&superuser, &tenant.schema).await;
    // With an empty search path names are told with their schema.
    superuser
        .batch_execute("set search_path = ''")
        .await
        .unwrap();
    let left_out = "select r.conrelid::regclass::text, a.attname::text from pg_constraint r
        join pg_attribute a on a.attrelid = r.conrelid and a.attnum = any (r.conkey)
        where r.confrelid = 'public.users'::regclass";
    let of_own_type = "select a.attrelid::regclass::text, a.attname::text from pg_attribute a
        join pg_type t on t.oid = a.atttypid where t.typnamespace = 'public'::regnamespace";
    let columns = async |sql: &str| -> Vec<(String, String)> {
        let rows = superuser.query(sql, &[]).await.unwrap();
        assert!(!rows.is_empty(), "{sql}");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let (left_out, of_own_type) = (columns(left_out).await, columns(of_own_type).await);
    let mut template = known(&superuser, "public").await;
    // Rows of `users` are not copied, nor is what would tell of them.
    let of = |table: &str, column: &str| (format!("public.{table}"), column.to_owned());
    template.retain(|(table, column, _)| {
        !table.starts_with("users") && !left_out.contains(&of(table, column))
    });
    for known in [&mut template, &mut copy] {
        known.retain(|(table, column, _)| !of_own_type.contains(&of(table, column)));
    }
    assert!(template.len() > 200, "{}", template.len());
    assert!(
        template
            .iter()
            .any(|(table, ..)| table == "leads_lower_idx")
    );
    for known in &template {
        let at = copy.iter().position(|own| own == known);
        copy.swap_remove(at.unwrap_or_else(|| panic!("{known:?}")));
    }
    assert_eq!(copy, []);

    // Nor has autovacuum a reason to look: nothing counts as changed since, and what changes now does.
    let changed = format!(
        "select coalesce(sum(pg_stat_get_mod_since_analyze(to_regclass('{}.' || relname))), 0)::bigint
         from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'users'",
        tenant.schema
    );
    let changed = async || -> i64 { superuser.query_one(&changed, &[]).await.unwrap().get(0) };
    assert_eq!(changed().await, 0);
    superuser
        .batch_execute(&format!(
            "update {}.leads set company = company",
            tenant.schema
        ))
        .await
        .unwrap();
    superuser
        .batch_execute("select pg_stat_force_next_flush()")
        .await
        .unwrap();
    assert!(changed().await > 50);
}

#[tokio::test]
async fn values_of_a_type_of_the_copys_own_are_not_taken_over() {
    let server = Server::start().await;
    let superuser = server.superuser().await;
    superuser
        .batch_execute(
            "create type public.mood as enum ('sad', 'ok');
             alter table public.clients add mood public.mood;
             update public.clients set mood = case when id % 2 = 0 then 'ok' else 'sad' end::public.mood where id % 3 = 0;
             analyze public.clients",
        )
        .await
        .unwrap();
    let tenant = server.tenant("moody").await;
    let rows = superuser
        .query(
            "select null_frac, n_distinct, most_common_vals is null and histogram_bounds is null from pg_stats
             where attname = 'mood' and schemaname in ('public', $1) order by schemaname = $1",
            &[&tenant.schema],
        )
        .await
        .unwrap();
    let told: Vec<(f32, f32, bool)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].0 > 0.5 && !told[0].2, "{told:?}");
    assert_eq!(
        (told[1].0, told[1].1, told[1].2),
        (told[0].0, told[0].1, true)
    );
    let answer = tenant.admin.get("/api/v1/clients?filter[mood]=ok").await;
    assert!(
        !answer.expect(200).json()["data"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn nothing_tells_of_the_templates_users() {
    let server = Server::start().await;
    let superuser = server.superuser().await;
    superuser
        .batch_execute(
            "set role sandlot;
             create table public.people (email text);
             alter table public.users inherit public.people;
             create table public.bosses (secret text) inherits (public.users);
             insert into public.bosses (id, email, role, password_hash, secret)
                 select 1000 + n, n || '@boss.example', 'admin', 'hash' || n, 'secret' || n from generate_series(1, 50) n;
             alter table public.staffs add twice bigint generated always as (user_id * 2) stored;
             create index staffs_next on public.staffs ((user_id + 1));
             analyze public.people; analyze public.users; analyze public.bosses; analyze public.staffs;
             reset role",
        )
        .await
        .unwrap();
    let tenant = server.tenant("curious").await;
    let known = "select tablename || '.' || attname from pg_stats where schemaname = $1
        and (tablename in ('people', 'bosses', 'users', 'staffs_next') or attname in ('user_id', 'twice'))";
    let told = async |schema: &str| -> Vec<String> {
        let rows = superuser.query(known, &[&schema]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert!(told("public").await.len() > 10);
    assert_eq!(told(&tenant.schema).await, Vec::<String>::new());
}

#[tokio::test]
async fn nobody_but_the_platform_gives_statistics() {
    let server = Server::start().await;
    let tenant = server.tenant("giver").await;
    let client = server.connect_as(&server.role(&tenant).await).await;
    let refused = client
        .batch_execute(
            "select _sandlot.take_statistics(array['public.clients'], '{}', '{}', 'public')",
        )
        .await;
    assert_eq!(refused.unwrap_err().code().unwrap().code(), "42501");
    let open: bool = server
        .superuser()
        .await
        .query_one(
            "select has_function_privilege('public', '_sandlot.take_statistics(text[], text[], text[], text)', 'execute')",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(!open);
}
