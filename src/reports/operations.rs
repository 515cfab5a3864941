//! The calls under `/api/reports`: a tenant's administrator keeps its records.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, param::Path, payload::Json};
use sea_orm::ActiveValue::{NotSet, Set, Unchanged};
use serde_json::{Map, Value};

use crate::{
    auth::{self, extract::TenantAdmin, operations::Section, rights},
    data::Spine,
    edge::form::{Body, Fields, Form},
    problem::{Kind, Problem},
};

use super::{
    aggregate,
    chart::Kind as Picture,
    record::{ActiveModel, Model, Records},
};

/// A tenant's reports.
pub struct ReportsApi;

/// A report as the tenant's administrator sees it.
#[derive(Object)]
struct Report {
    id: i64,
    /// Last part of its address: lower-case letters, digits and hyphens
    slug: String,
    title: String,
    /// The view or table that it reads
    view: String,
    /// Whether it is served
    published: bool,
    /// Parameters of the aggregate that is drawn, and `kind`: `bar`, `stacked`, `line` or `pie`
    chart: Value,
    /// Whether it comes with the template, and can't be changed
    seeded: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for Report {
    fn from(report: Model) -> Self {
        Self {
            id: report.id,
            slug: report.slug,
            title: report.title,
            view: report.view,
            published: report.published,
            chart: report.chart,
            seeded: report.tenant_id.is_none(),
            created_at: report.created_at,
            updated_at: report.updated_at,
        }
    }
}

/// A tenant's reports.
#[derive(Object)]
struct ReportList {
    data: Vec<Report>,
}

/// A report to be made.
#[derive(Object)]
struct NewReport {
    slug: String,
    title: String,
    view: String,
    /// Not published if absent
    published: Option<bool>,
    chart: Option<Value>,
}

/// What is to be changed of a report; the rest stays as it is.
#[derive(Object)]
struct Changes {
    slug: Option<String>,
    title: Option<String>,
    view: Option<String>,
    published: Option<bool>,
    chart: Option<Value>,
}

/// The answer to a report that was made.
#[derive(ApiResponse)]
enum Made {
    /// The report is there
    #[oai(status = 201)]
    Created(
        Json<Report>,
        /// Where the report's record is
        #[oai(header = "Location")]
        String,
    ),
}

#[OpenApi(tag = "Section::Reports")]
impl ReportsApi {
    /// All reports: the tenant's own, and those that come with the template
    #[oai(path = "/reports", method = "get")]
    async fn list(
        &self,
        records: Data<&Records>,
        admin: TenantAdmin,
    ) -> Result<Json<ReportList>, Problem> {
        let all = records.all(Some(admin.tenant.id)).await?;
        let data = all.into_iter().map(Report::from).collect();
        Ok(Json(ReportList { data }))
    }

    /// Make a report of a view
    ///
    /// One of the slug of a report that comes with the template takes its place.
    #[oai(path = "/reports", method = "post")]
    async fn create(
        &self,
        records: Data<&Records>,
        spine: Data<&Arc<Spine>>,
        admin: TenantAdmin,
        body: Body<NewReport>,
    ) -> Result<Made, Problem> {
        admin.tenant.may_grow()?;
        let Body(new) = body;
        let chart = new.chart.unwrap_or_else(|| Value::Object(Map::new()));
        check(&spine, &admin, &new.view, &chart).await?;
        let made = records
            .insert(ActiveModel {
                id: NotSet,
                tenant_id: Set(Some(admin.tenant.id)),
                slug: Set(new.slug),
                title: Set(new.title),
                view: Set(new.view),
                published: Set(new.published.unwrap_or(false)),
                chart: Set(chart),
                created_at: NotSet,
                updated_at: NotSet,
            })
            .await?;
        let address = format!("/api/reports/{}", made.id);
        Ok(Made::Created(Json(made.into()), address))
    }

