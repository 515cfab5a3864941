//! Tenants' login roles: made, healed after they locked themselves out, found when nobody knows them any more.

use std::collections::HashSet;

use crate::{
    error::Error,
    handle::Tenants,
    lease::Lease,
    names::{is_role, quote_ident, quote_literal},
};

/// What is in the cluster and known to nobody.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Schemas that the platform owns.
    pub schemas: Vec<String>,
    /// Roles that were made for this database.
    pub roles: Vec<String>,
}

impl Tenants {
    /// Makes the login role of a tenant, or puts an existing one in order. It is a member of nothing and owns nothing.
    ///
    /// # Errors
    /// [`Error::Sql`] when the name is taken by a role that the platform may not alter.
    pub async fn make_role(&self, role: &str) -> Result<(), Error> {
        let lease = self.platform().await?;
        lease.begin().await?;
        self.make_login(&lease, role).await?;
        lease.commit().await?;
        lease.finish();
        Ok(())
    }

    /// Undoes what a tenant may have done to its own role: stored settings, password.
    ///
    /// # Errors
    /// [`Error::Sql`] when there is no such role.
    pub async fn heal(&self, role: &str) -> Result<(), Error> {
        let lease = self.platform().await?;
        lease.begin().await?;
        self.put_in_order(&lease, role).await?;
        lease.commit().await?;
        lease.finish();
        Ok(())
    }

    /// Schemas and roles of ours that are not among the `known` names.
    ///
    /// Roles belong to the whole cluster, so only those that were made for this database count.
    pub async fn orphans(
        &self,
        known_schemas: &HashSet<String>,
        known_roles: &HashSet<String>,
    ) -> Result<Orphans, Error> {
        let lease = self.platform().await?;
        let schemas = lease
            .query(
                "select n.nspname::pg_catalog.text from pg_catalog.pg_namespace n
                 join pg_catalog.pg_roles r on r.oid = n.nspowner where r.rolname = $1::pg_catalog.text",
                &[&self.owner_role()],
            )
            .await?;
        let roles = lease
            .query(
                "select rolname::pg_catalog.text from pg_catalog.pg_roles
                 where rolname ~ '^t_' and pg_catalog.shobj_description(oid, 'pg_authid') = $1",
                &[&self.role_comment()],
            )
            .await?;
        lease.finish();
        let unknown = |rows: Vec<tokio_postgres::Row>, known: &HashSet<String>| -> Vec<String> {
            rows.iter()
                .map(|row| row.get::<_, String>(0))
                .filter(|name| !known.contains(name))
                .collect()
        };
        let mut roles = unknown(roles, known_roles);
        roles.retain(|role| is_role(role));
        Ok(Orphans {
            schemas: unknown(schemas, known_schemas),
            roles,
        })
    }

    /// Roles that may use a schema, other than its owner; none if there is no such schema.
    pub async fn users_of(&self, schema: &str) -> Result<HashSet<String>, Error> {
        let lease = self.platform().await?;
        let rows = lease
            .query(
                "select distinct r.rolname::pg_catalog.text from pg_catalog.pg_namespace n
                 cross join lateral pg_catalog.aclexplode(n.nspacl) granted
                 join pg_catalog.pg_roles r on r.oid = granted.grantee
                 where n.nspname = $1::pg_catalog.text and granted.grantee <> n.nspowner",
                &[&schema],
            )
            .await?;
        lease.finish();
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The same for tenants' roles and the template's reader; inside the caller's transaction.
    pub(crate) async fn make_login(&self, lease: &Lease, role: &str) -> Result<(), Error> {
        if !role_exists(lease, role).await? {
            // A member of nothing that would inherit nothing: two bars where one would do.
            lease
                .batch_execute(&format!("create role {} noinherit", quote_ident(role)))
                .await?;
            let comment = quote_literal(&self.role_comment());
            lease
                .batch_execute(&format!(
                    "comment on role {} is {comment}",
                    quote_ident(role)
                ))
                .await?;
        }
        self.put_in_order(lease, role).await
    }

    async fn put_in_order(&self, lease: &Lease, role: &str) -> Result<(), Error> {
        let limits = &self.settings().limits;
        let password = match self.settings().credentials.password(role) {
            // The verifier and not the password: the statement may end up in the server's log.
            Some(password) => quote_literal(&postgres_protocol::password::scram_sha_256(
                password.as_bytes(),
            )),
            None => "null".to_owned(),
        };
        let (name, database) = (quote_ident(role), quote_ident(self.database()));
        lease
            .batch_execute(&format!(
                "alter role {name} login noinherit connection limit {limit} password {password};
                 alter role {name} reset all;
                 alter role {name} in database {database} reset all;",
                limit = limits.role_connections(),
            ))
            .await?;
        if may_set(lease, "log_min_messages").await? {
            // `raise log` writes into the server's log, as long and as often as a tenant likes.
            lease
                .batch_execute(&format!("alter role {name} set log_min_messages = fatal"))
                .await?;
        }
        if may_set(lease, "temp_file_limit").await? {
            let bound = if limits.temp_file_kb < 0 {
                "-1".to_owned()
            } else {
                format!("{}kB", limits.temp_file_kb)
            };
            lease
                .batch_execute(&format!(
                    "alter role {name} set temp_file_limit = '{bound}'"
                ))
                .await?;
        }
        Ok(())
    }

    /// Marks a role as made for this database.
    pub(crate) fn role_comment(&self) -> String {
        format!("tenant of database {}", self.database())
    }
}

/// Asks whether the platform may set a superuser's parameter.
pub(crate) const MAY_SET: &str =
    "select pg_catalog.has_parameter_privilege(current_user, $1::pg_catalog.text, 'set')";

/// Whether the platform may set a superuser's parameter for its tenants; a tenant can't undo that.
pub(crate) async fn may_set(lease: &Lease, parameter: &str) -> Result<bool, Error> {
    let statement = lease.prepare_cached(MAY_SET).await?;
    Ok(lease.query_one(&statement, &[&parameter]).await?.get(0))
}

pub(crate) async fn role_exists(lease: &Lease, role: &str) -> Result<bool, Error> {
    let text =
        "select exists (select from pg_catalog.pg_roles where rolname = $1::pg_catalog.text)";
    let statement = lease.prepare_cached(text).await?;
    Ok(lease.query_one(&statement, &[&role]).await?.get(0))
}
