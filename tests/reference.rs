//! The generated pages are what the code says; `UPDATE_DOCS=1 cargo test reference` makes them anew.

use std::{fs, path::PathBuf};

use sandlot::{config, problem::Kind, reference, serve};

use crate::harness::Server;

pub fn compare(name: &str, made: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/{name} is out of date: UPDATE_DOCS=1 cargo test reference"
    );
}

#[test]
fn settings_page() {
    compare("settings.md", &config::reference());
}

#[test]
fn postgresql_page() {
    compare("postgresql.md", &reference::postgresql::markdown());
}

#[test]
fn problems_page() {
    compare("problems.md", &reference::problems::markdown());
}

#[test]
fn openapi_document() {
    compare("openapi.json", &serve::openapi().unwrap());
}

#[tokio::test]
async fn every_problem_has_its_anchor_on_the_page() {
    let server = Server::start().await;
    let page = server.client.get("/api_docs").await.expect(200);
    for kind in Kind::ALL {
        assert!(
            page.text()
                .contains(&format!("id=\"error-{}\"", kind.slug()))
        );
    }
}

#[tokio::test]
async fn the_documentation_is_served_whole_and_under_a_strict_policy() {
    let server = Server::start().await;
    let page = server.client.get("/api_docs").await.expect(200);
    for part in [
        "start",
        "rest",
        "graphql",
        "postman",
        "openapi",
        "gpt-actions",
        "deployment",
        "checklist",
    ] {
        assert!(
            page.text().contains(&format!("<section id=\"{part}\">")),
            "{part}"
        );
    }
    for language in ["cURL", "PHP", "JavaScript", "Python"] {
        let samples = page.text().matches(&format!("<h4>{language}</h4>")).count();
        assert_eq!(samples, reference::samples::ENDPOINTS.len(), "{language}");
    }
    let base = format!("http://{}/api/v1/clients/1", server.client.address);
    assert!(page.text().contains(&base), "samples name another server");
    for path in ["/api_docs", "/api_docs/try"] {
        let page = server.client.get(path).await.expect(200);
        let policy = page.header("content-security-policy");
        assert!(policy.contains("script-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        // What the page loads is there.
        for part in page.text().split(['"', ' ', '>']) {
            if part.starts_with("/assets/") || part.starts_with("/api_docs/swagger-ui") {
                server.client.get(part).await.expect(200);
            }
        }
        for inline in ["<style", "style=\"", "onclick=", "<script>"] {
            assert!(!page.text().contains(inline), "{path}: {inline}");
        }
    }
}

#[tokio::test]
async fn no_page_loads_from_another_host() {
    let server = Server::start().await;
    for path in ["/", "/api_docs", "/api_docs/try"] {
        let page = server.client.get(path).await.expect(200).text();
        for load in [
            "src=\"http",
            "href=\"http",
            "src='http",
            "url(http",
            "@import",
        ] {
            assert!(!page.contains(load), "{path} loads from elsewhere: {load}");
        }
    }
}
