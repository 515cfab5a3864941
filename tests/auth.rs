//! Signing in, staying signed in, signing out.

use serde_json::{Value, json};

use crate::harness::{Client, PASSWORD, Server};

async fn sign_in(client: &Client, email: &str, password: &str) -> crate::harness::Answer {
    let credentials = json!({"email": email, "password": password});
    client.post("/api/auth/token", &credentials).await
}

async fn refresh(client: &Client, tokens: &Value) -> crate::harness::Answer {
    let body = json!({"refresh_token": tokens["refresh_token"]});
    client.post("/api/auth/refresh", &body).await
}

#[tokio::test]
async fn a_pair_of_tokens_says_how_long_it_lasts() {
    let server = Server::start().await;
    let tenant = server.tenant("pair").await;
    let tokens = sign_in(&tenant.keyed, &tenant.email, PASSWORD)
        .await
        .expect(200)
        .json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 300);
    assert_eq!(tokens["refresh_expires_in"], 86_400);
}

#[tokio::test]
async fn addresses_are_compared_without_case() {
    let server = Server::start().await;
    let tenant = server.tenant("case").await;
    sign_in(&tenant.keyed, "CASE@Mail.Example", PASSWORD)
        .await
        .expect(200);
    sign_in(&server.client, "CASE@Mail.Example", PASSWORD)
        .await
        .expect(200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let server = Server::start().await;
    let tenant = server.tenant("same").await;
    for client in [&tenant.keyed, &server.client] {
        let wrong = sign_in(client, &tenant.email, "wrong horse").await;
        let unknown = sign_in(client, "nobody@mail.example", "wrong horse").await;
        assert_eq!(
            wrong.problem(401, "invalid-credentials"),
            unknown.problem(401, "invalid-credentials")
        );
    }
}

#[tokio::test]
async fn a_refresh_token_can_be_used_once_and_a_second_use_closes_the_session() {
    let server = Server::start().await;
    let tenant = server.tenant("rotate").await;
    let first = sign_in(&tenant.keyed, &tenant.email, PASSWORD)
        .await
        .expect(200)
        .json();
    let second = refresh(&server.client, &first).await.expect(200).json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let access = second["access_token"].as_str().unwrap();
    tenant
        .keyed
        .bearer(access)
        .get("/api/auth/me")
        .await
        .expect(200);

    refresh(&server.client, &first)
        .await
        .problem(401, "invalid-token");
    refresh(&server.client, &second)
        .await
        .problem(401, "invalid-token");
    // Other sessions of the same user are not touched.
    let other = sign_in(&tenant.keyed, &tenant.email, PASSWORD)
        .await
        .expect(200)
        .json();
    refresh(&server.client, &other).await.expect(200);
}

#[tokio::test]
async fn of_two_uses_at_once_one_wins() {
    let server = Server::start().await;
    let tenant = server.tenant("race").await;
    let tokens = sign_in(&tenant.keyed, &tenant.email, PASSWORD)
        .await
        .expect(200)
        .json();
    let uses =
        futures_util::future::join_all((0..8).map(|_| refresh(&server.client, &tokens))).await;
    let won = uses.iter().filter(|answer| answer.status == 200).count();
    assert!(won <= 1, "{won} uses of one refresh token were answered");
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token_and_the_other_way_round() {
    let server = Server::start().await;
    let tenant = server.tenant("swap").await;
    let tokens = sign_in(&tenant.keyed, &tenant.email, PASSWORD)
        .await
        .expect(200)
        .json();
    let swapped = json!({"refresh_token": tokens["access_token"]});
    refresh(&server.client, &swapped)
        .await
        .problem(401, "invalid-token");
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    tenant
        .keyed
        .bearer(refresh_token)
        .get("/api/auth/me")
        .await
        .problem(401, "invalid-token");
}

#[tokio::test]
async fn logging_out_closes_the_session() {
    let server = Server::start().await;
    let tenant = server.tenant("logout").await;
    let tokens = sign_in(&tenant.keyed, &tenant.email, PASSWORD)
        .await
        .expect(200)
        .json();
    let signed_in = tenant
        .keyed
        .bearer(tokens["access_token"].as_str().unwrap());
    signed_in
        .post("/api/auth/logout", &json!({}))
        .await
        .expect(200);
    refresh(&server.client, &tokens)
        .await
        .problem(401, "invalid-token");
}

#[tokio::test]
async fn me_is_whoever_signed_in() {
    let server = Server::start().await;
    let tenant = server.tenant("me").await;
    let me = tenant.admin.read("/api/auth/me").await;
    assert_eq!(me["email"], tenant.email.as_str());
    assert_eq!(
        (&me["kind"], &me["role"]),
        (&json!("user"), &json!("admin"))
    );
    let account = server.account(&tenant).await;
    let me = account.read("/api/auth/me").await;
    assert_eq!(
        (&me["kind"], &me["role"]),
        (&json!("account"), &Value::Null)
    );
}

#[tokio::test]
async fn signing_up_makes_a_viewer() {
    let server = Server::start().await;
    let tenant = server.tenant("signup").await;
    let viewer = tenant.user("new@mail.example", "viewer").await;
    let me = viewer.read("/api/auth/me").await;
    assert_eq!(me["role"], "viewer");
    let again = json!({"email": "NEW@mail.example", "password": PASSWORD});
    let problem = tenant
        .keyed
        .post("/api/auth/signup", &again)
        .await
        .problem(422, "creation-failed");
    assert!(problem["errors"]["email"].is_array(), "{problem}");
}

#[tokio::test]
async fn a_second_server_takes_the_firsts_tokens() {
    let server = Server::start().await;
    let tenant = server.tenant("twin").await;
    let twin = server.twin().await;
    let there = twin
        .client
        .with("Api-Key", &tenant.key)
        .bearer(tenant.admin.token());
    there.get("/api/auth/me").await.expect(200);
    there.get("/api/v1/clients?per_page=1").await.expect(200);
    // And a refresh token that one spent is spent for the other.
    let tokens = sign_in(&tenant.keyed, &tenant.email, PASSWORD)
        .await
        .expect(200)
        .json();
    refresh(&twin.client, &tokens).await.expect(200);
    refresh(&server.client, &tokens)
        .await
        .problem(401, "invalid-token");
}

#[tokio::test]
async fn a_role_that_changed_takes_effect_at_the_next_refresh() {
    let server = Server::start().await;
    let tenant = server.tenant("demoted").await;
    tenant.user("e@mail.example", "editor").await;
    let tokens = sign_in(&tenant.keyed, "e@mail.example", PASSWORD)
        .await
        .expect(200)
        .json();
    let users = tenant
        .admin
        .read("/api/v1/users?filter=email:e@mail.example")
        .await;
    let path = format!("/api/v1/users/{}", users["data"][0]["id"]);
    tenant
        .admin
        .patch(&path, &json!({"role": "viewer"}))
        .await
        .expect(200);
    let tokens = refresh(&server.client, &tokens).await.expect(200).json();
    let demoted = tenant
        .keyed
        .bearer(tokens["access_token"].as_str().unwrap());
    demoted
        .patch("/api/v1/clients/1", &json!({"name": "x"}))
        .await
        .problem(403, "permission-denied");
}

#[tokio::test]
async fn hashes_are_never_served_sorted_or_filtered_by() {
    let server = Server::start().await;
    let tenant = server.tenant("hashes").await;
    let list = tenant.admin.get("/api/v1/users").await.expect(200);
    assert!(!list.text().contains("argon2"), "{}", list.text());
    assert!(!list.text().contains("password"), "{}", list.text());
    let id = list.json()["data"][0]["id"].clone();
    let one = tenant
        .admin
        .get(&format!("/api/v1/users/{id}"))
        .await
        .expect(200);
    assert!(!one.text().contains("password"), "{}", one.text());
    for query in [
        "sort=password_hash",
        "fields=id,password_hash",
        "filter=password_hash:x",
    ] {
        tenant
            .admin
            .get(&format!("/api/v1/users?{query}"))
            .await
            .problem(400, "invalid-parameter");
    }
    let schema = tenant.admin.get("/api/v1/users/schema").await.expect(200);
    assert!(
        !schema.text().contains("password_hash"),
        "{}",
        schema.text()
    );
}

#[tokio::test]
async fn an_administrator_sets_passwords_without_ever_seeing_a_hash() {
    let server = Server::start().await;
    let tenant = server.tenant("setter").await;
    let user = json!({"email": "made@mail.example", "password": "another horse", "role": "editor"});
    let made = tenant.admin.post("/api/v1/users", &user).await.expect(201);
    assert!(!made.text().contains("argon2") && !made.text().contains("another horse"));
    sign_in(&tenant.keyed, "made@mail.example", "another horse")
        .await
        .expect(200);
    let path = format!("/api/v1/users/{}", made.json()["data"]["id"]);
    tenant
        .admin
        .patch(&path, &json!({"password": "a third horse"}))
        .await
        .expect(200);
    sign_in(&tenant.keyed, "made@mail.example", "another horse")
        .await
        .problem(401, "invalid-credentials");
    sign_in(&tenant.keyed, "made@mail.example", "a third horse")
        .await
        .expect(200);
    let short = tenant
        .admin
        .patch(&path, &json!({"password": "short"}))
        .await;
    assert!(short.problem(400, "validation-failed")["errors"]["password"].is_array());
}

#[tokio::test]
async fn a_hash_dearer_than_ours_is_not_computed() {
    let server = Server::start().await;
    let tenant = server.tenant("dear").await;
    let dear = "$argon2id$v=19$m=4194304,t=200,p=16$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";
    server
        .superuser()
        .await
        .execute(
            &format!("update \"{}\".users set password_hash = $1", tenant.schema),
            &[&dear],
        )
        .await
        .unwrap();
    sign_in(&tenant.keyed, &tenant.email, PASSWORD)
        .await
        .problem(401, "invalid-credentials");
}
