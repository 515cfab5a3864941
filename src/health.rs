//! Whether the server is well, for whoever runs it: alive, ready, and its figures.

use std::sync::Arc;

use poem::{
    Response, handler,
    http::{StatusCode, header},
    web::Data,
};
use sea_orm::DatabaseConnection;
use serde_json::json;
use tenants::Tenants;

use crate::{edge::metrics::Metrics, limits::Limits, problem::Problem, template::Template};

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
}

/// `GET /healthz`: the process lives.
#[handler]
pub fn healthz() -> Response {
    status("alive")
}

/// `GET /readyz`: both databases and the rate limits' store answer and the template is there; else 503.
#[handler]
pub async fn readyz(health: Data<&Arc<Health>>) -> Result<Response, Problem> {
    health.db.ping().await?;
    health.template.check().await?;
    health.limits.check().await?;
    Ok(status("ready"))
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
