//! Whether the server is well, for whoever runs it: alive, ready, and its figures.

use std::{sync::Arc, time::Duration};

use poem::{
    Response, handler,
    http::{StatusCode, header},
    web::Data,
};
use sea_orm::DatabaseConnection;
use serde_json::json;
use tenants::Tenants;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    edge::metrics::Metrics,
    limits::Limits,
    problem::{Kind, Problem},
    template::Template,
};

/// How long a verdict holds: probes are not limited, and must be no way to load the databases.
const FRESH: Duration = Duration::from_secs(1);

/// What is looked at.
pub struct Health {
    /// The platform's own database.
    pub db: DatabaseConnection,
    /// Connections to the tenants' database.
    pub tenants: Tenants,
    /// What copies are made of.
    pub template: Template,
    /// How much may be asked for.
    pub limits: Arc<Limits>,
    /// The server's figures.
    pub metrics: Arc<Metrics>,
    /// The last verdict on whether it is ready, and when it was found.
    pub ready: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    async fn look(&self) -> Result<(), Problem> {
        self.db.ping().await?;
        self.template.check().await?;
        self.limits.check().await
    }
}

/// `GET /healthz`: the process lives.
#[handler]
pub fn healthz() -> Response {
    status("alive")
}

/// `GET /readyz`: both databases and the rate limits' store answer and the template is there; else 503.
#[handler]
pub async fn readyz(health: Data<&Arc<Health>>) -> Result<Response, Problem> {
    let mut ready = health.ready.lock().await;
    match *ready {
        Some((at, is_ready)) if at.elapsed() < FRESH => match is_ready {
            true => Ok(status("ready")),
            false => Err(Kind::ServiceUnavailable.into()),
        },
        _ => {
            let verdict = health.look().await;
            *ready = Some((Instant::now(), verdict.is_ok()));
            verdict.map(|()| status("ready"))
        }
    }
}

/// `GET /metrics`: the server's figures for Prometheus.
#[handler]
pub fn metrics(health: Data<&Arc<Health>>) -> Response {
    let stats = health.tenants.stats();
    health.metrics.connections([
        ("open", stats.open),
        ("in_use", stats.in_use),
        ("cap", stats.cap),
    ]);
    Response::builder()
        .header(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )
        .body(health.metrics.page())
}

fn status(word: &str) -> Response {
    Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, "application/json")
        .body(json!({ "status": word }).to_string())
}
