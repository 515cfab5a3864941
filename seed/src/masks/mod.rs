//! Values that stand in for others: drawn from a seed, the name of a table and the number of a row, and from nothing else.
//!
//! They look like what they stand in for and cannot be it: mail at `.example`, phone numbers and network addresses of
//! reserved blocks, test card numbers. Columns of one row that speak of one person or company agree with each other.

mod codes;
mod prose;
mod words;

use crate::dice::{Dice, shuffled};
use crate::values::{
    company::{Company, company, legal_form},
    countries::COUNTRIES,
    fold, network,
    person::{Person, person},
    phone,
    place::{Place, country, place},
};

/// What a text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// First name.
    First,
    /// Last name.
    Last,
    /// First and last name.
    Name,
    /// `Ms.`, `Dr.`
    Courtesy,
    /// Mail address.
    Email,
    /// Name to log in with.
    Username,
    /// Phone or fax number.
    Phone,
    /// Company with its legal form.
    Company,
    /// Line of business.
    Industry,
    /// Street and number.
    Street,
    /// City.
    City,
    /// State, province or region.
    State,
    /// Postal code.
    Zip,
    /// Country.
    Country,
    /// Two- or three-letter code of a country.
    CountryCode,
    /// Web address.
    Url,
    /// Name of a host.
    Host,
    /// Network address.
    Ip,
    /// Hardware address.
    Mac,
    /// Account number, with a check sum that does not hold.
    Iban,
    /// Card number that payment services keep for tests.
    Card,
    /// Job title.
    Job,
    /// Colour.
    Colour,
    /// Three-letter code of a currency.
    Currency,
    /// Language tag.
    Language,
    /// Time zone.
    TimeZone,
    /// What something is called: two or three words.
    Title,
    /// One sentence.
    Sentence,
    /// Some sentences.
    Prose,
    /// One word, as a label.
    Word,
    /// Number on paper: `KX-204817`.
    Code,
    /// Digits alone.
    Digits,
    /// Hexadecimal digits.
    Hex,
    /// UUID of version 4.
    Uuid,
    /// Name of a file.
    File,
    /// Media type.
    Mime,
    /// How much is in one piece: `12 jars of 250 g`.
    Pack,
    /// Text of the shape that a regular expression describes.
    Shape(codes::Shape),
}

pub use codes::Shape;

/// How texts of one column are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What they say.
    pub kind: Kind,
    /// Most characters.
    pub most: Option<usize>,
    /// Whether each row has another one, whatever its case.
    pub unique: bool,
    /// How many rows there are.
    pub rows: u64,
}

/// A row that values are made for.
#[derive(Debug)]
pub struct Row<'a> {
    seed: u64,
    table: &'a str,
    number: u64,
    persona: Persona,
}

#[derive(Debug)]
struct Persona {
    person: Person,
    company: Company,
    country: &'static str,
    place: Place,
}

impl<'a> Row<'a> {
    /// The row numbered `number`, from 0, of the table `table` under `seed`.
    pub fn new(seed: u64, table: &'a str, number: u64) -> Self {
        let mut dice = Dice::new(seed, table, number);
        let company = company(dice.bits(), number);
        let country = country(&company, &mut dice);
        let person = person(country, &mut dice);
        let place = place(country, &mut dice);
        Row {
            seed,
            table,
            number,
            persona: Persona {
                person,
                company,
                country,
                place,
            },
        }
    }

    /// The dice of one of its columns.
    pub fn dice(&self, column: &str) -> Dice {
        let mut stream = String::with_capacity(self.table.len() + column.len() + 1);
        stream.push_str(self.table);
        stream.push('.');
        stream.push_str(column);
        Dice::new(self.seed, &stream, self.number)
    }

    /// The row's place among `rows` after a shuffle of the column's own: another one for each row.
    pub fn shuffled(&self, column: &str, rows: u64) -> u64 {
        let seed = Dice::new(self.seed, column, 0).bits();
        if self.number < rows {
            shuffled(seed, self.number, rows)
        } else {
            self.number
        }
    }

    /// A text for a column.
    pub fn text(&self, column: &str, text: &Text) -> String {
        let mut dice = self.dice(column);
        let most = text.most.unwrap_or(usize::MAX);
        if !text.unique {
            return fitting(|dice| self.spell(&text.kind, most, dice), most, &mut dice);
        }
        let index = self.shuffled(column, text.rows);
        self.distinct(&text.kind, most, index, text.rows, &mut dice)
    }

