//! Who is signed in, and what they change of themselves: their name and their password.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json};
use tenants::Identity;

use crate::{
    directory::{account, tenant},
    edge::{
        form::{Body, Fields, Form},
        visit::PasswordTry,
    },
    problem::{Kind, Problem},
};

use super::{
    Auth,
    caller::{Caller, Who},
    extract::SignedIn,
    operations::{Section, check_name},
    password, session, usable,
    users::{self, By, Change},
};

/// One's own name and password.
pub struct OwnApi;

/// Who is signed in.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub struct Me {
    /// `user` of a tenant, or `account`
    kind: String,
    /// Key of the user or account
    id: String,
    /// Their address
    email: String,
    /// What they are called
    name: Option<String>,
    /// What they may do; accounts have no role of their own
    role: Option<String>,
    /// Schema of the user's tenant
    schema: Option<String>,
}

/// What may be changed of oneself.
#[derive(Object)]
pub struct Myself {
    /// What they are called; null for no name
    name: Option<String>,
}

impl Form for Myself {
    fn read(fields: &mut Fields) -> Self {
        if !fields.is_given("name") {
            fields.fault("name", "is required");
        }
        let name = fields.optional_text("name");
        let name = name.map(|name| name.trim().to_owned());
        if let Err(message) = check_name(name.as_deref()) {
            fields.fault("name", message);
        }
        Self {
            name: name.filter(|name| !name.is_empty()),
        }
    }
}

/// The password that holds and the one that shall.
#[derive(Object)]
pub struct Passwords {
    /// The one that holds
    current_password: String,
    /// 8 to 128 characters
    new_password: String,
}

impl Form for Passwords {
    fn read(fields: &mut Fields) -> Self {
        let passwords = Self {
            current_password: fields.text("current_password"),
            new_password: fields.text("new_password"),
        };
        if fields.is_sound("new_password")
            && let Err(message) = password::check(&passwords.new_password)
        {
            fields.fault("new_password", message);
        }
        passwords
    }
}

/// What a new password has brought about.
#[derive(Object)]
pub struct Changed {
    /// How many other sessions it ended
    sessions_ended: u64,
    /// Schemas of the account's tenants whose user of the same address had the old password too, and has the new one
    tenants: Vec<String>,
}

/// Whose password is changed.
enum Own {
    Account(account::Model),
    /// A user by their tenant and key.
    User(Identity, String),
}

#[OpenApi(prefix_path = "/auth", tag = "Section::Auth")]
impl OwnApi {
    /// Who is signed in
    #[oai(path = "/me", method = "get")]
    async fn me(&self, auth: Data<&Arc<Auth>>, signed_in: SignedIn) -> Result<Json<Me>, Problem> {
        Ok(Json(auth.me(signed_in.0.who).await?))
    }

    /// Change one's own name
    #[oai(path = "/me", method = "patch")]
    async fn rename(
        &self,
        auth: Data<&Arc<Auth>>,
        signed_in: SignedIn,
        body: Body<Myself>,
    ) -> Result<Json<Me>, Problem> {
        let who = signed_in.0.who;
        auth.rename(&who, body.0.name.as_deref()).await?;
        Ok(Json(auth.me(who).await?))
    }

    /// Change one's own password
    ///
    /// Ends all other sessions of whoever is signed in: refresh tokens are worthless at once, access tokens
    /// within five minutes. The session that asks goes on. An account's new password goes to its tenants too,
    /// wherever the user with the account's address still has the password of the registration.
    #[oai(path = "/password", method = "post")]
    async fn password(
        &self,
        auth: Data<&Arc<Auth>>,
        signed_in: SignedIn,
        _limit: PasswordTry,
        body: Body<Passwords>,
    ) -> Result<Json<Changed>, Problem> {
        Ok(Json(auth.change_password(&signed_in.0, body.0).await?))
    }
}

impl Auth {
    async fn me(&self, who: Who) -> Result<Me, Problem> {
        match who {
            Who::Account { id } => {
                let account = self.account(id).await?;
                Ok(Me {
                    kind: "account".to_owned(),
                    id: account.id.to_string(),
                    email: account.email,
                    name: account.name,
                    role: None,
                    schema: None,
                })
            }
            Who::User { tenant, id } => {
                let (tenant, user) = self.user(tenant, &id).await?;
                Ok(Me {
                    kind: "user".to_owned(),
                    id: user.id,
                    email: user.email,
                    name: user.name,
                    role: Some(user.role.as_str().to_owned()),
                    schema: Some(tenant.schema),
                })
            }
            Who::Token { .. } | Who::Anybody => Err(nobody()),
        }
    }

