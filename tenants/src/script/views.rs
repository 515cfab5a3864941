//! Views and materialised views of a script.

use super::body;
use super::catalog::Relation;
use super::draft::{Draft, here, object, options};
use super::graph::{Body, Item, Phase};
use super::slot::{ident, names_schema};
use super::tables::covers;

/// Draws up a view.
pub(crate) fn draw(draft: &mut Draft<'_>, view: &Relation) {
    let (name, on) = (here(&view.name), object("pg_class", view.oid));
    let options = options(view.options.as_ref(), None)
        .map(|o| format!(" with {o}"))
        .unwrap_or_default();
    let definition = view
        .definition
        .as_deref()
        .unwrap_or_default()
        .trim_end()
        .trim_end_matches(';');
    let (covers, mut needs) = (covers(draft, view), draft.needs("pg_class", view.oid));
    for rule in draft
        .catalog
        .rules
        .iter()
        .filter(|r| r.relation == view.oid && r.definition.is_none())
    {
        needs.extend(draft.needs("pg_rewrite", rule.oid));
    }
    if view.kind == "m" {
        let method = view
            .access_method
            .as_ref()
            .map(|am| format!(" using {}", ident(am)))
            .unwrap_or_default();
        let data = if view.populated {
            "with data"
        } else {
            "with no data"
        };
        let sql =
            format!("create materialized view {name}{method}{options} as {definition} {data}");
        draft.owns(on.clone(), format!("materialized view {name}"));
        draft.add(
            Phase::Content,
            ("materialized view", &view.name),
            sql,
            covers,
            needs,
        );
        for column in draft.columns(view.oid) {
            if let Some(target) = column.statistics {
                let sql = format!(
                    "alter materialized view {name} alter column {} set statistics {target}",
                    ident(&column.name)
                );
                draft.add(
                    Phase::Setting,
                    ("statistics target", &view.name),
                    sql,
                    Vec::new(),
                    vec![on.clone()],
                );
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
    let nulls: Vec<String> = columns
        .iter()
        .map(|c| format!("null::{} as {}", c.type_name, ident(&c.name)))
        .collect();
    let stub = format!("create view {name} as select {}", nulls.join(", "));
    let stub_needs = columns
        .iter()
        .flat_map(|c| draft.needs_of_column(view.oid, c.number))
        .collect();
    draft.owns(on.clone(), format!("view {name}"));
    for column in columns {
        if let (Some(default), Some(oid)) = (&column.default, column.default_oid) {
            let sql = format!(
                "alter view {name} alter column {} set default {default}",
                ident(&column.name)
            );
            let mut needs = draft.needs("pg_attrdef", oid);
            needs.push(on.clone());
            draft.add(
                Phase::Default,
                ("default", &view.name),
                sql,
                vec![object("pg_attrdef", oid)],
                needs,
            );
        }
    }
    let body = Body::Replaced {
        stub,
        stub_needs,
        sql,
    };
    draft.items.push(Item {
        phase: Phase::View,
        kind: "view",
        name: view.name.clone(),
        body,
        covers,
        needs,
    });
}
