//! The state machine: every step can be repeated, so whoever finds it unfinished goes on.
//!
//! While a tenant is worked on, its record is locked in the platform's database. The lock
//! goes with the process that holds it, which is how a crashed one is told from a slow one.

use std::{collections::HashSet, time::Duration};

use chrono::Utc;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    TransactionTrait,
    sea_query::{LockBehavior, LockType},
};

use crate::{
    directory::{account, tenant},
    problem::{Kind, Problem},
};

use super::{Tenancy, identity};

/// How often unfinished tenants are looked for.
const EVERY: Duration = Duration::from_secs(5);

impl Tenancy {
    /// Brings a tenant to rest: ready if it was being made, gone if it was being deleted.
    ///
    /// Returns the key of the first user if this call made the copy. A tenant that somebody
    /// else is working on is left to them.
    ///
    /// # Errors
    /// `service-unavailable` if a database is out of reach: the tenant stays as it is.
    pub async fn finish(&self, id: i64) -> Result<Option<String>, Problem> {
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|closed| Problem::new(Kind::InternalError).because(closed))?;
        let lock = self.db.begin().await?;
        let Some(tenant) = tenant::Entity::find_by_id(id)
            .filter(unfinished())
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(&lock)
            .await?
        else {
            return Ok(None);
        };
        let mut user_id = None;
        if tenant.status == tenant::Status::Deleting {
            self.tenants
                .remove(&tenant.schema, &tenant.role)
                .await
                .map_err(Problem::from)?;
            tenant::Entity::delete_by_id(id).exec(&lock).await?;
        } else {
            let outcome = self.copy(&tenant).await;
            let mut done = tenant.clone().into_active_model();
            match outcome {
                Ok(id) => {
                    user_id = Some(id);
                    done.status = Set(tenant::Status::Ready);
                    done.ready_at = Set(Some(Utc::now()));
                    done.template_version = Set(self.template.version());
                }
                // Out of reach is no verdict: the next look tries again.
                Err(problem) if problem.kind == Kind::ServiceUnavailable => return Err(problem),
                Err(problem) => {
                    tracing::error!(tenant = id, cause = ?problem.source, "making a copy failed");
                    self.tenants
                        .remove(&tenant.schema, &tenant.role)
                        .await
                        .map_err(Problem::from)?;
                    done.status = Set(tenant::Status::Failed);
                }
            }
            tenant::Entity::update(done).exec(&lock).await?;
        }
        lock.commit().await?;
        self.directory.forget(&tenant.api_key).await;
        Ok(user_id)
    }

    /// Makes the copy and its first user; what an earlier try left is removed first.
    async fn copy(&self, tenant: &tenant::Model) -> Result<String, Problem> {
        let account = account::Entity::find_by_id(tenant.account_id)
            .one(&self.db)
            .await?
            .ok_or(Kind::InternalError)?;
        self.tenants.remove(&tenant.schema, &tenant.role).await?;
        self.tenants.make_role(&tenant.role).await?;
        self.template.copy_to(&tenant.schema, &tenant.role).await?;
        self.tenants
            .registrant(
                &identity(tenant),
                &account.email,
                account.name.as_deref(),
                &account.password_hash,
                "admin",
            )
            .await
            .map_err(Problem::from)
    }

    /// Finishes whatever is unfinished, now and from time to time.
    pub async fn keep_finishing(&self) {
        loop {
            match self.unfinished().await {
                Ok(ids) => {
                    for id in ids {
                        if let Err(problem) = self.finish(id).await {
                            tracing::warn!(tenant = id, %problem, "an unfinished tenant stays unfinished");
                        }
                    }
                }
                Err(problem) => {
                    tracing::warn!(%problem, "unfinished tenants could not be looked for");
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn unfinished(&self) -> Result<Vec<i64>, Problem> {
        Ok(tenant::Entity::find()
            .select_only()
            .column(tenant::Column::Id)
            .filter(unfinished())
            .order_by_asc(tenant::Column::Id)
            .into_tuple()
            .all(&self.db)
            .await?)
    }

    /// Removes schemas and roles that no record speaks of, such as a restored backup leaves.
    ///
    /// # Errors
    /// `service-unavailable` if a database is out of reach.
    pub async fn remove_orphans(&self) -> Result<(), Problem> {
        // What is there first, what is known second: a record is older than its schema and role.
        let none = HashSet::new();
        let there = self.tenants.orphans(&none, &none).await?;
        let known: HashSet<String> = tenant::Entity::find()
            .all(&self.db)
            .await?
            .into_iter()
            .flat_map(|tenant| [tenant.schema, tenant.role])
            .collect();
        for name in there.schemas.into_iter().chain(there.roles) {
            if !known.contains(&name) {
                tracing::warn!(name, "removing a schema or role that no tenant owns");
                // No schema of ours is named like a role of ours, so one of the two is not there.
                self.tenants.remove(&name, &name).await?;
            }
        }
        Ok(())
    }
}

fn unfinished() -> sea_orm::sea_query::SimpleExpr {
    tenant::Column::Status.is_in([tenant::Status::Provisioning, tenant::Status::Deleting])
}
