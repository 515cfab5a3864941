//! What a copy was when it was made: by that, what has changed since is found without reading it all again.
//!
//! Every row of a copy was written by one transaction, or by a few, whose number is on it; every row that the tenant has written
//! since has another. The marks are kept where no tenant can reach, by the number of the schema, which a rename keeps.

use std::collections::HashMap;

use tokio_postgres::GenericClient;

use crate::script::{self, Error};

/// The table of marks. One row for the schema (no relation), and one for each table whose rows were put back since.
pub(crate) const TABLE: &str = "create table if not exists _sandlot.copies (
        namespace oid not null, relation text not null, written text not null, stamp bigint,
        primary key (namespace, relation))";

/// The state of a copy that equals the template.
pub(crate) struct Mark {
    /// The transactions that wrote the copy's rows, by commas.
    written: String,
    /// The stamp of its definitions.
    pub(crate) stamp: i64,
    /// Tables whose rows another transaction wrote since.
    tables: HashMap<String, String>,
}

impl Mark {
    /// Marks the schema as it is: a copy that the caller's transaction has made, with the help of `others`.
    pub(crate) async fn make(
        tx: &impl GenericClient,
        schema: &str,
        others: &[String],
    ) -> Result<(), Error> {
        let others: String = others.iter().map(|other| format!(",{other}")).collect();
        let stamp = script::stamp(tx, schema).await?;
        tx.execute(
            "with old as (delete from _sandlot.copies where relation <> ''
                 and namespace = (select oid from pg_namespace where nspname = $1::text))
             insert into _sandlot.copies (namespace, relation, written, stamp)
             select oid, '', pg_current_xact_id()::xid::text || $3, $2 from pg_namespace where nspname = $1::text
             on conflict (namespace, relation) do update set written = excluded.written, stamp = excluded.stamp",
            &[&schema, &stamp, &others],
        )
        .await?;
        Ok(())
    }

    /// The mark of a schema; none if nobody marked it.
    pub(crate) async fn read(
        client: &impl GenericClient,
        schema: &str,
    ) -> Result<Option<Self>, Error> {
        let rows = client
            .query(
                "select c.relation, c.written, c.stamp from _sandlot.copies c
                 join pg_catalog.pg_namespace n on n.oid = c.namespace where n.nspname = $1::pg_catalog.text",
                &[&schema],
            )
            .await?;
        let mut mark = None;
        let mut tables = HashMap::new();
        for row in rows {
            let (relation, written): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            match row.try_get(2)? {
                Some(stamp) if relation.is_empty() => mark = Some((written, stamp)),
                _ => drop(tables.insert(relation, written)),
            }
        }
        Ok(mark.map(|(written, stamp)| Self {
            written,
            stamp,
            tables,
        }))
    }

    /// The transactions that wrote the template's rows into a table, by commas.
    pub(crate) fn written(&self, table: &str) -> &str {
        self.tables.get(table).unwrap_or(&self.written)
    }
}

/// Notes which transactions have written the rows of these relations, and what the definitions are since.
pub(crate) async fn renew(
    client: &impl GenericClient,
    schema: &str,
    relations: &[(&str, String)],
    stamp: Option<i64>,
) -> Result<(), Error> {
    let (names, written): (Vec<&str>, Vec<&str>) = relations
        .iter()
        .map(|(name, written)| (*name, written.as_str()))
        .unzip();
    client
        .execute(
            "with own as (select oid from pg_catalog.pg_namespace where nspname = $1::pg_catalog.text),
                 stamped as (update _sandlot.copies set stamp = $4
                     where relation = '' and $4::bigint is not null and namespace = (select oid from own))
             insert into _sandlot.copies (namespace, relation, written)
             select oid, relation, written
             from own, unnest($2::pg_catalog.text[], $3::pg_catalog.text[]) r (relation, written)
             on conflict (namespace, relation) do update set written = excluded.written",
            &[&schema, &names, &written, &stamp],
        )
        .await?;
    Ok(())
}

/// Forgets the mark of a schema that is about to go.
pub(crate) async fn forget(
    client: &impl GenericClient,
    schema: &str,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "delete from _sandlot.copies
             where namespace = (select oid from pg_catalog.pg_namespace where nspname = $1::pg_catalog.text)",
            &[&schema],
        )
        .await?;
    Ok(())
}
