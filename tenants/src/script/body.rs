//! Finds the places where text that Postgres keeps as text (function bodies, settings, trigger arguments) names a schema.
//!
//! The scan follows SQL's tokens, so comments, other words and data that merely look alike stay as they are. What counts:
//! `schema.x` in code; in string literals `schema.x` where x is known to be an object of the schema, a placeholder of
//! `format` or the end of the literal; the schema as a value of `search_path`; and literals compared with a catalog's
//! schema-name column.

use std::collections::HashSet;

use super::slot::SCHEMA;
use super::tokens::{Kind, Token, is_word, tokens, tokens_until};

/// What a scan looks for.
pub(crate) struct Names<'a> {
    /// The schema's name.
    pub(crate) schema: &'a str,
    /// Names of relations, types, functions in it.
    pub(crate) known: &'a HashSet<String>,
    /// Names there that belong to extensions and stay where they are.
    pub(crate) foreign: &'a HashSet<String>,
}

/// Columns of catalogs, and variables of triggers, that hold the name of a schema.
const SCHEMA_COLUMNS: [&str; 12] = [
    "nspname",
    "schemaname",
    "schema_name",
    "table_schema",
    "tg_table_schema",
    "constraint_schema",
    "routine_schema",
    "specific_schema",
    "sequence_schema",
    "trigger_schema",
    "udt_schema",
    "view_schema",
];

/// Puts slots where a function's body in SQL or PL/pgSQL names the schema.
pub(crate) fn code(text: &str, names: &Names) -> String {
    let tokens = tokens(text);
    let solid: Vec<usize> = (0..tokens.len())
        .filter(|i| !matches!(tokens[*i].kind, Kind::Space))
        .collect();
    let mut out: Vec<String> = tokens.iter().map(|t| t.text.to_owned()).collect();
    let aliased = solid
        .windows(2)
        .any(|w| tokens[w[0]].is("as") && tokens[w[1]].names(names.schema));
    let mut in_path = false;
    for (at, &i) in solid.iter().enumerate() {
        let back = |n: usize| at.checked_sub(n).map(|k| &tokens[solid[k]]);
        let ahead = |n: usize| solid.get(at + n).map(|k| &tokens[*k]);
        let token = &tokens[i];
        if in_path
            && !(token.kind == Kind::Word
                || token.kind == Kind::Quoted
                || matches!(token.text, "," | "="))
        {
            in_path = token.kind == Kind::String;
        }
        match token.kind {
            Kind::Word | Kind::Quoted if token.names(names.schema) => {
                let member = back(1).is_some_and(|t| t.text == ".");
                let target = if ahead(1).is_some_and(|t| t.text == ".") {
                    ahead(2)
                } else {
                    None
                };
                let follows = match target.and_then(Token::name) {
                    Some(name) if names.known.contains(&name) => true,
                    Some(name) => !aliased && !names.foreign.contains(&name),
                    None => in_path || back(1).is_some_and(|t| t.is("schema")),
                };
                if follows && !member {
                    out[i] = SCHEMA.to_owned();
                }
            }
            Kind::Word if token.is("search_path") => {
                in_path = back(1).is_some_and(|t| t.is("set") || t.is("local") || t.is("session"))
            }
            Kind::String => {
                let inner = token.inner();
                let compared = back(2)
                    .and_then(Token::name)
                    .is_some_and(|n| SCHEMA_COLUMNS.contains(&n.as_str()))
                    && back(1).is_some_and(|t| matches!(t.text, "=" | "<>" | "(") || t.is("in"));
                let space = ahead(1).is_some_and(|t| t.text == "::")
                    && ahead(2).is_some_and(|t| t.is("regnamespace"));
                let configured = back(1).is_some_and(|t| t.text == ",")
                    && back(2)
                        .is_some_and(|t| t.kind == Kind::String && t.inner() == "search_path");
                let replaced = if (compared || in_path) && inner == names.schema {
                    Some("\0nq;".to_owned())
                } else if space && inner == names.schema {
                    Some("\0sq;".to_owned())
                } else if configured {
                    path(inner, names.schema).map(|p| p.replace(SCHEMA, "\0sq;"))
                } else {
                    in_literal(inner, names, token.text.starts_with('$'))
                };
                if let Some(replaced) = replaced {
                    out[i] = token.with_inner(&replaced);
                }
            }
            _ => {}
        }
    }
    out.concat()
}

