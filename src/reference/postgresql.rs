//! What the own PostgreSQL is told, and why.

use std::fmt::Write as _;

use crate::postgres::settings::SETTINGS;

/// The reference of the own PostgreSQL's settings as Markdown, kept in `docs/postgresql.md`.
pub fn markdown() -> String {
    let mut page = String::from(
        "# What the own PostgreSQL is told\n\n`sandlot postgresql` prints this page. \
         `max_connections` follows from `SANDLOT_CONNECTIONS`.\n\n| setting | value | why |\n|---|---|---|\n",
    );
    for setting in SETTINGS {
        let value = if setting.value.is_empty() {
            "(empty)"
        } else {
            setting.value
        };
        // Writing to a String can't fail.
        let _ = writeln!(page, "| `{}` | `{value}` | {} |", setting.name, setting.why);
    }
    page
}
