//! Reports as the data API has them: read like tables, and figures over them.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response, Result,
    http::{Method, header},
};
use serde_json::{Value, json};
use tenants::Identity;

use crate::{
    auth::{
        Auth,
        caller::{Caller, Place},
        present::without_token,
        rehearse::rehearse,
        rights,
        tokens::Scope,
    },
    data::{
        Answer, Ask, Spine,
        catalog::Catalog,
        plan::{Reach, Rules, brief},
        request::Request as Question,
        rows::Format,
        run::Keep,
        writer::string,
    },
    edge::headers::{one, part},
    listing::{
        Address, Reply,
        columns::columns,
        page,
        parameters::{Parameters, parameters, refuse_all},
        wants_csv,
        words::decode,
    },
    problem::{Kind, Problem},
};

use super::{
    aggregate::{self, Figures, MOST},
    record::{Model, Records},
};

/// Where the surface is.
pub const PATH: &str = "/api/v1/reports";

/// What the data API's paths begin with.
const BASE: &str = "/api/v1";

/// The endpoint of everything under [`PATH`].
pub struct Reports;

impl Endpoint for Reports {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        Ok(answer(&request).await?)
    }
}

/// Who asks, of what, and by which means it is answered.
pub(super) struct Desk<'a> {
    pub(super) spine: &'a Spine,
    pub(super) records: &'a Records,
    pub(super) identity: Identity,
    pub(super) rules: Rules,
    /// What the header `Sandlot-Mode` says.
    pub(super) mode: &'static str,
    tenant: Option<i64>,
}

/// A report, and its view among what there is at present.
pub(super) struct Found {
    pub(super) report: Model,
    pub(super) catalog: Arc<Catalog>,
    /// Position of the view.
    pub(super) view: usize,
}

impl<'a> Desk<'a> {
    /// What `caller` may see.
    pub(super) async fn of(request: &'a Request, caller: &Caller) -> Result<Self, Problem> {
        caller.needs(Scope::Views)?;
        let auth = part::<Arc<Auth>>(request)?;
        let (identity, mode) = rights::place(caller, auth.tenants())?;
        let mut desk = Self {
            spine: part::<Arc<Spine>>(request)?,
            records: part::<Records>(request)?,
            identity,
            rules: rights::rules(caller),
            mode,
            tenant: match &caller.place {
                Place::Template | Place::Demo(_) => None,
                Place::Tenant(tenant) => Some(tenant.id),
            },
        };
        desk.open_listed().await?;
        Ok(desk)
    }

    /// A token's list of views may name a report by its slug, and means the view behind it then.
    async fn open_listed(&mut self) -> Result<(), Problem> {
        if let Reach::Only(names) = &mut self.rules.views {
            for report in self.records.all(self.tenant).await? {
                if names.contains(&report.slug) {
                    names.insert(report.view);
                }
            }
        }
        Ok(())
    }

    /// A published report whose view is there.
    ///
    /// Where a token has a list of views, what is outside of it is refused as one thing, whether
    /// or not there is such a report.
    pub(super) async fn find(&self, slug: &str) -> Result<Found, Problem> {
        match self.look_for(slug).await {
            Err(problem)
                if matches!(self.rules.views, Reach::Only(_))
                    && !self.rules.views.lists(slug)
                    && is_about_name(&problem) =>
            {
                Err(Problem::new(Kind::ViewNotAllowed))
            }
            outcome => outcome,
        }
    }

    async fn look_for(&self, slug: &str) -> Result<Found, Problem> {
        let missing = || {
            Problem::new(Kind::NotFound)
                .detail(format!("There is no published report `{}`.", brief(slug)))
        };
        // The platform's text takes no NUL; nothing is called so.
        if slug.contains('\0') {
            return Err(missing());
        }
        let report = self.records.find(self.tenant, slug).await?;
        let report = report
            .filter(|report| report.published)
            .ok_or_else(missing)?;
        let mut catalog = self.spine.catalog(&self.identity).await?;
        if catalog.find(&report.view).is_none() {
            catalog = self.spine.look_again(&self.identity).await?;
        }
        if catalog.find(&report.view).is_none() {
            return Err(Problem::new(Kind::NotFound).detail(format!(
                "The view `{}` behind the report is not there.",
                brief(&report.view)
            )));
        }
        let view = self.rules.resolve(&catalog, &report.view)?;
        Ok(Found {
            report,
            catalog,
            view,
        })
    }

    /// The figures that parameters ask for.
    pub(super) fn figures(
        &self,
        found: &Found,
        parameters: &[(String, String)],
    ) -> Result<Figures, Problem> {
        let table = &found.catalog.tables[found.view];
        aggregate::read(parameters, table, &self.rules)
    }

    pub(super) async fn ask(&self, question: &Question, format: Format) -> Result<Answer, Problem> {
        self.spine
            .answer(Ask {
                identity: &self.identity,
                rules: &self.rules,
                request: question,
                format,
                keep: Keep::Yes,
            })
            .await
    }

