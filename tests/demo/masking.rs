//! Nothing of a masked value is to be had: not by reading, sorting, counting or failing, and not from definitions.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sandlot::demo::Generation;
use seed::crm::checks::CHECKS;
use tokio_postgres::Client as Postgres;

use super::{
    demo,
    script::{Kind, Request, ask, of_the_crm, requests},
};
use crate::harness::Server;

/// The check that the demo does not keep: its rows are numbered as the template's are, and their dates are made up.
const LEFT_OUT: &str = "numbers follow time: the highest is the latest";

#[tokio::test]
async fn what_adds_up_in_the_template_adds_up_in_the_demo() {
    let server = Server::start().await;
    let (_, made) = demo(&server, 11).await;
    let report = server.app.demo.explain().await.unwrap();
    assert_eq!(report.empty, []);
    assert_eq!(report.left_out, []);
    let superuser = server.superuser().await;
    for (rule, sql) in CHECKS.iter().filter(|(rule, _)| *rule != LEFT_OUT) {
        let sql = sql.replace("public.", &format!("{}.", made.identity.schema));
        let broken: i64 = superuser.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(broken, 0, "{rule}");
    }
    // The same rows, null where they were null, pointing where they pointed.
    for table in tables(&superuser, "public").await {
        let columns = columns(&superuser, &made.identity.schema, &table).await;
        let nulls: Vec<String> = columns
            .iter()
            .map(|column| format!("count(\"{column}\")"))
            .collect();
        let mut counts = Vec::new();
        for schema in ["public", made.identity.schema.as_str()] {
            let sql = format!(
                "select array[count(*), {}] from {schema}.\"{table}\"",
                nulls.join(", ")
            );
            let counted: Vec<i64> = superuser.query_one(&sql, &[]).await.unwrap().get(0);
            counts.push(counted);
        }
        assert_eq!(counts[0], counts[1], "{table}");
    }
}

/// No pay for hours that are not billed, no tax at a rate of none, nothing left of what is settled, the share of tasks that
/// are complete.
const FOLLOWS: &[&str] = &[
    "timesheets.hourly_rate",
    "invoices.total_tax",
    "estimates.total_tax",
    "credit_notes.remaining",
    "projects.progress",
    "invoices.exchange_rate",
];

#[tokio::test]
async fn a_seed_gives_the_same_bytes_anywhere_and_another_one_others() {
    let (one, two) = (Server::start().await, Server::start().await);
    let (_, first) = demo(&one, 5).await;
    let (_, second) = demo(&two, 5).await;
    let content = one.content(&first.identity.schema).await;
    assert!(content.len() > 20);
    assert_eq!(content, two.content(&second.identity.schema).await);

    let (_, other) = demo(&one, 6).await;
    let report = one.app.demo.explain().await.unwrap();
    let superuser = one.superuser().await;
    let (mut cells, mut same) = (0, 0);
    for line in report
        .columns
        .iter()
        .filter(|line| line.verdict == "masked")
    {
        // What the CRM's rules work out of columns that are kept says the same under each seed.
        if FOLLOWS.contains(&format!("{}.{}", line.table, line.column).as_str()) {
            continue;
        }

        let (table, column) = (&line.table, &line.column);
        let numbered = |schema: &str| {
            format!(
                "select row_number() over (order by ctid) as n, \"{column}\" as v from {schema}.\"{table}\""
            )
        };
        let key = columns(&superuser, &first.identity.schema, table)
            .await
            .contains(&"id".to_owned());
        let pair = |schema: &str| {
            if key {
                format!("select id as n, \"{column}\" as v from {schema}.\"{table}\"")
            } else {
                numbered(schema)
            }
        };
        let sql = format!(
            "select count(*) filter (where a.v is not null), count(*) filter (where a.v::text = b.v::text) from ({}) a join ({}) b using (n)",
            pair(&first.identity.schema),
            pair(&other.identity.schema)
        );
        let row = superuser.query_one(&sql, &[]).await.unwrap();
        let (all, alike): (i64, i64) = (row.get(0), row.get(1));
        if alike * 50 > all {
            println!("{table}.{column}: {alike} of {all}");
        }
        cells += all;
        same += alike;
    }
    assert!(cells > 100_000, "{cells}");
    assert!(same * 100 <= cells, "{same} of {cells} cells are the same");
}

