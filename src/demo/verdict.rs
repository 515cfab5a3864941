//! What becomes of each column in the demo, and why.
//!
//! Deny by default: a column is shown as it is only if a rule says so of its type or name. Three signals mask it whatever
//! its type: its name, its part in keys and constraints, and what its values look like.

use std::collections::HashSet;

use seed::masks::{Kind, Text};

use crate::data::catalog::{Column, Generated, Table, Type, TypeKind};

use super::{
    checks::{Bounds, Checks},
    facts::{Facts, is_whole},
    kin,
    make::Make,
    names::{self, Rank},
    rules::{Rules, Said},
    shapes::{self, Shape},
    typed::{document, plain, range, share, span},
};

/// What becomes of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Its values are those of the template.
    Keep,
    /// Its values are those of the row that the foreign key of this position points at, there in the `part`th column.
    Follow {
        /// Position in the table's foreign keys.
        key: usize,
        /// Position in the key's columns.
        part: usize,
    },
    /// Its values are those of another column of that row, so that what belongs together says the same; where there is no
    /// such row, they are made by themselves.
    Echo {
        /// Position in the table's foreign keys.
        key: usize,
        /// Position among the columns of the table that the key refers to.
        column: usize,
        /// How they are made by themselves.
        make: Make,
    },
    /// The number of the row, from 1.
    Number,
    /// The database works it out.
    Computed,
    /// It is made up; nulls stay where they are.
    Make(Make),
    /// It is not there.
    Omit,
}

impl Verdict {
    /// How the column is made up, where it is.
    pub fn made(&self) -> Option<&Make> {
        match self {
            Self::Make(make) | Self::Echo { make, .. } => Some(make),
            _ => None,
        }
    }
}

/// What becomes of a column, and why.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What.
    pub verdict: Verdict,
    /// What led to it.
    pub signal: String,
    /// Columns whose values tell groups of rows apart, within which the column is numbered.
    pub group: Vec<usize>,
    /// How many columns before it tell the same kind of time.
    pub place: usize,
}

/// Judges all columns of all tables that have rows.
pub fn judge(facts: &Facts, rules: &Rules) -> Vec<Vec<Judged>> {
    let mut judged: Vec<Vec<Judged>> = (0..facts.catalog.tables.len())
        .map(|at| {
            if facts.has_rows(at) {
                Bench::new(facts, rules, at).columns()
            } else {
                Vec::new()
            }
        })
        .collect();
    kin::join(facts, rules, &mut judged);
    judged
}

/// Texts that are seen in any case: what enumerations and checks' lists name of columns that are shown.
pub fn labels(facts: &Facts, judged: &[Vec<Judged>]) -> HashSet<String> {
    let mut labels = HashSet::new();
    for (table, columns) in facts.catalog.tables.iter().zip(judged) {
        let checks = Checks::read(table);
        for (at, column) in columns.iter().enumerate() {
            if column.verdict != Verdict::Keep {
                continue;
            }
            if let TypeKind::Enum(named) = &table.columns[at].ty.base().kind {
                labels.extend(named.iter().cloned());
            }
            labels.extend(checks.bounds[at].list.iter().flatten().cloned());
        }
    }
    labels
}

/// A table under judgement.
struct Bench<'a> {
    facts: &'a Facts,
    rules: &'a Rules,
    at: usize,
    table: &'a Table,
    checks: Checks,
}

impl<'a> Bench<'a> {
    fn new(facts: &'a Facts, rules: &'a Rules, at: usize) -> Self {
        let table = &facts.catalog.tables[at];
        Self {
            facts,
            rules,
            at,
            table,
            checks: Checks::read(table),
        }
    }

    fn columns(&self) -> Vec<Judged> {
        let mut columns: Vec<Judged> = (0..self.table.columns.len())
            .map(|column| {
                let (verdict, signal) = self.verdict(column);
                let group = if verdict == Verdict::Make(Make::Ordinal) {
                    self.group(column)
                } else {
                    Vec::new()
                };
                Judged {
                    verdict,
                    signal,
                    group,
                    place: 0,
                }
            })
            .collect();
        self.order(&mut columns);
        columns
    }

