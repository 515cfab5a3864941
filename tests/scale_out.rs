//! Two servers on the same databases and the same Redis, behind a proxy that asks them in turn: what one of them
//! is told holds on both.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::{
    harness::{Answer, Client, PASSWORD, Server},
    limits_redis::Redis,
    soak::{round_robin, soak},
};

/// Longest time until the other server has noticed. It is told to be a second; tests share a busy machine.
const NOTICED: Duration = Duration::from_secs(4);

/// Asks until an answer is the wanted one.
async fn soon(client: &Client, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let begin = Instant::now();
    loop {
        let answer = client.get(path).await;
        if wanted(&answer) {
            println!("{path}: after {:?}", begin.elapsed());
            return answer;
        }
        assert!(begin.elapsed() < NOTICED, "{answer:?}");
        // So that asking does not reach the limit of a caller.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_soak_over_two_servers_is_right() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let flag = redis.flag();
    let one = Server::start_with(&[&flag]).await;
    let two = one.twin_with(&[&flag]).await;
    let address = round_robin(vec![one.client.address, two.client.address]).await;
    let report = soak(
        &format!("http://{address}"),
        &["--seconds=90", "--calls=300"],
    )
    .await;
    assert!(report.holds(), "{}", report.text());
    assert!(report.repeated > 0, "{}", report.text());
    assert!(report.refused.is_empty(), "{}", report.text());
}

#[tokio::test]
async fn what_one_server_is_told_holds_on_both() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let arguments = [&redis.flag(), "--token-rate=200"].map(String::from);
    let arguments = arguments.each_ref().map(String::as_str);
    let one = Server::start_with(&arguments).await;
    let two = one.twin_with(&arguments).await;
    let there = two.client.address;

    // Signing up: at once.
    let tenant = one.tenant("both").await;
    let schema = json!(tenant.schema);
    for client in [&tenant.admin, &tenant.admin.at(there)] {
        assert_eq!(client.read("/api/auth/me").await["schema"], schema);
    }
    let viewer = json!({"email": "viewer@mail.example", "password": PASSWORD});
    let keyed = tenant.keyed.at(there);
    keyed.post("/api/auth/signup", &viewer).await.expect(201);
    let viewer = tenant.keyed.sign_in("viewer@mail.example").await;
    viewer.at(there).read("/api/v1/clients/1").await;

    // A change of the schema: within a second on both; a name that is not known is looked for at once.
    let query = json!({"query": "create table fresh (id int primary key)"});
    tenant.admin.post("/api/v1/sql", &query).await.expect(200);
    tenant.admin.read("/api/v1/fresh").await;
    soon(&tenant.admin.at(there), "/api/v1/fresh", |answer| {
        answer.status == 200
    })
    .await;
    for (number, (from, to)) in [
        (tenant.admin.clone(), tenant.admin.at(there)),
        (tenant.admin.at(there), tenant.admin.clone()),
    ]
    .into_iter()
    .enumerate()
    {
        let column = format!("extra{number}");
        let query =
            json!({"query": format!("alter table clients add column {column} int default 7")});
        from.post("/api/v1/sql", &query).await.expect(200);
        for client in [&from, &to] {
            soon(client, "/api/v1/clients/1", |answer| {
                answer.json()["data"][&column] == 7
            })
            .await;
        }
    }

    // Writes with a key: once on both.
    let body = json!({"name": "Once on both"});
    let keyed = tenant.admin.with("Idempotency-Key", "both");
    let first = keyed.post("/api/v1/clients", &body).await.expect(201);
    let again = keyed
        .at(there)
        .post("/api/v1/clients", &body)
        .await
        .expect(201);
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("duplicate-request"), "true");

    // A token: good on both at once, revoked on both within a second.
    let wanted = json!({"name": "both", "scopes": ["tables"], "rate_limit": 30});
    let made = tenant.admin.at(there).post("/api/tokens", &wanted).await;
    let made = made.expect(201).json();
    let holder = one.client.bearer(made["token"].as_str().unwrap());

    // Its limit is one for both.
    let mut granted = 0;
    for number in 0..50 {
        let client = if number % 2 == 0 {
            holder.clone()
        } else {
            holder.at(there)
        };
        match client.get("/api/v1/clients/1").await.status {
            200 => granted += 1,
            status => assert_eq!(status, 429),
        }
    }
    // A window may end in between.
    assert!(granted == 30 || granted > 40, "{granted}");

    let wanted = json!({"name": "both again", "scopes": ["tables"]});
    let made = tenant.admin.post("/api/tokens", &wanted).await.expect(201);
    let made = made.json();
    let holder = one.client.bearer(made["token"].as_str().unwrap());
    for client in [&holder, &holder.at(there)] {
        client.get("/api/v1/clients/1").await.expect(200);
    }
    let path = format!("/api/tokens/{}", made["id"]);
    tenant.admin.delete(&path).await.expect(200);
    holder
        .get("/api/v1/clients/1")
        .await
        .problem(401, "invalid-token");
    let gone = |answer: &Answer| answer.status == 401;
    soon(&holder.at(there), "/api/v1/clients/1", gone).await;

    // A removal: the same.
    tenant.admin.delete("/api/tenant").await;
    let gone = soon(&tenant.keyed.at(there), "/api/tenant", gone).await;
    gone.problem(401, "invalid-api-key");
}
