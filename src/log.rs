//! Log lines on standard error: readable on a terminal, JSON otherwise.

use std::io::{IsTerminal as _, stderr};

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Starts logging.
///
/// # Errors
/// When the filter can't be read.
pub fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    // Each migration's step is told twice by its library, and what the database notes about them once more. What a driver
    // tells of a statement quotes its values, rows and secrets among them.
    let quiet = "sea_orm_migration=warn,sqlx::postgres::notice=warn,tokio_postgres=info";
    let filter =
        EnvFilter::try_new(format!("{quiet},{filter}")).context("SANDLOT_LOG can't be read")?;
    let json = match format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = fmt().with_env_filter(filter).with_writer(stderr);
    let started = if json {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.with_ansi(stderr().is_terminal()).compact().try_init()
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}
