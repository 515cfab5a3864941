//! What a copy costs: ours beside `pg_dump | psql` of the same schema and beside a plain copy of its files.
//!
//! `cargo bench --bench clone` starts a Postgres of its own with the settings that the server gives it, makes templates
//! of about 1, 20 and 200 MB on disk and the one that ships, and measures the three ways in turn, so that a machine which
//! is busy with something else slows them all. Six minutes should lie between two runs on ext4 (see `Stage::keep_inodes`).
//! `TMPDIR` says where the data folder is. Last comes how fast spares are made. Arguments: `--rounds`, `--only NAME`,
//! `--spares N`.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../figures.rs"]
mod figures;
mod rivals;
mod stage;

use std::time::Instant;

use clap::Parser;
use figures::median;
use rivals::{copy_files, dump_and_restore};
use stage::{Shape, Stage};
use tempfile::TempDir;

#[derive(Parser)]
struct Arguments {
    /// Rounds for templates of some 20 MB; larger ones get fewer, smaller ones more
    #[arg(long, default_value_t = 12)]
    rounds: usize,
    /// Only templates whose name begins so
    #[arg(long, default_value = "")]
    only: String,
    /// How many spares are made to measure the refill; 0 for none
    #[arg(long, default_value_t = 30)]
    spares: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let shapes = [
        ("1 MB", Shape::Rows(1_600), arguments.rounds * 5),
        ("20 MB", Shape::Rows(92_000), arguments.rounds),
        ("200 MB", Shape::Rows(960_000), arguments.rounds.div_ceil(3)),
        ("crm", Shape::Crm(1), arguments.rounds * 2),
        ("crm x 20", Shape::Crm(20), arguments.rounds.div_ceil(3)),
    ];
    println!(
        "milliseconds, medians; `psql -1` is one transaction, x how many times as long as our copy of the same round\n"
    );
    println!("| template | on disk | ours | pg_dump, psql | pg_dump, psql -1 | files |");
    println!("|---|---|---|---|---|---|");
    // All are removed at the end: see `Stage::keep_inodes`.
    let mut folders = Vec::new();
    for (name, shape, rounds) in shapes {
        if name.starts_with(&arguments.only) {
            folders.push(measure(name, shape, rounds).await);
        }
    }
    if arguments.spares > 0 {
        folders.push(refill(arguments.spares).await);
    }
}

async fn measure(name: &str, shape: Shape, rounds: usize) -> TempDir {
    let stage = Stage::set(shape, 0).await;
    let (mut ours, mut plain, mut single, mut files) = (vec![], vec![], vec![], vec![]);
    // The first round warms caches and does not count.
    for round in 0..=rounds {
        let took = [
            clone(&stage).await,
            dump_and_restore(&stage, false).await,
            dump_and_restore(&stage, true).await,
            copy_files(&stage).await,
        ];
        if round > 0 {
            for (list, took) in [&mut ours, &mut plain, &mut single, &mut files]
                .into_iter()
                .zip(took)
            {
                list.push(took);
            }
        }
    }
    let other = |list: Vec<f64>| {
        let ratios = list.iter().zip(&ours).map(|(other, us)| other / us);
        let ratio = median(ratios.collect());
        format!("{:.0} ({ratio:.2} x)", median(list))
    };
    println!(
        "| {name} | {:.1} MB | {:.0} | {} | {} | {} |",
        stage.size().await as f64 / 1e6,
        median(ours.clone()),
        other(plain),
        other(single),
        other(files),
    );
    stage.close().await
}

/// What a registration waits for when there is no spare: role, schema, and the copy.
async fn clone(stage: &Stage) -> f64 {
    let (schema, role) = (tenants::names::fresh_spare(), tenants::names::fresh_role());
    let begin = Instant::now();
    stage.app.tenants.make_role(&role).await.unwrap();
    stage.template.copy_to(&schema, &role).await.unwrap();
    let took = milliseconds(begin);
    stage.keep_inodes();
    stage.app.tenants.remove(&schema, &role).await.unwrap();
    took
}

async fn refill(spares: u32) -> TempDir {
    let stage = Stage::set(Shape::Crm(1), spares).await;
    let client = stage.superuser("sandlot").await;
    let begin = Instant::now();
    let background = stage.app.start_background();
    loop {
        let sql = "select count(*) from spares where template_version is not null";
        let made: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        if made >= i64::from(spares) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let took = begin.elapsed().as_secs_f64();
    println!(
        "\nrefill, crm: {spares} spares in {took:.2} s, {:.1} a second",
        f64::from(spares) / took
    );
    background.abort();
    stage.close().await
}

pub fn milliseconds(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}
