//! Extractors: an operation's arguments state the rights that it needs.

use std::{collections::HashMap, sync::Arc};

use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};

use crate::{
    directory::tenant,
    edge::visit::Visit,
    problem::{Kind, Problem},
};

use super::{
    Auth,
    caller::{Caller, Place, Role},
};

/// Name of the security scheme for JWTs and API tokens in the OpenAPI documents.
pub const BEARER: &str = "bearer";
/// Name of the security scheme for the `Api-Key` header in the OpenAPI documents.
pub const API_KEY: &str = "apiKey";

/// The tenant that the `Api-Key` picks; no other credential.
pub struct Keyed(pub Arc<tenant::Model>);

/// The tenant that the `Api-Key` picks, if there is one.
pub struct MaybeKeyed(pub Option<Arc<tenant::Model>>);

/// Whoever the access token speaks for, in the place that the `Api-Key` picks.
pub struct SignedIn(pub Caller);

/// An administrator of the tenant that the `Api-Key` picks.
pub struct TenantAdmin {
    /// Who they are.
    pub caller: Caller,
    /// Their tenant.
    pub tenant: Arc<tenant::Model>,
}

trait Credential: Sized {
    const SCHEMES: &'static [&'static str];
    async fn check(auth: &Auth, request: &Request) -> Result<Self, Problem>;
}

impl Credential for Keyed {
    const SCHEMES: &'static [&'static str] = &[API_KEY];

    async fn check(auth: &Auth, request: &Request) -> Result<Self, Problem> {
        match MaybeKeyed::check(auth, request).await?.0 {
            Some(tenant) => Ok(Self(tenant)),
            None => {
                Err(Problem::new(Kind::InvalidApiKey)
                    .detail("This call needs the header `Api-Key`."))
            }
        }
    }
}

impl Credential for MaybeKeyed {
    const SCHEMES: &'static [&'static str] = &[];

    async fn check(auth: &Auth, request: &Request) -> Result<Self, Problem> {
        let tenant = auth.keyed(request.headers()).await?;
        if let Some(tenant) = &tenant {
            Visit::of(request)?.note_tenant(tenant.id);
        }
        Ok(Self(tenant))
    }
}

impl Credential for SignedIn {
    const SCHEMES: &'static [&'static str] = &[BEARER];

    async fn check(auth: &Auth, request: &Request) -> Result<Self, Problem> {
        auth.caller(request).await?.signed_in().map(Self)
    }
}

impl Credential for TenantAdmin {
    const SCHEMES: &'static [&'static str] = &[BEARER, API_KEY];

    async fn check(auth: &Auth, request: &Request) -> Result<Self, Problem> {
        let caller = auth.caller(request).await?.signed_in()?;
        if matches!(caller.place, Place::Template) {
            return Err(
                Problem::new(Kind::InvalidApiKey).detail("This call needs the header `Api-Key`.")
            );
        }
        let tenant = Arc::clone(caller.tenant_as(Role::Admin)?);
        Ok(Self { caller, tenant })
    }
}

macro_rules! extract {
    ($($credential:ty),*) => {$(
        impl<'a> ApiExtractor<'a> for $credential {
            const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

            type ParamType = ();
            type ParamRawType = ();

            fn register(registry: &mut Registry) {
                for (name, scheme) in schemes() {
                    registry.create_security_scheme(name, scheme);
                }
            }

            fn security_schemes() -> Vec<&'static str> {
                Self::SCHEMES.to_vec()
            }

            async fn from_request(
                request: &'a Request,
                _body: &mut RequestBody,
                _options: ExtractParamOptions<Self::ParamType>,
            ) -> Result<Self> {
                let auth = request
                    .data::<Arc<Auth>>()
                    .ok_or_else(|| Problem::new(Kind::Unauthorized))?;
                Ok(Self::check(auth, request).await?)
            }
        }
    )*};
}

extract!(Keyed, MaybeKeyed, SignedIn, TenantAdmin);

fn schemes() -> HashMap<&'static str, MetaSecurityScheme> {
    let blank = || MetaSecurityScheme {
        ty: "http",
        description: None,
        name: None,
        key_in: None,
        scheme: None,
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    HashMap::from([
        (
            BEARER,
            MetaSecurityScheme {
                description: Some("An access token from `POST /api/auth/token`"),
                scheme: Some("bearer"),
                bearer_format: Some("JWT"),
                ..blank()
            },
        ),
        (
            API_KEY,
            MetaSecurityScheme {
                ty: "apiKey",
                description: Some("Picks the tenant; from the answer to the registration"),
                name: Some("Api-Key"),
                key_in: Some("header"),
                ..blank()
            },
        ),
    ])
}
