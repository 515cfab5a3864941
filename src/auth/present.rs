//! The credential that a request presents, and whom it speaks for.
//!
//! What is wrong with an API token is said in the order that tells a stranger least: its shape,
//! whether it is one of ours, the signature, its end, the address and the page that it is used
//! from. Scope, table and write come after that, where they are asked for.

use std::{borrow::Cow, sync::Arc};

use chrono::Utc;
use poem::{
    Request,
    http::{HeaderMap, header},
};

use crate::{
    directory::tenant,
    edge::{
        headers::client_address,
        visit::{Arrival, Visit},
    },
    problem::{Kind, Problem},
};

use super::{
    Auth,
    caller::{Caller, Place, Role, Who},
    jwt::Use,
    tokens::{
        Kind as TokenKind,
        secret::PREFIX,
        signature::{self, Signed},
    },
};

/// The parameter that an address carries a token in.
const PARAMETER: &str = "token";

impl Auth {
    /// Who asks, and where: the credential says who, the `Api-Key` where. An API token says both.
    /// Once they are known, the request is drawn from their limit.
    ///
    /// # Errors
    /// `invalid-api-key`, `missing-token`, `invalid-token`, `token-expired`, `too-many-requests`,
    /// `tenant-mismatch`;
    /// for API tokens also `query-token-disabled`, `embed-type-required`, `invalid-signature`,
    /// `ip-not-allowed`, `domain-not-allowed`.
    pub async fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        self.caller_in(request, false).await
    }

    /// The same for a page that is made to sit in a frame: where a browser goes there, it sends no
    /// `Origin`. The page then says itself in which pages it may be framed: see
    /// [`places::frame_sources`](super::tokens::places::frame_sources).
    ///
    /// # Errors
    /// As [`Auth::caller`].
    pub async fn caller_in_frame(&self, request: &Request) -> Result<Caller, Problem> {
        self.caller_in(request, true).await
    }

    async fn caller_in(&self, request: &Request, framed: bool) -> Result<Caller, Problem> {
        let headers = request.headers();
        let visit = Visit::of(request)?;
        let tenant = self.keyed(headers).await?;
        if let Some(tenant) = &tenant {
            visit.note_tenant(tenant.id);
        }
        let query = request.original_uri().query().unwrap_or_default();
        // API tokens ask for much more than a JWT, whose path carries no room for that.
        let text = match in_address(query) {
            None => bearer(headers)?,
            Some(_) if !self.query_tokens => return Err(Kind::QueryTokenDisabled.into()),
            Some(_) if headers.contains_key(header::AUTHORIZATION) => {
                return Err(Problem::new(Kind::InvalidToken)
                    .detail("The request has a token in its header and another in its address."));
            }
            Some(token) if self.demo().token().is_some_and(|demo| demo.is(token)) => {
                return Err(Kind::EmbedTypeRequired.into());
            }
            Some(token) => {
                let way = if framed { Way::Frame } else { Way::Address };
                return Box::pin(self.token_caller(request, token, way, tenant)).await;
            }
        };
        if self.demo().token().is_some_and(|token| token.is(text)) {
            return match tenant {
                None => self.anybody(request).await,
                Some(_) => Err(Kind::TenantMismatch.into()),
            };
        }
        if text.starts_with(PREFIX) {
            return Box::pin(self.token_caller(request, text, Way::Header, tenant)).await;
        }
        let claims = self.keys.read(text, Use::Access)?;
        visit.admit(claims.sub.clone().into(), None).await?;
        let (place, role) = match tenant {
            // Everybody who is signed in may read the template.
            None => (Place::Template, Role::Viewer),
            Some(tenant) => {
                let role = self.role_at(&claims.sub, claims.role, &tenant)?;
                (Place::Tenant(tenant), role)
            }
        };
        Ok(Caller {
            who: claims.sub.clone(),
            place,
            role,
            family: claims.fam.clone(),
            token: None,
            signature: None,
        })
    }

    /// Whoever has the public demo token, or needs none: each address has a limit of its own.
    ///
    /// # Errors
    /// `too-many-requests`; `service-unavailable` while the first demo is being made.
    pub async fn anybody(&self, request: &Request) -> Result<Caller, Problem> {
        let visit = Visit::of(request)?;
        visit
            .admit(format!("anybody:{}", visit.address()), None)
            .await?;
        Ok(Caller {
            who: Who::Anybody,
            place: Place::Demo(self.demo().here().await?),
            role: Role::Admin,
            family: String::new(),
            token: None,
            signature: None,
        })
    }

    /// Whether a request comes with no credential at all, and there is a demo to show to anybody.
    pub fn presents_nothing(&self, request: &Request) -> bool {
        let headers = request.headers();
        self.demo().token().is_some()
            && !headers.contains_key(header::AUTHORIZATION)
            && !headers.contains_key("api-key")
            && in_address(request.original_uri().query().unwrap_or_default()).is_none()
    }

    async fn token_caller(
        &self,
        request: &Request,
        text: &str,
        way: Way,
        keyed: Option<Arc<tenant::Model>>,
    ) -> Result<Caller, Problem> {
        let visit = Visit::of(request)?;
        let known = self.tokens.find(text).await?.ok_or(Kind::InvalidToken)?;
        let token = known.token;
        let now = Utc::now();
        let signature = match &token.hmac_secret {
            None => None,
            Some(secret) => {
                let uri = request.original_uri();
                let signed = Signed {
                    method: request.method().as_str(),
                    path: uri.path(),
                    query: uri.query().unwrap_or_default(),
                    body: &Arrival::of(request)?.sent,
                };
                let headers = request.headers();
                Some(signature::check(headers, signed, secret, now.timestamp())?)
            }
        };
        if token.expires_at.is_some_and(|end| end <= now) {
            return Err(Kind::InvalidToken.into());
        }
        if way != Way::Header && token.kind != TokenKind::Embed {
            return Err(Kind::EmbedTypeRequired.into());
        }
        if !token.takes_address(client_address(request)) {
            return Err(Kind::IpNotAllowed.into());
        }
        let is_sent = request.headers().contains_key(header::ORIGIN);
        let goes_there = way == Way::Frame && !is_sent;
        if !goes_there && !token.takes_origin(origin(request.headers())) {
            return Err(Kind::DomainNotAllowed.into());
        }
        let tenant = match keyed {
            Some(tenant) if tenant.id == token.tenant_id => tenant,
            Some(_) => return Err(Kind::TenantMismatch.into()),
            // Its tokens go with a tenant; this one is going.
            None => (self.directory.by_key(&known.api_key).await?)
                .filter(|tenant| tenant.status != tenant::Status::Deleting)
                .ok_or(Kind::InvalidToken)?,
        };
        let who = Who::Token {
            tenant: tenant.id,
            id: token.id,
        };
        visit.note_tenant(tenant.id);
        visit.admit(who.clone().into(), token.rate_limit).await?;
        self.tokens.used(token.id, now);
        Ok(Caller {
            who,
            place: Place::Tenant(tenant),
            role: if token.writes() {
                Role::Editor
            } else {
                Role::Viewer
            },
            family: String::new(),
            token: Some(token),
            signature,
        })
    }
}

