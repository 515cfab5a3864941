//! Payments for invoices, and credit notes.

use super::calendar::{Day, TODAY};
use super::clients::Payer;
use super::invoices::{CANCELLED, PAID};
use super::{Crm, Table, people};
use crate::dice::Dice;
use crate::lines::Line;

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

impl Crm {
    /// Day, amount and reason of the credit note for an invoice: for one that was cancelled, all of it; for one in fifty that
    /// were paid, a part.
    pub(super) fn credit(&self, index: usize) -> Option<(Day, i64, &'static str)> {
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

/// Days and amounts of the payments that have come in by the anchor.
pub(super) fn payments(
    day: Day,
    due: Day,
    total: i64,
    payer: Payer,
    dice: &mut Dice,
) -> Vec<(Day, i64)> {
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
    let split = if total > 100_000 && dice.chance(20) {
        dice.between(3, 6) * 10
    } else {
        0
    };
    let whole = due.plus(late).workday().max(day);
    let mut payments = Vec::new();
    if split > 0 {
        let part = total * split / 100 / 10_000 * 10_000;
        let early = day.plus(dice.days(4, 14)).min(whole).workday().max(day);
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
