//! The replay ledger: which writes a tenant has made once, and what was answered.
//!
//! An entry commits in the transaction of the write that it belongs to, so it is a tenant's session that writes it. The
//! table is out of tenants' reach; they have two functions, which work on the entries of whoever logged in and of nobody
//! else. A tenant's own code may call them too: it can spoil entries of its own by that, of which the server knows which
//! are genuine (it signs them), and fill its own quota.

use std::time::Duration;

use tokio_postgres::GenericClient;

use crate::{
    error::Error,
    handle::Tenants,
    lease::Lease,
    names::{quote_ident, quote_literal},
    roles::role_exists,
};

/// The most bytes of an entry's answer.
pub const MOST_ANSWER: usize = 256 * 1024;

/// How long a repetition waits for the first one to end.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What an entry costs besides its answer: the row, its places in two indexes. Bytes.
pub(crate) const PER_ENTRY: i64 = 256;

/// Entries that go in one statement, so that none holds the table's rows for long.
const AT_ONCE: i64 = 10_000;

/// One for each space of keys: what a client names a request by (1), and signatures (2).
///
/// Their times to live are a promise to clients (a day), and twice the window in which a signature is taken.
const TABLE: &str = "
    create table if not exists _sandlot.replies (
        role name not null,
        space smallint not null,
        key bytea not null,
        request bytea not null,
        writer xid8 not null,
        expires_at timestamptz not null,
        answer bytea,
        primary key (role, space, key));
    create index if not exists replies_expiry on _sandlot.replies (expires_at);
    comment on table _sandlot.replies is 'Writes that are made once, and what was answered; written by tenants through claim and store';
    alter table _sandlot.replies set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);";

/// Both run as a role that owns nothing else, under a search path with no schema of a tenant's: names and operators mean
/// Postgres' own. `claim` waits for another transaction that has claimed the same, and then reads what that has stored:
/// each statement of a function sees what was committed before it, at the level that the server opens transactions with.
///
/// The statistics of the session bound what code of a tenant's can put in and roll back in one transaction, which nobody
/// sees afterwards and which still takes room in the table.
const FUNCTIONS: &str = r"
create or replace function _sandlot.claim(
    a_space smallint, a_key bytea, a_request bytea, out fresh boolean, out same boolean, out answer bytea)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '10s'
as $$
#variable_conflict use_variable
declare
    live boolean;
begin
    if session_user::text !~ '^t_[a-z2-7]{26}$' or a_space is null or a_space not in (1, 2)
       or octet_length(a_key) is distinct from 32 or octet_length(a_request) is distinct from 32 then
        raise insufficient_privilege using message = 'the ledger is for the server''s own work as a tenant';
    end if;
    if pg_stat_get_xact_tuples_inserted('_sandlot.replies'::regclass)
       + pg_stat_get_xact_tuples_updated('_sandlot.replies'::regclass) > 4000 then
        raise configuration_limit_exceeded using message = 'too many entries of the ledger at once';
    end if;
    for attempt in 1 .. 5 loop
        insert into _sandlot.replies as r (role, space, key, request, writer, expires_at)
        values (session_user, a_space, a_key, a_request, pg_current_xact_id(),
                now() + case a_space when 1 then interval '24 hours' else interval '15 minutes' end)
        on conflict do nothing;
        if found then
            fresh := true;
            return;
        end if;
        select r.expires_at > now(), r.request = a_request, r.answer into live, same, answer
        from _sandlot.replies r
        where r.role = session_user and r.space = a_space and r.key = a_key;
        if found and live then
            fresh := false;
            if not same then
                answer := null;
            end if;
            return;
        end if;
        delete from _sandlot.replies r
        where r.role = session_user and r.space = a_space and r.key = a_key and r.expires_at <= now();
    end loop;
    raise lock_not_available using message = 'the entry of the ledger keeps changing';
end
$$;

create or replace function _sandlot.store(a_space smallint, a_key bytea, an_answer bytea) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if octet_length(an_answer) > {most} then
        raise program_limit_exceeded using message = 'the answer is too long for the ledger';
    end if;
    update _sandlot.replies r set answer = an_answer
    where r.role = session_user and r.space = a_space and r.key = a_key
      and r.answer is null and r.writer = pg_current_xact_id();
    if not found then
        raise object_not_in_prerequisite_state using message = 'the entry was not claimed by this transaction';
    end if;
end
$$;
";

/// Both functions by their arguments.
const SIGNATURES: [&str; 2] = [
    "_sandlot.claim(smallint, bytea, bytea)",
    "_sandlot.store(smallint, bytea, bytea)",
];

impl Tenants {
    /// Makes the ledger, or brings its functions up to date; inside the caller's transaction.
    pub(crate) async fn make_ledger(&self, lease: &Lease) -> Result<(), Error> {
        // Answers carry a few bytes of the server's besides the body.
        let most = (MOST_ANSWER + 4096).to_string();
        let functions = FUNCTIONS.replace("{most}", &most);
        let version = quote_literal(&format!("{TABLE}{functions}"));
        let known: bool = lease
            .query_one(
                &format!(
                    "select coalesce(pg_catalog.obj_description(
                        pg_catalog.to_regprocedure('{}'), 'pg_proc') = pg_catalog.md5({version}), false)",
                    SIGNATURES[0]
                ),
                &[],
            )
            .await?
            .get(0);
        if known {
            return Ok(());
        }
        let keeper = self.ledger_role();
        if !role_exists(lease, &keeper).await? {
            lease
                .batch_execute(&format!("create role {} nologin", quote_ident(&keeper)))
                .await?;
        }
        self.join(lease, &keeper).await?;
        let keeper = quote_ident(&keeper);
        let [claim, store] = SIGNATURES;
        lease
            .batch_execute(&format!(
                "grant usage on schema _sandlot to public;
                 grant create on schema _sandlot to {keeper};
                 {TABLE}
                 {functions}
                 alter table _sandlot.replies owner to {keeper};
                 alter function {claim} owner to {keeper};
                 alter function {store} owner to {keeper};
                 revoke create on schema _sandlot from {keeper};"
            ))
            .await?;
        lease
            .batch_execute(&format!(
                "do $do$ begin
                    execute pg_catalog.format('comment on function {claim} is %L', pg_catalog.md5({version}));
                 end $do$"
            ))
            .await?;
        Ok(())
    }

    /// Removes entries whose time is over; how many.
    pub async fn sweep_ledger(&self) -> Result<u64, Error> {
        let lease = self.platform().await?;
        let mut gone = 0;
        loop {
            let some = lease
                .execute(
                    "delete from _sandlot.replies where ctid = any (array(
                         select ctid from _sandlot.replies where expires_at <= pg_catalog.now() limit $1))",
                    &[&AT_ONCE],
                )
                .await?;
            gone += some;
            if some < AT_ONCE.unsigned_abs() {
                break;
            }
        }
        lease.finish();
        Ok(gone)
    }

    /// Forgets all entries of a role: for when its tables are no longer what the answers say.
    pub async fn forget_replies(&self, role: &str) -> Result<(), Error> {
        let lease = self.platform().await?;
        forget(&*lease, role).await?;
        lease.finish();
        Ok(())
    }

    /// The role that owns the ledger and can't log in.
    pub(crate) fn ledger_role(&self) -> String {
        format!("{}_ledger", self.platform_role())
    }
}

/// Forgets all entries of a role that is about to go.
pub(crate) async fn forget(
    client: &impl GenericClient,
    role: &str,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "delete from _sandlot.replies where role = $1::pg_catalog.text::pg_catalog.name",
            &[&role],
        )
        .await?;
    Ok(())
}
