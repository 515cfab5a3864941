//! What a schema's tables are and hold, as far as putting rows back has to know.
//!
//! Everything here is asked under the search path `pg_catalog`, on either side.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use tokio_postgres::{GenericClient, types::Type};

use crate::{
    certify::Digest,
    names::{quote_ident, quote_literal},
    script::{Error, Script},
};

/// A column of a table.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) type_name: String,
    /// Whether its values are numbers that print as names.
    pub(super) alias: bool,
    pub(super) generated: bool,
}

/// A relation as far as its rows go.
pub(super) struct Relation {
    pub(super) oid: u32,
    /// Whether it is a materialized view.
    pub(super) view: bool,
    /// The columns of its primary key; none if there is none to go by.
    pub(super) key: Vec<String>,
}

/// A foreign key that is taken off while rows are put back.
pub(super) struct Key {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) definition: String,
    pub(super) comment: Option<String>,
}

/// Triggers and rules that must not see rows being put back: off and on again, by table.
pub(super) type Quiet = HashMap<u32, Vec<(String, String)>>;

/// The relations of these names.
pub(super) async fn relations(
    client: &impl GenericClient,
    schema: &str,
    names: &[String],
) -> Result<BTreeMap<String, Relation>, Error> {
    let rows = client
        .query_typed(
            "select relname::text, c.oid, relkind = 'm', array(select attname::text from pg_index i
                     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
                     where i.indrelid = c.oid and indisprimary and indisvalid order by attname)
             from pg_class c where relname = any($1::name[]) and relkind in ('r', 'm')
               and relnamespace = (select oid from pg_namespace where nspname = $2::name)",
            &[(&names, Type::NAME_ARRAY), (&schema, Type::NAME)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let relation = Relation {
                oid: row.try_get(1)?,
                view: row.try_get(2)?,
                key: row.try_get(3)?,
            };
            Ok((row.try_get(0)?, relation))
        })
        .collect()
}

/// How many rows each relation has, and how many of them another transaction wrote than the one given.
pub(super) async fn counts(
    client: &impl GenericClient,
    schema: &str,
    script: &Script,
    asked: &[(&str, bool, &str)],
) -> Result<HashMap<String, (i64, i64)>, Error> {
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let mut before = String::new();
    let mut parts = Vec::new();
    for (name, view, written) in asked {
        let relation = format!("{}.{}", quote_ident(schema), quote_ident(name));
        if script.is_forced(name) {
            before.push_str(&format!(
                "alter table only {relation} no force row level security;"
            ));
        }
        parts.push(format!(
            "select {}::text, count(*), count(*) filter (where {}) from {}{relation}",
            quote_literal(name),
            foreign(written),
            if *view { "" } else { "only " }
        ));
    }
    if !before.is_empty() {
        client.batch_execute(&before).await?;
    }
    let rows = client.query_typed(&parts.join(" union all "), &[]).await?;
    let counts = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?))))
        .collect();
    if !before.is_empty() {
        let after = before.replace(" no force row level", " force row level");
        client.batch_execute(&after).await?;
    }
    counts
}

/// The columns of tables, in their order.
pub(super) async fn columns(
    client: &impl GenericClient,
    schema: &str,
    tables: &[String],
) -> Result<BTreeMap<String, Vec<Column>>, Error> {
    let rows = client
        .query_typed(
            "select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
                    t.typnamespace = 'pg_catalog'::regnamespace and t.typname ~ '^reg',
                    a.attgenerated <> ''
             from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 left join pg_type t on t.oid = a.atttypid
             where c.relname = any($1::name[])
               and c.relnamespace = (select oid from pg_namespace where nspname = $2::name)
             order by a.attnum",
            &[(&tables, Type::NAME_ARRAY), (&schema, Type::NAME)],
        )
        .await?;
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in rows {
        let list = columns.entry(row.try_get(0)?).or_default();
        if let Some(name) = row.try_get(1)? {
            list.push(Column {
                name,
                type_name: row.try_get(2)?,
                alias: row.try_get(3)?,
                generated: row.try_get(4)?,
            });
        }
    }
    Ok(columns)
}

/// Whether two tables have columns of the same names to put rows into.
pub(super) fn fit(ours: &[Column], theirs: &[Column]) -> bool {
    let names = |columns: &[Column]| {
        let mut names: Vec<String> = stored(columns).map(|c| c.name.clone()).collect();
        names.sort_unstable();
        names
    };
    names(ours) == names(theirs)
}

/// The foreign keys that refer to tables, and with `all` their own.
pub(super) async fn keys(
    client: &impl GenericClient,
    tables: &[u32],
    all: bool,
) -> Result<Vec<Key>, Error> {
    let rows = client
        .query_typed(
            "with recursive key as (
                 select k.oid, k.conparentid from pg_depend d join pg_constraint k on k.oid = d.objid
                 where d.classid = 'pg_constraint'::regclass and d.refclassid = 'pg_class'::regclass
                   and d.refobjid = any($1::oid[]) and k.contype = 'f' and ($2 or k.confrelid = any($1))
                 union select p.oid, p.conparentid from key join pg_constraint p on p.oid = key.conparentid)
             select k.conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(k.oid),
                    obj_description(k.oid, 'pg_constraint')
             from key join pg_constraint k using (oid) where k.conparentid = 0 order by 1, 2",
            &[(&tables, Type::OID_ARRAY), (&all, Type::BOOL)],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Key {
                table: row.try_get(0)?,
                name: row.try_get(1)?,
                definition: row.try_get(2)?,
                comment: row.try_get(3)?,
            })
        })
        .collect()
}

