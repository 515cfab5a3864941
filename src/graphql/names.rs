//! Names that GraphQL can spell, made from names that Postgres allows.
//!
//! 1. A name is spelt with letters of ASCII, digits and `_`, does not begin with a digit, and
//!    not with `__`, which belongs to introspection (October 2021, 2.1.9 and 4.1).
//! 2. Where a column has such a name, it keeps it. In any other, each character that
//!    can't be spelt becomes `_`, a leading digit gets a `_` in front, and leading `__` become `_`.
//! 3. Tables and relations are written in lowerCamel, types in UpperCamel: the name is split at
//!    whatever is no letter or digit, and a part without lower-case letters counts as lower case.
//! 4. Where a name is taken, the next proposal counts, and after the last one `2`, `3`, .. are
//!    put behind it. Who comes first is settled by the order of tables (by name) and of columns
//!    (of the table), so equal schemas get equal names.

use std::collections::HashSet;

/// Whether GraphQL can spell the name, and it is free for use.
pub fn is_name(text: &str) -> bool {
    let spelt = text
        .bytes()
        .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    spelt
        && !text.is_empty()
        && !text.starts_with("__")
        && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// The name itself where GraphQL can spell it, else the nearest one that it can.
pub fn spelt(text: &str) -> String {
    if is_name(text) {
        return text.to_owned();
    }
    let mut name: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if name.starts_with("__") {
        name = format!("_{}", name.trim_start_matches('_'));
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// `invoice_items` as `invoiceItems`.
pub fn camel(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for part in parts(text) {
        name.push_str(&if name.is_empty() {
            first(&part, char::to_ascii_lowercase)
        } else {
            first(&part, char::to_ascii_uppercase)
        });
    }
    spelt(&name)
}

/// `invoice_items` as `InvoiceItems`.
pub fn pascal(text: &str) -> String {
    let name: String = parts(text)
        .map(|part| first(&part, char::to_ascii_uppercase))
        .collect();
    spelt(&name)
}

/// Names already given away.
#[derive(Default)]
pub struct Taken(HashSet<String>);

impl Taken {
    /// With these given away from the start.
    pub fn with<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().map(str::to_owned).collect())
    }

    /// The first proposal that is free; if none is, the last one with a number behind it.
    pub fn grant(&mut self, proposals: &[String]) -> String {
        self.grant_family(proposals, &[""])
    }

    /// The same for a name of which several are made by putting something behind it: all of
    /// them have to be free, and all are taken.
    pub fn grant_family(&mut self, proposals: &[String], endings: &[&str]) -> String {
        let last = proposals.last().map_or("_", String::as_str);
        let numbered = (2_u32..).map(|number| format!("{last}{number}"));
        let free = |name: &String| {
            endings
                .iter()
                .all(|ending| !self.0.contains(&format!("{name}{ending}")))
        };
        let name = proposals
            .iter()
            .cloned()
            .chain(numbered)
            .find(free)
            .unwrap_or_default();
        for ending in endings {
            self.0.insert(format!("{name}{ending}"));
        }
        name
    }
}

fn parts(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(|part| {
            if part.bytes().any(|byte| byte.is_ascii_lowercase()) {
                part.to_owned()
            } else {
                part.to_ascii_lowercase()
            }
        })
}

fn first(part: &str, change: fn(&char) -> char) -> String {
    let mut chars = part.chars();
    chars
        .next()
        .map(|c| change(&c))
        .into_iter()
        .chain(chars)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_spelt_stays() {
        for name in [
            "id",
            "clientid",
            "Client Name2",
            "_x",
            "größe",
            "2nd",
            "__a",
            "",
            "a-b",
            "__",
        ] {
            let made = spelt(name);
            assert!(is_name(&made) || made == "_", "{name}: {made}");
            assert_eq!(made == name, is_name(name), "{name}: {made}");
        }
        assert_eq!(spelt("Client Name2"), "Client_Name2");
        assert_eq!(spelt("größe"), "gr__e");
        assert_eq!(spelt("2nd"), "_2nd");
        assert_eq!(spelt("__a"), "_a");
        assert_eq!(spelt(""), "_");
    }

    #[test]
    fn tables_in_camel_case() {
        for (table, lower, upper) in [
            ("staffs", "staffs", "Staffs"),
            ("invoice_items", "invoiceItems", "InvoiceItems"),
            ("Order Details", "orderDetails", "OrderDetails"),
            ("PlaylistTrack", "playlistTrack", "PlaylistTrack"),
            ("ORDERS", "orders", "Orders"),
            ("tax-2024", "tax2024", "Tax2024"),
            ("2024", "_2024", "_2024"),
            ("_", "_", "_"),
            ("日本", "_", "_"),
        ] {
            assert_eq!(
                (camel(table), pascal(table)),
                (lower.to_owned(), upper.to_owned())
            );
        }
    }

    #[test]
    fn a_taken_name_gives_way() {
        let mut taken = Taken::with(["Date"]);
        let proposals = ["Date".to_owned(), "Dates".to_owned()];
        assert_eq!(taken.grant(&proposals), "Dates");
        assert_eq!(taken.grant(&proposals), "Dates2");
        assert_eq!(taken.grant(&proposals), "Dates3");
        let family = ["Tax".to_owned()];
        assert_eq!(taken.grant_family(&family, &["", "Where"]), "Tax");
        assert_eq!(taken.grant(&["TaxWhere".to_owned()]), "TaxWhere2");
    }
}
