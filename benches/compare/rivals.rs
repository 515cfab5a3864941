//! The programs: how each is started on the same rows, and what it is asked.

use std::{fs, net::SocketAddr, path::PathBuf};

use serde_json::json;
use tokio_postgres::{Config, NoTls, config::Host};

use crate::{
    load::Ask,
    npm::{self, Running},
    stage::Stage,
};

/// What each is asked, as far as it can.
pub const WORK: [&str; 4] = [
    "list of 25 x 12",
    "one row",
    "GraphQL list, one nested",
    "insert",
];

/// The others, in the order of the table.
pub const RIVALS: [&str; 4] = ["PostGraphile", "Directus", "json-server", "Prism"];

const REST_ROW: &str = r#"{"customer_id":3,"number":"N-{id}","status":"open","total":12.5,"paid":false,"placed":"2025-03-01","weight":7}"#;
const JSON: &str = "Content-Type: application/json\n";

/// A program that runs.
pub struct Program {
    pub name: &'static str,
    pub version: String,
    pub runs_on: String,
    /// Where its rows are.
    pub rows: &'static str,
    /// Who asks, and what is checked and written down about it.
    pub caller: &'static str,
    pub address: SocketAddr,
    /// One for each of [`WORK`].
    pub asks: [Option<Ask>; 4],
    pub pid: u32,
    /// Ends with the program.
    _process: Option<Running>,
}

impl Program {
    /// The first request whose answer is not what it has to be.
    fn checked(self) -> Result<Self, String> {
        for ask in self.asks.iter().flatten() {
            ask.check(self.address)?;
        }
        Ok(self)
    }
}

/// Ours, as it is served.
pub async fn sandlot(stage: &Stage) -> Program {
    // The others' rows have statistics, and those of a fresh copy get them a minute or two later.
    let ours = stage.client.with("Api-Key", &stage.tenants[0].key);
    let ours = ours.bearer(&stage.token().await);
    for table in ["customers", "orders"] {
        let statement = json!({"query": format!("analyze {table}")});
        ours.post("/api/v1/sql", &statement).await.expect(200);
    }
    let program = Program {
        name: "Sandlot",
        version: env!("CARGO_PKG_VERSION").to_owned(),
        runs_on: "itself".to_owned(),
        rows: "PostgreSQL, as the tenant",
        caller: "JWT and `Api-Key`; rights, limits of rate, audit log",
        address: stage.client.address,
        asks: asks_of_ours(stage).await,
        pid: stage.pid(),
        _process: None,
    };
    program.checked().unwrap()
}

/// Ours with a token that is good for the next minutes.
pub async fn renew(stage: &Stage, ours: &mut Program) {
    ours.asks = asks_of_ours(stage).await;
}

async fn asks_of_ours(stage: &Stage) -> [Option<Ask>; 4] {
    let head = head_of_ours(stage).await;
    [
        ask(
            "GET",
            "/api/v1/orders?count=none",
            &head,
            "",
            ("\"number\"", 25),
        ),
        ask("GET", "/api/v1/orders/{id}", &head, "", ("\"number\"", 1)),
        ask(
            "POST",
            "/api/v1/graphql",
            &(head.clone() + JSON),
            r#"{"query":"{ customers(limit: 25) { id name orders(limit: 5) { id number total } } }"}"#,
            ("\"number\"", 125),
        ),
        ask(
            "POST",
            "/api/v1/orders",
            &(head + JSON),
            REST_ROW,
            ("\"N-7\"", 1),
        ),
    ]
}

async fn head_of_ours(stage: &Stage) -> String {
    let (key, token) = (&stage.tenants[0].key, stage.token().await);
    format!("Api-Key: {key}\nAuthorization: Bearer {token}\n")
}

