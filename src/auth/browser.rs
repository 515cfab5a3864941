//! Sign-ins of browsers: a cookie stands for the session, tokens stay at the server.
//!
//! The cookie is `<session>.<secret>`; the platform keeps a hash of the secret where another
//! session has the name of its refresh token. Each sign-in makes both anew, so a cookie that
//! somebody planted beforehand is worth nothing afterwards.

use chrono::{TimeDelta, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::{directory::tenant, problem::Problem};

use super::{
    Auth, Standing,
    caller::{Role, Who},
    jwt::{self, Use},
    session, who,
};

/// A session is prolonged when it was last prolonged that long ago.
const PROLONG: TimeDelta = TimeDelta::hours(1);

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub struct Browser {
    /// Who signed in.
    pub who: Who,
    /// The session, which is open.
    pub session: session::Model,
    /// What forms carry to show that they are ours.
    pub csrf: String,
}

/// What the server does in the name of a browser, for as long as an access token lasts.
#[derive(Clone, Debug)]
pub struct Pass {
    /// An access token.
    pub access: String,
    /// Their address.
    pub email: String,
    /// The role of a user in their tenant; an account administers its own.
    pub role: Role,
}

impl Browser {
    /// Whether `token` is the one that this session's forms carry.
    pub fn sent(&self, token: &str) -> bool {
        self.csrf.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

impl Auth {
    /// Signs an account in at a browser; answers with the cookie's value.
    ///
    /// # Errors
    /// `invalid-credentials`, the same in text and time for a wrong password and an unknown address.
    pub async fn enter_as_account(
        &self,
        email: &str,
        password: String,
    ) -> Result<(String, Who), Problem> {
        let account = self.account_of(email, password).await?;
        let who = Who::Account { id: account.id };
        self.enter(who, Some(&account.password_hash)).await
    }

    /// Signs a tenant's user in at a browser; answers with the cookie's value.
    ///
    /// # Errors
    /// As [`Self::enter_as_account`].
    pub async fn enter_as_user(
        &self,
        tenant: &tenant::Model,
        email: &str,
        password: String,
    ) -> Result<(String, Who), Problem> {
        let user = self.user_of(tenant, email, password).await?;
        let stored = user.password_hash.as_deref();
        self.enter(who(tenant, &user), stored).await
    }

    /// The browser that a cookie belongs to, if its session is open.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn browser(&self, cookie: &str) -> Result<Option<Browser>, Problem> {
        let Some((family, secret)) = cookie.split_once('.') else {
            return Ok(None);
        };
        let now = Utc::now();
        let Some(session) = session::find(&self.db, family, now).await? else {
            return Ok(None);
        };
        let same: bool = session
            .current
            .as_bytes()
            .ct_eq(session::digest(secret).as_bytes())
            .into();
        let who = match (session.account_id, session.tenant_id, &session.user_id) {
            (Some(id), ..) => Who::Account { id },
            (None, Some(tenant), Some(id)) => Who::User {
                tenant,
                id: id.clone(),
            },
            _ => return Ok(None),
        };
        if !same {
            return Ok(None);
        }
        if session.expires_at - now < jwt::REFRESH - PROLONG {
            session::prolong(&self.db, family, now).await?;
        }
        Ok(Some(Browser {
            who,
            csrf: csrf(secret),
            session,
        }))
    }

    /// An access token for a browser, with the role that its user has now.
    ///
    /// # Errors
    /// `invalid-token` if the account, tenant or user is gone, or has another password by now.
    pub async fn pass(&self, browser: &Browser) -> Result<Pass, Problem> {
        let Standing { email, role } = self.standing(&browser.who, &browser.session).await?;
        let jti = hex::encode(rand::random::<[u8; 16]>());
        let claims = jwt::claims(
            &browser.who,
            role,
            Use::Access,
            &browser.session.family,
            &jti,
            Utc::now(),
        );
        Ok(Pass {
            access: self.keys.sign(&claims)?,
            email,
            role: role.unwrap_or(Role::Admin),
        })
    }

    /// Ends a browser's session.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn leave(&self, browser: &Browser) -> Result<(), Problem> {
        session::revoke(&self.db, &browser.session.family, Utc::now()).await
    }

    async fn enter(&self, who: Who, stored: Option<&str>) -> Result<(String, Who), Problem> {
        let secret = hex::encode(rand::random::<[u8; 32]>());
        // Longer than a token's name, so that neither is ever taken for the other.
        let current = session::digest(&secret);
        let family = session::open_for(&self.db, &who, stored, current, Utc::now()).await?;
        Ok((format!("{family}.{secret}"), who))
    }
}

/// What the forms of a browser's session carry: it follows from the cookie's secret and tells nothing of it.
fn csrf(secret: &str) -> String {
    // HMAC takes keys of any length.
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        Ok(mac) => mac,
        Err(_) => return String::new(),
    };
    mac.update(b"csrf");
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_token_follows_from_the_cookie_and_tells_nothing_of_it() {
        let token = csrf("secret");
        assert_eq!(token.len(), 64);
        assert_ne!(token, csrf("another"));
        assert_ne!(token, session::digest("secret"));
    }
}
