//! `sandlot soak`: a load of mixed calls over many tenants, on any server, that checks every answer.
//!
//! Each tenant gets a table `soak_rows`. What is written there is also kept in a small model
//! ([`rows::Rows`]), and every answer is held against it: all of the tenant's rows with the right
//! values and nobody else's. Each row carries the tenant's marker; a marker of another tenant anywhere
//! in an answer is a wrong answer. A write whose fate is not known (no answer, 502, 503) is sent again
//! with the same `Idempotency-Key` until it is, so a row that was acknowledged and is missing, or that
//! is there twice, shows at the next look, and at the last one, which is at all rows of all tenants.
//!
//! A refusal must be a problem of the catalogue, with its slug, status and title. One that was not
//! asked for is counted (429 and 503) or is a wrong answer (any other). SIGUSR1 says that a fault begins
//! and SIGUSR2 that it is over: the figures then say how long it took until the old rate was back.

use std::{
    io::{Write as _, stderr, stdout},
    sync::Arc,
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::Instant,
};

mod calls;
mod figures;
mod http;
mod judge;
pub mod options;
mod recovery;
mod report;
mod rows;
mod tenants;
mod times;
mod worker;

pub use report::Report;

use figures::Figures;
use options::Options;
use tenants::Tenants;
use worker::Worker;

/// How often a line tells how it goes.
const NEWS: Duration = Duration::from_secs(60);
/// Time in which the first tenant must be there, and each further one.
const MAKING: Duration = Duration::from_secs(120);
const MAKING_EACH: Duration = Duration::from_secs(10);
/// Time after the end in which writes of unknown fate must become known.
const SETTLE: Duration = Duration::from_secs(120);

/// Runs the load, prints its figures; true if every answer was right and no write was left undecided.
///
/// # Errors
/// When the options make no sense or the tenants can't be made.
pub async fn soak(options: Options) -> anyhow::Result<bool> {
    let report = run(&options).await?;
    let text = if options.json {
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        report.text()
    };
    stdout().write_all(text.as_bytes())?;
    Ok(report.holds())
}

/// The same without printing.
///
/// # Errors
/// As [`soak`].
pub async fn run(options: &Options) -> anyhow::Result<Report> {
    let server = Arc::new(http::Server::parse(&options.url)?);
    let making_time = MAKING + MAKING_EACH * options.tenants;
    let (stop, stopped) = watch::channel(Some(Instant::now() + making_time));
    let making = Arc::new(Figures::start());
    let tenants = Arc::new(Tenants::listed(options)?);
    let workers = |figures: &Arc<Figures>| -> Vec<Worker> {
        (0..options.clients)
            .map(|number| {
                let seed = options.seed.wrapping_mul(1_000_003) + u64::from(number);
                let figures = Arc::clone(figures);
                Worker::new(
                    Arc::clone(&server),
                    figures,
                    &tenants,
                    seed,
                    stopped.clone(),
                )
            })
            .collect()
    };

    together(workers(&making), Worker::prepare).await?;
    tenants.keep(options).await?;
    stop.send_replace(None);
    news(&format!("{} tenants are there", options.tenants));

    let figures = Arc::new(Figures::start());
    let end = Instant::now() + Duration::from_secs(options.seconds);
    let pause = pause(options);
    let background = [
        tokio::spawn(marks(Arc::clone(&figures))),
        tokio::spawn(tell(Arc::clone(&figures))),
    ];
    let calls = together(workers(&figures), async |worker| {
        worker.call_until(end, pause, options.calls).await;
        Ok(())
    });
    tokio::pin!(calls);
    tokio::select! {
        outcome = &mut calls => outcome?,
        () = ended(end) => {
            figures.close();
            stop.send_replace(Some(Instant::now() + SETTLE));
            calls.await?;
        }
    }
    figures.close();
    for task in background {
        task.abort();
    }

    tenants.again();
    let last = Arc::new(Figures::start());
    stop.send_replace(Some(Instant::now() + SETTLE));
    together(workers(&last), async |worker| {
        worker.look_at_all().await;
        Ok(())
    })
    .await?;
    let report = Report::of(options, &making, &figures, &last);
    if options.tenants_file.is_none() {
        stop.send_replace(Some(Instant::now() + SETTLE));
        tenants.again();
        let removing = Arc::new(Figures::start());
        together(workers(&removing), async |worker| {
            worker.remove_all().await;
            Ok(())
        })
        .await?;
    }
    Ok(report)
}

/// Lets all workers do the same at once; the first error ends it.
async fn together<F>(workers: Vec<Worker>, work: F) -> anyhow::Result<()>
where
    F: AsyncFn(&mut Worker) -> anyhow::Result<()>,
{
    let work = &work;
    let all = workers
        .into_iter()
        .map(|mut worker| async move { work(&mut worker).await });
    futures_util::future::try_join_all(all).await?;
    Ok(())
}

/// Of one client, between the beginnings of its calls.
fn pause(options: &Options) -> Duration {
    if options.rate == 0 {
        return Duration::ZERO;
    }
    Duration::from_secs_f64(f64::from(options.clients) / f64::from(options.rate))
}

/// At the end of the time, or at an interrupt.
async fn ended(end: Instant) {
    tokio::select! {
        () = tokio::time::sleep_until(end) => {}
        _ = tokio::signal::ctrl_c() => news("interrupted; the rows are looked at once more"),
    }
}

/// Takes down when a fault begins and is over.
async fn marks(figures: Arc<Figures>) {
    let (Ok(mut begins), Ok(mut over)) = (
        signal(SignalKind::user_defined1()),
        signal(SignalKind::user_defined2()),
    ) else {
        return;
    };
    loop {
        tokio::select! {
            _ = begins.recv() => figures.fault_begins(),
            _ = over.recv() => figures.fault_is_over(),
        }
    }
}

async fn tell(figures: Arc<Figures>) {
    loop {
        tokio::time::sleep(NEWS).await;
        news(&figures.line());
    }
}

/// A line beside the figures; nothing depends on its being read.
fn news(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}
