//! The rules that the loaded data keeps, as SQL, and the statements that follow a load.

use super::Crm;

/// SQL, to be run after the rows are in, that puts every sequence behind the highest number in use.
pub fn finish() -> String {
    let mut sql = String::new();
    let mut after = |table: &str, column: &str| {
        sql.push_str(&format!(
            "select setval(pg_get_serial_sequence('public.{table}', '{column}'), (select max(id) from public.{table}));\n"
        ));
    };
    for table in Crm::tables() {
        if table.columns[0] == "id" {
            after(table.name, "id");
        }
        if table.columns.contains(&"number") {
            after(table.name, "number");
        }
    }
    sql
}

/// What must hold, and a query that counts the rows which break it. The day that counts as today is [`super::ANCHOR`].
pub const CHECKS: &[(&str, &str)] = &[
    (
        "an invoice's total is its subtotal plus tax, and these are the sums of its items",
        "select count(*) from public.invoices i
         left join (select invoice_id, sum(line_total) as net, sum(tax_amount) as tax from public.invoice_items group by invoice_id) s on s.invoice_id = i.id
         where i.total <> i.subtotal + i.total_tax or i.subtotal is distinct from s.net or i.total_tax is distinct from s.tax or i.total <= 0",
    ),
    (
        "an estimate's total is its subtotal plus tax, and these are the sums of its items",
        "select count(*) from public.estimates e
         left join (select estimate_id, sum(line_total) as net, sum(tax_amount) as tax from public.estimate_items group by estimate_id) s on s.estimate_id = e.id
         where e.total <> e.subtotal + e.total_tax or e.subtotal is distinct from s.net or e.total_tax is distinct from s.tax or e.total <= 0",
    ),
    (
        "payments never exceed their invoice, and lie between its date and the anchor",
        "select (select count(*) from (select 1 from public.invoices i join public.payments p on p.invoice_id = i.id group by i.id having sum(p.amount) > i.total) x)
              + (select count(*) from public.payments p join public.invoices i on i.id = p.invoice_id where p.date < i.date or p.date >= date '2026-11-01')",
    ),
    (
        "an invoice's status follows from its dates and payments",
        "select count(*) from public.invoices i
         left join (select invoice_id, sum(amount) as paid from public.payments group by invoice_id) p on p.invoice_id = i.id
         where case i.status
               when 1 then p.paid is null and i.due_date >= date '2026-11-01' and i.sent_at is not null
               when 2 then p.paid = i.total
               when 3 then p.paid < i.total and i.due_date >= date '2026-11-01'
               when 4 then coalesce(p.paid, 0) < i.total and i.due_date < date '2026-11-01' and i.sent_at is not null
               when 5 then p.paid is null
               when 6 then p.paid is null and i.sent_at is null
               end is not true",
    ),
    (
        "an estimate's status follows from its dates",
        "select count(*) from public.estimates
         where case status
               when 1 then sent_at is null and decided_at is null
               when 2 then sent_at is not null and decided_at is null and expiry_date >= date '2026-11-01'
               when 3 then decided_at >= sent_at
               when 4 then decided_at >= sent_at and project_id is not null
               when 5 then sent_at is not null and decided_at is null and expiry_date < date '2026-11-01'
               end is not true",
    ),
    (
        "a project's budget is the subtotal of the estimate that it was sold with, and no more than that is billed",
        "select (select count(*) from public.projects p left join public.estimates e on e.project_id = p.id
                 where p.budget <> coalesce(e.subtotal, 0) or p.clientid <> e.clientid or (p.billing_type = 'internal') <> (e.id is null))
              + (select count(*) from (select 1 from public.projects p join public.invoices i on i.project_id = p.id group by p.id having sum(i.subtotal) > p.budget) x)",
    ),
    (
        "an invoice belongs to the client of its project or contract, and a contract is billed within its term",
        "select (select count(*) from public.invoices i join public.projects p on p.id = i.project_id where i.clientid <> p.clientid or i.date < p.start_date)
              + (select count(*) from public.invoices i join public.contracts k on k.id = i.contract_id
                 where i.clientid <> k.clientid or i.date < k.start_date or i.date > k.end_date or k.signed_at is null)",
    ),
    (
        "a credit note is for the client of its invoice, no larger and no earlier, and open only with a rest",
        "select count(*) from public.credit_notes n join public.invoices i on i.id = n.invoice_id
         where n.clientid <> i.clientid or n.total > i.total or n.total <= 0 or n.date < i.date or n.date >= date '2026-11-01'
            or (n.status = 1) <> (n.remaining > 0) or n.remaining > n.total or i.status not in (2, 5)",
    ),
    (
        "timesheets lie inside their task's dates, and before it was finished",
        "select count(*) from public.timesheets w join public.tasks t on t.id = w.task_id
         where (w.start_time at time zone 'UTC')::date < t.start_date or (w.end_time at time zone 'UTC')::date > t.due_date or w.end_time > t.finished_at
            or (w.start_time at time zone 'UTC')::date <> (w.end_time at time zone 'UTC')::date or w.end_time >= timestamptz '2026-11-01 00:00+00'",
    ),
    (
        "who enters time on a task is assigned to it, works here on that day, and at the list price",
        "select count(*) from public.timesheets w join public.staffs s on s.id = w.staff_id
         left join public.task_assignees a on a.task_id = w.task_id and a.staff_id = w.staff_id
         where a.task_id is null or (w.start_time at time zone 'UTC')::date < s.hired_on or (w.start_time at time zone 'UTC')::date > s.left_on
            or w.hourly_rate <> case when w.billable then s.hourly_rate else 0 end",
    ),
    (
        "who is assigned to a project's task is a member of the project, and a manager is one too",
        "select (select count(*) from public.task_assignees a join public.tasks t on t.id = a.task_id
                 left join public.project_members m on m.project_id = t.project_id and m.staff_id = a.staff_id
                 where t.project_id is not null and m.project_id is null)
              + (select count(*) from public.projects p left join public.project_members m on m.project_id = p.id and m.staff_id = p.manager_id and m.role = 'manager'
                 where m.project_id is null)",
    ),
    (
        "a project's tasks lie within it, in milestones of the same project",
        "select count(*) from public.tasks t join public.projects p on p.id = t.project_id left join public.milestones m on m.id = t.milestone_id
         where t.start_date < p.start_date or t.due_date > p.deadline or m.project_id is distinct from t.project_id
            or t.start_date < m.start_date or t.due_date > m.due_date or (t.finished_at at time zone 'UTC')::date > p.finished_on",
    ),
    (
        "a task is complete if it is finished, and neither before it began nor in the future",
        "select count(*) from public.tasks
         where (status = 5) <> (finished_at is not null) or (finished_at at time zone 'UTC')::date < start_date or finished_at >= timestamptz '2026-11-01 00:00+00'",
    ),
    (
        "a project's progress is the share of its complete tasks, and it is finished with the last of them",
        "select count(*) from public.projects p
         join (select project_id, round(100.0 * count(*) filter (where status = 5) / count(*)) as share from public.tasks where project_id is not null group by project_id) t on t.project_id = p.id
         where p.progress <> t.share or (p.status = 4) <> (p.finished_on is not null) or (p.status = 4 and p.progress <> 100)
            or p.finished_on >= date '2026-11-01' or (p.status = 1) <> (p.start_date >= date '2026-11-01')",
    ),
    (
        "a milestone is completed on the day of the last of its tasks",
        "select count(*) from public.milestones m
         join (select milestone_id, max((finished_at at time zone 'UTC')::date) as last, bool_and(status = 5) as complete
               from public.tasks where milestone_id is not null group by milestone_id) t on t.milestone_id = m.id
         where m.completed_on is distinct from case when t.complete then t.last end",
    ),
    (
        "a closed ticket has its last reply before the closing, and no other ticket is closed",
        "select count(*) from public.tickets where (status = 5) <> (closed_at is not null) or closed_at < last_reply_at or (rating is not null and status <> 5)",
    ),
    (
        "a ticket's last reply is the last of its replies, none before the ticket, and the contact is the client's",
        "select (select count(*) from public.tickets t left join (select ticket_id, min(created_at) as first, max(created_at) as last from public.ticket_replies group by ticket_id) r on r.ticket_id = t.id
                 where t.last_reply_at is distinct from r.last or r.first <= t.created_at)
              + (select count(*) from public.tickets t left join public.contacts c on c.id = t.contact_id left join public.projects p on p.id = t.project_id
                 where c.clientid is distinct from t.clientid or (p.id is not null and p.clientid <> t.clientid))
              + (select count(*) from public.ticket_replies r join public.tickets t on t.id = r.ticket_id
                 where num_nonnulls(r.contact_id, r.staff_id) <> 1 or r.contact_id <> t.contact_id or (r.is_internal and r.staff_id is null))",
    ),
    (
        "a won lead became the client that it names, at the time of its winning",
        "select count(*) from public.leads l left join public.clients c on c.id = l.clientid
         where (l.status = 'won') <> (l.clientid is not null) or (l.status = 'won') <> (l.converted_at is not null)
            or (l.status = 'lost') <> (l.lost_reason is not null) or (l.converted_at at time zone 'UTC')::date <> (c.created_at at time zone 'UTC')::date",
    ),
    (
        "every client has one contact to turn to first",
        "select count(*) from public.clients c where (select count(*) from public.contacts k where k.clientid = c.id and k.is_primary) <> 1",
    ),
    (
        "an expense for a project is for its client and falls into its time",
        "select count(*) from public.expenses e join public.projects p on p.id = e.project_id
         where e.clientid is distinct from p.clientid or e.date < p.start_date or e.date > p.finished_on",
    ),
    (
        "nothing is older than the client that it is for",
        "select (select count(*) from public.contacts x join public.clients c on c.id = x.clientid where (x.created_at at time zone 'UTC')::date < (c.created_at at time zone 'UTC')::date)
              + (select count(*) from public.projects x join public.clients c on c.id = x.clientid where x.created_at < c.created_at)
              + (select count(*) from public.contracts x join public.clients c on c.id = x.clientid where x.created_at < c.created_at)
              + (select count(*) from public.estimates x join public.clients c on c.id = x.clientid where x.created_at < c.created_at)
              + (select count(*) from public.invoices x join public.clients c on c.id = x.clientid where x.created_at < c.created_at)
              + (select count(*) from public.tickets x join public.clients c on c.id = x.clientid where x.created_at < c.created_at)",
    ),
    (
        "what is pointed at by kind and number exists",
        "with rel as (select rel_type, rel_id, created_at from public.tasks union all select rel_type, rel_id, created_at from public.notes union all select rel_type, rel_id, created_at from public.activity_log),
              known as (select 'client' as kind, id, created_at from public.clients union all select 'lead', id, created_at from public.leads
                        union all select 'project', id, created_at from public.projects union all select 'invoice', id, created_at from public.invoices
                        union all select 'estimate', id, created_at from public.estimates union all select 'contract', id, created_at from public.contracts
                        union all select 'ticket', id, created_at from public.tickets union all select 'task', id, created_at from public.tasks)
         select count(*) from rel left join known on known.kind = rel.rel_type and known.id = rel.rel_id where known.id is null or known.created_at > rel.created_at",
    ),
    (
        "mail addresses and web sites are at the top level kept for examples",
        "with mail as (select email from public.users union all select email from public.staffs union all select email from public.departments
                       union all select email from public.clients union all select email from public.contacts union all select email from public.leads)
         select (select count(*) from mail where email !~ '^[a-z0-9.]+@[a-z0-9]+[.]example$')
              + (select count(*) from public.clients where website !~ '^https://www[.][a-z0-9]+[.]example$')",
    ),
    (
        "phone numbers are of blocks kept for fiction",
        "with phone as (select phonenumber as n from public.staffs union all select phonenumber from public.clients union all select phonenumber from public.contacts union all select phonenumber from public.leads)
         select count(*) from phone where n !~ '^[+](1 [2-9][0-9]{2} 555 01[0-9]{2}|44 20 7946 0[0-9]{3}|44 1[0-9]{2} 496 0[0-9]{3}|44 7700 900[0-9]{3}|49 (30 23125|69 90009|40 66969|89 99998)[0-9]{3}|49 221 4710[0-9]{3}|49 171 39200[0-9]{2}|33 (1 99 00|2 61 91|3 53 01|4 65 71|5 36 49|6 39 98) [0-9]{2} [0-9]{2}|61 [2378] 5550 [0-9]{4})$'",
    ),
    (
        "network addresses are of ranges kept for documentation",
        "with address as (select last_ip as a from public.staffs union all select ip_address from public.activity_log)
         select count(*) from address where not (a << '192.0.2.0/24' or a << '198.51.100.0/24' or a << '203.0.113.0/24' or a << '2001:db8::/32')",
    ),
    (
        "no row was made in the future, or changed before it was made",
        "with stamps as (
            select created_at, updated_at from public.users union all select created_at, updated_at from public.staffs union all select created_at, updated_at from public.clients
            union all select created_at, updated_at from public.contacts union all select created_at, updated_at from public.leads union all select created_at, updated_at from public.projects
            union all select created_at, updated_at from public.project_members union all select created_at, updated_at from public.milestones union all select created_at, updated_at from public.tasks
            union all select created_at, updated_at from public.task_assignees union all select created_at, updated_at from public.timesheets union all select created_at, updated_at from public.contracts
            union all select created_at, updated_at from public.estimates union all select created_at, updated_at from public.estimate_items union all select created_at, updated_at from public.invoices
            union all select created_at, updated_at from public.invoice_items union all select created_at, updated_at from public.payments union all select created_at, updated_at from public.credit_notes
            union all select created_at, updated_at from public.expenses union all select created_at, updated_at from public.tickets union all select created_at, updated_at from public.ticket_replies
            union all select created_at, updated_at from public.notes union all select created_at, created_at from public.activity_log)
         select count(*) from stamps where updated_at < created_at or updated_at >= timestamptz '2026-11-01 00:00+00' or created_at < timestamptz '2023-11-01 00:00+00'",
    ),
    (
        "numbers follow time: the highest is the latest",
        "select (select count(*) from (select date < lag(date) over (order by id) as back from public.invoices) x where back)
              + (select count(*) from (select date < lag(date) over (order by id) as back from public.estimates) x where back)
              + (select count(*) from (select (created_at at time zone 'UTC')::date < lag((created_at at time zone 'UTC')::date) over (order by id) as back from public.projects) x where back)
              + (select count(*) from (select (created_at at time zone 'UTC')::date < lag((created_at at time zone 'UTC')::date) over (order by id) as back from public.clients) x where back)
              + (select count(*) from (select (created_at at time zone 'UTC')::date < lag((created_at at time zone 'UTC')::date) over (order by id) as back from public.tickets) x where back)",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anchor_in_the_queries_is_the_anchor() {
        let anchor = super::super::ANCHOR.to_string();
        for (what, sql) in CHECKS {
            for (place, _) in sql.match_indices("date '") {
                assert_eq!(sql[place + 6..].get(..10), Some(anchor.as_str()), "{what}");
            }
        }
    }

    #[test]
    fn every_table_with_numbers_of_its_own_has_its_sequence_set() {
        assert_eq!(finish().lines().count(), 25 + 3);
    }
}
