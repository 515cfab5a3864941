//! Passwords: argon2id (RFC 9106) as PHC strings, hashed off the async threads.
//!
//! Hashes lie in tenants' own `users` too, where any administrator of the copy reads them by SQL,
//! the account's own among them. So the server's secret goes into each (argon2's input K): who has
//! a hash and not the secret can't try passwords on it.

use std::sync::{LazyLock, OnceLock};

use argon2::{
    Algorithm, Argon2, KeyId, Params, ParamsBuilder, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::problem::{Kind, Problem};

/// Fewest and most characters of a password.
pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

/// Most bytes of memory cost (KiB) and passes that a stored hash may ask for; ours, exactly.
const MEMORY_KIB: u32 = Params::DEFAULT_M_COST;
const PASSES: u32 = Params::DEFAULT_T_COST;
const LANES: u32 = Params::DEFAULT_P_COST;

/// Names the server's secret in the hashes that it went into; others are hashes without one.
const KEY: &[u8] = b"sandlot";

/// What this process puts into hashes. One process serves one installation, so there is one.
static SECRET: OnceLock<[u8; 32]> = OnceLock::new();

/// Two hashes at a time: each takes a core and 19 MiB for some 25 ms.
static SLOTS: Semaphore = Semaphore::const_new(2);

/// What an unknown address is checked against, so that it takes as long as a known one.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password"));

/// Says what goes into hashes from now on; the first word counts.
pub fn use_secret(secret: &[u8; 32]) {
    // Derived, so that what else the secret is for tells nothing about it.
    let mut digest = Sha256::new();
    digest.update(b"sandlot passwords\0");
    digest.update(secret);
    let _ = SECRET.set(digest.finalize().into());
}

/// Checks the length, in characters.
///
/// # Errors
/// A message for the field `password`.
pub fn check(password: &str) -> Result<(), String> {
    if LENGTH.contains(&password.chars().count()) {
        Ok(())
    } else {
        Err(format!(
            "must have {} to {} characters",
            LENGTH.start(),
            LENGTH.end()
        ))
    }
}

/// Hashes a password into a PHC string.
///
/// # Errors
/// `internal-error` if the hashing thread failed.
pub async fn hash(password: String) -> Result<String, Problem> {
    off_thread(move || hash_now(&password)).await
}

/// Whether the password belongs to the PHC string; `None` takes as long and is never right.
///
/// A string that asks for more work than ours is refused without any: whoever can write it
/// (a tenant can write its own `users`) could otherwise spend the server's memory and time.
///
/// # Errors
/// `internal-error` if the hashing thread failed.
pub async fn verify(password: String, stored: Option<String>) -> Result<bool, Problem> {
    let stored = stored.filter(|phc| is_affordable(phc));
    off_thread(move || match stored {
        Some(phc) => matches(&password, &phc),
        None => {
            matches(&password, &NOBODY);
            false
        }
    })
    .await
}

/// Computes what is compared against for unknown addresses, before the first request needs it.
pub async fn warm_up() -> Result<(), Problem> {
    off_thread(|| {
        LazyLock::force(&NOBODY);
    })
    .await
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
        Problem::new(Kind::InternalError).because(source)
    };
    let slot = SLOTS
        .acquire()
        .await
        .map_err(|error| failed(error.into()))?;
    // Whoever asked may leave; the work goes on, and so does its claim.
    let work = move || {
        let _slot = slot;
        work()
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| failed(error.into()))
}

/// Hashing with our parameters, with the server's secret if there is one.
fn argon2(secret: Option<&'static [u8; 32]>) -> Argon2<'static> {
    let plain = || Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
    let Some(secret) = secret else {
        return plain();
    };
    let params = KeyId::new(KEY).and_then(|key| ParamsBuilder::new().keyid(key).build());
    params
        .and_then(|params| {
            Argon2::new_with_secret(secret, Algorithm::Argon2id, Version::V0x13, params)
        })
        // A secret of 32 bytes and a name of 7 are always taken.
        .unwrap_or_else(|_| plain())
}

fn hash_now(password: &str) -> String {
    let salt: [u8; 16] = rand::random();
    argon2(SECRET.get())
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|phc| phc.to_string())
        // Default parameters and a salt of 16 bytes are always accepted; an empty string matches nothing.
        .unwrap_or_default()
}

fn matches(password: &str, phc: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| {
        // A tenant may bring hashes of its own making.
        let is_ours = Params::try_from(&hash).is_ok_and(|params| params.keyid() == KEY);
        let argon2 = argon2(SECRET.get().filter(|_| is_ours));
        argon2.verify_password(password.as_bytes(), &hash).is_ok()
    })
}

fn is_affordable(phc: &str) -> bool {
    let Ok(hash) = PasswordHash::new(phc) else {
        return false;
    };
    hash.algorithm.as_str() == "argon2id"
        && Params::try_from(&hash).is_ok_and(|params| {
            params.m_cost() <= MEMORY_KIB && params.t_cost() <= PASSES && params.p_cost() <= LANES
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_verifies_its_password_alone() {
        let phc = hash("correct horse".into()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1"), "{phc}");
        assert!(
            verify("correct horse".into(), Some(phc.clone()))
                .await
                .unwrap()
        );
        assert!(!verify("correct horsf".into(), Some(phc)).await.unwrap());
        assert!(!verify("correct horse".into(), None).await.unwrap());
    }

    #[test]
    fn a_hash_is_of_no_use_without_the_secret() {
        let without = argon2(None)
            .hash_password_with_salt(b"correct horse", b"salt of 16 bytes")
            .unwrap()
            .to_string();
        use_secret(&[7; 32]);
        let ours = hash_now("correct horse");
        assert!(ours.contains(",keyid="), "{ours}");
        assert!(matches("correct horse", &ours));
        assert!(!matches("correct horsf", &ours));
        // What a cracker without the secret would compute.
        let hash = PasswordHash::new(&ours).unwrap();
        let plain = argon2(None);
        assert!(plain.verify_password(b"correct horse", &hash).is_err());
        // Those that were made before, or elsewhere.
        assert!(matches("correct horse", &without));
        assert!(is_affordable(&ours) && is_affordable(&without));
    }

    #[test]
    fn dearer_hashes_are_refused_unseen() {
        let ours = hash_now("correct horse");
        assert!(is_affordable(&ours));
        assert!(!is_affordable(&ours.replace("m=19456", "m=4194304")));
        assert!(!is_affordable(&ours.replace("t=2", "t=200")));
        assert!(!is_affordable(&ours.replace("argon2id", "argon2i")));
        assert!(!is_affordable("plain text"));
    }

    #[test]
    fn length_counts_characters() {
        assert!(check("ääääääää").is_ok());
        assert!(check("1234567").is_err());
        assert!(check(&"x".repeat(129)).is_err());
    }
}
