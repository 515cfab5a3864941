//! The two load generators: `wrk` asks the server, `pgbench` asks its Postgres.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    stage::{Stage, Tenant},
    work::{ROWS, Work},
};

/// Files that one `pgbench` takes.
const MOST_SCRIPTS: usize = 100;

/// Answers a second of a server to `clients` clients, each asking tenant after tenant.
pub fn wrk(
    stage: &Stage,
    address: SocketAddr,
    work: &Work,
    tenants: &[Tenant],
    token: &str,
    clients: usize,
    seconds: u32,
) -> f64 {
    let script = stage.folder.path().join("wrk.lua");
    fs::write(&script, lua(work, tenants, token)).unwrap();
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{clients}"), &format!("-d{seconds}s")])
        .arg("-s")
        .arg(&script)
        .arg(format!("http://{address}"))
        .output()
        .expect("wrk is there (apt-get install wrk)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "{}: {text}",
        work.name
    );
    figure(&text, "Requests/sec:")
}

/// Statements a second of Postgres to `clients` clients, each asking schema after schema.
pub fn pgbench(
    stage: &Stage,
    work: &Work,
    tenants: &[Tenant],
    clients: usize,
    seconds: u32,
) -> f64 {
    let parts = tenants.len().div_ceil(MOST_SCRIPTS);
    let clients = (clients / parts).max(1);
    let running: Vec<_> = tenants
        .chunks(tenants.len().div_ceil(parts))
        .map(|part| {
            let mut command = Command::new(program("pgbench"));
            command.args(["-n", "-M", "prepared", "-j1"]);
            command
                .arg(format!("-c{clients}"))
                .arg(format!("-T{seconds}"));
            for tenant in part {
                command
                    .arg("-f")
                    .arg(script(stage.folder.path(), work, tenant));
            }
            command.arg(&stage.database);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("pgbench is beside Postgres")
        })
        .collect();
    let outputs = running
        .into_iter()
        .map(|one| one.wait_with_output().unwrap());
    outputs
        .map(|output| {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {errors}", work.name);
            figure(&text, "tps =")
        })
        .sum()
}

/// The number behind a word.
fn figure(text: &str, word: &str) -> f64 {
    let rest = text.split_once(word).map_or("", |(_, rest)| rest);
    let number = rest.split_whitespace().next().unwrap_or_default();
    number
        .parse()
        .unwrap_or_else(|_| panic!("no {word} in {text}"))
}

/// Requests written out beforehand but for the key of a row, so that the generator costs little.
fn lua(work: &Work, tenants: &[Tenant], token: &str) -> String {
    let mut script = "local heads = {\n".to_owned();
    for tenant in tenants {
        let _ = writeln!(
            script,
            r#"" HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nApi-Key: {}\r\n","#,
            tenant.key
        );
    }
    let filled = |text: &str| {
        text.replace("{customer}", "]] .. customer .. [[")
            .replace("{id}", "]] .. id .. [[")
            .replace("{page}", "]] .. (1 + id % 10) .. [[")
    };
    let _ = write!(
        script,
        "}}\nlocal at = 0\nfunction request()\n  at = at % #heads + 1\n  local id = math.random(1, {ROWS})\n  local customer = 1 + id % 1000\n"
    );
    let path = filled(work.path);
    if work.body.is_empty() {
        let _ = write!(
            script,
            "  return [[{} {path}]] .. heads[at] .. '\\r\\n'\nend\n",
            work.method
        );
    } else {
        let body = filled(work.body);
        let _ = write!(
            script,
            "  local body = [[{body}]]\n  return [[{} {path}]] .. heads[at] .. 'Content-Type: application/json\\r\\nContent-Length: ' .. #body .. '\\r\\n\\r\\n' .. body\nend\n",
            work.method
        );
    }
    script
}

fn script(folder: &Path, work: &Work, tenant: &Tenant) -> PathBuf {
    let path = folder.join(format!("{}.sql", tenant.schema));
    let sql = work
        .sql
        .replace("{schema}", &format!("\"{}\"", tenant.schema));
    let draw = if sql.contains(":id") {
        format!("\\set id random(1, {ROWS})\n")
    } else {
        String::new()
    };
    fs::write(&path, format!("{draw}{sql};\n")).unwrap();
    path
}

/// A program of PostgreSQL: beside its server, else wherever the shell finds it.
fn program(name: &str) -> PathBuf {
    let found = Command::new("pg_config").arg("--bindir").output();
    let folder = found
        .ok()
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    folder
        .map(|folder| folder.join(name))
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from(name))
}
