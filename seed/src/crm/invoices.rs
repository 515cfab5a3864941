//! Invoices with their items, payments and credit notes.

use super::billing::{self, Item, Sums};
use super::calendar::{Curve, Day, Moment, TODAY};
use super::clients::{self, Payer};
use super::lookups::{self, Tax};
use super::projects::Billing;
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

pub(super) const PAYMENTS: Table = Table {
    name: "payments",
    columns: &[
        "id",
        "invoice_id",
        "amount",
        "mode",
        "date",
        "transaction_id",
        "note",
        "recorded_by_id",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.invoices.len(),
    children: Some(|crm, invoice| crm.invoice(invoice).payments.len()),
    write: write_payments,
};

pub(super) const CREDIT_NOTES: Table = Table {
    name: "credit_notes",
    columns: &[
        "id",
        "number",
        "clientid",
        "invoice_id",
        "status",
        "date",
        "total",
        "remaining",
        "reason",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.invoices.len(),
    children: Some(|crm, invoice| usize::from(crm.credit(invoice).is_some())),
    write: write_credit_note,
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
const PAID: i64 = 2;
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
    /// Days on which a project was billed: a deposit, stages and the rest where the price is fixed, else each month.
    fn instalments(&self, index: usize) -> Vec<Day> {
        let project = self.project(index);
        let mut dice = self.dice("instalments", index);
        let budget = billing::sums(&self.project_quote(index, &project)).subtotal;
        let days: Vec<Day> = match project.billing {
            Billing::Internal => Vec::new(),
            Billing::Fixed => {
                let parts = shares(budget).len() as i32;
                (0..parts)
                    .map(|part| match part {
                        0 if parts > 1 => project.start.plus(dice.days(0, 3)),
                        part => project
                            .start
                            .plus((project.end.0 - project.start.0) * part / (parts - 1).max(1))
                            .max(if parts == 1 {
                                project.end
                            } else {
                                project.start
                            })
                            .plus(dice.days(1, 6)),
                    })
                    .collect()
            }
            Billing::Hourly => {
                let months = months(project.start, project.end);
                (1..=months)
                    .map(|month| {
                        project
                            .start
                            .month_start(month)
                            .plus(dice.days(0, 3))
                            .workday()
                            .max(project.start.month_start(month))
                    })
                    .collect()
            }
        };
        // Once a project is stopped, only what was done before is still billed.
        let last = if project.status == super::projects::FINISHED {
            TODAY
        } else {
            project.stop
        };
        days.into_iter()
            .map(|day| day.workday().max(project.start))
            .take_while(|day| *day < last && *day < TODAY)
            .collect()
    }

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
            Source::Extra(_) => {
                let client = self.client_at(&mut dice, slot.day);
                let tax = self.client(client).tax;
                (client, None, None, extras(tax, &mut dice))
            }
        };
        let facts = self.client(client);
        let sums = billing::sums(&items);
        let due = slot.day.plus(facts.terms);
        let created = office(&mut dice, slot.day);
        let draft = slot.day >= TODAY.plus(-6) && dice.chance(45);
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

    /// Lines of one instalment of a project. Those of all instalments add up to no more than its quote.
    fn instalment(&self, index: usize, part: usize) -> Vec<Item> {
        let project = self.project(index);
        let quote = self.project_quote(index, &project);
        if project.billing == Billing::Hourly {
            let months = i64::from(months(project.start, project.end));
            let month = project
                .start
                .month_start(part as i32)
                .date()
                .format("%B %Y")
                .to_string();
            let mut dice = self.dice("hours", index * 64 + part);
            let mut items = Vec::new();
            for item in quote {
                // A lump sum is due with the first month; of the hours, most of a month's share have been worked.
                if item.unit == "h" {
                    let quarters = item.quantity / months / 25 * dice.between(70, 100) / 100;
                    if quarters > 0 {
                        items.push(Item {
                            text: format!("{}, {month}", item.text),
                            quantity: quarters * 25,
                            ..item
                        });
                    }
                } else if part == 0 {
                    items.push(item);
                }
            }
            if items.is_empty() {
                let tax = self.client(project.client).tax;
                items.push(Item {
                    text: format!("Project meeting, {month}"),
                    quantity: 25,
                    unit: "h",
                    rate: 10_000,
                    discount: 0,
                    tax,
                });
            }
            return items;
        }
        let shares = shares(billing::sums(&quote).subtotal);
        let tax = quote.first().and_then(|item| item.tax);
        let share = |item: &Item, part: usize| -> i64 {
            let of = |part: usize| item.net() * shares[part] / 100;
            if part + 1 == shares.len() {
                item.net() - (0..part).map(of).sum::<i64>()
            } else {
                of(part)
            }
        };
        let lump = |text: String, rate: i64| Item {
            text,
            quantity: 100,
            unit: "pc",
            rate,
            discount: 0,
            tax,
        };
        if shares.len() == 1 {
            return quote;
        }
        let percent = shares[part];
        if part == 0 {
            return vec![lump(
                format!(
                    "Deposit {percent} %: {}",
                    self.project_name(index, &project)
                ),
                quote.iter().map(|item| share(item, 0)).sum(),
            )];
        }
        quote
            .iter()
            .map(|item| lump(format!("{} ({percent} %)", item.text), share(item, part)))
            .collect()
    }

    /// Day, amount and reason of the credit note for an invoice: for one that was cancelled, all of it; for one in fifty that
    /// were paid, a part.
    fn credit(&self, index: usize) -> Option<(Day, i64, &'static str)> {
        let invoice = self.invoice(index);
        let mut dice = self.dice("credit notes", index);
        let day = match invoice.status {
            CANCELLED => invoice.day.plus(dice.days(2, 15)),
            PAID if dice.chance(3) => invoice.payments.last()?.0.plus(dice.days(3, 30)),
            _ => return None,
        };
        let day = day.workday().max(invoice.day);
        let (amount, reason) = if invoice.status == CANCELLED {
            (invoice.sums.total(), dice.pick(WHY_CANCELLED))
        } else {
            (
                (invoice.sums.total() * dice.between(5, 30) / 100 / 1000).max(1) * 1000,
                dice.pick(WHY_CREDITED),
            )
        };
        (day < TODAY && amount <= invoice.sums.total()).then_some((day, amount, reason))
    }
}

/// Percentages in which a price is billed.
fn shares(budget: i64) -> &'static [i64] {
    match budget {
        ..=400_000 => &[100],
        ..=900_000 => &[50, 50],
        ..=3_000_000 => &[30, 40, 30],
        _ => &[25, 25, 25, 25],
    }
}

