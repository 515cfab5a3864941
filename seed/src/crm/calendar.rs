//! The three years that the data lies in, up to a fixed anchor day, and how business is spread over them.

use chrono::{Datelike, NaiveDate, TimeDelta};
use std::fmt;

/// The day that counts as today in the data: nothing has happened on it or later.
pub const ANCHOR: NaiveDate = match NaiveDate::from_ymd_opt(2026, 11, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

/// First day of the data: three years before the anchor.
const START: NaiveDate = match NaiveDate::from_ymd_opt(2023, 11, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

/// The anchor as a number of days since the first.
pub const TODAY: Day = Day(1096);

/// A day, counted from the first of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i32);

impl Day {
    /// The date.
    pub fn date(self) -> NaiveDate {
        START + TimeDelta::days(i64::from(self.0))
    }

    /// This many days later, or earlier if negative.
    pub fn plus(self, days: i32) -> Day {
        Day(self.0 + days)
    }

    /// The day itself if people work on it, else the last one before on which they do.
    pub fn workday(self) -> Day {
        let mut day = self;
        while day.weekday() > 4 || day.is_holiday() {
            day = day.plus(-1);
        }
        day
    }

    /// True from Christmas Eve to Boxing Day, and on New Year's Eve and Day.
    fn is_holiday(self) -> bool {
        // Days since the last Christmas Eve: that of 2023 was the 53rd day, and the year after it had a leap day.
        let mut since = self.0 - 53;
        for year in [366, 365, 365] {
            if since < year {
                break;
            }
            since -= year;
        }
        matches!(since, 0..=2 | 7 | 8)
    }

    /// 0 for Monday to 6 for Sunday.
    pub fn weekday(self) -> i32 {
        // The first day was a Wednesday.
        (self.0 + 2).rem_euclid(7)
    }

    /// First day of the month that lies `months` after the day's own.
    pub fn month_start(self, months: i32) -> Day {
        let date = self.date();
        let month = date.year() * 12 + date.month0() as i32 + months;
        let first =
            NaiveDate::from_ymd_opt(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1);
        Day(first.map_or(self.0, |first| (first - START).num_days() as i32))
    }

    /// The instant at this many minutes after midnight, UTC.
    pub fn at(self, minutes: i32, seconds: i32) -> Moment {
        Moment(i64::from(self.0) * 86_400 + i64::from(minutes) * 60 + i64::from(seconds))
    }
}

/// An instant, in seconds since the first day's midnight, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// The day that it lies in.
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(86_400) as i32)
    }

    /// This many minutes later.
    pub fn plus(self, minutes: i64) -> Moment {
        Moment(self.0 + minutes * 60)
    }

    /// True if it lies before the anchor.
    pub fn is_past(self) -> bool {
        self.day() < TODAY
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.rem_euclid(86_400);
        write!(
            f,
            "{} {:02}:{:02}:{:02}+00",
            self.day().date(),
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }
}

/// How much happens in each month of a year, from January: busy before the ends of quarters, slow in August and at Christmas.
const SEASON: [f64; 12] = [
    0.92, 0.98, 1.18, 1.02, 1.04, 1.10, 0.82, 0.68, 1.16, 1.14, 1.10, 0.74,
];

/// A growing, seasonal curve over the three years.
#[derive(Clone, Debug)]
pub struct Curve {
    /// First day of each month, and the share of all that happened before it.
    months: Vec<(Day, f64)>,
}

impl Curve {
    /// A curve whose last month is `growth` times as busy as its first, seasons aside.
    pub fn new(growth: f64) -> Self {
        let mut months = vec![(Day(0), 0.0)];
        let mut total = 0.0;
        for month in 0..36 {
            let calendar = (START.month0() as usize + month) % 12;
            total += SEASON[calendar] * (1.0 + (growth - 1.0) * month as f64 / 35.0);
            months.push((Day(0).month_start(month as i32 + 1), total));
        }
        for (_, share) in &mut months {
            *share /= total;
        }
        Curve { months }
    }

    /// The working day by which this share (0 to 1) of all has happened; it never falls as the share rises.
    pub fn day(&self, share: f64) -> Day {
        let next = self
            .months
            .partition_point(|(_, before)| *before <= share)
            .clamp(1, self.months.len() - 1);
        let ((from, low), (to, high)) = (self.months[next - 1], self.months[next]);
        let day = f64::from(from.0) + f64::from(to.0 - from.0) * (share - low) / (high - low);
        Day((day as i32).clamp(0, TODAY.0 - 1)).workday()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_fit_the_dates() {
        assert_eq!(Day(0).date(), START);
        assert_eq!(TODAY.date(), ANCHOR);
        assert_eq!(
            Day(0).weekday(),
            START.weekday().num_days_from_monday() as i32
        );
        assert_eq!(Day(3).workday(), Day(2));
        assert_eq!(Day(5).workday(), Day(5));
        assert_eq!(Day(61).date().to_string(), "2024-01-01");
        assert_eq!(Day(61).workday().date().to_string(), "2023-12-29");
        for day in 0..1300 {
            let date = Day(day).date();
            let holiday = matches!((date.month(), date.day()), (12, 24..=26 | 31) | (1, 1));
            assert_eq!(Day(day).is_holiday(), holiday, "{date}");
        }
        assert_eq!(Day(40).month_start(2).date().to_string(), "2024-02-01");
        assert_eq!(Day(1).at(61, 5).to_string(), "2023-11-02 01:01:05+00");
    }

    #[test]
    fn curves_rise_over_the_whole_time() {
        let curve = Curve::new(2.0);
        let days: Vec<Day> = (0..1000)
            .map(|i| curve.day(f64::from(i) / 1000.0))
            .collect();
        assert!(days.is_sorted());
        assert!(days[0] < Day(5) && days[999] > TODAY.plus(-5) && days[999] < TODAY);
        assert!(days[500] > Day(550), "the second half is busier");
    }
}
