//! Snapshots: states of a tenant that its administrator keeps, and goes back to.

use std::time::{Duration, Instant};

use chrono::Utc;
use sea_orm::{
    ActiveValue::Set,
    DatabaseTransaction, QueryOrder, QuerySelect, SqlErr, TransactionTrait,
    entity::prelude::*,
    sea_query::{LockBehavior, LockType},
};
use tenants::{names, script};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    directory::tenant,
    problem::{Kind, Problem},
};

use super::Tenancy;

/// How many snapshots a tenant may keep.
const MOST: usize = 3;
/// How long a snapshot may take to be made or restored.
const LIMIT: Duration = Duration::from_secs(50);

/// How long others are waited for, without a connection.
const QUEUE: Duration = Duration::from_secs(10);

/// Tenants that are worked on at once: each holds a connection to the platform's database for as long.
static PLACES: Semaphore = Semaphore::const_new(6);

/// How long whoever has a tenant's record is waited for: what had it for a call that was refused lets go of it a moment
/// after the answer, and what is written down about tenants needs it for another.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks whether it is free.
const PAUSE: Duration = Duration::from_millis(20);

/// The platform's table `snapshots`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Eq)]
#[sea_orm(table_name = "snapshots")]
pub struct Model {
    /// Given by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose state it is.
    pub tenant_id: i64,
    /// As the administrator calls it.
    pub name: String,
    /// Where it is kept.
    pub schema: String,
    /// False while it is being made.
    pub complete: bool,
    /// When it was begun.
    pub created_at: ChronoDateTimeUtc,
}

