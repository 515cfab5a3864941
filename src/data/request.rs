//! What a caller asks of the data, in no surface's dialect.

use super::body::Body;
use std::borrow::Cow;

/// One question or one change.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Many rows of a table or view.
    List(List),
    /// One row by its key.
    One(One),
    /// Figures over many rows.
    Aggregate(Aggregate),
    /// New rows.
    Create(Create),
    /// New values for one row by its key.
    Update(Update),
    /// One row by its key, taken away.
    Delete(Delete),
}

impl Request {
    /// The table or view that it is about.
    pub fn table(&self) -> &str {
        match self {
            Self::List(list) => &list.table,
            Self::One(one) => &one.table,
            Self::Aggregate(aggregate) => &aggregate.table,
            Self::Create(create) => &create.table,
            Self::Update(update) => &update.table,
            Self::Delete(delete) => &delete.table,
        }
    }

    /// Whether it changes anything.
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Update(_) | Self::Delete(_))
    }
}

/// Where in the client's request something was said, to name it in a refusal: `filter`, `sort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Cow<'static, str>);

impl From<&'static str> for Place {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Place {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl std::ops::Deref for Place {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.0.into_owned()
    }
}

/// Many rows of a table or view.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// Table or view.
    pub table: String,
    /// What each row shows.
    pub select: Vec<Item>,
    /// Which rows, in which order.
    pub rows: Rows,
    /// How to count all that match.
    pub count: Count,
}

/// One row by its key.
#[derive(Clone, Debug, PartialEq)]
pub struct One {
    /// Table.
    pub table: String,
    /// One text per column of the key.
    pub key: Vec<String>,
    /// What the row shows.
    pub select: Vec<Item>,
}

/// Figures over many rows, for all of them or for each group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregate {
    /// Table or view.
    pub table: String,
    /// Which rows; their order means nothing, and the page is one of groups.
    pub rows: Rows,
    /// What rows are put together by; none for one figure over all.
    pub groups: Vec<Group>,
    /// The figures.
    pub measures: Vec<Measure>,
    /// Sort keys among the groups' and measures' names; ties are broken by the groups.
    pub order: Vec<Ranking>,
}

/// What rows are put together by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The member's name in the answer.
    pub key: String,
    /// Column.
    pub column: String,
    /// The stretch of time that an instant or day falls into, by its first day.
    pub period: Option<Period>,
    /// Where it was asked for.
    pub at: Place,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From midnight UTC.
    Day,
    /// From Monday.
    Week,
    /// From the first day.
    Month,
    /// From January, April, July or October.
    Quarter,
    /// From 1 January.
    Year,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The member's name in the answer.
    pub key: String,
    /// How it is worked out.
    pub function: Function,
    /// Of which column; only `Count` does without.
    pub column: Option<String>,
    /// Whether equal values count once.
    pub distinct: bool,
    /// Where it was asked for.
    pub at: Place,
}

/// How a figure is worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Number of rows, or of values that are not null.
    Count,
    /// Sum of the values.
    Sum,
    /// Mean of the values.
    Avg,
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
}

impl Function {
    /// The function of that name: `count`, `sum`, `avg`, `min`, `max`.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Count, Self::Sum, Self::Avg, Self::Min, Self::Max]
            .into_iter()
            .find(|function| function.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

/// A sort key of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// Name of a group or measure.
    pub key: String,
    /// Last one first.
    pub descending: bool,
    /// Where it was asked for.
    pub at: Place,
}

/// New rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Create {
    /// Table or updatable view.
    pub table: String,
    /// The rows; all are made or none.
    pub body: Body,
    /// What the answer shows of each.
    pub select: Vec<Item>,
    /// What to do where a row with the same unique key exists.
    pub conflict: Option<Conflict>,
}

/// What to do with a row whose unique key exists already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The columns of the unique key.
    pub columns: Vec<String>,
    /// Set the given columns of the existing row, or leave it.
    pub merge: bool,
}

/// New values for one row by its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Table.
    pub table: String,
    /// One text per column of the key.
    pub key: Vec<String>,
    /// One object with the columns to set.
    pub body: Body,
    /// What the answer shows of the row.
    pub select: Vec<Item>,
}

/// One row by its key, taken away.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// Table.
    pub table: String,
    /// One text per column of the key.
    pub key: Vec<String>,
    /// What the answer shows of the row that was.
    pub select: Vec<Item>,
    /// Whether the rows go too that refer to it, and those that refer to them.
    pub dependents: bool,
}

