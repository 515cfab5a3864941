//! From an address to SQL without a database: one line a case.

mod conditions;
mod pages;
mod writes;

use super::Call;
use super::parse::{Headers, path, request};
use crate::data::catalog::types::oid;
use crate::data::catalog::{
    Catalog, Column, ForeignKey, Generated, Table, Type, TypeKind, TypeSchema, Unique,
};
use crate::data::cursor::Seal;
use crate::data::plan::{Rules, Special, plan};
use crate::data::sql::{self, Statement};
use crate::listing::parameters::parameters;
use crate::problem::Problem;
use std::sync::{Arc, LazyLock};

static SHOP: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    let column = |name: &str, ty: Type| Column {
        name: name.to_owned(),
        ty,
        nullable: name != "id",
        default: None,
        generated: Generated::No,
        comment: None,
    };
    let int = || Type::builtin("int4", oid::INT4);
    let text = || Type::builtin("text", oid::TEXT);
    let varchar = Type {
        length: Some(5),
        ..Type::builtin("varchar", oid::VARCHAR)
    };
    let mood = Type {
        schema: TypeSchema::Own,
        oid: 0,
        kind: TypeKind::Enum(vec!["ok".to_owned(), "sad".to_owned()]),
        ordered: Some(TypeSchema::Builtin),
        ..Type::builtin("mood", 0)
    };
    let moods = Type {
        array: true,
        kind: TypeKind::Array(Box::new(mood.clone())),
        ..mood.clone()
    };
    let tags = Type {
        array: true,
        oid: 1009,
        kind: TypeKind::Array(Box::new(text())),
        ordered: Some(TypeSchema::Builtin),
        ..Type::builtin("text", 1009)
    };
    let citext = Type {
        schema: TypeSchema::Other("public".to_owned()),
        ordered: Some(TypeSchema::Other("public".to_owned())),
        ..Type::builtin("citext", 0)
    };
    let price = Type {
        schema: TypeSchema::Own,
        kind: TypeKind::Domain(Box::new(Type::builtin("numeric", oid::NUMERIC))),
        ordered: Some(TypeSchema::Builtin),
        ..Type::builtin("price", 0)
    };
    let table = |name: &str, columns: Vec<Column>, key: &[usize]| Table {
        name: name.to_owned(),
        columns,
        key: key.to_vec(),
        uniques: vec![Unique {
            name: format!("{name}_pkey"),
            columns: key.to_vec(),
            plain: !key.is_empty(),
            inside: Vec::new(),
            deferrable: false,
        }],
        insertable: true,
        updatable: true,
        deletable: true,
        ..Table::default()
    };
    let mut clients = table(
        "clients",
        vec![
            column("id", int()),
            column("name", text()),
            column("code", varchar),
            column("mood", mood),
            column("moods", moods),
            column("tags", tags),
            column("mail", citext),
            column("price", price),
            column("meta", Type::builtin("json", oid::JSON)),
            column("data", Type::builtin("jsonb", oid::JSONB)),
            column("updated_at", Type::builtin("timestamptz", oid::TIMESTAMPTZ)),
            column("A \"b\".c", text()),
            column("uuid", Type::builtin("uuid", oid::UUID)),
            column("at", Type::builtin("point", 600)),
            column("ok", Type::builtin("bool", oid::BOOL)),
            column("secret", text()),
        ],
        &[0],
    );
    clients.columns[0].generated = Generated::IdentityAlways;
    let mut orders = table(
        "orders",
        vec![
            column("id", int()),
            column("clientid", int()),
            column("n", int()),
        ],
        &[0],
    );
    orders.foreign_keys.push(ForeignKey {
        name: "orders_clientid_fkey".to_owned(),
        columns: vec![1],
        table: 0,
        referred: vec![0],
        on_delete: "cascade",
    });
    let pairs = table(
        "pairs",
        vec![column("a", int()), column("b", text()), column("c", text())],
        &[0, 1],
    );
    let loose = table("loose", vec![column("a", int())], &[]);
    Arc::new(Catalog::new(vec![clients, orders, pairs, loose]))
});

fn statements(line: &str, body: &str) -> Result<Vec<Statement>, Problem> {
    let (method, address) = line.split_once(' ').unwrap_or(("GET", line));
    let (place, query) = address.split_once('?').unwrap_or((address, ""));
    let call = Call {
        method,
        base: "",
        path: place,
        query,
        headers: Headers {
            content_type: Some("application/json"),
            accept: None,
            prefer: Some("resolution=merge-duplicates"),
        },
        body: body.as_bytes(),
        replay: None,
    };
    let rules = Rules {
        special: vec![Special {
            table: "clients".to_owned(),
            hidden: vec!["secret".to_owned()],
            ..Special::default()
        }],
        ..Rules::default()
    };
    let (request, _) = request(method, &path(place)?, &parameters(query)?, &call)?;
    let plan = plan(&request, &SHOP, &rules, &Seal::new(b"k"))?;
    Ok(sql::statements(&plan, "x"))
}

/// The statement's text with short names for what is always there, and its parameters.
fn spelt(line: &str, body: &str) -> String {
    match statements(line, body) {
        Err(problem) => {
            let names: Vec<&String> = problem.errors.keys().collect();
            format!("{} {names:?}", problem.kind.slug())
        }
        Ok(statements) => {
            let texts = statements.iter().map(|statement| {
                let values: Vec<&str> = statement
                    .binds
                    .iter()
                    .map(|bind| bind.value.as_deref().unwrap_or("NULL"))
                    .collect();
                let text = statement
                    .text
                    .replace("operator(pg_catalog.", "op(")
                    .replace("pg_catalog.", "@");
                if values.is_empty() {
                    text
                } else {
                    format!("{text} <- {}", values.join(" | "))
                }
            });
            texts.collect::<Vec<_>>().join("; ")
        }
    }
}
