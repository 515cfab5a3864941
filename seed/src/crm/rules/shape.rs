//! Rows as such: how many, the same each time, keys that are unique and point somewhere, values that cannot be real.

use super::super::{ANCHOR, Crm};
use super::table;
use std::collections::HashSet;

/// Columns that point at a row of another table.
const KEYS: &[(&str, &str)] = &[
    ("country_id", "countries"),
    ("currency_id", "currencies"),
    ("tax_id", "taxes"),
    ("user_id", "users"),
    ("department_id", "departments"),
    ("manager_id", "staffs"),
    ("account_manager_id", "staffs"),
    ("assigned_id", "staffs"),
    ("staff_id", "staffs"),
    ("owner_id", "staffs"),
    ("sale_agent_id", "staffs"),
    ("created_by_id", "staffs"),
    ("recorded_by_id", "staffs"),
    ("clientid", "clients"),
    ("contact_id", "contacts"),
    ("signer_id", "contacts"),
    ("project_id", "projects"),
    ("milestone_id", "milestones"),
    ("task_id", "tasks"),
    ("contract_id", "contracts"),
    ("estimate_id", "estimates"),
    ("invoice_id", "invoices"),
    ("ticket_id", "tickets"),
];

#[test]
fn scale_one_is_about_thirty_thousand_rows() {
    let crm = Crm::new(1, 1);
    let total: u64 = Crm::tables().iter().map(|table| crm.rows(table)).sum();
    assert!((27_000..33_000).contains(&total), "{total}");
}

#[test]
fn rows_and_columns_are_as_many_as_announced() {
    let crm = Crm::new(11, 1);
    for schema in Crm::tables() {
        let rows = table(schema.name);
        assert_eq!(rows.rows.len() as u64, crm.rows(schema), "{}", schema.name);
        for row in &rows.rows {
            assert_eq!(row.len(), schema.columns.len(), "{}: {row:?}", schema.name);
        }
    }
}

#[test]
fn chunks_are_the_same_in_any_order_and_every_time() {
    let (first, again, other) = (Crm::new(5, 1), Crm::new(5, 1), Crm::new(6, 1));
    let chunk = |crm: &Crm, table, chunk| {
        let mut out = Vec::new();
        crm.copy(table, chunk, &mut out);
        out
    };
    for table in Crm::tables() {
        let chunks = first.chunks(table);
        let forward: Vec<Vec<u8>> = (0..chunks)
            .map(|index| chunk(&first, table, index))
            .collect();
        for index in (0..chunks).rev() {
            assert!(
                chunk(&again, table, index) == forward[index],
                "{} {index}",
                table.name
            );
        }
        let fixed = ["countries", "currencies", "taxes", "departments"].contains(&table.name);
        assert_eq!(
            forward[0] == chunk(&other, table, 0),
            fixed,
            "{}",
            table.name
        );
    }
}

#[test]
fn twice_the_scale_is_twice_the_rows() {
    let (one, three) = (Crm::new(2, 1), Crm::new(2, 3));
    for table in Crm::tables().iter().filter(|table| one.rows(table) > 400) {
        let ratio = three.rows(table) as f64 / one.rows(table) as f64;
        assert!((2.6..3.4).contains(&ratio), "{}: {ratio}", table.name);
    }
}

#[test]
fn numbers_run_from_one_without_gaps() {
    for schema in Crm::tables()
        .iter()
        .filter(|schema| schema.columns[0] == "id")
    {
        for (index, row) in table(schema.name).iter().enumerate() {
            assert_eq!(row.text("id"), (index + 1).to_string(), "{}", schema.name);
        }
    }
}

#[test]
fn keys_point_at_rows_that_are_loaded_before() {
    let place = |name: &str| {
        Crm::tables()
            .iter()
            .position(|table| table.name == name)
            .unwrap()
    };
    for schema in Crm::tables() {
        for column in schema.columns {
            let Some((_, target)) = KEYS.iter().find(|key| key.0 == *column) else {
                assert!(
                    !column.ends_with("_id") || ["rel_id", "transaction_id"].contains(column),
                    "{}.{column} is not checked",
                    schema.name
                );
                continue;
            };
            assert!(
                place(target) < place(schema.name) || *target == schema.name,
                "{}.{column}",
                schema.name
            );
            for row in table(schema.name).iter() {
                if let Some(id) = row.maybe(column) {
                    table(target).number(id);
                    // A chunk may point at itself and at earlier ones.
                    assert!(
                        *target != schema.name
                            || id.parse::<u64>().unwrap() < row.text("id").parse().unwrap()
                    );
                }
            }
        }
    }
}

