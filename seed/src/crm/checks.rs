//! Checks.
/// x
pub const FINISH: &[&str] = &[];
/// x
pub const CHECKS: &[(&str, &str)] = &[];
