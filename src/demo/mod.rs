//! Demo mode: a masked copy of the template that anybody may use, and in which nobody can keep a write.
//!
//! Masked at rest: the rows of a demo are made up when it is made, so nothing is to be hidden on the way out (I10). A new
//! demo is made under other names than the one before, and served from one request to the next; the old one stays until
//! no request can be on it any more.

mod build;
mod checks;
mod facts;
mod guesses;
mod kin;
mod literals;
mod make;
mod names;
mod pattern;
mod record;
mod report;
mod rows;
mod rules;
mod shapes;
mod token;
mod totals;
mod typed;
mod verdict;
mod worked;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, Statement,
    TransactionTrait,
};
use tenants::{Identity, Tenants};
use tokio::sync::watch;

use crate::{
    config::Settings,
    problem::{Kind, Problem},
    template::{self, Template},
};

pub use report::Report;
pub use rules::Rules;
pub use token::Token;

/// How often is looked whether a newer demo is there, or one has to be made.
const EVERY: Duration = Duration::from_secs(1);
/// How long an old demo stays, for the requests that are on it: longer than one may take.
const GRACE: TimeDelta = TimeDelta::seconds(150);
/// How long nothing is tried after a demo could not be made.
const REST: Duration = Duration::from_secs(60);
/// How long a request waits for the first demo.
const PATIENCE: Duration = Duration::from_secs(5);
/// Key of the lock that one server at a time makes a demo under.
const TURN: i64 = 0x5a4d_0060;

/// What the rules of the CRM say.
const CRM: &str = include_str!("crm.rules");

/// The demo: which one is served, and the making of new ones.
#[derive(Clone)]
pub struct Demo {
    db: DatabaseConnection,
    tenants: Tenants,
    template: Template,
    token: Token,
    on: bool,
    refresh: Option<TimeDelta>,
    rules: Option<PathBuf>,
    current: Arc<watch::Sender<Option<Arc<Generation>>>>,
}

/// One masked copy, as requests see it.
#[derive(Debug)]
pub struct Generation {
    /// Given by the database; the newest is served.
    pub id: i64,
    /// How to log in to it.
    pub identity: Identity,
    /// What its values follow from.
    pub seed: i64,
    /// What it is a copy of.
    pub template_version: i64,
    /// When it was finished.
    pub made_at: Option<DateTime<Utc>>,
    /// What checks deferrable constraints before a write is rolled back.
    pub late: Arc<str>,
}

impl Demo {
    /// A demo of the template; nothing is made yet.
    pub fn new(
        db: DatabaseConnection,
        tenants: Tenants,
        template: Template,
        secret: &[u8],
        settings: &Settings,
    ) -> Self {
        Self {
            db,
            tenants,
            template,
            token: Token::derived(secret),
            on: settings.demo,
            refresh: (settings.demo_refresh > 0)
                .then(|| TimeDelta::hours(i64::from(settings.demo_refresh))),
            rules: settings.demo_rules.clone(),
            current: Arc::new(watch::channel(None).0),
        }
    }

    /// The public token, if there is a demo to use it on.
    pub fn token(&self) -> Option<&Token> {
        (self.on || self.current.borrow().is_some()).then_some(&self.token)
    }

    /// After how long its values are made anew, if they are.
    pub fn refreshed_every(&self) -> Option<TimeDelta> {
        self.refresh.filter(|_| self.on)
    }

    /// The demo that is served, if it is made already.
    pub fn served(&self) -> Option<Arc<Generation>> {
        self.current.borrow().clone()
    }

    /// The demo that is served; waited for a little where the first one is being made.
    ///
    /// # Errors
    /// `service-unavailable` if it is not there yet.
    pub async fn here(&self) -> Result<Arc<Generation>, Problem> {
        let mut current = self.current.subscribe();
        let there = tokio::time::timeout(PATIENCE, current.wait_for(Option::is_some)).await;
        let generation = there
            .ok()
            .and_then(Result::ok)
            .and_then(|generation| generation.clone());
        generation.ok_or_else(|| {
            Problem::new(Kind::ServiceUnavailable)
                .detail("The demo is being made. Try it again in a few seconds.")
                .header("retry-after", "3")
        })
    }

