//! Users, departments and staffs: the agency's own people.

use super::calendar::{Day, TODAY};
use super::{Crm, Table, office};
use crate::dice::Dice;
use crate::lines::{Json, Line};
use crate::values::network;
use crate::values::person::{Person, person};
use crate::values::phone;
use std::collections::HashSet;

/// Mail domain of the agency.
pub(super) const DOMAIN: &str = "harbourlight.example";

pub(super) const USERS: Table = Table {
    name: "users",
    columns: &[
        "id",
        "email",
        "password_hash",
        "name",
        "role",
        "is_active",
        "preferences",
        "last_login_at",
        "created_at",
        "updated_at",
    ],
    parents: |_| LOGINS,
    children: None,
    write: |crm, index, id, out| {
        let person = &crm.staffs.names[index];
        let mut dice = crm.dice("users", index);
        let day = TODAY.plus(-dice.days(2, 13)).workday();
        let login = office(&mut dice, day);
        let role = if index < 2 {
            "admin"
        } else if index < 6 {
            "editor"
        } else {
            "viewer"
        };
        let created = Day(0).at(8 * 60 + index as i32 * 7, 0);
        Line::new(out)
            .id(Some(id))
            .text(&person.mail(DOMAIN))
            .text(&nobodys_hash(&mut dice))
            .text(&format!("{} {}", person.first, person.last))
            .text(role)
            .bool(true)
            .object(&[
                ("theme", Json::Text(dice.pick(&["light", "dark", "system"]))),
                ("rows_per_page", Json::Int(25)),
                (
                    "start_page",
                    Json::Text(dice.pick(&["dashboard", "projects", "invoices"])),
                ),
            ])
            .at(login)
            .at(created)
            .at(login)
            .end();
    },
};

pub(super) const DEPARTMENTS: Table = Table {
    name: "departments",
    columns: &[
        "id",
        "name",
        "email",
        "description",
        "created_at",
        "updated_at",
    ],
    parents: |_| UNITS.len(),
    children: None,
    write: |_, index, id, out| {
        let unit = &UNITS[index];
        let moment = Day(0).at(7 * 60, 0);
        Line::new(out)
            .id(Some(id))
            .text(unit.name)
            .text(&format!("{}@{DOMAIN}", unit.mailbox))
            .text(unit.purpose)
            .at(moment)
            .at(moment)
            .end();
    },
};

pub(super) const STAFFS: Table = Table {
    name: "staffs",
    columns: &[
        "id",
        "user_id",
        "email",
        "firstname",
        "lastname",
        "department_id",
        "manager_id",
        "job_title",
        "phonenumber",
        "hourly_rate",
        "skills",
        "profile",
        "hired_on",
        "left_on",
        "is_active",
        "last_login_at",
        "last_ip",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.staffs.members.len(),
    children: None,
    write: write_staff,
};

/// The first of the staffs may log in.
const LOGINS: usize = 8;

/// Departments by their index.
pub(super) const SALES: usize = 1;
pub(super) const CONSULTING: usize = 2;
pub(super) const DESIGN: usize = 3;
pub(super) const ENGINEERING: usize = 4;
pub(super) const SUPPORT: usize = 5;
pub(super) const FINANCE: usize = 6;
pub(super) const MARKETING: usize = 7;
const PEOPLE: usize = 8;

struct Unit {
    name: &'static str,
    mailbox: &'static str,
    purpose: &'static str,
    head: &'static str,
    titles: &'static [&'static str],
    rate: i64,
    skills: &'static [&'static str],
}

