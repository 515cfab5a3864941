//! The calls under `/api/auth`.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, Tags, payload::Json, types::Any};
use serde_json::Value;

use crate::{
    edge::{
        form::{Body, Fields, Form},
        visit::{Newcomer, PasswordTry},
    },
    problem::{Kind, Problem},
};

use super::{
    Auth, Pair,
    caller::Role,
    extract::{Keyed, MaybeKeyed, SignedIn},
    jwt, password, usable,
};

/// Signing in and out.
pub struct AuthApi;

/// Sections of the platform's OpenAPI document.
#[derive(Tags)]
pub enum Section {
    /// Registering, and the tenants of an account
    Accounts,
    /// The private copy itself
    Tenant,
    /// The masked copy that anybody may use
    Demo,
    /// Signing in, staying signed in, signing out
    Auth,
    /// API tokens: what programs use a tenant with
    Tokens,
    /// Which views are reports, and how they are drawn
    Reports,
}

/// An address and its password.
#[derive(Object)]
pub struct Credentials {
    /// Any spelling of upper and lower case
    #[oai(validator(max_length = 254))]
    email: String,
    /// 8 to 128 characters
    password: String,
}

impl Form for Credentials {
    fn read(fields: &mut Fields) -> Self {
        Self {
            email: fields.text("email"),
            password: fields.text("password"),
        }
    }
}

/// Somebody who wants to be a user.
#[derive(Object)]
pub struct NewUser {
    /// Where mail would reach them; unique among the users
    pub email: String,
    /// 8 to 128 characters
    pub password: String,
    /// What they are called
    pub name: Option<String>,
}

impl Form for NewUser {
    fn read(fields: &mut Fields) -> Self {
        let new = Self {
            email: fields.text("email").trim().to_owned(),
            password: fields.text("password"),
            name: fields.optional_text("name"),
        };
        for (field, message) in new.faults() {
            if fields.is_sound(field) {
                fields.fault(field, message);
            }
        }
        new
    }
}

impl NewUser {
    /// Itself, if all its fields are sound.
    ///
    /// # Errors
    /// `validation-failed` naming those that are not.
    pub fn checked(self) -> Result<Self, Problem> {
        let faults = self.faults();
        if faults.is_empty() {
            return Ok(self);
        }
        let problem = Problem::new(Kind::ValidationFailed);
        Err(faults
            .into_iter()
            .fold(problem, |problem, (field, message)| {
                problem.field(field, message)
            }))
    }

    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(message) = check_email(&self.email) {
            faults.push(("email", message.to_owned()));
        }
        if let Err(message) = password::check(&self.password) {
            faults.push(("password", message));
        }
        if let Err(message) = check_name(self.name.as_deref()) {
            faults.push(("name", message.to_owned()));
        }
        faults
    }
}

/// The refresh token that is spent.
#[derive(Object)]
pub struct Refresh {
    /// As the last answer gave it
    refresh_token: String,
}

impl Form for Refresh {
    fn read(fields: &mut Fields) -> Self {
        Self {
            refresh_token: fields.text("refresh_token"),
        }
    }
}

/// A pair of tokens (the shape is OAuth 2's, RFC 6749, 5.1).
#[derive(Object)]
pub struct Tokens {
    /// For the `Authorization` header
    access_token: String,
    /// For `POST /api/auth/refresh`, once
    refresh_token: String,
    /// `Bearer`
    token_type: String,
    /// Seconds for which the access token is valid
    expires_in: i64,
    /// Seconds for which the refresh token is valid
    refresh_expires_in: i64,
}

impl From<Pair> for Json<Tokens> {
    fn from(pair: Pair) -> Self {
        Self(Tokens {
            access_token: pair.access,
            refresh_token: pair.refresh,
            token_type: "Bearer".to_owned(),
            expires_in: jwt::ACCESS.num_seconds(),
            refresh_expires_in: jwt::REFRESH.num_seconds(),
        })
    }
}

/// A user as the API shows one.
#[derive(Object)]
pub struct UserBody {
    /// Key of the row, mostly a number; null while the copy that will hold it is being made
    pub id: Any<Value>,
    /// As given
    pub email: String,
    /// `admin`, `editor` or `viewer`
    pub role: String,
}

/// The answer to a sign-up.
#[derive(ApiResponse)]
pub enum SignedUp {
    /// The user exists and can sign in
    #[oai(status = 201)]
    Created(Json<UserBody>),
}

/// The answer to a log-out.
#[derive(Object)]
struct SignedOut {
    /// Always true
    signed_out: bool,
}

