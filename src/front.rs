//! The start page: what this is, and the first calls to try.

use poem::{
    handler,
    web::{Data, Html},
};

use crate::{demo::Demo, reference::problems::PublicUrl};

/// `GET /`: what this is, and the first calls to try.
#[handler]
pub fn landing(url: Data<&PublicUrl>, demo: Data<&Demo>) -> Html<String> {
    let trial = match demo.token() {
        Some(token) => include_str!("front_demo.html").replace("{{token}}", token.as_str()),
        None => String::new(),
    };
    let page = include_str!("front.html").replace("{{demo}}", &trial);
    Html(page.replace("{{url}}", &url.0.0))
}