fn ask(
    method: &'static str,
    path: &'static str,
    head: &str,
    body: &'static str,
    holds: (&'static str, usize),
) -> Option<Ask> {
    Some(Ask {
        method,
        path,
        head: head.to_owned(),
        body,
        holds,
    })
}

/// Installs and starts one of [`RIVALS`].
///
/// # Errors
/// Why it does not run.
pub async fn start(name: &str, stage: &Stage) -> Result<Program, String> {
    let program = match name {
        "PostGraphile" => postgraphile(stage).await,
        "Directus" => directus(stage).await,
        "json-server" => json_server(stage).await,
        _ => prism(stage).await,
    };
    program?.checked()
}

async fn postgraphile(stage: &Stage) -> Result<Program, String> {
    let package = npm::install("postgraphile", "5.1.5")?;
    let (node, address) = (npm::node()?, npm::free_address());
    let socket = database(stage, "postgraphile").await;
    let mut command = package.command(&node, "dist/cli-run.js");
    command
        .args([
            "-s",
            "public",
            "-P",
            "postgraphile/presets/amber",
            "-n",
            "127.0.0.1",
        ])
        .args(["-p", &address.port().to_string(), "-c"])
        .arg(format!(
            "postgres://postgres@/postgraphile?host={}",
            socket.display()
        ))
        .env("GRAPHILE_ENV", "production");
    let process = package.start(command, address)?;
    let graphql = |body, holds| ask("POST", "/graphql", JSON, body, holds);
    Ok(Program {
        name: "PostGraphile",
        version: package.version.to_owned(),
        runs_on: npm::version_of(&node),
        rows: "PostgreSQL, as its superuser",
        caller: "nobody: no credentials, limits or log; lists and rows are GraphQL too",
        address,
        asks: [
            graphql(
                r#"{"query":"{ allOrders(first: 25) { nodes { rowId customerId number status total paid discount placed shipped weight note updatedAt } } }"}"#,
                ("\"number\"", 25),
            ),
            graphql(
                r#"{"query":"{ orderByRowId(rowId: \"{id}\") { rowId customerId number status total paid discount placed shipped weight note updatedAt } }"}"#,
                ("\"number\"", 1),
            ),
            graphql(
                r#"{"query":"{ allCustomers(first: 25) { nodes { rowId name ordersByCustomerId(first: 5) { nodes { rowId number total } } } } }"}"#,
                ("\"number\"", 125),
            ),
            graphql(
                r#"{"query":"mutation($o: OrderInput!) { createOrder(input: {order: $o}) { order { rowId customerId number status total paid discount placed shipped weight note updatedAt } } }","variables":{"o":{"customerId":"3","number":"N-{id}","status":"open","total":"12.5","paid":false,"placed":"2025-03-01","weight":7}}}"#,
                ("\"N-7\"", 1),
            ),
        ],
        pid: process.0.id(),
        _process: Some(process),
    })
}

async fn directus(stage: &Stage) -> Result<Program, String> {
    let package = npm::install("directus", "12.4.0")?;
    let address = npm::free_address();
    let socket = database(stage, "directus").await;
    // Its native parts were built by npm for the runtime that npm has.
    let node = PathBuf::from("node");
    let command = |word: &str| {
        let mut command = package.command(&node, "cli.js");
        command.arg(word).env("DB_HOST", &socket);
        for (name, value) in [
            ("HOST", "127.0.0.1"),
            ("PORT", &address.port().to_string()),
            ("SECRET", "a secret of more than thirty-two bytes"),
            ("DB_CLIENT", "pg"),
            ("DB_PORT", "5432"),
            ("DB_DATABASE", "directus"),
            ("DB_USER", "postgres"),
            ("DB_PASSWORD", "none"),
            ("ADMIN_EMAIL", "bench@mail.example.com"),
            ("ADMIN_PASSWORD", "correct horse"),
            ("ADMIN_TOKEN", "token-of-the-bench"),
            ("TELEMETRY", "false"),
            // It would refuse what comes while it is busy.
            ("PRESSURE_LIMITER_ENABLED", "false"),
            ("LOG_LEVEL", "warn"),
        ] {
            command.env(name, value);
        }
        command
    };
    let made = command("bootstrap").output().unwrap();
    if !made.status.success() {
        return Err(format!(
            "no set-up: {}",
            String::from_utf8_lossy(&made.stderr)
        ));
    }
    let process = package.start(command("start"), address)?;
    let head = "Authorization: Bearer token-of-the-bench\n";
    let with_json = format!("{head}{JSON}");
    // It follows foreign keys to their table by itself, and back only when told to.
    for (method, path, body) in [
        (
            "POST",
            "/fields/customers",
            r#"{"field":"orders","type":"alias","meta":{"special":["o2m"],"interface":"list-o2m"}}"#,
        ),
        (
            "PATCH",
            "/relations/orders/customer_id",
            r#"{"meta":{"one_field":"orders"}}"#,
        ),
    ] {
        let told = ask(method, path, &with_json, body, ("{\"data\":{", 1));
        told.map_or(Ok(()), |told| told.check(address))?;
    }
    Ok(Program {
        name: "Directus",
        version: package.version.to_owned(),
        runs_on: npm::version_of(&node),
        rows: "PostgreSQL, as its superuser",
        caller: "static token of an administrator; no limits of rate",
        address,
        asks: [
            ask(
                "GET",
                "/items/orders?limit=25",
                head,
                "",
                ("\"number\"", 25),
            ),
            ask("GET", "/items/orders/{id}", head, "", ("\"number\"", 1)),
            ask(
                "POST",
                "/graphql",
                &with_json,
                r#"{"query":"{ customers(limit: 25) { id name orders(limit: 5) { id number total } } }"}"#,
                ("\"number\"", 125),
            ),
            ask(
                "POST",
                "/items/orders",
                &with_json,
                REST_ROW,
                ("\"N-7\"", 1),
            ),
        ],
        pid: process.0.id(),
        _process: Some(process),
    })
}

async fn json_server(stage: &Stage) -> Result<Program, String> {
    let package = npm::install("json-server", "0.17.4")?;
    let (node, address) = (npm::node()?, npm::free_address());
    let file = stage.folder.path().join("db.json");
    database(stage, "rows").await;
    let sql = "select json_build_object('orders', (select json_agg(o) from orders o), \
               'customers', (select json_agg(c) from customers c))::text";
    let client = superuser(stage, "rows").await;
    let rows: String = client.query_one(sql, &[]).await.unwrap().get(0);
    fs::write(&file, rows).unwrap();
    let mut command = package.command(&node, "lib/cli/bin.js");
    command
        .args(["-q", "-H", "127.0.0.1", "-p", &address.port().to_string()])
        .arg(&file);
    let process = package.start(command, address)?;
    Ok(Program {
        name: "json-server",
        version: package.version.to_owned(),
        runs_on: npm::version_of(&node),
        rows: "memory; the whole file is written at each insert",
        caller: "nobody: no credentials, limits or log",
        address,
        asks: [
            ask(
                "GET",
                "/orders?_page=1&_limit=25",
                "",
                "",
                ("\"number\"", 25),
            ),
            ask("GET", "/orders/{id}", "", "", ("\"number\"", 1)),
            None,
            ask("POST", "/orders", JSON, REST_ROW, ("\"N-7\"", 1)),
        ],
        pid: process.0.id(),
        _process: Some(process),
    })
}

async fn prism(stage: &Stage) -> Result<Program, String> {
    let package = npm::install("@stoplight/prism-cli", "5.16.0")?;
    let (node, address) = (npm::node()?, npm::free_address());
    let head = head_of_ours(stage).await;
    let document = stage.folder.path().join("openapi.json");
    let ours = stage.client.with("Api-Key", &stage.tenants[0].key);
    let ours = ours.bearer(&stage.token().await);
    let text = ours.get("/api/v1/openapi.json").await.expect(200).text();
    fs::write(&document, text).unwrap();
    let mut command = package.command(&node, "dist/index.js");
    command
        // Of several processes, its default for production, none starts.
        .args(["mock", "-m=false", "-v", "error", "-h", "127.0.0.1"])
        .args(["-p", &address.port().to_string()])
        .arg(&document);
    let process = package.start(command, address)?;
    Ok(Program {
        name: "Prism",
        version: package.version.to_owned(),
        runs_on: npm::version_of(&node),
        rows: "none: what fits our OpenAPI document, the same for each request",
        caller: "credentials have to be there and are not checked; no limits or log",
        address,
        asks: [
            ask(
                "GET",
                "/orders?count=none",
                &head,
                "",
                ("\"current_page\"", 1),
            ),
            ask("GET", "/orders/{id}", &head, "", ("{\"data\":{", 1)),
            None,
            None,
        ],
        pid: process.0.id(),
        _process: Some(process),
    })
}

/// A database of that name with the rows of the template; the folder of Postgres' socket.
async fn database(stage: &Stage, name: &str) -> PathBuf {
    let client = superuser(stage, "postgres").await;
    let sql = format!("create database {name}");
    client.batch_execute(&sql).await.unwrap();
    let client = superuser(stage, name).await;
    let sql = include_str!("../requests/template.sql");
    client.batch_execute(sql).await.unwrap();
    let config: Config = stage.database.parse().unwrap();
    match &config.get_hosts()[0] {
        Host::Unix(folder) => folder.clone(),
        Host::Tcp(_) => unreachable!("the own Postgres is on a socket"),
    }
}

async fn superuser(stage: &Stage, database: &str) -> tokio_postgres::Client {
    let mut config: Config = stage.database.parse().unwrap();
    config.dbname(database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
