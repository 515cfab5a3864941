//! Sandlot.

pub mod accounts;
pub mod auth;
pub mod config;
pub mod directory;
pub mod edge;
pub mod failure;
pub mod platform;
pub mod problem;
pub mod reference;
