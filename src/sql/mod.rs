//! The SQL surface: one statement of a tenant's own, run as the tenant for its administrator.
//!
//! Postgres is the judge of the statement: it is prepared by the extended protocol, which takes
//! one statement only, and runs in a transaction on a connection that logged in as the tenant
//! and that nobody else gets before it was looked over (I4, I5). What is read of the text here
//! makes for better messages and is no barrier.

mod affected;
mod endpoint;
mod params;
mod parse;
mod refuse;
mod run;
mod shape;

pub use endpoint::{PATH, Sql};
