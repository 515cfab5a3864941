//! What becomes known of one request on its way: whose it is, and what it drew from which limit.
//!
//! The edge puts an [`Arrival`] beside each request, with a [`Visit`] in it. Whoever establishes the caller notes it here;
//! the edge reads it for the answer's headers and for the audit log.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::Utc;
use parking_lot::Mutex;
use poem::{FromRequest, Request, RequestBody, Result, http::Method};

use super::{headers::part, request_id::RequestId};
use crate::{
    audit::{self, redact},
    limits::{Drawn, Key, Limits, Policy},
    problem::Problem,
};

/// What the edge puts beside a request.
#[derive(Clone)]
pub struct Arrival {
    /// What becomes known of it.
    pub visit: Visit,
    /// Its id.
    pub id: RequestId,
    /// Its body as it was sent: for what looks at it before a surface takes it.
    pub sent: Bytes,
}

impl Arrival {
    /// What is beside a request.
    ///
    /// # Errors
    /// `unauthorized` if it has none, which is a fault of the server.
    pub fn of(request: &Request) -> Result<&Self, Problem> {
        part(request)
    }
}

/// One request's record; its copies are the same record.
#[derive(Clone)]
pub struct Visit(Arc<Inner>);

struct Inner {
    limits: Arc<Limits>,
    address: IpAddr,
    /// Whether nothing is drawn from any limit.
    free: bool,
    seen: Mutex<Seen>,
}

/// What has become known.
#[derive(Debug, Default)]
struct Seen {
    /// The tenant that the request is about.
    tenant: Option<i64>,
    /// Who asks, such as `user:3:7`.
    caller: Option<String>,
    /// The last draw from each limit.
    drawn: Vec<Drawn>,
}

impl Visit {
    /// A request from a client's address.
    pub fn new(limits: Arc<Limits>, address: IpAddr) -> Self {
        Self(Arc::new(Inner {
            limits,
            address,
            free: false,
            seen: Mutex::default(),
        }))
    }

    /// A record for what the server itself looks up to answer the request: the request has been
    /// drawn, and what it takes to answer it is not drawn again.
    pub fn inside(&self) -> Self {
        Self(Arc::new(Inner {
            limits: Arc::clone(&self.0.limits),
            address: self.0.address,
            free: true,
            seen: Mutex::default(),
        }))
    }

    /// The record of a request.
    ///
    /// # Errors
    /// `unauthorized` if it has none, which is a fault of the server.
    pub fn of(request: &Request) -> Result<&Self, Problem> {
        Arrival::of(request).map(|arrival| &arrival.visit)
    }

    /// The client's address, proxies looked through.
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// The last draw from each limit, by now.
    pub fn drawn(&self) -> Vec<Drawn> {
        self.0.seen.lock().drawn.clone()
    }

    /// What the audit log says of the request, answered `elapsed` after it came.
    pub fn entry(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        status: u16,
        elapsed: Duration,
        request_id: String,
    ) -> audit::Entry {
        let seen = self.0.seen.lock();
        audit::Entry {
            at: Utc::now() - elapsed,
            tenant_id: seen.tenant,
            caller: seen.caller.clone(),
            method: method.to_string(),
            path: redact::path(path),
            query: query.map(redact::query),
            status,
            ms: elapsed.as_secs_f64() * 1e3,
            address: self.0.address,
            request_id,
        }
    }

    /// Notes the tenant that the request is about.
    pub fn note_tenant(&self, id: i64) {
        self.0.seen.lock().tenant = Some(id);
    }

    /// Notes who asks, and draws the request from their limit. `name` is one that no other caller
    /// has; `quota` is the credential's own limit, where it has one (0 for none).
    ///
    /// # Errors
    /// `too-many-requests`; `service-unavailable` if the limits' store is out of reach.
    pub async fn admit(&self, name: String, quota: Option<u32>) -> Result<(), Problem> {
        let quota = quota.unwrap_or_else(|| self.0.limits.quota(Policy::Caller));
        let key = Key::caller(&name);
        self.0.seen.lock().caller = Some(name);
        self.draw(key, quota, 1).await
    }

    /// Draws one from a limit of the client's address.
    ///
    /// # Errors
    /// `too-many-requests`; `service-unavailable` if the limits' store is out of reach.
    pub async fn draw_by_address(&self, policy: Policy) -> Result<(), Problem> {
        let key = Key::address(policy, self.0.address);
        self.draw(key, self.0.limits.quota(policy), 1).await
    }

