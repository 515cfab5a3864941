//! The template: migrated and seeded on the first start, copied for every tenant.

use std::sync::Arc;

use anyhow::Context as _;
use migration::MigratorTrait as _;
use parking_lot::RwLock;
use sea_orm::{ConnectOptions, Database};
use tenants::{Tenants, certify::Digest, script};
use tokio_postgres::Client;

use crate::{
    config::Settings,
    problem::{Kind, Problem},
};

pub mod file;
pub mod load;
mod seeding;
mod versions;

pub use seeding::NAME as CRM;
pub use versions::Version;

/// The schema that the template is in.
pub const SCHEMA: &str = "public";

/// How often a copy is begun again because the template changed under it.
const TRIES: usize = 5;

/// The template that copies are made of.
#[derive(Clone)]
pub struct Template {
    tenants: Tenants,
    state: Arc<RwLock<State>>,
    loaded: bool,
}

struct State {
    version: Arc<Version>,
    /// What the last look saw; another hint calls for a closer look.
    hint: (i64, i64),
}

impl Template {
    /// Brings the template's tables up to date, fills them on the first start, and draws up the script.
    ///
    /// # Errors
    /// When the database refuses a step, or holds a template that can't be copied.
    pub async fn open(
        tenants: &Tenants,
        tenants_url: &str,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        migrate(tenants_url, Part::Platform).await?;
        let mut loaded = false;
        match &settings.template_file {
            Some(file) => loaded = file::load_if_changed(tenants, file).await?,
            None => {
                let source = source(tenants).await?;
                // A template of the operator's own is left alone.
                if source
                    .as_ref()
                    .is_none_or(|source| source.starts_with(seeding::NAME))
                {
                    migrate(tenants_url, Part::Crm).await?;
                }
                if source.is_none() {
                    seeding::fill(tenants, settings).await?;
                }
            }
        }
        tenants.grant_reader().await?;
        let hint = versions::hint(tenants).await?;
        let version = Arc::new(versions::current(tenants).await?);
        Ok(Self {
            tenants: tenants.clone(),
            state: Arc::new(RwLock::new(State { version, hint })),
            loaded,
        })
    }

    /// Whether opening it loaded it from the file of the settings.
    pub fn was_loaded(&self) -> bool {
        self.loaded
    }

    /// The number of the version that copies are made of now.
    pub fn version(&self) -> i64 {
        self.current().number
    }

    /// The version that copies are made of now, with its script.
    pub fn current(&self) -> Arc<Version> {
        Arc::clone(&self.state.read().version)
    }

    /// Makes a copy in a fresh schema, hands it over to its role, and says of which version it is.
    ///
    /// # Errors
    /// `service-unavailable` if the database is out of reach, `internal-error` if it refuses the copy.
    pub async fn copy_to(&self, schema: &str, role: &str) -> Result<i64, Problem> {
        self.tenants.make_schema(schema, role).await?;
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.tenants.clear_schema(schema, role).await?;
            }
            let version = self.current();
            let fill = match self.tenants.copy(&version.script, schema, role).await {
                Ok(fill) => fill,
                Err(script::Error::Stale) => {
                    self.look().await?;
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            // In the transaction that copied, so this is what was copied.
            let rows = versions::rows(&*fill).await.map_err(tenants::Error::from)?;
            if rows == version.rows {
                fill.commit().await?;
                return Ok(version.number);
            }
            drop(fill);
            self.look().await?;
        }
        Err(Problem::new(Kind::ServiceUnavailable)
            .detail("The template keeps changing; no copy of it could be made."))
    }

    /// Looks whether the template has changed, and says whether it has.
    ///
    /// # Errors
    /// `service-unavailable` if the database is out of reach, `internal-error` if the template
    /// can't be copied any more.
    pub async fn refresh(&self) -> Result<bool, Problem> {
        let hint = versions::hint(&self.tenants).await.map_err(unreadable)?;
        if hint == self.state.read().hint {
            return Ok(false);
        }
        let before = self.version();
        self.look().await?;
        self.state.write().hint = hint;
        Ok(self.version() != before)
    }

    /// The digest of a version, to compare copies with.
    ///
    /// # Errors
    /// `not-found` if there never was such a version.
    pub async fn digest(&self, version: i64) -> Result<Digest, Problem> {
        versions::digest_of(&self.tenants, version)
            .await?
            .ok_or_else(|| {
                Problem::new(Kind::NotFound)
                    .detail("The version of the template that this is a copy of is not known.")
            })
    }

    /// Bytes on disk of the template's tables and indexes.
    ///
    /// # Errors
    /// `service-unavailable` if the database is out of reach.
    pub async fn size(&self) -> Result<u64, Problem> {
        Ok(versions::size(&self.tenants).await?)
    }

    /// Whether the rows that a transaction sees are those of a version.
    ///
    /// # Errors
    /// When the database goes away.
    pub async fn holds(version: &Version, tx: &Client) -> Result<bool, tenants::Error> {
        Ok(versions::rows(tx).await? == version.rows)
    }

    /// Whether the template is there and whole.
    ///
    /// # Errors
    /// `service-unavailable` if it is not, or if the database is out of reach.
    pub async fn check(&self) -> Result<(), Problem> {
        match source(&self.tenants).await? {
            Some(_) => Ok(()),
            None => {
                Err(Problem::new(Kind::ServiceUnavailable).detail("The template is not there yet."))
            }
        }
    }

    pub(crate) async fn look(&self) -> Result<(), Problem> {
        let version = versions::current(&self.tenants).await.map_err(unreadable)?;
        if version.number != self.version() {
            self.tenants.grant_reader().await?;
        }
        self.state.write().version = Arc::new(version);
        Ok(())
    }
}

fn failed(error: script::Error) -> Problem {
    match error {
        script::Error::Tenants(error) => error.into(),
        script::Error::Postgres(error) => tenants::Error::from(error).into(),
        error => Problem::new(Kind::InternalError).because(error),
    }
}

fn unreadable(error: anyhow::Error) -> Problem {
    match error.downcast::<tenants::Error>() {
        Ok(error) => error.into(),
        Err(error) => Problem::new(Kind::InternalError).because(error),
    }
}

/// Which steps are applied.
#[derive(Clone, Copy)]
enum Part {
    /// Those of the schema `_sandlot`.
    Platform,
    /// Those of the template that ships.
    Crm,
}

async fn migrate(tenants_url: &str, part: Part) -> anyhow::Result<()> {
    let mut options = ConnectOptions::new(tenants_url);
    options
        .max_connections(1)
        .set_schema_search_path("_sandlot")
        .sqlx_logging(false);
    let db = Database::connect(options)
        .await
        .context("the tenants' database does not answer")?;
    match part {
        Part::Platform => migration::tenants::Migrator::up(&db, None)
            .await
            .context("migrating the schema _sandlot")?,
        Part::Crm => migration::template::Migrator::up(&db, None)
            .await
            .context("migrating the template")?,
    }
    db.close().await?;
    Ok(())
}

/// What the template was made from; none before it is whole.
pub(crate) async fn source(tenants: &Tenants) -> Result<Option<String>, tenants::Error> {
    let lease = tenants.platform().await?;
    let row = lease
        .query_opt("select source from _sandlot.template", &[])
        .await?;
    lease.finish();
    row.map(|row| row.try_get(0))
        .transpose()
        .map_err(Into::into)
}
