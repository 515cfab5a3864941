//! A column in a form: its field, and what tells whether it was touched.

use sha2::{Digest as _, Sha256};

use super::super::{query::Pairs, tables::Control};

/// A column in the form.
pub struct Field {
    /// What it is called.
    pub name: String,
    /// Its type.
    pub ty: String,
    /// What it is for.
    pub comment: String,
    /// How it is given.
    pub control: Control,
    /// The text in it.
    pub value: String,
    /// What may be chosen.
    pub choices: Vec<(String, String)>,
    /// Whether it holds nothing.
    pub null: bool,
    /// Whether it may hold nothing although it takes empty texts.
    pub nullable: bool,
    /// Whether it has to be given.
    pub required: bool,
    /// What tells whether it was changed.
    pub was: String,
    /// Whether it can't be given.
    pub fixed: bool,
    /// Why, or what happens if nothing is given.
    pub hint: String,
    /// Characters that it takes.
    pub max_length: Option<u32>,
    /// Where what it refers to is picked, and where that is.
    pub reference: Option<Reference>,
    /// What is wrong.
    pub errors: Vec<String>,
}

impl Field {
    /// Name of its input.
    pub fn named(&self) -> String {
        format!("v.{}", self.name)
    }

    /// Id of its input.
    pub fn id(&self) -> String {
        format!("f-{}", self.name.replace(char::is_whitespace, "_"))
    }

    /// Whether it holds what may not be chosen.
    pub fn is_other(&self) -> bool {
        !self.value.is_empty() && self.choices.iter().all(|(value, _)| *value != self.value)
    }

    /// Whether a picker of days and times can show its value.
    pub fn fits_picker(&self) -> bool {
        match self.control {
            Control::Date => self.value.is_empty() || is_day(&self.value),
            Control::Time => self.value.is_empty() || is_time(&self.value),
            _ => self.fits_picker_of_both(),
        }
    }

    fn fits_picker_of_both(&self) -> bool {
        let plain = self
            .value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-T:.".contains(&byte));
        plain
            && (self.value.is_empty() || self.value.len() >= 16)
            && self
                .value
                .split('.')
                .nth(1)
                .is_none_or(|fraction| fraction.len() <= 3)
    }

    /// Whether the row has another value by now than when the form was made.
    pub fn is_changed_since(&self, form: &Pairs) -> bool {
        let was = form.text(&format!("was.{}", self.name));
        !was.is_empty() && was != self.was
    }
}

/// Whether a form sends of a column what it was made with.
pub fn is_untouched(form: &Pairs, name: &str, control: Control, text: &str) -> bool {
    let null = form.get(&format!("null.{name}")).is_some();
    let nothing = null || (text.trim().is_empty() && is_null_when_empty(control));
    form.get(&format!("was.{name}"))
        .is_some_and(|was| was == digest(control, text, nothing))
}

/// What a field refers to.
pub struct Reference {
    /// The table.
    pub table: String,
    /// Where its rows are picked.
    pub pick: String,
    /// Where the row is that it refers to now.
    pub href: Option<String>,
}

/// `2026-01-31`
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([4, 2, 2])
        && parts
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `10:00`, with seconds, with three digits of them at most; midnight at the end of a day is none.
fn is_time(text: &str) -> bool {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = clock
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b':');
    digits && fraction.len() <= 3 && clock.len() >= 5 && clock < "24"
}

/// Whether an empty text is nothing.
fn is_null_when_empty(control: Control) -> bool {
    !matches!(control, Control::Text | Control::Lines | Control::Secret)
}

/// Tells one text of a field from others, however a browser spells it.
pub fn digest(control: Control, text: &str, null: bool) -> String {
    let mut text = text.replace("\r\n", "\n");
    if matches!(control, Control::Moment | Control::Instant | Control::Time) {
        // Browsers leave out seconds that are zero, and zeros at the end of fractions.
        if text.contains('.') {
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
        if text.matches(':').count() == 1 {
            text.push_str(":00");
        }
    }
    if null {
        text.clear();
    }
    let digest = Sha256::digest(format!("{}{text}", u8::from(null)));
    hex::encode(&digest[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_was_not_touched_is_not_sent() {
        let same = |control, one: &str, other: &str| {
            digest(control, one, false) == digest(control, other, false)
        };
        assert!(same(
            Control::Instant,
            "2026-01-31T10:00:00",
            "2026-01-31T10:00"
        ));
        assert!(same(
            Control::Moment,
            "2026-01-31T10:00:05.500",
            "2026-01-31T10:00:05.5"
        ));
        assert!(same(Control::Lines, "a\nb", "a\r\nb"));
        assert!(!same(Control::Text, "a", "a "));
        assert_ne!(
            digest(Control::Text, "", true),
            digest(Control::Text, "", false)
        );
    }
}
