//! The documentation for somebody who is signed in, and commands that work when they are pasted.

use std::process::Command;

use serde_json::{Value, json};

use super::{Visitor, between, driver::Browser, journey::nothing_complained};
use crate::harness::{PASSWORD, Server};

/// Runs a command as a shell would, and reads its answer as JSON.
fn pasted(command: &str) -> Value {
    let output = Command::new("bash").args(["-c", command]).output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{command}\n{answer}"))
}

/// The text of an element, as a page's source has it.
fn text_of(page: &str, from: &str) -> String {
    let inside = between(page, from, "</pre>");
    let inside = &inside[inside.find('>').unwrap() + 1..];
    [
        ("&#39;", "'"),
        ("&#34;", "\""),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
    ]
    .iter()
    .fold(inside.to_owned(), |text, (coded, plain)| {
        text.replace(coded, plain)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_before_ones_eyes_and_its_command_works() {
    // Without spares a copy takes a moment.
    let server = Server::start_with(&["--spares=0"]).await;
    let visitor = Visitor::new(&server);
    let form = [("email", "kim@mail.example"), ("password", PASSWORD)];
    let made = visitor.post("/register", &form).await.expect(303);
    let home = made.header("location").to_owned();
    let page = visitor.get(&home).await.expect(200).text();
    if page.contains("Your copy is being made") {
        assert!(
            page.contains(&format!("hx-get=\"{home}/status\"")),
            "{page}"
        );
        assert!(!page.contains("Your copy is made."), "{page}");
    }
    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    browser.go("/register").await;
    browser.fill("[name=email]", "lou@mail.example").await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("form.stack button").await;
    // The page goes on by itself once the copy is there.
    browser.sees("Paste it into a terminal.").await;
    let said = |selector: &str| format!("return document.querySelector('{selector}').textContent");
    let key = browser.run(&said("#key2")).await;
    let curl = browser.run(&said("#curl")).await;
    assert!(curl.as_str().unwrap().contains(key.as_str().unwrap()));
    assert_eq!(
        browser.run(&said("#url")).await,
        json!(format!("{url}/api/v1"))
    );
    let rows = pasted(curl.as_str().unwrap());
    assert_eq!(rows["data"].as_array().unwrap().len(), 3, "{rows}");
    nothing_complained(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instructions_work_when_they_are_pasted() {
    let server = Server::start().await;
    let tenant = server.tenant("reader").await;
    let anybody = server.client.get("/docs/instructions").await.expect(200);
    assert!(anybody.text().contains("YOUR_KEY"));
    let visitor = Visitor::of(&server, &tenant).await;
    let page = visitor.get("/docs/instructions").await.expect(200);
    assert_eq!(page.header("cache-control"), "no-store");
    let commands = text_of(&page.text(), "id=\"token\"")
        .replace("ada@mail.example", &tenant.email)
        .replace("correct horse", PASSWORD);
    assert!(commands.contains(&tenant.key), "{commands}");
    let (first, second) = commands.split_once("\n\n").unwrap();
    let pair = pasted(first);
    assert_eq!(
        (&pair["expires_in"], &pair["refresh_expires_in"]),
        (&json!(300), &json!(86400))
    );
    let rows = pasted(&second.replace("YOUR_ACCESS_TOKEN", pair["access_token"].as_str().unwrap()));
    assert_eq!(rows["data"].as_array().unwrap().len(), 5);
    // All that the page is to tell of.
    let page = page.text();
    for told in [
        "Only the users are not copied",
        "choose your copy",
        "reload it after logging in",
        "in the menu at the top right",
        "valid for 5",
        "for 24",
        "template, which nobody can write",
        "60 seconds",
    ] {
        assert!(page.contains(told), "{told}");
    }
    for code in [200, 201, 400, 401, 403, 404, 500, 502, 503] {
        let row = format!("<th scope=\"row\">{code}</th>");
        assert!(page.contains(&row), "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_somebodys_own_when_they_are_signed_in() {
    let server = Server::start().await;
    let tenant = server.tenant("samples").await;
    let register = json!({"email": tenant.email, "password": PASSWORD});
    let second = server.client.post("/api/register", &register).await;
    let second = second.expect(201).json();
    let stranger = server.tenant("stranger").await;

    let plain = server.client.get("/api_docs").await.expect(200);
    assert_eq!(plain.header("cache-control"), "no-cache");
    let plain = plain.text();
    assert!(!plain.contains(&tenant.key) && plain.contains("YOUR_KEY"));

    let visitor = Visitor::of(&server, &tenant).await;
    let page = visitor.get("/api_docs").await.expect(200);
    assert_eq!(page.header("cache-control"), "no-store");
    let page = page.text();
    let base = format!("http://{}", server.client.address);
    assert!(page.contains(&tenant.email) && page.contains(&tenant.key));
    assert!(!page.contains("Api-Key: YOUR_KEY"));
    // Every sample that reads works as it stands.
    let mut ran = 0;
    for part in page.split("<pre").skip(1) {
        let sample = text_of(part, "");
        if !sample.starts_with(&format!("curl '{base}/api/v1/"))
            || sample.contains(".yaml")
            || sample.contains(" -o ")
        {
            continue;
        }
        let answer = pasted(&sample);
        // The trial of API tokens is for API tokens.
        let fits = answer["type"].is_null() || sample.contains("/auth/test");
        assert!(fits, "{sample}\n{answer}");
        ran += 1;
    }
    assert!(ran >= 7, "{ran}");
    // Another copy, when the address says so; never somebody else's.
    let key = second["tenant"]["api_key"].as_str().unwrap();
    let other = format!("/api_docs?copy={}", second["tenant"]["id"]);
    let page = visitor.get(&other).await.expect(200).text();
    assert!(page.contains(key) && !page.contains(&tenant.key));
    let theirs = format!("/api_docs?copy={}", stranger.id);
    let page = visitor.get(&theirs).await.expect(200).text();
    assert!(page.contains(&tenant.key) && !page.contains(&stranger.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_is_signed_in() {
    let server = Server::start().await;
    let tenant = server.tenant("docs").await;
    tenant
        .admin
        .patch("/api/v1/clients/1", &json!({"name": "Only in my copy"}))
        .await
        .expect(200);
    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    // The way of the instructions: log in, and back at the documentation be signed in.
    browser.go("/api_docs").await;
    browser.click("a[href='/login?next=/api_docs']").await;
    browser.fill("[name=email]", &tenant.email).await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("form.stack button").await;
    browser.sees("You are logged in as").await;
    assert_eq!(browser.place().await, "/api_docs");
    let samples = browser
        .run("return document.querySelector('#call-one-row').textContent")
        .await;
    let samples = samples.as_str().unwrap();
    assert!(samples.contains(&format!("{url}/api/v1/clients/1")) && samples.contains(&tenant.key));

    // The try-it has a credential by itself, and sends what it shows.
    browser.click("a.button[href='/api_docs/try']").await;
    browser
        .until(
            "return document.querySelector('#ui [data-tag=clients]') !== null",
            "the calls",
        )
        .await;
    browser
        .run("document.querySelector('#ui [data-tag=clients]').click()")
        .await;
    browser
        .click("#operations-clients-list_clients .opblock-summary-control")
        .await;
    browser
        .click("#operations-clients-list_clients .execute")
        .await;
    browser
        .until(
            "return document.querySelector('#ui .live-responses-table .response .response-col_status')?.textContent.startsWith('200')",
            "the answer",
        )
        .await;
    browser.sees("Only in my copy").await;
    nothing_complained(&browser).await;

    // Signed out, the documentation is everybody's again.
    browser.click("form[action='/logout'] button").await;
    browser.sees("You are logged out.").await;
    browser.go("/api_docs").await;
    browser.sees("API documentation").await;
    let text = browser.run("return document.body.textContent").await;
    assert!(!text.as_str().unwrap().contains(&tenant.key));
}
