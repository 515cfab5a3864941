//! The one transaction of the tenant's own that puts rows back.

use super::{
    changes::{Changes, open},
    look, rows,
};
use crate::{
    Identity, Tenants,
    certify::Digest,
    lease::Lease,
    script::{self, Script},
};

/// What the transaction that put rows back was, and the stamp of the definitions behind it if that is another.
pub(super) struct Put {
    pub(super) written: String,
    pub(super) stamp: Option<i64>,
}

impl Tenants {
    /// The tenant's own session takes out what is not the template's and takes in what is, all or nothing.
    ///
    /// Rows stream from the platform's session to the tenant's: nothing is made that somebody would have to clean up.
    pub(super) async fn put_back(
        &self,
        lease: &Lease,
        identity: &Identity,
        script: &Script,
        template: &Digest,
        changes: &Changes,
    ) -> Result<Put, script::Error> {
        let schema = &identity.schema;
        let platform = self.platform().await?;
        let oids: Vec<u32> = changes.tables.iter().map(|t| t.oid).collect();
        let bulk = changes.tables.iter().any(|t| t.written.is_none());
        let ready = async {
            let keys = look::keys(&**lease, &oids, bulk);
            let quiet = look::quiet(&**lease, &oids);
            let (keys, quiet) = futures_util::future::try_join(keys, quiet).await?;
            let mut before = rows::settings(schema);
            before.push_str(&rows::unbind(&keys));
            let mut after = String::new();
            for target in &changes.tables {
                let forced = script.is_forced(&target.name);
                let (off, on) = rows::hush(target.oid, schema, &target.name, &quiet, forced);
                before.push_str(&off);
                after.push_str(&on);
            }
            after.push_str(&rows::bind(&keys));
            lease.batch_execute(&before).await?;
            Ok::<_, script::Error>((keys.is_empty() && quiet.is_empty(), after))
        };
        let (source, (untouched, mut after)) =
            futures_util::future::try_join(open(&platform, script, template, changes), ready)
                .await?;
        for target in &changes.tables {
            let theirs = source
                .get(&target.name)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let some = match &target.written {
                None => {
                    lease
                        .batch_execute(&rows::empty(schema, &target.name))
                        .await?;
                    None
                }
                Some(written) => {
                    let missing = rows::missing(
                        &platform,
                        lease,
                        schema,
                        script,
                        &target.name,
                        &target.key,
                        written,
                    );
                    Some(missing.await?)
                }
            };
            rows::pour(
                &platform,
                lease,
                schema,
                script,
                &target.name,
                theirs,
                some.as_deref(),
            )
            .await?;
        }
        // The rows of a table that hides them from its owner were shown for this transaction alone.
        platform.rollback().await?;
        platform.finish();
        for (name, value, called) in &changes.sequences {
            after.push_str(&rows::set_back(schema, name, *value, *called));
        }
        for view in &changes.views {
            after.push_str(&rows::refresh(schema, view));
        }
        lease.batch_execute(&after).await?;
        let written: String = lease
            .query_typed_one("select pg_catalog.pg_current_xact_id()::xid::text", &[])
            .await?
            .try_get(0)?;
        let forced = changes.tables.iter().any(|t| script.is_forced(&t.name));
        let stamp = if untouched && !forced && !bulk && changes.views.is_empty() {
            None
        } else {
            Some(script::stamp(&**lease, schema).await?)
        };
        lease.commit().await?;
        Ok(Put { written, stamp })
    }
}
