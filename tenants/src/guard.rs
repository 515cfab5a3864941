//! Watches what all tenants share and Postgres divides among nobody: the lock table, the queue of notifications, the processor.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use tokio::time::{sleep, sleep_until, timeout, timeout_at};
use tokio_postgres::Statement;

use crate::{
    error::Error, handle::Tenants, lease::Lease, names::is_role, priority::Priorities,
    settings::Credentials, watchdog,
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// A look must not hang, or nobody watches.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks between two renewals of the guard's own locks; in between nobody can rebuild the catalogs it reads.
const RENEWAL: u32 = 30;

/// How long a transaction of a tenant's may last: as long as a request or a snapshot takes, and a while for those who
/// end what is late by themselves.
const SHORTEST: Duration = Duration::from_secs(60);
const LEEWAY: Duration = Duration::from_secs(15);

/// One role's part of the lock table: this divisor's, and at most so many locks, which a schema of a thousand tables
/// does not need.
const PART_OF_ONE: i64 = 8;
const MOST_OF_ONE: i64 = 4096;
/// All tenants' part; the rest is for those who mend.
const PART_OF_ALL: i64 = 2;

/// Share of the queue (8 GB) that unread notifications may fill. It is the whole cluster's, and full it fails every NOTIFY.
const QUEUE: f64 = 0.01;

/// Opens the transaction that the guard lives in. What it reads of shared catalogs stays locked, so that a full lock
/// table does not keep it from reading them again; at read committed it holds no snapshot and keeps no dead rows.
const TAKE_POST: &str = "begin isolation level read committed, read only;
    select from pg_catalog.pg_roles, pg_catalog.pg_auth_members, pg_catalog.pg_database limit 0";

/// Functions instead of views, which would lock what they read. Locks on the fast path take no place in the table.
const LOOK: &str = "
    select s.pid, s.usesysid, pg_catalog.pg_get_userbyid(s.usesysid)::pg_catalog.text,
           coalesce(l.held, 0), coalesce(l.noted, 0), l.transaction,
           case when l.waits then pg_catalog.pg_blocking_pids(s.pid) else '{}' end,
           (select c.relowner from pg_catalog.pg_class c where c.oid = l.wanted)
    from pg_catalog.pg_stat_get_activity(null) s
    left join (
        select pid,
               pg_catalog.count(*) filter (where mode <> 'SIReadLock' and not fastpath) as held,
               pg_catalog.count(*) filter (where mode = 'SIReadLock') as noted,
               pg_catalog.min(virtualxid) filter (where locktype = 'virtualxid') as transaction,
               pg_catalog.bool_or(not granted) as waits,
               pg_catalog.min(relation) filter (where not granted and locktype = 'relation') as wanted
        from pg_catalog.pg_lock_status() group by pid) l on l.pid = s.pid
    where s.datid = $1 and s.usesysid is not null";

const SESSIONS: &str = "select s.pid from pg_catalog.pg_stat_get_activity(null) s
    where s.usesysid = any ($1)";

const END: &str = "select pg_catalog.pg_terminate_backend(s.pid)
    from pg_catalog.pg_stat_get_activity($1) s where s.usesysid = $2";

/// What one session holds, and whom it waits for.
#[derive(Clone, Debug, Default, PartialEq)]
struct Held {
    pid: i32,
    role: u32,
    name: String,
    /// Whether the role is a tenant's; nobody else's session is ended.
    tenant: bool,
    /// Entries of the lock table.
    locks: i64,
    /// Entries of the table of predicate locks (serializable transactions).
    predicates: i64,
    /// Its transaction, if it is in one.
    transaction: Option<String>,
    /// Sessions that it waits for.
    blockers: Vec<i32>,
    /// Who owns the table that it waits for, if it is a table.
    owner: Option<u32>,
}

/// How much there is.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    locks: i64,
    predicates: i64,
}

/// The guard's warm connection.
struct Post {
    lease: Lease,
    afresh: Statement,
    look: Statement,
    queue: Statement,
    sessions: Statement,
    end: Statement,
    database: u32,
    bounds: Bounds,
    /// Transactions that the look before saw, each with the moment when it was first seen.
    before: HashMap<String, Instant>,
    /// Who waited for whom then.
    waits: HashSet<(i32, i32)>,
    /// How often in a row the queue was too full.
    full: u32,
    looks: u32,
    /// None where the server's processes are not ours.
    priorities: Option<Priorities>,
}

