//! From rows to HTTP: envelopes, links, addresses.

use super::parse::{Paging, Target};
use super::words::encode;
use super::{Call, Reply};
use crate::data::Answer;
use crate::data::plan::brief;
use crate::data::writer::string;
use crate::problem::{Kind, Problem};

/// A page of a list.
pub fn list(answer: Answer, paging: &Paging, call: &Call<'_>) -> Reply {
    let pages = answer.total.map(|total| pages(total, paging.per_page));
    let mut body = Vec::with_capacity(answer.body.len() + 512);
    body.extend_from_slice(b"{\"data\":[");
    body.extend_from_slice(&answer.body);
    body.extend_from_slice(b"],\"meta\":{\"current_page\":");
    number(&mut body, (!paging.by_cursor).then_some(paging.page));
    body.extend_from_slice(b",\"per_page\":");
    number(&mut body, Some(paging.per_page.into()));
    body.extend_from_slice(b",\"total\":");
    number(&mut body, answer.total);
    body.extend_from_slice(b",\"total_pages\":");
    number(&mut body, pages);
    body.extend_from_slice(b",\"next_cursor\":");
    text(&mut body, answer.next_cursor.as_deref());
    body.extend_from_slice(b"},\"links\":{\"self\":");
    let mut this = format!("{}{}", call.base, call.path);
    if !call.query.is_empty() {
        this.push('?');
        this.push_str(call.query);
    }
    text(&mut body, Some(&this));
    for (name, link) in links(&answer, paging, call, pages) {
        body.extend_from_slice(b",\"");
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":");
        text(&mut body, link.as_deref());
    }
    body.extend_from_slice(b"}}");
    json(200, body)
}

/// A page of a list as CSV; what the envelope says goes into headers.
pub fn csv(answer: Answer, paging: &Paging) -> Reply {
    let mut headers = vec![("Content-Type", "text/csv; charset=utf-8".to_owned())];
    if let Some(total) = answer.total {
        headers.push(("Sandlot-Total", total.to_string()));
    }
    if !paging.by_cursor {
        headers.push(("Sandlot-Page", paging.page.to_string()));
    }
    if let Some(cursor) = answer.next_cursor {
        headers.push(("Sandlot-Next-Cursor", cursor));
    }
    Reply {
        status: 200,
        headers,
        body: answer.body,
    }
}

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
    Ok(json(200, enveloped(&answer.body, false)))
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
        let key: Vec<String> = answer.key.iter().map(|part| encode(part)).collect();
        let address = format!("{}/{}/{}", call.base, encode(table), key.join(","));
        reply.headers.push(("Location", address));
    }
    reply
}

/// A JSON reply.
pub fn json(status: u16, body: Vec<u8>) -> Reply {
    Reply {
        status,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body,
    }
}

fn enveloped(rows: &[u8], many: bool) -> Vec<u8> {
    let mut body = Vec::with_capacity(rows.len() + 16);
    body.extend_from_slice(if many { b"{\"data\":[" } else { b"{\"data\":" });
    body.extend_from_slice(rows);
    body.extend_from_slice(if many { b"]}" } else { b"}" });
    body
}

/// The number of pages, one at least: an empty list has an empty first page.
fn pages(total: u64, per_page: u32) -> u64 {
    total.div_ceil(per_page.into()).max(1)
}

fn links(
    answer: &Answer,
    paging: &Paging,
    call: &Call<'_>,
    pages: Option<u64>,
) -> [(&'static str, Option<String>); 4] {
    let per_page = paging.per_page;
    let to = |head: String| {
        let others = &paging.others;
        Some(format!(
            "{}{}?{head}&per_page={per_page}{others}",
            call.base, call.path
        ))
    };
    let page = |page: u64| to(format!("page={page}"));
    if paging.by_cursor {
        let next = answer
            .next_cursor
            .as_ref()
            .and_then(|cursor| to(format!("cursor={cursor}")));
        return [
            ("first", to("cursor=".to_owned())),
            ("prev", None),
            ("next", next),
            ("last", None),
        ];
    }
    let before = pages.map_or(paging.page, |pages| paging.page.min(pages + 1));
    [
        ("first", page(1)),
        (
            "prev",
            (paging.page > 1).then(|| page(before - 1)).flatten(),
        ),
        ("next", answer.more.then(|| page(paging.page + 1)).flatten()),
        ("last", pages.and_then(page)),
    ]
}

fn number(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

fn text(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => string(out, value.as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}
