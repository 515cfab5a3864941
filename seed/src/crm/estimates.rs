//! Estimates: those that projects were sold with, and those that came to nothing or are still open.

use super::billing::{self, Item, Sums};
use super::calendar::{Curve, Day, Moment, TODAY};
use super::lookups;
use super::projects::Billing;
use super::services::{self, SERVICES};
use super::{Crm, Table, office, people};
use crate::lines::Line;

pub(super) const ESTIMATES: Table = Table {
    name: "estimates",
    columns: &[
        "id",
        "number",
        "clientid",
        "project_id",
        "status",
        "date",
        "expiry_date",
        "subtotal",
        "total_tax",
        "total",
        "currency_id",
        "sale_agent_id",
        "client_note",
        "sent_at",
        "decided_at",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.estimates.len(),
    children: None,
    write: write_estimate,
};

pub(super) const ESTIMATE_ITEMS: Table = Table {
    name: "estimate_items",
    columns: &[
        "id",
        "estimate_id",
        "position",
        "description",
        "quantity",
        "unit",
        "rate",
        "discount_percent",
        "tax_id",
        "tax_rate",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.estimates.len(),
    children: Some(|crm, estimate| crm.estimate(estimate).items.len()),
    write: |crm, index, first, out| {
        let estimate = crm.estimate(index);
        for (place, item) in estimate.items.iter().enumerate() {
            item.write(
                first + place as u64,
                index as u64 + 1,
                place + 1,
                estimate.created,
                out,
            );
        }
    },
};

/// When an estimate was made, and the project that came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) day: Day,
    project: Option<u32>,
}

/// What an estimate says, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    pub(super) client: usize,
    pub(super) created: Moment,
    pub(super) sums: Sums,
    pub(super) status: i64,
    pub(super) items: Vec<Item>,
    pub(super) agent: usize,
    pub(super) decided: Option<Moment>,
    sent: Option<Moment>,
    expiry: Day,
}

const DRAFT: i64 = 1;
const SENT: i64 = 2;
const DECLINED: i64 = 3;
pub(super) const ACCEPTED: i64 = 4;
const EXPIRED: i64 = 5;

/// One for each project that is paid for, and about as many that were not accepted, in the order of their days.
pub(super) fn plan(crm: &Crm) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (index, project) in crm.projects.iter().enumerate() {
        let opened = project.created.day();
        if project.billing != Billing::Internal {
            let ahead = crm.dice("estimate ahead", index).days(4, 30);
            let day = opened
                .plus(-ahead)
                .workday()
                .max(crm.client(project.client).since);
            slots.push(Slot {
                day,
                project: Some(index as u32),
            });
        }
    }
    let others = 230 * crm.scale;
    let curve = Curve::new(1.6);
    slots.extend((0..others).map(|index| {
        Slot {
            day: curve
                .day((index as f64 + 2.0) / (others as f64 + 2.0))
                .max(Day(6)),
            project: None,
        }
    }));
    slots.sort_by_key(|slot| (slot.day, slot.project));
    slots
}

impl Crm {
    /// What an estimate says, and what became of it by the anchor.
    pub(super) fn estimate(&self, index: usize) -> Estimate {
        let slot = self.estimates[index];
        let mut dice = self.dice("estimates", index);
        let created = office(&mut dice, slot.day);
        let expiry = slot.day.plus([45, 60, 90][dice.weighted(&[60, 25, 15])]);
        let sent = created.plus(dice.between(10, 200));
        let agent = self.colleague(&mut dice, people::SALES, slot.day, slot.day);
        if let Some(project) = slot.project {
            let facts = self.project(project as usize);
            let items = self.project_quote(project as usize, facts);
            // The project is opened once the client has agreed.
            // Where the client was new that very day, its own row comes first.
            let created = if slot.day == self.client(facts.client).since {
                slot.day.at(17 * 60 + 50, 0)
            } else {
                created
            };
            let decided = facts
                .created
                .plus(-dice.between(6, 40))
                .max(created.plus(5));
            let sent = created.plus(2);
            return Estimate {
                client: facts.client,
                created,
                sums: billing::sums(&items),
                status: ACCEPTED,
                items,
                agent,
                decided: Some(decided),
                sent: Some(sent),
                expiry,
            };
        }
        let client = self.client_at(&mut dice, slot.day);
        let facts = self.client(client);
        let service = &SERVICES[services::choose(&mut dice)].1;
        let size = (if facts.key { 0.8 } else { 0.5 } * dice.spread(0.5)).clamp(0.15, 3.0);
        let items = billing::quote(service, size, facts.tax, &mut dice);
        let answer = slot
            .day
            .plus(dice.days(3, 42))
            .workday()
            .max(slot.day.plus(1));
        let refused = dice.chance(58);
        let (status, decided) = if slot.day > TODAY.plus(-14) && dice.chance(45) {
            (DRAFT, None)
        } else if refused && answer < TODAY {
            (DECLINED, Some(office(&mut dice, answer).max(sent)))
        } else if expiry < TODAY {
            (EXPIRED, None)
        } else {
            (SENT, None)
        };
        Estimate {
            client,
            created,
            sums: billing::sums(&items),
            status,
            items,
            agent,
            decided,
            sent: (status != DRAFT).then_some(sent),
            expiry,
        }
    }
}

fn write_estimate(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let estimate = crm.estimate(index);
    let slot = crm.estimates[index];
    let mut dice = crm.dice("estimate details", index);
    let mut changed = estimate
        .decided
        .or(estimate.sent)
        .unwrap_or(estimate.created);
    if estimate.status == EXPIRED {
        changed = estimate.expiry.plus(1).min(TODAY.plus(-1)).at(4 * 60, 0);
    }
    let note = if dice.chance(45) {
        Some(dice.pick(NOTES))
    } else {
        None
    };
    Line::new(out)
        .id(Some(id))
        .text(&format!("EST-{id:06}"))
        .id(Some(estimate.client as u64 + 1))
        .id(slot.project.map(|project| u64::from(project) + 1))
        .int(estimate.status)
        .day(slot.day)
        .day(estimate.expiry)
        .hundredths(estimate.sums.subtotal)
        .hundredths(estimate.sums.tax)
        .hundredths(estimate.sums.total())
        .id(Some(lookups::currency(crm.client(estimate.client).country)))
        .id(Some(estimate.agent as u64 + 1))
        .maybe(note)
        .maybe_at(estimate.sent)
        .maybe_at(estimate.decided)
        .at(estimate.created)
        .at(changed.max(estimate.created))
        .end();
}

const NOTES: &[&str] = &[
    "Prices are net. Hours are billed as worked, up to the sum stated.",
    "We can start within three weeks of your order.",
    "Travel within the city is included.",
    "Two rounds of corrections are included.",
    "Valid with the terms that you know.",
    "We look forward to working with you.",
];
