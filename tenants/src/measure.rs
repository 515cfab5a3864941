//! What a tenant has on disk, measured without waiting for anybody; and making room again.

use std::collections::HashSet;

use tokio_postgres::error::SqlState;

use crate::{
    connect::Identity, error::Error, handle::Tenants, lease::Access, ledger, names::quote_ident,
};

/// What a relation costs besides its pages: rows in the catalogs, which all tenants share. Bytes.
const PER_RELATION: i64 = 16 * 1024;

/// What a large object counts: only a superuser could read its size. Nobody can make one where a superuser has seen to it.
const PER_LARGE_OBJECT: i64 = 1024 * 1024;

/// Through the schema's dependencies, for a look by `relnamespace` reads the tables of all tenants.
const SIZE: &str = "
    with relations as (
        select c.oid, c.relkind from pg_catalog.pg_depend d join pg_catalog.pg_class c on c.oid = d.objid
        where d.classid = 'pg_catalog.pg_class'::regclass
          and d.refclassid = 'pg_catalog.pg_namespace'::regclass
          and d.refobjid = (select oid from pg_catalog.pg_namespace where nspname = $1::pg_catalog.text))
    select (select pg_catalog.count(*) * $3 + coalesce(pg_catalog.sum(
                       case when relkind in ('r', 'm', 'S') then pg_catalog.pg_total_relation_size(oid) end), 0)
            from relations)
         + (select pg_catalog.count(*) * $4 from pg_catalog.pg_largeobject_metadata
            where lomowner = (select oid from pg_catalog.pg_roles where rolname = $2::pg_catalog.text))
         + (select pg_catalog.count(*) * $5 + coalesce(pg_catalog.sum(pg_catalog.octet_length(answer)), 0)
            from _sandlot.replies where role = $2::pg_catalog.text::pg_catalog.name)";

/// Tables of which so much is dead that it pays to write them anew.
const LOOSE: &str = "
    select c.relname::pg_catalog.text from pg_catalog.pg_depend d
    join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) d.objid
    where d.classid operator(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.refclassid operator(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
      and d.refobjid operator(pg_catalog.=) (
          select n.oid from pg_catalog.pg_namespace n where n.nspname operator(pg_catalog.=) $1::pg_catalog.text)
      and c.relkind operator(pg_catalog.=) any (array['r', 'm']::pg_catalog.\"char\"[])
      and pg_catalog.pg_stat_get_dead_tuples(c.oid) operator(pg_catalog.*) 4
          operator(pg_catalog.>) pg_catalog.pg_stat_get_live_tuples(c.oid)
      and pg_catalog.pg_stat_get_dead_tuples(c.oid) operator(pg_catalog.>) 100";

impl Tenants {
    /// Roles that had a connection to write since this was last asked.
    pub fn take_active(&self) -> HashSet<String> {
        std::mem::take(&mut self.0.active.lock())
    }

    /// Bytes that a tenant takes: tables, indexes, what they cost in the catalogs, large objects,
    /// entries of the replay ledger.
    ///
    /// None while a lock of the tenant's own keeps a table from being measured: the platform does not wait for it.
    pub async fn measure(&self, schema: &str, role: &str) -> Result<Option<i64>, Error> {
        let lease = self.platform().await?;
        lease.begin().await?;
        lease
            .batch_execute("set local lock_timeout = '50ms'")
            .await?;
        let text = format!("select ({SIZE})::pg_catalog.int8");
        let statement = lease.prepare_cached(&text).await?;
        let measured = lease
            .query_one(
                &statement,
                &[
                    &schema,
                    &role,
                    &PER_RELATION,
                    &PER_LARGE_OBJECT,
                    &ledger::PER_ENTRY,
                ],
            )
            .await;
        lease.rollback().await?;
        lease.finish();
        match measured {
            Ok(row) => Ok(Some(row.get(0))),
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives back the room of deleted rows, as the tenant: its index expressions run while a table is written anew.
    ///
    /// # Errors
    /// [`Error::Timeout`] if it takes longer than a request may; what is done by then stays done.
    pub async fn make_room(&self, identity: &Identity) -> Result<(), Error> {
        let lease = self.lease(identity, Access::Write).await?;
        let work = async {
            for table in lease.query(LOOSE, &[&identity.schema]).await? {
                let table = quote_ident(table.get(0));
                let schema = quote_ident(&identity.schema);
                lease
                    .batch_execute(&format!("vacuum (full) {schema}.{table}"))
                    .await?;
            }
            Ok::<(), Error>(())
        };
        let outcome = lease.run(self.settings().limits.statement, work).await;
        lease.finish_raw();
        outcome
    }

    /// Takes back memberships in tenants' roles, which before PostgreSQL 16 a role may give in itself; how many.
    pub async fn sever(&self) -> Result<u64, Error> {
        let lease = self.platform().await?;
        let given = lease
            .query(
                "select r.rolname::pg_catalog.text, m.rolname::pg_catalog.text
                 from pg_catalog.pg_auth_members a
                 join pg_catalog.pg_roles r on r.oid = a.roleid
                 join pg_catalog.pg_roles m on m.oid = a.member
                 where r.rolname ~ '^t_[a-z2-7]{26}$'
                   and pg_catalog.shobj_description(r.oid, 'pg_authid') = $1
                   -- Since 16 whoever makes a role administers it, and nothing more.
                   and not (m.rolname = current_user and a.admin_option)",
                &[&self.role_comment()],
            )
            .await?;
        for row in &given {
            let (role, member) = (quote_ident(row.get(0)), quote_ident(row.get(1)));
            lease
                .batch_execute(&format!("revoke {role} from {member}"))
                .await?;
        }
        lease.finish();
        Ok(given.len() as u64)
    }
}
