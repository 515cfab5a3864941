//! Small tasks that hang on leads, clients, invoices and other records.

use super::calendar::{Day, TODAY};
use super::projects::Project;
use super::tasks::{COMPLETE, NEW, Task, WORKING};
use super::{Crm, fill, office, people, recent};
use crate::dice::Dice;

impl Crm {
    /// Tasks that came up around the time at which a project was opened.
    pub(super) fn chores(&self, index: usize, project: &Project) -> Vec<Task> {
        let mut dice = self.dice("chores", index);
        let day = project.created.day();
        (0..dice.weighted(&[20, 35, 30, 15]))
            .filter_map(|_| self.chore(&mut dice, day))
            .collect()
    }

    fn chore(&self, dice: &mut Dice, day: Day) -> Option<Task> {
        let (rel_type, rel_id, unit, slot, names): (_, _, _, _, &[&str]) =
            match dice.weighted(&[30, 24, 16, 12, 10, 8]) {
                0 => {
                    let index = recent(&self.leads, |slot| slot.day, day, 40, dice)?;
                    (
                        "lead",
                        index,
                        people::SALES,
                        self.lead(index).company,
                        &[
                            "Call back {slot}",
                            "Send references to {slot}",
                            "Prepare first meeting with {slot}",
                            "Demo for {slot}",
                            "Follow up with {slot}",
                        ],
                    )
                }
                1 => {
                    let index = self.client_at(dice, day);
                    (
                        "client",
                        index,
                        people::SALES,
                        self.company(index).name,
                        &[
                            "Quarterly review with {slot}",
                            "Update contact list of {slot}",
                            "Birthday cards for {slot}",
                            "Ask {slot} for a reference",
                            "Yearly price adjustment for {slot}",
                        ],
                    )
                }
                2 => {
                    let index = recent(&self.invoices, |slot| slot.day, day, 60, dice)?;
                    (
                        "invoice",
                        index,
                        people::FINANCE,
                        format!("INV-{:06}", index + 1),
                        &[
                            "Check tax on {slot}",
                            "Send reminder for {slot}",
                            "Clarify purchase order of {slot}",
                            "Agree on instalments for {slot}",
                        ],
                    )
                }
                3 => {
                    let index = recent(&self.estimates, |slot| slot.day, day, 40, dice)?;
                    (
                        "estimate",
                        index,
                        people::SALES,
                        format!("EST-{:06}", index + 1),
                        &[
                            "Follow up on {slot}",
                            "Extend validity of {slot}",
                            "Explain {slot} by phone",
                        ],
                    )
                }
                4 => {
                    let index = recent(&self.tickets, |day| *day, day, 30, dice)?;
                    (
                        "ticket",
                        index,
                        people::SUPPORT,
                        format!("#{}", index + 1),
                        &[
                            "Reproduce the error of ticket {slot}",
                            "Write help article after ticket {slot}",
                            "Check back on ticket {slot}",
                        ],
                    )
                }
                _ => {
                    let index = recent(&self.contracts, |day| *day, day, 120, dice)?;
                    (
                        "contract",
                        index,
                        people::SALES,
                        self.contract(index).subject.to_string(),
                        &[
                            "Prepare renewal: {slot}",
                            "Check response times: {slot}",
                            "File signed copy: {slot}",
                        ],
                    )
                }
            };
        let due = day.plus(dice.days(2, 18)).workday().max(day);
        let finish = day.plus(dice.days(0, due.0 - day.0 + 3)).workday().max(day);
        let done = finish < TODAY && (dice.chance(94) || finish < TODAY.plus(-120));
        let created = office(dice, day);
        let finished = finish.at(dice.days(17 * 60 + 45, 19 * 60), dice.days(0, 59));
        Some(Task {
            name: fill(dice.pick(names), &[("{slot}", &slot)]),
            rel_type,
            rel_id: rel_id as u64 + 1,
            stage: None,
            status: if done {
                COMPLETE
            } else {
                [NEW, WORKING][dice.below(2)]
            },
            start: day,
            due,
            finished: done.then_some(finished),
            assignees: vec![self.colleague(dice, unit, day, due)],
            estimate: dice.between(1, 6) * 50,
            billable: false,
            created,
            tags: &[],
        })
    }
}
