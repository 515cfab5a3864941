//! Where a token's requests may come from: addresses and networks, origins.

use std::net::IpAddr;

/// An address, or a network of them; IPv4 in IPv6's clothes is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    prefix: u8,
}

impl Net {
    /// Reads `192.0.2.7`, `192.0.2.0/24`, `2001:db8::1` or `2001:db8::/32`.
    pub fn read(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let given: IpAddr = address.parse().ok()?;
        let most = bits(given);
        let prefix = match prefix {
            // No sign and no zero in front: one network has one spelling.
            Some(text) if text.len() > 1 && text.starts_with(['0', '+']) => return None,
            Some(text) => text.parse::<u8>().ok().filter(|prefix| *prefix <= most)?,
            None => most,
        };
        let address = given.to_canonical();
        let hidden = most - bits(address);
        // A network that is wider than all of IPv4's addresses in IPv6 stays what it is.
        if prefix < hidden {
            return Some(Self {
                address: given,
                prefix,
            });
        }
        Some(Self {
            address,
            prefix: prefix - hidden,
        })
    }

    /// Whether an address is in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = match self.address {
            IpAddr::V4(_) => address.to_canonical(),
            IpAddr::V6(_) => match address {
                IpAddr::V4(address) => IpAddr::V6(address.to_ipv6_mapped()),
                IpAddr::V6(_) => address,
            },
        };
        if bits(address) != bits(self.address) {
            return false;
        }
        let rest = u32::from(bits(address) - self.prefix);
        let head = |address| number(address).checked_shr(rest).unwrap_or(0);
        head(address) == head(self.address)
    }
}

/// Whether a text can be in a `domain_allowlist`: `app.example`, `*.example`,
/// `https://app.example:8443`.
pub fn is_domain(text: &str) -> bool {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].contains(&scheme) => rest,
        Some(_) => return false,
        None => text,
    };
    let (host, port) = host_and_port(rest);
    let host = host.strip_prefix("*.").unwrap_or(host);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    let sound_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    sound_port && host.len() <= 253 && (address || host.split('.').all(label))
}

/// Whether an origin (RFC 6454, 6.1) is one that an entry of a `domain_allowlist` means.
///
/// An entry without a scheme means both; without a port, that of the scheme alone if it has one,
/// else any.
pub fn is_origin_of(origin: &str, entry: &str) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else {
        return false;
    };
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.to_ascii_lowercase();
    let (host, port) = host_and_port(&rest);
    let (wanted_scheme, entry) = match entry.split_once("://") {
        Some((scheme, entry)) => (Some(scheme), entry),
        None => (None, entry),
    };
    let (wanted_host, wanted_port) = host_and_port(entry);
    let usual = match scheme.as_str() {
        "http" => "80",
        "https" => "443",
        _ => return false,
    };
    let same_host = match wanted_host.strip_prefix("*.") {
        Some(parent) => host
            .strip_suffix(parent)
            .and_then(|head| head.strip_suffix('.'))
            .is_some_and(|head| !head.is_empty()),
        None => host == wanted_host,
    };
    let same_port = match (wanted_port, wanted_scheme) {
        (Some(wanted), _) => port.unwrap_or(usual) == wanted,
        (None, Some(_)) => port.is_none_or(|port| port == usual),
        (None, None) => true,
    };
    same_host && same_port && wanted_scheme.is_none_or(|wanted| scheme == wanted)
}

/// The pages that may frame another, as `frame-ancestors` has them (CSP level 3, 2.3.1): those that
/// a `domain_allowlist` means; all if it is empty.
pub fn frame_sources(entries: &[String]) -> String {
    if entries.is_empty() {
        return "*".to_owned();
    }
    let mut sources = Vec::new();
    for entry in entries {
        let (schemes, rest, any) = match entry.split_once("://") {
            Some((scheme, rest)) => (vec![scheme], rest, ""),
            None => (vec!["http", "https"], entry.as_str(), ":*"),
        };
        // The policy has no spelling for an address of IPv6.
        if rest.starts_with('[') {
            continue;
        }
        let any = match host_and_port(rest) {
            (_, Some(_)) => "",
            (_, None) => any,
        };
        sources.extend(
            schemes
                .iter()
                .map(|scheme| format!("{scheme}://{rest}{any}")),
        );
    }
    if sources.is_empty() {
        return "'none'".to_owned();
    }
    sources.join(" ")
}

