//! Trials of the spine against a real Postgres.

mod catalog;
mod rows;
