//! Every setting, once: its flag, its variable, its help and its default.
//!
//! `sandlot --help` and `docs/settings.md` are made from this file, and no other
//! file reads the environment.

use std::{fmt::Write as _, net::SocketAddr, num::NonZero, path::PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::{
    edge::{cors, network::Proxies},
    soak,
};

/// A private copy of a realistic backend for everybody who signs up.
#[derive(Debug, Parser)]
#[command(name = "sandlot", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to do it.
    #[command(flatten)]
    pub settings: Settings,
}

const AFTER_HELP: &str = "\
With no command and no setting, `sandlot` starts a PostgreSQL of its own under .sandlot/, makes the
template and listens on http://127.0.0.1:8080. Every setting is a flag or a variable; flags win.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything and serve until stopped (the default)
    Serve,
    /// Bring the databases' tables up to date, or take steps back
    Migrate {
        /// Undo this many steps of the platform's tables instead of applying what is missing
        #[arg(long, value_name = "STEPS")]
        down: Option<u32>,
    },
    /// Look at and change the template that copies are made of
    #[command(subcommand)]
    Template(TemplateCommand),
    /// Look at, make, certify and remove tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Look at the demo and make its values anew
    #[command(subcommand)]
    Demo(DemoCommand),
    /// Try every known escape from a tenant's walls, on two throw-away tenants
    ///
    /// Works beside a running server or without one. A line per escape: held, open (known, with the
    /// reason) or BROKEN; then what tenants can see of each other. Status 1 if something is broken.
    Check {
        /// Print JSON instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Call a server as many tenants at once and check every answer
    ///
    /// Registers its own tenants and removes them again. Prints rates, times and refusals; status 1 if an
    /// answer was wrong, or a write that was acknowledged is lost or there twice.
    Soak(soak::options::Options),
    /// Print the OpenAPI document of the platform's own calls
    Openapi,
    /// Print the error reference (Markdown)
    Problems,
    /// Print the reference of all settings (Markdown)
    Settings,
    /// Print what the own PostgreSQL is told, and why (Markdown)
    Postgresql,
}

/// What can be done with the template.
#[derive(Debug, Subcommand)]
pub enum TemplateCommand {
    /// Replace the template by what a file of plain SQL makes, whole or not at all
    ///
    /// Tables stand in it unqualified or in `public`; a plain dump of pg_dump will do. Spares are
    /// made anew; tenants that exist stay as they are.
    Load {
        /// The file
        file: PathBuf,
    },
    /// Print where the template comes from and its version
    Show,
}

/// What can be done with the demo.
#[derive(Debug, Subcommand)]
pub enum DemoCommand {
    /// Make a demo with other values, which a running server takes over within a second
    Refresh {
        /// Number that all values follow from [default: drawn]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
        seed: Option<u64>,
    },
    /// Print of each column whether it is kept, masked or omitted, why, and how its values are made
    Explain,
}

/// What can be done with tenants; each is named by its id or its schema.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// List all tenants
    List,
    /// Register a tenant, and its account unless that exists
    Create {
        /// Address of the account and of the copy's administrator
        email: String,
        /// Their password; made up and printed if missing
        #[arg(long)]
        password: Option<String>,
    },
    /// Compare a tenant with its version of the template and print the signed certificate; status 1 if it differs
    Certify {
        /// Id or schema
        tenant: String,
    },
    /// Bring a tenant back to the template: all that has changed, or the rows of some tables
    Reset {
        /// Id or schema
        tenant: String,
        /// Table whose rows are put back; may be given several times
        #[arg(long = "table", value_name = "TABLE")]
        tables: Vec<String>,
    },
    /// Remove a tenant: its schema, its role, its sessions
    Drop {
        /// Id or schema
        tenant: String,
    },
    /// Check the signature of a certificate; status 1 if it does not hold
    Verify {
        /// File with the certificate
        file: PathBuf,
        /// Public key, 32 bytes in base64url: member `x` of `GET /api/certificate-key`
        #[arg(long)]
        key: String,
    },
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `text` on a terminal, `json` otherwise
    Auto,
    /// One readable line an event
    Text,
    /// One JSON object an event
    Json,
}

