//! Floats with the digits that Postgres chooses (`d2s.c`, `f2s.c`).

use super::put;

/// Writes a `float4`.
pub(super) fn write4(out: &mut Vec<u8>, value: f32) {
    let mut digits = format!("{value:e}");
    if is_subtle(f64::from(value), digits.len(), 24) {
        digits = settle(
            digits,
            |s| s.parse() == Ok(value),
            |p| format!("{value:.p$e}"),
        );
    }
    lay_out(out, &digits, value.is_finite(), 6);
}

/// Writes a `float8`.
pub(super) fn write8(out: &mut Vec<u8>, value: f64) {
    let mut digits = format!("{value:e}");
    if is_subtle(value, digits.len(), 53) {
        digits = settle(
            digits,
            |s| s.parse() == Ok(value),
            |p| format!("{value:.p$e}"),
        );
    }
    lay_out(out, &digits, value.is_finite(), 15);
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
fn lay_out(out: &mut Vec<u8>, shortest: &str, finite: bool, plain: i32) {
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
