//! The first message of PostgreSQL's protocol (version 3), and the message that refuses.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The longest first message; Postgres takes no longer one.
const LONGEST: usize = 10_000;

const VERSION_3: u32 = 196_608;
const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// What a client begins with.
pub enum First {
    /// It wants a session.
    Startup(Startup),
    /// It wants another session's statement cancelled: the message as it came, whose secret Postgres checks.
    Cancel(Vec<u8>),
    /// It makes no sense.
    Refused(Refusal),
}

/// Who comes, and the settings that their session starts with.
#[derive(Debug, PartialEq, Eq)]
pub struct Startup {
    /// Names and values in the order of the message.
    parameters: Vec<(String, String)>,
}

/// Why nobody is let in: an SQLSTATE and words.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    code: &'static str,
    words: String,
}

/// Reads up to the message that says who comes. Encryption is declined: clients that insist on it leave.
///
/// # Errors
/// When the client leaves or its message is cut off.
pub async fn read(client: &mut TcpStream) -> io::Result<First> {
    // Each kind of encryption may be asked for once.
    for _ in 0..3 {
        let length = client.read_u32().await? as usize;
        if !(8..=LONGEST).contains(&length) {
            return Ok(First::Refused(Refusal::garbled()));
        }
        let mut rest = vec![0; length - 4];
        client.read_exact(&mut rest).await?;
        let Some((code, body)) = rest.split_first_chunk::<4>() else {
            return Ok(First::Refused(Refusal::garbled()));
        };
        match u32::from_be_bytes(*code) {
            SSL | GSS if body.is_empty() => client.write_all(b"N").await?,
            CANCEL if body.len() <= 256 => {
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                return Ok(First::Cancel([&length.to_be_bytes()[..], &rest].concat()));
            }
            VERSION_3 => {
                return Ok(match Startup::parse(body) {
                    Some(startup) => First::Startup(startup),
                    None => First::Refused(Refusal::garbled()),
                });
            }
            _ => return Ok(First::Refused(Refusal::garbled())),
        }
    }
    Ok(First::Refused(Refusal::garbled()))
}

impl Startup {
    /// Names and values, each ended by a zero byte, and one more of those at the end.
    fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?.strip_suffix("\0\0")?;
        let words: Vec<&str> = text.split('\0').collect();
        let (pairs, []) = words.as_chunks::<2>() else {
            return None;
        };
        let parameters: Vec<(String, String)> = pairs
            .iter()
            .map(|[name, value]| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let names_once = (0..parameters.len()).all(|at| {
            parameters[..at]
                .iter()
                .all(|(name, _)| *name != parameters[at].0)
        });
        (names_once && parameters.iter().all(|(name, _)| !name.is_empty()))
            .then_some(Self { parameters })
    }

    /// The role that they want to be.
    pub fn user(&self) -> &str {
        self.get("user").unwrap_or_default()
    }

    /// The database that they want to work in; the role's name unless they say so.
    pub fn database(&self) -> &str {
        self.get("database").unwrap_or(self.user())
    }

    /// Whether it is replication that they want.
    pub fn replicates(&self) -> bool {
        self.get("replication").is_some()
    }

    /// The message for Postgres, with `options` in front of the client's own, which win.
    pub fn message(&self, options: &str) -> Vec<u8> {
        let mut body = VERSION_3.to_be_bytes().to_vec();
        let mut put = |name: &str, value: &str| {
            for text in [name, value] {
                body.extend_from_slice(text.as_bytes());
                body.push(0);
            }
        };
        for (name, value) in self.parameters.iter().filter(|(name, _)| name != "options") {
            put(name, value);
        }
        let own = self.get("options").unwrap_or_default();
        put("options", format!("{options} {own}").trim());
        body.push(0);
        let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        [&length.to_be_bytes()[..], &body].concat()
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Refusal {
    /// There are as many as there may be.
    pub fn crowded(words: &str) -> Self {
        Self {
            code: "53300",
            words: words.to_owned(),
        }
    }

    /// The tenant is above its quota.
    pub fn full() -> Self {
        Self {
            code: "53100",
            words: "the tenant is above its disk quota; delete rows or reset it over HTTP"
                .to_owned(),
        }
    }

    /// Who comes has not proved to be the role: the same words whether there is one or not.
    pub fn unproved(role: &str) -> Self {
        Self {
            code: "28P01",
            words: format!(
                "password authentication failed for user \"{}\"",
                brief(role)
            ),
        }
    }

    /// There is no other database behind this door.
    pub fn no_database(name: &str) -> Self {
        Self {
            code: "3D000",
            words: format!("database \"{}\" does not exist", brief(name)),
        }
    }

    fn garbled() -> Self {
        Self {
            code: "08P01",
            words: "this is not a startup message of protocol version 3".to_owned(),
        }
    }

    /// The message `ErrorResponse`.
    pub fn message(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (field, text) in [
            ('S', "FATAL"),
            ('V', "FATAL"),
            ('C', self.code),
            ('M', &self.words),
        ] {
            body.extend_from_slice(field.encode_utf8(&mut [0; 4]).as_bytes());
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
        [b"E".as_slice(), &length.to_be_bytes(), &body].concat()
    }
}

/// A client's own word, cut short.
fn brief(text: &str) -> String {
    text.chars().take(63).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_startup_message_is_read_and_written() {
        let startup = Startup::parse(b"user\0t_a\0database\0db\0options\0-c a=b\0\0").unwrap();
        assert_eq!((startup.user(), startup.database()), ("t_a", "db"));
        let message = startup.message("-c x=y");
        let length = u32::from_be_bytes(message[..4].try_into().unwrap());
        assert_eq!(length as usize, message.len());
        let again = Startup::parse(&message[8..]).unwrap();
        assert_eq!(again.get("options"), Some("-c x=y -c a=b"));
        assert_eq!(again.user(), "t_a");
        assert_eq!(Startup::parse(b"user\0t_b\0\0").unwrap().database(), "t_b");
    }

    #[test]
    fn what_is_no_startup_message_is_refused() {
        for body in [
            b"".as_slice(),
            b"\0",
            b"user\0",
            b"user\0\0",
            b"user\0a",
            b"user\0a\0user\0b\0\0",
            b"\0a\0\0",
            b"user\0\xff\0\0",
        ] {
            let parsed = Startup::parse(body);
            assert!(
                parsed.is_none_or(|startup| startup.user().is_empty()),
                "{body:?}"
            );
        }
    }
}
