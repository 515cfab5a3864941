//! Types, collations, operators, casts and text search objects of a script.

use serde_json::Value;

use super::catalog::{Constraint, Name, Named, Type};
use super::draft::{Draft, here, object, there};
use super::graph::{Body, Item, Part, Phase};
use super::slot::{SCHEMA, ident, literal};

/// Draws up all types, and what is found by the names of types.
pub(crate) fn draw(draft: &mut Draft<'_>) {
    for t in &draft.catalog.types {
        match t.kind.as_str() {
            "e" => simple(draft, t, format!("enum ({})", labels(t))),
            "c" => composite(draft, t),
            "d" => domain(draft, t),
            "r" => range(draft, t),
            // The type of a multirange comes with its range.
            "m" => {}
            _ => draft.leave_out(
                "type",
                &t.name,
                "only a superuser may make base types",
                &covers(draft, t),
            ),
        }
    }
    for named in &draft.catalog.named {
        draw_named(draft, named);
    }
    operators(draft);
    casts(draft);
}

fn labels(t: &Type) -> String {
    t.labels
        .iter()
        .map(|l| literal(l))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The objects that come to be with a type.
fn covers(draft: &Draft<'_>, t: &Type) -> Vec<super::catalog::Object> {
    let mut covers = vec![object("pg_type", t.oid)];
    covers.extend((t.array != 0).then(|| object("pg_type", t.array)));
    covers.extend((t.relation != 0).then(|| object("pg_class", t.relation)));
    if let Some(range) = &t.range {
        covers.push(object("pg_type", range.multirange_oid));
        covers.push(object("pg_type", range.multirange_array));
    }
    let made_by_type =
        |d: &&super::catalog::Dependency| d.kind == "i" && d.on_class == "pg_type" && d.on == t.oid;
    covers.extend(
        (draft.catalog.dependencies.iter())
            .filter(made_by_type)
            .map(|d| object(&d.class, d.oid)),
    );
    covers
}

fn simple(draft: &mut Draft<'_>, t: &Type, definition: String) {
    let covers = covers(draft, t);
    let needs = draft.needs("pg_type", t.oid);
    draft.owns(object("pg_type", t.oid), format!("type {}", here(&t.name)));
    draft.add(
        Phase::Type,
        ("type", &t.name),
        format!("create type {} as {definition}", here(&t.name)),
        covers,
        needs,
    );
}

fn composite(draft: &mut Draft<'_>, t: &Type) {
    let name = here(&t.name);
    let parts = (draft.columns(t.relation).iter())
        .map(|c| Part {
            sql: format!(
                "{} {}{}",
                ident(&c.name),
                c.type_name,
                collate(c.collation.as_deref())
            ),
            needs: draft.needs_of_column(t.relation, c.number),
        })
        .collect();
    draft.owns(object("pg_type", t.oid), format!("type {name}"));
    let covers = covers(draft, t);
    draft.items.push(Item {
        phase: Phase::Type,
        kind: "type",
        name: t.name.clone(),
        body: Body::Parts {
            create: format!("create type {name} as ("),
            parts,
            last: Vec::new(),
            close: ")".to_owned(),
            head: format!("alter type {name} "),
            add: "add attribute ",
        },
        covers,
        needs: Vec::new(),
    });
}

fn domain(draft: &mut Draft<'_>, t: &Type) {
    let name = here(&t.name);
    let mut sql = format!(
        "create domain {name} as {}",
        t.base.as_deref().unwrap_or_default()
    );
    sql.push_str(&collate(t.collation.as_deref()));
    let mut needs = draft.needs("pg_type", t.oid);
    let mut covers = covers(draft, t);
    if let Some(default) = &t.default {
        sql.push_str(&format!(" default {default}"));
    }
    if t.not_null {
        sql.push_str(" not null");
    }
    let checks: Vec<&Constraint> = draft
        .catalog
        .constraints
        .iter()
        .filter(|c| c.domain == t.oid)
        .collect();
    for check in checks {
        let constraint = format!("constraint {} {}", ident(&check.name), check.definition);
        let on = object("pg_constraint", check.oid);
        draft.called.insert(
            on.clone(),
            format!("constraint {} on domain {name}", ident(&check.name)),
        );
        if check.validated && !draft.is_late("pg_constraint", check.oid, 0) {
            sql.push_str(&format!(" {constraint}"));
            needs.extend(draft.needs("pg_constraint", check.oid));
            covers.push(on);
        } else {
            // Checks that call functions wait for these, and come before the rows that they check.
            let needs = draft.needs("pg_constraint", check.oid);
            draft.add(
                Phase::Attach,
                ("check", &check.name),
                format!("alter domain {name} add {constraint}"),
                vec![on],
                needs,
            );
        }
    }
    draft.owns(object("pg_type", t.oid), format!("domain {name}"));
    draft.add(Phase::Type, ("domain", &t.name), sql, covers, needs);
}

fn range(draft: &mut Draft<'_>, t: &Type) {
    let Some(range) = &t.range else { return };
    if range.canonical.is_some() {
        let covers = covers(draft, t);
        draft.leave_out(
            "type",
            &t.name,
            "a canonical function can't be made without a shell type",
            &covers,
        );
        return;
    }
    let mut options = vec![format!("subtype = {}", range.subtype)];
    options.extend(
        range
            .class
            .as_ref()
            .map(|n| format!("subtype_opclass = {}", draft.qualified(n))),
    );
    options.extend(range.collation.as_ref().map(|n| format!("collation = {n}")));
    options.extend(
        range
            .difference
            .as_ref()
            .map(|n| format!("subtype_diff = {}", draft.qualified(n))),
    );
    options.push(format!(
        "multirange_type_name = {}",
        here(&range.multirange)
    ));
    simple(draft, t, format!("range ({})", options.join(", ")));
}

fn draw_named(draft: &mut Draft<'_>, named: &Named) {
    let (name, on) = (here(&named.name), object(&named.class, named.oid));
    let detail: Value = named
        .detail
        .as_deref()
        .and_then(|d| serde_json::from_str(d).ok())
        .unwrap_or_default();
    let needs = draft.needs(&named.class, named.oid);
    let qualified = |value: &Value| {
        serde_json::from_value::<Name>(value.clone())
            .map(|n| draft.qualified(&n))
            .unwrap_or_default()
    };
    match named.kind.as_str() {
        // This copies all of a collation's properties, on every version of the server.
        "collation" => {
            let sql = format!(
                "create collation {name} from {}",
                there(draft.schema, &named.name)
            );
            draft.owns(on.clone(), format!("collation {name}"));
            draft.add(
                Phase::Type,
                ("collation", &named.name),
                sql,
                vec![on],
                needs,
            );
        }
        "text search dictionary" => {
            let options = detail["options"]
                .as_str()
                .map(|o| format!(", {o}"))
                .unwrap_or_default();
            let template = qualified(&detail["template"]);
            let sql =
                format!("create text search dictionary {name} (template = {template}{options})");
            draft.owns(on.clone(), format!("text search dictionary {name}"));
            draft.add(
                Phase::Type,
                ("text search dictionary", &named.name),
                sql,
                vec![on],
                needs,
            );
        }
        "text search configuration" => {
            let parser = qualified(&detail["parser"]);
            let mut sql = format!("create text search configuration {name} (parser = {parser})");
            for map in detail["maps"].as_array().into_iter().flatten() {
                if let (Some(token), Some(dictionaries)) = (map[0].as_str(), map[1].as_str()) {
                    sql.push_str(&format!(
                        "; alter text search configuration {name} add mapping for {} with {dictionaries}",
                        ident(token)
                    ));
                }
            }
            draft.owns(on.clone(), format!("text search configuration {name}"));
            draft.add(
                Phase::Type,
                ("text search configuration", &named.name),
                sql,
                vec![on],
                needs,
            );
        }
        kind => {
            let reason = "only a superuser may make it";
            draft.leave_out(kind, &named.name, reason, &[on]);
        }
    }
}

fn operators(draft: &mut Draft<'_>) {
    for o in &draft.catalog.operators {
        let mut options = vec![format!("function = {}", draft.qualified(&o.function))];
        options.extend(o.left.as_ref().map(|t| format!("leftarg = {t}")));
        options.extend(o.right.as_ref().map(|t| format!("rightarg = {t}")));
        options.extend(
            o.commutator
                .as_ref()
                .map(|n| format!("commutator = {}", draft.operator(n))),
        );
        options.extend(
            o.negator
                .as_ref()
                .map(|n| format!("negator = {}", draft.operator(n))),
        );
        options.extend(
            o.restrict
                .as_ref()
                .map(|n| format!("restrict = {}", draft.qualified(n))),
        );
        options.extend(
            o.join
                .as_ref()
                .map(|n| format!("join = {}", draft.qualified(n))),
        );
        options.extend(o.hashes.then(|| "hashes".to_owned()));
        options.extend(o.merges.then(|| "merges".to_owned()));
        let on = object("pg_operator", o.oid);
        let arguments = [&o.left, &o.right]
            .map(|t| t.as_deref().unwrap_or("none"))
            .join(", ");
        draft.owns(
            on.clone(),
            format!("operator {SCHEMA}.{} ({arguments})", o.name),
        );
        let others: Vec<u32> = draft.catalog.operators.iter().map(|o| o.oid).collect();
        // Operators name each other as commutator and negator, which Postgres fills in by itself.
        let needs = draft.needs("pg_operator", o.oid).into_iter();
        let needs = needs
            .filter(|(class, oid)| class != "pg_operator" || !others.contains(oid))
            .collect();
        let sql = format!(
            "create operator {SCHEMA}.{} ({})",
            o.name,
            options.join(", ")
        );
        draft.add(Phase::Routine, ("operator", &o.name), sql, vec![on], needs);
    }
}

fn casts(draft: &mut Draft<'_>) {
    for cast in &draft.catalog.casts {
        let name = format!("cast ({} as {})", cast.source, cast.target);
        let on = object("pg_cast", cast.oid);
        let how = match (cast.method.as_str(), &cast.function) {
            ("f", Some(function)) => format!("with function {function}"),
            ("i", _) => "with inout".to_owned(),
            _ => {
                draft.leave_out("cast", &name, "only a superuser may make it", &[on]);
                continue;
            }
        };
        let context = match cast.context.as_str() {
            "a" => " as assignment",
            "i" => " as implicit",
            _ => "",
        };
        draft.called.insert(on.clone(), name.clone());
        let needs = draft.needs("pg_cast", cast.oid);
        // Not before the rows, whose values are converted without anybody's cast.
        draft.add(
            Phase::Value,
            ("cast", &name),
            format!("create {name} {how}{context}"),
            vec![on],
            needs,
        );
    }
}

/// A `collate` clause, or nothing.
pub(crate) fn collate(collation: Option<&str>) -> String {
    collation
        .map(|c| format!(" collate {c}"))
        .unwrap_or_default()
}
