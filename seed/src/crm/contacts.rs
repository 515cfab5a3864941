//! The people at our clients.

use super::calendar::{Day, TODAY};
use super::clients::entered;
use super::{Crm, Table, office};
use crate::dice::Dice;
use crate::lines::Line;
use crate::values::person::{Person, person};
use crate::values::phone;

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
    children: Some(contact_count),
    write: write_contacts,
};

/// Somebody at a client.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) person: Person,
    pub(super) mail: String,
    pub(super) since: Day,
    title: &'static str,
}

impl Crm {
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
