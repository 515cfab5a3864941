//! Who is signed in at the browser in front of a public page, so that such a page can call the
//! API, and write its samples, for them.

use std::sync::Arc;

use poem::Request;

use crate::{
    auth::{Auth, caller::Who},
    directory::tenant,
    edge::headers::part,
    problem::{Kind, Problem},
};

use super::{cookie, page::Shell};

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Their address.
    pub email: String,
    /// An access token, for five minutes.
    pub access: String,
    /// The copies that they may use; oldest first.
    pub copies: Vec<Copy>,
    /// What forms carry.
    csrf: String,
}

/// A copy that whoever is signed in may use.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Given by the database.
    pub id: i64,
    /// Where a script gets an access token from.
    pub token: String,
    /// Its schema.
    pub schema: String,
    /// Its `Api-Key`.
    pub key: String,
}

/// Whoever is signed in; none for anybody else.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn signed(request: &Request) -> Result<Option<Signed>, Problem> {
    let Some(cookie) = cookie::session(request) else {
        return Ok(None);
    };
    let auth = part::<Arc<Auth>>(request)?;
    let Some(browser) = auth.browser(&cookie).await? else {
        return Ok(None);
    };
    let pass = match auth.pass(&browser).await {
        Ok(pass) => pass,
        // Whoever signed in is gone.
        Err(problem) if problem.kind == Kind::InvalidToken => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let directory = auth.directory();
    let tenants = match browser.who {
        Who::Account { id } => directory.tenants_of(id).await?,
        Who::User { tenant, .. } | Who::Token { tenant, .. } => {
            directory.tenant(tenant).await?.into_iter().collect()
        }
        Who::Anybody => Vec::new(),
    };
    let ready = tenants
        .into_iter()
        .filter(|tenant| tenant.status == tenant::Status::Ready);
    let copies = ready.map(|tenant| Copy {
        id: tenant.id,
        token: format!("/panel/{}/token", tenant.id),
        schema: tenant.schema,
        key: tenant.api_key,
    });
    Ok(Some(Signed {
        email: pass.email,
        access: pass.access,
        copies: copies.collect(),
        csrf: browser.csrf,
    }))
}

/// The frame of a public page, for whoever is signed in or for anybody.
pub fn shell(request: &Request, title: &str, signed: Option<&Signed>) -> Shell {
    let mut shell = Shell::new(request, title);
    if let Some(signed) = signed {
        shell.csrf.clone_from(&signed.csrf);
        shell.email.clone_from(&signed.email);
    }
    shell
}
