//! Rows of tables on their way from the template to a tenant: which there are, where they wait, how they get in.
//!
//! Everything here is asked under the search path `pg_catalog`, on either side.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use tokio_postgres::GenericClient;

use crate::{
    certify::{self, Digest},
    names::{EXTENSIONS, quote_ident, quote_literal},
    script::{Error, Script},
};

/// A column of a table.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: String,
    type_name: String,
    /// Whether the type is one of the schema's own, so that its values travel as text.
    own: bool,
    generated: bool,
}

/// A relation as far as its rows go.
pub(crate) struct Relation {
    pub(crate) oid: u32,
    /// Whether it is a materialized view.
    pub(crate) view: bool,
}

/// A foreign key that is taken off while rows are put back.
pub(crate) struct Key {
    table: String,
    name: String,
    definition: String,
    comment: Option<String>,
}

/// Triggers and rules that must not see rows being put back: off and on again, by table.
pub(crate) type Quiet = HashMap<u32, Vec<(String, String)>>;

/// The relations of these names.
pub(crate) async fn relations(
    client: &impl GenericClient,
    schema: &str,
    names: &[String],
) -> Result<BTreeMap<String, Relation>, Error> {
    let rows = client
        .query(
            "select relname::text, oid, relkind = 'm' from pg_class
             where relname = any($1::name[]) and relkind in ('r', 'm')
               and relnamespace = (select oid from pg_namespace where nspname = $2::name)",
            &[&names, &schema],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let relation = Relation {
                oid: row.try_get(1)?,
                view: row.try_get(2)?,
            };
            Ok((row.try_get(0)?, relation))
        })
        .collect()
}

/// How many rows each relation has, and how many of them another transaction wrote than the one given.
pub(crate) async fn counts(
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
            "select {}::text, count(*), count(*) filter (where xmin <> {}::xid) from {}{relation}",
            quote_literal(name),
            quote_literal(written),
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
pub(crate) async fn columns(
    client: &impl GenericClient,
    schema: &str,
    tables: &[String],
) -> Result<BTreeMap<String, Vec<Column>>, Error> {
    let rows = client
        .query(
            "select c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
                    t.typnamespace = c.relnamespace and not exists (select from pg_depend e
                        where e.classid = 'pg_type'::regclass and e.deptype = 'e'
                          and e.objid in (t.oid, t.typelem)),
                    a.attgenerated <> ''
             from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 left join pg_type t on t.oid = a.atttypid
             where c.relname = any($1::name[])
               and c.relnamespace = (select oid from pg_namespace where nspname = $2::name)
             order by a.attnum",
            &[&tables, &schema],
        )
        .await?;
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in rows {
        let list = columns.entry(row.try_get(0)?).or_default();
        if let Some(name) = row.try_get(1)? {
            list.push(Column {
                name,
                type_name: row.try_get(2)?,
                own: row.try_get(3)?,
                generated: row.try_get(4)?,
            });
        }
    }
    Ok(columns)
}

/// Whether two tables have columns of the same names to put rows into.
pub(crate) fn fit(ours: &[Column], theirs: &[Column]) -> bool {
    let names = |columns: &[Column]| {
        let mut names: Vec<String> = stored(columns).map(|c| c.name.clone()).collect();
        names.sort_unstable();
        names
    };
    names(ours) == names(theirs)
}

/// The query for count and hash of a table of the template, as a digest has them.
pub(crate) fn hash(script: &Script, table: &str, columns: &[Column]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|c| match script.is_nulled(table, &c.name) {
            true => "null".to_owned(),
            false => format!("t.{}", quote_ident(&c.name)),
        })
        .collect();
    certify::hash_rows(script.source(), table, "only ", &columns)
}

