//! Networks of addresses, and which proxies are believed when they say who the client is.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use poem::http::HeaderMap;

use super::headers::joined;

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether an address is in it; an IPv4 address counts as one in whichever way it is written.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                let differ = u32::from(mine) ^ u32::from(other);
                differ.leading_zeros() >= self.bits
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                let differ = u128::from(mine) ^ u128::from(other);
                differ.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is neither an address nor a network such as 10.0.0.0/8");
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most),
            None => Some(most),
        };
        Ok(Self {
            address,
            bits: bits.ok_or_else(fault)?,
        })
    }
}

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<Network>);

impl FromStr for Proxies {
    type Err = String;

    /// Networks by commas; empty for none.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Who a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client speaks HTTPS with the proxy in front.
    pub secure: bool,
}

impl Proxies {
    /// Whether none is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is a proxy that is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Who a request comes from.
    ///
    /// Each proxy appends to `X-Forwarded-For` whom it was called by, so the list is read from its
    /// right end for as long as the one who wrote is believed. What stands further left, anybody
    /// may have made up.
    pub fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Origin {
        let mut address = peer.to_canonical();
        if !self.trusts(address) {
            return Origin {
                address,
                secure: false,
            };
        }
        let hops = joined(headers, "x-forwarded-for").unwrap_or_default();
        for hop in hops.rsplit(',') {
            let Some(hop) = hop_address(hop.trim()) else {
                break;
            };
            address = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        // The nearest proxy's word is the last one, as with the addresses.
        let protocol = joined(headers, "x-forwarded-proto").unwrap_or_default();
        let last = protocol.rsplit(',').next().unwrap_or_default().trim();
        Origin {
            address,
            secure: last.eq_ignore_ascii_case("https"),
        }
    }
}

/// An address as proxies write it, some with a port.
fn hop_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn origin(peer: &str, lines: &[(&'static str, &str)]) -> Origin {
        let proxies: Proxies = "10.0.0.0/8, 2001:db8:f::/48,".parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        proxies.origin(peer.parse().unwrap(), &headers)
    }

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let lines: Vec<_> = forwarded.iter().map(|f| ("x-forwarded-for", *f)).collect();
        origin(peer, &lines).address.to_string()
    }

    #[test]
    fn a_network_contains_what_begins_like_it() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.1.2.3", "::ffff:10.1.2.3", "::ffff:10.1.2.4"),
            ("203.0.113.128/25", "203.0.113.128", "203.0.113.127"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
        ] {
            let network = network(text);
            assert!(network.contains(inside.parse().unwrap()), "{text} {inside}");
            assert!(
                !network.contains(outside.parse().unwrap()),
                "{text} {outside}"
            );
        }
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "::/129", "host"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_trusted_proxies_wrote_is_believed() {
        // Somebody who is no proxy may write what they like.
        assert_eq!(client("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        // The client wrote the left part itself.
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1", "198.51.100.1", "10.0.0.2"]),
            "198.51.100.1"
        );
    }

    #[test]
    fn odd_lists_end_at_the_last_hop_that_is_known() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(
            client("10.0.0.1", &["198.51.100.1, _x, 10.0.0.2"]),
            "10.0.0.2"
        );
        assert_eq!(client("10.0.0.1", &["10.0.0.9, 10.0.0.2"]), "10.0.0.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(client("2001:db8:f::1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn https_is_what_a_trusted_proxy_says() {
        let proto = |peer, value| origin(peer, &[("x-forwarded-proto", value)]).secure;
        assert!(proto("10.0.0.1", "https"));
        assert!(!proto("10.0.0.1", "http"));
        assert!(!proto("10.0.0.1", "https, http"));
        assert!(!proto("203.0.113.7", "https"));
    }
}
