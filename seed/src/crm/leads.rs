//! Leads: chances of new business, some of which became clients.

use super::calendar::{Curve, Day, Moment, TODAY};
use super::{Crm, Table, office, people, services};
use crate::dice::Dice;
use crate::lines::{Json, Line};
use crate::values::company::company;
use crate::values::countries;
use crate::values::person::{Person, person};
use crate::values::phone;
use crate::values::place::country;

pub(super) const LEADS: Table = Table {
    name: "leads",
    columns: &[
        "id",
        "name",
        "title",
        "company",
        "email",
        "phonenumber",
        "source",
        "status",
        "value",
        "country_id",
        "assigned_id",
        "clientid",
        "tags",
        "details",
        "lost_reason",
        "expected_close_on",
        "last_contact_at",
        "converted_at",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.leads.len(),
    children: None,
    write: write_lead,
};

/// When a lead came in, and the client that it became.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) day: Day,
    client: Option<usize>,
}

/// What a lead is like.
#[derive(Clone, Debug)]
pub(super) struct Lead {
    pub(super) created: Moment,
    pub(super) person: Person,
    pub(super) company: String,
    pub(super) owner: usize,
    pub(super) status: &'static str,
    /// When it was won or lost.
    pub(super) decided: Option<Moment>,
    country: &'static str,
    domain: String,
    cycle: i32,
}

/// Each client that was not brought along was a lead before; two more leads were not won.
pub(super) fn plan(crm: &Crm) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (client, since) in crm.clients.iter().map(|client| client.since).enumerate() {
        if since > Day(20) {
            let ahead = crm.dice("lead ahead", client).days(9, 85);
            slots.push(Slot {
                day: Day((since.0 - ahead).max(0)).workday(),
                client: Some(client),
            });
        }
    }
    let curve = Curve::new(1.7);
    let others = 570 * crm.scale;
    slots.extend((0..others).map(|index| Slot {
        day: curve.day(index as f64 / others as f64),
        client: None,
    }));
    slots.sort_by_key(|slot| (slot.day, slot.client));
    slots
}

impl Crm {
    /// What a lead is like.
    pub(super) fn lead(&self, index: usize) -> Lead {
        let slot = self.leads[index];
        let mut dice = self.dice("leads", index);
        let created = office(&mut dice, slot.day);
        let cycle = dice.days(20, 200);
        if let Some(client) = slot.client {
            let facts = self.client(client);
            let company = self.company(client);
            let person = self.contacts(client).swap_remove(0).person;
            // The client's own row is written at office hours of the same day or later.
            let decided = facts
                .since
                .at(7 * 60 + 50, dice.days(0, 59))
                .max(created.plus(5));
            return Lead {
                created,
                person,
                domain: company.domain(),
                company: company.name,
                owner: facts.manager,
                status: "won",
                decided: Some(decided),
                country: facts.country,
                cycle,
            };
        }
        let company = company(self.seed, (self.clients.len() + index) as u64);
        let country = country(&company, &mut dice);
        let end = slot.day.plus(cycle).workday();
        let owner = self.colleague(&mut dice, people::SALES, slot.day, end);
        let stalled = dice.chance(7) && TODAY.0 - slot.day.0 < 260;
        let (status, decided) = if end < TODAY && !stalled {
            ("lost", Some(office(&mut dice, end)))
        } else {
            let way = (TODAY.0 - slot.day.0) * 100 / cycle;
            (
                if way < 12 {
                    "new"
                } else if way < 35 {
                    "contacted"
                } else if way < 65 {
                    "qualified"
                } else {
                    "proposal"
                },
                None,
            )
        };
        let person = person(country, &mut dice);
        Lead {
            created,
            person,
            domain: company.domain(),
            company: company.name,
            owner,
            status,
            decided,
            country,
            cycle,
        }
    }
}

