//! Tables, sequences, views and rows of a script.

use std::collections::HashSet;

use super::body;
use super::catalog::{Column, Object, Relation, Sequence};
use super::draft::{Draft, here, object, options, there};
use super::graph::{Body, Item, Part, Phase};
use super::slot::{ident, literal, names_schema};
use super::types::collate;
use super::{Error, Nulled};

/// The table whose rows are not copied.
pub(crate) const USERS: &str = "users";

/// Draws up all relations and the rows of tables.
///
/// # Errors
/// If a column refers to a row of `users` and can't be null.
pub(crate) fn draw(draft: &mut Draft<'_>) -> Result<(), Error> {
    let users = family(draft, USERS);
    find_nulled(draft, &users)?;
    for sequence in &draft.catalog.sequences {
        draw_sequence(draft, sequence);
    }
    for relation in &draft.catalog.relations {
        match relation.kind.as_str() {
            "r" | "p" => {
                draw_table(draft, relation);
                if relation.kind == "r" && !users.contains(&relation.oid) {
                    draw_rows(draft, relation);
                }
            }
            "v" | "m" => draw_view(draft, relation),
            "f" => {
                let covers = covers(draft, relation);
                draft.leave_out("foreign table", &relation.name, "its rows are on another server", &covers);
            }
            _ => {}
        }
    }
    Ok(())
}

/// A table by name, with its partitions and the tables that inherit from it.
fn family(draft: &Draft<'_>, name: &str) -> HashSet<u32> {
    let relations = &draft.catalog.relations;
    let table = |r: &&Relation| r.name == name && matches!(r.kind.as_str(), "r" | "p");
    let mut found: HashSet<u32> = relations.iter().filter(table).map(|r| r.oid).collect();
    loop {
        let heirs = relations.iter().filter(|r| r.parents.iter().any(|p| found.contains(p))).map(|r| r.oid);
        let heirs: Vec<u32> = heirs.filter(|oid| !found.contains(oid)).collect();
        if heirs.is_empty() {
            return found;
        }
        found.extend(heirs);
    }
}

/// Finds the columns that refer to rows of `users`, and so are null in a copy.
fn find_nulled(draft: &mut Draft<'_>, users: &HashSet<u32>) -> Result<(), Error> {
    for key in draft.catalog.constraints.iter().filter(|k| k.kind == "f" && users.contains(&k.target)) {
        let Some(table) = draft.by_oid.get(&key.relation) else { continue };
        if users.contains(&key.relation) {
            continue;
        }
        let all = draft.columns(key.relation).iter().filter(|c| key.columns.contains(&c.number));
        let (fixed, free): (Vec<&Column>, Vec<&Column>) = all.partition(|c| c.not_null);
        // One null lets a simple reference rest, a full one must be null in all its columns.
        if let Some(column) = fixed.first()
            && (free.is_empty() || key.full_match)
        {
            return Err(Draft::not_null_reference(&table.name, &column.name));
        }
        for column in free {
            let nulled = Nulled { table: table.name.clone(), column: column.name.clone() };
            if !draft.nulled.contains(&nulled) {
                draft.nulled.push(nulled);
            }
        }
    }
    Ok(())
}

fn draw_sequence(draft: &mut Draft<'_>, sequence: &Sequence) {
    let (name, on) = (here(&sequence.name), object("pg_class", sequence.oid));
    let owner = sequence.owner.filter(|o| draft.by_oid.contains_key(o));
    draft.called.insert(on.clone(), format!("sequence {name}"));
    if !sequence.identity {
        let unlogged = if sequence.persistence == "u" { "unlogged " } else { "" };
        let sql = format!("create {unlogged}sequence {name} as {} {}", sequence.type_name, numbers(sequence));
        draft.add(Phase::Sequence, ("sequence", &sequence.name), sql, vec![on.clone()], Vec::new());
        match (owner, &sequence.owner_column) {
            (Some(table), Some(column)) => {
                let sql = format!("alter sequence {name} owned by {}.{}", draft.relation(table), ident(column));
                let needs = vec![on.clone(), object("pg_class", table)];
                draft.add(Phase::Value, ("sequence owner", &sequence.name), sql, Vec::new(), needs);
            }
            _ => draft.owns(on.clone(), format!("sequence {name}")),
        }
    }
    let sql = format!(
        "select pg_catalog.setval({}::pg_catalog.regclass, last_value, is_called) from {}",
        literal(&name),
        there(draft.schema, &sequence.name)
    );
    draft.add(Phase::Value, ("sequence value", &sequence.name), sql, Vec::new(), vec![on]);
}

