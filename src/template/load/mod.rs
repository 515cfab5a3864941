//! Loads a template: the schema `public` becomes what a file of plain SQL makes, in one transaction or not at all.
//!
//! The file may be a plain dump of `pg_dump` or written by hand. What says nothing about the template is passed over
//! (owners, grants, comments on the database), what no copy could follow is refused with the line that it stands on.

use bytes::Bytes;
use futures_util::{SinkExt as _, TryStreamExt as _, pin_mut};
use tenants::{
    names::{quote_ident, quote_literal},
    script::{self, Script},
};
use tokio_postgres::{
    Client, Transaction,
    error::ErrorPosition,
    types::{ToSql, Type},
};

use self::{
    extensions::Brought,
    judge::{Verdict, judge},
    statements::{Fault, Statement},
};
use super::SCHEMA;

pub mod extensions;
pub mod judge;
pub mod statements;
pub mod users;

/// How many bytes of rows are sent at a time.
const CHUNK: usize = 1 << 16;

/// Why a template was not loaded; the old one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file holds something that can't be part of a template, or can't be read.
    #[error("line {line}: {what}")]
    Refused {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// Postgres refused a statement of the file.
    #[error("line {line}: {}", said(.source))]
    Statement {
        /// The line, from 1.
        line: usize,
        /// What Postgres said.
        source: tokio_postgres::Error,
    },
    /// What the file makes can't be a template.
    #[error("{0}")]
    Unfit(String),
    /// What the file makes can't be copied.
    #[error(transparent)]
    Script(#[from] script::Error),
    /// Postgres refused a step of the load itself, or is gone.
    #[error("{}", said(.0))]
    Postgres(#[from] tokio_postgres::Error),
}

/// Replaces the template by what the file `sql` makes; `source` is the file's name, for the record.
///
/// `client` is logged in to the tenants' database as the platform's role. Everything happens in one transaction. A
/// template without a table `users` gets the platform's; extensions are made in a schema that all tenants may use.
///
/// # Errors
/// The line of the file and Postgres' words, or why a copy of the result would be useless. Nothing has changed then.
pub async fn load(client: &mut Client, sql: &str, source: &str) -> Result<(), LoadError> {
    let statements = statements::split(sql)?;
    let mut judged = Vec::with_capacity(statements.len());
    for statement in statements {
        match judge(&statement) {
            Verdict::Refuse(what) => {
                return Err(LoadError::Refused {
                    line: statement.line,
                    what,
                });
            }
            Verdict::Skip => tracing::debug!(line = statement.line, "passed over"),
            verdict => judged.push((statement, verdict)),
        }
    }
    let tx = client.transaction().await?;
    match replace(&tx, &judged, source).await {
        Ok(()) => Ok(tx.commit().await?),
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

async fn replace(
    tx: &Transaction<'_>,
    judged: &[(Statement<'_>, Verdict)],
    source: &str,
) -> Result<(), LoadError> {
    tx.batch_execute(
        "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0",
    )
    .await?;
    record(tx, source).await?;
    empty(tx).await?;
    tx.batch_execute(&extensions::search_path()).await?;
    run(tx, judged).await?;
    // What the file has set ends with it.
    tx.batch_execute(
        "reset all; set local statement_timeout = 0; set local search_path = pg_catalog, pg_temp",
    )
    .await?;
    look_around(tx).await?;
    users::ensure(tx).await?.map_err(LoadError::Unfit)?;
    finish(tx).await?;
    Script::read_in(tx, SCHEMA).await?;
    tx.batch_execute("reset all").await?;
    Ok(())
}

/// Notes where the template comes from; holding that row, this load takes turns with whoever numbers versions.
async fn record(tx: &Transaction<'_>, source: &str) -> Result<(), LoadError> {
    tx.execute(
        "insert into _sandlot.template as t (source) values ($1)
         on conflict (id) do update set source = excluded.source, loaded_at = now()",
        &[&source],
    )
    .await?;
    Ok(())
}

/// Drops all that the schema holds, and makes it anew for the same owner and the template's reader.
async fn empty(tx: &Transaction<'_>) -> Result<(), LoadError> {
    let row = tx
        .query_one(
            "select pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(n.nspowner)), current_user::text,
                 pg_catalog.obj_description(n.oid, 'pg_namespace'),
                 (select pg_catalog.string_agg('only public.' || pg_catalog.quote_ident(c.relname), ', '
                          order by c.relrowsecurity and c.relforcerowsecurity desc, c.relname collate \"C\")
                  from pg_catalog.pg_depend d join pg_catalog.pg_class c on c.oid = d.objid
                  where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = 'pg_catalog.pg_namespace'::regclass
                    and d.refobjid = n.oid and c.relkind in ('r', 'p'))
             from pg_catalog.pg_namespace n where n.nspname = 'public'",
            &[],
        )
        .await?;
    let (owner, platform): (String, String) = (row.get(0), row.get(1));
    let (comment, tables): (Option<String>, Option<String>) = (row.get(2), row.get(3));
    if let Some(tables) = tables {
        // In the order in which copies lock them, so that a load and a copy wait for each other and do not meet.
        tx.batch_execute(&format!("lock table {tables} in access exclusive mode"))
            .await?;
    }
    if let Some(row) = tx.query_opt(LEANING, &[]).await? {
        let (what, on): (String, String) = (row.get(0), row.get(1));
        return Err(LoadError::Unfit(format!(
            "{what} would go with the old template, because it needs {on}; if that belongs to an extension, \
             as a superuser: create schema if not exists {schema}; alter extension .. set schema {schema}",
            schema = extensions::SCHEMA
        )));
    }
    let reader = quote_ident(&format!("{platform}_reader"));
    tx.batch_execute(&format!(
        "drop schema {SCHEMA} cascade; create schema {SCHEMA} authorization {owner};
         revoke all on schema {SCHEMA} from public; grant usage on schema {SCHEMA} to {reader};
         comment on schema {SCHEMA} is {}",
        comment.map_or("null".to_owned(), |comment| quote_literal(&comment))
    ))
    .await?;
    Ok(())
}

async fn run(tx: &Transaction<'_>, judged: &[(Statement<'_>, Verdict)]) -> Result<(), LoadError> {
    let mut brought = Brought::default();
    for (statement, verdict) in judged {
        let outcome = match verdict {
            Verdict::Extension(wanted) => match brought.make(tx, wanted).await {
                Ok(Err(what)) => {
                    return Err(LoadError::Refused {
                        line: statement.line,
                        what,
                    });
                }
                outcome => outcome.map(drop),
            },
            Verdict::Set => set(tx, statement).await,
            _ => {
                let text = brought.rewrite(statement);
                match statement.rows {
                    Some(rows) => copy(tx, &text, rows).await,
                    // One message of the extended protocol is one statement, whatever the reader took it for.
                    None => run_one(tx, &text).await,
                }
            }
        };
        outcome.map_err(|source| LoadError::Statement {
            line: line(statement, &source),
            source,
        })?;
    }
    Ok(())
}

/// Runs one statement and drops the rows that it gives.
async fn run_one(tx: &Transaction<'_>, text: &str) -> Result<(), tokio_postgres::Error> {
    let none: [(&(dyn ToSql + Sync), Type); 0] = [];
    let rows = tx.query_typed_raw(text, none).await?;
    pin_mut!(rows);
    while rows.try_next().await?.is_some() {}
    Ok(())
}

/// Settings of other versions of Postgres are no reason to refuse a dump.
async fn set(tx: &Transaction<'_>, statement: &Statement<'_>) -> Result<(), tokio_postgres::Error> {
    tx.batch_execute("savepoint setting").await?;
    match tx.batch_execute(statement.text).await {
        Err(error) if error.as_db_error().is_none() => Err(error),
        Err(error) => {
            tracing::info!(line = statement.line, %error, "a setting of the file was passed over");
            tx.batch_execute("rollback to setting; release setting")
                .await
        }
        Ok(()) => tx.batch_execute("release setting").await,
    }
}

async fn copy(tx: &Transaction<'_>, text: &str, rows: &str) -> Result<(), tokio_postgres::Error> {
    let sink = tx.copy_in(text).await?;
    pin_mut!(sink);
    for chunk in rows.as_bytes().chunks(CHUNK) {
        sink.send(Bytes::copy_from_slice(chunk)).await?;
    }
    sink.finish().await.map(drop)
}

/// Refuses what the file has made beside the template, and a session that is not the platform's any more.
async fn look_around(tx: &Transaction<'_>) -> Result<(), LoadError> {
    if let Some(row) = tx.query_opt(ELSEWHERE, &[&extensions::SCHEMA]).await? {
        let what: String = row.get(0);
        return Err(LoadError::Unfit(format!(
            "the file makes {what}: a template is what is in the schema {SCHEMA}, and nothing else can be copied"
        )));
    }
    if let Some(row) = tx.query_opt(FOREIGN, &[]).await? {
        let what: String = row.get(0);
        return Err(LoadError::Unfit(format!(
            "{what} does not belong to the platform's role"
        )));
    }
    if let Some(row) = tx.query_opt(FORCED, &[]).await? {
        let (what, role): (String, String) = (row.get(0), row.get(1));
        return Err(LoadError::Unfit(format!(
            "{what} forces its policies on its owner too, so its rows can't be copied; \
             let the platform's role pass them by: alter role {} bypassrls",
            quote_ident(&role)
        )));
    }
    Ok(())
}

/// Brings what follows from the rows up to date, and lets the reader read.
async fn finish(tx: &Transaction<'_>) -> Result<(), LoadError> {
    let reader = quote_ident(&format!(
        "{}_reader",
        tx.query_one("select current_user::text", &[])
            .await?
            .get::<_, String>(0)
    ));
    // A view was made after what it reads, so this is the order in which they follow from each other.
    let relations = tx
        .query(
            "select 'public.' || pg_catalog.quote_ident(c.relname), c.relname = 'users', c.relkind::text,
                    c.relispopulated
             from pg_catalog.pg_depend d join pg_catalog.pg_class c on c.oid = d.objid
             where d.classid = 'pg_catalog.pg_class'::regclass and d.refclassid = 'pg_catalog.pg_namespace'::regclass
               and d.refobjid = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm') order by c.oid",
            &[],
        )
        .await?;
    for row in &relations {
        let (name, is_users, kind, populated): (String, bool, String, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        if kind == "m" && populated {
            tx.batch_execute(&format!("refresh materialized view {name}"))
                .await?;
        }
        if kind != "v" {
            tx.batch_execute(&format!("analyze {name}")).await?;
        }
        if !is_users {
            tx.batch_execute(&format!("grant select on {name} to {reader}"))
                .await?;
        }
    }
    Ok(())
}

/// The line that an error is about: of the place in the statement, or of the row.
fn line(statement: &Statement<'_>, error: &tokio_postgres::Error) -> usize {
    let Some(db) = error.as_db_error() else {
        return statement.line;
    };
    if let Some(ErrorPosition::Original(position)) = db.position() {
        let end = statement.text.char_indices().nth(*position as usize - 1);
        let before = end.map_or(statement.text, |(end, _)| &statement.text[..end]);
        return statement.line + statements::lines(before);
    }
    // `COPY t, line 3, column a: ..`
    let row = statement.rows.and(db.where_()).and_then(|context| {
        let number = context.strip_prefix("COPY ")?.split_once(", line ")?.1;
        let digits = number
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(number.len());
        number[..digits].parse::<usize>().ok()
    });
    statement.line + row.map_or(0, |row| statements::lines(statement.text) + row)
}

fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            let more = [db.detail(), db.hint(), db.where_()];
            let more: Vec<&str> = more.into_iter().flatten().collect();
            let more = if more.is_empty() {
                String::new()
            } else {
                format!(" ({})", more.join("; "))
            };
            format!("{}{more}", db.message())
        }
        None => error.to_string(),
    }
}

impl From<Fault> for LoadError {
    fn from(fault: Fault) -> Self {
        Self::Refused {
            line: fault.line,
            what: fault.what,
        }
    }
}

/// An object outside of the template that would be dropped with it, and what of the template it needs.
const LEANING: &str = "with recursive gone(classid, objid, refclassid, refobjid) as (
        select classid, objid, refclassid, refobjid from pg_catalog.pg_depend
        where refclassid = 'pg_catalog.pg_namespace'::regclass and refobjid = 'public'::regnamespace
        union
        select d.classid, d.objid, d.refclassid, d.refobjid from gone join pg_catalog.pg_depend d
            on d.refclassid = gone.classid and d.refobjid = gone.objid)
    select pg_catalog.pg_describe_object(g.classid, g.objid, 0) || ' of schema ' || i.schema,
        pg_catalog.pg_describe_object(g.refclassid, g.refobjid, 0)
    from gone g, pg_catalog.pg_identify_object(g.classid, g.objid, 0) i
    where i.schema <> 'public' and i.schema !~ '^pg_'
        and not exists (select from pg_catalog.pg_depend e
            where e.classid = g.classid and e.objid = g.objid and e.deptype = 'e')
    limit 1";

/// An object that this transaction has put elsewhere; rows that are still in progress and yet seen are its own.
const ELSEWHERE: &str = "select pg_catalog.pg_describe_object(d.classid, d.objid, 0) || ' in schema ' || n.nspname
    from pg_catalog.pg_depend d join pg_catalog.pg_namespace n on n.oid = d.refobjid
    where d.refclassid = 'pg_catalog.pg_namespace'::regclass and n.nspname not in ('public', 'pg_toast')
        and case when pg_catalog.age(d.xmin) <= 0 then pg_catalog.pg_xact_status(
            (pg_catalog.pg_current_xact_id()::text::bigint - pg_catalog.age(d.xmin))::text::xid8) = 'in progress' else false end
        and not (n.nspname = $1::text and (d.classid = 'pg_catalog.pg_extension'::regclass
            or exists (select from pg_catalog.pg_depend e
                where e.classid = d.classid and e.objid = d.objid and e.deptype in ('e', 'i'))))
    limit 1";

/// A table whose policies keep even its owner from its rows, where they hold for us.
const FORCED: &str = "select pg_catalog.format('table %I', c.relname), r.rolname::text
    from pg_catalog.pg_class c, pg_catalog.pg_roles r
    where c.relnamespace = 'public'::regnamespace and c.relrowsecurity and c.relforcerowsecurity
        and r.rolname = current_user and not (r.rolbypassrls or r.rolsuper)
    limit 1";

/// A relation or routine of the template that somebody else owns: the file has switched roles. What Postgres makes for a
/// range type belongs to the superuser, whoever makes the type.
const FOREIGN: &str = "select pg_catalog.pg_describe_object(d.classid, d.objid, 0)
    from pg_catalog.pg_depend d
        left join pg_catalog.pg_class c on d.classid = 'pg_catalog.pg_class'::regclass and c.oid = d.objid
        left join pg_catalog.pg_proc p on d.classid = 'pg_catalog.pg_proc'::regclass and p.oid = d.objid
    where d.refclassid = 'pg_catalog.pg_namespace'::regclass and d.refobjid = 'public'::regnamespace
        and pg_catalog.pg_get_userbyid(coalesce(c.relowner, p.proowner)) <> current_user
        and not exists (select from pg_catalog.pg_depend e where e.classid = d.classid and e.objid = d.objid
            and e.deptype = 'i' and e.refclassid = 'pg_catalog.pg_type'::regclass)
    limit 1";