    /// Keeps a demo there and fresh, for as long as the server runs.
    pub async fn keep_fresh(&self) {
        if !self.on {
            return;
        }
        loop {
            let wait = match self.tend().await {
                Ok(()) => EVERY,
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "the demo could not be made");
                    REST
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Makes a new demo now, and serves it.
    ///
    /// # Errors
    /// When it can't be made; the one before stays.
    pub async fn refresh(&self, seed: Option<u64>) -> anyhow::Result<Arc<Generation>> {
        let turn = self.db.begin().await?;
        turn.execute_unprepared("set local lock_timeout = 0")
            .await?;
        lock(&turn, "select pg_advisory_xact_lock($1)").await?;
        let generation = self.make(seed).await?;
        turn.commit().await?;
        Ok(generation)
    }

    /// What became of each column, in the demo that is served.
    ///
    /// # Errors
    /// When there is none.
    pub async fn explain(&self) -> anyhow::Result<Report> {
        let row = record::current(&self.db)
            .await?
            .context("there is no demo yet")?;
        Ok(serde_json::from_value(row.report)?)
    }

    /// Schemas and roles of demos.
    ///
    /// # Errors
    /// When the platform's database is out of reach.
    pub async fn names(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
        let rows = record::all(db).await?;
        Ok(rows
            .into_iter()
            .flat_map(|row| [row.schema, row.role])
            .collect())
    }

    async fn tend(&self) -> anyhow::Result<()> {
        let rows = record::all(&self.db).await?;
        let current = record::newest(&rows);
        if let Some(row) = current {
            self.serve(row);
        }
        let due = match current {
            None => true,
            Some(row) => {
                let old = self
                    .refresh
                    .zip(row.made_at)
                    .is_some_and(|(every, made)| Utc::now() - made >= every);
                old || row.template_version != self.template.version()
            }
        };
        if !due && !rows.iter().any(|row| is_over(row, current)) {
            return Ok(());
        }
        let turn = self.db.begin().await?;
        if !lock(&turn, "select pg_try_advisory_xact_lock($1)").await? {
            return Ok(());
        }
        // Somebody else may have made one between the look and the lock.
        let now = record::current(&self.db).await?;
        if due && now.map(|row| row.id) == current.map(|row| row.id) {
            self.make(None).await?;
        }
        self.discard_old().await?;
        turn.commit().await?;
        Ok(())
    }

    /// Makes a demo; the caller holds the lock.
    async fn make(&self, seed: Option<u64>) -> anyhow::Result<Arc<Generation>> {
        let seed = seed.unwrap_or_else(rand::random) & (i64::MAX as u64);
        let rules = self.read_rules().await?;
        self.template
            .refresh()
            .await
            .map_err(|problem| match problem.source {
                Some(source) => anyhow::anyhow!("{source}"),
                None => anyhow::anyhow!("{problem}"),
            })?;
        let version = self.template.current();
        let row = record::begin(&self.db, seed as i64, version.number).await?;
        let started = std::time::Instant::now();
        let made = match build::build(
            &self.tenants,
            &version,
            (&row.schema, &row.role),
            seed,
            &rules,
        )
        .await
        {
            Ok(made) => made,
            Err(error) => {
                self.discard(&row).await?;
                return Err(error);
            }
        };
        for (table, why) in &made.report.empty {
            tracing::warn!(table, why, "a table of the demo is empty");
        }
        let report = serde_json::to_value(&made.report)?;
        let row = record::finish(&self.db, row.id, version.number, made.late, report).await?;
        tracing::info!(
            seed,
            took = started.elapsed().as_secs_f32(),
            "the demo is made"
        );
        Ok(self.serve(&row))
    }

    async fn read_rules(&self) -> anyhow::Result<Rules> {
        let source = template::source(&self.tenants).await?.unwrap_or_default();
        let mut rules = Rules::default();
        if source.starts_with(&format!("{}, ", template::CRM)) {
            rules = rules.read(CRM).context("the rules of the CRM")?;
        }
        if let Some(file) = &self.rules {
            let text = tokio::fs::read_to_string(file)
                .await
                .with_context(|| format!("reading {} (SANDLOT_DEMO_RULES)", file.display()))?;
            rules = rules
                .read(&text)
                .with_context(|| format!("{} (SANDLOT_DEMO_RULES)", file.display()))?;
        }
        Ok(rules)
    }

    fn serve(&self, row: &record::Model) -> Arc<Generation> {
        if let Some(current) = self.current.borrow().as_ref()
            && current.id >= row.id
        {
            return Arc::clone(current);
        }
        let generation = Arc::new(Generation {
            id: row.id,
            identity: Identity {
                role: row.role.clone(),
                schema: row.schema.clone(),
                read_only: false,
            },
            seed: row.seed,
            template_version: row.template_version,
            made_at: row.made_at,
            late: row.late.as_str().into(),
        });
        self.current.send_replace(Some(Arc::clone(&generation)));
        generation
    }

    /// Removes demos that no request can be on, and those whose maker died: only we make any now.
    async fn discard_old(&self) -> anyhow::Result<()> {
        let rows = record::all(&self.db).await?;
        let current = record::newest(&rows);
        for row in &rows {
            if is_over(row, current) {
                self.discard(row).await?;
            }
        }
        Ok(())
    }

    async fn discard(&self, row: &record::Model) -> anyhow::Result<()> {
        self.tenants.remove(&row.schema, &row.role).await?;
        record::Entity::delete_by_id(row.id).exec(&self.db).await?;
        Ok(())
    }
}

/// Whether a demo can go: a newer one has been served for a while, or nobody makes it any more.
fn is_over(row: &record::Model, current: Option<&record::Model>) -> bool {
    let newer = current.filter(|current| current.id > row.id);
    match (newer, row.made_at) {
        (Some(newer), _) => newer.made_at.is_some_and(|made| Utc::now() - made > GRACE),
        (None, None) => true,
        (None, Some(_)) => false,
    }
}

/// Takes the turn until the transaction's end; whether it was to be had.
async fn lock(turn: &DatabaseTransaction, sql: &str) -> Result<bool, DbErr> {
    let statement = Statement::from_sql_and_values(turn.get_database_backend(), sql, [TURN.into()]);
    let row = turn.query_one_raw(statement).await?;
    // The lock that is waited for says nothing.
    Ok(row.is_some_and(|row| row.try_get_by_index::<bool>(0).unwrap_or(true)))
}
