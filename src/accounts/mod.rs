//! Accounts: registering, and an account's tenants.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, payload::Json};

use crate::{
    auth::{
        caller::{Role, Who},
        extract::SignedIn,
        operations::{NewUser, Section, UserBody, user_key},
    },
    directory::{Directory, tenant},
    edge::{form::Body, visit::Newcomer},
    problem::{Kind, Problem},
    tenancy::Tenancy,
};

mod register;

pub use register::record;

/// Registering, and the tenants of an account.
pub struct AccountsApi;

/// A tenant as its owner sees it.
#[derive(Object)]
pub struct TenantBody {
    id: i64,
    /// Name of the tenant's own database schema
    schema: String,
    /// Goes into the header `Api-Key`
    api_key: String,
    /// `provisioning`, `ready` or `failed`
    status: String,
    created_at: DateTime<Utc>,
}

impl From<tenant::Model> for TenantBody {
    fn from(tenant: tenant::Model) -> Self {
        Self {
            id: tenant.id,
            schema: tenant.schema,
            api_key: tenant.api_key,
            status: tenant.status.as_str().to_owned(),
            created_at: tenant.created_at,
        }
    }
}

/// What a registration makes.
#[derive(Object)]
pub struct Registration {
    tenant: TenantBody,
    user: UserBody,
}

/// The answer to a registration.
#[derive(ApiResponse)]
pub enum Registered {
    /// The tenant exists; it can be used once its status is `ready`
    #[oai(status = 201)]
    Created(
        Json<Registration>,
        /// Where the tenant is
        #[oai(header = "Location")]
        String,
    ),
}

/// An account's tenants.
#[derive(Object)]
pub struct TenantList {
    data: Vec<TenantBody>,
}

#[OpenApi(tag = "Section::Accounts")]
impl AccountsApi {
    /// Register: an account and a private copy
    ///
    /// With a known address and its password: another tenant of that account.
    #[oai(path = "/register", method = "post")]
    async fn register(
        &self,
        directory: Data<&Directory>,
        tenancy: Data<&Arc<Tenancy>>,
        newcomer: Newcomer,
        body: Body<NewUser>,
    ) -> Result<Registered, Problem> {
        let Body(new) = body;
        let (account, tenant) = register::record(&tenancy, &directory, &new).await?;
        newcomer.note_tenant(tenant.id);
        let (tenant, user_id) = tenancy.make(tenant).await?;
        let user = UserBody {
            id: user_key(user_id),
            email: account.email,
            role: Role::Admin.as_str().to_owned(),
        };
        Ok(Registered::Created(
            Json(Registration {
                tenant: tenant.into(),
                user,
            }),
            "/api/tenant".to_owned(),
        ))
    }

    /// The account's tenants
    #[oai(path = "/tenants", method = "get")]
    async fn tenants(
        &self,
        directory: Data<&Directory>,
        signed_in: SignedIn,
    ) -> Result<Json<TenantList>, Problem> {
        let Who::Account { id } = signed_in.0.who else {
            return Err(Problem::new(Kind::PermissionDenied)
                .detail("Tenants are listed for accounts; this token is a tenant's user's."));
        };
        let data = directory.tenants_of(id).await?;
        Ok(Json(TenantList {
            data: data.into_iter().map(Into::into).collect(),
        }))
    }
}
