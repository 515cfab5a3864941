//! Tables as JSON Schema: their rows, what makes a row, what changes one.

use super::super::{
    model::{Model, Resource},
    tree::{Node, list, map},
};
use super::{Style, brief, reference, sample};
use crate::data::catalog::{Check, Column, Relation, Table, Type, TypeKind, types::oid};

/// The most characters of a description.
const DESCRIPTION: usize = 300;

/// Rows as they are served: `fields` may leave columns out, `include` adds related rows.
pub fn row(model: &Model<'_>, table: &Table, columns: &[usize], related: bool) -> Node {
    let mut properties = Vec::new();
    for &at in columns {
        let column = &table.columns[at];
        let mut schema = value(&column.ty, column.nullable, checks(table, at));
        if !column.is_settable() {
            schema.put("readOnly", true);
        }
        describe(&mut schema, model, table, at);
        properties.push((column.name.clone(), schema));
    }
    for relation in relations(model, table).filter(|_| related) {
        let name = relation.name();
        let Some(resource) = model.at(relation.table) else {
            continue;
        };
        if properties.iter().any(|(known, _)| known == name) {
            continue;
        }
        let rows = reference("schemas", &format!("{}.Row", resource.name));
        let schema = if relation.is_list() {
            map! { "type" => "array", "items" => rows, "readOnly" => true }
        } else {
            map! { "anyOf" => list![rows, map! { "type" => "null" }], "readOnly" => true }
        };
        properties.push((
            name.to_owned(),
            schema.with(
                "description",
                format!("Rows of `{}`, where `include` names it", resource.noun()),
            ),
        ));
    }
    let mut schema = map! { "type" => "object" };
    if let Some(comment) = &table.comment {
        schema.put("description", brief(comment, DESCRIPTION));
    }
    schema.with("properties", Node::Map(properties))
}

/// What makes a row (`whole`), or changes one.
pub fn body(model: &Model<'_>, resource: &Resource<'_>, whole: bool, style: &Style) -> Node {
    let table = resource.table;
    let mut properties = Vec::new();
    let mut required = Vec::new();
    for &at in &resource.columns {
        let column = &table.columns[at];
        if !column.is_settable() {
            continue;
        }
        if whole && !column.is_optional() {
            required.push(column.name.as_str());
        }
        let mut schema = value(&column.ty, column.nullable, checks(table, at));
        if !style.actions {
            // What the columns mean stands at the rows already.
            bounds(&mut schema, &column.ty);
            describe(&mut schema, model, table, at);
        }
        properties.push((column.name.clone(), schema));
    }
    for secret in &resource.secrets {
        let schema = map! {
            "type" => "string", "format" => "password", "minLength" => 8_i64, "maxLength" => 128_i64,
            "writeOnly" => true,
        };
        properties.push(((*secret).to_owned(), schema));
    }
    let mut schema = map! { "type" => "object", "additionalProperties" => false };
    if !required.is_empty() {
        schema.put("required", required.into_iter().collect::<Node>());
    }
    schema.with("properties", Node::Map(properties))
}

/// The relations to tables that the export describes.
pub fn relations<'a>(model: &'a Model<'_>, table: &'a Table) -> impl Iterator<Item = &'a Relation> {
    table
        .relations
        .iter()
        .filter(|relation| model.at(relation.table).is_some())
}

/// A key's column as a part of an address.
pub fn key(table: &Table) -> Node {
    match table.key.as_slice() {
        [only] => {
            let column = &table.columns[*only];
            let mut schema = value(&column.ty, false, Checks::default());
            bounds(&mut schema, &column.ty);
            match schema.get("type").and_then(Node::text) {
                Some("integer" | "number" | "boolean") => schema,
                Some("string") => schema,
                _ => map! { "type" => "string" },
            }
        }
        _ => map! { "type" => "string" },
    }
}

/// What simple checks say about a column's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Checks {
    pub labels: Vec<String>,
    pub least: Option<i64>,
    pub most: Option<i64>,
    pub filled: bool,
    /// A pattern of a form that all readers of patterns agree on, and a text that fits it.
    pub pattern: Option<(String, String)>,
}

pub(super) fn checks(table: &Table, at: usize) -> Checks {
    let mut found = Checks::default();
    let name = quoted(&table.columns[at].name);
    for check in table.checks.iter().filter(|check| check.columns == [at]) {
        read(&mut found, check, &name);
    }
    found
}

