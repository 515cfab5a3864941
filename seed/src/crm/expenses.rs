//! Expenses: for projects, and for running the agency.

use super::calendar::{Curve, TODAY};
use super::{Crm, Table, people, recent};
use crate::lines::Line;

pub(super) const EXPENSES: Table = Table {
    name: "expenses",
    columns: &[
        "id",
        "name",
        "category",
        "amount",
        "tax_rate",
        "date",
        "mode",
        "clientid",
        "project_id",
        "staff_id",
        "billable",
        "reference",
        "note",
        "created_at",
        "updated_at",
    ],
    parents: |crm| 520 * crm.scale,
    children: None,
    write: write_expense,
};

/// What it is for, kind, usual price, how far prices lie apart, whether it is spent on projects.
#[rustfmt::skip]
const KINDS: &[(&str, &str, i64, f64, bool)] = &[
    ("Train to the client", "travel", 78, 0.5, true), ("Flight to the kick-off", "travel", 285, 0.4, true),
    ("Rental car, two days", "travel", 134, 0.3, true), ("Taxi from the airport", "travel", 38, 0.3, true),
    ("Hotel, one night", "accommodation", 129, 0.3, true), ("Hotel, project week", "accommodation", 515, 0.3, true),
    ("Team lunch with the client", "meals", 96, 0.4, true), ("Stock photos", "marketing", 87, 0.5, true),
    ("Test devices", "hardware", 640, 0.3, true), ("Freelance developer", "subcontractor", 2400, 0.5, true),
    ("Freelance copywriter", "subcontractor", 780, 0.4, true), ("Translation agency", "subcontractor", 460, 0.5, true),
    ("Font licence", "software", 149, 0.4, true), ("Printing", "marketing", 390, 0.5, true),
    ("Cloud servers", "software", 860, 0.2, false), ("Design software, seats", "software", 612, 0.1, false),
    ("Code hosting, seats", "software", 294, 0.1, false), ("Coffee and fruit", "office", 84, 0.3, false),
    ("Office supplies", "office", 61, 0.6, false), ("Laptop", "hardware", 1890, 0.2, false),
    ("Conference tickets", "training", 740, 0.4, false), ("Online course", "training", 199, 0.4, false),
    ("Trade show stand", "marketing", 3200, 0.3, false), ("Sponsored posts", "marketing", 420, 0.4, false),
    ("Team event", "meals", 560, 0.4, false), ("Tax adviser", "other", 450, 0.2, false),
];

fn write_expense(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let mut dice = crm.dice("expenses", index);
    let count = (EXPENSES.parents)(crm) as f64;
    let day = Curve::new(1.5).day((index as f64 + 1.0) / (count + 1.0));
    let project = recent(
        &crm.projects,
        |project| project.created.day(),
        day,
        75,
        &mut dice,
    )
    .filter(|project| {
        let facts = crm.project(*project);
        facts.start <= day && day < facts.stop && dice.chance(75)
    });
    let (name, category, usual, apart, _) = loop {
        let kind = KINDS[dice.below(KINDS.len())];
        if kind.4 == project.is_some() {
            break kind;
        }
    };
    let amount = (usual as f64 * 100.0 * dice.spread(apart)) as i64;
    let amount = if dice.chance(35) {
        (amount / 500).max(1) * 500
    } else {
        amount / 10 * 10 + 9
    };
    let (client, staff, billable) = match project {
        Some(project) => {
            let facts = crm.project(project);
            let staff = facts.team[dice.below(facts.team.len())];
            (Some(facts.client as u64 + 1), staff, dice.chance(70))
        }
        None => {
            let unit = [
                people::FINANCE,
                people::MARKETING,
                people::ENGINEERING,
                people::DESIGN,
            ][dice.below(4)];
            (None, crm.colleague(&mut dice, unit, day, day), false)
        }
    };
    let mode = ["card", "bank transfer", "direct debit", "cash", "paypal"]
        [dice.weighted(&[52, 28, 12, 4, 4])];
    let created = day.at(dice.days(17 * 60, 19 * 60), dice.days(0, 59));
    let entered = day
        .plus(dice.days(0, 6))
        .min(TODAY.plus(-1))
        .at(19 * 60, 30)
        .max(created);
    let note = if dice.chance(15) {
        Some(dice.pick(&[
            "Receipt attached",
            "Receipt missing, own voucher",
            "Approved by mail",
            "Split between two projects",
            "Yearly",
        ]))
    } else {
        None
    };
    Line::new(out)
        .id(Some(id))
        .text(name)
        .text(category)
        .hundredths(amount)
        .hundredths([0, 700, 1900, 2000][dice.weighted(&[50, 10, 20, 20])])
        .day(day)
        .text(mode)
        .id(client)
        .id(project.map(|project| project as u64 + 1))
        .id(Some(staff as u64 + 1))
        .bool(billable)
        .text(&format!("R{}", 100_000 + dice.below(900_000)))
        .maybe(note)
        .at(created)
        .at(entered)
        .end();
}