/// Puts slots into the string literals of a definition that Postgres printed: those that are exactly the name of an
/// object of the schema, as `nextval('s.q'::text)` and a trigger's argument have them.
pub(crate) fn literals(text: &str, names: &Names) -> String {
    let mut out = String::with_capacity(text.len());
    for token in tokens(text) {
        let whole = token.kind == Kind::String
            && token.text.starts_with('\'')
            && whole_name(token.inner(), names);
        match in_literal(token.inner(), names, false) {
            Some(replaced) if whole => out.push_str(&token.with_inner(&replaced)),
            _ => out.push_str(token.text),
        }
    }
    out
}

/// Puts a slot into a value of `search_path` where it lists the schema; nothing if it does not.
pub(crate) fn path(value: &str, schema: &str) -> Option<String> {
    let mut found = false;
    let items: Vec<String> = tokens(value)
        .into_iter()
        .map(|t| {
            if t.names(schema) {
                found = true;
                SCHEMA.to_owned()
            } else {
                t.text.to_owned()
            }
        })
        .collect();
    found.then(|| items.concat())
}

/// Takes a schema's name off those names in printed SQL that are listed, and off its operators.
///
/// Operators are all taken, since what else could be meant is named in the facts about dependencies.
pub(crate) fn unqualify(text: &str, schema: &str, names: &HashSet<String>) -> String {
    let tokens = tokens(text);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < tokens.len() {
        let dotted = |from: usize| {
            tokens.get(from).is_some_and(|t| t.names(schema))
                && tokens.get(from + 1).is_some_and(|t| t.text == ".")
        };
        if dotted(at)
            && tokens
                .get(at + 2)
                .and_then(Token::name)
                .is_some_and(|n| names.contains(&n))
        {
            at += 2;
        } else if tokens[at].is("operator")
            && tokens.get(at + 1).is_some_and(|t| t.text == "(")
            && dotted(at + 2)
        {
            at += 4;
            while let Some(token) = tokens.get(at).filter(|t| t.text != ")") {
                out.push_str(token.text);
                at += 1;
            }
            at += 1;
        } else {
            out.push_str(tokens[at].text);
            at += 1;
        }
    }
    out
}

/// The names in a value such as that of `search_path`.
pub(crate) fn list(value: &str) -> Vec<String> {
    tokens(value).iter().filter_map(Token::name).collect()
}

fn whole_name(inner: &str, names: &Names) -> bool {
    let tokens = tokens(inner);
    match tokens.as_slice() {
        [schema, dot, name] => {
            schema.names(&names.schema.replace('\'', "''"))
                && dot.text == "."
                && name.name().is_some_and(|n| names.known.contains(&n))
        }
        _ => false,
    }
}

/// Slots in the raw text between the quotes of a literal; nothing if it does not name the schema.
///
/// `dollars` says that the quotes are dollars, between which quotes are not doubled.
fn in_literal(inner: &str, names: &Names, dollars: bool) -> Option<String> {
    let outer = if dollars {
        names.schema.to_owned()
    } else {
        names.schema.replace('\'', "''")
    };
    let nested_schema = outer.replace('\'', "''");
    let mut out = String::new();
    let mut rest = inner;
    let mut before: Option<char> = None;
    let mut nested = false;
    let mut found = false;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("''") {
            nested = !nested;
            out.push_str("''");
            rest = &rest[2..];
            before = Some('\'');
            continue;
        }
        let boundary = !before.is_some_and(|b| is_word(b) || b == '.' || b == '"');
        if boundary
            && let Some(len) = names_at(rest, if nested { &nested_schema } else { &outer }, names)
        {
            out.push_str(if nested { "\0sqq;" } else { "\0sq;" });
            rest = &rest[len..];
            before = Some('.');
            out.push('.');
            rest = &rest[1..];
            found = true;
            continue;
        }
        out.push(c);
        before = Some(c);
        rest = &rest[c.len_utf8()..];
    }
    found.then_some(out)
}

/// The length of the schema's name at the start of `text`, if what follows it is a dot and something of ours.
fn names_at(text: &str, schema_text: &str, names: &Names) -> Option<usize> {
    let token = tokens_until(text, 3);
    let [schema, dot, ..] = token.as_slice() else {
        return None;
    };
    if !schema.names(schema_text) || dot.text != "." {
        return None;
    }
    let ours = match token.get(2) {
        None => true,
        Some(next) => match next.name() {
            Some(name) => names.known.contains(&name),
            None => next.text.starts_with('%') || next.text.starts_with('\''),
        },
    };
    ours.then_some(schema.text.len())
}

