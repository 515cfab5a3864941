//! Two cookies: the session, and what the last form did, to say it on the next page.

use poem::{Request, Response, http::HeaderValue};

/// Name of the session's cookie; the prefix binds it to this very host (RFC 6265bis, 4.1.3.2).
const SECURE: &str = "__Host-sandlot";
/// Its name where people come without HTTPS.
const PLAIN: &str = "sandlot";
const FLASH: &str = "sandlot_did";

/// The session's cookie that a request carries.
pub fn session(request: &Request) -> Option<String> {
    read(request, SECURE).or_else(|| read(request, PLAIN))
}

/// Hands the session's cookie over.
pub fn set_session(response: &mut Response, value: &str, secure: bool) {
    put(
        response,
        &format!("{}; Max-Age=2592000", named(value, secure)),
    );
}

/// Takes the session's cookie away.
pub fn clear_session(response: &mut Response, secure: bool) {
    put(response, &format!("{}; Max-Age=0", named("", secure)));
}

/// What the last form did; letters, digits, blanks and some marks alone.
pub fn did(request: &Request) -> Option<String> {
    let text = read(request, FLASH)?;
    crate::listing::words::decode(&text, false).filter(|text| !text.is_empty())
}

/// Says on the next page what a form did.
pub fn set_did(response: &mut Response, text: &str) {
    // Browsers drop cookies of more than 4 KB.
    let text = crate::listing::words::encode(&super::cells::brief(text, 300));
    put(
        response,
        &format!("{FLASH}={text}; Path=/; Max-Age=20; HttpOnly; SameSite=Lax"),
    );
}

/// Forgets what the last form did, once it was said.
pub fn clear_did(response: &mut Response) {
    put(
        response,
        &format!("{FLASH}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"),
    );
}

fn named(value: &str, secure: bool) -> String {
    if secure {
        format!("{SECURE}={value}; Path=/; HttpOnly; SameSite=Lax; Secure")
    } else {
        format!("{PLAIN}={value}; Path=/; HttpOnly; SameSite=Lax")
    }
}

fn put(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append("set-cookie", value);
    }
}

fn read(request: &Request, name: &str) -> Option<String> {
    request
        .headers()
        .get_all("cookie")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
}
