//! The start page: what this is, and the first calls to try.

use poem::{
    handler,
    web::{Data, Html},
};

use crate::reference::problems::PublicUrl;

/// `GET /`: what this is, and the first calls to try.
#[handler]
pub fn landing(url: Data<&PublicUrl>) -> Html<String> {
    Html(include_str!("front.html").replace("{{url}}", &url.0.0))
}
