//! Roles, schemas and connections of tenants, on a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../harness/mod.rs"]
mod harness;

mod connections;
mod given;
mod isolation;
mod ledger;
mod life;
mod sharing;