#[OpenApi(prefix_path = "/auth", tag = "Section::Auth")]
impl AuthApi {
    /// Sign in
    ///
    /// With `Api-Key` as a user of that tenant, without it as an account.
    #[oai(path = "/token", method = "post")]
    async fn token(
        &self,
        auth: Data<&Arc<Auth>>,
        _limit: PasswordTry,
        key: MaybeKeyed,
        body: Body<Credentials>,
    ) -> Result<Json<Tokens>, Problem> {
        let Body(Credentials { email, password }) = body;
        let pair = match key.0 {
            Some(tenant) => auth.sign_in_user(&tenant, &email, password).await?,
            None => auth.sign_in_account(&email, password).await?,
        };
        Ok(pair.into())
    }

    /// Trade a refresh token for a new pair
    ///
    /// Each refresh token can be used once; using a spent one closes the session.
    #[oai(path = "/refresh", method = "post")]
    async fn refresh(
        &self,
        auth: Data<&Arc<Auth>>,
        body: Body<Refresh>,
    ) -> Result<Json<Tokens>, Problem> {
        Ok(auth.refresh(&body.0.refresh_token).await?.into())
    }

    /// Sign out
    ///
    /// Closes the session: its refresh token is worthless at once, its access token within five minutes.
    #[oai(path = "/logout", method = "post")]
    async fn logout(
        &self,
        auth: Data<&Arc<Auth>>,
        signed_in: SignedIn,
    ) -> Result<Json<SignedOut>, Problem> {
        auth.sign_out(&signed_in.0).await?;
        Ok(Json(SignedOut { signed_out: true }))
    }

    /// Sign out everywhere
    ///
    /// Closes all sessions of whoever is signed in, on every device: refresh tokens are worthless
    /// at once, access tokens within five minutes.
    #[oai(path = "/logout/everywhere", method = "post")]
    async fn logout_everywhere(
        &self,
        auth: Data<&Arc<Auth>>,
        signed_in: SignedIn,
    ) -> Result<Json<SignedOut>, Problem> {
        auth.sign_out_everywhere(&signed_in.0.who).await?;
        Ok(Json(SignedOut { signed_out: true }))
    }

    /// Sign up as a viewer of the tenant that the `Api-Key` picks
    #[oai(path = "/signup", method = "post")]
    async fn signup(
        &self,
        auth: Data<&Arc<Auth>>,
        _limit: Newcomer,
        key: Keyed,
        body: Body<NewUser>,
    ) -> Result<SignedUp, Problem> {
        let tenant = key.0;
        if !tenant.open_signup {
            return Err(Problem::new(Kind::FeatureDisabled)
                .detail("This tenant does not take sign-ups; its administrator adds users."));
        }
        let identity = usable(&tenant)?;
        tenant.may_grow()?;
        let Body(NewUser {
            email,
            password,
            name,
        }) = body;
        let hash = password::hash(password).await?;
        let id = super::users::insert(
            auth.tenants(),
            &identity,
            &super::users::New {
                email: &email,
                name: name.as_deref(),
                password_hash: &hash,
                role: Role::Viewer,
            },
        )
        .await?;
        Ok(SignedUp::Created(Json(UserBody {
            id: user_key(Some(id)),
            email,
            role: Role::Viewer.as_str().to_owned(),
        })))
    }
}

/// A key as JSON shows it: a number where it is one.
pub fn user_key(id: Option<String>) -> Any<Value> {
    Any(match id {
        None => Value::Null,
        Some(id) => id.parse::<i64>().map_or(Value::String(id), Value::from),
    })
}

/// Checks the length of what somebody is called.
pub(super) fn check_name(name: Option<&str>) -> Result<(), &'static str> {
    if name.unwrap_or_default().chars().count() > 200 {
        return Err("must have 200 characters at most");
    }
    Ok(())
}

/// Checks the form of an address, as far as it can be without sending mail (RFC 5321, 4.5.3.1).
fn check_email(email: &str) -> Result<(), &'static str> {
    let Some((local, domain)) = email.rsplit_once('@') else {
        return Err("must be an e-mail address");
    };
    if local.is_empty() || local.len() > 64 || email.len() > 254 {
        return Err("must be an e-mail address of 254 bytes at most, 64 of them before the @");
    }
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "<>(),;:\\\"[]@".contains(c);
    if local.contains(forbidden) || domain.is_empty() || domain.contains(forbidden) {
        return Err("must be an e-mail address");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_for_their_form() {
        for good in [
            "a@b.example",
            "ada.lovelace+x@mail.example",
            "ü@b.example",
            "1@localhost",
        ] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a b@c", "a@b c", "a@b@c", "a\n@b"] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
        assert!(check_email(&format!("{}@b.example", "x".repeat(65))).is_err());
    }
}
