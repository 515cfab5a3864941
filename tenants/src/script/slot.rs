//! SQL text with slots: places where a replay puts the name of the schema or of the role that it works for.
//!
//! A slot begins with NUL, which no text that comes from Postgres can hold, and ends with `;`. Between them stand one
//! letter for what goes in (`s` the schema as an identifier, `n` its bare name, `o` the owner) and one `q` for each level of single quotes around it.

/// The quoted name of the schema that a script is replayed into.
pub(crate) const SCHEMA: &str = "\0s;";
/// The same name without quotes, for text that is the name and nothing else.
pub(crate) const BARE_SCHEMA: &str = "\0n;";
/// The quoted name of the role that owns the copy in the end.
pub(crate) const OWNER: &str = "\0o;";

/// Quotes an identifier, whether or not it needs it.
pub(crate) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes an identifier only where it could be read otherwise, so that text which compares names keeps working.
///
/// A simple name with a digit in it is no keyword; any other is quoted.
pub(crate) fn shortest_ident(name: &str) -> String {
    let simple = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if simple && name.contains(|c: char| c.is_ascii_digit()) {
        name.to_owned()
    } else {
        ident(name)
    }
}

/// Makes a string literal of a text that may have slots; their values are quoted one level deeper when filled.
///
/// Assumes `standard_conforming_strings`, which a replay sets.
pub(crate) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    let mut in_slot = false;
    for c in text.chars() {
        match c {
            '\0' => in_slot = true,
            ';' if in_slot => {
                out.push('q');
                in_slot = false;
            }
            '\'' => out.push('\''),
            _ => {}
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// Whether a text has a slot for the schema.
pub(crate) fn names_schema(text: &str) -> bool {
    text.contains("\0s") || text.contains("\0n")
}

/// Fills the slots of a text.
pub(crate) fn fill(text: &str, schema: &str, owner: &str) -> String {
    let mut parts = text.split('\0');
    let mut out = parts.next().unwrap_or_default().to_owned();
    out.reserve(text.len());
    for part in parts {
        let (slot, rest) = part.split_once(';').unwrap_or((part, ""));
        let mut value = match slot.as_bytes().first() {
            Some(b's') => shortest_ident(schema),
            Some(b'n') => schema.to_owned(),
            _ => ident(owner),
        };
        for _ in slot.chars().filter(|c| *c == 'q') {
            value = value.replace('\'', "''");
        }
        out.push_str(&value);
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_names_quoted_as_deep_as_they_stand() {
        let text = format!(
            "create function {SCHEMA}.\"f\"() as {}",
            literal(&format!(
                "execute {}",
                literal(&format!("select {SCHEMA}.x"))
            ))
        );
        assert_eq!(
            fill(&text, "o'hara", "t"),
            "create function \"o'hara\".\"f\"() as 'execute ''select \"o''''hara\".x'''"
        );
    }

    #[test]
    fn short_names_stay_bare_unless_they_could_be_keywords() {
        assert_eq!(shortest_ident("jane_123456"), "jane_123456");
        assert_eq!(shortest_ident("user"), "\"user\"");
        assert_eq!(shortest_ident("Jane_1"), "\"Jane_1\"");
        assert_eq!(shortest_ident("a\"1"), "\"a\"\"1\"");
    }
}
