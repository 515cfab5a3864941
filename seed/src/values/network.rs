//! Addresses of the ranges that are kept for documentation.

use crate::dice::Dice;

/// An address of RFC 5737's three IPv4 networks, or now and then of RFC 3849's IPv6 one.
pub fn address(dice: &mut Dice) -> String {
    let host = dice.between(1, 254);
    match dice.weighted(&[30, 30, 30, 10]) {
        0 => format!("192.0.2.{host}"),
        1 => format!("198.51.100.{host}"),
        2 => format!("203.0.113.{host}"),
        _ => format!("2001:db8:{:x}::{host:x}", dice.between(1, 0xffff)),
    }
}
