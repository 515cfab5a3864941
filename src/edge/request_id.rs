//! Request ids: taken from `X-Request-Id` when it is fit for a log line, else made.

use std::fmt;

use poem::http::{HeaderMap, HeaderName, HeaderValue};

/// Where it stands, coming and going.
pub const NAME: HeaderName = HeaderName::from_static("x-request-id");

/// The id of one request, in its answer and in every log line about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

/// Longest id that is taken from a client.
const LONGEST: usize = 128;

impl RequestId {
    /// The client's id, or a fresh one of 128 random bits.
    pub fn of(headers: &HeaderMap) -> Self {
        let fit = |id: &&HeaderValue| {
            let bytes = id.as_bytes();
            (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        };
        match headers.get(&NAME).filter(fit) {
            Some(id) => Self(id.clone()),
            None => Self::made(),
        }
    }

    fn made() -> Self {
        let id = hex::encode(rand::random::<[u8; 16]>());
        // Hexadecimal digits always are one.
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-")))
    }

    /// The id as a header value.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only such characters are let in.
        f.write_str(self.0.to_str().unwrap_or("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: &'static str) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_static(value));
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
