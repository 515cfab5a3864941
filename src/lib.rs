//! Sandlot.

pub mod auth;
pub mod config;
pub mod directory;
pub mod edge;
pub mod platform;
pub mod problem;
