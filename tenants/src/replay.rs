//! Replays a script: makes a copy of the template in a fresh schema and hands it over, in one transaction.

use tokio_postgres::{Client, GenericClient, IsolationLevel};

use crate::{
    roles::MAY_SET,
    script::{Error, Script, split::Split},
};

/// Settings of a replay. Bodies are not checked, since they may name what comes later; rows keep their physical order; a
/// row that the platform may not see is an error and not left out.
pub(crate) const SETTINGS: &str = "set local check_function_bodies = off; set local standard_conforming_strings = on; \
    set local synchronize_seqscans = off; set local row_security = off; set local client_min_messages = warning; \
    set local default_tablespace = ''; set local default_table_access_method = heap; \
    set local xmloption = content; set local datestyle = 'ISO, YMD'; \
    set local intervalstyle = postgres; set local extra_float_digits = 1; set local jit = off";

impl Script {
    /// Makes a copy in the schema `target`, which exists and is empty, and hands its objects over to the role `owner`.
    ///
    /// `client` is logged in as the platform's role: owner of the template's objects, with the right to create in `target`
    /// (as a member of the role that owns it), and for the time of the call a member of `owner`, which has the right to create
    /// in `target`. Nobody may be able to log in as `owner` before this is done. All rows are those of one moment; the
    /// definitions are those of the script, or nothing is made.
    ///
    /// # Errors
    /// [`Error::Stale`] if the template's definitions have changed; any other leaves nothing behind either.
    pub async fn replay(
        &self,
        client: &mut Client,
        target: &str,
        owner: &str,
    ) -> Result<(), Error> {
        let build = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead);
        let tx = build.start().await?;
        self.hold_template(&tx).await?;
        self.fill(&tx, target, owner).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes what is left of a copy that several connections have filled, in the transaction that holds the template.
    pub(crate) async fn finish(
        &self,
        tx: &impl GenericClient,
        split: &Split,
        target: &str,
        owner: &str,
    ) -> Result<(), Error> {
        tx.batch_execute(SETTINGS).await?;
        tx.batch_execute(&self.rest(split, target, owner)).await?;
        Ok(())
    }

    /// Makes the copy inside a transaction that holds the template already.
    pub(crate) async fn fill(
        &self,
        tx: &impl GenericClient,
        target: &str,
        owner: &str,
    ) -> Result<(), Error> {
        tx.batch_execute(SETTINGS).await?;
        let unchecked = match self.wants_to_set() {
            Some(parameter) => tx.query_one(MAY_SET, &[&parameter]).await?.get(0),
            None => false,
        };
        tx.batch_execute(&self.statements(target, owner, unchecked))
            .await?;
        Ok(())
    }
}
