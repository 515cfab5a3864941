//! The caller: who asks, once credentials are checked, and what they may do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    demo::Generation,
    directory::tenant,
    problem::{Kind, Problem},
};

use super::tokens::{Scope, Token, signature::Signature};

/// Who a credential speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Who {
    /// A person's account on the platform.
    Account {
        /// Id of the account.
        id: i64,
    },
    /// A row of a tenant's own `users`.
    User {
        /// Id of the tenant.
        tenant: i64,
        /// The row's id, as text: a tenant may key its users as it likes.
        id: String,
    },
    /// Anybody, by the public demo token.
    Anybody,
    /// An API token.
    Token {
        /// Id of its tenant.
        tenant: i64,
        /// Id of the token.
        id: i64,
    },
}

impl From<Who> for String {
    fn from(who: Who) -> Self {
        match who {
            Who::Account { id } => format!("account:{id}"),
            Who::User { tenant, id } => format!("user:{tenant}:{id}"),
            Who::Anybody => "anybody".to_owned(),
            Who::Token { tenant, id } => format!("token:{tenant}:{id}"),
        }
    }
}

impl TryFrom<String> for Who {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let unknown = || format!("{text:?} is nobody");
        let number = |text: &str| text.parse().map_err(|_| unknown());
        match text.split_once(':').ok_or_else(unknown)? {
            ("account", id) => Ok(Self::Account { id: number(id)? }),
            ("user", rest) => {
                let (tenant, id) = rest.split_once(':').ok_or_else(unknown)?;
                Ok(Self::User {
                    tenant: number(tenant)?,
                    id: id.to_owned(),
                })
            }
            // No access token is made for an API token.
            _ => Err(unknown()),
        }
    }
}

/// What a user may do in their tenant; each can do all that the one before can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and writes rows.
    Editor,
    /// Everything.
    Admin,
}

impl Role {
    /// The role that a row of `users` names; an unknown word grants nothing beyond reading.
    pub fn named(name: &str) -> Self {
        match name {
            "admin" => Self::Admin,
            "editor" => Self::Editor,
            _ => Self::Viewer,
        }
    }

    /// The word that `users.role` holds.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

/// Where a request works.
#[derive(Clone, Debug)]
pub enum Place {
    /// On the template, which nobody can write.
    Template,
    /// On a tenant's copy.
    Tenant(Arc<tenant::Model>),
    /// On the masked copy, which keeps nothing.
    Demo(Arc<Generation>),
}

/// Who asks, where, and with which rights.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whose credential it is.
    pub who: Who,
    /// Where the request works.
    pub place: Place,
    /// What they may do there.
    pub role: Role,
    /// The sign-in that the credential descends from; empty for an API token.
    pub family: String,
    /// The API token that the request came with, if it did.
    pub token: Option<Arc<Token>>,
    /// The signature of a signed request.
    pub signature: Option<Signature>,
}

impl Caller {
    /// Refuses an API token that lacks a scope; who is signed in has all of them.
    ///
    /// # Errors
    /// `scope-not-allowed`.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        match &self.token {
            Some(token) if !token.has(scope) => Err(Problem::new(Kind::ScopeNotAllowed).detail(
                format!("The token does not have the scope `{}`.", scope.as_str()),
            )),
            _ => Ok(()),
        }
    }

    /// Refuses API tokens, where only somebody who is signed in has business.
    ///
    /// # Errors
    /// `scope-not-allowed`.
    pub fn signed_in(self) -> Result<Self, Problem> {
        match (&self.token, &self.who) {
            (Some(_), _) | (_, Who::Anybody) => Err(Problem::new(Kind::ScopeNotAllowed).detail(
                "No API token has a scope for this call; it takes the access token of somebody who is signed in.",
            )),
            _ => Ok(self),
        }
    }

    /// The tenant, for raw SQL: by its administrator, or by a token that has the scope.
    ///
    /// # Errors
    /// `read-only` on the template, `permission-denied` without the role, `scope-not-allowed`
    /// without the scope.
    pub fn tenant_for_sql(&self) -> Result<&Arc<tenant::Model>, Problem> {
        match (&self.token, &self.place) {
            (Some(_), Place::Tenant(tenant)) => {
                self.needs(Scope::Sql)?;
                Ok(tenant)
            }
            (_, Place::Demo(_)) => Err(Problem::new(Kind::ScopeNotAllowed)
                .detail("The demo token does not have the scope `sql`.")),
            _ => self.tenant_as(Role::Admin),
        }
    }

    /// The tenant, if the caller has at least the given role there.
    ///
    /// # Errors
    /// `read-only` on the template, `permission-denied` without the role.
    pub fn tenant_as(&self, least: Role) -> Result<&Arc<tenant::Model>, Problem> {
        match &self.place {
            Place::Template => Err(Kind::ReadOnly.into()),
            Place::Demo(_) => Err(Problem::new(Kind::PermissionDenied)
                .detail("The demo belongs to nobody: this needs a tenant of your own.")),
            Place::Tenant(tenant) if self.role >= least => Ok(tenant),
            Place::Tenant(_) => Err(Problem::new(Kind::PermissionDenied).detail(format!(
                "This needs the role `{}`; the signed-in user has the role `{}`.",
                least.as_str(),
                self.role.as_str()
            ))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_survives_the_way_through_a_token() {
        for who in [
            Who::Account { id: 12 },
            Who::User {
                tenant: 3,
                id: "a:b".into(),
            },
        ] {
            assert_eq!(Who::try_from(String::from(who.clone())).unwrap(), who);
        }
        assert!(Who::try_from("user:x".to_owned()).is_err());
        assert!(Who::try_from("root".to_owned()).is_err());
        let token = Who::Token { tenant: 1, id: 2 };
        assert!(Who::try_from(String::from(token)).is_err());
    }

    #[test]
    fn roles_are_ordered_and_unknown_ones_only_read() {
        assert!(Role::Viewer < Role::Editor && Role::Editor < Role::Admin);
        assert_eq!(Role::named("superuser"), Role::Viewer);
    }
}
