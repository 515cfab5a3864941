//! Credentials in, [`caller::Caller`] out; signing in, refreshing, signing out.
//!
//! [`Auth::caller`] is the one door: an access token (JWT) or an API token, as [`present`] says.

use std::sync::Arc;

use chrono::Utc;
use poem::http::HeaderMap;
use sea_orm::DatabaseConnection;
use tenants::{Identity, Tenants};

use crate::{
    demo::Demo,
    directory::{Directory, account, tenant},
    problem::{Kind, Problem},
};

pub mod browser;
pub mod caller;
pub mod extract;
pub mod jwt;
pub mod operations;
pub mod own;
pub mod password;
pub mod present;
pub mod rehearse;
pub mod replay;
pub mod rights;
pub mod session;
pub mod tokens;
pub mod users;

use caller::{Caller, Role, Who};
use jwt::{Keys, Use};
use tokens::Tokens;
use users::{By, User};

/// Checks credentials and keeps sessions.
pub struct Auth {
    db: DatabaseConnection,
    directory: Directory,
    tenants: Tenants,
    keys: Keys,
    demo: Demo,
    tokens: Tokens,
    /// Whether tokens may come in the address.
    query_tokens: bool,
}

/// What a sign-in gives: two compact JWTs.
pub struct Pair {
    /// For requests; five minutes.
    pub access: String,
    /// For the next pair; one day, once.
    pub refresh: String,
}

/// Whom a session belongs to, as they are now.
struct Standing {
    email: String,
    /// A user's; an account has none.
    role: Option<Role>,
}

impl Auth {
    /// Credentials are checked with `keys` and `tokens` against the given databases.
    ///
    /// `query_tokens` is whether API tokens may come in the address, as `?token=`.
    pub fn new(
        db: DatabaseConnection,
        directory: Directory,
        tenants: Tenants,
        keys: Keys,
        demo: Demo,
        tokens: Tokens,
        query_tokens: bool,
    ) -> Self {
        Self {
            db,
            directory,
            tenants,
            keys,
            demo,
            tokens,
            query_tokens,
        }
    }

    /// The tenant that the `Api-Key` header picks, whatever its status; none without the header.
    ///
    /// # Errors
    /// `invalid-api-key` if no tenant has the key.
    pub async fn keyed(&self, headers: &HeaderMap) -> Result<Option<Arc<tenant::Model>>, Problem> {
        let mut keys = headers.get_all("api-key").iter();
        let Some(key) = keys.next() else {
            return Ok(None);
        };
        let unknown = || Problem::new(Kind::InvalidApiKey);
        if keys.next().is_some() {
            return Err(unknown());
        }
        let key = key.to_str().map_err(|_| unknown())?;
        let tenant = self.directory.by_key(key).await?.ok_or_else(unknown)?;
        if tenant.status == tenant::Status::Deleting {
            return Err(unknown());
        }
        Ok(Some(tenant))
    }

    /// The masked copy that anybody may use.
    pub fn demo(&self) -> &Demo {
        &self.demo
    }

    fn role_at(&self, who: &Who, role: Option<Role>, at: &tenant::Model) -> Result<Role, Problem> {
        match who {
            Who::Account { id } if *id == at.account_id => Ok(Role::Admin),
            Who::User { tenant, .. } if *tenant == at.id => Ok(role.unwrap_or(Role::Viewer)),
            _ => Err(Kind::TenantMismatch.into()),
        }
    }

    /// Signs a user in to a tenant.
    ///
    /// # Errors
    /// `invalid-credentials`, the same in text and time for a wrong password and an unknown address.
    pub async fn sign_in_user(
        &self,
        tenant: &tenant::Model,
        email: &str,
        password: String,
    ) -> Result<Pair, Problem> {
        let user = self.user_of(tenant, email, password).await?;
        let stored = user.password_hash.as_deref();
        self.open(&who(tenant, &user), stored, Some(user.role))
            .await
    }

    /// Signs an account in.
    ///
    /// # Errors
    /// `invalid-credentials`, the same in text and time for a wrong password and an unknown address.
    pub async fn sign_in_account(&self, email: &str, password: String) -> Result<Pair, Problem> {
        let account = self.account_of(email, password).await?;
        let who = Who::Account { id: account.id };
        self.open(&who, Some(&account.password_hash), None).await
    }

    /// Trades a refresh token for a new pair, spending it.
    ///
    /// # Errors
    /// `token-expired`; `invalid-token` if it was spent or the password is another one by now, both of which
    /// close the session, or if its account, tenant or user is gone.
    pub async fn refresh(&self, token: &str) -> Result<Pair, Problem> {
        let claims = self.keys.read(token, Use::Refresh)?;
        let session = session::rotate(&self.db, &claims.fam, &claims.jti, Utc::now()).await?;
        let standing = self.standing(&claims.sub, &session).await?;
        self.pair(
            &claims.sub,
            standing.role,
            &session.family,
            &session.current,
        )
    }

