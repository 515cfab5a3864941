//! Postgres' binary values written as JSON, byte for byte as its `to_json` writes them.
//!
//! One writer per type, chosen when a statement is spelt. Instants are written in UTC; tenants'
//! connections run with that time zone, so nested rows, which Postgres writes, agree.

use super::catalog::types::oid;
use super::catalog::{Type, TypeKind};
use std::io::Write;

/// How a column leaves Postgres and how its bytes become JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// `bool`
    Bool,
    /// `int2`
    Int2,
    /// `int4`
    Int4,
    /// `int8`
    Int8,
    /// `float4`
    Float4,
    /// `float8`
    Float8,
    /// `numeric`
    Numeric,
    /// `text`, `varchar`, `char(n)`, `name`
    Text,
    /// An enum, selected as text.
    Enum,
    /// `date`
    Date,
    /// `time`
    Time,
    /// `timestamp`
    Timestamp,
    /// `timestamptz`
    Timestamptz,
    /// `uuid`
    Uuid,
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
    /// Any other type, selected as the text of `to_json`.
    Other,
}

impl Writer {
    /// The writer for columns of that type.
    pub fn of(ty: &Type) -> Self {
        let ty = ty.base();
        if matches!(ty.kind, TypeKind::Enum(_)) {
            return Self::Enum;
        }
        match ty.oid {
            oid::BOOL => Self::Bool,
            oid::INT2 => Self::Int2,
            oid::INT4 => Self::Int4,
            oid::INT8 => Self::Int8,
            oid::FLOAT4 => Self::Float4,
            oid::FLOAT8 => Self::Float8,
            oid::NUMERIC => Self::Numeric,
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => Self::Text,
            oid::DATE => Self::Date,
            oid::TIME => Self::Time,
            oid::TIMESTAMP => Self::Timestamp,
            oid::TIMESTAMPTZ => Self::Timestamptz,
            oid::UUID => Self::Uuid,
            oid::JSON => Self::Json,
            oid::JSONB => Self::Jsonb,
            _ => Self::Other,
        }
    }

    /// Whether its JSON, unquoted, is text that the type reads back as the same value.
    pub const fn reads_back(self) -> bool {
        !matches!(self, Self::Json | Self::Jsonb | Self::Other)
    }

    /// Whether a statement's column of that type is what this writer reads.
    pub const fn accepts(self, oid: postgres_types::Oid) -> bool {
        match self {
            Self::Bool => oid == oid::BOOL,
            Self::Int2 => oid == oid::INT2,
            Self::Int4 => oid == oid::INT4,
            Self::Int8 => oid == oid::INT8,
            Self::Float4 => oid == oid::FLOAT4,
            Self::Float8 => oid == oid::FLOAT8,
            Self::Numeric => oid == oid::NUMERIC,
            Self::Text => matches!(oid, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME),
            Self::Enum | Self::Other => oid == oid::TEXT,
            Self::Date => oid == oid::DATE,
            Self::Time => oid == oid::TIME,
            Self::Timestamp => oid == oid::TIMESTAMP,
            Self::Timestamptz => oid == oid::TIMESTAMPTZ,
            Self::Uuid => oid == oid::UUID,
            Self::Json => oid == oid::JSON,
            Self::Jsonb => oid == oid::JSONB,
        }
    }

    /// Writes one value that is not null. `None` if the bytes are not of this type.
    pub fn write(self, out: &mut Vec<u8>, raw: &[u8]) -> Option<()> {
        match self {
            Self::Bool => out.extend_from_slice(match raw {
                [0] => b"false",
                [_] => b"true",
                _ => return None,
            }),
            Self::Int2 => integer(out, i16::from_be_bytes(raw.try_into().ok()?).into()),
            Self::Int4 => integer(out, i32::from_be_bytes(raw.try_into().ok()?).into()),
            Self::Int8 => integer(out, i64::from_be_bytes(raw.try_into().ok()?)),
            Self::Float4 => {
                let value = f32::from_be_bytes(raw.try_into().ok()?);
                let mut digits = format!("{value:e}");
                if is_subtle(f64::from(value), digits.len(), 24) {
                    digits = settle(
                        digits,
                        |s| s.parse() == Ok(value),
                        |p| format!("{value:.p$e}"),
                    );
                }
                float(out, &digits, value.is_finite(), 6);
            }
            Self::Float8 => {
                let value = f64::from_be_bytes(raw.try_into().ok()?);
                let mut digits = format!("{value:e}");
                if is_subtle(value, digits.len(), 53) {
                    digits = settle(
                        digits,
                        |s| s.parse() == Ok(value),
                        |p| format!("{value:.p$e}"),
                    );
                }
                float(out, &digits, value.is_finite(), 15);
            }
            Self::Numeric => numeric(out, raw)?,
            Self::Text | Self::Enum => string(out, raw),
            Self::Date => {
                let days = i32::from_be_bytes(raw.try_into().ok()?);
                quoted(out, |out| date(out, days));
            }
            Self::Time => {
                let micros = i64::from_be_bytes(raw.try_into().ok()?);
                quoted(out, |out| time(out, micros));
            }
            Self::Timestamp => timestamp(out, i64::from_be_bytes(raw.try_into().ok()?), ""),
            Self::Timestamptz => timestamp(out, i64::from_be_bytes(raw.try_into().ok()?), "+00:00"),
            Self::Uuid => uuid(out, raw.try_into().ok()?),
            Self::Json | Self::Other => out.extend_from_slice(raw),
            Self::Jsonb => match raw {
                [1, text @ ..] => out.extend_from_slice(text),
                _ => return None,
            },
        }
        Some(())
    }
}

