//! Sequences of a script: those of identity columns, of serial ones, and free ones.

use super::catalog::Sequence;
use super::draft::{Draft, here, object, there};
use super::graph::Phase;
use super::slot::{ident, literal};

/// Draws up a sequence, its owner and its place.
pub(crate) fn draw(draft: &mut Draft<'_>, sequence: &Sequence) {
    let (name, on) = (here(&sequence.name), object("pg_class", sequence.oid));
    let owner = sequence.owner.filter(|o| draft.by_oid.contains_key(o));
    draft.called.insert(on.clone(), format!("sequence {name}"));
    if !sequence.identity {
        let unlogged = if sequence.persistence == "u" {
            "unlogged "
        } else {
            ""
        };
        let sql = format!(
            "create {unlogged}sequence {name} as {} {}",
            sequence.type_name,
            numbers(sequence)
        );
        draft.add(
            Phase::Sequence,
            ("sequence", &sequence.name),
            sql,
            vec![on.clone()],
            Vec::new(),
        );
        match (owner, &sequence.owner_column) {
            (Some(table), Some(column)) => {
                let sql = format!(
                    "alter sequence {name} owned by {}.{}",
                    draft.relation(table),
                    ident(column)
                );
                let needs = vec![on.clone(), object("pg_class", table)];
                draft.add(
                    Phase::Value,
                    ("sequence owner", &sequence.name),
                    sql,
                    Vec::new(),
                    needs,
                );
            }
            _ => draft.owns(on.clone(), format!("sequence {name}")),
        }
    }
    let sql = format!(
        "select pg_catalog.setval({}::pg_catalog.regclass, last_value, is_called) from {}",
        literal(&name),
        there(draft.schema, &sequence.name)
    );
    draft.add(
        Phase::Value,
        ("sequence value", &sequence.name),
        sql,
        Vec::new(),
        vec![on],
    );
}

/// The options that make the sequence what it is.
pub(crate) fn numbers(sequence: &Sequence) -> String {
    format!(
        "start with {} increment by {} minvalue {} maxvalue {} cache {}{}",
        sequence.start,
        sequence.increment,
        sequence.min,
        sequence.max,
        sequence.cache,
        if sequence.cycle {
            " cycle"
        } else {
            " no cycle"
        }
    )
}
