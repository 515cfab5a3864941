//! From rows to HTTP: envelopes, links, addresses.

use super::Call;
use super::parse::Target;
use crate::data::Answer;
use crate::data::plan::brief;
use crate::listing::Reply;
use crate::listing::page::json;
use crate::listing::words::encode;
use crate::problem::{Kind, Problem};

/// One row, or `not-found` if there is none.
pub fn one(answer: Answer, target: &Target) -> Result<Reply, Problem> {
    if answer.rows == 0 {
        let Target::Row { table, key, .. } = target else {
            return Err(Kind::NotFound.into());
        };
        return Err(Problem::new(Kind::NotFound).detail(format!(
            "`{}` has no row `{}`.",
            brief(table),
            brief(&key.join(","))
        )));
    }
    let mut body = enveloped(&answer.body, false);
    if let Some(went) = answer.went {
        body.pop();
        body.extend_from_slice(b",\"meta\":");
        body.extend_from_slice(went.as_bytes());
        body.push(b'}');
    }
    Ok(json(200, body))
}

/// New rows; one of them has an address.
pub fn created(answer: Answer, many: bool, target: &Target, call: &Call<'_>) -> Reply {
    let mut reply = json(201, enveloped(&answer.body, many));
    if !many && answer.rows == 0 {
        // An upsert that left the row as it is.
        reply.body = b"{\"data\":null}".to_vec();
        reply.status = 200;
    }
    if let (false, Target::Rows { table, .. }, false) = (many, target, answer.key.is_empty()) {
        let mut key: Vec<String> = answer.key.iter().map(|part| encode(part)).collect();
        // The words of fixed addresses are rows where they are encoded.
        if key == ["schema"] {
            key = vec!["%73chema".to_owned()];
        }
        let address = format!("{}/{}/{}", call.base, encode(table), key.join(","));
        reply.headers.push(("Location", address));
    }
    reply
}

fn enveloped(rows: &[u8], many: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(rows.len() + 16);
    body.extend_from_slice(if many { b"{\"data\":[" } else { b"{\"data\":" });
    body.extend_from_slice(rows);
    body.extend_from_slice(if many { b"]}" } else { b"}" });
    body
}