#[tokio::test]
async fn answers_tell_nothing_of_what_is_masked() {
    let (one, two) = (Server::start().await, Server::start().await);
    // Another template of the same shape: in every masked cell stands something else.
    let (_, other) = demo(&two, 99).await;
    let masked = masked_columns(&two).await;
    replace(&two, &other, &masked).await;
    differ(&one, &two, &masked).await;
    let (first, _) = demo(&one, 7).await;
    let (second, _) = demo(&two, 7).await;
    let mut requests = requests(&one.superuser().await, &first).await;
    requests.extend(of_the_crm());
    let (mut kinds, mut answered): (BTreeMap<Kind, usize>, usize) = (BTreeMap::new(), 0);
    for request in &requests {
        let (a, b) = (ask(&first, request).await, ask(&second, request).await);
        assert_eq!(a.0, b.0, "{request:?}");
        assert_eq!(a.1, b.1, "{request:?}");
        *kinds.entry(request.kind).or_insert(0) += 1;
        answered += usize::from(a.0.starts_with('2'));
    }
    println!("{kinds:?}, {answered} with 2xx");
    assert!(requests.len() >= 500 && kinds.len() == 13, "{kinds:?}");
    assert!(answered >= 500, "{answered} of {}", requests.len());
}

/// Changes each masked cell of the second template that happens to be as in the first, until none is.
async fn differ(one: &Server, two: &Server, masked: &BTreeMap<String, Vec<String>>) {
    let (one, two) = (one.superuser().await, two.superuser().await);
    two.batch_execute("set session_replication_role = replica")
        .await
        .unwrap();
    let cells = async |of: &Postgres, table: &str, column: &str| {
        let keyed = columns(of, "public", table)
            .await
            .contains(&"id".to_owned());
        let key = if keyed {
            "id::text"
        } else {
            "row_number() over (order by ctid)::text"
        };
        let sql = format!(
            "select {key}, ctid::text, \"{column}\"::text from public.\"{table}\" where \"{column}\" is not null"
        );
        let rows = of.query(&sql, &[]).await.unwrap();
        let cells = rows
            .iter()
            .map(|row| (row.get(0), (row.get(1), row.get(2))));
        cells.collect::<BTreeMap<String, (String, String)>>()
    };
    let (mut all, mut same) = (0, 0);
    for (table, columns) in masked {
        for column in columns {
            let (a, b) = (
                cells(&one, table, column).await,
                cells(&two, table, column).await,
            );
            assert_eq!(a.len(), b.len(), "{table}.{column}");
            all += a.len();
            let alike = b.iter().filter(|(key, (_, cell))| a[*key].1 == *cell);
            let alike: Vec<&str> = alike.map(|(_, (at, _))| at.as_str()).collect();
            if alike.is_empty() {
                continue;
            }
            let ty: String = two
                .query_one(
                    &format!(
                        "select pg_typeof(\"{column}\")::text from public.\"{table}\" limit 1"
                    ),
                    &[],
                )
                .await
                .unwrap()
                .get(0);
            let others: &[&str] = match ty.as_str() {
                "jsonb" => &[
                    "case jsonb_typeof(C) when 'array' then C || '[7]' else C || '{\"z\": 7}' end",
                ],
                "text[]" => &["C || '{z}'::text[]"],
                "date" => &["C + 1", "C - 1"],
                "timestamp with time zone" => {
                    &["C + interval '1 minute'", "C - interval '1 minute'"]
                }
                "text" | "character varying" => &["C || 'z'", "left(C, -1)", "'z'"],
                _ => &["C + 1", "C - 1", "C / 2"],
            };
            let mut done = false;
            for other in others {
                let other = other.replace('C', &format!("\"{column}\""));
                let sql = format!(
                    "update public.\"{table}\" set \"{column}\" = {other} where ctid = any ($1::text[]::tid[])"
                );
                done = two.execute(&sql, &[&alike]).await.is_ok();
                if done {
                    break;
                }
            }
            if !done {
                println!(
                    "{table}.{column}: {} of {} are alike, and a check keeps them so",
                    alike.len(),
                    a.len()
                );
                same += alike.len();
            }
        }
    }
    println!("{all} masked cells, {same} of them alike");
    assert!(all > 100_000 && same * 1000 < all, "{same} of {all}");
}

