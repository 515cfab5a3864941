//! `sandlot check`: tries every known escape from a tenant's walls on a running installation.
//!
//! Two throw-away tenants are made, a victim and an attacker. Each [`escape::Escape`] is one row of a
//! table: what it is, and how it is tried. What a tenant may try in SQL is tried on a connection that is
//! opened as the server opens them ([`entrance::Entrance`]); what it may leave lying in its schema is also
//! set off through every HTTP surface. Both tenants are removed afterwards, whatever happened.

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;
use tenants::Weakness;

use crate::app::App;

pub mod command;
pub mod entrance;
mod escape;
mod http;
mod life;
mod outside;
mod resources;
mod sight;
mod stage;
mod statements;
mod traps;

use entrance::Entrance;
use escape::Escape;
use stage::Stage;

/// What came of one escape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "detail", rename_all = "lowercase")]
pub enum Verdict {
    /// The wall held.
    Held,
    /// It did not; what was seen.
    Broken(String),
    /// It does not hold everywhere, and this is why; known and not hidden.
    Open(String),
}

/// An escape and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Short name, the same in every run.
    pub name: &'static str,
    /// What a tenant would gain.
    pub what: &'static str,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Something that a tenant can see of others; no wall is meant to hide it.
#[derive(Clone, Debug, Serialize)]
pub struct Sight {
    /// What kind of thing.
    pub what: &'static str,
    /// Whether the attacker saw the victim's.
    pub seen: bool,
}

/// The whole result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// One for each known escape.
    pub escapes: Vec<Finding>,
    /// What tenants can see of each other.
    pub visible: Vec<Sight>,
}

/// Tries everything on the installation of `app`, which answers HTTP at `address`.
///
/// # Errors
/// When the throw-away tenants can't be made or not be removed; an escape that can't be tried is a broken one.
pub async fn run(
    app: &Arc<App>,
    address: SocketAddr,
    entrance: &Entrance,
    weaknesses: &[Weakness],
) -> anyhow::Result<Report> {
    life::clear(app).await?;
    let stage = Stage::set(app, address, entrance).await;
    let tried = match &stage {
        Ok(stage) => {
            let mut escapes = Vec::new();
            for escape in escape::all() {
                escapes.push(tried(stage, &escape, weaknesses).await);
            }
            let visible = sight::look(stage).await;
            // Last, for the victim is gone afterwards.
            let removal = life::pinned(stage).await;
            escapes.push(finding(&life::PINNED, removal, weaknesses));
            visible.map(|visible| Report { escapes, visible })
        }
        Err(error) => Err(anyhow::anyhow!(
            "the throw-away tenants can't be made: {error:#}"
        )),
    };
    life::clear_now(app).await?;
    tried
}

impl Report {
    /// Whether no wall was broken.
    pub fn holds(&self) -> bool {
        self.broken().next().is_none()
    }

    /// The escapes that worked.
    pub fn broken(&self) -> impl Iterator<Item = &Finding> {
        (self.escapes.iter()).filter(|finding| matches!(finding.verdict, Verdict::Broken(_)))
    }

    /// For people: a line for each escape, and what is seen of others.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let [mut held, mut open, mut broken] = [0, 0, 0];
        for finding in &self.escapes {
            let (word, detail) = match &finding.verdict {
                Verdict::Held => {
                    held += 1;
                    ("held", None)
                }
                Verdict::Open(reason) => {
                    open += 1;
                    ("open", Some(reason))
                }
                Verdict::Broken(seen) => {
                    broken += 1;
                    ("BROKEN", Some(seen))
                }
            };
            text += &format!("{word:7} {:28} {}\n", finding.name, finding.what);
            if let Some(detail) = detail {
                text += &format!("        {detail}\n");
            }
        }
        text += "\nWhat a tenant can see of others:\n";
        for sight in &self.visible {
            text += &format!(
                "{:7} {}\n",
                if sight.seen { "seen" } else { "hidden" },
                sight.what
            );
        }
        text += &format!("\n{held} held, {open} open, {broken} broken\n");
        text
    }
}

async fn tried(stage: &Stage<'_>, escape: &Escape, weaknesses: &[Weakness]) -> Finding {
    tracing::debug!(escape.name, "trying");
    let verdict = match escape.attempt(stage).await {
        Ok(verdict) => verdict,
        // What can't be tried is not known to hold.
        Err(error) => Verdict::Broken(format!("could not be tried: {error:#}")),
    };
    finding(escape, verdict, weaknesses)
}

/// A wall that the database server's owner has to build, and has not, is open and not broken.
fn finding(escape: &Escape, verdict: Verdict, weaknesses: &[Weakness]) -> Finding {
    let known = (escape.excuse).and_then(|word| {
        weaknesses
            .iter()
            .find(|weakness| weakness.what.contains(word))
    });
    let verdict = match (verdict, known) {
        (Verdict::Broken(_), Some(weakness)) => {
            Verdict::Open(format!("{}; remedy: {}", weakness.what, weakness.remedy))
        }
        (verdict, _) => verdict,
    };
    Finding {
        name: escape.name,
        what: escape.what,
        verdict,
    }
}
