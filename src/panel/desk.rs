//! One tenant's pages: who works in it, by which calls, and which page an address is.

use poem::{Response, http::header};
use serde::Deserialize;
use serde_json::json;

use crate::{
    auth::{
        browser::{Browser, Pass},
        caller::Role,
    },
    directory::tenant,
    edge::visit::Visit,
    listing::words::encode,
    problem::{Kind, Problem},
};

use super::{
    Ask,
    api::Api,
    cells::grouped,
    data, graphql, home, logs,
    page::{self, Entry, Head, Shell},
    reports, sandbox, settings, sql, structure, tables, tokens, users,
};

/// Whoever is signed in, at work in one tenant.
pub struct Desk<'a> {
    /// The request.
    pub ask: &'a Ask<'a>,
    /// Who is signed in.
    pub browser: &'a Browser,
    /// In whose name the API is called.
    pub pass: &'a Pass,
    /// Where they work.
    pub tenant: tenant::Model,
    /// What the page's own look-ups are noted in.
    inside: Visit,
}

impl<'a> Desk<'a> {
    /// A desk for a tenant that they may work in.
    pub fn new(
        ask: &'a Ask<'a>,
        browser: &'a Browser,
        pass: &'a Pass,
        tenant: tenant::Model,
    ) -> Self {
        Self {
            ask,
            browser,
            pass,
            tenant,
            inside: ask.visit.inside(),
        }
    }

    /// Answers a request for one of the tenant's pages.
    ///
    /// # Errors
    /// `not-found` for an address that leads nowhere, and what the pages' calls are refused with.
    pub async fn answer(&self, changes: bool, rest: &[&str]) -> Result<Response, Problem> {
        let ready = self.tenant.status == tenant::Status::Ready;
        match (changes, rest) {
            (false, []) => return home::show(self).await,
            (false, ["status"]) => return home::status(self).await,
            _ if !ready => return Ok(page::to(self.ask.request, &self.base())),
            _ => {}
        }
        match (changes, rest) {
            (false, ["counts"]) => self.counts().await,
            (false, ["token"]) => self.token(),
            (_, ["data", rest @ ..]) => data::answer(self, changes, rest).await,
            (_, ["structure", rest @ ..]) => structure::answer(self, changes, rest).await,
            (false, ["sql"]) => sql::show(self).await,
            (true, ["sql"]) => sql::run(self).await,
            (false, ["graphql"]) => graphql::show(self).await,
            (true, ["graphql"]) => graphql::run(self).await,
            (false, ["reports"]) => reports::all(self).await,
            (false, ["reports", "new"]) => reports::blank(self).await,
            (true, ["reports", "new"]) => reports::publish(self).await,
            (false, ["reports", slug]) => reports::show(self, slug).await,
            (true, ["reports", slug]) => reports::change(self, slug).await,
            (false, ["reports", slug, "frame"]) => reports::frame(self, slug).await,
            (false, ["tokens"]) => tokens::show(self).await,
            (true, ["tokens"]) => tokens::change(self).await,
            (false, ["tokens", id]) => tokens::one(self, id).await,
            (true, ["tokens", id]) => tokens::edit(self, id).await,
            (false, ["users"]) => users::show(self).await,
            (true, ["users"]) => users::change(self).await,
            (false, ["logs"]) => logs::show(self).await,
            (false, ["sandbox"]) => sandbox::show(self).await,
            (true, ["sandbox"]) => sandbox::change(self).await,
            (false, ["settings"]) => settings::show(self).await,
            (true, ["settings"]) => settings::change(self).await,
            (false, ["demo"]) => settings::demo(self).await,
            _ => Err(Kind::NotFound.into()),
        }
    }

    /// What addresses of the tenant's pages begin with.
    pub fn base(&self) -> String {
        format!("/panel/{}", self.tenant.id)
    }

    /// Address of a table's rows among the pages.
    pub fn rows_of(&self, table: &str) -> String {
        format!("{}/data/{}", self.base(), encode(table))
    }

    /// The API, called in the name of whoever is signed in. The request for the page has been
    /// drawn from their limit; what the page takes is not drawn again.
    pub fn api(&self) -> Api<'_> {
        let (access, key) = (&self.pass.access, &self.tenant.api_key);
        Api::new(
            &self.ask.panel.line,
            self.ask.request,
            &self.inside,
            access,
            key,
        )
    }

    /// The same for what may cost as much as many calls, and is drawn as such.
    pub fn drawn_api(&self) -> Api<'_> {
        self.ask.api(&self.pass.access, &self.tenant.api_key)
    }

    /// Address under which people reach the server.
    pub fn public_url(&self) -> &str {
        &self.ask.panel.public_url
    }

    /// Whether they may write rows.
    pub fn writes(&self) -> bool {
        self.pass.role >= Role::Editor
    }

    /// The frame of a page, with the tenant's tables beside it.
    ///
    /// # Errors
    /// Whatever problem the API answers with.
    pub async fn shell(&self, title: &str, active: &'static str) -> Result<Shell, Problem> {
        let mut head = Head::new(&self.tenant);
        head.admin = self.pass.role == Role::Admin;
        head.writes = self.writes();
        if head.ready {
            head.tables = tables::list(self.api())
                .await?
                .into_iter()
                .map(|table| Entry {
                    href: self.rows_of(&table.name),
                    view: table.kind.contains("view"),
                    name: table.name,
                })
                .collect();
        }
        let mut shell = Shell::new(self.ask.request, title);
        shell.csrf.clone_from(&self.browser.csrf);
        shell.email.clone_from(&self.pass.email);
        shell.active = active;
        shell.tenant = Some(head);
        Ok(shell)
    }

    /// `GET /panel/{id}/counts`: rows of each table and view, for the navigation.
    async fn counts(&self) -> Result<Response, Problem> {
        #[derive(Deserialize)]
        struct Counted {
            meta: super::cells::Meta,
        }
        let mut counts = serde_json::Map::new();
        for table in tables::list(self.api()).await? {
            let target = format!(
                "/api/v1/tables/{}?per_page=1&count=exact",
                encode(&table.name)
            );
            // A view may fail; the others still have their figures.
            let total = match self.api().get(&target).await {
                Ok(reply) => reply.json::<Counted>()?.meta.total,
                Err(_) => None,
            };
            let shown = total.map_or_else(|| "?".to_owned(), grouped);
            counts.insert(table.name, shown.into());
        }
        Ok(self.document(&counts.into()))
    }

    /// `GET /panel/{id}/token`: what a script on a page of this host calls the API with.
    fn token(&self) -> Result<Response, Problem> {
        Ok(self.document(&json!({
            "access_token": self.pass.access,
            "api_key": self.tenant.api_key,
            "schema": self.tenant.schema,
        })))
    }

    fn document(&self, value: &serde_json::Value) -> Response {
        Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(value.to_string())
    }
}
