//! The plain pages: what this server is, and whether it is well.

use std::sync::Arc;

use poem::{
    Response, handler,
    http::{StatusCode, header},
    web::{Data, Html},
};
use serde_json::json;

use crate::{app::App, problem::Problem, reference::problems::PublicUrl};

/// `GET /`: what this is, and the first calls to try.
#[handler]
pub fn landing(url: Data<&PublicUrl>) -> Html<String> {
    Html(include_str!("front.html").replace("{{url}}", &url.0.0))
}

/// `GET /healthz`: the process lives.
#[handler]
pub fn healthz() -> Response {
    status(StatusCode::OK, "alive")
}

/// `GET /readyz`: both databases answer and the template is there.
#[handler]
pub async fn readyz(app: Data<&Arc<App>>) -> Result<Response, Problem> {
    app.check_ready().await?;
    Ok(status(StatusCode::OK, "ready"))
}

/// `GET /metrics`: the server's figures for Prometheus.
#[handler]
pub fn metrics(app: Data<&Arc<App>>) -> Response {
    let stats = app.tenants.stats();
    app.metrics.connections([
        ("open", stats.open),
        ("in_use", stats.in_use),
        ("cap", stats.cap),
    ]);
    Response::builder()
        .header(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )
        .body(app.metrics.page())
}

fn status(code: StatusCode, word: &str) -> Response {
    Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, "application/json")
        .body(json!({ "status": word }).to_string())
}
