//! The edge: what every request passes before and after the routes.
//!
//! [`Edge::answer`] names the stages in order. Nothing leaves the server past it, so
//! every error is a problem document and every answer carries its request id.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Limited};
use hyper::{body::Incoming, http::request::Parts};
use poem::{
    Body, Endpoint, Request, RequestParts, Response,
    http::{HeaderMap, HeaderValue, Method, header},
    web::{LocalAddr, RemoteAddr},
};
use tokio::time::{Instant, timeout};

use crate::problem::{Kind, Problem};

pub mod form;
pub mod headers;
pub mod listen;
pub mod metrics;
pub mod render;
pub mod request_id;

use metrics::Metrics;
use request_id::RequestId;

/// What the edge allows.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a query string.
    pub query: usize,
    /// Bytes of a body.
    pub body: usize,
    /// Time for a body to arrive.
    pub body_time: Duration,
    /// Time for the whole answer, after the body has arrived.
    pub request_time: Duration,
}

/// The routes behind their edge.
pub struct Edge<E> {
    routes: E,
    limits: Limits,
    renderer: render::Renderer,
    metrics: Arc<Metrics>,
}

/// The body as it was sent, beside the request: for what looks at it before a surface takes it.
#[derive(Clone)]
pub struct Sent(Bytes);

impl Sent {
    /// The bytes of a request's body.
    ///
    /// # Errors
    /// `unauthorized` if they are not there, which is a fault of the server.
    pub fn of(request: &Request) -> Result<&[u8], Problem> {
        headers::part::<Self>(request).map(|sent| &sent.0[..])
    }
}

/// Who is on the other side of a socket, and which of our addresses they reached.
#[derive(Clone)]
pub struct Peer {
    /// Our end.
    pub local: LocalAddr,
    /// Theirs.
    pub remote: RemoteAddr,
}

impl<E: Endpoint<Output = Response>> Edge<E> {
    /// Puts the edge before the routes.
    pub fn new(
        routes: E,
        limits: Limits,
        renderer: render::Renderer,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            routes,
            limits,
            renderer,
            metrics,
        }
    }

    /// Answers one request; `None` closes the connection (its body came too slowly).
    pub async fn answer(&self, request: hyper::Request<Incoming>, peer: Peer) -> Option<Response> {
        let started = Instant::now();
        let _in_flight = self.metrics.in_flight();
        let (parts, body) = request.into_parts();
        let id = RequestId::of(&parts.headers);
        let method = parts.method.clone();
        let path = parts.uri.path().to_owned();
        let remote = peer.remote.clone();

        let outcome = match check(&parts, &self.limits) {
            Ok(()) => match read(body, &self.limits).await {
                Read::Whole(body) => self.route(parts, body, peer, &id).await,
                Read::Refused(problem) => Err(problem.into()),
                Read::TooSlow => {
                    tracing::info!(target: "access", %id, %method, path, "closed: the body came too slowly");
                    return None;
                }
            },
            Err(problem) => Err(problem.into()),
        };
        let mut response = match outcome {
            Ok(response) => response,
            Err(error) => self.renderer.render(error, &method, &path, &id),
        };
        finish(&mut response, &id);

        let elapsed = started.elapsed();
        self.metrics
            .answered(&method, response.status().as_u16(), elapsed);
        tracing::info!(
            target: "access",
            %id,
            %method,
            path,
            status = response.status().as_u16(),
            ms = elapsed.as_secs_f64() * 1e3,
            peer = %Shown(&remote),
        );
        Some(response)
    }

    async fn route(
        &self,
        parts: Parts,
        body: Bytes,
        peer: Peer,
        id: &RequestId,
    ) -> poem::Result<Response> {
        check_media_type(&parts, &body)?;
        let parts = RequestParts::from((
            parts,
            peer.local,
            peer.remote,
            poem::http::uri::Scheme::HTTP,
        ));
        let sent = Sent(body.clone());
        let mut request = Request::from_parts(parts, Body::from_bytes(body));
        request.set_data(sent);
        request.set_data(id.clone());
        // The statement's own watchdog ends sooner; this catches what is stuck elsewhere.
        let answer = AssertUnwindSafe(self.routes.call(request)).catch_unwind();
        match timeout(self.limits.request_time + Duration::from_secs(3), answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(panicked(&*panic).into()),
            Err(_) => Err(Problem::new(Kind::RequestTimeout).into()),
        }
    }
}

