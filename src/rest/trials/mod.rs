//! Trials of the REST surface against a real Postgres, without a web framework.

mod crud;
mod dependents;
mod lists;
mod odd;
mod random;
mod references;
mod types;

use super::parse::Headers;
use super::{Call, handle};
use crate::data::Spine;
use crate::data::plan::{Rules, Secret, Special};
use crate::data::scratch::Tenant;
use crate::listing::Reply;
use crate::problem::{Kind, Problem};
use futures_util::FutureExt;
use serde_json::Value;
use std::sync::Arc;

/// A tenant and what its caller may do.
pub(super) struct Site {
    pub(super) tenant: Tenant,
    pub(super) rules: Rules,
    pub(super) spine: Spine,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) slug: &'static str,
    pub(super) errors: Vec<String>,
    pub(super) detail: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) text: String,
}

impl Got {
    /// The body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The value at a JSON pointer of the body.
    pub(super) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Site {
    pub(super) async fn new(sql: &str) -> Self {
        let tenant = Tenant::new(sql).await;
        let make_secret = |plain: String| {
            async move {
                if plain.len() < 8 {
                    return Err(Problem::new(Kind::ValidationFailed).detail("is too short"));
                }
                Ok(format!("hash of {}", plain.len()))
            }
            .boxed()
        };
        Self {
            rules: Rules {
                special: vec![Special {
                    table: "users".to_owned(),
                    hidden: vec!["password_hash".to_owned()],
                    secrets: vec![Secret {
                        given: "password".to_owned(),
                        stored: "password_hash".to_owned(),
                    }],
                    ..Special::default()
                }],
                ..Rules::default()
            },
            spine: Spine::new(tenant.tenants.clone(), b"key", Arc::new(make_secret)),
            tenant,
        }
    }

    pub(super) async fn run(&self, sql: &str) {
        self.tenant.run(sql).await;
    }

    pub(super) async fn call(&self, call: Call<'_>) -> Got {
        let result = handle(&self.spine, &self.tenant.identity, &self.rules, call).await;
        match result {
            Ok(Reply {
                status,
                headers,
                body,
            }) => Got {
                status,
                slug: "",
                errors: Vec::new(),
                detail: String::new(),
                headers,
                text: String::from_utf8(body).unwrap(),
            },
            Err(problem) => Got {
                status: problem.kind.status(),
                slug: problem.kind.slug(),
                errors: problem.errors.keys().cloned().collect(),
                detail: problem.to_string() + &format!("{:?} {:?}", problem.errors, problem.source),
                headers: problem.headers,
                text: String::new(),
            },
        }
    }

    /// `METHOD /path?query` with an optional JSON body.
    pub(super) async fn send(&self, line: &str, body: &str) -> Got {
        self.send_preferring(line, body, None).await
    }

    pub(super) async fn send_preferring(
        &self,
        line: &str,
        body: &str,
        prefer: Option<&str>,
    ) -> Got {
        let (method, address) = line.split_once(' ').unwrap();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        self.call(Call {
            method,
            base: "/api/v1",
            path,
            query,
            headers: Headers {
                content_type: Some("application/json"),
                accept: None,
                prefer,
            },
            body: body.as_bytes(),
            replay: None,
        })
        .await
    }

    pub(super) async fn get(&self, address: &str) -> Got {
        self.send(&format!("GET {address}"), "").await
    }
}
