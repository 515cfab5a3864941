//! One's own name and password, and what stays in a browser after a log-out.

use serde_json::json;

use super::{Visitor, driver::Browser, pages};
use crate::harness::{PASSWORD, Server};

const NEW: &str = "another horse";

#[tokio::test]
async fn an_account_changes_its_name_and_password() {
    let server = Server::start().await;
    let tenant = server.tenant("owner").await;
    let (here, elsewhere) = (
        Visitor::of(&server, &tenant).await,
        Visitor::of(&server, &tenant).await,
    );
    let at = "/account";
    let page = here.get(at).await.expect(200).text();
    assert!(page.contains(&tenant.email) && page.contains("Your user in each of your copies"));

    let name = [("do", "name"), ("name", "Ada <b>")];
    here.submit(at, at, &name).await.expect(303);
    let page = here.get(at).await.expect(200).text();
    assert!(page.contains("value=\"Ada &#60;b&#62;\""), "{page}");
    let long = "x".repeat(201);
    let refused = here
        .submit(at, at, &[("do", "name"), ("name", &long)])
        .await;
    let refused = refused.expect(400).text();
    assert!(refused.contains("200 characters at most") && refused.contains(&long));

    // A wrong old password and a bad new one are said at their fields.
    let form = |old: &'static str, new: &'static str| {
        [
            ("do", "password"),
            ("current_password", old),
            ("new_password", new),
        ]
    };
    let wrong = here.submit(at, at, &form("wrong horse", NEW)).await;
    let wrong = wrong.expect(401).text();
    assert!(wrong.contains("id=\"current-fault\"") && !wrong.contains("wrong horse"));
    let short = here.submit(at, at, &form(PASSWORD, "short")).await;
    let short = short.expect(400).text();
    assert!(
        short.contains("The new password must have 8 to 128"),
        "{short}"
    );
    elsewhere.get(at).await.expect(200);

    // Without the form's token, or with another session's, nothing happens.
    let other = elsewhere.token(at).await;
    for token in ["", "0", &other] {
        let mut fields = vec![("_csrf", token)];
        fields.extend(form(PASSWORD, NEW));
        here.post(at, &fields).await.expect(403);
    }
    let token = here.token(at).await;
    let mut fields = vec![("_csrf", token.as_str())];
    fields.extend(form(PASSWORD, NEW));
    here.post_with(at, &fields, &[("Sec-Fetch-Site", "cross-site")])
        .await
        .expect(403);
    elsewhere.get(at).await.expect(200);

    // The right one.
    here.post(at, &fields).await.expect(303);
    let page = here.get(at).await.expect(200).text();
    assert!(page.contains("You are logged out everywhere else."));
    assert!(
        page.contains(&format!("your user in {} too", tenant.schema)),
        "{page}"
    );
    let gone = elsewhere.get(at).await.expect(303);
    assert!(gone.header("location").starts_with("/login"));
    let again = Visitor::new(&server);
    let old = [("email", tenant.email.as_str()), ("password", PASSWORD)];
    again.post("/login", &old).await.expect(401);
    let new = [("email", tenant.email.as_str()), ("password", NEW)];
    again.post("/login", &new).await.expect(303);

    // Nobody is led to log in, and back.
    let nobody = Visitor::new(&server).get(at).await.expect(303);
    assert_eq!(nobody.header("location"), "/login?next=%2Faccount");
}

#[tokio::test]
async fn a_user_of_a_copy_changes_their_own() {
    let server = Server::start().await;
    let tenant = server.tenant("owner").await;
    let email = "viewer@mail.example";
    let newcomer = json!({"email": email, "password": PASSWORD});
    let signup = tenant.keyed.post("/api/auth/signup", &newcomer).await;
    signup.expect(201);
    let enter = async |password| {
        let visitor = Visitor::new(&server);
        let form = [
            ("as", "user"),
            ("key", &*tenant.key),
            ("email", email),
            ("password", password),
        ];
        (visitor.post("/login", &form).await.status, visitor)
    };
    let (_, viewer) = enter(PASSWORD).await;
    let at = "/account";
    let page = viewer.get(at).await.expect(200).text();
    assert!(page.contains(&tenant.schema) && page.contains("<dd>viewer</dd>"));
    let form = [("do", "name"), ("name", "Vera")];
    viewer.submit(at, at, &form).await.expect(303);
    let form = [
        ("do", "password"),
        ("current_password", PASSWORD),
        ("new_password", NEW),
    ];
    viewer.submit(at, at, &form).await.expect(303);
    let page = viewer.get(at).await.expect(200).text();
    assert!(page.contains("value=\"Vera\"") && page.contains("Your password is changed."));
    assert_eq!(enter(PASSWORD).await.0, 401);
    assert_eq!(enter(NEW).await.0, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_in_the_browser_for_the_next_person() {
    let server = Server::start().await;
    let tenant = server.tenant("first").await;
    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    let kept = "return JSON.stringify({...localStorage}).includes('their secret')";
    let work = async || {
        pages::sign_in(&browser, &tenant).await;
        browser.go(&format!("/panel/{}/sql", tenant.id)).await;
        browser.fill("#query", "select 'their secret 1'").await;
        browser.click("form[data-runs] button.button").await;
        browser
            .until(
                "return document.querySelectorAll('[data-past] li').length === 1",
                "the history",
            )
            .await;
        let query = format!(
            "/panel/{}/graphql?q=%7B%20_ping%20%7D%20%23%20their%20secret%202",
            tenant.id
        );
        browser.go(&query).await;
        browser.click(".graphiql-execute-button").await;
        let both = "return ['their secret 1', 'their secret 2'].every(t => Object.entries(localStorage).some(([k, v]) => v.includes(t)))";
        browser.until(both, "both histories").await;
    };
    let next = async |email: &str| {
        browser.fill("[name=email]", email).await;
        browser.fill("[name=password]", PASSWORD).await;
        browser.click("form.stack button").await;
        browser
            .until("return location.pathname.startsWith('/panel')", "the panel")
            .await;
    };

    // The same person finds it again.
    work().await;
    browser.go(&format!("/panel/{}/sql", tenant.id)).await;
    browser
        .until(
            "return document.querySelector('[data-past]')?.textContent.includes('their secret 1')",
            "the history",
        )
        .await;

    // After a log-out it is gone, where the answer's header is heeded and, without it, by the page.
    browser.click("header .drop summary").await;
    browser.click("form[action='/logout'] button").await;
    browser.sees("You are logged out.").await;
    assert_eq!(browser.run(kept).await, false);
    let visitor = Visitor::of(&server, &tenant).await;
    let out = visitor.submit("/account", "/logout", &[]).await.expect(303);
    assert_eq!(out.header("clear-site-data"), "\"storage\"");

    // A session that ended by itself, and somebody else at the same browser.
    let other = server.tenant("second").await;
    work().await;
    tenant
        .admin
        .post("/api/auth/logout/everywhere", &json!({}))
        .await
        .expect(200);
    server
        .account(&tenant)
        .await
        .post("/api/auth/logout/everywhere", &json!({}))
        .await
        .expect(200);
    browser.go("/panel").await;
    browser.sees("Log in").await;
    assert_eq!(browser.run(kept).await, false);
    next(&other.email).await;

    // Somebody else comes in without passing the log-in.
    browser.run("localStorage.setItem('sandlot:who', 'first@mail.example'); localStorage.setItem('sandlot:/panel/1/sql', '[\"their secret\"]')").await;
    browser.go(&format!("/panel/{}", other.id)).await;
    assert_eq!(browser.run(kept).await, false);
}
