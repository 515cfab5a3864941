//! What a caller may see and do: the part of a plan that comes from who asks.

use crate::data::catalog::{Catalog, Table};
use crate::data::run::Keep;
use crate::problem::{Kind, Problem};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a caller may see and do.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Which tables are within reach.
    pub tables: Reach,
    /// Which views are within reach.
    pub views: Reach,
    /// Why nothing may be written, if so. Reads then run in read-only transactions.
    pub no_writes: Option<Refusal>,
    /// Why nothing may become larger, if so: rows may be deleted, but neither made nor changed.
    pub no_growth: Option<Refusal>,
    /// Tables that are treated differently from what their definition says.
    pub special: Vec<Special>,
    /// Whether reads find nothing, as a client may want to see.
    pub nothing: bool,
    /// If no write is kept: the statements that check what a commit would have checked.
    pub simulation: Option<Arc<str>>,
}

/// A problem to answer with, and its words.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Row of the catalogue.
    pub kind: Kind,
    /// What to say; the catalogue's description if `None`.
    pub detail: Option<Cow<'static, str>>,
}

/// Which of several names are within reach.
#[derive(Clone, Debug, Default)]
pub enum Reach {
    /// Each of them.
    #[default]
    All,
    /// These alone. In a path any other name is refused; elsewhere it does not exist.
    Only(BTreeSet<String>),
    /// None: the credential lacks this scope.
    Nothing(&'static str),
}

/// A table that is treated differently from what its definition says.
#[derive(Clone, Debug, Default)]
pub struct Special {
    /// Its name.
    pub table: String,
    /// Whether it is served at all.
    pub absent: bool,
    /// Columns that are not there: not served, filtered, sorted by or written.
    pub hidden: Vec<String>,
    /// Why it may not be written, if so.
    pub no_writes: Option<Refusal>,
    /// Columns that take a secret and keep something made from it.
    pub secrets: Vec<Secret>,
}

/// A member of a body that is not a column: what is made from it goes into a hidden one.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What clients send: `password`.
    pub given: String,
    /// Where the result goes: `password_hash`.
    pub stored: String,
}

impl Refusal {
    /// A refusal in the catalogue's words.
    pub const fn new(kind: Kind) -> Self {
        Self { kind, detail: None }
    }

    /// The problem to answer with.
    pub fn problem(&self) -> Problem {
        match &self.detail {
            Some(detail) => Problem::new(self.kind).detail(detail.clone()),
            None => Problem::new(self.kind),
        }
    }
}

impl Reach {
    fn holds(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
            Self::Nothing(_) => false,
        }
    }

    fn check(&self, name: &str, outside: Kind) -> Result<(), Problem> {
        self.check_scope()?;
        if self.is_outside(name) {
            return Err(outside.into());
        }
        Ok(())
    }

    /// Refuses a credential that reaches none of them at all.
    ///
    /// # Errors
    /// `scope-not-allowed`.
    pub fn check_scope(&self) -> Result<(), Problem> {
        match self {
            Self::Nothing(scope) => Err(Problem::new(Kind::ScopeNotAllowed)
                .detail(format!("The token does not have the scope `{scope}`."))),
            _ => Ok(()),
        }
    }

    /// Whether there is a list that lacks the name.
    fn is_outside(&self, name: &str) -> bool {
        matches!(self, Self::Only(names) if !names.contains(name))
    }

    /// Whether there is a list that has the name.
    pub fn lists(&self, name: &str) -> bool {
        matches!(self, Self::Only(names) if names.contains(name))
    }
}

impl Rules {
    /// The position of the table or view that a path names.
    ///
    /// Fails with `table-not-allowed` or `view-not-allowed` for names out of reach, whether or
    /// not they exist, and with `not-found`.
    pub fn resolve(&self, catalog: &Catalog, name: &str) -> Result<usize, Problem> {
        let found = catalog.find(name);
        match found {
            Some(at) if catalog.tables[at].kind.is_view() => {
                self.views.check(name, Kind::ViewNotAllowed)?;
            }
            Some(_) => self.tables.check(name, Kind::TableNotAllowed)?,
            // What is on either list may be asked for. Any other name is refused as if it were
            // there, or the refusals would tell which names are.
            None if self.tables.lists(name) || self.views.lists(name) => {}
            None => {
                self.tables.check(name, Kind::TableNotAllowed)?;
                if self.views.is_outside(name) {
                    return Err(Kind::ViewNotAllowed.into());
                }
            }
        }
        match found {
            Some(at) if !self.special(name).is_some_and(|special| special.absent) => Ok(at),
            _ => Err(Problem::new(Kind::NotFound)
                .detail(format!("There is no table or view `{}`.", brief(name)))),
        }
    }

    /// Whether the table or view exists for this caller, outside paths.
    pub fn sees(&self, table: &Table) -> bool {
        let reach = if table.kind.is_view() {
            &self.views
        } else {
            &self.tables
        };
        reach.holds(&table.name) && !self.special(&table.name).is_some_and(|s| s.absent)
    }

    /// Whether the column exists for this caller.
    pub fn sees_column(&self, table: &Table, column: usize) -> bool {
        !self
            .special(&table.name)
            .is_some_and(|special| special.hidden.contains(&table.columns[column].name))
    }

    /// The position of a column by the name that a client gives.
    pub fn column(&self, table: &Table, name: &str) -> Option<usize> {
        table
            .find(name)
            .filter(|column| self.sees_column(table, *column))
    }

    /// Refuses a write to the table.
    pub fn check_write(&self, table: &Table) -> Result<(), Problem> {
        let special = self.special(&table.name);
        let refusal = self
            .no_writes
            .as_ref()
            .or_else(|| special.and_then(|special| special.no_writes.as_ref()));
        match refusal {
            Some(refusal) => Err(refusal.problem()),
            None => Ok(()),
        }
    }

    /// Refuses a write that may make the schema larger.
    pub fn check_growth(&self) -> Result<(), Problem> {
        match &self.no_growth {
            Some(refusal) => Err(refusal.problem()),
            None => Ok(()),
        }
    }

    /// Whether a write is kept, given what the client prefers.
    pub fn keep(&self, preferred: Keep) -> Keep {
        match self.simulation {
            Some(_) => Keep::No,
            None => preferred,
        }
    }

    /// The same, with the statements that check what a commit would have checked.
    pub fn end(&self, preferred: Keep) -> (Keep, &str) {
        let late = "set constraints all immediate; ";
        (
            self.keep(preferred),
            self.simulation.as_deref().unwrap_or(late),
        )
    }

    /// How the table is special, if it is.
    pub fn special(&self, table: &str) -> Option<&Special> {
        self.special.iter().find(|special| special.table == table)
    }

    /// The name that a client knows a column by: that of the secret where it keeps one.
    pub fn public_name<'a>(&'a self, table: &str, column: &'a str) -> &'a str {
        self.special(table)
            .and_then(|special| special.secrets.iter().find(|s| s.stored == column))
            .map_or(column, |secret| &secret.given)
    }
}

/// A name as given, cut where it is long, for use in a message.
pub fn brief(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}..", &name[..end])),
        None => Cow::Borrowed(name),
    }
}
