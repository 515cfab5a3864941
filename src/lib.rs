//! Sandlot.

pub mod problem;
