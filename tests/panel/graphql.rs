//! The GraphQL page: GraphiQL in a browser, and the plain form without scripts.

use hyper::Method;
use serde_json::json;

use super::{Visitor, between, driver::Browser, journey::nothing_complained};
use crate::harness::{PASSWORD, Server};

/// The editor, as its own script has it.
const EDITOR: &str = "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror";

#[tokio::test(flavor = "multi_thread")]
async fn graphiql_asks_explains_and_remembers() {
    let server = Server::start().await;
    let tenant = server.tenant("graphiql").await;
    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    browser.go("/login").await;
    browser.fill("[name=email]", &tenant.email).await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("form.stack button").await;
    browser.sees("Try it").await;
    let home = browser.place().await;
    let loaded =
        "return performance.getEntriesByType('resource').some(e => e.name.includes('graphiql'))";
    assert_eq!(browser.run(loaded).await, false, "loaded where it is not");

    // It runs what stands there, as whoever is signed in.
    browser.click(".sections a[href$='/graphql']").await;
    browser.click(".graphiql-execute-button").await;
    let shows = |text: &str| {
        format!(
            "return document.querySelector('.result-window')?.textContent.includes({})",
            json!(text)
        )
    };
    browser.until(&shows("INV-"), "the rows").await;
    assert_eq!(browser.run(loaded).await, true);

    // The schema is explained.
    browser
        .click("button[aria-label='Show Documentation Explorer']")
        .await;
    browser.click(".graphiql-doc-explorer-type-name").await;
    browser.sees("invoicesAggregate").await;

    // It completes, and underlines what the schema does not have.
    let complete = format!(
        "const e = {EDITOR}; e.setValue('{{ inv'); e.focus(); e.setCursor(0, 5); e.execCommand('autocomplete')"
    );
    browser.run(&complete).await;
    browser
        .until(
            "return [...document.querySelectorAll('.CodeMirror-hints li')].some(e => e.textContent === 'invoices')",
            "what may come next",
        )
        .await;
    browser
        .run(&format!("{EDITOR}.setValue('{{ nowhere }}')"))
        .await;
    browser
        .until(
            "return document.querySelector('.CodeMirror-lint-mark-error') !== null",
            "the fault underlined",
        )
        .await;

    // A mutation writes.
    let mutation = "mutation { createClient(input: {name: \"From GraphiQL\"}) { name } }";
    browser
        .run(&format!("{EDITOR}.setValue({})", json!(mutation)))
        .await;
    browser.click(".graphiql-execute-button").await;
    browser
        .until(&shows("\"createClient\""), "the new row")
        .await;
    let made = tenant
        .admin
        .read("/api/v1/clients?filter[name]=From%20GraphiQL")
        .await;
    assert_eq!(made["meta"]["total"], 1);

    // A dialog, whose styles a policy without `unsafe-inline` has to let it make.
    browser
        .click("button[aria-label='Open settings dialog']")
        .await;
    browser.sees("Clear storage").await;
    browser
        .until(
            "return getComputedStyle(document.body).pointerEvents === 'none' || getComputedStyle(document.body).overflow === 'hidden'",
            "the page behind the dialog held",
        )
        .await;
    browser.click(".graphiql-dialog-close").await;

    // What ran is kept, for this copy; the document is in the address and outlives a reload.
    browser.click("button[aria-label='Show History']").await;
    browser
        .until(
            "return document.querySelectorAll('.graphiql-history-item').length === 2",
            "the history",
        )
        .await;
    let keys = browser
        .run("return Object.keys(localStorage).filter(key => key.includes('graphiql'))")
        .await;
    let mine = format!("sandlot:{}:", tenant.id);
    let keys = keys.as_array().unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        assert!(key.as_str().unwrap().starts_with(&mine), "{key}");
    }
    browser
        .until(
            "return location.search.includes('createClient')",
            "the document in the address",
        )
        .await;
    browser.reload().await;
    browser
        .until(
            &format!("return {EDITOR}.getValue().includes('createClient')"),
            "the document again",
        )
        .await;
    nothing_complained(&browser).await;

    // Whose session is over is told so.
    let visitor = Visitor::of(&server, &tenant).await;
    visitor
        .submit(&home, "/logout/everywhere", &[])
        .await
        .expect(303);
    browser.click(".graphiql-execute-button").await;
    browser
        .until(&shows("Your session is over"), "the end of the session")
        .await;
}

#[tokio::test]
async fn graphql_works_without_scripts() {
    let server = Server::start().await;
    let tenant = server.tenant("graphql").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let at = format!("/panel/{}/graphql", tenant.id);
    let query = "query($n: Int) { clients(limit: $n) { id } }";
    let fields = [("query", query), ("variables", "{\"n\": 2}")];
    let text = visitor.submit(&at, &at, &fields).await.expect(200).text();
    assert_eq!(
        between(&text, "aria-label=\"Answer\"", "</pre>")
            .matches("id")
            .count(),
        2,
        "{text}"
    );
    let wrong = [("query", query), ("variables", "{")];
    let text = visitor.submit(&at, &at, &wrong).await.expect(200).text();
    assert!(text.contains("The variables are not JSON"), "{text}");
    let text = visitor
        .submit(&at, &at, &[("query", "{ nothing }")])
        .await
        .expect(200)
        .text();
    assert!(text.contains("errors"), "{text}");
}

#[tokio::test]
async fn what_graphiql_sends_is_answered_as_by_the_api() {
    let server = Server::start().await;
    let tenant = server.tenant("script").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let at = format!("/panel/{}/graphql", tenant.id);
    let token = visitor.token(&at).await;
    let script = server
        .client
        .with("Cookie", &visitor.cookie())
        .with("X-CSRF-Token", &token);
    for query in ["{ clients(limit: 1) { id name } }", "{ nowhere }"] {
        let body = json!({ "query": query });
        let here = script.post(&at, &body).await.expect(200);
        assert_eq!(here.header("content-type"), "application/json");
        let there = tenant
            .admin
            .post("/api/v1/graphql", &body)
            .await
            .expect(200);
        assert_eq!(here.body, there.body, "{query}");
    }
    // What the transport refuses is a problem document, as it is there.
    let none = script.call(Method::POST, &at, Some("".into())).await;
    none.problem(400, "empty-body");
    let list = script.post(&at, &json!([])).await;
    list.problem(400, "batching-not-supported");
}
