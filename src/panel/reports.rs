//! Reports: their charts, a chart's figures changed in the address, publishing and embedding.

use askama::Template;
use poem::{
    Response,
    http::{Method, header},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    auth::caller::Role,
    listing::words::encode,
    problem::{Kind, Problem},
};

use super::{
    desk::Desk,
    page::{self, Shell},
    query::Pairs,
    tables::{self, Control, Table},
};

/// What the address of a chart may say of it.
const FIGURES: [&str; 8] = [
    "kind",
    "dimension",
    "measure",
    "aggregation",
    "period",
    "date",
    "sort",
    "limit",
];

#[derive(Template)]
#[template(path = "panel/reports.html")]
struct ReportsPage {
    shell: Shell,
    base: String,
    admin: bool,
    reports: Vec<Shown>,
}

struct Shown {
    title: String,
    slug: String,
    seeded: bool,
    published: bool,
}

#[derive(Template)]
#[template(path = "panel/report.html")]
struct ReportPage {
    shell: Shell,
    base: String,
    report: Report,
    frame: String,
    rows: String,
    choices: Vec<Choice>,
    figures: Vec<(String, String)>,
    changed: bool,
    embed: String,
    api: String,
}

#[derive(Template)]
#[template(path = "panel/report_new.html")]
struct NewPage {
    shell: Shell,
    base: String,
    sources: Vec<String>,
    source: String,
    title: String,
    slug: String,
    choices: Vec<Choice>,
    fault: Option<String>,
}

/// Why there is no chart, in its place.
#[derive(Template)]
#[template(
    ext = "html",
    source = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\">\
              <title>{{ title }}</title><p role=\"alert\">{{ said }}</p></html>"
)]
struct NoChart {
    title: &'static str,
    said: String,
}

/// A list to choose from.
struct Choice {
    name: &'static str,
    label: &'static str,
    now: String,
    options: Vec<String>,
    optional: bool,
}

#[derive(Deserialize)]
struct Reports {
    data: Vec<Report>,
}

/// A report's record.
#[derive(Clone, Deserialize)]
struct Report {
    /// Only administrators see records.
    id: Option<i64>,
    slug: String,
    title: String,
    view: String,
    #[serde(default = "published")]
    published: bool,
    #[serde(default)]
    seeded: bool,
    chart: Value,
}

/// Others see what is published.
const fn published() -> bool {
    true
}

impl Report {
    /// Whether it is the tenant's own, and whoever looks may change it.
    const fn is_own(&self) -> bool {
        self.id.is_some() && !self.seeded
    }
}

/// `GET /panel/{id}/reports`
pub async fn all(desk: &Desk<'_>) -> Result<Response, Problem> {
    let reports = records(desk).await?;
    page::page(&ReportsPage {
        shell: desk.shell("Reports", "reports").await?,
        base: format!("{}/reports", desk.base()),
        admin: desk.pass.role == Role::Admin,
        reports: reports
            .into_iter()
            .map(|report| Shown {
                title: report.title,
                slug: report.slug,
                seeded: report.seeded,
                published: report.published,
            })
            .collect(),
    })
}

/// `GET /panel/{id}/reports/{slug}`, with other figures in the address.
pub async fn show(desk: &Desk<'_>, slug: &str) -> Result<Response, Problem> {
    let report = record(desk, slug).await?;
    let table = tables::table(desk.api(), &report.view).await.ok();
    let figures = figures(&desk.ask.query);
    let mut now: Vec<(String, String)> = kept(&report.chart);
    for (name, value) in desk.ask.query.0.iter().filter(|(name, _)| is_figure(name)) {
        now.retain(|(known, _)| known != name);
        // Left empty it is taken away.
        if !value.is_empty() {
            now.push((name.clone(), value.clone()));
        }
    }
    let base = format!("{}/reports", desk.base());
    let here = format!("{base}/{}", encode(&report.slug));
    let embed = format!(
        "{}/embed/report/{}",
        desk.public_url(),
        encode(&report.slug)
    );
    page::page(&ReportPage {
        shell: desk.shell(&report.title, "reports").await?,
        frame: figures.behind(&format!("{here}/frame")),
        rows: desk.rows_of(&report.view),
        choices: table
            .map(|table| choices(&table, &Pairs(now.clone())))
            .unwrap_or_default(),
        changed: !figures.0.is_empty(),
        figures: figures.0.clone(),
        embed: format!(
            "<iframe src=\"{}\" title=\"{}\" width=\"800\" height=\"560\"></iframe>",
            figures.with("token", "YOUR_EMBED_TOKEN").behind(&embed),
            report.title.replace('"', "&quot;"),
        ),
        api: aggregate(&report.slug, &now),
        base,
        report,
    })
}

