//! The platform's table `reports`: which views are reports, and how they are drawn.

use sea_orm::{
    ActiveValue::Set, Condition, DatabaseConnection, QueryOrder as _, SqlErr, entity::prelude::*,
};

use crate::problem::{Kind, Problem};

/// One report.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Eq)]
#[sea_orm(table_name = "reports")]
pub struct Model {
    /// Given by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose it is; none for those that come with the template.
    pub tenant_id: Option<i64>,
    /// Last part of its address.
    pub slug: String,
    /// What people call it.
    pub title: String,
    /// The view or table that it reads.
    pub view: String,
    /// Whether it is served.
    pub published: bool,
    /// How it is drawn: an object of texts.
    pub chart: Json,
    /// When it was made.
    pub created_at: ChronoDateTimeUtc,
    /// When it was last changed.
    pub updated_at: ChronoDateTimeUtc,
}

/// Relations are followed by hand.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The records; cheap to clone.
#[derive(Clone)]
pub struct Records(DatabaseConnection);

impl Records {
    /// The records of the platform's database.
    pub fn new(db: DatabaseConnection) -> Self {
        Self(db)
    }

    /// All reports that a tenant has, or the template: its own and those that come with the
    /// template, of which an own one of the same slug takes the place. In the order of slugs.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn all(&self, tenant: Option<i64>) -> Result<Vec<Model>, Problem> {
        let mut all = of(tenant).all(&self.0).await?;
        all.dedup_by(|later, first| later.slug == first.slug);
        Ok(all)
    }

    /// The report of that slug that a tenant has, or the template.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn find(&self, tenant: Option<i64>, slug: &str) -> Result<Option<Model>, Problem> {
        Ok(of(tenant)
            .filter(Column::Slug.eq(slug))
            .one(&self.0)
            .await?)
    }

    /// A tenant's own report.
    ///
    /// # Errors
    /// `not-found` for any other id, `forbidden` for one that comes with the template.
    pub async fn own(&self, tenant: i64, id: i64) -> Result<Model, Problem> {
        match Entity::find_by_id(id).one(&self.0).await? {
            Some(report) if report.tenant_id == Some(tenant) => Ok(report),
            Some(report) if report.tenant_id.is_none() => Err(Problem::new(Kind::Forbidden).detail(
                "This report comes with the template; make one of the same slug to take its place.",
            )),
            _ => Err(Problem::new(Kind::NotFound).detail(format!("There is no report {id}."))),
        }
    }

    /// Makes a record.
    ///
    /// # Errors
    /// `creation-failed` if the tenant has a report of that slug.
    pub async fn insert(&self, report: ActiveModel) -> Result<Model, Problem> {
        let made = report.insert(&self.0).await;
        made.map_err(|error| taken(error, Kind::CreationFailed))
    }

    /// Changes a record.
    ///
    /// # Errors
    /// `update-failed` if the tenant has another report of that slug.
    pub async fn update(&self, mut report: ActiveModel) -> Result<Model, Problem> {
        report.updated_at = Set(chrono::Utc::now());
        let changed = report.update(&self.0).await;
        changed.map_err(|error| taken(error, Kind::UpdateFailed))
    }

    /// Takes a record away.
    ///
    /// # Errors
    /// `service-unavailable` if the platform's database is out of reach.
    pub async fn delete(&self, id: i64) -> Result<(), Problem> {
        Entity::delete_by_id(id).exec(&self.0).await?;
        Ok(())
    }
}

/// A tenant's own first, where two have the same slug.
fn of(tenant: Option<i64>) -> Select<Entity> {
    let mut whose = Condition::any().add(Column::TenantId.is_null());
    if let Some(tenant) = tenant {
        whose = whose.add(Column::TenantId.eq(tenant));
    }
    Entity::find()
        .filter(whose)
        .order_by_asc(Column::Slug)
        .order_by_asc(Column::TenantId)
}

fn taken(error: DbErr, kind: Kind) -> Problem {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Problem::new(kind)
            .detail("Another report has this slug.")
            .field("slug", "is taken by another report")
            .because(error),
        _ => error.into(),
    }
}
