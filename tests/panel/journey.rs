//! A person's way through the panel, in headless Chromium.

use super::driver::Browser;
use crate::harness::{PASSWORD, Server};

/// Key of Enter and of Escape in WebDriver.
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

#[tokio::test(flavor = "multi_thread")]
async fn sign_up_and_work_with_the_data() {
    let server = Server::start().await;
    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };

    // From the front door to a copy.
    browser.go("/").await;
    browser.click("a[href='/register']").await;
    browser.fill("[name=email]", "eva@mail.example").await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("form.stack button").await;
    browser.sees("Your copy is made.").await;
    let home = browser.place().await;
    browser.sees("Api-Key: ak_").await;
    // Back from the first page of the copy is the form, not the making of another copy.
    browser.reload().await;
    browser.sees("Api-Key: ak_").await;

    // Browse, search, filter: the address is the state.
    browser.click(".tables a[href$='/data/clients']").await;
    browser.sees("Companies that buy from us").await;
    browser
        .until(
            "return document.querySelector('[data-count=clients]').textContent.length > 0",
            "the counts",
        )
        .await;
    browser.click(".tables a[href$='/data/invoices']").await;
    browser.sees("Invoices to clients").await;
    assert_eq!(browser.place().await, format!("{home}/data/invoices"));
    browser.click("details:has([name=_fc]) > summary").await;
    browser.run("document.querySelector('[name=_fc]').value = 'total'; document.querySelector('[name=_fo]').value = 'gte'").await;
    browser.fill("[name=_fv]", "5000").await;
    browser.click("form:has([name=_fv]) button").await;
    browser
        .until(
            "return location.search === '?filter[total.gte]=5000'",
            "the filter in the address",
        )
        .await;
    browser.sees("total ≥ 5000").await;
    browser.click("th a[href$='sort=total']").await;
    browser
        .until(
            "return location.search.endsWith('sort=total')",
            "the order in the address",
        )
        .await;
    browser
        .until(
            "return !!document.querySelector('th[aria-sort=ascending]')",
            "the order at the head",
        )
        .await;
    browser
        .keeps("return !!document.querySelector('th[aria-sort=ascending]') && document.body.innerText.includes('total ≥ 5000')")
        .await;
    browser.back().await;
    browser.until("return location.search === '?filter[total.gte]=5000' && !document.querySelector('th[aria-sort=ascending]')", "the page before").await;
    browser.reload().await;
    browser.sees("total ≥ 5000").await;
    // Fewer columns, a search, another page: all of it in the address.
    browser.click("details:has([name=_cols]) > summary").await;
    browser.run("document.querySelectorAll('[name=_col]').forEach((box) => { box.checked = ['id', 'number', 'total'].includes(box.value); })").await;
    browser.click("form:has([name=_cols]) button").await;
    browser
        .keeps("return location.search.endsWith('fields=id,number,total') && document.querySelectorAll('.grid thead th[scope]').length === 3")
        .await;
    browser.click("a[rel=next]").await;
    browser
        .keeps("return location.search.includes('page=2') && document.querySelector('.placed').textContent.startsWith('26')")
        .await;
    browser.fill("[name=q]", "INV-0000").await;
    browser.keys("[name=q]", ENTER).await;
    browser
        .keeps("return location.search.includes('q=INV-0000') && document.querySelector('[name=q]').value === 'INV-0000'")
        .await;

    // Change a value where it stands; what is refused is said there.
    browser.go(&format!("{home}/data/invoices")).await;
    let cell = "tbody tr:first-child td[data-col=reference]";
    browser.run(&format!("document.querySelector('{cell}').dispatchEvent(new MouseEvent('dblclick', {{bubbles: true}}))")).await;
    browser.fill("td.editing input", "PO-EVA").await;
    browser.keys("td.editing input", ENTER).await;
    browser
        .until(
            &format!("return document.querySelector('{cell}')?.textContent === 'PO-EVA'"),
            "the changed value",
        )
        .await;
    let date = "tbody tr:first-child td[data-col=due_date]";
    browser.run(&format!("document.querySelector('{date}').dispatchEvent(new MouseEvent('dblclick', {{bubbles: true}}))")).await;
    browser
        .until(
            "return !!document.querySelector('td.editing input')",
            "the field",
        )
        .await;
    browser
        .run("document.querySelector('td.editing input').value = '1999-01-01'")
        .await;
    browser.click("td.editing button").await;
    browser.sees("due_date >= date").await;
    browser.keys("td.editing input", ESCAPE).await;
    browser
        .until(
            "return !document.querySelector('td.editing')",
            "the value as it was",
        )
        .await;
    browser.reload().await;
    browser.sees("PO-EVA").await;
    // By the keyboard alone: arrows, Enter, a value, Enter.
    browser
        .run(&format!("document.querySelector('{cell}').focus()"))
        .await;
    browser.keys(cell, "\u{e015}").await;
    browser.keys(":focus", ENTER).await;
    browser.fill("td.editing input", "PO-KEYS").await;
    browser.keys("td.editing input", ENTER).await;
    browser
        .until(
            "return document.querySelector('tbody tr:nth-child(2) td[data-col=reference]')?.textContent === 'PO-KEYS'",
            "the value below",
        )
        .await;
    browser.click("tbody a.open").await;
    browser
        .keeps("return document.querySelector('#f-reference')?.value === 'PO-EVA'")
        .await;

    // Insert with a foreign key picked; a refusal at its field first.
    browser.go(&format!("{home}/data/contacts/new")).await;
    browser.fill("#f-clientid", "999999").await;
    browser.fill("#f-email", "eva.contact@mail.example").await;
    browser.fill("#f-firstname", "Eva").await;
    browser.fill("#f-lastname", "Example").await;
    browser.click("#editor .actions .button").await;
    browser
        .until(
            "return document.querySelector('.field.bad .fault') !== null",
            "the refusal at the field",
        )
        .await;
    browser.click("[data-pick*='/data/clients/pick']").await;
    browser
        .until(
            "return document.querySelectorAll('#picked [data-value]').length > 1",
            "rows to pick",
        )
        .await;
    browser.fill("#picker-words", "2").await;
    browser
        .until(
            "return document.querySelectorAll('#picked [data-value]').length === 1",
            "the row of that number",
        )
        .await;
    browser.click("#picked [data-value='2']").await;
    browser.click("#editor .actions .button").await;
    browser.sees("The row is made.").await;
    browser.reload().await;
    browser
        .until(
            "return document.querySelector('#f-email').value === 'eva.contact@mail.example'",
            "the row",
        )
        .await;
    browser.click("a.danger").await;
    browser
        .keeps("return document.body.innerText.includes('No row has to go with it')")
        .await;
    browser.click("button.danger").await;
    browser.sees("The row is deleted.").await;
    browser.reload().await;
    browser.sees("People at our clients").await;

    // A client goes with all that depends on it, once its number was typed.
    browser.go(&format!("{home}/data/clients/row/1")).await;
    browser.click("a.danger").await;
    browser.sees("at one step or several").await;
    let rows = browser
        .run("return document.querySelector('label code').textContent")
        .await;
    browser.fill("[name=sure]", "2").await;
    browser.click("button.danger").await;
    browser.sees("that number was not typed").await;
    browser.fill("[name=sure]", rows.as_str().unwrap()).await;
    browser.click("button.danger").await;
    browser.sees("rows are deleted.").await;

    // Import a file with two bad rows.
    browser.go(&format!("{home}/data/currencies/import")).await;
    let csv = "code,name,symbol,rate\\nXTS,Test,T,1\\nTOOLONGCODE,Bad,B,1\\nXXB,Second,S,1\\nEUR,Twice,E,1\\n";
    let larger = "'code,name\\n' + 'XTS,Test\\n'.repeat(40000)";
    browser
        .run(&format!("document.querySelector('#csv').value = {larger}"))
        .await;
    browser.click("form.import button").await;
    browser.sees("256 KB are taken at once").await;
    browser
        .run(&format!("document.querySelector('#csv').value = '{csv}'"))
        .await;
    browser.click("form.import button").await;
    browser.sees("2 do not").await;
    assert_eq!(browser.faults().await, [""; 0]);
    browser.click("#preview .button").await;
    browser.sees("2 rows are imported.").await;
    browser.keeps("return location.pathname.endsWith('/data/currencies') && !!document.querySelector('.grid')").await;

    // A table made elsewhere is in the list beside the page without a reload.
    browser.go(&format!("{home}/sql")).await;
    browser.run("window.__same = true").await;
    browser
        .fill("#query", "create table brand_new (id int primary key)")
        .await;
    browser.click("form.console .button").await;
    browser
        .until("return !!document.querySelector(\".tables a[href$='/data/brand_new']\") && document.querySelector('[data-count=brand_new]').textContent === '0'", "the new table beside the page")
        .await;
    browser.fill("#query", "drop table brand_new").await;
    browser.click("form.console .button").await;
    browser
        .until(
            "return !document.querySelector(\".tables a[href$='/data/brand_new']\")",
            "its end",
        )
        .await;
    assert_eq!(browser.run("return window.__same === true").await, true);

    nothing_complained(&browser).await;

    // Out, and back is not in.
    browser.click("details:has(#api-key) > summary").await;
    browser.click("form[action='/logout'] button").await;
    browser.sees("You are logged out.").await;
    browser.go(&home).await;
    browser
        .until("return location.pathname === '/login'", "the log-in")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_graphql_a_report_a_token_and_a_reset() {
    let server = Server::start_with(&["--query-tokens"]).await;
    let tenant = server.tenant("max").await;
    let url = format!("http://{}", server.client.address);
    let Some(browser) = Browser::open(&url).await else {
        return;
    };
    browser.go("/login").await;
    browser.fill("[name=email]", &tenant.email).await;
    browser.fill("[name=password]", PASSWORD).await;
    browser.click("form.stack button").await;
    browser.sees("Try it").await;
    browser.reload().await;
    browser.sees("Try it").await;
    let home = browser.place().await;

    // SQL; the statement stays in the address, and is not run by a reload.
    browser.click(".sections a[href$='/sql']").await;
    browser
        .fill("#query", "select count(*) as number from invoices")
        .await;
    browser.click("form.console .button").await;
    browser
        .until(
            "return document.querySelector('#result td.n') !== null",
            "the result",
        )
        .await;
    browser
        .until(
            "return location.search.includes('count')",
            "the statement in the address",
        )
        .await;
    browser.reload().await;
    browser.until("return document.querySelector('#query').value.includes('count') && !document.querySelector('#result td')", "the statement again").await;
    browser.click("details:has([data-past]) > summary").await;
    browser
        .until(
            "return document.querySelectorAll('[data-past] li').length === 1",
            "the history",
        )
        .await;

    // GraphQL.
    browser.click(".sections a[href$='/graphql']").await;
    browser
        .until(
            "return location.pathname.endsWith('/graphql')",
            "the console",
        )
        .await;
    browser.click(".graphiql-execute-button").await;
    browser
        .until(
            "return document.querySelector('.result-window')?.textContent.includes('INV-')",
            "the answer",
        )
        .await;

    // A report, published, in a frame on another page.
    browser
        .go(&format!("{home}/reports/new?view=invoices"))
        .await;
    browser.fill("[name=title]", "By status").await;
    browser
        .until(
            "return document.querySelector('#slug').value === 'by-status'",
            "the address",
        )
        .await;
    browser.run("const f = document.querySelector('form[method=post].narrow'); f.elements.aggregation.value = 'count'; f.elements.dimension.value = 'status'").await;
    browser.click("form[method=post].narrow .button").await;
    browser.sees("The report is published.").await;
    let drawn =
        "return !!document.querySelector('.charted iframe')?.contentDocument?.querySelector('svg')";
    browser.until(drawn, "the chart").await;
    browser.keeps(drawn).await;

    // A token; a program uses it, and a page elsewhere embeds the report with another.
    browser.go(&format!("{home}/tokens")).await;
    browser.fill("[name=name]", "Program").await;
    browser.click("form.stack > .button").await;
    browser.sees("It is shown this once").await;
    let token = browser
        .run("return document.querySelector('#made-token').textContent")
        .await;
    let program = server.client.bearer(token.as_str().unwrap());
    program.get("/api/v1/clients?per_page=1").await.expect(200);
    let header = format!("Authorization: Bearer {}", token.as_str().unwrap());
    let curl = std::process::Command::new("curl")
        .args([
            "-s",
            "-f",
            "-H",
            &header,
            &format!("{url}/api/v1/clients?per_page=1"),
        ])
        .output();
    match curl {
        Ok(output) => assert!(
            output.status.success() && output.stdout.starts_with(b"{\"data\""),
            "{output:?}"
        ),
        Err(error) => assert!(std::env::var_os("CI").is_none(), "curl: {error}"),
    }
    // The secret is shown once: a reload has the list.
    browser.reload().await;
    browser.sees("Program").await;
    browser
        .until("return !document.querySelector('#made-token')", "no secret")
        .await;
    browser
        .go(&format!(
            "{home}/tokens?kind=embed&scope=views&scope=tables&name=Frame"
        ))
        .await;
    browser.click("form.stack > .button").await;
    browser.sees("It is shown this once").await;
    let embed = browser
        .run("return document.querySelector('#made-token').textContent")
        .await;
    let elsewhere = page_elsewhere(format!("<!doctype html><title>Elsewhere</title><iframe src=\"{url}/embed/report/by-status?token={}\" onload=\"document.title='framed'\" width=800 height=560></iframe>", embed.as_str().unwrap())).await;
    browser.visit(&elsewhere).await;
    browser
        .until("return document.title === 'framed'", "the frame")
        .await;
    browser.enter_frame("iframe").await;
    browser
        .until(
            "return document.querySelector('svg.chart') !== null",
            "the embedded chart",
        )
        .await;
    browser.leave_frame().await;

    // Break something, and reset it.
    tenant
        .admin
        .patch("/api/v1/clients/1", &serde_json::json!({"name": "Broken"}))
        .await
        .expect(200);
    browser.go(&format!("{home}/sandbox")).await;
    browser.run("window.confirm = () => true").await;
    browser.click("button[value=reset]").await;
    browser.sees("Put back: clients.").await;
    browser.reload().await;
    browser
        .until("return location.pathname.endsWith('/sandbox') && !!document.querySelector('button[value=reset]')", "the sandbox")
        .await;

    // The API's pages know who is signed in.
    browser.go("/api_docs").await;
    browser.click("a[href^='/api_docs/try']").await;
    browser
        .keeps("return document.querySelector('#copy')?.selectedOptions[0].text.startsWith('max_') && document.querySelector('#token').value.startsWith('ey') && document.body.innerText.includes('addresses')")
        .await;

    browser.go(&home).await;
    nothing_complained(&browser).await;
}

/// The console said nothing but what was provoked, the policy refused nothing, and nothing was
/// asked of another host.
pub async fn nothing_complained(browser: &Browser) {
    let complaints = browser.complaints().await;
    let known =
        |text: &String| text.contains("422 (Unprocessable") || text.contains("400 (Bad Request)");
    let unknown: Vec<&String> = complaints.iter().filter(|text| !known(text)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(browser.refused().await, [""; 0]);
    let own = ["http://127.0.0.1:", "http://localhost:", "data:", "about:"];
    let (addresses, _) = browser.traffic().await;
    let elsewhere: Vec<_> = addresses
        .iter()
        .filter(|address| !own.iter().any(|own| address.starts_with(own)))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

/// Serves one page on another origin, and says its address.
async fn page_elsewhere(html: String) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!(
        "http://localhost:{}/",
        listener.local_addr().unwrap().port()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                html.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(html.as_bytes()).await;
        }
    });
    address
}
