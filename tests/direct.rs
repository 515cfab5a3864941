//! The door for PostgreSQL's own protocol: who comes in by it, and what guards them there.

use tokio_postgres::{Config, Error, NoTls};

use crate::harness::{Server, connect};

const LISTEN: &str = "--direct-listen=127.0.0.1:0";

fn code<T>(outcome: Result<T, Error>) -> String {
    let error = outcome.err().expect("it was done");
    let code = error.code().map(|state| state.code().to_owned());
    code.unwrap_or_else(|| error.to_string())
}

#[tokio::test]
async fn where_there_is_no_door_the_call_says_so() {
    let server = Server::start().await;
    let tenant = server.tenant("shut").await;
    let answer = tenant.admin.get("/api/tenant/connection").await;
    answer.problem(404, "feature-disabled");
}

#[tokio::test]
async fn a_tenant_logs_in_as_its_own_role_with_the_servers_settings() {
    let server = Server::start_with(&[LISTEN]).await;
    let tenant = server.tenant("open").await;
    let viewer = tenant.user("v@mail.example", "viewer").await;
    let refused = viewer.get("/api/tenant/connection").await;
    refused.problem(403, "permission-denied");

    let url = tenant.connection_url().await;
    let client = connect(&url.parse().unwrap()).await.unwrap();
    let row = client
        .query_one(
            "select session_user::text, current_user::text, current_setting('search_path'),
                    current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'),
                    (select count(*) from clients)",
            &[],
        )
        .await
        .unwrap();
    let role = server.role(&tenant).await;
    assert_eq!(
        (row.get::<_, String>(0), row.get::<_, String>(1)),
        (role.clone(), role)
    );
    let path: String = row.get(2);
    assert!(path.contains(&tenant.schema), "{path}");
    assert_eq!(
        (row.get::<_, String>(3), row.get::<_, String>(4)),
        ("65s".into(), "65s".into())
    );
    assert!(row.get::<_, i64>(5) > 0);

    // What it writes is there over HTTP, and the other way round.
    client
        .batch_execute("insert into clients (name) values ('Direct')")
        .await
        .unwrap();
    let seen = tenant
        .admin
        .read("/api/v1/clients?filter=name:Direct")
        .await;
    assert_eq!(seen["meta"]["total"], 1);

    // A statement is cancelled by the protocol's own way.
    let cancel = client.cancel_token();
    let sleeping = tokio::spawn(async move { client.batch_execute("select pg_sleep(60)").await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    cancel.cancel_query(NoTls).await.unwrap();
    assert_eq!(code(sleeping.await.unwrap()), "57014");
}

#[tokio::test]
async fn nobody_else_comes_in() {
    let server = Server::start_with(&[LISTEN]).await;
    let (one, other) = (server.tenant("one").await, server.tenant("other").await);
    let (mine, theirs): (Config, Config) = (
        one.connection_url().await.parse().unwrap(),
        other.connection_url().await.parse().unwrap(),
    );
    connect(&mine).await.unwrap();
    let password =
        |config: &Config| String::from_utf8(config.get_password().unwrap().to_vec()).unwrap();

    let mut wrong = mine.clone();
    wrong.password(password(&theirs));
    assert_eq!(code(connect(&wrong).await), "28P01");
    wrong.password("");
    assert!(connect(&wrong).await.is_err());
    for user in [
        "sandlot",
        "postgres",
        "sandlot_reader",
        "sandlot_owner",
        "t_nobody",
        "",
    ] {
        let mut somebody = mine.clone();
        somebody.user(user).password(password(&mine));
        assert!(connect(&somebody).await.is_err(), "{user}");
    }
    for database in ["sandlot", "postgres", "template1", "nosuch"] {
        let mut elsewhere = mine.clone();
        elsewhere.dbname(database);
        assert_eq!(code(connect(&elsewhere).await), "3D000", "{database}");
    }
    let mut encrypted = mine.clone();
    encrypted.ssl_mode(tokio_postgres::config::SslMode::Prefer);
    connect(&encrypted).await.unwrap();

    // Replication and rubbish end the connection and nothing else.
    let startup = format!(
        "\0\x03\0\0user\0{}\0database\0{}\0replication\0true\0\0",
        mine.get_user().unwrap(),
        mine.get_dbname().unwrap()
    );
    let length = u32::try_from(startup.len() + 4).unwrap().to_be_bytes();
    let replication = [&length, startup.as_bytes()].concat();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let tokio_postgres::config::Host::Tcp(host) = &mine.get_hosts()[0] else {
        panic!("no TCP");
    };
    for rubbish in [
        replication.as_slice(),
        b"GET / HTTP/1.1\r\n\r\n".as_slice(),
        &[0; 8],
        &[0, 0, 0, 8, 0, 3, 0, 0],
        &[255; 64],
    ] {
        let mut raw = tokio::net::TcpStream::connect((host.as_str(), mine.get_ports()[0]))
            .await
            .unwrap();
        raw.write_all(rubbish).await.unwrap();
        raw.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = raw.read_to_end(&mut rest).await;
        assert!(rest.is_empty() || rest[0] == b'E', "{rest:?}");
    }
    connect(&mine).await.unwrap();
}

#[tokio::test]
async fn a_tenants_share_of_connections_and_its_quota_hold_here_too() {
    let server = Server::start_with(&[LISTEN]).await;
    let tenant = server.tenant("share").await;
    let config: Config = tenant.connection_url().await.parse().unwrap();
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(connect(&config).await.unwrap());
    }
    assert_eq!(code(connect(&config).await), "53300");
    // The API has places of its own.
    tenant
        .admin
        .get("/api/v1/clients?per_page=1")
        .await
        .expect(200);
    drop(open.pop());
    let again = async {
        while connect(&config).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), again)
        .await
        .unwrap();

    // Above its quota it is put out, and stays out until there is room.
    server.app.tenancy.measure(1, true).await.unwrap();
    let put_out = async {
        while open[0].batch_execute("select 1").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), put_out)
        .await
        .unwrap();
    assert_eq!(code(connect(&config).await), "53100");
    server.app.tenancy.measure(u64::MAX, true).await.unwrap();
    connect(&config).await.unwrap();
    tenant.admin.delete("/api/tenant").await.expect(200);
    assert_eq!(code(connect(&config).await), "28P01");
}

#[tokio::test]
async fn silent_strangers_do_not_keep_a_tenant_out() {
    let server = Server::start_with(&[LISTEN, "--direct-connections=4"]).await;
    let tenant = server.tenant("strangers").await;
    let url: Config = tenant.connection_url().await.parse().unwrap();
    let port = url.get_ports()[0];
    let mut silent = Vec::new();
    for _ in 0..40 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        // All of 127.0.0.0/8 is this machine.
        socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
        silent.push(socket.connect(([127, 0, 0, 1], port).into()).await.unwrap());
    }
    let client = connect(&url).await.unwrap();
    client.query_one("select 1", &[]).await.unwrap();
}
