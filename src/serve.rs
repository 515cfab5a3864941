//! Starting everything, serving, and stopping in order.

use std::{
    io::{Write as _, stderr, stdout},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    app::{self, App},
    config::Settings,
    databases::Databases,
    edge::{Door, Edge, Limits, cors::Cors, listen as sockets, render::Renderer},
    reference::platform_spec,
};

/// Time for what is in flight to end, once asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT, then ends what is in flight and stops what it started.
///
/// # Errors
/// When a part can't be started; the message names the part and the remedy.
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut stop = stop_signals()?;
    let databases = tokio::select! {
        databases = Databases::open(&settings) => databases?,
        () = stopped(&mut stop) => return Ok(()),
    };
    let outcome = tokio::select! {
        app = App::open(&settings, &databases) => match app {
            Ok(app) => listen(&settings, app, stop.clone()).await,
            Err(error) => Err(error),
        },
        // Everything before the first request can be begun again by the next start.
        () = stopped(&mut stop) => Ok(()),
    };
    databases.close().await;
    outcome
}

async fn listen(
    settings: &Settings,
    app: Arc<App>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("can't listen on {} (SANDLOT_LISTEN)", settings.listen))?;
    let address = listener.local_addr()?;
    let token = app.demo.token().map(|token| token.as_str().to_owned());
    announce(
        &address.to_string(),
        &public_url(settings, &listener)?,
        token.as_deref(),
    );
    run(settings, app, listener, stop).await
}

/// Serves an opened app on a bound listener until `stop` becomes true.
///
/// # Errors
/// When the listener fails.
pub async fn run(
    settings: &Settings,
    app: Arc<App>,
    listener: TcpListener,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    app.open_door(settings).await?;
    let public_url = public_url(settings, &listener)?;
    let document = platform_spec::finish(&app::service().spec())
        .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    let renderer = Renderer::new(public_url.clone(), platform_spec::methods(&document));
    let edge = Edge::new(
        app::routes(&app, &public_url, &document, settings.body_limit),
        Limits {
            query: settings.query_limit,
            body: settings.body_limit,
            body_time: Duration::from_secs(settings.body_timeout),
            request_time: Duration::from_secs(settings.request_timeout),
        },
        door(settings, &app, &public_url)?,
        renderer,
        Arc::clone(&app.metrics),
    );
    let background = app.start_background();
    let limits = sockets::Sockets {
        most: settings.max_sockets as usize,
        per_address: settings.sockets_per_address as usize,
        header_time: Duration::from_secs(settings.header_timeout),
        write_time: Duration::from_secs(settings.write_timeout),
        grace: GRACE,
    };
    let stopping = async move { stopped(&mut stop).await };
    sockets::serve(listener, Arc::new(edge), limits, stopping)
        .await
        .context("accepting connections")?;
    background.abort();
    app.close().await;
    Ok(())
}

/// Who is let in.
fn door(settings: &Settings, app: &App, public_url: &str) -> anyhow::Result<Door> {
    let proxies = settings.trusted_proxies.clone().unwrap_or_default();
    let https = settings.https_only.then(|| public_url.to_owned());
    if https
        .as_ref()
        .is_some_and(|url| !url.starts_with("https://"))
    {
        anyhow::bail!(
            "SANDLOT_HTTPS_ONLY needs SANDLOT_PUBLIC_URL to begin with https://: that is where requests are sent"
        );
    }
    if settings.https_only && proxies.is_empty() {
        anyhow::bail!(
            "SANDLOT_HTTPS_ONLY needs SANDLOT_TRUSTED_PROXIES: the proxy in front says what came by HTTPS"
        );
    }
    Ok(Door {
        rates: Arc::clone(&app.limits),
        proxies,
        cors: Cors::of(&settings.cors_origins),
        https,
        audit: Arc::clone(&app.audit),
    })
}

/// The address that clients use, without a slash at its end.
fn public_url(settings: &Settings, listener: &TcpListener) -> anyhow::Result<String> {
    let url = match &settings.public_url {
        Some(url) => url.clone(),
        None => format!("http://{}", listener.local_addr()?),
    };
    Ok(url.trim_end_matches('/').to_owned())
}

/// Brings both databases' tables up to date, or takes steps of the platform's back.
///
/// # Errors
/// When a step fails; earlier ones stay.
pub async fn migrate(settings: Settings, down: Option<u32>) -> anyhow::Result<()> {
    let databases = Databases::open(&settings).await?;
    let outcome = match down {
        Some(steps) => App::migrate_down(&databases, steps).await,
        None => App::open(&settings, &databases).await.map(|_| ()),
    };
    databases.close().await;
    outcome
}

/// The platform's OpenAPI document, without a server behind it.
///
/// # Errors
/// When it can't be made, which a test would have shown.
pub fn openapi() -> anyhow::Result<String> {
    let document = platform_spec::finish(&app::service().spec())
        .map_err(|problem| anyhow::anyhow!("{problem}"))?;
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// What a person who started the server wants to know; the first line is for programs too.
///
/// A program that has read that line may close its end: that is no reason to stop.
fn announce(address: &str, public_url: &str, demo: Option<&str>) {
    let demo = demo.map_or_else(String::new, |token| {
        format!(
            "demo token   {token}\n\
             try it       curl '{public_url}/api/v1/' -H 'Authorization: Bearer {token}'\n"
        )
    });
    let text = format!(
        "listening on http://{address}\n\
         start page   {public_url}/\n\
         {demo}\
         first call   curl {public_url}/api/register -H 'Content-Type: application/json' \\\n\
         \x20              -d '{{\"email\": \"ada@mail.example\", \"password\": \"correct horse\"}}'\n"
    );
    let mut out = stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads what was announced");
    }
}

/// True once SIGTERM or SIGINT has come; a second one ends the process at once.
fn stop_signals() -> anyhow::Result<watch::Receiver<bool>> {
    let (told, stop) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if told.send_replace(true) {
                // Not by the log, whose lines wait for a moment.
                let _ = writeln!(stderr(), "asked to stop again: stopping at once");
                std::process::exit(1);
            }
            tracing::info!("stopping");
        }
    });
    Ok(stop)
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask any more.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
