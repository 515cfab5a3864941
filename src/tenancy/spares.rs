//! Spares: copies made ahead of time, so that a registration only has to take one.
//!
//! A spare is taken in the transaction that records its tenant, so each is taken once. Which
//! server makes spares is decided by a lock in the platform's database, for one turn at a time.

use std::time::Duration;

use chrono::Utc;
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseTransaction, DbErr, QueryOrder, Statement,
    TransactionTrait, entity::prelude::*,
};
use tenants::names;

use crate::problem::Problem;

use super::Tenancy;

/// How often the spares are looked after when nobody takes one.
const EVERY: Duration = Duration::from_secs(1);
/// Key of the lock that one server at a time makes spares under.
const TURN: i64 = 0x5a4d_0001;

/// How many spares are kept.
#[derive(Clone, Copy, Debug)]
pub struct Stock {
    /// Most spares.
    pub count: usize,
    /// Most bytes that they may take on disk together; one is kept whatever its size.
    pub bytes: u64,
}

/// The platform's table `spares`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Eq)]
#[sea_orm(table_name = "spares")]
pub struct Model {
    /// Given by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Its schema; renamed when it is taken.
    pub schema: String,
    /// Its login role; kept when it is taken.
    pub role: String,
    /// What it is a copy of; none while it is being made.
    pub template_version: Option<i64>,
    /// When it was begun.
    pub created_at: ChronoDateTimeUtc,
}

/// Relations are followed by hand: one join in the whole platform.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Takes a finished spare of a version, inside the transaction that records its tenant.
///
/// # Errors
/// When the platform's database is out of reach.
pub async fn take(db: &impl ConnectionTrait, version: i64) -> Result<Option<Model>, DbErr> {
    let sql = "delete from spares where id = (
                   select id from spares where template_version = $1
                   order by id limit 1 for update skip locked)
               returning *";
    let statement =
        Statement::from_sql_and_values(db.get_database_backend(), sql, [version.into()]);
    Entity::find().from_raw_sql(statement).one(db).await
}

impl Tenancy {
    /// Keeps the stock of spares full and fresh, for as long as the server runs.
    pub async fn keep_spares(&self) {
        loop {
            if let Err(problem) = self.tend_spares().await {
                tracing::warn!(%problem, cause = ?problem.source, "spares could not be looked after");
                tokio::time::sleep(EVERY).await;
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.spare_taken.notified() => {}
            }
        }
    }

    async fn tend_spares(&self) -> Result<(), Problem> {
        self.template.refresh().await?;
        let turn = self.db.begin().await?;
        if !locked(&turn).await? {
            return Ok(());
        }
        let version = self.template.version();
        let spares = Entity::find()
            .order_by_asc(Column::Id)
            .all(&self.db)
            .await?;
        let (fresh, stale): (Vec<_>, Vec<_>) = spares
            .into_iter()
            .partition(|spare| spare.template_version == Some(version));
        let wanted = self.wanted().await?;
        // Stale are those of another version, and those whose maker died: only we make any now.
        for spare in stale.iter().chain(fresh.iter().skip(wanted)) {
            self.discard(spare).await?;
        }
        let mut missing = wanted.saturating_sub(fresh.len());
        while missing > 0
            && self.slots.available_permits() > 0
            && version == self.template.version()
        {
            let pair = missing.min(2);
            let (one, two) = tokio::join!(self.make_spare(), async {
                match pair {
                    2 => self.make_spare().await,
                    _ => Ok(()),
                }
            });
            one.and(two)?;
            missing -= pair;
        }
        turn.commit().await?;
        Ok(())
    }

    /// How many spares are wanted, within what they may take on disk.
    async fn wanted(&self) -> Result<usize, Problem> {
        if self.stock.count == 0 {
            return Ok(0);
        }
        let each = self.template.size().await?.max(1);
        let fitting = usize::try_from(self.stock.bytes / each).unwrap_or(usize::MAX);
        Ok(self.stock.count.min(fitting.max(1)))
    }

    async fn make_spare(&self) -> Result<(), Problem> {
        let spare = ActiveModel {
            schema: Set(names::fresh_spare()),
            role: Set(names::fresh_role()),
            template_version: Set(None),
            created_at: Set(Utc::now()),
            ..Default::default()
        };
        // Recorded first: whatever is made has a record that it can be removed by.
        let spare = Entity::insert(spare).exec_with_returning(&self.db).await?;
        self.tenants.make_role(&spare.role).await?;
        let version = self.template.copy_to(&spare.schema, &spare.role).await?;
        Entity::update_many()
            .col_expr(Column::TemplateVersion, Expr::value(version))
            .filter(Column::Id.eq(spare.id))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// Removes a spare, unless somebody takes it at this moment.
    async fn discard(&self, spare: &Model) -> Result<(), Problem> {
        let gone = self.db.begin().await?;
        let mine = Entity::delete_by_id(spare.id).exec(&gone).await?;
        if mine.rows_affected == 1 {
            self.tenants.remove(&spare.schema, &spare.role).await?;
        }
        gone.commit().await?;
        Ok(())
    }
}

/// Takes the turn, unless another server has it; it ends with the transaction.
async fn locked(turn: &DatabaseTransaction) -> Result<bool, DbErr> {
    let sql = "select pg_try_advisory_xact_lock($1) as mine";
    let statement = Statement::from_sql_and_values(turn.get_database_backend(), sql, [TURN.into()]);
    let row = turn.query_one_raw(statement).await?;
    row.map_or(Ok(false), |row| row.try_get("", "mine"))
}
