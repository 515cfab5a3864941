//! Countries, currencies and taxes: the same under every seed and scale.

use super::calendar::Day;
use super::{Crm, Table};
use crate::lines::Line;
use crate::values::countries::{self, COUNTRIES as ALL_COUNTRIES};

pub(super) const COUNTRIES: Table = Table {
    name: "countries",
    columns: &[
        "id",
        "iso2",
        "iso3",
        "numeric_code",
        "name",
        "created_at",
        "updated_at",
    ],
    parents: |_| ALL_COUNTRIES.len(),
    children: None,
    write: |_, index, id, out| {
        let (iso2, iso3, code, name) = ALL_COUNTRIES[index];
        let mut line = Line::new(out);
        line.id(Some(id)).text(iso2).text(iso3).int(code).text(name);
        dated(&mut line);
    },
};

pub(super) const CURRENCIES: Table = Table {
    name: "currencies",
    columns: &[
        "id",
        "code",
        "name",
        "symbol",
        "decimals",
        "rate",
        "is_base",
        "created_at",
        "updated_at",
    ],
    parents: |_| MONEY.len(),
    children: None,
    write: |_, index, id, out| {
        let (code, name, symbol, decimals, micros) = MONEY[index];
        let mut line = Line::new(out);
        line.id(Some(id))
            .text(code)
            .text(name)
            .text(symbol)
            .int(decimals)
            .text(&decimal(micros))
            .bool(index == 0);
        dated(&mut line);
    },
};

pub(super) const TAXES: Table = Table {
    name: "taxes",
    columns: &[
        "id",
        "name",
        "rate",
        "country_id",
        "is_active",
        "created_at",
        "updated_at",
    ],
    parents: |_| RATES.len(),
    children: None,
    write: |_, index, id, out| {
        let (country, name, rate) = RATES[index];
        let mut line = Line::new(out);
        line.id(Some(id))
            .text(name)
            .hundredths(rate)
            .id(Some(countries::number(country)));
        line.bool(index < RATES.len() - 1);
        dated(&mut line);
    },
};

/// Code, name, symbol, decimals, millionths of it for one of the base currency, which comes first.
const MONEY: &[(&str, &str, &str, i64, i64)] = &[
    ("USD", "US dollar", "$", 2, 1_000_000),
    ("EUR", "Euro", "€", 2, 920_000),
    ("GBP", "Pound sterling", "£", 2, 785_000),
    ("CAD", "Canadian dollar", "C$", 2, 1_362_000),
    ("AUD", "Australian dollar", "A$", 2, 1_515_000),
    ("CHF", "Swiss franc", "CHF", 2, 881_000),
    ("SEK", "Swedish krona", "kr", 2, 10_450_000),
    ("NOK", "Norwegian krone", "kr", 2, 10_620_000),
    ("DKK", "Danish krone", "kr", 2, 6_860_000),
    ("JPY", "Japanese yen", "¥", 0, 148_900_000),
];

/// Country, name, hundredths of a per cent. The last one is not used any more.
const RATES: &[(&str, &str, i64)] = &[
    ("US", "Sales tax 8.25 %", 825),
    ("GB", "VAT 20 %", 2000),
    ("DE", "USt 19 %", 1900),
    ("CA", "HST 13 %", 1300),
    ("FR", "TVA 20 %", 2000),
    ("NL", "BTW 21 %", 2100),
    ("AU", "GST 10 %", 1000),
    ("IE", "VAT 23 %", 2300),
    ("IT", "IVA 22 %", 2200),
    ("DE", "USt 16 % (2020)", 1600),
];

/// A tax: its number and its rate in hundredths of a per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tax {
    pub(super) id: u64,
    pub(super) rate: i64,
}

/// The tax on sales in a country.
pub(super) fn tax(country: &str) -> Option<Tax> {
    let index = RATES.iter().position(|rate| rate.0 == country)?;
    Some(Tax {
        id: index as u64 + 1,
        rate: RATES[index].2,
    })
}

/// Number of the currency that clients in a country are billed in.
pub(super) fn currency(country: &str) -> u64 {
    match country {
        "US" => 1,
        "GB" => 3,
        "CA" => 4,
        "AU" => 5,
        _ => 2,
    }
}

/// Millionths of a currency for one of the base currency on a day: its list rate, moved by up to 3 per cent from month to month.
pub(super) fn exchange_rate(crm: &Crm, currency: u64, day: Day) -> i64 {
    if currency == 1 {
        return 1_000_000;
    }
    let month = day.month_start(0).0 + 4096;
    let moved = crm
        .dice("exchange rate", month as usize * 16 + currency as usize)
        .between(-300, 300);
    MONEY[currency as usize - 1].4 * (10_000 + moved) / 10_000
}

/// Millionths as a decimal number.
pub(super) fn decimal(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// The time stamps of what was there from the beginning.
fn dated(line: &mut Line<'_>) {
    let moment = Day(0).at(6 * 60, 0);
    line.at(moment).at(moment).end();
}
