//! Swagger UI as files of this host: taken out of the page that the framework embeds, so that the
//! page which loads them needs no script or style of its own inside.

use std::sync::LazyLock;

use poem::{
    Request, Response, handler,
    http::{HeaderValue, header},
};
use poem_openapi::{OpenApi, OpenApiService};

use crate::panel::assets::{accepts_gzip, gzip};

/// Where its script is.
pub const SCRIPT: &str = "/api_docs/swagger-ui.js";

/// Where its style is.
pub const STYLE: &str = "/api_docs/swagger-ui.css";

/// One of its files, as it is and compressed.
struct File {
    plain: String,
    gzip: Vec<u8>,
}

struct Nothing;

#[OpenApi]
impl Nothing {}

static FILES: LazyLock<[File; 2]> = LazyLock::new(|| {
    let page = OpenApiService::new(Nothing, "", "").swagger_ui_html();
    [
        between(&page, "<script charset=\"UTF-8\">", "</script>\n</head>"),
        between(&page, "<style charset=\"UTF-8\">", "</style>"),
    ]
    .map(|plain| File {
        gzip: gzip(plain.as_bytes()),
        plain: plain.to_owned(),
    })
});

/// `GET /api_docs/swagger-ui.js`
#[handler]
pub fn script(request: &Request) -> Response {
    answer(request, &FILES[0], "text/javascript; charset=utf-8")
}

/// `GET /api_docs/swagger-ui.css`
#[handler]
pub fn style(request: &Request) -> Response {
    answer(request, &FILES[1], "text/css; charset=utf-8")
}

fn answer(request: &Request, file: &File, media: &'static str) -> Response {
    let response = Response::builder()
        .header(header::CONTENT_TYPE, media)
        .header(header::VARY, "accept-encoding")
        // The name says nothing of the version; it changes with the server's.
        .header(header::CACHE_CONTROL, "public, max-age=86400");
    if !accepts_gzip(request) {
        return response.body(file.plain.clone());
    }
    response
        .header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))
        .body(file.gzip.clone())
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let inner = text.split_once(start).map(|(_, rest)| rest);
    inner
        .and_then(|rest| rest.split_once(end))
        .map_or("", |(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_found_in_the_page() {
        let [code, look] = &*FILES;
        assert!(code.plain.len() > 1_000_000 && code.plain.contains("SwaggerUIBundle"));
        assert!(!code.plain.contains("dom_id: '#ui'"));
        assert!(look.plain.len() > 100_000 && look.plain.contains(".swagger-ui"));
        for file in [code, look] {
            assert!(file.gzip.len() < file.plain.len() / 2);
        }
    }
}
