//! Reports: records about views, of the template or of one tenant.

use sea_orm_migration::prelude::*;

/// The step; its name is the file's.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(UP).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(DOWN).await?;
        Ok(())
    }
}

/// The reports of the CRM that ships go with any schema that has their views.
const UP: &str = r#"
create table reports (
    id bigint generated always as identity primary key,
    tenant_id bigint references tenants (id) on delete cascade,
    slug text not null check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 80),
    title text not null,
    view text not null,
    published boolean not null default false,
    chart jsonb not null default '{}' check (jsonb_typeof(chart) = 'object'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint reports_slug_key unique nulls not distinct (tenant_id, slug)
);
comment on table reports is 'A view with a title and a way to draw it';
comment on column reports.tenant_id is 'Null for reports that come with the template';
comment on column reports.chart is 'The parameters of the aggregate that is drawn, and the kind of the picture';

insert into reports (slug, title, view, published, chart) values
    ('collection-efficiency-by-invoice', 'Collection efficiency by invoice', 'report_collection_efficiency_by_invoice', true,
     '{"kind": "line", "period": "monthly", "date": "date", "measure": "total,collected", "aggregation": "sum"}'),
    ('project-progress-overview', 'Project progress overview', 'report_project_progress_overview', true,
     '{"kind": "bar", "dimension": "status_name", "measure": "estimated_hours,logged_hours", "aggregation": "sum"}'),
    ('project-time-billable-report', 'Billable time by project', 'report_project_time_billable_report', true,
     '{"kind": "stacked", "dimension": "project", "measure": "billable_hours,unbillable_hours", "aggregation": "sum", "sort": "-billable_hours", "limit": "12"}'),
    ('staff-billable-time-report', 'Billable time by staff', 'report_staff_billable_time_report', true,
     '{"kind": "stacked", "dimension": "staff", "measure": "billable_hours,unbillable_hours", "aggregation": "sum", "sort": "-billable_hours", "limit": "12"}'),
    ('invoices', 'Invoices', 'report_invoices', true,
     '{"kind": "stacked", "dimension": "status_name", "period": "monthly", "date": "date", "measure": "total", "aggregation": "sum"}');
"#;

const DOWN: &str = "drop table reports";
