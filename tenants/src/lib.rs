//! Tenants: their schemas, login roles and connections. Knows no HTTP and no JSON API.

pub mod certify;
mod cluster;
mod connect;
mod error;
mod guard;
mod handle;
mod lease;
pub mod ledger;
mod mark;
mod measure;
pub mod names;
mod pool;
mod proof;
mod provision;
mod remove;
pub mod replay;
mod reset;
mod roles;
pub mod script;
mod settings;
mod snapshot;
mod socket;
mod statements;
mod superuser;
mod watchdog;
mod weaknesses;

pub use connect::Identity;
pub use error::Error;
pub use handle::Tenants;
pub use lease::{Access, Lease, Watch};
pub use pool::Stats;
pub use provision::Fill;
pub use reset::{ResetReport, Same};
pub use roles::Orphans;
pub use settings::{Credentials, Limits, Settings};
pub use weaknesses::Weakness;
