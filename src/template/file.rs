//! A template from a file: read, loaded when it is another than the last, and noted by its hash.

use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use tenants::Tenants;

use super::{load, source};

/// Loads the file unless the template was made from it already; says whether it did.
///
/// # Errors
/// When the file can't be read, or is refused; the template stays as it was.
pub async fn load_if_changed(tenants: &Tenants, file: &Path) -> anyhow::Result<bool> {
    let (sql, name) = read(file).await?;
    if source(tenants).await?.as_deref() == Some(&name) {
        return Ok(false);
    }
    replace(tenants, file, &sql, &name).await?;
    Ok(true)
}

/// Loads the file, also if the template was made from it before.
///
/// # Errors
/// When the file can't be read, or is refused; the template stays as it was.
pub async fn load_anew(tenants: &Tenants, file: &Path) -> anyhow::Result<()> {
    let (sql, name) = read(file).await?;
    replace(tenants, file, &sql, &name).await
}

/// The file's text, and the name that is kept of it.
async fn read(file: &Path) -> anyhow::Result<(String, String)> {
    let sql = tokio::fs::read_to_string(file)
        .await
        .with_context(|| format!("reading the template {}", file.display()))?;
    let hash = hex::encode(Sha256::digest(sql.as_bytes()));
    let name = file
        .file_name()
        .unwrap_or(file.as_os_str())
        .to_string_lossy();
    let name = format!("file {name}, sha256 {hash}");
    Ok((sql, name))
}

async fn replace(tenants: &Tenants, file: &Path, sql: &str, name: &str) -> anyhow::Result<()> {
    tracing::info!(file = %file.display(), "loading the template");
    let mut client = tenants.connection().await?;
    load::load(&mut client, sql, name)
        .await
        .with_context(|| format!("the template {} was not loaded", file.display()))
}
