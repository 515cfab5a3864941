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
    let before = sign_in(&tenant.keyed, "made@mail.example", "another horse")
        .await
        .expect(200)
        .json();
    let path = format!("/api/v1/users/{}", made.json()["data"]["id"]);
    tenant
        .admin
        .patch(&path, &json!({"password": "a third horse"}))
        .await
        .expect(200);
    sign_in(&tenant.keyed, "made@mail.example", "another horse")
        .await
        .problem(401, "invalid-credentials");
    let after = sign_in(&tenant.keyed, "made@mail.example", "a third horse")
        .await
        .expect(200)
        .json();
    // Whoever had the old password is out; a change of anything else ends nothing.
    tenant
        .admin
        .patch(&path, &json!({"role": "viewer"}))
        .await
        .expect(200);
    refresh(&tenant.keyed, &before)
        .await
        .problem(401, "invalid-token");
    refresh(&tenant.keyed, &after).await.expect(200);
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

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_it() {
    let server = Server::start().await;
    let tenant = server.tenant("careful").await;
    let account = server.account(&tenant).await;
    let (target, new) = ("/api/auth/password", "another horse");
    let body = |old: &str, new: &str| json!({"current_password": old, "new_password": new});
    let session = |client: Client, email: String, password: &'static str| async move {
        sign_in(&client, &email, password).await.expect(200).json()
    };
    let (plain, keyed) = (server.client.clone(), tenant.keyed.clone());
    let other = session(plain.clone(), tenant.email.clone(), PASSWORD).await;
    let in_copy = session(keyed.clone(), tenant.email.clone(), PASSWORD).await;

    // What does not fit is said, and changes nothing.
    let wrong = account.post(target, &body("wrong horse", new)).await;
    let wrong = wrong.problem(401, "invalid-credentials");
    assert_eq!(wrong["errors"]["current_password"], json!(["is wrong"]));
    for (old, new, field) in [
        (PASSWORD, "short", "new_password"),
        (PASSWORD, &"x".repeat(129), "new_password"),
    ] {
        let refused = account.post(target, &body(old, new)).await;
        let refused = refused.problem(400, "validation-failed");
        assert!(refused["errors"].get(field).is_some(), "{refused}");
    }
    let half = json!({"current_password": PASSWORD});
    let half = account.post(target, &half).await;
    half.problem(400, "validation-failed");
    sign_in(&plain, &tenant.email, PASSWORD).await.expect(200);

    // The right one: all other sessions are over, this one is not, and the user that the registration
    // made has the new password too.
    let mine = session(plain.clone(), tenant.email.clone(), PASSWORD).await;
    let me = plain.bearer(mine["access_token"].as_str().unwrap());
    let done = me.post(target, &body(PASSWORD, new)).await.expect(200);
    let done = done.json();
    assert_eq!(done["tenants"], json!([tenant.schema]));
    assert!(done["sessions_ended"].as_u64().unwrap() >= 4, "{done}");
    refresh(&plain, &other).await.problem(401, "invalid-token");
    refresh(&keyed, &in_copy)
        .await
        .problem(401, "invalid-token");
    refresh(&plain, &mine).await.expect(200);
    for client in [&plain, &keyed] {
        let old = sign_in(client, &tenant.email, PASSWORD).await;
        old.problem(401, "invalid-credentials");
        sign_in(client, &tenant.email, new).await.expect(200);
    }
    let registration = json!({"email": tenant.email, "password": PASSWORD});
    let refused = plain.post("/api/register", &registration).await;
    refused.problem(401, "invalid-credentials");

    // A user of a copy, of whatever role, changes their own alone.
    let viewer = tenant.keyed.clone();
    let newcomer = json!({"email": "viewer@mail.example", "password": PASSWORD});
    viewer.post("/api/auth/signup", &newcomer).await.expect(201);
    let theirs = session(keyed.clone(), "viewer@mail.example".into(), PASSWORD).await;
    let elsewhere = session(keyed.clone(), "viewer@mail.example".into(), PASSWORD).await;
    let viewer = keyed.bearer(theirs["access_token"].as_str().unwrap());
    let wrong = viewer
        .post(target, &body("wrong horse", "my own horse"))
        .await;
    wrong.problem(401, "invalid-credentials");
    let done = viewer.post(target, &body(PASSWORD, "my own horse")).await;
    let done = done.expect(200).json();
    assert_eq!(done, json!({"sessions_ended": 1, "tenants": []}));
    refresh(&keyed, &elsewhere)
        .await
        .problem(401, "invalid-token");
    refresh(&keyed, &theirs).await.expect(200);
    sign_in(&keyed, "viewer@mail.example", "my own horse")
        .await
        .expect(200);

    // A user who was given a password of their own keeps it when the account's changes again.
    let owner = session(keyed.clone(), tenant.email.clone(), new).await;
    let owner = keyed.bearer(owner["access_token"].as_str().unwrap());
    let own = owner.post(target, &body(new, "the copy's horse")).await;
    own.expect(200);
    let done = me.post(target, &body(new, "a third horse")).await;
    assert_eq!(done.expect(200).json()["tenants"], json!([]));
    sign_in(&keyed, &tenant.email, "the copy's horse")
        .await
        .expect(200);
    sign_in(&plain, &tenant.email, "a third horse")
        .await
        .expect(200);
}

