//! Request ids: taken from `X-Request-Id` when it is fit for a log line, else made.

use std::fmt;

use poem::http::{HeaderMap, HeaderValue};

/// The id of one request, in its answer and in every log line about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

/// Longest id that is taken from a client.
const LONGEST: usize = 128;

impl RequestId {
    /// The client's id, or a fresh one of 128 random bits.
    pub fn of(headers: &HeaderMap) -> Self {
        headers
            .get("x-request-id")
            .and_then(|value| value.to_str().ok())
            .filter(|id| (1..=LONGEST).contains(&id.len()))
            .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
            .map_or_else(
                || Self(hex::encode(rand::random::<[u8; 16]>())),
                |id| Self(id.to_owned()),
            )
    }

    /// The id as a header value.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: &'static str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static(value));
        RequestId::of(&headers)
    }

    #[test]
    fn a_clients_id_is_kept() {
        assert_eq!(id("abc-1").to_string(), "abc-1");
    }

    #[test]
    fn an_id_that_would_spoil_a_log_line_is_replaced() {
        assert_eq!(id("two words").to_string().len(), 32);
        assert_eq!(id("").to_string().len(), 32);
    }
}
