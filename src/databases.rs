//! The two databases: on an own Postgres, or on the servers that the settings name.

use std::str::FromStr as _;

use anyhow::Context as _;

use crate::{
    config::Settings,
    postgres::{Embedded, Options},
};

/// Name of the platform's database on the own Postgres.
pub const PLATFORM: &str = "sandlot";
/// Name of the tenants' database on the own Postgres.
pub const TENANTS: &str = "sandlot_tenants";
/// The platform's role on the own Postgres.
pub const ROLE: &str = "sandlot";

/// Where the two databases are.
pub struct Databases {
    /// The own Postgres, if there is one.
    pub embedded: Option<Embedded>,
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
                platform_url: platform.clone(),
                tenants_url: tenants.clone(),
            });
        }
        let mut options = Options::new(&settings.data_dir);
        options.bin_dir = settings.pg_bin.clone();
        options.settings.push((
            "max_connections".to_owned(),
            (settings.connections + 40).to_string(),
        ));
        tracing::info!(data_dir = %settings.data_dir.display(), "starting PostgreSQL");
        let embedded = Embedded::start(options)
            .await
            .context("the own PostgreSQL can't be used (SANDLOT_PG_BIN names the folder of its programs)")?;
        if let Some(note) = embedded.note() {
            tracing::info!("{note}");
        }
        Ok(Self {
            platform_url: embedded.url(ROLE, PLATFORM),
            tenants_url: embedded.url(ROLE, TENANTS),
            embedded: Some(embedded),
        })
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
