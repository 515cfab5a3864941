//! Trials of names and of compiling, without a database.

use super::compile::{Compiler, Source};
use super::json::{Json, Variables};
use super::schema::Schema;
use super::shape::{Root, Shape};
use crate::data::catalog::{
    Catalog, Column, ForeignKey, Generated, Table, TableKind, Type, Unique,
};
use crate::data::nested::Children;
use crate::data::plan::{Reach, Rules, Secret, Special};
use crate::data::request::{Filter, Item, Request};
use crate::problem::Problem;
use apollo_compiler::ExecutableDocument;
use std::sync::Arc;

fn column(name: &str, ty: (&str, u32)) -> Column {
    Column {
        name: name.to_owned(),
        ty: Type::builtin(ty.0, ty.1),
        nullable: name != "id",
        default: None,
        generated: Generated::No,
        comment: (name == "id").then(|| "Says \"who\" it is\\ \n".to_owned()),
    }
}

/// A table of whole numbers with a key `id`; a column `x_id` refers to the table at `to`.
fn table(name: &str, columns: &[&str], keys: &[(&str, usize)]) -> Table {
    let columns: Vec<Column> = columns
        .iter()
        .map(|name| column(name, ("int4", 23)))
        .collect();
    let position = |name: &str| columns.iter().position(|c| c.name == name).unwrap();
    Table {
        name: name.to_owned(),
        key: columns
            .iter()
            .position(|c| c.name == "id")
            .into_iter()
            .collect(),
        uniques: vec![Unique {
            name: format!("{name}_pkey"),
            columns: vec![0],
            plain: true,
            inside: Vec::new(),
            deferrable: false,
        }],
        foreign_keys: keys
            .iter()
            .map(|(column, to)| ForeignKey {
                name: format!("{name}_{column}_fkey"),
                columns: vec![position(column)],
                table: *to,
                referred: vec![0],
                on_delete: "no action",
            })
            .collect(),
        insertable: true,
        updatable: true,
        deletable: true,
        columns,
        ..Table::default()
    }
}

fn shape(tables: Vec<Table>, rules: &Rules) -> Shape {
    Shape::new(Arc::new(Catalog::new(tables)), rules)
}

/// The fields of `Query` and `Mutation` in name order.
fn fields(shape: &Shape) -> Vec<&str> {
    let mut fields: Vec<&str> = shape.roots.keys().map(String::as_str).collect();
    fields.sort_unstable();
    fields
}

fn plain(names: &[&str]) -> Vec<Table> {
    names.iter().map(|name| table(name, &["id"], &[])).collect()
}

/// Clients with invoices with items, and a view.
fn shop() -> Vec<Table> {
    let mut view = table("totals", &["year", "total"], &[]);
    view.kind = TableKind::View;
    vec![
        table("clients", &["id", "and"], &[]),
        table(
            "invoices",
            &["id", "client_id", "total"],
            &[("client_id", 0)],
        ),
        table("invoice_items", &["id", "invoice_id"], &[("invoice_id", 1)]),
        view,
    ]
}

/// The requests of an operation on the shop.
fn compiled(query: &str, variables: &[(&str, &str)]) -> Result<Vec<Request>, Problem> {
    let schema = Schema::new(Arc::new(Catalog::new(shop())), &Rules::default())?;
    let document = ExecutableDocument::parse_and_validate(&schema.schema, query, "q").unwrap();
    let variables: Variables = variables
        .iter()
        .map(|(name, json)| ((*name).to_owned(), Json::read(json).unwrap()))
        .collect();
    let compiler = Compiler {
        shape: &schema.shape,
        document: &document,
        variables: &variables,
    };
    let operation = document.operations.get(None).unwrap();
    let steps = compiler.steps(&operation.selection_set)?;
    Ok(steps
        .into_iter()
        .filter_map(|step| match step.source {
            Source::Request(_, request) | Source::Figures(request, _) => Some(*request),
            _ => None,
        })
        .collect())
}

/// What the first field of a mutation of the shop makes together with its row.
fn nested(query: &str) -> Vec<Children> {
    let schema = Schema::new(Arc::new(Catalog::new(shop())), &Rules::default()).unwrap();
    let document = ExecutableDocument::parse_and_validate(&schema.schema, query, "q").unwrap();
    let compiler = Compiler {
        shape: &schema.shape,
        document: &document,
        variables: &Variables::new(),
    };
    let operation = document.operations.get(None).unwrap();
    let mut steps = compiler.steps(&operation.selection_set).unwrap();
    steps.remove(0).children
}