fn numbers(sequence: &Sequence) -> String {
    format!(
        "start with {} increment by {} minvalue {} maxvalue {} cache {}{}",
        sequence.start,
        sequence.increment,
        sequence.min,
        sequence.max,
        sequence.cache,
        if sequence.cycle { " cycle" } else { " no cycle" }
    )
}

/// The objects that come to be with a relation.
fn covers(draft: &Draft<'_>, relation: &Relation) -> Vec<Object> {
    let mut covers = vec![object("pg_class", relation.oid), object("pg_type", relation.row_type)];
    covers.extend(draft.catalog.arrays.get(&relation.row_type).map(|a| object("pg_type", *a)));
    let identity = |s: &&Sequence| s.identity && s.owner == Some(relation.oid);
    covers.extend(draft.catalog.sequences.iter().filter(identity).map(|s| object("pg_class", s.oid)));
    let main = |r: &&super::catalog::Rule| r.relation == relation.oid && r.definition.is_none();
    covers.extend(draft.catalog.rules.iter().filter(main).map(|r| object("pg_rewrite", r.oid)));
    covers
}

/// How a table comes to its parents.
#[derive(PartialEq)]
enum Descent {
    None,
    /// Made by `inherits`, columns that it only inherits left out.
    Inherits,
    /// Made whole, and attached or joined to its parents after.
    Joined,
}

fn descent(draft: &Draft<'_>, table: &Relation) -> Descent {
    if table.parents.is_empty() {
        return Descent::None;
    }
    let columns = draft.columns(table.oid);
    if table.is_partition || columns.iter().all(|c| c.local) {
        return Descent::Joined;
    }
    let mut inherited: Vec<&str> = Vec::new();
    for column in table.parents.iter().flat_map(|p| draft.columns(*p)) {
        if !inherited.contains(&column.name.as_str()) {
            inherited.push(&column.name);
        }
    }
    let first = columns.iter().map(|c| c.name.as_str()).take(inherited.len());
    if first.eq(inherited.iter().copied()) { Descent::Inherits } else { Descent::Joined }
}