/// Bytes of all header fields together, names and values.
const HEADER: usize = 32 * 1024;

/// What can be refused by the header alone.
fn check(parts: &Parts, limits: &Limits) -> Result<(), Problem> {
    // RFC 9112, 3.2: more than one Host is answered with 400.
    if parts.headers.get_all(header::HOST).iter().count() > 1 {
        return Err(Problem::new(Kind::BadRequest).detail("The request has more than one Host."));
    }
    let header = parts.headers.iter();
    if header
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum::<usize>()
        > HEADER
    {
        return Err(Problem::new(Kind::BadRequest)
            .detail(format!("The header may have {HEADER} bytes at most.")));
    }
    if parts.uri.query().map_or(0, str::len) > limits.query {
        return Err(Problem::new(Kind::QueryStringTooLong).detail(format!(
            "The query string may have {} bytes at most.",
            limits.query
        )));
    }
    let announced = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limits.body as u64) {
        return Err(too_large(limits));
    }
    Ok(())
}

enum Read {
    Whole(Bytes),
    Refused(Problem),
    TooSlow,
}

async fn read(body: Incoming, limits: &Limits) -> Read {
    match timeout(limits.body_time, Limited::new(body, limits.body).collect()).await {
        Ok(Ok(collected)) => Read::Whole(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Read::Refused(too_large(limits))
        }
        Ok(Err(error)) => Read::Refused(
            Problem::new(Kind::BadRequest)
                .detail("The body did not arrive whole.")
                .because(error),
        ),
        Err(_) => Read::TooSlow,
    }
}

fn too_large(limits: &Limits) -> Problem {
    // The rest of the body is not read, so the connection can't be used again.
    Problem::new(Kind::PayloadTooLarge)
        .detail(format!("The body may have {} bytes at most.", limits.body))
        .header("connection", "close")
}

/// Bodies are JSON, or CSV where a surface takes it; the surface refuses what it doesn't take.
fn check_media_type(parts: &Parts, body: &Bytes) -> Result<(), Problem> {
    if body.is_empty() || parts.method == Method::GET || parts.method == Method::HEAD {
        return Ok(());
    }
    match media_type(&parts.headers) {
        Some("application/json" | "text/csv") => Ok(()),
        _ => Err(Kind::UnsupportedMediaType.into()),
    }
}

/// The `Content-Type` without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or(value).trim();
    ["application/json", "text/csv"]
        .into_iter()
        .find(|known| essence.eq_ignore_ascii_case(known))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Problem {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    Problem::new(Kind::InternalError).because(format!("panic: {message}"))
}

/// An address without the framework's prefix.
struct Shown<'a>(&'a RemoteAddr);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_socket_addr() {
            Some(address) => write!(f, "{}", address.ip()),
            None => f.write_str("-"),
        }
    }
}

/// Headers that every answer has.
fn finish(response: &mut Response, id: &RequestId) {
    let headers = response.headers_mut();
    headers.insert("x-request-id", id.header());
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry("referrer-policy")
        .or_insert(HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn media_types_are_compared_without_case_and_parameters() {
        assert_eq!(
            media_type(&headers("Application/JSON; charset=utf-8")),
            Some("application/json")
        );
        assert_eq!(media_type(&headers("text/plain")), None);
        assert_eq!(media_type(&HeaderMap::new()), None);
    }
}