#[tokio::test]
async fn no_marker_in_a_masked_cell_comes_out_anywhere() {
    let server = Server::start().await;
    let superuser = server.superuser().await;
    // Types that no rule knows, and texts in every kind of definition.
    // As the template's owner, who alone can copy what is in it.
    let owner = server.connect_as("sandlot").await;
    owner
        .batch_execute(&format!(
            "alter table public.clients add column odd pg_lsn, add column planted text default '{MARKER}-default',
                 add constraint planted_check check (planted <> '{MARKER}-check');
             comment on table public.clients is '{MARKER}-comment';
             comment on column public.clients.name is '{MARKER}-comment';
             create view public.planted_view as select id, '{MARKER}-view'::text as told from public.clients;
             create function public.planted() returns text language sql as $$ select '{MARKER}-body'::text $$;"
        ))
        .await
        .unwrap();
    superuser
        .batch_execute("set session_replication_role = replica")
        .await
        .unwrap();
    let mut planted = 0;
    for table in tables(&superuser, "public").await {
        planted += plant(&superuser, &table).await;
    }
    assert!(planted > 80, "{planted} columns");
    let (anybody, made) = demo(&server, 3).await;
    assert!(
        server
            .app
            .demo
            .explain()
            .await
            .unwrap()
            .text()
            .contains("view planted_view: left out")
    );
    let forms = forms();
    let mut looked = 0;
    let mut requests = requests(&superuser, &anybody).await;
    requests.extend(of_the_crm());
    requests.extend(more());
    for request in &requests {
        let (head, body) = ask(&anybody, request).await;
        for text in [head, body] {
            looked += text.len();
            let found = forms
                .iter()
                .find(|form| text.to_lowercase().contains(form.as_str()));
            assert_eq!(found, None, "{request:?}: {text:.400}");
        }
    }
    assert!(looked > 1_000_000, "{looked} bytes");
    // Nor is it there at rest, whatever one may ask.
    for table in tables(&superuser, &made.identity.schema).await {
        let sql = format!(
            "select count(*) from {}.\"{table}\" t where lower(t::text) like '%{}%'",
            made.identity.schema, CORE
        );
        let found: i64 = superuser.query_one(&sql, &[]).await.unwrap().get(0);
        assert_eq!(found, 0, "{table}");
    }
}

/// What no word of any language holds.
const CORE: &str = "xqzjvwkxqg";
const MARKER: &str = "Xqzjvwkxqg";

/// The marker in all forms that are looked for, in small letters.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for part in CORE.as_bytes().windows(8) {
        let part = String::from_utf8_lossy(part).into_owned();
        forms.push(part.chars().rev().collect());
        forms.push(hex::encode(&part));
        forms.push(part);
    }
    for text in [CORE, MARKER] {
        // Behind one or two other letters, base64 looks different; its ends depend on what is beside.
        for before in ["", "-", "--"] {
            let coded = BASE64.encode(format!("{before}{text}"));
            forms.push(coded[4..12].to_lowercase());
        }
    }
    // Numbers, days and addresses that are planted.
    forms.extend(["71717.17", "1871-07-", "10.71.71.", "7a7a7a7a/"].map(str::to_owned));
    forms
}

/// Puts a marker of its own format into every cell of a column that may tell something, and says into how many columns.
async fn plant(superuser: &Postgres, table: &str) -> usize {
    let sql = "select a.attname::text, t.typname::text, a.attnum::int from pg_attribute a join pg_type t on t.oid = a.atttypid
        where a.attrelid = ('public.' || quote_ident($1))::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
          and not exists (select from pg_constraint k where k.conrelid = a.attrelid and a.attnum = any (k.conkey)
                          and (k.contype in ('p', 'f') or pg_get_constraintdef(k.oid) like '%ANY%'))";
    let mut count = 0;
    for row in superuser.query(sql, &[&table]).await.unwrap() {
        let (column, ty, number): (String, String, i32) = (row.get(0), row.get(1), row.get(2));
        let full = format!("{table}.{column}");
        if SHOWN.contains(&full.as_str()) {
            continue;
        }
        let text = format!("'{MARKER}{number}x' || t.n");
        let value = match ty.as_str() {
            "text" | "varchar" if column.contains("email") => {
                format!("{text} || '@' || '{MARKER}.leak'")
            }
            "text" | "varchar" => text,
            "_text" => format!("array[{text}]"),
            "jsonb" if column == "checklist" => format!("jsonb_build_array({text})"),
            "jsonb" => format!("jsonb_build_object({text}, {text})"),
            "inet" => "('10.71.71.' || t.n % 200)::inet".to_owned(),
            "pg_lsn" => "'7A7A7A7A/7A7A'::pg_lsn".to_owned(),
            "numeric"
                if !matches!(
                    column.as_str(),
                    "hourly_rate"
                        | "rate"
                        | "discount_percent"
                        | "tax_rate"
                        | "quantity"
                        | "exchange_rate"
                        | "estimated_hours"
                        | "decimals"
                ) =>
            {
                "71717.17".to_owned()
            }
            "date" => format!("('1871-07-01'::date + {})", number % 25),
            _ => continue,
        };
        let sql = format!(
            "update public.\"{table}\" p set \"{column}\" = {value} from (select ctid as at, row_number() over (order by ctid) as n from public.\"{table}\") t
             where p.ctid = t.at and p.\"{column}\" is not null"
        );
        let sql = if matches!(column.as_str(), "odd" | "planted") {
            sql.replace(&format!("and p.\"{column}\" is not null"), "")
        } else {
            sql
        };
        superuser
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{full}: {error:?}"));
        count += 1;
    }
    count
}

