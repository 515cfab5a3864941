//! API tokens: what a program may do with one tenant, and how a token is known again.
//!
//! A token is looked up by its hash in a cache that is a second old at most, on this server and
//! on others; what this server changed itself it knows at once.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use moka::future::Cache;
use parking_lot::Mutex;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, Statement,
};
use serde::{Deserialize, Serialize};

use crate::problem::{Kind as ProblemKind, Problem};

pub mod places;
pub mod record;
pub mod secret;
pub mod signature;

use places::Net;
use secret::{Hash, Key};

/// Longest time for which a token may be out of date: with the time of a look-up, below a second.
const FRESH: Duration = Duration::from_millis(900);

/// How often it is written down when tokens were used.
const WRITTEN_DOWN: Duration = Duration::from_secs(5);

/// What a part of the API asks of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Tables over REST and GraphQL.
    Tables,
    /// Views and reports.
    Views,
    /// The GraphQL endpoint.
    Graphql,
    /// Anything that changes rows.
    Write,
    /// The SQL endpoint.
    Sql,
}

impl Scope {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 5] = [
        Self::Tables,
        Self::Views,
        Self::Graphql,
        Self::Write,
        Self::Sql,
    ];

    /// The word that the API uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Views => "views",
            Self::Graphql => "graphql",
            Self::Write => "write",
            Self::Sql => "sql",
        }
    }

    /// The scope of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Programs.
    Standard,
    /// Addresses of frames on other pages: it only reads, and may come in the address.
    Embed,
    /// Everybody, on made-up data.
    Demo,
}

impl Kind {
    /// The word that the API uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Embed => "embed",
            Self::Demo => "demo",
        }
    }

    /// The kind of that word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Standard, Self::Embed, Self::Demo]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// A token as requests meet it.
#[derive(Clone)]
pub struct Token {
    /// Given by the database.
    pub id: i64,
    /// Whose data it opens.
    pub tenant_id: i64,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// The only tables that it reaches; empty for all.
    pub allowed_tables: BTreeSet<String>,
    /// The only views that it reaches; empty for all.
    pub allowed_views: BTreeSet<String>,
    /// What its requests are signed with, if they are.
    pub hmac_secret: Option<String>,
    /// Where its requests come from; empty for everywhere.
    pub addresses: Vec<Net>,
    /// Which pages its requests come from; empty for all, and for no page.
    pub domains: Vec<String>,
    /// Requests a minute, if not as many as the server allows by default.
    pub rate_limit: Option<u32>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Token {
    /// Whether it has the scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Whether it may change rows.
    pub fn writes(&self) -> bool {
        self.has(Scope::Write) && self.kind != Kind::Embed
    }

    /// Whether requests may come from the address.
    pub fn takes_address(&self, address: Option<IpAddr>) -> bool {
        self.addresses.is_empty()
            || address.is_some_and(|address| self.addresses.iter().any(|net| net.holds(address)))
    }

    /// Whether requests may come from a page of the origin.
    pub fn takes_origin(&self, origin: Option<&str>) -> bool {
        self.domains.is_empty()
            || origin.is_some_and(|origin| {
                let mut entries = self.domains.iter();
                entries.any(|entry| places::is_origin_of(origin, entry))
            })
    }
}

impl std::fmt::Debug for Token {
    /// Without its secret: who asks is logged at times.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .field("tenant_id", &self.tenant_id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A token and the key of its tenant.
#[derive(Clone, Debug)]
pub struct Known {
    /// The token.
    pub token: Arc<Token>,
    /// The `Api-Key` of its tenant.
    pub api_key: String,
    /// When the database was asked.
    asked: Instant,
}

/// The tokens of all tenants, looked up by hash.
pub struct Tokens {
    db: DatabaseConnection,
    key: Key,
    by_hash: Cache<Hash, Option<Known>>,
    /// Tokens that this server changed a moment ago: what was asked before that is out of date.
    changed: Mutex<HashMap<i64, Instant>>,
    /// When tokens were used since that was last written down.
    used: Mutex<HashMap<i64, DateTime<Utc>>>,
}

impl Tokens {
    /// The tokens in the platform's database; secrets of signatures follow from `server`.
    pub fn new(db: DatabaseConnection, server: &[u8; 32]) -> Self {
        let by_hash = Cache::builder()
            .max_capacity(10_000)
            .time_to_live(FRESH)
            .build();
        Self {
            db,
            key: Key::new(server),
            by_hash,
            changed: Mutex::default(),
            used: Mutex::default(),
        }
    }

