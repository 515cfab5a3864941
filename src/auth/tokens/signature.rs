//! Signed requests: HMAC-SHA256 over method, path, query, hash of the body and time.

use hmac::{Hmac, KeyInit as _, Mac as _};
use poem::http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::problem::{Kind, Problem};

/// Seconds by which the clocks of client and server may differ, either way.
pub const WINDOW: i64 = 300;

/// What is signed besides the time: all of it as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The path, percent-encoded.
    pub path: &'a str,
    /// What follows `?`; empty if nothing does.
    pub query: &'a str,
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// A signature that held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 32]);

/// Checks the headers `X-Timestamp` and `X-Signature`; `now` is in seconds since 1970.
///
/// # Errors
/// `invalid-signature` for whatever is wrong with them.
pub fn check(
    headers: &HeaderMap,
    signed: Signed<'_>,
    secret: &str,
    now: i64,
) -> Result<Signature, Problem> {
    let (timestamp, signature) = (only(headers, "x-timestamp")?, only(headers, "x-signature")?);
    let digits = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let time: i64 = (digits.then(|| timestamp.parse().ok()).flatten()).ok_or_else(|| {
        refused("`X-Timestamp` is not a number of seconds since 1970.".to_owned())
    })?;
    if now.abs_diff(time) > WINDOW.unsigned_abs() {
        return Err(refused(format!(
            "`X-Timestamp` is more than {WINDOW} seconds away from this server's time, which is {now}."
        )));
    }
    let mut bytes = [0; 32];
    // One spelling alone, so that what is the same signature is the same text.
    let lower = !signature.bytes().any(|byte| byte.is_ascii_uppercase());
    if !lower || hex::decode_to_slice(signature, &mut bytes).is_err() {
        return Err(refused(
            "`X-Signature` is not 64 lower-case hexadecimal digits.".to_owned(),
        ));
    }
    let mismatch = || {
        refused(
            "`X-Signature` does not match the request: method, path, raw query string, SHA-256 of \
             the body and timestamp, joined by line feeds."
                .to_owned(),
        )
    };
    // HMAC takes keys of any length.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| Kind::InternalError)?;
    mac.update(canonical(signed, timestamp).as_bytes());
    // The comparison takes the same time wherever the first difference is.
    mac.verify_slice(&bytes).map_err(|_| mismatch())?;
    Ok(Signature(bytes))
}

fn canonical(signed: Signed<'_>, timestamp: &str) -> String {
    let body = hex::encode(Sha256::digest(signed.body));
    [signed.method, signed.path, signed.query, &body, timestamp].join("\n")
}

/// The value of a header that has to be there once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value
            .to_str()
            .map_err(|_| refused(format!("The header `{name}` is not a plain text."))),
        (None, _) => Err(refused(format!(
            "This token's requests are signed; the header `{name}` is missing."
        ))),
        (Some(_), Some(_)) => Err(refused(format!("The header `{name}` comes twice."))),
    }
}

fn refused(detail: String) -> Problem {
    Problem::new(Kind::InvalidSignature).detail(detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SIGNED: Signed<'_> = Signed {
        method: "POST",
        path: "/api/v1/graphql",
        query: "",
        body: br#"{"query":"{ ... }"}"#,
    };
    /// Worked out with `openssl dgst -sha256 -hmac secret` over the canonical string.
    const KNOWN: &str = "7534f4d44e61915d8c56868457d1925024895d00210d0a1a7f3e61e3e24e2c17";

    fn headers(timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-timestamp", timestamp.parse().unwrap());
        headers.insert("x-signature", signature.parse().unwrap());
        headers
    }

    fn sign(signed: Signed<'_>, timestamp: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap();
        mac.update(canonical(signed, timestamp).as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    #[test]
    fn a_known_request_has_its_known_signature() {
        assert_eq!(sign(SIGNED, "1711900000"), KNOWN);
        let headers = headers("1711900000", KNOWN);
        assert!(check(&headers, SIGNED, "secret", 1_711_900_000).is_ok());
        let problem = check(&headers, SIGNED, "Secret", 1_711_900_000).unwrap_err();
        assert_eq!(problem.kind, Kind::InvalidSignature);
    }

    #[test]
    fn clocks_may_differ_by_five_minutes_either_way() {
        for (off, held) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let headers = headers("1711900000", &sign(SIGNED, "1711900000"));
            let outcome = check(&headers, SIGNED, "secret", 1_711_900_000 + off);
            assert_eq!(outcome.is_ok(), held, "{off}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = sign(SIGNED, "1711900000");
        for (timestamp, signature) in [
            ("1711900000", good.to_uppercase()),
            ("1711900000", good[..63].to_owned()),
            ("1711900000", format!("{good}00")),
            ("+1711900000", good.clone()),
            ("1711900000.0", good.clone()),
            ("", good.clone()),
            ("99999999999999999999", good.clone()),
        ] {
            let headers = headers(timestamp, &signature);
            assert!(check(&headers, SIGNED, "secret", 1_711_900_000).is_err());
        }
        let mut twice = headers("1711900000", &good);
        twice.append("x-signature", good.parse().unwrap());
        assert!(check(&twice, SIGNED, "secret", 1_711_900_000).is_err());
        assert!(check(&HeaderMap::new(), SIGNED, "secret", 1_711_900_000).is_err());
    }
}
