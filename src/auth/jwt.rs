//! Access and refresh tokens: JWT (RFC 7519) signed with HS256, five minutes and one day.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::problem::{Kind, Problem};

use super::caller::{Role, Who};

/// How long an access token is valid.
pub const ACCESS: Duration = Duration::minutes(5);
/// How long a refresh token is valid.
pub const REFRESH: Duration = Duration::days(1);

/// What a token is for; a refresh token is no access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Authorises requests.
    Access,
    /// Is traded for a new pair, once.
    Refresh,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Issuer; always [`ISSUER`].
    pub iss: String,
    /// Who: an account, or a user of a tenant.
    pub sub: Who,
    /// What it is for.
    #[serde(rename = "use")]
    pub usage: Use,
    /// The user's role when the token was made; an account's token has none.
    pub role: Option<Role>,
    /// The sign-in that it descends from.
    pub fam: String,
    /// The token's own name.
    pub jti: String,
    /// Seconds since 1970 at which it was made.
    pub iat: i64,
    /// Seconds since 1970 at which it expires.
    pub exp: i64,
}

/// Issuer of every token.
pub const ISSUER: &str = "sandlot";

/// The key, ready for signing and checking.
pub struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    /// Access tokens that were found good, whole, with what they say: a client sends the same one
    /// for minutes.
    known: Mutex<HashMap<Box<str>, Arc<Claims>>>,
}

/// How many tokens are kept before all are forgotten.
const KEPT: usize = 1000;

impl Keys {
    /// Prepares the key that all servers on one database share.
    pub fn new(secret: &[u8; 32]) -> Self {
        // One algorithm alone is accepted, so neither `none` nor a key of another kind is.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.validate_aud = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            known: Mutex::default(),
        }
    }

    /// Signs claims into a compact token.
    ///
    /// # Errors
    /// `internal-error` if the claims can't be written.
    pub fn sign(&self, claims: &Claims) -> Result<String, Problem> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .map_err(|error| Problem::new(Kind::InternalError).because(error))
    }

    /// Reads a token that has to be for the given use.
    ///
    /// # Errors
    /// `token-expired`, or `invalid-token` for everything else that is wrong with it.
    pub fn read(&self, token: &str, usage: Use) -> Result<Arc<Claims>, Problem> {
        if usage == Use::Access
            && let Some(claims) = self.recall(token, Utc::now())
        {
            return Ok(claims);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Problem::new(Kind::TokenExpired),
                _ => Problem::new(Kind::InvalidToken).because(error),
            })?
            .claims;
        if claims.usage == usage {
            let claims = Arc::new(claims);
            if usage == Use::Access {
                let mut known = self.known.lock();
                if known.len() >= KEPT {
                    known.clear();
                }
                known.insert(token.into(), Arc::clone(&claims));
            }
            Ok(claims)
        } else {
            Err(Problem::new(Kind::InvalidToken).detail(match usage {
                Use::Access => {
                    "This is a refresh token; requests are authorised by an access token."
                }
                Use::Refresh => "This is an access token; a new pair is had for a refresh token.",
            }))
        }
    }

    /// What a token says that was found good before and is not over.
    fn recall(&self, token: &str, now: DateTime<Utc>) -> Option<Arc<Claims>> {
        let known = self.known.lock();
        let claims = known.get(token)?;
        (claims.exp > now.timestamp()).then(|| Arc::clone(claims))
    }
}

/// The claims of one token of a sign-in, made now.
pub fn claims(
    who: &Who,
    role: Option<Role>,
    usage: Use,
    family: &str,
    jti: &str,
    now: DateTime<Utc>,
) -> Claims {
    let lifetime = match usage {
        Use::Access => ACCESS,
        Use::Refresh => REFRESH,
    };
    Claims {
        iss: ISSUER.to_owned(),
        sub: who.clone(),
        usage,
        role,
        fam: family.to_owned(),
        jti: jti.to_owned(),
        iat: now.timestamp(),
        exp: (now + lifetime).timestamp(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample(usage: Use, now: DateTime<Utc>) -> Claims {
        claims(&Who::Account { id: 7 }, None, usage, "fam", "jti", now)
    }

    fn kind(result: Result<Arc<Claims>, Problem>) -> Kind {
        result.unwrap_err().kind
    }

    #[test]
    fn a_token_says_what_was_signed() {
        let keys = Keys::new(&[1; 32]);
        let claims = sample(Use::Access, Utc::now());
        let token = keys.sign(&claims).unwrap();
        assert_eq!(*keys.read(&token, Use::Access).unwrap(), claims);
        assert_eq!(kind(keys.read(&token, Use::Refresh)), Kind::InvalidToken);
    }

    #[test]
    fn a_known_token_is_over_in_its_time() {
        let keys = Keys::new(&[1; 32]);
        let now = Utc::now();
        let access = keys.sign(&sample(Use::Access, now)).unwrap();
        assert_eq!(keys.recall(&access, now), None);
        let claims = keys.read(&access, Use::Access).unwrap();
        assert_eq!(keys.recall(&access, now), Some(claims.clone()));
        assert_eq!(keys.read(&access, Use::Access).unwrap(), claims);
        assert_eq!(keys.recall(&access, now + ACCESS), None);
        // One letter of the signature, and one of the claims.
        for at in [access.len() - 5, access.len() / 2] {
            let mut forged = access.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(kind(keys.read(&forged, Use::Access)), Kind::InvalidToken);
        }
        let refresh = keys.sign(&sample(Use::Refresh, now)).unwrap();
        keys.read(&refresh, Use::Refresh).unwrap();
        assert_eq!(kind(keys.read(&refresh, Use::Access)), Kind::InvalidToken);
        assert_eq!(kind(keys.read(&access, Use::Refresh)), Kind::InvalidToken);
    }

    #[test]
    fn five_minutes_and_one_day() {
        let now = Utc::now();
        assert_eq!(sample(Use::Access, now).exp - now.timestamp(), 300);
        assert_eq!(sample(Use::Refresh, now).exp - now.timestamp(), 86_400);
    }

    #[test]
    fn an_old_token_is_expired() {
        let keys = Keys::new(&[1; 32]);
        let token = keys
            .sign(&sample(Use::Access, Utc::now() - Duration::minutes(6)))
            .unwrap();
        assert_eq!(kind(keys.read(&token, Use::Access)), Kind::TokenExpired);
    }

    #[test]
    fn other_keys_and_algorithms_are_refused() {
        let keys = Keys::new(&[1; 32]);
        let claims = sample(Use::Access, Utc::now());
        let other = Keys::new(&[2; 32]).sign(&claims).unwrap();
        assert_eq!(kind(keys.read(&other, Use::Access)), Kind::InvalidToken);
        let wrong = jsonwebtoken::encode(
            &Header::new(Algorithm::HS512),
            &claims,
            &EncodingKey::from_secret(&[1; 32]),
        )
        .unwrap();
        assert_eq!(kind(keys.read(&wrong, Use::Access)), Kind::InvalidToken);
        // {"alg":"none","typ":"JWT"} before the same claims, without a signature.
        let good = keys.sign(&claims).unwrap();
        let payload = good.split('.').nth(1).unwrap();
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
        assert_eq!(kind(keys.read(&none, Use::Access)), Kind::InvalidToken);
    }
}
