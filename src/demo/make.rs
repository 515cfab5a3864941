//! How a cell is made: from the seed, its column and the number of its row.

use chrono::{DateTime, Utc};
use seed::{
    crm::ANCHOR,
    dice::Dice,
    masks::{Kind, Row, Text},
};

use super::names::Rank;

/// How cells of a column are made.
#[derive(Clone, Debug, PartialEq)]
pub enum Make {
    /// A text.
    Text(Text),
    /// A whole number between two, both included.
    Int(i64, i64),
    /// Each whole number once, from the first, in any order.
    Each(i64),
    /// The place of the row among those with the same parent, from 1.
    Ordinal,
    /// A number between two, with so many digits behind the point.
    Decimal(i64, i64, u32),
    /// A truth value.
    Bool,
    /// One of these.
    One(Vec<String>),
    /// Always the same.
    Same(String),
    /// A date.
    Date(Rank),
    /// An instant; without its zone where that is false.
    Moment(Rank, bool),
    /// The beginning of a day; without its zone where that is false.
    Midnight(Rank, bool),
    /// A time of day.
    Time(bool),
    /// A span of time.
    Interval,
    /// Some bytes.
    Bytes,
    /// A network address.
    Inet,
    /// A network.
    Cidr,
    /// A hardware address, of eight bytes where that is true.
    Mac(bool),
    /// A JSON document.
    Json(Document),
    /// A list.
    List(Box<Make>),
    /// From one to another.
    Range(Box<Make>),
    /// Several ranges.
    Ranges(Box<Make>),
    /// Fields of a composite type.
    Fields(Vec<Make>),
    /// A point of the plane.
    Point,
    /// Bits.
    Bits(usize),
    /// An XML document.
    Xml,
    /// Words with their places.
    Lexemes,
    /// Null.
    Null,
}

impl Make {
    /// A text of any length, repeated or not.
    pub fn text(kind: Kind) -> Self {
        Self::Text(Text {
            kind,
            most: None,
            unique: false,
            rows: 0,
        })
    }
}

/// The outline of a JSON document.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// Members, in this order.
    Object(Vec<(String, Document)>),
    /// One to three of these.
    Array(Box<Document>),
    /// A value.
    Leaf(Box<Make>),
}

/// Where a row lies in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it began, in seconds since 1970.
    pub start: i64,
    /// How long things went on, in seconds; always some days, and never beyond the anchor.
    pub span: i64,
    /// How long it may go on after that.
    pub ahead: i64,
}

const DAY: i64 = 86_400;
/// Three years: what the data spans.
const YEARS: i64 = 1096 * DAY;
/// What is left between the start of the youngest row and the anchor.
const LEAST: i64 = 6 * DAY;

impl Life {
    /// The life of a row that is the `number`th of `rows`, and not older than `parent`.
    pub fn new(number: u64, rows: u64, parent: Option<i64>, dice: &mut Dice) -> Self {
        let end = anchor() - LEAST;
        let place = (number as f64 + dice.unit()) / rows.max(1) as f64;
        let own = anchor() - YEARS
            + (place * (YEARS - 40 * DAY) as f64) as i64
            + dice.between(-20 * DAY, 20 * DAY);
        let start = match parent {
            // Within half a year of what it belongs to, as far as there is time left.
            Some(parent) if parent > own => {
                let left = (end - parent).max(60);
                parent + dice.between(30, left.clamp(31, 180 * DAY))
            }
            _ => own,
        };
        let start = at_work(start.min(end), dice).max(parent.map_or(i64::MIN, |parent| parent + 1));
        Self {
            start,
            span: dice.between(
                3 * DAY,
                (anchor() - start - DAY).clamp(3 * DAY + 1, 75 * DAY),
            ),
            ahead: dice.between(10 * DAY, 60 * DAY),
        }
    }

    /// The instant of a rank; `place` tells columns of the same rank apart.
    fn at(&self, rank: Rank, place: usize, dice: &mut Dice) -> i64 {
        let part = |low: f64, high: f64, dice: &mut Dice| {
            let share = low + (high - low) * dice.unit();
            self.start + (self.span as f64 * share) as i64
        };
        let place = place.min(8) as f64 / 100.0;
        match rank {
            Rank::Birth => self.start - dice.between(20 * 365, 64 * 365) * DAY,
            Rank::Start => self.start + (self.span as f64 * place) as i64,
            Rank::Middle => part(0.2 + place, 0.4 + place, dice),
            Rank::Late => part(0.6 + place, 0.8 + place, dice),
            Rank::Future => self.start + self.span + self.ahead,
        }
    }
}

/// The day that counts as today, in seconds since 1970.
pub fn anchor() -> i64 {
    ANCHOR
        .and_time(chrono::NaiveTime::MIN)
        .and_utc()
        .timestamp()
}