fn draw_table(draft: &mut Draft<'_>, table: &Relation) {
    let (name, on) = (here(&table.name), object("pg_class", table.oid));
    let descent = descent(draft, table);
    let alter = format!("alter table only {name} ");
    let mut covers = covers(draft, table);
    let mut needs = draft.needs_of_column(table.oid, 0);
    let mut parts = Vec::new();
    let mut last = Vec::new();
    for column in draft.columns(table.oid) {
        let listed = descent != Descent::Inherits || column.local;
        parts.extend(draw_column(draft, table, column, listed, &mut covers));
    }
    for check in draft.catalog.constraints.iter().filter(|c| c.relation == table.oid && c.kind == "c") {
        let on = object("pg_constraint", check.oid);
        draft.called.insert(on.clone(), format!("constraint {} on {name}", ident(&check.name)));
        let early = check.validated && !draft.is_late("pg_constraint", check.oid, table.oid);
        if early && (check.local || descent == Descent::Joined) {
            let sql = format!("constraint {} {}", ident(&check.name), check.definition);
            last.push(Part { sql, needs: draft.needs("pg_constraint", check.oid) });
        }
        if early {
            covers.push(on);
        }
    }
    let mut close = ")".to_owned();
    if descent == Descent::Inherits {
        let parents: Vec<String> = table.parents.iter().map(|p| draft.relation(*p)).collect();
        close.push_str(&format!(" inherits ({})", parents.join(", ")));
    } else {
        needs.retain(|(class, oid)| class != "pg_class" || !table.parents.contains(oid));
    }
    close.extend(table.partition_key.iter().map(|key| format!(" partition by {key}")));
    close.extend(table.access_method.iter().map(|am| format!(" using {}", ident(am))));
    close.extend(options(table.options.as_ref(), table.toast_options.as_ref()).map(|o| format!(" with {o}")));
    let unlogged = if table.persistence == "u" { "unlogged " } else { "" };
    draft.owns(on.clone(), format!("table {name}"));
    draft.items.push(Item {
        phase: Phase::Table,
        kind: "table",
        name: table.name.clone(),
        body: Body::Parts {
            create: format!("create {unlogged}table {name} ("),
            parts,
            last,
            close,
            head: alter.clone(),
            add: "add column ",
        },
        covers,
        needs,
    });
    if let Some(of_type) = &table.of_type {
        let needs = vec![on.clone()];
        draft.add_part(Phase::Attach, ("table type", &table.name), alter, format!("of {of_type}"), Vec::new(), needs);
    }
    if descent == Descent::Joined {
        join_parents(draft, table);
    }
}

fn join_parents(draft: &mut Draft<'_>, table: &Relation) {
    let name = here(&table.name);
    let mut statements = Vec::new();
    let mut needs = vec![object("pg_class", table.oid)];
    for parent in &table.parents {
        needs.push(object("pg_class", *parent));
        statements.push(match &table.bound {
            Some(bound) => format!("alter table only {} attach partition {name} {bound}", draft.relation(*parent)),
            None => format!("alter table only {name} inherit {}", draft.relation(*parent)),
        });
    }
    if !table.is_partition && draft.columns(table.oid).iter().any(|c| c.inherited && !c.local) {
        draft.note("inheritance", &table.name, "inherited columns count as its own too, their order being its own");
    }
    let covers = vec![object("attached", table.oid)];
    draft.add(Phase::Attach, ("partition", &table.name), statements.join("; "), covers, needs);
}

