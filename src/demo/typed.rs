//! How values of a type are made where nothing but the type and the column's name is known.

use seed::masks::Kind;

use super::{
    checks::Bounds,
    make::{Document, Make},
    names::{self, Figure, Rank},
};

/// How values of a built-in type are made.
pub fn plain(ty: &str, name: &str, bounds: &Bounds) -> Option<Make> {
    let whole = |most: i64| {
        let (low, high) = span(name, bounds, most, false);
        match names::figure(name) {
            Some(Figure::Ordinal) => Make::Ordinal,
            Some(Figure::Flag) if low <= 0 && high >= 1 => Make::Int(0, 1),
            _ => Make::Int(low, high),
        }
    };
    if let Some(share) = share(ty, name, bounds) {
        return Some(share);
    }
    Some(match ty {
        "int2" => whole(32_767),
        "int4" => whole(2_000_000_000),
        "int8" => whole(1_000_000_000_000),
        "float4" | "float8" => {
            let (low, high) = span(name, bounds, 1_000_000, true);
            Make::Decimal(
                low,
                high,
                if names::figure(name) == Some(Figure::Latitude) {
                    5
                } else {
                    2
                },
            )
        }
        "money" => Make::Decimal(1, 5000, 2),
        "bool" => Make::Bool,
        "date" => Make::Date(names::rank(name)),
        "timestamp" => Make::Moment(names::rank(name), false),
        "timestamptz" => Make::Moment(names::rank(name), true),
        "time" => Make::Time(false),
        "timetz" => Make::Time(true),
        "interval" => Make::Interval,
        "uuid" => Make::text(Kind::Uuid),
        "bytea" => Make::Bytes,
        "inet" => Make::Inet,
        "cidr" => Make::Cidr,
        "macaddr" => Make::Mac(false),
        "macaddr8" => Make::Mac(true),
        "json" | "jsonb" => Make::Json(document(None)),
        "point" => Make::Point,
        "xml" => Make::Xml,
        "tsvector" => Make::Lexemes,
        "text" | "varchar" | "bpchar" | "citext" => {
            Make::text(names::text(name, "").unwrap_or(Kind::Word))
        }
        "numeric" => Make::Decimal(1, 1000, 2),
        "varbit" => Make::Bits(8),
        _ => return None,
    })
}

/// Ranges of a built-in type.
pub fn range(ty: &str) -> Option<Make> {
    let of = match ty.replace("multirange", "range").as_str() {
        "int4range" | "int8range" => Make::Int(1, 500),
        "numrange" => Make::Decimal(1, 500, 0),
        "daterange" => Make::Date(Rank::Start),
        "tsrange" | "tstzrange" => Make::Moment(Rank::Start, false),
        _ => return None,
    };
    Some(if ty.contains("multirange") {
        Make::Ranges(Box::new(of))
    } else {
        Make::Range(Box::new(of))
    })
}

/// A document of the kind that a check asks for.
pub fn document(kind: Option<&str>) -> Document {
    let leaf = |make: Make| Document::Leaf(Box::new(make));
    let members = vec![
        ("label".to_owned(), leaf(Make::text(Kind::Title))),
        ("note".to_owned(), leaf(Make::text(Kind::Sentence))),
        ("level".to_owned(), leaf(Make::Int(1, 1000))),
    ];
    match kind {
        Some("array") => Document::Array(Box::new(Document::Object(members))),
        Some("string") => leaf(Make::text(Kind::Title)),
        Some("number") => leaf(Make::Int(1, 1000)),
        Some("boolean") => leaf(Make::Bool),
        _ => Document::Object(members),
    }
}

/// The lowest and highest number that a column of this name may hold.
pub fn span(name: &str, bounds: &Bounds, most: i64, broken: bool) -> (i64, i64) {
    let (low, high) = match names::figure(name) {
        Some(Figure::Flag) => (0, 1),
        Some(Figure::Money) => (1, 2000),
        Some(Figure::Price) => (1, 300),
        Some(Figure::Budget) => (1000, 90_000),
        Some(Figure::Percent) => (0, 30),
        Some(Figure::Quantity) => (1, 60),
        Some(Figure::Year) => (1990, 2026),
        Some(Figure::Age) => (18, 80),
        Some(Figure::Latitude) => (-60, 70),
        Some(Figure::Longitude) => (-170, 170),
        Some(Figure::Ordinal) => (1, 20),
        Some(Figure::Size) => (1000, 9_000_000),
        Some(Figure::Span) if broken => (1, 40),
        Some(Figure::Span) => (60, 600_000),
        None => (1, 10_000),
    };
    let low = bounds.low.map_or(low, |bound| low.max(bound.ceil() as i64));
    let high = bounds
        .high
        .map_or(high, |bound| high.min(bound.floor() as i64))
        .max(low);
    (low.min(most), high.clamp(low.min(most), most))
}

/// A discount as a part of one: what a type without a scale, or with hardly any room before the point, holds.
pub fn share(ty: &str, name: &str, bounds: &Bounds) -> Option<Make> {
    let words = names::words(name);
    let hundred = words
        .iter()
        .any(|word| word.contains("percent") || word == "pct");
    let fits =
        bounds.low.is_none_or(|low| low <= 0.0) && bounds.high.is_none_or(|high| high >= 0.25);
    let part = matches!(ty, "float4" | "float8")
        && names::figure(name) == Some(Figure::Percent)
        && !hundred
        && fits;
    part.then(|| {
        let shares = ["0", "0", "0", "0", "0.05", "0.1", "0.15", "0.2", "0.25"];
        Make::One(shares.map(str::to_owned).into())
    })
}