/// The settings; see each field's help.
#[derive(Clone, Debug, Args)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one, and the start line tells which
    #[arg(
        long,
        env = "SANDLOT_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDR",
        global = true
    )]
    pub listen: SocketAddr,

    /// Address under which clients reach the server, for links and problem types [default: http://LISTEN]
    #[arg(long, env = "SANDLOT_PUBLIC_URL", value_name = "URL", global = true)]
    pub public_url: Option<String>,

    /// Folder of everything that the server keeps: its PostgreSQL, its lock, its log
    #[arg(
        long,
        env = "SANDLOT_DATA_DIR",
        default_value = ".sandlot",
        value_name = "DIR",
        global = true
    )]
    pub data_dir: PathBuf,

    /// Folder of PostgreSQL's programs (initdb, postgres) [default: looked for]
    #[arg(long, env = "SANDLOT_PG_BIN", value_name = "DIR", global = true)]
    pub pg_bin: Option<PathBuf>,

    /// The platform's database on a server of yours; with --tenants-url, instead of an own PostgreSQL
    #[arg(
        long,
        env = "SANDLOT_DATABASE_URL",
        value_name = "URL",
        requires = "tenants_url",
        hide_env_values = true,
        global = true
    )]
    pub database_url: Option<String>,

    /// The tenants' database on a server of yours; with --database-url
    #[arg(
        long,
        env = "SANDLOT_TENANTS_URL",
        value_name = "URL",
        requires = "database_url",
        hide_env_values = true,
        global = true
    )]
    pub tenants_url: Option<String>,

    /// File of plain SQL that the template is made from, instead of the CRM; loaded when it has changed
    #[arg(
        long,
        env = "SANDLOT_TEMPLATE_FILE",
        value_name = "FILE",
        global = true
    )]
    pub template_file: Option<PathBuf>,

    /// Size of the template that is seeded on the first start; 1 is about 30,000 rows
    #[arg(long, env = "SANDLOT_TEMPLATE_SCALE", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N", global = true)]
    pub template_scale: u32,

    /// Number that all of the template's made-up values follow from
    #[arg(
        long,
        env = "SANDLOT_TEMPLATE_SEED",
        default_value_t = 42,
        value_name = "N",
        global = true
    )]
    pub template_seed: u64,

    /// Copies that are made ahead of time, so that a registration only has to take one; 0 for none
    #[arg(long, env = "SANDLOT_SPARES", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=10_000), value_name = "N", global = true)]
    pub spares: u32,

    /// Disk that spares may take together, in MB; one is kept whatever its size
    #[arg(
        long,
        env = "SANDLOT_SPARES_DISK",
        default_value_t = 2000,
        value_name = "MB",
        global = true
    )]
    pub spares_disk: u64,

    /// Hours after which a tenant is removed; 0 for never. Answers say when in the header Sunset
    #[arg(
        long,
        env = "SANDLOT_TENANT_TTL",
        default_value_t = 0,
        value_name = "HOURS",
        global = true
    )]
    pub tenant_ttl: u32,

    /// Threads that answer requests [default: one for each processor, or for every two beside an own PostgreSQL]
    #[arg(long, env = "SANDLOT_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "N", global = true)]
    pub workers: Option<u16>,

    /// Connections that all tenants together may hold; the own PostgreSQL allows 40 more
    #[arg(long, env = "SANDLOT_CONNECTIONS", default_value_t = 80, value_parser = clap::value_parser!(u32).range(4..=5000), value_name = "N", global = true)]
    pub connections: u32,

    /// Connections that one tenant may hold; twice as many while no other one has any
    #[arg(long, env = "SANDLOT_CONNECTIONS_PER_TENANT", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N", global = true)]
    pub connections_per_tenant: u32,

    /// Where tenants' own programs may log in by PostgreSQL's protocol, such as 0.0.0.0:5433; nowhere if unset
    #[arg(
        long,
        env = "SANDLOT_DIRECT_LISTEN",
        value_name = "ADDRESS",
        global = true
    )]
    pub direct_listen: Option<SocketAddr>,

    /// Host, or host:port, under which clients reach that; SANDLOT_DIRECT_LISTEN if unset
    #[arg(long, env = "SANDLOT_DIRECT_HOST", value_name = "HOST", global = true)]
    pub direct_host: Option<String>,

    /// Such connections that may be open at once; the own PostgreSQL allows as many more
    #[arg(long, env = "SANDLOT_DIRECT_CONNECTIONS", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=5000), value_name = "N", global = true)]
    pub direct_connections: u32,

    /// Disk that one tenant may take, in MB; 0 for no quota
    #[arg(long, env = "SANDLOT_TENANT_QUOTA", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(0..=100_000_000), value_name = "MB", global = true)]
    pub tenant_quota: u64,

    /// Memory that one process of the own PostgreSQL may take for itself, in MB (Linux); 0 for no bound
    #[arg(long, env = "SANDLOT_PROCESS_MEMORY", default_value_t = crate::postgres::PROCESS_MEMORY, value_name = "MB", global = true)]
    pub process_memory: u32,

    /// Client sockets that may be open at once
    #[arg(long, env = "SANDLOT_MAX_SOCKETS", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N", global = true)]
    pub max_sockets: u32,

    /// Client sockets that one address may hold, trusted proxies apart; 0 for no bound
    #[arg(
        long,
        env = "SANDLOT_SOCKETS_PER_ADDRESS",
        default_value_t = 1024,
        value_name = "N",
        global = true
    )]
    pub sockets_per_address: u32,

    /// Longest time that one request may take, in seconds
    #[arg(long, env = "SANDLOT_REQUEST_TIMEOUT", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS", global = true)]
    pub request_timeout: u64,

    /// Longest time that a request's header may take to arrive, in seconds
    #[arg(long, env = "SANDLOT_HEADER_TIMEOUT", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS", global = true)]
    pub header_timeout: u64,

    /// Longest time that a request's body may take to arrive, in seconds
    #[arg(long, env = "SANDLOT_BODY_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS", global = true)]
    pub body_timeout: u64,

    /// Time that a client has to take an answer, in seconds, and one more for each 4 KB that it took
    #[arg(long, env = "SANDLOT_WRITE_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600), value_name = "SECONDS", global = true)]
    pub write_timeout: u64,

    /// Largest request body, in bytes
    #[arg(
        long,
        env = "SANDLOT_BODY_LIMIT",
        default_value_t = 262_144,
        value_name = "BYTES",
        global = true
    )]
    pub body_limit: usize,

    /// Longest query string, in bytes
    #[arg(
        long,
        env = "SANDLOT_QUERY_LIMIT",
        default_value_t = 4096,
        value_name = "BYTES",
        global = true
    )]
    pub query_limit: usize,

    /// Whether there is a demo: a masked copy of the template that anybody may use with the public demo token
    #[arg(long, env = "SANDLOT_DEMO", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL", global = true)]
    pub demo: bool,

    /// Hours after which the demo's values are made anew; 0 for never
    #[arg(
        long,
        env = "SANDLOT_DEMO_REFRESH",
        default_value_t = 24,
        value_name = "HOURS",
        global = true
    )]
    pub demo_refresh: u32,

    /// File that says of columns whether the demo shows, masks or omits them, over what is found out
    #[arg(long, env = "SANDLOT_DEMO_RULES", value_name = "FILE", global = true)]
    pub demo_rules: Option<PathBuf>,

    /// Requests a minute of one address, before any credential is looked at; 0 for no limit
    #[arg(
        long,
        env = "SANDLOT_IP_RATE",
        default_value_t = 600,
        value_name = "N",
        global = true
    )]
    pub ip_rate: u32,

    /// Requests a minute of one account, user or token that has no limit of its own; 0 for no limit
    #[arg(
        long,
        env = "SANDLOT_TOKEN_RATE",
        default_value_t = 600,
        value_name = "N",
        global = true
    )]
    pub token_rate: u32,

    /// Passwords a minute that one address may try; 0 for no limit
    #[arg(
        long,
        env = "SANDLOT_SIGN_IN_RATE",
        default_value_t = 120,
        value_name = "N",
        global = true
    )]
    pub sign_in_rate: u32,

    /// Registrations and sign-ups a minute of one address; 0 for no limit
    #[arg(
        long,
        env = "SANDLOT_REGISTER_RATE",
        default_value_t = 60,
        value_name = "N",
        global = true
    )]
    pub register_rate: u32,

    /// Window of all rate limits, in seconds
    #[arg(long, env = "SANDLOT_RATE_WINDOW", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400), value_name = "SECONDS", hide = true, global = true)]
    pub rate_window: u64,

    /// Redis that holds the rate limits' counters, for several servers on the same databases; without
    /// it each server counts for itself. While it is out of reach, requests get 503
    #[arg(
        long,
        env = "SANDLOT_REDIS_URL",
        value_name = "URL",
        hide_env_values = true,
        global = true
    )]
    pub redis_url: Option<String>,

    /// Addresses and networks of proxies, by commas, whose X-Forwarded-For and X-Forwarded-Proto are believed
    #[arg(
        long,
        env = "SANDLOT_TRUSTED_PROXIES",
        value_name = "NETWORKS",
        global = true
    )]
    pub trusted_proxies: Option<Proxies>,

    /// Origins whose pages may call the API from a browser, by commas; * for any, none for none
    #[arg(
        long,
        env = "SANDLOT_CORS_ORIGINS",
        value_delimiter = ',',
        value_parser = cors::check,
        default_value = "*",
        value_name = "ORIGINS",
        global = true
    )]
    pub cors_origins: Vec<String>,

    /// Redirect requests that did not come to a trusted proxy by HTTPS to --public-url, and send HSTS
    #[arg(long, env = "SANDLOT_HTTPS_ONLY", value_name = "BOOL", num_args = 0..=1, default_value = "false", default_missing_value = "true", global = true)]
    pub https_only: bool,

    /// Days for which the audit log of API calls is kept; 0 for no such log
    #[arg(long, env = "SANDLOT_LOG_DAYS", default_value_t = 14, value_parser = clap::value_parser!(u32).range(0..=3650), value_name = "DAYS", global = true)]
    pub log_days: u32,

    /// Entries of the audit log that may wait to be written; more are dropped and counted
    #[arg(
        long,
        env = "SANDLOT_LOG_QUEUE",
        default_value_t = 10_000,
        value_name = "N",
        hide = true,
        global = true
    )]
    pub log_queue: usize,

    /// Take API tokens of kind `embed` in addresses too (`?token=`), where they end up in logs and histories
    #[arg(
        long,
        env = "SANDLOT_QUERY_TOKENS",
        action = clap::ArgAction::SetTrue,
        value_parser = clap::builder::BoolishValueParser::new(),
        global = true
    )]
    pub query_tokens: bool,

    /// What is logged: a level (error, warn, info, debug, trace) or tracing directives
    #[arg(
        long,
        env = "SANDLOT_LOG",
        default_value = "info",
        value_name = "FILTER",
        global = true
    )]
    pub log: String,

    /// How log lines are written
    #[arg(
        long,
        env = "SANDLOT_LOG_FORMAT",
        default_value = "auto",
        value_name = "FORMAT",
        global = true
    )]
    pub log_format: LogFormat,

    /// Where the system keeps sockets of running programs; a PostgreSQL socket with too long a path goes there
    #[arg(
        long,
        env = "XDG_RUNTIME_DIR",
        value_name = "DIR",
        hide = true,
        global = true
    )]
    pub runtime_dir: Option<PathBuf>,
}

