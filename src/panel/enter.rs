//! Registering, signing in, choosing among one's own copies, signing out.

use askama::Template;
use poem::{Response, http::Method};
use serde::Deserialize;
use serde_json::json;

use crate::{
    auth::{
        browser::{Browser, Pass},
        caller::Who,
    },
    directory::tenant,
    limits::Policy,
    problem::{FieldErrors, Kind, Problem},
};

use super::{Ask, cookie, home, page, page::Shell};

#[derive(Template)]
#[template(path = "panel/login.html")]
struct LoginPage {
    shell: Shell,
    user: bool,
    email: String,
    key: String,
    next: String,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "panel/register.html")]
struct RegisterPage {
    shell: Shell,
    email: String,
    name: String,
    fault: Option<String>,
    errors: FieldErrors,
}

#[derive(Template)]
#[template(path = "panel/tenants.html")]
struct TenantsPage {
    shell: Shell,
    tenants: Vec<Own>,
}

#[derive(Deserialize)]
struct Tenants {
    data: Vec<Own>,
}

/// A tenant as its owner sees it.
#[derive(Deserialize)]
struct Own {
    id: i64,
    schema: String,
    status: String,
    created_at: String,
}

impl RegisterPage {
    fn messages(&self, field: &str) -> &[String] {
        self.errors.get(field).map_or(&[], Vec::as_slice)
    }
}

/// `GET /login`
pub fn login_page(ask: &Ask<'_>, browser: Option<&Browser>) -> Result<Response, Problem> {
    if browser.is_some() {
        return Ok(page::to(ask.request, &next(ask.query.text("next"))));
    }
    page::page(&LoginPage {
        shell: ask.shell("Log in"),
        user: ask.query.text("as") == "user",
        email: String::new(),
        key: ask.query.text("key").to_owned(),
        next: ask.query.text("next").to_owned(),
        fault: None,
    })
}

/// `POST /login`: as an account, or with an `Api-Key` as a user of that tenant.
pub async fn login(ask: &Ask<'_>) -> Result<Response, Problem> {
    ask.visit.draw_by_address(Policy::SignIn).await?;
    let form = ask.form();
    let email = form.text("email");
    let password = form.get("password").unwrap_or_default().to_owned();
    let user = form.text("as") == "user";
    let key = form.text("key");
    let entered = if user {
        as_user(ask, key, email, password).await
    } else {
        ask.panel.auth.enter_as_account(email, password).await
    };
    let (cookie, who) = match entered {
        Ok(entered) => entered,
        Err(problem) if problem.kind.status() < 500 => {
            let shown = LoginPage {
                shell: ask.shell("Log in"),
                user,
                email: email.to_owned(),
                key: key.to_owned(),
                next: form.text("next").to_owned(),
                fault: Some(match problem.kind {
                    Kind::InvalidCredentials => {
                        "Address and password do not belong together.".to_owned()
                    }
                    Kind::InvalidApiKey => "No copy has this Api-Key.".to_owned(),
                    _ => problem.detail.into_owned(),
                }),
            };
            return page::page_with(problem.kind.status(), &shown);
        }
        Err(problem) => return Err(problem),
    };
    // A session that the browser had before is over, so nobody can have planted it.
    if let Some(before) = ask.browser().await? {
        ask.panel.auth.leave(&before).await?;
    }
    let wanted = next(form.text("next"));
    let address = match (&who, wanted.as_str()) {
        (Who::User { tenant, .. }, "/panel") => format!("/panel/{tenant}"),
        _ => wanted,
    };
    let mut response = page::done(&address, "");
    cookie::set_session(&mut response, &cookie, ask.panel.is_secure());
    Ok(response)
}

/// `GET /register`
pub fn register_page(ask: &Ask<'_>) -> Result<Response, Problem> {
    page::page(&RegisterPage {
        shell: ask.shell("Sign up"),
        email: String::new(),
        name: String::new(),
        fault: None,
        errors: FieldErrors::new(),
    })
}

