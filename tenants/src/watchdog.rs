//! Ends work from outside (I4): cancel, a second later terminate, and see it gone.

use std::time::Duration;

use tokio::{sync::watch, task::AbortHandle, time::timeout};
use tokio_postgres::error::SqlState;

use crate::{
    connect::{Cancel, Identity, Link},
    error::Error,
    lease::{Access, Lease},
    names::quote_ident,
    pool::Pool,
};

/// Between the request to cancel and the order to terminate. A function may swallow the first.
const GRACE: Duration = Duration::from_secs(1);

/// How long the server may take to obey; after that it does not answer at all, and we leave the socket.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that is to end.
pub(crate) struct Target {
    pid: i32,
    role: String,
    cancel: Cancel,
    ended: watch::Receiver<()>,
    task: AbortHandle,
}

impl Target {
    pub(crate) fn of(link: &Link, identity: &Identity) -> Self {
        Self {
            pid: link.pid,
            role: identity.role.clone(),
            cancel: link.cancel.clone(),
            ended: link.ended.clone(),
            task: link.task.clone(),
        }
    }
}

/// Ends `target` and returns when its backend is gone, or when nothing more can be done.
pub(crate) async fn end(mut target: Target, executioner: Option<Pool>) {
    let _ = timeout(GRACE, target.cancel.send()).await;
    if timeout(GRACE, target.ended.changed()).await.is_ok() {
        return;
    }
    if let Some(pool) = executioner {
        match timeout(PATIENCE, terminate_one(&pool, &target)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(
                pid = target.pid,
                role = target.role,
                ?error,
                "backend not terminated"
            ),
            Err(_) => tracing::warn!(
                pid = target.pid,
                role = target.role,
                "backend not terminated in time"
            ),
        }
    }
    wait(target).await;
}

/// Waits for a connection that is being ended; lets go of its socket if the server does not.
pub(crate) async fn wait(mut target: Target) {
    if timeout(PATIENCE, target.ended.changed()).await.is_err() {
        target.task.abort();
    }
}

/// Terminates every session of `role` and waits, up to two seconds each, until they are gone.
pub(crate) async fn terminate_all(lease: &Lease, role: &str) -> Result<(), Error> {
    let pids: Vec<i32> = lease
        .query(
            "select pid from pg_catalog.pg_stat_activity where usename operator(pg_catalog.=) $1::pg_catalog.text",
            &[&role],
        )
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    for pid in pids {
        terminate(lease, pid, role).await?;
    }
    Ok(())
}

async fn terminate_one(pool: &Pool, target: &Target) -> Result<(), Error> {
    let lease = pool.lease_own(Access::Write).await?;
    terminate(&lease, target.pid, &target.role).await?;
    lease.finish();
    Ok(())
}

pub(crate) async fn terminate(lease: &Lease, pid: i32, role: &str) -> Result<(), Error> {
    // The role is compared again, because a process id may have found another owner.
    let text = "select pg_catalog.pg_terminate_backend(pid, 2000) from pg_catalog.pg_stat_activity
        where pid operator(pg_catalog.=) $1 and usename operator(pg_catalog.=) $2::pg_catalog.text";
    let statement = lease.prepare_cached(text).await?;
    match lease.execute(&statement, &[&pid, &role]).await {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            // Without pg_signal_backend a member of the role may still do it; nobody sees the membership.
            lease.begin().await?;
            lease
                .batch_execute(&format!("grant {} to current_user", quote_ident(role)))
                .await?;
            lease.execute(&statement, &[&pid, &role]).await?;
            lease.rollback().await
        }
        outcome => Ok(outcome.map(drop)?),
    }
}
