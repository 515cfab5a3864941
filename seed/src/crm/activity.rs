//! The log of what happened: events of the other tables' rows, in the order of time.

use super::calendar::{Moment, TODAY};
use super::projects::FINISHED;
use super::{Crm, Table, estimates, people};
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
    parents: |crm| crm.activity.len(),
    children: None,
    write: write_entry,
};

/// An event to be logged: when, of what kind, and of which row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    at: Moment,
    kind: Kind,
    index: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    LeadCreated,
    LeadDecided,
    ProjectCreated,
    ProjectFinished,
    ContractSigned,
    InvoiceSent,
    PaymentRecorded,
    EstimateDecided,
    TicketOpened,
    TicketClosed,
    TaskCompleted,
}

/// Kinds of events with how many of a hundred rows have theirs logged.
const LOGGED: &[(Kind, u32)] = &[
    (Kind::LeadCreated, 28),
    (Kind::LeadDecided, 28),
    (Kind::ProjectCreated, 100),
    (Kind::ProjectFinished, 100),
    (Kind::ContractSigned, 100),
    (Kind::InvoiceSent, 20),
    (Kind::PaymentRecorded, 16),
    (Kind::EstimateDecided, 50),
    (Kind::TicketOpened, 16),
    (Kind::TicketClosed, 12),
    (Kind::TaskCompleted, 100),
];

/// Picks the events and puts them in order.
pub(super) fn plan(crm: &Crm) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (kind, percent) in LOGGED {
        let rows = match kind {
            Kind::LeadCreated | Kind::LeadDecided => crm.leads.len(),
            Kind::ProjectCreated | Kind::ProjectFinished => crm.projects.len(),
            Kind::ContractSigned => crm.contracts.len(),
            Kind::InvoiceSent | Kind::PaymentRecorded => crm.invoices.len(),
            Kind::EstimateDecided => crm.estimates.len(),
            Kind::TicketOpened | Kind::TicketClosed => crm.tickets.len(),
            // One task of each project at most.
            Kind::TaskCompleted => crm.projects.len(),
        };
        for index in 0..rows {
            if crm
                .dice("logged", index * 16 + *kind as usize)
                .chance(*percent)
                && let Some(at) = crm.moment(*kind, index)
            {
                slots.push(Slot {
                    at,
                    kind: *kind,
                    index: index as u32,
                });
            }
        }
    }
    slots.sort();
    slots
}

impl Crm {
    /// When an event of a row happened, if it did.
    fn moment(&self, kind: Kind, index: usize) -> Option<Moment> {
        match kind {
            Kind::LeadCreated => Some(self.lead(index).created),
            Kind::LeadDecided => self.lead(index).decided,
            Kind::ProjectCreated => Some(self.project(index).created),
            Kind::ProjectFinished => {
                let project = self.project(index);
                (project.status == FINISHED).then(|| project.end.at(19 * 60 + 5, 0))
            }
            Kind::ContractSigned => self.contract(index).signed,
            Kind::InvoiceSent => self.invoice(index).sent,
            Kind::PaymentRecorded => self
                .invoice(index)
                .payments
                .last()
                .map(|payment| payment.0.at(19 * 60 + 15, 0)),
            Kind::EstimateDecided => self.estimate(index).decided,
            Kind::TicketOpened => Some(self.ticket(index).created),
            Kind::TicketClosed => self.ticket(index).closed,
            Kind::TaskCompleted => self.logged_task(index).1.finished,
        }
    }

    /// The task of a project whose completion is logged: its place among them, and the task.
    fn logged_task(&self, project: usize) -> (usize, super::tasks::Task) {
        let mut tasks = self.project_tasks(project, self.project(project));
        let place = self.dice("logged task", project).below(tasks.len());
        (place, tasks.swap_remove(place))
    }
}

