//! Requests a second beside the programs that one would otherwise take, on the same rows, in turn.
//!
//! `cargo bench --bench compare` starts a server with a Postgres of its own, installs the others by `npm` into
//! `target/compare`, those that keep rows in Postgres on a database of that same Postgres, and measures all with `wrk`, one
//! after the other in each round. What does not install or start is said and left out. Needs `wrk`, `curl` and `npm`.
//! Arguments: `--rounds`, `--seconds` of each measurement, `--clients`, `--only NAME` of a program.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../../tests/harness/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../figures.rs"]
mod figures;
mod load;
mod npm;
mod rivals;
#[path = "../requests/stage.rs"]
#[allow(dead_code)]
mod stage;

use clap::Parser;
use figures::median;
use rivals::{Program, RIVALS, WORK};
use stage::Stage;

#[derive(Parser)]
struct Arguments {
    /// Measurements of each kind; the middle one counts
    #[arg(long, default_value_t = 12)]
    rounds: usize,
    /// Length of one measurement
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Clients that ask at once
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Only programs whose name begins so
    #[arg(long, default_value = "")]
    only: String,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let stage = Stage::set(1, &[]).await;
    let mut programs = vec![rivals::sandlot(&stage).await];
    let mut absent = Vec::new();
    for name in RIVALS {
        if !name.starts_with(&arguments.only) {
            continue;
        }
        match rivals::start(name, &stage).await {
            Ok(program) => programs.push(program),
            Err(why) => absent.push(format!("{name}: {why}")),
        }
    }
    println!(
        "PostgreSQL {}, {} cores, {} clients, {} rounds of {} s\n",
        stage.postgres,
        std::thread::available_parallelism().map_or(1, usize::from),
        arguments.clients,
        arguments.rounds,
        arguments.seconds,
    );
    println!("| request | program | requests/s | Sandlot's rate is so many times that |");
    println!("|---|---|---|---|");
    for (at, name) in WORK.iter().enumerate() {
        measure(&stage, &mut programs, at, name, &arguments).await;
    }
    println!(
        "\n| program | version | runs on | memory, MB | rows | who asks |\n|---|---|---|---|---|---|"
    );
    for program in &programs {
        println!(
            "| {} | {} | {} | {:.0} | {} | {} |",
            program.name,
            program.version,
            program.runs_on,
            Stage::memory_of(program.pid),
            program.rows,
            program.caller
        );
    }
    for line in absent {
        println!("\nLeft out: {line}");
    }
}

/// Seconds that a program is asked before it is measured: Node.js compiles what runs often, and some were still getting
/// faster after twenty.
const WARM_UP: u32 = 20;

/// Prints a row for each program that can do the work; the first one is ours.
async fn measure(
    stage: &Stage,
    programs: &mut [Program],
    at: usize,
    name: &str,
    arguments: &Arguments,
) {
    let mut rates = vec![Vec::new(); programs.len()];
    // Inserts make a table that some write whole each time, and did not get faster.
    let warm_up = if name == "insert" { 2 } else { WARM_UP };
    // The first round warms up and does not count.
    for round in 0..=arguments.rounds {
        rivals::renew(stage, &mut programs[0]).await;
        for (program, rates) in programs.iter().zip(&mut rates) {
            let Some(ask) = &program.asks[at] else {
                continue;
            };
            let seconds = if round == 0 {
                warm_up
            } else {
                arguments.seconds
            };
            let folder = stage.folder.path();
            let rate = load::wrk(folder, program.address, ask, arguments.clients, seconds);
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let ours = rates[0].clone();
    for (program, theirs) in programs.iter().zip(rates) {
        if theirs.is_empty() {
            continue;
        }
        let ratios = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
        let ratio = match median(ratios) {
            _ if program.name == programs[0].name => String::new(),
            ratio => format!("{ratio:.1}"),
        };
        println!(
            "| {name} | {} | {:.0} | {ratio} |",
            program.name,
            median(theirs)
        );
    }
}
