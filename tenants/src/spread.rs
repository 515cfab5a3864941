//! A large copy on several connections: each fills some of the tables, all of them from one moment's rows.
//!
//! The caller's transaction has locked the template, and has looked at nothing yet: what it sees later is what the others
//! have committed. What tables need, and the tables, are committed first; each connection then empties its tables once
//! more, which gives them files of its transaction's own, and so their rows are not written to the log; what is left
//! is done by the caller's transaction. A copy that is given up on the way leaves tables in its schema, which nobody
//! but the platform can read; the schema goes, or is made anew.

use tokio_postgres::{IsolationLevel, Transaction, error::SqlState};

use crate::{
    handle::Tenants,
    names::quote_literal,
    replay::SETTINGS,
    script::{
        Error, Script,
        split::{Share, Split},
    },
    superuser,
};

/// Connections that fill tables at the same time.
const HANDS: usize = 2;

/// How long a connection waits for a table of the template before the copy is begun again: whoever changes the table may
/// wait for us.
const PATIENCE: &str = "set local lock_timeout = '2s'";

/// Makes the first and second part of a copy; the numbers of the transactions that wrote its rows.
pub(crate) async fn spread(
    tenants: &Tenants,
    script: &Script,
    split: &Split,
    schema: &str,
) -> Result<Vec<String>, Error> {
    let shares = deal(split);
    let mut hands = Vec::new();
    for _ in &shares {
        hands.push(superuser::connect(&tenants.settings().platform).await?);
    }
    if let Some(first) = hands.first_mut() {
        let tx = first.transaction().await?;
        script.check_template(&tx).await?;
        tx.batch_execute(SETTINGS).await?;
        tx.batch_execute(&script.fill_in(&split.before, schema))
            .await?;
        tx.commit().await?;
    }
    let mut snapshot: Option<String> = None;
    let mut works = Vec::new();
    for (hand, shares) in hands.iter_mut().zip(&shares) {
        let build = hand
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead);
        let tx = build.start().await?;
        match &snapshot {
            Some(snapshot) => {
                let text = format!("set transaction snapshot {}", quote_literal(snapshot));
                tx.batch_execute(&text).await?;
            }
            None => {
                let row = tx.query_one("select pg_catalog.pg_export_snapshot()", &[]);
                snapshot = Some(row.await?.get(0));
            }
        }
        works.push((tx, shares));
    }
    let works = works
        .into_iter()
        .map(|(tx, shares)| fill(tx, script, shares, schema));
    futures_util::future::try_join_all(works).await
}

/// Deals the tables out, so that every hand has about as much to do.
fn deal(split: &Split) -> Vec<Vec<&Share>> {
    let mut shares: Vec<&Share> = split.tables.iter().collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.bytes));
    let mut hands: Vec<(u64, Vec<&Share>)> = vec![(0, Vec::new()); HANDS];
    for share in shares {
        // The largest first, each to who has least.
        if let Some(hand) = hands.iter_mut().min_by_key(|(load, _)| *load) {
            hand.0 += share.bytes;
            hand.1.push(share);
        }
    }
    hands.into_iter().map(|(_, shares)| shares).collect()
}

/// Fills tables in one transaction, whose number is returned.
async fn fill(
    tx: Transaction<'_>,
    script: &Script,
    shares: &[&Share],
    schema: &str,
) -> Result<String, Error> {
    let sources: Vec<&str> = shares.iter().map(|s| s.source.as_str()).collect();
    if !sources.is_empty() {
        let lock = format!(
            "{PATIENCE}; lock table only {} in access share mode",
            sources.join(", only ")
        );
        tx.batch_execute(&lock)
            .await
            .map_err(|error| match error.code() {
                Some(&SqlState::LOCK_NOT_AVAILABLE) => Error::Stale,
                _ => error.into(),
            })?;
    }
    tx.batch_execute(SETTINGS).await?;
    for share in shares {
        let mut statements = vec![format!("truncate only {}", share.target)];
        statements.extend(share.statements.iter().cloned());
        tx.batch_execute(&script.fill_in(&statements, schema))
            .await?;
    }
    let number = "select pg_catalog.pg_current_xact_id()::pg_catalog.xid::pg_catalog.text";
    let number: String = tx.query_one(number, &[]).await?.get(0);
    tx.commit().await?;
    Ok(number)
}
