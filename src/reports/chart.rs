//! From figures to what is drawn: labels along an axis, a series of numbers per colour.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::{
    data::request::{Function, Period},
    problem::Problem,
};

use super::aggregate::Figures;

/// The most series of a picture; one more colour could not be told from the others.
const MOST_SERIES: usize = 8;

/// The most labels of a picture whose axis is not time.
const MOST_LABELS: usize = 40;

/// The most letters of a label, and of a cell of the table beside the picture.
const MOST_LETTERS: usize = 200;

/// Numbers as large as that are not drawn: heights are worked out with room to spare.
const MOST_NUMBER: f64 = 1e100;

/// What kind of picture it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Bars side by side.
    #[default]
    Bar,
    /// Bars on top of each other.
    Stacked,
    /// Lines.
    Line,
    /// Shares of a whole.
    Pie,
}

/// The members of a record's `chart`, as the parameters of figures.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    /// What is drawn.
    pub kind: Kind,
    /// Parameters of the figures.
    pub others: Vec<(String, String)>,
}

/// A picture to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What it is called.
    pub title: String,
    /// What it shows, in a sentence.
    pub description: String,
    /// How it is drawn.
    pub kind: Kind,
    /// What stands along the axis.
    pub labels: Vec<String>,
    /// What is drawn, a number per label.
    pub series: Vec<Series>,
    /// What is not drawn, if something is left out.
    pub left_out: Option<String>,
    /// The same figures as a table: names of columns.
    pub heading: Vec<String>,
    /// The table's rows.
    pub rows: Vec<Vec<String>>,
}

/// Numbers that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What they are called.
    pub name: String,
    /// One per label; none where there is no figure.
    pub values: Vec<Option<f64>>,
}

impl Kind {
    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bar" => Self::Bar,
            "stacked" => Self::Stacked,
            "line" => Self::Line,
            "pie" => Self::Pie,
            _ => return None,
        })
    }

    /// Reads a record's `chart`.
    ///
    /// # Errors
    /// What is wrong with it, to follow the member's name.
    pub fn parameters(chart: &Value) -> Result<Parameters, String> {
        let mut parameters = Parameters::default();
        let members = chart.as_object().ok_or("must be an object")?;
        for (name, value) in members {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Null => continue,
                _ => return Err(format!("{name}: must be a text or a number")),
            };
            if name == "kind" {
                parameters.kind = Self::named(&text)
                    .ok_or_else(|| "kind: must be bar, stacked, line or pie".to_owned())?;
            } else {
                parameters.others.push((name.clone(), text));
            }
        }
        Ok(parameters)
    }
}

impl Chart {
    /// A picture of figures that came as JSON objects, separated by commas.
    ///
    /// # Errors
    /// `internal-error` if the rows are not JSON.
    pub fn of(title: &str, kind: Kind, figures: &Figures, rows: &[u8]) -> Result<Self, Problem> {
        let text = [b"[", rows, b"]"].concat();
        let rows: Vec<Map<String, Value>> = serde_json::from_slice(&text)
            .map_err(|error| Problem::new(crate::problem::Kind::InternalError).because(error))?;
        let mut chart = Self {
            title: title.to_owned(),
            kind,
            ..Self::default()
        };
        chart.fill_table(figures, &rows);
        chart.fill_series(figures, &rows);
        chart.cut(figures);
        if kind == Kind::Pie && !chart.is_whole() {
            // Shares of what is negative, or of several wholes, are no shares.
            chart.kind = Kind::Bar;
        }
        if kind == Kind::Stacked && chart.numbers().any(|number| number < 0.0) {
            chart.kind = Kind::Bar;
        }
        chart.description = chart.describe(figures);
        chart.shorten();
        Ok(chart)
    }

    /// Cuts texts that nobody reads in a picture; the figures' own call has them whole.
    fn shorten(&mut self) {
        let names = self.series.iter_mut().map(|series| &mut series.name);
        let cells = self.rows.iter_mut().flatten();
        for text in self.labels.iter_mut().chain(names).chain(cells) {
            if let Some((end, _)) = text.char_indices().nth(MOST_LETTERS) {
                text.truncate(end);
                text.push('…');
            }
        }
    }

