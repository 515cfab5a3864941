//! The template: migrated and seeded on the first start, copied for every tenant.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::{SinkExt as _, pin_mut};
use migration::MigratorTrait as _;
use parking_lot::RwLock;
use sea_orm::{ConnectOptions, Database};
use seed::crm::Crm;
use tenants::{Tenants, script::Script};

use crate::{
    config::Settings,
    problem::{Kind, Problem},
};

/// The schema that the template is in.
pub const SCHEMA: &str = "public";

/// The template that copies are made of.
#[derive(Clone)]
pub struct Template {
    tenants: Tenants,
    drawn: Arc<RwLock<Arc<Drawn>>>,
}

/// A version of the template and the script that copies it.
struct Drawn {
    version: i64,
    script: Script,
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
        migrate(tenants_url).await?;
        if version(tenants).await?.is_none() {
            fill(tenants, settings).await?;
        }
        tenants.grant_reader().await?;
        let drawn = Arc::new(draw(tenants).await?);
        Ok(Self {
            tenants: tenants.clone(),
            drawn: Arc::new(RwLock::new(drawn)),
        })
    }

    /// The version that copies are made of now.
    pub fn version(&self) -> i64 {
        self.drawn.read().version
    }

    /// Makes a copy in a fresh schema and hands it over to its role.
    ///
    /// # Errors
    /// `service-unavailable` if the database is out of reach, `internal-error` if it refuses the copy.
    pub async fn copy_to(&self, schema: &str, role: &str) -> Result<(), Problem> {
        let drawn = Arc::clone(&self.drawn.read());
        self.tenants.make_schema(schema, role).await?;
        let fill = self.tenants.fill(role).await?;
        drawn
            .script
            .replay_in(&*fill, schema, role)
            .await
            .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
        fill.commit().await?;
        Ok(())
    }

    /// Whether the template is there and whole.
    ///
    /// # Errors
    /// `service-unavailable` if it is not, or if the database is out of reach.
    pub async fn check(&self) -> Result<(), Problem> {
        match version(&self.tenants).await? {
            Some(_) => Ok(()),
            None => {
                Err(Problem::new(Kind::ServiceUnavailable).detail("The template is not there yet."))
            }
        }
    }
}

/// Applies the steps of `_sandlot` and of the template itself.
async fn migrate(tenants_url: &str) -> anyhow::Result<()> {
    let mut options = ConnectOptions::new(tenants_url);
    options
        .max_connections(1)
        .set_schema_search_path("_sandlot")
        .sqlx_logging(false);
    let db = Database::connect(options)
        .await
        .context("the tenants' database does not answer")?;
    migration::tenants::Migrator::up(&db, None)
        .await
        .context("migrating the schema _sandlot")?;
    migration::template::Migrator::up(&db, None)
        .await
        .context("migrating the template")?;
    db.close().await?;
    Ok(())
}

async fn version(tenants: &Tenants) -> Result<Option<i64>, tenants::Error> {
    let lease = tenants.platform().await?;
    let row = lease
        .query_opt("select version from _sandlot.template", &[])
        .await?;
    lease.finish();
    row.map(|row| row.try_get(0))
        .transpose()
        .map_err(Into::into)
}

async fn draw(tenants: &Tenants) -> anyhow::Result<Drawn> {
    let version = version(tenants)
        .await?
        .context("the template vanished while the server started")?;
    let mut client = tenants.connection().await?;
    let script = Script::read(&mut client, SCHEMA)
        .await
        .context("the template can't be copied")?;
    Ok(Drawn { version, script })
}

/// Writes the made-up rows, all in one transaction: a start that is killed leaves none.
async fn fill(tenants: &Tenants, settings: &Settings) -> anyhow::Result<()> {
    let crm = Crm::new(settings.template_seed, settings.template_scale);
    let mut bar = Bar::new(&crm);
    let lease = tenants.platform().await?;
    lease.begin().await?;
    for table in Crm::tables() {
        let sql = format!(
            "copy {SCHEMA}.{} ({}) from stdin",
            table.name,
            table.columns.join(", ")
        );
        let sink = lease.copy_in(&sql).await?;
        pin_mut!(sink);
        for chunk in 0..crm.chunks(table) {
            let mut lines = Vec::new();
            crm.copy(table, chunk, &mut lines);
            let rows = lines.iter().filter(|byte| **byte == b'\n').count();
            sink.send(Bytes::from(lines)).await?;
            bar.advance(table.name, rows as u64);
        }
        sink.finish().await?;
    }
    for table in Crm::tables() {
        if table.columns.contains(&"id") {
            // The next row that a client makes comes behind these; no effect where the key is no number.
            let sql = format!(
                "select setval(pg_get_serial_sequence('{SCHEMA}.{name}', 'id'), max(id)) from {SCHEMA}.{name}",
                name = table.name
            );
            lease.batch_execute(&sql).await?;
        }
    }
    lease
        .execute(
            "insert into _sandlot.template (version, source) values (1, $1)",
            &[&format!(
                "crm, seed {}, scale {}",
                settings.template_seed, settings.template_scale
            )],
        )
        .await?;
    lease.commit().await?;
    bar.finish();
    // The planner of every copy starts from these statistics' absence; the template's own reader should not.
    lease.batch_execute("analyze").await?;
    lease.finish();
    Ok(())
}

/// Progress of the first start: a bar on a terminal, a log line for each tenth otherwise.
struct Bar {
    done: u64,
    total: u64,
    told: u64,
    terminal: bool,
}

impl Bar {
    fn new(crm: &Crm) -> Self {
        let total = Crm::tables().iter().map(|table| crm.rows(table)).sum();
        tracing::info!(rows = total, "making the template");
        Self {
            done: 0,
            total,
            told: 0,
            terminal: stderr().is_terminal(),
        }
    }

    fn advance(&mut self, table: &str, rows: u64) {
        self.done += rows;
        let percent = self.done * 100 / self.total.max(1);
        if self.terminal {
            if percent != self.told {
                let filled = "#".repeat((percent / 4) as usize);
                let _ = write!(stderr(), "\r[{filled:25}] {percent:3} % {table:20}");
                self.told = percent;
            }
        } else if percent / 10 != self.told / 10 {
            tracing::info!(percent, table, "making the template");
            self.told = percent;
        }
    }

    fn finish(&self) {
        if self.terminal {
            let _ = writeln!(stderr());
        }
        tracing::info!(rows = self.done, "the template is ready");
    }
}
