//! The panel as a client of the API: the same routes, called in the same process.
//!
//! A call goes through all that a call from outside goes through behind the edge, with an access
//! token and an `Api-Key` like any other, so the panel can do nothing that the API can't.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use poem::{
    Body, Endpoint as _, Request, RequestParts, Response,
    endpoint::DynEndpoint,
    http::{HeaderMap, Method, Uri, header, uri::Scheme},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    audit::Audit,
    edge::{
        render,
        visit::{Arrival, Visit},
    },
    problem::{Kind, Problem},
};

/// All routes of the API.
pub type Routes = Arc<dyn DynEndpoint<Output = Response>>;

/// What the panel calls, and where it is written down.
pub struct Line {
    /// All routes of the API.
    pub routes: Routes,
    /// The log of calls.
    pub audit: Arc<Audit>,
}

/// Calls the API for one request to the panel.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    line: &'a Line,
    /// In whose place the panel calls.
    from: &'a Request,
    /// What the calls draw from limits.
    visit: &'a Visit,
    /// An access token.
    access: &'a str,
    /// The tenant.
    key: &'a str,
    /// Whether what is done goes into the log.
    noted: bool,
}

/// What came back, if it was no problem.
#[derive(Debug)]
pub struct Reply {
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body, read as JSON of a known shape.
    ///
    /// # Errors
    /// `internal-error` if it is of another one.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Problem::new(Kind::InternalError).because(error))
    }
}

impl<'a> Api<'a> {
    /// Calls with an access token, on the tenant of a key; either may be empty.
    pub fn new(
        line: &'a Line,
        from: &'a Request,
        visit: &'a Visit,
        access: &'a str,
        key: &'a str,
    ) -> Self {
        Self {
            line,
            from,
            visit,
            access,
            key,
            noted: true,
        }
    }

    /// The same for what only looks things up, whatever method that takes.
    pub fn unnoted(self) -> Self {
        Self {
            noted: false,
            ..self
        }
    }

    /// Reads what an address gives.
    ///
    /// # Errors
    /// Whatever problem the API answers with.
    pub async fn get(&self, target: &str) -> Result<Reply, Problem> {
        self.call(Method::GET, target, &[], Bytes::new()).await
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        body: &impl Serialize,
    ) -> Result<Reply, Problem> {
        let json = [("content-type", "application/json")];
        let body = serde_json::to_vec(body)
            .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
        self.call(method, target, &json, body.into()).await
    }

    /// Any call.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn call(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply, Problem> {
        let fault =
            |error: poem::http::Error| Problem::new(Kind::InternalError).because(error.to_string());
        let mut request = poem::http::Request::builder().method(method).uri(target);
        if !self.access.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.access));
        }
        if !self.key.is_empty() {
            request = request.header("api-key", self.key);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).map_err(fault)?.into_parts();
        let (method, uri, began) = (parts.method.clone(), parts.uri.clone(), Instant::now());
        let parts = RequestParts::from((
            parts,
            self.from.local_addr().clone(),
            self.from.remote_addr().clone(),
            Scheme::HTTP,
        ));
        let arrival = Arrival {
            visit: self.visit.clone(),
            id: Arrival::of(self.from)?.id.clone(),
            sent: body.clone(),
        };
        let mut request = Request::from_parts(parts, Body::from_bytes(body));
        request.set_data(arrival);
        let outcome = self
            .line
            .routes
            .call(request)
            .await
            .map_err(render::problem);
        // What a page looks up is not worth a line; what it does is, as if it came from outside.
        if self.noted && method != Method::GET {
            let status = match &outcome {
                Ok(response) => response.status().as_u16(),
                Err(problem) => problem.kind.status(),
            };
            self.record(&method, &uri, status, began);
        }
        let response = outcome?;
        let (parts, body) = response.into_parts();
        let body = body
            .into_bytes()
            .await
            .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
        Ok(Reply {
            headers: parts.headers,
            body,
        })
    }

    fn record(&self, method: &Method, uri: &Uri, status: u16, began: Instant) {
        let audit = &self.line.audit;
        if !audit.is_on() {
            return;
        }
        let id = Arrival::of(self.from).map(|arrival| arrival.id.to_string());
        let id = id.unwrap_or_default();
        let (path, query) = (uri.path(), uri.query());
        let elapsed = began.elapsed();
        audit.record((self.visit).entry(method, path, query, status, elapsed, id));
    }
}