#[rustfmt::skip]
const UNITS: &[Unit] = &[
    Unit { name: "Management", mailbox: "office", purpose: "Runs the company", head: "Managing Director", titles: &["Assistant to the Management"], rate: 180, skills: &["strategy", "negotiation", "finance"] },
    Unit { name: "Sales", mailbox: "sales", purpose: "Wins clients and keeps them", head: "Head of Sales", titles: &["Account Manager", "Account Executive", "Sales Development Representative"], rate: 110, skills: &["negotiation", "CRM", "presentations", "tenders", "cold calling"] },
    Unit { name: "Consulting", mailbox: "projects", purpose: "Leads projects and advises clients", head: "Head of Consulting", titles: &["Project Manager", "Senior Consultant", "Consultant", "Business Analyst"], rate: 140, skills: &["project management", "workshops", "process mapping", "CRM", "requirements"] },
    Unit { name: "Design", mailbox: "design", purpose: "Brands, interfaces and print", head: "Creative Director", titles: &["UX Designer", "Visual Designer", "Senior Designer", "Motion Designer"], rate: 120, skills: &["Figma", "typography", "user research", "prototyping", "illustration", "accessibility"] },
    Unit { name: "Engineering", mailbox: "engineering", purpose: "Builds and integrates software", head: "Head of Engineering", titles: &["Software Engineer", "Senior Software Engineer", "Front-end Developer", "DevOps Engineer", "QA Engineer", "Data Engineer"], rate: 130, skills: &["TypeScript", "PostgreSQL", "Rust", "PHP", "Kubernetes", "testing", "React", "Swift", "ETL"] },
    Unit { name: "Support", mailbox: "support", purpose: "Answers tickets and keeps systems running", head: "Head of Support", titles: &["Support Agent", "Senior Support Agent", "System Administrator"], rate: 95, skills: &["Linux", "networking", "troubleshooting", "DNS", "customer care"] },
    Unit { name: "Finance", mailbox: "billing", purpose: "Invoices, payments and books", head: "Head of Finance", titles: &["Accountant", "Billing Specialist"], rate: 90, skills: &["bookkeeping", "payroll", "tax", "collections"] },
    Unit { name: "Marketing", mailbox: "marketing", purpose: "Search, content and campaigns, for clients and ourselves", head: "Head of Marketing", titles: &["SEO Specialist", "Content Editor", "Campaign Manager"], rate: 105, skills: &["SEO", "copywriting", "paid search", "analytics", "newsletters"] },
    Unit { name: "People", mailbox: "people", purpose: "Hiring, training and the office", head: "Head of People", titles: &["Recruiter", "Office Manager"], rate: 85, skills: &["recruiting", "training", "labour law"] },
];

/// Departments that people are hired into, in turn.
#[rustfmt::skip]
const HIRING: &[usize] = &[
    ENGINEERING, CONSULTING, SALES, SUPPORT, DESIGN, ENGINEERING, CONSULTING, MARKETING, ENGINEERING, SUPPORT,
    SALES, DESIGN, CONSULTING, FINANCE, ENGINEERING, SUPPORT, ENGINEERING, SALES, DESIGN, PEOPLE,
];

/// Name of a department, by index.
pub(super) fn unit_name(unit: usize) -> &'static str {
    UNITS[unit].name
}

/// Who works here, and when.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) members: Vec<Member>,
    pub(super) names: Vec<Person>,
    /// Members of each department, those hired first coming first.
    units: Vec<Vec<usize>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) unit: usize,
    pub(super) hired: Day,
    pub(super) left: Option<Day>,
    title: &'static str,
    /// List price of an hour, in hundredths.
    pub(super) rate: i64,
}

/// Hires everybody. The first is the managing director and the next lead the other departments; these never leave.
pub(super) fn roster(crm: &Crm) -> Roster {
    let count = 28 * crm.scale;
    let heads = UNITS.len();
    let mut roster = Roster {
        units: vec![Vec::new(); heads],
        ..Roster::default()
    };
    let mut mails = HashSet::new();
    for index in 0..count {
        let mut dice = crm.dice("staffs", index);
        let share = (index.saturating_sub(heads)) as f64 / (count - heads) as f64;
        let (unit, hired) = if index < heads {
            (index, Day(-2600 + 130 * index as i32))
        } else {
            // Half of the others were there before the data begins.
            let day = if share < 0.5 {
                -1400.0 + 2740.0 * share
            } else {
                15.0 + (share - 0.5) * 2060.0
            };
            (
                HIRING[(index - heads) % HIRING.len()],
                Day(day as i32).workday(),
            )
        };
        let left = Day(hired.0.max(60) + dice.days(150, 1100)).workday();
        let leaves = index >= heads && dice.chance(24) && left < TODAY.plus(-5);
        let title = if index < heads {
            UNITS[unit].head
        } else {
            dice.pick(UNITS[unit].titles)
        };
        let senior = if index < heads {
            30
        } else if title.starts_with("Senior") {
            15
        } else {
            0
        };
        let rate = (UNITS[unit].rate + senior + 5 * dice.between(-2, 2)) * 100;
        roster.members.push(Member {
            unit,
            hired,
            left: leaves.then_some(left),
            title,
            rate,
        });
        roster.units[unit].push(index);
        let name = loop {
            let name = person(
                dice.pick(&["US", "US", "GB", "GB", "DE", "FR", "NL"]),
                &mut dice,
            );
            if mails.insert(name.mail(DOMAIN)) {
                break name;
            }
        };
        roster.names.push(name);
    }
    roster
}

