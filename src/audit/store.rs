//! The table behind the log: a partition for each day, made ahead and dropped when its time is over.

use chrono::{Days, NaiveDate};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, Statement, TransactionTrait, sqlx,
};

use super::Entry;

/// Days that are made ahead, so that a server may be without its database for a while.
const AHEAD: u64 = 3;

/// Servers on the same databases take turns at the days.
const LOCK: i64 = 0x61_75_64_69_74;

/// One array a column: reading a batch as JSON costs Postgres as much again as writing it.
const INSERT: &str = "insert into audit_log \
    (at, tenant_id, caller, method, path, query, status, ms, address, request_id) \
    select at, tenant_id, caller, method, path, query, status, ms, address::inet, request_id \
    from unnest($1::timestamptz[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], \
    $7::smallint[], $8::real[], $9::text[], $10::text[]) as entry \
    (at, tenant_id, caller, method, path, query, status, ms, address, request_id)";

const DAYS: &str = "select c.relname::text as name from pg_catalog.pg_inherits i \
    join pg_catalog.pg_class c on c.oid = i.inhrelid where i.inhparent = 'audit_log'::regclass";

/// Writes a batch.
pub async fn insert(db: &DatabaseConnection, batch: &[Entry]) -> Result<(), DbErr> {
    let written = sqlx::query(INSERT)
        .bind(column(batch, |entry| entry.at))
        .bind(column(batch, |entry| entry.tenant_id))
        .bind(column(batch, |entry| entry.caller.as_deref()))
        .bind(column(batch, |entry| entry.method.as_str()))
        .bind(column(batch, |entry| entry.path.as_str()))
        .bind(column(batch, |entry| entry.query.as_deref()))
        // Statuses have three digits.
        .bind(column(batch, |entry| entry.status.cast_signed()))
        .bind(column(batch, |entry| entry.ms as f32))
        .bind(column(batch, |entry| entry.address.to_string()))
        .bind(column(batch, |entry| entry.request_id.as_str()))
        .execute(db.get_postgres_connection_pool())
        .await;
    written
        .map(|_| ())
        .map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
}

fn column<'a, T>(batch: &'a [Entry], of: impl Fn(&'a Entry) -> T) -> Vec<T> {
    batch.iter().map(of).collect()
}

/// Makes the days that come, and drops those whose time is over.
pub async fn keep_days(db: &DatabaseConnection, today: NaiveDate, days: u32) -> Result<(), DbErr> {
    let there = names(db).await?;
    for ahead in 0..=AHEAD {
        let Some(day) = today.checked_add_days(Days::new(ahead)) else {
            continue;
        };
        if !there.contains(&name(day)) {
            make_day(db, day).await?;
        }
    }
    let Some(first) = today.checked_sub_days(Days::new(days.into())) else {
        return Ok(());
    };
    // The names' order is that of the days.
    for gone in there.iter().filter(|day| **day < name(first)) {
        locked(db, &format!("drop table if exists {gone}")).await?;
    }
    Ok(())
}

/// Makes the partition of one day.
pub async fn make_day(db: &DatabaseConnection, day: NaiveDate) -> Result<(), DbErr> {
    let Some(next) = day.succ_opt() else {
        return Ok(());
    };
    let sql = format!(
        "create table if not exists {} partition of audit_log \
         for values from ('{day} 00:00:00+00') to ('{next} 00:00:00+00')",
        name(day)
    );
    locked(db, &sql).await
}

/// Whether a batch was refused because there is no partition for one of its days.
pub fn lacks_a_day(error: &DbErr) -> bool {
    code(error).as_deref() == Some("23514")
}

/// Whether what failed may succeed later: the database is away, busy or full, not the batch bad.
pub fn may_pass(error: &DbErr) -> bool {
    code(error).is_none_or(|code| !(code.starts_with("22") || code.starts_with("42")))
}

fn name(day: NaiveDate) -> String {
    day.format("audit_log_%Y%m%d").to_string()
}

async fn names(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), DAYS))
        .await?;
    rows.iter().map(|row| row.try_get("", "name")).collect()
}

/// Runs a change of the table that must not wait for long: whoever writes waits behind it.
async fn locked(db: &DatabaseConnection, sql: &str) -> Result<(), DbErr> {
    let transaction = db.begin().await?;
    transaction
        .execute_unprepared(&format!(
            "set local lock_timeout = '2s'; select pg_catalog.pg_advisory_xact_lock({LOCK}); {sql}"
        ))
        .await?;
    transaction.commit().await
}

fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) =
        error
    else {
        return None;
    };
    Some(error.as_database_error()?.code()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_names_are_in_the_order_of_the_days() {
        let day = |y, m, d| name(NaiveDate::from_ymd_opt(y, m, d).unwrap_or_default());
        assert_eq!(day(2026, 1, 2), "audit_log_20260102");
        assert!(day(2026, 9, 30) < day(2026, 10, 1));
        assert!(day(2026, 12, 31) < day(2027, 1, 1));
    }
}
