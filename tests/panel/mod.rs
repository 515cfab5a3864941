//! The panel over HTTP, as a browser without scripts has it.

use std::sync::{Arc, Mutex};

use hyper::Method;

use crate::harness::{Answer, Client, PASSWORD, Server, Tenant};

mod account;
mod data;
mod docs;
mod driver;
mod graphql;
mod journey;
mod pages;
mod settings;
mod typed;
mod values;
mod walls;
mod watch;
mod workbench;

/// A browser: keeps cookies, follows forms.
#[derive(Clone)]
pub struct Visitor {
    client: Client,
    cookies: Arc<Mutex<Vec<(String, String)>>>,
}

impl Visitor {
    pub fn new(server: &Server) -> Self {
        Self {
            client: server.client.clone(),
            cookies: Arc::default(),
        }
    }

    /// Signs a tenant's account in.
    pub async fn of(server: &Server, tenant: &Tenant) -> Self {
        let visitor = Self::new(server);
        let form = [("email", tenant.email.as_str()), ("password", PASSWORD)];
        visitor.post("/login", &form).await.expect(303);
        visitor
    }

    pub fn cookie(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        let pairs: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    pub fn put_cookie(&self, name: &str, value: &str) {
        let mut cookies = self.cookies.lock().unwrap();
        cookies.retain(|(known, _)| known != name);
        if !value.is_empty() {
            cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(&self.client, Method::GET, path, None).await
    }

    /// What a page answers with, which has to be a 200 and JSON.
    pub async fn read(&self, path: &str) -> serde_json::Value {
        self.get(path).await.expect(200).json()
    }

    /// Sends a form as it stands.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[]).await
    }

    /// Sends a form with further headers.
    pub async fn post_with(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let form = "application/x-www-form-urlencoded";
        let mut client = self.client.with("Content-Type", form);
        for (name, value) in headers {
            client = client.with(name, value);
        }
        let body: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        self.call(&client, Method::POST, path, Some(body.join("&").into()))
            .await
    }

    /// Sends a body as it is.
    pub async fn send(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut client = self.client.clone();
        for (name, value) in headers {
            client = client.with(name, value);
        }
        let body = bytes::Bytes::from(body.to_owned());
        self.call(&client, Method::POST, path, Some(body)).await
    }

    /// Sends a form of a page, with the token that the page carries.
    pub async fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token(page).await;
        let mut all = vec![("_csrf", token.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    /// The token that a page's forms carry.
    pub async fn token(&self, page: &str) -> String {
        let text = self.get(page).await.expect(200).text();
        between(&text, "name=\"_csrf\" value=\"", "\"").to_owned()
    }

    async fn call(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: Option<bytes::Bytes>,
    ) -> Answer {
        let cookie = self.cookie();
        let client = if cookie.is_empty() {
            client.clone()
        } else {
            client.with("Cookie", &cookie)
        };
        let answer = client.call(method, path, body).await;
        for value in answer.headers.get_all("set-cookie") {
            let pair = value.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.put_cookie(name, value);
        }
        answer
    }
}

pub fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text
        .find(from)
        .unwrap_or_else(|| panic!("no {from} in {text}"))
        + from.len();
    let end = text[start..].find(to).unwrap();
    &text[start..start + end]
}

pub fn encode(text: &str) -> String {
    sandlot::listing::words::encode(text)
}