    /// All published reports whose views are there.
    async fn index(&self) -> Result<Vec<Value>, Problem> {
        let catalog = self.spine.catalog(&self.identity).await?;
        let all = self.records.all(self.tenant).await?;
        let reports = all.iter().filter(|report| {
            let view = catalog.table(&report.view);
            report.published && view.is_some_and(|view| self.rules.sees(view))
        });
        Ok(reports.map(entry).collect())
    }
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    let auth = part::<Arc<Auth>>(request)?;
    let caller = auth.caller(request).await?;
    let mut desk = Desk::of(request, &caller).await?;
    let rehearsal = rehearse(request).await?;
    desk.rules.nothing = rehearsal.empty;
    let path = request.original_uri().path();
    let rest = path.strip_prefix(PATH).unwrap_or_default();
    let target = target(rest)?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Problem::new(Kind::MethodNotAllowed)
            .detail("Reports are read; what is written goes to the tables behind them.")
            .header("Allow", "GET, HEAD"));
    }
    let query = without_token(request.original_uri().query().unwrap_or_default());
    let query = query.as_ref();
    let parameters = parameters(query)?;
    let csv = wants_csv(one(request.headers(), header::ACCEPT));
    let format = if csv { Format::Csv } else { Format::Json };
    let mut reply = match target {
        Target::Index => {
            refuse_all(&parameters)?;
            let reports = desk.index().await?;
            document(&json!({
                "meta": { "total": reports.len() },
                "links": { "self": PATH },
                "data": reports,
            }))
        }
        Target::Schema(slug) => {
            refuse_all(&parameters)?;
            schema(&desk, &desk.find(&slug).await?)
        }
        Target::Rows(slug) => {
            let parsed = Parameters::read(&parameters, true, true)?;
            let select = parsed.select()?;
            let found = desk.find(&slug).await?;
            let (list, paging) = parsed.list(found.report.view, select, query)?;
            let answer = desk.ask(&Question::List(list), format).await?;
            let address = Address {
                base: PATH,
                path: rest,
                query,
            };
            if csv {
                page::csv(answer, &paging)
            } else {
                page::list(answer, &paging, &address)
            }
        }
        Target::Aggregate(slug) => {
            let found = desk.find(&slug).await?;
            let figures = desk.figures(&found, &parameters)?;
            let question = Question::Aggregate(figures.aggregate.clone());
            let answer = desk.ask(&question, format).await?;
            let this = match query {
                "" => path.to_owned(),
                query => format!("{path}?{query}"),
            };
            aggregated(answer, &figures, &this, csv)
        }
    };
    let marks = rights::marks(&caller, auth.directory());
    reply
        .headers
        .extend(marks.into_iter().chain(rehearsal.mark()));
    Ok(reply.respond(desk.mode))
}

/// Whether a report was refused for what it is, or is not.
fn is_about_name(problem: &Problem) -> bool {
    matches!(
        problem.kind,
        Kind::NotFound | Kind::TableNotAllowed | Kind::ViewNotAllowed | Kind::ScopeNotAllowed
    )
}

enum Target {
    Index,
    Rows(String),
    Schema(String),
    Aggregate(String),
}

fn target(path: &str) -> Result<Target, Problem> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let slug = |part: &str| {
        decode(part, false).ok_or_else(|| {
            Problem::new(Kind::BadRequest).detail("The path is not percent-encoded UTF-8.")
        })
    };
    Ok(match parts.as_slice() {
        [""] => Target::Index,
        [name] => Target::Rows(slug(name)?),
        [name, "schema"] => Target::Schema(slug(name)?),
        [name, "aggregate"] => Target::Aggregate(slug(name)?),
        _ => return Err(Kind::NotFound.into()),
    })
}

fn entry(report: &Model) -> Value {
    let address = format!("{PATH}/{}", report.slug);
    json!({
        "slug": report.slug,
        "title": report.title,
        "view": report.view,
        "chart": report.chart,
        "links": {
            "self": address,
            "schema": format!("{address}/schema"),
            "aggregate": format!("{address}/aggregate"),
            "embed": format!("/embed/report/{}", report.slug),
        },
    })
}

fn schema(desk: &Desk<'_>, found: &Found) -> Reply {
    let view = &found.catalog.tables[found.view];
    let mut data = entry(&found.report);
    let links = data["links"].take();
    data["comment"] = json!(view.comment);
    data["kind"] = json!(view.kind.word());
    data["columns"] = json!(columns(view, &desk.rules));
    data["rows"] = json!(format!(
        "{BASE}/{}",
        crate::listing::words::encode(&view.name)
    ));
    if let Some(data) = data.as_object_mut() {
        data.remove("links");
    }
    document(&json!({ "data": data, "links": links }))
}

/// Figures in their envelope.
fn aggregated(answer: Answer, figures: &Figures, this: &str, csv: bool) -> Reply {
    if csv {
        return Reply {
            status: 200,
            headers: vec![("Content-Type", "text/csv; charset=utf-8".to_owned())],
            body: answer.body,
        };
    }
    let mut body = Vec::with_capacity(answer.body.len() + 512);
    body.extend_from_slice(b"{\"data\":[");
    body.extend_from_slice(&answer.body);
    body.extend_from_slice(b"],\"meta\":{");
    for (name, value) in &figures.meta {
        string(&mut body, name.as_bytes());
        body.push(b':');
        match value {
            Some(value) => string(&mut body, value.as_bytes()),
            None => body.extend_from_slice(b"null"),
        }
        body.push(b',');
    }
    let limit = figures.aggregate.rows.page.limit.unwrap_or(MOST);
    let counts = format!("\"groups\":{},\"limit\":{limit}", answer.rows);
    body.extend_from_slice(counts.as_bytes());
    body.extend_from_slice(b"},\"links\":{\"self\":");
    string(&mut body, this.as_bytes());
    body.extend_from_slice(b"}}");
    page::json(200, body)
}

fn document(value: &Value) -> Reply {
    page::json(200, value.to_string().into_bytes())
}
