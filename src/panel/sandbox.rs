//! The copy itself: back to the template, snapshots, the certificate, its end.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::problem::{Kind, Problem};

use super::{
    cells::grouped,
    desk::Desk,
    page::{self, Shell},
    tables,
};

#[derive(Template)]
#[template(path = "panel/sandbox.html")]
struct SandboxPage {
    shell: Shell,
    base: String,
    schema: String,
    snapshots: Vec<Snapshot>,
    tables: Vec<String>,
    certificate: Option<Certificate>,
    fault: Option<String>,
}

#[derive(Deserialize)]
struct Snapshots {
    data: Vec<Snapshot>,
}

#[derive(Deserialize)]
struct Snapshot {
    id: i64,
    name: String,
    created_at: String,
}

struct Certificate {
    same: bool,
    differences: Vec<(String, String)>,
    more: String,
    whole: String,
}

/// `GET /panel/{id}/sandbox`; `?certificate` compares it with the template.
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    page::page(&whole(desk, None).await?)
}

/// `POST /panel/{id}/sandbox`
pub async fn change(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let here = format!("{}/sandbox", desk.base());
    let id: i64 = form.text("id").parse().unwrap_or_default();
    let none = bytes::Bytes::new;
    let api = desk.api();
    let done =
        match form.text("do") {
            "reset" => {
                let tables: Vec<&str> = form.all("table").collect();
                let body = if tables.is_empty() {
                    json!({})
                } else {
                    json!({ "tables": tables })
                };
                let reset = api.send(Method::POST, "/api/tenant/reset", &body).await;
                reset.and_then(|reply| Ok(put_back(&reply.json()?)))
            }
            "take" => {
                let body = json!({ "name": form.text("name") });
                let taken = api.send(Method::POST, "/api/tenant/snapshots", &body).await;
                taken.map(|_| "The snapshot is taken.".to_owned())
            }
            "restore" => {
                let target = format!("/api/tenant/snapshots/{id}/restore");
                let restored = api.call(Method::POST, &target, &[], none()).await;
                restored.map(|_| "The copy is back at the snapshot.".to_owned())
            }
            "forget" => {
                let target = format!("/api/tenant/snapshots/{id}");
                let gone = api.call(Method::DELETE, &target, &[], none()).await;
                gone.map(|_| "The snapshot is deleted.".to_owned())
            }
            "delete" if form.text("sure") == desk.tenant.schema => {
                api.call(Method::DELETE, "/api/tenant", &[], none()).await?;
                return Ok(page::done("/panel?all", "The copy is deleted."));
            }
            "delete" => Err(Problem::new(Kind::ValidationFailed)
                .detail("Type the name of the copy to delete it.")),
            _ => Err(Kind::BadRequest.into()),
        };
    match done {
        Ok(did) => Ok(page::done(&here, &did)),
        Err(problem) if problem.kind.status() < 500 => {
            let status = problem.kind.status();
            page::page_with(status, &whole(desk, Some(problem)).await?)
        }
        Err(problem) => Err(problem),
    }
}

async fn whole(desk: &Desk<'_>, refused: Option<Problem>) -> Result<SandboxPage, Problem> {
    let snapshots: Snapshots = desk.api().get("/api/tenant/snapshots").await?.json()?;
    let certificate = match desk.ask.query.get("certificate") {
        Some(_) => Some(certificate(desk).await?),
        None => None,
    };
    let listed = tables::list(desk.api()).await?;
    Ok(SandboxPage {
        shell: desk.shell("Sandbox", "sandbox").await?,
        base: format!("{}/sandbox", desk.base()),
        schema: desk.tenant.schema.clone(),
        snapshots: snapshots.data,
        tables: listed
            .into_iter()
            .filter(|table| !table.kind.contains("view"))
            .map(|table| table.name)
            .collect(),
        certificate,
        fault: refused.map(|problem| {
            let errors = problem.errors.values().flatten().cloned();
            let said: Vec<String> = errors.collect();
            if said.is_empty() {
                problem.detail.into_owned()
            } else {
                said.join("; ")
            }
        }),
    })
}

async fn certificate(desk: &Desk<'_>) -> Result<Certificate, Problem> {
    let value: Value = desk.api().get("/api/tenant/certificate").await?.json()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let differences = value["differences"].as_array().into_iter().flatten();
    let more = value["more_differences"].as_u64().unwrap_or(0);
    Ok(Certificate {
        same: value["verdict"] == "identical",
        differences: differences
            .map(|one| {
                let name = format!("{} {}", text(&one["kind"]), text(&one["name"]));
                (name, text(&one["what"]))
            })
            .collect(),
        more: match more {
            0 => String::new(),
            more => grouped(more),
        },
        whole: serde_json::to_string_pretty(&value).unwrap_or_default(),
    })
}

/// What a reset did, in words.
fn put_back(value: &Value) -> String {
    if value["whole"] == true {
        return "The whole copy is made anew.".to_owned();
    }
    let names: Vec<&str> = value["tables"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if names.is_empty() {
        "Nothing had changed.".to_owned()
    } else {
        format!("Put back: {}.", names.join(", "))
    }
}
