//! The `sandlot` command: reads the command line and runs one subcommand.

use std::{
    io::{Write as _, stderr, stdout},
    process::ExitCode,
};

use clap::Parser as _;
use sandlot::{
    check,
    config::{self, Cli, Command, Settings},
    log, operate, reference, serve, soak,
};

/// glibc's allocator keeps what large answers took: 64 clients reading pages of 1,000 rows leave
/// 130 MB behind, with this one 35 MB (`docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(stderr(), "sandlot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command.unwrap_or(Command::Serve) {
        Command::Problems => print(&reference::problems::markdown()),
        Command::Settings => print(&config::reference()),
        Command::Postgresql => print(&reference::postgresql::markdown()),
        Command::Openapi => print(&serve::openapi()?),
        Command::Serve => {
            let _lines = log::start(&cli.settings.log, cli.settings.log_format)?;
            runtime(&cli.settings)?.block_on(serve::serve(cli.settings))
        }
        Command::Template(command) => {
            let _lines = log::start(&cli.settings.log, cli.settings.log_format)?;
            runtime(&cli.settings)?.block_on(operate::template(cli.settings, command))
        }
        Command::Tenant(command) => {
            let _lines = log::start(&cli.settings.log, cli.settings.log_format)?;
            runtime(&cli.settings)?.block_on(operate::tenant(cli.settings, command))
        }
        Command::Demo(command) => {
            let _lines = log::start(&cli.settings.log, cli.settings.log_format)?;
            runtime(&cli.settings)?.block_on(operate::demo(cli.settings, command))
        }
        Command::Migrate { down } => {
            let _lines = log::start(&cli.settings.log, cli.settings.log_format)?;
            runtime(&cli.settings)?.block_on(serve::migrate(cli.settings, down))
        }
        Command::Check { json } => {
            let _lines = log::start(&cli.settings.log, cli.settings.log_format)?;
            let holds =
                runtime(&cli.settings)?.block_on(check::command::check(cli.settings, json))?;
            return Ok(code(holds));
        }
        Command::Soak(options) => {
            let holds = runtime(&cli.settings)?.block_on(soak::soak(options))?;
            return Ok(code(holds));
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

fn code(holds: bool) -> ExitCode {
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn runtime(settings: &Settings) -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.workers())
        .enable_all()
        .build()?)
}

fn print(text: &str) -> anyhow::Result<()> {
    stdout().write_all(text.as_bytes())?;
    Ok(())
}
