//! `GET /api/logs`: a tenant's administrator reads which calls were made of it, by whom, and how
//! they went.

use std::{net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use poem::{Request, web::Data};
use poem_openapi::{Object, OpenApi, param::Query, payload::Json};
use sea_orm::DatabaseConnection;

use crate::{
    audit::Audit,
    auth::{extract::TenantAdmin, operations::Section},
    listing::words::encode,
    problem::{Kind, Problem},
};

mod find;

pub use find::Filters;

/// The address of the call.
pub const PATH: &str = "/api/logs";

/// Reading the audit log.
pub struct LogsApi;

/// Where the log is read from.
#[derive(Clone)]
pub struct Log {
    /// The platform's own database.
    pub db: DatabaseConnection,
    /// What is kept.
    pub audit: Arc<Audit>,
}

/// Who made a call.
#[derive(Object)]
pub struct Who {
    /// `user`, `account` or `token`
    kind: String,
    /// Its id; none if it is not one of this tenant's
    id: Option<String>,
}

/// One call.
#[derive(Object)]
pub struct Call {
    id: i64,
    /// When it arrived
    at: DateTime<Utc>,
    method: String,
    path: String,
    /// What followed `?`, secrets left out
    query: Option<String>,
    status: i32,
    /// Milliseconds to the answer
    duration_ms: f32,
    /// Where it came from
    address: String,
    request_id: String,
    /// Null if the call did not get as far as knowing
    caller: Option<Who>,
}

/// Where a page stands among all.
#[derive(Object)]
pub struct Meta {
    current_page: u64,
    per_page: u64,
    /// Null above 10,000
    total: Option<u64>,
    /// Null above 10,000 calls
    total_pages: Option<u64>,
}

/// Addresses of other pages.
#[derive(Object)]
pub struct Links {
    #[oai(rename = "self")]
    this: String,
    first: String,
    prev: Option<String>,
    next: Option<String>,
}

/// A page of calls, the latest first.
#[derive(Object)]
pub struct Calls {
    data: Vec<Call>,
    meta: Meta,
    links: Links,
}

#[OpenApi(tag = "Section::Tenant")]
impl LogsApi {
    /// The calls made of this tenant, the latest first
    ///
    /// A call appears within a second of its answer, and is kept for as many days as the operator
    /// has set. Bodies and secrets are not kept.
    #[oai(path = "/logs", method = "get")]
    #[allow(clippy::too_many_arguments)]
    async fn logs(
        &self,
        request: &Request,
        log: Data<&Log>,
        admin: TenantAdmin,
        /// From 1
        page: Query<Option<u64>>,
        /// 1 to 1000, 25 by default
        per_page: Query<Option<u64>>,
        /// A status such as `404`, or a class such as `4xx`
        status: Query<Option<String>>,
        /// `GET`, `POST`, ..
        method: Query<Option<String>>,
        /// What the path begins with
        path: Query<Option<String>>,
        /// Calls at this instant or later
        since: Query<Option<String>>,
        /// Calls before this instant
        until: Query<Option<String>>,
        /// Id of the user who called
        user_id: Query<Option<String>>,
        /// Id of the token that was used
        token_id: Query<Option<String>>,
    ) -> Result<Json<Calls>, Problem> {
        if !log.audit.is_on() {
            return Err(
                Problem::new(Kind::FeatureDisabled).detail("This server keeps no log of calls.")
            );
        }
        find::refuse_unknown(request.uri().query().unwrap_or_default())?;
        let filters = Filters::read(find::Given {
            page: page.0,
            per_page: per_page.0,
            status: status.0,
            method: method.0,
            path: path.0,
            since: since.0,
            until: until.0,
            user: user_id.0,
            token: token_id.0,
        })?;
        let found = find::find(&log.db, &admin.tenant, &filters).await?;
        let more = found.more;
        let total = found.total;
        let address = |page: u64| {
            let rest = filters.pairs();
            let rest: String = rest
                .iter()
                .map(|(name, value)| format!("&{name}={}", encode(value)))
                .collect();
            format!("{PATH}?page={page}&per_page={}{rest}", filters.per_page)
        };
        Ok(Json(Calls {
            data: found.calls,
            meta: Meta {
                current_page: filters.page,
                per_page: filters.per_page,
                total,
                total_pages: total.map(|total| total.div_ceil(filters.per_page)),
            },
            links: Links {
                this: address(filters.page),
                first: address(1),
                prev: (filters.page > 1).then(|| address(filters.page - 1)),
                next: more.then(|| address(filters.page + 1)),
            },
        }))
    }
}

/// An address as people write it.
fn shown(address: IpAddr) -> String {
    address.to_canonical().to_string()
}
