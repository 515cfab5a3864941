//! The two databases: on an own Postgres, or on the servers that the settings name.

use std::str::FromStr as _;

use anyhow::Context as _;

use crate::{
    config::Settings,
    postgres::{self, Embedded, Options},
};

/// Name of the platform's database on the own Postgres.
pub const PLATFORM: &str = "sandlot";
/// Name of the tenants' database on the own Postgres.
pub const TENANTS: &str = "sandlot_tenants";
/// The platform's role on the own Postgres.
pub const ROLE: &str = "sandlot";

/// Where the two databases are.
pub struct Databases {
    /// The own Postgres, if this process has started it.
    pub embedded: Option<Embedded>,
    /// Whether it is an own Postgres, whoever has started it: then nobody needs a password.
    pub own: bool,
    /// Address of the platform's database.
    pub platform_url: String,
    /// Address of the tenants' database.
    pub tenants_url: String,
}

impl Databases {
    /// Starts the own Postgres, or takes the addresses of the settings.
    ///
    /// # Errors
    /// When the own Postgres can't be found or started.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        if let (Some(platform), Some(tenants)) = (&settings.database_url, &settings.tenants_url) {
            return Ok(Self {
                embedded: None,
                own: false,
                platform_url: platform.clone(),
                tenants_url: tenants.clone(),
            });
        }
        let mut options = Options::new(&settings.data_dir);
        options.bin_dir = settings.pg_bin.clone();
        options.process_memory = Some(settings.process_memory).filter(|megabytes| *megabytes > 0);
        options.settings.push((
            "max_connections".to_owned(),
            (settings.connections + 40 + direct(settings)).to_string(),
        ));
        tracing::info!(data_dir = %settings.data_dir.display(), "starting PostgreSQL");
        let embedded = Embedded::start(options).await.context(
            "the own PostgreSQL can't be used (SANDLOT_PG_BIN names the folder of its programs)",
        )?;
        if let Some(note) = embedded.note() {
            tracing::info!("{note}");
        }
        Ok(Self {
            platform_url: embedded.url(ROLE, PLATFORM),
            tenants_url: embedded.url(ROLE, TENANTS),
            embedded: Some(embedded),
            own: true,
        })
    }

    /// The same, or the own Postgres that another process has started and is running.
    ///
    /// # Errors
    /// When there is neither.
    pub async fn join(settings: &Settings) -> anyhow::Result<Self> {
        let external = settings.database_url.is_some();
        match postgres::running(&settings.data_dir).filter(|_| !external) {
            Some(running) => Ok(Self {
                platform_url: running.url(ROLE, PLATFORM),
                tenants_url: running.url(ROLE, TENANTS),
                embedded: None,
                own: true,
            }),
            None => Self::open(settings).await,
        }
    }

    /// How the platform's role logs in to the tenants' database.
    ///
    /// # Errors
    /// When the address can't be read.
    pub fn tenants_config(&self) -> anyhow::Result<tokio_postgres::Config> {
        match &self.embedded {
            Some(embedded) => Ok(embedded.config(ROLE, TENANTS)),
            None => tokio_postgres::Config::from_str(&self.tenants_url)
                .context("SANDLOT_TENANTS_URL can't be read"),
        }
    }

    /// Stops the own Postgres, if there is one.
    pub async fn close(&self) {
        if let Some(embedded) = &self.embedded {
            tracing::info!("stopping PostgreSQL");
            embedded.stop().await;
        }
    }
}

/// Connections of tenants' own programs.
fn direct(settings: &Settings) -> u32 {
    match settings.direct_listen {
        Some(_) => settings.direct_connections,
        None => 0,
    }
}
