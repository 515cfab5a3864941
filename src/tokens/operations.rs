//! The calls under `/api/tokens`: a tenant's administrator makes, changes and revokes tokens.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, param::Path, payload::Json};

use crate::{
    auth::{
        Auth,
        extract::TenantAdmin,
        operations::Section,
        tokens::record::{self, Model},
    },
    edge::form::Body,
    problem::Problem,
};

use super::{
    form::{NewToken, TokenChanges},
    shelf,
};

/// A tenant's tokens.
pub struct TokensApi;

/// A token, without its secrets.
#[derive(Object)]
struct TokenBody {
    /// Key of the token
    id: i64,
    /// What people call it
    name: String,
    /// `standard` or `embed`
    kind: String,
    /// Its first and last characters
    hint: String,
    /// What it may be used for
    scopes: Vec<String>,
    /// The only tables that it reaches; empty for all
    allowed_tables: Vec<String>,
    /// The only views that it reaches; empty for all
    allowed_views: Vec<String>,
    /// Whether its requests have to be signed
    hmac: bool,
    /// The only addresses and networks that it is used from; empty for all
    ip_allowlist: Vec<String>,
    /// The only domains whose pages use it; empty for any client
    domain_allowlist: Vec<String>,
    /// Requests a minute; null for the server's default
    rate_limit: Option<i32>,
    /// When it ends; null for never
    expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// When it was last used, here or, some seconds late, on another server; null for never
    last_used_at: Option<DateTime<Utc>>,
}

/// A token just made: the only time that its secrets are shown.
#[derive(Object)]
struct MadeToken {
    #[oai(flatten)]
    body: TokenBody,
    /// What the `Authorization` header carries behind `Bearer `; shown this once
    token: String,
    /// What requests are signed with, if they have to be; shown this once
    #[oai(skip_serializing_if_is_none)]
    hmac_secret: Option<String>,
}

/// A tenant's tokens.
#[derive(Object)]
struct TokenList {
    data: Vec<TokenBody>,
}

/// The answer to a token that was made.
#[derive(ApiResponse)]
enum Made {
    /// The token can be used
    #[oai(status = 201)]
    Created(
        Json<MadeToken>,
        /// Where the token's record is
        #[oai(header = "Location")]
        String,
    ),
}

#[OpenApi(prefix_path = "/tokens", tag = "Section::Tokens")]
impl TokensApi {
    /// All tokens, oldest first, without their secrets
    #[oai(path = "/", method = "get")]
    async fn list(
        &self,
        auth: Data<&Arc<Auth>>,
        admin: TenantAdmin,
    ) -> Result<Json<TokenList>, Problem> {
        let all = shelf::all(auth.tokens(), admin.tenant.id).await?;
        let data = all.into_iter().map(shown).collect::<Result<_, _>>()?;
        Ok(Json(TokenList { data }))
    }

    /// Make a token
    ///
    /// Its secrets are in this answer and never again. A tenant may have 100 tokens.
    #[oai(path = "/", method = "post")]
    async fn create(
        &self,
        auth: Data<&Arc<Auth>>,
        admin: TenantAdmin,
        body: Body<NewToken>,
    ) -> Result<Made, Problem> {
        let made = shelf::make(auth.tokens(), admin.tenant.id, body.0.draft()).await?;
        let address = format!("/api/tokens/{}", made.record.id);
        let body = MadeToken {
            body: shown(made.record)?,
            token: made.token,
            hmac_secret: made.hmac_secret,
        };
        Ok(Made::Created(Json(body), address))
    }

    /// One token, without its secrets
    #[oai(path = "/:id", method = "get")]
    async fn read(
        &self,
        auth: Data<&Arc<Auth>>,
        admin: TenantAdmin,
        id: Path<i64>,
    ) -> Result<Json<TokenBody>, Problem> {
        let record = shelf::one(auth.tokens(), admin.tenant.id, id.0).await?;
        shown(record).map(Json)
    }

    /// Change what a token may be used for, and from where
    ///
    /// Holds for requests at once, on other servers within a second.
    #[oai(path = "/:id", method = "patch")]
    async fn change(
        &self,
        auth: Data<&Arc<Auth>>,
        admin: TenantAdmin,
        id: Path<i64>,
        body: Body<TokenChanges>,
    ) -> Result<Json<TokenBody>, Problem> {
        let changed = shelf::change(auth.tokens(), admin.tenant.id, id.0, body.0).await?;
        shown(changed).map(Json)
    }

    /// Revoke a token
    ///
    /// Holds at once, on other servers within a second. Answers with the token that was.
    #[oai(path = "/:id", method = "delete")]
    async fn revoke(
        &self,
        auth: Data<&Arc<Auth>>,
        admin: TenantAdmin,
        id: Path<i64>,
    ) -> Result<Json<TokenBody>, Problem> {
        let tokens = auth.tokens();
        let record = shelf::one(tokens, admin.tenant.id, id.0).await?;
        shelf::revoke(tokens, record.id).await?;
        shown(record).map(Json)
    }
}

fn shown(record: Model) -> Result<TokenBody, Problem> {
    Ok(TokenBody {
        scopes: record::list(&record.scopes)?,
        allowed_tables: record::list(&record.allowed_tables)?,
        allowed_views: record::list(&record.allowed_views)?,
        ip_allowlist: record::list(&record.ip_allowlist)?,
        domain_allowlist: record::list(&record.domain_allowlist)?,
        id: record.id,
        name: record.name,
        kind: record.kind,
        hint: record.hint,
        hmac: record.hmac_salt.is_some(),
        rate_limit: record.rate_limit,
        expires_at: record.expires_at,
        created_at: record.created_at,
        last_used_at: record.last_used_at,
    })
}
