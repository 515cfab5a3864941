//! The error reference: `/api_docs` for people, Markdown for `docs/`.

use std::fmt::Write as _;

use poem::{
    Response, handler,
    http::header,
    web::{Data, Html},
};

use crate::problem::Kind;

/// Address under which clients reach the server.
#[derive(Clone)]
pub struct PublicUrl(pub String);

/// `GET /api_docs`: every problem with its anchor, description, resolution and an example.
#[handler]
pub fn page(url: Data<&PublicUrl>) -> Html<String> {
    Html(html(&url.0.0))
}

/// `GET /api_docs/problems.md`: the same as Markdown.
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

fn html(public_url: &str) -> String {
    let mut out = String::from(HEAD);
    for kind in Kind::ALL {
        let example = serde_json::json!({
            "type": format!("{public_url}/api_docs#error-{}", kind.slug()),
            "title": kind.title(),
            "status": kind.status(),
            "detail": kind.description(),
            "instance": "/api/v1/clients",
        });
        let example = serde_json::to_string_pretty(&example).unwrap_or_default();
        let _ = writeln!(
            out,
            "<section id=\"error-{slug}\"><h2>{status} <a href=\"#error-{slug}\">{slug}</a></h2>\
             <p><strong>{title}.</strong> {description}</p><p>What to do: {resolution}</p>\
             <pre>{example}</pre></section>",
            slug = kind.slug(),
            status = kind.status(),
            title = escape(kind.title()),
            description = escape(kind.description()),
            resolution = escape(kind.resolution()),
            example = escape(&example),
        );
    }
    out.push_str("</main></html>\n");
    out
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><meta charset=\"utf-8\"><title>Sandlot: errors</title>
<meta name=\"viewport\" content=\"width=device-width\">
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 48rem; padding: 1rem; }
pre { border: 1px solid; border-radius: .4rem; overflow-x: auto; padding: .6rem; }
section:target { outline: 3px solid; outline-offset: .5rem; }
</style>
<main><h1>Errors</h1>
<p>Every error is a problem document (RFC 9457); its <code>type</code> leads to one of these.</p>
";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_anchor() {
        let made = html("http://localhost");
        for kind in Kind::ALL {
            assert!(made.contains(&format!("id=\"error-{}\"", kind.slug())));
        }
    }
}
