//! Invoices with their items, payments and credit notes.

use super::billing::{self, Item, Sums};
use super::calendar::{Curve, Day, Moment, TODAY};
use super::clients;
use super::lookups::{self, Tax};
use super::payments::payments;
use super::services::EXTRAS;
use super::{Crm, Table, office, people};
use crate::dice::Dice;
use crate::lines::Line;

pub(super) const INVOICES: Table = Table {
    name: "invoices",
    columns: &[
        "id",
        "number",
        "clientid",
        "project_id",
        "contract_id",
        "status",
        "date",
        "due_date",
        "subtotal",
        "total_tax",
        "total",
        "currency_id",
        "exchange_rate",
        "sale_agent_id",
        "reference",
        "client_note",
        "tags",
        "sent_at",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.invoices.len(),
    children: None,
    write: write_invoice,
};

pub(super) const INVOICE_ITEMS: Table = Table {
    name: "invoice_items",
    columns: &[
        "id",
        "invoice_id",
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
    parents: |crm| crm.invoices.len(),
    children: Some(|crm, invoice| crm.invoice(invoice).items.len()),
    write: |crm, index, first, out| {
        let invoice = crm.invoice(index);
        for (place, item) in invoice.items.iter().enumerate() {
            item.write(
                first + place as u64,
                index as u64 + 1,
                place + 1,
                invoice.created,
                out,
            );
        }
    },
};

/// What an invoice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// An instalment of a project, the first being 0.
    Project(u32, u16),
    /// An interval of a contract, the first being 0.
    Contract(u32, u16),
    /// Small things that came up.
    Extra(u32),
}

/// When an invoice was written, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) day: Day,
    source: Source,
}

/// What an invoice says, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Invoice {
    pub(super) client: usize,
    pub(super) created: Moment,
    pub(super) day: Day,
    pub(super) due: Day,
    pub(super) sums: Sums,
    pub(super) status: i64,
    pub(super) items: Vec<Item>,
    pub(super) payments: Vec<(Day, i64)>,
    pub(super) sent: Option<Moment>,
    pub(super) agent: usize,
    project: Option<usize>,
    contract: Option<usize>,
}

const UNPAID: i64 = 1;
pub(super) const PAID: i64 = 2;
const PARTIALLY_PAID: i64 = 3;
const OVERDUE: i64 = 4;
pub(super) const CANCELLED: i64 = 5;
const DRAFT: i64 = 6;

/// Instalments of projects, intervals of contracts, and small things, in the order of their days.
pub(super) fn plan(crm: &Crm) -> Vec<Slot> {
    let mut slots = Vec::new();
    for index in 0..crm.projects.len() {
        for (part, day) in crm.instalments(index).into_iter().enumerate() {
            slots.push(Slot {
                day,
                source: Source::Project(index as u32, part as u16),
            });
        }
    }
    for index in 0..crm.contracts.len() {
        for (interval, day) in crm.contract(index).billed().into_iter().enumerate() {
            // Billing runs on the first Monday, or thereabouts.
            let day = day.plus(2).workday().max(day).min(TODAY.plus(-2));
            slots.push(Slot {
                day,
                source: Source::Contract(index as u32, interval as u16),
            });
        }
    }
    let curve = Curve::new(1.7);
    let extras = 230 * crm.scale;
    slots.extend((0..extras).map(|index| {
        let day = curve
            .day((index as f64 + 2.0) / (extras as f64 + 2.0))
            .max(Day(8));
        Slot {
            day,
            source: Source::Extra(index as u32),
        }
    }));
    slots.sort_by_key(|slot| (slot.day, slot.source));
    slots
}

