//! What a page does that nobody sees: faults that axe-core finds, refused loads, calls of other
//! hosts, bytes on the wire, parts that jump.

use std::{path::PathBuf, sync::LazyLock};

use serde_json::{Value, json};

use super::driver::Browser;

/// Runs before anything of a page does.
const WATCH: &str = "
    window.__csp = []; window.__shifts = [];
    document.addEventListener('securitypolicyviolation', (event) => __csp.push(
        `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`));
    const looks = (node) => (node?.outerHTML ?? node?.textContent ?? '').slice(0, 120);
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => __shifts.push(
        `${entry.value.toFixed(4)}: ${entry.sources.map((one) => `${looks(one.node)} ${JSON.stringify(one.previousRect)} ${JSON.stringify(one.currentRect)}`).join(' | ')}`,
    ))).observe({ type: 'layout-shift', buffered: true });
";

/// axe-core, where it is installed: `.ci/run` does.
static AXE: LazyLock<Option<String>> = LazyLock::new(|| {
    let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/axe");
    let folder = std::env::var_os("SANDLOT_AXE").map_or(usual, PathBuf::from);
    let found = std::fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).ok();
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "axe-core is not installed in {}",
        folder.display()
    );
    if found.is_none() {
        eprintln!(
            "SKIPPED: nothing is asked of axe-core, which is not in {}",
            folder.display()
        );
    }
    found
});

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
}

impl Look {
    pub const ALL: [Self; 4] = [
        Self {
            width: 1440,
            dark: false,
        },
        Self {
            width: 360,
            dark: true,
        },
        Self {
            width: 1440,
            dark: true,
        },
        Self {
            width: 360,
            dark: false,
        },
    ];
}

impl Browser {
    pub(super) async fn watch(&self) {
        let source = json!({ "source": WATCH });
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source)
            .await;
    }

    /// Shows pages in a width and a colour scheme from now on.
    pub async fn look(&self, look: Look) {
        let size =
            json!({"width": look.width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// What axe-core finds on the page that is serious or critical.
    pub async fn faults(&self) -> Vec<String> {
        let Some(axe) = AXE.as_ref() else {
            return Vec::new();
        };
        let script = format!(
            "{axe}; return axe.run(document, {{iframes: false, preload: false, resultTypes: ['violations']}}).then((found) => found.violations
                .filter((one) => ['serious', 'critical'].includes(one.impact))
                .map((one) => `${{one.id}}: ${{one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + ' ' + (node.any[0]?.message ?? '')).join(' | ')}}`))"
        );
        let found = self.run(&script).await;
        texts(&found)
    }

    /// What the page's policy refused.
    pub async fn refused(&self) -> Vec<String> {
        texts(&self.run("return window.__csp ?? []").await)
    }

    /// Parts that jumped since the page was loaded, or since this was last asked.
    pub async fn jumps(&self) -> Vec<String> {
        // An entry comes with the frame behind the one that it is about.
        let script = "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done((window.__shifts ?? []).splice(0)), 50))))";
        texts(&self.run(script).await)
    }

    /// Addresses that were asked for since this was last called, and how many bytes came.
    pub async fn traffic(&self) -> (Vec<String>, u64) {
        let (mut addresses, mut bytes) = (Vec::new(), 0);
        for entry in self.log("performance").await {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let parameters = &message["message"]["params"];
            match message["message"]["method"].as_str().unwrap() {
                "Network.requestWillBeSent" => {
                    addresses.push(parameters["request"]["url"].as_str().unwrap().to_owned());
                }
                "Network.loadingFinished" => {
                    bytes += parameters["encodedDataLength"].as_f64().unwrap() as u64;
                }
                _ => {}
            }
        }
        (addresses, bytes)
    }

    /// The page as a PNG, as high as it is; of one that is very long, its beginning.
    pub async fn picture(&self, look: Look) -> Vec<u8> {
        self.devtools("Emulation.setScrollbarsHidden", json!({"hidden": true}))
            .await;
        let high = "return Math.min(document.documentElement.scrollHeight, 5000)";
        let high = self.run(high).await;
        let size =
            json!({"width": look.width, "height": high, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        self.jumps().await;
        let wanted = json!({"format": "png"});
        let picture = self.devtools("Page.captureScreenshot", wanted).await;
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD
            .decode(picture["data"].as_str().unwrap())
            .unwrap()
    }
}

fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().into_iter().flatten();
    all.map(|text| text.as_str().unwrap_or_default().to_owned())
        .collect()
}
