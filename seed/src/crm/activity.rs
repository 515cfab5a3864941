//! The log of what happened: picked from the other tables' rows, in the order of time.

use super::calendar::{Moment, TODAY};
use super::{Crm, Table, estimates, invoices, people};
use crate::dice::Dice;
use crate::lines::{Json, Line};
use crate::values::network;

pub(super) const ACTIVITY_LOG: Table = Table {
    name: "activity_log",
    columns: &[
        "id",
        "action",
        "description",
        "rel_type",
        "rel_id",
        "staff_id",
        "ip_address",
        "details",
        "created_at",
    ],
    parents: |crm| (ENTRIES * crm.scale).div_ceil(BATCH),
    children: Some(|crm, batch| BATCH.min(ENTRIES * crm.scale - batch * BATCH)),
    write: write_batch,
};

/// Entries at scale 1.
const ENTRIES: usize = 2200;

/// Entries that are put in order together; between batches the order follows from how the events are picked.
const BATCH: usize = 100;

/// Something that happened.
struct Event {
    at: Moment,
    action: &'static str,
    text: String,
    rel: (&'static str, usize),
    staff: Option<usize>,
    amount: Option<i64>,
}

fn write_batch(crm: &Crm, batch: usize, first: u64, out: &mut Vec<u8>) {
    let total = ENTRIES * crm.scale;
    let mut events: Vec<(Event, Dice)> = (batch * BATCH..((batch + 1) * BATCH).min(total))
        .map(|index| {
            let mut dice = crm.dice("activity", index);
            let share = (index as f64 + dice.unit()) / total as f64;
            (event(crm, share, &mut dice), dice)
        })
        .collect();
    events.sort_by_key(|(event, _)| event.at);
    for (index, (event, mut dice)) in events.into_iter().enumerate() {
        let source = dice.pick(&["web", "web", "web", "api", "mobile"]);
        let line = &mut Line::new(out);
        line.id(Some(first + index as u64))
            .text(event.action)
            .text(&event.text)
            .text(event.rel.0)
            .id(Some(event.rel.1 as u64 + 1))
            .id(event.staff.map(|staff| staff as u64 + 1));
        match event.staff {
            Some(_) => line.text(&network::address(&mut dice)),
            None => line.null(),
        };
        match event.amount {
            Some(cents) => line.object(&[
                ("source", Json::Text(source)),
                (
                    "amount",
                    Json::Text(&format!("{}.{:02}", cents / 100, cents % 100)),
                ),
            ]),
            None => line.object(&[(
                "source",
                Json::Text(if event.staff.is_some() {
                    source
                } else {
                    "system"
                }),
            )]),
        };
        line.at(event.at).end();
    }
}

/// Something that happened about when this share of all had.
fn event(crm: &Crm, share: f64, dice: &mut Dice) -> Event {
    let at = |len: usize| ((share * len as f64) as usize).min(len - 1);
    match dice.weighted(&[10, 8, 12, 6, 22, 12, 14, 16]) {
        0 => {
            let index = at(crm.leads.len());
            let lead = crm.lead(index);
            Event {
                at: lead.created,
                action: "lead.created",
                text: format!(
                    "New lead {} {} of {}",
                    lead.person.first, lead.person.last, lead.company
                ),
                rel: ("lead", index),
                staff: Some(lead.owner),
                amount: None,
            }
        }
        1 => {
            let index = at(crm.leads.len());
            let lead = crm.lead(index);
            let (action, verb) = if lead.status == "won" {
                ("lead.won", "won")
            } else {
                ("lead.lost", "lost")
            };
            match lead.decided {
                Some(at) => Event {
                    at,
                    action,
                    text: format!("Lead {} {verb}", lead.company),
                    rel: ("lead", index),
                    staff: Some(lead.owner),
                    amount: None,
                },
                None => Event {
                    at: lead.created.plus(30),
                    action: "lead.assigned",
                    text: format!(
                        "Lead {} assigned to {}",
                        lead.company,
                        crm.first_name(lead.owner)
                    ),
                    rel: ("lead", index),
                    staff: Some(lead.owner),
                    amount: None,
                },
            }
        }
        2 => {
            let index = at(crm.projects.len());
            let project = crm.project(index);
            let name = crm.project_name(index, &project);
            if project.status == super::projects::FINISHED && dice.chance(50) {
                let at = project.end.at(19 * 60 + 5, dice.days(0, 59));
                return Event {
                    at,
                    action: "project.finished",
                    text: format!("Project \"{name}\" finished"),
                    rel: ("project", index),
                    staff: Some(project.team[0]),
                    amount: None,
                };
            }
            Event {
                at: project.created,
                action: "project.created",
                text: format!(
                    "Project \"{name}\" opened for {}",
                    crm.company(project.client).name
                ),
                rel: ("project", index),
                staff: Some(project.team[0]),
                amount: None,
            }
        }
        3 => {
            let index = at(crm.contracts.len());
            let contract = crm.contract(index);
            let client = crm.company(contract.client).name;
            match contract.signed {
                Some(at) => Event {
                    at,
                    action: "contract.signed",
                    text: format!("{client} signed \"{}\"", contract.subject),
                    rel: ("contract", index),
                    staff: None,
                    amount: Some(contract.fee),
                },
                None => Event {
                    at: contract.created,
                    action: "contract.created",
                    text: format!("Contract \"{}\" drawn up for {client}", contract.subject),
                    rel: ("contract", index),
                    staff: Some(contract.owner),
                    amount: None,
                },
            }
        }
        4 => {
            let index = at(crm.invoices.len());
            let invoice = crm.invoice(index);
            let number = format!("INV-{:06}", index + 1);
            let finance = crm.colleague(dice, people::FINANCE, invoice.day, TODAY);
            match (invoice.payments.last(), invoice.sent) {
                (Some((day, cents)), _) if dice.chance(55) => Event {
                    at: day.at(18 * 60 + 5, dice.days(0, 59)),
                    action: "payment.recorded",
                    text: format!("Payment received for {number}"),
                    rel: ("invoice", index),
                    staff: Some(finance),
                    amount: Some(*cents),
                },
                (_, Some(at)) if invoice.status != invoices::CANCELLED => Event {
                    at,
                    action: "invoice.sent",
                    text: format!(
                        "Invoice {number} sent to {}",
                        crm.company(invoice.client).name
                    ),
                    rel: ("invoice", index),
                    staff: Some(finance),
                    amount: Some(invoice.sums.total()),
                },
                _ => Event {
                    at: invoice.created,
                    action: "invoice.created",
                    text: format!("Invoice {number} created"),
                    rel: ("invoice", index),
                    staff: Some(finance),
                    amount: Some(invoice.sums.total()),
                },
            }
        }
        5 => {
            let index = at(crm.estimates.len());
            let estimate = crm.estimate(index);
            let number = format!("EST-{:06}", index + 1);
            match estimate.decided {
                Some(at) => {
                    let (action, verb) = if estimate.status == estimates::ACCEPTED {
                        ("estimate.accepted", "accepted")
                    } else {
                        ("estimate.declined", "declined")
                    };
                    Event {
                        at,
                        action,
                        text: format!("{} {verb} {number}", crm.company(estimate.client).name),
                        rel: ("estimate", index),
                        staff: None,
                        amount: Some(estimate.sums.total()),
                    }
                }
                None => Event {
                    at: estimate.created,
                    action: "estimate.created",
                    text: format!("Estimate {number} created"),
                    rel: ("estimate", index),
                    staff: Some(estimate.agent),
                    amount: Some(estimate.sums.total()),
                },
            }
        }
        6 => {
            let index = at(crm.tickets.len());
            let ticket = crm.ticket(index);
            match ticket.closed {
                Some(at) if dice.chance(50) => Event {
                    at,
                    action: "ticket.closed",
                    text: format!("Ticket #{} closed", index + 1),
                    rel: ("ticket", index),
                    staff: Some(ticket.agent),
                    amount: None,
                },
                _ => Event {
                    at: ticket.created,
                    action: "ticket.opened",
                    text: format!(
                        "Ticket #{} opened by {}: {}",
                        index + 1,
                        crm.company(ticket.client).name,
                        ticket.topic.name
                    ),
                    rel: ("ticket", index),
                    staff: None,
                    amount: None,
                },
            }
        }
        _ => {
            let index = at(crm.projects.len());
            let tasks = crm.tasks(index);
            let place = dice.below(tasks.len());
            let task = &tasks[place];
            let id = crm.first("tasks", index) as usize - 1 + place;
            match task.finished {
                Some(at) => Event {
                    at,
                    action: "task.completed",
                    text: format!("Task \"{}\" completed", task.name),
                    rel: ("task", id),
                    staff: Some(task.assignees[0]),
                    amount: None,
                },
                None => Event {
                    at: task.created,
                    action: "task.created",
                    text: format!("Task \"{}\" created", task.name),
                    rel: ("task", id),
                    staff: Some(task.assignees[0]),
                    amount: None,
                },
            }
        }
    }
}
