//! API tokens: a tenant's administrator makes and revokes them, and a token can be tried.

mod form;
mod operations;
mod shelf;
mod trial;

pub use operations::TokensApi;
pub use trial::{PATH, Test};