/// How a token came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In the `Authorization` header.
    Header,
    /// In the address.
    Address,
    /// In the address of a page that is made to sit in a frame.
    Frame,
}

/// A query string without the token that it may carry: for links, and for all that is answered.
pub fn without_token(query: &str) -> Cow<'_, str> {
    if in_address(query).is_none() {
        return Cow::Borrowed(query);
    }
    let others = query.split('&').filter(|part| in_address(part).is_none());
    Cow::Owned(others.collect::<Vec<_>>().join("&"))
}

/// The token that an address carries; empty if it carries several, which none is meant by.
fn in_address(query: &str) -> Option<&str> {
    let mut tokens = query.split('&').filter_map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name == PARAMETER).then_some(value)
    });
    let first = tokens.next()?;
    Some(if tokens.next().is_some() { "" } else { first })
}

/// The `Origin` of the page that asks, if there is one.
fn origin(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::ORIGIN).iter();
    let first = values.next()?;
    match values.next() {
        None => first.to_str().ok(),
        Some(_) => None,
    }
}

/// The credential of the `Authorization` header (RFC 6750, 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Kind::MissingToken)?;
    if values.next().is_some() {
        return Err(
            Problem::new(Kind::InvalidToken).detail("There is more than one Authorization.")
        );
    }
    let value = value.to_str().map_err(|_| Kind::InvalidToken)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(Kind::MissingToken.into());
    }
    Ok(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_one_token() {
        assert_eq!(in_address("a=1&token=dba_1&b"), Some("dba_1"));
        assert_eq!(in_address("token"), Some(""));
        assert_eq!(in_address("token=a&token=b"), Some(""));
        assert_eq!(without_token("a=1&token=dba_1&b"), "a=1&b");
        assert_eq!(without_token("token=x"), "");
        assert_eq!(without_token("a=token"), "a=token");
        assert_eq!(in_address("tokens=a&_token=b&x=token"), None);
    }
}