    /// All numbers that are drawn.
    pub fn numbers(&self) -> impl Iterator<Item = f64> + '_ {
        self.series
            .iter()
            .flat_map(|series| series.values.iter().flatten().copied())
    }

    fn fill_table(&mut self, figures: &Figures, rows: &[Map<String, Value>]) {
        let columns: Vec<&String> = figures
            .dimensions
            .iter()
            .chain(&figures.period)
            .chain(&figures.measures)
            .collect();
        self.heading = columns.iter().map(|name| spoken(name)).collect();
        self.rows = rows
            .iter()
            .map(|row| columns.iter().map(|name| shown(row.get(*name))).collect())
            .collect();
    }

    fn fill_series(&mut self, figures: &Figures, rows: &[Map<String, Value>]) {
        let dimension = |row: &Map<String, Value>| {
            let parts: Vec<String> = figures
                .dimensions
                .iter()
                .map(|name| shown(row.get(name)))
                .collect();
            parts.join(" · ")
        };
        let (mut places, mut labels) = (HashMap::new(), Vec::new());
        for row in rows {
            let label = match &figures.period {
                Some(period) => instant(figures, &shown(row.get(period))),
                None if figures.dimensions.is_empty() => "all".to_owned(),
                None => dimension(row),
            };
            places.entry(label.clone()).or_insert_with(|| {
                labels.push(label);
                labels.len() - 1
            });
        }
        if figures.period.is_some() {
            labels.sort();
            places = labels.iter().cloned().zip(0..).collect();
        }
        let mut known: HashMap<String, usize> = HashMap::new();
        for row in rows {
            let label = match &figures.period {
                Some(period) => instant(figures, &shown(row.get(period))),
                None if figures.dimensions.is_empty() => "all".to_owned(),
                None => dimension(row),
            };
            let Some(&place) = places.get(&label) else {
                continue;
            };
            for measure in &figures.measures {
                let split = figures.period.is_some() && !figures.dimensions.is_empty();
                let name = match (split, figures.measures.len()) {
                    (false, _) => spoken(measure),
                    (true, 1) => dimension(row),
                    (true, _) => format!("{}, {}", dimension(row), spoken(measure)),
                };
                let next = self.series.len();
                let at = *known.entry(name.clone()).or_insert(next);
                if at == next {
                    self.series.push(Series {
                        name,
                        values: vec![None; labels.len()],
                    });
                }
                let number = row.get(measure).and_then(Value::as_f64);
                self.series[at].values[place] = number.filter(|n| n.abs() < MOST_NUMBER);
            }
        }
        self.labels = labels;
    }

    /// Leaves out what could not be made out: series beyond the colours, labels beyond the room.
    fn cut(&mut self, figures: &Figures) {
        let mut left_out = Vec::new();
        if self.series.len() > MOST_SERIES {
            let size =
                |series: &Series| series.values.iter().flatten().map(|n| n.abs()).sum::<f64>();
            self.series.sort_by(|a, b| size(b).total_cmp(&size(a)));
            let rest = self.series.split_off(MOST_SERIES - 1);
            let adds_up = figures
                .aggregate
                .measures
                .iter()
                .all(|measure| matches!(measure.function, Function::Sum | Function::Count));
            if adds_up {
                let values = (0..self.labels.len()).map(|place| {
                    let all = rest.iter().filter_map(|series| series.values[place]);
                    all.reduce(|a, b| a + b)
                });
                self.series.push(Series {
                    name: format!("{} others", rest.len()),
                    values: values.collect(),
                });
            } else {
                left_out.push(format!("{} smaller series", rest.len()));
            }
        }
        if figures.period.is_none() && self.labels.len() > MOST_LABELS {
            left_out.push(format!("{} more groups", self.labels.len() - MOST_LABELS));
            self.labels.truncate(MOST_LABELS);
            for series in &mut self.series {
                series.values.truncate(MOST_LABELS);
            }
        }
        if !left_out.is_empty() {
            self.left_out = Some(format!("Not drawn: {}.", left_out.join(", ")));
        }
    }

    fn is_whole(&self) -> bool {
        self.series.len() == 1
            && self.labels.len() <= 12
            && self.numbers().all(|number| number >= 0.0)
            && self.numbers().sum::<f64>() > 0.0
    }

    fn describe(&self, figures: &Figures) -> String {
        let measures: Vec<String> = figures
            .aggregate
            .measures
            .iter()
            .map(|measure| match (&measure.column, measure.function) {
                (None, _) => "number of rows".to_owned(),
                (Some(column), function) => {
                    let word = match function {
                        Function::Sum => "sum",
                        Function::Avg => "mean",
                        Function::Count => "number",
                        Function::Min => "smallest",
                        Function::Max => "largest",
                    };
                    format!("{word} of {}", spoken(column))
                }
            })
            .collect();
        let mut text = measures.join(" and ");
        if let Some(first) = text.get(..1) {
            text = format!("{}{}", first.to_uppercase(), &text[1..]);
        }
        let by: Vec<String> = figures.dimensions.iter().map(|name| spoken(name)).collect();
        if !by.is_empty() {
            text.push_str(&format!(" by {}", by.join(" and ")));
        }
        let meta = |wanted: &str| {
            let found = figures.meta.iter().find(|(name, _)| *name == wanted);
            found.and_then(|(_, value)| value.clone())
        };
        if let (Some(period), Some(date)) = (meta("period"), meta("date")) {
            text.push_str(&format!(", {period}, by {}", spoken(&date)));
        }
        text.push_str(match self.rows.len() {
            0 => "; there are no rows.",
            _ => ".",
        });
        text
    }
}

