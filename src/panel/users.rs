//! Users of the copy, and what each may do. They are rows of its own table `users`.

use askama::Template;
use poem::{Response, http::Method};
use serde_json::{Map, Value, json};

use crate::{
    listing::words::encode,
    problem::{Kind, Problem},
};

use super::{
    cells::Page,
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
};

#[derive(Template)]
#[template(path = "panel/users.html")]
struct UsersPage {
    shell: Shell,
    base: String,
    rows: String,
    users: Vec<User>,
    form: Pairs,
    fault: Option<String>,
}

struct User {
    id: String,
    email: String,
    name: String,
    role: String,
    active: bool,
    href: String,
    you: bool,
}

/// `GET /panel/{id}/users`
pub async fn show(desk: &Desk<'_>) -> Result<Response, Problem> {
    page::page(&listed(desk, Pairs::default(), None).await?)
}

/// `POST /panel/{id}/users`: a new one, another role, another password, in or out, away.
pub async fn change(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let id = encode(form.text("id"));
    let row = format!("/api/v1/users/{id}");
    let patch = |body: Value| {
        let row = row.clone();
        async move { desk.api().send(Method::PATCH, &row, &body).await }
    };
    let (done, did) = match form.text("do") {
        "add" => {
            let mut body = Map::new();
            for name in ["email", "role", "name"] {
                if !form.text(name).is_empty() {
                    body.insert(name.to_owned(), form.text(name).into());
                }
            }
            let password = form.get("password").unwrap_or_default();
            body.insert("password".to_owned(), password.into());
            let made = desk.api().send(Method::POST, "/api/v1/users", &body).await;
            (made, "The user is made.")
        }
        "role" => (
            patch(json!({ "role": form.text("role") })).await,
            "The role is changed. It holds when they sign in again.",
        ),
        "password" => {
            let password = form.get("password").unwrap_or_default();
            (
                patch(json!({ "password": password })).await,
                "The password is changed.",
            )
        }
        "out" => (
            patch(json!({ "is_active": false })).await,
            "They can't log in any more.",
        ),
        "in" => (
            patch(json!({ "is_active": true })).await,
            "They can log in again.",
        ),
        "remove" => {
            let none = bytes::Bytes::new();
            let gone = desk.api().call(Method::DELETE, &row, &[], none).await;
            (gone, "The user is removed.")
        }
        _ => return Err(Kind::BadRequest.into()),
    };
    match done {
        Ok(_) => Ok(page::done(&format!("{}/users", desk.base()), did)),
        Err(problem) if problem.kind.status() < 500 => {
            let status = problem.kind.status();
            let errors = problem.errors.iter();
            let said: Vec<String> = errors
                .map(|(name, messages)| format!("{name} {}", messages.join("; ")))
                .collect();
            let fault = if said.is_empty() {
                problem.detail.into_owned()
            } else {
                said.join(" · ")
            };
            page::page_with(status, &listed(desk, form, Some(fault)).await?)
        }
        Err(problem) => Err(problem),
    }
}

async fn listed(desk: &Desk<'_>, form: Pairs, fault: Option<String>) -> Result<UsersPage, Problem> {
    let rows = desk.rows_of("users");
    let target = "/api/v1/users?per_page=500&sort=id&count=none";
    let page: Page = desk.api().get(target).await?.json()?;
    Ok(UsersPage {
        shell: desk.shell("Users", "users").await?,
        base: format!("{}/users", desk.base()),
        users: page
            .data
            .iter()
            .map(|row| {
                let text = |name: &str| row.cell(name).text().to_owned();
                User {
                    href: format!("{rows}/row/{}", encode(&text("id"))),
                    you: text("email") == desk.pass.email,
                    id: text("id"),
                    email: text("email"),
                    name: text("name"),
                    role: text("role"),
                    active: text("is_active") != "false",
                }
            })
            .collect(),
        rows,
        form,
        fault,
    })
}
