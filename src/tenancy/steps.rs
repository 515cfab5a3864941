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

use tenants::{Access, names};
use tokio_postgres::error::SqlState;

use crate::{
    demo::Demo,
    directory::{account, tenant},
    problem::{Kind, Problem},
};

use super::{Tenancy, snapshots, spares};

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
        let progress = self.progress.enter(id);
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|closed| Problem::new(Kind::InternalError).because(closed))?;
        progress.working();
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
            self.remove_snapshots(&tenant).await?;
            if let Some(spare) = &tenant.spare {
                self.tenants.remove(spare, &tenant.role).await?;
            }
            self.tenants.remove(&tenant.schema, &tenant.role).await?;
            tenant::Entity::delete_by_id(id).exec(&lock).await?;
        } else {
            let outcome = self.copy(&tenant).await;
            let mut done = tenant.clone().into_active_model();
            match outcome {
                Ok((id, version)) => {
                    user_id = Some(id);
                    done.template_version = Set(version);
                    done.spare = Set(None);
                    done.status = Set(tenant::Status::Ready);
                    done.ready_at = Set(Some(Utc::now()));
                }
                // Out of reach is no verdict: the next look tries again.
                Err(problem) if problem.kind == Kind::ServiceUnavailable => return Err(problem),
                Err(problem) => {
                    tracing::error!(tenant = id, cause = ?problem.source, "making a copy failed");
                    if let Some(spare) = &tenant.spare {
                        self.tenants.remove(spare, &tenant.role).await?;
                    }
                    self.tenants.remove(&tenant.schema, &tenant.role).await?;
                    done.spare = Set(None);
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
    async fn copy(&self, tenant: &tenant::Model) -> Result<(String, i64), Problem> {
        let account = account::Entity::find_by_id(tenant.account_id)
            .one(&self.db)
            .await?
            .ok_or(Kind::InternalError)?;
        let version = match &tenant.spare {
            Some(spare) if self.claim(tenant, spare).await? => tenant.template_version,
            spare => {
                if let Some(spare) = spare {
                    self.tenants.remove(spare, &tenant.role).await?;
                }
                self.tenants.remove(&tenant.schema, &tenant.role).await?;
                self.tenants.make_role(&tenant.role).await?;
                self.template.copy_to(&tenant.schema, &tenant.role).await?
            }
        };
        let id = self
            .tenants
            .registrant(
                &tenant.identity(),
                &account.email,
                account.name.as_deref(),
                &account.password_hash,
                "admin",
            )
            .await?;
        Ok((id, version))
    }

    /// Turns the spare into the tenant's copy; false if it can't be, and a copy has to be made.
    async fn claim(&self, tenant: &tenant::Model, spare: &str) -> Result<bool, Problem> {
        let version = self.template.current();
        if version.number != tenant.template_version {
            return Ok(false);
        }
        match self.tenants.rename_schema(spare, &tenant.schema).await {
            Ok(()) => {}
            // The spare is not there: somebody has dropped it by hand.
            Err(error) if error.state() == Some(&SqlState::INVALID_SCHEMA_NAME) => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
        // What names the schema in text is made anew under the new name, by its owner to be.
        let mending = version.script.mend(&tenant.schema);
        if !mending.is_empty() {
            let lease = self
                .tenants
                .lease(&tenant.identity(), Access::Write)
                .await?;
            let limit = self.tenants.settings().limits.statement;
            let mend = async {
                lease.begin().await?;
                for statement in &mending {
                    lease.batch_execute(statement).await?;
                }
                lease.commit().await
            };
            lease.run(limit, mend).await?;
            lease.finish_raw();
        }
        Ok(true)
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
            if let Err(problem) = self.expire().await {
                tracing::warn!(%problem, "tenants whose time is over could not be removed");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Removes tenants whose time is over.
    async fn expire(&self) -> Result<(), Problem> {
        for tenant in self.directory.expired(Utc::now()).await? {
            tracing::info!(
                tenant = tenant.id,
                schema = tenant.schema,
                "a tenant's time is over"
            );
            self.remove(&tenant).await?;
        }
        Ok(())
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
        // Spares before tenants: one that is taken meanwhile is found among the tenants.
        let spares = spares::Entity::find().all(&self.db).await?;
        let tenants = tenant::Entity::find().all(&self.db).await?;
        let snapshots = snapshots::Entity::find().all(&self.db).await?;
        let of_snapshots = snapshots.into_iter().map(|snapshot| snapshot.schema);
        let of_spares = spares
            .into_iter()
            .flat_map(|spare| [spare.schema, spare.role]);
        let of_tenants = tenants.iter().flat_map(|tenant| {
            let names = [&tenant.schema, &tenant.role].into_iter();
            names.chain(&tenant.spare).cloned()
        });
        let demos = Demo::names(&self.db).await?;
        let known: HashSet<String> = of_spares
            .chain(of_tenants)
            .chain(of_snapshots)
            .chain(demos)
            .collect();
        for name in there.schemas.into_iter().chain(there.roles) {
            if known.contains(&name) {
                continue;
            }
            // Another server may be at a reset, which nobody's record speaks of but whose tenant is locked.
            let lock = match self.worker(&name, &tenants).await? {
                Some(tenant) => match self.alone_with(tenant).await {
                    Ok(lock) => Some(lock),
                    Err(_) => continue,
                },
                None => None,
            };
            tracing::warn!(name, "removing a schema or role that no tenant owns");
            // No schema of ours is named like a role of ours, so one of the two is not there.
            self.tenants.remove(&name, &name).await?;
            drop(lock);
        }
        Ok(())
    }

    /// The tenant that a schema of a reset was made for, if it is one.
    async fn worker<'t>(
        &self,
        schema: &str,
        tenants: &'t [tenant::Model],
    ) -> Result<Option<&'t tenant::Model>, Problem> {
        if !names::is_reset(schema) {
            return Ok(None);
        }
        let users = self.tenants.users_of(schema).await?;
        Ok(tenants
            .iter()
            .find(|tenant| tenant.status == tenant::Status::Ready && users.contains(&tenant.role)))
    }
}

fn unfinished() -> sea_orm::sea_query::SimpleExpr {
    tenant::Column::Status.is_in([tenant::Status::Provisioning, tenant::Status::Deleting])
}