/// `POST /register`: what `POST /api/register` does, then signed in, to the page of the new copy.
pub async fn register(ask: &Ask<'_>) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    struct Registration {
        tenant: Made,
    }
    #[derive(Deserialize)]
    struct Made {
        id: i64,
        status: String,
    }
    let form = ask.form();
    let (email, name) = (form.text("email"), form.text("name"));
    let password = form.get("password").unwrap_or_default().to_owned();
    let mut body = json!({ "email": email, "password": password });
    if !name.is_empty() {
        body["name"] = name.into();
    }
    let made = ask
        .api("", "")
        .send(Method::POST, "/api/register", &body)
        .await;
    let made: Registration = match made {
        Ok(reply) => reply.json()?,
        Err(problem) if problem.kind.status() < 500 => {
            let shown = RegisterPage {
                shell: ask.shell("Sign up"),
                email: email.to_owned(),
                name: name.to_owned(),
                fault: match problem.kind {
                    Kind::InvalidCredentials => Some(
                        "This address has an account already, with another password.".to_owned(),
                    ),
                    _ if problem.errors.is_empty() => Some(problem.detail.clone().into_owned()),
                    _ => None,
                },
                errors: problem.errors,
            };
            return page::page_with(problem.kind.status(), &shown);
        }
        Err(problem) => return Err(problem),
    };
    let (cookie, _) = ask.panel.auth.enter_as_account(email, password).await?;
    if let Some(before) = ask.browser().await? {
        ask.panel.auth.leave(&before).await?;
    }
    // While it is being made, its page says so.
    let ready = made.tenant.status == tenant::Status::Ready.as_str();
    let did = if ready { home::MADE } else { "" };
    let mut response = page::done(&format!("/panel/{}", made.tenant.id), did);
    cookie::set_session(&mut response, &cookie, ask.panel.is_secure());
    Ok(response)
}

/// `GET /panel`: the copies of an account; the one copy of a user.
pub async fn tenants(ask: &Ask<'_>, browser: &Browser, pass: &Pass) -> Result<Response, Problem> {
    if let Who::User { tenant, .. } = &browser.who {
        return Ok(page::to(ask.request, &format!("/panel/{tenant}")));
    }
    let all: Tenants = ask
        .api(&pass.access, "")
        .get("/api/tenants")
        .await?
        .json()?;
    let mut tenants = all.data;
    tenants.retain(|own| own.status != tenant::Status::Deleting.as_str());
    if let ([only], None) = (tenants.as_slice(), ask.query.get("all")) {
        return Ok(page::to(ask.request, &format!("/panel/{}", only.id)));
    }
    let mut shell = ask.shell("Your copies");
    shell.csrf.clone_from(&browser.csrf);
    shell.email.clone_from(&pass.email);
    page::page(&TenantsPage { shell, tenants })
}

/// `POST /logout`, `POST /logout/everywhere`
pub async fn logout(
    ask: &Ask<'_>,
    browser: &Browser,
    everywhere: bool,
) -> Result<Response, Problem> {
    if everywhere {
        ask.panel.auth.sign_out_everywhere(&browser.who).await?;
    } else {
        ask.panel.auth.leave(browser).await?;
    }
    ask.panel.passes.invalidate(&browser.session.family).await;
    let mut response = page::done(
        "/login",
        if everywhere {
            "You are logged out, on all devices."
        } else {
            "You are logged out."
        },
    );
    cookie::clear_session(&mut response, ask.panel.is_secure());
    // What pages kept in the browser, such as statements that ran, is for nobody else. Browsers heed
    // this over HTTPS and on localhost; elsewhere the page that follows sees to it.
    page::put(&mut response, "clear-site-data", "\"storage\"");
    Ok(response)
}

async fn as_user(
    ask: &Ask<'_>,
    key: &str,
    email: &str,
    password: String,
) -> Result<(String, Who), Problem> {
    let auth = &ask.panel.auth;
    let tenant = auth.directory().by_key(key).await?;
    let tenant = tenant
        .filter(|tenant| tenant.status != tenant::Status::Deleting)
        .ok_or(Kind::InvalidApiKey)?;
    auth.enter_as_user(&tenant, email, password).await
}

/// Pages outside the panel that are for whoever is signed in, or show more to them.
const BESIDE: [&str; 4] = [
    "/account",
    "/api_docs",
    "/api_docs/try",
    "/docs/instructions",
];

/// Where to after signing in: a page of the panel or of the documentation, and nowhere else.
fn next(wanted: &str) -> String {
    let own = wanted == "/panel" || wanted.starts_with("/panel/") || BESIDE.contains(&wanted);
    let plain = !wanted.contains(['\\', '\r', '\n']) && !wanted.starts_with("//");
    if own && plain {
        wanted.to_owned()
    } else {
        "/panel".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_own_pages_alone() {
        assert_eq!(
            next("/panel/7/data/clients?q=a"),
            "/panel/7/data/clients?q=a"
        );
        assert_eq!(next("/account"), "/account");
        for bad in [
            "",
            "//evil.example",
            "https://evil.example",
            "/panel\\x",
            "/panelx",
            "/api",
        ] {
            assert_eq!(next(bad), "/panel", "{bad}");
        }
    }
}
