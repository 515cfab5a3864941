//! Who and what the platform knows: accounts and tenants, and how they are looked up.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder,
};

use crate::problem::Problem;

pub mod account;
pub mod tenant;

/// Longest time for which a tenant's record may be out of date, here and on other servers.
const FRESH: Duration = Duration::from_secs(1);

/// Looks up accounts and tenants; cheap to clone.
#[derive(Clone)]
pub struct Directory {
    db: DatabaseConnection,
    by_key: Cache<String, Arc<tenant::Model>>,
    ttl: Option<TimeDelta>,
}

impl Directory {
    /// A directory over the platform's database.
    ///
    /// `ttl` is how long a tenant lives, if that is bounded.
    pub fn new(db: DatabaseConnection, ttl: Option<TimeDelta>) -> Self {
        let by_key = Cache::builder()
            .max_capacity(10_000)
            .time_to_live(FRESH)
            .build();
        Self { db, by_key, ttl }
    }

    /// The tenant that an `Api-Key` picks; at most a second out of date.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn by_key(&self, key: &str) -> Result<Option<Arc<tenant::Model>>, Problem> {
        if let Some(known) = self.by_key.get(key).await {
            return Ok(Some(known));
        }
        let asked = tenant::Entity::find().filter(tenant::Column::ApiKey.eq(key));
        // Boxed: it is large, and each request would carry room for it.
        let found = Box::pin(asked.one(&self.db)).await?.map(Arc::new);
        if let Some(tenant) = &found {
            self.by_key.insert(key.to_owned(), Arc::clone(tenant)).await;
        }
        Ok(found)
    }

    /// The tenant whose role it is, as the database has it now.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn by_role(&self, role: &str) -> Result<Option<tenant::Model>, Problem> {
        let of_role = tenant::Entity::find().filter(tenant::Column::Role.eq(role));
        Ok(of_role.one(&self.db).await?)
    }

    /// When a tenant will be removed, if its life is bounded.
    pub fn expiry(&self, tenant: &tenant::Model) -> Option<DateTime<Utc>> {
        self.ttl
            .and_then(|ttl| tenant.created_at.checked_add_signed(ttl))
    }

    /// Tenants whose time is over.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn expired(&self, now: DateTime<Utc>) -> Result<Vec<tenant::Model>, Problem> {
        let Some(before) = self.ttl.and_then(|ttl| now.checked_sub_signed(ttl)) else {
            return Ok(Vec::new());
        };
        Ok(tenant::Entity::find()
            .filter(tenant::Column::CreatedAt.lt(before))
            .filter(tenant::Column::Status.is_in([tenant::Status::Ready, tenant::Status::Failed]))
            .all(&self.db)
            .await?)
    }

    /// Forgets what is cached of a tenant, after this server changed it.
    pub async fn forget(&self, key: &str) {
        self.by_key.invalidate(key).await;
    }

    /// Says whether anybody with a tenant's key may sign up; returns the tenant as it is now.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn set_open_signup(
        &self,
        tenant: &tenant::Model,
        open: bool,
    ) -> Result<tenant::Model, Problem> {
        let change = tenant::ActiveModel {
            id: Unchanged(tenant.id),
            open_signup: Set(open),
            ..Default::default()
        };
        let changed = change.update(&self.db).await?;
        self.forget(&tenant.api_key).await;
        Ok(changed)
    }

    /// A tenant by its id, as the database has it now.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn tenant(&self, id: i64) -> Result<Option<tenant::Model>, Problem> {
        Ok(tenant::Entity::find_by_id(id).one(&self.db).await?)
    }

    /// An account's tenants, oldest first.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn tenants_of(&self, account_id: i64) -> Result<Vec<tenant::Model>, Problem> {
        Ok(tenant::Entity::find()
            .filter(tenant::Column::AccountId.eq(account_id))
            .filter(tenant::Column::Status.ne(tenant::Status::Deleting))
            .order_by_asc(tenant::Column::Id)
            .all(&self.db)
            .await?)
    }

    /// An account by its address, in any spelling of upper and lower case.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn account_by_email(&self, email: &str) -> Result<Option<account::Model>, Problem> {
        Ok(account::Entity::find()
            .filter(account::Column::Email.eq(email.to_lowercase()))
            .one(&self.db)
            .await?)
    }

    /// Says what an account is called.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn rename_account(&self, id: i64, name: Option<&str>) -> Result<(), Problem> {
        let change = account::ActiveModel {
            id: Unchanged(id),
            name: Set(name.map(str::to_owned)),
            ..Default::default()
        };
        change.update(&self.db).await?;
        Ok(())
    }

    /// Gives an account another password; false if it has another one than `old` by now.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn change_password(&self, id: i64, old: &str, new: &str) -> Result<bool, Problem> {
        let change = account::ActiveModel {
            password_hash: Set(new.to_owned()),
            ..Default::default()
        };
        let changed = account::Entity::update_many()
            .set(change)
            .filter(account::Column::Id.eq(id))
            .filter(account::Column::PasswordHash.eq(old))
            .exec(&self.db)
            .await?;
        Ok(changed.rows_affected == 1)
    }

    /// An account by its id.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn account(&self, id: i64) -> Result<Option<account::Model>, Problem> {
        Ok(account::Entity::find_by_id(id).one(&self.db).await?)
    }
}