/// One part of what a row shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Every column under its own name.
    All,
    /// One column.
    Column {
        /// The member's name in the answer; the column's own if `None`.
        key: Option<String>,
        /// The column.
        column: String,
        /// Where it was asked for.
        at: Place,
    },
    /// Rows of a related table.
    Related {
        /// The member's name in the answer.
        key: String,
        /// Any name of the relation.
        relation: String,
        /// What each related row shows.
        select: Vec<Item>,
        /// Which related rows, in which order; for a relation to one row only the filter counts.
        rows: Box<Rows>,
        /// Where it was asked for.
        at: Place,
    },
    /// The same JSON text in every row.
    Constant {
        /// The member's name in the answer.
        key: String,
        /// JSON text.
        json: String,
    },
}

/// Which rows, in which order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// What must hold of a row.
    pub filter: Option<Filter>,
    /// Words to find in any text column.
    pub search: Option<String>,
    /// An instant; rows changed before it are left out.
    pub since: Option<String>,
    /// Sort keys, the first one first; ties are broken by the primary key.
    pub order: Vec<Order>,
    /// Which stretch of them.
    pub page: Page,
}

/// One sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Relations to follow from the table, each to one row; empty for a column of its own.
    pub path: Vec<String>,
    /// Column.
    pub column: String,
    /// Last one first.
    pub descending: bool,
    /// Where nulls go; last when ascending and first when descending if `None`.
    pub nulls_first: Option<bool>,
    /// Where it was asked for.
    pub at: Place,
}

/// A stretch of an ordered list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The most rows; all if `None`.
    pub limit: Option<u32>,
    /// Rows to pass over.
    pub offset: u64,
    /// Go on behind the row that this cursor names; the empty one starts at the beginning.
    pub cursor: Option<String>,
}

/// How to count the rows of all pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    /// Count them.
    #[default]
    Exact,
    /// Take the planner's estimate.
    Planned,
    /// Don't.
    None,
}

/// What must hold of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them; an empty one always holds.
    And(Vec<Filter>),
    /// One of them at least; an empty one never holds.
    Or(Vec<Filter>),
    /// Not this one.
    Not(Box<Filter>),
    /// A JSON object of conditions: `{"total": {"gte": 1000}, "or": [..], "client": {..}}`.
    ///
    /// Members are columns with an operator and its value (or a value alone, for equality),
    /// relations with conditions on their rows, and `and`, `or`, `not`. A column of such a name
    /// is put in double quotes.
    Json {
        /// JSON text.
        json: String,
        /// Where it was said.
        at: Place,
    },
    /// A column compared with a value.
    Compare {
        /// Column.
        column: String,
        /// How.
        operator: Operator,
        /// With what, as text that the column's type reads.
        values: Vec<String>,
        /// Where it was said.
        at: Place,
    },
    /// Related rows for which something holds.
    Related {
        /// Any name of the relation.
        relation: String,
        /// How many of them.
        which: Which,
        /// What must hold of a related row.
        filter: Box<Filter>,
        /// Where it was said.
        at: Place,
    },
}

/// How many related rows a filter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// One at least.
    Some,
    /// Every one, also when there is none.
    Every,
    /// Not one.
    None,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal; as in SQL, null is neither equal nor not.
    Neq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Matches a pattern of `%` and `_`.
    Like,
    /// The same, without regard to case.
    Ilike,
    /// One of several.
    In,
    /// None of several; not true for null.
    Nin,
    /// From the first to the second, both included.
    Between,
    /// Null.
    Null,
    /// Not null.
    NotNull,
}

impl Operator {
    /// All of them by the name that clients use.
    pub const ALL: [(&'static str, Self); 13] = [
        ("eq", Self::Eq),
        ("neq", Self::Neq),
        ("gt", Self::Gt),
        ("gte", Self::Gte),
        ("lt", Self::Lt),
        ("lte", Self::Lte),
        ("like", Self::Like),
        ("ilike", Self::Ilike),
        ("in", Self::In),
        ("nin", Self::Nin),
        ("between", Self::Between),
        ("null", Self::Null),
        ("notnull", Self::NotNull),
    ];

    /// The operator of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, operator)| *operator)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, operator)| *operator == self)
            .map_or("", |(name, _)| name)
    }

    /// Whether it takes a list of values.
    pub const fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::Nin | Self::Between)
    }
}
