//! Every page there is, in Chromium: found by following links, looked at wide and narrow, light and
//! dark.

use std::collections::{BTreeMap, VecDeque};

use super::{Visitor, driver::Browser, watch::Look};
use crate::harness::{PASSWORD, Server, Tenant};

/// Every page, by the shape of its address: `#` is a number, `*` a name. A page that no link leads
/// to, or that is new, is a failure here.
const PAGES: [&str; 37] = [
    "/",
    "/account",
    "/api_docs",
    "/api_docs/try",
    "/docs/instructions",
    "/embed/report/*",
    "/login",
    "/panel",
    "/panel/#",
    "/panel/#/data",
    "/panel/#/data/*",
    "/panel/#/data/*/import",
    "/panel/#/data/*/new",
    "/panel/#/data/*/row/*",
    "/panel/#/data/*/row/*/delete",
    "/panel/#/demo",
    "/panel/#/graphql",
    "/panel/#/logs",
    "/panel/#/reports",
    "/panel/#/reports/*",
    "/panel/#/reports/*/frame",
    "/panel/#/reports/new",
    "/panel/#/sandbox",
    "/panel/#/settings",
    "/panel/#/sql",
    "/panel/#/structure",
    "/panel/#/structure/new",
    "/panel/#/structure/table/*",
    "/panel/#/tokens",
    "/panel/#/users",
    "/register",
    // What is shown for an address that is none, a filter that does not fit, a search without a
    // hit, and a table that much refers to.
    "/panel/#/data/*?filter",
    "/panel/#/data/*?q",
    "/panel/#/nowhere",
    "/panel/#/structure/table/*?",
    // What somebody is shown who is not signed in.
    "/?",
    "/login?",
];

/// Pages for whoever is not signed in.
const OUTSIDE: [&str; 4] = ["/?", "/login", "/login?", "/register"];

/// The shape of an address.
fn shape(path: &str) -> String {
    let (path, _) = path.split_once(['?', '#']).unwrap_or((path, ""));
    let mut shape = Vec::new();
    let mut named = false;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let number = part.bytes().all(|byte| byte.is_ascii_digit());
        let fixed = ["new", "import", "delete"].contains(&part) && shape.len() > 2;
        shape.push(match part {
            _ if named && !fixed => "*",
            _ if number => "#",
            part => part,
        });
        named = ["data", "row", "table", "reports", "report"].contains(&part);
    }
    format!("/{}", shape.join("/"))
}

/// One address for each shape, found by following links from the start and from the tenant's own.
pub async fn all(server: &Server, tenant: &Tenant) -> BTreeMap<String, String> {
    // The front page asks the demo once it is there, and the embedded chart is the demo's.
    server.app.demo.refresh(Some(7)).await.unwrap();
    let visitor = Visitor::of(server, tenant).await;
    let stranger = Visitor::new(server);
    let home = format!("/panel/{}", tenant.id);
    let mut found = BTreeMap::new();
    let starts = ["/", "/panel?all", "/embed/report/invoices", &home];
    let mut waits: VecDeque<String> = starts.map(str::to_owned).into();
    while let Some(path) = waits.pop_front() {
        let shape = shape(&path);
        let kept = ["/assets", "/logout", "/api/", "/openapi.json"];
        let is_file = path.contains("/export.") || path.contains(".json") || path.contains(".md");
        if found.contains_key(&shape) || kept.iter().any(|own| path.starts_with(own)) || is_file {
            continue;
        }
        // Whoever is signed in is led on from there.
        let away = ["/login", "/register"].contains(&shape.as_str());
        let who = if away { &stranger } else { &visitor };
        let page = who.get(&path).await;
        if page.status != 200 || !page.header("content-type").starts_with("text/html") {
            continue;
        }
        let text = page.text();
        found.insert(shape, path);
        for part in text.split(" href=\"").chain(text.split(" src=\"")).skip(1) {
            let link = part.split('"').next().unwrap();
            let link = link.replace("&amp;", "&").replace("&#38;", "&");
            if link.starts_with('/') && !link.starts_with("//") {
                waits.push_back(link.split('#').next().unwrap().to_owned());
            }
        }
    }
    let more = [
        (
            "/panel/#/data/*?filter",
            format!("{home}/data/invoices?filter[nothing]=1"),
        ),
        (
            "/panel/#/data/*?q",
            format!("{home}/data/invoices?q=nobody+has+this"),
        ),
        ("/panel/#/nowhere", format!("{home}/nowhere")),
        (
            "/panel/#/structure/table/*?",
            format!("{home}/structure/table/invoices"),
        ),
        ("/?", "/".to_owned()),
        ("/login?", "/login?as=user".to_owned()),
    ];
    found.extend(more.map(|(shape, path)| (shape.to_owned(), path)));
    found
}

