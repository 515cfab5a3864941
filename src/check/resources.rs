//! Escapes by taking too much: locks, time, connections, memory, processes, disk.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio_postgres::error::SqlState;

use super::{
    Verdict,
    escape::{Escape, How, verdict},
    stage::Stage,
};

/// All of this file's.
pub const ESCAPES: [Escape; 11] = [
    Escape {
        name: "lock table filled",
        what: "fill the lock table of the whole cluster with ordinary locks, so that nobody can work",
        how: How::Probe(|stage| Box::pin(lock_table(stage))),
        excuse: None,
    },
    Escape {
        name: "locks on another's tables",
        what: "hold locks on another tenant's tables through functions that describe them",
        how: How::Probe(|stage| Box::pin(locks_held(stage))),
        excuse: None,
    },
    Escape {
        name: "time limit swallowed",
        what: "go on working after the time limit, by swallowing the cancellation and lifting the session's own limits",
        how: How::Probe(|stage| Box::pin(time_limit(stage))),
        excuse: None,
    },
    Escape {
        name: "connections hoarded",
        what: "take the connections that others need",
        how: How::Probe(|stage| Box::pin(hoard(stage))),
        excuse: None,
    },
    Escape {
        name: "large results",
        what: "make the server hold more rows than fit, by a small request",
        how: How::Probe(|stage| Box::pin(large_results(stage))),
        excuse: None,
    },
    Escape {
        name: "parallel workers",
        what: "use more processes than one for a request",
        how: How::Probe(|stage| Box::pin(parallel(stage))),
        excuse: Some("parallel workers"),
    },
    Escape {
        name: "memory",
        what: "take the machine's memory by one huge value or sort",
        how: How::Probe(|stage| Box::pin(memory(stage))),
        excuse: None,
    },
    Escape {
        name: "temporary files",
        what: "fill the disk by sorting",
        how: How::Probe(|stage| Box::pin(temporary_files(stage))),
        excuse: Some("temp_file_limit"),
    },
    Escape {
        name: "the server's log",
        what: "fill the disk, or write lines of one's own, by messages into the database server's log",
        how: How::Probe(|stage| Box::pin(server_log(stage))),
        excuse: Some("log_min_messages"),
    },
    Escape {
        name: "automatic analyze",
        what: "keep the server's own maintenance busy with an index expression that does not end",
        how: How::Known(
            "autovacuum runs a tenant's index expressions as that tenant, but without a time limit; with two workers \
             two such tables stop it. Nobody but a superuser can end it",
        ),
        excuse: None,
    },
    Escape {
        name: "caches and disk bandwidth",
        what: "slow others by reading and writing a lot",
        how: How::Known(
            "tenants of one cluster share its buffers and its disk; a tenant's few connections bound its part",
        ),
        excuse: None,
    },
];

/// Longest wait for the guard, which looks once a second.
const SOON: Duration = Duration::from_secs(15);

async fn lock_table(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let session = stage.attack().await?;
    session.work("create table check_locks (i int)").await?;
    // A savepoint that has written holds a lock of its own until it is released.
    let chunk = "savepoint s; insert into check_locks values (1);".repeat(200);
    session.client().batch_execute("begin").await?;
    let began = Instant::now();
    let mut taken = 0;
    let ended = loop {
        match session.client().batch_execute(&chunk).await {
            Ok(()) if taken < 6000 => taken += 200,
            // More than any one may hold: now it is a matter of a second or two.
            Ok(()) => tokio::time::sleep(Duration::from_millis(200)).await,
            Err(error) => break Some(error),
        }
        if taken >= 6000 && began.elapsed() > SOON {
            break None;
        }
    };
    let others = stage
        .victim
        .caller
        .get("/api/v1/clients?per_page=1")
        .await?;
    let mut against = Vec::new();
    match ended {
        None => against.push(format!("a session holds {taken} locks and goes on")),
        Some(error) if error.code() == Some(&SqlState::OUT_OF_MEMORY) => {
            against.push(format!("the lock table is full after {taken} locks"));
        }
        Some(_) => {}
    }
    if others.status != 200 {
        against.push(format!("another tenant was answered {}", others.text()));
    }
    stage
        .attack()
        .await?
        .work("drop table if exists check_locks")
        .await?;
    Ok(verdict(against))
}

async fn locks_held(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let victim = stage.entrance.session(&stage.victim.identity, None).await?;
    victim
        .work("create table check_held (i int); create view check_held_view as select * from check_held")
        .await?;
    let oid = victim
        .work("select 'check_held_view'::regclass::oid")
        .await?;
    let oid = oid.first().context("no oid")?;
    let attacker = stage.attack().await?;
    attacker
        .client()
        .batch_execute(&format!("begin; select pg_get_viewdef({oid}::oid)"))
        .await?;
    let changed =
        tokio::time::timeout(SOON, victim.work("alter table check_held add column j int")).await;
    drop(attacker);
    Ok(match changed {
        Ok(outcome) => {
            outcome?;
            victim.work("drop table check_held cascade").await?;
            Verdict::Held
        }
        Err(_) => Verdict::Broken("another tenant could not change its own table".to_owned()),
    })
}

