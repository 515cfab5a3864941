//! The edge: what every request passes before and after the routes.
//!
//! [`Edge::answer`] names the stages in order. Nothing leaves the server past it, so
//! every error is a problem document and every answer carries its request id.

use std::{
    net::{IpAddr, Ipv6Addr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Limited};
use hyper::{body::Incoming, http::request::Parts};
use poem::{
    Body, Endpoint, Request, RequestParts, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
    web::{LocalAddr, RemoteAddr},
};
use tokio::time::{Instant, timeout};

use crate::{
    audit::Audit,
    limits::{self, Drawn, Policy},
    problem::{Kind, Problem},
};

pub mod cors;
pub mod form;
pub mod guard;
pub mod headers;
pub mod listen;
pub mod metrics;
pub mod network;
mod paced;
mod refusals;
pub mod render;
pub mod request_id;
pub mod visit;

use metrics::Metrics;
use request_id::RequestId;
use visit::{Arrival, Visit};

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

/// Who is let in.
pub struct Door {
    /// How often.
    pub rates: Arc<limits::Limits>,
    /// Whose word counts on where a request comes from.
    pub proxies: network::Proxies,
    /// Which pages of other origins.
    pub cors: cors::Cors,
    /// Where requests without HTTPS are sent, if they are not answered.
    pub https: Option<String>,
    /// Where it is written down.
    pub audit: Arc<Audit>,
}

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What the audit log is about; pages, probes and documents are not.
const AUDITED: [&str; 2] = ["/api/", "/embed/"];

/// Paths for whoever runs the server: neither limited nor redirected, so that a probe sees the
/// server and not its limits.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The routes behind their edge.
pub struct Edge<E> {
    routes: E,
    limits: Limits,
    door: Door,
    renderer: render::Renderer,
    metrics: Arc<Metrics>,
    refusals: refusals::Refusals,
}

/// Who is on the other side of a socket, and which of our addresses they reached.
#[derive(Clone)]
pub struct Peer {
    /// Our end.
    pub local: LocalAddr,
    /// Theirs.
    pub remote: RemoteAddr,
}

impl Peer {
    /// The address on the other side of the socket.
    fn address(&self) -> IpAddr {
        let remote = self.remote.as_socket_addr();
        remote.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |remote| remote.ip())
    }
}

