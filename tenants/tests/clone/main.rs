//! Copies of templates, and their certificates, on a real Postgres.
#![allow(clippy::unwrap_used)]

mod certificate;
mod copies;
mod server;