impl Tenants {
    /// Looks once a second, for ever, and ends sessions of tenants that take too much of what everybody shares.
    ///
    /// A tenant's role may hold an eighth of the lock table, all of them a half; then the largest holder's session is
    /// terminated. So is one that another role has been waiting for since the look before, on what is not its own. When
    /// unread notifications fill a hundredth of their queue, sessions that keep them unread are. And so is one whose
    /// transaction lasts longer than a request may. Who takes much of the processor gives way to the others.
    pub async fn keep_guard(&self) {
        let mut post: Option<Post> = None;
        loop {
            if post.is_none() {
                sleep(EVERY).await;
            }
            let watch = async {
                let mut on = match post.take() {
                    Some(post) => post,
                    None => Post::take(self).await?,
                };
                on.wait(self).await?;
                on.look_around(self).await?;
                post = Some(on);
                Ok::<(), Error>(())
            };
            match timeout(PATIENCE, watch).await {
                Ok(Ok(())) => {}
                Ok(Err(Error::Closed)) => return,
                Ok(Err(error)) => tracing::debug!(?error, "the guard lost its post"),
                Err(_) => tracing::warn!("the guard's look took too long"),
            }
        }
    }
}

impl Post {
    async fn take(tenants: &Tenants) -> Result<Self, Error> {
        let lease = tenants.watch().await?;
        lease.forget_statements();
        let row = lease
            .query_one(
                "select d.oid,
                        c.sessions * pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8,
                        c.sessions * pg_catalog.current_setting('max_pred_locks_per_transaction')::pg_catalog.int8
                 from pg_catalog.pg_database d,
                      (select pg_catalog.current_setting('max_connections')::pg_catalog.int8
                            + pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int8) c (sessions)
                 where d.datname = pg_catalog.current_database()",
                &[],
            )
            .await?;
        let post = Self {
            afresh: lease
                .prepare_cached("select pg_catalog.pg_stat_clear_snapshot()")
                .await?,
            look: lease.prepare_cached(LOOK).await?,
            queue: lease
                .prepare_cached("select pg_catalog.pg_notification_queue_usage()")
                .await?,
            sessions: lease.prepare_cached(SESSIONS).await?,
            end: lease.prepare_cached(END).await?,
            database: row.get(0),
            bounds: Bounds {
                locks: row.get(1),
                predicates: row.get(2),
            },
            before: HashMap::new(),
            waits: HashSet::new(),
            full: 0,
            looks: 0,
            priorities: match tenants.settings().credentials {
                Credentials::Trust => Priorities::of_server(lease.pid()),
                Credentials::Derived(_) => None,
            },
            lease,
        };
        post.lease.batch_execute(TAKE_POST).await?;
        Ok(post)
    }

    /// Passes the time until the next look; new sessions of who has to give way do so meanwhile.
    async fn wait(&self, tenants: &Tenants) -> Result<(), Error> {
        let until = Instant::now() + EVERY;
        if let Some(priorities) = &self.priorities {
            let greedy = priorities.greedy();
            while !greedy.is_empty() && Instant::now() < until {
                let begun = tenants.0.door.begun.notified();
                if timeout_at(until.into(), begun).await.is_err() {
                    break;
                }
                self.lease.execute(&self.afresh, &[]).await?;
                let rows = self.lease.query(&self.sessions, &[&greedy]).await?;
                let pids: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
                priorities.lower(&pids);
            }
        }
        sleep_until(until.into()).await;
        Ok(())
    }