#[cfg(test)]
mod tests {
    use super::super::slot::fill;
    use super::*;

    fn follow(text: &str) -> String {
        let known: HashSet<String> = ["t", "Odd Name", "f"].map(String::from).into();
        let foreign: HashSet<String> = ["citext".to_owned()].into();
        let names = Names {
            schema: "public",
            known: &known,
            foreign: &foreign,
        };
        fill(&code(text, &names), "jo_1", "owner")
    }

    #[test]
    fn code_follows() {
        assert_eq!(follow("select * from public.t"), "select * from jo_1.t");
        assert_eq!(follow("select * from PUBLIC . t"), "select * from jo_1 . t");
        assert_eq!(
            follow("insert into \"public\".\"Odd Name\""),
            "insert into jo_1.\"Odd Name\""
        );
        assert_eq!(
            follow("create table public.new(a int)"),
            "create table jo_1.new(a int)"
        );
        assert_eq!(
            follow("declare r public.t%rowtype;"),
            "declare r jo_1.t%rowtype;"
        );
        assert_eq!(
            follow("create index in schema public"),
            "create index in schema jo_1"
        );
    }

    #[test]
    fn what_only_looks_alike_stays() {
        for text in [
            "-- see public.t\nselect 1",
            "/* public.t /* public.f */ */ select 1",
            "select x::public.citext",
            "select public.a from t as public",
            "select 'public'",
            "select status = 'public' from t",
            "select 'made public.then'",
            "select notpublic.t, \"Public\".t, db.public.t",
            "grant select on t to public",
        ] {
            assert_eq!(follow(text), text);
        }
    }

    #[test]
    fn literals_follow_where_they_name_objects() {
        assert_eq!(
            follow("select nextval('public.t')"),
            "select nextval('jo_1.t')"
        );
        assert_eq!(
            follow("execute 'delete from public.' || n"),
            "execute 'delete from jo_1.' || n"
        );
        assert_eq!(
            follow("execute format('table public.%I', n)"),
            "execute format('table jo_1.%I', n)"
        );
        assert_eq!(
            follow("execute 'select f(''public.t'')'"),
            "execute 'select f(''jo_1.t'')'"
        );
        assert_eq!(
            follow("execute $q$select public.f()$q$"),
            "execute $q$select jo_1.f()$q$"
        );
        assert_eq!(follow("where nspname = 'public'"), "where nspname = 'jo_1'");
        assert_eq!(
            follow("select 'public'::regnamespace"),
            "select 'jo_1'::regnamespace"
        );
        assert_eq!(
            follow("select E'it\\'s public.t'"),
            "select E'it\\'s jo_1.t'"
        );
    }

    #[test]
    fn search_paths_follow() {
        assert_eq!(
            follow("set local search_path = public, pg_temp;"),
            "set local search_path = jo_1, pg_temp;"
        );
        assert_eq!(
            follow("set search_path to 'public'; select 'public'"),
            "set search_path to 'jo_1'; select 'public'"
        );
        assert_eq!(
            follow("select set_config('search_path', 'a, public', true)"),
            "select set_config('search_path', 'a, jo_1', true)"
        );
        assert_eq!(
            path("\"$user\", public", "public").as_deref(),
            Some("\"$user\", \0s;")
        );
        assert_eq!(path("a, b", "public"), None);
    }

    #[test]
    fn printed_definitions_follow_by_whole_literals_only() {
        let known: HashSet<String> = ["q".to_owned()].into();
        let none = HashSet::new();
        let names = Names {
            schema: "public",
            known: &known,
            foreign: &none,
        };
        let text = "nextval(('public.q'::text)::regclass) || 'see public.q'";
        assert_eq!(
            fill(&literals(text, &names), "jo_1", ""),
            "nextval(('jo_1.q'::text)::regclass) || 'see public.q'"
        );
    }

    #[test]
    fn broken_text_does_no_harm() {
        for text in [
            "'",
            "$a$ public",
            "/* ",
            "\"",
            "e'\\",
            "$",
            "public",
            "public.",
            "''''",
            "é'",
            "$é",
        ] {
            let _ = follow(text);
        }
    }
}
