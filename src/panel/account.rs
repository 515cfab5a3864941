//! One's own name and password, whoever is signed in.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    auth::browser::{Browser, Pass},
    problem::{FieldErrors, Kind, Problem},
};

use super::{
    Ask,
    page::{self, Shell},
};

#[derive(Template)]
#[template(path = "panel/account.html")]
struct AccountPage {
    shell: Shell,
    me: Me,
    fault: Option<String>,
    errors: FieldErrors,
}

/// What `GET /api/auth/me` says.
#[derive(Deserialize)]
struct Me {
    email: String,
    name: Option<String>,
    role: Option<String>,
    schema: Option<String>,
}

/// What `POST /api/auth/password` answers.
#[derive(Deserialize)]
struct Changed {
    sessions_ended: u64,
    tenants: Vec<String>,
}

impl AccountPage {
    fn message(&self, field: &str) -> Option<String> {
        self.errors.get(field).map(|messages| messages.join("; "))
    }
}

/// `GET /account`
pub async fn show(ask: &Ask<'_>, browser: &Browser, pass: &Pass) -> Result<Response, Problem> {
    page::page(&whole(ask, browser, pass, None).await?)
}

/// `POST /account`: another name, another password.
pub async fn change(ask: &Ask<'_>, browser: &Browser, pass: &Pass) -> Result<Response, Problem> {
    let form = ask.form();
    let field = |name| form.get(name).unwrap_or_default();
    let send = async |method, target, body: Value| {
        let reply = ask.api(&pass.access, "").send(method, target, &body).await;
        reply?.json::<Value>()
    };
    let done = match form.text("do") {
        "name" => {
            let body = json!({ "name": form.text("name") });
            let renamed = send(Method::PATCH, "/api/auth/me", body).await;
            renamed.map(|_| "Your name is changed.".to_owned())
        }
        "password" => {
            let body = json!({
                "current_password": field("current_password"),
                "new_password": field("new_password"),
            });
            let changed = send(Method::POST, "/api/auth/password", body).await;
            changed.and_then(said)
        }
        _ => return Err(Kind::BadRequest.into()),
    };
    match done {
        Ok(did) => Ok(page::done("/account", &did)),
        Err(problem) if problem.kind.status() < 500 => {
            let status = problem.kind.status();
            let mut shown = whole(ask, browser, pass, Some(problem)).await?;
            if form.text("do") == "name" {
                shown.me.name = Some(form.text("name").to_owned());
            }
            page::page_with(status, &shown)
        }
        Err(problem) => Err(problem),
    }
}

fn said(changed: Value) -> Result<String, Problem> {
    let changed: Changed = serde_json::from_value(changed)
        .map_err(|error| Problem::new(Kind::InternalError).because(error))?;
    let mut said = "Your password is changed.".to_owned();
    if !changed.tenants.is_empty() {
        said += &format!(
            " It holds for your user in {} too.",
            changed.tenants.join(", ")
        );
    }
    if changed.sessions_ended > 0 {
        said += " You are logged out everywhere else.";
    }
    Ok(said)
}

async fn whole(
    ask: &Ask<'_>,
    browser: &Browser,
    pass: &Pass,
    problem: Option<Problem>,
) -> Result<AccountPage, Problem> {
    let mut shell = ask.shell("Your account");
    shell.csrf.clone_from(&browser.csrf);
    shell.email.clone_from(&pass.email);
    let me = ask
        .api(&pass.access, "")
        .get("/api/auth/me")
        .await?
        .json()?;
    let (errors, fault) = match problem {
        None => (FieldErrors::new(), None),
        // What is said at a field is said there.
        Some(problem) if !problem.errors.is_empty() => (problem.errors, None),
        Some(problem) => (FieldErrors::new(), Some(problem.detail.into_owned())),
    };
    Ok(AccountPage {
        shell,
        me,
        fault,
        errors,
    })
}
