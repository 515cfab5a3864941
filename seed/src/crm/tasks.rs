//! Tasks: those that projects are made of, and the small ones that hang on other records.

use super::calendar::{Day, Moment, TODAY};
use super::projects::{Billing, CANCELLED, FINISHED, NOT_STARTED, Project};
use super::{Crm, Table};
use crate::dice::Dice;
use crate::lines::{Json, Line, object};

pub(super) const TASKS: Table = Table {
    name: "tasks",
    columns: &[
        "id",
        "name",
        "description",
        "rel_type",
        "rel_id",
        "milestone_id",
        "status",
        "priority",
        "start_date",
        "due_date",
        "finished_at",
        "estimated_hours",
        "billable",
        "tags",
        "checklist",
        "created_by_id",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.projects.len(),
    children: Some(|crm, project| crm.tasks(project).len()),
    write: write_tasks,
};

pub(super) const TASK_ASSIGNEES: Table = Table {
    name: "task_assignees",
    columns: &["task_id", "staff_id", "created_at", "updated_at"],
    parents: |crm| crm.projects.len(),
    children: Some(|crm, project| {
        crm.tasks(project)
            .iter()
            .map(|task| task.assignees.len())
            .sum()
    }),
    write: |crm, project, _, out| {
        let first = crm.first("tasks", project);
        for (index, task) in crm.tasks(project).iter().enumerate() {
            for (place, staff) in task.assignees.iter().enumerate() {
                let moment = task.created.plus(1 + place as i64);
                Line::new(out)
                    .id(Some(first + index as u64))
                    .id(Some(*staff as u64 + 1))
                    .at(moment)
                    .at(moment)
                    .end();
            }
        }
    },
};

/// What a task is like.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) rel_type: &'static str,
    pub(super) rel_id: u64,
    /// Stage of the project, for tasks of projects.
    pub(super) stage: Option<usize>,
    pub(super) status: i64,
    pub(super) start: Day,
    pub(super) due: Day,
    pub(super) finished: Option<Moment>,
    pub(super) assignees: Vec<usize>,
    /// In hundredths of an hour.
    pub(super) estimate: i64,
    pub(super) billable: bool,
    pub(super) created: Moment,
    pub(super) tags: &'static [&'static str],
}

pub(super) const NEW: i64 = 1;
const FEEDBACK: i64 = 2;
const TESTING: i64 = 3;
pub(super) const WORKING: i64 = 4;
pub(super) const COMPLETE: i64 = 5;

impl Crm {
    /// Tasks made along with a project: its own, then those that came up around the same time elsewhere.
    pub(super) fn tasks(&self, index: usize) -> Vec<Task> {
        let project = self.project(index);
        let mut tasks = self.project_tasks(index, project);
        tasks.extend(self.chores(index, project));
        tasks
    }

    /// Tasks of a project.
    pub(super) fn project_tasks(&self, index: usize, project: &Project) -> Vec<Task> {
        let mut dice = self.dice("project tasks", index);
        let mut tasks = Vec::new();
        let hours: i64 = self
            .project_quote(index, project)
            .iter()
            .filter(|item| item.unit == "h")
            .map(|item| item.quantity)
            .sum();
        let hours = if project.billing == Billing::Internal {
            4_000
        } else {
            hours
        };
        let share = hours as f64 / (project.service.stages.len() as f64 * 2.5);
        for (position, stage) in project.service.stages.iter().enumerate() {
            let (from, to) = project.stage(position);
            let wanted = dice.below(2) + 2;
            for (place, name) in stage.tasks.iter().enumerate() {
                // Each task of the stage has the same chance, and as many come out as are wanted.
                let chosen = tasks
                    .iter()
                    .filter(|task: &&Task| task.stage == Some(position))
                    .count();
                if dice.below(stage.tasks.len() - place) >= wanted.saturating_sub(chosen) {
                    continue;
                }
                let length = to.0 - from.0;
                let start = from
                    .plus(length * place as i32 / (stage.tasks.len() as i32 + 1))
                    .workday()
                    .max(from);
                let due = start
                    .plus(length / 4 + dice.days(1, length / 3 + 2))
                    .min(to)
                    .workday()
                    .max(start);
                let finish = project
                    .really(due)
                    .plus(dice.days(-1, 1))
                    .workday()
                    .clamp(start, project.end);
                let done = project.status == FINISHED
                    || (finish < project.stop
                        && (dice.chance(93) || finish < project.stop.plus(-45)));
                let status = if done {
                    COMPLETE
                } else if matches!(project.status, NOT_STARTED | CANCELLED)
                    || start >= project.stop.plus(-2)
                {
                    NEW
                } else {
                    [WORKING, FEEDBACK, TESTING, NEW][dice.weighted(&[50, 20, 15, 15])]
                };
                let mut assignees = vec![project.team[dice.below(project.team.len())]];
                let other = project.team[dice.below(project.team.len())];
                if dice.chance(32) && !assignees.contains(&other) {
                    assignees.push(other);
                }
                let estimate = ((share * dice.spread(0.45)) as i64 / 100).max(2) * 100;
                tasks.push(Task {
                    name: name.to_string(),
                    rel_type: "project",
                    rel_id: index as u64 + 1,
                    stage: Some(position),
                    status,
                    start,
                    due,
                    finished: done
                        .then(|| finish.at(dice.days(17 * 60 + 45, 19 * 60), dice.days(0, 59))),
                    assignees,
                    estimate,
                    billable: project.billing != Billing::Internal && !dice.chance(8),
                    created: project.created.plus(18 + tasks.len() as i64 * 3),
                    tags: TAGS[dice.weighted(&[60, 12, 10, 9, 9])],
                });
            }
        }
        tasks
    }
}

