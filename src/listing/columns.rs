//! What a table's or view's columns are, for `/schema`.

use crate::data::catalog::{Column, Generated, Table, TypeKind};
use crate::data::plan::Rules;
use serde_json::{Value, json as value};

/// The columns that the caller sees, and the members that take secrets.
pub fn columns(table: &Table, rules: &Rules) -> Vec<Value> {
    let mut columns: Vec<Value> = (0..table.columns.len())
        .filter(|column| rules.sees_column(table, *column))
        .map(|column| describe(table, column))
        .collect();
    for secret in rules
        .special(&table.name)
        .into_iter()
        .flat_map(|s| &s.secrets)
    {
        columns.push(value!({
            "name": secret.given,
            "type": "text",
            "kind": "base",
            "nullable": true,
            "settable": true,
            "write_only": true,
        }));
    }
    columns
}

fn describe(table: &Table, position: usize) -> Value {
    let column: &Column = &table.columns[position];
    let element = match &column.ty.base().kind {
        TypeKind::Array(element) => Some(element.shown.as_str()),
        _ => None,
    };
    let base = match &column.ty.kind {
        TypeKind::Domain(base) => Some(base.shown.as_str()),
        _ => None,
    };
    value!({
        "name": column.name,
        "type": column.ty.shown,
        "kind": column.ty.family(),
        "base_type": base,
        "element_type": element,
        "nullable": column.nullable,
        "default": column.default,
        "generated": match column.generated {
            Generated::No => None,
            Generated::Stored => Some("stored"),
            Generated::IdentityAlways => Some("identity always"),
            Generated::IdentityByDefault => Some("identity"),
        },
        "settable": column.is_settable(),
        "primary_key": table.key.contains(&position),
        "max_length": column.ty.length,
        "precision": column.ty.precision,
        "scale": column.ty.scale,
        "enum": column.ty.labels(),
        "comment": column.comment,
    })
}
