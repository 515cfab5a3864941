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
pub mod log;
pub mod tenancy;
pub mod template { use crate::problem::Problem; #[derive(Clone)] pub struct Template; impl Template { pub fn version(&self)->i64 {1} pub async fn copy_to(&self,_:&str,_:&str)->Result<(),Problem>{Ok(())} } }
