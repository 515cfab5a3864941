//! The template's CRM: who a digital agency works for, what it does for them, and what they owe it.
//!
//! A small plan is made first: the facts of each client and project, and when each invoice, ticket and so on came to be
//! (200 kB at scale 1). Every row is then worked out on its own from the plan, the seed and its number, so rows come in
//! chunks, in any order, and a table of any size takes the memory of one chunk. Numbers of rows follow time: the
//! highest is the latest.
//!
//! The rules that the rows keep (totals, dates, states) are in [`checks`], and tested in `rules`.

pub mod calendar;
pub mod checks;

mod activity;
mod billing;
mod chores;
mod clients;
mod contacts;
mod contracts;
mod estimates;
mod expenses;
mod instalments;
mod invoices;
mod leads;
mod lookups;
mod notes;
mod payments;
mod people;
mod projects;
mod services;
mod tasks;
mod ticket_texts;
mod tickets;
mod timesheets;

#[cfg(test)]
mod rules;

pub use calendar::ANCHOR;

use crate::dice::Dice;
use calendar::{Day, Moment};
use std::collections::HashMap;

/// How many parents, or rows where there is no parent, go into one chunk.
const CHUNK: usize = 128;

/// A table of the CRM.
#[derive(Debug)]
pub struct Table {
    /// Name.
    pub name: &'static str,
    /// Columns that [`Crm::copy`] writes, in order. Those left out are worked out by the database.
    pub columns: &'static [&'static str],
    /// How many parents there are, whose children are made together.
    parents: fn(&Crm) -> usize,
    /// How many rows a parent has; each has one where this is missing.
    children: Option<fn(&Crm, usize) -> usize>,
    /// Writes the rows of a parent, numbered from the one given.
    write: fn(&Crm, usize, u64, &mut Vec<u8>),
}

/// The CRM's data under one seed and at one scale.
#[derive(Debug)]
pub struct Crm {
    seed: u64,
    scale: usize,
    staffs: people::Roster,
    clients: Vec<clients::Client>,
    leads: Vec<leads::Slot>,
    projects: Vec<projects::Project>,
    contracts: Vec<Day>,
    invoices: Vec<invoices::Slot>,
    estimates: Vec<estimates::Slot>,
    tickets: Vec<Day>,
    activity: Vec<activity::Slot>,
    /// For tables with parents: number of the first row of each parent, less 1, and how many there are in all.
    firsts: HashMap<&'static str, Vec<u32>>,
}

/// Tables in the order to load them in: what is pointed at comes first.
static TABLES: [Table; 27] = [
    lookups::COUNTRIES,
    lookups::CURRENCIES,
    lookups::TAXES,
    people::USERS,
    people::DEPARTMENTS,
    people::STAFFS,
    clients::CLIENTS,
    contacts::CONTACTS,
    leads::LEADS,
    projects::PROJECTS,
    projects::PROJECT_MEMBERS,
    projects::MILESTONES,
    tasks::TASKS,
    tasks::TASK_ASSIGNEES,
    timesheets::TIMESHEETS,
    contracts::CONTRACTS,
    estimates::ESTIMATES,
    estimates::ESTIMATE_ITEMS,
    invoices::INVOICES,
    invoices::INVOICE_ITEMS,
    payments::PAYMENTS,
    payments::CREDIT_NOTES,
    expenses::EXPENSES,
    tickets::TICKETS,
    tickets::TICKET_REPLIES,
    notes::NOTES,
    activity::ACTIVITY_LOG,
];

impl Crm {
    /// Plans the data of `seed`. `scale` 1 is about 30,000 rows, 20 is twenty times as many; 0 is taken as 1.
    pub fn new(seed: u64, scale: u32) -> Self {
        let mut crm = Crm {
            seed,
            scale: scale.max(1) as usize,
            staffs: people::Roster::default(),
            clients: Vec::new(),
            leads: Vec::new(),
            projects: Vec::new(),
            contracts: Vec::new(),
            invoices: Vec::new(),
            estimates: Vec::new(),
            tickets: Vec::new(),
            activity: Vec::new(),
            firsts: HashMap::new(),
        };
        crm.staffs = people::roster(&crm);
        crm.clients = clients::plan(&crm);
        crm.leads = leads::plan(&crm);
        crm.projects = projects::plan(&crm);
        crm.contracts = contracts::plan(&crm);
        crm.invoices = invoices::plan(&crm);
        crm.estimates = estimates::plan(&crm);
        crm.tickets = tickets::plan(&crm);
        crm.activity = activity::plan(&crm);
        for table in &TABLES {
            if let Some(children) = table.children {
                let mut firsts = vec![0];
                let mut total = 0;
                for parent in 0..(table.parents)(&crm) {
                    total += children(&crm, parent) as u32;
                    firsts.push(total);
                }
                crm.firsts.insert(table.name, firsts);
            }
        }
        crm
    }

    /// All tables, in the order to load them in.
    pub fn tables() -> &'static [Table] {
        &TABLES
    }

    /// How many rows a table has.
    pub fn rows(&self, table: &Table) -> u64 {
        match self.firsts.get(table.name) {
            Some(firsts) => firsts.last().copied().map_or(0, u64::from),
            None => (table.parents)(self) as u64,
        }
    }

    /// How many chunks a table comes in.
    pub fn chunks(&self, table: &Table) -> usize {
        (table.parents)(self).div_ceil(CHUNK)
    }

    /// Appends the rows of one chunk (0 to `chunks - 1`) to `out`, as PostgreSQL `copy .. from stdin` text lines of
    /// [`Table::columns`], UTF-8.
    pub fn copy(&self, table: &Table, chunk: usize, out: &mut Vec<u8>) {
        let end = ((chunk + 1) * CHUNK).min((table.parents)(self));
        for parent in chunk * CHUNK..end {
            (table.write)(self, parent, self.first(table.name, parent), out);
        }
    }

    /// Number of the first row that a parent (counted from 0) has in a table.
    fn first(&self, table: &str, parent: usize) -> u64 {
        match self.firsts.get(table) {
            Some(firsts) => u64::from(firsts[parent]) + 1,
            None => parent as u64 + 1,
        }
    }

    /// The random numbers of one row in a stream.
    fn dice(&self, stream: &str, row: usize) -> Dice {
        Dice::new(self.seed, stream, row as u64)
    }
}

/// An instant within office hours of a day.
fn office(dice: &mut Dice, day: Day) -> Moment {
    day.at(dice.days(8 * 60, 17 * 60 + 40), dice.days(0, 59))
}

/// Index of one of `items` that came to be within `window` days before `day`; of any earlier one where there are none so
/// new; nothing where there are none at all. `items` are sorted by their days.
fn recent<T>(
    items: &[T],
    day_of: impl Fn(&T) -> Day,
    day: Day,
    window: i32,
    dice: &mut Dice,
) -> Option<usize> {
    let end = items.partition_point(|item| day_of(item) < day);
    let start = items.partition_point(|item| day_of(item) < day.plus(-window));
    let start = if start < end { start } else { 0 };
    (end > start).then(|| start + dice.below(end - start))
}

/// `text` with `{client}` and the like replaced.
fn fill(text: &str, slots: &[(&str, &str)]) -> String {
    let mut out = text.to_string();
    for (name, value) in slots {
        if out.contains(name) {
            out = out.replace(name, value);
        }
    }
    out
}

/// `text` with its first letter in upper case.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect()
}