impl Settings {
    /// How many threads answer requests. Beside an own PostgreSQL half of the processors is its: with more threads,
    /// these and its processes only wake each other.
    pub fn workers(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let due = match self.database_url {
            Some(_) => processors,
            None => processors.div_ceil(2),
        };
        self.workers.map_or(due, usize::from)
    }
}

/// The reference of all settings as Markdown, kept in `docs/settings.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Settings\n\nEach is a flag or a variable; the flag wins. `sandlot settings` prints this page.\n\n\
         | flag | variable | default | what it is |\n|---|---|---|---|\n",
    );
    let command = Cli::command();
    for arg in command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && arg.get_env().is_some())
    {
        let flag = arg.get_long().unwrap_or_default();
        let variable = arg
            .get_env()
            .map(|env| env.to_string_lossy())
            .unwrap_or_default();
        let default = arg
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ");
        let help = arg
            .get_help()
            .map(|help| help.to_string())
            .unwrap_or_default();
        // Writing to a String can't fail.
        let _ = writeln!(page, "| `--{flag}` | `{variable}` | {default} | {help} |");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_setting_may_stand_behind_the_command() {
        let cli = Cli::parse_from(["sandlot", "serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(cli.settings.listen.port(), 0);
    }

    #[test]
    fn one_database_url_needs_the_other() {
        let args = ["sandlot", "--database-url", "postgres://h/d"];
        assert!(Cli::try_parse_from(args).is_err());
    }

    #[test]
    fn half_of_the_processors_are_an_own_postgresqls() {
        let workers = |args: &[&str]| {
            let args = ["sandlot"].iter().chain(args);
            Cli::parse_from(args).settings.workers()
        };
        let given = [
            "--database-url=postgres://h/d",
            "--tenants-url=postgres://h/t",
        ];
        assert_eq!(workers(&[]), workers(&given).div_ceil(2));
        assert_eq!(workers(&["--workers=7"]), 7);
    }
}
