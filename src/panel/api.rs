//! The panel as a client of the API: the same routes, called in the same process.
//!
//! A call goes through all that a call from outside goes through behind the edge, with an access
//! token and an `Api-Key` like any other, so the panel can do nothing that the API can't.

use std::sync::Arc;

use bytes::Bytes;
use poem::{
    Body, Endpoint as _, Request, RequestParts, Response,
    endpoint::DynEndpoint,
    http::{HeaderMap, Method, header, uri::Scheme},
};
use serde::de::DeserializeOwned;

use crate::{
    edge::{Sent, render, request_id::RequestId},
    problem::{Kind, Problem},
};

/// All routes of the API.
pub type Routes = Arc<dyn DynEndpoint<Output = Response>>;

/// Calls the API for one request to the panel.
#[derive(Clone, Copy)]
pub struct Api<'a> {
    routes: &'a Routes,
    /// In whose place the panel calls.
    from: &'a Request,
    /// An access token.
    access: &'a str,
    /// The tenant.
    key: &'a str,
}

/// What came back, if it was no problem.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
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
    pub fn new(routes: &'a Routes, from: &'a Request, access: &'a str, key: &'a str) -> Self {
        Self {
            routes,
            from,
            access,
            key,
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
        body: &serde_json::Value,
    ) -> Result<Reply, Problem> {
        let json = [("content-type", "application/json")];
        self.call(method, target, &json, body.to_string().into())
            .await
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
        let parts = RequestParts::from((
            parts,
            self.from.local_addr().clone(),
            self.from.remote_addr().clone(),
            Scheme::HTTP,
        ));
        let sent = Sent::new(body.clone());
        let mut request = Request::from_parts(parts, Body::from_bytes(body));
        request.set_data(sent);
        if let Some(id) = self.from.data::<RequestId>() {
            request.set_data(id.clone());
        }
        let response = self.routes.call(request).await.map_err(render::problem)?;
        let (parts, body) = response.into_parts();
        let body = body
            .into_bytes()
            .await
            .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }
}