/// Relations are followed by hand: one join in the whole platform.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Tenancy {
    /// A tenant's snapshots, oldest first.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn snapshots(&self, tenant: &tenant::Model) -> Result<Vec<Model>, Problem> {
        Ok(Entity::find()
            .filter(Column::TenantId.eq(tenant.id))
            .filter(Column::Complete.eq(true))
            .order_by_asc(Column::Id)
            .all(&self.db)
            .await?)
    }

    /// Keeps the tenant's state of this moment under a name.
    ///
    /// # Errors
    /// `creation-failed` if the name is taken or there are as many as a tenant may keep;
    /// `quota-exceeded`.
    pub async fn take_snapshot(
        &self,
        tenant: &tenant::Model,
        name: String,
    ) -> Result<Model, Problem> {
        tenant.may_grow()?;
        let lock = self.alone_with(tenant).await?;
        let kept = Entity::find()
            .filter(Column::TenantId.eq(tenant.id))
            .all(&self.db)
            .await?;
        // Nobody else works on the tenant, so what is incomplete was left by a process that died.
        for dead in kept.iter().filter(|snapshot| !snapshot.complete) {
            self.remove_snapshot(dead).await?;
        }
        if kept.iter().filter(|snapshot| snapshot.complete).count() >= MOST {
            return Err(Problem::new(Kind::CreationFailed).detail(format!(
                "A tenant may keep {MOST} snapshots; delete one first."
            )));
        }
        let row = ActiveModel {
            tenant_id: Set(tenant.id),
            name: Set(name),
            schema: Set(names::fresh_snapshot()),
            complete: Set(false),
            created_at: Set(Utc::now()),
            ..Default::default()
        };
        let inserted = Entity::insert(row).exec_with_returning(&self.db).await;
        let mut snapshot = match inserted {
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                return Err(Problem::new(Kind::CreationFailed)
                    .detail("There is a snapshot of this name already.")
                    .field("name", "is taken"));
            }
            outcome => outcome?,
        };
        if let Err(error) = self
            .tenants
            .snapshot(&tenant.identity(), &snapshot.schema, LIMIT)
            .await
        {
            self.remove_snapshot(&snapshot).await?;
            return Err(refused(error));
        }
        Entity::update_many()
            .col_expr(Column::Complete, Expr::value(true))
            .filter(Column::Id.eq(snapshot.id))
            .exec(&self.db)
            .await?;
        lock.commit().await?;
        snapshot.complete = true;
        Ok(snapshot)
    }

    /// Brings the tenant back to a snapshot; all that it has now gives way to it, its users too.
    ///
    /// # Errors
    /// `not-found` if the tenant has no such snapshot; `quota-exceeded`.
    pub async fn restore_snapshot(&self, tenant: &tenant::Model, id: i64) -> Result<(), Problem> {
        tenant.may_grow()?;
        let lock = self.alone_with(tenant).await?;
        let snapshot = self.snapshot(tenant, id).await?;
        self.tenants
            .restore(&tenant.identity(), &snapshot.schema, LIMIT)
            .await
            .map_err(refused)?;
        self.tenants.forget_replies(&tenant.role).await?;
        lock.commit().await?;
        Ok(())
    }

    /// Deletes a snapshot and returns what it was.
    ///
    /// # Errors
    /// `not-found` if the tenant has no such snapshot.
    pub async fn delete_snapshot(&self, tenant: &tenant::Model, id: i64) -> Result<Model, Problem> {
        let lock = self.alone_with(tenant).await?;
        let snapshot = self.snapshot(tenant, id).await?;
        self.remove_snapshot(&snapshot).await?;
        lock.commit().await?;
        Ok(snapshot)
    }

    /// Removes all snapshots of a tenant that is going.
    pub(super) async fn remove_snapshots(&self, tenant: &tenant::Model) -> Result<(), Problem> {
        let all = Entity::find().filter(Column::TenantId.eq(tenant.id));
        for snapshot in all.all(&self.db).await? {
            self.remove_snapshot(&snapshot).await?;
        }
        Ok(())
    }

    /// Locks the tenant's record, so that nobody else resets, snapshots or deletes it meanwhile.
    pub(super) async fn alone_with(&self, tenant: &tenant::Model) -> Result<Alone, Problem> {
        let until = Instant::now() + PATIENCE;
        let place = tokio::time::timeout(QUEUE, PLACES.acquire()).await;
        let Ok(Ok(place)) = place else {
            return Err(Problem::new(Kind::ServiceUnavailable)
                .detail("Others' copies are being worked on. Try it again.")
                .header("retry-after", "1"));
        };
        loop {
            let lock = self.db.begin().await?;
            let mine = tenant::Entity::find_by_id(tenant.id)
                .filter(tenant::Column::Status.eq(tenant::Status::Ready))
                .lock_with_behavior(LockType::NoKeyUpdate, LockBehavior::SkipLocked)
                .one(&lock)
                .await?;
            if mine.is_some() {
                return Ok(Alone {
                    lock,
                    _place: place,
                });
            }
            lock.rollback().await?;
            if Instant::now() >= until {
                return Err(Problem::new(Kind::ServiceUnavailable)
                    .detail("The tenant is being worked on already. Try it again.")
                    .header("retry-after", "1"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn snapshot(&self, tenant: &tenant::Model, id: i64) -> Result<Model, Problem> {
        self.snapshots(tenant)
            .await?
            .into_iter()
            .find(|snapshot| snapshot.id == id)
            .ok_or_else(|| Problem::new(Kind::NotFound).detail("The tenant has no such snapshot."))
    }

    async fn remove_snapshot(&self, snapshot: &Model) -> Result<(), Problem> {
        self.tenants.delete_snapshot(&snapshot.schema).await?;
        Entity::delete_by_id(snapshot.id).exec(&self.db).await?;
        Ok(())
    }
}

/// A tenant that nobody else resets, snapshots or deletes.
pub(super) struct Alone {
    /// The transaction that holds its row.
    pub(super) lock: DatabaseTransaction,
    _place: SemaphorePermit<'static>,
}

impl Alone {
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        self.lock.commit().await
    }
}

/// What keeps a snapshot from being made is mostly what the tenant has made of its schema.
fn refused(error: script::Error) -> Problem {
    let unfit = || {
        Problem::new(Kind::CreationFailed).detail(
            "The tenant's schema can't be copied as it is: an object of its own can't be made again.",
        )
    };
    super::refused(error, unfit(), unfit())
}
