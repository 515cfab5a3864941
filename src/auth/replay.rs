//! Which requests are to be carried out once, and what they are called by.

use poem::{Request, http::Method};

use crate::{
    data::ledger::{Replay, Space, digest},
    problem::{Kind, Problem},
};

use super::caller::Caller;

/// The header that a client names a write in (IETF draft, The Idempotency-Key HTTP Header Field).
pub const HEADER: &str = "Idempotency-Key";

/// The most characters of a key.
const MOST: usize = 255;

/// What a request is called by, if it is one that writes: by its signature, and by what the client
/// has named it.
///
/// The same key means the same request only if caller, method, path, query and body are the same.
/// `reads` says that the request most likely does no more than that: only a client's own name
/// counts then.
///
/// # Errors
/// `invalid-parameter` if the header is there and is no key.
pub fn of(
    caller: &Caller,
    request: &Request,
    body: &[u8],
    reads: bool,
) -> Result<Option<Replay>, Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(None);
    }
    let key = key(request)?;
    let uri = request.original_uri();
    let asked = digest(
        &String::from(caller.who.clone()),
        request.method().as_str(),
        uri.path(),
        uri.query().unwrap_or_default(),
        body,
    );
    let named = key.map(|key| Replay::new(Space::Idempotency, key, asked));
    let signed = (caller.signature.as_ref().filter(|_| !reads))
        .map(|signature| Replay::new(Space::Signature, hex::encode(signature.0), asked));
    Ok(match (signed, named) {
        (Some(signed), Some(named)) => Some(signed.and(named)),
        (signed, named) => signed.or(named),
    })
}

/// The key as sent: quotes, which the draft asks for, belong to it.
fn key(request: &Request) -> Result<Option<&str>, Problem> {
    let mut values = request.headers().get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let fault = |message: &str| {
        Problem::new(Kind::InvalidParameter)
            .detail(format!("The header `{HEADER}` is no key."))
            .field(HEADER, message)
    };
    if values.next().is_some() {
        return Err(fault("may come once"));
    }
    // Visible characters of ASCII and blanks; anything else is refused here.
    let key = value
        .to_str()
        .map_err(|_| fault("must be of ASCII characters"))?
        .trim();
    if (1..=MOST).contains(&key.len()) {
        Ok(Some(key))
    } else {
        Err(fault("must have 1 to 255 characters"))
    }
}