    async fn look_around(&mut self, tenants: &Tenants) -> Result<(), Error> {
        // Within one transaction Postgres shows the same sessions again and again, unless told to look.
        self.lease.execute(&self.afresh, &[]).await?;
        let rows = self.lease.query(&self.look, &[&self.database]).await?;
        let held: Vec<Held> = rows
            .iter()
            .map(|row| Held {
                pid: row.get(0),
                role: row.get(1),
                tenant: is_role(row.get(2)),
                name: row.get(2),
                locks: row.get(3),
                predicates: row.get(4),
                transaction: row.get(5),
                blockers: row.get(6),
                owner: row.get(7),
            })
            .collect();
        self.priorities = divide(self.priorities.take(), &held).await;
        let usage: f64 = self.lease.query_one(&self.queue, &[]).await?.get(0);
        self.full = if usage > QUEUE { self.full + 1 } else { 0 };
        let (own, foreign): (Vec<Held>, Vec<Held>) =
            held.iter().cloned().partition(|held| held.tenant);
        let mut hogs = hogs(&own, self.bounds);
        hogs.extend(deaf(&own, &self.before, self.full));
        hogs.extend(in_the_way(&own, &foreign, &self.waits));
        let longest = tenants.settings().limits.statement.max(SHORTEST) + LEEWAY;
        hogs.extend(overdue(&own, &self.before, longest));
        hogs.sort_unstable();
        hogs.dedup();
        for pid in &hogs {
            if let Some(hog) = held.iter().find(|held| held.pid == *pid) {
                self.end(tenants, hog).await?;
            }
        }
        self.waits = waits(&held).collect();
        let now = Instant::now();
        let seen = held.into_iter().filter_map(|held| held.transaction);
        self.before = seen
            .map(|name| {
                let since = self.before.get(&name).copied().unwrap_or(now);
                (name, since)
            })
            .collect();
        self.looks += 1;
        if hogs.is_empty() && self.looks.is_multiple_of(RENEWAL) {
            self.lease
                .batch_execute(&format!("commit; {TAKE_POST}"))
                .await?;
        }
        Ok(())
    }

    async fn end(&self, tenants: &Tenants, hog: &Held) -> Result<(), Error> {
        tracing::warn!(
            role = hog.name,
            pid = hog.pid,
            locks = hog.locks,
            predicates = hog.predicates,
            "ending a session that takes too much of what all share"
        );
        if self
            .lease
            .execute(&self.end, &[&hog.pid, &hog.role])
            .await
            .is_err()
        {
            // Without pg_signal_backend it takes a membership, which this read-only transaction can't make.
            let lease = tenants.watch().await?;
            watchdog::terminate(&lease, hog.pid, &hog.name).await?;
            lease.finish();
        }
        Ok(())
    }
}

/// Sets the priorities of tenants' sessions, without keeping requests waiting.
async fn divide(priorities: Option<Priorities>, held: &[Held]) -> Option<Priorities> {
    let mut priorities = priorities?;
    let tenants = held.iter().filter(|held| held.tenant);
    let sessions: Vec<(i32, u32)> = tenants.map(|held| (held.pid, held.role)).collect();
    let divided = tokio::task::spawn_blocking(move || {
        priorities.divide(&sessions);
        priorities
    });
    divided.await.ok()
}

/// Sessions whose transaction lasts longer than any request's may: of a tenant's own program, or left by a server that died.
fn overdue(held: &[Held], seen: &HashMap<String, Instant>, longest: Duration) -> Vec<i32> {
    let late = held.iter().filter(|session| {
        let since = session.transaction.as_ref().and_then(|name| seen.get(name));
        since.is_some_and(|since| since.elapsed() > longest)
    });
    late.map(|session| session.pid).collect()
}

/// Sessions to end so that nobody holds too much: the largest holders of each role above its part, then of all.
fn hogs(held: &[Held], bounds: Bounds) -> Vec<i32> {
    let mut ended = Vec::new();
    for (of, whole) in [
        (locks as fn(&Held) -> i64, bounds.locks),
        (predicates, bounds.predicates),
    ] {
        let mut largest: Vec<&Held> = held.iter().collect();
        largest.sort_by_key(|session| std::cmp::Reverse(of(session)));
        let mut by_role: HashMap<u32, i64> = HashMap::new();
        for session in held {
            *by_role.entry(session.role).or_default() += of(session);
        }
        let mut all: i64 = by_role.values().sum();
        for session in largest {
            let role = by_role.entry(session.role).or_default();
            if *role > (whole / PART_OF_ONE).min(MOST_OF_ONE) || all > whole / PART_OF_ALL {
                *role -= of(session);
                all -= of(session);
                ended.push(session.pid);
            }
        }
    }
    ended.sort_unstable();
    ended.dedup();
    ended
}

fn locks(held: &Held) -> i64 {
    held.locks
}

fn predicates(held: &Held) -> i64 {
    held.predicates
}

/// Sessions that may be what keeps notifications unread. A listener reads when its transaction ends, so first those
/// go whose transaction is older than a look; one whose client takes nothing is in none, so then all of them go.
fn deaf(held: &[Held], before: &HashMap<String, Instant>, full: u32) -> Vec<i32> {
    let old = |session: &&Held| {
        full > 2
            || (session.transaction.as_ref())
                .is_some_and(|transaction| before.contains_key(transaction))
    };
    if full == 0 {
        return Vec::new();
    }
    held.iter().filter(old).map(|session| session.pid).collect()
}

