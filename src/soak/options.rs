//! What `sandlot soak` can be told.

use std::path::PathBuf;

use clap::Args;

/// The command line of `sandlot soak`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The server to call, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// Tenants to call as; those that are missing are registered, and removed at the end
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub tenants: u32,
    /// Calls that are open at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub clients: u32,
    /// How long to call, once the tenants are there
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000), value_name = "SECONDS")]
    pub seconds: u64,
    /// Calls a second at most, all clients together; 0 for as many as the server answers
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub rate: u32,
    /// Good answers after which it ends before that; 0 for no such end
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub calls: u64,
    /// Number that the order and the values of the calls follow from
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// File of tenants, a JSON array of objects with `email`, `password`, `api_key`: they are called as,
    /// those that had to be registered are added to it, and none is removed
    #[arg(long, value_name = "FILE")]
    pub tenants_file: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}