/// `GET /panel/{id}/reports/{slug}/frame`: the page that others put into a frame, for this one.
pub async fn frame(desk: &Desk<'_>, slug: &str) -> Result<Response, Problem> {
    let target = figures(&desk.ask.query).behind(&format!("/embed/report/{}", encode(slug)));
    let reply = match desk.api().get(&target).await {
        Ok(reply) => reply,
        // A page of its own would not be shown in a frame.
        Err(problem) if problem.kind.status() < 500 => {
            let mut page = page::page(&NoChart {
                title: problem.kind.title(),
                said: said(&problem),
            })?;
            page::put(
                &mut page,
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'self'",
            );
            page::put(&mut page, "x-frame-options", "SAMEORIGIN");
            return Ok(page);
        }
        Err(problem) => return Err(problem),
    };
    let text = |name: header::HeaderName| {
        let value = reply
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let policy = text(header::CONTENT_SECURITY_POLICY)
        .replace("frame-ancestors *", "frame-ancestors 'self'");
    // The page around it says what it is.
    let page = String::from_utf8_lossy(&reply.body).replacen("<h1 ", "<h1 hidden ", 1);
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, text(header::CONTENT_TYPE))
        .header(header::CONTENT_SECURITY_POLICY, policy)
        .header("x-frame-options", "SAMEORIGIN")
        .body(page))
}

/// `GET /panel/{id}/reports/new`
pub async fn blank(desk: &Desk<'_>) -> Result<Response, Problem> {
    let query = &desk.ask.query;
    page::page(&draft(desk, query, None).await?)
}

/// `POST /panel/{id}/reports/new`: the report is published at once, to its tenant's callers.
pub async fn publish(desk: &Desk<'_>) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let body = json!({
        "slug": form.text("slug"),
        "title": form.text("title"),
        "view": form.text("view"),
        "published": true,
        "chart": chart(&form),
    });
    match desk.api().send(Method::POST, "/api/reports", &body).await {
        Ok(_) => {
            let address = format!("{}/reports/{}", desk.base(), encode(form.text("slug")));
            Ok(page::done(&address, "The report is published."))
        }
        Err(problem) if problem.kind.status() < 500 => {
            let fault = said(&problem);
            let status = problem.kind.status();
            page::page_with(status, &draft(desk, &form, Some(fault)).await?)
        }
        Err(problem) => Err(problem),
    }
}

/// `POST /panel/{id}/reports/{slug}`: keeps the figures, publishes, takes back, deletes.
pub async fn change(desk: &Desk<'_>, slug: &str) -> Result<Response, Problem> {
    let form = desk.ask.form();
    let report = record(desk, slug).await?;
    let id = report.id.ok_or(Kind::Forbidden)?;
    let target = format!("/api/reports/{id}");
    let list = format!("{}/reports", desk.base());
    let here = format!("{list}/{}", encode(&report.slug));
    let change = match form.text("do") {
        "delete" => {
            let none = bytes::Bytes::new();
            desk.api().call(Method::DELETE, &target, &[], none).await?;
            return Ok(page::done(&list, "The report is deleted; its view stays."));
        }
        "publish" => json!({ "published": true }),
        "withdraw" => json!({ "published": false }),
        "keep" => json!({ "chart": chart(&form) }),
        _ => return Err(Kind::BadRequest.into()),
    };
    desk.api().send(Method::PATCH, &target, &change).await?;
    Ok(page::done(&here, "The report is changed."))
}

