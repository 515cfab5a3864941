//! Which copies the browser in front of a public page may use, so that such a page can call the
//! API for whoever is signed in.

use std::sync::Arc;

use poem::Request;

use crate::{
    auth::{Auth, caller::Who},
    directory::tenant,
    edge::headers::part,
    problem::Problem,
};

use super::cookie;

/// A copy that whoever is signed in may use.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Where a script gets an access token from.
    pub token: String,
    /// Its schema.
    pub schema: String,
}

/// The copies of whoever is signed in; none for anybody else.
///
/// # Errors
/// `service-unavailable` if the platform's database is out of reach.
pub async fn copies(request: &Request) -> Result<Vec<Copy>, Problem> {
    let Some(cookie) = cookie::session(request) else {
        return Ok(Vec::new());
    };
    let auth = part::<Arc<Auth>>(request)?;
    let Some(browser) = auth.browser(&cookie).await? else {
        return Ok(Vec::new());
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
        token: format!("/panel/{}/token", tenant.id),
        schema: tenant.schema,
    });
    Ok(copies.collect())
}