    fn verdict(&self, at: usize) -> (Verdict, String) {
        let column = &self.table.columns[at];
        let said = self.rules.column(&self.table.name, &column.name);
        let because = |text: &str| text.to_owned();
        if column.generated == Generated::Stored {
            return (Verdict::Computed, because("computed from other columns"));
        }
        if let Some(found) = self.foreign(at) {
            return (found, because("foreign key"));
        }
        match said {
            Some(Said::Keep) => return (Verdict::Keep, because("rule")),
            Some(Said::Omit) => return (Verdict::Omit, because("rule")),
            Some(Said::Make(make)) => {
                return (Verdict::Make(self.fit(at, make.clone())), because("rule"));
            }
            Some(Said::As(..)) | None => {}
        }
        let in_key = self.table.key.contains(&at);
        let shape = self
            .facts
            .samples
            .get(&(self.at, at))
            .and_then(|values| shapes::of(values));
        if !in_key {
            if self.may_be_secret(column) && names::is_secret(&column.name) {
                return (Verdict::Omit, because("name of a secret"));
            }
            if let Some(Shape::Secret(what)) = &shape {
                return (Verdict::Omit, format!("values look secret: {what}"));
            }
        }
        if self.facts.is_numbered(self.at, at) {
            return (Verdict::Keep, because("numbered by the database"));
        }
        if in_key && self.table.key.len() == 1 && is_whole(&column.ty) {
            return (Verdict::Number, because("key: the row's number"));
        }
        let named = names::text(&column.name, &self.table.name);
        if let Some(keep) = self.safe(at, named.as_ref()) {
            return (Verdict::Keep, keep.to_owned());
        }
        self.made(at, named, shape)
    }

