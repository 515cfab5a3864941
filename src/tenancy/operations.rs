//! The calls under `/api/tenant`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, param::Path, payload::Json, types::Any};
use serde_json::Value;

use crate::{
    auth::{
        extract::{Keyed, TenantAdmin},
        operations::Section,
    },
    direct::{Direct, EACH},
    directory::{Directory, tenant},
    edge::form::{Body, Fields, Form},
    problem::{Kind, Problem},
};

use super::{Tenancy, snapshots};

/// A tenant, by itself.
pub struct TenantApi;

/// A tenant as anybody with its key may see it.
#[derive(Object)]
struct TenantState {
    id: i64,
    /// Name of the tenant's own database schema
    schema: String,
    /// `provisioning`, `ready` or `failed`; `deleted` in the answer to its deletion
    status: String,
    created_at: DateTime<Utc>,
    /// When it will be removed; null if it is kept
    expires_at: Option<DateTime<Utc>>,
    /// Version of the template that it was copied from
    template_version: i64,
    /// Bytes on disk of its tables and indexes; null while it is not ready
    size_bytes: Option<i64>,
    /// How far the copy is while it is being made; null otherwise
    progress: Option<Progress>,
}

/// How far a copy is.
#[derive(Object)]
struct Progress {
    /// `queued` or `copying`
    stage: String,
    /// Copies that are made before this one
    ahead: usize,
}

impl TenantState {
    fn of(
        tenant: &tenant::Model,
        expires_at: Option<DateTime<Utc>>,
        size_bytes: Option<i64>,
        progress: Option<(&str, usize)>,
    ) -> Self {
        Self {
            id: tenant.id,
            schema: tenant.schema.clone(),
            status: tenant.status.as_str().to_owned(),
            created_at: tenant.created_at,
            expires_at,
            template_version: tenant.template_version,
            size_bytes,
            progress: progress.map(|(stage, ahead)| Progress {
                stage: stage.to_owned(),
                ahead,
            }),
        }
    }
}

#[OpenApi(tag = "Section::Tenant")]
impl TenantApi {
    /// The tenant that the `Api-Key` picks
    #[oai(path = "/tenant", method = "get")]
    async fn show(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        directory: Data<&Directory>,
        key: Keyed,
    ) -> Result<Json<TenantState>, Problem> {
        let size = match key.0.status {
            tenant::Status::Ready => tenancy.size(&key.0).await?,
            _ => None,
        };
        Ok(Json(TenantState::of(
            &key.0,
            directory.expiry(&key.0),
            size,
            tenancy.progress(key.0.id),
        )))
    }

    /// Delete the tenant: its schema, its role, its sessions
    ///
    /// Answers with the tenant that was. The account stays.
    #[oai(path = "/tenant", method = "delete")]
    async fn delete(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        admin: TenantAdmin,
    ) -> Result<Json<TenantState>, Problem> {
        tenancy.remove(&admin.tenant).await?;
        Ok(Json(TenantState {
            status: "deleted".to_owned(),
            ..TenantState::of(&admin.tenant, None, None, None)
        }))
    }

    /// The certificate: is the tenant still what the template was?
    ///
    /// Compared kind by kind and table by table, the rows of `users` left out, and signed with
    /// Ed25519 over the certificate without `signature`, as JSON with sorted members (RFC 8785).
    #[oai(path = "/tenant/certificate", method = "get")]
    async fn certificate(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        admin: TenantAdmin,
    ) -> Result<Json<Any<Value>>, Problem> {
        crate::auth::usable(&admin.tenant)?;
        Ok(Json(Any(tenancy.certify(&admin.tenant).await?)))
    }

    /// The public key of all certificates, as a JSON Web Key
    #[oai(path = "/certificate-key", method = "get")]
    async fn certificate_key(&self, tenancy: Data<&Arc<Tenancy>>) -> Json<Any<Value>> {
        Json(Any(tenancy.certificate_key()))
    }

    /// An address for psql, drivers and ORMs: the tenant's own role, its password and the database
    ///
    /// Where the operator has opened a port for it; `feature-disabled` elsewhere. Whoever has the
    /// address can do all that the tenant can. A role whose password or settings were changed is put
    /// in order by asking.
    #[oai(path = "/tenant/connection", method = "get")]
    async fn connection(
        &self,
        door: Data<&Option<Arc<Direct>>>,
        admin: TenantAdmin,
    ) -> Result<Json<Connection>, Problem> {
        crate::auth::usable(&admin.tenant)?;
        let door = door.0.as_ref().ok_or_else(|| {
            Problem::new(Kind::FeatureDisabled)
                .detail("This server takes no connections by PostgreSQL's own protocol; its operator can allow them.")
        })?;
        Ok(Json(Connection {
            url: door.url(&admin.tenant).await?,
            connections: EACH,
        }))
    }

    /// Reset the tenant to the template
    ///
    /// Puts back the rows of the tables that have changed, or makes the whole copy anew where
    /// definitions have. Users stay. With `tables`: the rows of these alone.
    #[oai(path = "/tenant/reset", method = "post")]
    async fn reset(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        admin: TenantAdmin,
        body: Body<Reset>,
    ) -> Result<Json<ResetBody>, Problem> {
        crate::auth::usable(&admin.tenant)?;
        let (tenancy, tenant) = (Arc::clone(&tenancy), admin.tenant);
        let reset = async move { tenancy.reset(&tenant, body.0.tables).await };
        let report = to_its_end(reset).await?;
        Ok(Json(ResetBody {
            whole: report.whole,
            tables: report.tables,
            sequences: report.sequences,
            views: report.views,
        }))
    }

