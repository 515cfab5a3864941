//! Pages that are made from the catalogue, the settings and the routes, so they can't go stale.

pub mod docs;
pub mod platform_spec;
pub mod postgresql;
pub mod problems;
pub mod samples;
pub mod swagger;