/// The same day between eight and six.
fn at_work(moment: i64, dice: &mut Dice) -> i64 {
    moment - moment.rem_euclid(DAY) + dice.between(8 * 3600, 18 * 3600)
}

/// A row for which cells are made.
pub struct Cell<'a> {
    /// Who and where.
    pub row: &'a Row<'a>,
    /// When.
    pub life: Life,
    /// The column's name.
    pub column: &'a str,
    /// How many of the columns before it tell the same kind of time.
    pub place: usize,
    /// Its place among the rows of the same parent, from 1.
    pub ordinal: u64,
    /// How many rows there are.
    pub rows: u64,
}

impl Cell<'_> {
    /// The cell as Postgres reads it; none for null.
    pub fn spell(&self, make: &Make) -> Option<String> {
        let mut dice = self.row.dice(self.column);
        self.make(make, &mut dice)
    }

    fn make(&self, make: &Make, dice: &mut Dice) -> Option<String> {
        Some(match make {
            Make::Text(text) => self.row.text(self.column, text),
            Make::Int(low, high) => dice.between(*low, *high).to_string(),
            Make::Each(first) => {
                (first + self.row.shuffled(self.column, self.rows) as i64).to_string()
            }
            Make::Ordinal => self.ordinal.to_string(),
            Make::Decimal(low, high, scale) => decimal(*low, *high, *scale, dice),
            Make::Bool => dice.chance(50).to_string(),
            Make::One(of) => of.get(dice.below(of.len()))?.clone(),
            Make::Same(text) => text.clone(),
            Make::Date(rank) => when(self.life.at(*rank, self.place, dice))
                .date_naive()
                .to_string(),
            Make::Moment(rank, zoned) => {
                let moment = when(self.life.at(*rank, self.place, dice));
                moment
                    .format(if *zoned {
                        "%Y-%m-%d %H:%M:%S+00"
                    } else {
                        "%Y-%m-%d %H:%M:%S"
                    })
                    .to_string()
            }
            Make::Midnight(rank, zoned) => {
                let day = when(self.life.at(*rank, self.place, dice)).date_naive();
                format!("{day} 00:00:00{}", if *zoned { "+00" } else { "" })
            }
            Make::Time(zoned) => {
                let time = format!(
                    "{:02}:{:02}:{:02}",
                    dice.between(7, 19),
                    dice.between(0, 59),
                    dice.between(0, 59)
                );
                if *zoned { time + "+00" } else { time }
            }
            Make::Interval => format!(
                "{} hours {} minutes",
                dice.between(0, 72),
                dice.between(1, 59)
            ),
            Make::Bytes => format!("\\x{:016x}{:016x}", dice.bits(), dice.bits()),
            Make::Inet => self.text(Kind::Ip),
            Make::Cidr => format!("192.0.2.{}/28", dice.between(0, 15) * 16),
            Make::Mac(false) => self.text(Kind::Mac),
            Make::Mac(true) => format!("02:00:5e:10:00:00:00:{:02x}", dice.below(256)),
            Make::Json(document) => {
                let mut out = String::new();
                self.json(document, dice, &mut out);
                out
            }
            Make::List(element) => {
                let items: Vec<String> = (0..dice.between(1, 3))
                    .filter_map(|_| self.make_again(element, dice))
                    .collect();
                format!(
                    "{{{}}}",
                    items
                        .iter()
                        .map(|item| quoted(item))
                        .collect::<Vec<_>>()
                        .join(",")
                )
            }
            Make::Range(of) => self.range(of, dice)?,
            Make::Ranges(of) => format!("{{{}}}", self.range(of, dice)?),
            Make::Fields(fields) => {
                let fields = fields.iter().map(|field| {
                    self.make_again(field, dice)
                        .map_or(String::new(), |text| quoted(&text))
                });
                format!("({})", fields.collect::<Vec<_>>().join(","))
            }
            Make::Point => format!(
                "({},{})",
                decimal(-180, 180, 4, dice),
                decimal(-90, 90, 4, dice)
            ),
            Make::Bits(count) => (0..*count)
                .map(|_| if dice.chance(50) { '1' } else { '0' })
                .collect(),
            Make::Xml => format!("<note>{}</note>", self.text(Kind::Word)),
            Make::Lexemes => format!(
                "'{}':1 '{}':2",
                self.text(Kind::Word),
                self.text(Kind::Colour)
            ),
            Make::Null => return None,
        })
    }

    /// A cell inside another: each its own.
    fn make_again(&self, make: &Make, dice: &mut Dice) -> Option<String> {
        match make {
            Make::Text(text) => {
                let stream = format!("{} {}", self.column, dice.bits());
                Some(self.row.text(
                    &stream,
                    &Text {
                        unique: false,
                        ..text.clone()
                    },
                ))
            }
            other => self.make(other, dice),
        }
    }

    fn text(&self, kind: Kind) -> String {
        let text = Text {
            kind,
            most: None,
            unique: false,
            rows: self.rows,
        };
        self.row.text(self.column, &text)
    }

    fn range(&self, of: &Make, dice: &mut Dice) -> Option<String> {
        let mut ends = match of {
            Make::Date(_) | Make::Moment(..) => {
                let start = self.life.at(Rank::Start, self.place, dice);
                let end = start + dice.between(1, 30) * DAY;
                return Some(match of {
                    Make::Date(_) => {
                        format!("[{},{})", when(start).date_naive(), when(end).date_naive())
                    }
                    _ => format!(
                        "[{},{})",
                        when(start).format("%Y-%m-%d %H:%M:%S"),
                        when(end).format("%Y-%m-%d %H:%M:%S")
                    ),
                });
            }
            Make::Int(low, high) => [dice.between(*low, *high), dice.between(*low, *high)],
            Make::Decimal(low, high, _) => [dice.between(*low, *high), dice.between(*low, *high)],
            _ => return None,
        };
        ends.sort_unstable();
        Some(format!("[{},{})", ends[0], ends[1] + 1))
    }

    fn json(&self, document: &Document, dice: &mut Dice, out: &mut String) {
        match document {
            Document::Object(members) => {
                out.push('{');
                for (at, (name, member)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    out.push_str(&json_text(name));
                    out.push_str(": ");
                    self.json(member, dice, out);
                }
                out.push('}');
            }
            Document::Array(item) => {
                out.push('[');
                for at in 0..dice.between(1, 3) {
                    out.push_str(if at > 0 { ", " } else { "" });
                    self.json(item, dice, out);
                }
                out.push(']');
            }
            Document::Leaf(make) => {
                let text = self.make_again(make, dice);
                match (make.as_ref(), text) {
                    (_, None) => out.push_str("null"),
                    (
                        Make::Int(..)
                        | Make::Each(_)
                        | Make::Ordinal
                        | Make::Decimal(..)
                        | Make::Bool,
                        Some(text),
                    ) => {
                        out.push_str(&text);
                    }
                    (Make::One(of), Some(text)) if of.iter().all(|one| is_whole(one)) => {
                        out.push_str(&text);
                    }
                    (_, Some(text)) => out.push_str(&json_text(&text)),
                }
            }
        }
    }
}