/// Reads the forms in which Postgres prints `c in (..)`, `c >= n`, `c between m and n`,
/// `c ~ '^[A-Z]{2}$'` and `btrim(c) <> ''`; any other check says nothing.
fn read(found: &mut Checks, check: &Check, name: &str) {
    let Some(inner) = check
        .definition
        .strip_prefix("CHECK (")
        .and_then(|rest| rest.strip_suffix(')'))
    else {
        return;
    };
    for part in inner.split(" AND ") {
        let part = part.trim_matches(['(', ')']);
        if part == format!("btrim({name}) <> ''::text") {
            found.filled = true;
            return;
        }
        let Some(rest) = part.strip_prefix(name) else {
            return;
        };
        if let Some(labels) = rest.strip_prefix(" = ANY (ARRAY[") {
            let labels = labels.trim_end_matches([']', ')']).split(", ");
            let labels: Option<Vec<String>> = labels.map(label).collect();
            found.labels = labels.unwrap_or_default();
        } else if let Some(least) = rest.strip_prefix(" >= ") {
            found.least = number(least);
        } else if let Some(most) = rest.strip_prefix(" <= ") {
            found.most = number(most);
        } else if let Some(pattern) = rest.strip_prefix(" ~ ") {
            let pattern = label(pattern);
            found.pattern = pattern.and_then(|pattern| {
                let fits = sample::of_pattern(&pattern)?;
                Some((pattern, fits))
            });
        } else {
            return;
        }
    }
}

/// `'a'::text`
fn label(text: &str) -> Option<String> {
    let (label, ty) = text.strip_prefix('\'')?.rsplit_once("'::")?;
    (ty.chars().all(|c| c.is_alphanumeric() || c == ' ') && !label.contains('\''))
        .then(|| label.to_owned())
}

/// `0`, `(0)::numeric`
fn number(text: &str) -> Option<i64> {
    let (number, ty) = text.split_once("::").unwrap_or((text, ""));
    let is_type = ty.chars().all(|c| c.is_ascii_lowercase() || c == ' ');
    let number = number.trim_matches(['(', ')']);
    number.parse().ok().filter(|_| is_type)
}