/// Writes text as a JSON string, escaped as Postgres' `escape_json` does.
pub fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut start = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[start..at]);
        start = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            _ => put(out, format_args!("\\u{byte:04x}")),
        }
    }
    out.extend_from_slice(&text[start..]);
    out.push(b'"');
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory can't fail.
    let _ = out.write_fmt(text);
}

fn quoted(out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    inner(out);
    out.push(b'"');
}

fn integer(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        // The remainder is below ten.
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Whether Rust and Postgres may choose different shortest digits for a float of `bits` of
/// precision, whose shortest text has `length` bytes.
///
/// They differ on the border between two floats (1e23 lies on one), which only integers beyond
/// the precision reach, and where two texts are equally short and near, which takes a value
/// whose binary fraction ends early and a text of nearly all the digits there are.
fn is_subtle(value: f64, length: usize, bits: i32) -> bool {
    let size = value.abs();
    if !size.is_finite() || size < 2_f64.powi(-20) {
        return false;
    }
    let digits = if bits > 24 { 15 } else { 6 };
    size >= 2_f64.powi(bits)
        || (length > digits && (size < 1.0 || (size * 2_f64.powi(20)).fract() == 0.0))
}

/// Chooses digits as Postgres does: never a text on the border between two floats, and of two
/// equally near ones that with the even last digit.
///
/// `reads` says whether a text is read as the value, `precise` gives the value with so many
/// digits after the point.
fn settle(
    shortest: String,
    reads: impl Fn(&str) -> bool,
    precise: impl Fn(usize) -> String,
) -> String {
    let strict = |text: &str| {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let point = if mantissa.contains('.') { "" } else { "." };
        let above = format!("{mantissa}{point}{:030}e{exponent}", 1);
        let mut below = format!("{mantissa}{point}{:030}", 0).into_bytes();
        // Takes one from the last digit, borrowing along the zeros.
        for digit in below.iter_mut().rev().filter(|b| b.is_ascii_digit()) {
            if *digit == b'0' {
                *digit = b'9';
            } else {
                *digit -= 1;
                break;
            }
        }
        let below = String::from_utf8_lossy(&below).into_owned() + "e" + exponent;
        reads(&above) && reads(&below)
    };
    if !strict(&shortest) {
        return (0..18)
            .map(precise)
            .find(|text| strict(text))
            .unwrap_or(shortest);
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exact = precise(100);
    let lower = exact.get(..mantissa.len()).unwrap_or(mantissa);
    let rest = exact.get(mantissa.len()..).unwrap_or("");
    let rest = rest.split('e').next().unwrap_or("").trim_start_matches('.');
    let even = lower
        .bytes()
        .last()
        .is_some_and(|b| b.is_ascii_digit() && b % 2 == 0);
    if even && rest.trim_end_matches('0') == "5" {
        return format!("{lower}e{exponent}");
    }
    shortest
}

/// Lays out the shortest digits of a float as Postgres does (`d2s.c`, `f2s.c`): plain from
/// 10^-4 up to, not including, 10^`plain`, with an exponent of two digits or more beyond.
fn float(out: &mut Vec<u8>, shortest: &str, finite: bool, plain: i32) {
    if !finite {
        let word = match shortest {
            "inf" => "\"Infinity\"",
            "-inf" => "\"-Infinity\"",
            _ => "\"NaN\"",
        };
        out.extend_from_slice(word.as_bytes());
        return;
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    out.extend_from_slice(sign.as_bytes());
    let digits: Vec<u8> = mantissa.bytes().filter(|b| *b != b'.').collect();
    if !(-4..plain).contains(&exponent) {
        out.extend_from_slice(mantissa.as_bytes());
        put(
            out,
            format_args!(
                "e{}{:02}",
                if exponent < 0 { '-' } else { '+' },
                exponent.abs()
            ),
        );
        return;
    }
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.extend_from_slice(&digits);
        return;
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.extend_from_slice(&digits);
        out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

/// `numeric` as sent: number of base-10000 digits, weight of the first, sign, digits after the
/// point to show, then the digits (`numeric_send`).
fn numeric(out: &mut Vec<u8>, raw: &[u8]) -> Option<()> {
    let part = |at: usize| Some(u16::from_be_bytes(raw.get(at..at + 2)?.try_into().ok()?));
    let count = usize::from(part(0)?);
    let weight = i32::from(part(2)? as i16);
    let sign = part(4)?;
    let scale = usize::from(part(6)?);
    if raw.len() != 8 + 2 * count {
        return None;
    }
    match sign {
        0x0000 => {}
        0x4000 => out.push(b'-'),
        0xc000 => return word(out, "NaN"),
        0xd000 => return word(out, "Infinity"),
        0xf000 => return word(out, "-Infinity"),
        _ => return None,
    }
    let group = |position: i32| -> u16 {
        // Positions count from the first digit sent; those outside are zero.
        usize::try_from(position)
            .ok()
            .filter(|position| *position < count)
            .and_then(|position| part(8 + 2 * position))
            .unwrap_or(0)
    };
    if weight < 0 {
        out.push(b'0');
    } else {
        integer(out, group(0).into());
        for position in 1..=weight {
            put(out, format_args!("{:04}", group(position)));
        }
    }
    if scale > 0 {
        out.push(b'.');
        let end = out.len() + scale;
        let mut position = weight + 1;
        while out.len() < end {
            put(out, format_args!("{:04}", group(position)));
            position += 1;
        }
        out.truncate(end);
    }
    Some(())
}

fn word(out: &mut Vec<u8>, word: &str) -> Option<()> {
    string(out, word.as_bytes());
    Some(())
}

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
    put(out, format_args!("{year:04}-{month:02}-{day:02}"));
    before
}

fn date(out: &mut Vec<u8>, days: i32) {
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

fn time(out: &mut Vec<u8>, micros: i64) {
    let seconds = micros / 1_000_000;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    put(
        out,
        format_args!("{hours:02}:{minutes:02}:{:02}", seconds % 60),
    );
    let part = micros % 1_000_000;
    if part != 0 {
        put(out, format_args!(".{part:06}"));
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

fn timestamp(out: &mut Vec<u8>, micros: i64, zone: &str) {
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

fn uuid(out: &mut Vec<u8>, raw: &[u8; 16]) {
    quoted(out, |out| {
        for (at, byte) in raw.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                out.push(b'-');
            }
            for digit in [byte >> 4, byte & 15] {
                out.push(b"0123456789abcdef"[usize::from(digit)]);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(writer: Writer, raw: &[u8]) -> String {
        let mut out = Vec::new();
        assert!(writer.write(&mut out, raw).is_some());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn integers() {
        for value in [0, 7, -1, i64::MIN, i64::MAX, 9_007_199_254_740_993] {
            assert_eq!(json(Writer::Int8, &value.to_be_bytes()), value.to_string());
        }
    }

    #[test]
    fn floats() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100.0, "100"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (1.5e300, "1.5e+300"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(json(Writer::Float8, &f64::to_be_bytes(value)), text);
        }
        assert_eq!(json(Writer::Float4, &1e6_f32.to_be_bytes()), "1e+06");
    }

    #[test]
    fn days_and_instants() {
        assert_eq!(json(Writer::Date, &0_i32.to_be_bytes()), "\"2000-01-01\"");
        assert_eq!(json(Writer::Date, &59_i32.to_be_bytes()), "\"2000-02-29\"");
        assert_eq!(
            json(Writer::Date, &(-730_485_i32).to_be_bytes()),
            "\"0001-01-01 BC\""
        );
        assert_eq!(json(Writer::Date, &i32::MAX.to_be_bytes()), "\"infinity\"");
        assert_eq!(
            json(Writer::Timestamptz, &(-500_000_i64).to_be_bytes()),
            "\"1999-12-31T23:59:59.5+00:00\""
        );
        assert_eq!(json(Writer::Time, &DAY.to_be_bytes()), "\"24:00:00\"");
    }

    #[test]
    fn strings_escape_like_postgres() {
        assert_eq!(
            json(Writer::Text, "a\"\\/\n\u{8}\u{1}\u{7f}é".as_bytes()),
            "\"a\\\"\\\\/\\n\\b\\u0001\u{7f}é\""
        );
    }

    #[test]
    fn wrong_bytes_are_noticed() {
        let mut out = Vec::new();
        for writer in [Writer::Int4, Writer::Numeric, Writer::Uuid, Writer::Jsonb] {
            assert!(writer.write(&mut out, &[9]).is_none());
        }
    }
}
