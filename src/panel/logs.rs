//! The audit log: which calls were made of the copy, as a chart by status and as a list.

use std::collections::BTreeMap;

use askama::Template;
use poem::Response;
use serde::Deserialize;

use crate::problem::{Kind, Problem};

use super::{
    cells,
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
};

/// Calls that the chart is of.
const CHARTED: u32 = 1000;
/// Bars of the chart.
const BARS: usize = 48;
const WIDTH: usize = 960;
const HEIGHT: usize = 150;

#[derive(Template)]
#[template(path = "panel/logs.html")]
struct LogsPage {
    shell: Shell,
    base: String,
    calls: Vec<Shown>,
    chart: Option<Chart>,
    query: Pairs,
    previous: Option<String>,
    next: Option<String>,
    total: String,
    off: bool,
    fault: Option<String>,
}

struct Shown {
    at: String,
    method: String,
    path: String,
    query: String,
    status: u16,
    class: &'static str,
    ms: String,
    caller: String,
    address: String,
    id: String,
}

/// Calls over time, by the class of their status.
struct Chart {
    bars: Vec<Bar>,
    from: String,
    to: String,
    classes: Vec<(&'static str, String)>,
    most: String,
}

/// A part of a bar.
struct Bar {
    class: &'static str,
    x: usize,
    y: usize,
    wide: usize,
    high: usize,
    title: String,
}

#[derive(Deserialize)]
struct Calls {
    data: Vec<Call>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    total: Option<u64>,
    total_pages: Option<u64>,
    current_page: u64,
}

#[derive(Deserialize)]
struct Call {
    at: String,
    method: String,
    path: String,
    query: Option<String>,
    status: u16,
    duration_ms: f64,
    address: String,
    request_id: String,
    caller: Option<Who>,
}

#[derive(Deserialize)]
struct Who {
    kind: String,
    id: Option<String>,
}

/// `GET /panel/{id}/logs`, with the filters of `GET /api/logs`.
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    let mut asked = desk.ask.query.clone();
    // A form sends its empty fields too.
    asked
        .0
        .retain(|(name, value)| !value.is_empty() && !name.starts_with('_'));
    let base = format!("{}/logs", desk.base());
    let mut shown = LogsPage {
        shell: desk.shell("Logs", "logs").await?,
        calls: Vec::new(),
        chart: None,
        query: asked.clone(),
        previous: None,
        next: None,
        total: String::new(),
        off: false,
        fault: None,
        base: base.clone(),
    };
    let given = instants(&asked);
    let found = match desk.api().get(&given.behind("/api/logs")).await {
        Ok(reply) => reply.json::<Calls>()?,
        Err(problem) if problem.kind == Kind::FeatureDisabled => {
            shown.off = true;
            return page::page(&shown);
        }
        Err(problem) if problem.kind.status() < 500 => {
            let errors = problem.errors.iter();
            let said: Vec<String> = errors
                .map(|(name, messages)| format!("{name} {}", messages.join("; ")))
                .collect();
            shown.fault = Some(said.join(" · "));
            return page::page_with(problem.kind.status(), &shown);
        }
        Err(problem) => return Err(problem),
    };
    let many = given
        .without(&["page"])
        .with("per_page", &CHARTED.to_string());
    let all: Calls = desk.api().get(&many.behind("/api/logs")).await?.json()?;
    let number = found.meta.current_page;
    let at = |number: u64| asked.with("page", &number.to_string()).behind(&base);
    shown.previous = (number > 1).then(|| at(number - 1));
    let more = found.meta.total_pages.is_none_or(|pages| number < pages);
    shown.next = (more && !found.data.is_empty()).then(|| at(number + 1));
    shown.total = found
        .meta
        .total
        .map_or_else(|| "more than 10,000".to_owned(), cells::grouped);
    shown.chart = chart(&all.data);
    shown.calls = found.data.into_iter().map(line).collect();
    page::page(&shown)
}

/// What fields for dates give, as the instants in UTC that the API takes.
fn instants(asked: &Pairs) -> Pairs {
    let pairs = asked.0.iter().map(|(name, value)| {
        let local = ["since", "until"].contains(&name.as_str()) && !value.contains(['Z', '+']);
        let zone = match (local, value.len()) {
            (true, 16) => ":00Z",
            (true, 19) => "Z",
            _ => "",
        };
        (name.clone(), format!("{value}{zone}"))
    });
    Pairs(pairs.collect())
}

