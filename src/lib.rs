//! Sandlot.

pub mod data;
pub mod problem;
pub mod rest;
