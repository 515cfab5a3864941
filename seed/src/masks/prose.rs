//! Sentences that read like notes of an office and say nothing of anybody.

use super::words::{ADJECTIVES, NOUNS};
use crate::dice::Dice;

/// One sentence.
pub(super) fn sentence(dice: &mut Dice) -> String {
    let frame = dice.pick(FRAMES);
    let mut out = String::with_capacity(frame.len() + 24);
    for c in frame.chars() {
        match c {
            '#' => out.push_str(&dice.between(2, 90).to_string()),
            '%' => out.push_str(dice.pick(ADJECTIVES)),
            '$' => out.push_str(dice.pick(NOUNS)),
            '@' => out.push_str(dice.pick(DAYS)),
            c => out.push(c),
        }
    }
    out
}

/// Two to four sentences, fewer where they would not fit.
pub(super) fn prose(most: usize, dice: &mut Dice) -> String {
    let mut out = sentence(dice);
    for _ in 0..dice.between(1, 3) {
        let next = sentence(dice);
        if out.len() + next.len() < most {
            out.push(' ');
            out.push_str(&next);
        }
    }
    out
}

const DAYS: &[&str] = &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"];

const FRAMES: &[&str] = &[
    "The % $ comes first, the $ after it.",
    "Called back on @; the $ is on its way.",
    "Asked for a % version of the $.",
    "Agreed on # pieces with the % $.",
    "The $ and the $ have to match.",
    "Wants to see a % $ before @.",
    "No changes to the $ since @.",
    "Sent # photos of the % $.",
    "Please check the $ against the % list.",
    "The $ arrived # days late, which is fine.",
    "Moved to @ because of the % $.",
    "A % $ with # parts and one spare $.",
    "Keeps the $ next to the % $.",
    "Waiting for the $ from @ on.",
    "It went well; the % $ stays as it is.",
    "Two of the # $ parts were %.",
    "Prefers the % one over the $.",
    "To be settled with the $ team on @.",
];