#[tokio::test]
async fn of_two_new_passwords_at_once_one_holds() {
    let server = Server::start().await;
    let tenant = server.tenant("twofold").await;
    let account = server.account(&tenant).await;
    let body = |new: &str| json!({"current_password": PASSWORD, "new_password": new});
    let (one, other) = (body("first new horse"), body("second new horse"));
    let target = "/api/auth/password";
    let (one, other) = tokio::join!(account.post(target, &one), account.post(target, &other));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[tokio::test]
async fn passwords_are_not_guessed_at_by_changing_them() {
    let server = Server::start_with(&["--sign-in-rate=5"]).await;
    let tenant = server.tenant("guessed").await;
    let account = server.account(&tenant).await;
    let guess = json!({"current_password": "a guess", "new_password": "another horse"});
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let answer = account.post("/api/auth/password", &guess).await;
        statuses.push(answer.status);
    }
    assert!(statuses.ends_with(&[429, 429, 429]), "{statuses:?}");
}

#[tokio::test]
async fn a_name_is_changed_by_whoever_bears_it() {
    let server = Server::start().await;
    let tenant = server.tenant("named").await;
    let account = server.account(&tenant).await;
    let viewer = tenant.user("viewer@mail.example", "viewer").await;
    for client in [&account, &viewer] {
        let before = client.read("/api/auth/me").await;
        let changed = client
            .patch("/api/auth/me", &json!({"name": " Ada Ümläut "}))
            .await
            .expect(200)
            .json();
        assert_eq!(changed["name"], "Ada Ümläut");
        assert_eq!(changed["id"], before["id"]);
        assert_eq!(client.read("/api/auth/me").await, changed);
        for wrong in [
            json!({}),
            json!({"name": 5}),
            json!({"name": "x".repeat(201)}),
            json!({"name": "Ada", "email": "other@mail.example"}),
            json!({"name": "Ada", "role": "admin"}),
        ] {
            let refused = client.patch("/api/auth/me", &wrong).await;
            refused.problem(400, "validation-failed");
        }
    }
    let nameless = json!({"name": null});
    let changed = account.patch("/api/auth/me", &nameless).await.expect(200);
    assert!(changed.json().get("name").is_none());
    // A copy whose users have no names can't take one.
    server
        .as_tenant(&tenant, "alter table users drop column name cascade")
        .await;
    let refused = viewer.patch("/api/auth/me", &json!({"name": "Ada"})).await;
    refused.problem(422, "update-failed");
}
