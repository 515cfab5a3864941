//! How projects are billed: by instalments of a fixed price, or month by month.

use super::Crm;
use super::billing::{self, Item};
use super::calendar::{Day, TODAY};
use super::projects::{Billing, FINISHED};

impl Crm {
    /// Days on which a project was billed: a deposit, stages and the rest where the price is fixed, else each month.
    pub(super) fn instalments(&self, index: usize) -> Vec<Day> {
        let project = self.project(index);
        let mut dice = self.dice("instalments", index);
        let budget = billing::sums(&self.project_quote(index, project)).subtotal;
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
                            .plus(dice.days(1, 4))
                            .workday()
                            .max(project.start.month_start(month))
                    })
                    .collect()
            }
        };
        // Once a project is stopped, only what was done before is still billed.
        let last = if project.status == FINISHED {
            TODAY
        } else {
            project.stop
        };
        days.into_iter()
            .map(|day| day.workday().max(project.start))
            .take_while(|day| *day < last && *day < TODAY)
            .collect()
    }

    /// Lines of one instalment of a project. Those of all instalments add up to no more than its quote.
    pub(super) fn instalment(&self, index: usize, part: usize) -> Vec<Item> {
        let project = self.project(index);
        let quote = self.project_quote(index, project);
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
                format!("Deposit {percent} %: {}", self.project_name(index, project)),
                quote.iter().map(|item| share(item, 0)).sum(),
            )];
        }
        quote
            .iter()
            .map(|item| lump(format!("{} ({percent} %)", item.text), share(item, part)))
            .collect()
    }
}

/// Percentages in which a price is billed.
fn shares(budget: i64) -> &'static [i64] {
    match budget {
        0..400_000 => &[100],
        400_000..900_000 => &[50, 50],
        900_000..3_000_000 => &[30, 40, 30],
        _ => &[25, 25, 25, 25],
    }
}

/// Calendar months that a span touches.
fn months(from: Day, to: Day) -> i32 {
    (1..)
        .find(|month| from.month_start(*month) > to)
        .unwrap_or(1)
}
