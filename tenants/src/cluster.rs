//! Makes a cluster ready for tenants, and says which promise weakens where it can't.

use tokio_postgres::{Client, Config, error::SqlState};

use crate::{
    error::Error, handle::Tenants, lease::Lease, mark, names::quote_ident, superuser, weaknesses,
    weaknesses::Weakness,
};

/// Oldest server that is known to do: parameters can be granted since 15.
const OLDEST: i32 = 150_000;

/// Two servers that start at once can meet in the catalogs; one of them tries again.
const ATTEMPTS: usize = 8;

impl Tenants {
    /// Makes the platform's roles, the schema `_sandlot`, and closes what is open to everybody by default. Idempotent.
    ///
    /// With a `superuser` (of the embedded server; its database is any that exists) the platform's role and both
    /// databases are made too. Without, the platform's role does what it may, and what is lacking comes back as weaknesses.
    ///
    /// # Errors
    /// [`Error::Unfit`] when the server is too old or the platform's role lacks what nothing works without.
    pub async fn prepare(&self, superuser: Option<&Config>) -> Result<Vec<Weakness>, Error> {
        let mut attempt = 1;
        loop {
            match self.try_to_prepare(superuser).await {
                Err(error) if attempt < ATTEMPTS && collided(&error) => {
                    tracing::debug!(%error, attempt, "another server is preparing the cluster too");
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Lets the template's reader read each table and view of `public` but `users`; to be called when the template has changed.
    pub async fn grant_reader(&self) -> Result<(), Error> {
        let lease = self.platform().await?;
        lease.begin().await?;
        let reader = quote_ident(&self.reader_role());
        // By name, because `on all tables in schema` grows with the number of all tables of the database.
        let relations = lease
            .query(
                "select pg_catalog.quote_ident(c.relname) from pg_catalog.pg_depend d
                 join pg_catalog.pg_class c on c.oid = d.objid
                 where d.classid = 'pg_catalog.pg_class'::regclass
                   and d.refclassid = 'pg_catalog.pg_namespace'::regclass
                   and d.refobjid = 'public'::regnamespace
                   and c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relname <> 'users'
                   and not pg_catalog.has_table_privilege($1::pg_catalog.text, c.oid, 'select')",
                &[&self.reader_role()],
            )
            .await?;
        let relations: Vec<String> = relations
            .iter()
            .map(|row| format!("public.{}", row.get::<_, String>(0)))
            .collect();
        if !relations.is_empty() {
            lease
                .batch_execute(&format!(
                    "grant select on {} to {reader}",
                    relations.join(", ")
                ))
                .await?;
        }
        lease.commit().await?;
        lease.finish();
        Ok(())
    }

    async fn try_to_prepare(&self, superuser: Option<&Config>) -> Result<Vec<Weakness>, Error> {
        if let Some(config) = superuser {
            superuser::prepare(config, self.settings()).await?;
        }
        let lease = self.platform().await?;
        require(&lease).await?;
        lease.begin().await?;
        self.make_owner(&lease, &self.owner_role()).await?;
        self.make_owner(&lease, &self.demo_owner()).await?;
        self.make_login(&lease, &self.reader_role()).await?;
        lease
            .batch_execute("create schema if not exists _sandlot")
            .await?;
        lease.batch_execute(mark::TABLE).await?;
        self.make_ledger(&lease).await?;
        self.make_teller(&lease).await?;
        self.close_doors(&lease).await?;
        let reader = quote_ident(&self.reader_role());
        lease
            .batch_execute(&format!("grant usage on schema public to {reader}"))
            .await?;
        lease.commit().await?;
        if let Some(config) = superuser {
            superuser::complete(config, self.settings()).await?;
        }
        let found = weaknesses::probe(self, &lease).await?;
        lease.finish();
        self.grant_reader().await?;
        Ok(found)
    }

    async fn make_owner(&self, lease: &Lease, owner: &str) -> Result<(), Error> {
        if !crate::roles::role_exists(lease, owner).await? {
            lease
                .batch_execute(&format!("create role {} nologin", quote_ident(owner)))
                .await?;
        }
        self.join(lease, owner).await
    }

    /// Makes the platform a member of a role of its own.
    pub(crate) async fn join(&self, lease: &Lease, role: &str) -> Result<(), Error> {
        // Since 16 who makes a role may administer it, but neither inherits from it nor acts as it until told.
        let member: bool = lease
            .query_one(
                "select pg_catalog.pg_has_role(current_user, $1::pg_catalog.text, 'usage')",
                &[&role],
            )
            .await?
            .get(0);
        if !member {
            lease
                .batch_execute(&format!("grant {} to current_user", quote_ident(role)))
                .await?;
        }
        Ok(())
    }

    /// Takes from PUBLIC what the owner of the databases may take.
    async fn close_doors(&self, lease: &Lease) -> Result<(), Error> {
        let row = lease
            .query_one(
                "select pg_catalog.pg_has_role(d.datdba, 'usage')
                            and pg_catalog.has_database_privilege('public', d.oid, 'temporary'),
                        pg_catalog.pg_has_role(n.nspowner, 'usage')
                            and (pg_catalog.has_schema_privilege('public', n.oid, 'usage')
                                 or pg_catalog.has_schema_privilege('public', n.oid, 'create'))
                 from pg_catalog.pg_database d, pg_catalog.pg_namespace n
                 where d.datname = pg_catalog.current_database() and n.nspname = 'public'",
                &[],
            )
            .await?;
        if row.get(0) {
            // CONNECT stays with PUBLIC: one grant per tenant would be one list in one row of pg_database.
            let database = quote_ident(self.database());
            lease
                .batch_execute(&format!(
                    "revoke temporary on database {database} from public"
                ))
                .await?;
        }
        if row.get(1) {
            lease
                .batch_execute("revoke all on schema public from public")
                .await?;
        }
        let Some(platform) = &self.settings().platform_database else {
            return Ok(());
        };
        let open: bool = lease
            .query_one(
                "select exists (select from pg_catalog.pg_database where datname = $1::pg_catalog.text
                     and pg_catalog.pg_has_role(datdba, 'usage')
                     and (pg_catalog.has_database_privilege('public', oid, 'connect')
                          or pg_catalog.has_database_privilege('public', oid, 'temporary')))",
                &[platform],
            )
            .await?
            .get(0);
        if open {
            let platform = quote_ident(platform);
            lease
                .batch_execute(&format!(
                    "revoke connect, temporary on database {platform} from public"
                ))
                .await?;
        }
        Ok(())
    }
}

/// Whether a function (its name and types) is there with this body, as a start left it.
pub(crate) async fn is_made(client: &Client, function: &str, body: &str) -> Result<bool, Error> {
    let known = "select coalesce((select prosrc = $2 from pg_catalog.pg_proc
        where oid = pg_catalog.to_regprocedure($1::pg_catalog.text)), false)";
    Ok(client.query_one(known, &[&function, &body]).await?.get(0))
}

/// Refuses what no promise could be kept on.
async fn require(lease: &Lease) -> Result<(), Error> {
    let row = lease
        .query_one(
            "select pg_catalog.current_setting('server_version_num')::int, r.rolname::pg_catalog.text, r.rolcreaterole,
                    pg_catalog.current_database()::pg_catalog.text,
                    pg_catalog.has_database_privilege(pg_catalog.current_database(), 'create'),
                    pg_catalog.current_setting('search_path')
             from pg_catalog.pg_roles r where r.rolname = current_user",
            &[],
        )
        .await?;
    let (version, role, database): (i32, String, String) = (row.get(0), row.get(1), row.get(3));
    let (may_make_roles, may_make_schemas): (bool, bool) = (row.get(2), row.get(4));
    if version < OLDEST {
        return Err(Error::Unfit(format!(
            "PostgreSQL 15 or later is needed, this is {}",
            version / 10_000
        )));
    }
    let path: String = row.get(5);
    if !path.is_empty() {
        return Err(Error::Unfit(
            "the settings that a session starts with do not arrive, and tenants' sessions rest on theirs; \
             is there a pool before PostgreSQL that ignores `options`?"
                .to_owned(),
        ));
    }
    if !may_make_roles {
        let remedy = format!("alter role {} createrole", quote_ident(&role));
        return Err(Error::Unfit(format!(
            "the platform's role may not make roles; as a superuser: {remedy}"
        )));
    }
    if !may_make_schemas {
        let remedy = format!(
            "alter database {} owner to {}",
            quote_ident(&database),
            quote_ident(&role)
        );
        return Err(Error::Unfit(format!(
            "the platform's role may not make schemas; as a superuser: {remedy}"
        )));
    }
    Ok(())
}

/// Whether the failure is that of two who did the same at once.
fn collided(error: &Error) -> bool {
    error.state().is_some_and(|state| {
        // XX000 is "tuple concurrently updated", 55006 a template database that somebody else is copying.
        *state == SqlState::INTERNAL_ERROR
            || *state == SqlState::OBJECT_IN_USE
            || *state == SqlState::UNIQUE_VIOLATION
            || *state == SqlState::DUPLICATE_OBJECT
            || *state == SqlState::DUPLICATE_SCHEMA
            || *state == SqlState::DUPLICATE_DATABASE
    })
}
