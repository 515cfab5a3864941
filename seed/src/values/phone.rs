//! Phone numbers of the blocks that regulators keep for films and books.

use crate::dice::Dice;

/// A number in the country with this two-letter code; nothing where no block is known.
///
/// Sources: the North American plan's 555-0100 to 555-0199; Ofcom's, the Bundesnetzagentur's, ARCEP's, ACMA's numbers for
/// drama use.
pub fn number(country: &str, dice: &mut Dice) -> Option<String> {
    let three = dice.between(0, 999);
    let two = dice.between(0, 99);
    Some(match country {
        "US" => format!("+1 {} 555 01{two:02}", dice.pick(US_AREAS)),
        "CA" => format!("+1 {} 555 01{two:02}", dice.pick(CA_AREAS)),
        "GB" => format!("+44 {}{three:03}", dice.pick(GB_BLOCKS)),
        "DE" => format!("+49 {}{two:02}", dice.pick(DE_BLOCKS)),
        "FR" => format!("+33 {} {:02} {two:02}", dice.pick(FR_BLOCKS), three % 100),
        "AU" => format!("+61 {}{two:02}", dice.pick(AU_BLOCKS)),
        _ => return None,
    })
}

const US_AREAS: &[&str] = &[
    "202", "206", "212", "213", "214", "216", "303", "305", "312", "313", "404", "415", "503",
    "512", "602", "612", "617", "619", "702", "713", "720", "801", "813", "919",
];
const CA_AREAS: &[&str] = &[
    "204", "403", "416", "506", "514", "604", "613", "780", "902",
];
const GB_BLOCKS: &[&str] = &[
    "20 7946 0",
    "113 496 0",
    "114 496 0",
    "115 496 0",
    "116 496 0",
    "117 496 0",
    "118 496 0",
    "121 496 0",
    "131 496 0",
    "141 496 0",
    "151 496 0",
    "161 496 0",
    "7700 900",
];
const DE_BLOCKS: &[&str] = &[
    "30 231250",
    "69 900093",
    "40 669691",
    "221 47101",
    "89 999983",
    "171 39200",
];
const FR_BLOCKS: &[&str] = &[
    "1 99 00", "2 61 91", "3 53 01", "4 65 71", "5 36 49", "6 39 98",
];
const AU_BLOCKS: &[&str] = &["2 5550 10", "3 5550 11", "7 5550 12", "8 5550 13"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn american_numbers_lie_in_the_reserved_block() {
        for row in 0..200 {
            let number = number("US", &mut Dice::new(1, "phone", row)).unwrap();
            assert!(
                number.starts_with("+1 ")
                    && number[7..].starts_with("555 01")
                    && number.len() == 15,
                "{number}"
            );
        }
    }

    #[test]
    fn no_block_means_no_number() {
        assert_eq!(number("NL", &mut Dice::new(1, "phone", 1)), None);
    }
}
