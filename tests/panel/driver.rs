//! A real browser, driven over WebDriver (W3C): JSON over HTTP, so no crate is needed for it.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A window of headless Chromium; it closes when dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    url: String,
}

impl Browser {
    /// Opens one for pages of a server; none where Chromium is not installed.
    ///
    /// CI installs it; a developer without it is told what was not tried.
    pub async fn open(url: &str) -> Option<Self> {
        let installed = |name: &str| {
            Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        if !(installed("chromedriver") && installed("chromium")) {
            assert!(
                std::env::var_os("CI").is_none(),
                "Chromium and chromedriver are not installed"
            );
            eprintln!(
                "SKIPPED: no browser test without chromium and chromedriver (Debian: chromium-driver)"
            );
            return None;
        }
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
            url: url.to_owned(),
        };
        browser.until_ready().await;
        let options = json!({
            "binary": "/usr/bin/chromium",
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1440,900"],
        });
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "timeouts": {"implicit": 0, "pageLoad": 180_000, "script": 180_000},
        }}});
        let session = browser
            .call(Method::POST, "/session", Some(&wanted))
            .await
            .unwrap();
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser.watch().await;
        Some(browser)
    }

    pub async fn go(&self, path: &str) {
        let address = json!({ "url": format!("{}{path}", self.url) });
        self.send("url", &address).await;
    }

    /// Goes to a page of any host.
    pub async fn visit(&self, url: &str) {
        self.send("url", &json!({ "url": url })).await;
    }

    /// What follows happens in a frame of the page.
    pub async fn enter_frame(&self, selector: &str) {
        let element = self.find(selector).await;
        self.send("frame", &json!({"id": {ELEMENT: element}})).await;
    }

    pub async fn leave_frame(&self) {
        self.send("frame", &json!({"id": null})).await;
    }

    pub async fn back(&self) {
        self.send("back", &json!({})).await;
    }

    pub async fn forward(&self) {
        self.send("forward", &json!({})).await;
    }

    /// A reload, and the way back and forth again, keep what a script sees.
    pub async fn keeps(&self, script: &str) {
        self.until(script, &format!("what is kept: {script}")).await;
        let here = self.place().await;
        self.reload().await;
        self.until(script, &format!("after a reload: {script}"))
            .await;
        assert_eq!(self.place().await, here, "the reload led away");
        self.back().await;
        let away = format!(
            "return location.pathname + location.search !== {}",
            json!(here)
        );
        self.until(&away, &format!("the page before {here}")).await;
        self.forward().await;
        self.until(script, &format!("after back and forth: {script}"))
            .await;
        assert_eq!(self.place().await, here, "back and forth led away");
    }

    pub async fn reload(&self) {
        self.send("refresh", &json!({})).await;
    }

    /// Path and query of the page.
    pub async fn place(&self) -> String {
        self.run("return location.pathname + location.search")
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Value {
        self.send("execute/sync", &json!({"script": script, "args": []}))
            .await
    }

    /// Clicks the first element of a selector, once it is there.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        let answer = self
            .call(
                Method::POST,
                &self.path(&format!("element/{element}/click")),
                Some(&json!({})),
            )
            .await;
        answer.unwrap_or_else(|error| panic!("click {selector}: {error}"));
    }

    /// Puts a text into a field.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.send(&format!("element/{element}/clear"), &json!({}))
            .await;
        self.send(
            &format!("element/{element}/value"),
            &json!({ "text": text }),
        )
        .await;
    }

    /// Types keys where the focus is.
    pub async fn keys(&self, selector: &str, keys: &str) {
        let element = self.find(selector).await;
        self.send(
            &format!("element/{element}/value"),
            &json!({ "text": keys }),
        )
        .await;
    }

    /// Waits until the page says a text.
    pub async fn sees(&self, text: &str) {
        let script = format!("return document.body.innerText.includes({})", json!(text));
        self.until(&script, &format!("the text {text:?}")).await;
    }

    /// Waits until a script gives true.
    pub async fn until(&self, script: &str, what: &str) {
        let began = Instant::now();
        loop {
            let path = self.path("execute/sync");
            let body = json!({"script": script, "args": []});
            // While a page is left there is none to ask.
            if let Ok(Value::Bool(true)) = self.call(Method::POST, &path, Some(&body)).await {
                return;
            }
            if began.elapsed() > Duration::from_secs(60) {
                let page = self
                    .run("return location.href + '\\n' + document.body.innerText")
                    .await;
                panic!(
                    "waited for {what} in vain at {}",
                    page.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the console said that is worse than information.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.log("browser").await;
        let entries = log.iter();
        entries
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")))
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Sends a command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.send("goog/cdp/execute", &body).await
    }

    /// What a log has gathered since it was last asked for.
    pub async fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.send("se/log", &json!({ "type": kind })).await;
        log.as_array().unwrap().clone()
    }

    async fn find(&self, selector: &str) -> String {
        let script = format!(
            "const e = document.querySelector({}); return !!e && e.getClientRects().length > 0",
            json!(selector)
        );
        self.until(&script, selector).await;
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.send("element", &wanted).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    async fn send(&self, command: &str, body: &Value) -> Value {
        let answer = self
            .call(Method::POST, &self.path(command), Some(body))
            .await;
        answer.unwrap_or_else(|error| panic!("{command} {body}: {error}"))
    }

    fn path(&self, command: &str) -> String {
        format!("/session/{}/{command}", self.session)
    }

    async fn until_ready(&self) {
        for _ in 0..400 {
            if let Ok(status) = self.call(Method::GET, "/status", None).await
                && status["ready"] == true
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("chromedriver does not answer");
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", format!("127.0.0.1:{}", self.port))
            .header("Content-Type", "application/json")
            .header("Content-Length", body.len())
            .body(Full::new(bytes::Bytes::from(body)))
            .unwrap();
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        let answer: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        if status.is_success() {
            Ok(answer["value"].clone())
        } else {
            Err(answer["value"]["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned())
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is asked to; killed, it would leave one behind.
        let quit = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.session, self.port
        );
        if let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", self.port)) {
            use std::io::{Read as _, Write as _};
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let _ = stream.write_all(quit.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
