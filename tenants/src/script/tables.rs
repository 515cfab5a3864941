//! Tables of a script, their columns, and how they come to their parents; other relations are drawn up beside them.

use super::body;
use super::catalog::{Column, Object, Relation, Sequence};
use super::draft::{Draft, here, object, options};
use super::graph::{Body, Item, Part, Phase};
use super::slot::{ident, names_schema};
use super::types::collate;
use super::{Error, rows, sequences, views};

/// Draws up all relations and the rows of tables.
///
/// # Errors
/// If a column refers to a row of `users` and can't be null.
pub(crate) fn draw(draft: &mut Draft<'_>) -> Result<(), Error> {
    let users = rows::find_users(draft)?;
    for sequence in &draft.catalog.sequences {
        sequences::draw(draft, sequence);
    }
    for relation in &draft.catalog.relations {
        match relation.kind.as_str() {
            "r" | "p" => {
                draw_table(draft, relation);
                if relation.kind == "r" && !users.contains(&relation.oid) {
                    rows::draw(draft, relation);
                }
            }
            "v" | "m" => views::draw(draft, relation),
            "f" => {
                let (covers, reason) = (covers(draft, relation), "its rows are on another server");
                draft.leave_out("foreign table", &relation.name, reason, &covers);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The objects that come to be with a relation.
pub(crate) fn covers(draft: &Draft<'_>, relation: &Relation) -> Vec<Object> {
    let mut covers = vec![
        object("pg_class", relation.oid),
        object("pg_type", relation.row_type),
    ];
    covers.extend(
        draft
            .catalog
            .arrays
            .get(&relation.row_type)
            .map(|a| object("pg_type", *a)),
    );
    let identity = |s: &&Sequence| s.identity && s.owner == Some(relation.oid);
    covers.extend(
        draft
            .catalog
            .sequences
            .iter()
            .filter(identity)
            .map(|s| object("pg_class", s.oid)),
    );
    let main = |r: &&super::catalog::Rule| r.relation == relation.oid && r.definition.is_none();
    covers.extend(
        draft
            .catalog
            .rules
            .iter()
            .filter(main)
            .map(|r| object("pg_rewrite", r.oid)),
    );
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
    let first = columns
        .iter()
        .map(|c| c.name.as_str())
        .take(inherited.len());
    if first.eq(inherited.iter().copied()) {
        Descent::Inherits
    } else {
        Descent::Joined
    }
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
    for check in draft
        .catalog
        .constraints
        .iter()
        .filter(|c| c.relation == table.oid && c.kind == "c")
    {
        let on = object("pg_constraint", check.oid);
        draft.called.insert(
            on.clone(),
            format!("constraint {} on {name}", ident(&check.name)),
        );
        let early = check.validated && !draft.is_late("pg_constraint", check.oid, table.oid);
        if early && (check.local || descent == Descent::Joined) {
            let sql = format!("constraint {} {}", ident(&check.name), check.definition);
            last.push(Part {
                sql,
                needs: draft.needs("pg_constraint", check.oid),
            });
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
    close.extend(
        table
            .partition_key
            .iter()
            .map(|key| format!(" partition by {key}")),
    );
    close.extend(
        table
            .access_method
            .iter()
            .map(|am| format!(" using {}", ident(am))),
    );
    close.extend(
        options(table.options.as_ref(), table.toast_options.as_ref()).map(|o| format!(" with {o}")),
    );
    let unlogged = if table.persistence == "u" {
        "unlogged "
    } else {
        ""
    };
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
        draft.add_part(
            Phase::Attach,
            ("table type", &table.name),
            alter,
            format!("of {of_type}"),
            Vec::new(),
            needs,
        );
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
            Some(bound) => format!(
                "alter table only {} attach partition {name} {bound}",
                draft.relation(*parent)
            ),
            None => format!(
                "alter table only {name} inherit {}",
                draft.relation(*parent)
            ),
        });
    }
    if !table.is_partition
        && draft
            .columns(table.oid)
            .iter()
            .any(|c| c.inherited && !c.local)
    {
        draft.note(
            "inheritance",
            &table.name,
            "inherited columns count as its own too, their order being its own",
        );
    }
    let covers = vec![object("attached", table.oid)];
    draft.add(
        Phase::Attach,
        ("partition", &table.name),
        statements.join("; "),
        covers,
        needs,
    );
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
    let mut sql = format!(
        "{name} {}{}",
        column.type_name,
        collate(column.collation.as_deref())
    );
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
                draft.add_part(
                    Phase::Default,
                    ("default", &called),
                    alter.clone(),
                    set,
                    vec![on_default],
                    needs,
                );
            }
        } else {
            let kind = if column.generated == "v" {
                "virtual"
            } else {
                "stored"
            };
            sql.push_str(&format!(" generated always as ({default}) {kind}"));
            needs.extend(default_needs);
            covers.push(on_default);
        }
    }
    let own_sequence = |s: &&Sequence| {
        s.identity
            && s.owner == Some(table.oid)
            && s.owner_column.as_deref() == Some(column.name.as_str())
    };
    if let Some(sequence) = draft.catalog.sequences.iter().find(own_sequence) {
        let when = if column.identity == "a" {
            "always"
        } else {
            "by default"
        };
        let numbers = sequences::numbers(sequence);
        sql.push_str(&format!(
            " generated {when} as identity (sequence name {} {numbers})",
            here(&sequence.name)
        ));
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
        draft.add_part(
            Phase::Attach,
            ("storage", &called),
            alter.clone(),
            set,
            Vec::new(),
            vec![on.clone()],
        );
    }
    if let Some(target) = column.statistics {
        let set = format!("alter column {name} set statistics {target}");
        draft.add_part(
            Phase::Setting,
            ("statistics target", &called),
            alter.clone(),
            set,
            Vec::new(),
            vec![on.clone()],
        );
    }
    if let Some(options) = options(column.options.as_ref(), None) {
        let set = format!("alter column {name} set {options}");
        draft.add_part(
            Phase::Setting,
            ("column options", &called),
            alter.clone(),
            set,
            Vec::new(),
            vec![on.clone()],
        );
    }
    if listed {
        return Some(Part { sql, needs });
    }
    heir_differs(draft, table, column, &alter);
    None
}

/// What an inherited column has otherwise than its parents.
fn heir_differs(draft: &mut Draft<'_>, table: &Relation, column: &Column, alter: &str) {
    let parents = table
        .parents
        .iter()
        .flat_map(|p| draft.columns(*p))
        .filter(|c| c.name == column.name);
    let parents: Vec<&Column> = parents.collect();
    let (name, on) = (ident(&column.name), vec![object("pg_class", table.oid)]);
    let called = format!("{} {}", table.name, column.name);
    if column.not_null && !parents.iter().any(|p| p.not_null) {
        let set = format!("alter column {name} set not null");
        draft.add_part(
            Phase::Attach,
            ("not null", &called),
            alter.to_owned(),
            set,
            Vec::new(),
            on.clone(),
        );
    }
    if column.default.is_none() && parents.iter().any(|p| p.default.is_some()) {
        let set = format!("alter column {name} drop default");
        draft.add_part(
            Phase::Attach,
            ("default", &called),
            alter.to_owned(),
            set,
            Vec::new(),
            on,
        );
    }
}
