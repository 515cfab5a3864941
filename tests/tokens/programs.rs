//! Clients in four languages sign requests with what those languages bring along.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use super::make;
use crate::harness::Server;

/// Each interpreter and its program.
const PROGRAMS: [(&str, &str); 4] = [
    ("python3", "sign.py"),
    ("node", "sign.js"),
    ("php", "sign.php"),
    ("bash", "sign.sh"),
];

#[tokio::test]
async fn programs_of_other_languages_sign_requests() {
    let server = Server::start().await;
    let tenant = server.tenant("programs").await;
    let scopes = json!(["tables", "views", "graphql", "write"]);
    let made = make(&tenant, json!({"scopes": scopes, "hmac": true})).await;
    let base = format!("http://{}", server.client.address);
    let secret = made.hmac_secret.as_deref().unwrap();
    let query = r#"{"query": "{ clients(limit: 2) { id name } }"}"#;
    let calls = [
        (
            "GET",
            "/api/v1/clients?filter[name.ilike]=a%25&sort=-id&_x=%C3%A4+b",
            "",
            "200",
        ),
        ("POST", "/api/v1/graphql", query, "200"),
        (
            "POST",
            "/api/v1/clients",
            "{\"name\":\"Zoë & Söhne\\n\"}",
            "201",
        ),
        ("DELETE", "/api/v1/timesheets/1", "", "200"),
    ];
    for (number, (interpreter, file)) in PROGRAMS.into_iter().enumerate() {
        if !is_installed(interpreter).await {
            // `.ci/run` installs what is missing, and wants none left out.
            assert!(
                std::env::var_os("SANDLOT_TEST_ALL_PROGRAMS").is_none(),
                "{interpreter} is not installed"
            );
            println!("left out: {interpreter} is not installed");
            continue;
        }
        for (method, target, body, status) in calls {
            let target = target.replace("timesheets/1", &format!("timesheets/{}", number + 1));
            let arguments = [&base, &made.token, secret, method, &target, body];
            let (got, answer) = run(interpreter, file, &arguments).await;
            assert_eq!(got, status, "{interpreter} {method} {target}: {answer}");
        }
        let arguments = [
            &base,
            &made.token,
            "another secret",
            "GET",
            "/api/v1/clients",
            "",
        ];
        let (got, answer) = run(interpreter, file, &arguments).await;
        assert_eq!(got, "401", "{interpreter}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(
            answer["type"]
                .as_str()
                .unwrap()
                .ends_with("#error-invalid-signature")
        );
    }
}

async fn is_installed(interpreter: &str) -> bool {
    let mut asked = Command::new(interpreter);
    asked
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    asked.status().await.is_ok_and(|status| status.success())
}

/// The status and the body that a program was answered.
async fn run(interpreter: &str, file: &str, arguments: &[&str; 6]) -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokens/programs");
    let output = Command::new(interpreter)
        .arg(folder.join(file))
        .args(arguments)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let faults = String::from_utf8_lossy(&output.stderr).into_owned();
    let (status, body) = text
        .split_once('\n')
        .unwrap_or_else(|| panic!("{interpreter}: {faults}"));
    (status.to_owned(), body.to_owned())
}