impl Crm {
    /// Somebody of a department who is here on all days from `from` to `to`; its head where nobody else is.
    pub(super) fn colleague(&self, dice: &mut Dice, unit: usize, from: Day, to: Day) -> usize {
        let unit = &self.staffs.units[unit];
        let hired = unit.partition_point(|index| self.staffs.members[*index].hired <= from);
        for _ in 0..8 {
            let index = unit[dice.below(hired.max(1))];
            if self.staffs.members[index]
                .left
                .is_none_or(|left| left > to.min(TODAY))
            {
                return index;
            }
        }
        unit[0]
    }

    /// First name of a member of staff.
    pub(super) fn first_name(&self, staff: usize) -> &str {
        &self.staffs.names[staff].first
    }
}

fn write_staff(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let member = crm.staffs.members[index];
    let unit = &UNITS[member.unit];
    let person = &crm.staffs.names[index];
    let mut dice = crm.dice("staff details", index);
    let boss = if index == 0 {
        None
    } else if index < UNITS.len() {
        Some(1)
    } else {
        Some(member.unit as u64 + 1)
    };
    let created = office(&mut dice, Day(member.hired.0.max(0)));
    let last = member
        .left
        .unwrap_or(TODAY)
        .plus(-1 - dice.days(0, 6))
        .workday();
    let login = office(&mut dice, Day(last.0.max(created.day().0))).max(created);
    let (country, office, zone) = [
        ("US", "Chicago", "America/Chicago"),
        ("GB", "Manchester", "Europe/London"),
        ("DE", "Berlin", "Europe/Berlin"),
    ][dice.weighted(&[3, 2, 2])];
    let mut skills: Vec<&str> = Vec::new();
    for _ in 0..dice.between(2, 4) {
        let skill = dice.pick(unit.skills);
        if !skills.contains(&skill) {
            skills.push(skill);
        }
    }
    let languages: &[&str] = match country {
        "DE" => &["de", "en"],
        _ => dice.pick(&[&["en"][..], &["en", "es"], &["en", "fr"], &["en", "de"]]),
    };
    Line::new(out)
        .id(Some(id))
        .id((index < LOGINS).then_some(id))
        .text(&person.mail(DOMAIN))
        .text(&person.first)
        .text(&person.last)
        .id(Some(member.unit as u64 + 1))
        .id(boss)
        .text(member.title)
        .maybe(phone::number(country, &mut dice).as_deref())
        .hundredths(member.rate)
        .list(&skills)
        .object(&[
            ("office", Json::Text(office)),
            ("timezone", Json::Text(zone)),
            ("languages", Json::List(languages)),
            ("remote_days", Json::Int(dice.between(0, 4))),
        ])
        .day(member.hired)
        .maybe_day(member.left)
        .bool(member.left.is_none())
        .at(login)
        .text(&network::address(&mut dice))
        .at(created)
        .at(login)
        .end();
}

/// A PHC string of the shape that a real hash has, whose salt and hash are random bytes: no password fits it, since none
/// was ever hashed.
fn nobodys_hash(dice: &mut Dice) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = |bits: usize| -> String {
        (0..bits.div_ceil(6))
            .map(|place| {
                // The last character holds what is left of the bits, in its upper ones.
                let left = (bits - place * 6).min(6);
                let value = dice.below(1 << left) << (6 - left);
                char::from(ALPHABET[value])
            })
            .collect()
    };
    format!("$argon2id$v=19$m=19456,t=2,p=1${}${}", text(128), text(256))
}
