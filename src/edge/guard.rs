//! What keeps browsers out of trouble: HTTPS behind a proxy, and headers that forbid what no
//! answer needs.

use poem::{
    Response,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
};

/// A year, for the host alone: what its subdomains do is not known here.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The policy of an answer that is no page.
const INERT: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The policy of a page that has none of its own.
const PAGE: HeaderValue = HeaderValue::from_static("frame-ancestors 'none'; base-uri 'none'");

/// Where a request that came without HTTPS is sent; `base` is the server's public address, which
/// no header of the request can change.
pub fn redirect(base: &str, uri: &Uri) -> Response {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Response::builder()
        .status(StatusCode::PERMANENT_REDIRECT)
        .header(header::LOCATION, format!("{base}{path}"))
        .finish()
}

/// Adds the headers; a surface's own `Content-Security-Policy` stands.
pub fn finish(headers: &mut HeaderMap, secure: bool) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::REFERRER_POLICY)
        .or_insert(HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    let is_page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|media| media.as_bytes().starts_with(b"text/html"));
    let policy = headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(if is_page { PAGE } else { INERT });
    // For browsers that do not know the directive.
    let framed = policy.as_bytes();
    if contains(framed, b"frame-ancestors 'none'") {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn finished(media: &'static str, policy: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        if let Some(policy) = policy {
            headers.insert(
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(policy),
            );
        }
        finish(&mut headers, false);
        headers
    }

    #[test]
    fn data_is_inert_and_pages_are_not_framed() {
        let data = finished("application/json", None);
        assert!(
            data["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("default-src 'none'")
        );
        assert_eq!(data["x-frame-options"], "DENY");
        let page = finished("text/html; charset=utf-8", None);
        assert_eq!(page["x-frame-options"], "DENY");
        assert_eq!(page.get("strict-transport-security"), None);
    }

    #[test]
    fn a_page_made_for_a_frame_may_be_framed() {
        let policy = "default-src 'none'; frame-ancestors *";
        let embed = finished("text/html", Some(policy));
        assert_eq!(embed["content-security-policy"], policy);
        assert_eq!(embed.get("x-frame-options"), None);
    }

    #[test]
    fn a_redirect_keeps_path_and_query_and_takes_no_host_from_the_request() {
        let uri: Uri = "http://evil.example/api/v1/clients?q=a%20b"
            .parse()
            .unwrap();
        let response = redirect("https://sandlot.example", &uri);
        assert_eq!(response.status(), 308);
        assert_eq!(
            response.header("location"),
            Some("https://sandlot.example/api/v1/clients?q=a%20b")
        );
    }
}
