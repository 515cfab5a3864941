//! From a request to what Postgres is to do: names resolved, rights checked, values looked at.
//!
//! Everything that can be refused without a row is refused here. A plan holds positions in its
//! catalog, never names that a client sent.

mod aggregate;
mod conditions;
mod dependents;
mod filter;
mod read;
mod rules;
mod write;

pub use dependents::{Dependents, Step as DependentStep};
pub(super) use read::order_text;
pub use rules::{Reach, Refusal, Rules, Secret, Special, brief};
pub use write::check_insertable;

use super::catalog::Catalog;
use super::request::{Count, Function, Operator, Period, Place, Request, Which};
use crate::problem::Problem;
use std::sync::Arc;

/// What Postgres is to do, and the catalog that its positions mean.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the positions mean.
    pub catalog: Arc<Catalog>,
    /// The table or view that it is about.
    pub table: usize,
    /// What to do.
    pub step: Step,
}

/// What Postgres is to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// Show rows.
    Read(Read),
    /// Show figures over rows.
    Summarize(Summary),
    /// Make rows.
    Insert(Insert),
    /// Change one row.
    Update(Update),
    /// Take one row away.
    Delete(Delete),
}

/// Rows to show.
#[derive(Clone, Debug)]
pub struct Read {
    /// The table or view.
    pub table: usize,
    /// What each row shows.
    pub outputs: Vec<Output>,
    /// Which rows.
    pub predicate: Predicate,
    /// In which order.
    pub order: Vec<Sort>,
    /// Only rows behind this place: one value (`None` is null) per sort key.
    pub after: Option<Vec<Option<String>>>,
    /// The most rows.
    pub limit: Option<u32>,
    /// Whether to look for one row more than that, to know if there are any.
    pub peek: bool,
    /// Rows to pass over.
    pub offset: u64,
    /// How to count the rows of all pages.
    pub count: Count,
    /// Whether at most one row can match.
    pub single: bool,
    /// Whether the answer says where the next page starts.
    pub cursor: bool,
    /// Whether it was asked for by one.
    pub by_cursor: bool,
}

/// Figures to show.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What rows are put together by, with the member's name.
    pub groups: Vec<(String, Grouping)>,
    /// The figures, with the member's name.
    pub measures: Vec<(String, Figure)>,
    /// Which rows.
    pub predicate: Predicate,
    /// Sort keys: positions in the groups and then the measures, and whether from the last.
    pub order: Vec<(usize, bool)>,
    /// The most groups.
    pub limit: Option<u32>,
    /// Groups to pass over.
    pub offset: u64,
}

/// What rows are put together by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Position of the column.
    pub column: usize,
    /// The stretch of time that its value falls into.
    pub period: Option<Period>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// How it is worked out.
    pub function: Function,
    /// Position of the column; `None` counts rows.
    pub column: Option<usize>,
    /// Whether equal values count once.
    pub distinct: bool,
}

/// One member of a row.
#[derive(Clone, Debug)]
pub enum Output {
    /// A column.
    Column {
        /// The member's name; `None` keeps the value out of the answer (for a cursor's use).
        key: Option<String>,
        /// Its position.
        column: usize,
    },
    /// Rows of a related table.
    Related {
        /// The member's name.
        key: String,
        /// Position of the relation in the table.
        relation: usize,
        /// What to show of them.
        read: Box<Read>,
    },
    /// A fixed JSON text.
    Constant {
        /// The member's name.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// One sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// What to sort by.
    pub by: SortBy,
    /// Last one first.
    pub descending: bool,
    /// Where nulls go, if not where Postgres puts them.
    pub nulls_first: Option<bool>,
}

/// What to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// A column.
    Column(usize),
    /// A column of a related row: the relations to follow, each by its position in the table
    /// before, and the column of the last table.
    Related(Vec<usize>, usize),
    /// The place of the row in its table's file, where there is no key.
    Place,
}

