//! The replay ledger: what makes a write one that is made once, and what was answered.
//!
//! An entry is claimed at the head of the write's transaction and filled in before its end, so both
//! are kept or neither. Who comes second waits for the first one, and is given its answer.
//!
//! Entries are written by the tenant's own session, whose code is the tenant's. What it may read of
//! them says nothing: keys and requests are kept as codes under a secret of the servers, which
//! nobody else can aim at. An answer carries a code too; one that the tenant's code has made up is
//! not served.

use crate::problem::{Kind, Problem};
use hmac::{Hmac, KeyInit as _, Mac as _};
use postgres_types::Type;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tenants::ledger::MOST_ANSWER;
use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;

/// The header of an answer that was given before.
pub const DUPLICATE: &str = "Duplicate-Request";

/// Bytes of a code.
const CODE: usize = 32;

/// Headers of an answer that are kept with it.
const KEPT: [&str; 3] = ["Content-Type", "Location", "Vary"];

/// A space of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// What clients say in `Idempotency-Key`; entries live for a day.
    Idempotency = 1,
    /// Signatures of requests; entries outlive the window in which a signature is taken.
    Signature = 2,
}

/// What a client calls a request by.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    space: Space,
    key: String,
}

/// A request that is to be carried out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    entries: Vec<Entry>,
    request: [u8; CODE],
}

/// An answer as it is kept: one that was given before is given again to the byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers; of those kept, only some that matter are.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it was given before, to the same request.
    pub duplicate: bool,
}

/// What is kept besides the body.
#[derive(Serialize, Deserialize)]
struct Head {
    status: u16,
    headers: Vec<(String, String)>,
    /// Bytes of the body, if it is too long to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<usize>,
}

/// Works on the entries of whoever a connection has logged in.
#[derive(Clone)]
pub struct Ledger {
    secret: Vec<u8>,
}

impl Replay {
    /// A request that the client calls by a key.
    ///
    /// `request` tells it from others under the same key: see [`digest`].
    pub fn new(space: Space, key: impl Into<String>, request: [u8; 32]) -> Self {
        let entry = Entry {
            space,
            key: key.into(),
        };
        Self {
            entries: vec![entry],
            request,
        }
    }

    /// The same request, called by another key besides.
    pub fn and(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self
    }
}

