//! Rows on their way from the template to a tenant, and what has to be moved out of their way.

use std::collections::HashSet;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, TryStreamExt as _, pin_mut};
use tokio_postgres::{Client, GenericClient};

use super::look::{Column, Key, Quiet, columns, foreign, relations, stored};
use crate::{
    certify,
    names::{EXTENSIONS, quote_ident, quote_literal},
    script::{Error, Script},
};

/// How many bytes of rows are sent at a time.
const CHUNK: usize = 1 << 16;

/// Takes the rows out of a tenant's table that are not the template's, and finds where the rows are that it lacks.
///
/// What these transactions wrote is the template's; the rest is told apart by the primary key.
pub(super) async fn missing(
    from: &Client,
    to: &Client,
    schema: &str,
    script: &Script,
    table: &str,
    key: &[String],
    written: &str,
) -> Result<Vec<String>, Error> {
    let key: Vec<String> = key.iter().map(|c| quote_ident(c)).collect();
    let (key, table) = (key.join(", "), quote_ident(table));
    let kept = format!("{}.{table}", quote_ident(schema));
    to.batch_execute(&format!(
        "delete from only {kept} where {}",
        foreign(written)
    ))
    .await?;
    let intact = to
        .query_typed(
            &format!("select format('%s', row({key})) from only {kept}"),
            &[],
        )
        .await?;
    let intact: HashSet<&str> = intact
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    let all = from
        .query_typed(
            &format!(
                "select format('%s', row({key})), ctid::text from only {}.{table}",
                quote_ident(script.source())
            ),
            &[],
        )
        .await?;
    let mut missing = Vec::new();
    for row in &all {
        if !intact.contains(row.try_get::<_, &str>(0)?) {
            missing.push(row.try_get(1)?);
        }
    }
    Ok(missing)
}

/// The query for count and hash of a table of the template, as a digest has them.
pub(super) fn hash(script: &Script, table: &str, columns: &[Column]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|c| match script.is_nulled(table, &c.name) {
            true => "null".to_owned(),
            false => format!("t.{}", quote_ident(&c.name)),
        })
        .collect();
    certify::hash_rows(script.source(), table, "only ", &columns)
}

/// The statements that keep the template's tables as they are, for one moment's rows of them.
pub(super) fn hold(script: &Script, tables: &[String]) -> String {
    let mut text =
        "set transaction isolation level repeatable read; set local search_path = pg_catalog, pg_temp; \
         set local synchronize_seqscans = off"
            .to_owned();
    for table in tables {
        let name = format!("{}.{}", quote_ident(script.source()), quote_ident(table));
        text.push_str(&match script.is_forced(table) {
            true => format!("; alter table only {name} no force row level security"),
            false => format!("; lock table only {name} in access share mode"),
        });
    }
    text
}

/// Streams the rows of a table of the template into the tenant's table of the same name.
///
/// All of them, or those at the places given. They go as text, which the types of either side print and read, so a type of the template's becomes one of the tenant's.
pub(super) async fn pour(
    from: &Client,
    to: &Client,
    schema: &str,
    script: &Script,
    table: &str,
    columns: &[Column],
    some: Option<&[String]>,
) -> Result<(), Error> {
    let some = match some {
        Some([]) => return Ok(()),
        Some(places) => {
            let places = quote_literal(&format!("{{\"{}\"}}", places.join("\",\"")));
            format!(" where ctid = any({places}::tid[])")
        }
        None => String::new(),
    };
    let values: Vec<String> = stored(columns)
        .map(|c| {
            let name = quote_ident(&c.name);
            match (script.is_nulled(table, &c.name), c.alias) {
                (true, _) => "null".to_owned(),
                // By number, since the name may be one that the tenant can't look up.
                (false, true) => format!("{name}::oid"),
                (false, false) => name,
            }
        })
        .collect();
    let names: Vec<String> = stored(columns).map(|c| quote_ident(&c.name)).collect();
    let list = match names.is_empty() {
        true => String::new(),
        false => format!(" ({})", names.join(", ")),
    };
    let (source, table) = (quote_ident(script.source()), quote_ident(table));
    let rows = from
        .copy_out(&format!(
            "copy (select {} from only {source}.{table}{some}) to stdout",
            values.join(", ")
        ))
        .await?;
    let sink = to
        .copy_in::<_, Bytes>(&format!(
            "copy {}.{table}{list} from stdin",
            quote_ident(schema)
        ))
        .await?;
    pin_mut!(rows, sink);
    let mut chunk = BytesMut::with_capacity(CHUNK);
    while let Some(row) = rows.try_next().await? {
        chunk.extend_from_slice(&row);
        if chunk.len() >= CHUNK {
            sink.send(chunk.split().freeze()).await?;
        }
    }
    sink.send(chunk.freeze()).await?;
    sink.finish().await?;
    Ok(())
}