    /// Draws more for a request that asks for as much as `cost` simple ones; the first one has
    /// been drawn. The caller and the address are both charged, as they would be for the simple ones.
    ///
    /// # Errors
    /// `too-many-requests`; `service-unavailable` if the limits' store is out of reach.
    pub async fn charge(&self, cost: usize) -> Result<(), Problem> {
        let more = u32::try_from(cost.saturating_sub(1)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let drawn = self.drawn();
        let charged = |drawn: &&Drawn| matches!(drawn.policy(), Policy::Caller | Policy::Address);
        for drawn in drawn.iter().rev().filter(charged) {
            self.draw(drawn.key.clone(), drawn.quota, more).await?;
        }
        Ok(())
    }

    async fn draw(&self, key: Key, quota: u32, cost: u32) -> Result<(), Problem> {
        if self.0.free {
            return Ok(());
        }
        let Some(drawn) = self.0.limits.draw(key, quota, cost).await? else {
            return Ok(());
        };
        let outcome = match drawn.granted {
            true => Ok(()),
            false => Err(drawn.refusal()),
        };
        let mut seen = self.0.seen.lock();
        match seen.drawn.iter_mut().find(|known| known.key == drawn.key) {
            Some(known) => *known = drawn,
            None => seen.drawn.push(drawn),
        }
        outcome
    }
}

/// An operation's argument that says: whoever calls it may try a password, and there are not many
/// tries for one address.
pub struct PasswordTry;

impl<'a> FromRequest<'a> for PasswordTry {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let visit = Visit::of(request)?;
        visit.draw_by_address(Policy::SignIn).await?;
        Ok(Self)
    }
}

/// An operation's argument that says: it makes somebody known, and there are not many such calls
/// for one address.
pub struct Newcomer(Visit);

impl Newcomer {
    /// Notes the tenant that the call is about.
    pub fn note_tenant(&self, id: i64) {
        self.0.note_tenant(id);
    }
}

impl<'a> FromRequest<'a> for Newcomer {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let visit = Visit::of(request)?;
        visit.draw_by_address(Policy::Register).await?;
        Ok(Self(visit.clone()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{limits::Quotas, problem::Kind};

    fn visit(address: u32, caller: u32) -> Visit {
        let limits = Limits::in_memory(Quotas {
            address,
            caller,
            sign_in: 0,
            register: 0,
            window: Duration::from_secs(60),
        });
        Visit::new(Arc::new(limits), IpAddr::from([203, 0, 113, 7]))
    }

    fn left(visit: &Visit) -> Vec<(&'static str, u32)> {
        let drawn = visit.drawn();
        let of = |drawn: &Drawn| (drawn.policy().name(), drawn.left);
        drawn.iter().map(of).collect()
    }

    #[tokio::test]
    async fn a_costly_request_draws_what_simple_ones_would() {
        let visit = visit(100, 80);
        visit.draw_by_address(Policy::Address).await.unwrap();
        visit.admit("user:1:1".into(), None).await.unwrap();
        assert_eq!(left(&visit), [("address", 99), ("caller", 79)]);
        visit.charge(60).await.unwrap();
        assert_eq!(left(&visit), [("address", 40), ("caller", 20)]);
        let refused = visit.charge(60).await.unwrap_err();
        assert_eq!(refused.kind, Kind::TooManyRequests);
        // Nothing was drawn from the address for what the caller may not do.
        assert_eq!(left(&visit), [("address", 40), ("caller", 20)]);
    }

    #[tokio::test]
    async fn what_the_server_asks_itself_is_not_drawn_again() {
        let visit = visit(10, 1);
        visit.admit("user:1:1".into(), None).await.unwrap();
        for _ in 0..3 {
            visit.inside().admit("user:1:1".into(), None).await.unwrap();
        }
        visit.admit("user:1:1".into(), None).await.unwrap_err();
        assert_eq!(left(&visit), [("caller", 0)]);
    }

    #[tokio::test]
    async fn a_credential_may_have_a_limit_of_its_own() {
        let visit = visit(0, 1);
        for _ in 0..3 {
            visit.admit("token:5".into(), Some(3)).await.unwrap();
        }
        visit.admit("token:5".into(), Some(3)).await.unwrap_err();
        visit.admit("token:6".into(), Some(0)).await.unwrap();
        assert_eq!(left(&visit), [("caller", 0)]);
        assert_eq!(visit.0.seen.lock().caller.as_deref(), Some("token:6"));
    }
}
