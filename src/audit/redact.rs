//! What of an address may be kept: no values of parameters that name secrets, and nothing that
//! looks like a token, wherever it stands.

/// Longest path or query that is kept.
const LONGEST: usize = 2000;

/// Bytes of the shortest text that may be a token.
const SHORTEST: usize = 16;

/// What stands for what was there.
const GONE: &str = "[redacted]";

/// Parts of parameter names whose values are secrets.
const SECRET: [&str; 11] = [
    "token",
    "password",
    "passwd",
    "secret",
    "signature",
    "api_key",
    "api-key",
    "apikey",
    "authorization",
    "credential",
    "jwt",
];

/// A path without what looks like a token.
pub fn path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').map(kept).collect();
    cut(parts.join("/"))
}

/// A query string, as sent otherwise, without secrets.
pub fn query(query: &str) -> String {
    let pairs: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{}={GONE}", kept(name)),
            Some((name, value)) => format!("{}={}", kept(name), kept_value(value)),
            None => kept_value(pair).to_owned(),
        })
        .collect();
    cut(pairs.join("&"))
}

fn is_secret(name: &str) -> bool {
    let name = decode(name);
    SECRET.iter().any(|secret| name.contains(secret))
}

/// A value such as `password:hunter2`, of a filter, names its column itself.
fn kept_value(value: &str) -> &str {
    match is_secret(value) {
        true => GONE,
        false => kept(value),
    }
}

fn kept(text: &str) -> &str {
    // All that are looked for are longer.
    if text.len() < SHORTEST {
        return text;
    }
    match is_token(&decode(text)) {
        true => GONE,
        false => text,
    }
}

/// API tokens, Api-Keys and JWTs.
fn is_token(text: &str) -> bool {
    let run = |prefix: &str, digits: usize| {
        text.match_indices(prefix).any(|(at, _)| {
            let rest = text[at + prefix.len()..].bytes();
            rest.take_while(u8::is_ascii_hexdigit).count() >= digits
        })
    };
    run("dba_", 16) || run("ak_", 16) || text.contains("eyj")
}

/// Lower case, `%` and `+` taken back, so that a name can't hide behind its spelling.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match hex {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).to_lowercase()
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "dba_0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn ordinary_addresses_stay_as_they_are() {
        for text in [
            "page=2&per_page=50&sort=-total,name",
            "filter=status:1&filter[total.gte]=1000",
            "q=ada%20lovelace&include=client,items",
            "",
            "a&&b=",
        ] {
            assert_eq!(query(text), text);
        }
        for text in ["/api/v1/clients/7", "/api/v1/a%2Fb/1,2", "/"] {
            assert_eq!(path(text), text);
        }
    }

    #[test]
    fn secrets_do_not_stay() {
        for text in [
            format!("token={TOKEN}"),
            format!("page=1&token={TOKEN}&x=1"),
            format!("%74oken={TOKEN}"),
            format!("TOKEN={TOKEN}"),
            format!("q={TOKEN}"),
            format!("q={}", TOKEN.to_uppercase()),
            format!("{TOKEN}=1"),
            TOKEN.to_owned(),
            format!("q=%64ba_{}", &TOKEN[4..]),
            "filter=password:0123456789abcdef".to_owned(),
            "filter[password.eq]=0123456789abcdef".to_owned(),
            "access_token=0123456789abcdef".to_owned(),
            "X-Signature=0123456789abcdef".to_owned(),
            "q=eyJhbGciOiJIUzI1NiJ9.0123456789abcdef.x".to_owned(),
            "api_key=ak_0123456789abcdef0123456789abcdef".to_owned(),
        ] {
            let kept = query(&text).to_lowercase();
            assert!(!kept.contains("0123456789abcdef"), "{text} -> {kept}");
            assert!(kept.contains(GONE), "{text} -> {kept}");
        }
        let kept = path(&format!("/api/v1/clients/{TOKEN}"));
        assert_eq!(kept, "/api/v1/clients/[redacted]");
    }

    #[test]
    fn a_long_address_is_cut() {
        let kept = query(&"ä".repeat(5000));
        assert!(kept.len() < LONGEST + 8 && kept.ends_with('…'));
    }
}
