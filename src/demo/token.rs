//! The public demo token: derived from the server's secret, so that every start shows the same one.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// A token of the form of API tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(String);

/// What the token is derived for.
const PURPOSE: &[u8] = b"public demo token";

impl Token {
    /// The token of the server with this secret.
    pub fn derived(secret: &[u8]) -> Self {
        let mut digest = [0; 32];
        // HMAC takes keys of every length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) {
            mac.update(PURPOSE);
            digest = mac.finalize().into_bytes().into();
        }
        Self(format!("dba_{}", hex::encode(&digest[..24])))
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a credential is this token.
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_one_token_in_the_form_of_all_tokens() {
        let token = Token::derived(&[7; 32]);
        assert_eq!(token, Token::derived(&[7; 32]));
        assert_ne!(token, Token::derived(&[8; 32]));
        assert!(token.is(token.as_str()) && !token.is("dba_"));
        let digits = token.as_str().strip_prefix("dba_").unwrap_or_default();
        assert!(digits.len() == 48 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
