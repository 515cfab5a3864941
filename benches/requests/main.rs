//! Requests a second over HTTP, as a share of what `pgbench` gets of the same Postgres.
//!
//! `cargo bench --bench requests` starts a server with a Postgres of its own and measures both in
//! turn, so that a machine that is busy with something else slows both; where a share is aimed at, the libraries alone
//! as well ([`bare`]). Needs `wrk`. Arguments:
//! `--rounds`, `--seconds` of each measurement, `--tenants`, `--clients`, `--only NAME`,
//! `--server ARGUMENT` for the server's own, and `--cost` for what dear requests take.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

mod bare;
#[path = "../../tests/harness/client.rs"]
#[allow(dead_code)]
mod client;
mod cost;
#[path = "../figures.rs"]
mod figures;
mod load;
mod stage;
mod work;

use std::net::SocketAddr;

use clap::Parser;
use figures::median;
use stage::{Spent, Stage};
use work::{WORK, Work};

#[derive(Parser)]
struct Arguments {
    /// Measurements of each kind; the middle one counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of one measurement
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// Tenants that are asked one after the other, in the second half of the table
    #[arg(long, default_value_t = 200)]
    tenants: usize,
    /// Clients of either load generator
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Only requests whose name begins so
    #[arg(long, default_value = "")]
    only: String,
    /// Further argument of the server
    #[arg(long)]
    server: Vec<String>,
    /// Time and memory of dear requests instead
    #[arg(long)]
    cost: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// The measurements of one kind of request.
#[derive(Default)]
struct Row {
    ours: Vec<f64>,
    theirs: Vec<f64>,
    /// Of the libraries alone, where a share is aimed at.
    bare: Vec<f64>,
    /// Microseconds of processor time an answer: of the server, of Postgres for it, of Postgres for pgbench.
    spent: [Vec<f64>; 3],
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let tenants = if arguments.cost {
        1
    } else {
        arguments.tenants.max(1)
    };
    let stage = Stage::set(tenants, &arguments.server).await;
    if arguments.cost {
        cost::report(&stage, arguments.seconds).await;
        return;
    }
    println!(
        "PostgreSQL {}, {} cores, {} clients, {} rounds of {} s; server {}\n",
        stage.postgres,
        std::thread::available_parallelism().map_or(1, usize::from),
        arguments.clients,
        arguments.rounds,
        arguments.seconds,
        stage.pid(),
    );
    println!(
        "| request | tenants | pgbench/s | Sandlot/s | share | goal | libraries alone | µs server | µs its Postgres | µs pgbench's Postgres |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let bare = bare::start(&stage);
    let mut counts = vec![1];
    if arguments.tenants > 1 {
        counts.push(arguments.tenants);
    }
    for count in counts {
        for work in WORK
            .iter()
            .filter(|work| work.name.starts_with(&arguments.only))
        {
            let row = measure(&stage, bare, work, count, &arguments).await;
            print(work, count, row);
        }
    }
    println!("\nThe server holds {:.0} MB.", stage.memory());
}

async fn measure(
    stage: &Stage,
    bare: SocketAddr,
    work: &Work,
    count: usize,
    arguments: &Arguments,
) -> Row {
    let tenants = &stage.tenants[..count];
    let (clients, seconds) = (arguments.clients, arguments.seconds);
    let token = stage.token().await;
    let ask = |address, token: &str, seconds| {
        load::wrk(stage, address, work, tenants, token, clients, seconds)
    };
    let own = stage.client.address;
    // Connections are opened and statements prepared.
    ask(own, &token, 2);
    let mut row = Row::default();
    for _ in 0..arguments.rounds {
        let token = stage.token().await;
        let before = stage.spent();
        let ours = ask(own, &token, seconds);
        let between = stage.spent();
        let theirs = load::pgbench(stage, work, tenants, clients, seconds);
        let after = stage.spent();
        let each = |from: f64, to: f64, rate: f64| (to - from) * 1e6 / (rate * f64::from(seconds));
        let (a, b, c): (Spent, Spent, Spent) = (before, between, after);
        row.ours.push(ours);
        row.theirs.push(theirs);
        if work.goal.is_some() {
            row.bare.push(ask(bare, &token, seconds));
        }
        row.spent[0].push(each(a.server, b.server, ours));
        row.spent[1].push(each(a.postgres, b.postgres, ours));
        row.spent[2].push(each(b.postgres, c.postgres, theirs));
    }
    row
}

fn print(work: &Work, count: usize, row: Row) {
    let share = |rates: &[f64]| {
        let shares = rates.iter().zip(&row.theirs).map(|(rate, of)| rate / of);
        median(shares.collect())
    };
    let ours = share(&row.ours);
    let bare = match row.bare.as_slice() {
        [] => String::new(),
        rates => format!("{:.2}", share(rates)),
    };
    let [server, postgres, pgbench] = row.spent.map(median);
    println!(
        "| {} | {count} | {:.0} | {:.0} | {:.2} | {} | {bare} | {server:.0} | {postgres:.0} | {pgbench:.0} |",
        work.name,
        median(row.theirs),
        median(row.ours),
        ours,
        work.goal.map_or(String::new(), |goal| goal.to_string()),
    );
}
