//! Running contracts, which are billed at intervals.

use super::calendar::{Curve, Day, Moment, TODAY};
use super::services::CONTRACTS as KINDS;
use super::{Crm, Table, office, people};
use crate::lines::{Json, Line};

pub(super) const CONTRACTS: Table = Table {
    name: "contracts",
    columns: &[
        "id",
        "clientid",
        "subject",
        "contract_type",
        "billed",
        "fee",
        "start_date",
        "end_date",
        "signed_at",
        "signer_id",
        "owner_id",
        "terms",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.contracts.len(),
    children: None,
    write: write_contract,
};

/// What a contract says.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    pub(super) client: usize,
    pub(super) created: Moment,
    pub(super) subject: &'static str,
    kind: &'static str,
    response: i64,
    /// Months between two invoices.
    pub(super) months: i32,
    /// Net fee of one interval, in hundredths.
    pub(super) fee: i64,
    pub(super) start: Day,
    pub(super) end: Option<Day>,
    pub(super) signed: Option<Moment>,
    pub(super) owner: usize,
}

/// When each contract was drawn up.
pub(super) fn plan(crm: &Crm) -> Vec<Day> {
    let count = 105 * crm.scale;
    let curve = Curve::new(1.6);
    // The first days have no clients yet whose contract could be drawn up.
    (0..count)
        .map(|index| {
            curve
                .day((index as f64 + 1.5) / (count as f64 + 1.5))
                .max(Day(6))
        })
        .collect()
}

impl Crm {
    /// What a contract says.
    pub(super) fn contract(&self, index: usize) -> Contract {
        let day = self.contracts[index];
        let mut dice = self.dice("contracts", index);
        let client = self.client_at(&mut dice, day);
        let facts = self.client(client);
        let (kind, subject, monthly, response) = KINDS[dice.below(KINDS.len())];
        let months = [1, 3, 12][dice.weighted(&[30, 45, 25])];
        let size = if facts.key { 1.6 } else { 1.0 };
        let monthly = ((monthly as f64 * size * dice.spread(0.25)) as i64 / 10).max(4) * 10;
        let start = day.month_start(1);
        let term = [12, 24, 36][dice.weighted(&[60, 30, 10])];
        let end = start.month_start(term).plus(-1);
        let open_ended = dice.chance(35);
        let created = office(&mut dice, day);
        let answer = day
            .plus(dice.days(0, 12))
            .min(start.plus(-1))
            .workday()
            .max(day);
        let signed = office(&mut dice, answer).max(created.plus(30));
        let waits = day > TODAY.plus(-40) && dice.chance(40);
        let end = match facts.until {
            // Who leaves gives notice to the end of a month.
            Some(until) if open_ended || until < end => {
                Some(until.month_start(1).max(start.month_start(1)).plus(-1))
            }
            _ if open_ended => None,
            _ => Some(end),
        };
        Contract {
            client,
            created,
            subject,
            kind,
            response,
            months,
            fee: monthly * i64::from(months) * 100,
            start,
            end,
            signed: (signed.is_past() && !waits).then_some(signed),
            owner: self.colleague(&mut dice, people::SALES, day, TODAY),
        }
    }
}

impl Contract {
    /// First days of the intervals that have been billed.
    pub(super) fn billed(&self) -> Vec<Day> {
        if self.signed.is_none() {
            return Vec::new();
        }
        (0..)
            .map(|interval| self.start.month_start(interval * self.months))
            .take_while(|day| *day < TODAY && self.end.is_none_or(|end| *day < end))
            .collect()
    }
}

fn write_contract(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let contract = crm.contract(index);
    let mut dice = crm.dice("contract details", index);
    let (signer, _) = crm.contact_at(&mut dice, contract.client, contract.created.day());
    Line::new(out)
        .id(Some(id))
        .id(Some(contract.client as u64 + 1))
        .text(contract.subject)
        .text(contract.kind)
        .text(match contract.months {
            1 => "monthly",
            3 => "quarterly",
            _ => "yearly",
        })
        .hundredths(contract.fee)
        .day(contract.start)
        .maybe_day(contract.end)
        .maybe_at(contract.signed)
        .id(contract.signed.map(|_| signer))
        .id(Some(contract.owner as u64 + 1))
        .object(&[
            ("notice_days", Json::Int([30, 60, 90][dice.below(3)])),
            ("response_hours", Json::Int(contract.response)),
            (
                "renews",
                Json::Bool(contract.end.is_none() || dice.chance(60)),
            ),
        ])
        .at(contract.created)
        .at(contract.signed.unwrap_or(contract.created))
        .end();
}
