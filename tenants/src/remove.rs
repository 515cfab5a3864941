//! The end of a tenant: sessions, schema, role, and what other tenants' grants have pinned to it.

use crate::{
    error::Error,
    handle::Tenants,
    lease::Lease,
    names::quote_ident,
    provision::schema_owner,
    roles::role_exists,
    watchdog,
};

impl Tenants {
    /// Removes a tenant with all that it made, however far it had come. Nothing there is well done.
    ///
    /// # Errors
    /// [`Error::Unfit`] when `schema` is not the platform's; nothing is removed then.
    pub async fn remove(&self, schema: &str, role: &str) -> Result<(), Error> {
        let lease = self.platform().await?;
        let has_role = role_exists(&lease, role).await?;
        match schema_owner(&lease, schema).await? {
            Some(other) if other != self.owner_role() => {
                return Err(Error::Unfit(format!("the schema {schema} belongs to {other}")));
            }
            None if !has_role => return Ok(()),
            _ => {}
        }
        if has_role {
            // First the door is shut for good, then those inside are put out.
            lease.batch_execute(&format!("alter role {} nologin", quote_ident(role))).await?;
            self.forget(role);
            watchdog::terminate_all(&lease, role).await?;
        }
        lease.begin().await?;
        lease.batch_execute(&format!("drop schema if exists {} cascade", quote_ident(schema))).await?;
        if has_role {
            drop_role(&lease, role).await?;
        }
        lease.commit().await?;
        lease.finish();
        Ok(())
    }
}

/// Drops `role` inside the caller's transaction.
///
/// Another tenant can pin it by naming it in a grant, a policy or default privileges on an object of its
/// own. `drop owned` clears these only for who may act as that object's owner, so the platform becomes a
/// member of all owners concerned until the end of the transaction. A grant chain over a third tenant does
/// not occur: to grant on an object one needs USAGE on its schema, which only its owner has.
async fn drop_role(lease: &Lease, role: &str) -> Result<(), Error> {
    let pins = lease
        .query(
            // The owner of a policy is that of its table; default privileges have an owner of their own.
            "select distinct r.rolname::pg_catalog.text
             from pg_catalog.pg_shdepend d
             left join pg_catalog.pg_policy p on d.classid = 'pg_catalog.pg_policy'::regclass and p.oid = d.objid
             join pg_catalog.pg_shdepend o
               on o.dbid = d.dbid and o.deptype = 'o'
              and o.classid = case when p.oid is null then d.classid else 'pg_catalog.pg_class'::regclass end
              and o.objid = coalesce(p.polrelid, d.objid)
             join pg_catalog.pg_roles r on r.oid = o.refobjid
             where d.refclassid = 'pg_catalog.pg_authid'::regclass
               and d.refobjid = (select oid from pg_catalog.pg_roles where rolname = $1::pg_catalog.text)
               and d.dbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
               and d.deptype in ('a', 'r')
               and r.oid <> d.refobjid
               and r.rolname <> current_user
               and not pg_catalog.pg_has_role(r.oid, 'usage')",
            &[&role],
        )
        .await?;
    let mut members = vec![role.to_owned()];
    members.extend(pins.iter().map(|row| row.get::<_, String>(0)));
    let members = members.iter().map(|member| quote_ident(member)).collect::<Vec<_>>().join(", ");
    let role = quote_ident(role);
    lease
        .batch_execute(&format!(
            "grant {members} to current_user; drop owned by {role}; revoke {members} from current_user; drop role {role}"
        ))
        .await?;
    Ok(())
}
