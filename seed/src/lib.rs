//! Made-up data: the rows of the template, and the generators of values that they are made with.
//!
//! Everything is a pure function of a seed and a row's number. Nothing here opens a file, a socket or a database.
//!
//! - [`crm`]: the template's tables as PostgreSQL `copy` lines
//! - [`values`]: names, addresses, phones, companies that cannot be real
//! - [`dice`]: the random numbers, one independent stream for every row
//! - [`lines`]: the writer of `copy` text
//! - [`masks`]: values that stand in for others, in tables that are not known here

pub mod crm;
pub mod dice;
pub mod lines;
pub mod masks;
pub mod values;
