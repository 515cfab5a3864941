//! Clients.

use super::calendar::{Curve, Day, Moment, TODAY};
use super::lookups::{self, Tax};
use super::{Crm, Table, office, people};
use crate::dice::Dice;
use crate::lines::{Json, Line};
use crate::values::company::{Company, company, legal_form};
use crate::values::countries;
use crate::values::phone;
use crate::values::place::{country, place};

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

/// Nearly a third of the clients were brought along when the CRM was taken into use; the others came in over time.
pub(super) fn plan(crm: &Crm) -> Vec<Client> {
    let count = 380 * crm.scale;
    let curve = Curve::new(1.8);
    let brought = 0.32;
    let since = |index: usize| {
        let share = index as f64 / count as f64;
        if share < brought {
            Day((share / brought * 3.0) as i32)
        } else {
            curve.day((share - brought) / (1.0 - brought)).max(Day(3))
        }
    };
    (0..count)
        .map(|index| client(crm, index, since(index)))
        .collect()
}

fn client(crm: &Crm, index: usize, since: Day) -> Client {
    let mut dice = crm.dice("clients", index);
    let country = country(&crm.company(index), &mut dice);
    let key = index.is_multiple_of(13);
    let taxed = dice.chance(if country == "US" { 40 } else { 85 });
    let until = since.plus(dice.days(240, 1400));
    let leaves = dice.chance(if key { 3 } else { 24 }) && until < TODAY;
    Client {
        since,
        until: leaves.then_some(until),
        country,
        tax: if taxed { lookups::tax(country) } else { None },
        currency: lookups::currency(country),
        payer: [Payer::Prompt, Payer::Slow, Payer::Bad][dice.weighted(&[64, 27, 9])],
        terms: [14, 30, 30, 45][dice.weighted(&[30, 40, 20, 10])],
        key,
        manager: crm.colleague(&mut dice, people::SALES, since, TODAY),
    }
}

impl Crm {
    /// What a client is like.
    pub(super) fn client(&self, index: usize) -> Client {
        self.clients[index]
    }

    /// The company behind a client.
    pub(super) fn company(&self, client: usize) -> Company {
        company(self.seed, client as u64)
    }

    /// A client of that day, by index, where those for `turn` 0, 1, 2 and so on are spread evenly over all.
    pub(super) fn client_in_turn(&self, turn: u32, day: Day) -> usize {
        let known = self
            .clients
            .partition_point(|client| client.since < day)
            .max(1);
        // Multiples of the golden ratio fall into the largest gap each time.
        let place = (f64::from(turn) * 0.618_033_988_749_895).fract();
        let first = (place * known as f64) as usize;
        let here = |index: &usize| self.client(*index).until.is_none_or(|until| until > day);
        (first..known).find(here).unwrap_or(first)
    }

    /// A client of that day, by index: key accounts, and those of long standing, more often than others.
    pub(super) fn client_at(&self, dice: &mut Dice, day: Day) -> usize {
        let known = self
            .clients
            .partition_point(|client| client.since < day)
            .max(1);
        let mut index = 0;
        for _ in 0..8 {
            let place = if dice.chance(70) {
                dice.unit()
            } else {
                dice.unit() * dice.unit()
            };
            index = (place * known as f64) as usize;
            if dice.chance(18) {
                index -= index % 13;
            }
            if self.client(index).until.is_none_or(|until| until > day) {
                break;
            }
        }
        index
    }
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
pub(super) fn entered(dice: &mut Dice, day: Day) -> Moment {
    if day < Day(3) {
        day.at(5 * 60 + dice.days(0, 50), dice.days(0, 59))
    } else {
        office(dice, day)
    }
}