    /// The tenant's snapshots
    #[oai(path = "/tenant/snapshots", method = "get")]
    async fn snapshots(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        admin: TenantAdmin,
    ) -> Result<Json<SnapshotList>, Problem> {
        let snapshots = tenancy.snapshots(&admin.tenant).await?;
        Ok(Json(SnapshotList {
            data: snapshots.into_iter().map(Into::into).collect(),
        }))
    }

    /// Keep the tenant's state of this moment under a name
    ///
    /// Three snapshots at most; all tables, rows and users are in it.
    #[oai(path = "/tenant/snapshots", method = "post")]
    async fn take_snapshot(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        admin: TenantAdmin,
        body: Body<NewSnapshot>,
    ) -> Result<Taken, Problem> {
        crate::auth::usable(&admin.tenant)?;
        let (tenancy, tenant) = (Arc::clone(&tenancy), admin.tenant);
        let taken = async move { tenancy.take_snapshot(&tenant, body.0.name).await };
        let snapshot = to_its_end(taken).await?;
        Ok(Taken::Created(Json(snapshot.into())))
    }

    /// Bring the tenant back to a snapshot
    ///
    /// All that it has now gives way to the snapshot, its users too; the snapshot stays.
    #[oai(path = "/tenant/snapshots/:id/restore", method = "post")]
    async fn restore_snapshot(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        admin: TenantAdmin,
        id: Path<i64>,
    ) -> Result<Json<Restored>, Problem> {
        crate::auth::usable(&admin.tenant)?;
        let (tenancy, tenant) = (Arc::clone(&tenancy), admin.tenant);
        to_its_end(async move { tenancy.restore_snapshot(&tenant, id.0).await }).await?;
        Ok(Json(Restored { restored: id.0 }))
    }

    /// Delete a snapshot
    ///
    /// Answers with the snapshot that was.
    #[oai(path = "/tenant/snapshots/:id", method = "delete")]
    async fn delete_snapshot(
        &self,
        tenancy: Data<&Arc<Tenancy>>,
        admin: TenantAdmin,
        id: Path<i64>,
    ) -> Result<Json<SnapshotBody>, Problem> {
        let (tenancy, tenant) = (Arc::clone(&tenancy), admin.tenant);
        let was = to_its_end(async move { tenancy.delete_snapshot(&tenant, id.0).await }).await?;
        Ok(Json(was.into()))
    }
}

/// Goes on where the client has left: half of it would leave schemas and rights behind.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let ended = tokio::spawn(work).await;
    ended.map_err(|error| Problem::new(Kind::InternalError).because(error))?
}

/// A state of the tenant that is kept.
#[derive(Object)]
struct SnapshotBody {
    id: i64,
    name: String,
    created_at: DateTime<Utc>,
}

impl From<snapshots::Model> for SnapshotBody {
    fn from(snapshot: snapshots::Model) -> Self {
        Self {
            id: snapshot.id,
            name: snapshot.name,
            created_at: snapshot.created_at,
        }
    }
}

/// A tenant's snapshots.
#[derive(Object)]
struct SnapshotList {
    data: Vec<SnapshotBody>,
}

/// The answer to a snapshot.
#[derive(ApiResponse)]
enum Taken {
    /// The state is kept
    #[oai(status = 201)]
    Created(Json<SnapshotBody>),
}

/// What a restoration did.
#[derive(Object)]
struct Restored {
    /// The snapshot that the tenant is at now
    restored: i64,
}

/// A snapshot to be.
#[derive(Object)]
struct NewSnapshot {
    /// 1 to 100 characters, unique among the tenant's snapshots
    name: String,
}

impl Form for NewSnapshot {
    fn read(fields: &mut Fields) -> Self {
        let name = fields.text("name").trim().to_owned();
        if fields.is_sound("name") && !(1..=100).contains(&name.chars().count()) {
            fields.fault("name", "must have 1 to 100 characters");
        }
        Self { name }
    }
}

/// Which tables are reset.
#[derive(Object)]
struct Reset {
    /// Names of tables; all if missing
    tables: Option<Vec<String>>,
}

impl Form for Reset {
    const MAY_BE_EMPTY: bool = true;

    fn read(fields: &mut Fields) -> Self {
        Self {
            tables: fields.optional_texts("tables"),
        }
    }
}

/// How the tenant's own programs log in.
#[derive(Object)]
struct Connection {
    /// As psql and most drivers take it; without encryption, so it is for networks that are trusted
    url: String,
    /// How many of these connections the tenant may hold at once
    connections: usize,
}

/// What a reset did.
#[derive(Object)]
struct ResetBody {
    /// Whether the whole copy was made anew; the lists are empty then
    whole: bool,
    /// Tables whose rows were put back
    tables: Vec<String>,
    /// Sequences that were set back
    sequences: Vec<String>,
    /// Materialized views that were filled again
    views: Vec<String>,
}