/// Columns that the rules of the CRM show as they are.
const SHOWN: &[&str] = &[
    "countries.iso2",
    "countries.iso3",
    "countries.numeric_code",
    "countries.name",
    "currencies.code",
    "currencies.name",
    "currencies.symbol",
    "currencies.rate",
    "taxes.name",
    "taxes.rate",
    "departments.name",
    "activity_log.rel_type",
    "activity_log.action",
    "currencies.decimals",
];

/// Puts the values of a demo into the template's masked cells.
async fn replace(server: &Server, demo: &Generation, masked: &BTreeMap<String, Vec<String>>) {
    let superuser = server.superuser().await;
    superuser
        .batch_execute("set session_replication_role = replica")
        .await
        .unwrap();
    for (table, columns) in masked {
        // Out of the way first, where no two rows may have the same.
        for column in columns
            .iter()
            .filter(|column| UNIQUE.contains(&column.as_str()))
        {
            let sql = format!(
                "update public.\"{table}\" set \"{column}\" = 'zz' || id || '@x.y' where \"{column}\" is not null"
            );
            superuser.batch_execute(&sql).await.unwrap();
        }
        let schema = &demo.identity.schema;
        let keyed = self::columns(&superuser, "public", table)
            .await
            .contains(&"id".to_owned());
        let sql = if keyed {
            let set: Vec<String> = columns
                .iter()
                .map(|column| format!("\"{column}\" = {}", cast(column)))
                .collect();
            format!(
                "update public.\"{table}\" p set {} from {schema}.\"{table}\" d where p.id = d.id",
                set.join(", ")
            )
        } else {
            // Without a number the order in the file counts, and has to stay.
            format!(
                "create temp table held on commit drop as select * from public.\"{table}\" order by ctid;
                 delete from public.\"{table}\"; insert into public.\"{table}\" select * from held;
                 update public.\"{table}\" set created_at = created_at - interval '77 days', updated_at = updated_at - interval '77 days';
                 create temp table again on commit drop as select * from public.\"{table}\" order by ctid"
            )
        };
        let sql = format!("begin; {sql}; commit");
        superuser
            .batch_execute(&sql)
            .await
            .unwrap_or_else(|error| panic!("{table}: {error:?}"));
    }
}

const UNIQUE: &[&str] = &["email", "number", "transaction_id"];

/// The demo's types are its own; a value of one goes over as text.
fn cast(column: &str) -> String {
    format!("d.\"{column}\"")
}

async fn masked_columns(server: &Server) -> BTreeMap<String, Vec<String>> {
    let mut masked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in server.app.demo.explain().await.unwrap().columns {
        if line.verdict == "masked" {
            masked.entry(line.table).or_default().push(line.column);
        }
    }
    masked
}

fn more() -> Vec<Request> {
    [
        "/api/v1/planted_view",
        "/api/v1/planted_view/schema",
        "/api/v1/clients?per_page=380",
        "/api/v1/clients?sort=odd",
        "/api/v1/clients?filter[planted.like]=*x*",
    ]
    .map(|path| Request::get(Kind::List, path.to_owned()))
    .into()
}

pub async fn tables(superuser: &Postgres, schema: &str) -> Vec<String> {
    let sql = "select tablename::text from pg_tables where schemaname = $1 order by 1";
    superuser
        .query(sql, &[&schema])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

pub async fn columns(superuser: &Postgres, schema: &str, table: &str) -> Vec<String> {
    let sql = "select column_name::text from information_schema.columns where table_schema = $1 and table_name = $2 order by ordinal_position";
    superuser
        .query(sql, &[&schema, &table])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}