    /// Ends the session that a credential descends from.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Problem> {
        session::revoke(&self.db, &caller.family, Utc::now()).await
    }

    /// Ends all sessions of somebody, on every device, and says how many there were.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn sign_out_everywhere(&self, who: &Who) -> Result<u64, Problem> {
        session::revoke_all(&self.db, who, Utc::now()).await
    }

    /// Ends all sessions of a caller but the one that they call from, and says how many there were.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn sign_out_others(&self, caller: &Caller) -> Result<u64, Problem> {
        session::revoke_others(&self.db, &caller.who, &caller.family, Utc::now()).await
    }

    /// The user's row behind a caller who is one.
    ///
    /// # Errors
    /// `invalid-token` if the tenant or the user is gone.
    pub async fn user(&self, tenant: i64, id: &str) -> Result<(tenant::Model, User), Problem> {
        let gone =
            || Problem::new(Kind::InvalidToken).detail("The user behind this token is gone.");
        let tenant = self.directory.tenant(tenant).await?.ok_or_else(gone)?;
        let user = users::find(&self.tenants, &usable(&tenant)?, By::Id(id))
            .await?
            .filter(|user| user.active)
            .ok_or_else(gone)?;
        Ok((tenant, user))
    }

    /// The account behind a caller who is one.
    ///
    /// # Errors
    /// `invalid-token` if the account is gone.
    pub async fn account(&self, id: i64) -> Result<account::Model, Problem> {
        self.directory.account(id).await?.ok_or_else(|| {
            Problem::new(Kind::InvalidToken).detail("The account behind this token is gone.")
        })
    }

    /// Who and what is known.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The API tokens of all tenants.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The tenants, to work as one of them.
    pub fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// The user of a tenant whose address and password these are.
    async fn user_of(
        &self,
        tenant: &tenant::Model,
        email: &str,
        password: String,
    ) -> Result<User, Problem> {
        let user = users::find(&self.tenants, &usable(tenant)?, By::Email(email)).await?;
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        let right = password::verify(password, stored).await?;
        user.filter(|user| right && user.active)
            .ok_or_else(|| Kind::InvalidCredentials.into())
    }

    /// The account whose address and password these are.
    async fn account_of(&self, email: &str, password: String) -> Result<account::Model, Problem> {
        let account = self.directory.account_by_email(email).await?;
        let stored = account
            .as_ref()
            .map(|account| account.password_hash.clone());
        let right = password::verify(password, stored).await?;
        account
            .filter(|_| right)
            .ok_or_else(|| Kind::InvalidCredentials.into())
    }

    /// What somebody's session is worth now. A role changed since the sign-in takes effect here, and another
    /// password ends the session, by whatever way it came into the row: an administrator's, SQL, a snapshot.
    async fn standing(&self, who: &Who, session: &session::Model) -> Result<Standing, Problem> {
        let (email, role, stored) = match who {
            Who::Account { id } => {
                let account = self.account(*id).await?;
                (account.email, None, Some(account.password_hash))
            }
            Who::User { tenant, id } => {
                let (_, user) = self.user(*tenant, id).await?;
                (user.email, Some(user.role), user.password_hash)
            }
            // No session is opened for an API token.
            Who::Token { .. } | Who::Anybody => return Err(Kind::InvalidToken.into()),
        };
        if !session.goes_with(stored.as_deref()) {
            session::revoke(&self.db, &session.family, Utc::now()).await?;
            return Err(Problem::new(Kind::InvalidToken)
                .detail("The password was changed after this sign-in. Sign in again."));
        }
        Ok(Standing { email, role })
    }

    async fn open(
        &self,
        who: &Who,
        stored: Option<&str>,
        role: Option<Role>,
    ) -> Result<Pair, Problem> {
        let (family, jti) = session::open(&self.db, who, stored, Utc::now()).await?;
        self.pair(who, role, &family, &jti)
    }

    fn pair(
        &self,
        who: &Who,
        role: Option<Role>,
        family: &str,
        refresh_jti: &str,
    ) -> Result<Pair, Problem> {
        let now = Utc::now();
        let access_jti = hex::encode(rand::random::<[u8; 16]>());
        let sign = |usage, jti: &str| {
            self.keys
                .sign(&jwt::claims(who, role, usage, family, jti, now))
        };
        Ok(Pair {
            access: sign(Use::Access, &access_jti)?,
            refresh: sign(Use::Refresh, refresh_jti)?,
        })
    }
}

/// How connections to a tenant's schema log in, if its copy can be used.
///
/// # Errors
/// `tenant-provisioning` while it is being made, `service-unavailable` if that failed.
pub fn usable(tenant: &tenant::Model) -> Result<Identity, Problem> {
    match tenant.status {
        tenant::Status::Ready => Ok(tenant.identity()),
        tenant::Status::Provisioning => {
            Err(Problem::new(Kind::TenantProvisioning).header("retry-after", "1"))
        }
        tenant::Status::Failed => Err(Problem::new(Kind::ServiceUnavailable)
            .detail("Making this tenant's copy failed. Delete the tenant and register another.")),
        tenant::Status::Deleting => Err(Kind::InvalidApiKey.into()),
    }
}

fn who(tenant: &tenant::Model, user: &User) -> Who {
    Who::User {
        tenant: tenant.id,
        id: user.id.clone(),
    }
}
