//! Sandlot.

pub mod postgres;
pub mod problem;
