//! Practising failure: what a client asks of its own answers by `Prefer` (RFC 7240), to see how it copes.
//!
//! `sandlot-status=503` is answered by the problem of that status, `sandlot-delay=800ms` comes later, and with
//! `sandlot-empty` nothing is found. For whoever has been let in: it touches nobody else's answers.

use std::time::Duration;

use poem::{Request, http::Method};

use crate::{
    edge::headers::joined,
    problem::{Kind, Problem},
};

/// Longest delay that can be asked for.
const LONGEST: Duration = Duration::from_secs(10);

/// What was asked for, and is to be seen to by whoever answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Whether reads find nothing.
    pub empty: bool,
    /// What the header `Preference-Applied` says; empty if nothing was asked for.
    pub applied: String,
}

impl Rehearsal {
    /// The header that says what was seen to, if anything was asked for.
    pub fn mark(&self) -> Option<(&'static str, String)> {
        (!self.applied.is_empty()).then(|| ("preference-applied", self.applied.clone()))
    }
}

/// Sees to what a request asks of its answer: waits, and fails if it is to fail.
///
/// # Errors
/// The problem of the status asked for; `invalid-parameter` if there is none, or if the wish can't be read.
pub async fn rehearse(request: &Request) -> Result<Rehearsal, Problem> {
    let Some(prefer) = joined(request.headers(), "prefer") else {
        return Ok(Rehearsal::default());
    };
    let wishes = Wishes::read(&prefer)?;
    if let Some(delay) = wishes.delay {
        tokio::time::sleep(delay).await;
    }
    if let Some(status) = wishes.status {
        let problem = genuine(status, request.method()).ok_or_else(|| {
            fault(
                "sandlot-status",
                "must be a status that a problem has, such as 404, 422 or 503",
            )
        })?;
        return Err(problem.header("preference-applied", wishes.applied.clone()));
    }
    Ok(Rehearsal {
        empty: wishes.empty,
        applied: wishes.applied,
    })
}

#[derive(Debug, Default, PartialEq)]
struct Wishes {
    delay: Option<Duration>,
    status: Option<u16>,
    empty: bool,
    applied: String,
}

impl Wishes {
    fn read(prefer: &str) -> Result<Self, Problem> {
        let mut wishes = Self::default();
        for part in prefer.split([',', ';']) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (
                name.trim().to_ascii_lowercase(),
                value.trim().trim_matches('"'),
            );
            match name.as_str() {
                "sandlot-delay" => {
                    let delay = delay(value).filter(|delay| *delay <= LONGEST);
                    let message = "must be a time such as 800ms or 2s, 10s at most";
                    wishes.delay = Some(delay.ok_or_else(|| fault(&name, message))?);
                }
                "sandlot-status" => {
                    let status = value
                        .parse()
                        .ok()
                        .filter(|status| (400..600).contains(status));
                    let message = "must be a status from 400 to 599";
                    wishes.status = Some(status.ok_or_else(|| fault(&name, message))?);
                }
                "sandlot-empty" => wishes.empty = true,
                _ => continue,
            }
            if !wishes.applied.is_empty() {
                wishes.applied.push_str(", ");
            }
            wishes.applied.push_str(&name);
            if !value.is_empty() {
                wishes.applied.push('=');
                wishes.applied.push_str(value);
            }
        }
        Ok(wishes)
    }
}

/// A time in seconds or milliseconds; a bare number is milliseconds.
fn delay(value: &str) -> Option<Duration> {
    if let Some(number) = value.strip_suffix("ms") {
        return number.parse().ok().map(Duration::from_millis);
    }
    match value.strip_suffix('s') {
        Some(number) => number.parse().ok().map(Duration::from_secs),
        None => value.parse().ok().map(Duration::from_millis),
    }
}

/// The problem that a client would meet with this status.
fn genuine(status: u16, method: &Method) -> Option<Problem> {
    let kind = match (status, method) {
        (400, _) => Kind::BadRequest,
        (401, _) => Kind::InvalidToken,
        (403, _) => Kind::PermissionDenied,
        (404, _) => Kind::NotFound,
        (422, &Method::DELETE) => Kind::DeletionFailed,
        (422, &Method::PUT | &Method::PATCH) => Kind::UpdateFailed,
        (422, _) => Kind::CreationFailed,
        (429, _) => Kind::TooManyRequests,
        (500, _) => Kind::InternalError,
        (503, _) => Kind::ServiceUnavailable,
        (status, _) => Kind::ALL
            .iter()
            .copied()
            .find(|kind| kind.status() == status)?,
    };
    let problem = Problem::new(kind);
    Some(match status {
        429 | 503 => problem.header("retry-after", "1"),
        405 => problem.header("Allow", "GET, HEAD"),
        _ => problem,
    })
}

fn fault(name: &str, message: &str) -> Problem {
    Problem::new(Kind::InvalidParameter)
        .detail("The header `Prefer` asks for something that can't be rehearsed.")
        .field(name, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_among_other_preferences() {
        let wishes =
            Wishes::read("tx=rollback, sandlot-delay=800ms; Sandlot-Status=\"503\", sandlot-empty")
                .unwrap();
        assert_eq!(wishes.delay, Some(Duration::from_millis(800)));
        assert_eq!((wishes.status, wishes.empty), (Some(503), true));
        assert_eq!(
            wishes.applied,
            "sandlot-delay=800ms, sandlot-status=503, sandlot-empty"
        );
        assert_eq!(Wishes::read("return=minimal").unwrap(), Wishes::default());
        for wrong in [
            "sandlot-delay=1h",
            "sandlot-delay=11s",
            "sandlot-status=200",
            "sandlot-status=x",
        ] {
            assert_eq!(
                Wishes::read(wrong).unwrap_err().kind,
                Kind::InvalidParameter,
                "{wrong}"
            );
        }
    }

    #[test]
    fn every_status_that_problems_have_can_be_rehearsed() {
        for kind in Kind::ALL {
            let problem = genuine(kind.status(), &Method::GET).unwrap();
            assert_eq!(problem.kind.status(), kind.status());
        }
        assert!(genuine(418, &Method::GET).is_none());
        assert_eq!(
            genuine(422, &Method::DELETE).unwrap().kind,
            Kind::DeletionFailed
        );
    }
}
