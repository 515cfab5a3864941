//! Projects, who works on them, and their stages.

use super::billing::{self, Item};
use super::calendar::{Curve, Day, Moment, TODAY};
use super::services::{self, SERVICES, Service};
use super::{Crm, Table, fill, office, people};
use crate::lines::{Json, Line};

pub(super) const PROJECTS: Table = Table {
    name: "projects",
    columns: &[
        "id",
        "name",
        "clientid",
        "description",
        "status",
        "billing_type",
        "budget",
        "manager_id",
        "progress",
        "start_date",
        "deadline",
        "finished_on",
        "tags",
        "settings",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.projects.len(),
    children: None,
    write: write_project,
};

pub(super) const PROJECT_MEMBERS: Table = Table {
    name: "project_members",
    columns: &["project_id", "staff_id", "role", "created_at", "updated_at"],
    parents: |crm| crm.projects.len(),
    children: Some(|crm, project| crm.project(project).team.len()),
    write: |crm, index, _, out| {
        let project = crm.project(index);
        for (place, staff) in project.team.iter().enumerate() {
            let role = match place {
                0 => "manager",
                1 => "lead",
                place if place + 1 == project.team.len() && place > 3 => "reviewer",
                _ => "member",
            };
            let moment = project.created.plus(place as i64 * 2 + 1);
            Line::new(out)
                .id(Some(index as u64 + 1))
                .id(Some(*staff as u64 + 1))
                .text(role)
                .at(moment)
                .at(moment)
                .end();
        }
    },
};

pub(super) const MILESTONES: Table = Table {
    name: "milestones",
    columns: &[
        "id",
        "project_id",
        "name",
        "description",
        "position",
        "start_date",
        "due_date",
        "completed_on",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.projects.len(),
    children: Some(|crm, project| crm.project(project).service.stages.len()),
    write: write_milestones,
};

/// States of a project, as the table's comment lists them.
pub(super) const NOT_STARTED: i64 = 1;
pub(super) const IN_PROGRESS: i64 = 2;
pub(super) const ON_HOLD: i64 = 3;
pub(super) const FINISHED: i64 = 4;
pub(super) const CANCELLED: i64 = 5;

/// How a project is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Billing {
    Fixed,
    Hourly,
    Internal,
}

/// What a project is like.
#[derive(Clone, Debug)]
pub(super) struct Project {
    pub(super) client: usize,
    pub(super) service: &'static Service,
    pub(super) created: Moment,
    pub(super) start: Day,
    pub(super) deadline: Day,
    /// Day that it is, or will be, finished if nothing stops it.
    pub(super) end: Day,
    /// First day on which nobody works on it any more: the anchor, or the day that it was stopped.
    pub(super) stop: Day,
    pub(super) status: i64,
    pub(super) billing: Billing,
    /// Who works on it; the manager first.
    pub(super) team: Vec<usize>,
    size: f64,
    kind: &'static str,
}

/// Opens the projects.
pub(super) fn plan(crm: &Crm) -> Vec<Project> {
    let count = 220 * crm.scale;
    let curve = Curve::new(1.6);
    let day = |index: usize| {
        curve
            .day((index as f64 + 2.0) / (count as f64 + 2.0))
            .max(Day(7))
    };
    (0..count)
        .map(|index| project(crm, index, day(index)))
        .collect()
}

fn project(crm: &Crm, index: usize, day: Day) -> Project {
    let mut dice = crm.dice("projects", index);
    let client = crm.client_at(&mut dice, day);
    let service = &SERVICES[services::choose(&mut dice)].1;
    let kind = dice.pick(service.projects);
    let size =
        (if crm.client(client).key { 0.7 } else { 0.45 } * dice.spread(0.5)).clamp(0.15, 3.0);
    let start = day.plus(dice.days(3, 21)).workday();
    let days = f64::from(service.days) * (0.55 + 0.5 * size).min(1.8) * dice.spread(0.15);
    let deadline = start.plus((days as i32).max(14)).workday();
    let slip = (deadline.0 - start.0) * dice.days(-8, 30) / 100;
    let end = deadline
        .plus(slip - 3)
        .workday()
        .max(start.plus(10).workday());
    let (stopped, held) = (dice.chance(5), dice.chance(16));
    let halt = start
        .plus((end.0 - start.0) * dice.days(25, 75) / 100)
        .workday();
    let (status, stop) = if stopped && halt < TODAY {
        (CANCELLED, halt)
    } else if end < TODAY {
        (FINISHED, end.plus(1))
    } else if start >= TODAY {
        (NOT_STARTED, TODAY)
    } else if held && halt < TODAY {
        (ON_HOLD, halt)
    } else {
        (IN_PROGRESS, TODAY)
    };
    let mut team = vec![crm.colleague(&mut dice, people::CONSULTING, day, end)];
    let units: &[usize] = match service.tag {
        "brand" => &[people::DESIGN, people::DESIGN, people::MARKETING],
        "marketing" => &[people::MARKETING, people::MARKETING, people::DESIGN],
        "crm" | "data" => &[people::CONSULTING, people::ENGINEERING],
        "cloud" | "security" => &[people::ENGINEERING, people::SUPPORT],
        _ => &[people::ENGINEERING, people::DESIGN, people::ENGINEERING],
    };
    for place in 0..dice.below(4) + 2 {
        let staff = crm.colleague(&mut dice, units[place % units.len()], day, end);
        if !team.contains(&staff) {
            team.push(staff);
        }
    }
    let billing = [Billing::Fixed, Billing::Hourly, Billing::Internal][dice.weighted(&[66, 31, 3])];
    Project {
        client,
        service,
        created: office(&mut dice, day),
        start,
        deadline,
        end,
        stop,
        status,
        billing,
        team,
        size,
        kind,
    }
}

impl Crm {
    /// What a project is like.
    pub(super) fn project(&self, index: usize) -> &Project {
        &self.projects[index]
    }

    /// Lines that a project was sold with; their sum is its budget.
    pub(super) fn project_quote(&self, index: usize, project: &Project) -> Vec<Item> {
        if project.billing == Billing::Internal {
            return Vec::new();
        }
        let tax = self.client(project.client).tax;
        billing::quote(
            project.service,
            project.size,
            tax,
            &mut self.dice("project quote", index),
        )
    }

    /// Name of a project.
    pub(super) fn project_name(&self, index: usize, project: &Project) -> String {
        let mut dice = self.dice("project name", index);
        let client = self.company(project.client).name;
        match dice.below(10) {
            0..=4 => format!("{}: {}", client, project.kind),
            5 => format!("{} {}", project.kind, project.start.date().format("%Y")),
            6 => format!("{}, phase 2", project.kind),
            _ => format!("{} for {client}", project.kind),
        }
    }
}

impl Project {
    /// First and last day of a stage as planned: between start and deadline, and before the end where that is earlier.
    pub(super) fn stage(&self, stage: usize) -> (Day, Day) {
        let length = self.length();
        let stages = self.service.stages.len() as i32;
        let from = self.start.plus(length * stage as i32 / stages);
        let to = self.start.plus(length * (stage as i32 + 1) / stages);
        (from.workday().max(self.start), to.workday().max(self.start))
    }

    /// When what was planned for a day is really done, as the project runs late or early.
    pub(super) fn really(&self, planned: Day) -> Day {
        let day = self
            .start
            .plus((planned.0 - self.start.0) * (self.end.0 - self.start.0) / self.length().max(1));
        day.workday().clamp(self.start, self.end)
    }

    /// Days from the start to the end of the plan.
    fn length(&self) -> i32 {
        self.deadline.min(self.end).0 - self.start.0
    }

    /// When the row last changed.
    fn changed(&self) -> Day {
        match self.status {
            NOT_STARTED => self.created.day(),
            IN_PROGRESS => TODAY.plus(-1).workday(),
            _ => self.stop.plus(-1).workday(),
        }
    }
}

fn write_project(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let project = crm.project(index);
    let mut dice = crm.dice("project details", index);
    let budget = billing::sums(&crm.project_quote(index, project)).subtotal;
    let tasks = crm.project_tasks(index, project);
    let complete = tasks.iter().filter(|task| task.finished.is_some()).count();
    let progress = (complete * 100 + tasks.len() / 2) / tasks.len().max(1);
    let company = crm.company(project.client);
    let mut tags = vec![project.service.tag];
    for (tag, percent) in [
        ("priority", 10),
        ("framework contract", 6),
        ("reference", 8),
    ] {
        if dice.chance(percent) {
            tags.push(tag);
        }
    }
    let changed = office(&mut dice, project.changed()).max(project.created.plus(20));
    Line::new(out)
        .id(Some(id))
        .text(&crm.project_name(index, project))
        .id(Some(project.client as u64 + 1))
        .text(&fill(project.service.goal, &[("{client}", &company.name)]))
        .int(project.status)
        .text(match project.billing {
            Billing::Fixed => "fixed",
            Billing::Hourly => "hourly",
            Billing::Internal => "internal",
        })
        .hundredths(budget)
        .id(Some(project.team[0] as u64 + 1))
        .int(progress as i64)
        .day(project.start)
        .day(project.deadline)
        .maybe_day((project.status == FINISHED).then_some(project.end))
        .list(&tags)
        .object(&[
            ("client_sees_tasks", Json::Bool(dice.chance(80))),
            (
                "client_sees_hours",
                Json::Bool(project.billing == Billing::Hourly),
            ),
            ("weekly_report", Json::Bool(dice.chance(35))),
        ])
        .at(project.created)
        .at(changed)
        .end();
}

fn write_milestones(crm: &Crm, index: usize, first: u64, out: &mut Vec<u8>) {
    let project = crm.project(index);
    let tasks = crm.project_tasks(index, project);
    for (position, stage) in project.service.stages.iter().enumerate() {
        let (from, to) = project.stage(position);
        let mut last = Some(project.start);
        for task in tasks.iter().filter(|task| task.stage == Some(position)) {
            last = last
                .zip(task.finished)
                .map(|(last, finished)| last.max(finished.day()));
        }
        let changed = last.map_or(project.created.plus(15), |last| {
            last.at(18 * 60, 30).max(project.created.plus(15))
        });
        Line::new(out)
            .id(Some(first + position as u64))
            .id(Some(index as u64 + 1))
            .text(stage.name)
            .text(stage.result)
            .int(position as i64 + 1)
            .day(from)
            .day(to)
            .maybe_day(last)
            .at(project.created.plus(15))
            .at(changed)
            .end();
    }
}