pub(super) fn quoted(name: &str) -> String {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A column's values as JSON holds them.
fn value(ty: &Type, nullable: bool, checks: Checks) -> Node {
    let base = ty.base();
    let labels = match ty.labels() {
        Some(labels) => labels.to_vec(),
        None => checks.labels,
    };
    let (kind, format) = match base.oid {
        _ if matches!(base.kind, TypeKind::Enum(_)) => ("string", None),
        _ if matches!(base.kind, TypeKind::Composite) => ("object", None),
        _ if matches!(base.kind, TypeKind::Array(_)) => ("array", None),
        oid::BOOL => ("boolean", None),
        oid::INT2 => ("integer", Some("int16")),
        oid::INT4 => ("integer", Some("int32")),
        oid::INT8 => ("integer", Some("int64")),
        oid::FLOAT4 => ("number", Some("float")),
        oid::FLOAT8 => ("number", Some("double")),
        oid::NUMERIC => ("number", None),
        oid::DATE => ("string", Some("date")),
        oid::TIMESTAMP => ("string", Some("date-time-local")),
        oid::TIMESTAMPTZ => ("string", Some("date-time")),
        oid::TIME => ("string", Some("time-local")),
        oid::UUID => ("string", Some("uuid")),
        // Any JSON value, null among them; and types of extensions, which may have a JSON of
        // their own.
        oid::JSON | oid::JSONB => return map! {},
        0 if !ty.is_text() && base.kind == TypeKind::Base => return map! {},
        _ => ("string", None),
    };
    let mut schema = match nullable {
        true => map! { "type" => list![kind, "null"] },
        false => map! { "type" => kind },
    };
    if let Some(format) = format {
        schema.put("format", format);
    }
    if let TypeKind::Array(element) = &base.kind {
        schema.put("items", value(element, true, Checks::default()));
    }
    if !labels.is_empty() {
        let labels = labels.into_iter().map(Node::from);
        let null = nullable.then_some(Node::Null);
        schema.put("enum", labels.chain(null).collect::<Node>());
    }
    if let Some(length) = base.length.filter(|_| kind == "string") {
        schema.put("maxLength", length);
    }
    if let Some(least) = checks.least.filter(|_| is_number(kind)) {
        schema.put("minimum", least);
    }
    if let Some(most) = checks.most.filter(|_| is_number(kind)) {
        schema.put("maximum", most);
    }
    if checks.filled && kind == "string" {
        schema.put("pattern", "\\S");
    }
    if let Some((pattern, _)) = checks.pattern.filter(|_| kind == "string") {
        schema.put("pattern", pattern);
    }
    schema
}

fn is_number(kind: &str) -> bool {
    matches!(kind, "integer" | "number")
}

/// Bounds that a body's numbers have to keep, where checks don't give closer ones.
fn bounds(schema: &mut Node, ty: &Type) {
    let base = ty.base();
    let (least, most): (Node, Node) = match base.oid {
        oid::INT2 => (i64::from(i16::MIN).into(), i64::from(i16::MAX).into()),
        oid::INT4 => (i64::from(i32::MIN).into(), i64::from(i32::MAX).into()),
        oid::INT8 => (i64::MIN.into(), i64::MAX.into()),
        oid::NUMERIC => {
            let (Some(precision), Some(scale)) = (base.precision, base.scale) else {
                return;
            };
            let whole = i64::from(precision) - i64::from(scale);
            // What has more digits than these is past what a reader of JSON would keep anyway.
            let (Ok(whole), true) = (i32::try_from(whole), (1..=15).contains(&whole)) else {
                return;
            };
            let most = 10_f64.powi(whole) - 1.0;
            (Node::from(-most), Node::from(most))
        }
        _ => return,
    };
    if schema.get("minimum").is_none() {
        schema.put("minimum", least);
    }
    if schema.get("maximum").is_none() {
        schema.put("maximum", most);
    }
}

fn describe(schema: &mut Node, model: &Model<'_>, table: &Table, at: usize) {
    let column = &table.columns[at];
    let mut parts: Vec<String> = column.comment.iter().cloned().collect();
    if table.key == [at] {
        parts.push("Primary key".to_owned());
    }
    for key in table.foreign_keys.iter().filter(|key| key.columns == [at]) {
        let target = &model.catalog.tables[key.table];
        let (Some(referred), true) = (key.referred.first(), model.at(key.table).is_some()) else {
            continue;
        };
        let referred = &target.columns[*referred].name;
        parts.push(format!("References {}.{referred}", target.name));
    }
    if !said_by_type(column) {
        parts.push(format!("PostgreSQL: {}", column.ty.shown));
    }
    if !parts.is_empty() {
        schema.put("description", brief(&parts.join(". "), DESCRIPTION));
    }
}

/// Whether JSON's type and format already say what Postgres' type is.
fn said_by_type(column: &Column) -> bool {
    let base = column.ty.base();
    column.ty.is_text()
        || column.ty.is_number()
        || matches!(base.kind, TypeKind::Enum(_))
        || matches!(
            base.oid,
            oid::BOOL | oid::DATE | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::UUID
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(definition: &str) -> Checks {
        let mut found = Checks::default();
        let check = Check {
            name: "c".into(),
            columns: vec![0],
            definition: definition.into(),
        };
        read(&mut found, &check, "status");
        found
    }

    #[test]
    fn checks_of_simple_forms_are_read() {
        assert_eq!(
            of("CHECK ((status = ANY (ARRAY['a'::text, 'b c'::text])))").labels,
            ["a", "b c"]
        );
        let bounds = of("CHECK (((status >= 1) AND (status <= 6)))");
        assert_eq!((bounds.least, bounds.most), (Some(1), Some(6)));
        assert_eq!(of("CHECK ((status >= (0)::numeric))").least, Some(0));
        assert!(of("CHECK ((btrim(status) <> ''::text))").filled);
        let pattern = of("CHECK ((status ~ '^[A-Z]{3}$'::text))").pattern;
        assert_eq!(pattern, Some(("^[A-Z]{3}$".into(), "AAA".into())));
    }

    #[test]
    fn other_checks_say_nothing() {
        for other in [
            "CHECK ((status > 1))",
            "CHECK ((status2 >= 1))",
            "CHECK ((length(status) >= 1))",
            "CHECK ((status ~ '^(a|b)$'::text))",
            "CHECK ((status !~ '^a$'::text))",
            "CHECK ((status = ANY (ARRAY['it''s'::text])))",
            "CHECK (((status >= 1) OR (status <= -6)))",
            "EXCLUDE USING gist (status WITH =)",
        ] {
            assert_eq!(of(other), Checks::default(), "{other}");
        }
    }
}
