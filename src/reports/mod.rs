//! The reports surface: views with a title, figures over them, and a picture of the figures.
//!
//! Under `/api/v1/reports` a report is read like a table, and figures are worked out over it;
//! `/embed/report/{slug}` draws them; `/api/reports` is where a tenant's administrator keeps the
//! records.

mod aggregate;
mod chart;
mod embed;
mod endpoint;
mod operations;
mod record;
mod svg;

pub use embed::Embed;
pub use endpoint::{PATH, Reports};
pub use operations::ReportsApi;
pub use record::Records;