/// What tells requests apart: who asks for what, with which query and body, each as sent.
pub fn digest(caller: &str, method: &str, path: &str, query: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [
        caller.as_bytes(),
        method.as_bytes(),
        path.as_bytes(),
        query.as_bytes(),
        body,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl Ledger {
    /// The ledger of the servers that share `secret`.
    pub fn new(secret: &[u8]) -> Self {
        Self {
            secret: secret.to_vec(),
        }
    }

    /// Claims a request inside an open transaction of `role`; what was answered, if it was made before.
    ///
    /// Waits for another transaction that has claimed it and has not ended.
    ///
    /// # Errors
    /// `idempotency-conflict` if the key is another request's, the first one is still at work after
    /// ten seconds, or its answer was not kept. The transaction is to be rolled back then.
    pub async fn claim(
        &self,
        client: &impl GenericClient,
        role: &str,
        replay: &Replay,
    ) -> Result<Option<Reply>, Problem> {
        for entry in &replay.entries {
            let (key, request) = (self.key(role, entry), self.request(role, replay));
            let space = entry.space as i16;
            let claimed = client
                .query_typed(
                    "select fresh, same, answer from _sandlot.claim($1, $2, $3)",
                    &[
                        (&space, Type::INT2),
                        (&key.as_slice(), Type::BYTEA),
                        (&request.as_slice(), Type::BYTEA),
                    ],
                )
                .await
                .map_err(refused)?;
            let row = claimed.first().ok_or(Kind::InternalError)?;
            let read = |at| row.try_get::<_, Option<bool>>(at).map_err(refused);
            if read(0)? == Some(true) {
                continue;
            }
            if read(1)? != Some(true) {
                return Err(Problem::new(Kind::IdempotencyConflict));
            }
            let answer: Option<Vec<u8>> = row.try_get(2).map_err(refused)?;
            return self.open(&key, &request, answer.as_deref()).map(Some);
        }
        Ok(None)
    }

    /// Puts the answer with what [`Ledger::claim`] claimed in the same transaction.
    ///
    /// # Errors
    /// `idempotency-conflict` if code of the tenant's own has been at the entry.
    pub async fn store(
        &self,
        client: &impl GenericClient,
        role: &str,
        replay: &Replay,
        reply: &Reply,
    ) -> Result<(), Problem> {
        for entry in &replay.entries {
            let (key, request) = (self.key(role, entry), self.request(role, replay));
            let answer = self.seal(&key, &request, reply)?;
            let space = entry.space as i16;
            client
                .query_typed(
                    "select from _sandlot.store($1, $2, $3)",
                    &[
                        (&space, Type::INT2),
                        (&key.as_slice(), Type::BYTEA),
                        (&answer, Type::BYTEA),
                    ],
                )
                .await
                .map_err(refused)?;
        }
        Ok(())
    }

    fn key(&self, role: &str, entry: &Entry) -> [u8; CODE] {
        let space = [entry.space as u8];
        self.code("key", &[role.as_bytes(), &space, entry.key.as_bytes()])
    }

    fn request(&self, role: &str, replay: &Replay) -> [u8; CODE] {
        self.code("request", &[role.as_bytes(), &replay.request])
    }

    /// The answer as bytes: a code over the rest, the length of the head, head and body.
    fn seal(&self, key: &[u8], request: &[u8], reply: &Reply) -> Result<Vec<u8>, Problem> {
        let omitted = (reply.body.len() > MOST_ANSWER).then_some(reply.body.len());
        let kept = reply.headers.iter().filter(|(name, _)| is_kept(name));
        let head = Head {
            status: reply.status,
            headers: kept
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            omitted,
        };
        let head = serde_json::to_vec(&head)
            .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
        let body: &[u8] = if omitted.is_some() { &[] } else { &reply.body };
        let length = u32::try_from(head.len()).unwrap_or(u32::MAX).to_be_bytes();
        let code = self.code("answer", &[key, request, &length, &head, body]);
        Ok([&code, &length[..], &head, body].concat())
    }

    fn open(&self, key: &[u8], request: &[u8], answer: Option<&[u8]>) -> Result<Reply, Problem> {
        let conflict = |detail: String| Problem::new(Kind::IdempotencyConflict).detail(detail);
        let Some(answer) = answer else {
            return Err(conflict(
                "The request was carried out before, and its answer was not kept.".to_owned(),
            ));
        };
        let spoilt = || {
            conflict(
                "The request was carried out before; the answer kept is not one of this server's."
                    .to_owned(),
            )
        };
        let (code, rest) = answer.split_at_checked(CODE).ok_or_else(spoilt)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(spoilt)?;
        let at = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (head, body) = rest.split_at_checked(at).ok_or_else(spoilt)?;
        let right = self.code("answer", &[key, request, length, head, body]);
        if !bool::from(right.as_slice().ct_eq(code)) {
            return Err(spoilt());
        }
        let head: Head = serde_json::from_slice(head).map_err(|error| spoilt().because(error))?;
        if let Some(bytes) = head.omitted {
            return Err(conflict(format!(
                "The request was carried out before. Its answer of {bytes} bytes was too long to be kept."
            )));
        }
        let headers = head.headers.into_iter().filter_map(|(name, value)| {
            let name = KEPT.iter().find(|kept| kept.eq_ignore_ascii_case(&name))?;
            Some((*name, value))
        });
        Ok(Reply {
            status: head.status,
            headers: headers.collect(),
            body: body.to_vec(),
            duplicate: true,
        })
    }

    /// A code over parts, none of which can be mistaken for a part of another use.
    fn code(&self, what: &str, parts: &[&[u8]]) -> [u8; CODE] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else {
            // Any length of key is taken.
            return [0; CODE];
        };
        for part in [b"replay ledger".as_slice(), what.as_bytes()]
            .iter()
            .chain(parts)
        {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

fn is_kept(name: &str) -> bool {
    KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name))
}

/// What the ledger's functions say, in the words of the catalogue.
fn refused(error: tokio_postgres::Error) -> Problem {
    match error.code() {
        Some(state) if *state == SqlState::LOCK_NOT_AVAILABLE => {
            Problem::new(Kind::IdempotencyConflict)
                .detail("The first request with this key is still at work. Try it again.")
                .header("retry-after", "1")
        }
        Some(state) if *state == SqlState::CONFIGURATION_LIMIT_EXCEEDED => {
            Problem::new(Kind::ServiceUnavailable)
                .detail("Too many requests with keys came at once. Try it again.")
                .header("retry-after", "1")
        }
        Some(state) if *state == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => Problem::new(
            Kind::IdempotencyConflict,
        )
        .detail("Code of the tenant's own has changed the entry of this key; nothing was kept."),
        _ => tenants::Error::from(error).into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn reply(body: &[u8]) -> Reply {
        Reply {
            status: 201,
            headers: vec![
                ("Content-Type", "application/json".to_owned()),
                ("Location", "/api/v1/clients/7".to_owned()),
                ("Sandlot-Total", "3".to_owned()),
            ],
            body: body.to_vec(),
            duplicate: false,
        }
    }

    #[test]
    fn an_answer_comes_back_as_it_was_and_only_under_its_own_key() {
        let ledger = Ledger::new(b"secret");
        let sealed = ledger.seal(b"key", b"request", &reply(b"{}")).unwrap();
        let opened = ledger.open(b"key", b"request", Some(&sealed)).unwrap();
        assert_eq!((opened.status, opened.duplicate), (201, true));
        assert_eq!(opened.body, b"{}");
        let names: Vec<&str> = opened.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["Content-Type", "Location"]);
        for (key, request) in [(b"kez", b"request"), (b"key", b"requesu")] {
            assert!(ledger.open(key, request, Some(&sealed)).is_err());
        }
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 1;
            let problem = ledger.open(b"key", b"request", Some(&forged)).unwrap_err();
            assert_eq!(problem.kind, Kind::IdempotencyConflict, "{at}");
        }
        assert!(ledger.open(b"key", b"request", Some(b"short")).is_err());
        let other = Ledger::new(b"another");
        assert!(other.open(b"key", b"request", Some(&sealed)).is_err());
    }

    #[test]
    fn a_long_answer_is_remembered_without_its_body() {
        let ledger = Ledger::new(b"secret");
        let long = vec![b'x'; MOST_ANSWER + 1];
        let sealed = ledger.seal(b"k", b"r", &reply(&long)).unwrap();
        assert!(sealed.len() < 1000);
        let problem = ledger.open(b"k", b"r", Some(&sealed)).unwrap_err();
        assert!(
            problem.detail.contains("262145 bytes"),
            "{}",
            problem.detail
        );
    }

    #[test]
    fn keys_of_spaces_and_tenants_do_not_meet() {
        let ledger = Ledger::new(b"secret");
        let entry = |space| Entry {
            space,
            key: "k".to_owned(),
        };
        let one = ledger.key("t_a", &entry(Space::Idempotency));
        assert_ne!(one, ledger.key("t_b", &entry(Space::Idempotency)));
        assert_ne!(one, ledger.key("t_a", &entry(Space::Signature)));
        assert_eq!(one, ledger.key("t_a", &entry(Space::Idempotency)));
    }

    #[test]
    fn every_part_of_a_request_counts_and_none_runs_into_the_next() {
        let one = digest("user:1", "POST", "/a", "b", b"c");
        for other in [
            digest("user:2", "POST", "/a", "b", b"c"),
            digest("user:1", "PUT", "/a", "b", b"c"),
            digest("user:1", "POST", "/ab", "", b"c"),
            digest("user:1", "POST", "/a", "bc", b""),
            digest("user:1", "POST", "/a", "b", b"d"),
        ] {
            assert_ne!(one, other);
        }
    }
}
