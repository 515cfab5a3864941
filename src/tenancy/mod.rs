//! A tenant's life: made, looked at, deleted. Thin over the crate `tenants`.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use sea_orm::{
    ActiveValue::Set, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    sea_query::OnConflict,
};
use tenants::{Access, Tenants, names, script};
use tokio::sync::{Notify, Semaphore};

use crate::{
    directory::{Directory, account, tenant},
    problem::{Kind, Problem},
    template::Template,
};

pub mod certificate;
pub mod operations;
mod progress;
pub mod quota;
mod reset;
pub mod snapshots;
pub mod spares;
mod steps;

use certificate::Seal;
use progress::Progress;
use spares::Stock;

/// How long a registration waits for the copy before it answers `provisioning`.
const PATIENCE: Duration = Duration::from_secs(8);
/// Copies that are made at once: making one keeps one core of the database busy.
const AT_ONCE: usize = 2;

/// How often a name is drawn for a copy before that is given up.
const TRIES: usize = 20;
/// How long measuring a tenant may take.
const MEASURING: Duration = Duration::from_secs(2);
/// Through the schema's dependencies, for a look by `relnamespace` reads the tables of all tenants.
const SIZE: &str = "
    select pg_catalog.sum(pg_catalog.pg_total_relation_size(c.oid))::pg_catalog.int8
    from pg_catalog.pg_depend as d
    join pg_catalog.pg_class as c on c.oid operator(pg_catalog.=) d.objid
    where d.classid operator(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.refclassid operator(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
      and d.refobjid operator(pg_catalog.=) (
          select n.oid from pg_catalog.pg_namespace as n where n.nspname operator(pg_catalog.=) $1::pg_catalog.text)
      and c.relkind operator(pg_catalog.=) any (array['r', 'm']::pg_catalog.\"char\"[])";

/// Makes and removes tenants; what it was doing when the process died, the next one finishes.
pub struct Tenancy {
    db: DatabaseConnection,
    directory: Directory,
    tenants: Tenants,
    template: Template,
    // Fair: whoever asks first is served first.
    slots: Semaphore,
    stock: Stock,
    spare_taken: Notify,
    progress: Progress,
    seal: Seal,
}

impl Tenancy {
    /// A state machine over the given databases.
    pub fn new(
        db: DatabaseConnection,
        directory: Directory,
        tenants: Tenants,
        template: Template,
        stock: Stock,
        seal: Seal,
    ) -> Self {
        Self {
            db,
            directory,
            tenants,
            template,
            slots: Semaphore::new(AT_ONCE),
            stock,
            spare_taken: Notify::new(),
            progress: Progress::default(),
            seal,
        }
    }

    /// The platform's database.
    pub fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    /// The version of the template that copies are made of now.
    pub fn template_version(&self) -> i64 {
        self.template.version()
    }

    /// Whether the start loaded the template from the file of the settings.
    pub fn template_was_loaded(&self) -> bool {
        self.template.was_loaded()
    }

    /// Takes note of a template that has just been changed.
    ///
    /// # Errors
    /// `service-unavailable` if the database is out of reach.
    pub async fn renew_template(&self) -> Result<(), Problem> {
        self.template.refresh().await.map(drop)
    }

    /// Makes a recorded tenant's copy, in the background if it takes long.
    ///
    /// Returns the tenant as it is after a short wait, and the key of its first user once it is ready.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach; `internal-error` if the
    /// copy can't be made, whose record is taken away then.
    pub async fn make(
        self: &Arc<Self>,
        tenant: tenant::Model,
    ) -> Result<(tenant::Model, Option<String>), Problem> {
        // A client that goes away does not stop the making.
        let making = tokio::spawn({
            let tenancy = Arc::clone(self);
            let id = tenant.id;
            async move { tenancy.finish(id).await }
        });
        let made = tokio::time::timeout(PATIENCE, making).await;
        // Not before: making the next spare would take a core from whoever waits for this one.
        self.spare_taken.notify_one();
        let user_id = match made {
            Ok(Ok(Ok(user_id))) => user_id,
            Ok(Ok(Err(problem))) => {
                tracing::error!(tenant = tenant.id, %problem, cause = ?problem.source, "a copy could not be made yet");
                None
            }
            Ok(Err(panic)) => return Err(Problem::new(Kind::InternalError).because(panic)),
            Err(_) => None,
        };
        let now = self.directory.tenant(tenant.id).await?.unwrap_or(tenant);
        if now.status == tenant::Status::Failed {
            // Nobody was told of it, so the record of what could not be made is of no use.
            tenant::Entity::delete_by_id(now.id).exec(&self.db).await?;
            self.directory.forget(&now.api_key).await;
            return Err(Problem::new(Kind::InternalError).detail(
                "The copy could not be made, and nothing of it is left. The account is there: \
                 registering again with the same address and password tries once more.",
            ));
        }
        Ok((now, user_id))
    }

    /// Marks a tenant as going and removes all of it.
    ///
    /// # Errors
    /// `service-unavailable` if a database is out of reach; the removal is finished later then.
    pub async fn remove(&self, tenant: &tenant::Model) -> Result<(), Problem> {
        let mut going = tenant.clone().into_active_model();
        going.status = Set(tenant::Status::Deleting);
        tenant::Entity::update(going).exec(&self.db).await?;
        self.directory.forget(&tenant.api_key).await;
        self.finish(tenant.id).await?;
        Ok(())
    }

    /// Bytes on disk of a tenant's tables and indexes; none if the tenant's own locks keep it from being told.
    ///
    /// # Errors
    /// `service-unavailable` if the database is out of reach.
    pub async fn size(&self, tenant: &tenant::Model) -> Result<Option<i64>, Problem> {
        // As the tenant: measuring a table waits for whoever has locked it, which must not hold up the platform.
        let lease = self.tenants.lease(&tenant.identity(), Access::Read).await?;
        let measured = lease
            .run(MEASURING, lease.query_one(SIZE, &[&tenant.schema]))
            .await;
        match measured {
            Ok(row) => {
                lease.finish();
                Ok(row.try_get(0).ok())
            }
            Err(tenants::Error::Timeout { .. } | tenants::Error::Sql(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How far the making of a copy is, if this server makes it: the stage, and how many are before it.
    pub fn progress(&self, id: i64) -> Option<(&'static str, usize)> {
        self.progress.of(id)
    }

    /// Inserts the record of a tenant, under a schema name that nobody has, and gives it a spare if there is one.
    ///
    /// `db` is a transaction: a spare is taken with the record or not at all.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn record(
        &self,
        db: &DatabaseTransaction,
        account: &account::Model,
    ) -> Result<tenant::Model, Problem> {
        let version = self.template.version();
        let spare = spares::take(db, version).await?;
        let (spare, role) = match spare {
            Some(spare) => (Some(spare.schema), spare.role),
            None => (None, names::fresh_role()),
        };
        // Six digits: with thousands of tenants of one name, some draw twice.
        for _ in 0..TRIES {
            let row = tenant::ActiveModel {
                account_id: Set(account.id),
                schema: Set(names::schema_for(&account.email, names::fresh_digits())),
                role: Set(role.clone()),
                spare: Set(spare.clone()),
                api_key: Set(format!("ak_{}", hex::encode(rand::random::<[u8; 16]>()))),
                status: Set(tenant::Status::Provisioning),
                template_version: Set(version),
                open_signup: Set(true),
                created_at: Set(Utc::now()),
                ..Default::default()
            };
            let inserted = tenant::Entity::insert(row)
                .on_conflict(
                    OnConflict::column(tenant::Column::Schema)
                        .do_nothing()
                        .to_owned(),
                )
                .exec_with_returning(db)
                .await;
            match inserted {
                Err(DbErr::RecordNotInserted | DbErr::RecordNotFound(_)) => {}
                outcome => return Ok(outcome?),
            }
        }
        Err(Problem::new(Kind::ServiceUnavailable)
            .detail("No free name was found for the copy. Try it again."))
    }
}

/// The problem that a failed copy or reset is: `theirs` where Postgres refuses what the tenant has
/// made of its schema, `unknown` where the script itself is at a loss.
fn refused(error: script::Error, theirs: Problem, unknown: Problem) -> Problem {
    let error = match error {
        script::Error::Tenants(error) => error,
        script::Error::Postgres(error) => error.into(),
        error => return unknown.because(error),
    };
    match error {
        tenants::Error::Sql(_) => theirs.because(error),
        error => error.into(),
    }
}