    /// The platform's database, for what changes tokens.
    pub fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    /// The secret for signatures that goes with a record's salt.
    pub fn hmac_secret(&self, salt: &[u8]) -> String {
        self.key.secret(salt)
    }

    /// The token of a text; none if it was never issued or is revoked.
    ///
    /// # Errors
    /// `invalid-token` if the text has not the shape of one, `service-unavailable` if the
    /// platform's database is out of reach.
    pub async fn find(&self, text: &str) -> Result<Option<Known>, Problem> {
        let Some(hash) = secret::hash(text) else {
            return Err(Problem::new(ProblemKind::InvalidToken).detail(
                "An API token is `dba_` and 48 hexadecimal digits in lower case; this is another text.",
            ));
        };
        // What is not known is kept as well, so that guessing costs the database little.
        let known = self.by_hash.try_get_with(hash, self.ask(hash)).await;
        let known = known.map_err(|shared| {
            // One failure answers all that waited for the same token.
            Arc::try_unwrap(shared)
                .unwrap_or_else(|shared| Problem::new(shared.kind).detail(shared.detail.clone()))
        })?;
        match known {
            Some(known) if self.is_outdated(&known) => {
                self.by_hash.invalidate(&hash).await;
                self.ask(hash).await
            }
            known => Ok(known),
        }
    }

    /// Notes that this server has changed a token, or taken it away.
    pub fn forget(&self, id: i64) {
        let now = Instant::now();
        let mut changed = self.changed.lock();
        changed.retain(|_, at| now.duration_since(*at) < 2 * FRESH);
        changed.insert(id, now);
    }

    /// Notes that a token was used, to be written down later.
    pub fn used(&self, id: i64, now: DateTime<Utc>) {
        self.used.lock().insert(id, now);
    }

    /// Writes down when tokens were used since the last time.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach; nothing is forgotten.
    pub async fn write_down(&self) -> Result<(), Problem> {
        let used = mem::take(&mut *self.used.lock());
        if used.is_empty() {
            return Ok(());
        }
        let list: Vec<_> = used
            .iter()
            .map(|(id, at)| serde_json::json!({"id": id, "at": at}))
            .collect();
        let written = self
            .db
            .execute_raw(Statement::from_sql_and_values(
                self.db.get_database_backend(),
                "update tokens t set last_used_at = greatest(t.last_used_at, u.at) \
                 from jsonb_to_recordset($1) as u (id bigint, at timestamptz) where t.id = u.id",
                [serde_json::Value::Array(list).into()],
            ))
            .await;
        if let Err(error) = written {
            let mut newer = self.used.lock();
            for (id, at) in used {
                newer.entry(id).or_insert(at);
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// Writes down when tokens were used, every few seconds.
    pub async fn keep_writing_down(&self) {
        loop {
            tokio::time::sleep(WRITTEN_DOWN).await;
            if let Err(problem) = self.write_down().await {
                tracing::warn!(%problem, "when tokens were used could not be written down");
            }
        }
    }

    fn is_outdated(&self, known: &Known) -> bool {
        let changed = self.changed.lock();
        changed
            .get(&known.token.id)
            .is_some_and(|at| known.asked <= *at)
    }

    async fn ask(&self, hash: Hash) -> Result<Option<Known>, Problem> {
        let asked = Instant::now();
        let found = record::Entity::find()
            .filter(record::Column::Hash.eq(hash.to_vec()))
            .one(&self.db)
            .await?;
        let Some(record) = found else {
            return Ok(None);
        };
        let tenant = crate::directory::tenant::Entity::find_by_id(record.tenant_id)
            .one(&self.db)
            .await?;
        Ok(match tenant {
            Some(tenant) => Some(Known {
                token: Arc::new(record.token(&self.key)?),
                api_key: tenant.api_key,
                asked,
            }),
            None => None,
        })
    }
}
