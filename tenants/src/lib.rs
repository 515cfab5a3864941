//! Tenants.

pub mod certify;
pub mod replay;
pub mod script;
