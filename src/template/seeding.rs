//! Fills the template that ships with its made-up rows, on the first start.

use std::io::{IsTerminal as _, Write as _, stderr};

use bytes::Bytes;
use futures_util::{SinkExt as _, pin_mut};
use seed::crm::Crm;
use tenants::Tenants;

use crate::config::Settings;

use super::SCHEMA;

/// What the source of the template that ships begins with.
pub const NAME: &str = "crm";

/// Writes the made-up rows, all in one transaction: a start that is killed leaves none.
///
/// # Errors
/// When the database refuses a row or goes away; nothing is kept then.
pub async fn fill(tenants: &Tenants, settings: &Settings) -> anyhow::Result<()> {
    let crm = Crm::new(settings.template_seed, settings.template_scale);
    let mut bar = Bar::new(&crm);
    let lease = tenants.platform().await?;
    lease.begin().await?;
    for table in Crm::tables() {
        let sql = format!(
            "copy {SCHEMA}.{} ({}) from stdin",
            table.name,
            table.columns.join(", ")
        );
        let sink = lease.copy_in(&sql).await?;
        pin_mut!(sink);
        for chunk in 0..crm.chunks(table) {
            let mut lines = Vec::new();
            crm.copy(table, chunk, &mut lines);
            let rows = lines.iter().filter(|byte| **byte == b'\n').count();
            sink.send(Bytes::from(lines)).await?;
            bar.advance(table.name, rows as u64);
        }
        sink.finish().await?;
    }
    lease.batch_execute(&seed::crm::checks::finish()).await?;
    let source = format!(
        "{NAME}, seed {}, scale {}",
        settings.template_seed, settings.template_scale
    );
    lease
        .execute(
            "insert into _sandlot.template (source) values ($1)",
            &[&source],
        )
        .await?;
    lease.commit().await?;
    bar.finish();
    for table in Crm::tables() {
        lease
            .batch_execute(&format!("analyze {SCHEMA}.{}", table.name))
            .await?;
    }
    lease.finish();
    Ok(())
}

/// Progress: a bar on a terminal, a log line for each tenth otherwise.
struct Bar {
    done: u64,
    total: u64,
    told: u64,
    terminal: bool,
}

impl Bar {
    fn new(crm: &Crm) -> Self {
        let total = Crm::tables().iter().map(|table| crm.rows(table)).sum();
        tracing::info!(rows = total, "making the template");
        Self {
            done: 0,
            total,
            told: 0,
            terminal: stderr().is_terminal(),
        }
    }

    fn advance(&mut self, table: &str, rows: u64) {
        self.done += rows;
        let percent = self.done * 100 / self.total.max(1);
        if self.terminal {
            if percent != self.told {
                let filled = "#".repeat((percent / 4) as usize);
                let _ = write!(stderr(), "\r[{filled:25}] {percent:3} % {table:20}");
                self.told = percent;
            }
        } else if percent / 10 != self.told / 10 {
            tracing::info!(percent, table, "making the template");
            self.told = percent;
        }
    }

    fn finish(&self) {
        if self.terminal {
            let _ = writeln!(stderr());
        }
        tracing::info!(rows = self.done, "the template is ready");
    }
}
