//! The secrets of a token: made at random, known again by their hash.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// What every token begins with.
pub const PREFIX: &str = "dba_";

/// Hexadecimal digits behind the prefix.
const DIGITS: usize = 48;

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// A new token.
pub fn fresh() -> String {
    format!(
        "{PREFIX}{}",
        hex::encode(rand::random::<[u8; DIGITS / 2]>())
    )
}

/// The hash of a text that has the shape of a token; `None` for any other.
pub fn hash(token: &str) -> Option<Hash> {
    let digits = token.strip_prefix(PREFIX)?;
    let spelt = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    (digits.len() == DIGITS && digits.bytes().all(spelt)).then(|| Sha256::digest(token).into())
}

/// What may be shown of a token: its first and last digits.
pub fn hint(token: &str) -> String {
    let head = token.get(..PREFIX.len() + 4).unwrap_or_default();
    let tail = token
        .get(token.len().saturating_sub(4)..)
        .unwrap_or_default();
    format!("{head}..{tail}")
}

/// The key that secrets of signatures follow from.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// The key that goes with the server's secret.
    pub fn new(server: &[u8; 32]) -> Self {
        let keyed = |key: &[u8]| {
            let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
            block[..key.len()].copy_from_slice(key);
            Hmac::<Sha256>::new(&block)
        };
        let mut own = keyed(server);
        own.update(b"secrets of signed requests");
        Self(keyed(&own.finalize().into_bytes()))
    }

    /// The secret that goes with a salt: 64 hexadecimal digits.
    pub fn secret(&self, salt: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(salt);
        hex::encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_token_has_the_shape_and_no_other_text_has() {
        let token = fresh();
        assert!(hash(&token).is_some());
        assert_ne!(token, fresh());
        for other in [
            "",
            "dba_",
            &token[..51],
            &format!("{token}0"),
            &token.to_uppercase(),
            &token.replace("dba_", "dbb_"),
            &format!("dba_{}", "g".repeat(48)),
            &format!("dba_{}", "é".repeat(24)),
        ] {
            assert_eq!(hash(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_hint_shows_eight_digits() {
        assert_eq!(
            hint(&format!("dba_51d5{}d186", "0".repeat(40))),
            "dba_51d5..d186"
        );
    }

    #[test]
    fn secrets_follow_from_server_and_salt() {
        let key = Key::new(&[1; 32]);
        assert_eq!(key.secret(b"salt").len(), 64);
        assert_eq!(key.secret(b"salt"), Key::new(&[1; 32]).secret(b"salt"));
        assert_ne!(key.secret(b"salt"), key.secret(b"other"));
        assert_ne!(key.secret(b"salt"), Key::new(&[2; 32]).secret(b"salt"));
    }
}
