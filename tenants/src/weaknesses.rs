//! Which promise a server that is not ours keeps less well, why, and what its superuser can do about it.

use crate::{
    error::Error, handle::Tenants, lease::Lease, names::quote_ident, roles::may_set,
    superuser::FAR_REACHING,
};

/// One promise that is weaker on this server than it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakness {
    /// What is lacking.
    pub what: String,
    /// What a tenant can do because of it.
    pub consequence: String,
    /// SQL for a superuser, or a setting of the server; run in the tenants database.
    pub remedy: String,
}

/// Looks at each thing that promises rest on, as the platform's role.
pub(crate) async fn probe(tenants: &Tenants, lease: &Lease) -> Result<Vec<Weakness>, Error> {
    let mut found = Vec::new();
    files(tenants, lease, &mut found).await?;
    functions(lease, &mut found).await?;
    databases(tenants, lease, &mut found).await?;
    template(lease, &mut found).await?;
    server(tenants, lease, &mut found).await?;
    Ok(found)
}

async fn files(tenants: &Tenants, lease: &Lease, found: &mut Vec<Weakness>) -> Result<(), Error> {
    if tenants.settings().limits.temp_file_kb >= 0 && !may_set(lease, "temp_file_limit").await? {
        found.push(Weakness {
            what: "the platform may not set temp_file_limit for its tenants".to_owned(),
            consequence: "one tenant's sorts can fill the server's disk".to_owned(),
            remedy: format!(
                "grant set on parameter temp_file_limit to {}",
                quote_ident(tenants.platform_role())
            ),
        });
    }
    if !may_set(lease, "log_min_messages").await? {
        found.push(Weakness {
            what: "the platform may not set log_min_messages for its tenants".to_owned(),
            consequence: "a tenant can write into the server's log, and fill its disk".to_owned(),
            remedy: format!(
                "grant set on parameter log_min_messages to {}",
                quote_ident(tenants.platform_role())
            ),
        });
    }
    Ok(())
}

async fn functions(lease: &Lease, found: &mut Vec<Weakness>) -> Result<(), Error> {
    let open = lease
        .query(
            &format!(
                "select case when p.proname ~ 'advisory' then 0 when p.proname ~ '^lo_' then 1 else 2 end,
                        pg_catalog.string_agg(p.oid::regprocedure::pg_catalog.text, ', ' order by p.oid)
                 from pg_catalog.pg_proc p
                 where {FAR_REACHING} and pg_catalog.has_function_privilege('public', p.oid, 'execute')
                 group by 1 order by 1"
            ),
            &[],
        )
        .await?;
    for row in open {
        let (what, consequence) = match row.get::<_, i32>(0) {
            0 => (
                "everybody may take advisory locks",
                "one tenant can fill the lock table of the whole cluster, and nobody can log in until it is stopped",
            ),
            1 => (
                "everybody may make large objects",
                "a tenant can store data outside its schema, which outlives it and no quota sees",
            ),
            _ => (
                "everybody may write messages into the write-ahead log",
                "a tenant can make the server write without having a table",
            ),
        };
        found.push(Weakness {
            what: what.to_owned(),
            consequence: consequence.to_owned(),
            remedy: format!(
                "revoke execute on function {} from public",
                row.get::<_, String>(1)
            ),
        });
    }
    Ok(())
}

async fn databases(
    tenants: &Tenants,
    lease: &Lease,
    found: &mut Vec<Weakness>,
) -> Result<(), Error> {
    let open = lease
        .query(
            "select datname::pg_catalog.text, pg_catalog.has_database_privilege('public', oid, 'connect'),
                    pg_catalog.has_database_privilege('public', oid, 'temporary'),
                    pg_catalog.has_database_privilege('public', oid, 'create')
             from pg_catalog.pg_database where datallowconn order by 1",
            &[],
        )
        .await?;
    let mut others: Vec<String> = Vec::new();
    for row in open {
        let database: String = row.get(0);
        let name = quote_ident(&database);
        let (connect, temporary, create): (bool, bool, bool) = (row.get(1), row.get(2), row.get(3));
        if database != tenants.database() {
            if connect {
                others.push(name);
            }
            continue;
        }
        if temporary {
            found.push(Weakness {
                what: "everybody may make temporary tables".to_owned(),
                consequence:
                    "a tenant can store data outside its schema for as long as a session lasts"
                        .to_owned(),
                remedy: format!("revoke temporary on database {name} from public"),
            });
        }
        if create {
            found.push(Weakness {
                what: "everybody may make schemas in the tenants database".to_owned(),
                consequence: "a tenant can keep schemas of its own, which outlive it".to_owned(),
                remedy: format!("revoke create on database {name} from public"),
            });
        }
    }
    if !others.is_empty() {
        let names = others.join(", ");
        found.push(Weakness {
            what: format!("everybody may connect to other databases of the cluster: {names}"),
            consequence:
                "a tenant that can reach the server itself can look into those databases' catalogs"
                    .to_owned(),
            remedy: format!("revoke connect, temporary on database {names} from public"),
        });
    }
    Ok(())
}

async fn template(lease: &Lease, found: &mut Vec<Weakness>) -> Result<(), Error> {
    let row = lease
        .query_one(
            "select pg_catalog.has_schema_privilege('public', 'public', 'usage'),
                    pg_catalog.has_schema_privilege('public', 'public', 'create')",
            &[],
        )
        .await?;
    if row.get(0) || row.get(1) {
        found.push(Weakness {
            what: "everybody may use the schema public".to_owned(),
            consequence: "a tenant can call the template's functions and, where it may create, change what others see"
                .to_owned(),
            remedy: "revoke all on schema public from public".to_owned(),
        });
    }
    Ok(())
}

async fn server(tenants: &Tenants, lease: &Lease, found: &mut Vec<Weakness>) -> Result<(), Error> {
    let row = lease
        .query_one(
            "select pg_catalog.current_setting('max_prepared_transactions')::int,
                    pg_catalog.current_setting('max_connections')::int
                        - pg_catalog.current_setting('superuser_reserved_connections')::int,
                    pg_catalog.current_setting('max_worker_processes')::int",
            &[],
        )
        .await?;
    let (prepared, connections): (i32, i32) = (row.get(0), row.get(1));
    if row.get::<_, i32>(2) > 0 {
        found.push(Weakness {
            what: "the server lends parallel workers to whoever asks".to_owned(),
            consequence: "one request of a tenant can keep several processors busy".to_owned(),
            remedy: "alter system set max_worker_processes = 0 -- then restart the server"
                .to_owned(),
        });
    }
    if prepared > 0 {
        found.push(Weakness {
            what: "the server keeps prepared transactions".to_owned(),
            consequence:
                "a tenant can leave transactions behind that hold locks with no session to end"
                    .to_owned(),
            remedy: "alter system set max_prepared_transactions = 0, and restart the server"
                .to_owned(),
        });
    }
    let wanted = i32::try_from(tenants.connections()).unwrap_or(i32::MAX);
    if wanted > connections {
        found.push(Weakness {
            what: format!(
                "the server takes {connections} connections, the pools may open {wanted}"
            ),
            consequence: "under load requests are refused before the pools' own limits are reached"
                .to_owned(),
            remedy: format!(
                "alter system set max_connections = {}, and restart the server",
                wanted + 20
            ),
        });
    }
    Ok(())
}