    fn spell(&self, kind: &Kind, most: usize, dice: &mut Dice) -> String {
        let Persona {
            person,
            company,
            country,
            place,
        } = &self.persona;
        match kind {
            Kind::First => person.first.clone(),
            Kind::Last => person.last.clone(),
            Kind::Name => format!("{} {}", person.first, person.last),
            Kind::Courtesy => dice
                .pick(&["Ms.", "Mr.", "Mx.", "Dr.", "Mrs.", "Prof."])
                .to_owned(),
            Kind::Email => {
                let mail = person.mail(&company.domain());
                if mail.len() <= most {
                    mail
                } else {
                    format!(
                        "{}@{}.example",
                        fold(&person.first),
                        dice.pick(words::NOUNS)
                    )
                }
            }
            Kind::Username => format!("{}.{}", fold(&person.first), fold(&person.last)),
            Kind::Phone => phone::number(country, dice)
                .filter(|number| number.len() <= most)
                .or_else(|| phone::number("US", dice).filter(|number| number.len() <= most))
                .unwrap_or_else(|| codes::short_phone(most, dice)),
            Kind::Company => format!("{}{}", company.name, legal_form(country, dice)),
            Kind::Industry => company.industry.to_owned(),
            Kind::Street => place.street.clone(),
            Kind::City => place.city.to_owned(),
            Kind::State => place.state.to_owned(),
            Kind::Zip => place.zip.clone(),
            Kind::Country => name_of(country).to_owned(),
            Kind::CountryCode => {
                let (two, three) = codes_of(country);
                if (3..40).contains(&most) { three } else { two }.to_owned()
            }
            Kind::Url => {
                let url = format!("https://www.{}", company.domain());
                if url.len() <= most {
                    url
                } else {
                    company.domain()
                }
            }
            Kind::Host => format!("{}.{}", dice.pick(words::NOUNS), company.domain()),
            Kind::Ip => network::address(dice),
            Kind::Mac => codes::mac(dice),
            Kind::Iban => codes::iban(dice),
            Kind::Card => codes::card(dice).to_owned(),
            Kind::Job => words::job(dice),
            Kind::Colour => codes::colour(most, dice),
            Kind::Currency => dice.pick(words::CURRENCIES).to_owned(),
            Kind::Language => dice.pick(words::LANGUAGES).to_owned(),
            Kind::TimeZone => dice.pick(words::ZONES).to_owned(),
            Kind::Title => words::title(dice),
            Kind::Sentence => prose::sentence(dice),
            Kind::Prose => prose::prose(most, dice),
            Kind::Word => words::word(dice),
            Kind::Code => codes::code(most, dice),
            Kind::Digits => codes::digits(most.min(9), dice),
            Kind::Hex => codes::hex(most.min(32), dice),
            Kind::Uuid => codes::uuid(dice),
            Kind::File => format!("{}-{}.pdf", words::word(dice), dice.between(100, 99_999)),
            Kind::Mime => dice
                .pick(&[
                    "application/pdf",
                    "image/png",
                    "text/plain",
                    "image/jpeg",
                    "text/csv",
                ])
                .to_owned(),
            Kind::Pack => words::pack(dice),
            Kind::Shape(shape) => shape.spell(dice),
        }
    }

    /// A text that no other index below `rows` has.
    fn distinct(&self, kind: &Kind, most: usize, index: u64, rows: u64, dice: &mut Dice) -> String {
        let number = (index + 1).to_string();
        let digits = rows.to_string().len();
        let joined = |text: String, by: &str| {
            let room = most.saturating_sub(by.len() + digits);
            (room >= 3).then(|| format!("{}{by}{number}", cut(&text, room)))
        };
        match kind {
            Kind::Uuid => return codes::uuid(dice),
            Kind::Shape(shape) => return shape.distinct(index),
            Kind::Email => {
                let host = format!("{}.example", dice.pick(words::NOUNS));
                let room = most.saturating_sub(host.len() + 1);
                let name = format!(
                    "{}.{}",
                    fold(&self.persona.person.first),
                    fold(&self.persona.person.last)
                );
                if room >= digits + 3 {
                    return format!("{}{number}@{host}", cut(&name, room - digits));
                }
            }
            Kind::Username | Kind::Word => {
                if let Some(text) = joined(self.spell(kind, most, dice), "") {
                    return text;
                }
            }
            Kind::Url | Kind::Host => {
                let url = format!("{}{number}.example", fold(&self.persona.company.name));
                let url = if *kind == Kind::Url {
                    format!("https://www.{url}")
                } else {
                    url
                };
                if url.len() <= most {
                    return url;
                }
            }
            Kind::Company if index < 40_000 => {
                let other = company(Dice::new(self.seed, self.table, 0).bits(), index);
                let text = format!("{}{}", other.name, legal_form(self.persona.country, dice));
                if text.chars().count() <= most {
                    return text;
                }
            }
            Kind::Title if most >= 24 => {
                if let Some(text) = words::titled(index) {
                    return text;
                }
            }
            Kind::Code
            | Kind::Digits
            | Kind::Hex
            | Kind::Phone
            | Kind::Zip
            | Kind::Card
            | Kind::Iban => {
                if let Some(text) = codes::numbered(kind, index, rows, most, self.seed) {
                    return text;
                }
            }
            _ => {
                if let Some(text) = joined(self.spell(kind, most, dice), " ") {
                    return text;
                }
            }
        }
        codes::letters(index, rows, most)
    }
}