fn line(call: Call) -> Shown {
    Shown {
        at: call.at.get(..19).unwrap_or(&call.at).replace('T', " "),
        class: class(call.status),
        status: call.status,
        method: call.method,
        path: cells::brief(&call.path, 80),
        query: cells::brief(&call.query.unwrap_or_default(), 80),
        ms: format!("{:.1}", call.duration_ms),
        caller: call.caller.map_or_else(String::new, |who| match who.id {
            Some(id) => format!("{} {id}", who.kind),
            None => who.kind,
        }),
        address: call.address,
        id: call.request_id,
    }
}

fn class(status: u16) -> &'static str {
    match status {
        200..=299 => "s2",
        300..=399 => "s3",
        400..=499 => "s4",
        _ => "s5",
    }
}

/// Bars over the time that the calls took place in, the latest at the right.
fn chart(calls: &[Call]) -> Option<Chart> {
    let instant = |call: &Call| chrono::DateTime::parse_from_rfc3339(&call.at).ok();
    let (first, last) = (instant(calls.last()?)?, instant(calls.first()?)?);
    let (from, to) = (first.timestamp_millis(), last.timestamp_millis() + 1);
    let step = ((to - from).max(1) as f64 / BARS as f64).max(1.0);
    let mut counts: BTreeMap<(usize, &'static str), usize> = BTreeMap::new();
    let mut classes: BTreeMap<&'static str, u64> = BTreeMap::new();
    for call in calls {
        let Some(at) = instant(call) else { continue };
        let bar = ((at.timestamp_millis() - from).max(0) as f64 / step) as usize;
        *counts
            .entry((bar.min(BARS - 1), class(call.status)))
            .or_default() += 1;
        *classes.entry(class(call.status)).or_default() += 1;
    }
    let mut sums = [0_usize; BARS];
    for ((bar, _), count) in &counts {
        sums[*bar] += count;
    }
    let most = sums.iter().copied().max().unwrap_or(1).max(1);
    let mut tops = [0_usize; BARS];
    let wide = WIDTH / BARS;
    let bars = counts.iter().map(|((bar, class), count)| {
        let high = (count * HEIGHT).div_ceil(most);
        tops[*bar] += high;
        Bar {
            class,
            x: bar * wide,
            y: HEIGHT.saturating_sub(tops[*bar]),
            wide: wide - 3,
            high,
            title: format!("{count} × {}xx", &class[1..]),
        }
    });
    let bars = bars.collect();
    let shown = |at: chrono::DateTime<chrono::FixedOffset>| at.format("%Y-%m-%d %H:%M").to_string();
    Some(Chart {
        bars,
        from: shown(first),
        to: shown(last),
        classes: classes
            .into_iter()
            .map(|(class, count)| {
                (
                    class,
                    format!("{}xx {}", &class[1..], cells::grouped(count)),
                )
            })
            .collect(),
        most: cells::grouped(most as u64),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn call(at: &str, status: u16) -> Call {
        Call {
            at: at.to_owned(),
            method: "GET".into(),
            path: "/".into(),
            query: None,
            status,
            duration_ms: 1.0,
            address: "192.0.2.1".into(),
            request_id: String::new(),
            caller: None,
        }
    }

    #[test]
    fn dates_of_fields_become_instants() {
        let asked = Pairs::read("since=2026-11-28T10:00&until=2026-11-28T10:00:30&status=4xx");
        let given = instants(&asked).behind("");
        assert_eq!(
            given,
            Pairs::read("since=2026-11-28T10:00:00Z&until=2026-11-28T10:00:30Z&status=4xx")
                .behind("")
        );
        let whole = Pairs::read("since=2026-11-28T10:00:00Z");
        assert_eq!(instants(&whole), whole);
    }

    #[test]
    fn bars_stay_inside_the_chart() {
        assert!(chart(&[]).is_none());
        let one = chart(&[call("2026-11-28T10:00:00Z", 200)]).unwrap();
        assert_eq!((one.bars.len(), one.bars[0].high), (1, HEIGHT));
        let many: Vec<Call> = (0..50)
            .rev()
            .map(|at| {
                call(
                    &format!("2026-11-28T10:{at:02}:00Z"),
                    [200, 404, 500][at % 3],
                )
            })
            .collect();
        let chart = chart(&many).unwrap();
        assert_eq!(chart.classes.len(), 3);
        for bar in &chart.bars {
            assert!(
                bar.x + bar.wide <= WIDTH && bar.y + bar.high <= HEIGHT + 2,
                "{}",
                bar.title
            );
        }
    }
}
