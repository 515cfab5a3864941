//! `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers has them: lists of
//! structured fields (RFC 9651).

use std::{fmt::Write as _, time::Duration};

use super::Drawn;

/// `RateLimit-Policy`: what each window grants, and how long it is.
pub fn policies(drawn: &[Drawn]) -> String {
    list(drawn, |text, drawn| {
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "\"{}\";q={};w={}",
            drawn.policy().name(),
            drawn.quota,
            seconds(drawn.window)
        );
    })
}

/// `RateLimit`: what is left of each window, and the seconds until it ends.
pub fn limits(drawn: &[Drawn]) -> String {
    list(drawn, |text, drawn| {
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "\"{}\";r={};t={}",
            drawn.policy().name(),
            drawn.left,
            seconds(drawn.reset)
        );
    })
}

/// Whole seconds, so many that the time is over after them, and at least one.
pub fn seconds(time: Duration) -> u64 {
    (time.as_millis().div_ceil(1000) as u64).max(1)
}

fn list(drawn: &[Drawn], item: impl Fn(&mut String, &Drawn)) -> String {
    let mut text = String::with_capacity(drawn.len() * 32);
    for (at, drawn) in drawn.iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        item(&mut text, drawn);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::Key, *};

    #[test]
    fn the_fields_are_lists_of_strings_with_parameters() {
        let drawn = |key: Key, left| Drawn {
            key,
            quota: 600,
            window: Duration::from_secs(60),
            cost: 1,
            left,
            reset: Duration::from_millis(29_001),
            granted: true,
        };
        let address = Key::address(
            super::super::Policy::Address,
            std::net::IpAddr::from([203, 0, 113, 7]),
        );
        let drawn = [drawn(address, 599), drawn(Key::caller("user:1:1"), 0)];
        assert_eq!(
            policies(&drawn),
            "\"address\";q=600;w=60, \"caller\";q=600;w=60"
        );
        assert_eq!(
            limits(&drawn),
            "\"address\";r=599;t=30, \"caller\";r=0;t=30"
        );
    }
}