    /// Change a report of the tenant's own
    #[oai(path = "/reports/:id", method = "patch")]
    async fn change(
        &self,
        records: Data<&Records>,
        spine: Data<&Arc<Spine>>,
        admin: TenantAdmin,
        id: Path<i64>,
        body: Body<Changes>,
    ) -> Result<Json<Report>, Problem> {
        admin.tenant.may_grow()?;
        let Body(changes) = body;
        let report = records.own(admin.tenant.id, id.0).await?;
        if changes.view.is_some() || changes.chart.is_some() {
            let view = changes.view.as_ref().unwrap_or(&report.view);
            let chart = changes.chart.as_ref().unwrap_or(&report.chart);
            check(&spine, &admin, view, chart).await?;
        }
        let changed = records
            .update(ActiveModel {
                id: Unchanged(report.id),
                slug: changes.slug.map_or(NotSet, Set),
                title: changes.title.map_or(NotSet, Set),
                view: changes.view.map_or(NotSet, Set),
                published: changes.published.map_or(NotSet, Set),
                chart: changes.chart.map_or(NotSet, Set),
                ..Default::default()
            })
            .await?;
        Ok(Json(changed.into()))
    }

    /// Delete a report of the tenant's own
    ///
    /// Answers with the report that was; its view stays.
    #[oai(path = "/reports/:id", method = "delete")]
    async fn delete(
        &self,
        records: Data<&Records>,
        admin: TenantAdmin,
        id: Path<i64>,
    ) -> Result<Json<Report>, Problem> {
        let report = records.own(admin.tenant.id, id.0).await?;
        records.delete(report.id).await?;
        Ok(Json(report.into()))
    }
}

impl Form for NewReport {
    fn read(fields: &mut Fields) -> Self {
        let slug = fields.text("slug");
        let title = fields.text("title");
        let view = fields.text("view");
        if fields.is_sound("slug") {
            check_slug(fields, &slug);
        }
        if fields.is_sound("title") {
            check_title(fields, &title);
        }
        Self {
            slug,
            title,
            view,
            published: fields.optional_bool("published"),
            chart: fields.optional_object("chart").map(Value::Object),
        }
    }
}

impl Form for Changes {
    fn read(fields: &mut Fields) -> Self {
        let slug = fields.optional_text("slug");
        let title = fields.optional_text("title");
        if let Some(slug) = &slug {
            check_slug(fields, slug);
        }
        if let Some(title) = &title {
            check_title(fields, title);
        }
        Self {
            slug,
            title,
            view: fields.optional_text("view"),
            published: fields.optional_bool("published"),
            chart: fields.optional_object("chart").map(Value::Object),
        }
    }
}

fn check_slug(fields: &mut Fields, slug: &str) {
    let parts = slug.split('-');
    let spelt = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if slug.len() > 80 || !parts.into_iter().all(spelt) {
        fields.fault(
            "slug",
            "must be lower-case letters and digits with single hyphens in between, 80 at most",
        );
    }
}

fn check_title(fields: &mut Fields, title: &str) {
    if title.trim().is_empty() || title.chars().count() > 200 {
        fields.fault("title", "must have 1 to 200 characters");
    }
}

/// Sees to it that the view is there, and that the chart's parameters are ones of its figures.
async fn check(
    spine: &Spine,
    admin: &TenantAdmin,
    view: &str,
    chart: &Value,
) -> Result<(), Problem> {
    let identity = auth::usable(&admin.tenant)?;
    let rules = rights::rules(&admin.caller);
    let mut catalog = spine.catalog(&identity).await?;
    if catalog.find(view).is_none() {
        catalog = spine.look_again(&identity).await?;
    }
    let Some(table) = catalog.table(view).filter(|table| rules.sees(table)) else {
        return Err(Problem::new(Kind::ValidationFailed)
            .field("view", "is no view or table of this tenant"));
    };
    let wrong = |message: String| Problem::new(Kind::ValidationFailed).field("chart", message);
    let parameters = Picture::parameters(chart).map_err(&wrong)?;
    if let Err(problem) = aggregate::read(&parameters.others, table, &rules) {
        let mut refused = Problem::new(Kind::ValidationFailed);
        for (name, messages) in problem.errors {
            for message in messages {
                refused = refused.field("chart", format!("{name}: {message}"));
            }
        }
        return Err(refused);
    }
    Ok(())
}
