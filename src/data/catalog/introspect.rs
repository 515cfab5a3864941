//! Reads a schema's [`Catalog`] from Postgres.
//!
//! Everything starts from the namespace's rows of `pg_depend`, which an index finds, so the cost
//! depends on this schema alone and not on how many others there are. The connection is the
//! tenant's own, with the tenant's schema in its search path: names are qualified and operators
//! too (written `==` below), or the tenant's own `=` would be called.

use super::types::{Type, TypeKind, TypeSchema};
use super::{Catalog, Check, Column, ForeignKey, Generated, Table, TableKind, Unique};
use postgres_types::ToSql;
use std::collections::HashMap;
use std::sync::LazyLock;
use tokio_postgres::{Client, Error, Row};

/// What numbers the columns of a demo, in the place of identities always, by default, and of sequences in defaults.
pub const NUMBERING: [&str; 3] = ["_sandlot_always", "_sandlot_identity", "_sandlot_next"];

/// Reads everything that a [`Catalog`] says of `schema`.
///
/// A schema that does not exist gives an empty catalog.
pub async fn introspect(client: &Client, schema: &str) -> Result<Catalog, Error> {
    let of: &[&(dyn ToSql + Sync)] = &[&schema];
    let (tables, columns, types, constraints, indexes) = tokio::try_join!(
        client.query(QUERIES.tables.as_str(), of),
        client.query(QUERIES.columns.as_str(), of),
        client.query(QUERIES.types.as_str(), of),
        client.query(QUERIES.constraints.as_str(), of),
        client.query(QUERIES.indexes.as_str(), of),
    )?;
    let types = Types::read(&types)?;
    let mut build = Build::default();
    for row in &tables {
        build.table(row)?;
    }
    for row in &columns {
        build.column(row, &types)?;
    }
    for row in &indexes {
        build.index(row)?;
    }
    for row in &constraints {
        build.constraint(row)?;
    }
    Ok(Catalog::new(build.tables))
}

/// Whether a schema of that name exists.
pub async fn schema_exists(client: &Client, schema: &str) -> Result<bool, Error> {
    let found = client
        .query_opt(
            "select 1 from pg_catalog.pg_namespace n where n.nspname operator(pg_catalog.=) $1",
            &[&schema],
        )
        .await?;
    Ok(found.is_some())
}

struct Queries {
    tables: String,
    columns: String,
    types: String,
    constraints: String,
    indexes: String,
}

