//! Texts that stand in definitions: which of them may be seen in a demo.
//!
//! A definition is the template author's, and may quote what is in the rows. In the demo it is kept if each text in it is
//! one that no row needs to have held: a pattern, an empty document, a word that Postgres reads, or a value that is seen
//! anyway because an enumeration or a check's list names it.

use std::collections::HashSet;

/// Words that mean something to Postgres, beside labels.
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "UTC", "YYYY", "MM", "DD", "YYYY-MM", "YYYY-MM-DD", "YYYY-MM-DD HH24:MI:SS", "HH24:MI", "Month", "Day", "Mon", "IYYY-IW", "Q",
    "FM999999990.00", "FM999999", "t", "f", "{}", "[]", "1970-01-01", "1900-01-01", "infinity", "-infinity",
];

/// The texts in quotes of a definition as Postgres prints it.
pub fn texts(definition: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = definition.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // A name in double quotes may hold a quote.
            '"' => while rest.next().is_some_and(|c| c != '"') {},
            '\'' => {
                let mut text = String::new();
                while let Some(c) = rest.next() {
                    if c != '\'' {
                        text.push(c);
                    } else if rest.peek() == Some(&'\'') {
                        text.push('\'');
                        rest.next();
                    } else {
                        break;
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}

/// Whether a text is a pattern or means something to Postgres: it may stand beside values that are masked.
pub fn is_pattern(text: &str) -> bool {
    if text.is_empty() || KNOWN.contains(&text) {
        return true;
    }
    if [
        "object", "array", "string", "number", "boolean", "null", "day", "week", "month",
        "quarter", "year", "hour", "minute", "second", "epoch",
    ]
    .contains(&text)
    {
        return true;
    }
    // Not more than three letters or digits in a row: `^[A-Z0-9]{2,}$`, but not a name or a number.
    let mut run = 0;
    text.chars().all(|c| {
        run = if c.is_alphanumeric() { run + 1 } else { 0 };
        run <= 3
    })
}

/// A definition's texts that may be values: they are no patterns, and no `labels` that are seen anyway.
pub fn telling(definition: &str, labels: &HashSet<String>) -> Vec<String> {
    let mut texts = texts(definition);
    texts.retain(|text| !(is_pattern(text) || labels.contains(text)));
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_and_names_are_not() {
        assert_eq!(
            texts(r#"CHECK (("it's" = 'a''b'::text) OR x = ANY (ARRAY['c'::text]))"#),
            ["a'b", "c"]
        );
    }

    #[test]
    fn patterns_and_known_labels_pass_and_values_do_not() {
        for text in [
            "",
            "^[^@\\s]+@[^@\\s]+$",
            "^[A-Z]{2}$",
            "object",
            "UTC",
            "%",
        ] {
            assert!(is_pattern(text), "{text}");
        }
        for text in ["ada@corp.com", "Schmidt", "0190123456", "unpaid"] {
            assert!(!is_pattern(text), "{text}");
        }
        let labels = HashSet::from(["paid".to_owned()]);
        let view = "select 'paid'::text, 'schmidt'::text where a ~ '^[a-z]+$'";
        assert_eq!(telling(view, &labels), ["schmidt"]);
    }
}
