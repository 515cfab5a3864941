//! Clients and the people there.

use super::calendar::{Curve, Day, Moment, TODAY};
use super::lookups::{self, Tax};
use super::{Crm, Table, office, people};
use crate::dice::Dice;
use crate::lines::{Json, Line};
use crate::values::company::{Company, company, legal_form};
use crate::values::countries;
use crate::values::person::{Person, person};
use crate::values::phone;
use crate::values::place::{MARKETS, place};

pub(super) const CLIENTS: Table = Table {
    name: "clients",
    columns: &[
        "id",
        "name",
        "email",
        "phonenumber",
        "website",
        "vat",
        "industry",
        "address",
        "city",
        "state",
        "zip",
        "country_id",
        "currency_id",
        "account_manager_id",
        "tags",
        "custom_fields",
        "is_active",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.clients.len(),
    children: None,
    write: write_client,
};

pub(super) const CONTACTS: Table = Table {
    name: "contacts",
    columns: &[
        "id",
        "clientid",
        "firstname",
        "lastname",
        "email",
        "phonenumber",
        "title",
        "is_primary",
        "is_active",
        "last_login_at",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.clients.len(),
    children: Some(|crm, client| contact_count(crm, client)),
    write: write_contacts,
};

/// How a client pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payer {
    Prompt,
    Slow,
    Bad,
}

/// What other tables need to know about a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) since: Day,
    /// First day on which it is not a client any more.
    pub(super) until: Option<Day>,
    pub(super) country: &'static str,
    pub(super) tax: Option<Tax>,
    pub(super) currency: u64,
    pub(super) payer: Payer,
    /// Days to pay an invoice.
    pub(super) terms: i32,
    /// True for the few that buy most.
    pub(super) key: bool,
    pub(super) manager: usize,
}

/// Somebody at a client.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) person: Person,
    pub(super) mail: String,
    pub(super) since: Day,
    title: &'static str,
}

/// Nearly a third of the clients were brought along when the CRM was taken into use; the others came in over time.
pub(super) fn plan(crm: &Crm) -> Vec<Day> {
    let count = 380 * crm.scale;
    let curve = Curve::new(1.8);
    let brought = 0.32;
    (0..count)
        .map(|index| {
            let share = index as f64 / count as f64;
            if share < brought {
                Day((share / brought * 3.0) as i32)
            } else {
                curve.day((share - brought) / (1.0 - brought))
            }
        })
        .collect()
}

impl Crm {
    /// What a client is like.
    pub(super) fn client(&self, index: usize) -> Client {
        let mut dice = self.dice("clients", index);
        let since = self.clients[index];
        let weights: Vec<u32> = MARKETS.iter().map(|market| market.1).collect();
        let country = MARKETS[dice.weighted(&weights)].0;
        let key = index % 13 == 0;
        let taxed = if country == "US" {
            dice.chance(40)
        } else {
            dice.chance(85)
        };
        let until = since.plus(dice.days(240, 1400));
        let leaves = dice.chance(if key { 3 } else { 24 }) && until < TODAY;
        Client {
            since,
            until: leaves.then_some(until),
            country,
            tax: if taxed { lookups::tax(country) } else { None },
            currency: lookups::currency(country),
            payer: [Payer::Prompt, Payer::Slow, Payer::Bad][dice.weighted(&[72, 21, 7])],
            terms: [14, 30, 30, 45][dice.weighted(&[30, 40, 20, 10])],
            key,
            manager: self.colleague(&mut dice, people::SALES, since, TODAY),
        }
    }

    /// The company behind a client.
    pub(super) fn company(&self, client: usize) -> Company {
        company(self.seed, client as u64)
    }

    /// A client of that day, by index: key accounts, and those of long standing, more often than others.
    pub(super) fn client_at(&self, dice: &mut Dice, day: Day) -> usize {
        let known = self.clients.partition_point(|since| *since < day).max(1);
        let mut index = 0;
        for _ in 0..8 {
            let place = dice.unit() * (0.55 + 0.45 * dice.unit());
            index = (place * known as f64) as usize;
            if dice.chance(30) {
                index -= index % 13;
            }
            if self.client(index).until.is_none_or(|until| until > day) {
                break;
            }
        }
        index
    }

    /// The people at a client; the first is the one whom we turn to first.
    pub(super) fn contacts(&self, client: usize) -> Vec<Contact> {
        let facts = self.client(client);
        let domain = self.company(client).domain();
        let mut dice = self.dice("contacts", client);
        let mut contacts: Vec<Contact> = Vec::new();
        while contacts.len() < contact_count(self, client) {
            let person = person(facts.country, &mut dice);
            let mail = person.mail(&domain);
            if contacts.iter().any(|other| other.mail == mail) {
                continue;
            }
            let first = contacts.is_empty();
            let later = if dice.chance(50) {
                dice.days(0, 20)
            } else {
                dice.days(20, 700)
            };
            let since = if first {
                facts.since
            } else {
                facts
                    .since
                    .plus(later)
                    .min(TODAY.plus(-2))
                    .workday()
                    .max(facts.since)
            };
            let title = if first {
                dice.pick(DECIDERS)
            } else {
                dice.pick(TITLES)
            };
            contacts.push(Contact {
                person,
                mail,
                since,
                title,
            });
        }
        contacts
    }

    /// Number of the row of a client's contact who was there on that day, and the contact.
    pub(super) fn contact_at(&self, dice: &mut Dice, client: usize, day: Day) -> (u64, Contact) {
        let mut contacts = self.contacts(client);
        let chosen = if dice.chance(45) {
            0
        } else {
            dice.below(contacts.len())
        };
        let chosen = if contacts[chosen].since <= day {
            chosen
        } else {
            0
        };
        (
            self.first("contacts", client) + chosen as u64,
            contacts.swap_remove(chosen),
        )
    }
}

