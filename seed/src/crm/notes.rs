//! Notes on clients, leads, projects and other records.

use super::calendar::{Curve, Day, TODAY};
use super::{Crm, Table, capital, fill, office, people, recent};
use crate::lines::Line;

pub(super) const NOTES: Table = Table {
    name: "notes",
    columns: &[
        "id",
        "rel_type",
        "rel_id",
        "content",
        "is_pinned",
        "staff_id",
        "created_at",
        "updated_at",
    ],
    parents: |crm| 950 * crm.scale,
    children: None,
    write: write_note,
};

fn write_note(crm: &Crm, index: usize, id: u64, out: &mut Vec<u8>) {
    let mut dice = crm.dice("notes", index);
    let count = (NOTES.parents)(crm) as f64;
    let day = Curve::new(1.8)
        .day((index as f64 + 4.0) / (count + 4.0))
        .max(Day(8));
    let client = crm.client_at(&mut dice, day);
    // Whatever has nothing recent to be written about becomes a note on a client.
    let (rel_type, rel, author, texts) = match dice.weighted(&[36, 28, 16, 8, 7, 5]) {
        1 => recent(&crm.leads, |slot| slot.day, day, 50, &mut dice)
            .map(|index| ("lead", index, crm.lead(index).owner, ABOUT_LEADS)),
        2 => recent(
            &crm.projects,
            |project| project.created.day(),
            day,
            90,
            &mut dice,
        )
        .map(|index| ("project", index, crm.project(index).team[0], ABOUT_PROJECTS)),
        3 => recent(&crm.invoices, |slot| slot.day, day, 60, &mut dice).map(|index| {
            (
                "invoice",
                index,
                crm.colleague(&mut dice, people::FINANCE, day, day),
                ABOUT_INVOICES,
            )
        }),
        4 => recent(&crm.estimates, |slot| slot.day, day, 40, &mut dice).map(|index| {
            (
                "estimate",
                index,
                crm.estimate(index).agent,
                ABOUT_ESTIMATES,
            )
        }),
        5 => recent(&crm.contracts, |day| *day, day, 200, &mut dice).map(|index| {
            (
                "contract",
                index,
                crm.contract(index).owner,
                ABOUT_CONTRACTS,
            )
        }),
        _ => None,
    }
    .unwrap_or_else(|| ("client", client, crm.client(client).manager, ABOUT_CLIENTS));
    // Who has left, or was not here yet, did not write it.
    let member = crm.staffs.members[author];
    let there = member.hired <= day && member.left.is_none_or(|left| left >= day);
    let author = if there { author } else { people::SALES };
    let number = dice.between(2, 9).to_string();
    let month = day.plus(dice.days(30, 150)).date().format("%B").to_string();
    let (_, contact) = crm.contact_at(&mut dice, client, day);
    let name = if rel_type == "client" {
        contact.person.first.as_str()
    } else {
        "the client"
    };
    let text = fill(
        dice.pick(texts),
        &[("{n}", &number), ("{month}", &month), ("{name}", name)],
    );
    let created = office(&mut dice, day);
    let later = day.plus(dice.days(0, 9)).min(TODAY.plus(-1));
    let edited = office(&mut dice, later).max(created);
    let edited = if dice.chance(6) { edited } else { created };
    Line::new(out)
        .id(Some(id))
        .text(rel_type)
        .id(Some(rel as u64 + 1))
        .text(&capital(&text))
        .bool(dice.chance(7))
        .id(Some(author as u64 + 1))
        .at(created)
        .at(edited)
        .end();
}

#[rustfmt::skip]
const ABOUT_CLIENTS: &[&str] = &[
    "{name} prefers calls before 10 am; mail only for documents.",
    "Lunch with {name}: happy with the team, budget for next year is decided in {month}.",
    "They open a second site in {month} and will need {n} more workplaces.",
    "{name} would be ready to act as a reference, but wants to see the text first.",
    "Pays reliably, but only against a purchase order.",
    "New managing director since this month. Introduce ourselves personally.",
    "Asked about hosting in their own country; sent our data sheet.",
    "Complained about response times in the last weeks. Apologised, {n} tickets looked through together.",
    "Competitor has made an offer for the maintenance, about {n} % below ours. We stay with our price.",
    "Wants a proposal for a loyalty programme in {month}.",
    "{name} is on parental leave until {month}; the deputy is in copy.",
    "Annual review: very good marks for the project, weak ones for the invoices, which come too late.",
    "Merger planned, everything larger is on hold until {month}.",
    "Met {name} at the trade show. Wants to see the new dashboards.",
    "Uses {n} licences more than agreed on. Raise it at the renewal.",
    "Sends Christmas cards, likes to get one.",
];
#[rustfmt::skip]
const ABOUT_LEADS: &[&str] = &[
    "First call went well: {n} users, decision in {month}.",
    "Left a message, call again on Monday.",
    "Budget not approved yet, asks for a range.",
    "They compare {n} suppliers. Price counts for half, references for the rest.",
    "Demo held, questions about the ERP interface. Follow-up with engineering planned.",
    "Sent two references from the same industry.",
    "The IT manager is for it, finance is not convinced. Prepare a calculation of the savings.",
    "Wants to start in {month} at the earliest.",
    "Was sent to us by a client: mention that in the first meeting.",
    "No reply to {n} mails. One last try, then close.",
    "Looks for somebody who takes over the whole thing, not only the design.",
];
#[rustfmt::skip]
const ABOUT_PROJECTS: &[&str] = &[
    "Kick-off held, good mood. Minutes are in the project folder.",
    "Scope grows: {n} additional pages. Agreed to bill them by the hour.",
    "Access to the old server is still missing. Reminded the client twice.",
    "Steering meeting: on time, but the texts come late.",
    "Team changed: handed over in a call, all informed.",
    "The client wants to move the launch to {month}.",
    "Acceptance with {n} minor remarks, none of them blocking.",
    "Lessons learned: plan more time for data clean-up.",
    "Budget used to {n}0 %, remaining work fits.",
    "Client tests slowly; ask for a fixed tester next time.",
];
#[rustfmt::skip]
const ABOUT_INVOICES: &[&str] = &[
    "Accounts payable says it is in the next payment run.",
    "Promised payment within {n} days.",
    "Sent again, the first one had gone to the old address.",
    "Waits for the approval of the head of department.",
    "Agreed by phone to pay in two parts.",
    "Wants the hours listed by person.",
];
#[rustfmt::skip]
const ABOUT_ESTIMATES: &[&str] = &[
    "Too expensive for them as it is; they ask for a smaller first step.",
    "They like it, decision after the board meeting in {month}.",
    "Asked for {n} % discount. Offered a longer contract instead.",
    "Explained the lines by phone, no open questions.",
    "Still no reply, call next week.",
];
#[rustfmt::skip]
const ABOUT_CONTRACTS: &[&str] = &[
    "Renewal talk planned for {month}.",
    "Signed copy filed.",
    "They use only half of the included hours.",
    "Response times kept in all months.",
    "Would switch to yearly billing for {n} % off.",
    "Notice period explained once more.",
];