/// A period by its first day, as short as its length allows: `2024-02`, `2024 Q1`, `2024`.
fn instant(figures: &Figures, day: &str) -> String {
    let plain = day.len() == 10 && day.is_ascii();
    let period = figures
        .aggregate
        .groups
        .iter()
        .find_map(|group| group.period);
    match period {
        Some(Period::Month) if plain => day[..7].to_owned(),
        Some(Period::Year) if plain => day[..4].to_owned(),
        Some(Period::Quarter) if plain => {
            let month: u8 = day[5..7].parse().unwrap_or(1);
            format!("{} Q{}", &day[..4], month.div_ceil(3))
        }
        _ => day.to_owned(),
    }
}

/// A column's name as people read it.
fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "(none)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::request::{Aggregate, Group, Measure};

    fn figures(
        dimensions: &[&str],
        period: bool,
        measures: &[&str],
        function: Function,
    ) -> Figures {
        Figures {
            aggregate: Aggregate {
                measures: measures
                    .iter()
                    .map(|name| Measure {
                        key: (*name).to_owned(),
                        function,
                        column: Some((*name).to_owned()),
                        distinct: false,
                        at: "measure".into(),
                    })
                    .collect(),
                ..Aggregate::default()
            },
            dimensions: dimensions.iter().map(|name| (*name).to_owned()).collect(),
            period: period.then(|| "period".to_owned()),
            measures: measures.iter().map(|name| (*name).to_owned()).collect(),
            meta: vec![
                ("period", period.then(|| "monthly".to_owned())),
                ("date", period.then(|| "date".to_owned())),
            ],
        }
    }

    fn chart(kind: Kind, figures: &Figures, rows: &str) -> Chart {
        Chart::of("T", kind, figures, rows.as_bytes()).unwrap()
    }

    #[test]
    fn a_dimension_stands_along_the_axis() {
        let figures = figures(&["status_name"], false, &["total"], Function::Sum);
        let rows = r#"{"status_name":"paid","total":2.5},{"status_name":null,"total":null}"#;
        let chart = chart(Kind::Bar, &figures, rows);
        assert_eq!(chart.labels, ["paid", "(none)"]);
        assert_eq!(chart.series[0].values, [Some(2.5), None]);
        assert_eq!(chart.heading, ["status name", "total"]);
        assert_eq!(chart.description, "Sum of total by status name.");
    }

    #[test]
    fn a_dimension_over_time_gives_a_series_each_and_time_runs_forward() {
        let figures = figures(&["status"], true, &["total"], Function::Sum);
        let rows = r#"{"status":1,"period":"2024-02-01","total":1},{"status":2,"period":"2024-01-01","total":2}"#;
        let chart = chart(Kind::Stacked, &figures, rows);
        assert_eq!(chart.labels, ["2024-01-01", "2024-02-01"]);
        assert_eq!(
            chart.series[0],
            Series {
                name: "1".into(),
                values: vec![None, Some(1.0)]
            }
        );
        assert_eq!(
            chart.series[1],
            Series {
                name: "2".into(),
                values: vec![Some(2.0), None]
            }
        );
        assert_eq!(
            chart.description,
            "Sum of total by status, monthly, by date."
        );
    }

    #[test]
    fn long_texts_are_cut_and_stay_apart() {
        let figures = figures(&["a"], false, &["n"], Function::Sum);
        let long = "ü".repeat(500);
        let rows = format!(r#"{{"a":"{long}1","n":1}},{{"a":"{long}2","n":3}}"#);
        let chart = chart(Kind::Bar, &figures, &rows);
        assert_eq!(
            chart.labels,
            [
                format!("{}…", "ü".repeat(200)),
                format!("{}…", "ü".repeat(200))
            ]
        );
        assert_eq!(chart.rows[0][0].chars().count(), 201);
    }

    #[test]
    fn periods_are_as_short_as_they_can_be() {
        for (period, label) in [
            (Period::Day, "2024-11-01"),
            (Period::Month, "2024-11"),
            (Period::Quarter, "2024 Q4"),
            (Period::Year, "2024"),
        ] {
            let mut figures = figures(&[], true, &["n"], Function::Sum);
            figures.aggregate.groups.push(Group {
                key: "period".to_owned(),
                column: "date".to_owned(),
                period: Some(period),
                at: "date".into(),
            });
            assert_eq!(instant(&figures, "2024-11-01"), label);
            assert_eq!(instant(&figures, "0044-03-15 BC"), "0044-03-15 BC");
        }
    }

    #[test]
    fn too_many_series_are_put_together_where_they_add_up() {
        let rows: Vec<String> = (1..=20)
            .map(|n| format!(r#"{{"who":"w{n}","period":"2024-01-01","total":{n}}}"#))
            .collect();
        let sums = chart(
            Kind::Bar,
            &figures(&["who"], true, &["total"], Function::Sum),
            &rows.join(","),
        );
        assert_eq!(sums.series.len(), 8);
        assert_eq!(sums.series[7].name, "13 others");
        assert_eq!(sums.series[7].values, [Some(91.0)]);
        let means = chart(
            Kind::Bar,
            &figures(&["who"], true, &["total"], Function::Avg),
            &rows.join(","),
        );
        assert_eq!(means.series.len(), 7);
        assert!(means.left_out.unwrap().contains("13 smaller series"));
    }

    #[test]
    fn shares_need_one_whole() {
        let one = figures(&["a"], false, &["n"], Function::Sum);
        let rows = r#"{"a":"x","n":1},{"a":"y","n":3}"#;
        assert_eq!(chart(Kind::Pie, &one, rows).kind, Kind::Pie);
        let negative = r#"{"a":"x","n":-1},{"a":"y","n":3}"#;
        assert_eq!(chart(Kind::Pie, &one, negative).kind, Kind::Bar);
        assert_eq!(chart(Kind::Pie, &one, "").kind, Kind::Bar);
    }

    #[test]
    fn a_record_s_chart_is_read_or_refused() {
        let sound =
            serde_json::json!({"kind": "line", "limit": 5, "measure": "a,b", "period": null});
        let parameters = Kind::parameters(&sound).unwrap();
        assert_eq!(parameters.kind, Kind::Line);
        assert_eq!(parameters.others.len(), 2);
        for bad in [
            serde_json::json!([]),
            serde_json::json!({"kind": "globe"}),
            serde_json::json!({"limit": [1]}),
        ] {
            assert!(Kind::parameters(&bad).is_err(), "{bad}");
        }
    }
}
