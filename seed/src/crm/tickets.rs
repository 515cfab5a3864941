//! Tickets and their replies.

use super::calendar::{Curve, Day, Moment, TODAY};
use super::ticket_texts::{AGAIN, INTERNAL, NOT_YET, THANKS, TOPICS, Topic};
use super::{Crm, Table, fill, recent};
use crate::dice::Dice;
use crate::lines::Line;
use crate::values::person::person;

pub(super) const TICKETS: Table = Table {
    name: "tickets",
    columns: &[
        "id",
        "subject",
        "message",
        "clientid",
        "contact_id",
        "project_id",
        "department_id",
        "assigned_id",
        "status",
        "priority",
        "channel",
        "topic",
        "tags",
        "rating",
        "last_reply_at",
        "closed_at",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.tickets.len(),
    children: None,
    write: write_ticket,
};

pub(super) const TICKET_REPLIES: Table = Table {
    name: "ticket_replies",
    columns: &[
        "id",
        "ticket_id",
        "contact_id",
        "staff_id",
        "message",
        "is_internal",
        "created_at",
        "updated_at",
    ],
    parents: |crm| crm.tickets.len(),
    children: Some(|crm, ticket| crm.ticket(ticket).replies.len()),
    write: write_replies,
};

/// What a ticket is about, and how it went.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) client: usize,
    pub(super) created: Moment,
    pub(super) topic: &'static Topic,
    pub(super) opening: &'static (&'static str, &'static str),
    pub(super) agent: usize,
    pub(super) closed: Option<Moment>,
    priority: usize,
    status: i64,
    replies: Vec<Reply>,
}

#[derive(Clone, Copy, Debug)]
struct Reply {
    at: Moment,
    text: &'static str,
    /// Whether one of us wrote it.
    ours: bool,
    internal: bool,
}

const OPEN: i64 = 1;
const IN_PROGRESS: i64 = 2;
const ANSWERED: i64 = 3;
const ON_HOLD: i64 = 4;
const CLOSED: i64 = 5;

/// When each ticket came in.
pub(super) fn plan(crm: &Crm) -> Vec<Day> {
    let count = 820 * crm.scale;
    let curve = Curve::new(2.1);
    (0..count)
        .map(|index| {
            curve
                .day((index as f64 + 3.0) / (count as f64 + 3.0))
                .max(Day(6))
        })
        .collect()
}

impl Crm {
    /// How a ticket went up to the anchor.
    pub(super) fn ticket(&self, index: usize) -> Ticket {
        let day = self.tickets[index];
        let mut dice = self.dice("tickets", index);
        let client = self.client_at(&mut dice, day);
        let weights: Vec<u32> = TOPICS.iter().map(|topic| topic.weight).collect();
        let topic = &TOPICS[dice.weighted(&weights)];
        let opening = &topic.openings[dice.below(topic.openings.len())];
        let priority = dice.weighted(&topic.priorities) + 1;
        let created = day.at(dice.days(7 * 60, 18 * 60 + 30), dice.days(0, 59));
        let agent = self.colleague(&mut dice, topic.unit, day, day.plus(40));
        let talk = talk(topic, created, priority, &mut dice);
        let said = talk.len();
        let replies: Vec<Reply> = talk
            .into_iter()
            .take_while(|reply| reply.at.is_past())
            .collect();
        let over = replies.len() == said;
        let last = replies.last().map_or(created, |reply| reply.at);
        let closing = last.plus(dice.between(20, 60 * 60));
        // Somebody goes through what is left open once a month.
        let closed =
            (over && closing.is_past() && (dice.chance(97) || closing.day() < TODAY.plus(-30)))
                .then_some(closing);
        let status = match (closed, replies.last()) {
            (Some(_), _) => CLOSED,
            (None, None) => OPEN,
            (None, Some(reply)) if reply.internal => ON_HOLD,
            (None, Some(reply)) if reply.ours => ANSWERED,
            (None, Some(_)) => IN_PROGRESS,
        };
        Ticket {
            client,
            created,
            topic,
            opening,
            agent,
            closed,
            priority,
            status,
            replies,
        }
    }
}

/// The whole conversation, including what lies in the future.
fn talk(topic: &Topic, created: Moment, priority: usize, dice: &mut Dice) -> Vec<Reply> {
    let pace = [900, 400, 160, 40][priority - 1];
    let mut replies: Vec<Reply> = Vec::new();
    let mut now = created;
    let mut say = |text: &'static str, ours: bool, internal: bool, dice: &mut Dice| {
        let wait = ((f64::from(pace) * dice.spread(0.7)) as i64).max(4);
        now = daytime(now.plus(if ours { wait } else { wait * 2 / 3 + 3 }), dice);
        replies.push(Reply {
            at: now,
            text,
            ours,
            internal,
        });
    };
    if dice.chance(78) {
        say(dice.pick(topic.answers), true, false, dice);
        if dice.chance(85) {
            say(dice.pick(topic.details), false, false, dice);
        }
        if dice.chance(12) {
            say(dice.pick(INTERNAL), true, true, dice);
        }
    }
    say(dice.pick(topic.solutions), true, false, dice);
    if dice.chance(14) {
        say(dice.pick(NOT_YET), false, false, dice);
        say(dice.pick(AGAIN), true, false, dice);
    }
    if dice.chance(58) {
        say(dice.pick(THANKS), false, false, dice);
    }
    replies
}

