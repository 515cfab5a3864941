//! The end of a tenant: sessions, schema, role, and what other tenants' grants have pinned to it.

use crate::{
    error::Error, handle::Tenants, lease::Lease, ledger, mark, names::quote_ident,
    provision::schema_owner, roles::role_exists, watchdog,
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
                return Err(Error::Unfit(format!(
                    "the schema {schema} belongs to {other}"
                )));
            }
            None if !has_role => return Ok(()),
            _ => {}
        }
        if has_role {
            // First the door is shut for good, then those inside are put out.
            lease
                .batch_execute(&format!("alter role {} nologin", quote_ident(role)))
                .await?;
            self.forget(role);
            watchdog::terminate_all(&lease, role).await?;
        }
        lease.begin().await?;
        mark::forget(&*lease, schema).await?;
        ledger::forget(&*lease, role).await?;
        lease
            .batch_execute(&format!(
                "drop schema if exists {} cascade",
                quote_ident(schema)
            ))
            .await?;
        if has_role {
            drop_role(&lease, role).await?;
        }
        lease.commit().await?;
        lease.finish();
        Ok(())
    }
}

/// What another role has granted to one that is to go: who did, on what, as SQL wants it named.
struct Pin {
    owner: String,
    /// None for what has no name of its own: default privileges, policies.
    object: Option<String>,
}

/// Drops `role` inside the caller's transaction.
///
/// Another tenant can pin it by naming it in a grant, a policy or default privileges on an object of its own.
/// Only who may act as that object's owner can clear these. A grant that came over a third tenant does not occur:
/// to grant on an object one needs USAGE on its schema, which only its owner has.
async fn drop_role(lease: &Lease, role: &str) -> Result<(), Error> {
    let pins = pins(lease, role).await?;
    let quoted = quote_ident(role);
    let mut owners: Vec<&str> = pins.iter().map(|pin| pin.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    // One owner at a time: Postgres revokes in the name of any role at hand that could have granted, and a second
    // one that holds the grant option would be taken for the first.
    for owner in &owners {
        let mut text = format!("grant {} to current_user;", quote_ident(owner));
        for object in pins
            .iter()
            .filter(|pin| pin.owner == *owner)
            .filter_map(|pin| pin.object.as_ref())
        {
            text += &format!("revoke all on {object} from {quoted} cascade;");
        }
        text += &format!("revoke {} from current_user", quote_ident(owner));
        lease.batch_execute(&text).await?;
    }
    owners.push(role);
    let members = owners
        .iter()
        .map(|member| quote_ident(member))
        .collect::<Vec<_>>()
        .join(", ");
    lease
        .batch_execute(&format!(
            "grant {members} to current_user; drop owned by {quoted}; revoke {members} from current_user;
             drop role {quoted}"
        ))
        .await?;
    Ok(())
}

async fn pins(lease: &Lease, role: &str) -> Result<Vec<Pin>, Error> {
    let rows = lease
        .query(
            // The owner of an object is in the same catalog; that of a policy is its table's.
            "select distinct r.rolname::pg_catalog.text,
                    case d.classid
                        when 'pg_catalog.pg_class'::regclass then
                            case (select relkind from pg_catalog.pg_class where oid = d.objid)
                                when 'S' then 'sequence ' else 'table ' end
                        when 'pg_catalog.pg_proc'::regclass then 'routine '
                        when 'pg_catalog.pg_type'::regclass then 'type '
                        when 'pg_catalog.pg_largeobject'::regclass then 'large object '
                    end || (pg_catalog.pg_identify_object(d.classid, d.objid, 0)).identity
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
    Ok(rows
        .iter()
        .map(|row| Pin {
            owner: row.get(0),
            object: row.get(1),
        })
        .collect())
}
