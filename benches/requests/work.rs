//! What is measured: each request, and the SQL that `pgbench` runs in its place.

/// One kind of request and the statement that gives the same rows.
pub struct Work {
    pub name: &'static str,
    /// The share of `pgbench`'s rate that is aimed at.
    pub goal: Option<f64>,
    pub method: &'static str,
    /// With `{id}` for the key of a row, `{page}` for a number up to ten.
    pub path: &'static str,
    /// The same, and `{customer}` for the key of a customer.
    pub body: &'static str,
    /// Tables stand behind `{schema}.`; `:id` is the key of a row.
    pub sql: &'static str,
}

/// Rows of the table that the requests are about.
pub const ROWS: u32 = 10_000;

pub const WORK: [Work; 6] = [
    Work {
        name: "list",
        goal: Some(0.55),
        method: "GET",
        path: "/api/v1/orders?count=none",
        body: "",
        sql: "select id, customer_id, number, status, total, paid, discount, placed, shipped, weight, note, updated_at \
              from {schema}.orders order by id limit 25",
    },
    Work {
        name: "list, counted",
        goal: None,
        method: "GET",
        path: "/api/v1/orders",
        body: "",
        sql: "select id, customer_id, number, status, total, paid, discount, placed, shipped, weight, note, updated_at, \
              (select count(*) from {schema}.orders) from {schema}.orders order by id limit 25",
    },
    Work {
        name: "one",
        goal: Some(0.5),
        method: "GET",
        path: "/api/v1/orders/{id}",
        body: "",
        sql: "select id, customer_id, number, status, total, paid, discount, placed, shipped, weight, note, updated_at \
              from {schema}.orders where id = :id",
    },
    Work {
        name: "insert",
        goal: Some(0.45),
        method: "POST",
        path: "/api/v1/orders",
        body: r#"{"customer_id":{customer},"number":"N-{id}","status":"open","total":12.5,"paid":false,"placed":"2025-03-01","weight":7}"#,
        sql: "insert into {schema}.orders (customer_id, number, status, total, paid, placed, weight) \
              values (1 + :id % 1000, 'N-' || :id, 'open', 12.5, false, '2025-03-01', 7) \
              returning id, customer_id, number, status, total, paid, discount, placed, shipped, weight, note, updated_at",
    },
    Work {
        name: "GraphQL list, one nested",
        goal: None,
        method: "POST",
        path: "/api/v1/graphql",
        body: r#"{"query":"{ customers(limit: 25) { id name orders(limit: 5) { id number total } } }"}"#,
        sql: "select c.id, c.name, (select coalesce(json_agg(o), '[]') from (select id, number, total \
              from {schema}.orders where customer_id = c.id order by id limit 5) o) \
              from {schema}.customers c order by c.id limit 25",
    },
    Work {
        name: "GraphQL aggregate",
        goal: None,
        method: "POST",
        path: "/api/v1/graphql",
        body: r#"{"query":"{ ordersAggregate(where: {status: {eq: \"open\"}}) { count sum { total } } }"}"#,
        sql: "select count(*), sum(total) from {schema}.orders where status = 'open'",
    },
];
