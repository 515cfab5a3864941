//! Days, times of day and instants in the ISO form that `to_json` gives them.

use super::{padded, pair, quoted};

const DAY: i64 = 86_400_000_000;

/// Year, month and day of a day counted from 2000-01-01, by the civil calendar carried back
/// (days are shifted to an era that starts on 1 March, so that leap days come last).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 10_957 + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Writes the day; true if it lies before year 1, which the caller marks at the end.
fn day(out: &mut Vec<u8>, days: i64) -> bool {
    let (year, month, day) = civil(days);
    let before = year <= 0;
    let year = if before { 1 - year } else { year };
    padded(out, year, 4);
    out.push(b'-');
    pair(out, month);
    out.push(b'-');
    pair(out, day);
    before
}

/// A day, counted from 2000-01-01.
pub(super) fn date(out: &mut Vec<u8>, days: i32) {
    match days {
        i32::MAX => out.extend_from_slice(b"infinity"),
        i32::MIN => out.extend_from_slice(b"-infinity"),
        _ => {
            if day(out, days.into()) {
                out.extend_from_slice(b" BC");
            }
        }
    }
}

/// A time of day in microseconds.
pub(super) fn time(out: &mut Vec<u8>, micros: i64) {
    let seconds = micros / 1_000_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    pair(out, hours);
    out.push(b':');
    pair(out, minutes);
    out.push(b':');
    pair(out, seconds % 60);
    let part = micros % 1_000_000;
    if part != 0 {
        out.push(b'.');
        padded(out, part, 6);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// An instant in microseconds from 2000-01-01, with what to put behind it.
pub(super) fn timestamp(out: &mut Vec<u8>, micros: i64, zone: &str) {
    quoted(out, |out| match micros {
        i64::MAX => out.extend_from_slice(b"infinity"),
        i64::MIN => out.extend_from_slice(b"-infinity"),
        _ => {
            let before = day(out, micros.div_euclid(DAY));
            out.push(b'T');
            time(out, micros.rem_euclid(DAY));
            out.extend_from_slice(zone.as_bytes());
            if before {
                out.extend_from_slice(b" BC");
            }
        }
    });
}
