//! Views behind the seeded reports. A report's view is named `report_` and its slug, with `_` for `-`.

use sea_orm_migration::prelude::*;

/// This step.
#[derive(Debug, DeriveMigrationName)]
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

/// Each view has words to group by, amounts to add up and one date, and nothing that depends on today: the same rows
/// give the same report on any day.
const UP: &str = r#"
create view public.report_invoices as
select i.id as invoice_id, i.number, i.date, i.due_date, i.status,
       case i.status when 1 then 'unpaid' when 2 then 'paid' when 3 then 'partially paid'
                     when 4 then 'overdue' when 5 then 'cancelled' when 6 then 'draft' end as status_name,
       c.id as clientid, c.name as client, c.industry, n.name as country, u.code as currency, s.full_name as sale_agent,
       case when i.contract_id is not null then 'contract' when i.project_id is not null then 'project' else 'other' end as origin,
       i.subtotal, i.total_tax, i.total, coalesce(p.paid, 0) as amount_paid,
       case when i.status in (5, 6) then 0 else i.total - coalesce(p.paid, 0) end as balance
from public.invoices i
join public.clients c on c.id = i.clientid
join public.currencies u on u.id = i.currency_id
left join public.countries n on n.id = c.country_id
left join public.staffs s on s.id = i.sale_agent_id
left join (select invoice_id, sum(amount) as paid from public.payments group by invoice_id) p on p.invoice_id = i.id;
comment on view public.report_invoices is 'Invoices with what was paid and what is owed';

create view public.report_collection_efficiency_by_invoice as
select i.id as invoice_id, i.number, i.date, i.due_date, i.status,
       case i.status when 1 then 'unpaid' when 2 then 'paid' when 3 then 'partially paid' when 4 then 'overdue' end as status_name,
       c.id as clientid, c.name as client, n.name as country,
       i.total, coalesce(p.paid, 0) as collected, i.total - coalesce(p.paid, 0) as outstanding,
       case when i.total > 0 then round(100 * coalesce(p.paid, 0) / i.total, 1) end as collected_percent,
       coalesce(p.payments, 0) as payments, p.first_on as first_payment_on, p.last_on as last_payment_on,
       case when i.status = 2 then p.last_on - i.date end as days_to_pay,
       case when i.status = 2 and p.last_on > i.due_date then p.last_on - i.due_date when i.status = 2 then 0 end as days_late,
       case when i.status = 2 then p.last_on <= i.due_date end as paid_on_time
from public.invoices i
join public.clients c on c.id = i.clientid
left join public.countries n on n.id = c.country_id
left join (select invoice_id, sum(amount) as paid, count(*) as payments, min(date) as first_on, max(date) as last_on
           from public.payments group by invoice_id) p on p.invoice_id = i.id
where i.status between 1 and 4;
comment on view public.report_collection_efficiency_by_invoice is 'How much of each invoice that was sent has been collected, and how fast';

create view public.report_project_progress_overview as
select p.id as project_id, p.name as project, c.id as clientid, c.name as client, m.full_name as manager, p.billing_type, p.status,
       case p.status when 1 then 'not started' when 2 then 'in progress' when 3 then 'on hold'
                     when 4 then 'finished' when 5 then 'cancelled' end as status_name,
       p.start_date, p.deadline, p.finished_on, p.progress,
       coalesce(t.tasks, 0) as tasks, coalesce(t.complete, 0) as tasks_complete, coalesce(t.tasks - t.complete, 0) as tasks_open,
       coalesce(s.milestones, 0) as milestones, coalesce(s.complete, 0) as milestones_complete,
       coalesce(t.estimated_hours, 0) as estimated_hours, coalesce(h.hours, 0) as logged_hours,
       p.budget, coalesce(v.invoiced, 0) as invoiced,
       case when p.budget > 0 then round(100 * coalesce(v.invoiced, 0) / p.budget, 1) end as invoiced_percent
from public.projects p
join public.clients c on c.id = p.clientid
left join public.staffs m on m.id = p.manager_id
left join (select project_id, count(*) as tasks, count(*) filter (where status = 5) as complete, sum(estimated_hours) as estimated_hours
           from public.tasks where project_id is not null group by project_id) t on t.project_id = p.id
left join (select project_id, count(*) as milestones, count(completed_on) as complete
           from public.milestones group by project_id) s on s.project_id = p.id
left join (select t.project_id, sum(w.hours) as hours
           from public.timesheets w join public.tasks t on t.id = w.task_id group by t.project_id) h on h.project_id = p.id
left join (select project_id, sum(subtotal) as invoiced
           from public.invoices where status <> 5 group by project_id) v on v.project_id = p.id;
comment on view public.report_project_progress_overview is 'Progress, effort and billing of each project';

create view public.report_project_time_billable_report as
select p.id as project_id, p.name as project, c.id as clientid, c.name as client, p.billing_type,
       (w.start_time at time zone 'UTC')::date as date,
       count(*) as entries, sum(w.hours) as hours,
       coalesce(sum(w.hours) filter (where w.billable), 0) as billable_hours,
       coalesce(sum(w.hours) filter (where not w.billable), 0) as unbillable_hours,
       coalesce(sum(round(w.hours * w.hourly_rate, 2)) filter (where w.billable), 0) as billable_amount
from public.timesheets w
join public.tasks t on t.id = w.task_id
join public.projects p on p.id = t.project_id
join public.clients c on c.id = p.clientid
group by p.id, c.id, (w.start_time at time zone 'UTC')::date;
comment on view public.report_project_time_billable_report is 'Time spent on each project, day by day';

create view public.report_staff_billable_time_report as
select s.id as staff_id, s.full_name as staff, d.name as department, s.job_title,
       (w.start_time at time zone 'UTC')::date as date,
       count(*) as entries, sum(w.hours) as hours,
       coalesce(sum(w.hours) filter (where w.billable), 0) as billable_hours,
       coalesce(sum(w.hours) filter (where not w.billable), 0) as unbillable_hours,
       coalesce(sum(round(w.hours * w.hourly_rate, 2)) filter (where w.billable), 0) as billable_amount
from public.timesheets w
join public.staffs s on s.id = w.staff_id
left join public.departments d on d.id = s.department_id
group by s.id, d.id, (w.start_time at time zone 'UTC')::date;
comment on view public.report_staff_billable_time_report is 'Time spent by each member of staff, day by day';
"#;

const DOWN: &str = "
drop view public.report_staff_billable_time_report;
drop view public.report_project_time_billable_report;
drop view public.report_project_progress_overview;
drop view public.report_collection_efficiency_by_invoice;
drop view public.report_invoices;
";