fn write_lead(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let lead = crm.lead(index);
    let slot = crm.leads[index];
    let mut dice = crm.dice("lead details", index);
    let service = &services::SERVICES[services::choose(&mut dice)].1;
    let title = deal(service, &mut dice);
    let usual: i64 = service
        .prices
        .iter()
        .map(|price| price.rate * price.hours.max(1))
        .sum();
    let value = round_price((usual as f64 * 0.55 * dice.spread(0.6)) as i64);
    let open = lead.decided.is_none();
    let last = match lead.decided {
        Some(decided) => Some(decided),
        None if lead.status == "new" => None,
        None => Some(
            office(
                &mut dice,
                slot.day.plus((TODAY.0 - slot.day.0 - 1) * 3 / 4).workday(),
            )
            .max(lead.created),
        ),
    };
    let mut tags: Vec<&str> = vec![service.tag];
    if value >= 30_000 {
        tags.push("large");
    }
    if dice.chance(9) {
        tags.push("tender");
    }
    let expected = slot.day.plus(lead.cycle.max(30));
    let expected = if open {
        expected.max(TODAY.plus(dice.days(3, 60)))
    } else {
        expected
    };
    Line::new(out)
        .id(Some(id))
        .text(&format!("{} {}", lead.person.first, lead.person.last))
        .text(&title)
        .text(&lead.company)
        .text(&lead.person.mail(&lead.domain))
        .maybe(phone::number(lead.country, &mut dice).as_deref())
        .text(SOURCES[dice.weighted(&[28, 24, 10, 8, 9, 10, 6, 5])])
        .text(lead.status)
        .hundredths(value * 100)
        .id(Some(countries::number(lead.country)))
        .id(Some(lead.owner as u64 + 1))
        .id(slot.client.map(|client| client as u64 + 1))
        .list(&tags)
        .object(&[
            (
                "budget",
                Json::Text(dice.pick(&["approved", "planned", "unknown", "unknown"])),
            ),
            (
                "decision_by",
                Json::Text(dice.pick(&["owner", "board", "head of department", "committee"])),
            ),
            ("competitors", Json::Int(dice.between(0, 4))),
        ])
        .maybe((lead.status == "lost").then(|| dice.pick(REASONS)))
        .day(expected)
        .maybe_at(last)
        .maybe_at(if lead.status == "won" {
            lead.decided
        } else {
            None
        })
        .at(lead.created)
        .at(last.unwrap_or(lead.created))
        .end();
}

/// What a deal is called: by what it is about, and how much of it.
fn deal(service: &services::Service, dice: &mut Dice) -> String {
    let name = dice.pick(service.projects);
    let support = |dice: &mut Dice| {
        format!(
            "{name} and {} months of support",
            [6, 12, 24][dice.below(3)]
        )
    };
    match (service.tag, dice.below(6)) {
        ("crm" | "cloud" | "portal" | "security", 0 | 1) => {
            format!("{name} for {} users", 5 * dice.between(3, 50))
        }
        ("crm" | "data" | "cloud" | "mobile", 2) => {
            format!("{name} for {} locations", dice.between(2, 14))
        }
        ("brand" | "security", _) => name.to_string(),
        (_, 3) => format!("{name}, phase 1"),
        (_, 4) => support(dice),
        _ => name.to_string(),
    }
}

/// A price that somebody would quote: to the next hundred, or to the next five hundred or thousand where it is large.
pub(super) fn round_price(price: i64) -> i64 {
    let step = if price < 5_000 {
        100
    } else if price < 25_000 {
        500
    } else {
        1_000
    };
    (price / step).max(5) * step
}

const SOURCES: &[&str] = &[
    "website",
    "referral",
    "trade show",
    "cold call",
    "newsletter",
    "partner",
    "advertising",
    "social media",
];
const REASONS: &[&str] = &[
    "Price",
    "Price",
    "Chose a competitor",
    "Chose a competitor",
    "No budget this year",
    "No decision",
    "No reply after three calls",
    "Project postponed",
    "Solved in house",
    "Needs a feature that we do not offer",
    "Too small for us",
];