/// Signs in through the page.
pub async fn sign_in(browser: &Browser, tenant: &Tenant) {
    browser.go("/login").await;
    browser.fill("[name=email]", &tenant.email).await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("form.stack button").await;
    browser
        .until("return location.pathname.startsWith('/panel')", "the panel")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_usable_quiet_and_on_its_own() {
    let server = Server::start_with(&["--demo=true"]).await;
    let tenant = server.tenant("pages").await;
    let url = format!("http://{}", server.client.address);
    let pages = all(&server, &tenant).await;
    let shapes: Vec<&str> = pages.keys().map(String::as_str).collect();
    let mut expected = PAGES.to_vec();
    expected.sort_unstable();
    assert_eq!(shapes, expected);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    let mut wrong = Vec::new();
    let (outside, inside): (Vec<_>, Vec<_>) = pages
        .iter()
        .partition(|(shape, _)| OUTSIDE.contains(&shape.as_str()));
    for (at, (shape, path)) in outside.into_iter().chain(inside).enumerate() {
        if at == OUTSIDE.len() {
            sign_in(&browser, &tenant).await;
        }
        for look in [Look::ALL[0], Look::ALL[1]] {
            browser.look(look).await;
            browser.go(path).await;
            browser
                .until("return document.readyState === 'complete'", "the page")
                .await;
            if at >= OUTSIDE.len() && shape == "/api_docs/try" {
                let there = "return document.querySelector('#ui .opblock-tag') !== null";
                browser.until(there, "the calls").await;
            }
            let mut say = |what: &str, found: Vec<String>| {
                wrong.extend(
                    found
                        .into_iter()
                        .map(|one| format!("{shape} {look:?} {what}: {one}")),
                );
            };
            say("axe", browser.faults().await);
            say("policy", browser.refused().await);
            let console = browser.complaints().await.into_iter();
            // A page of a problem has its status.
            let problem = shape == "/panel/#/nowhere" || shape == "/panel/#/data/*?filter";
            say(
                "console",
                console
                    .filter(|text| {
                        !(problem && text.contains("the server responded with a status of 40"))
                    })
                    .collect(),
            );
            let (addresses, _) = browser.traffic().await;
            let elsewhere = addresses.into_iter();
            say(
                "elsewhere",
                elsewhere
                    .filter(|one| {
                        !one.starts_with(&url)
                            && !one.starts_with("data:")
                            && !one.starts_with("about:")
                    })
                    .collect(),
            );
            let script = "return document.documentElement.scrollWidth > innerWidth ? [`${document.documentElement.scrollWidth} pixels in ${innerWidth}`] : []";
            let wide = browser.run(script).await;
            say(
                "wide",
                wide.as_array()
                    .unwrap()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_is_light() {
    let server = Server::start_with(&["--demo=true"]).await;
    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    browser.go("/").await;
    browser
        .until("return document.readyState === 'complete'", "the page")
        .await;
    let (addresses, bytes) = browser.traffic().await;
    assert!(addresses.len() > 3, "{addresses:?}");
    eprintln!("first page: {bytes} bytes in {} requests", addresses.len());
    assert!(
        (5_000..100_000).contains(&bytes),
        "{bytes} bytes: {addresses:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_jumps_when_a_part_is_exchanged() {
    let server = Server::start().await;
    let tenant = server.tenant("still").await;
    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    sign_in(&browser, &tenant).await;
    let home = format!("/panel/{}", tenant.id);
    let mut wrong = Vec::new();
    for look in [Look::ALL[0], Look::ALL[3]] {
        browser.look(look).await;
        browser.go(&format!("{home}/data/invoices")).await;
        let counted =
            "return document.querySelector('[data-count=clients]')?.textContent.length > 0";
        browser.until(counted, "the counts").await;
        // A table that comes in parts is set anew with each; what is exchanged comes whole.
        browser.jumps().await;
        let stays = "window.__same = true";
        browser.run(stays).await;
        for (selector, settled) in [
            (
                "th a[href$='sort=total']",
                "return !!document.querySelector('th[aria-sort=ascending]')",
            ),
            ("a[rel=next]", "return location.search.includes('page=2')"),
            (
                ".grid td a[href*='/row/']",
                "return location.pathname.includes('/row/')",
            ),
            (
                ".crumbs a",
                "return !location.pathname.includes('/row/') && !!document.querySelector('.grid')",
            ),
        ] {
            browser.click(selector).await;
            browser.until(settled, selector).await;
            jumped(&browser, selector, look, &mut wrong).await;
        }
        // Values changed where they stand, and left again.
        browser.run("document.querySelector('td[data-col=reference]').dispatchEvent(new MouseEvent('dblclick', {bubbles: true}))").await;
        browser
            .until("return !!document.querySelector('td.editing')", "the field")
            .await;
        browser.keys("td.editing input", "\u{e00c}").await;
        browser
            .until("return !document.querySelector('td.editing')", "the value")
            .await;
        browser.jumps().await;
        for (at, settled) in [
            ("structure", "return !!document.querySelector('.picture')"),
            ("sql", "return !!document.querySelector('#query')"),
            ("data", "return !!document.querySelector('.tiles')"),
        ] {
            if look.width < 600 {
                browser.click(".menu").await;
                browser.jumps().await;
            }
            browser.click(&format!(".sections a[href$='/{at}']")).await;
            browser.until(settled, at).await;
            jumped(&browser, at, look, &mut wrong).await;
        }
        assert_eq!(
            browser.run("return window.__same === true").await,
            true,
            "htmx exchanged nothing"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What pages are after something was done on them: a name, the page, what is done, and how it is
/// known to have happened.
const STATES: [(&str, &str, &str, &str); 11] = [
    (
        "menu",
        "",
        "document.querySelector('.menu').click()",
        "return true",
    ),
    (
        "key",
        "",
        "document.querySelector('header .drop summary').click()",
        "return true",
    ),
    (
        "filter",
        "/data/invoices",
        "document.querySelector('[data-key=f]').click()",
        "return true",
    ),
    (
        "cell",
        "/data/invoices",
        "document.querySelector('td[data-col=reference]').dispatchEvent(new MouseEvent('dblclick', {bubbles: true}))",
        "return !!document.querySelector('td.editing')",
    ),
    (
        "ticked",
        "/data/invoices?filter[status]=2&sort=-total",
        "document.querySelector('[data-all]').click()",
        "return !document.querySelector('.ticked').hidden",
    ),
    (
        "refused",
        "/data/clients/new",
        "document.querySelector('#editor').noValidate = true; document.querySelector('#editor .button').click()",
        "return !!document.querySelector('.field.bad')",
    ),
    (
        "preview",
        "/data/clients/import",
        "document.querySelector('#csv').value = 'name,currency_id,founded\\nOne,1,x\\nTwo,none,y'; document.querySelector('form.import .button').click()",
        "return document.querySelector('#preview').childElementCount > 0",
    ),
    (
        "sql",
        "/sql",
        "document.querySelector('form.console .button').click()",
        "return !!document.querySelector('#result table')",
    ),
    (
        "token",
        "/tokens",
        "document.querySelector('[name=name]').value = 'A program'; document.querySelector('form.stack > .button').click()",
        "return !!document.querySelector('#made-token')",
    ),
    (
        "user",
        "/users",
        "document.querySelector('main details').open = true",
        "return true",
    ),
    (
        "graphql",
        "/graphql",
        "document.querySelector('.graphiql-execute-button').click()",
        "return document.querySelector('.result-window')?.textContent.includes('INV-')",
    ),
];

/// Makes pictures of all pages: `SANDLOT_PICTURES=folder cargo test --test main -- --ignored pictures`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures for people to look at"]
async fn pictures() {
    let folder = std::env::var_os("SANDLOT_PICTURES").expect("SANDLOT_PICTURES names no folder");
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let server = Server::start_with(&["--demo=true"]).await;
    let tenant = server.tenant("pictures").await;
    let url = format!("http://{}", server.client.address);
    let pages = all(&server, &tenant).await;
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    let (outside, inside): (Vec<_>, Vec<_>) = pages
        .iter()
        .partition(|(shape, _)| OUTSIDE.contains(&shape.as_str()));
    for (at, (shape, path)) in outside.into_iter().chain(inside).enumerate() {
        if at == OUTSIDE.len() {
            sign_in(&browser, &tenant).await;
        }
        for look in Look::ALL {
            browser.look(look).await;
            browser.go(path).await;
            let settled = "return document.readyState === 'complete' \
                && document.querySelector('[data-count]')?.textContent !== '' \
                && [...document.querySelectorAll('iframe')].every((frame) => frame.contentDocument?.querySelector('svg')) \
                && !document.querySelector('#said')?.textContent.includes('..')";
            browser
                .run("document.querySelectorAll('iframe').forEach((frame) => { frame.loading = 'eager'; })")
                .await;
            browser.until(settled, "all of the page").await;
            let name = shape
                .replace('/', "-")
                .replace('?', "-other")
                .replace(['*', '#'], "x");
            let name = if shape == "/" { "landing" } else { &name };
            let scheme = if look.dark { "dark" } else { "light" };
            let file = folder.join(format!(
                "{}-{}-{scheme}.png",
                name.trim_matches('-'),
                look.width
            ));
            std::fs::write(file, browser.picture(look).await).unwrap();
        }
    }
    for (name, path, script, settled) in STATES {
        for look in Look::ALL {
            browser.look(look).await;
            browser.go(&format!("/panel/{}{path}", tenant.id)).await;
            let counted = "return document.querySelector('[data-count]')?.textContent !== ''";
            browser.until(counted, "the page").await;
            browser.run(script).await;
            browser.until(settled, name).await;
            let scheme = if look.dark { "dark" } else { "light" };
            let file = format!("state-{name}-{}-{scheme}.png", look.width);
            std::fs::write(folder.join(file), browser.picture(look).await).unwrap();
        }
    }
}

/// Notes what has moved by itself since somebody last asked.
async fn jumped(browser: &Browser, what: &str, look: Look, wrong: &mut Vec<String>) {
    let jumps = browser.jumps().await.into_iter();
    wrong.extend(jumps.map(|jump| format!("{what} {look:?}: {jump}")));
}
