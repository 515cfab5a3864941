//! What becomes of a statement of a template's file: run, passed over, or refused with a reason.

use super::statements::{Kind, Statement};
use crate::template::SCHEMA;

/// What is done with a statement.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is run as it stands.
    Run,
    /// It sets something for the session; what this server does not know is passed over.
    Set,
    /// It wants an extension.
    Extension(Extension),
    /// It is passed over: it says nothing about the template.
    Skip,
    /// It is refused, and the load with it.
    Refuse(String),
}

/// An extension that a file wants.
#[derive(Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// The schema that the rest of the file looks for it in.
    pub schema: String,
}

/// Judges a statement by its first words.
pub fn judge(statement: &Statement<'_>) -> Verdict {
    match statement.word(0).as_str() {
        // The file's own transaction is the load's, which ends behind the last statement.
        "begin" | "start" | "commit" | "end" => match statement.word(1).as_str() {
            "prepared" => own_transaction(),
            _ => Verdict::Skip,
        },
        "rollback" | "abort" | "savepoint" | "release" => own_transaction(),
        "prepare" if statement.word(1) == "transaction" => own_transaction(),
        "set" => set(statement),
        "reset" => match statement.word(1).as_str() {
            "role" | "session" => switches_role(),
            _ => Verdict::Skip,
        },
        // Copies have their own owners and grants; a template has the platform's.
        "grant" | "revoke" | "reassign" | "vacuum" | "analyze" | "checkpoint" | "deallocate"
        | "unlisten" => Verdict::Skip,
        "prepare" | "discard" | "listen" | "load" => Verdict::Refuse(format!(
            "{} is about a session and not about a template",
            statement.word(0)
        )),
        "comment" if statement.word(1) == "on" => match statement.word(2).as_str() {
            "database" | "extension" | "schema" | "role" | "tablespace" => Verdict::Skip,
            _ => Verdict::Run,
        },
        "create" | "alter" | "drop" => define(statement),
        _ => Verdict::Run,
    }
}

fn define(statement: &Statement<'_>) -> Verdict {
    let verb = statement.word(0);
    let kind = statement.word(1);
    match (verb.as_str(), kind.as_str()) {
        // The database is there already, whatever it is called in the file.
        (_, "database") => Verdict::Skip,
        (_, "role" | "group") => roles(),
        (_, "user") if statement.word(2) != "mapping" => roles(),
        ("drop", "owned") => roles(),
        ("alter", "default") => Verdict::Skip,
        ("create", "schema") => schema(statement, after_if(statement, 2)),
        ("drop", "schema") if statement.word(2) == "if" => Verdict::Skip,
        ("drop", "schema") => schema(statement, 2),
        ("create", "extension") => extension(statement),
        (_, "extension") => Verdict::Skip,
        ("alter", _) if owner(statement) => Verdict::Skip,
        ("alter", "schema") => Verdict::Refuse(format!("the schema {SCHEMA} stays what it is")),
        ("create", "subscription" | "server" | "foreign") | ("create", "event") => Verdict::Refuse(
            format!("{kind}: this reaches out of the template's schema, where no copy can follow"),
        ),
        _ => Verdict::Run,
    }
}

fn set(statement: &Statement<'_>) -> Verdict {
    let at = match statement.word(1).as_str() {
        "session" | "local" if statement.word(2) != "authorization" => 2,
        _ => 1,
    };
    match statement.word(at).as_str() {
        "role" | "session" => switches_role(),
        "constraints" => Verdict::Run,
        // The text is read as UTF-8 already, and the transaction is the load's.
        "client_encoding" | "names" | "transaction" | "characteristics" => Verdict::Skip,
        "standard_conforming_strings" if !is_on(statement) => Verdict::Refuse(
            "strings are read by the standard; write the file with standard_conforming_strings = on".to_owned(),
        ),
        _ => Verdict::Set,
    }
}

fn is_on(statement: &Statement<'_>) -> bool {
    let last = statement.tokens.last().copied();
    last.is_some_and(|token| {
        let text = statement
            .text_of(token)
            .trim_matches('\'')
            .to_ascii_lowercase();
        matches!(text.as_str(), "on" | "true" | "yes" | "1" | "default")
    })
}