/// The relations of the schema with rows to serve, and the start of every query.
const RELATIONS: &str = "
with rel as materialized (
  select c.oid, c.relname, c.relkind
    from pg_catalog.pg_namespace n
    join pg_catalog.pg_depend d
      on d.refclassid == 'pg_catalog.pg_namespace'::pg_catalog.regclass
     and d.refobjid == n.oid
     and d.classid == 'pg_catalog.pg_class'::pg_catalog.regclass
    join pg_catalog.pg_class c on c.oid == d.objid
   where n.nspname == $1
     and c.relkind == any (array['r', 'p', 'v', 'm', 'f']::pg_catalog.\"char\"[])
)";

const TABLES: &str = "
select rel.oid, rel.relname::pg_catalog.text, rel.relkind::pg_catalog.text,
       pg_catalog.pg_relation_is_updatable(rel.oid, true) as writes,
       pg_catalog.obj_description(rel.oid, 'pg_class') as comment,
       exists (select from pg_catalog.pg_trigger t
                where t.tgrelid == rel.oid and not t.tgisinternal
                  and (t.tgtype operator(pg_catalog.&) 7::pg_catalog.int2) == 7::pg_catalog.int2) as filled_in,
       exists ({CODE_ON_READ}) as code_on_read,
       exists ({CODE_ON_WRITE}) as code_on_write
  from rel";

/// What may run a function of somebody's when rows are read: a policy, a column computed then, an index's
/// condition, which the planner works out, a type of the tenant's that a function takes, which may be its cast to JSON.
const CODE_ON_READ: &str = "
  select from pg_catalog.pg_class c where c.oid == rel.oid
     and (c.relrowsecurity or c.relkind == any (array['v', 'f']::pg_catalog.\"char\"[]))
  union all
  select from pg_catalog.pg_attribute a where a.attrelid == rel.oid and a.attgenerated == 'v'
  union all
  select from (
    select pg_catalog.concat(i.indexprs, i.indpred) as tree from pg_catalog.pg_index i where i.indrelid == rel.oid
  ) planned
  cross join lateral pg_catalog.regexp_matches(planned.tree, ':(funcid|opno) ([0-9]+)', 'g') called(name)
   where called.name[2]::pg_catalog.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
  union all
  select from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid == a.atttypid
    join pg_catalog.pg_type e on e.oid == any (array[t.oid, t.typelem, t.typbasetype])
   where a.attrelid == rel.oid and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped
     and e.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
     and (e.typtype == 'c' or exists (
           select from pg_catalog.pg_depend f
            where f.refclassid == 'pg_catalog.pg_type'::pg_catalog.regclass and f.refobjid == e.oid
              and f.classid == 'pg_catalog.pg_proc'::pg_catalog.regclass))";

/// What may run one when a row is written: also a trigger, a rule, what hangs on the row by a
/// foreign key, a type with checks, and an expression that calls what Postgres does not ship or
/// what could change the session (functions of its own count up, draw and tell the time).
const CODE_ON_WRITE: &str = "
  select from pg_catalog.pg_class c where c.oid == rel.oid
     and (c.relrowsecurity or c.relhasrules or c.relhassubclass
          or c.relkind operator(pg_catalog.<>) 'r')
  union all
  select from pg_catalog.pg_trigger t where t.tgrelid == rel.oid and not t.tgisinternal
  union all
  select from pg_catalog.pg_depend d
    join pg_catalog.pg_constraint k on k.oid == d.objid
   where d.refclassid == 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid == rel.oid
     and d.classid == 'pg_catalog.pg_constraint'::pg_catalog.regclass
     and k.confrelid == rel.oid and k.contype == 'f'
     and (k.confdeltype == any (array['c', 'n', 'd']::pg_catalog.\"char\"[])
          or k.confupdtype == any (array['c', 'n', 'd']::pg_catalog.\"char\"[]))
  union all
  select from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid == a.atttypid
    join pg_catalog.pg_type e on e.oid == any (array[t.oid, t.typelem])
   where a.attrelid == rel.oid and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped
     and e.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
     and e.typtype == any (array['c', 'd', 'r', 'm']::pg_catalog.\"char\"[])
  union all
  select from (
    select d.adbin::pg_catalog.text as tree from pg_catalog.pg_attrdef d where d.adrelid == rel.oid
    union all
    select k.conbin::pg_catalog.text from pg_catalog.pg_constraint k where k.conrelid == rel.oid
    union all
    select pg_catalog.concat(i.indexprs, i.indpred) from pg_catalog.pg_index i where i.indrelid == rel.oid
  ) expression
  cross join lateral pg_catalog.regexp_matches(
    expression.tree, ':(funcid|opno) ([0-9]+)', 'g') called(name)
   where called.name[2]::pg_catalog.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
      or called.name[1] == 'funcid' and exists (
           select from pg_catalog.pg_proc p
            where p.oid == called.name[2]::pg_catalog.oid and p.provolatile == 'v'
              and p.proname operator(pg_catalog.<>) all (array['nextval', 'currval', 'lastval',
                'random', 'gen_random_uuid', 'clock_timestamp', 'timeofday']::pg_catalog.name[]))";

const COLUMNS: &str = "
select a.attrelid, a.attnum, a.attname::pg_catalog.text, a.attnotnull,
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) as value,
       a.attidentity::pg_catalog.text, a.attgenerated::pg_catalog.text,
       a.atttypid, a.atttypmod,
       pg_catalog.format_type(a.atttypid, a.atttypmod) as shown,
       pg_catalog.col_description(a.attrelid, a.attnum) as comment
  from rel
  join pg_catalog.pg_attribute a
    on a.attrelid == rel.oid and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped
  left join pg_catalog.pg_attrdef d on d.adrelid == a.attrelid and d.adnum == a.attnum
 order by a.attrelid, a.attnum";

/// The types of all columns, and what they are made of: elements of arrays, bases of domains.
const TYPES: &str = ", recursive_seed as materialized (
  select distinct a.atttypid as oid
    from rel
    join pg_catalog.pg_attribute a
      on a.attrelid == rel.oid and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped
), used(oid) as (
  select oid from recursive_seed
  union
  select part.oid
    from used
    join pg_catalog.pg_type t on t.oid == used.oid
    cross join lateral (values (t.typelem), (t.typbasetype)) part(oid)
   where part.oid operator(pg_catalog.<>) 0::pg_catalog.oid
)
select t.oid, t.typname::pg_catalog.text, n.nspname::pg_catalog.text as schema,
       n.nspname == $1 as own, t.typtype::pg_catalog.text,
       t.typelem, t.typbasetype, t.typtypmod,
       exists (select from pg_catalog.pg_type e
                where e.oid == t.typelem and e.typarray == t.oid) as is_array,
       pg_catalog.format_type(t.oid, null) as shown,
       pg_catalog.format_type(nullif_base.oid, t.typtypmod) as shown_base,
       case when t.typtype == 'e' then array(
         select e.enumlabel::pg_catalog.text from pg_catalog.pg_enum e
          where e.enumtypid == t.oid order by e.enumsortorder) end as labels,
       case when t.typtype == 'b' and n.nspname operator(pg_catalog.<>) 'pg_catalog' then (
         select os.nspname::pg_catalog.text
           from pg_catalog.pg_opclass c
           join pg_catalog.pg_amop o
             on o.amopfamily == c.opcfamily and o.amopstrategy == 3::pg_catalog.int2
            and o.amoplefttype == t.oid and o.amoprighttype == t.oid
           join pg_catalog.pg_operator op on op.oid == o.amopopr
           join pg_catalog.pg_namespace os on os.oid == op.oprnamespace
          where c.opcintype == t.oid and c.opcdefault
            and c.opcmethod == 403::pg_catalog.oid
          limit 1) end as ordering
  from used
  join pg_catalog.pg_type t on t.oid == used.oid
  join pg_catalog.pg_namespace n on n.oid == t.typnamespace
  cross join lateral (select case when t.typtype == 'd' then t.typbasetype end as oid) nullif_base";

const CONSTRAINTS: &str = "
select k.conrelid, k.conname::pg_catalog.text, k.contype::pg_catalog.text,
       k.conkey::pg_catalog.int2[], k.confrelid, k.confkey::pg_catalog.int2[],
       k.confdeltype::pg_catalog.text,
       pg_catalog.pg_get_constraintdef(k.oid) as definition
  from rel
  join pg_catalog.pg_constraint k on k.conrelid == rel.oid
 where k.contype == any (array['c', 'f', 'x']::pg_catalog.\"char\"[])
   -- A key to a partitioned table is repeated for each partition; the first one is enough.
   and not exists (select from pg_catalog.pg_constraint p
                    where p.oid == k.conparentid and p.conrelid == k.conrelid)
 order by k.conrelid, k.conname";

const INDEXES: &str = "
select i.indrelid, c.relname::pg_catalog.text, i.indisprimary,
       i.indpred is null as whole, not i.indimmediate as late,
       (i.indkey::pg_catalog.int2[])[0:i.indnkeyatts operator(pg_catalog.-) 1::pg_catalog.int2]
         as columns,
       array(select distinct d.refobjsubid::pg_catalog.int2 from pg_catalog.pg_depend d
              where d.classid == 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid == c.oid
                and d.refclassid == 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid == i.indrelid
                and i.indexprs is not null) as inside
  from rel
  join pg_catalog.pg_index i on i.indrelid == rel.oid and i.indisunique
  join pg_catalog.pg_class c on c.oid == i.indexrelid
 order by i.indrelid, c.relname";

static QUERIES: LazyLock<Queries> = LazyLock::new(|| {
    let spell = |rest: &str, recursive: bool| {
        let start = if recursive {
            RELATIONS.replace("with rel", "with recursive rel")
        } else {
            RELATIONS.to_owned()
        };
        (start + rest).replace(" == ", " operator(pg_catalog.=) ")
    };
    let tables = TABLES
        .replace("{CODE_ON_READ}", CODE_ON_READ)
        .replace("{CODE_ON_WRITE}", CODE_ON_WRITE);
    Queries {
        tables: spell(&tables, false),
        columns: spell(COLUMNS, false),
        types: spell(TYPES, true),
        constraints: spell(CONSTRAINTS, false),
        indexes: spell(INDEXES, false),
    }
});

/// All queries of a look.
#[cfg(test)]
pub fn looks() -> [&'static str; 5] {
    let q = &*QUERIES;
    [&q.tables, &q.columns, &q.types, &q.constraints, &q.indexes]
}

struct Types(HashMap<u32, TypeRow>);

struct TypeRow {
    name: String,
    schema: TypeSchema,
    kind: String,
    element: u32,
    base: u32,
    base_mod: i32,
    is_array: bool,
    shown: String,
    shown_base: Option<String>,
    labels: Option<Vec<String>>,
    ordering: Option<String>,
    own_name: String,
}

impl Types {
    fn read(rows: &[Row]) -> Result<Self, Error> {
        let mut types = HashMap::new();
        for row in rows {
            let schema: String = row.try_get("schema")?;
            let own: bool = row.try_get("own")?;
            types.insert(
                row.try_get("oid")?,
                TypeRow {
                    name: row.try_get("typname")?,
                    schema: place(&schema, own.then_some(schema.as_str())),
                    kind: row.try_get("typtype")?,
                    element: row.try_get("typelem")?,
                    base: row.try_get("typbasetype")?,
                    base_mod: row.try_get("typtypmod")?,
                    is_array: row.try_get("is_array")?,
                    shown: row.try_get("shown")?,
                    shown_base: row.try_get("shown_base")?,
                    labels: row.try_get("labels")?,
                    ordering: row.try_get("ordering")?,
                    own_name: if own { schema } else { String::new() },
                },
            );
        }
        Ok(Self(types))
    }

    /// The type of that id, `modifier` as in `atttypmod`, `shown` as Postgres prints it.
    fn get(&self, oid: u32, modifier: i32, shown: &str) -> Type {
        let Some(row) = self.0.get(&oid) else {
            // Only a type dropped between two of the queries; the next look finds it gone.
            return Type::builtin("text", super::types::oid::TEXT);
        };
        let kind = match row.kind.as_str() {
            "e" => TypeKind::Enum(row.labels.clone().unwrap_or_default()),
            "d" => TypeKind::Domain(Box::new(self.get(
                row.base,
                row.base_mod,
                row.shown_base.as_deref().unwrap_or(""),
            ))),
            "c" => TypeKind::Composite,
            "r" | "m" => TypeKind::Range,
            _ if row.is_array => {
                let element = self.0.get(&row.element).map_or("", |e| e.shown.as_str());
                TypeKind::Array(Box::new(self.get(row.element, -1, element)))
            }
            _ => TypeKind::Base,
        };
        let builtin = row.schema == TypeSchema::Builtin;
        let (schema, name) = match &kind {
            TypeKind::Array(element) => (element.schema.clone(), element.name.clone()),
            _ => (row.schema.clone(), row.name.clone()),
        };
        let ordered = match &row.ordering {
            Some(schema) => Some(place(
                schema,
                (row.own_name == *schema).then_some(schema.as_str()),
            )),
            None => Type::ordering(&kind, if builtin { oid } else { 0 }),
        };
        let mut ty = Type {
            array: matches!(kind, TypeKind::Array(_)),
            schema,
            name,
            oid: if builtin { oid } else { 0 },
            kind,
            shown: neutral(shown, &row.own_name),
            length: None,
            precision: None,
            scale: None,
            ordered,
        };
        modify(&mut ty, modifier);
        ty
    }
}

fn place(schema: &str, own: Option<&str>) -> TypeSchema {
    match schema {
        "pg_catalog" => TypeSchema::Builtin,
        name if own == Some(name) => TypeSchema::Own,
        name => TypeSchema::Other(name.to_owned()),
    }
}

/// A default as it would be shown if it were not a demo's.
fn shown_default(value: String) -> Option<String> {
    if calls(Some(&value), NUMBERING[0]) || calls(Some(&value), NUMBERING[1]) {
        return None;
    }
    match value.find(NUMBERING[2]) {
        Some(start) => {
            let end = end_of_call(&value[start..]).map_or(value.len(), |at| start + at);
            Some(format!("{}nextval({}", &value[..start], &value[end..]))
        }
        None => Some(value),
    }
}

/// Where the bracket is that closes the first one. What stands between is of our making: no quoted brackets.
fn end_of_call(text: &str) -> Option<usize> {
    let mut open = 0;
    text.char_indices().find_map(|(at, c)| {
        open += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        (c == ')' && open == 0).then_some(at)
    })
}

/// Whether a default calls a function of that name.
fn calls(value: Option<&str>, name: &str) -> bool {
    value.is_some_and(|value| value.contains(name))
}

/// A type's printed name without the tenant's own schema in front, where Postgres put it.
fn neutral(shown: &str, own: &str) -> String {
    let bare = shown
        .strip_prefix(own)
        .or_else(|| {
            shown
                .strip_prefix('"')?
                .strip_prefix(own)?
                .strip_prefix('"')
        })
        .and_then(|rest| rest.strip_prefix('.'));
    match bare {
        Some(rest) if !own.is_empty() => rest.to_owned(),
        _ => shown.to_owned(),
    }
}

/// Takes length, precision and scale out of a type modifier (`varcharin`, `numerictypmodin`).
fn modify(ty: &mut Type, modifier: i32) {
    use super::types::oid;
    if let TypeKind::Domain(inner) = &ty.kind {
        (ty.length, ty.precision, ty.scale) = (inner.length, inner.precision, inner.scale);
        return;
    }
    // Both kinds of modifier are kept with the four bytes of a length word added.
    let Some(packed) = modifier.checked_sub(4).filter(|packed| *packed >= 0) else {
        return;
    };
    match ty.oid {
        oid::VARCHAR | oid::BPCHAR => ty.length = u32::try_from(packed).ok(),
        oid::NUMERIC => {
            ty.precision = u32::try_from((packed >> 16) & 0xffff).ok();
            // The scale is an 11-bit two's complement number since PostgreSQL 15.
            ty.scale = Some(((packed & 0x7ff) ^ 1024) - 1024);
        }
        _ => {}
    }
}

#[derive(Default)]
struct Build {
    tables: Vec<Table>,
    by_oid: HashMap<u32, usize>,
    /// Per table, from `attnum` to position, since dropped columns leave gaps.
    positions: Vec<HashMap<i16, usize>>,
}

impl Build {
    fn table(&mut self, row: &Row) -> Result<(), Error> {
        let kind: String = row.try_get("relkind")?;
        // Bits are numbered by command: 2 update, 3 insert, 4 delete.
        let writes: i32 = row.try_get("writes")?;
        let can = |bit: i32| writes & (1 << bit) != 0;
        self.by_oid.insert(row.try_get("oid")?, self.tables.len());
        self.positions.push(HashMap::new());
        self.tables.push(Table {
            name: row.try_get("relname")?,
            kind: match kind.as_str() {
                "p" => TableKind::Partitioned,
                "v" => TableKind::View,
                "m" => TableKind::Materialized,
                "f" => TableKind::Foreign,
                _ => TableKind::Table,
            },
            comment: row.try_get("comment")?,
            updatable: can(2),
            insertable: can(3),
            deletable: can(4),
            filled_in: row.try_get("filled_in")?,
            code_on_read: row.try_get("code_on_read")?,
            code_on_write: row.try_get("code_on_write")?,
            ..Table::default()
        });
        Ok(())
    }

    fn column(&mut self, row: &Row, types: &Types) -> Result<(), Error> {
        let Some(at) = self.of(row.try_get("attrelid")?) else {
            return Ok(());
        };
        let identity: String = row.try_get("attidentity")?;
        let generated: String = row.try_get("attgenerated")?;
        let mut value: Option<String> = row.try_get("value")?;
        let shown: String = row.try_get("shown")?;
        let generated = match (identity.as_str(), generated.as_str()) {
            // A demo numbers by a function what is an identity elsewhere.
            _ if calls(value.as_deref(), NUMBERING[0]) => Generated::IdentityAlways,
            _ if calls(value.as_deref(), NUMBERING[1]) => Generated::IdentityByDefault,
            ("a", _) => Generated::IdentityAlways,
            ("d", _) => Generated::IdentityByDefault,
            (_, "") => Generated::No,
            _ => Generated::Stored,
        };
        value = value.and_then(shown_default);
        let table = &mut self.tables[at];
        self.positions[at].insert(row.try_get("attnum")?, table.columns.len());
        table.columns.push(Column {
            name: row.try_get("attname")?,
            ty: types.get(row.try_get("atttypid")?, row.try_get("atttypmod")?, &shown),
            nullable: !row.try_get::<_, bool>("attnotnull")?,
            default: value,
            generated,
            comment: row.try_get("comment")?,
        });
        Ok(())
    }

    fn index(&mut self, row: &Row) -> Result<(), Error> {
        let Some(at) = self.of(row.try_get("indrelid")?) else {
            return Ok(());
        };
        let numbers: Vec<i16> = row.try_get("columns")?;
        let columns = self.columns(at, &numbers);
        let inside = self.columns(at, &row.try_get::<_, Vec<i16>>("inside")?);
        let plain = columns.len() == numbers.len() && row.try_get("whole")?;
        if row.try_get("indisprimary")? {
            self.tables[at].key = columns.clone();
        }
        self.tables[at].uniques.push(Unique {
            name: row.try_get("relname")?,
            columns,
            plain,
            inside,
            deferrable: row.try_get("late")?,
        });
        Ok(())
    }

    fn constraint(&mut self, row: &Row) -> Result<(), Error> {
        let Some(at) = self.of(row.try_get("conrelid")?) else {
            return Ok(());
        };
        let kind: String = row.try_get("contype")?;
        let name: String = row.try_get("conname")?;
        let numbers: Option<Vec<i16>> = row.try_get("conkey")?;
        let columns = self.columns(at, &numbers.unwrap_or_default());
        if kind != "f" {
            self.tables[at].checks.push(Check {
                name,
                columns,
                definition: row.try_get("definition")?,
            });
            return Ok(());
        }
        // A key into another schema leads to rows that are not served here.
        if let Some(table) = self.of(row.try_get("confrelid")?) {
            let numbers: Option<Vec<i16>> = row.try_get("confkey")?;
            let action: String = row.try_get("confdeltype")?;
            let referred = self.columns(table, &numbers.unwrap_or_default());
            self.tables[at].foreign_keys.push(ForeignKey {
                name,
                columns,
                table,
                referred,
                on_delete: match action.as_str() {
                    "r" => "restrict",
                    "c" => "cascade",
                    "n" => "set null",
                    "d" => "set default",
                    _ => "no action",
                },
            });
        }
        Ok(())
    }

    fn of(&self, oid: u32) -> Option<usize> {
        self.by_oid.get(&oid).copied()
    }

    fn columns(&self, table: usize, numbers: &[i16]) -> Vec<usize> {
        numbers
            .iter()
            .filter_map(|number| self.positions[table].get(number).copied())
            .collect()
    }
}
