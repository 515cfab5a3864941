//! The check of the walls: green on the server as it is, red where tenants share a login role.

use std::sync::Arc;

use sandlot::check::{self, Finding, Verdict, entrance::Entrance};

use crate::harness::Server;

#[tokio::test]
async fn all_walls_hold() {
    let server = Server::start_with(&["--request-timeout=4"]).await;
    let weaknesses = server.app.tenants.prepare(None).await.unwrap();
    let entrance = Entrance::own(server.app.tenants.clone());
    let report = check::run(&server.app, server.client.address, &entrance, &weaknesses)
        .await
        .unwrap();
    println!("{}", report.text());
    let broken: Vec<&Finding> = report.broken().collect();
    assert!(broken.is_empty(), "{broken:#?}");
    // Which ones are open is known; a new one has to be thought about.
    let open: Vec<&str> = report
        .escapes
        .iter()
        .filter(|finding| matches!(finding.verdict, Verdict::Open(_)))
        .map(|finding| finding.name)
        .collect();
    assert_eq!(
        open,
        [
            "transaction numbers",
            "notifications",
            "automatic analyze",
            "caches and disk bandwidth",
        ]
    );
    let left = "select count(*) from accounts where email like '%@check.sandlot.invalid'";
    let platform = server.platform_superuser().await;
    assert_eq!(
        platform
            .query_one(left, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
}

#[tokio::test]
async fn a_shared_role_is_found_out() {
    let server = Server::start_with(&["--request-timeout=4"]).await;
    let superuser = Arc::new(server.superuser().await);
    let gateway = format!("gateway_{}", rand::random::<u32>());
    superuser
        .batch_execute(&format!("create role {gateway} login noinherit"))
        .await
        .unwrap();
    let config = server.config_of(&gateway);
    let login = gateway.clone();
    // What many do: one role logs in for all, and each piece of work begins by becoming the tenant.
    let entrance = Entrance {
        open: Box::new(move |identity, database| {
            let (superuser, mut config, login) =
                (Arc::clone(&superuser), config.clone(), login.clone());
            Box::pin(async move {
                superuser
                    .batch_execute(&format!("grant {} to {login}", identity.role))
                    .await?;
                if let Some(database) = database {
                    config.dbname(database);
                }
                let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
                tokio::spawn(connection);
                Ok(client)
            })
        }),
        before: Box::new(|identity| {
            format!(
                "set local role {}; set local search_path = \"{}\"",
                identity.role, identity.schema
            )
        }),
    };
    let report = check::run(&server.app, server.client.address, &entrance, &[])
        .await
        .unwrap();
    println!("{}", report.text());
    assert!(!report.holds());
    let readers: Vec<&str> = report
        .broken()
        .filter(
            |finding| matches!(&finding.verdict, Verdict::Broken(seen) if seen.contains("read")),
        )
        .map(|finding| finding.name)
        .collect();
    for name in [
        "role switch in text",
        "transaction left in text",
        "trap: trigger",
        "trap: deferred trigger",
        "trap: default",
        "trap: view",
        "trap: policy",
        "trap: index expression",
    ] {
        assert!(readers.contains(&name), "{name} is not among {readers:?}");
    }
}
