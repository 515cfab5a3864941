//! What there is and what it is made of: `GET /`, `GET /tables`, `GET /{resource}/schema`.

use crate::data::catalog::Catalog;
use crate::data::plan::Rules;
use crate::listing::columns::columns;
use crate::listing::page::json;
use crate::listing::words::encode;
use crate::listing::{Reply, address};
use serde_json::{Value, json as value};

/// The tables and views within reach, with links.
pub fn index(catalog: &Catalog, rules: &Rules, base: &str, tables_only: bool) -> Reply {
    let entries: Vec<Value> = catalog
        .tables
        .iter()
        .filter(|table| rules.sees(table))
        .filter(|table| !tables_only || !table.kind.is_view())
        .map(|table| {
            let address = if tables_only {
                format!("{base}/tables/{}", encode(&table.name))
            } else {
                address(base, &table.name)
            };
            value!({
                "name": table.name,
                "kind": table.kind.word(),
                "comment": table.comment,
                "links": { "self": address, "schema": format!("{address}/schema") },
            })
        })
        .collect();
    let links = if tables_only {
        value!({ "self": format!("{base}/tables") })
    } else {
        value!({ "self": format!("{base}/"), "tables": format!("{base}/tables") })
    };
    let total = entries.len();
    reply(&value!({ "data": entries, "meta": { "total": total }, "links": links }))
}

/// Everything that is known of a table or view.
pub fn table(catalog: &Catalog, rules: &Rules, table: usize, base: &str) -> Reply {
    let definition = &catalog.tables[table];
    let names = |columns: &[usize]| -> Vec<&str> {
        columns
            .iter()
            .filter(|column| rules.sees_column(definition, **column))
            .map(|column| definition.columns[*column].name.as_str())
            .collect()
    };
    let unique: Vec<Value> = definition
        .uniques
        .iter()
        .filter(|unique| unique.columns != definition.key)
        .map(|unique| {
            value!({
                "name": unique.name,
                "columns": names(&unique.columns),
                "partial": !unique.plain,
            })
        })
        .collect();
    let foreign: Vec<Value> = definition
        .foreign_keys
        .iter()
        .filter(|key| rules.sees(&catalog.tables[key.table]))
        .map(|key| {
            let target = &catalog.tables[key.table];
            let referred: Vec<&str> = key
                .referred
                .iter()
                .map(|column| target.columns[*column].name.as_str())
                .collect();
            value!({
                "name": key.name,
                "columns": names(&key.columns),
                "references": { "table": target.name, "columns": referred },
                "on_delete": key.on_delete,
            })
        })
        .collect();
    let checks: Vec<Value> = definition
        .checks
        .iter()
        .map(|check| {
            value!({
                "name": check.name,
                "columns": names(&check.columns),
                "definition": check.definition,
            })
        })
        .collect();
    let relations: Vec<Value> = definition
        .relations
        .iter()
        .filter(|relation| rules.sees(&catalog.tables[relation.table]))
        .map(|relation| {
            value!({
                "name": relation.name(),
                "names": relation.names,
                "kind": if relation.is_list() { "many" } else { "one" },
                "table": catalog.tables[relation.table].name,
                "foreign_key": relation.foreign_key,
            })
        })
        .collect();
    let writes = rules.check_write(definition).is_ok();
    let has_key = definition.has_key();
    let address = address(base, &definition.name);
    reply(&value!({
        "data": {
            "name": definition.name,
            "kind": definition.kind.word(),
            "comment": definition.comment,
            "primary_key": names(&definition.key),
            "columns": columns(definition, rules),
            "unique": unique,
            "foreign_keys": foreign,
            "checks": checks,
            "relations": relations,
            "allows": {
                "create": writes && definition.insertable,
                "update": writes && definition.updatable && has_key,
                "delete": writes && definition.deletable && has_key,
            },
        },
        "links": { "self": format!("{address}/schema"), "rows": address },
    }))
}

fn reply(document: &Value) -> Reply {
    json(200, document.to_string().into_bytes())
}
