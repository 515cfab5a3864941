//! Back to the template, while nobody else works on the tenant.

use std::sync::Arc;

use sea_orm::{ActiveValue::Set, EntityTrait, IntoActiveModel};
use tenants::{ResetReport, script};

use crate::{
    directory::{account, tenant},
    problem::{Kind, Problem},
    template::Template,
};

use super::Tenancy;

/// How often a reset is begun again because the template changed under it.
const TRIES: usize = 3;

impl Tenancy {
    /// Brings a tenant back to the template: all that has changed, or the rows of the tables named.
    ///
    /// # Errors
    /// `service-unavailable` while somebody else works on the tenant; `validation-failed` for
    /// tables that can't be reset by themselves.
    pub async fn reset(
        &self,
        tenant: &tenant::Model,
        tables: Option<Vec<String>>,
    ) -> Result<ResetReport, Problem> {
        let lock = self.alone_with(tenant).await?;
        let tenant = self
            .directory
            .tenant(tenant.id)
            .await?
            .ok_or(Kind::InvalidApiKey)?;
        for _ in 0..TRIES {
            let version = self.template.current();
            let digest = self.template.digest(version.number).await?;
            let outcome = self
                .tenants
                .reset(
                    &tenant.identity(),
                    &version.script,
                    &digest,
                    tables.as_deref(),
                    tenant.template_version == version.number,
                    &|tx| {
                        let version = Arc::clone(&version);
                        Box::pin(async move { Template::holds(&version, tx).await })
                    },
                )
                .await;
            match outcome {
                Ok(report) => {
                    self.tenants.forget_replies(&tenant.role).await?;
                    if report.whole && report.users.is_none() {
                        self.bring_back_registrant(&tenant).await?;
                    }
                    let mut done = tenant.clone().into_active_model();
                    done.template_version = Set(version.number);
                    tenant::Entity::update(done).exec(&lock.lock).await?;
                    lock.commit().await?;
                    self.directory.forget(&tenant.api_key).await;
                    return Ok(report);
                }
                Err(script::Error::Stale) => self.template.look().await?,
                Err(error) => return Err(refused(error)),
            }
        }
        Err(Problem::new(Kind::ServiceUnavailable)
            .detail("The template keeps changing; the reset was not begun."))
    }

    async fn bring_back_registrant(&self, tenant: &tenant::Model) -> Result<(), Problem> {
        let account = account::Entity::find_by_id(tenant.account_id)
            .one(&self.db)
            .await?
            .ok_or(Kind::InternalError)?;
        self.tenants
            .registrant(
                &tenant.identity(),
                &account.email,
                account.name.as_deref(),
                &account.password_hash,
                "admin",
            )
            .await?;
        Ok(())
    }
}

/// What keeps a reset from being done is mostly what the tenant has made of its tables.
fn refused(error: script::Error) -> Problem {
    if let script::Error::Tenants(tenants::Error::Unfit(why)) = &error {
        let why = why.clone();
        return Problem::new(Kind::ValidationFailed)
            .detail("These tables can't be reset by themselves.")
            .field("tables", why);
    }
    let theirs = Problem::new(Kind::UpdateFailed)
        .detail("The tenant's own tables refuse the template's rows; reset all tables.");
    super::refused(error, theirs, Kind::InternalError.into())
}
