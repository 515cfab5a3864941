//! What surfaces read of a request besides its body: headers, and what the server put beside it.

use std::net::IpAddr;

use poem::{
    Request,
    http::{HeaderMap, HeaderName},
};

use super::visit::Visit;
use crate::problem::{Kind, Problem};

/// A part of the server that the routes carry along.
///
/// # Errors
/// `unauthorized` if it is not there, which is a fault of the server.
pub fn part<T: Send + Sync + 'static>(request: &Request) -> Result<&T, Problem> {
    request.data().ok_or_else(|| Kind::Unauthorized.into())
}

/// The address of the client that a request comes from, trusted proxies looked through.
pub fn client_address(request: &Request) -> Option<IpAddr> {
    Visit::of(request).ok().map(Visit::address)
}

/// A header's text, the first one where it comes several times.
pub fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// All values of a header that may come several times (RFC 9110, 5.3).
pub fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// Whether a `Prefer` header says `name=value` (RFC 7240).
pub fn prefers(prefer: Option<&str>, name: &str, value: &str) -> bool {
    prefer.unwrap_or("").split([',', ';']).any(|part| {
        part.split_once('=').is_some_and(|(n, v)| {
            n.trim().eq_ignore_ascii_case(name)
                && v.trim().trim_matches('"').eq_ignore_ascii_case(value)
        })
    })
}