    /// Why a column may be shown as it is, if it may: its values are no more than what the definition tells.
    fn safe(&self, at: usize, named: Option<&Kind>) -> Option<&'static str> {
        let column = &self.table.columns[at];
        if named.is_some_and(is_personal) {
            return None;
        }
        let base = column.ty.base();
        if base.array {
            return None;
        }
        if matches!(base.kind, TypeKind::Enum(_)) {
            return Some("enumeration");
        }
        if base.name == "bool" {
            return Some("truth value");
        }
        let bounds = &self.checks.bounds[at];
        if bounds.list.is_some() {
            return Some("list in a check");
        }
        if let (true, Some(low), Some(high)) = (is_whole(&column.ty), bounds.low, bounds.high)
            && high - low <= 12.0
        {
            return Some("few numbers in a check");
        }
        None
    }

    /// The foreign key that a column follows.
    fn foreign(&self, at: usize) -> Option<Verdict> {
        self.table
            .foreign_keys
            .iter()
            .enumerate()
            .find_map(|(key, foreign)| {
                // A link that a rule declares is none that the database knows: not all of its values need a partner.
                if foreign.name.is_empty() {
                    return None;
                }
                let part = foreign.columns.iter().position(|column| *column == at)?;
                // A key that refers to itself by the same column tells nothing.
                let same = foreign.table == self.at && foreign.referred.get(part) == Some(&at);
                (!same && self.facts.has_rows(foreign.table))
                    .then_some(Verdict::Follow { key, part })
            })
    }

    fn may_be_secret(&self, column: &Column) -> bool {
        let base = column.ty.base();
        match base.name.as_str() {
            "bool" | "date" | "timestamp" | "timestamptz" | "time" | "interval" => false,
            // Numbers of tokens are no tokens, but a number of three digits may be a card's.
            "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" => {
                let words = names::words(&column.name);
                let whole = words.concat();
                ["pin", "cvv", "cvc", "ssn"]
                    .iter()
                    .any(|word| words.iter().any(|w| w == word))
                    || whole.contains("cardn")
            }
            _ => !matches!(base.kind, TypeKind::Enum(_)),
        }
    }

    fn made(&self, at: usize, named: Option<Kind>, shape: Option<Shape>) -> (Verdict, String) {
        let column = &self.table.columns[at];
        let bounds = &self.checks.bounds[at];
        let (make, signal) = if let Some(list) = &bounds.list {
            (Make::One(list.clone()), "name")
        } else if column.ty.is_text() && !column.ty.base().array {
            let known = matches!(named, Some(Kind::Email | Kind::Phone | Kind::Ip));
            let (kind, signal) = match (named, shape, &bounds.shape) {
                (Some(kind), _, _) if known => (kind, "name"),
                (_, Some(Shape::Text(kind)), _) => (kind, "looks of the values"),
                (_, _, Some(shape)) => (Kind::Shape(shape.clone()), "pattern in a check"),
                (Some(kind), _, _) => (kind, "name"),
                _ => (self.plain_kind(at), "default"),
            };
            (Make::text(kind), signal)
        } else {
            match self.by_type(&column.ty, &column.name, bounds) {
                Some(make) => (
                    make,
                    if names::figure(&column.name).is_some() {
                        "name and type"
                    } else {
                        "type"
                    },
                ),
                None => (Make::Null, "unknown type"),
            }
        };
        (Verdict::Make(self.fit(at, make)), signal.to_owned())
    }

    /// What a text is that no name tells of.
    fn plain_kind(&self, at: usize) -> Kind {
        let (column, bounds) = (&self.table.columns[at], &self.checks.bounds[at]);
        match column
            .ty
            .length
            .map(|length| length as usize)
            .or(bounds.length.1)
        {
            Some(most) if most <= 8 => Kind::Code,
            Some(most) if most <= 24 => Kind::Word,
            Some(most) if most <= 80 => Kind::Title,
            _ if self.is_unique(at) => Kind::Code,
            _ => Kind::Sentence,
        }
    }

    fn is_unique(&self, at: usize) -> bool {
        let sets = self.facts.uniques.get(&self.table.name);
        sets.into_iter().flatten().any(|set| {
            set.contains(&at)
                && set
                    .iter()
                    .all(|column| *column == at || !self.tells_apart(*column))
        })
    }

    /// Whether a column keeps rows as much apart as the template's does.
    fn tells_apart(&self, at: usize) -> bool {
        self.foreign(at).is_some() || self.facts.is_numbered(self.at, at)
    }

    /// Sets a way of making up to the column: its length, its uniqueness.
    fn fit(&self, at: usize, make: Make) -> Make {
        let column = &self.table.columns[at];
        let bounds = &self.checks.bounds[at];
        let in_set = self
            .facts
            .uniques
            .get(&self.table.name)
            .into_iter()
            .flatten()
            .any(|set| set.contains(&at));
        match make {
            Make::Text(text) => {
                let length = column.ty.length.map(|length| length as usize);
                let most = [length, bounds.length.1, text.most]
                    .into_iter()
                    .flatten()
                    .min();
                let most = if column.ty.base().name == "name" {
                    Some(60)
                } else {
                    most
                };
                Make::Text(Text {
                    most,
                    unique: in_set,
                    ..text
                })
            }
            Make::Int(low, _) if in_set => {
                if self.is_unique(at) {
                    Make::Each(low.min(1).max(bounds.low.map_or(1, |low| low as i64)))
                } else {
                    Make::Ordinal
                }
            }
            other => other,
        }
    }

    /// The columns that a numbered column is numbered within.
    fn group(&self, at: usize) -> Vec<usize> {
        let sets = self
            .facts
            .uniques
            .get(&self.table.name)
            .into_iter()
            .flatten();
        let with = sets
            .filter(|set| set.contains(&at))
            .map(|set| set.iter().copied().filter(|column| *column != at).collect());
        let with: Option<Vec<usize>> = with.min_by_key(|set: &Vec<usize>| set.len());
        with.unwrap_or_else(|| {
            self.table
                .foreign_keys
                .first()
                .map(|key| key.columns.clone())
                .unwrap_or_default()
        })
    }

    fn by_type(&self, ty: &Type, name: &str, bounds: &Bounds) -> Option<Make> {
        let ty = ty.base();
        match &ty.kind {
            TypeKind::Array(element) => {
                return Some(Make::List(Box::new(self.element(element, name)?)));
            }
            TypeKind::Enum(labels) => return Some(Make::One(labels.clone())),
            TypeKind::Composite => {
                let fields = self.facts.fields.get(&ty.name)?;
                let made = fields
                    .iter()
                    .map(|(field, of)| plain(of, field, &Bounds::default()));
                return made.collect::<Option<Vec<Make>>>().map(Make::Fields);
            }
            TypeKind::Range => return range(&ty.name),
            _ => {}
        }
        match ty.name.as_str() {
            "json" | "jsonb" => Some(Make::Json(document(bounds.json.as_deref()))),
            "numeric" => {
                let scale = ty
                    .scale
                    .map_or(2, |scale| u32::try_from(scale).unwrap_or(0));
                let digits = ty
                    .precision
                    .map_or(9, |precision| precision.saturating_sub(scale))
                    .min(15);
                let most = 10i64.checked_pow(digits).unwrap_or(i64::MAX) - 1;
                let (low, high) = span(name, bounds, most, scale > 0);
                let narrow = ty.precision.is_some() && digits <= 1;
                match share("float8", name, bounds).filter(|_| narrow) {
                    Some(share) => Some(share),
                    None => Some(Make::Decimal(low, high.min(most), scale)),
                }
            }
            "bit" => Some(Make::Bits(1)),
            other => plain(other, name, bounds),
        }
    }

    /// What the elements of an array are.
    fn element(&self, element: &Type, name: &str) -> Option<Make> {
        if element.is_text() {
            let named = names::text(name, &self.table.name).filter(is_personal);
            let most = element.length.map(|length| length as usize);
            return Some(Make::Text(Text {
                kind: named.unwrap_or(Kind::Word),
                most,
                unique: false,
                rows: 0,
            }));
        }
        self.by_type(element, name, &Bounds::default())
    }

    /// Puts columns of time in the order that checks demand, and tells those of one rank apart.
    fn order(&self, columns: &mut [Judged]) {
        for _ in 0..3 {
            for &(first, second) in &self.checks.order {
                let (Some(low), Some(high)) = (
                    rank_of(&columns[first].verdict),
                    rank_of(&columns[second].verdict),
                ) else {
                    continue;
                };
                if high <= low
                    && let Verdict::Make(
                        Make::Date(rank) | Make::Moment(rank, _) | Make::Midnight(rank, _),
                    ) = &mut columns[second].verdict
                {
                    *rank = if low == Rank::Start {
                        Rank::Late
                    } else {
                        Rank::Future
                    };
                }
            }
        }
        let mut seen: Vec<(Rank, usize)> = Vec::new();
        for column in columns.iter_mut() {
            let Some(rank) = rank_of(&column.verdict) else {
                continue;
            };
            match seen.iter_mut().find(|(known, _)| *known == rank) {
                Some((_, count)) => {
                    *count += 1;
                    column.place = *count;
                }
                None => seen.push((rank, 0)),
            }
        }
    }
}

fn rank_of(verdict: &Verdict) -> Option<Rank> {
    match verdict {
        Verdict::Make(Make::Date(rank) | Make::Moment(rank, _) | Make::Midnight(rank, _)) => {
            Some(*rank)
        }
        _ => None,
    }
}

/// Whether a kind of text speaks of somebody, so that not even a listed value is shown.
fn is_personal(kind: &Kind) -> bool {
    use Kind::{
        Card, City, Company, Email, First, Iban, Ip, Last, Mac, Name, Phone, Street, Url, Username,
        Uuid, Zip,
    };
    matches!(
        kind,
        Card | City
            | Company
            | Email
            | First
            | Iban
            | Ip
            | Last
            | Mac
            | Name
            | Phone
            | Street
            | Url
            | Username
            | Uuid
            | Zip
    )
}
