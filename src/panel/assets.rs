//! What pages load: embedded, named by their content, compressed once, cached for good.

use std::{
    io::Write as _,
    sync::{LazyLock, OnceLock},
};

use flate2::{Compression, write::GzEncoder};
use poem::{
    Request, Response,
    http::{StatusCode, header},
};
use sha2::{Digest as _, Sha256};

use crate::problem::{Kind, Problem};

/// What addresses of assets begin with.
pub const PATH: &str = "/assets/";

/// What the page with GraphiQL loads, and no other.
const GRAPHIQL: [&str; 2] = ["graphiql.js", "graphiql.css"];

/// One file.
struct Asset {
    name: &'static str,
    media: &'static str,
    bytes: &'static [u8],
    address: String,
    /// Compressed when it is first asked for.
    gzip: OnceLock<Vec<u8>>,
}

impl Asset {
    fn gzip(&self) -> &[u8] {
        self.gzip.get_or_init(|| gzip(self.bytes))
    }
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        (
            "panel.css",
            "text/css; charset=utf-8",
            include_bytes!("assets/panel.css").as_slice(),
        ),
        (
            "panel.js",
            "text/javascript; charset=utf-8",
            include_bytes!("assets/panel.js"),
        ),
        // htmx 2.0.11, Zero-Clause BSD: `assets/htmx.LICENSE`.
        (
            "htmx.js",
            "text/javascript; charset=utf-8",
            include_bytes!("assets/htmx.min.js"),
        ),
        (
            "docs.css",
            "text/css; charset=utf-8",
            include_bytes!("assets/docs.css"),
        ),
        (
            "docs.js",
            "text/javascript; charset=utf-8",
            include_bytes!("assets/docs.js"),
        ),
        (
            "try.js",
            "text/javascript; charset=utf-8",
            include_bytes!("assets/try.js"),
        ),
        // GraphiQL 3.9 and what it needs, MIT: `assets/graphiql.LICENSE`, made in `graphiql/`.
        (
            GRAPHIQL[0],
            "text/javascript; charset=utf-8",
            include_bytes!("assets/graphiql.min.js"),
        ),
        (
            GRAPHIQL[1],
            "text/css; charset=utf-8",
            include_bytes!("assets/graphiql.min.css"),
        ),
        (
            "icon.svg",
            "image/svg+xml",
            include_bytes!("assets/icon.svg"),
        ),
    ]
    .into_iter()
    .map(|(name, media, bytes)| Asset {
        name,
        media,
        bytes,
        address: address_of(name, bytes),
        gzip: OnceLock::new(),
    })
    .collect()
});

/// The address of an asset; empty for one that there is not.
pub fn address(name: &str) -> &'static str {
    ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or("", |asset| asset.address.as_str())
}

/// Answers a request for an asset.
///
/// # Errors
/// `not-found`, also for the name of an older file.
pub fn serve(request: &Request) -> Result<Response, Problem> {
    let path = request.original_uri().path();
    let asset = ASSETS
        .iter()
        .find(|asset| asset.address == path)
        .ok_or(Kind::NotFound)?;
    let response = Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, asset.media)
        .header(header::VARY, "accept-encoding")
        .header(header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    Ok(if accepts_gzip(request) {
        response
            .header(header::CONTENT_ENCODING, "gzip")
            .body(asset.gzip())
    } else {
        response.body(asset.bytes)
    })
}

/// Whether an answer may be compressed.
pub fn accepts_gzip(request: &Request) -> bool {
    let accepts = request.headers().get_all(header::ACCEPT_ENCODING);
    accepts
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let named = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            named && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0"))
        })
}

/// Compressed bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::default());
    // Writing to memory can't fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// `/assets/panel-0123456789abcdef.css`
fn address_of(name: &str, bytes: &[u8]) -> String {
    let digest = hex::encode(Sha256::digest(bytes));
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    format!("{PATH}{stem}-{}.{extension}", &digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_content() {
        assert_ne!(address_of("a.css", b"1"), address_of("a.css", b"2"));
        assert!(address("panel.css").starts_with("/assets/panel-"));
        assert_eq!(address("nothing"), "");
    }

    #[test]
    fn everything_that_a_page_loads_is_small() {
        let weigh = |graphiql: bool| {
            let of = |asset: &&Asset| GRAPHIQL.contains(&asset.name) == graphiql;
            let sizes = ASSETS.iter().filter(of).map(|asset| asset.gzip().len());
            sizes.sum::<usize>()
        };
        assert!(weigh(false) < 60_000, "{} bytes", weigh(false));
        assert!(weigh(true) < 420_000, "{} bytes", weigh(true));
    }
}