/// A text of at most `most` characters: another throw where one is too long, and a cut at last.
fn fitting(spell: impl Fn(&mut Dice) -> String, most: usize, dice: &mut Dice) -> String {
    for _ in 0..8 {
        let text = spell(dice);
        if text.chars().count() <= most {
            return text;
        }
    }
    cut(&spell(dice), most)
}

/// The first characters of a text, without a blank at the end.
fn cut(text: &str, most: usize) -> String {
    let cut: String = text.chars().take(most).collect();
    cut.trim_end().to_owned()
}

fn name_of(code: &str) -> &'static str {
    COUNTRIES
        .iter()
        .find(|c| c.0 == code)
        .map_or("Ireland", |c| c.3)
}

fn codes_of(code: &str) -> (&'static str, &'static str) {
    COUNTRIES
        .iter()
        .find(|c| c.0 == code)
        .map_or(("IE", "IRL"), |c| (c.0, c.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const KINDS: &[Kind] = &[
        Kind::First,
        Kind::Last,
        Kind::Name,
        Kind::Courtesy,
        Kind::Email,
        Kind::Username,
        Kind::Phone,
        Kind::Company,
        Kind::Industry,
        Kind::Street,
        Kind::City,
        Kind::State,
        Kind::Zip,
        Kind::Country,
        Kind::CountryCode,
        Kind::Url,
        Kind::Host,
        Kind::Ip,
        Kind::Mac,
        Kind::Iban,
        Kind::Card,
        Kind::Job,
        Kind::Colour,
        Kind::Currency,
        Kind::Language,
        Kind::TimeZone,
        Kind::Title,
        Kind::Sentence,
        Kind::Prose,
        Kind::Word,
        Kind::Code,
        Kind::Digits,
        Kind::Hex,
        Kind::Uuid,
        Kind::File,
        Kind::Mime,
        Kind::Pack,
    ];

    #[test]
    fn a_text_depends_on_seed_table_and_row_alone() {
        for kind in KINDS {
            let text = Text {
                kind: kind.clone(),
                most: None,
                unique: false,
                rows: 10,
            };
            let made = |seed, row| Row::new(seed, "people", row).text("c", &text);
            assert_eq!(made(1, 3), made(1, 3), "{kind:?}");
            let differ = (0..40).filter(|row| made(1, *row) != made(2, *row)).count();
            assert!(differ > 20, "{kind:?} {differ}");
        }
    }

    #[test]
    fn texts_keep_to_their_length_and_unique_ones_to_themselves() {
        for kind in KINDS {
            for most in [2, 5, 10, 15, 24, 40, 160] {
                let rows = 500;
                let text = Text {
                    kind: kind.clone(),
                    most: Some(most),
                    unique: true,
                    rows,
                };
                let plain = Text {
                    unique: false,
                    ..text.clone()
                };
                let mut seen = HashSet::new();
                for number in 0..rows {
                    let row = Row::new(9, "t", number);
                    let one = row.text("c", &plain);
                    assert!(one.chars().count() <= most, "{kind:?} {most}: {one}");
                    if *kind == Kind::Uuid {
                        continue;
                    }
                    let one = row.text("c", &text);
                    assert!(one.chars().count() <= most, "{kind:?} {most}: {one}");
                    assert!(
                        seen.insert(one.to_lowercase()),
                        "{kind:?} {most}: {one} twice"
                    );
                }
            }
        }
    }
}
