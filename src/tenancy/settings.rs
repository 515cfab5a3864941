//! The calls under `/api/tenant/settings`: what holds for a tenant, and what its admins may
//! change of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json};

use crate::{
    auth::{extract::TenantAdmin, operations::Section},
    directory::{Directory, tenant},
    edge::form::{Body, Fields, Form},
    limits::{Limits, Policy, headers},
    problem::Problem,
};

use super::Tenancy;

/// A tenant's settings.
pub struct SettingsApi;

/// What this server grants a tenant and its callers.
#[derive(Clone)]
pub struct Bounds {
    /// Bytes that a tenant may take; none for no quota.
    pub quota: Option<u64>,
    /// How much may be asked for.
    pub limits: Arc<Limits>,
}

/// What holds for a tenant.
#[derive(Object)]
struct TenantSettings {
    /// Whose account the tenant belongs to
    owner: Owner,
    /// Whether anybody with the `Api-Key` may sign up as a viewer
    open_signup: bool,
    created_at: DateTime<Utc>,
    /// When it will be removed; null if it is kept
    expires_at: Option<DateTime<Utc>>,
    /// Bytes on disk of its tables and indexes; null while it is not ready
    size_bytes: Option<i64>,
    /// Bytes that it may take; null for no limit
    quota_bytes: Option<u64>,
    /// Whether it holds more than that: then it may read, delete and reset
    over_quota: bool,
    /// How much may be asked for in a window of time
    limits: Vec<Limit>,
}

/// Whose account a tenant belongs to.
#[derive(Object)]
struct Owner {
    email: String,
    name: Option<String>,
}

/// One of the server's rate limits.
#[derive(Object)]
struct Limit {
    /// `address`: all requests of an address; `caller`: all requests of a token, user or account
    /// without a limit of its own; `sign-in`, `register`: these from one address
    name: String,
    /// Requests in a window; null for no limit
    requests: Option<u32>,
    /// How long a window is
    seconds: u64,
}

/// What is to be changed; what is absent stays.
#[derive(Object)]
struct SettingsChanges {
    /// Whether anybody with the `Api-Key` may sign up as a viewer
    open_signup: Option<bool>,
}

impl Form for SettingsChanges {
    fn read(fields: &mut Fields) -> Self {
        if fields.is_null("open_signup") {
            fields.fault("open_signup", "can't be null");
        }
        Self {
            open_signup: fields.optional_bool("open_signup"),
        }
    }
}

#[OpenApi(tag = "Section::Tenant")]
impl SettingsApi {
    /// The tenant's settings, and the limits that it is under
    #[oai(path = "/tenant/settings", method = "get")]
    async fn settings(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        directory: Data<&Directory>,
        bounds: Data<&Bounds>,
        admin: TenantAdmin,
    ) -> Result<Json<TenantSettings>, Problem> {
        let body = body(&tenancy, &directory, &bounds, &admin.tenant).await?;
        Ok(Json(body))
    }

    /// Change the tenant's settings
    ///
    /// Answers with all of them, as they are now.
    #[oai(path = "/tenant/settings", method = "patch")]
    async fn change_settings(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        directory: Data<&Directory>,
        bounds: Data<&Bounds>,
        admin: TenantAdmin,
        changes: Body<SettingsChanges>,
    ) -> Result<Json<TenantSettings>, Problem> {
        crate::auth::usable(&admin.tenant)?;
        let mut tenant = tenant::Model::clone(&admin.tenant);
        if let Some(open) = changes.0.open_signup {
            tenant = directory.set_open_signup(&tenant, open).await?;
        }
        Ok(Json(body(&tenancy, &directory, &bounds, &tenant).await?))
    }
}

async fn body(
    tenancy: &Tenancy,
    directory: &Directory,
    bounds: &Bounds,
    tenant: &tenant::Model,
) -> Result<TenantSettings, Problem> {
    let account = directory.account(tenant.account_id).await?;
    let size_bytes = match tenant.status {
        tenant::Status::Ready => tenancy.size(tenant).await?,
        _ => None,
    };
    let seconds = headers::seconds(bounds.limits.quotas().window);
    Ok(TenantSettings {
        owner: account.map_or_else(
            || Owner {
                email: String::new(),
                name: None,
            },
            |account| Owner {
                email: account.email,
                name: account.name,
            },
        ),
        open_signup: tenant.open_signup,
        created_at: tenant.created_at,
        expires_at: directory.expiry(tenant),
        size_bytes,
        quota_bytes: bounds.quota,
        over_quota: tenant.over_quota,
        limits: Policy::ALL
            .into_iter()
            .map(|policy| Limit {
                name: policy.name().to_owned(),
                requests: Some(bounds.limits.quota(policy)).filter(|quota| *quota > 0),
                seconds,
            })
            .collect(),
    })
}