/// Sessions of tenants that another role waits for, for the second time, on something that is not their own.
///
/// Functions such as `pg_get_viewdef` lock what they describe, whoever owns it, until the transaction ends. The owner
/// of a table is in nobody's way on it, for others could wait there on purpose; on what is no table, such as a row of a
/// shared catalog, tenants meet nobody but the platform.
fn in_the_way(tenants: &[Held], others: &[Held], before: &HashSet<(i32, i32)>) -> Vec<i32> {
    let session = |pid: i32| tenants.iter().find(|session| session.pid == pid);
    let mut ended = Vec::new();
    for waiter in tenants.iter().chain(others) {
        for pid in waiter.blockers.iter().copied() {
            let Some(blocker) = session(pid).filter(|blocker| blocker.role != waiter.role) else {
                continue;
            };
            let intrudes = match waiter.owner {
                Some(owner) => owner != blocker.role && (owner == waiter.role || !waiter.tenant),
                None => !waiter.tenant,
            };
            if intrudes && before.contains(&(waiter.pid, pid)) {
                ended.push(pid);
            }
        }
    }
    ended
}

fn waits(held: &[Held]) -> impl Iterator<Item = (i32, i32)> {
    (held.iter()).flat_map(|held| held.blockers.iter().map(|blocker| (held.pid, *blocker)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(pid: i32, role: u32, locks: i64) -> Held {
        Held {
            pid,
            role,
            tenant: true,
            locks,
            ..Held::default()
        }
    }

    #[test]
    fn who_is_in_the_way_on_what_is_not_its_own_goes() {
        let blocker = session(1, 10, 0);
        let mut waiter = session(2, 20, 0);
        waiter.blockers = vec![1];
        let (before, never) = (HashSet::from([(2, 1)]), HashSet::new());
        let ended =
            |waiter: &Held, before| in_the_way(&[blocker.clone(), waiter.clone()], &[], before);
        assert!(
            ended(&waiter, &before).is_empty(),
            "two tenants, and no table"
        );
        waiter.owner = Some(20);
        assert_eq!(ended(&waiter, &before), [1], "the waiter's own table");
        assert!(ended(&waiter, &never).is_empty(), "not for the first time");
        waiter.owner = Some(10);
        assert!(
            ended(&waiter, &before).is_empty(),
            "the blocker's own table"
        );
        waiter.owner = Some(30);
        assert!(ended(&waiter, &before).is_empty(), "both are strangers");
        // The platform waits for a row of a shared catalog, say.
        waiter.tenant = false;
        waiter.owner = None;
        assert_eq!(
            in_the_way(std::slice::from_ref(&blocker), &[waiter], &before),
            [1]
        );
    }

    const BOUNDS: Bounds = Bounds {
        locks: 800,
        predicates: 800,
    };

    #[test]
    fn a_role_within_its_part_is_left_alone() {
        let held = [session(1, 1, 50), session(2, 1, 50), session(3, 2, 100)];
        assert!(hogs(&held, BOUNDS).is_empty());
    }

    #[test]
    fn the_largest_session_of_a_role_above_its_part_goes() {
        let held = [session(1, 1, 40), session(2, 1, 90), session(3, 2, 100)];
        assert_eq!(hogs(&held, BOUNDS), [2]);
    }

    #[test]
    fn many_roles_within_their_parts_do_not_fill_it_together() {
        let held: Vec<Held> = (1..=6)
            .map(|n| session(n, n as u32, 80 + i64::from(n)))
            .collect();
        assert_eq!(hogs(&held, BOUNDS), [5, 6]);
    }

    #[test]
    fn predicate_locks_count_by_themselves() {
        let mut held = [session(1, 1, 60), session(2, 2, 0)];
        held[0].predicates = 60;
        held[1].predicates = 101;
        assert_eq!(hogs(&held, BOUNDS), [2]);
    }

    #[test]
    fn old_transactions_go_first_when_notifications_pile_up() {
        let mut held = [session(1, 1, 0), session(2, 2, 0), session(3, 3, 0)];
        held[0].transaction = Some("4/7".to_owned());
        held[1].transaction = Some("5/9".to_owned());
        let before = HashMap::from([("4/7".to_owned(), Instant::now())]);
        assert!(deaf(&held, &before, 0).is_empty());
        assert_eq!(deaf(&held, &before, 1), [1]);
        assert_eq!(deaf(&held, &before, 3), [1, 2, 3]);
    }
}
