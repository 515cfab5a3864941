//! What holds for the copy: settings that can be changed, quota, limits, and the demo.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::json;

use crate::problem::{Kind, Problem};

use super::{
    cells::grouped,
    desk::Desk,
    page::{self, Shell},
};

#[derive(Template)]
#[template(path = "panel/settings.html")]
struct SettingsPage {
    shell: Shell,
    base: String,
    settings: Settings,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "panel/demo.html")]
struct DemoPage {
    shell: Shell,
    url: String,
    limits: Vec<Limit>,
    demo: Option<Demo>,
}

#[derive(Deserialize)]
struct Settings {
    owner: Owner,
    open_signup: bool,
    created_at: String,
    expires_at: Option<String>,
    size_bytes: Option<u64>,
    quota_bytes: Option<u64>,
    over_quota: bool,
    limits: Vec<Limit>,
}

#[derive(Deserialize)]
struct Owner {
    email: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Limit {
    name: String,
    requests: Option<u64>,
    seconds: u64,
}

#[derive(Deserialize)]
struct Demo {
    token: String,
    seed: i64,
    template_version: i64,
    made_at: Option<String>,
    next_at: Option<String>,
}

impl Settings {
    fn size(&self) -> String {
        self.size_bytes.map_or_else(String::new, megabytes)
    }

    fn quota(&self) -> String {
        self.quota_bytes.map_or_else(String::new, megabytes)
    }
}

impl Limit {
    /// Whose requests are counted.
    fn whose(&self) -> &str {
        match self.name.as_str() {
            "address" => "All requests from one address",
            "caller" => "All requests of one token, user or account",
            "sign-in" => "Passwords tried from one address",
            "register" => "Registrations from one address",
            other => other,
        }
    }

    fn amount(&self) -> String {
        match (self.requests, self.seconds) {
            (None, _) => "no limit".to_owned(),
            (Some(requests), 60) => format!("{} a minute", grouped(requests)),
            (Some(requests), seconds) => format!("{} in {seconds} seconds", grouped(requests)),
        }
    }
}

/// `GET /panel/{id}/settings`
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    page::page(&whole(desk, None).await?)
}

/// `POST /panel/{id}/settings`
pub async fn change(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let open = match form.text("do") {
        "open" => true,
        "close" => false,
        _ => return Err(Kind::BadRequest.into()),
    };
    let changes = json!({ "open_signup": open });
    let target = "/api/tenant/settings";
    match desk.api().send(Method::PATCH, target, &changes).await {
        Ok(_) => {
            let did = if open {
                "Whoever has the Api-Key may sign up as a viewer."
            } else {
                "Nobody can sign up by themselves any more."
            };
            let address = format!("{}/settings", desk.base());
            Ok(page::done(&address, did))
        }
        Err(problem) if problem.kind.status() < 500 => {
            let status = problem.kind.status();
            let fault = problem.detail.into_owned();
            page::page_with(status, &whole(desk, Some(fault)).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `GET /panel/{id}/demo`: the limits in force, and what the demo is.
pub async fn demo(desk: &Desk<'_>) -> Result<Response, Problem> {
    let demo = match desk.api().get("/api/demo").await {
        Ok(reply) => Some(reply.json()?),
        // Switched off, or not made yet: the page says so.
        Err(problem) if [404, 503].contains(&problem.kind.status()) => None,
        Err(problem) => return Err(problem),
    };
    page::page(&DemoPage {
        shell: desk.shell("Demo and limits", "demo").await?,
        url: desk.public_url().to_owned(),
        limits: settings(desk).await?.limits,
        demo,
    })
}

async fn whole(desk: &Desk<'_>, fault: Option<String>) -> Result<SettingsPage, Problem> {
    Ok(SettingsPage {
        shell: desk.shell("Settings", "settings").await?,
        base: format!("{}/settings", desk.base()),
        settings: settings(desk).await?,
        fault,
    })
}

async fn settings(desk: &Desk<'_>) -> Result<Settings, Problem> {
    desk.api().get("/api/tenant/settings").await?.json()
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