fn contact_count(crm: &Crm, client: usize) -> usize {
    let most = if crm.client(client).key {
        [3, 4, 5, 6]
    } else {
        [1, 2, 3, 4]
    };
    most[crm
        .dice("contact count", client)
        .weighted(&[34, 36, 20, 10])]
}

fn write_client(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let client = crm.client(index);
    let company = crm.company(index);
    let mut dice = crm.dice("client details", index);
    let place = place(client.country, &mut dice);
    let name = format!("{}{}", company.name, legal_form(client.country, &mut dice));
    let domain = company.domain();
    let created = entered(&mut dice, client.since);
    let later = dice.days(0, TODAY.0 - client.since.0 - 1);
    let changed = client.until.unwrap_or(client.since.plus(later));
    let changed = office(&mut dice, changed.workday());
    let mut tags: Vec<&str> = Vec::new();
    if client.key {
        tags.push("key account");
    }
    for (tag, percent) in [
        ("newsletter", 40),
        ("reference", 12),
        ("non-profit", 4),
        ("partner", 7),
        ("annual review", 15),
    ] {
        if dice.chance(percent) {
            tags.push(tag);
        }
    }
    if client.until.is_some() {
        tags.push("former client");
    }
    let size = if client.key {
        dice.pick(&["50-249", "250-999", "1000+"])
    } else {
        dice.pick(&["1-9", "10-49", "10-49", "50-249", "50-249", "250-999"])
    };
    Line::new(out)
        .id(Some(id))
        .text(&name)
        .text(&format!(
            "{}@{domain}",
            dice.pick(&["accounts", "invoices", "office", "info"])
        ))
        .maybe(phone::number(client.country, &mut dice).as_deref())
        .maybe(
            if dice.chance(94) {
                Some(format!("https://www.{domain}"))
            } else {
                None
            }
            .as_deref(),
        )
        .maybe(vat(client.country, &mut dice).as_deref())
        .text(company.industry)
        .text(&place.street)
        .text(place.city)
        .text(place.state)
        .text(&place.zip)
        .id(Some(countries::number(client.country)))
        .id(Some(client.currency))
        .id(Some(client.manager as u64 + 1))
        .list(&tags)
        .object(&[
            ("employees", Json::Text(size)),
            ("payment_terms_days", Json::Int(i64::from(client.terms))),
            (
                "purchase_order_required",
                Json::Bool(orders_needed(crm, index)),
            ),
            (
                "found_us_by",
                Json::Text(dice.pick(&[
                    "referral",
                    "search",
                    "trade show",
                    "partner",
                    "cold call",
                ])),
            ),
        ])
        .bool(client.until.is_none())
        .at(created)
        .at(changed.max(created))
        .end();
}

/// True where the client wants a purchase order on each invoice.
pub(super) fn orders_needed(crm: &Crm, client: usize) -> bool {
    crm.dice("purchase orders", client)
        .chance(if crm.client(client).key { 60 } else { 15 })
}

/// A tax number whose first digits are zeros, as none that is given out has them.
fn vat(country: &str, dice: &mut Dice) -> Option<String> {
    let digits = dice.between(100_000, 999_999);
    Some(match country {
        "US" => return None,
        "GB" => format!("GB000{digits}"),
        "DE" => format!("DE000{digits}"),
        "FR" => format!("FR00000{digits}"),
        "IT" => format!("IT00000{digits}"),
        "NL" => format!("NL000{digits}B00"),
        "IE" => format!("IE0{digits}X"),
        "CA" => format!("000{digits} RT0000"),
        _ => format!("00 000 {} {}", digits / 1000, digits % 1000),
    })
}

/// When a row of that day was written; those of the first days came in by an import before office hours.
fn entered(dice: &mut Dice, day: Day) -> Moment {
    if day < Day(3) {
        day.at(5 * 60 + dice.days(0, 50), dice.days(0, 59))
    } else {
        office(dice, day)
    }
}

fn write_contacts(crm: &Crm, client: usize, first: u64, out: &mut Vec<u8>) {
    let facts = crm.client(client);
    for (index, contact) in crm.contacts(client).iter().enumerate() {
        let mut dice = crm.dice("contact details", client * 16 + index);
        let created = entered(&mut dice, contact.since);
        let leaves = index > 0 && dice.chance(8);
        let active = facts.until.is_none() && !leaves;
        let last = TODAY.plus(-dice.days(1, 200)).max(contact.since);
        let login = office(&mut dice, last).max(created);
        let login = dice.chance(55).then_some(login);
        Line::new(out)
            .id(Some(first + index as u64))
            .id(Some(client as u64 + 1))
            .text(&contact.person.first)
            .text(&contact.person.last)
            .text(&contact.mail)
            .maybe(phone::number(facts.country, &mut dice).as_deref())
            .text(contact.title)
            .bool(index == 0)
            .bool(active)
            .maybe_at(login)
            .at(created)
            .at(login.unwrap_or(created))
            .end();
    }
}

const DECIDERS: &[&str] = &[
    "Managing Director",
    "Owner",
    "Chief Operating Officer",
    "Head of Marketing",
    "Head of IT",
    "Chief Financial Officer",
    "Head of Sales",
    "General Manager",
];
const TITLES: &[&str] = &[
    "Marketing Manager",
    "IT Administrator",
    "Office Manager",
    "Accounts Payable",
    "Head of E-Commerce",
    "Operations Manager",
    "Product Manager",
    "Purchasing Manager",
    "Sales Manager",
    "Customer Service Lead",
    "Executive Assistant",
    "Digital Marketing Specialist",
    "Quality Manager",
    "HR Manager",
    "Project Coordinator",
];
