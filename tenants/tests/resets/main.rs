//! Resets and snapshots: back to the template, or to what was, on a real Postgres.
#![allow(clippy::unwrap_used)]

#[path = "../harness/mod.rs"]
mod harness;

mod reset;
mod snapshot;
mod spread;
mod stage;