impl Crm {
    /// What an invoice says, and what became of it by the anchor.
    pub(super) fn invoice(&self, index: usize) -> Invoice {
        let slot = self.invoices[index];
        let mut dice = self.dice("invoices", index);
        let (client, project, contract, items) = match slot.source {
            Source::Project(project, part) => {
                let facts = self.project(project as usize);
                let items = self.instalment(project as usize, usize::from(part));
                (facts.client, Some(project as usize), None, items)
            }
            Source::Contract(contract, _) => {
                let facts = self.contract(contract as usize);
                let tax = self.client(facts.client).tax;
                let period = period(slot.day, facts.months);
                let discount = if facts.months == 12 { 500 } else { 0 };
                let item = Item {
                    text: format!("{}, {period}", facts.subject),
                    quantity: 100 * i64::from(facts.months),
                    unit: "month",
                    rate: facts.fee / i64::from(facts.months),
                    discount,
                    tax,
                };
                (facts.client, None, Some(contract as usize), vec![item])
            }
            Source::Extra(turn) => {
                let client = self.client_in_turn(turn, slot.day);
                let tax = self.client(client).tax;
                (client, None, None, extras(tax, &mut dice))
            }
        };
        let facts = self.client(client);
        let sums = billing::sums(&items);
        let due = slot.day.plus(facts.terms);
        let created = office(&mut dice, slot.day);
        let draft = slot.day >= TODAY.plus(-12) && dice.chance(45);
        let cancelled = project.is_none() && slot.day < TODAY.plus(-20) && dice.chance(2);
        let payments = if draft || cancelled {
            Vec::new()
        } else {
            payments(slot.day, due, sums.total(), facts.payer, &mut dice)
        };
        let paid: i64 = payments.iter().map(|payment| payment.1).sum();
        let status = if draft {
            DRAFT
        } else if cancelled {
            CANCELLED
        } else if paid == sums.total() {
            PAID
        } else if due < TODAY {
            OVERDUE
        } else if paid > 0 {
            PARTIALLY_PAID
        } else {
            UNPAID
        };
        Invoice {
            client,
            created,
            day: slot.day,
            due,
            sums,
            status,
            items,
            payments,
            sent: (!draft).then(|| created.plus(dice.between(3, 90))),
            agent: match contract {
                Some(contract) => self.contract(contract).owner,
                None => self.colleague(&mut dice, people::SALES, slot.day, slot.day),
            },
            project,
            contract,
        }
    }
}

/// Name of the interval that begins with a day's month.
fn period(day: Day, months: i32) -> String {
    let (first, last) = (
        day.month_start(0).date(),
        day.month_start(months).plus(-1).date(),
    );
    match months {
        1 => first.format("%B %Y").to_string(),
        _ => format!("{} to {}", first.format("%B %Y"), last.format("%B %Y")),
    }
}

/// One to three small things; now and then with a discount.
fn extras(tax: Option<Tax>, dice: &mut Dice) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let discount = [0, 500, 1000][dice.weighted(&[86, 8, 6])];
    for _ in 0..=dice.weighted(&[45, 35, 20]) {
        let (text, unit, rate, usual) = EXTRAS[dice.below(EXTRAS.len())];
        if items.iter().any(|item| item.text == text) {
            continue;
        }
        let halves = ((usual as f64 * 2.0 * dice.spread(0.5)) as i64).max(1);
        let quantity = if unit == "h" {
            halves * 50
        } else {
            (halves + 1) / 2 * 100
        };
        items.push(Item {
            text: text.into(),
            quantity,
            unit,
            rate: rate * 100,
            discount,
            tax,
        });
    }
    items
}

fn write_invoice(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let invoice = crm.invoice(index);
    let client = crm.client(invoice.client);
    let mut dice = crm.dice("invoice details", index);
    let rate = lookups::exchange_rate(crm, client.currency, invoice.day);
    let order = clients::orders_needed(crm, invoice.client)
        .then(|| format!("PO-{}", dice.between(10_400, 98_900)));
    let mut changed = invoice.sent.unwrap_or(invoice.created);
    if let Some((day, _)) = invoice.payments.last() {
        changed = changed.max(day.at(18 * 60, 20));
    }
    if let Some((day, ..)) = crm.credit(index) {
        changed = changed.max(day.at(18 * 60, 40));
    }
    if invoice.status == OVERDUE {
        changed = changed.max(invoice.due.plus(1).min(TODAY.plus(-1)).at(4 * 60, 0));
    }
    let kind = if invoice.contract.is_some() {
        "recurring"
    } else if invoice.project.is_some() {
        "project"
    } else {
        "one-off"
    };
    let mut tags = vec![kind];
    if invoice.status == OVERDUE && invoice.due < TODAY.plus(-30) {
        tags.push("second reminder");
    }
    let note = if dice.chance(22) {
        Some(dice.pick(NOTES))
    } else {
        None
    };
    Line::new(out)
        .id(Some(id))
        .text(&format!("INV-{id:06}"))
        .id(Some(invoice.client as u64 + 1))
        .id(invoice.project.map(|project| project as u64 + 1))
        .id(invoice.contract.map(|contract| contract as u64 + 1))
        .int(invoice.status)
        .day(invoice.day)
        .day(invoice.due)
        .hundredths(invoice.sums.subtotal)
        .hundredths(invoice.sums.tax)
        .hundredths(invoice.sums.total())
        .id(Some(client.currency))
        .text(&lookups::decimal(rate))
        .id(Some(invoice.agent as u64 + 1))
        .maybe(order.as_deref())
        .maybe(note)
        .list(&tags)
        .maybe_at(invoice.sent)
        .at(invoice.created)
        .at(changed)
        .end();
}

const NOTES: &[&str] = &[
    "Thank you for your business.",
    "Please quote the invoice number with your payment.",
    "As agreed by phone.",
    "Period of service as stated in the lines.",
    "Many thanks for the quick sign-off!",
    "Hours as in the attached list.",
];
