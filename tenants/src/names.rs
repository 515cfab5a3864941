//! Names of schemas and roles, and the one way to put a name or a text into SQL.

use rand::RngExt;

/// Longest part before the six digits of a schema's name; Postgres cuts names at 63 bytes.
const STEM_BYTES: usize = 56;

/// Lower-case base32 (RFC 4648 without padding): 26 characters carry 130 random bits.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The schema that a template's extensions are in: everybody may use it, nobody but the platform may create in it.
pub const EXTENSIONS: &str = "_extensions";

/// The schema of a new tenant: the local part of `email` in lower case, other characters as `_`, then `_` and six digits.
///
/// The stem is cut to 56 bytes; a name that would begin with `pg_`, which Postgres keeps for itself, gets a `_` in front.
/// `digits` below one million gives exactly six.
pub fn schema_for(email: &str, digits: u32) -> String {
    let local = email.rsplit_once('@').map_or(email, |(local, _)| local);
    let mut stem: String = local
        .chars()
        .flat_map(char::to_lowercase)
        .map(|letter| {
            if letter.is_ascii_lowercase() || letter.is_ascii_digit() {
                letter
            } else {
                '_'
            }
        })
        .collect();
    if stem.starts_with("pg_") || stem == "pg" {
        stem.insert(0, '_');
    }
    // Only ASCII is left, so any byte is a character's end.
    stem.truncate(STEM_BYTES);
    format!("{stem}_{:06}", digits % 1_000_000)
}

/// Six random digits for [`schema_for`].
pub fn fresh_digits() -> u32 {
    rand::rng().random_range(0..1_000_000)
}

/// An opaque role name, `t_` and 26 random characters: it says nothing of who owns it.
pub fn fresh_role() -> String {
    format!("t_{}", noise())
}

/// A name for the schema of a spare, long and random so that it can be found in function bodies without doubt.
pub fn fresh_spare() -> String {
    format!("spare_{}", noise())
}

/// A name for a schema that a reset works in; nobody else knows it.
pub(crate) fn fresh_reset() -> String {
    format!("reset_{}", noise())
}

/// A name for the schema of a demo.
pub fn fresh_demo() -> String {
    format!("demo_{}", noise())
}

/// A name for the schema of a snapshot.
pub fn fresh_snapshot() -> String {
    format!("snap_{}", noise())
}

/// Whether `role` has the form of [`fresh_role`].
pub fn is_role(role: &str) -> bool {
    role.strip_prefix("t_").is_some_and(is_noise)
}

/// Whether `schema` has the form of [`fresh_snapshot`].
pub fn is_snapshot(schema: &str) -> bool {
    schema.strip_prefix("snap_").is_some_and(is_noise)
}

/// Whether `schema` is one that a reset works in.
pub fn is_reset(schema: &str) -> bool {
    schema.strip_prefix("reset_").is_some_and(is_noise)
}

/// `name` as an SQL identifier: always quoted, so that case, keywords and quotes survive.
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `text` as an SQL string constant, whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

fn is_noise(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

fn noise() -> String {
    let mut rng = rand::rng();
    (0..26)
        .map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_is_the_local_part_and_six_digits() {
        for (email, digits, schema) in [
            ("Ann.Lee+x@example.org", 42, "ann_lee_x_000042"),
            ("pg_dump@example.org", 999_999, "_pg_dump_999999"),
            ("PG_x@example.org", 1, "_pg_x_000001"),
            ("pg@example.org", 1, "_pg_000001"),
            ("Žoë@example.org", 123_456, "_o__123456"),
            ("\"a@b\"@example.org", 7, "_a_b__000007"),
            ("", 0, "_000000"),
            ("a\0'\";drop@x", 5, "a____drop_000005"),
        ] {
            assert_eq!(schema_for(email, digits), schema, "{email}");
        }
    }

    #[test]
    fn long_schema_fits_a_name() {
        let long = schema_for(&format!("{}@example.org", "x".repeat(64)), 123_456);
        assert_eq!(long.len(), 63);
        assert_eq!(
            schema_for(&format!("pg_{}@example.org", "x".repeat(64)), 123_456).len(),
            63
        );
        assert!(long.ends_with("_123456"));
    }

    #[test]
    fn fresh_names_differ_and_have_their_form() {
        let (one, two) = (fresh_role(), fresh_role());
        assert_ne!(one, two);
        assert!(is_role(&one), "{one}");
        assert_eq!(fresh_spare().len(), 32);
        for other in [
            "t_",
            "sandlot",
            "t_ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "t_abcdefghijklmnopqrstuvwxy1",
        ] {
            assert!(!is_role(other), "{other}");
        }
    }

    #[test]
    fn quoting_leaves_no_way_out() {
        assert_eq!(quote_ident("a\"b; drop"), "\"a\"\"b; drop\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("\\' or 1"), "E'\\\\'' or 1'");
    }
}
