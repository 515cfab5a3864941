//! What keeps the panel's sessions apart from everybody else.

use hyper::Method;

use sandlot::panel::routes;

use super::{Visitor, between};
use crate::harness::{PASSWORD, Server};

/// What stands for the parts of addresses that may be anything.
const PARTS: &[(&str, &str)] = &[
    ("{table}", "clients"),
    ("{key}", "1"),
    ("{column}", "name"),
    ("{report}", "invoices"),
    ("{token}", "1"),
];

/// Addresses that lead nowhere, or to a page in another state.
const MORE: &[&str] = &[
    "/data/nowhere",
    "/nowhere",
    "/data/clients/row/1/nowhere",
    "/reports/new?view=invoices",
    "/sandbox?certificate",
];

/// Every address behind `/panel/{id}` that takes a method.
fn addresses(method: &str) -> Vec<String> {
    let of = routes::TENANT.iter().filter(|(known, _)| *known == method);
    of.map(|(_, path)| {
        let filled = PARTS
            .iter()
            .fold((*path).to_owned(), |path, (name, value)| {
                path.replace(name, value)
            });
        assert!(
            !filled.contains('{'),
            "say in PARTS what stands in {path}, so that it is judged"
        );
        match filled.ends_with("/pick") {
            true => filled + "?column=id",
            false => filled,
        }
    })
    .collect()
}

/// Every page that is read.
fn pages() -> Vec<String> {
    let more = MORE.iter().map(|page| (*page).to_owned());
    addresses("GET").into_iter().chain(more).collect()
}

