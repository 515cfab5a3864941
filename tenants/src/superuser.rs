//! What only a superuser can do, done once on the embedded server: the platform's role, its databases, and closing doors.

use std::{future::poll_fn, pin::pin};

use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use crate::{
    changes::TRIGGERS,
    error::Error,
    names::{quote_ident, quote_literal},
    settings::Settings,
    statistics,
};

/// Functions that reach beyond a schema, as a condition on `pg_proc p`.
///
/// The advisory ones fill the lock table of the whole cluster until nobody can log in; large objects belong to no
/// schema and to no quota; messages in the log of the server's own writing are disk space without a table.
pub(crate) const FAR_REACHING: &str = "p.pronamespace = 'pg_catalog'::regnamespace
    and (p.proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$'
         or p.proname in ('lo_create', 'lo_creat', 'lo_from_bytea', 'lo_import', 'pg_logical_emit_message'))";

/// Makes the platform's role and databases, gives it what its promises need, and takes from PUBLIC what breaks them.
///
/// `superuser` logs into any database of the cluster.
pub(crate) async fn prepare(superuser: &Config, settings: &Settings) -> Result<(), Error> {
    let role = settings.platform.get_user().unwrap_or_default();
    let tenants = settings.platform.get_dbname().unwrap_or_default();
    let client = connect(superuser).await?;
    make_platform(&client, role, settings.platform.get_password()).await?;
    for database in settings
        .platform_database
        .iter()
        .map(String::as_str)
        .chain([tenants])
    {
        make_database(&client, database, role).await?;
    }
    // Those that came with the server as well: a tenant must not find an open one next door.
    let databases = client
        .query(
            "select datname::text from pg_database d join pg_roles r on r.oid = d.datdba
             where datallowconn and (r.rolsuper or r.rolname = $1) order by 1",
            &[&role],
        )
        .await?;
    for row in databases {
        let database: String = row.get(0);
        close_database(&client, &database, database == tenants).await?;
        if database == tenants {
            // What a tenant raises would otherwise fill the disk by way of the server's log.
            let name = quote_ident(&database);
            client
                .batch_execute(&format!(
                    "alter database {name} set log_min_messages = fatal"
                ))
                .await?;
        }
        close_functions(&connect(superuser.clone().dbname(&database)).await?, role).await?;
    }
    Ok(())
}

/// What the platform can't make by itself in the schema `_sandlot` and for it: the function that gives copies their
/// statistics, and triggers, by which the tenants database tells of each change of a definition.
pub(crate) async fn complete(superuser: &Config, settings: &Settings) -> Result<(), Error> {
    let tenants = settings.platform.get_dbname().unwrap_or_default();
    let client = connect(superuser.clone().dbname(tenants)).await?;
    let platform = settings.platform.get_user().unwrap_or_default();
    statistics::provide(&client, platform).await?;
    for (name, event) in TRIGGERS {
        let known = "select from pg_event_trigger where evtname = $1";
        if client.query_opt(known, &[&name]).await?.is_none() {
            client
                .batch_execute(&format!(
                    "create event trigger {name} on {event} execute function _sandlot.tell_of_change();
                     alter event trigger {name} enable always"
                ))
                .await?;
        }
    }
    Ok(())
}

/// Opens a connection that belongs to no pool.
pub(crate) async fn connect(config: &Config) -> Result<Client, Error> {
    connect_and_hear(config, drop).await
}

/// The same; notices and notifications go to `hear`.
pub(crate) async fn connect_and_hear(
    config: &Config,
    mut hear: impl FnMut(AsyncMessage) + Send + 'static,
) -> Result<Client, Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        let mut connection = pin!(poll_fn(move |context| connection.poll_message(context)));
        while let Some(Ok(message)) = connection.as_mut().await {
            hear(message);
        }
    });
    Ok(client)
}

async fn make_platform(client: &Client, role: &str, password: Option<&[u8]>) -> Result<(), Error> {
    let name = quote_ident(role);
    let known = client
        .query_opt("select from pg_roles where rolname = $1", &[&role])
        .await?
        .is_some();
    if !known {
        client.batch_execute(&format!("create role {name}")).await?;
    }
    // A template's own rows are copied even where a table forces its policies on its owner. Of a tenant's tables the
    // platform reads none.
    client
        .batch_execute(&format!(
            "alter role {name} login createrole inherit bypassrls"
        ))
        .await?;
    if let Some(password) = password {
        let verifier = quote_literal(&postgres_protocol::password::scram_sha_256(password));
        client
            .batch_execute(&format!("alter role {name} password {verifier}"))
            .await?;
    }
    client
        .batch_execute(&format!(
            "grant pg_signal_backend to {name};
             grant set on parameter temp_file_limit, log_min_messages, session_replication_role to {name}"
        ))
        .await?;
    Ok(())
}

async fn make_database(client: &Client, database: &str, role: &str) -> Result<(), Error> {
    let (name, owner) = (quote_ident(database), quote_ident(role));
    if client
        .query_opt("select from pg_database where datname = $1", &[&database])
        .await?
        .is_none()
    {
        // Not from template1, which may hold what somebody put there.
        client
            .batch_execute(&format!(
                "create database {name} owner {owner} template template0 encoding 'UTF8'"
            ))
            .await?;
    }
    let others = "select from pg_database where datname = $1 and pg_get_userbyid(datdba) <> $2";
    if client
        .query_opt(others, &[&database, &role])
        .await?
        .is_some()
    {
        client
            .batch_execute(&format!("alter database {name} owner to {owner}"))
            .await?;
    }
    Ok(())
}

/// Nobody but its owner may come into a database, unless it is the `tenants`' own; and nobody makes temporary tables.
async fn close_database(client: &Client, database: &str, tenants: bool) -> Result<(), Error> {
    let rights = if tenants {
        "temporary"
    } else {
        "connect, temporary"
    };
    let open =
        "select has_database_privilege('public', oid, $2) from pg_database where datname = $1";
    let open = client
        .query_opt(open, &[&database, &rights])
        .await?
        .is_some_and(|row| row.get(0));
    if open {
        client
            .batch_execute(&format!(
                "revoke {rights} on database {} from public",
                quote_ident(database)
            ))
            .await?;
    }
    Ok(())
}

/// Functions are kept per database, and so are the rights on them.
async fn close_functions(client: &Client, role: &str) -> Result<(), Error> {
    let open = client
        .query(
            &format!(
                "select p.oid::regprocedure::text from pg_proc p
                 where {FAR_REACHING} and has_function_privilege('public', p.oid, 'execute')"
            ),
            &[],
        )
        .await?;
    if open.is_empty() {
        return Ok(());
    }
    let functions = open
        .iter()
        .map(|row| row.get::<_, String>(0))
        .collect::<Vec<_>>()
        .join(", ");
    client
        .batch_execute(&format!(
            "revoke execute on function {functions} from public; grant execute on function {functions} to {}",
            quote_ident(role)
        ))
        .await?;
    Ok(())
}
