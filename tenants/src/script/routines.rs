//! Functions, procedures and aggregates of a script.

use serde_json::Value;

use super::body;
use super::catalog::{Name, Routine};
use super::draft::{Draft, here, object};
use super::graph::{Body, Item, Phase};
use super::slot::{BARE_SCHEMA, ident, literal, names_schema};

/// Settings whose value is a list of names.
const LISTS: [&str; 3] = ["search_path", "temp_tablespaces", "local_preload_libraries"];

/// Draws up all routines.
pub(crate) fn draw(draft: &mut Draft<'_>) {
    for routine in &draft.catalog.routines {
        let on = object("pg_proc", routine.oid);
        // What a range type brings along is not made by itself.
        if draft.items.iter().any(|i| i.covers.contains(&on)) {
            continue;
        }
        if routine.kind == "a" {
            aggregate(draft, routine);
        } else if routine.trusted {
            function(draft, routine);
        } else {
            draft.leave_out(
                "function",
                &routine.name,
                "only a superuser may use its language",
                &[on],
            );
        }
    }
}

fn function(draft: &mut Draft<'_>, routine: &Routine) {
    let on = object("pg_proc", routine.oid);
    let kind = if routine.kind == "p" {
        "procedure"
    } else {
        "function"
    };
    let name = here(&routine.name);
    if routine.leakproof {
        draft.note(
            kind,
            &routine.name,
            "made without leakproof, which only a superuser may give",
        );
    }
    if routine.supported {
        draft.note(
            kind,
            &routine.name,
            "made without its support function, which only a superuser may give",
        );
    }
    let settings: Vec<String> = routine
        .settings
        .iter()
        .filter_map(|s| setting(draft, s))
        .collect();
    let source = match routine.language.as_str() {
        "sql" | "plpgsql" => body::code(&routine.source, &draft.names()),
        _ => body::literals(&routine.source, &draft.names()),
    };
    let head = |arguments: &str| {
        let returns = routine
            .result
            .as_ref()
            .map(|r| format!(" returns {r}"))
            .unwrap_or_default();
        format!(
            "create or replace {kind} {name}({arguments}){returns} language {}",
            ident(&routine.language)
        )
    };
    let definition = routine
        .parsed
        .clone()
        .unwrap_or_else(|| format!("as {}", literal(&source)));
    let sql = format!(
        "{}{}{} {definition}",
        head(&routine.arguments),
        traits(routine),
        settings.concat()
    );
    if names_schema(&source) || settings.iter().any(|s| names_schema(s)) {
        draft.mending.push(sql.clone());
    }
    let needs = draft.needs("pg_proc", routine.oid);
    let body = if routine.parsed.is_some() {
        // With a body of text nothing but its types has to be there.
        let plain = routine
            .result
            .as_deref()
            .filter(|r| !r.starts_with("SETOF ") && !r.starts_with("TABLE("));
        let nothing = format!(
            "select null{}",
            plain.map(|r| format!("::{r}")).unwrap_or_default()
        );
        let stub = format!(
            "{}{} as {}",
            head(&routine.arguments),
            traits(routine),
            literal(&nothing)
        );
        let stub_needs = needs
            .iter()
            .filter(|(class, _)| class == "pg_type")
            .cloned()
            .collect();
        Body::Replaced {
            stub,
            stub_needs,
            sql,
        }
    } else {
        Body::Sql {
            head: String::new(),
            rest: sql,
        }
    };
    draft.owns(on.clone(), format!("{kind} {name}({})", routine.identity));
    draft.items.push(Item {
        phase: Phase::Routine,
        kind,
        name: routine.name.clone(),
        body,
        covers: vec![on],
        needs,
    });
}

