//! What adds up in a template without rules adds up in its demo: totals of a row, and of the rows that belong to it.

use sandlot::template::load::load;

use super::demo;
use crate::harness::Server;

/// A shop with checks on its totals, a discount as a part of one, prices that lines share with their products, addresses
/// that orders share with their customers, and a reference without a foreign key.
const SHOP: &str = "
create table customers (id int primary key, company text, email text unique, address text, city text, country text);
create table products (id int primary key, name text, unit_price numeric(8,2) not null, discontinued int);
create table orders (id int primary key, customer_id int references customers, ship_name text, ship_address text, ship_city text,
    ship_country text, subtotal numeric(12,2) not null, tax_rate numeric(4,1), tax numeric(12,2), total numeric(12,2) not null,
    paid numeric(12,2), balance numeric(12,2), pieces int, constraint adds_up check (total = subtotal + tax),
    constraint owed check (balance = total - paid and balance >= 0));
create table lines (order_id int references orders, product_id int references products, unit_price numeric(8,2), quantity int,
    discount real not null, line_total numeric(12,2), primary key (order_id, product_id),
    constraint line check (abs(line_total - unit_price * quantity * (1 - discount::numeric)) < 0.01));
create table letters (id int primary key, recipient_mail text not null, body text);
insert into customers select n, 'Company ' || n, 'mail' || n || '@corp.test', n || ' Real Road', 'Realtown', 'Realland' from generate_series(1, 9) n;
insert into products select n, 'Product ' || n, n * 7.31, n % 2 from generate_series(1, 12) n;
insert into orders select n, 1 + n % 9, 'Company', 'Road', 'Town', 'Land', 0, 19, 0, 0, 0, 0, 0 from generate_series(1, 40) n;
insert into lines select o, p, 7.31 * p, q, d, round((7.31 * p * q * (1 - d))::numeric, 2)
    from (select o, 1 + (o * k) % 12 as p, 1 + (o + k) % 5 as q, array[0, 0.05, 0.25]::numeric[] as ds, (array[0, 0.05, 0.25])[1 + (o + k) % 3]::numeric as d
          from generate_series(1, 40) o, generate_series(1, 5) k) x on conflict do nothing;
update orders o set subtotal = s.t, tax = round(s.t * 0.19, 2), total = s.t + round(s.t * 0.19, 2), pieces = s.n,
    paid = round(s.t / 2, 2), balance = s.t + round(s.t * 0.19, 2) - round(s.t / 2, 2)
    from (select order_id, sum(line_total) as t, sum(quantity) as n from lines group by 1) s where s.order_id = o.id;
insert into letters select n, 'mail' || (1 + n % 9) || '@corp.test', 'Dear' from generate_series(1, 30) n;
create table bills (id int primary key, total numeric(10,2) not null);
create table bill_lines (id int primary key, bill_id int references bills, unit_price numeric(8,2) not null, quantity int not null);
insert into bills select n, n * 3.97 + 1.99 from generate_series(1, 20) n;
insert into bill_lines select 2 * n, n, n * 3.97, 1 from generate_series(1, 20) n union all select 2 * n + 1, n, 1.99, 1 from generate_series(1, 20) n;
insert into letters values (31, 'stranger@corp.test', 'Dear');
";

