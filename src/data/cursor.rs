//! Cursors: the place of a row in an ordered list, sealed so that clients can't make up places.

use crate::problem::{Kind, Problem};
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// How many bytes of the HMAC a cursor carries.
const TAG: usize = 16;

/// The key that cursors are sealed with.
#[derive(Clone)]
pub struct Seal(Hmac<Sha256>);

impl Seal {
    /// A seal from secret bytes, of any length; the same on every server of an installation.
    pub fn new(key: &[u8]) -> Self {
        let mut block = Key::<Hmac<Sha256>>::default();
        let digest = Sha256::digest(key);
        block[..digest.len()].copy_from_slice(&digest);
        Self(Hmac::new(&block))
    }

    /// Seals a place. `order` says which list and order it is a place in; `values` has the
    /// row's value per sort key, `None` for null.
    pub fn close(&self, order: &str, values: &[Option<String>]) -> String {
        let mut bytes = vec![0; TAG];
        for value in values {
            match value {
                None => bytes.push(0),
                Some(text) => {
                    bytes.push(1);
                    // A value longer than 4 GiB does not fit into a row.
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                    bytes.extend_from_slice(&length.to_be_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
            }
        }
        let tag = self.mac(order, &bytes[TAG..]).finalize().into_bytes();
        bytes[..TAG].copy_from_slice(&tag[..TAG]);
        encode(&bytes)
    }

    /// Opens a cursor that [`Seal::close`] made for the same order.
    ///
    /// Fails with `invalid-parameter` for anything else.
    pub fn open(&self, cursor: &str, order: &str) -> Result<Vec<Option<String>>, Problem> {
        self.read(cursor, order).ok_or_else(|| {
            Problem::new(Kind::InvalidParameter).field(
                "cursor",
                "is not a cursor of this list in this order; take it from `meta.next_cursor`",
            )
        })
    }

    fn read(&self, cursor: &str, order: &str) -> Option<Vec<Option<String>>> {
        let bytes = decode(cursor)?;
        let (tag, mut rest) = bytes.split_at_checked(TAG)?;
        self.mac(order, rest).verify_truncated_left(tag).ok()?;
        let mut values = Vec::new();
        while let Some((mark, tail)) = rest.split_first() {
            rest = tail;
            if *mark == 0 {
                values.push(None);
                continue;
            }
            let (length, tail) = rest.split_first_chunk::<4>()?;
            let (text, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            values.push(Some(std::str::from_utf8(text).ok()?.to_owned()));
            rest = tail;
        }
        Some(values)
    }

    fn mac(&self, order: &str, values: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(&(order.len() as u64).to_be_bytes());
        mac.update(order.as_bytes());
        mac.update(values);
        mac
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 for addresses, without padding (RFC 4648, section 5).
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| (word << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut word = 0_u32;
        for byte in chunk {
            let digit = ALPHABET.iter().position(|known| known == byte)?;
            word = (word << 6) | u32::try_from(digit).ok()?;
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    // A text with stray bits at the end would be a second spelling of the same cursor.
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn there_and_back() {
        let seal = Seal::new(b"key");
        for values in [
            vec![],
            vec![None],
            vec![Some("7".to_owned()), None, Some("ä".to_owned())],
            vec![Some(String::new())],
        ] {
            let cursor = seal.close("t", &values);
            assert_eq!(seal.open(&cursor, "t").unwrap(), values);
        }
    }

    #[test]
    fn nothing_else_opens() {
        let seal = Seal::new(b"key");
        let cursor = seal.close("t", &[Some("7".to_owned())]);
        assert!(seal.open(&cursor, "u").is_err());
        assert!(Seal::new(b"other").open(&cursor, "t").is_err());
        for at in 0..cursor.len() {
            for swap in ["A", "z", "-"] {
                let mut changed = cursor.clone();
                changed.replace_range(at..=at, swap);
                assert!(changed == cursor || seal.open(&changed, "t").is_err());
            }
        }
        for text in ["A", "%", "AAAA", "ä", "x".repeat(5000).as_str()] {
            assert!(seal.open(text, "t").is_err());
        }
    }
}