/// What of tables would see, or change, rows that are put in.
pub(super) async fn quiet(client: &impl GenericClient, tables: &[u32]) -> Result<Quiet, Error> {
    let rows = client
        .query_typed(
            "select tgrelid, 'trigger ' || quote_ident(tgname), tgenabled::text from pg_trigger
             where tgrelid = any($1::oid[]) and not tgisinternal and tgenabled <> 'D' and tgtype & (4 | 8 | 32) <> 0
             union all select ev_class, 'rule ' || quote_ident(rulename), ev_enabled::text from pg_rewrite
             where ev_class = any($1::oid[]) and ev_type in ('3', '4') and ev_enabled <> 'D'",
            &[(&tables, Type::OID_ARRAY)],
        )
        .await?;
    let mut quiet = Quiet::new();
    for row in rows {
        let (what, state): (String, String) = (row.try_get(1)?, row.try_get(2)?);
        let on = match state.as_str() {
            "R" => "enable replica",
            "A" => "enable always",
            _ => "enable",
        };
        let entry = quiet.entry(row.try_get(0)?).or_default();
        entry.push((format!("disable {what}"), format!("{on} {what}")));
    }
    Ok(quiet)
}

/// The sequences of the schema; those of the given tables only, if there are any given.
pub(super) async fn sequences(
    client: &impl GenericClient,
    schema: &str,
    owners: Option<&[u32]>,
) -> Result<Vec<String>, Error> {
    let rows = client
        .query_typed(
            "select c.relname::text from pg_depend n join pg_class c on c.oid = n.objid
             where n.classid = 'pg_class'::regclass and n.refclassid = 'pg_namespace'::regclass
               and n.refobjid = (select oid from pg_namespace where nspname = $1::name) and c.relkind = 'S'
               and ($2::oid[] is null or exists (select from pg_depend o where o.classid = 'pg_class'::regclass
                   and o.objid = c.oid and o.refclassid = 'pg_class'::regclass and o.deptype in ('a', 'i')
                   and o.refobjid = any($2)))",
            &[(&schema, Type::NAME), (&owners, Type::OID_ARRAY)],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Those of the sequences that are not where the template's are, and where they belong.
pub(super) async fn misplaced(
    client: &impl GenericClient,
    schema: &str,
    sequences: &[String],
    template: &Digest,
) -> Result<Vec<(String, i64, bool)>, Error> {
    let known = template.objects.get("sequence value");
    let place = |name: &String| {
        let facts = known?.get(name)?;
        let value = facts.get("last value").and_then(Value::as_i64)?;
        Some((value, facts.get("is called").and_then(Value::as_bool)?))
    };
    let parts: Vec<String> = sequences
        .iter()
        .filter(|name| place(name).is_some())
        .map(|name| {
            format!(
                "select {}::text, last_value, is_called from {}.{}",
                quote_literal(name),
                quote_ident(schema),
                quote_ident(name)
            )
        })
        .collect();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for row in client.query_typed(&parts.join(" union all "), &[]).await? {
        let (name, found): (String, (i64, bool)) =
            (row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
        if let Some((value, called)) = place(&name)
            && (value, called) != found
        {
            out.push((name, value, called));
        }
    }
    Ok(out)
}

/// The materialized views, in the order to fill them, that are or read one of the relations given, or that call functions.
pub(super) async fn views(
    client: &impl GenericClient,
    schema: &str,
    moved: &[u32],
) -> Result<Vec<String>, Error> {
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let rows = client
        .query_typed(
            "with recursive own as (select oid from pg_namespace where nspname = $1::name),
                 view as (select c.oid, c.relname from pg_depend n join pg_class c on c.oid = n.objid
                     where n.classid = 'pg_class'::regclass and n.refclassid = 'pg_namespace'::regclass
                       and n.refobjid = (select oid from own) and c.relkind = 'm' and c.relispopulated),
                 reads(view, class, object) as (
                     select oid, 'pg_class'::regclass::oid, oid from view
                     union select reads.view, d.refclassid, d.refobjid from reads
                         join pg_rewrite r on r.ev_class = reads.object and reads.class = 'pg_class'::regclass
                         join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid)
             select relname::text from view where exists (select from reads where reads.view = view.oid
                 and (class = 'pg_class'::regclass and object = any($2::oid[])
                     or class = 'pg_proc'::regclass and exists (select from pg_proc
                         where oid = object and pronamespace = (select oid from own))))
             order by view.oid",
            &[(&schema, Type::NAME), (&moved, Type::OID_ARRAY)],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The condition for a row that none of the transactions wrote.
pub(super) fn foreign(written: &str) -> String {
    let writers = written.split(',');
    let conditions: Vec<String> = writers
        .map(|writer| format!("xmin <> {}::xid", quote_literal(writer)))
        .collect();
    conditions.join(" and ")
}

pub(super) fn stored(columns: &[Column]) -> impl Iterator<Item = &Column> {
    columns.iter().filter(|c| !c.generated)
}