/// The statements that copy what two tables of a role have in common, and the number of the second; none if there is nothing.
pub(super) async fn carry(
    client: &impl GenericClient,
    from: &str,
    to: &str,
    table: &str,
) -> Result<Option<(String, u32)>, Error> {
    let name = [table.to_owned()];
    let Some(target) = relations(client, to, &name).await?.remove(table) else {
        return Ok(None);
    };
    let theirs = columns(client, from, &name)
        .await?
        .remove(table)
        .unwrap_or_default();
    let ours = columns(client, to, &name)
        .await?
        .remove(table)
        .unwrap_or_default();
    let shared: Vec<&Column> = stored(&ours)
        .filter(|c| theirs.iter().any(|t| t.name == c.name))
        .collect();
    if shared.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> = shared.iter().map(|c| quote_ident(&c.name)).collect();
    let values: Vec<String> = shared
        .iter()
        .map(|c| format!("format('%s', {})::{}", quote_ident(&c.name), c.type_name))
        .zip(&names)
        .map(|(value, name)| format!("case when {name} is distinct from null then {value} end"))
        .collect();
    let target_name = format!("{}.{}", quote_ident(to), quote_ident(table));
    let mut text = format!(
        "insert into {target_name} ({}) overriding system value select {} from {}.{};",
        names.join(", "),
        values.join(", "),
        quote_ident(from),
        quote_ident(table)
    );
    // Keys that the old table has given are not given again.
    for column in &shared {
        let ours = client
            .query_one(
                "select pg_get_serial_sequence($1::text, $2::text)",
                &[&target_name, &column.name],
            )
            .await?
            .try_get::<_, Option<String>>(0)?;
        if let Some(sequence) = ours {
            let name = quote_ident(&column.name);
            text.push_str(&format!(
                "select setval({}::regclass, max({name})) from {target_name} having max({name}) is not null;",
                quote_literal(&sequence)
            ));
        }
    }
    Ok(Some((text, target.oid)))
}

/// The settings under which rows are put in: what is called on the way finds the schema's own names.
pub(super) fn settings(schema: &str) -> String {
    format!(
        "set local search_path = pg_catalog, {}, {EXTENSIONS}, pg_temp; set local client_min_messages = warning;",
        quote_ident(schema)
    )
}

/// The statements that take foreign keys off.
pub(super) fn unbind(keys: &[Key]) -> String {
    keys.iter()
        .map(|key| format!("alter table {} drop constraint {};", key.table, key.name))
        .collect()
}

/// The statements that put foreign keys on again, and check all rows by them.
pub(super) fn bind(keys: &[Key]) -> String {
    keys.iter()
        .map(|key| {
            let Key { table, name, .. } = key;
            let comment = key.comment.as_ref().map(|comment| {
                format!(
                    "comment on constraint {name} on {table} is {};",
                    quote_literal(comment)
                )
            });
            format!(
                "alter table {table} add constraint {name} {};{}",
                key.definition,
                comment.unwrap_or_default()
            )
        })
        .collect()
}

/// The statement that empties a table.
pub(super) fn empty(schema: &str, table: &str) -> String {
    format!(
        "truncate only {}.{};",
        quote_ident(schema),
        quote_ident(table)
    )
}

/// The statements that turn a table's triggers and rules off, and on again.
pub(super) fn hush(
    oid: u32,
    schema: &str,
    table: &str,
    quiet: &Quiet,
    forced: bool,
) -> (String, String) {
    let table = format!("{}.{}", quote_ident(schema), quote_ident(table));
    let (mut off, mut on) = (String::new(), String::new());
    for (disable, enable) in quiet.get(&oid).into_iter().flatten() {
        off.push_str(&format!("alter table only {table} {disable};"));
        on.push_str(&format!("alter table only {table} {enable};"));
    }
    if forced {
        off.push_str(&format!(
            "alter table only {table} no force row level security;"
        ));
        on.push_str(&format!(
            "alter table only {table} force row level security;"
        ));
    }
    (off, on)
}

/// The statement that sets a sequence back.
pub(super) fn set_back(schema: &str, sequence: &str, value: i64, called: bool) -> String {
    let name = format!("{}.{}", quote_ident(schema), quote_ident(sequence));
    format!(
        "select setval({}::regclass, {value}, {called});",
        quote_literal(&name)
    )
}

/// The statement that fills a materialized view again.
pub(super) fn refresh(schema: &str, view: &str) -> String {
    format!(
        "refresh materialized view {}.{};",
        quote_ident(schema),
        quote_ident(view)
    )
}
