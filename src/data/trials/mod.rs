//! Trials of the spine against a real Postgres.

mod aggregates;
mod catalog;
pub(crate) mod rows;