/// The addresses of a list that take a method.
fn of(list: &[(&str, &'static str)], method: &str) -> Vec<String> {
    let of = list.iter().filter(|(known, _)| *known == method);
    of.map(|(_, path)| (*path).to_owned()).collect()
}

#[tokio::test]
async fn every_address_is_served_to_whoever_may() {
    let server = Server::start().await;
    let tenant = server.tenant("owner").await;
    let token = serde_json::json!({"name": "One", "scopes": ["tables"]});
    let made = tenant.admin.post("/api/tokens", &token).await.expect(201);
    let own = format!("/tokens/{}", made.json()["id"]);
    let visitor = Visitor::of(&server, &tenant).await;
    let home = format!("/panel/{}", tenant.id);
    for page in addresses("GET") {
        let page = format!("{home}{}", page.replace("/tokens/1", &own));
        let answer = visitor.get(&page).await;
        let led = answer.status == 303 && page.ends_with("/status");
        assert!(led || answer.status == 200, "{page}: {}", answer.status);
    }
    let token = visitor.token(&home).await;
    let mut forms = addresses("POST");
    // What deletes the row comes last.
    forms.sort_by_key(|form| form.ends_with("/delete"));
    for form in forms {
        let form = format!("{home}{}", form.replace("/tokens/1", &own));
        let answer = visitor.post(&form, &[("_csrf", &token)]).await;
        assert!(
            ![404, 405, 500].contains(&answer.status),
            "{form}: {}",
            answer.status
        );
    }
    for page in [routes::OPEN, routes::SIGNED_IN].concat() {
        let client = Visitor::new(&server);
        let answer = match page.0 {
            "GET" => client.get(page.1).await,
            _ => client.post(page.1, &[]).await,
        };
        assert!(![404, 405, 500].contains(&answer.status), "{page:?}");
    }
}

#[tokio::test]
async fn sign_up_use_the_copy_and_log_out() {
    let server = Server::start().await;
    let visitor = Visitor::new(&server);
    visitor.get("/register").await.expect(200);
    let form = [("email", "nina@mail.example"), ("password", PASSWORD)];
    let made = visitor.post("/register", &form).await.expect(303);
    let cookie = made.header("set-cookie").to_owned();
    let cookies: Vec<&str> = made
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    let session = cookies
        .iter()
        .find(|cookie| cookie.starts_with("sandlot="))
        .unwrap_or(&cookie.as_str())
        .to_string();
    assert!(
        session.contains("HttpOnly") && session.contains("SameSite=Lax"),
        "{session}"
    );
    assert!(!session.contains("Secure"), "{session}");
    let home = made.header("location").to_owned();
    let page = visitor.get(&home).await.expect(200).text();
    let key = between(&page, "id=\"api-key\">", "<");
    let token = between(&page, "Authorization: Bearer ", "&#39;");
    // What the page offers to paste works.
    let pasted = server.client.with("Api-Key", key).bearer(token);
    let rows = pasted.read("/api/v1/clients?per_page=3").await;
    assert_eq!(rows["data"].as_array().unwrap().len(), 3);

    let before = visitor.cookie();
    let out = visitor.submit(&home, "/logout", &[]).await.expect(303);
    assert_eq!(out.header("location"), "/login");
    // The cookie is worthless, not only taken away.
    let stale = server.client.with("Cookie", &before);
    let answer = stale.get(&home).await.expect(303);
    assert!(answer.header("location").starts_with("/login"));
}

#[tokio::test]
async fn cookies_are_for_https_alone_where_people_come_by_it() {
    let server = Server::start_with(&["--public-url=https://sandlot.example"]).await;
    let visitor = Visitor::new(&server);
    let form = [("email", "tls@mail.example"), ("password", PASSWORD)];
    let made = visitor.post("/register", &form).await.expect(303);
    let cookies: Vec<&str> = made
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    let session = cookies
        .iter()
        .find(|cookie| cookie.starts_with("__Host-sandlot="))
        .unwrap();
    assert!(
        session.contains("Secure") && session.contains("Path=/"),
        "{session}"
    );
}

#[tokio::test]
async fn a_planted_session_is_worth_nothing() {
    let server = Server::start().await;
    let tenant = server.tenant("fix").await;
    // An attacker's own session, planted before the victim signs in.
    let attacker = server.tenant("attacker").await;
    let planted = Visitor::of(&server, &attacker).await;
    let planted_cookie = planted.cookie();
    let victim = Visitor::new(&server);
    let (name, value) = planted_cookie.split_once('=').unwrap();
    victim.put_cookie(name, value);
    let form = [("email", tenant.email.as_str()), ("password", PASSWORD)];
    victim.post("/login", &form).await.expect(303);
    assert_ne!(victim.cookie(), planted_cookie);
    // What was planted is over, and the victim works in their own copy.
    let answer = planted.get("/panel").await.expect(303);
    assert!(
        answer.header("location").starts_with("/login"),
        "{}",
        answer.header("location")
    );
    victim
        .get(&format!("/panel/{}", tenant.id))
        .await
        .expect(200);
    victim
        .get(&format!("/panel/{}", attacker.id))
        .await
        .expect(404);
    // Made-up values are no session either.
    for made_up in [
        "x",
        "x.y",
        ".",
        &format!("{}.{}", "0".repeat(32), "0".repeat(64)),
    ] {
        let client = server.client.with("Cookie", &format!("sandlot={made_up}"));
        client.get("/panel").await.expect(303);
    }
}

#[tokio::test]
async fn the_list_of_copies_comes_after_the_password() {
    let server = Server::start().await;
    let tenant = server.tenant("many").await;
    let register = serde_json::json!({"email": tenant.email, "password": PASSWORD});
    server
        .client
        .post("/api/register", &register)
        .await
        .expect(201);
    let visitor = Visitor::new(&server);
    let wrong = [
        ("email", tenant.email.as_str()),
        ("password", "wrong horse"),
    ];
    let refused = visitor.post("/login", &wrong).await.expect(401);
    assert!(!refused.text().contains(&tenant.schema));
    let unknown = [
        ("email", "nobody@mail.example"),
        ("password", "wrong horse"),
    ];
    let same = visitor.post("/login", &unknown).await.expect(401).text();
    assert_eq!(
        refused.text().replace(&tenant.email, ""),
        same.replace("nobody@mail.example", "")
    );
    let right = [("email", tenant.email.as_str()), ("password", PASSWORD)];
    visitor.post("/login", &right).await.expect(303);
    let list = visitor.get("/panel").await.expect(200).text();
    assert_eq!(list.matches("href=\"/panel/").count(), 2, "{list}");
    assert!(list.contains(&tenant.schema));
}

#[tokio::test]
async fn a_user_signs_in_to_their_tenant_by_its_key() {
    let server = Server::start().await;
    let tenant = server.tenant("team").await;
    tenant.user("viewer@mail.example", "viewer").await;
    let visitor = Visitor::new(&server);
    let form = [
        ("as", "user"),
        ("key", tenant.key.as_str()),
        ("email", "viewer@mail.example"),
        ("password", PASSWORD),
    ];
    let entered = visitor.post("/login", &form).await.expect(303);
    let home = format!("/panel/{}", tenant.id);
    assert_eq!(entered.header("location"), home);
    let grid = visitor
        .get(&format!("{home}/data/clients"))
        .await
        .expect(200)
        .text();
    assert!(!grid.contains("New row"), "a viewer is offered to write");
    // What is not offered is refused too.
    let page = format!("{home}/data/clients");
    for form in addresses("POST")
        .iter()
        .filter(|form| !form.ends_with("preview") && !form.ends_with("import"))
    {
        let fields = [("v.name", "x"), ("v", "x"), ("key", "1"), ("do", "delete")];
        let answer = visitor
            .submit(&page, &format!("{home}{form}"), &fields)
            .await;
        // The consoles answer with what the API said, in a page of theirs.
        let told = answer.status == 200 && answer.text().contains("role=\"alert\"");
        assert!(
            told || [400, 403, 422, 303].contains(&answer.status),
            "{form}: {}",
            answer.status
        );
    }
    let row = tenant.admin.read("/api/v1/clients/1").await;
    assert_ne!(row["data"]["name"], "x");
    let wrong = [
        ("as", "user"),
        ("key", "ak_0"),
        ("email", "viewer@mail.example"),
        ("password", PASSWORD),
    ];
    Visitor::new(&server)
        .post("/login", &wrong)
        .await
        .expect(401);
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let server = Server::start().await;
    let tenant = server.tenant("csrf").await;
    let other = server.tenant("other").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let home = format!("/panel/{}", tenant.id);
    let token = visitor.token(&home).await;
    let stranger = Visitor::of(&server, &other).await;
    let foreign = stranger.token(&format!("/panel/{}", other.id)).await;
    for path in addresses("POST")
        .iter()
        .map(|form| format!("{home}{form}"))
        .chain(of(routes::SIGNED_IN, "POST"))
    {
        for fields in [
            vec![],
            vec![("_csrf", "")],
            vec![("_csrf", foreign.as_str())],
        ] {
            let mut fields = fields;
            fields.push(("v.name", "Hijacked"));
            let answer = visitor.post(&path, &fields).await;
            assert_eq!(answer.status, 403, "{path}");
        }
        for (name, value) in [
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Site", "none"),
            ("Origin", "https://evil.example"),
            ("Origin", "null"),
        ] {
            let fields = [("_csrf", token.as_str())];
            let answer = visitor.post_with(&path, &fields, &[(name, value)]).await;
            assert_eq!(answer.status, 403, "{path} {name}: {value}");
        }
    }
    // Signing somebody in to an account that is not theirs is refused as well.
    let form = [("email", other.email.as_str()), ("password", PASSWORD)];
    for path in of(routes::OPEN, "POST") {
        let answer = Visitor::new(&server)
            .post_with(&path, &form, &[("Sec-Fetch-Site", "cross-site")])
            .await;
        assert_eq!(answer.status, 403, "{path}");
    }
    // A cross-site form as JSON or text gets no further.
    let client = server.client.with("Cookie", &visitor.cookie());
    let json = Some("{}".into());
    client
        .call(Method::POST, "/logout", json.clone())
        .await
        .expect(403);
    // GraphiQL sends JSON; without the token of the page it is nobody's.
    let graphql = format!("{home}/graphql");
    let answer = client.call(Method::POST, &graphql, json).await;
    answer.problem(403, "permission-denied");
    visitor.get(&home).await.expect(200);
    let row = tenant.admin.read("/api/v1/clients/1").await;
    assert_ne!(row["data"]["name"], "Hijacked");
}

#[tokio::test]
async fn other_tenants_are_not_there() {
    let server = Server::start().await;
    let mine = server.tenant("mine").await;
    let other = server.tenant("theirs").await;
    let visitor = Visitor::of(&server, &mine).await;
    let user = mine.user("admin@mail.example", "admin").await;
    drop(user);
    let as_user = Visitor::new(&server);
    let form = [
        ("as", "user"),
        ("key", mine.key.as_str()),
        ("email", "admin@mail.example"),
        ("password", PASSWORD),
    ];
    as_user.post("/login", &form).await.expect(303);
    let own = format!("/panel/{}", mine.id);
    for visitor in [&visitor, &as_user] {
        let token = visitor.token(&own).await;
        for id in [
            other.id.to_string(),
            "0".into(),
            "-1".into(),
            "999999".into(),
            "x".into(),
            "1e1".into(),
        ] {
            if id == mine.id.to_string() {
                continue;
            }
            for page in pages() {
                let answer = visitor.get(&format!("/panel/{id}{page}")).await.expect(404);
                assert!(
                    !answer.text().contains(&other.schema) && !answer.text().contains(&other.key)
                );
            }
            for form in addresses("POST") {
                let fields = [("_csrf", token.as_str()), ("v.name", "x")];
                visitor
                    .post(&format!("/panel/{id}{form}"), &fields)
                    .await
                    .expect(404);
            }
        }
    }
    // Nobody is told anything.
    for page in pages() {
        let answer = server
            .client
            .get(&format!("/panel/{}{page}", other.id))
            .await
            .expect(303);
        assert!(answer.header("location").starts_with("/login"));
    }
}

#[tokio::test]
async fn no_page_goes_into_a_frame_or_loads_from_elsewhere() {
    let server = Server::start().await;
    let tenant = server.tenant("frames").await;
    let visitor = Visitor::of(&server, &tenant).await;
    let pages = pages();
    let pages = pages
        .iter()
        .map(|page| format!("/panel/{}{page}", tenant.id));
    let public = ["/", "/docs/instructions", "/api_docs", "/api_docs/try"];
    let all = pages
        .chain(of(routes::OPEN, "GET"))
        .chain(of(routes::SIGNED_IN, "GET"))
        .chain(public.map(str::to_owned));
    for page in all {
        let signed_out = matches!(page.as_str(), "/login" | "/register");
        let answer = if signed_out {
            server.client.get(&page).await
        } else {
            visitor.get(&page).await
        };
        let policy = answer.header("content-security-policy");
        // A report's chart stands in a frame, on this server's own pages.
        let (who, old) = match page.ends_with("/frame") {
            true => ("frame-ancestors 'self'", "SAMEORIGIN"),
            false => ("frame-ancestors 'none'", "DENY"),
        };
        assert!(policy.contains(who), "{page}: {policy}");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{page}: {policy}"
        );
        assert_eq!(answer.header("x-frame-options"), old, "{page}");
        let text = answer.text();
        if !answer.header("content-type").starts_with("text/html") {
            continue;
        }
        for bad in [
            "<style",
            " style=\"",
            "<script>",
            " onclick",
            "javascript:",
            "hx-on",
        ] {
            // A chart brings its style, which its policy names by hash.
            if bad == "<style" && page.ends_with("/frame") {
                continue;
            }
            assert!(!text.contains(bad), "{page} has {bad}");
        }
        for from in ["src=\"", "<link rel=\"stylesheet\" href=\""] {
            for part in text.split(from).skip(1) {
                assert!(
                    part.starts_with('/'),
                    "{page} loads {}",
                    &part[..40.min(part.len())]
                );
            }
        }
    }
}

#[tokio::test]
async fn log_out_on_all_devices() {
    let server = Server::start().await;
    let tenant = server.tenant("devices").await;
    let home = format!("/panel/{}", tenant.id);
    let (one, other) = (
        Visitor::of(&server, &tenant).await,
        Visitor::of(&server, &tenant).await,
    );
    let account = serde_json::json!({"email": tenant.email, "password": PASSWORD});
    let pair = server
        .client
        .post("/api/auth/token", &account)
        .await
        .expect(200)
        .json();
    one.submit(&home, "/logout/everywhere", &[])
        .await
        .expect(303);
    other.get(&home).await.expect(303);
    let refresh = serde_json::json!({"refresh_token": pair["refresh_token"]});
    server
        .client
        .post("/api/auth/refresh", &refresh)
        .await
        .problem(401, "invalid-token");
}

#[tokio::test]
async fn files_are_kept_for_good_and_pages_are_light() {
    let server = Server::start().await;
    let client = server.client.with("Accept-Encoding", "gzip, br");
    let page = client.get("/").await.expect(200);
    assert_eq!(page.header("content-encoding"), "gzip");
    let plain = server.client.get("/").await.expect(200).text();
    let mut whole = page.body.len();
    for part in plain.split("\"/assets/").skip(1) {
        let path = format!("/assets/{}", part.split('"').next().unwrap());
        let file = client.get(&path).await.expect(200);
        assert!(file.header("cache-control").contains("immutable"), "{path}");
        assert_eq!(file.header("content-encoding"), "gzip");
        whole += file.body.len();
        let raw = server.client.get(&path).await.expect(200);
        assert_eq!(raw.header("content-encoding"), "");
    }
    assert!(whole < 100_000, "{whole} bytes");
    server
        .client
        .get("/assets/panel-0000000000000000.css")
        .await
        .problem(404, "not-found");
}
