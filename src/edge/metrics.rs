//! Figures of the running server in the text format of Prometheus (OpenMetrics).

use std::{sync::atomic::AtomicU64, time::Duration};

use poem::http::Method;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::audit;

/// The server's figures.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Histogram,
    in_flight: Gauge,
    connections: Family<Pool, Gauge<f64, AtomicU64>>,
    limited: Family<Limit, Counter>,
    audit: audit::Figures,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limit {
    policy: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Pool {
    state: &'static str,
}

/// One request under way; ends when dropped.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sandlot");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let seconds = Histogram::new([
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
        ]);
        registry.register(
            "http_request_seconds",
            "Time from a request's header to its answer",
            seconds.clone(),
        );
        let in_flight = Gauge::default();
        registry.register(
            "http_requests_in_flight",
            "Requests under way",
            in_flight.clone(),
        );
        let connections = Family::default();
        registry.register(
            "tenant_connections",
            "Connections to the tenants' database that tenants hold",
            connections.clone(),
        );
        let limited = Family::default();
        registry.register(
            "rate_limited",
            "Requests that a rate limit refused",
            limited.clone(),
        );
        let audit = audit::Figures::default();
        registry.register(
            "audit_entries_written",
            "Entries of the audit log that were written",
            audit.written.clone(),
        );
        registry.register(
            "audit_entries_dropped",
            "Entries of the audit log that were lost, because its queue was full or they were refused",
            audit.dropped.clone(),
        );
        registry.register(
            "audit_entries_queued",
            "Entries of the audit log that wait to be written",
            audit.queued.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            in_flight,
            connections,
            limited,
            audit,
        }
    }
}

impl Metrics {
    /// Counts a request as under way.
    pub fn in_flight(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answer.
    pub fn answered(&self, method: &Method, status: u16, elapsed: Duration) {
        let labels = Labels {
            method: known(method),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(elapsed.as_secs_f64());
    }

    /// Sets how many connections tenants hold (`open`), use (`in_use`) and may hold (`cap`).
    pub fn connections(&self, states: [(&'static str, usize); 3]) {
        for (state, count) in states {
            self.connections
                .get_or_create(&Pool { state })
                .set(count as f64);
        }
    }

    /// The audit log's figures, to count in.
    pub fn audit(&self) -> audit::Figures {
        self.audit.clone()
    }

    /// Counts a request that a rate limit refused.
    pub fn limited(&self, policy: &'static str) {
        self.limited.get_or_create(&Limit { policy }).inc();
    }

    /// The page.
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a String can't fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}

/// The method as a label; whatever a client makes up is one label, not a new one each time.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_counts_answers() {
        let metrics = Metrics::default();
        metrics.answered(&Method::GET, 200, Duration::from_millis(3));
        metrics.answered(&Method::GET, 200, Duration::from_millis(3));
        let page = metrics.page();
        assert!(
            page.contains(r#"sandlot_http_requests_total{method="GET",status="200"} 2"#),
            "{page}"
        );
    }
}