/// What must hold of a row.
#[derive(Clone, Debug)]
pub enum Predicate {
    /// All of them; an empty one always holds.
    And(Vec<Predicate>),
    /// One of them; an empty one never holds.
    Or(Vec<Predicate>),
    /// Not this one.
    Not(Box<Predicate>),
    /// A column compared with values that its type reads.
    Compare {
        /// Position of the column.
        column: usize,
        /// How; never `Null` or `NotNull`.
        operator: Operator,
        /// One value, two for `Between`, any number for `In` and `Nin`.
        values: Vec<String>,
        /// Where the client said so.
        at: Place,
    },
    /// A column is null or is not.
    Null {
        /// Position of the column.
        column: usize,
        /// Which of both.
        is: bool,
    },
    /// A text found in one of the columns, without regard to case.
    Search {
        /// Positions of the columns.
        columns: Vec<usize>,
        /// The text.
        text: String,
    },
    /// Related rows for which something holds.
    Related {
        /// Position of the relation in the table.
        relation: usize,
        /// How many of them.
        which: Which,
        /// What must hold of a related row.
        predicate: Box<Predicate>,
    },
}

/// Rows to make.
#[derive(Clone, Debug)]
pub struct Insert {
    /// Rows next to each other that name the same columns go together.
    pub runs: Vec<Run>,
    /// What to show of each.
    pub outputs: Vec<Output>,
    /// What to do where a row with the same unique key exists.
    pub conflict: Option<OnConflict>,
}

/// What to do where a row with the same unique key exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnConflict {
    /// Positions of the unique key's columns.
    pub columns: Vec<usize>,
    /// Set the other given columns, or leave the row.
    pub merge: bool,
}

/// Rows that name the same columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Positions of the columns, ascending.
    pub columns: Vec<usize>,
    /// A JSON array of objects with exactly these members.
    pub json: String,
    /// How many rows.
    pub rows: usize,
    /// Number of the first one in the body.
    pub first: usize,
}

/// One row to change.
#[derive(Clone, Debug)]
pub struct Update {
    /// Which.
    pub key: Predicate,
    /// The columns to set.
    pub set: Run,
    /// What to show of it.
    pub outputs: Vec<Output>,
}

/// One row to take away.
#[derive(Clone, Debug)]
pub struct Delete {
    /// Which.
    pub key: Predicate,
    /// What to show of it.
    pub outputs: Vec<Output>,
    /// What goes with it; `None` leaves that to the foreign keys.
    pub dependents: Option<Dependents>,
}

/// Plans a request against what the schema holds and what the caller may do.
///
/// `seal` reads and checks cursors; see [`super::cursor`].
pub fn plan(
    request: &Request,
    catalog: &Arc<Catalog>,
    rules: &Rules,
    seal: &super::cursor::Seal,
) -> Result<Plan, Problem> {
    let table = rules.resolve(catalog, request.table())?;
    let scope = Scope {
        catalog,
        rules,
        seal,
    };
    if request.is_write() {
        rules.check_write(&catalog.tables[table])?;
    }
    if matches!(request, Request::Create(_) | Request::Update(_)) {
        rules.check_growth()?;
    }
    let mut step = match request {
        Request::List(list) => Step::Read(scope.list(table, list)?),
        Request::One(one) => Step::Read(scope.one(table, &one.key, &one.select)?),
        Request::Aggregate(aggregate) => Step::Summarize(scope.aggregate(table, aggregate)?),
        Request::Create(create) => Step::Insert(scope.create(table, create)?),
        Request::Update(update) => scope.update(table, update)?,
        Request::Delete(delete) => Step::Delete(scope.delete(table, delete)?),
    };
    if rules.nothing {
        match &mut step {
            Step::Read(read) => read.predicate = Predicate::Or(Vec::new()),
            Step::Summarize(summary) => summary.predicate = Predicate::Or(Vec::new()),
            _ => {}
        }
    }
    Ok(Plan {
        catalog: catalog.clone(),
        table,
        step,
    })
}

/// What planning looks at besides the request.
struct Scope<'a> {
    catalog: &'a Catalog,
    rules: &'a Rules,
    seal: &'a super::cursor::Seal,
}