fn traits(routine: &Routine) -> String {
    let mut out = String::new();
    if routine.kind == "w" {
        out.push_str(" window");
    }
    if !routine.transforms.is_empty() {
        out.push_str(" transform ");
        out.push_str(
            &routine
                .transforms
                .iter()
                .map(|t| format!("for type {t}"))
                .collect::<Vec<_>>()
                .join(", "),
        );
    }
    if routine.kind != "p" {
        out.push_str(match routine.volatility.as_str() {
            "i" => " immutable",
            "s" => " stable",
            _ => " volatile",
        });
        if routine.strict {
            out.push_str(" strict");
        }
        out.push_str(match routine.parallel.as_str() {
            "s" => " parallel safe",
            "r" => " parallel restricted",
            _ => " parallel unsafe",
        });
        out.push_str(&format!(" cost {}", routine.cost));
        if routine.rows != "0" {
            out.push_str(&format!(" rows {}", routine.rows));
        }
    }
    if routine.definer {
        out.push_str(" security definer");
    }
    out
}

/// A setting of a function, `name=value` in the catalog, as a `set` clause; the schema in a `search_path` follows.
fn setting(draft: &Draft<'_>, setting: &str) -> Option<String> {
    let (name, value) = setting.split_once('=')?;
    let value = if LISTS.contains(&name) {
        let mut items = body::list(value);
        let follows = name == "search_path" && items.iter().any(|i| i == draft.schema);
        // What extensions keep beside the template's own objects must still be found.
        items.extend(
            (follows && !draft.catalog.foreign.is_empty()).then(|| draft.schema.to_owned()),
        );
        let own = if follows {
            items.iter().position(|i| i == draft.schema)
        } else {
            None
        };
        let items: Vec<String> = (items.iter().enumerate())
            .map(|(at, item)| literal(if own == Some(at) { BARE_SCHEMA } else { item }))
            .collect();
        if items.is_empty() {
            "''".to_owned()
        } else {
            items.join(", ")
        }
    } else {
        literal(value)
    };
    let name = name.split('.').map(ident).collect::<Vec<_>>().join(".");
    Some(format!(" set {name} to {value}"))
}

fn aggregate(draft: &mut Draft<'_>, routine: &Routine) {
    let on = object("pg_proc", routine.oid);
    let Some(facts) = &routine.aggregate else {
        return;
    };
    let mut options = Vec::new();
    for (key, value) in facts {
        let text = match (key.as_str(), value) {
            (_, Value::Null) | ("kind", _) => continue,
            ("sortop", value) => match serde_json::from_value::<Name>(value.clone()) {
                Ok(name) => draft.operator(&name),
                Err(_) => continue,
            },
            (_, Value::Array(_)) => match serde_json::from_value::<Name>(value.clone()) {
                Ok(name) => draft.qualified(&name),
                Err(_) => continue,
            },
            ("initcond" | "minitcond", Value::String(text)) => literal(text),
            ("finalfunc_modify" | "mfinalfunc_modify", Value::String(text)) => {
                match text.as_str() {
                    "r" => "read_only".to_owned(),
                    "s" => "shareable".to_owned(),
                    _ => "read_write".to_owned(),
                }
            }
            (_, Value::Bool(_)) => {
                options.push(key.clone());
                continue;
            }
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        };
        // These two mean something only beside the function that they are about.
        let about = key
            .strip_suffix("_modify")
            .or_else(|| key.strip_suffix("_extra"));
        if about.is_none_or(|f| facts.get(f).is_some_and(|v| !v.is_null())) {
            options.push(format!("{key} = {text}"));
        }
    }
    if facts.get("kind").and_then(Value::as_str) == Some("h") {
        options.push("hypothetical".to_owned());
    }
    options.push(match routine.parallel.as_str() {
        "s" => "parallel = safe".to_owned(),
        "r" => "parallel = restricted".to_owned(),
        _ => "parallel = unsafe".to_owned(),
    });
    let name = here(&routine.name);
    let arguments = if routine.identity.is_empty() {
        "*"
    } else {
        &routine.identity
    };
    let sql = format!(
        "create aggregate {name}({arguments}) ({})",
        options.join(", ")
    );
    draft.owns(on.clone(), format!("aggregate {name}({arguments})"));
    let needs = draft.needs("pg_proc", routine.oid);
    draft.add(
        Phase::Routine,
        ("aggregate", &routine.name),
        sql,
        vec![on],
        needs,
    );
}
