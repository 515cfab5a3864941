//! Pages of lists: rows in their envelope, with links to the other pages.

use super::parameters::Paging;
use super::{Address, Reply};
use crate::data::Answer;
use crate::data::writer::string;

/// A page of a list.
pub fn list(answer: Answer, paging: &Paging, address: &Address<'_>) -> Reply {
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
    let mut this = format!("{}{}", address.base, address.path);
    if !address.query.is_empty() {
        this.push('?');
        this.push_str(address.query);
    }
    text(&mut body, Some(&this));
    for (name, link) in links(&answer, paging, address, pages) {
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

/// A JSON reply.
pub fn json(status: u16, body: Vec<u8>) -> Reply {
    Reply {
        status,
        headers: vec![("Content-Type", "application/json".to_owned())],
        body,
    }
}

/// The number of pages, one at least: an empty list has an empty first page.
fn pages(total: u64, per_page: u32) -> u64 {
    total.div_ceil(per_page.into()).max(1)
}

fn links(
    answer: &Answer,
    paging: &Paging,
    address: &Address<'_>,
    pages: Option<u64>,
) -> [(&'static str, Option<String>); 4] {
    let per_page = paging.per_page;
    let to = |head: String| {
        let others = &paging.others;
        Some(format!(
            "{}{}?{head}&per_page={per_page}{others}",
            address.base, address.path
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
