//! Exports: what a credential may reach, as an OpenAPI document and as a Postman collection.
//!
//! [`model`] says what that is; [`openapi`] and [`postman`] write it down. Nothing in them comes
//! from rows: examples are made from types and checks.

mod endpoint;
pub mod model;
pub mod openapi;
pub mod postman;
mod tree;
mod yaml;

pub use endpoint::{Beside, Exports, OPENAPI_JSON, OPENAPI_YAML, POSTMAN};
