//! How a statement's columns become JSON, whatever their types.
//!
//! Values of the types that the spine has writers for come as they are. If there is another one,
//! the statement is put inside a query that has Postgres turn those columns into JSON; where a
//! statement can't be put inside another, the values are sent back to be turned one by one.

use std::collections::HashSet;

use postgres_types::{Kind as TypeKind, Type};
use tokio_postgres::{Client, Error, Statement};

use crate::data::{
    catalog::{Type as ColumnType, types::oid},
    writer::{Writer, string},
};

/// A column as the answer shows it.
#[derive(Debug)]
pub struct Column {
    /// The member's name in each row; like the column's own, made unique.
    pub key: String,
    /// Postgres' name of the type.
    pub kind: String,
    /// `{"id":` or `,"name":`
    pub lead: Vec<u8>,
    /// How the bytes become JSON; `None` if Postgres has to do it.
    pub writer: Option<Writer>,
}

/// A statement that is ready to run.
pub struct Shape {
    /// What is run.
    pub statement: Statement,
    /// What its columns are.
    pub columns: Vec<Column>,
    /// How many characters stand in front of the client's own text.
    pub shift: u32,
    /// Per column without a writer, what turns one value into JSON.
    pub converters: Vec<Option<Statement>>,
}

impl Shape {
    /// Makes a prepared statement ready, preparing more where its types need it.
    pub async fn of(client: &Client, query: &str, first: Statement) -> Result<Self, Error> {
        let mut columns = columns(&first);
        let mut shape = Self {
            statement: first,
            converters: columns.iter().map(|_| None).collect(),
            columns: Vec::new(),
            shift: 0,
        };
        if columns.iter().any(|column| column.writer.is_none()) {
            let params = shape.statement.params().to_vec();
            match wrapped(client, query, &columns, &params).await {
                Some((statement, shift)) => {
                    shape.statement = statement;
                    shape.shift = shift;
                    for column in &mut columns {
                        column.writer.get_or_insert(Writer::Other);
                    }
                }
                None => {
                    for (at, column) in columns.iter().enumerate() {
                        if column.writer.is_none() {
                            let ty = shape.statement.columns()[at].type_();
                            shape.converters[at] = converter(client, ty).await;
                        }
                    }
                }
            }
        }
        shape.columns = columns;
        Ok(shape)
    }

    /// Whether values have to be sent back to be turned into JSON.
    pub fn converts(&self) -> bool {
        self.converters.iter().any(Option::is_some)
    }

    /// The first column that nothing can turn into JSON.
    pub fn unshown(&self) -> Option<usize> {
        let mut columns = self.columns.iter().zip(&self.converters);
        columns.position(|(column, converter)| column.writer.is_none() && converter.is_none())
    }
}

fn columns(statement: &Statement) -> Vec<Column> {
    let mut taken = HashSet::new();
    let mut columns = Vec::with_capacity(statement.columns().len());
    for column in statement.columns() {
        let mut key = column.name().to_owned();
        let mut number = 1;
        while !taken.insert(key.clone()) {
            number += 1;
            key = format!("{}_{number}", column.name());
        }
        let mut lead = vec![if columns.is_empty() { b'{' } else { b',' }];
        string(&mut lead, key.as_bytes());
        lead.push(b':');
        columns.push(Column {
            key,
            kind: shown(column.type_()),
            lead,
            writer: writer(column.type_()),
        });
    }
    columns
}

fn writer(ty: &Type) -> Option<Writer> {
    // Of nothing there is a text, an empty one.
    if matches!(ty.kind(), TypeKind::Enum(_)) || *ty == Type::VOID || *ty == Type::UNKNOWN {
        return Some(Writer::Text);
    }
    let name = ty.name();
    match Writer::of(&ColumnType::builtin(name, ty.oid())) {
        Writer::Other => None,
        writer => Some(writer),
    }
}

fn shown(ty: &Type) -> String {
    match ty.kind() {
        TypeKind::Array(element) => format!("{}[]", element.name()),
        _ => ty.name().to_owned(),
    }
}

/// The statement inside a query or, if it changes rows, beside one; `None` where neither can be.
async fn wrapped(
    client: &Client,
    query: &str,
    columns: &[Column],
    params: &[Type],
) -> Option<(Statement, u32)> {
    let inner = query.trim_end_matches([' ', '\t', '\n', '\r', '\u{c}', ';']);
    let names: Vec<String> = (1..=columns.len()).map(|at| format!("c{at}")).collect();
    let names = names.join(", ");
    let mut list = String::new();
    for (at, column) in columns.iter().enumerate() {
        let (comma, number) = (if at > 0 { ", " } else { "" }, at + 1);
        list.push_str(&match column.writer {
            Some(_) => format!("{comma}t.c{number}"),
            None => format!("{comma}pg_catalog.to_json(t.c{number})::pg_catalog.text"),
        });
    }
    // Line feeds keep a comment at the end of the text from taking in more than itself.
    for (head, tail) in [
        (
            format!("select {list} from (\n"),
            format!("\n) as t ({names})"),
        ),
        (
            format!("with t ({names}) as (\n"),
            format!("\n) select {list} from t"),
        ),
    ] {
        let text = format!("{head}{inner}{tail}");
        let Ok(statement) = client.prepare_typed(&text, params).await else {
            continue;
        };
        let fits = statement.columns().len() == columns.len()
            && statement
                .columns()
                .iter()
                .zip(columns)
                .all(|(found, column)| match column.writer {
                    Some(_) => shown(found.type_()) == column.kind,
                    None => found.type_().oid() == oid::TEXT,
                });
        if fits {
            let shift = u32::try_from(head.chars().count()).unwrap_or(0);
            return Some((statement, shift));
        }
    }
    None
}

async fn converter(client: &Client, ty: &Type) -> Option<Statement> {
    let text = "select pg_catalog.to_json($1)::pg_catalog.text";
    client
        .prepare_typed(text, std::slice::from_ref(ty))
        .await
        .ok()
}
