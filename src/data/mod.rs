//! The spine: what every surface asks, and how it is answered.
//!
//! A surface turns its dialect into a [`request::Request`]. [`plan`] checks it against the
//! [`catalog`] and against what the caller may do, [`sql`] spells the one statement, and
//! [`run`] executes it as the tenant and writes the rows as JSON bytes. Everything but
//! [`run`] and [`catalog::cache`] is pure.

pub mod body;
pub mod catalog;
pub mod cursor;
mod explain;
pub mod json;
pub mod ledger;
pub mod nested;
pub mod once;
pub mod plan;
pub mod request;
pub mod rows;
pub mod run;
mod secrets;
pub mod spine;
pub mod sql;
pub mod sqlstate;
pub mod value;
mod visit;
pub mod writer;

pub use secrets::MakeSecret;
pub use spine::{Answer, Ask, Fault, Spine};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub mod scratch;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod trials;