async fn time_limit(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let limit = stage.app.tenants.settings().limits.statement;
    if limit > Duration::from_secs(10) {
        return Ok(Verdict::Open(format!(
            "not tried: with a limit of {} s it would take that long",
            limit.as_secs()
        )));
    }
    let session = stage.attack().await?;
    session
        .work(
            "create or replace function check_stubborn() returns text language plpgsql as $$
             begin
                 perform set_config('statement_timeout', '0', false);
                 perform set_config('client_connection_check_interval', '0', false);
                 loop
                     begin perform pg_sleep(600); exception when query_canceled then null; end;
                 end loop;
             end $$;
             create or replace view check_stubborn as select 1 as id, check_stubborn() as got",
        )
        .await?;
    let began = Instant::now();
    let answer = stage.attacker.caller.get("/api/v1/check_stubborn").await?;
    let took = began.elapsed();
    let mut against = Vec::new();
    if answer.status != 502 || took > limit + Duration::from_secs(5) {
        against.push(format!(
            "answered {} after {} s",
            answer.status,
            took.as_secs()
        ));
    }
    let running = "select count(*) from pg_stat_activity where usename = session_user and wait_event = 'PgSleep'";
    let gone = async {
        while session
            .work(running)
            .await?
            .first()
            .is_some_and(|count| count != "0")
        {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, tokio_postgres::Error>(())
    };
    match tokio::time::timeout(Duration::from_secs(20), gone).await {
        Ok(outcome) => outcome?,
        Err(_) => against.push("it is still running".to_owned()),
    }
    session.work("drop view check_stubborn").await?;
    Ok(verdict(against))
}

async fn hoard(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let mut held = Vec::new();
    let most = 40;
    while held.len() < most {
        match (stage.entrance.open)(stage.attacker.identity.clone(), None).await {
            Ok(client) => held.push(client),
            Err(_) => break,
        }
    }
    let others = stage
        .victim
        .caller
        .get("/api/v1/clients?per_page=1")
        .await?;
    let mut against = Vec::new();
    if held.len() == most {
        against.push(format!("{most} sessions and no end"));
    }
    if others.status != 200 {
        against.push(format!("another tenant was answered {}", others.status));
    }
    Ok(verdict(against))
}

async fn large_results(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let session = stage.attack().await?;
    session
        .work("create or replace view check_large as select n as id, repeat('x', 400000) as filler from generate_series(1, 1000) n")
        .await?;
    let answer = stage
        .attacker
        .caller
        .get("/api/v1/check_large?per_page=1000")
        .await?;
    session.work("drop view check_large").await?;
    let mut against = Vec::new();
    if answer.status < 400 {
        against.push(format!("{} bytes were answered", answer.body.len()));
    }
    let others = stage
        .victim
        .caller
        .get("/api/v1/clients?per_page=1")
        .await?;
    if others.status != 200 {
        against.push(format!("another tenant was answered {}", others.status));
    }
    Ok(verdict(against))
}

async fn parallel(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let session = stage.attack().await?;
    let plan = session
        .work(
            "create table check_parallel as select n from generate_series(1, 50000) n;
             set local max_parallel_workers_per_gather = 4; set local max_parallel_workers = 8;
             set local parallel_setup_cost = 0; set local parallel_tuple_cost = 0;
             set local min_parallel_table_scan_size = 0;
             explain (analyze, costs off, timing off, summary off) select count(*) from check_parallel",
        )
        .await?;
    session.work("drop table check_parallel").await?;
    let launched = plan
        .iter()
        .find_map(|line| line.trim().strip_prefix("Workers Launched: "));
    Ok(match launched {
        Some(count) if count != "0" => {
            Verdict::Broken(format!("{count} more processes worked for one statement"))
        }
        _ => Verdict::Held,
    })
}

async fn memory(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let session = stage.attack().await?;
    // Nobody but the server's owner can bound its processes.
    let own = matches!(
        stage.app.tenants.settings().credentials,
        tenants::Credentials::Trust
    );
    // 900 MB in one hash table at most: enough to see a bound, and given back at once.
    let outcome = session
        .work(
            "set local work_mem = '2GB'; set local hash_mem_multiplier = 1; set local enable_sort = off;
             select count(*) from (select n, repeat('x', 9000) || n from generate_series(1, 100000) n group by 1, 2) g",
        )
        .await;
    Ok(match outcome {
        Err(error) if error.code() == Some(&SqlState::OUT_OF_MEMORY) => Verdict::Held,
        Err(error) => Verdict::Broken(format!("failed otherwise: {error}")),
        Ok(_) if own => Verdict::Broken("900 MB were taken".to_owned()),
        Ok(_) => Verdict::Open(
            "work_mem is the tenant's to set; the server's owner can bound each of its processes by `ulimit -d`"
                .to_owned(),
        ),
    })
}

async fn temporary_files(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let session = stage.attack().await?;
    let bound = session.work("show temp_file_limit").await?;
    Ok(match bound.first() {
        Some(bound) if bound != "-1" => Verdict::Held,
        _ => Verdict::Broken("there is no bound".to_owned()),
    })
}

async fn server_log(stage: &Stage<'_>) -> anyhow::Result<Verdict> {
    let session = stage.attack().await?;
    let level = session.work("show log_min_messages").await?;
    Ok(match level.first().map(String::as_str) {
        // `raise log` and a tenant's own debugging settings write at the level LOG, which lies below these.
        Some("fatal" | "panic") => Verdict::Held,
        other => Verdict::Broken(format!(
            "messages are logged from {} on",
            other.unwrap_or("?")
        )),
    })
}
