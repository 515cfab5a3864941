//! A sign-up with a spare, over HTTP, beside the password hash that it has to compute anyway.
//!
//! `cargo bench --bench signup` starts two servers, with the template at scale 1 and 20, each with a Postgres of its own, and
//! asks them in turn, each time when all spares are there again. Arguments: `--rounds`, `--scale N` for the larger one.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../../tests/harness/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../figures.rs"]
mod figures;
#[path = "../clone/stage.rs"]
#[allow(dead_code)]
mod stage;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use client::Client;
use figures::median;
use sandlot::{auth::password, config::Cli, serve};
use serde_json::json;
use stage::{Shape, Stage};
use tokio::{net::TcpListener, sync::watch};

/// Spares that each server keeps.
const SPARES: u32 = 2;

#[derive(Parser)]
struct Arguments {
    /// Sign-ups at each scale
    #[arg(long, default_value_t = 25)]
    rounds: usize,
    /// The larger of the two scales
    #[arg(long, default_value_t = 20)]
    scale: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let (small, large) = (Server::start(1).await, Server::start(arguments.scale).await);
    let (mut hashes, mut first, mut second) = (vec![], vec![], vec![]);
    // The first round warms up and does not count.
    for round in 0..=arguments.rounds {
        let mut took = [0.0; 4];
        for (at, server) in [&small, &large].into_iter().enumerate() {
            // Nobody makes spares meanwhile, neither this one nor the other.
            small.is_stocked().await;
            large.is_stocked().await;
            took[2 * at] = server.sign_up(round).await;
            small.is_stocked().await;
            large.is_stocked().await;
            took[2 * at + 1] = hash(round).await;
        }
        if round > 0 {
            first.push(took[0]);
            second.push(took[2]);
            hashes.extend([took[1], took[3]]);
        }
    }
    let (hash, first, second) = (median(hashes), median(first), median(second));
    println!("password hash alone: {hash:.1} ms");
    for (scale, took) in [(1, first), (arguments.scale, second)] {
        println!(
            "sign-up with a spare, scale {scale}: {took:.1} ms, {:.2} times the hash",
            took / hash
        );
    }
    println!(
        "the larger differs by {:.0} %",
        (second / first - 1.0) * 100.0
    );
    small.stop().await;
    large.stop().await;
}

struct Server {
    stage: Stage,
    client: Client,
    stop: watch::Sender<bool>,
    platform: tokio_postgres::Client,
}

impl Server {
    async fn start(scale: u32) -> Self {
        let stage = Stage::set(Shape::Crm(scale), SPARES).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(listener.local_addr().unwrap());
        let (stop, stopped) = watch::channel(false);
        let settings = Cli::parse_from(["sandlot"]).settings;
        let app = Arc::clone(&stage.app);
        tokio::spawn(async move { serve::run(&settings, app, listener, stopped).await });
        let platform = stage.superuser("sandlot").await;
        Self {
            stage,
            client,
            stop,
            platform,
        }
    }

    async fn is_stocked(&self) {
        let sql = "select count(*) from spares where template_version is not null";
        while self
            .platform
            .query_one(sql, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            < i64::from(SPARES)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn sign_up(&self, number: usize) -> f64 {
        let email = format!("bench{number}@mail.example");
        let body = json!({"email": email, "password": "correct horse"});
        let begin = Instant::now();
        let answer = self.client.post("/api/register", &body).await;
        let took = begin.elapsed().as_secs_f64() * 1e3;
        let made = answer.expect(201).json();
        assert_eq!(made["tenant"]["status"], "ready", "{made}");
        took
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.stage.close().await;
    }
}

async fn hash(number: usize) -> f64 {
    let begin = Instant::now();
    password::hash(format!("correct horse {number}"))
        .await
        .unwrap();
    begin.elapsed().as_secs_f64() * 1e3
}