/// The instant itself within hours at which people write, else the next morning; on Monday after a weekend.
fn daytime(moment: Moment, dice: &mut Dice) -> Moment {
    let minutes = moment.0.rem_euclid(86_400) / 60;
    let mut day = moment.day();
    let late = minutes > 18 * 60 + 30;
    if late {
        day = day.plus(1);
    }
    let weekend = day.weekday() > 4;
    if weekend {
        day = day.plus(7 - day.weekday());
    }
    if late || weekend || minutes < 7 * 60 + 30 {
        day.at(dice.days(7 * 60 + 40, 10 * 60), dice.days(0, 59))
            .max(moment)
    } else {
        moment
    }
}

fn write_ticket(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let ticket = crm.ticket(index);
    let day = ticket.created.day();
    let mut words = Words::of(crm, index, &ticket);
    let dice = &mut words.dice;
    let contact = words.contact;
    let project = recent(&crm.projects, |opened| *opened, day, 120, dice)
        .filter(|project| crm.project(*project).client == ticket.client);
    let last = ticket.replies.last().map(|reply| reply.at);
    let rating = if ticket.closed.is_some() && dice.chance(38) {
        Some(dice.weighted(&[3, 4, 10, 31, 52]) + 1)
    } else {
        None
    };
    let mut tags: Vec<&str> = Vec::new();
    if ticket
        .replies
        .iter()
        .any(|reply| NOT_YET.contains(&reply.text))
    {
        tags.push("reopened");
    }
    if dice.chance(10) {
        tags.push(dice.pick(&["support plan", "billable", "vip", "follow-up"]));
    }
    let channel = ["email", "portal", "phone", "chat"][dice.weighted(&[44, 34, 14, 8])];
    let (subject, message) = (words.fill(ticket.opening.0), words.fill(ticket.opening.1));
    Line::new(out)
        .id(Some(id))
        .text(&subject)
        .text(&message)
        .id(Some(ticket.client as u64 + 1))
        .id(Some(contact))
        .id(project.map(|project| project as u64 + 1))
        .id(Some(ticket.topic.unit as u64 + 1))
        .id(Some(ticket.agent as u64 + 1))
        .int(ticket.status)
        .int(ticket.priority as i64)
        .text(channel)
        .text(ticket.topic.name)
        .list(&tags)
        .id(rating.map(|stars| stars as u64))
        .maybe_at(last)
        .maybe_at(ticket.closed)
        .at(ticket.created)
        .at(ticket.closed.or(last).unwrap_or(ticket.created))
        .end();
}

fn write_replies(crm: &Crm, index: usize, first: u64, out: &mut Vec<u8>) {
    let ticket = crm.ticket(index);
    let words = Words::of(crm, index, &ticket);
    for (place, reply) in ticket.replies.iter().enumerate() {
        Line::new(out)
            .id(Some(first + place as u64))
            .id(Some(index as u64 + 1))
            .id((!reply.ours).then_some(words.contact))
            .id(reply.ours.then_some(ticket.agent as u64 + 1))
            .text(&words.fill(reply.text))
            .bool(reply.internal)
            .at(reply.at)
            .at(reply.at)
            .end();
    }
}

/// What goes into the slots of a ticket's texts.
struct Words {
    dice: Dice,
    contact: u64,
    name: String,
    staff: String,
    other: String,
    number: String,
}

impl Words {
    fn of(crm: &Crm, index: usize, ticket: &Ticket) -> Self {
        let mut dice = crm.dice("ticket words", index);
        let (contact, somebody) = crm.contact_at(&mut dice, ticket.client, ticket.created.day());
        let other = person(crm.client(ticket.client).country, &mut dice);
        let number = dice.between(2, 9).to_string();
        Words {
            contact,
            name: somebody.person.first,
            staff: crm.first_name(ticket.agent).to_string(),
            other: format!("{} {}", other.first, other.last),
            number,
            dice,
        }
    }

    fn fill(&self, text: &str) -> String {
        fill(
            text,
            &[
                ("{name}", &self.name),
                ("{staff}", &self.staff),
                ("{other}", &self.other),
                ("{n}", &self.number),
            ],
        )
    }
}