/// Calendar months that a span touches.
fn months(from: Day, to: Day) -> i32 {
    (1..)
        .find(|month| from.month_start(*month) > to)
        .unwrap_or(1)
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

/// Days and amounts of the payments that have come in by the anchor.
fn payments(day: Day, due: Day, total: i64, payer: Payer, dice: &mut Dice) -> Vec<(Day, i64)> {
    let late = match payer {
        Payer::Prompt => dice.days(-12, 2) + if dice.chance(12) { dice.days(3, 20) } else { 0 },
        Payer::Slow => dice.days(1, 38),
        Payer::Bad => dice.days(15, 120),
    };
    let never = dice.chance(match payer {
        Payer::Prompt => 0,
        Payer::Slow => 2,
        Payer::Bad => 14,
    });
    let split = if total > 150_000 && dice.chance(12) {
        dice.between(3, 6) * 10
    } else {
        0
    };
    let whole = due.plus(late).workday().max(day);
    let mut payments = Vec::new();
    if split > 0 {
        let part = total * split / 100 / 10_000 * 10_000;
        let early = whole.plus(-dice.days(4, 12)).workday().max(day);
        if part > 0 {
            payments.push((early, part));
        }
    }
    let rest = total - payments.iter().map(|payment| payment.1).sum::<i64>();
    let last = if split > 0 {
        whole.plus(dice.days(5, 30)).workday().max(day)
    } else {
        whole
    };
    if !never && rest > 0 {
        payments.push((last, rest));
    }
    payments.retain(|payment| payment.0 < TODAY);
    payments
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

fn write_payments(crm: &Crm, index: usize, first: u64, out: &mut Vec<u8>) {
    let invoice = crm.invoice(index);
    let usual = crm
        .dice("payment mode", invoice.client)
        .weighted(&[62, 18, 14, 4, 2]);
    for (place, (day, amount)) in invoice.payments.iter().enumerate() {
        let mut dice = crm.dice("payments", index * 4 + place);
        let (mode, code) = MODES[if dice.chance(90) { usual } else { 0 }];
        // Numbers of transactions run on with those of the payments, with gaps that look like other people's.
        let transaction = format!(
            "{code}{}",
            40_270_000 + (first + place as u64) * 137 + dice.below(137) as u64
        );
        let entered = if mode == "card" || mode == "paypal" {
            None
        } else {
            Some(crm.colleague(&mut dice, people::FINANCE, *day, *day))
        };
        let moment = day.at(dice.days(16 * 60, 18 * 60), dice.days(0, 59));
        let moment = moment.max(invoice.sent.unwrap_or(invoice.created));
        let note = if place + 1 < invoice.payments.len() {
            Some("Part payment")
        } else {
            None
        };
        Line::new(out)
            .id(Some(first + place as u64))
            .id(Some(index as u64 + 1))
            .hundredths(*amount)
            .text(mode)
            .day(*day)
            .text(&transaction)
            .maybe(note)
            .id(entered.map(|staff| staff as u64 + 1))
            .at(moment)
            .at(moment)
            .end();
    }
}

fn write_credit_note(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let Some((day, amount, reason)) = crm.credit(index) else {
        return;
    };
    let invoice = crm.invoice(index);
    let mut dice = crm.dice("credit note details", index);
    let open = day > TODAY.plus(-21) && invoice.status != CANCELLED;
    let moment = day
        .at(dice.days(10 * 60, 18 * 60), dice.days(0, 59))
        .max(invoice.sent.unwrap_or(invoice.created));
    let settled = if open {
        moment
    } else {
        day.plus(5).min(TODAY.plus(-1)).at(18 * 60, 0).max(moment)
    };
    Line::new(out)
        .id(Some(id))
        .text(&format!("CN-{id:05}"))
        .id(Some(invoice.client as u64 + 1))
        .id(Some(index as u64 + 1))
        .int(if open { 1 } else { 2 })
        .day(day)
        .hundredths(amount)
        .hundredths(if open { amount } else { 0 })
        .text(reason)
        .at(moment)
        .at(settled)
        .end();
}

const MODES: [(&str, &str); 5] = [
    ("bank transfer", "BT"),
    ("card", "CH"),
    ("direct debit", "DD"),
    ("paypal", "PP"),
    ("cheque", "CQ"),
];
const NOTES: &[&str] = &[
    "Thank you for your business.",
    "Please quote the invoice number with your payment.",
    "As agreed by phone.",
    "Period of service as stated in the lines.",
    "Many thanks for the quick sign-off!",
    "Hours as in the attached list.",
];
const WHY_CANCELLED: &[&str] = &[
    "Billed twice",
    "Wrong company billed",
    "Purchase order missing, billed anew",
    "Contract ended earlier",
];
const WHY_CREDITED: &[&str] = &[
    "Goodwill after late delivery",
    "Hours billed in error",
    "Service not available for two days",
    "Discount forgotten on the invoice",
    "Fewer licences than billed",
];
