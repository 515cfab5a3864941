//! Postgres' binary values written as JSON, byte for byte as its `to_json` writes them.
//!
//! One writer per type, chosen when a statement is spelt. Instants are written in UTC; tenants'
//! connections run with that time zone, so nested rows, which Postgres writes, agree.

mod float;
mod moment;

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
            Self::Float4 => float::write4(out, f32::from_be_bytes(raw.try_into().ok()?)),
            Self::Float8 => float::write8(out, f64::from_be_bytes(raw.try_into().ok()?)),
            Self::Numeric => numeric(out, raw)?,
            Self::Text | Self::Enum => string(out, raw),
            Self::Date => {
                let days = i32::from_be_bytes(raw.try_into().ok()?);
                quoted(out, |out| moment::date(out, days));
            }
            Self::Time => {
                let micros = i64::from_be_bytes(raw.try_into().ok()?);
                quoted(out, |out| moment::time(out, micros));
            }
            Self::Timestamp => moment::timestamp(out, i64::from_be_bytes(raw.try_into().ok()?), ""),
            Self::Timestamptz => {
                moment::timestamp(out, i64::from_be_bytes(raw.try_into().ok()?), "+00:00")
            }
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
    // All bytes are looked at whatever the first ones are, which the compiler makes steps of many bytes of.
    if !text.iter().fold(false, |any, &byte| any | escaped(byte)) {
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    let mut start = 0;
    for (at, &byte) in text.iter().enumerate() {
        if !escaped(byte) {
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

/// Whether a byte can't stand in a JSON string as it is.
fn escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
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

/// Writes a number from 0 to 99 as two digits.
fn pair(out: &mut Vec<u8>, value: i64) {
    let digit = |value: i64| b'0' + value.rem_euclid(10) as u8;
    out.extend_from_slice(&[digit(value / 10), digit(value)]);
}

/// Writes a number that is not negative, with zeros in front of fewer digits than `width`.
fn padded(out: &mut Vec<u8>, value: i64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    while rest > 0 {
        at -= 1;
        // The remainder is below ten.
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
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
            padded(out, group(position).into(), 4);
        }
    }
    if scale > 0 {
        out.push(b'.');
        let end = out.len() + scale;
        let mut position = weight + 1;
        while out.len() < end {
            padded(out, group(position).into(), 4);
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
        assert_eq!(
            json(Writer::Time, &86_400_000_000_i64.to_be_bytes()),
            "\"24:00:00\""
        );
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
