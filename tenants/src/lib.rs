//! Tenants.

pub mod replay;
pub mod script;