fn conditions(query: &str, variables: &[(&str, &str)]) -> String {
    match &compiled(query, variables).unwrap()[0] {
        Request::List(list) => match &list.rows.filter {
            Some(Filter::Json { json, .. }) => json.clone(),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

#[test]
fn fields_are_named_after_tables() {
    let shape = shape(plain(&["staffs"]), &Rules::default());
    assert_eq!(
        fields(&shape),
        [
            "createStaff",
            "deleteStaff",
            "staff",
            "staffs",
            "staffsAggregate",
            "updateStaff"
        ]
    );
}

#[test]
fn a_name_without_a_singular_says_by_id() {
    let shape = shape(
        plain(&["activity_log", "news_", "status"]),
        &Rules::default(),
    );
    for name in [
        "activityLog",
        "activityLogById",
        "createActivityLog",
        "status",
        "statusById",
        "news",
        "new",
    ] {
        let list = shape.tables.iter().flat_map(|table| &table.roots);
        let known = list.map(|(_, name)| name.as_str()).collect::<Vec<_>>();
        assert!(known.contains(&name) || name == "new", "{name}: {known:?}");
    }
}

#[test]
fn collisions_give_way_in_a_fixed_order() {
    // `client` is the list of one table and would be the single row of another; `Date` is a scalar.
    let names = [
        "Client",
        "client",
        "clients",
        "dates",
        "client_where",
        "query",
        "_ping",
    ];
    let made = shape(plain(&names), &Rules::default());
    let named = |name: &str| {
        let mut tables = made.tables.iter();
        let table = tables
            .find(|table| made.catalog.tables[table.position].name == name)
            .unwrap();
        (
            table.root(Root::List).unwrap().to_owned(),
            table.root(Root::One).unwrap().to_owned(),
            table.name.clone(),
        )
    };
    let wanted = |list: &str, one: &str, ty: &str| (list.to_owned(), one.to_owned(), ty.to_owned());
    assert_eq!(named("client"), wanted("client", "clientById", "Client2"));
    assert_eq!(
        named("clients"),
        wanted("clients", "clientsById", "Clients")
    );
    assert_eq!(named("Client"), wanted("client2", "client2ById", "Client"));
    assert_eq!(named("dates"), wanted("dates", "date", "Dates"));
    assert_eq!(named("client_where").2, "ClientWhere2");
    assert_eq!(named("query").2, "Query2");
    let again = shape(plain(&names).into_iter().rev().collect(), &Rules::default());
    assert_eq!(fields(&made), fields(&again));
    Schema::new(Arc::new(Catalog::new(plain(&names))), &Rules::default()).unwrap();
}

#[test]
fn any_names_make_a_schema_that_the_library_takes() {
    for names in [
        vec![
            "a b", "a_b", "a-b", "A B", "ä", "ö", "", "__", "__type", "1", "type", "null", "true",
        ],
        vec![
            "Query",
            "mutation",
            "String",
            "ints",
            "BigInt",
            "SortDirection",
            "int_filter",
            "x_aggregate",
            "x",
        ],
        vec![],
    ] {
        let mut tables = plain(&names);
        for table in &mut tables {
            for name in [
                "__x",
                "a b",
                "a-b",
                "a_b",
                "and",
                "input",
                "limit",
                "true",
                "ß",
                "__typename",
            ] {
                table.columns.push(column(name, ("jsonb", 3802)));
            }
        }
        let mut odd = table("keyless", &[], &[]);
        odd.columns = vec![column("doc", ("json", 114))];
        tables.push(odd);
        Schema::new(Arc::new(Catalog::new(tables)), &Rules::default())
            .unwrap_or_else(|problem| panic!("{problem:?}"));
    }
}

#[test]
fn what_is_out_of_reach_is_not_there() {
    let only = |names: &[&str]| Reach::Only(names.iter().map(|name| (*name).to_owned()).collect());
    let rules = Rules {
        tables: only(&["invoices"]),
        views: Reach::Nothing("views"),
        ..Rules::default()
    };
    let made = shape(shop(), &rules);
    assert_eq!(made.tables.len(), 1);
    assert!(made.tables[0].relations.is_empty());
    let text = super::sdl(Arc::new(Catalog::new(shop())), &rules);
    assert!(
        !text.contains("Client") && !text.contains("Item") && !text.contains("otals"),
        "{text}"
    );
    let rules = Rules {
        special: vec![Special {
            table: "clients".to_owned(),
            hidden: vec!["and".to_owned()],
            secrets: vec![Secret {
                given: "password".to_owned(),
                stored: "and".to_owned(),
            }],
            ..Special::default()
        }],
        ..Rules::default()
    };
    let text = super::sdl(Arc::new(Catalog::new(shop())), &rules);
    assert!(
        text.contains("  password: String\n") && !text.contains("and_"),
        "{text}"
    );
}

#[test]
fn views_are_read_alone() {
    let made = shape(shop(), &Rules::default());
    let known = fields(&made);
    assert!(known.contains(&"totals") && known.contains(&"totalsAggregate"));
    assert!(
        !known
            .iter()
            .any(|name| name.ends_with("Total") || *name == "total"),
        "{known:?}"
    );
}

#[test]
fn conditions_are_those_of_the_spine() {
    let query = "query($least: Int, $not: ClientWhere, $gone: Int) { clients(where: {
        and_: {eq: 1}, id: {in: 7, gte: $least, lt: $gone},
        or: {id: {null: true}}, not: $not,
        invoices: {every: {client: {id: {neq: null}}}, none: null}}) { id } }";
    let variables = [("least", "5"), ("not", r#"{"and":[{"id":{"nin":[1,2]}}]}"#)];
    assert_eq!(
        conditions(query, &variables),
        concat!(
            r#"{"\"and\"":{"eq":1},"id":{"in":[7],"gte":5},"or":[{"id":{"null":true}}],"#,
            r#""not":{"and":[{"id":{"nin":[1,2]}}]},"#,
            r#""invoices":{"every":{"client":{"some":{"id":{"neq":null}}}}}}"#
        )
    );
    assert_eq!(
        conditions("{ invoices(where: {client: null}) { id } }", &[]),
        r#"{"client":{"none":{}}}"#
    );
    assert_eq!(conditions("{ invoices(where: null) { id } }", &[]), "None");
}

#[test]
fn lists_have_a_limit_at_every_depth() {
    let requests = compiled(
        "{ clients { id invoices(limit: 3, offset: 1, orderBy: [{client: {id: DESC}}, {total: ASC_NULLS_FIRST}]) { id } } }",
        &[],
    );
    let Ok([Request::List(list)]) = requests.as_deref() else {
        panic!("{requests:?}")
    };
    assert_eq!(list.rows.page.limit, Some(25));
    let Item::Related { rows, relation, .. } = &list.select[1] else {
        panic!("{list:?}")
    };
    assert_eq!(
        (rows.page.limit, rows.page.offset, relation.as_str()),
        (Some(3), 1, "invoices")
    );
    assert_eq!(rows.order[0].path, ["client"]);
    assert!(rows.order[0].descending && rows.order[1].nulls_first == Some(true));
    for (limit, offset) in [("1001", "0"), ("-1", "0"), ("1", "-1")] {
        let query = format!("{{ clients(limit: {limit}, offset: {offset}) {{ id }} }}");
        let refused = compiled(&query, &[]).unwrap_err();
        assert_eq!(refused.kind.slug(), "invalid-parameter", "{query}");
    }
}

#[test]
fn fields_of_one_name_are_put_together() {
    let query = "query($no: Boolean!) { clients { ...A invoices { id } ... on Client { invoices { total } } x: id @skip(if: true) y: id @include(if: $no) } }
        fragment A on Client { invoices { id } }";
    let requests = compiled(query, &[("no", "false")]);
    let Ok([Request::List(list)]) = requests.as_deref() else {
        panic!("{requests:?}")
    };
    let [Item::Related { select, .. }] = list.select.as_slice() else {
        panic!("{list:?}")
    };
    let columns: Vec<&str> = select
        .iter()
        .map(|item| match item {
            Item::Column { column, .. } => column.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(columns, ["id", "total"]);
}

#[test]
fn writes_carry_what_was_given() {
    let query = "mutation($input: ClientUpdate!) { a: createClient(input: {and: 2}) { id } updateClient(id: 7, input: $input) { id } deleteClient(id: 8) { id } }";
    let requests = compiled(query, &[("input", r#"{"and":null}"#)]).unwrap();
    let [
        Request::Create(create),
        Request::Update(update),
        Request::Delete(delete),
    ] = requests.as_slice()
    else {
        panic!("{requests:?}")
    };
    let cells = |body: &crate::data::body::Body| {
        let cells = body.rows[0].iter();
        cells
            .map(|cell| format!("{}={}", cell.name, cell.json))
            .collect::<Vec<_>>()
    };
    assert_eq!(cells(&create.body), ["and=2"]);
    assert_eq!(
        (cells(&update.body), update.key.as_slice()),
        (vec!["and=null".to_owned()], &["7".to_owned()][..])
    );
    assert_eq!(delete.key, ["8"]);
}

#[test]
fn rows_nested_in_others_are_apart_from_their_columns() {
    let query = "mutation { createClient(input: {and: 1, invoices: [{total: 2, invoice_items: []}, {total: 3}]}) { id } }";
    let query = query.replace("invoice_items", "invoiceItems");
    let requests = compiled(&query, &[]).unwrap();
    let Request::Create(create) = &requests[0] else {
        panic!("{requests:?}")
    };
    assert_eq!(create.body.rows[0].len(), 1);
    let children = nested(&query);
    assert_eq!(
        (children.len(), children[0].relation.as_str()),
        (1, "invoices")
    );
    let first = &children[0].rows[0];
    assert_eq!(first.children[0].relation, "invoice_items");
    assert_eq!((first.rows(), children[0].rows.len()), (1, 2));
    let Request::Create(create) = &first.request else {
        panic!("{first:?}")
    };
    assert_eq!(
        (create.table.as_str(), create.body.rows[0][0].name.as_str()),
        ("invoices", "total")
    );
}