async fn records(desk: &Desk<'_>) -> Result<Vec<Report>, Problem> {
    let target = match desk.pass.role {
        Role::Admin => "/api/reports",
        Role::Editor | Role::Viewer => "/api/v1/reports",
    };
    Ok(desk.api().get(target).await?.json::<Reports>()?.data)
}

async fn record(desk: &Desk<'_>, slug: &str) -> Result<Report, Problem> {
    let all = records(desk).await?;
    all.into_iter()
        .find(|report| report.slug == slug)
        .ok_or_else(|| Kind::NotFound.into())
}

async fn draft(desk: &Desk<'_>, given: &Pairs, fault: Option<String>) -> Result<NewPage, Problem> {
    let sources: Vec<String> = tables::list(desk.api())
        .await?
        .into_iter()
        .map(|table| table.name)
        .collect();
    let source = given.text("view").to_owned();
    let table = match source.is_empty() {
        true => None,
        false => Some(tables::table(desk.api(), &source).await?),
    };
    Ok(NewPage {
        shell: desk.shell("New report", "reports").await?,
        base: format!("{}/reports", desk.base()),
        choices: table
            .map(|table| choices(&table, given))
            .unwrap_or_default(),
        title: given.text("title").to_owned(),
        slug: given.text("slug").to_owned(),
        sources,
        source,
        fault,
    })
}

/// The lists that a chart of a table is chosen from.
fn choices(table: &Table, now: &Pairs) -> Vec<Choice> {
    let named = |wanted: &dyn Fn(Control) -> bool| -> Vec<String> {
        table
            .shown()
            .filter(|column| wanted(table.control(column)))
            .map(|column| column.name.clone())
            .collect()
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let numbers: Vec<String> = table
        .shown()
        .filter(|column| column.is_number())
        .map(|column| column.name.clone())
        .collect();
    let dates =
        named(&|control| matches!(control, Control::Date | Control::Moment | Control::Instant));
    let all = named(&|control| !matches!(control, Control::Json | Control::Lines));
    let choice = |name, label, options, optional| Choice {
        now: now.text(name).to_owned(),
        name,
        label,
        options,
        optional,
    };
    vec![
        choice("measure", "Measure", numbers, true),
        choice(
            "aggregation",
            "Figure",
            words(&["sum", "avg", "count", "min", "max"]),
            false,
        ),
        choice("dimension", "For each", all, true),
        choice(
            "period",
            "Period",
            words(&["daily", "weekly", "monthly", "yearly"]),
            true,
        ),
        choice("date", "Date", dates, true),
        choice(
            "kind",
            "Chart",
            words(&["bar", "stacked", "line", "pie"]),
            false,
        ),
    ]
}

/// The chart that a form describes.
fn chart(form: &Pairs) -> Value {
    let mut chart = Map::new();
    for name in FIGURES {
        let text = form.text(name);
        if !text.is_empty() {
            chart.insert(name.to_owned(), text.into());
        }
    }
    // A date says which column periods are of, and nothing without one.
    if !chart.contains_key("period") {
        chart.remove("date");
    }
    Value::Object(chart)
}

fn is_figure(name: &str) -> bool {
    FIGURES.contains(&name)
}

fn figures(query: &Pairs) -> Pairs {
    let mut given = Pairs::default();
    for (name, value) in &query.0 {
        if is_figure(name) && !value.is_empty() {
            given.0.push((name.clone(), value.clone()));
        }
    }
    if given.get("period").is_none() {
        given = given.without(&["date"]);
    }
    given
}

/// The figures that a record keeps, as texts.
fn kept(chart: &Value) -> Vec<(String, String)> {
    let members = chart.as_object().into_iter().flatten();
    members
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect()
}

fn aggregate(slug: &str, figures: &[(String, String)]) -> String {
    let asked = Pairs(figures.to_vec()).without(&["kind"]);
    asked.behind(&format!("/api/v1/reports/{}/aggregate", encode(slug)))
}

fn said(problem: &Problem) -> String {
    if problem.errors.is_empty() {
        return problem.detail.clone().into_owned();
    }
    let errors = problem.errors.iter();
    let said: Vec<String> = errors
        .map(|(name, messages)| format!("{name} {}", messages.join("; ")))
        .collect();
    said.join(" · ")
}
