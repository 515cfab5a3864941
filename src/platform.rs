//! The platform's own database: connecting, migrating, and the secrets kept in it.

use std::time::Duration;

use anyhow::Context as _;
use migration::MigratorTrait as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, sqlx::Executor as _,
};

/// Connections of one server to the platform's database.
pub const CONNECTIONS: u32 = 16;

/// How long a statement waits for another's lock. A tenant that is reset is locked for as long, and what is to
/// change it meanwhile must not hold all connections. (Not at login: a pool in between would refuse it.)
const LOCK_TIMEOUT: &str = "set lock_timeout = '1s'";

/// Opens the pool; connections are made as they are needed.
///
/// # Errors
/// When the address can't be read or the server does not answer.
pub async fn connect(url: &str) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_connect(|connection, _| {
                Box::pin(async { connection.execute(LOCK_TIMEOUT).await.map(drop) })
            })
        })
        .max_connections(CONNECTIONS)
        .min_connections(0)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(300))
        .sqlx_logging(false);
    Database::connect(options)
        .await
        .context("the platform's database does not answer")
}

/// Brings the platform's tables up to date.
///
/// Servers that start at the same time on the same database take turns.
///
/// # Errors
/// When a step fails; earlier steps stay applied.
pub async fn migrate(url: &str) -> anyhow::Result<()> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let db = Database::connect(options)
        .await
        .context("the platform's database does not answer")?;
    migration::platform::Migrator::up(&db, None)
        .await
        .context("migrating the platform's database")?;
    Ok(db.close().await?)
}

/// What all servers on one pair of databases share and nobody else may know.
#[derive(Clone)]
pub struct Secrets {
    /// Signs access and refresh tokens.
    pub jwt: [u8; 32],
    /// Derives what is derived: passwords of roles, cursors.
    pub server: [u8; 32],
}

/// Reads the secrets, making them on the first start.
///
/// # Errors
/// When the database does not answer or holds a secret of another length.
pub async fn secrets(db: &DatabaseConnection) -> anyhow::Result<Secrets> {
    Ok(Secrets {
        jwt: secret(db, "jwt").await?,
        server: secret(db, "server").await?,
    })
}

async fn secret(db: &DatabaseConnection, name: &str) -> anyhow::Result<[u8; 32]> {
    let fresh: [u8; 32] = rand::random();
    // Two first starts at once: one inserts, both read what it inserted.
    db.execute_raw(Statement::from_sql_and_values(
        db.get_database_backend(),
        "insert into secrets (name, value) values ($1, $2) on conflict do nothing",
        [name.into(), fresh.to_vec().into()],
    ))
    .await?;
    let row = db
        .query_one_raw(Statement::from_sql_and_values(
            db.get_database_backend(),
            "select value from secrets where name = $1",
            [name.into()],
        ))
        .await?
        .context("a secret vanished while it was read")?;
    let value: Vec<u8> = row.try_get("", "value")?;
    <[u8; 32]>::try_from(value).map_err(|_| anyhow::anyhow!("secret {name} does not have 32 bytes"))
}
