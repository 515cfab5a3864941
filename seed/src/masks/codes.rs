//! Numbers and codes: of the right form, and out of ranges that are never given out.

use super::Kind;
use crate::dice::Dice;
use std::fmt::Write as _;

/// The shape of a text: a sequence of characters' choices, each repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What may stand at each place, in order, and how often at least and at most.
    pub parts: Vec<(Vec<char>, usize, usize)>,
}

impl Shape {
    /// A text of this shape.
    pub(super) fn spell(&self, dice: &mut Dice) -> String {
        let mut out = String::new();
        for (choice, low, high) in &self.parts {
            let count = dice.between(*low as i64, *high as i64);
            for _ in 0..count {
                out.extend(choice.get(dice.below(choice.len())));
            }
        }
        out
    }

    /// The text of this shape that is numbered `index`: the index written in the choices that there are, from the last.
    pub(super) fn distinct(&self, mut index: u64) -> String {
        let mut out: Vec<char> = Vec::new();
        for (choice, low, high) in self.parts.iter().rev() {
            let count = (*low).max(1).min(*high);
            for _ in 0..count {
                let n = choice.len().max(1) as u64;
                if n == 1 {
                    out.extend(choice.first());
                    continue;
                }
                out.extend(choice.get((index % n) as usize));
                index /= n;
            }
        }
        out.reverse();
        if index > 0
            && let Some((choice, _, high)) = self.parts.last()
        {
            // More rows than the shortest text has room for: the rest goes behind, as far as the shape allows.
            let mut room = high.saturating_sub(out.len());
            while index > 0 && room > 0 && choice.len() > 1 {
                out.extend(choice.get((index % choice.len() as u64) as usize));
                index /= choice.len() as u64;
                room -= 1;
            }
        }
        out.into_iter().collect()
    }
}

/// A number of RFC 7042's block for documentation.
pub(super) fn mac(dice: &mut Dice) -> String {
    format!("00:00:5e:00:53:{:02x}", dice.below(256))
}

/// The form of an account number with the check digits 00, which are never given out (ISO 13616), and that do not check.
pub(super) fn iban(dice: &mut Dice) -> String {
    let bank = dice.pick(&["DE", "GB", "FR", "NL", "IE"]);
    loop {
        let number = format!(
            "{:09}{:09}",
            dice.between(0, 999_999_999),
            dice.between(0, 999_999_999)
        );
        let text = format!("{bank}00{number}");
        if rest_of(&text) != 1 {
            return text;
        }
    }
}

/// The rest that ISO 7064's check leaves: 1 where an account number holds.
fn rest_of(number: &str) -> u64 {
    let turned = number.chars().skip(4).chain(number.chars().take(4));
    turned.fold(0, |rest, c| {
        let value = u64::from(c.to_digit(36).unwrap_or(0));
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    })
}

/// A number that card networks and payment services publish for tests.
pub(super) fn card(dice: &mut Dice) -> &'static str {
    CARDS[dice.below(CARDS.len())]
}

const CARDS: &[&str] = &[
    "4242424242424242",
    "4000056655665556",
    "5555555555554444",
    "2223003122003222",
    "5200828282828210",
    "5105105105105100",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "6011000990139424",
    "3056930009020004",
    "3566002020360505",
];

/// A colour by name, or as `#rrggbb` where that fits only.
pub(super) fn colour(most: usize, dice: &mut Dice) -> String {
    if most == 7 {
        return format!("#{:06x}", dice.below(0x100_0000));
    }
    dice.pick(&[
        "teal", "coral", "amber", "navy", "olive", "plum", "ivory", "slate", "crimson", "indigo",
        "ochre", "mint",
    ])
    .to_owned()
}

