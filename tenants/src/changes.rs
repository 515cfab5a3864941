//! Which schemas have changed: the database tells it, so that nobody has to look.
//!
//! Event triggers on every change of a definition notify this process, with the schema or with the role that made it. Who
//! asks whether a schema is as it was is told so only while the connection that hears of it was proved a moment ago to be
//! open and the triggers to be there; else they have to look for themselves. The channel's name is secret, for anybody may
//! notify on any channel.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client};

use crate::{
    cluster::is_made,
    connect::Identity,
    error::Error,
    handle::{APPLICATION, Tenants},
    lease::Lease,
    names::{quote_ident, quote_literal},
    superuser,
};

/// Between two proofs, while somebody asks.
const EVERY: Duration = Duration::from_millis(250);

/// How long one is good for.
const GOOD: Duration = Duration::from_millis(800);

/// Until a lost connection is opened again, and until triggers that are not there are looked for again.
const REST: Duration = Duration::from_secs(1);
const LONG_REST: Duration = Duration::from_secs(60);

/// How many names are remembered; beyond it everything counts as changed.
const MOST: usize = 4096;

/// The table with the channel's name.
const CHANNEL: &str = "create table if not exists _sandlot.channel (name text not null);
    insert into _sandlot.channel select 'changes_' || pg_catalog.replace(pg_catalog.gen_random_uuid()::text, '-', '')
    where not exists (select from _sandlot.channel)";

/// The triggers, which only a superuser can make. They fire whatever a session's replication role is.
pub(crate) const TRIGGERS: [(&str, &str); 2] = [
    ("sandlot_changes", "ddl_command_end"),
    ("sandlot_drops", "sql_drop"),
];

const PROOF: &str =
    "select pg_catalog.count(distinct evtevent) = 2 from pg_catalog.pg_event_trigger
    where evtenabled = 'A' and evtfoid = pg_catalog.to_regprocedure('_sandlot.tell_of_change()')";

/// What was heard.
#[derive(Default)]
pub(crate) struct Changes {
    heard: Mutex<Heard>,
    asked: AtomicBool,
}

#[derive(Default)]
struct Heard {
    /// Since when every change is heard of, and until when that is sure.
    sure: Option<(Instant, Instant)>,
    schemas: HashMap<String, Instant>,
    roles: HashMap<String, Instant>,
}

impl Heard {
    fn note(&mut self, payload: &str) {
        let now = Instant::now();
        match payload.strip_prefix('@') {
            Some(role) => self.roles.insert(role.to_owned(), now),
            None => self.schemas.insert(payload.to_owned(), now),
        };
        // Of something that is in no schema nobody can say whom it concerns.
        if payload.is_empty() || self.schemas.len() + self.roles.len() > MOST {
            self.schemas.clear();
            self.roles.clear();
            self.sure = self.sure.map(|(_, until)| (now, until));
        }
    }

    fn unchanged(&self, identity: &Identity, since: Instant) -> bool {
        let before = |change: Option<&Instant>| change.is_none_or(|change| *change < since);
        self.sure
            .is_some_and(|(from, until)| from < since && Instant::now() < until)
            && before(self.schemas.get(&identity.schema))
            && before(self.roles.get(&identity.role))
    }
}

impl Tenants {
    /// Whether no definition in the identity's schema has changed since a moment: false if that is not known.
    pub fn is_unchanged(&self, identity: &Identity, since: Instant) -> bool {
        let changes = &self.0.changes;
        if !changes.asked.load(Ordering::Relaxed) {
            changes.asked.store(true, Ordering::Relaxed);
        }
        changes.heard.lock().unchanged(identity, since)
    }

    /// Hears of changes for ever, where the triggers are.
    pub async fn keep_listening(&self) {
        loop {
            let heard = self.listen().await;
            self.0.changes.heard.lock().sure = None;
            match heard {
                Ok(()) => sleep(LONG_REST).await,
                Err(error) => {
                    tracing::debug!(?error, "changes of schemas are not heard of");
                    sleep(REST).await;
                }
            }
        }
    }

