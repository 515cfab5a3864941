//! The same rows by the same libraries and nothing else: what they leave of `pgbench`'s rate.
//!
//! No credentials, limits, rights or log, statements and columns that are written down here. Where several tenants are asked
//! each has a connection of its own, as where tenants are walled off from each other by their log-in. What a server made
//! of poem and tokio-postgres can reach on a machine, asked by as many clients, is at most about this much.

use std::{
    collections::HashMap,
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use clap::Parser as _;
use poem::{
    EndpointExt as _, Request, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::{Acceptor as _, Listener as _, TcpListener},
    web::{Data, Json, Path},
};
use sandlot::config::Cli;
use serde::{Deserialize, Serialize};
use tokio_postgres::{
    Client, NoTls, Row, Statement,
    types::{ToSql, Type},
};

use crate::stage::Stage;

/// To the first tenant, which is also asked alone: as many as there are clients, unless more are asked for. Then several
/// requests share one, sent behind each other.
const CONNECTIONS: usize = 8;

/// What has no type of its own in JSON is written by PostgreSQL.
const COLUMNS: &str = "id, customer_id, number, status, total::text, paid, discount, placed::text, shipped::text, weight, note, \
                       updated_at::text";

/// By `Api-Key`.
type Tenants = HashMap<String, Tenant>;

struct Tenant {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

struct Connection {
    client: Client,
    list: Statement,
    one: Statement,
    insert: Statement,
}

#[derive(Deserialize)]
struct Order {
    customer_id: i64,
    number: String,
    status: String,
    total: f64,
    paid: bool,
    placed: String,
    weight: i32,
}

/// Starts it on threads of its own, as many as the server takes; it is there as long as this process.
pub fn start(stage: &Stage) -> SocketAddr {
    let database = stage.database.clone();
    let keys = stage.tenants.iter();
    let keys: Vec<_> = keys
        .map(|tenant| (tenant.key.clone(), tenant.schema.clone()))
        .collect();
    let (found, address) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(Cli::parse_from(["sandlot"]).settings.workers())
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let mut tenants = Tenants::new();
            for (key, schema) in keys {
                let count = if tenants.is_empty() { CONNECTIONS } else { 1 };
                tenants.insert(key, Tenant::open(&database, &schema, count).await);
            }
            let routes = Route::new()
                .at("/api/v1/orders", get(list).post(insert))
                .at("/api/v1/orders/:id", get(one))
                .data(Arc::new(tenants));
            let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await;
            let acceptor = acceptor.unwrap();
            let local = acceptor.local_addr()[0].as_socket_addr().copied();
            found.send(local.unwrap()).unwrap();
            Server::new_with_acceptor(acceptor).run(routes).await
        })
    });
    address.recv().unwrap()
}

impl Connection {
    async fn open(database: &str, schema: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
        tokio::spawn(connection);
        let orders = format!("\"{schema}\".orders");
        let prepare = async |sql: String| client.prepare(&sql).await.unwrap();
        Self {
            list: prepare(format!("select {COLUMNS} from {orders} order by id limit 25")).await,
            one: prepare(format!("select {COLUMNS} from {orders} where id = $1")).await,
            insert: prepare(format!(
                "insert into {orders} (customer_id, number, status, total, paid, placed, weight)
                 values ($1, $2, $3, $4::float8::numeric, $5, $6::text::date, $7) returning {COLUMNS}"
            ))
            .await,
            client,
        }
    }
}

impl Tenant {
    async fn open(database: &str, schema: &str, count: usize) -> Self {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(Connection::open(database, schema).await);
        }
        let next = AtomicUsize::new(0);
        Self { connections, next }
    }
}

/// The tenant's connection that is next in turn.
fn connection<'a>(tenants: &'a Tenants, request: &Request) -> &'a Connection {
    let tenant = &tenants[request.header("Api-Key").unwrap()];
    &tenant.connections[tenant.next.fetch_add(1, Ordering::Relaxed) % tenant.connections.len()]
}

#[handler]
async fn list(request: &Request, tenants: Data<&Arc<Tenants>>) -> Response {
    let at = connection(&tenants, request);
    answer(
        StatusCode::OK,
        &at.client.query(&at.list, &[]).await.unwrap(),
    )
}

#[handler]
async fn one(request: &Request, tenants: Data<&Arc<Tenants>>, Path(id): Path<i64>) -> Response {
    let at = connection(&tenants, request);
    answer(
        StatusCode::OK,
        &at.client.query(&at.one, &[&id]).await.unwrap(),
    )
}

#[handler]
async fn insert(
    request: &Request,
    tenants: Data<&Arc<Tenants>>,
    Json(order): Json<Order>,
) -> Response {
    let at = connection(&tenants, request);
    let values: [&(dyn ToSql + Sync); 7] = [
        &order.customer_id,
        &order.number,
        &order.status,
        &order.total,
        &order.paid,
        &order.placed,
        &order.weight,
    ];
    let rows = at.client.query(&at.insert, &values).await.unwrap();
    answer(StatusCode::CREATED, &rows)
}

fn answer(status: StatusCode, rows: &[Row]) -> Response {
    let mut body = b"{\"data\":[".to_vec();
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        write_row(&mut body, row);
    }
    body.extend_from_slice(b"]}");
    let response = Response::builder().status(status);
    response.content_type("application/json").body(body)
}

fn write_row(body: &mut Vec<u8>, row: &Row) {
    for (at, column) in row.columns().iter().enumerate() {
        let before = if at == 0 { '{' } else { ',' };
        let _ = write!(body, "{before}\"{}\":", column.name());
        match *column.type_() {
            Type::INT8 => write_value(body, row.get::<_, Option<i64>>(at)),
            Type::INT4 => write_value(body, row.get::<_, Option<i32>>(at)),
            Type::FLOAT8 => write_value(body, row.get::<_, Option<f64>>(at)),
            Type::BOOL => write_value(body, row.get::<_, Option<bool>>(at)),
            _ => write_value(body, row.get::<_, Option<&str>>(at)),
        }
    }
    body.push(b'}');
}

fn write_value(body: &mut Vec<u8>, value: impl Serialize) {
    serde_json::to_writer(body, &value).unwrap();
}
