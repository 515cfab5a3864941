//! Taking apart what stands in an address: percent-encoding, lists, quoted names.

use crate::problem::{Kind, Problem};

/// Decodes percent-encoding; `plus` makes `+` a blank, as in query strings.
///
/// `None` where a `%` has no two digits behind it or the bytes are not UTF-8.
pub fn decode(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let (digits, tail) = rest.split_first_chunk::<2>()?;
                let digit = |b: u8| char::from(b).to_digit(16);
                let code = digit(digits[0])? * 16 + digit(digits[1])?;
                bytes.push(u8::try_from(code).ok()?);
                rest = tail;
            }
            b'+' if plus => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Encodes what may not stand in a part of a path, or in a value of a query string.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 15] {
                encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    encoded
}

/// The parts of a text between separators that are not inside double quotes.
pub fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if c == separator && !quoted {
            parts.push(&text[start..at]);
            start = at + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A name or value without the double quotes around it; `""` inside them is one.
///
/// Blanks around it do not count unless they are quoted.
pub fn unquote(text: &str, at: &str) -> Result<String, Problem> {
    let trimmed = text.trim();
    let Some(inner) = trimmed.strip_prefix('"') else {
        return Ok(trimmed.to_owned());
    };
    let inner = inner
        .strip_suffix('"')
        .filter(|inner| !inner.replace("\"\"", "").contains('"'));
    match inner {
        Some(inner) => Ok(inner.replace("\"\"", "\"")),
        None => Err(invalid(
            at,
            "a double quote is not closed, or not doubled inside",
        )),
    }
}

/// A list of names, separated by commas.
pub fn names(text: &str, at: &str) -> Result<Vec<String>, Problem> {
    let names = split(text, ',')
        .into_iter()
        .map(|name| unquote(name, at))
        .collect::<Result<Vec<String>, Problem>>()?;
    if names.iter().any(String::is_empty) {
        return Err(invalid(at, "a name is missing"));
    }
    Ok(names)
}

/// The problem that a parameter is.
pub fn invalid(parameter: &str, message: impl Into<String>) -> Problem {
    Problem::new(Kind::InvalidParameter).field(parameter, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn percent_encoding() {
        assert_eq!(decode("a%20b+c", true).unwrap(), "a b c");
        assert_eq!(decode("a+b", false).unwrap(), "a+b");
        assert_eq!(decode("%C3%A4", false).unwrap(), "ä");
        for bad in ["%", "%1", "%zz", "%ff", "%c3%28", "%+1"] {
            assert_eq!(decode(bad, false), None, "{bad}");
        }
        assert_eq!(encode("a b/ä%"), "a%20b%2F%C3%A4%25");
    }

    #[test]
    fn lists_and_quotes() {
        assert_eq!(split("a,\"b,c\",d", ','), ["a", "\"b,c\"", "d"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(unquote(" a ", "x").unwrap(), "a");
        assert_eq!(unquote("\" a\"\"b \"", "x").unwrap(), " a\"b ");
        assert!(unquote("\"a", "x").is_err());
        assert!(unquote("\"a\"b\"", "x").is_err());
        assert!(unquote("\"", "x").is_err());
        assert_eq!(names("id, \"My Name\"", "x").unwrap(), ["id", "My Name"]);
        assert!(names("id,,b", "x").is_err());
    }
}
