//! Servers that are given: the platform's role is no superuser, and what it lacks is said.

use crate::harness::{connect, settings, superuser};
use tenants::{Access, Error, Identity, Settings, Tenants, names};

/// What somebody has to do before a server can be given: a role, and two databases that it owns.
async fn give(settings: &Settings) -> tokio_postgres::Client {
    let client = connect(&superuser()).await.unwrap();
    let role = settings.platform.get_user().unwrap();
    client
        .batch_execute(&format!("create role {role} login createrole"))
        .await
        .unwrap();
    for database in [
        settings.platform.get_dbname().unwrap(),
        settings.platform_database.as_deref().unwrap(),
    ] {
        client
            .batch_execute(&format!(
                "create database {database} owner {role} template template0"
            ))
            .await
            .unwrap();
    }
    client
}

#[tokio::test]
async fn each_weakness_is_named_and_its_remedy_works() {
    let (settings, _) = settings(|_| ());
    give(&settings).await;
    let tenants = Tenants::open(settings.clone()).unwrap();
    let found = tenants.prepare(None).await.unwrap();
    for word in [
        "temp_file_limit",
        "advisory",
        "large objects",
        "write-ahead",
    ] {
        assert!(
            found.iter().any(|weakness| weakness.what.contains(word)),
            "{word}: {found:?}"
        );
    }
    for word in [
        "temporary tables",
        "schema public",
        settings.platform_database.as_deref().unwrap(),
    ] {
        assert!(
            !found.iter().any(|weakness| weakness.what.contains(word)),
            "the owner closes it: {word}"
        );
    }
    let client = connect(superuser().dbname(settings.platform.get_dbname().unwrap()))
        .await
        .unwrap();
    for weakness in found
        .iter()
        .filter(|weakness| !weakness.what.starts_with("everybody may connect to other"))
    {
        client
            .batch_execute(&weakness.remedy)
            .await
            .expect(&weakness.remedy);
    }
    let left = tenants.prepare(None).await.unwrap();
    let left: Vec<_> = left
        .iter()
        .filter(|weakness| !weakness.what.starts_with("everybody may connect to other"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_tenant_lives_without_a_superuser() {
    let (settings, serial) = settings(|_| ());
    give(&settings).await;
    let tenants = Tenants::open(settings).unwrap();
    tenants.prepare(None).await.unwrap();
    let (role, schema) = (names::fresh_role(), format!("ann_{serial:06}"));
    tenants.make_role(&role).await.unwrap();
    tenants.make_schema(&schema, &role).await.unwrap();
    let ann = Identity {
        role: role.clone(),
        schema: schema.clone(),
        read_only: false,
    };
    let fill = tenants.fill(&role).await.unwrap();
    fill.batch_execute(&format!(
        "create table {schema}.t (i int); alter table {schema}.t owner to {role}"
    ))
    .await
    .unwrap();
    fill.commit().await.unwrap();
    let lease = tenants.lease(&ann, Access::Write).await.unwrap();
    lease
        .batch_execute("insert into t values (1)")
        .await
        .unwrap();
    // Without pg_signal_backend a stubborn session is ended all the same.
    let stubborn = "set client_connection_check_interval = 0; do $$ begin loop begin perform pg_sleep(60); exception when query_canceled then null; end; end loop; end $$";
    let outcome = lease
        .run(
            std::time::Duration::from_millis(50),
            lease.batch_execute(stubborn),
        )
        .await;
    assert!(matches!(outcome, Err(Error::Timeout { .. })));
    let pid = lease.pid();
    drop(lease);
    let client = connect(&superuser()).await.unwrap();
    let there = "select count(*) from pg_stat_activity where pid = $1";
    let gone = async {
        while client
            .query_one(there, &[&pid])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone)
        .await
        .expect("terminated");
    tenants.remove(&schema, &role).await.unwrap();
}

#[tokio::test]
async fn a_pool_that_drops_the_settings_of_a_session_is_refused() {
    let (mut settings, _) = settings(|_| ());
    give(&settings).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut before = tokio_postgres::Config::new();
    before
        .host("127.0.0.1")
        .port(listener.local_addr().unwrap().port())
        .user(settings.platform.get_user().unwrap())
        .dbname(settings.platform.get_dbname().unwrap());
    let [tokio_postgres::config::Host::Unix(folder), ..] = settings.platform.get_hosts() else {
        panic!("the scratch server is reached by its socket");
    };
    let socket = folder.join(".s.PGSQL.5432");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = tokio::net::UnixStream::connect(&socket).await.unwrap();
            tokio::spawn(without_options(client, server));
        }
    });
    settings.platform = before;
    let error = Tenants::open(settings)
        .unwrap()
        .prepare(None)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Unfit(what) if what.contains("`options`")),
        "{error:?}"
    );
}

/// Passes a connection on, but for the `options` of its first message (length, version, names and values, each ended by a zero).
async fn without_options(mut client: tokio::net::TcpStream, mut server: tokio::net::UnixStream) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let length = client.read_u32().await.unwrap() as usize;
    let mut message = vec![0; length - 4];
    client.read_exact(&mut message).await.unwrap();
    let (version, settings) = message.split_at(4);
    let mut kept = version.to_vec();
    let mut texts = settings.split(|byte| *byte == 0);
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        if name != b"options" && !name.is_empty() {
            kept.extend([name, b"\0", value, b"\0"].concat());
        }
    }
    kept.push(0);
    server.write_u32(kept.len() as u32 + 4).await.unwrap();
    server.write_all(&kept).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn what_nothing_works_without_is_refused_with_the_remedy() {
    let (settings, _) = settings(|_| ());
    let client = give(&settings).await;
    let role = settings.platform.get_user().unwrap();
    client
        .batch_execute(&format!("alter role {role} nocreaterole"))
        .await
        .unwrap();
    let tenants = Tenants::open(settings.clone()).unwrap();
    match tenants.prepare(None).await {
        Err(Error::Unfit(words)) => assert!(words.contains("createrole"), "{words}"),
        other => panic!("{other:?}"),
    }
    client
        .batch_execute(&format!("alter role {role} createrole"))
        .await
        .unwrap();
    let database = settings.platform.get_dbname().unwrap();
    client
        .batch_execute(&format!("alter database {database} owner to postgres"))
        .await
        .unwrap();
    match tenants.prepare(None).await {
        Err(Error::Unfit(words)) => assert!(words.contains("owner to"), "{words}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let (mut settings, _) = settings(|_| ());
    let nowhere = tempfile::tempdir().unwrap();
    let mut platform = tokio_postgres::Config::new();
    platform
        .host_path(nowhere.path())
        .user("sandlot")
        .dbname("sandlot_tenants");
    settings.platform = platform;
    let tenants = Tenants::open(settings).unwrap();
    let error = tenants.ping().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
}