/// The column's part of `create table`, if it is listed there; adds the statements that come after.
fn draw_column(
    draft: &mut Draft<'_>,
    table: &Relation,
    column: &Column,
    listed: bool,
    covers: &mut Vec<Object>,
) -> Option<Part> {
    let on = object("pg_class", table.oid);
    let name = ident(&column.name);
    let alter = format!("alter table only {} ", here(&table.name));
    let called = format!("{} {}", table.name, column.name);
    let mut sql = format!("{name} {}{}", column.type_name, collate(column.collation.as_deref()));
    let mut needs = draft.needs_of_column(table.oid, column.number);
    match column.compression.as_deref() {
        Some("p") => sql.push_str(" compression pglz"),
        Some("l") => sql.push_str(" compression lz4"),
        _ => {}
    }
    if let (Some(default), Some(oid)) = (&column.default, column.default_oid) {
        let default_needs = draft.needs("pg_attrdef", oid);
        let on_default = object("pg_attrdef", oid);
        if column.generated.is_empty() {
            let text = body::literals(default, &draft.names());
            let set = format!("alter column {name} set default {text}");
            if names_schema(&text) {
                draft.mending.push(format!("{alter}{set}"));
            }
            if listed && !draft.is_late("pg_attrdef", oid, table.oid) {
                sql.push_str(&format!(" default {text}"));
                needs.extend(default_needs);
                covers.push(on_default);
            } else {
                let mut needs = default_needs;
                needs.push(on.clone());
                draft.add_part(Phase::Default, ("default", &called), alter.clone(), set, vec![on_default], needs);
            }
        } else {
            let kind = if column.generated == "v" { "virtual" } else { "stored" };
            sql.push_str(&format!(" generated always as ({default}) {kind}"));
            needs.extend(default_needs);
            covers.push(on_default);
        }
    }
    let own_sequence = |s: &&Sequence| {
        s.identity && s.owner == Some(table.oid) && s.owner_column.as_deref() == Some(column.name.as_str())
    };
    if let Some(sequence) = draft.catalog.sequences.iter().find(own_sequence) {
        let when = if column.identity == "a" { "always" } else { "by default" };
        let numbers = numbers(sequence);
        sql.push_str(&format!(" generated {when} as identity (sequence name {} {numbers})", here(&sequence.name)));
    }
    if column.not_null {
        sql.push_str(" not null");
    }
    if let Some(storage) = &column.storage {
        let storage = match storage.as_str() {
            "p" => "plain",
            "e" => "external",
            "m" => "main",
            _ => "extended",
        };
        let set = format!("alter column {name} set storage {storage}");
        draft.add_part(Phase::Attach, ("storage", &called), alter.clone(), set, Vec::new(), vec![on.clone()]);
    }
    if let Some(target) = column.statistics {
        let set = format!("alter column {name} set statistics {target}");
        draft.add_part(Phase::Setting, ("statistics target", &called), alter.clone(), set, Vec::new(), vec![on.clone()]);
    }
    if let Some(options) = options(column.options.as_ref(), None) {
        let set = format!("alter column {name} set {options}");
        draft.add_part(Phase::Setting, ("column options", &called), alter.clone(), set, Vec::new(), vec![on.clone()]);
    }
    if listed {
        return Some(Part { sql, needs });
    }
    heir_differs(draft, table, column, &alter);
    None
}

/// What an inherited column has otherwise than its parents.
fn heir_differs(draft: &mut Draft<'_>, table: &Relation, column: &Column, alter: &str) {
    let parents = table.parents.iter().flat_map(|p| draft.columns(*p)).filter(|c| c.name == column.name);
    let parents: Vec<&Column> = parents.collect();
    let (name, on) = (ident(&column.name), vec![object("pg_class", table.oid)]);
    let called = format!("{} {}", table.name, column.name);
    if column.not_null && !parents.iter().any(|p| p.not_null) {
        let set = format!("alter column {name} set not null");
        draft.add_part(Phase::Attach, ("not null", &called), alter.to_owned(), set, Vec::new(), on.clone());
    }
    if column.default.is_none() && parents.iter().any(|p| p.default.is_some()) {
        let set = format!("alter column {name} drop default");
        draft.add_part(Phase::Attach, ("default", &called), alter.to_owned(), set, Vec::new(), on);
    }
}

fn draw_rows(draft: &mut Draft<'_>, table: &Relation) {
    let columns: Vec<&Column> = draft.columns(table.oid).iter().filter(|c| c.generated.is_empty()).collect();
    let names: Vec<String> = columns.iter().map(|c| ident(&c.name)).collect();
    let values = columns.iter().zip(&names).map(|(c, name)| {
        let nulled = draft.nulled.iter().any(|n| n.table == table.name && n.column == c.name);
        match (nulled, is_own_type(draft, table.oid, c)) {
            (true, _) => "null".to_owned(),
            (false, false) => name.clone(),
            // A value of the template's own type becomes one of the copy's by its text. Output by `format` can't be replaced
            // by a cast of the template's; a null, which is not a row of nulls, stays one.
            (false, true) => format!(
                "(case when {name} is distinct from null then pg_catalog.format('%s', {name}) end)::{}",
                c.type_name
            ),
        }
    });
    let values: Vec<String> = values.collect();
    let list = if names.is_empty() { String::new() } else { format!(" ({}) overriding system value", names.join(", ")) };
    let sql = format!(
        "insert into {}{list} select {} from only {}",
        here(&table.name),
        values.join(", "),
        there(draft.schema, &table.name)
    );
    let needs = vec![object("pg_class", table.oid), object("attached", table.oid)];
    draft.add(Phase::Rows, ("rows", &table.name), sql, vec![object("rows", table.oid)], needs);
}

