//! Time spent on tasks of projects.

use super::calendar::{Day, Moment, TODAY};
use super::tasks::Task;
use super::{Crm, Table};
use crate::lines::Line;

pub(super) const TIMESHEETS: Table = Table {
    name: "timesheets",
    columns: &[
        "id",
        "task_id",
        "staff_id",
        "start_time",
        "end_time",
        "hourly_rate",
        "billable",
        "note",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.projects.len(),
    children: Some(|crm, project| crm.entries(project).len()),
    write: write_timesheets,
};

/// Work on a task, in one go.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Index of the task among those of the project.
    task: usize,
    staff: usize,
    start: Moment,
    end: Moment,
    billable: bool,
}

impl Crm {
    /// Work on the tasks of a project, in the order of the tasks.
    fn entries(&self, index: usize) -> Vec<Entry> {
        let project = self.project(index);
        let mut dice = self.dice("timesheets", index);
        let mut entries = Vec::new();
        for (number, task) in self.project_tasks(index, project).iter().enumerate() {
            let last = last_day(task, project.stop);
            if task.status == 1 || last < task.start {
                continue;
            }
            // What was planned, more or less, less what is still to do.
            let done = if task.finished.is_some() { 1.0 } else { 0.5 };
            let minutes = (task.estimate as f64 * 0.6 * done * dice.spread(0.25)) as i64;
            let pieces = ((minutes + 110) / 220).clamp(1, 6);
            for piece in 0..pieces {
                let day = task
                    .start
                    .plus((last.0 - task.start.0) * piece as i32 / pieces as i32)
                    .workday()
                    .max(task.start);
                let length =
                    (minutes / pieces * dice.between(80, 120) / 100 / 15).clamp(1, 17) * 15;
                // Mornings and afternoons in turn, so that no piece runs into the next.
                let start = day.at(
                    if piece % 2 == 0 {
                        dice.days(31, 33) * 15
                    } else {
                        dice.days(52, 54) * 15
                    },
                    0,
                );
                entries.push(Entry {
                    task: number,
                    staff: task.assignees[piece as usize % task.assignees.len()],
                    start,
                    end: start.plus(length),
                    billable: task.billable && !dice.chance(6),
                });
            }
        }
        entries
    }
}

/// Last day on which a task was worked on: none after it was due, finished or stopped.
fn last_day(task: &Task, stop: Day) -> Day {
    let end = task.finished.map_or(TODAY.plus(-1), Moment::day);
    task.due.min(end).min(stop.plus(-1)).min(TODAY.plus(-1))
}

fn write_timesheets(crm: &Crm, project: usize, first: u64, out: &mut Vec<u8>) {
    let task = crm.first("tasks", project);
    for (index, entry) in crm.entries(project).iter().enumerate() {
        let mut dice = crm.dice("timesheet notes", first as usize + index);
        let rate = if entry.billable {
            crm.staffs.members[entry.staff].rate
        } else {
            0
        };
        let written = entry.end.plus(dice.between(1, 20));
        let note = if dice.chance(40) {
            Some(dice.pick(NOTES))
        } else {
            None
        };
        Line::new(out)
            .id(Some(first + index as u64))
            .id(Some(task + entry.task as u64))
            .id(Some(entry.staff as u64 + 1))
            .at(entry.start)
            .at(entry.end)
            .hundredths(rate)
            .bool(entry.billable)
            .maybe(note)
            .at(written)
            .at(written)
            .end();
    }
}

const NOTES: &[&str] = &[
    "First version",
    "Corrections after review",
    "Call with client",
    "Set-up and research",
    "Continued",
    "Testing",
    "Second round",
    "Coordination in the team",
    "Finished, sent for approval",
    "Waiting for input in between",
    "Documentation",
    "Fixes after test",
    "Preparation",
    "Workshop follow-up",
];
