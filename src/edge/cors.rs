//! Pages of other origins that call the API from a browser (CORS, as the Fetch standard has it).
//!
//! Credentials travel in headers that a page must add itself, never in cookies, so a page of any
//! origin can do no more with the API than a program can, and by default any may call it. What a
//! browser would add by itself is never allowed: `Access-Control-Allow-Credentials` is not sent.

use poem::{
    Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

/// Paths that pages of other origins may call.
const OPEN: [&str; 2] = ["/api/", "/openapi.json"];

/// What a page may do; whether it may do it for a given caller is decided later.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");

/// How long a browser may keep the answer to a preflight; the browsers' own bounds are below it.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// The headers of answers that a page may read, besides the few that it always may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Allow, Content-Disposition, Deprecation, Duplicate-Request, ETag, Link, Location, Preference-Applied, \
     RateLimit, RateLimit-Policy, Retry-After, Sandlot-Mode, Sandlot-Next-Cursor, Sandlot-Page, Sandlot-Seed, \
     Sandlot-Simulated, Sandlot-Total, Sunset, \
     WWW-Authenticate, X-Request-Id",
);

/// Which origins may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// All of them.
    Any,
    /// These alone; none if it is empty.
    Listed(Vec<String>),
}

impl Cors {
    /// What a setting says: `*`, `none`, or origins.
    pub fn of(setting: &[String]) -> Self {
        match setting {
            [any] if any == "*" => Self::Any,
            [none] if none == "none" => Self::Listed(Vec::new()),
            origins => Self::Listed(origins.to_vec()),
        }
    }

    /// The answer to a preflight, if the request is one. It draws from no limit: it costs less
    /// than a refusal would.
    pub fn preflight(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
        let asked = headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if *method != Method::OPTIONS || !asked || !is_open(path) {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        let answer = response.headers_mut();
        if let Some(origin) = self.allowed(headers.get(header::ORIGIN)) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            // A header that nothing here reads does no harm, and tools add their own.
            if let Some(names) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
            answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        answer.insert(
            header::VARY,
            HeaderValue::from_static("Origin, Access-Control-Request-Headers"),
        );
        Some(response)
    }

    /// Lets pages of allowed origins read an answer, an error as well as a success.
    pub fn finish(&self, path: &str, origin: Option<&HeaderValue>, response: &mut Response) {
        if !is_open(path)
            || response
                .header(header::ACCESS_CONTROL_ALLOW_ORIGIN)
                .is_some()
        {
            return;
        }
        let answer = response.headers_mut();
        if *self != Self::Any {
            answer.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = self.allowed(origin) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let origin = origin?;
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(origins) => origins
                .iter()
                .any(|known| known.as_bytes() == origin.as_bytes())
                .then(|| origin.clone()),
        }
    }
}

/// Checks one part of the setting.
///
/// # Errors
/// Why it is not an origin.
pub fn check(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text == "*" || text == "none" {
        return Ok(text.to_owned());
    }
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '*', ' ', '?', '#']) => {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err(format!(
            "{text:?} is neither *, none, nor an origin such as https://app.example"
        )),
    }
}

fn is_open(path: &str) -> bool {
    OPEN.iter().any(|open| path.starts_with(open))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn request(lines: &[(&'static str, &str)]) -> HeaderMap {
        let lines = lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        lines.collect()
    }

    fn answered(cors: &Cors, path: &str, origin: &str) -> HeaderMap {
        let mut response = Response::builder().finish();
        let origin = HeaderValue::from_str(origin).unwrap();
        cors.finish(path, Some(&origin), &mut response);
        response.headers().clone()
    }

    #[test]
    fn by_default_any_page_may_read_the_api_and_none_the_rest() {
        let any = Cors::of(&["*".to_owned()]);
        let headers = answered(&any, "/api/v1/clients", "https://app.example");
        assert_eq!(headers["access-control-allow-origin"], "*");
        let exposed = headers["access-control-expose-headers"].to_str().unwrap();
        assert!(exposed.contains("RateLimit, ") && exposed.contains("Retry-After"));
        assert!(answered(&any, "/", "https://app.example").is_empty());
    }

    #[test]
    fn listed_origins_are_named_and_others_left_out() {
        let listed = Cors::of(&["https://app.example".to_owned()]);
        let headers = answered(&listed, "/api/v1/clients", "https://app.example");
        assert_eq!(
            headers["access-control-allow-origin"],
            "https://app.example"
        );
        assert_eq!(headers["vary"], "Origin");
        let headers = answered(&listed, "/api/v1/clients", "https://app.example.evil");
        assert_eq!(headers.get("access-control-allow-origin"), None);
        assert_eq!(headers["vary"], "Origin");
        let none = Cors::of(&["none".to_owned()]);
        let headers = answered(&none, "/api/v1/clients", "null");
        assert_eq!(headers.get("access-control-allow-origin"), None);
    }

    #[test]
    fn a_preflight_allows_the_headers_that_it_names() {
        let any = Cors::of(&["*".to_owned()]);
        let asks = request(&[
            ("origin", "https://app.example"),
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "authorization,api-key"),
        ]);
        let response = any
            .preflight(&Method::OPTIONS, "/api/v1/clients/1", &asks)
            .unwrap();
        assert_eq!(response.status(), 204);
        let headers = response.headers();
        assert_eq!(
            headers["access-control-allow-headers"],
            "authorization,api-key"
        );
        assert!(
            headers["access-control-allow-methods"]
                .to_str()
                .unwrap()
                .contains("PATCH")
        );
        // Without the question it is an ordinary OPTIONS.
        let plain = request(&[("origin", "https://app.example")]);
        assert!(
            any.preflight(&Method::OPTIONS, "/api/v1/clients", &plain)
                .is_none()
        );
        assert!(any.preflight(&Method::GET, "/api/v1/x", &asks).is_none());
        assert!(any.preflight(&Method::OPTIONS, "/panel", &asks).is_none());
        let listed = Cors::of(&["https://other.example".to_owned()]);
        let refused = listed.preflight(&Method::OPTIONS, "/api/x", &asks).unwrap();
        assert!(refused.header("access-control-allow-origin").is_none());
    }

    #[test]
    fn the_setting_takes_origins_alone() {
        assert_eq!(
            check(" https://App.example:8443 ").unwrap(),
            "https://app.example:8443"
        );
        for bad in ["app.example", "https://", "https://a/b", "https://*.a", ""] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
