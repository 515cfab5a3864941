//! The disk quota: who takes too much may read, delete and reset, until it is less again.
//!
//! The verdict is kept in the tenant's record, so that a request knows it without asking, on every server.

use std::time::Duration;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter,
};

use crate::{directory::tenant, problem::Problem};

use super::Tenancy;

/// Between two looks at those who were active.
const EVERY: Duration = Duration::from_secs(30);
/// Looks between two at everybody: another server may have died before it looked.
const ALL: u32 = 40;

impl Tenancy {
    /// Measures tenants from time to time, for as long as the server runs; `quota` is bytes, none for no quota.
    pub async fn keep_quota(&self, quota: Option<u64>) {
        let Some(quota) = quota else { return };
        let mut looks = 0;
        loop {
            if let Err(problem) = self.measure(quota, looks % ALL == 0).await {
                tracing::warn!(%problem, cause = ?problem.source, "tenants could not be measured");
            }
            looks += 1;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Measures those who were active on this server since the last time, and those above the quota; or everybody.
    ///
    /// # Errors
    /// `service-unavailable` if a database is out of reach.
    pub async fn measure(&self, quota: u64, everybody: bool) -> Result<(), Problem> {
        let active = self.tenants.take_active();
        let mut which = Condition::any().add(tenant::Column::OverQuota.eq(true));
        if everybody {
            which = Condition::all();
        } else if !active.is_empty() {
            which = which.add(tenant::Column::Role.is_in(active.iter().map(String::as_str)));
        }
        let tenants = tenant::Entity::find()
            .filter(tenant::Column::Status.eq(tenant::Status::Ready))
            .filter(which)
            .all(&self.db)
            .await?;
        for tenant in tenants {
            if let Err(problem) = self.measure_one(&tenant, quota).await {
                tracing::warn!(tenant = tenant.id, %problem, cause = ?problem.source, "a tenant could not be measured");
            }
        }
        let severed = self.tenants.sever().await?;
        if severed > 0 {
            tracing::info!(severed, "memberships in tenants' roles taken back");
        }
        Ok(())
    }

    async fn measure_one(&self, tenant: &tenant::Model, quota: u64) -> Result<(), Problem> {
        if tenant.over_quota {
            // It may have deleted rows, which give nothing back by themselves.
            if let Err(error) = self.tenants.make_room(&tenant.identity()).await {
                tracing::debug!(
                    tenant = tenant.id,
                    ?error,
                    "room of deleted rows not given back"
                );
            }
        }
        let Some(size) = self.tenants.measure(&tenant.schema, &tenant.role).await? else {
            return Ok(());
        };
        let over = u64::try_from(size).unwrap_or(0) > quota;
        if over == tenant.over_quota {
            return Ok(());
        }
        tracing::info!(tenant = tenant.id, size, over, "quota");
        let mut record = tenant.clone().into_active_model();
        record.over_quota = Set(over);
        tenant::Entity::update(record).exec(&self.db).await?;
        self.directory.forget(&tenant.api_key).await;
        Ok(())
    }
}
