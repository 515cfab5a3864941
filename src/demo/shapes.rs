//! What the values of a column look like, whatever its name.

use std::collections::HashMap;

use seed::masks::Kind;

/// What values look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Something that nobody may see: a key, a hash, a card's or an account's number.
    Secret(&'static str),
    /// Text of a kind.
    Text(Kind),
}

/// How many values of a hundred have to look alike.
const MOST: usize = 60;

/// What most of the values look like, if that tells anything.
pub fn of(values: &[String]) -> Option<Shape> {
    let values: Vec<&str> = values
        .iter()
        .map(|value| value.trim())
        .filter(|value| !value.is_empty())
        .collect();
    if values.is_empty() {
        return None;
    }
    let looks = |test: fn(&str) -> bool| {
        values.iter().filter(|value| test(value)).count() * 100 >= values.len() * MOST
    };
    if looks(is_mail) {
        Some(Shape::Text(Kind::Email))
    } else if looks(is_url) {
        Some(Shape::Text(Kind::Url))
    } else if looks(is_uuid) {
        Some(Shape::Text(Kind::Uuid))
    } else if looks(is_address) {
        Some(Shape::Text(Kind::Ip))
    } else if looks(is_card) {
        Some(Shape::Secret("card"))
    } else if looks(is_iban) {
        Some(Shape::Secret("iban"))
    } else if looks(is_secret) {
        Some(Shape::Secret("entropy"))
    } else if looks(is_phone) {
        Some(Shape::Text(Kind::Phone))
    } else {
        None
    }
}

fn is_mail(value: &str) -> bool {
    let Some((local, host)) = value.split_once('@') else {
        return false;
    };
    let plain =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@');
    plain(local) && plain(host) && host.contains('.')
}

fn is_url(value: &str) -> bool {
    let known = ["http://", "https://", "ftp://", "www."];
    known.iter().any(|start| value.starts_with(start)) && !value.contains(char::is_whitespace)
}

fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_address(value: &str) -> bool {
    value
        .split('/')
        .next()
        .is_some_and(|host| host.parse::<std::net::IpAddr>().is_ok())
}

/// Digits of a card: 13 to 19 of them whose check digit holds (Luhn, ISO 7812).
fn is_card(value: &str) -> bool {
    if !value
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-'))
    {
        return false;
    }
    let digits: Vec<u32> = value.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match at % 2 {
            0 => *digit,
            _ if *digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// An account number whose check digits hold (ISO 13616).
fn is_iban(value: &str) -> bool {
    let value: String = value.chars().filter(|c| *c != ' ').collect();
    if !(15..=34).contains(&value.len()) || !value.chars().all(|c| c.is_ascii_alphanumeric()) {
        return false;
    }
    if !value.chars().take(2).all(|c| c.is_ascii_uppercase())
        || !value.chars().skip(2).take(2).all(|c| c.is_ascii_digit())
    {
        return false;
    }
    let turned = value.chars().skip(4).chain(value.chars().take(4));
    let rest = turned.fold(0u64, |rest, c| {
        let digit = u64::from(c.to_digit(36).unwrap_or(0));
        (rest * if digit > 9 { 100 } else { 10 } + digit) % 97
    });
    rest == 1
}

fn is_phone(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let signs = value
        .chars()
        .all(|c| c.is_ascii_digit() || "+-()/. x".contains(c));
    let parted = value.contains(['+', '(', '-', ' ', '/']);
    (7..=16).contains(&digits) && signs && parted && !is_day(value)
}

fn is_day(value: &str) -> bool {
    value
        .get(..10)
        .is_some_and(|day| day.parse::<chrono::NaiveDate>().is_ok())
}

/// A hash with its algorithm, a token with its issuer, or a long text without a blank that no pattern explains.
fn is_secret(value: &str) -> bool {
    let starts = [
        "$2a$",
        "$2b$",
        "$2y$",
        "$argon2",
        "$scrypt$",
        "$pbkdf2",
        "{SSHA}",
        "SCRAM-SHA",
        "sk_",
        "pk_",
        "ghp_",
        "xoxb-",
        "eyJ",
        "AKIA",
        "-----BEGIN",
    ];
    if starts.iter().any(|start| value.starts_with(start)) && value.len() >= 20 {
        return true;
    }
    let token = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-.".contains(&byte));
    let mixed = value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let bar = if value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        (32, 3.0)
    } else {
        (24, 3.8)
    };
    token && mixed && value.len() >= bar.0 && entropy(value) >= bar.1
}

/// Bits that one character tells on average.
fn entropy(value: &str) -> f64 {
    let mut counts: HashMap<char, u32> = HashMap::new();
    for c in value.chars() {
        *counts.entry(c).or_default() += 1;
    }
    let all = f64::from(value.chars().count() as u32);
    counts
        .values()
        .map(|count| f64::from(*count) / all)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(value: &str) -> Option<Shape> {
        of(&[value.to_owned()])
    }

    #[test]
    fn values_are_known_by_their_looks() {
        assert_eq!(
            shape("ada.byron@mail.example"),
            Some(Shape::Text(Kind::Email))
        );
        assert_eq!(shape("+44 20 7946 0123"), Some(Shape::Text(Kind::Phone)));
        assert_eq!(shape("(206) 555-0134"), Some(Shape::Text(Kind::Phone)));
        assert_eq!(shape("192.0.2.7"), Some(Shape::Text(Kind::Ip)));
        assert_eq!(shape("2001:db8::7"), Some(Shape::Text(Kind::Ip)));
        assert_eq!(
            shape("https://www.linden.example/a"),
            Some(Shape::Text(Kind::Url))
        );
        assert_eq!(
            shape("7f0c3e52-7f3a-4c63-9d0e-0b8a4d7b6c11"),
            Some(Shape::Text(Kind::Uuid))
        );
        assert_eq!(shape("4242 4242 4242 4242"), Some(Shape::Secret("card")));
        assert_eq!(
            shape("GB82 WEST 1234 5698 7654 32"),
            Some(Shape::Secret("iban"))
        );
        assert_eq!(
            shape("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"),
            Some(Shape::Secret("entropy"))
        );
        assert_eq!(
            shape("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
            Some(Shape::Secret("entropy"))
        );
    }

    #[test]
    fn ordinary_words_tell_nothing() {
        for value in [
            "Invoice for May",
            "2024-05-01",
            "4242424242424241",
            "INV-000123",
            "in progress",
            "12345",
            "Donaudampfschifffahrtsgesellschaft",
        ] {
            assert_eq!(shape(value), None, "{value}");
        }
    }
}
