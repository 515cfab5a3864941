//! The error reference as Markdown, for `docs/` and to be fetched; [`docs`](super::docs) has it as
//! a page.

use std::fmt::Write as _;

use poem::{Response, handler, http::header};

use crate::problem::Kind;

/// The token that anybody may use on the demo's data.
#[derive(Clone)]
pub struct PublicToken(pub String);

/// Address under which clients reach the server.
#[derive(Clone)]
pub struct PublicUrl(pub String);

/// `GET /api_docs/problems.md`: every problem with its description and resolution.
#[handler]
pub fn plain() -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "text/markdown; charset=utf-8")
        .body(markdown())
}

/// The reference as Markdown, kept in `docs/problems.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Problems\n\nEvery error is an RFC 9457 problem document; its `type` ends in the anchors below. \
         `sandlot problems` prints this page.\n",
    );
    for kind in Kind::ALL {
        // Writing to a String can't fail.
        let _ = write!(
            out,
            "\n## {slug}\n\n{title}, {status}. {description}\n\nWhat to do: {resolution}\n",
            slug = kind.slug(),
            title = kind.title(),
            status = kind.status(),
            description = kind.description(),
            resolution = kind.resolution(),
        );
    }
    out
}
