//! One logged-in connection: who logs in, with which password, and the settings that its startup packet pins.

use std::{
    fmt::Write as _,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::timeout,
};
use tokio_postgres::{CancelToken, Client, Config, NoTls};

use crate::{
    error::{self, Error},
    names::{EXTENSIONS, quote_ident},
    settings::{Credentials, Limits},
    socket::Socket,
    statements::Statements,
};

/// Longest wait for a login, the first round trip included.
const LOGIN: Duration = Duration::from_secs(10);

/// How long a connection serves one request after the other. Plans that it made before a table had statistics would be
/// kept as long, and a nested list of a fresh copy takes thirty times as long by them.
const LIFETIME: Duration = Duration::from_secs(300);

/// Who logs in, and where their names are looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Login role.
    pub role: String,
    /// The schema at the head of the session's `search_path`; empty for none.
    pub schema: String,
    /// Whether every transaction is read-only, whatever is asked for (the template's reader).
    pub read_only: bool,
}

/// How connections to one database are opened.
#[derive(Clone)]
pub(crate) struct Door {
    /// Host, port and database; user, password and options are set per identity.
    base: Config,
    credentials: Credentials,
    limits: Limits,
    /// Who `base` itself logs in, with a password of its own.
    platform: Arc<Identity>,
    /// Told when a session has begun.
    pub(crate) begun: Arc<Notify>,
}

/// An open connection with what is needed to end it from outside.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) statements: Statements,
    /// When it was logged in.
    since: Instant,
    /// Process id of the backend.
    pub(crate) pid: i32,
    pub(crate) cancel: Cancel,
    /// Closed once the connection's task is over and its socket with it.
    pub(crate) ended: watch::Receiver<()>,
    pub(crate) task: AbortHandle,
    /// Whether it ended because the server sent more in one message than we take.
    exceeded: Arc<AtomicBool>,
}

/// How a connection's statement is cancelled.
#[derive(Clone)]
pub(crate) struct Cancel {
    token: CancelToken,
    config: Arc<Config>,
}

impl Cancel {
    /// Asks the server to cancel whatever the connection is running.
    pub(crate) async fn send(&self) {
        let Ok(socket) = Socket::open(&self.config, Arc::default()).await else {
            return;
        };
        // The server says nothing to it; what comes of it is seen on the connection itself.
        let _ = self.token.cancel_query_raw(socket, NoTls).await;
    }
}

impl Link {
    /// Whether another request may have it.
    pub(crate) fn is_good(&self) -> bool {
        !self.client.is_closed() && self.since.elapsed() < LIFETIME
    }

    /// Whether the connection ended because the server sent more in one message than we take.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }
}

impl Door {
    pub(crate) fn new(base: Config, credentials: Credentials, limits: Limits) -> Self {
        let role = base.get_user().unwrap_or_default().to_owned();
        let platform = Arc::new(Identity {
            role,
            schema: String::new(),
            read_only: false,
        });
        Self {
            base,
            credentials,
            limits,
            platform,
            begun: Arc::default(),
        }
    }

    /// Logs `identity` in.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server knows us and says no, [`Error::Busy`] when it is full,
    /// [`Error::Unreachable`] otherwise.
    pub(crate) async fn open(&self, identity: &Identity) -> Result<Link, Error> {
        timeout(LOGIN, self.log_in(identity))
            .await
            .unwrap_or(Err(Error::Unreachable { source: None }))
    }

    /// The same to another database of the cluster.
    pub(crate) fn to(&self, database: &str) -> Self {
        let mut door = self.clone();
        door.base.dbname(database);
        door
    }

    pub(crate) fn own(&self) -> Arc<Identity> {
        self.platform.clone()
    }

    async fn log_in(&self, identity: &Identity) -> Result<Link, Error> {
        let config = Arc::new(self.config(identity));
        let exceeded = Arc::<AtomicBool>::default();
        let Ok(socket) = Socket::open(&config, Arc::clone(&exceeded)).await else {
            return Err(Error::Unreachable { source: None });
        };
        let (client, mut connection) = config
            .connect_raw(socket, NoTls)
            .await
            .map_err(|error| error::of_login(&identity.role, error))?;
        let (alive, ended) = watch::channel(());
        let task = tokio::spawn(async move {
            // Notices are dropped here: a tenant writes them, and they have no place in our log.
            let mut connection = pin!(poll_fn(move |context| connection.poll_message(context)));
            while let Some(Ok(_)) = connection.as_mut().await {}
            drop(alive);
        })
        .abort_handle();
        // The prepared statement marks the session: it is gone if somebody deallocates what we cached.
        let rows = client
            .simple_query("prepare sandlot_mark as select 1; select pg_catalog.pg_backend_pid()")
            .await?;
        let pid = rows
            .iter()
            .find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                _ => None,
            })
            .ok_or(Error::Unreachable { source: None })?;
        self.begun.notify_one();
        Ok(Link {
            cancel: Cancel {
                token: client.cancel_token(),
                config,
            },
            client,
            statements: Statements::default(),
            since: Instant::now(),
            pid,
            ended,
            task,
            exceeded,
        })
    }

    fn config(&self, identity: &Identity) -> Config {
        let mut config = self.base.clone();
        config.connect_timeout(LOGIN);
        if *identity == *self.platform {
            return config.options(options(&platform_settings())).to_owned();
        }
        config.user(&identity.role);
        if let Some(password) = self.credentials.password(&identity.role) {
            config.password(password);
        }
        config
            .options(tenant_options(identity, &self.limits))
            .to_owned()
    }
}

