//! Rate limits whose counters are in Redis: several servers count together, and nothing is let
//! through while it is away. Needs `redis-server`; without it these tests say so, and fail where
//! the variable `CI` is set.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{net::UnixStream, time::Instant};

use crate::{
    harness::{Answer, Client, Server},
    limits::at_twice_the_limit,
};

/// A Redis on a socket of its own; it ends with the test.
pub struct Redis {
    folder: TempDir,
    child: Child,
}

impl Redis {
    /// Starts one, if there is a `redis-server`.
    pub async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Self {
            child: match spawn(&folder) {
                Ok(child) => child,
                Err(error) => {
                    assert!(
                        std::env::var_os("CI").is_none(),
                        "redis-server can't be started ({error}); apt-get install redis-server"
                    );
                    println!("NOT RUN: redis-server can't be started ({error})");
                    return None;
                }
            },
            folder,
        };
        redis.answers().await;
        Some(redis)
    }

    pub fn flag(&self) -> String {
        let socket = self.folder.path().join("socket");
        format!("--redis-url=unix://{}", socket.display())
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn again(&mut self) {
        self.child = spawn(&self.folder).unwrap();
        self.answers().await;
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(done.success());
    }

    async fn answers(&mut self) {
        let socket = self.folder.path().join("socket");
        let until = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(&socket).await.is_err() {
            assert!(Instant::now() < until, "redis-server does not answer");
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "redis-server ended"
            );
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &TempDir) -> std::io::Result<Child> {
    let socket = folder.path().join("socket");
    // What a killed one has left does not answer.
    let _ = std::fs::remove_file(&socket);
    Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no"])
        .arg("--unixsocket")
        .arg(&socket)
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
}

fn refused_for_the_store(answer: Answer) {
    assert_eq!(answer.header("retry-after"), "1");
    answer.problem(503, "service-unavailable");
}

/// Asks until the answer is the wanted one; the asking itself takes the time.
async fn until(client: &Client, path: &str, status: u16) {
    let end = Instant::now() + Duration::from_secs(20);
    while client.get(path).await.status != status {
        assert!(Instant::now() < end, "{path} never gave {status}");
    }
}

#[tokio::test]
async fn two_servers_count_together() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let arguments = ["--token-rate=30", "--rate-window=3", &redis.flag()];
    let one = Server::start_with(&arguments).await;
    let two = one.twin_with(&arguments).await;
    let tenant = one.tenant("shared").await;
    let account = one.account(&tenant).await;
    let here = vec![account.clone(); 10];
    let there = vec![account.at(two.client.address); 10];
    let clients: Vec<Client> = here
        .into_iter()
        .zip(there)
        .flat_map(<[_; 2]>::from)
        .collect();
    let window = Duration::from_secs(3);
    let granted = at_twice_the_limit(clients, "/api/tenants", 30, window).await;
    assert!(granted.abs_diff(90) <= 1, "{granted}");
}

#[tokio::test]
async fn nothing_is_let_through_while_the_store_is_away() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let server = Server::start_with(&["--ip-rate=1000000", &redis.flag()]).await;
    let client = &server.client;
    client.get("/").await.expect(200);
    client.get("/readyz").await.expect(200);

    // Eight clients ask without a pause while it is killed under them.
    let killed = tokio::sync::watch::channel(false);
    let mut load = Vec::new();
    for _ in 0..8 {
        let (client, killed) = (client.clone(), killed.1.clone());
        load.push(tokio::spawn(async move {
            let mut refused = 0;
            while refused < 20 {
                let was_killed = *killed.borrow();
                let answer = client.get("/").await;
                if was_killed || answer.status != 200 {
                    refused_for_the_store(answer);
                    refused += usize::from(was_killed);
                }
            }
        }));
    }
    client.get("/").await.expect(200);
    redis.stop();
    killed.0.send(true).unwrap();
    for client in load {
        client.await.unwrap();
    }
    // The process lives and says that it can't serve.
    client.get("/healthz").await.expect(200);
    until(client, "/readyz", 503).await;

    redis.again().await;
    until(client, "/", 200).await;
    until(client, "/readyz", 200).await;

    // One that hangs is as good as none, and does not hold requests up for long.
    redis.signal("-STOP");
    let begun = Instant::now();
    refused_for_the_store(client.get("/").await);
    assert!(begun.elapsed() < Duration::from_secs(5));
    redis.signal("-CONT");
    until(client, "/", 200).await;
}

#[tokio::test]
async fn a_server_may_start_before_its_store() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    redis.stop();
    let server = Server::start_with(&["--ip-rate=3", &redis.flag()]).await;
    refused_for_the_store(server.client.get("/").await);
    server.client.get("/healthz").await.expect(200);
    redis.again().await;
    until(&server.client, "/", 200).await;
    until(&server.client, "/", 429).await;
}