    /// Returns when the triggers are not there.
    async fn listen(&self) -> Result<(), Error> {
        let client = self.hear().await?;
        let there = client.prepare(PROOF).await?;
        if !client.query_one(&there, &[]).await?.get::<_, bool>(0) {
            return Ok(());
        }
        let channel: String = client
            .query_one("select name from _sandlot.channel", &[])
            .await?
            .get(0);
        client
            .batch_execute(&format!("listen {}", quote_ident(&channel)))
            .await?;
        let from = Instant::now();
        loop {
            let sent = Instant::now();
            let proof = timeout(GOOD, client.query_one(&there, &[])).await;
            let proof = proof.map_err(|_| Error::Unreachable { source: None })??;
            if !proof.get::<_, bool>(0) {
                return Ok(());
            }
            {
                let mut heard = self.0.changes.heard.lock();
                let from = heard.sure.map_or(from, |(from, _)| from);
                heard.sure = Some((from, sent + GOOD));
            }
            sleep(EVERY).await;
            while !self.0.changes.asked.swap(false, Ordering::Relaxed) {
                if client.is_closed() {
                    return Err(Error::Unreachable { source: None });
                }
                sleep(EVERY).await;
            }
        }
    }

    /// A connection whose notifications are noted.
    async fn hear(&self) -> Result<Client, Error> {
        let tenants = self.clone();
        superuser::connect_and_hear(&self.settings().platform, move |message| {
            if let AsyncMessage::Notification(change) = message {
                tenants.0.changes.heard.lock().note(change.payload());
            }
        })
        .await
    }

    /// Makes what the triggers call.
    pub(crate) async fn make_teller(&self, lease: &Lease) -> Result<(), Error> {
        lease.batch_execute(CHANNEL).await?;
        let body = self.teller();
        if !is_made(lease, "_sandlot.tell_of_change()", &body).await? {
            lease
                .batch_execute(&format!(
                    "create or replace function _sandlot.tell_of_change() returns event_trigger
                     language plpgsql security definer set search_path = pg_catalog, pg_temp
                     as {}",
                    quote_literal(&body)
                ))
                .await?;
        }
        Ok(())
    }

    /// What it does. A tenant changes nothing but their own; what the platform does to a schema in use, it tells itself.
    fn teller(&self) -> String {
        format!(
            "
declare
    channel text;
    changed text;
begin
    if session_user = {platform} and current_setting('application_name') = {APPLICATION} then
        return;
    end if;
    select name into channel from _sandlot.channel;
    if session_user ~ '^t_[a-z2-7]{{26}}$' then
        perform pg_notify(channel, '@' || session_user);
    elsif tg_event = 'sql_drop' then
        for changed in select distinct coalesce(schema_name, '') from pg_event_trigger_dropped_objects() loop
            perform pg_notify(channel, changed);
        end loop;
    else
        for changed in select distinct coalesce(schema_name, '') from pg_event_trigger_ddl_commands() loop
            perform pg_notify(channel, changed);
        end loop;
    end if;
end",
            platform = quote_literal(self.platform_role()),
            APPLICATION = quote_literal(APPLICATION),
        )
    }
}

/// Tells of a change that the platform makes, when the caller's transaction commits.
pub(crate) async fn tell(lease: &Lease, schema: &str) -> Result<(), Error> {
    lease
        .execute(
            "select pg_catalog.pg_notify(name, $1) from _sandlot.channel",
            &[&schema],
        )
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_has_changed() {
        let identity = |schema: &str| Identity {
            role: format!("t_{schema}"),
            schema: schema.to_owned(),
            read_only: false,
        };
        let (one, two) = (identity("one"), identity("two"));
        let before = Instant::now();
        let mut heard = Heard::default();
        assert!(!heard.unchanged(&one, Instant::now()));

        let until = Instant::now() + GOOD;
        heard.sure = Some((Instant::now(), until));
        let later = Instant::now() + Duration::from_millis(1);
        assert!(!heard.unchanged(&one, before), "nobody listened then");
        assert!(heard.unchanged(&one, later));
        std::thread::sleep(Duration::from_millis(2));

        heard.note("one");
        assert!(!heard.unchanged(&one, later) && heard.unchanged(&two, later));
        heard.note("@t_two");
        assert!(!heard.unchanged(&two, later));
        let (three, now) = (identity("three"), Instant::now());
        assert!(heard.unchanged(&three, now));
        heard.note("");
        assert!(!heard.unchanged(&three, now), "it may be anybody's");

        heard.sure = Some((before, before));
        assert!(
            !heard.unchanged(&three, Instant::now()),
            "not sure any more"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut heard = Heard::default();
        for n in 0..=MOST {
            heard.note(&format!("schema_{n}"));
        }
        assert!(heard.schemas.len() < MOST);
    }
}