#[tokio::test]
async fn what_adds_up_without_rules_adds_up_in_the_demo() {
    let rules = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(rules.path(), "letters.recipient_mail as customers.email\n").unwrap();
    let file = format!("--demo-rules={}", rules.path().display());
    let server = Server::start_with(&[&file]).await;
    let mut platform = server.connect_as("sandlot").await;
    load(&mut platform, SHOP, "shop").await.unwrap();
    let (_, made) = demo(&server, 21).await;
    let report = server.app.demo.explain().await.unwrap();
    println!("{}", report.text());
    assert_eq!((&report.empty, &report.left_out), (&vec![], &vec![]));
    for total in [
        "orders.subtotal is the sum of lines.",
        "orders.pieces is the sum of lines.quantity",
        // As long as there is one of each, the prices alone come to it, too.
        "bills.total is the sum of bill_lines.unit_price * bill_lines.quantity",
        "orders.total is subtotal + tax",
        "orders.tax is subtotal * tax_rate / 100",
        "orders.balance is total - paid",
        "lines.line_total is unit_price * quantity * (1 - discount)",
    ] {
        let found = report.totals.iter().any(|found| found.starts_with(total));
        assert!(found, "{total}: {:?}", report.totals);
    }
    let superuser = server.superuser().await;
    let schema = &made.identity.schema;
    for (rule, sql) in [
        ("subtotals", "select count(*) from S.orders o where subtotal <> (select sum(line_total) from S.lines where order_id = o.id)"),
        ("pieces", "select count(*) from S.orders o where pieces <> (select sum(quantity) from S.lines where order_id = o.id)"),
        ("totals", "select count(*) from S.orders where total <> subtotal + tax or balance <> total - paid or balance < 0"),
        ("tax", "select count(*) from S.orders where tax <> round(subtotal * tax_rate / 100, 2)"),
        ("lines", "select count(*) from S.lines where line_total <> round(unit_price * quantity * (1 - discount::numeric), 2)"),
        ("prices", "select count(*) from S.lines l join S.products p on p.id = l.product_id where l.unit_price <> p.unit_price"),
        ("shares", "select count(*) from S.lines where discount < 0 or discount > 0.3"),
        ("flags", "select count(*) from S.products where discontinued not in (0, 1)"),
        ("addresses", "select count(*) from S.orders o join S.customers c on c.id = o.customer_id
            where (ship_name, ship_address, ship_city, ship_country) is distinct from (c.company, c.address, c.city, c.country)"),
        ("links", "select abs(1 - count(*)) from S.letters l where not exists (select from S.customers c where c.email = l.recipient_mail)"),
        ("what was there", "select count(*) from S.orders d join public.orders o using (id) where d.total = o.total or d.subtotal = o.subtotal"),
    ] {
        let wrong: i64 = superuser
            .query_one(&sql.replace("S.", &format!("{schema}.")), &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(wrong, 0, "{rule}");
    }
    // The checks are still there, and refuse what does not add up.
    let sql = format!(
        "select count(*) from pg_constraint where conname in ('adds_up', 'owed', 'line') and connamespace = '{schema}'::regnamespace"
    );
    let checks: i64 = superuser.query_one(&sql, &[]).await.unwrap().get(0);
    assert_eq!(checks, 3);
}

#[tokio::test]
async fn members_of_documents_have_the_types_of_a_live_copy() {
    let server = Server::start().await;
    let (_, made) = demo(&server, 3).await;
    let superuser = server.superuser().await;
    for (table, column) in [
        ("clients", "custom_fields"),
        ("contracts", "terms"),
        ("leads", "details"),
        ("projects", "settings"),
        ("staffs", "profile"),
    ] {
        let types = async |schema: &str| {
            let sql = format!(
                "select string_agg(distinct k || ' ' || jsonb_typeof(v), ', ' order by k || ' ' || jsonb_typeof(v))
                 from {schema}.{table} t, jsonb_each(t.{column}) member(k, v)"
            );
            let row = superuser.query_one(&sql, &[]).await.unwrap();
            row.get::<_, String>(0)
        };
        assert_eq!(
            types(&made.identity.schema).await,
            types("public").await,
            "{table}.{column}"
        );
    }
    let base = format!(
        "select count(*) from {0}.invoices i join {0}.currencies c on c.id = i.currency_id
         where case when c.rate = 1 then exchange_rate <> 1 else abs(exchange_rate / c.rate - 1) > 0.05 end",
        made.identity.schema
    );
    let wrong: i64 = superuser.query_one(&base, &[]).await.unwrap().get(0);
    assert_eq!(wrong, 0, "invoices with another rate than their currency's");
}