/// What an entry says.
struct Entry {
    action: &'static str,
    text: String,
    rel: (&'static str, u64),
    /// Who did it, if one of us.
    staff: Option<usize>,
    /// In hundredths.
    amount: Option<i64>,
}

fn write_entry(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let slot = crm.activity[index];
    let mut dice = crm.dice("activity", index);
    let entry = entry(crm, slot, &mut dice);
    let source = if entry.staff.is_some() {
        dice.pick(&["web", "web", "web", "api", "mobile"])
    } else {
        "system"
    };
    let amount = entry
        .amount
        .map(|cents| format!("{}.{:02}", cents / 100, cents % 100));
    let mut details = vec![("source", Json::Text(source))];
    if let Some(amount) = &amount {
        details.push(("amount", Json::Text(amount)));
    }
    let address = entry.staff.map(|_| network::address(&mut dice));
    Line::new(out)
        .id(Some(id))
        .text(entry.action)
        .text(&entry.text)
        .text(entry.rel.0)
        .id(Some(entry.rel.1))
        .id(entry.staff.map(|staff| staff as u64 + 1))
        .maybe(address.as_deref())
        .object(&details)
        .at(slot.at)
        .end();
}

fn entry(crm: &Crm, slot: Slot, dice: &mut crate::dice::Dice) -> Entry {
    let index = slot.index as usize;
    let id = index as u64 + 1;
    match slot.kind {
        Kind::LeadCreated => {
            let lead = crm.lead(index);
            let text = format!(
                "New lead {} {} of {}",
                lead.person.first, lead.person.last, lead.company
            );
            Entry {
                action: "lead.created",
                text,
                rel: ("lead", id),
                staff: Some(lead.owner),
                amount: None,
            }
        }
        Kind::LeadDecided => {
            let lead = crm.lead(index);
            let (action, verb) = if lead.status == "won" {
                ("lead.won", "won")
            } else {
                ("lead.lost", "lost")
            };
            Entry {
                action,
                text: format!("Lead {} {verb}", lead.company),
                rel: ("lead", id),
                staff: Some(lead.owner),
                amount: None,
            }
        }
        Kind::ProjectCreated | Kind::ProjectFinished => {
            let project = crm.project(index);
            let name = crm.project_name(index, project);
            let (action, text) = if slot.kind == Kind::ProjectFinished {
                ("project.finished", format!("Project \"{name}\" finished"))
            } else {
                (
                    "project.created",
                    format!(
                        "Project \"{name}\" opened for {}",
                        crm.company(project.client).name
                    ),
                )
            };
            Entry {
                action,
                text,
                rel: ("project", id),
                staff: Some(project.team[0]),
                amount: None,
            }
        }
        Kind::ContractSigned => {
            let contract = crm.contract(index);
            let text = format!(
                "{} signed \"{}\"",
                crm.company(contract.client).name,
                contract.subject
            );
            Entry {
                action: "contract.signed",
                text,
                rel: ("contract", id),
                staff: None,
                amount: Some(contract.fee),
            }
        }
        Kind::InvoiceSent => {
            let invoice = crm.invoice(index);
            let text = format!(
                "Invoice INV-{id:06} sent to {}",
                crm.company(invoice.client).name
            );
            let staff = crm.colleague(dice, people::FINANCE, invoice.day, TODAY);
            Entry {
                action: "invoice.sent",
                text,
                rel: ("invoice", id),
                staff: Some(staff),
                amount: Some(invoice.sums.total()),
            }
        }
        Kind::PaymentRecorded => {
            let invoice = crm.invoice(index);
            let (day, amount) = invoice.payments.last().copied().unwrap_or((invoice.day, 0));
            let staff = crm.colleague(dice, people::FINANCE, day, day);
            Entry {
                action: "payment.recorded",
                text: format!("Payment received for INV-{id:06}"),
                rel: ("invoice", id),
                staff: Some(staff),
                amount: Some(amount),
            }
        }
        Kind::EstimateDecided => {
            let estimate = crm.estimate(index);
            let accepted = estimate.status == estimates::ACCEPTED;
            let (action, verb) = if accepted {
                ("estimate.accepted", "accepted")
            } else {
                ("estimate.declined", "declined")
            };
            let text = format!("{} {verb} EST-{id:06}", crm.company(estimate.client).name);
            Entry {
                action,
                text,
                rel: ("estimate", id),
                staff: None,
                amount: Some(estimate.sums.total()),
            }
        }
        Kind::TicketOpened => {
            let ticket = crm.ticket(index);
            let text = format!(
                "Ticket #{id} opened by {}: {}",
                crm.company(ticket.client).name,
                ticket.topic.name
            );
            Entry {
                action: "ticket.opened",
                text,
                rel: ("ticket", id),
                staff: None,
                amount: None,
            }
        }
        Kind::TicketClosed => {
            let ticket = crm.ticket(index);
            Entry {
                action: "ticket.closed",
                text: format!("Ticket #{id} closed"),
                rel: ("ticket", id),
                staff: Some(ticket.agent),
                amount: None,
            }
        }
        Kind::TaskCompleted => {
            let (place, task) = crm.logged_task(index);
            let id = crm.first("tasks", index) + place as u64;
            Entry {
                action: "task.completed",
                text: format!("Task \"{}\" completed", task.name),
                rel: ("task", id),
                staff: Some(task.assignees[0]),
                amount: None,
            }
        }
    }
}
