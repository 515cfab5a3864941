//! Log lines on standard error: readable on a terminal, JSON otherwise.

use std::{
    io::{self, IsTerminal as _, Write, stderr},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use chrono::{SecondsFormat, Utc};
use parking_lot::{Condvar, Mutex};
use tracing_subscriber::{
    EnvFilter,
    fmt::{MakeWriter, format::Writer, time::FormatTime},
};

use crate::config::LogFormat;

/// How long a line waits for others. At thousands of requests a second, writing each by itself
/// costs as much as making it.
const LINGER: Duration = Duration::from_millis(20);

/// Bytes that may wait; whoever adds more writes them out first, so that a slow reader of the
/// log slows the server down and does not fill its memory.
const MOST: usize = 256 * 1024;

/// Starts logging. What waits when the program ends is written when the answer is dropped.
///
/// # Errors
/// When the filter can't be read, or there can be no further thread.
pub fn start(filter: &str, format: LogFormat) -> anyhow::Result<Lines> {
    // Each migration's step is told twice by its library, and what the database notes about them once more. What a driver
    // tells of a statement quotes its values, rows and secrets among them.
    let quiet = "sea_orm_migration=warn,sqlx::postgres::notice=warn,tokio_postgres=info";
    let filter =
        EnvFilter::try_new(format!("{quiet},{filter}")).context("SANDLOT_LOG can't be read")?;
    let json = match format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = Lines::keep()?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Moment)
        .with_writer(lines.clone());
    let started = if json {
        subscriber.json().flatten_event(true).try_init()
    } else {
        let ansi = stderr().is_terminal();
        subscriber.with_ansi(ansi).compact().try_init()
    };
    match started {
        Ok(()) => Ok(lines),
        Err(error) => anyhow::bail!("logging could not be started: {error}"),
    }
}

/// The time of a line (RFC 3339), in one piece: the library's own writes it digit by digit.
struct Moment;

impl FormatTime for Moment {
    fn format_time(&self, line: &mut Writer<'_>) -> std::fmt::Result {
        line.write_str(&Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

/// Lines on their way to standard error, all that have come within [`LINGER`] at once.
#[derive(Clone, Default)]
pub struct Lines(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    lines: Mutex<Vec<u8>>,
    some: Condvar,
}

impl Lines {
    fn keep() -> io::Result<Self> {
        let lines = Self::default();
        let waiting = Arc::clone(&lines.0);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                loop {
                    {
                        let mut lines = waiting.lines.lock();
                        while lines.is_empty() {
                            waiting.some.wait(&mut lines);
                        }
                    }
                    thread::sleep(LINGER);
                    write_out(&mut waiting.lines.lock());
                }
            })?;
        Ok(lines)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        write_out(&mut self.0.lines.lock());
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// One line being written.
pub struct Line<'a>(&'a Waiting);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lines.lock();
        if lines.len() + bytes.len() > MOST {
            write_out(&mut lines);
        }
        if lines.is_empty() {
            self.0.some.notify_one();
        }
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_out(lines: &mut Vec<u8>) {
    // There is nobody to tell that nobody reads the log.
    let _ = stderr().write_all(lines);
    lines.clear();
}