/// A host, and the port behind it if there is one.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn holds(net: &str, address: &str) -> bool {
        Net::read(net).unwrap().holds(address.parse().unwrap())
    }

    #[test]
    fn networks_hold_their_addresses_alone() {
        for (net, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.77/24", "192.0.2.1", "192.0.1.255"),
            ("10.0.0.0/31", "10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
            ("::/0", "ffff::", "::"),
        ] {
            assert!(holds(net, inside), "{net} {inside}");
            assert!(net == "::/0" || !holds(net, outside), "{net} {outside}");
        }
    }

    #[test]
    fn one_kind_of_address_in_the_clothes_of_the_other_is_known() {
        assert!(holds("192.0.2.0/24", "::ffff:192.0.2.9"));
        assert!(!holds("192.0.2.0/24", "::ffff:192.0.3.9"));
        assert!(holds("::ffff:192.0.2.0/120", "192.0.2.9"));
        assert!(!holds("::ffff:192.0.2.0/120", "192.0.3.9"));
        assert!(holds("::ffff:192.0.2.9", "192.0.2.9"));
        assert!(holds("::/0", "192.0.2.9"));
        assert!(!holds("2001:db8::/32", "192.0.2.9"));
        assert!(!holds("192.0.2.0/24", "2001:db8::1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/+8",
            "1.2.3.4/08",
            "1.2.3.4/",
            "::/129",
            "example.com",
            " 1.2.3.4",
            "1.2.3.4/24/8",
            "fe80::1%eth0",
        ] {
            assert_eq!(Net::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn domains_have_a_spelling() {
        for good in [
            "app.example",
            "*.example",
            "localhost",
            "https://app.example",
            "http://localhost:3000",
            "app.example:8443",
            "[::1]:3000",
            "127.0.0.1",
        ] {
            assert!(is_domain(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "*.",
            "ftp://app.example",
            "app.example/",
            "https://",
            "App.Example",
            "a b",
            "app..example",
            "app.example:0",
            "app.example:x",
            "*.*.example",
            "null",
        ] {
            // `null` is a host's name like any other; the origin `null` never matches it.
            assert!(bad == "null" || !is_domain(bad), "{bad}");
        }
    }

    #[test]
    fn frames_are_told_of_the_same_pages() {
        let sources = |entries: &[&str]| {
            frame_sources(
                &entries
                    .iter()
                    .map(|entry| (*entry).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(sources(&[]), "*");
        assert_eq!(
            sources(&["app.example"]),
            "http://app.example:* https://app.example:*"
        );
        assert_eq!(
            sources(&["*.shop.example:8443", "https://one.example", "[::1]"]),
            "http://*.shop.example:8443 https://*.shop.example:8443 https://one.example"
        );
        assert_eq!(sources(&["[::1]"]), "'none'");
    }

    #[test]
    fn origins_match_by_host_scheme_and_port() {
        for (origin, entry, same) in [
            ("https://app.example", "app.example", true),
            ("http://APP.example:3000", "app.example", true),
            ("https://app.example", "https://app.example", true),
            ("https://app.example:443", "https://app.example", true),
            ("http://app.example", "https://app.example", false),
            ("https://app.example:8443", "https://app.example", false),
            ("https://app.example:8443", "app.example:8443", true),
            ("https://app.example", "app.example:8443", false),
            ("https://app.example", "app.example:443", true),
            ("https://a.app.example", "app.example", false),
            ("https://a.app.example", "*.app.example", true),
            ("https://app.example", "*.app.example", false),
            ("https://evilapp.example", "*.app.example", false),
            ("https://app.example.evil", "app.example", false),
            ("https://evil.example#app.example", "app.example", false),
            ("http://[::1]:3000", "[::1]", true),
            ("null", "null", false),
            ("", "app.example", false),
            ("chrome-extension://app.example", "app.example", false),
        ] {
            assert_eq!(is_origin_of(origin, entry), same, "{origin} {entry}");
        }
    }
}