impl<E: Endpoint<Output = Response>> Edge<E> {
    /// Puts the edge before the routes.
    pub fn new(
        routes: E,
        limits: Limits,
        door: Door,
        renderer: render::Renderer,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            routes,
            limits,
            door,
            renderer,
            metrics,
            refusals: refusals::Refusals::default(),
        }
    }

    /// Answers one request; `None` closes the connection (its body came too slowly).
    pub async fn answer(&self, request: hyper::Request<Incoming>, peer: Peer) -> Option<Response> {
        let started = Instant::now();
        let _in_flight = self.metrics.in_flight();
        let (parts, body) = request.into_parts();
        let id = RequestId::of(&parts.headers);
        let origin = self.door.proxies.origin(peer.address(), &parts.headers);
        let visit = Visit::new(Arc::clone(&self.door.rates), origin.address);
        let asked = Asked {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            origin: parts.headers.get(header::ORIGIN).cloned(),
        };
        let mut watch = Watch {
            edge: self,
            asked: &asked,
            visit: &visit,
            id: &id,
            started,
            ended: false,
        };

        let outcome = match self.enter(&parts, origin.secure, &visit).await {
            Ok(Entry::Answered(response)) => Ok(response),
            Ok(Entry::In) => match read(&parts, body, &self.limits).await {
                Read::Whole(body) => {
                    let arrival = Arrival {
                        visit: visit.clone(),
                        id: id.clone(),
                        sent: body,
                    };
                    self.route(parts, peer, arrival).await
                }
                Read::Refused(problem) => Err(problem.into()),
                Read::TooSlow => {
                    let (method, path) = (&asked.method, asked.uri.path());
                    tracing::info!(target: "access", %id, %method, path, "closed: the body came too slowly");
                    watch.ended = true;
                    return None;
                }
            },
            Err(problem) => Err(problem.into()),
        };
        let drawn = visit.drawn();
        if drawn.iter().any(|drawn| !drawn.granted) {
            self.refusals.wait().await;
        }
        let mut response = match outcome {
            Ok(response) => response,
            Err(error) => self
                .renderer
                .render(error, &asked.method, asked.uri.path(), &id),
        };
        self.finish(&mut response, &asked, &drawn, origin.secure, &id);
        watch.ended = true;
        let status = response.status().as_u16();
        self.note(status, &asked, (&visit, &drawn), started.elapsed(), &id);
        Some(response)
    }

    /// Whether an address is a proxy that speaks for others.
    fn trusts(&self, address: IpAddr) -> bool {
        self.door.proxies.trusts(address)
    }

    /// Counts a socket that was closed because its address holds too many.
    fn turned_away(&self) {
        self.metrics.limited("sockets");
    }

    /// What is decided by the header alone, in the order of what it costs.
    async fn enter(&self, parts: &Parts, secure: bool, visit: &Visit) -> Result<Entry, Problem> {
        let path = parts.uri.path();
        if !PROBES.contains(&path) {
            if let (Some(base), false) = (&self.door.https, secure) {
                return Ok(Entry::Answered(guard::redirect(base, &parts.uri)));
            }
            if let Some(answer) = self
                .door
                .cors
                .preflight(&parts.method, path, &parts.headers)
            {
                return Ok(Entry::Answered(answer));
            }
            visit.draw_by_address(Policy::Address).await?;
        }
        check(parts, &self.limits)?;
        Ok(Entry::In)
    }

    async fn route(&self, parts: Parts, peer: Peer, arrival: Arrival) -> poem::Result<Response> {
        let body = arrival.sent.clone();
        check_media_type(&parts, &body)?;
        let parts = RequestParts::from((
            parts,
            peer.local,
            peer.remote,
            poem::http::uri::Scheme::HTTP,
        ));
        let mut request = Request::from_parts(parts, Body::from_bytes(body));
        request.set_data(arrival);
        // The statement's own watchdog ends sooner; this catches what is stuck elsewhere.
        let answer = AssertUnwindSafe(self.routes.call(request)).catch_unwind();
        match timeout(self.limits.request_time + Duration::from_secs(3), answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(panicked(&*panic).into()),
            Err(_) => Err(Problem::new(Kind::RequestTimeout).into()),
        }
    }

    /// Headers that every answer has.
    fn finish(
        &self,
        response: &mut Response,
        asked: &Asked,
        drawn: &[Drawn],
        secure: bool,
        id: &RequestId,
    ) {
        self.door
            .cors
            .finish(asked.uri.path(), asked.origin.as_ref(), response);
        let headers = response.headers_mut();
        headers.insert(request_id::NAME, id.header());
        if !drawn.is_empty() {
            for (name, value) in [
                (RATE_LIMIT_POLICY, limits::headers::policies(drawn)),
                (RATE_LIMIT, limits::headers::limits(drawn)),
            ] {
                if let Ok(value) = HeaderValue::try_from(value) {
                    headers.insert(name, value);
                }
            }
        }
        guard::finish(headers, secure && self.door.https.is_some());
    }
}

