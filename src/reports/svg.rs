//! Pictures as SVG: text, rectangles and paths, with a title for each mark and for the whole.

use std::fmt::Write as _;

use super::chart::{Chart, Kind};

/// The colours and letters of a picture.
pub const STYLE: &str = include_str!("chart.css");

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 450.0;
/// Room for the title.
const TITLE: f64 = 34.0;

/// Where the plot is: left, top, right, bottom.
const PLOT: (f64, f64, f64, f64) = (64.0, 76.0, 784.0, 360.0);

/// Roughly the width of a letter.
const LETTER: f64 = 7.4;

/// Draws a picture; `alone` with its own style, as a file is.
pub fn draw(chart: &Chart, alone: bool) -> String {
    let mut out = String::with_capacity(16 * 1024);
    // In a page the title stands above the picture, and its room is not needed.
    let top = if alone { 0.0 } else { TITLE };
    put(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 {top} {WIDTH} {}\" \
             role=\"img\" aria-labelledby=\"chart-title chart-desc\">\
             <title id=\"chart-title\">{}</title><desc id=\"chart-desc\">{}</desc>",
            HEIGHT - top,
            escape(&chart.title),
            escape(&chart.description)
        ),
    );
    if alone {
        put(&mut out, format_args!("<style>{STYLE}</style>"));
        text(&mut out, 16.0, 26.0, "name", &brief(&chart.title, 90));
    }
    if chart.numbers().next().is_none() {
        text(
            &mut out,
            WIDTH / 2.0,
            HEIGHT / 2.0,
            "middle soft",
            "There is nothing to draw.",
        );
    } else if chart.kind == Kind::Pie {
        pie(&mut out, chart);
    } else {
        legend(&mut out, chart);
        plot(&mut out, chart);
    }
    out.push_str("</svg>");
    out
}

/// Text as it may stand in XML and HTML; characters that XML has not are replaced.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                escaped.push('\u{fffd}');
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A number as short as an axis needs it: `1.2k`, `3M`, `0.25`.
pub fn short(number: f64) -> String {
    short_beside(number, number)
}

/// A number in the unit of the largest one that stands beside it.
fn short_beside(number: f64, largest: f64) -> String {
    let (size, unit) = match largest.abs() {
        n if n >= 1e15 => return format!("{number:e}"),
        n if n >= 1e12 => (1e12, "T"),
        n if n >= 1e9 => (1e9, "G"),
        n if n >= 1e6 => (1e6, "M"),
        n if n >= 1e4 => (1e3, "k"),
        n if n > 0.0 && n < 1e-3 => return format!("{number:e}"),
        _ => (1.0, ""),
    };
    let digits = format!("{:.4}", number / size);
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    if matches!(digits, "0" | "-0") {
        return "0".to_owned();
    }
    format!("{digits}{unit}")
}

fn legend(out: &mut String, chart: &Chart) {
    if chart.series.len() < 2 {
        return;
    }
    let (mut x, mut y) = (PLOT.0, 44.0);
    for (at, series) in chart.series.iter().enumerate() {
        let name = brief(&series.name, 28);
        let width = 22.0 + name.chars().count() as f64 * LETTER;
        if x + width > PLOT.2 && x > PLOT.0 {
            (x, y) = (PLOT.0, y + 16.0);
        }
        put(
            out,
            format_args!(
                "<rect class=\"f{at}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" rx=\"2\"/>",
                y - 9.0
            ),
        );
        text(out, x + 14.0, y, "", &name);
        x += width;
    }
}

fn plot(out: &mut String, chart: &Chart) {
    let (left, top, right, bottom) = PLOT;
    let (low, high) = range(chart);
    let ticks = ticks(low, high);
    let (low, high) = (
        low.min(ticks.first().copied().unwrap_or(low)),
        high.max(ticks.last().copied().unwrap_or(high)),
    );
    let y = |value: f64| bottom - (value - low) / (high - low) * (bottom - top);
    let largest = low.abs().max(high.abs());
    for tick in &ticks {
        let at = y(*tick);
        put(
            out,
            format_args!("<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>"),
        );
        text(
            out,
            left - 8.0,
            at + 4.0,
            "end soft",
            &short_beside(*tick, largest),
        );
    }
    let step = (right - left) / chart.labels.len().max(1) as f64;
    match chart.kind {
        Kind::Line => lines(out, chart, step, &y),
        Kind::Stacked => stacks(out, chart, step, &y),
        _ => bars(out, chart, step, &y),
    }
    put(
        out,
        format_args!(
            "<path class=\"axis\" d=\"M{left} {:.1}H{right}\"/>",
            y(low.max(0.0).min(high))
        ),
    );
    labels(out, chart, step);
}

