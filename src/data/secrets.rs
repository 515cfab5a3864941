//! Members of a body that are no columns: a password goes in, its hash is stored.

use super::body::Body;
use super::json::{string_value, write_string};
use super::plan::Rules;
use super::request::Request;
use crate::problem::{Kind, Problem};
use futures_util::future::BoxFuture;
use std::borrow::Cow;
use std::sync::Arc;

/// Turns a secret that a client sent into what is stored, or refuses it.
pub type MakeSecret =
    Arc<dyn Fn(String) -> BoxFuture<'static, Result<String, Problem>> + Send + Sync>;

/// The request with every secret's cell moved to the column that keeps it, its value still the
/// one that was sent: good for planning, not for storing.
pub fn without_secrets<'a>(
    request: &'a Request,
    rules: &Rules,
) -> Result<Cow<'a, Request>, Problem> {
    let secrets = match rules.special(request.table()) {
        Some(special) if !special.secrets.is_empty() && body(request).is_some() => &special.secrets,
        _ => return Ok(Cow::Borrowed(request)),
    };
    let mut moved = request.clone();
    let mut faults = Problem::new(Kind::ValidationFailed);
    let rows = body_mut(&mut moved)
        .into_iter()
        .flat_map(|body| &mut body.rows);
    for cell in rows.flatten() {
        let Some(secret) = secrets.iter().find(|secret| secret.given == cell.name) else {
            continue;
        };
        if string_value(&cell.json).is_none() {
            faults = faults.field(&secret.given, "must be a string");
        }
        cell.name.clone_from(&secret.stored);
        cell.trusted = true;
    }
    if faults.errors.is_empty() {
        Ok(Cow::Owned(moved))
    } else {
        Err(faults)
    }
}

/// `moved`, which [`without_secrets`] made, with every secret replaced by what is stored of it.
pub async fn with_secrets<'a>(
    sent: &Request,
    moved: Cow<'a, Request>,
    rules: &Rules,
    make_secret: &MakeSecret,
) -> Result<Cow<'a, Request>, Problem> {
    let Cow::Owned(mut request) = moved else {
        return Ok(moved);
    };
    let given = body(sent).map_or(&[][..], |body| &body.rows);
    let rows = body_mut(&mut request).map_or(&mut [][..], |body| &mut body.rows);
    for (row, given) in rows.iter_mut().zip(given) {
        for (cell, given) in row.iter_mut().zip(given) {
            if !cell.trusted {
                continue;
            }
            let plain = string_value(&given.json).unwrap_or_default();
            let made = make_secret(plain)
                .await
                .map_err(|problem| named(problem, rules, sent.table(), &cell.name))?;
            cell.json.clear();
            write_string(&mut cell.json, &made);
        }
    }
    Ok(Cow::Owned(request))
}

fn body(request: &Request) -> Option<&Body> {
    match request {
        Request::Create(create) => Some(&create.body),
        Request::Update(update) => Some(&update.body),
        _ => None,
    }
}

fn body_mut(request: &mut Request) -> Option<&mut Body> {
    match request {
        Request::Create(create) => Some(&mut create.body),
        Request::Update(update) => Some(&mut update.body),
        _ => None,
    }
}

/// Sees to it that a refusal of a secret names the member that held it.
fn named(problem: Problem, rules: &Rules, table: &str, stored: &str) -> Problem {
    if !problem.errors.is_empty() {
        return problem;
    }
    let detail = problem.detail.clone().into_owned();
    problem.field(rules.public_name(table, stored), detail)
}