impl<E> Edge<E> {
    /// Counts and logs an answer.
    fn note(
        &self,
        status: u16,
        asked: &Asked,
        (visit, drawn): (&Visit, &[Drawn]),
        elapsed: Duration,
        id: &RequestId,
    ) {
        let (method, path) = (&asked.method, asked.uri.path());
        self.metrics.answered(method, status, elapsed);
        let refused = drawn.iter().find(|drawn| !drawn.granted);
        if let Some(drawn) = refused {
            self.metrics.limited(drawn.policy().name());
        }
        let ms = elapsed.as_secs_f64() * 1e3;
        let peer = visit.address();
        // A flood must become neither a flood of lines nor one of rows; the figures count it.
        if refused.is_some_and(|drawn| drawn.policy() == Policy::Address) {
            tracing::debug!(target: "access", %id, %method, path, status, ms, %peer);
            return;
        }
        tracing::info!(target: "access", %id, %method, path, status, ms, %peer);
        let audit = &self.door.audit;
        let is_call = AUDITED.iter().any(|audited| path.starts_with(audited));
        if is_call && audit.is_on() && *method != Method::OPTIONS {
            let query = asked.uri.query();
            audit.record(visit.entry(method, path, query, status, elapsed, id.to_string()));
        }
    }
}

/// The status in the logs of a request whose client left before its answer: what it did may have been done.
const CLIENT_LEFT: u16 = 499;

/// Sees to it that a request is counted and logged, also where its client leaves and its future is dropped.
struct Watch<'a, E> {
    edge: &'a Edge<E>,
    asked: &'a Asked,
    visit: &'a Visit,
    id: &'a RequestId,
    started: Instant,
    ended: bool,
}

impl<E> Drop for Watch<'_, E> {
    fn drop(&mut self) {
        if !self.ended {
            let drawn = self.visit.drawn();
            let elapsed = self.started.elapsed();
            let visit = (self.visit, drawn.as_slice());
            self.edge
                .note(CLIENT_LEFT, self.asked, visit, elapsed, self.id);
        }
    }
}

/// What is kept of a request's header for the end.
struct Asked {
    method: Method,
    uri: Uri,
    origin: Option<HeaderValue>,
}

/// What became of a request at the door.
enum Entry {
    /// It goes on.
    In,
    /// It is answered already.
    Answered(Response),
}

/// Whether a path is `base` or below it.
pub fn is_within(path: &str, base: &str) -> bool {
    let rest = path.strip_prefix(base);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
    Ok(())
}

enum Read {
    Whole(Bytes),
    Refused(Problem),
    TooSlow,
}

async fn read(parts: &Parts, mut body: Incoming, limits: &Limits) -> Read {
    let announced = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let most = limits.body as u64;
    if let Some(length) = announced.filter(|length| *length > most) {
        // Who waits for a word before sending the body gets this one.
        let sends = !parts.headers.contains_key(header::EXPECT);
        if sends && length <= most + DRAINED as u64 {
            drain(body).await;
        }
        return Read::Refused(too_large(limits));
    }
    let collected = Limited::new(&mut body, limits.body).collect();
    match timeout(limits.body_time, collected).await {
        Ok(Ok(collected)) => Read::Whole(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            drain(body).await;
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

/// Bytes past the limit that are still taken from a body that is too large.
const DRAINED: usize = 1024 * 1024;

/// Takes what is left of a body and forgets it, for a moment and up to a bound: a client, or a
/// proxy, that is still sending when the connection closes would not get to read the answer.
async fn drain(mut body: Incoming) {
    let rest = async {
        let mut taken = 0;
        while let Some(Ok(frame)) = body.frame().await {
            taken += frame.data_ref().map_or(0, Bytes::len);
            if taken > DRAINED {
                break;
            }
        }
    };
    let _ = timeout(Duration::from_secs(2), rest).await;
}

fn too_large(limits: &Limits) -> Problem {
    // Some of the body may be left unread, so the connection can't be used again.
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
        // Pages for people have forms; the API has none.
        Some(FORM) if !parts.uri.path().starts_with("/api/") => Ok(()),
        _ => Err(Kind::UnsupportedMediaType.into()),
    }
}

/// What a form of a page is sent as.
const FORM: &str = "application/x-www-form-urlencoded";

/// The `Content-Type` without its parameters.
fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or(value).trim();
    ["application/json", "text/csv", FORM]
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