fn write_tasks(crm: &Crm, project: usize, first: u64, out: &mut Vec<u8>) {
    let milestone = crm.first("milestones", project);
    let manager = crm.project(project).team[0];
    for (index, task) in crm.tasks(project).iter().enumerate() {
        let id = first + index as u64;
        let mut dice = crm.dice("task details", id as usize);
        let author = if task.stage.is_some() {
            manager
        } else {
            task.assignees[0]
        };
        let worked = task.start < TODAY && matches!(task.status, FEEDBACK | TESTING | WORKING);
        let changed = match task.finished {
            Some(finished) => finished,
            None if worked => task
                .due
                .min(TODAY.plus(-1))
                .max(task.start)
                .workday()
                .at(dice.days(9 * 60, 17 * 60), 0),
            None => task.created,
        };
        let priority = [1, 2, 3, 4][dice.weighted(&[16, 52, 24, 8])];
        let description = if dice.chance(34) {
            Some(dice.pick(if task.stage.is_some() {
                WORK_NOTES
            } else {
                CALL_NOTES
            }))
        } else {
            None
        };
        Line::new(out)
            .id(Some(id))
            .text(&task.name)
            .maybe(description)
            .text(task.rel_type)
            .id(Some(task.rel_id))
            .id(task.stage.map(|stage| milestone + stage as u64))
            .int(task.status)
            .int(priority)
            .day(task.start)
            .day(task.due)
            .maybe_at(task.finished)
            .hundredths(task.estimate)
            .bool(task.billable)
            .list(task.tags)
            .text(&checklist(task, &mut dice))
            .id(Some(author as u64 + 1))
            .at(task.created)
            .at(changed.max(task.created))
            .end();
    }
}

/// Steps of a task, for every fifth; all done where the task is complete.
fn checklist(task: &Task, dice: &mut Dice) -> String {
    if task.stage.is_none() || !dice.chance(20) {
        return "[]".into();
    }
    let steps = STEPS[dice.below(STEPS.len())];
    let done = match task.status {
        COMPLETE => steps.len(),
        NEW => 0,
        _ => dice.below(steps.len()),
    };
    let steps: Vec<String> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            object(&[
                ("text", Json::Text(step)),
                ("done", Json::Bool(index < done)),
            ])
        })
        .collect();
    format!("[{}]", steps.join(", "))
}

const TAGS: [&[&str]; 5] = [
    &[],
    &["client input"],
    &["internal"],
    &["quick win"],
    &["blocked before"],
];
const STEPS: [&[&str]; 4] = [
    &[
        "Draft",
        "Review by a colleague",
        "Corrections",
        "Approval by the client",
    ],
    &["Set up", "Test on staging", "Write it down"],
    &[
        "Collect input",
        "Agree on scope",
        "Do it",
        "Inform the client",
    ],
    &["Check access", "Back up", "Carry out", "Check the result"],
];
const WORK_NOTES: &[&str] = &[
    "Client sends the missing texts by Friday.",
    "See the minutes of the kick-off.",
    "Use the approved version, not the one from the pitch.",
    "Coordinate with the client's IT first.",
    "Only as far as the estimate covers it.",
    "Needs a second pair of eyes before it goes out.",
    "Same approach as in the last project for this industry.",
    "Ask for test data early.",
    "Keep the old version until the client has signed off.",
    "Part of the agreed scope, see estimate.",
    "Split off if it takes longer than planned.",
    "The client wants to be shown an interim state.",
];
const CALL_NOTES: &[&str] = &[
    "Best reached in the morning.",
    "Speak to the assistant first.",
    "They asked for it at the last meeting.",
    "Has been waiting for a while.",
    "Write a short note afterwards.",
    "Check the history before calling.",
];
