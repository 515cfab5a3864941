//! The platform's table `demos`: the masked copies that there are.

use sea_orm::{ActiveValue::Set, DatabaseConnection, DbErr, QueryOrder, entity::prelude::*};
use tenants::names;

/// One masked copy.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Eq)]
#[sea_orm(table_name = "demos")]
pub struct Model {
    /// Given by the database; the newest finished one is served.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its schema.
    pub schema: String,
    /// The login role that reaches it and nothing else.
    pub role: String,
    /// What its values follow from.
    pub seed: i64,
    /// What it is a copy of.
    pub template_version: i64,
    /// What checks its deferrable constraints before a write is rolled back.
    pub late: String,
    /// What became of each column.
    pub report: Json,
    /// When it was begun.
    pub created_at: ChronoDateTimeUtc,
    /// When it was finished.
    pub made_at: Option<ChronoDateTimeUtc>,
}

/// Relations are followed by hand: one join in the whole platform.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Records a copy that is about to be made, under fresh names.
///
/// # Errors
/// When the platform's database is out of reach.
pub async fn begin(db: &DatabaseConnection, seed: i64, version: i64) -> Result<Model, DbErr> {
    let row = ActiveModel {
        schema: Set(names::fresh_demo()),
        role: Set(names::fresh_role()),
        seed: Set(seed),
        template_version: Set(version),
        late: Set(String::new()),
        report: Set(Json::Object(serde_json::Map::new())),
        created_at: Set(chrono::Utc::now()),
        ..Default::default()
    };
    Entity::insert(row).exec_with_returning(db).await
}

/// Records that a copy is finished, and returns it as it is now.
///
/// # Errors
/// When the platform's database is out of reach.
pub async fn finish(
    db: &DatabaseConnection,
    id: i64,
    version: i64,
    late: String,
    report: Json,
) -> Result<Model, DbErr> {
    let row = ActiveModel {
        id: Set(id),
        template_version: Set(version),
        late: Set(late),
        report: Set(report),
        made_at: Set(Some(chrono::Utc::now())),
        ..Default::default()
    };
    Entity::update(row).exec(db).await
}

/// The copy that is served.
///
/// # Errors
/// When the platform's database is out of reach.
pub async fn current(db: &DatabaseConnection) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::MadeAt.is_not_null())
        .order_by_desc(Column::Id)
        .one(db)
        .await
}

/// The one of [`all`] copies that is served.
pub fn newest(rows: &[Model]) -> Option<&Model> {
    rows.iter().rev().find(|row| row.made_at.is_some())
}

/// All copies, finished or not, the oldest first.
///
/// # Errors
/// When the platform's database is out of reach.
pub async fn all(db: &DatabaseConnection) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Id).all(db).await
}
