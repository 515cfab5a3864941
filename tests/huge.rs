//! One value, notice or error of a hundred megabytes: refused, and no harm to what comes after.

use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn what_is_too_long_is_refused_and_not_read() {
    let server = Server::start().await;
    let tenant = server.tenant("huge").await;
    let long = "repeat('x', 100000000)";
    server
        .as_tenant(
            &tenant,
            &format!(
                "create view hoards as select 1 as id, {long} as hoard;
                 create function loud() returns int language plpgsql as
                     $$ begin raise notice '%', {long}; return 1; end $$;
                 create function angry() returns int language plpgsql as
                     $$ begin raise exception '%', {long}; end $$;"
            ),
        )
        .await;
    let refused = async |answer: crate::harness::Answer| {
        let detail = answer.problem(400, "bad-request")["detail"].to_string();
        assert!(detail.contains("32 MB"), "{detail}");
        tenant.admin.get("/api/v1/clients/1").await.expect(200);
    };
    for path in [
        "/api/v1/hoards",
        "/api/v1/hoards?fields=hoard",
        "/api/v1/hoards?count=none",
    ] {
        refused(tenant.admin.get(path).await).await;
    }
    let query = json!({"query": "{ hoards { hoard } }"});
    let answer = tenant.admin.post("/api/v1/graphql", &query).await;
    let fault = answer.expect(200).json()["errors"][0].to_string();
    assert!(fault.contains("32 MB"), "{fault}");
    for query in [&format!("select {long}"), "select loud()", "select angry()"] {
        refused(
            tenant
                .admin
                .post("/api/v1/sql", &json!({ "query": query }))
                .await,
        )
        .await;
    }
}
