//! Projects, tasks, time, leads and tickets.

use super::super::ANCHOR;
use super::table;
use std::collections::HashSet;

#[test]
fn timesheets_lie_inside_their_task_s_dates() {
    let assigned: HashSet<(&str, &str)> = table("task_assignees")
        .iter()
        .map(|row| (row.text("task_id"), row.text("staff_id")))
        .collect();
    for entry in table("timesheets").iter() {
        let task = table("tasks").number(entry.text("task_id"));
        let staff = table("staffs").number(entry.text("staff_id"));
        let (start, end) = (entry.text("start_time"), entry.text("end_time"));
        assert!(start < end && entry.date("start_time") == entry.date("end_time"));
        assert!(
            task.date("start_date") <= entry.date("start_time")
                && entry.date("end_time") <= task.date("due_date"),
            "{:?}",
            entry.values
        );
        assert!(
            task.maybe("finished_at")
                .is_none_or(|finished| end <= finished)
        );
        assert!(end < ANCHOR.to_string().as_str());
        assert!(assigned.contains(&(entry.text("task_id"), entry.text("staff_id"))));
        assert!(
            staff.date("hired_on") <= entry.date("start_time")
                && staff
                    .maybe("left_on")
                    .is_none_or(|left| entry.date("end_time") <= left)
        );
        assert_eq!(
            entry.cents("hourly_rate"),
            if entry.text("billable") == "t" {
                staff.cents("hourly_rate")
            } else {
                0
            }
        );
    }
}

#[test]
fn tasks_lie_inside_their_project_and_milestone() {
    let members: HashSet<(&str, &str)> = table("project_members")
        .iter()
        .map(|row| (row.text("project_id"), row.text("staff_id")))
        .collect();
    for task in table("tasks").iter() {
        assert_eq!(
            task.text("status") == "5",
            task.maybe("finished_at").is_some()
        );
        assert!(task.date("start_date") <= task.date("due_date"));
        if task.text("rel_type") != "project" {
            assert_eq!(task.maybe("milestone_id"), None);
            continue;
        }
        let project = table("projects").number(task.text("rel_id"));
        let milestone = table("milestones").number(task.text("milestone_id"));
        assert_eq!(milestone.text("project_id"), project.text("id"));
        assert!(
            project.date("start_date") <= task.date("start_date")
                && task.date("due_date") <= project.date("deadline")
        );
        assert!(
            milestone.date("start_date") <= task.date("start_date")
                && task.date("due_date") <= milestone.date("due_date")
        );
        if let Some(end) = project.maybe("finished_on") {
            assert!(task.date("finished_at") <= end);
        }
        assert!(members.contains(&(project.text("id"), task.text("created_by_id"))));
    }
    for row in table("task_assignees").iter() {
        let task = table("tasks").number(row.text("task_id"));
        assert!(
            task.text("rel_type") != "project"
                || members.contains(&(task.text("rel_id"), row.text("staff_id")))
        );
    }
}

#[test]
fn progress_is_the_share_of_complete_tasks() {
    let anchor = ANCHOR.to_string();
    let milestones = table("tasks").by("milestone_id");
    let mut tasks = table("tasks").by("rel_id");
    for tasks in tasks.values_mut() {
        tasks.retain(|task| task.text("rel_type") == "project");
    }
    for project in table("projects").iter() {
        let tasks = &tasks[project.text("id")];
        let complete = tasks
            .iter()
            .filter(|task| task.text("status") == "5")
            .count();
        assert_eq!(
            project.text("progress").parse::<usize>().unwrap(),
            (complete * 100 + tasks.len() / 2) / tasks.len()
        );
        let finished = project.text("status") == "4";
        assert_eq!(finished, project.maybe("finished_on").is_some());
        assert!(
            !finished || complete == tasks.len() && project.date("finished_on") < anchor.as_str()
        );
        assert_eq!(
            project.text("status") == "1",
            project.date("start_date") >= anchor.as_str()
        );
    }
    for milestone in table("milestones").iter() {
        let tasks = &milestones[milestone.text("id")];
        let last = tasks
            .iter()
            .map(|task| task.maybe("finished_at").map(|at| &at[..10]))
            .collect::<Option<Vec<_>>>();
        assert_eq!(
            milestone.maybe("completed_on"),
            last.and_then(|days| days.into_iter().max())
        );
    }
}

#[test]
fn a_closed_ticket_has_its_last_reply_before_the_closing() {
    let replies = table("ticket_replies").by("ticket_id");
    let mut open = 0;
    for ticket in table("tickets").iter() {
        let closed = ticket.maybe("closed_at");
        assert_eq!(ticket.text("status") == "5", closed.is_some());
        open += usize::from(closed.is_none());
        let replies = replies
            .get(ticket.text("id"))
            .map_or(&[][..], Vec::as_slice);
        assert_eq!(
            ticket.maybe("last_reply_at"),
            replies.last().map(|reply| reply.text("created_at"))
        );
        assert!(closed.is_none_or(|closed| closed >= replies.last().unwrap().text("created_at")));
        assert!(ticket.maybe("rating").is_none() || closed.is_some());
        let mut before = ticket.text("created_at");
        for reply in replies {
            assert!(before < reply.text("created_at"), "{:?}", ticket.values);
            before = reply.text("created_at");
            assert_ne!(
                reply.maybe("contact_id").is_some(),
                reply.maybe("staff_id").is_some()
            );
            assert!(
                reply
                    .maybe("contact_id")
                    .is_none_or(|contact| contact == ticket.text("contact_id"))
            );
            assert!(reply.text("is_internal") == "f" || reply.maybe("staff_id").is_some());
        }
        let contact = table("contacts").number(ticket.text("contact_id"));
        assert_eq!(contact.text("clientid"), ticket.text("clientid"));
        if let Some(project) = ticket.maybe("project_id") {
            assert_eq!(
                table("projects").number(project).text("clientid"),
                ticket.text("clientid")
            );
        }
    }
    assert!(open > 5, "only {open} tickets are open");
}

#[test]
fn won_leads_are_clients() {
    for lead in table("leads").iter() {
        let won = lead.text("status") == "won";
        assert_eq!(won, lead.maybe("clientid").is_some());
        assert_eq!(won, lead.maybe("converted_at").is_some());
        assert_eq!(
            lead.text("status") == "lost",
            lead.maybe("lost_reason").is_some()
        );
        if won {
            let client = table("clients").number(lead.text("clientid"));
            assert_eq!(client.date("created_at"), lead.date("converted_at"));
            assert!(client.text("name").starts_with(lead.text("company")));
        }
    }
}

#[test]
fn a_client_has_one_contact_to_turn_to_first() {
    let contacts = table("contacts").by("clientid");
    for client in table("clients").iter() {
        let primary = contacts[client.text("id")]
            .iter()
            .filter(|contact| contact.text("is_primary") == "t")
            .count();
        assert_eq!(primary, 1);
    }
}

#[test]
fn nothing_is_older_than_its_client_and_numbers_follow_time() {
    for name in [
        "contacts",
        "projects",
        "contracts",
        "estimates",
        "invoices",
        "tickets",
    ] {
        let mut before = "";
        for row in table(name).iter() {
            let client = table("clients").number(row.text("clientid"));
            assert!(
                client.date("created_at") <= row.date("created_at"),
                "{name} {:?}",
                row.values
            );
            assert!(
                name == "contacts" || client.text("created_at") <= row.text("created_at"),
                "{name} {:?}",
                row.values
            );
            assert!(
                name == "contacts" || before <= row.date("created_at"),
                "{name} {:?}",
                row.values
            );
            before = row.date("created_at");
        }
    }
}