    async fn rename(&self, who: &Who, name: Option<&str>) -> Result<(), Problem> {
        match who {
            Who::Account { id } => self.directory.rename_account(*id, name).await,
            Who::User { tenant, id } => {
                let (tenant, _) = self.user(*tenant, id).await?;
                let change = Change::Name(name);
                if users::change(&self.tenants, &usable(&tenant)?, id, change).await? {
                    return Ok(());
                }
                Err(Kind::InvalidToken.into())
            }
            Who::Token { .. } | Who::Anybody => Err(nobody()),
        }
    }

    async fn change_password(&self, caller: &Caller, sent: Passwords) -> Result<Changed, Problem> {
        let (old, own) = match &caller.who {
            Who::Account { id } => {
                let account = self.account(*id).await?;
                (Some(account.password_hash.clone()), Own::Account(account))
            }
            Who::User { tenant, id } => {
                let (tenant, user) = self.user(*tenant, id).await?;
                (user.password_hash, Own::User(usable(&tenant)?, user.id))
            }
            Who::Token { .. } | Who::Anybody => return Err(nobody()),
        };
        let wrong = || {
            Problem::new(Kind::InvalidCredentials)
                .detail("The current password is another one.")
                .field("current_password", "is wrong")
        };
        if !password::verify(sent.current_password, old.clone()).await? {
            return Err(wrong());
        }
        let old = old.unwrap_or_default();
        let new = password::hash(sent.new_password).await?;
        let changed = match &own {
            Own::Account(account) => {
                let directory = &self.directory;
                directory.change_password(account.id, &old, &new).await?
            }
            Own::User(identity, id) => {
                let change = Change::Password {
                    old: &old,
                    new: &new,
                };
                users::change(&self.tenants, identity, id, change).await?
            }
        };
        // Of two changes at the same moment one comes second, and its current password is wrong by then.
        if !changed {
            return Err(wrong());
        }
        session::go_with(&self.db, &caller.family, &new).await?;
        let mut done = Changed {
            sessions_ended: self.sign_out_others(caller).await?,
            tenants: Vec::new(),
        };
        // The copies come last: one that does not answer keeps nobody signed in.
        if let Own::Account(account) = &own {
            self.hand_on(account, &old, &new, &mut done).await?;
        }
        Ok(done)
    }

    /// Gives the account's new password to the users that its registrations made, unless they have
    /// one of their own by now: whoever changes a password does not expect the old one to open a copy.
    async fn hand_on(
        &self,
        account: &account::Model,
        old: &str,
        new: &str,
        done: &mut Changed,
    ) -> Result<(), Problem> {
        for tenant in self.directory.tenants_of(account.id).await? {
            // What keeps one copy from taking it keeps no other from it, nor the account.
            match self.hand_to(&tenant, &account.email, old, new).await {
                Ok(Some(user)) => {
                    done.sessions_ended += self.sign_out_everywhere(&user).await?;
                    done.tenants.push(tenant.schema);
                }
                Ok(None) => {}
                Err(problem) => {
                    tracing::warn!(
                        schema = tenant.schema,
                        slug = problem.kind.slug(),
                        "a copy has not taken its account's new password"
                    );
                }
            }
        }
        Ok(())
    }

    async fn hand_to(
        &self,
        tenant: &tenant::Model,
        email: &str,
        old: &str,
        new: &str,
    ) -> Result<Option<Who>, Problem> {
        let identity = usable(tenant)?;
        let found = users::find(&self.tenants, &identity, By::Email(email)).await?;
        let same = found.filter(|user| user.password_hash.as_deref() == Some(old));
        let Some(user) = same else {
            return Ok(None);
        };
        let change = Change::Password { old, new };
        let changed = users::change(&self.tenants, &identity, &user.id, change).await?;
        Ok(changed.then(|| super::who(tenant, &user)))
    }
}

fn nobody() -> Problem {
    Problem::new(Kind::PermissionDenied).detail("Nobody is signed in by this token.")
}
