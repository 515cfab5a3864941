//! Extensions of a template: kept in a schema of their own, because tenants may not look into the template's.
//!
//! A file may look for what they bring in the schema that it names, or in `public`; such names are made to say where
//! it really is. A trusted extension can't be moved by who made it, so it is made in the right place at once.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use tenants::names::{quote_ident, quote_literal};
use tokio_postgres::Transaction;

use super::{
    judge::Extension,
    statements::{self, Kind, Statement, Token},
};

pub use tenants::names::EXTENSIONS as SCHEMA;

/// What extensions bring, by the schema that the file names.
#[derive(Default)]
pub struct Brought {
    names: HashMap<String, HashSet<String>>,
    /// Names that the file has given to objects of its own.
    own: HashSet<String>,
}

/// What a `create ..` or `drop ..` names an object of its own after.
const KINDS: [&str; 9] = [
    "function",
    "procedure",
    "aggregate",
    "table",
    "view",
    "type",
    "domain",
    "sequence",
    "index",
];

impl Brought {
    /// Makes an extension if it is not there, and takes note of what it brings.
    ///
    /// # Errors
    /// Why the platform's role can't make it, with what a superuser can do about it.
    pub async fn make(
        &mut self,
        tx: &Transaction<'_>,
        wanted: &Extension,
    ) -> Result<Result<(), String>, tokio_postgres::Error> {
        if let Err(reason) = make(tx, &wanted.name).await? {
            return Ok(Err(reason));
        }
        let names = self.names.entry(wanted.schema.clone()).or_default();
        for row in tx.query(MEMBERS, &[&wanted.name]).await? {
            names.insert(row.get(0));
        }
        Ok(Ok(()))
    }

    /// The statement with the names of what extensions brought put right.
    pub fn rewrite<'a>(&mut self, statement: &Statement<'a>) -> Cow<'a, str> {
        if self.names.is_empty() {
            return Cow::Borrowed(statement.text);
        }
        let mut edits = Vec::new();
        self.mend(statement.text, &statement.tokens, 0, &mut edits);
        let makes = statement.word(0) == "create" || statement.word(0) == "do";
        let routine = |token: &Token| {
            token.kind == Kind::Word
                && matches!(
                    statement.text_of(*token).to_ascii_lowercase().as_str(),
                    "function" | "procedure" | "do"
                )
        };
        if makes && statement.tokens.iter().take(4).any(routine) {
            for token in statement
                .tokens
                .iter()
                .filter(|token| token.kind == Kind::Text)
            {
                let body = statement.text_of(*token);
                let from = body.find(['\'', '$']).unwrap_or(0);
                let from = if body[from..].starts_with('$') {
                    from + body[from + 1..].find('$').map_or(1, |length| length + 2)
                } else {
                    from + 1
                };
                let to = body.len().saturating_sub(from).max(from);
                let inside = &body[from..to];
                self.mend(
                    inside,
                    &statements::tokens(inside),
                    token.start + from,
                    &mut edits,
                );
            }
            path(statement, &mut edits);
        }
        if edits.is_empty() {
            return Cow::Borrowed(statement.text);
        }
        edits.sort_unstable_by_key(|edit| edit.0);
        let (mut out, mut at) = (String::with_capacity(statement.text.len() + 64), 0);
        for (start, end, text) in edits {
            out.push_str(&statement.text[at..start]);
            out.push_str(&text);
            at = end;
        }
        out.push_str(&statement.text[at..]);
        Cow::Owned(out)
    }

    /// Finds `schema.name` where the name is one that an extension brought there.
    fn mend(
        &mut self,
        text: &str,
        tokens: &[Token],
        offset: usize,
        edits: &mut Vec<(usize, usize, String)>,
    ) {
        for (at, three) in tokens.windows(3).enumerate() {
            let [schema, dot, name] =
                [0, 1, 2].map(|index| &text[three[index].start..three[index].end]);
            if dot != "." {
                continue;
            }
            let Some(brought) = self.names.get(&statements::name(schema, three[0].kind)) else {
                continue;
            };
            let name = match three[2].kind {
                Kind::Symbol => name.to_owned(),
                kind => statements::name(name, kind),
            };
            let before = at
                .checked_sub(1)
                .map(|before| text[tokens[before].start..tokens[before].end].to_ascii_lowercase());
            if before.as_deref() == Some(".")
                || !brought.contains(&name)
                || self.own.contains(&name)
            {
                continue;
            }
            if before.is_some_and(|before| KINDS.contains(&before.as_str())) {
                self.own.insert(name);
                continue;
            }
            edits.push((
                offset + three[0].start,
                offset + three[0].end,
                SCHEMA.to_owned(),
            ));
        }
    }
}

/// A routine that sets its own path to the template's schema goes on finding there what extensions bring.
fn path(statement: &Statement<'_>, edits: &mut Vec<(usize, usize, String)>) {
    for at in 0..statement.tokens.len().saturating_sub(3) {
        let Some(first) = statement.tokens.get(at + 3) else {
            return;
        };
        let sign = statement
            .text_of(statement.tokens[at + 2])
            .to_ascii_lowercase();
        let value = statement
            .text_of(*first)
            .trim_matches(['\'', '"'])
            .to_lowercase();
        if statement.has(at, &["set", "search_path"])
            && matches!(sign.as_str(), "to" | "=")
            && value == super::super::SCHEMA
        {
            edits.push((first.end, first.end, format!(", {SCHEMA}")));
        }
    }
}