/// Whether a column's type is one of the schema that has nothing in common with its copy: any but plain domains.
fn is_own_type(draft: &Draft<'_>, relation: u32, column: &Column) -> bool {
    let types = draft.needs_of_column(relation, column.number);
    types.iter().filter(|(class, _)| class == "pg_type").any(|(_, oid)| is_own(draft, *oid))
}

fn is_own(draft: &Draft<'_>, type_oid: u32) -> bool {
    let catalog = draft.catalog;
    let array = |oid: u32| catalog.arrays.get(&oid) == Some(&type_oid);
    let by_row = |r: &Relation| r.row_type == type_oid || array(r.row_type);
    catalog.relations.iter().any(by_row)
        || catalog.types.iter().any(|t| {
            let multirange = |r: &super::catalog::Range| [r.multirange_oid, r.multirange_array].contains(&type_oid);
            let same = t.oid == type_oid;
            let base = || draft.needs("pg_type", t.oid).iter().any(|(class, oid)| class == "pg_type" && is_own(draft, *oid));
            array(t.oid) || t.range.as_ref().is_some_and(multirange) || same && (t.kind != "d" || base())
        })
}

fn draw_view(draft: &mut Draft<'_>, view: &Relation) {
    let (name, on) = (here(&view.name), object("pg_class", view.oid));
    let options = options(view.options.as_ref(), None).map(|o| format!(" with {o}")).unwrap_or_default();
    let definition = view.definition.as_deref().unwrap_or_default().trim_end().trim_end_matches(';');
    let (covers, mut needs) = (covers(draft, view), draft.needs("pg_class", view.oid));
    for rule in draft.catalog.rules.iter().filter(|r| r.relation == view.oid && r.definition.is_none()) {
        needs.extend(draft.needs("pg_rewrite", rule.oid));
    }
    if view.kind == "m" {
        let method = view.access_method.as_ref().map(|am| format!(" using {}", ident(am))).unwrap_or_default();
        let data = if view.populated { "with data" } else { "with no data" };
        let sql = format!("create materialized view {name}{method}{options} as {definition} {data}");
        draft.owns(on.clone(), format!("materialized view {name}"));
        draft.add(Phase::Content, ("materialized view", &view.name), sql, covers, needs);
        for column in draft.columns(view.oid) {
            if let Some(target) = column.statistics {
                let sql = format!("alter materialized view {name} alter column {} set statistics {target}", ident(&column.name));
                draft.add(Phase::Setting, ("statistics target", &view.name), sql, Vec::new(), vec![on.clone()]);
            }
        }
        return;
    }
    let definition = body::literals(definition, &draft.names());
    let sql = format!("create or replace view {name}{options} as {definition}");
    if names_schema(&definition) {
        draft.mending.push(sql.clone());
    }
    let columns = draft.columns(view.oid);
    let nulls: Vec<String> = columns.iter().map(|c| format!("null::{} as {}", c.type_name, ident(&c.name))).collect();
    let stub = format!("create view {name} as select {}", nulls.join(", "));
    let stub_needs = columns.iter().flat_map(|c| draft.needs_of_column(view.oid, c.number)).collect();
    draft.owns(on.clone(), format!("view {name}"));
    for column in columns {
        if let (Some(default), Some(oid)) = (&column.default, column.default_oid) {
            let sql = format!("alter view {name} alter column {} set default {default}", ident(&column.name));
            let mut needs = draft.needs("pg_attrdef", oid);
            needs.push(on.clone());
            draft.add(Phase::Default, ("default", &view.name), sql, vec![object("pg_attrdef", oid)], needs);
        }
    }
    let body = Body::Replaced { stub, stub_needs, sql };
    draft.items.push(Item { phase: Phase::View, kind: "view", name: view.name.clone(), body, covers, needs });
}
