//! The rows of a script's tables: all but those of `users`, and nothing that refers to them.

use std::collections::HashSet;

use super::catalog::{Column, Relation};
use super::draft::{Draft, here, object, there};
use super::graph::Phase;
use super::slot::ident;
use super::{Error, Nulled};

/// The table whose rows are not copied.
const USERS: &str = "users";

/// Stands in a sketch where the rows of a table would come.
pub(crate) const PLACE: &str = "-- rows";

/// Finds the tables whose rows are not copied, and the columns that are null in copies for it.
///
/// # Errors
/// If such a column can't be null.
pub(crate) fn find_users(draft: &mut Draft<'_>) -> Result<HashSet<u32>, Error> {
    if draft.keeps_users {
        return Ok(HashSet::new());
    }
    let users = family(draft, USERS);
    find_nulled(draft, &users)?;
    Ok(users)
}

/// Draws up the copying of a table's rows.
pub(crate) fn draw(draft: &mut Draft<'_>, table: &Relation) {
    let columns: Vec<&Column> = draft
        .columns(table.oid)
        .iter()
        .filter(|c| c.generated.is_empty())
        .collect();
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
    let list = if names.is_empty() {
        String::new()
    } else {
        format!(" ({}) overriding system value", names.join(", "))
    };
    let sql = if draft.bare {
        PLACE.to_owned()
    } else {
        format!(
            "insert into {}{list} select {} from only {}",
            here(&table.name),
            values.join(", "),
            there(draft.schema, &table.name)
        )
    };
    let needs = vec![object("pg_class", table.oid), object("attached", table.oid)];
    draft.add(
        Phase::Rows,
        ("rows", &table.name),
        sql,
        vec![object("rows", table.oid)],
        needs,
    );
}

/// A table by name, with its partitions and the tables that inherit from it.
fn family(draft: &Draft<'_>, name: &str) -> HashSet<u32> {
    let relations = &draft.catalog.relations;
    let table = |r: &&Relation| r.name == name && matches!(r.kind.as_str(), "r" | "p");
    let mut found: HashSet<u32> = relations.iter().filter(table).map(|r| r.oid).collect();
    loop {
        let heirs = relations
            .iter()
            .filter(|r| r.parents.iter().any(|p| found.contains(p)))
            .map(|r| r.oid);
        let heirs: Vec<u32> = heirs.filter(|oid| !found.contains(oid)).collect();
        if heirs.is_empty() {
            return found;
        }
        found.extend(heirs);
    }
}

/// Finds the columns that refer to rows of `users`, and so are null in a copy.
fn find_nulled(draft: &mut Draft<'_>, users: &HashSet<u32>) -> Result<(), Error> {
    for key in draft
        .catalog
        .constraints
        .iter()
        .filter(|k| k.kind == "f" && users.contains(&k.target))
    {
        let Some(table) = draft.by_oid.get(&key.relation) else {
            continue;
        };
        if users.contains(&key.relation) {
            continue;
        }
        let all = draft
            .columns(key.relation)
            .iter()
            .filter(|c| key.columns.contains(&c.number));
        let (fixed, free): (Vec<&Column>, Vec<&Column>) = all.partition(|c| c.not_null);
        // One null lets a simple reference rest, a full one must be null in all its columns.
        if let Some(column) = fixed.first()
            && (free.is_empty() || key.full_match)
        {
            return Err(Draft::not_null_reference(&table.name, &column.name));
        }
        for column in free {
            let nulled = Nulled {
                table: table.name.clone(),
                column: column.name.clone(),
            };
            if !draft.nulled.contains(&nulled) {
                draft.nulled.push(nulled);
            }
        }
    }
    Ok(())
}

/// Whether a column's type is one of the schema that has nothing in common with its copy: any but plain domains.
fn is_own_type(draft: &Draft<'_>, relation: u32, column: &Column) -> bool {
    let types = draft.needs_of_column(relation, column.number);
    types
        .iter()
        .filter(|(class, _)| class == "pg_type")
        .any(|(_, oid)| is_own(draft, *oid))
}

fn is_own(draft: &Draft<'_>, type_oid: u32) -> bool {
    let catalog = draft.catalog;
    let array = |oid: u32| catalog.arrays.get(&oid) == Some(&type_oid);
    let by_row = |r: &Relation| r.row_type == type_oid || array(r.row_type);
    catalog.relations.iter().any(by_row)
        || catalog.types.iter().any(|t| {
            let multirange = |r: &super::catalog::Range| {
                [r.multirange_oid, r.multirange_array].contains(&type_oid)
            };
            let same = t.oid == type_oid;
            let base = || {
                draft
                    .needs("pg_type", t.oid)
                    .iter()
                    .any(|(class, oid)| class == "pg_type" && is_own(draft, *oid))
            };
            array(t.oid)
                || t.range.as_ref().is_some_and(multirange)
                || same && (t.kind != "d" || base())
        })
}