fn bars(out: &mut String, chart: &Chart, step: f64, y: &impl Fn(f64) -> f64) {
    let wide = (step * 0.8 / chart.series.len() as f64).min(48.0);
    let group = wide * chart.series.len() as f64;
    for (at, series) in chart.series.iter().enumerate() {
        for (place, value) in series.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let x = PLOT.0 + step * (place as f64 + 0.5) - group / 2.0 + wide * at as f64;
            let (a, b) = (y(*value), y(0.0));
            bar(
                out,
                at,
                (x, a.min(b)),
                ((wide - 1.0).max(0.5), (a - b).abs()),
                &mark(chart, at, place, *value),
            );
        }
    }
}

fn stacks(out: &mut String, chart: &Chart, step: f64, y: &impl Fn(f64) -> f64) {
    let wide = (step * 0.8).min(64.0);
    for place in 0..chart.labels.len() {
        let x = PLOT.0 + step * (place as f64 + 0.5) - wide / 2.0;
        let mut below = 0.0;
        for (at, series) in chart.series.iter().enumerate() {
            let Some(value) = series.values[place] else {
                continue;
            };
            let (a, b) = (y(below + value), y(below));
            below += value;
            bar(
                out,
                at,
                (x, a),
                (wide, b - a),
                &mark(chart, at, place, value),
            );
        }
    }
}

fn bar(out: &mut String, at: usize, (x, y): (f64, f64), (wide, high): (f64, f64), title: &str) {
    put(
        out,
        format_args!(
            "<rect class=\"f{at}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\"><title>{}</title></rect>",
            escape(title)
        ),
    );
}

fn lines(out: &mut String, chart: &Chart, step: f64, y: &impl Fn(f64) -> f64) {
    for (at, series) in chart.series.iter().enumerate() {
        let (mut path, mut marks, mut drawing) = (String::new(), String::new(), false);
        for (place, value) in series.values.iter().enumerate() {
            let Some(value) = value else {
                drawing = false;
                continue;
            };
            let (x, y) = (PLOT.0 + step * (place as f64 + 0.5), y(*value));
            put(
                &mut path,
                format_args!("{}{x:.1} {y:.1}", if drawing { 'L' } else { 'M' }),
            );
            drawing = true;
            let radius = if chart.labels.len() > 100 { 1.5 } else { 3.0 };
            put(
                &mut marks,
                format_args!(
                    "<circle class=\"f{at}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"><title>{}</title></circle>",
                    escape(&mark(chart, at, place, *value))
                ),
            );
        }
        put(
            out,
            format_args!("<path class=\"line l{at}\" d=\"{path}\"/>{marks}"),
        );
    }
}

fn labels(out: &mut String, chart: &Chart, step: f64) {
    let longest = chart
        .labels
        .iter()
        .map(|label| label.chars().count())
        .max()
        .unwrap_or(0);
    let level = longest as f64 * LETTER < step;
    // Slanted labels need a line's height each, level ones their width.
    let every = if level {
        1
    } else {
        (16.0 / step).ceil() as usize
    };
    for (place, label) in chart.labels.iter().enumerate().step_by(every.max(1)) {
        let x = PLOT.0 + step * (place as f64 + 0.5);
        let y = PLOT.3 + 16.0;
        let shown = escape(&brief(label, 14));
        if level {
            put(
                out,
                format_args!("<text class=\"middle soft\" x=\"{x:.1}\" y=\"{y}\">{shown}</text>"),
            );
        } else {
            put(
                out,
                format_args!(
                    "<text class=\"end soft\" x=\"{x:.1}\" y=\"{y}\" transform=\"rotate(-40 {x:.1} {y})\">{shown}</text>"
                ),
            );
        }
    }
}

fn pie(out: &mut String, chart: &Chart) {
    let Some(series) = chart.series.first() else {
        return;
    };
    let whole: f64 = series.values.iter().flatten().sum();
    let (x, y, radius) = (260.0, 235.0, 165.0);
    let mut from = 0.0_f64;
    let mut colour = 0;
    for (place, value) in series.values.iter().enumerate() {
        let Some(value) = value.filter(|value| *value > 0.0) else {
            continue;
        };
        let share = value / whole;
        let to = from + share * std::f64::consts::TAU;
        let title = format!("{} ({:.1} %)", mark(chart, 0, place, value), share * 100.0);
        let at = colour % 8;
        if share > 0.9999 {
            put(
                out,
                format_args!("<circle class=\"f{at}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\">"),
            );
        } else {
            let point = |angle: f64| (x + radius * angle.sin(), y - radius * angle.cos());
            let ((ax, ay), (bx, by)) = (point(from), point(to));
            let large = u8::from(share > 0.5);
            put(
                out,
                format_args!(
                    "<path class=\"f{at}\" d=\"M{x} {y}L{ax:.1} {ay:.1}A{radius} {radius} 0 {large} 1 {bx:.1} {by:.1}Z\">"
                ),
            );
        }
        let close = if share > 0.9999 { "circle" } else { "path" };
        put(
            out,
            format_args!("<title>{}</title></{close}>", escape(&title)),
        );
        let row = 100.0 + colour as f64 * 22.0;
        put(
            out,
            format_args!(
                "<rect class=\"f{at}\" x=\"480\" y=\"{:.1}\" width=\"10\" height=\"10\" rx=\"2\"/>",
                row - 9.0
            ),
        );
        let words = format!(
            "{}  {} ({:.1} %)",
            brief(&chart.labels[place], 26),
            short(value),
            share * 100.0
        );
        text(out, 496.0, row, "", &words);
        colour += 1;
        from = to;
    }
}

