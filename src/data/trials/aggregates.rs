//! Figures over rows.

use crate::data::plan::Rules;
use crate::data::request::{
    Aggregate, Filter, Function, Group, Measure, Operator, Page, Period, Ranking, Request, Rows,
};
use crate::data::rows::Format;
use crate::data::run::Keep;
use crate::data::scratch::Tenant;
use crate::data::{Ask, Spine};
use futures_util::FutureExt;
use std::sync::Arc;

const SALES: &str = "
create type status as enum ('new', 'done');
create domain price as numeric(8,2);
create table sales (id int primary key, status status, total price, n int, big bigint, ratio float8, at timestamptz, day date, name varchar(9), took interval, tags int[], meta json);
insert into sales select i, (array['new','done',null])[1 + i % 3]::status, i * 1.5, i, i, i / 4.0, timestamptz '2024-01-01' + i * interval '10 days', date '2024-01-01' + i, 'n' || i % 3, i * interval '1 hour', array[i], '{}' from generate_series(1, 12) i;
create view broken as select 1 / (n - 1) as v from sales;
";

fn measure(key: &str, function: Function, column: Option<&str>) -> Measure {
    Measure {
        key: key.to_owned(),
        function,
        column: column.map(str::to_owned),
        distinct: false,
        at: "measure".into(),
    }
}

fn group(key: &str, column: &str, period: Option<Period>) -> Group {
    Group {
        key: key.to_owned(),
        column: column.to_owned(),
        period,
        at: "dimension".into(),
    }
}

async fn ask(tenant: &Tenant, aggregate: Aggregate) -> String {
    let spine = Spine::new(
        tenant.tenants.clone(),
        b"key",
        Arc::new(|plain| async { Ok(plain) }.boxed()),
    );
    let request = Request::Aggregate(Aggregate {
        table: if aggregate.table.is_empty() {
            "sales".to_owned()
        } else {
            aggregate.table
        },
        ..aggregate
    });
    let answer = spine
        .answer(Ask {
            identity: &tenant.identity,
            rules: &Rules::default(),
            request: &request,
            format: Format::Json,
            keep: Keep::Yes,
        })
        .await;
    match answer {
        Ok(answer) => String::from_utf8(answer.body).unwrap(),
        Err(problem) => format!("{} {:?}", problem.kind.slug(), problem.errors),
    }
}

#[tokio::test]
async fn one_figure_over_all() {
    let tenant = Tenant::new(SALES).await;
    for (function, column, figure) in [
        (Function::Count, None, "12"),
        (Function::Count, Some("status"), "8"),
        (Function::Sum, Some("n"), "78"),
        (Function::Sum, Some("big"), "78"),
        (Function::Sum, Some("total"), "117.00"),
        (Function::Sum, Some("ratio"), "19.5"),
        (Function::Sum, Some("took"), "\"78:00:00\""),
        (Function::Avg, Some("n"), "6.5000000000000000"),
        (Function::Avg, Some("ratio"), "1.625"),
        (Function::Min, Some("total"), "1.50"),
        (Function::Max, Some("status"), "\"done\""),
        (Function::Min, Some("name"), "\"n0\""),
        (Function::Max, Some("at"), "\"2024-04-30T00:00:00+00:00\""),
        (Function::Max, Some("day"), "\"2024-01-13\""),
        (Function::Max, Some("tags"), "[12]"),
        (Function::Max, Some("took"), "\"12:00:00\""),
    ] {
        let got = ask(
            &tenant,
            Aggregate {
                measures: vec![measure("x", function, column)],
                ..Aggregate::default()
            },
        )
        .await;
        assert_eq!(
            got,
            format!("{{\"x\":{figure}}}"),
            "{function:?} {column:?}"
        );
    }
    for (function, column) in [
        (Function::Sum, None),
        (Function::Sum, Some("name")),
        (Function::Avg, Some("at")),
        (Function::Min, Some("meta")),
        (Function::Sum, Some("nosuch")),
        (Function::Avg, Some("status")),
    ] {
        let got = ask(
            &tenant,
            Aggregate {
                measures: vec![measure("x", function, column)],
                ..Aggregate::default()
            },
        )
        .await;
        assert!(
            got.starts_with("invalid-parameter {\"measure\""),
            "{function:?} {column:?} {got}"
        );
    }
}

#[tokio::test]
async fn figures_by_group() {
    let tenant = Tenant::new(SALES).await;
    let got = ask(
        &tenant,
        Aggregate {
            groups: vec![group("status", "status", None)],
            measures: vec![
                measure("rows", Function::Count, None),
                measure("sum", Function::Sum, Some("n")),
            ],
            ..Aggregate::default()
        },
    )
    .await;
    assert_eq!(
        got,
        r#"{"status":"new","rows":4,"sum":30},{"status":"done","rows":4,"sum":22},{"status":null,"rows":4,"sum":26}"#
    );
    let got = ask(
        &tenant,
        Aggregate {
            groups: vec![
                group("month", "at", Some(Period::Month)),
                group("name", "name", None),
            ],
            measures: vec![measure("n", Function::Count, None)],
            order: vec![Ranking {
                key: "n".to_owned(),
                descending: true,
                at: "sort".into(),
            }],
            rows: Rows {
                filter: Some(Filter::Compare {
                    column: "n".to_owned(),
                    operator: Operator::Lte,
                    values: vec!["6".to_owned()],
                    at: "filter".into(),
                }),
                page: Page {
                    limit: Some(2),
                    ..Page::default()
                },
                ..Rows::default()
            },
            ..Aggregate::default()
        },
    )
    .await;
    assert_eq!(
        got,
        r#"{"month":"2024-01-01","name":"n0","n":1},{"month":"2024-01-01","name":"n1","n":1}"#
    );
    for period in [Period::Day, Period::Week, Period::Quarter, Period::Year] {
        let got = ask(
            &tenant,
            Aggregate {
                groups: vec![group("d", "day", Some(period))],
                ..Aggregate::default()
            },
        )
        .await;
        assert!(got.starts_with("{\"d\":\"20"), "{got}");
    }
    for bad in [
        group("d", "name", Some(Period::Day)),
        group("d", "meta", None),
        group("d", "nosuch", None),
    ] {
        let got = ask(
            &tenant,
            Aggregate {
                groups: vec![bad],
                ..Aggregate::default()
            },
        )
        .await;
        assert!(got.starts_with("invalid-parameter {\"dimension\""), "{got}");
    }
    let got = ask(
        &tenant,
        Aggregate {
            table: "broken".to_owned(),
            measures: vec![measure("x", Function::Sum, Some("v"))],
            ..Aggregate::default()
        },
    )
    .await;
    assert!(got.starts_with("aggregation-error"), "{got}");
}
