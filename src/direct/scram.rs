//! The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), as PostgreSQL speaks it.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Rounds of hashing, as many as Postgres uses.
const ROUNDS: u32 = 4096;

/// The longest message of a client's.
const LONGEST: usize = 4096;

const MECHANISM: &str = "SCRAM-SHA-256";

/// Has a client prove that it knows the password; whether it does.
///
/// Afterwards the client expects `AuthenticationOk`, which is Postgres' to send.
///
/// # Errors
/// When the client leaves.
pub async fn prove(client: &mut TcpStream, password: String) -> io::Result<bool> {
    say(client, 10, format!("{MECHANISM}\0\0").as_bytes()).await?;
    let Some(first) = hear(client).await? else {
        return Ok(false);
    };
    let Some((header, bare)) = first_message(&first) else {
        return Ok(false);
    };
    let Some(nonce) = nonce_of(&bare) else {
        return Ok(false);
    };
    let salt: [u8; 16] = rand::random();
    let nonce = format!("{nonce}{}", STANDARD.encode(rand::random::<[u8; 18]>()));
    let challenge = format!("r={nonce},s={},i={ROUNDS}", STANDARD.encode(salt));
    say(client, 11, challenge.as_bytes()).await?;
    let Some(last) = hear(client).await? else {
        return Ok(false);
    };
    let exchange = Exchange {
        header,
        bare,
        nonce,
        challenge,
    };
    // Thousands of hashes are not for the threads that answer others.
    let signature = tokio::task::spawn_blocking(move || exchange.verify(&last, &password, &salt))
        .await
        .map_err(io::Error::other)?;
    match signature {
        Some(signature) => {
            say(client, 12, format!("v={signature}").as_bytes()).await?;
            Ok(true)
        }
        None => Ok(false),
    }
}

/// What was said until the client's last message.
struct Exchange {
    /// Of the client's first message: whether channels are bound.
    header: String,
    /// The rest of it.
    bare: String,
    nonce: String,
    challenge: String,
}

impl Exchange {
    /// The server's signature, if the client's proof holds.
    fn verify(&self, last: &[u8], password: &str, salt: &[u8]) -> Option<String> {
        let last = std::str::from_utf8(last).ok()?;
        let (said, proof) = last.rsplit_once(",p=")?;
        let mut parts = said.split(',');
        let binding = parts.next()?.strip_prefix("c=")?;
        let nonce = parts.next()?.strip_prefix("r=")?;
        if STANDARD.decode(binding).ok()? != self.header.as_bytes() || nonce != self.nonce {
            return None;
        }
        let salted = stretched(password.as_bytes(), salt)?;
        let client_key = mac(&salted, &[b"Client Key"])?;
        let stored_key: [u8; 32] = Sha256::digest(client_key).into();
        let said = [&self.bare, ",", &self.challenge, ",", said].concat();
        let signature = mac(&stored_key, &[said.as_bytes()])?;
        let proof: [u8; 32] = STANDARD.decode(proof).ok()?.try_into().ok()?;
        let shown = std::array::from_fn::<u8, 32, _>(|at| proof[at] ^ signature[at]);
        let shown: [u8; 32] = Sha256::digest(shown).into();
        if !bool::from(shown.ct_eq(&stored_key)) {
            return None;
        }
        let server_key = mac(&salted, &[b"Server Key"])?;
        Some(STANDARD.encode(mac(&server_key, &[said.as_bytes()])?))
    }
}

/// `Hi` of RFC 5802: PBKDF2 with one block.
fn stretched(password: &[u8], salt: &[u8]) -> Option<[u8; 32]> {
    let keyed = Hmac::<Sha256>::new_from_slice(password).ok()?;
    let mut mac = keyed.clone();
    mac.update(salt);
    mac.update(&1_u32.to_be_bytes());
    let mut round: [u8; 32] = mac.finalize().into_bytes().into();
    let mut sum = round;
    for _ in 1..ROUNDS {
        let mut mac = keyed.clone();
        mac.update(&round);
        round = mac.finalize().into_bytes().into();
        sum.iter_mut()
            .zip(round)
            .for_each(|(sum, byte)| *sum ^= byte);
    }
    Some(sum)
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

/// `SASLInitialResponse`: the mechanism, a length, and the first message, which begins with how channels are bound.
fn first_message(body: &[u8]) -> Option<(String, String)> {
    let rest = body
        .strip_prefix(MECHANISM.as_bytes())?
        .strip_prefix(b"\0")?;
    let (_, message) = rest.split_first_chunk::<4>()?;
    let message = std::str::from_utf8(message).ok()?;
    // Channels can't be bound without encryption.
    let bare = message
        .strip_prefix("n,,")
        .or(message.strip_prefix("y,,"))?;
    Some((message[..3].to_owned(), bare.to_owned()))
}

/// The client's nonce: printable, without commas, as they come between the parts.
fn nonce_of(bare: &str) -> Option<&str> {
    let nonce = bare.split(',').nth(1)?.strip_prefix("r=")?;
    (!nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic())).then_some(nonce)
}

/// Sends a message of kind `Authentication`.
async fn say(client: &mut TcpStream, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 8).unwrap_or(u32::MAX);
    let message = [
        b"R".as_slice(),
        &length.to_be_bytes(),
        &kind.to_be_bytes(),
        body,
    ]
    .concat();
    client.write_all(&message).await
}

/// The body of a client's message of kind `p`; none if it is of another kind or too long.
async fn hear(client: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let kind = client.read_u8().await?;
    let length = client.read_u32().await? as usize;
    if kind != b'p' || !(4..=LONGEST).contains(&length) {
        return Ok(None);
    }
    let mut body = vec![0; length - 4];
    client.read_exact(&mut body).await?;
    Ok(Some(body))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3.
    fn exchange() -> (Exchange, Vec<u8>) {
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let exchange = Exchange {
            header: "n,,".to_owned(),
            bare: "n=user,r=rOprNGfwEbeRWgbNEkqO".to_owned(),
            nonce: "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned(),
            challenge: challenge.to_owned(),
        };
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        (exchange, last.as_bytes().to_vec())
    }

    #[test]
    fn the_example_of_the_standard_holds() {
        let (exchange, last) = exchange();
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let signature = exchange.verify(&last, "pencil", &salt);
        assert_eq!(
            signature.as_deref(),
            Some("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        );
        assert_eq!(exchange.verify(&last, "pencils", &salt), None);
        assert_eq!(exchange.verify(&last, "pencil", b"other salt"), None);
        for at in 0..last.len() {
            let mut forged = last.clone();
            forged[at] ^= 1;
            assert_eq!(exchange.verify(&forged, "pencil", &salt), None, "{at}");
        }
    }

    #[test]
    fn a_first_message_without_a_nonce_or_with_bound_channels_is_none() {
        let body = |message: &str| [b"SCRAM-SHA-256\0\0\0\0\x01", message.as_bytes()].concat();
        let (header, bare) = first_message(&body("n,,n=,r=abc")).unwrap();
        assert_eq!((header.as_str(), nonce_of(&bare)), ("n,,", Some("abc")));
        assert!(first_message(&body("p=tls-server-end-point,,n=,r=abc")).is_none());
        assert!(first_message(b"SCRAM-SHA-1\0\0\0\0\x01n,,n=,r=abc").is_none());
        assert_eq!(nonce_of("n=,r="), None);
        assert_eq!(nonce_of("n="), None);
    }
}
