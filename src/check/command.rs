//! The command `sandlot check`: beside a running server, or with everything started for it.

use std::{
    io::{Write as _, stdout},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{net::TcpListener, sync::watch};

use crate::{app::App, config::Settings, databases::Databases, serve};

use super::{Report, entrance::Entrance, life, run};

/// Time limit of a request while checking, so that what tries to outlast it does not take a minute.
const REQUEST: u64 = 4;
/// Connections that the check's own server may open beside those of the running one.
const CONNECTIONS: u32 = 12;

/// Checks the installation of `settings` and prints what came of it; true if no wall was broken.
///
/// It serves the same databases as the running server does, under an address of its own: whatever holds the
/// walls is in the databases and in this program.
///
/// # Errors
/// When the installation can't be reached or the throw-away tenants not be made or removed.
pub async fn check(mut settings: Settings, json: bool) -> anyhow::Result<bool> {
    settings.request_timeout = REQUEST;
    settings.connections = settings.connections.min(CONNECTIONS);
    settings.connections_per_tenant = settings.connections_per_tenant.min(2);
    let databases = Databases::join(&settings).await?;
    let outcome = tokio::select! {
        outcome = on(&settings, &databases) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    databases.close().await;
    let report = outcome?;
    let text = if json {
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        report.text()
    };
    stdout().write_all(text.as_bytes())?;
    Ok(report.holds())
}

async fn on(settings: &Settings, databases: &Databases) -> anyhow::Result<Report> {
    let app = App::open(settings, databases).await?;
    let weaknesses = app.tenants.prepare(None).await?;
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .context("can't listen for the check")?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn({
        let (settings, app) = (settings.clone(), Arc::clone(&app));
        async move { serve::run(&settings, app, listener, stopped).await }
    });
    let entrance = Entrance::own(app.tenants.clone());
    let outcome = tokio::select! {
        outcome = run(&app, address, &entrance, &weaknesses) => outcome,
        _ = tokio::signal::ctrl_c() => {
            life::clear_now(&app).await?;
            Err(anyhow::anyhow!("interrupted; the throw-away tenants are removed"))
        }
    };
    stop.send_replace(true);
    let _ = tokio::time::timeout(Duration::from_secs(15), serving).await;
    outcome
}