/// `create extension [if not exists] name [with] [schema s] [version v] [cascade]`
fn extension(statement: &Statement<'_>) -> Verdict {
    let at = after_if(statement, 2);
    let schema = (at + 1..statement.tokens.len()).find(|at| statement.word(*at) == "schema");
    let schema = schema.map_or_else(|| SCHEMA.to_owned(), |at| statement.name(at + 1));
    Verdict::Extension(Extension {
        name: statement.name(at),
        schema,
    })
}

fn schema(statement: &Statement<'_>, at: usize) -> Verdict {
    let name = statement.name(at);
    if name == SCHEMA {
        // It is made empty before the file is run.
        return Verdict::Skip;
    }
    Verdict::Refuse(format!(
        "schema {name}: a template is what is in the schema {SCHEMA}, and nothing else can be copied"
    ))
}

/// Whether the statement ends in `owner to somebody`.
fn owner(statement: &Statement<'_>) -> bool {
    let count = statement.tokens.len();
    count > 4
        && statement.has(count - 3, &["owner", "to"])
        && matches!(statement.tokens[count - 1].kind, Kind::Word | Kind::Quoted)
}

/// The place behind `if not exists`, if that is there.
fn after_if(statement: &Statement<'_>, at: usize) -> usize {
    if statement.has(at, &["if", "not", "exists"]) {
        at + 3
    } else {
        at
    }
}

fn own_transaction() -> Verdict {
    Verdict::Refuse(
        "a template is loaded in one transaction; the file can't undo or keep a part of it"
            .to_owned(),
    )
}

fn switches_role() -> Verdict {
    Verdict::Refuse(
        "a template is loaded by the platform's role; write the dump with pg_dump --no-owner"
            .to_owned(),
    )
}

fn roles() -> Verdict {
    Verdict::Refuse("roles belong to the whole server and not to a template".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::template::load::statements::split;

    fn verdict(sql: &str) -> Verdict {
        judge(&split(sql).unwrap()[0])
    }

    #[test]
    fn statements_are_run_passed_over_or_refused() {
        for sql in [
            "create table t ()",
            "alter table t add owner text",
            "select setval('q', 1)",
            "comment on table t is 'database'",
            "set constraints all deferred",
            "drop table if exists t",
            "create user_thing",
        ] {
            assert_eq!(verdict(sql), Verdict::Run, "{sql}");
        }
        for sql in [
            "BEGIN",
            "start transaction isolation level serializable",
            "commit work",
            "alter table only public.t owner to \"Joe\"",
            "alter function f(int, text) owner to joe",
            "alter schema public owner to pg_database_owner",
            "grant select on t to nobody_known",
            "alter default privileges for role joe grant all on tables to joe",
            "create schema if not exists public",
            "create schema public",
            "drop schema if exists other cascade",
            "create database shop with encoding = 'UTF8'",
            "comment on extension citext is 'x'",
            "set client_encoding = 'LATIN1'",
            "set names 'x'",
            "vacuum",
        ] {
            assert_eq!(verdict(sql), Verdict::Skip, "{sql}");
        }
        for sql in [
            "set default_with_oids = false",
            "set local x.y to 'a'",
            "set standard_conforming_strings = on",
        ] {
            assert_eq!(verdict(sql), Verdict::Set, "{sql}");
        }
        for sql in [
            "rollback",
            "savepoint a",
            "commit prepared 'x'",
            "set role joe",
            "set session authorization 'joe'",
            "set local role joe",
            "reset session authorization",
            "create role joe",
            "alter user joe superuser",
            "create schema shop",
            "create schema authorization joe",
            "alter schema public rename to old",
            "drop owned by joe",
            "set standard_conforming_strings to off",
            "create foreign table f () server s",
        ] {
            let found = verdict(sql);
            assert!(matches!(found, Verdict::Refuse(_)), "{sql}: {found:?}");
        }
    }

    #[test]
    fn extensions_are_told_with_the_schema_that_the_file_uses() {
        for (sql, name, schema) in [
            ("create extension citext", "citext", "public"),
            (
                "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA extensions",
                "uuid-ossp",
                "extensions",
            ),
            (
                "create extension hstore version '1.8' cascade",
                "hstore",
                "public",
            ),
        ] {
            let wanted = Extension {
                name: name.to_owned(),
                schema: schema.to_owned(),
            };
            assert_eq!(verdict(sql), Verdict::Extension(wanted), "{sql}");
        }
    }
}
