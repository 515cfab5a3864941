//! One request, tried once, and then made by `wrk` as often as it can.

use std::{fs, net::SocketAddr, path::Path, process::Command};

/// Rows of the table that the requests are about.
const ROWS: u32 = 10_000;

/// A request; `{id}` in its path or body is the key of a row.
pub struct Ask {
    pub method: &'static str,
    pub path: &'static str,
    /// Lines, each with its end.
    pub head: String,
    pub body: &'static str,
    /// What is in a right answer, and how often.
    pub holds: (&'static str, usize),
}

impl Ask {
    /// What is wrong with the answer to it.
    pub fn check(&self, address: SocketAddr) -> Result<(), String> {
        let mut command = Command::new("curl");
        command.args(["-s", "-X", self.method, "--max-time", "30"]);
        for line in self.head.lines() {
            command.args(["-H", line]);
        }
        if !self.body.is_empty() {
            command.args(["-d", &self.body.replace("{id}", "7")]);
        }
        command.arg(format!(
            "http://{address}{}",
            self.path.replace("{id}", "7")
        ));
        let output = command.output().expect("curl is there");
        let text = String::from_utf8_lossy(&output.stdout);
        let (part, wanted) = self.holds;
        let count = text.matches(part).count();
        if count == wanted {
            return Ok(());
        }
        let start: String = text.chars().take(200).collect();
        Err(format!(
            "{} {}: {count} times {part}: {start}",
            self.method, self.path
        ))
    }
}

/// Answers a second; refusals do not count.
pub fn wrk(folder: &Path, address: SocketAddr, ask: &Ask, clients: usize, seconds: u32) -> f64 {
    let script = folder.join("wrk.lua");
    fs::write(&script, lua(ask)).unwrap();
    let output = Command::new("wrk")
        .args(["-t1", &format!("-c{clients}"), &format!("-d{seconds}s")])
        .args(["--timeout", "30s", "-s"])
        .arg(&script)
        .arg(format!("http://{address}"))
        .output()
        .expect("wrk is there (apt-get install wrk)");
    let text = String::from_utf8_lossy(&output.stdout);
    let after = |word: &str| -> Option<f64> {
        let (_, rest) = text.split_once(word)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    let rate = after("Requests/sec:").unwrap();
    let line = text.lines().find(|line| line.contains(" requests in "));
    let total: f64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap();
    let refused = after("Non-2xx or 3xx responses:").unwrap_or_default();
    rate * (1.0 - refused / total.max(1.0))
}

/// The request as it is sent, put together beforehand but for the key, so that the generator costs little.
fn lua(ask: &Ask) -> String {
    let filled = |text: &str| format!("[=[{}]=]", text.replace("{id}", "]=] .. id .. [=["));
    let head = ask.head.replace('\n', "\\r\\n");
    format!(
        "function request()\n  local id = math.random(1, {ROWS})\n  local body = {}\n  \
         return '{} ' .. {} .. ' HTTP/1.1\\r\\nHost: bench\\r\\n{head}Content-Length: ' .. #body .. '\\r\\n\\r\\n' .. body\nend\n",
        filled(ask.body),
        ask.method,
        filled(ask.path),
    )
}