/// The statements that copy a table of the template to where a role may read it.
pub(crate) fn stage(
    script: &Script,
    schema: &str,
    table: &str,
    columns: &[Column],
    role: &str,
) -> String {
    let values: Vec<String> = stored(columns)
        .map(|c| {
            let name = quote_ident(&c.name);
            match (script.is_nulled(table, &c.name), c.own) {
                (true, true) => format!("null::text as {name}"),
                (true, false) => format!("null::{} as {name}", c.type_name),
                (false, true) => as_text(&name),
                (false, false) => name,
            }
        })
        .collect();
    let target = format!("{}.{}", quote_ident(schema), quote_ident(table));
    format!(
        "; create unlogged table {target} as select {} from only {}.{}; grant select on {target} to {}",
        values.join(", "),
        quote_ident(script.source()),
        quote_ident(table),
        quote_ident(role)
    )
}

/// The foreign keys of tables, and those that refer to them.
pub(crate) async fn keys(client: &impl GenericClient, tables: &[u32]) -> Result<Vec<Key>, Error> {
    let rows = client
        .query(
            "with recursive key as (
                 select k.oid, k.conparentid from pg_depend d join pg_constraint k on k.oid = d.objid
                 where d.classid = 'pg_constraint'::regclass and d.refclassid = 'pg_class'::regclass
                   and d.refobjid = any($1::oid[]) and k.contype = 'f'
                 union select p.oid, p.conparentid from key join pg_constraint p on p.oid = key.conparentid)
             select k.conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(k.oid),
                    obj_description(k.oid, 'pg_constraint')
             from key join pg_constraint k using (oid) where k.conparentid = 0 order by 1, 2",
            &[&tables],
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
pub(crate) async fn quiet(client: &impl GenericClient, tables: &[u32]) -> Result<Quiet, Error> {
    let rows = client
        .query(
            "select tgrelid, 'trigger ' || quote_ident(tgname), tgenabled::text from pg_trigger
             where tgrelid = any($1::oid[]) and not tgisinternal and tgenabled <> 'D'
             union all select ev_class, 'rule ' || quote_ident(rulename), ev_enabled::text from pg_rewrite
             where ev_class = any($1::oid[]) and rulename <> '_RETURN' and ev_enabled <> 'D'",
            &[&tables],
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
pub(crate) async fn sequences(
    client: &impl GenericClient,
    schema: &str,
    owners: Option<&[u32]>,
) -> Result<Vec<String>, Error> {
    let rows = client
        .query(
            "select c.relname::text from pg_depend n join pg_class c on c.oid = n.objid
             where n.classid = 'pg_class'::regclass and n.refclassid = 'pg_namespace'::regclass
               and n.refobjid = (select oid from pg_namespace where nspname = $1::name) and c.relkind = 'S'
               and ($2::oid[] is null or exists (select from pg_depend o where o.classid = 'pg_class'::regclass
                   and o.objid = c.oid and o.refclassid = 'pg_class'::regclass and o.deptype in ('a', 'i')
                   and o.refobjid = any($2)))",
            &[&schema, &owners],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Those of the sequences that are not where the template's are, and where they belong.
pub(crate) async fn misplaced(
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
pub(crate) async fn views(
    client: &impl GenericClient,
    schema: &str,
    moved: &[u32],
) -> Result<Vec<String>, Error> {
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let rows = client
        .query(
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
            &[&schema, &moved],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The statements that copy what two tables of a role have in common, and the number of the second; none if there is nothing.
pub(crate) async fn carry(
    client: &impl GenericClient,
    from: &str,
    to: &str,
    table: &str,
) -> Result<Option<(String, u32)>, Error> {
    let name = [table.to_owned()];
    let Some(target) = relations(client, to, &name).await?.remove(table) else {
        return Ok(None);
    };
    let theirs = columns(client, from, &name).await?.remove(table).unwrap_or_default();
    let ours = columns(client, to, &name).await?.remove(table).unwrap_or_default();
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

/// Statements that put rows into a tenant's tables, collected and then run as one message.
pub(crate) struct Put(String);

impl Put {
    /// What is called on the way finds the schema's own names, and rows keep the order in which they lie.
    pub(crate) fn begin(schema: &str) -> Self {
        Self(format!(
            "set local search_path = pg_catalog, {}, {EXTENSIONS}, pg_temp; set local synchronize_seqscans = off; \
             set local client_min_messages = warning;",
            quote_ident(schema)
        ))
    }

    pub(crate) fn unbind(&mut self, keys: &[Key]) {
        for key in keys {
            self.0
                .push_str(&format!("alter table {} drop constraint {};", key.table, key.name));
        }
    }

    pub(crate) fn empty(&mut self, schema: &str, table: &str) {
        self.0.push_str(&format!(
            "truncate only {}.{};",
            quote_ident(schema),
            quote_ident(table)
        ));
    }

    #[allow(clippy::too_many_arguments)]
    pub(crate) fn fill(
        &mut self,
        schema: &str,
        oid: u32,
        table: &str,
        columns: &[Column],
        stage: &str,
        quiet: &Quiet,
        forced: bool,
    ) {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in stored(columns) {
            let name = quote_ident(&column.name);
            values.push(match column.own {
                true => format!("{name}::{}", column.type_name),
                false => name.clone(),
            });
            names.push(name);
        }
        let target = format!("{}.{}", quote_ident(schema), quote_ident(table));
        let list = match names.is_empty() {
            true => String::new(),
            false => format!(" ({}) overriding system value", names.join(", ")),
        };
        let mut text = format!(
            "insert into {target}{list} select {} from {}.{};",
            values.join(", "),
            quote_ident(stage),
            quote_ident(table)
        );
        if forced {
            text = format!(
                "alter table only {target} no force row level security; {text} \
                 alter table only {target} force row level security;"
            );
        }
        self.quietly(oid, schema, table, quiet, &text);
    }

    /// Runs `text` while the table's triggers and rules are off.
    pub(crate) fn quietly(&mut self, oid: u32, schema: &str, table: &str, quiet: &Quiet, text: &str) {
        let table = format!("{}.{}", quote_ident(schema), quote_ident(table));
        let none = Vec::new();
        let quiet = quiet.get(&oid).unwrap_or(&none);
        for (off, _) in quiet {
            self.0.push_str(&format!("alter table only {table} {off};"));
        }
        self.0.push_str(text);
        for (_, on) in quiet {
            self.0.push_str(&format!("alter table only {table} {on};"));
        }
    }

    pub(crate) fn bind(&mut self, keys: &[Key]) {
        for key in keys {
            self.0.push_str(&format!(
                "alter table {} add constraint {} {};",
                key.table, key.name, key.definition
            ));
            if let Some(comment) = &key.comment {
                self.0.push_str(&format!(
                    "comment on constraint {} on {} is {};",
                    key.name,
                    key.table,
                    quote_literal(comment)
                ));
            }
        }
    }

    pub(crate) fn set_back(&mut self, schema: &str, sequence: &str, value: i64, called: bool) {
        let name = format!("{}.{}", quote_ident(schema), quote_ident(sequence));
        self.0.push_str(&format!(
            "select setval({}::regclass, {value}, {called});",
            quote_literal(&name)
        ));
    }

    pub(crate) fn refresh(&mut self, schema: &str, view: &str) {
        self.0.push_str(&format!(
            "refresh materialized view {}.{};",
            quote_ident(schema),
            quote_ident(view)
        ));
    }

    pub(crate) fn end(self) -> String {
        self.0
    }
}

fn stored(columns: &[Column]) -> impl Iterator<Item = &Column> {
    columns.iter().filter(|c| !c.generated)
}

/// A value as the text that its type prints, which no cast of the schema's can stand in for; a null stays one.
fn as_text(name: &str) -> String {
    format!("(case when {name} is distinct from null then pg_catalog.format('%s', {name}) end) as {name}")
}
