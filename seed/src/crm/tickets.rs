//! Tickets and their replies.

use super::calendar::{Curve, Day, Moment, TODAY};
use super::ticket_texts::{
    AGAIN, CLOSINGS, Case, GREETINGS, INTERNAL, NOT_YET, OUR_CLOSINGS, OUR_GREETINGS, THANKS,
    TOPICS, Topic,
};
use super::{Crm, Table, capital, fill, people, recent};
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
    case: &'static Case,
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
    voice: Voice,
}

/// Who writes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    /// The client, in the course of the talk.
    Client,
    /// One of us, with a greeting.
    Letter,
    /// One of us, in the course of the talk.
    Reply,
    /// One of us, for colleagues only.
    Internal,
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
        let case = &topic.cases[dice.below(topic.cases.len())];
        let priority = dice.weighted(&topic.priorities) + 1;
        let created = day.at(dice.days(7 * 60, 18 * 60 + 30), dice.days(0, 59));
        let agent = self.colleague(&mut dice, topic.unit, day, day.plus(40));
        let talk = talk(case, created, priority, &mut dice);
        let said = talk.len();
        let replies: Vec<Reply> = talk
            .into_iter()
            .take_while(|reply| reply.at.is_past())
            .collect();
        let last = replies.last().map_or(created, |reply| reply.at);
        let closing = daytime(last.plus(dice.between(20, 5 * 24 * 60)), &mut dice);
        // What is left open for longer is closed when somebody goes through the list.
        let waits = dice.chance(22) && day > TODAY.plus(-50);
        let closed = (replies.len() == said && closing.is_past() && !waits).then_some(closing);
        let status = match (closed, replies.last()) {
            (Some(_), _) => CLOSED,
            (None, None) => OPEN,
            (
                None,
                Some(Reply {
                    voice: Voice::Internal,
                    ..
                }),
            ) => ON_HOLD,
            (
                None,
                Some(Reply {
                    voice: Voice::Client,
                    ..
                }),
            ) => IN_PROGRESS,
            (None, Some(_)) => ANSWERED,
        };
        Ticket {
            client,
            created,
            topic,
            case,
            agent,
            closed,
            priority,
            status,
            replies,
        }
    }
}

/// The whole conversation, including what lies in the future.
fn talk(case: &'static Case, created: Moment, priority: usize, dice: &mut Dice) -> Vec<Reply> {
    let pace = [900, 400, 160, 40][priority - 1];
    let mut replies: Vec<Reply> = Vec::new();
    let mut now = created;
    let mut say = |voice: Voice, text: &'static str, dice: &mut Dice| {
        let wait = (f64::from(pace) * dice.spread(0.7)) as i64;
        let wait = if voice == Voice::Client {
            wait * 2 / 3
        } else {
            wait
        };
        now = daytime(now.plus(wait.max(4)), dice);
        replies.push(Reply {
            at: now,
            text,
            voice,
        });
    };
    if dice.chance(93) {
        say(Voice::Letter, case.answer, dice);
        if dice.chance(88) {
            say(Voice::Client, case.detail, dice);
        }
        if dice.chance(10) {
            say(Voice::Internal, dice.pick(INTERNAL), dice);
        }
    }
    say(Voice::Letter, case.solution, dice);
    if dice.chance(13) {
        say(Voice::Client, dice.pick(NOT_YET), dice);
        say(Voice::Reply, dice.pick(AGAIN), dice);
    }
    if dice.chance(58) {
        say(Voice::Client, dice.pick(THANKS), dice);
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
    let words = Words::of(crm, index, &ticket);
    let dice = &mut crm.dice("ticket details", index);
    let contact = words.contact;
    let project = recent(
        &crm.projects,
        |project| project.created.day(),
        day,
        120,
        dice,
    )
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
    let message = words.letter(ticket.case.message, (GREETINGS, CLOSINGS), dice);
    Line::new(out)
        .id(Some(id))
        .text(&words.fill(ticket.case.subject))
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
    let mut dice = crm.dice("replies", index);
    for (place, reply) in ticket.replies.iter().enumerate() {
        let ours = reply.voice != Voice::Client;
        let text = match reply.voice {
            Voice::Letter => words.letter(reply.text, (OUR_GREETINGS, OUR_CLOSINGS), &mut dice),
            _ => words.fill(reply.text),
        };
        Line::new(out)
            .id(Some(first + place as u64))
            .id(Some(index as u64 + 1))
            .id((!ours).then_some(words.contact))
            .id(ours.then_some(ticket.agent as u64 + 1))
            .text(&text)
            .bool(reply.voice == Voice::Internal)
            .at(reply.at)
            .at(reply.at)
            .end();
    }
}

/// What goes into the slots of a ticket's texts.
struct Words {
    contact: u64,
    name: String,
    staff: String,
    unit: &'static str,
    other: String,
    number: String,
}

impl Words {
    fn of(crm: &Crm, index: usize, ticket: &Ticket) -> Self {
        let mut dice = crm.dice("ticket words", index);
        let (contact, somebody) = crm.contact_at(&mut dice, ticket.client, ticket.created.day());
        let other = person(crm.client(ticket.client).country, &mut dice);
        Words {
            contact,
            name: somebody.person.first,
            staff: crm.first_name(ticket.agent).to_string(),
            unit: people::unit_name(ticket.topic.unit),
            other: format!("{} {}", other.first, other.last),
            number: dice.between(3, 9).to_string(),
        }
    }

    fn fill(&self, text: &str) -> String {
        let slots = [
            ("{name}", self.name.as_str()),
            ("{staff}", &self.staff),
            ("{unit}", self.unit),
            ("{other}", &self.other),
            ("{n}", &self.number),
        ];
        fill(text, &slots)
    }

    /// `text`, which goes on in lower case, between one of these greetings and one of these closings.
    fn letter(
        &self,
        text: &str,
        (greetings, closings): (&[&str], &[&str]),
        dice: &mut Dice,
    ) -> String {
        let (greeting, closing) = (dice.pick(greetings), dice.pick(closings));
        let text = if greeting.is_empty() {
            capital(text)
        } else {
            text.to_string()
        };
        self.fill(&format!("{greeting}{text}{closing}"))
    }
}