/// Two letters and six digits, fewer where they would not fit.
pub(super) fn code(most: usize, dice: &mut Dice) -> String {
    let letter = |dice: &mut Dice| char::from(b"ABCDEFGHJKLMNPQRSTUVWXYZ"[dice.below(24)]);
    if most < 9 {
        let mut out = String::new();
        for at in 0..most {
            if at == 0 {
                out.push(letter(dice));
            } else {
                out.push(char::from(b'0' + dice.below(10) as u8));
            }
        }
        return out;
    }
    format!(
        "{}{}-{:06}",
        letter(dice),
        letter(dice),
        dice.between(0, 999_999)
    )
}

/// Digits, the first not 0.
pub(super) fn digits(count: usize, dice: &mut Dice) -> String {
    (0..count)
        .map(|at| char::from(b'0' + dice.between(i64::from(at == 0), 9) as u8))
        .collect()
}

/// Hexadecimal digits.
pub(super) fn hex(count: usize, dice: &mut Dice) -> String {
    let mut out = String::new();
    while out.len() < count {
        // Writing to a String can't fail.
        let _ = write!(out, "{:016x}", dice.bits());
    }
    out.truncate(count);
    out
}

/// A UUID of version 4 (RFC 9562).
pub(super) fn uuid(dice: &mut Dice) -> String {
    let (high, low) = (dice.bits(), dice.bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48) & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

/// A number of the North American block for fiction in as many characters as there are.
pub(super) fn short_phone(most: usize, dice: &mut Dice) -> String {
    let number = format!("555-01{:02}", dice.below(100));
    if most >= number.len() {
        number
    } else {
        digits(most.min(4), dice)
    }
}

/// A code that no other index below `rows` has; none if there is no room for it.
pub(super) fn numbered(
    kind: &Kind,
    index: u64,
    rows: u64,
    most: usize,
    seed: u64,
) -> Option<String> {
    let width = rows.to_string().len();
    let mut dice = Dice::new(seed, "numbered", index);
    let text = match kind {
        Kind::Code if most >= width + 3 => {
            let mut head = Dice::new(seed, "head", 0);
            let letter = |dice: &mut Dice| char::from(b"ABCDEFGHJKLMNPQRSTUVWXYZ"[dice.below(24)]);
            format!(
                "{}{}-{:0width$}",
                letter(&mut head),
                letter(&mut head),
                index + 1,
                width = width.max(4).min(most - 3)
            )
        }
        Kind::Hex if most >= 16 => format!("{:08x}{}", index, hex(most.min(32) - 8, &mut dice)),
        Kind::Phone if most >= 14 => format!("+1 555 01{:0width$}", index, width = width.max(4)),
        Kind::Iban if most >= 20 => format!("DE00{:09}{:09}", dice.between(0, 999_999_999), index),
        // Never given out: cards begin with 1 to 6 by ISO 7812.
        Kind::Card if most >= 16 => format!("99{:014}", index),
        _ if most >= width => format!("{:0width$}", index + 1, width = width.min(most)),
        _ => return None,
    };
    (text.len() <= most).then_some(text)
}

/// The index in letters, as many as all `rows` need.
pub(super) fn letters(index: u64, rows: u64, most: usize) -> String {
    let mut width = 1;
    while width < most.min(13) && 26u64.saturating_pow(width as u32) < rows.max(1) {
        width += 1;
    }
    // A code of five letters looks like one; of one or two there may be no choice.
    let width = width.max(most.min(5));
    let mut rest = index;
    let mut out: Vec<char> = Vec::with_capacity(width);
    for _ in 0..width {
        out.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    out.reverse();
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers_do_not_check() {
        for row in 0..100 {
            let number = iban(&mut Dice::new(1, "iban", row));
            assert_ne!(rest_of(&number), 1, "{number}");
        }
        assert_eq!(rest_of("GB82WEST12345698765432"), 1);
    }

    #[test]
    fn shapes_count_through_their_choices() {
        let upper: Vec<char> = ('A'..='Z').collect();
        let shape = Shape {
            parts: vec![(upper, 2, 2)],
        };
        let mut dice = Dice::new(1, "x", 0);
        assert_eq!(shape.distinct(0), "AA");
        assert_eq!(shape.distinct(27), "BB");
        assert_eq!(shape.spell(&mut dice).len(), 2);
    }
}