#[test]
fn kinds_and_numbers_point_at_rows() {
    for name in ["tasks", "notes", "activity_log"] {
        for row in table(name).iter() {
            let target = table(&format!("{}s", row.text("rel_type"))).number(row.text("rel_id"));
            assert!(
                target.text("created_at") <= row.text("created_at"),
                "{name} {:?}",
                row.values
            );
        }
    }
}

#[test]
fn unique_keys_are_unique() {
    let unique = |name: &str, columns: &[&str]| {
        let mut seen = HashSet::new();
        for row in table(name).iter() {
            let key: Vec<Option<String>> = columns
                .iter()
                .map(|column| row.maybe(column).map(str::to_lowercase))
                .collect();
            assert!(
                key.iter().any(Option::is_none) || seen.insert(key),
                "{name} {columns:?} {:?}",
                row.values
            );
        }
    };
    for name in ["users", "staffs", "contacts"] {
        unique(name, &["email"]);
    }
    for name in ["invoices", "estimates", "credit_notes"] {
        unique(name, &["number"]);
    }
    unique("payments", &["transaction_id"]);
    unique("staffs", &["user_id"]);
    unique("project_members", &["project_id", "staff_id"]);
    unique("task_assignees", &["task_id", "staff_id"]);
    unique("milestones", &["project_id", "position"]);
    unique("countries", &["iso2"]);
    unique("countries", &["iso3"]);
}

#[test]
fn times_lie_before_the_anchor_and_in_order() {
    let anchor = ANCHOR.to_string();
    for schema in Crm::tables() {
        for row in table(schema.name).iter() {
            let created = row.text("created_at");
            let updated = if schema.columns.contains(&"updated_at") {
                row.text("updated_at")
            } else {
                created
            };
            assert!(
                "2023-11-01" <= created && created <= updated && updated < anchor.as_str(),
                "{} {:?}",
                schema.name,
                row.values
            );
        }
    }
}

#[test]
fn values_cannot_be_real() {
    for schema in Crm::tables() {
        for row in table(schema.name).iter() {
            for (column, suffix) in [("email", ".example"), ("website", ".example")] {
                if schema.columns.contains(&column)
                    && let Some(value) = row.maybe(column)
                {
                    assert!(value.ends_with(suffix) && value.is_ascii(), "{value}");
                }
            }
            if schema.columns.contains(&"phonenumber")
                && let Some(number) = row.maybe("phonenumber")
            {
                let reserved = [
                    " 555 01",
                    "+44 20 7946 0",
                    " 496 0",
                    "+44 7700 900",
                    "+49 30 23125",
                    "+49 69 90009",
                    "+49 40 66969",
                    "+49 89 99998",
                    "+49 221 4710",
                    "+49 171 39200",
                ];
                let french = [
                    "+33 1 99 00 ",
                    "+33 2 61 91 ",
                    "+33 3 53 01 ",
                    "+33 4 65 71 ",
                    "+33 5 36 49 ",
                    "+33 6 39 98 ",
                ];
                let fiction = reserved
                    .iter()
                    .chain(&french)
                    .any(|block| number.contains(block))
                    || number.starts_with("+61 ") && number.contains(" 5550 ");
                assert!(fiction, "{number}");
            }
            for column in ["last_ip", "ip_address"] {
                if schema.columns.contains(&column)
                    && let Some(address) = row.maybe(column)
                {
                    assert!(
                        ["192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"]
                            .iter()
                            .any(|range| address.starts_with(range)),
                        "{address}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_slot_is_left_open() {
    for name in [
        "tickets",
        "ticket_replies",
        "notes",
        "tasks",
        "projects",
        "leads",
        "activity_log",
    ] {
        for row in table(name).iter() {
            for column in [
                "subject",
                "message",
                "content",
                "name",
                "description",
                "title",
            ] {
                if row.table.columns.contains_key(column)
                    && let Some(text) = row.maybe(column)
                {
                    assert!(!text.contains(['{', '}']), "{name}: {text}");
                }
            }
        }
    }
}

#[test]
fn hashes_of_template_users_have_the_shape_of_real_ones() {
    for row in table("users").iter() {
        let parts: Vec<&str> = row.text("password_hash").split('$').collect();
        assert_eq!(parts[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert_eq!((parts[4].len(), parts[5].len()), (22, 43));
    }
}