fn mark(chart: &Chart, series: usize, place: usize, value: f64) -> String {
    format!(
        "{}, {}: {value}",
        chart.labels[place], chart.series[series].name
    )
}

/// The smallest and largest height, zero among them.
fn range(chart: &Chart) -> (f64, f64) {
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    if chart.kind == Kind::Stacked {
        for place in 0..chart.labels.len() {
            let whole: f64 = chart
                .series
                .iter()
                .filter_map(|series| series.values[place])
                .sum();
            high = high.max(whole);
        }
    } else {
        for number in chart.numbers() {
            (low, high) = (low.min(number), high.max(number));
        }
    }
    if low == high {
        (low, low + 1.0)
    } else {
        (low, high)
    }
}

/// Four to eight round numbers that reach over the range.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let (first, last) = ((low / step).floor(), (high / step).ceil());
    if !(step.is_finite() && step > 0.0 && last - first < 20.0) {
        return vec![low, high];
    }
    let mut ticks = Vec::new();
    let mut at = first;
    while at <= last {
        ticks.push(at * step);
        at += 1.0;
    }
    ticks
}

fn text(out: &mut String, x: f64, y: f64, class: &str, words: &str) {
    put(
        out,
        format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escape(words)
        ),
    );
}

fn brief(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::reports::chart::Series;

    fn chart(kind: Kind, labels: &[&str], values: &[&[Option<f64>]]) -> Chart {
        Chart {
            title: "A <b>title</b>".to_owned(),
            description: "What \"it\" shows & more".to_owned(),
            kind,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            series: values
                .iter()
                .enumerate()
                .map(|(at, values)| Series {
                    name: format!("s{at}"),
                    values: values.to_vec(),
                })
                .collect(),
            ..Chart::default()
        }
    }

    #[test]
    fn text_never_becomes_markup() {
        let labels = [
            "<script>alert(1)</script>",
            "\" onload=\"x",
            "\u{202e}rtl\u{0}",
        ];
        let values = [Some(1.0), Some(2.0), Some(3.0)];
        for kind in [Kind::Bar, Kind::Stacked, Kind::Line, Kind::Pie] {
            let svg = draw(&chart(kind, &labels, &[&values]), true);
            assert!(!svg.contains("<script") && !svg.contains("<b>") && !svg.contains('\0'));
            assert!(!svg.contains("onload=\""), "{svg}");
            assert!(svg.contains("role=\"img\"") && svg.contains("<title id=\"chart-title\">"));
        }
    }

    #[test]
    fn every_number_can_be_drawn() {
        let odd = [
            Some(9e99),
            Some(-1e-300),
            Some(0.0),
            None,
            Some(1e15),
            Some(-5.0),
        ];
        let labels = ["a", "b", "c", "d", "e", "f"];
        for kind in [Kind::Bar, Kind::Stacked, Kind::Line] {
            for values in [&odd[..], &[None; 6], &[Some(0.0); 6], &[Some(-1.0); 6]] {
                let svg = draw(&chart(kind, &labels, &[values]), false);
                assert!(
                    !svg.contains("NaN") && !svg.contains("inf"),
                    "{kind:?} {values:?}: {svg}"
                );
            }
        }
        assert!(draw(&chart(Kind::Bar, &[], &[]), true).contains("nothing to draw"));
    }

    #[test]
    fn a_whole_of_one_share_is_a_circle() {
        let svg = draw(&chart(Kind::Pie, &["a", "b"], &[&[Some(3.0), None]]), false);
        assert!(svg.contains("<circle") && svg.contains("100.0 %"));
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(ticks(0.0, 97.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(-3.0, 5.0), [-4.0, -2.0, 0.0, 2.0, 4.0, 6.0]);
        for (number, words) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1200.0, "1200"),
            (12_500.0, "12.5k"),
            (3e6, "3M"),
            (0.25, "0.25"),
            (-4e9, "-4G"),
        ] {
            assert_eq!(short(number), words);
        }
    }
}