impl Credentials {
    /// The password that `role` logs in with, if the server wants one.
    pub(crate) fn password(&self, role: &str) -> Option<String> {
        let Self::Derived(secret) = self else {
            return None;
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.update(role.as_bytes());
        Some(hex::encode(mac.finalize().into_bytes()))
    }
}

/// The same as `options` of the startup packet.
pub(crate) fn tenant_options(identity: &Identity, limits: &Limits) -> String {
    options(&tenant_settings(identity, limits))
}

/// What a tenant's session starts with. Sent in the startup packet, these beat whatever the tenant
/// has stored with `alter role .. set`, and `reset all` and `discard all` come back to them.
fn tenant_settings(identity: &Identity, limits: &Limits) -> Vec<(&'static str, String)> {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let mut settings = vec![
        (
            "search_path",
            if identity.schema.is_empty() {
                String::new()
            } else {
                // Extensions of a template are kept apart from it, and work without their schema's name.
                format!("{}, {EXTENSIONS}", quote_ident(&identity.schema))
            },
        ),
        // The watchdog is the barrier; this one is for statements that outlive this process.
        (
            "statement_timeout",
            milliseconds(limits.statement + Duration::from_secs(5)),
        ),
        (
            "idle_in_transaction_session_timeout",
            milliseconds(limits.statement + Duration::from_secs(5)),
        ),
        ("idle_session_timeout", "0".to_owned()),
        ("lock_timeout", "0".to_owned()),
        // A library that does not exist would lock the role out.
        ("local_preload_libraries", String::new()),
        (
            "default_transaction_read_only",
            if identity.read_only { "on" } else { "off" }.to_owned(),
        ),
        ("default_transaction_isolation", "read committed".to_owned()),
        ("default_transaction_deferrable", "off".to_owned()),
        // A backend whose client is gone notices while it is still computing.
        ("client_connection_check_interval", "2000".to_owned()),
        // One request is one process: a tenant's share is counted in connections.
        ("max_parallel_workers_per_gather", "0".to_owned()),
        ("jit", "off".to_owned()),
        ("row_security", "on".to_owned()),
        ("plan_cache_mode", "auto".to_owned()),
        ("standard_conforming_strings", "on".to_owned()),
        ("transform_null_equals", "off".to_owned()),
        ("array_nulls", "on".to_owned()),
        ("xmloption", "content".to_owned()),
        ("xmlbinary", "base64".to_owned()),
        ("client_encoding", "UTF8".to_owned()),
        ("TimeZone", "UTC".to_owned()),
        ("DateStyle", "ISO, YMD".to_owned()),
        ("IntervalStyle", "postgres".to_owned()),
        ("bytea_output", "hex".to_owned()),
        ("extra_float_digits", "1".to_owned()),
    ];
    if let Some(kilobytes) = limits.work_mem_kb {
        settings.push(("work_mem", format!("{kilobytes}kB")));
    }
    settings
}

/// What the platform's own session starts with: no schema at all in its `search_path`, and no waiting for long on a lock.
fn platform_settings() -> Vec<(&'static str, String)> {
    vec![
        ("search_path", String::new()),
        ("statement_timeout", "0".to_owned()),
        ("lock_timeout", "20000".to_owned()),
        ("client_encoding", "UTF8".to_owned()),
        ("TimeZone", "UTC".to_owned()),
        ("DateStyle", "ISO, YMD".to_owned()),
        ("IntervalStyle", "postgres".to_owned()),
        ("extra_float_digits", "1".to_owned()),
    ]
}

/// Settings as the startup packet's `options`: blanks and backslashes are escaped by a backslash.
fn options(settings: &[(&str, String)]) -> String {
    settings
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            let _ = write!(text, "{}-c {name}=", if text.is_empty() { "" } else { " " });
            for letter in value.chars() {
                if letter.is_ascii_whitespace() || letter == '\\' {
                    text.push('\\');
                }
                text.push(letter);
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_escape_what_separates() {
        let settings = [
            ("a", "one two".to_owned()),
            ("b", String::new()),
            ("c", "\\\"x\"".to_owned()),
        ];
        assert_eq!(options(&settings), r#"-c a=one\ two -c b= -c c=\\"x""#);
    }

    #[test]
    fn password_is_per_role_and_per_secret() {
        let one = Credentials::Derived([1; 32]);
        let password = one.password("t_a").unwrap_or_default();
        assert_eq!(password.len(), 64);
        assert_ne!(Some(&password), one.password("t_b").as_ref());
        assert_ne!(
            Some(&password),
            Credentials::Derived([2; 32]).password("t_a").as_ref()
        );
        assert_eq!(Credentials::Trust.password("t_a"), None);
    }
}