/// A number between two, most of them nearer to the lower one.
fn decimal(low: i64, high: i64, scale: u32, dice: &mut Dice) -> String {
    let unit = 10i64.pow(scale.min(9));
    let width = (high - low).max(0) as f64;
    let value = low as f64
        + width
            * if low >= 0 && high > 100 {
                dice.unit() * dice.unit()
            } else {
                dice.unit()
            };
    let whole =
        ((value * unit as f64) as i64).clamp(low.saturating_mul(unit), high.saturating_mul(unit));
    if scale == 0 {
        return whole.to_string();
    }
    let sign = if whole < 0 { "-" } else { "" };
    format!(
        "{sign}{}.{:0width$}",
        whole.abs() / unit,
        whole.abs() % unit,
        width = scale.min(9) as usize
    )
}

fn when(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// Whether a choice is a number in JSON.
fn is_whole(text: &str) -> bool {
    text == "0"
        || !text.starts_with('0')
            && !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An item as arrays and rows take it, in double quotes.
fn quoted(item: &str) -> String {
    format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\""))
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_later_in_a_life_is_later() {
        for number in 0..500 {
            let row = Row::new(3, "t", number);
            let life = Life::new(
                number,
                500,
                Some(anchor() - 30 * DAY),
                &mut row.dice("life"),
            );
            let mut dice = row.dice("x");
            let mut last = i64::MIN;
            for rank in [
                Rank::Birth,
                Rank::Start,
                Rank::Middle,
                Rank::Late,
                Rank::Future,
            ] {
                let at = life.at(rank, 0, &mut dice);
                assert!(at > last, "{number} {rank:?}");
                assert!(rank == Rank::Future || at < anchor(), "{number} {rank:?}");
                last = at;
            }
            assert!(life.start > anchor() - 30 * DAY);
        }
    }

    #[test]
    fn numbers_stay_between_their_bounds() {
        let mut dice = Dice::new(1, "n", 0);
        for _ in 0..1000 {
            let value: f64 = decimal(1, 900, 2, &mut dice).parse().unwrap_or(0.0);
            assert!((1.0..=900.0).contains(&value));
        }
    }
}
