//! Credentials in, [`caller::Caller`] out.

pub mod caller;
pub mod jwt;
pub mod password;
pub mod session;