async fn make(
    tx: &Transaction<'_>,
    name: &str,
) -> Result<Result<(), String>, tokio_postgres::Error> {
    let found = tx
        .query_opt(
            "select n.nspname::text from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
             where e.extname = $1::text",
            &[&name],
        )
        .await?;
    if let Some(row) = found {
        let schema: String = row.get(0);
        return Ok(match schema.as_str() {
            SCHEMA | "pg_catalog" => Ok(()),
            _ => Err(format!(
                "extension {name} is in schema {schema}, where tenants can't use it; as a superuser: alter extension {} set schema {SCHEMA}",
                quote_ident(name)
            )),
        });
    }
    let known = tx
        .query_opt(
            "select v.schema::text, v.trusted or not v.superuser
             from pg_catalog.pg_available_extension_versions v join pg_catalog.pg_available_extensions a
               on a.name = v.name and a.default_version = v.version where v.name = $1::text",
            &[&name],
        )
        .await?;
    let Some(row) = known else {
        return Ok(Err(format!(
            "extension {name} is not installed on the database server"
        )));
    };
    let (fixed, allowed): (Option<String>, bool) = (row.get(0), row.get(1));
    let target = match fixed.as_deref() {
        Some("pg_catalog") => String::new(),
        Some(other) => {
            return Ok(Err(format!(
                "extension {name} insists on a schema {other} of its own, which no copy can follow"
            )));
        }
        None => format!("schema {SCHEMA}"),
    };
    let text = format!("create extension {} {target} cascade", quote_ident(name));
    if !allowed {
        return Ok(Err(format!(
            "extension {name} can be made by a superuser alone: {text}"
        )));
    }
    tx.batch_execute(&format!(
        "create schema if not exists {SCHEMA}; grant usage on schema {SCHEMA} to public; {text}"
    ))
    .await?;
    Ok(Ok(()))
}

/// The path under which a file is run.
pub fn search_path() -> String {
    format!(
        "set search_path = {}, {SCHEMA}",
        quote_literal(super::super::SCHEMA)
    )
}

const MEMBERS: &str = "select coalesce(
        (select typname from pg_catalog.pg_type where oid = d.objid and d.classid = 'pg_catalog.pg_type'::regclass),
        (select proname from pg_catalog.pg_proc where oid = d.objid and d.classid = 'pg_catalog.pg_proc'::regclass),
        (select relname from pg_catalog.pg_class where oid = d.objid and d.classid = 'pg_catalog.pg_class'::regclass),
        (select oprname from pg_catalog.pg_operator where oid = d.objid and d.classid = 'pg_catalog.pg_operator'::regclass),
        (select opcname from pg_catalog.pg_opclass where oid = d.objid and d.classid = 'pg_catalog.pg_opclass'::regclass),
        (select dictname from pg_catalog.pg_ts_dict where oid = d.objid and d.classid = 'pg_catalog.pg_ts_dict'::regclass),
        (select collname from pg_catalog.pg_collation where oid = d.objid and d.classid = 'pg_catalog.pg_collation'::regclass),
        '')::text
    from pg_catalog.pg_depend d join pg_catalog.pg_extension e
      on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
    where e.extname = $1::text";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::template::load::statements::split;

    fn rewritten(sql: &str) -> Vec<String> {
        let names = ["citext", "=", "gin_trgm_ops", "replace"].map(str::to_owned);
        let mut brought = Brought {
            names: HashMap::from([("public".to_owned(), HashSet::from(names))]),
            own: HashSet::new(),
        };
        let statements = split(sql).unwrap();
        statements
            .iter()
            .map(|s| brought.rewrite(s).into_owned())
            .collect()
    }

    #[test]
    fn names_of_what_extensions_brought_say_where_it_is() {
        for (sql, expected) in [
            (
                "create table public.t (a public.citext, b public.other)",
                "create table public.t (a _extensions.citext, b public.other)",
            ),
            (
                "create index i on public.t using gin (a public.gin_trgm_ops)",
                "create index i on public.t using gin (a _extensions.gin_trgm_ops)",
            ),
            (
                "select a operator(public.=) 'public.citext'",
                "select a operator(_extensions.=) 'public.citext'",
            ),
            ("select x.public.citext", "select x.public.citext"),
            (
                "create function f() returns int language sql set search_path to 'public' as $$ select 'ä'::public.citext $$",
                "create function f() returns int language sql set search_path to 'public', _extensions as $$ select 'ä'::_extensions.citext $$",
            ),
        ] {
            assert_eq!(rewritten(sql), [expected]);
        }
    }

    #[test]
    fn objects_of_the_file_keep_their_names() {
        let sql =
            "create function public.replace(int) returns int return 1; select public.replace(1)";
        assert_eq!(rewritten(sql)[1], "select public.replace(1)");
    }
}
