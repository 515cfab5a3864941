//! Every type times every operator, and values of every type there and back.

use super::Site;
use crate::data::request::Operator;
use crate::data::trials::rows::{TYPES, VALUES};
use crate::listing::words::encode;
use serde_json::{Value, json};

async fn site() -> Site {
    let mut script = TYPES.to_owned();
    for (at, (ty, values)) in VALUES.iter().enumerate() {
        script += &format!("create table t{at} (id serial primary key, v {ty});");
        for value in *values {
            script += &format!("insert into t{at} (v) values ({value});");
        }
    }
    Site::new(&script).await
}

#[tokio::test]
async fn every_operator_on_every_type() {
    let site = site().await;
    let lease = site.tenant.lease().await;
    for (at, (ty, _)) in VALUES.iter().enumerate() {
        let rows = lease
            .query(
                &format!("select id, v::text from t{at} where v is not null order by id"),
                &[],
            )
            .await
            .unwrap();
        let (id, text): (i32, String) = (rows[0].get(0), rows[0].get(1));
        let value = encode(&format!("\"{}\"", text.replace('"', "\"\"")));
        for (name, operator) in Operator::ALL {
            let list = if operator == Operator::Between {
                format!("{value},{value}")
            } else {
                value.clone()
            };
            let argument = match operator {
                Operator::Null | Operator::NotNull => String::new(),
                _ => list,
            };
            let got = site
                .get(&format!(
                    "/t{at}?fields=id&per_page=1000&filter[v.{name}]={argument}"
                ))
                .await;
            if got.status == 400 && got.errors == [format!("filter[v.{name}]")] {
                let refusable = matches!(
                    operator,
                    Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte | Operator::Between
                );
                assert!(
                    refusable || text.ends_with('\\'),
                    "{ty} {name} {text} {got:?}"
                );
                continue;
            }
            assert_eq!(got.status, 200, "{ty} {name} {text} {got:?}");
            let found = got
                .at("/data")
                .as_array()
                .unwrap()
                .contains(&json!({"id": id}));
            let expected = matches!(
                operator,
                Operator::Eq
                    | Operator::In
                    | Operator::Gte
                    | Operator::Lte
                    | Operator::Between
                    | Operator::NotNull
            );
            let certain = !matches!(operator, Operator::Like | Operator::Ilike);
            assert!(!certain || found == expected, "{ty} {name} {text} {got:?}");
        }
        for query in [
            "sort=v",
            "sort=-v",
            "q=a",
            "filter=v:garbage%22",
            "filter[v.in]=x,1",
            "filter[v.like]=%25",
        ] {
            let got = site.get(&format!("/t{at}?{query}")).await;
            assert!(matches!(got.status, 200 | 400), "{ty} {query} {got:?}");
        }
    }
}

#[tokio::test]
async fn values_are_taken_back_as_they_were_given() {
    let site = site().await;
    for (at, (ty, _)) in VALUES.iter().enumerate() {
        let rows = site.get(&format!("/t{at}?per_page=1000")).await;
        assert_eq!(rows.status, 200, "{ty} {rows:?}");
        // Taken apart as text, since numbers may be beyond what a tree of values holds.
        let list = rows
            .text
            .split_once("\"data\":[")
            .unwrap()
            .1
            .split_once("],\"meta\"")
            .unwrap()
            .0;
        for row in list.split("},{\"id\"") {
            let value = row.split_once("\"v\":").unwrap().1.trim_end_matches('}');
            // A JSON object has lost its bracket; it is tried by the other values of its type.
            if value.contains('{') {
                continue;
            }
            let got = site
                .send(&format!("POST /t{at}"), &format!("{{\"v\":{value}}}"))
                .await;
            assert_eq!(got.status, 201, "{ty} {value} {got:?}");
            let back = got
                .text
                .split_once("\"v\":")
                .unwrap()
                .1
                .trim_end_matches('}');
            // Blanks around a document are no part of it.
            assert_eq!(back, value.trim(), "{ty}");
        }
    }
}

#[tokio::test]
async fn what_is_no_value_is_refused_by_name() {
    let site = site().await;
    for (at, (ty, _)) in VALUES.iter().enumerate() {
        for body in [
            json!({"v": {"no": 1}}),
            json!({"v": [1, {"a": 2}]}),
            json!({"v": true}),
            json!({"v": 12.5}),
            json!({"v": "no value of it, surely"}),
            json!({"v": ""}),
            json!({"v": "1e400"}),
            json!({"v": "\u{ffff}"}),
        ] {
            for line in [format!("POST /t{at}"), format!("PUT /t{at}/1")] {
                let got = site.send(&line, &body.to_string()).await;
                match got.status {
                    200 | 201 => {}
                    400 => assert_eq!(got.errors, ["v"], "{ty} {body} {got:?}"),
                    _ => panic!("{ty} {body} {got:?}"),
                }
            }
        }
        let raw = site.send(&format!("POST /t{at}"), "{\"v\":1e400}").await;
        assert!(matches!(raw.status, 201 | 400), "{ty} {raw:?}");
    }
    assert_eq!(site.get("/t0").await.at("/data/0/v"), Value::Bool(true));
}
